/**
 * What bad air does to application frames, seen on the wire of their coordinator, which itself stays intact:
 * every request is answered once, every check byte is right, and one request is open at a time.
 *
 * - A frame to a device that is lost is answered and confirmed here, as by a parent that took it: its sender
 *   learns nothing of the loss.
 * - One that comes late, or twice, is accepted at once and put to the coordinator when its time has come;
 *   what the coordinator answers to it is kept back.
 * - A frame that is corrupted has one bit of its payload flipped.
 */
import type { Timers } from '../../ports.ts';
import type { LinkFaultSettings, LinkFaults } from '../ports.ts';
import {
  AF_COMMAND,
  afMessageOf,
  encodeZnp,
  isZnp,
  SYS_COMMAND,
  ZNP_SUBSYSTEM,
  ZNP_TYPE,
  type ZnpFrame,
  ZnpSplitter,
} from '../znp/frames.ts';
import { DelayLine } from './delay-line.ts';
import { drawAt } from './draws.ts';
import { checkFaults, type Direction, faultsOf } from './settings.ts';

export const FRAME_FAULTS = ['drop', 'duplicate', 'corrupt', 'delayMs', 'disconnected'] as const;
const PURPOSE = { drop: 32, duplicate: 33, corrupt: 34, bit: 35 } as const;
const PURPOSES_OF_DOWN = 16;
/** The driver gives a request up after 6 s: then the next may go. */
const ANSWER_MS_MAX = 6_000;
const SUCCESS = 0;
const SOFT_RESET = 1;

export interface FrameFaultsOptions {
  seed: number;
  timers: Timers;
  toHost(bytes: Uint8Array): void;
  toCoordinator(bytes: Uint8Array): void;
  onSet?: ((settings: LinkFaultSettings) => void) | undefined;
}

interface Request {
  bytes: Uint8Array;
  /** The host waits for its answer; else it is ours, and is kept back. */
  isHosts: boolean;
}

export class FrameFaults implements LinkFaults {
  readonly counts = {
    framesUp: 0,
    framesDown: 0,
    dropped: 0,
    duplicated: 0,
    corrupted: 0,
    delayed: 0,
    resets: 0,
  };
  private readonly options: FrameFaultsOptions;
  private readonly settings: Record<Direction, LinkFaultSettings> = { up: {}, down: {} };
  private readonly position = { up: 0, down: 0 };
  private readonly lateUp: DelayLine<Uint8Array>;
  private readonly lateDown: DelayLine<Uint8Array>;
  private readonly requests: Request[] = [];
  private open: Request | undefined;
  private patience: { cancel(): void } | undefined;
  /** Confirms of ours that are to come, by their transaction. */
  private readonly keptBack = new Uint16Array(256);
  private readonly fromHost: ZnpSplitter;
  private readonly fromCoordinator: ZnpSplitter;

  constructor(options: FrameFaultsOptions) {
    this.options = options;
    const { timers, toHost, toCoordinator } = options;
    this.lateUp = new DelayLine(timers, toHost);
    this.lateDown = new DelayLine(timers, (bytes) => this.request({ bytes, isHosts: false }));
    this.fromHost = new ZnpSplitter({
      frame: (frame) => this.takeFromHost(frame),
      other: (bytes) => toCoordinator(bytes.slice()),
    });
    this.fromCoordinator = new ZnpSplitter({
      frame: (frame) => this.takeFromCoordinator(frame),
      other: (bytes) => toHost(bytes.slice()),
    });
  }

  set(settings: LinkFaultSettings): void {
    checkFaults(settings, FRAME_FAULTS, 'a ZigBee network');
    this.options.onSet?.(settings);
    this.settings.up = faultsOf(settings, 'up');
    this.settings.down = faultsOf(settings, 'down');
    this.lateUp.delayMs = this.settings.up.delayMs ?? 0;
    this.lateDown.delayMs = this.settings.down.delayMs ?? 0;
  }

  clear(): void {
    this.set({});
  }

  hostWrote(bytes: Uint8Array): void {
    this.fromHost.push(bytes);
  }

  coordinatorWrote(bytes: Uint8Array): void {
    this.fromCoordinator.push(bytes);
  }

  /** The coordinator restarts, unasked by its driver. */
  resetCoordinator(): void {
    this.counts.resets++;
    const data = Uint8Array.of(SOFT_RESET);
    const { indication } = ZNP_TYPE;
    this.options.toCoordinator(
      encodeZnp(indication, ZNP_SUBSYSTEM.system, SYS_COMMAND.reset, data),
    );
  }

  /** The line is a new one: nothing of before is answered. */
  restart(): void {
    this.fromHost.takeRest();
    this.fromCoordinator.takeRest();
    this.lateUp.clear();
    this.lateDown.clear();
    this.requests.length = 0;
    this.keptBack.fill(0);
    this.settle();
  }

