/**
 * Server-sent events: the journal from any sequence on, then live, to many listeners.
 *
 * Invariants
 * - A listener gets every record after the one it names once and in order, across as many
 *   connections as it takes: the journal is asked until there is no more, and in that same turn of
 *   the event loop the listener is live. (Where old records are gone, `gap` says so.)
 * - The gateway waits for nobody: a record is only put in a queue while it is being announced. It
 *   is written later, to so many listeners a turn of the event loop.
 * - A listener that does not read is let go when its buffer is full; it may come back and go on.
 */
import type {
  GatewayControl,
  GatewayListener,
  GatewayRecord,
  LiveProgress,
} from '../gateway/control.ts';
import type { Timers } from '../ports.ts';

/** The part of a response that is used here. */
export interface EventSink {
  /** Bytes that the peer has not taken. */
  readonly writableLength: number;
  /** False: `drain` says when to go on. */
  write(text: string | Uint8Array): boolean;
  end(): void;
  destroy(): void;
  once(event: 'drain' | 'close', task: () => void): unknown;
}

export interface EventLimits {
  listenersMax: number;
  /** A listener with more than this unread is let go. */
  bufferBytesMax: number;
  heartbeatMs: number;
  /** How long a replay may stand still. */
  stallMs: number;
}

export const EVENT_LIMITS: EventLimits = {
  listenersMax: 64,
  bufferBytesMax: 1024 * 1024,
  heartbeatMs: 15_000,
  stallMs: 30_000,
};

export interface EventWish {
  /** The first record wanted; undefined: what is to come. */
  from: number | undefined;
  /** Of this job alone. */
  job: string | undefined;
  /** Whether whoever listens still may; asked now and then. */
  stillMay(): boolean;
}

interface Frame {
  /** 0: of no record. */
  sequence: number;
  job: string | undefined;
  bytes: Uint8Array;
}

interface Listener {
  sink: EventSink;
  wish: EventWish;
  /** Sequence of the last record it was given. */
  last: number;
  isLive: boolean;
}

const REPLAY_RECORDS = 200;
/** Listeners that are written to in one turn of the event loop. */
const SLICE = 50;
const HEARTBEAT = encode(':\n\n');

export class EventStream {
  private readonly control: GatewayControl;
  private readonly timers: Timers;
  private readonly limits: EventLimits;
  private readonly listeners = new Set<Listener>();
  private queue: Frame[] = [];
  private isFlushing = false;
  private readonly unlisten: () => void;
  private heartbeat: { cancel(): void } | undefined;
  /** Let go because they did not read. */
  dropped = 0;

  constructor(control: GatewayControl, timers: Timers, limits: EventLimits) {
    this.control = control;
    this.timers = timers;
    this.limits = limits;
    const listener: GatewayListener = {
      record: (record) => this.enqueue(recordFrame(record)),
      progress: (progress) => this.enqueue(progressFrame(progress)),
      link: (link, up) => this.enqueue(linkFrame(link, up, timers.nowMs())),
    };
    this.unlisten = control.listen(listener);
  }

  get count(): number {
    return this.listeners.size;
  }

  get isFull(): boolean {
    return this.listeners.size >= this.limits.listenersMax;
  }

  add(sink: EventSink, wish: EventWish): void {
    const head = this.control.health().journal.sequence;
    // A sequence that is still to come is waited for.
    const last = wish.from === undefined ? head : wish.from - 1;
    const listener: Listener = { sink, wish, last, isLive: false };
    this.listeners.add(listener);
    sink.once('close', () => this.listeners.delete(listener));
    this.beat();
    sink.write('retry: 2000\n\n');
    this.replay(listener, true);
  }

  close(): void {
    this.unlisten();
    this.heartbeat?.cancel();
    for (const { sink } of this.listeners) sink.end();
    this.listeners.clear();
  }

