/** Runs one upgrade session over a coordinator's link: its commands out, its inputs in, its one timer. */
import type { Timers } from '../ports.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { SYSTEM_TIMERS } from '../transport/serial/driver.ts';
import type { AssignRequest, LinkEvent, Method, Methods } from '../transport/zigbee/messages.ts';
import type {
  SessionCommand,
  SessionEvent,
  SessionInput,
  UpgradeSession,
} from '../upgrade/session.ts';
import { isFinal } from '../upgrade/states.ts';

export const READ_TIMEOUT_MS = 6_000;
/** Everything a device needs to decide whether to ask is in the query; the shortest notify will do. */
const NOTIFY_PAYLOAD_TYPE = 0;

/** A coordinator that is open, as far as a device behind it is concerned. */
export interface CoordinatorLink {
  /** @throws UpliftError */
  call<M extends Method>(method: M, parameters: Methods[M][0]): Promise<Methods[M][1]>;
}

export interface ZigbeeDeviceOptions {
  eui64: string;
  endpoint: number;
  session: UpgradeSession;
  link: CoordinatorLink;
  timers?: Timers;
  /** All of the assignment but what the session decides. */
  assignment: Omit<AssignRequest, 'authorised' | 'resumable' | 'activation'>;
  /** Makes durable that what this device holds is of this content, or of nothing that is known. */
  remember(): void;
  forget(): void;
  /** False where nothing may be done on it or after it: the device is halted then. */
  onEvent(event: SessionEvent): boolean;
}

export class ZigbeeDevice {
  private readonly options: ZigbeeDeviceOptions;
  private readonly timers: Timers;
  private timer: { cancel(): void } | undefined;
  private halted = false;
  private readonly settled: Promise<void>;
  private settle!: () => void;

  constructor(options: ZigbeeDeviceOptions) {
    this.options = options;
    this.timers = options.timers ?? SYSTEM_TIMERS;
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** Starts the session; resolves when it is final, or when its image is held as was asked. */
  run(): Promise<void> {
    this.options.session.start(this.timers.nowMs());
    this.drain();
    return this.settled;
  }

  handle(input: SessionInput): void {
    if (this.halted) return;
    this.options.session.handle(input, this.timers.nowMs());
    this.drain();
  }

  activate(activation: Activation): void {
    this.options.session.activate(activation, this.timers.nowMs());
    this.drain();
  }

  /** False where it is too late. */
  cancel(): boolean {
    const isCancelled = this.options.session.cancel();
    this.drain();
    return isCancelled;
  }

  /** The image is on the device and waits, as was asked. */
  holds(): boolean {
    return this.options.session.holds();
  }

  /** What it said was not put on record, and nothing more is done for it. */
  get isHalted(): boolean {
    return this.halted;
  }

  /** Forgets the timer; the session stays where it is. */
  stop(): void {
    this.timer?.cancel();
    this.settle();
  }

  /** Its session is dropped where it is; the device keeps what it has and is told to wait. */
  private halt(): void {
    const { link, eui64 } = this.options;
    this.halted = true;
    this.stop();
    link.call('withhold', { eui64 }).catch(() => {});
  }

  private drain(): void {
    const { session, onEvent } = this.options;
    for (let event = session.pollEvent(); event; event = session.pollEvent()) {
      if (!onEvent(event)) {
        this.halt();
        return;
      }
      if (event.kind === 'intent') session.handle({ kind: 'granted' }, this.timers.nowMs());
    }
    for (let command = session.pollTransmit(); command; command = session.pollTransmit()) {
      void this.carryOut(command);
    }
    this.timer?.cancel();
    if (isFinal(session.state) || session.holds()) this.settle();
    const atMs = session.pollTimeout();
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.timers.after(Math.max(0, atMs - this.timers.nowMs()), () => {
      session.handleTimeout(this.timers.nowMs());
      this.drain();
    });
  }

  /** A call that fails because the link is down needs no answer here: the link says so itself. */
  private async carryOut(command: SessionCommand): Promise<void> {
    const { eui64, endpoint, link, assignment, remember, forget } = this.options;
    try {
      switch (command.kind) {
        case 'assign': {
          const { resumable, activation } = command;
          if (!resumable) forget();
          await link.call('assign', { ...assignment, authorised: false, resumable, activation });
          return;
        }
        case 'read': {
          const reading = await link.call('read', { eui64, endpoint, timeoutMs: READ_TIMEOUT_MS });
          this.handle({ kind: 'reading', reading });
          return;
        }
        case 'notify':
          await link.call('notify', { eui64, payloadType: NOTIFY_PAYLOAD_TYPE });
          return;
        case 'remember':
          remember();
          return;
        case 'authorise':
          await link.call('authorise', { eui64, admitted: command.admitted });
          return;
        case 'activate':
          await link.call('activate', { eui64, activation: command.activation });
          return;
        case 'abort':
          await link.call('abort', { eui64 });
          return;
        case 'release':
          await link.call('release', { eui64 });
          return;
      }
    } catch (error) {
      if (command.kind === 'read')
        this.handle({ kind: 'reading-failed', reason: (error as Error).message });
      if (command.kind === 'assign') this.handle({ kind: 'assign-failed', error: error as Error });
    }
  }
}

/** What a session wants to hear of its device; undefined for what concerns others or nobody. */
export function sessionInput(event: LinkEvent): SessionInput | undefined {
  switch (event.kind) {
    case 'progress':
    case 'probed':
    case 'server':
    case 'log':
    case 'joined':
    case 'answered':
    case 'foreign-request':
      return undefined;
    case 'link-down':
    case 'link-up':
      return event;
    default: {
      const { eui64: _, ...input } = event;
      return input as SessionInput;
    }
  }
}
