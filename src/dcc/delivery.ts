/**
 * Carries out what the outbox says is to be sent: posts it to the endpoint of its user, and puts on record
 * what became of it. What was not put on record before a crash is posted again, under the same id.
 */
import type { Outbox, Transmit } from '../duis/outbox.ts';
import { type MessageRecordBody, PARK_CODES } from '../duis/request-records.ts';
import { UpliftError } from '../errors.ts';
import type { Log, Timers } from '../ports.ts';
import type { Post } from './post.ts';

export interface DeliveryOptions {
  outbox: Outbox;
  timers: Timers;
  post: Post;
  /** The document of a message that was queued; `undefined` where it is gone. */
  bodyOf(message: number): Uint8Array | undefined;
  /** On record when it returns. @throws UpliftError */
  write(record: MessageRecordBody): void;
  log: Log;
}

const LONGEST_TIMER_MS = 2_000_000_000;

export class Delivery {
  private readonly options: DeliveryOptions;
  private timer: { cancel(): void } | undefined;
  private isStopped = false;

  constructor(options: DeliveryOptions) {
    this.options = options;
  }

  /** Sends what is due. Called whenever something was queued or released. */
  pump(): void {
    if (this.isStopped) return;
    const { outbox, timers } = this.options;
    outbox.handleTimeout(timers.nowMs());
    for (;;) {
      const transmit = outbox.pollTransmit(timers.nowMs());
      if (!transmit) break;
      void this.send(transmit);
    }
    this.timer?.cancel();
    const atMs = outbox.pollTimeout();
    if (atMs === undefined) return;
    const waitMs = Math.min(LONGEST_TIMER_MS, Math.max(0, atMs - timers.nowMs()));
    this.timer = timers.after(waitMs, () => this.pump());
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private async send(transmit: Transmit): Promise<void> {
    const { outbox, timers, post, bodyOf, log } = this.options;
    const { user, message, attempt } = transmit;
    const body = bodyOf(message);
    if (!body) {
      // Those after it go on; a person sees that it is lost.
      const code = 'message-lost';
      const detail = PARK_CODES[code];
      this.settle(transmit, { kind: 'duis-message', step: 'parked', message, code, detail });
      return;
    }
    const result = await post(user, { message, attempt, body });
    if (this.isStopped) return;
    const record = outbox.handleResult(transmit, result, timers.nowMs());
    const how = result.kind === 'answered' ? `status ${result.status}` : result.detail;
    const isDelivered = record?.step === 'delivered';
    const level = isDelivered ? 'debug' : 'warning';
    log.write(level, `message ${message} for ${user}: ${how}`, { code: 'duis-delivery', attempt });
    if (record) this.settle(transmit, record);
    else this.pump();
  }

  private settle(transmit: Transmit, record: MessageRecordBody): void {
    const { outbox, timers, write } = this.options;
    try {
      write(record);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      // The journal takes no more, and everybody was told: it is sent again after a start.
      outbox.handleUnwritten(transmit, timers.nowMs());
      return;
    }
    this.pump();
  }
}
