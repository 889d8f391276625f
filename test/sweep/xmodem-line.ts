/**
 * Two machines on one serial line, faults by message number, and a clock that only jumps. A message is
 * what one end hands over at once: a block, an answer, a text. The line is slow, in order, and carries
 * both directions at the same time.
 */
import type { Machine } from '../../src/protocol/machine.ts';

export interface End<Event> extends Machine<Uint8Array, Event> {
  handleBytes(bytes: Uint8Array, nowMs: number): void;
}

export const FAULTS = [
  'drop',
  'corrupt',
  'duplicate',
  /** The message, and all behind it, comes after the sender's patience. */
  'late',
  /** In two pieces with a pause between them. */
  'split',
  'truncate',
  /** Some bytes before it and behind it. */
  'noise',
] as const;
/** `cut`: the far end loses its power when the message is on the line; it comes back if it can. */
export type Fault = (typeof FAULTS)[number] | 'cut';

export interface LineOptions<Near, Far> {
  near: End<Near>;
  far: End<Far>;
  baudRate: number;
  fault?: ((message: number) => Fault | undefined) | undefined;
  /** The far end after a cut; absent where it stays dark. */
  restart?: ((nowMs: number) => End<Far>) | undefined;
  onNear: (event: Near, nowMs: number) => void;
  onFar: (event: Far, nowMs: number) => void;
  /** True ends the run. */
  over: () => boolean;
  limitMs: number;
  startMs?: number;
}

export interface LineOutcome {
  messages: number;
  finishedMs: number;
  /** The limit passed, or both ends wait for nothing. */
  stuck: boolean;
  /** The line made two blocks of one. */
  blockDoubled: boolean;
}

export const LATENCY_MS = 2;
export const LATE_MS = 11_000;
const PAUSE_MS = 300;
export const START_MS = 1_900_000_000_000;
const NOISE = Uint8Array.of(0x00, 0xff, 0x18, 0x7f, 0x80, 0x41);

interface Arrival {
  atMs: number;
  toFar: boolean;
  bytes: Uint8Array;
}

export function run<Near, Far>(options: LineOptions<Near, Far>): LineOutcome {
  const { near } = options;
  let far: End<Far> | undefined = options.far;
  const startMs = options.startMs ?? START_MS;
  let nowMs = startMs;
  let messages = 0;
  let blockDoubled = false;
  const freeMs = { down: startMs, up: startMs };
  const arrivals: Arrival[] = [];

  const carry = (bytes: Uint8Array, toFar: boolean, afterMs = 0) => {
    const way = toFar ? 'down' : 'up';
    const fromMs = Math.max(nowMs, freeMs[way]) + afterMs;
    freeMs[way] = fromMs + (bytes.length * 10_000) / options.baudRate;
    arrivals.push({ atMs: freeMs[way] + LATENCY_MS, toFar, bytes });
  };
  const send = (bytes: Uint8Array, toFar: boolean) => {
    const message = messages++;
    const fault = options.fault?.(message);
    const half = bytes.length >> 1;
    switch (fault) {
      case 'drop':
        return;
      case 'corrupt':
        carry(
          bytes.map((byte, i) => (i === message % bytes.length ? byte ^ 0x20 : byte)),
          toFar,
        );
        return;
      case 'duplicate':
        blockDoubled ||= toFar && bytes.length > 1;
        carry(bytes, toFar);
        carry(bytes, toFar);
        return;
      case 'late':
        carry(bytes, toFar, LATE_MS);
        return;
      case 'split':
        carry(bytes.subarray(0, half), toFar);
        carry(bytes.subarray(half), toFar, PAUSE_MS);
        return;
      case 'truncate':
        carry(bytes.subarray(0, half), toFar);
        return;
      case 'noise':
        carry(NOISE, toFar);
        carry(bytes, toFar);
        carry(NOISE, toFar);
        return;
      case 'cut':
        far = options.restart?.(nowMs);
        return;
      default:
        carry(bytes, toFar);
    }
  };
  const drain = () => {
    for (let out = near.pollTransmit(nowMs); out; out = near.pollTransmit(nowMs)) {
      send(out.slice(), true);
    }
    for (let event = near.pollEvent(); event; event = near.pollEvent())
      options.onNear(event, nowMs);
    for (let out = far?.pollTransmit(nowMs); out; out = far?.pollTransmit(nowMs)) {
      send(out.slice(), false);
    }
    for (let event = far?.pollEvent(); event; event = far?.pollEvent()) options.onFar(event, nowMs);
  };

  drain();
  while (!options.over()) {
    arrivals.sort((a, b) => a.atMs - b.atMs);
    const wakeMs = Math.min(near.pollTimeout(), far?.pollTimeout() ?? Number.POSITIVE_INFINITY);
    const first = arrivals[0];
    const atMs = Math.min(first?.atMs ?? Number.POSITIVE_INFINITY, wakeMs);
    if (atMs > startMs + options.limitMs || messages > 20_000) {
      return { messages, finishedMs: nowMs - startMs, stuck: true, blockDoubled };
    }
    nowMs = Math.max(nowMs, atMs);
    if (first && first.atMs <= wakeMs) {
      arrivals.shift();
      if (first.toFar) far?.handleBytes(first.bytes, nowMs);
      else near.handleBytes(first.bytes, nowMs);
    } else {
      near.handleTimeout(nowMs);
      far?.handleTimeout(nowMs);
    }
    drain();
  }
  return { messages, finishedMs: nowMs - startMs, stuck: false, blockDoubled };
}