  /** As far as the peer reads; then again when it has read. Live when nothing is left. */
  private replay(listener: Listener, isFirst: boolean): void {
    const { sink, wish } = listener;
    for (let mayBeGap = isFirst; this.listeners.has(listener); mayBeGap = false) {
      const records = this.control.records(listener.last + 1, REPLAY_RECORDS);
      const [first] = records;
      if (!first) {
        listener.isLive = true;
        return;
      }
      if (mayBeGap && first.sequence > Math.max(1, listener.last + 1)) {
        sink.write(gapText(Math.max(1, listener.last + 1), first.sequence - 1));
      }
      const text = records
        .filter((record) => wish.job === undefined || record['job'] === wish.job)
        .map(recordText)
        .join('');
      listener.last = records.at(-1)!.sequence;
      if (text !== '' && !sink.write(text)) {
        this.resumeLater(listener);
        return;
      }
      // A long journal is read in turns: others are answered between.
      if (records.length === REPLAY_RECORDS) {
        setImmediate(() => this.replay(listener, false));
        return;
      }
    }
  }

  private resumeLater(listener: Listener): void {
    const stalled = this.timers.after(this.limits.stallMs, () => this.drop(listener));
    listener.sink.once('drain', () => {
      stalled.cancel();
      this.replay(listener, false);
    });
    listener.sink.once('close', () => stalled.cancel());
  }

  private enqueue(frame: Frame): void {
    if (this.listeners.size === 0) return;
    this.queue.push(frame);
    if (this.isFlushing) return;
    this.isFlushing = true;
    setImmediate(() => this.flush());
  }

  /** All that is queued becomes one batch; it is written slice by slice before the next one is. */
  private flush(): void {
    const batch = this.queue;
    this.queue = [];
    if (batch.length === 0) {
      this.isFlushing = false;
      return;
    }
    const whole = batch.length === 1 ? batch[0]!.bytes : joined(batch);
    const all = [...this.listeners];
    const slice = (from: number) => {
      for (const listener of all.slice(from, from + SLICE)) this.give(listener, batch, whole);
      const next = from + SLICE;
      setImmediate(() => (next < all.length ? slice(next) : this.flush()));
    };
    slice(0);
  }

  private give(listener: Listener, batch: readonly Frame[], whole: Uint8Array): void {
    if (!listener.isLive || !this.listeners.has(listener)) return;
    const { wish, sink, last } = listener;
    const isNew = ({ sequence }: Frame) => sequence === 0 || sequence > last;
    const isWhole = wish.job === undefined && batch.every(isNew);
    const wanted = isWhole
      ? batch
      : batch.filter((frame) => isNew(frame) && (wish.job ?? frame.job) === frame.job);
    for (const { sequence } of batch) listener.last = Math.max(listener.last, sequence);
    if (wanted.length === 0) return;
    sink.write(isWhole ? whole : joined(wanted));
    if (sink.writableLength > this.limits.bufferBytesMax) this.drop(listener);
  }

  private drop(listener: Listener): void {
    if (!this.listeners.delete(listener)) return;
    this.dropped++;
    listener.sink.destroy();
  }

  private beat(): void {
    if (this.heartbeat) return;
    this.heartbeat = this.timers.after(this.limits.heartbeatMs, () => {
      this.heartbeat = undefined;
      for (const listener of this.listeners) {
        const { sink, wish } = listener;
        if (!wish.stillMay()) {
          this.listeners.delete(listener);
          sink.end();
          continue;
        }
        sink.write(HEARTBEAT);
        if (sink.writableLength > this.limits.bufferBytesMax) this.drop(listener);
      }
      if (this.listeners.size > 0) this.beat();
    });
  }
}

function recordFrame(record: GatewayRecord): Frame {
  const job = record['job'];
  return {
    sequence: record.sequence,
    job: typeof job === 'string' ? job : undefined,
    bytes: encode(recordText(record)),
  };
}

function progressFrame(progress: LiveProgress): Frame {
  const text = `event: progress\ndata: ${JSON.stringify(progress)}\n\n`;
  return { sequence: 0, job: progress.job, bytes: encode(text) };
}

function linkFrame(link: string, up: boolean, atMs: number): Frame {
  const text = `event: link\ndata: ${JSON.stringify({ link, up, atMs })}\n\n`;
  return { sequence: 0, job: undefined, bytes: encode(text) };
}

/** JSON has no line end in it, so one `data` line holds all of it. */
function recordText(record: GatewayRecord): string {
  return `id: ${record.sequence}\nevent: record\ndata: ${JSON.stringify(record)}\n\n`;
}

function gapText(from: number, to: number): string {
  return `event: gap\ndata: ${JSON.stringify({ from, to })}\n\n`;
}

function joined(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map(({ bytes }) => bytes));
}

function encode(text: string): Uint8Array {
  return Buffer.from(text);
}