  private takeFromHost(frame: ZnpFrame): void {
    if (frame.type !== ZNP_TYPE.request) {
      this.options.toCoordinator(frame.bytes.slice());
      return;
    }
    const message = afMessageOf(frame);
    if (message === undefined) {
      this.request({ bytes: frame.bytes.slice(), isHosts: true });
      return;
    }
    const transaction = message.transaction!;
    const fate = this.fateOf('down', frame, message.payloadAt, message.payload.length);
    if (fate.isLost) {
      this.answer(frame);
      // The endpoint that sent it stands before the cluster.
      this.confirm(frame.data[message.payloadAt - sourceEndpointOffset(frame)]!, transaction);
      return;
    }
    if (this.lateDown.holds) {
      this.counts.delayed++;
      this.answer(frame);
      this.lateDown.push(fate.bytes);
    } else {
      this.request({ bytes: fate.bytes, isHosts: true });
    }
    if (!fate.isDoubled) return;
    this.keptBack[transaction]!++;
    if (this.lateDown.holds) this.lateDown.push(fate.bytes);
    else this.request({ bytes: fate.bytes, isHosts: false });
  }

  private takeFromCoordinator(frame: ZnpFrame): void {
    const { toHost } = this.options;
    if (frame.type === ZNP_TYPE.response) {
      const { open } = this;
      this.settle();
      if (open === undefined || open.isHosts) toHost(frame.bytes.slice());
      this.sendNext();
      return;
    }
    const { indication } = ZNP_TYPE;
    if (isZnp(frame, indication, ZNP_SUBSYSTEM.af, AF_COMMAND.dataConfirm)) {
      const transaction = frame.data[2] ?? 0;
      if (this.keptBack[transaction]! > 0) this.keptBack[transaction]!--;
      else toHost(frame.bytes.slice());
      return;
    }
    const message = afMessageOf(frame);
    if (message === undefined) {
      toHost(frame.bytes.slice());
      return;
    }
    const fate = this.fateOf('up', frame, message.payloadAt, message.payload.length);
    if (fate.isLost) return;
    for (let copies = fate.isDoubled ? 2 : 1; copies > 0; copies--) {
      if (!this.lateUp.holds) {
        toHost(fate.bytes);
        continue;
      }
      this.counts.delayed++;
      this.lateUp.push(fate.bytes);
    }
  }

  /** What becomes of a frame: each has its own place in the order of its direction. */
  private fateOf(direction: Direction, frame: ZnpFrame, payloadAt: number, length: number) {
    const { drop = 0, duplicate = 0, corrupt = 0 } = this.settings[direction];
    const { counts } = this;
    const position = this.position[direction]++;
    if (direction === 'up') counts.framesUp++;
    else counts.framesDown++;
    const draw = (purpose: number) =>
      drawAt(this.options.seed, purpose + (direction === 'down' ? PURPOSES_OF_DOWN : 0), position);
    const isLost = drop > 0 && draw(PURPOSE.drop) < drop;
    if (isLost) counts.dropped++;
    let bytes: Uint8Array = frame.bytes.slice();
    if (!isLost && corrupt > 0 && length > 0 && draw(PURPOSE.corrupt) < corrupt) {
      counts.corrupted++;
      const data = frame.data.slice();
      const bit = Math.floor(draw(PURPOSE.bit) * 8 * length);
      data[payloadAt + (bit >> 3)]! ^= 1 << (bit & 7);
      bytes = encodeZnp(frame.type, frame.subsystem, frame.command, data);
    }
    const isDoubled = !isLost && duplicate > 0 && draw(PURPOSE.duplicate) < duplicate;
    if (isDoubled) counts.duplicated++;
    return { isLost, isDoubled, bytes };
  }

  /** In the coordinator's place. */
  private answer({ command }: ZnpFrame): void {
    const data = Uint8Array.of(SUCCESS);
    this.options.toHost(encodeZnp(ZNP_TYPE.response, ZNP_SUBSYSTEM.af, command, data));
  }

  private confirm(endpoint: number, transaction: number): void {
    const data = Uint8Array.of(SUCCESS, endpoint, transaction);
    const { indication } = ZNP_TYPE;
    this.options.toHost(encodeZnp(indication, ZNP_SUBSYSTEM.af, AF_COMMAND.dataConfirm, data));
  }

  private request(request: Request): void {
    this.requests.push(request);
    this.sendNext();
  }

  private sendNext(): void {
    if (this.open !== undefined) return;
    this.open = this.requests.shift();
    if (this.open === undefined) return;
    this.patience = this.options.timers.after(ANSWER_MS_MAX, () => {
      this.settle();
      this.sendNext();
    });
    this.options.toCoordinator(this.open.bytes);
  }

  private settle(): void {
    this.open = undefined;
    this.patience?.cancel();
    this.patience = undefined;
  }
}

/** From the payload back to the endpoint that sends, in either form of the request. */
function sourceEndpointOffset({ command }: ZnpFrame): number {
  return command === AF_COMMAND.dataRequest ? 7 : 8;
}
