/**
 * Pumps one machine over one link: bytes in, timeouts, bytes out as fast as the operating system takes
 * them, events to the machine's owner.
 *
 * Machines may follow each other on the link, as a bootloader's menu, XMODEM, and the menu again: what an
 * earlier one left unread, and what came while there was none, goes to the next in order. A machine that
 * wants lines gets whole ones. Where the link is closed nothing moves, time included; after `open` the
 * machine goes on where it was.
 *
 * The driver owns one buffer for what is on its way, into which everything is copied that the machine has
 * to send at that time: a packet of several lines is one write. From an answer to the next chunk it
 * allocates nothing and takes 0.1 microseconds; with whole lines 1 microsecond and 1 KiB, which are the
 * line parser's (test/bench/link-driver.bench.ts). A timer is set only where one is due earlier than the
 * one that runs.
 */
import { assert } from '../../errors.ts';
import type { Link, LinkClosed, LinkListener, Timers } from '../../ports.ts';
import type { ByteMachine } from '../../protocol/machine.ts';
import { LineSplitter } from './line-splitter.ts';

export interface MachineOwner<Event> {
  /** May put another machine on the link, take this one off it, or tell it something. */
  event(event: Event): void;
  /** The link closed. The machine stays on it. */
  closed(how: LinkClosed): void;
}

export interface MachineOptions {
  /** Hands over whole lines, each with its newline and at most so long; chunks as they come without. */
  lineBytesMax?: number;
}

/** As much is gathered for one write, with what the machine then sends as a whole. */
const WRITE_BYTES = 4096;

/** Bytes kept while no machine is on the link; of more the oldest go. */
export const KEPT_BYTES_MAX = 65_536;

/** Rounds of one pumping: a machine that always has one more event would never let go. */
const ROUNDS_MAX = 1_000_000;

/** How late a machine hears of its time where the system takes nothing from it, as without CTS. */
const STUCK_WRITE_MS = 50;

/** The longest delay that setTimeout keeps; a longer one would fire at once. */
const LONGEST_DELAY_MS = 2_147_483_647;

export const SYSTEM_TIMERS: Timers = {
  nowMs: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, Math.min(delayMs, LONGEST_DELAY_MS));
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * The time of day as it was when the process began, and steady from there: a clock that is set moves no
 * deadline. For what is over in hours, as a command is.
 */
export const COMMAND_TIMERS: Timers = {
  ...SYSTEM_TIMERS,
  nowMs: () => Math.floor(performance.timeOrigin + performance.now()),
};

interface Running {
  machine: ByteMachine<unknown>;
  owner: MachineOwner<unknown>;
  lines: LineSplitter | undefined;
}

export class LinkDriver {
  readonly link: Link;
  /** Bytes that no machine was there for in time. */
  droppedBytes = 0;
  private readonly timers: Timers;
  private running: Running | undefined;
  private readonly kept: Uint8Array[] = [];
  private keptBytes = 0;
  private buffer = new Uint8Array(2 * WRITE_BYTES);
  private lastWrite = this.buffer.subarray(0, 0);
  private sending = false;
  private pumping = false;
  private timer: { cancel(): void } | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(link: Link, timers: Timers = SYSTEM_TIMERS) {
    this.link = link;
    this.timers = timers;
  }

  /** @throws UpliftError */
  async open(): Promise<void> {
    await this.link.open(this.listener);
    this.pump();
  }

  /** Puts a machine on the link in place of the one before it, whose events end with this. */
  run<Event>(
    machine: ByteMachine<Event>,
    owner: MachineOwner<Event>,
    { lineBytesMax }: MachineOptions = {},
  ): void {
    this.release();
    this.running = {
      machine,
      // It hands on only what its own machine says.
      owner: owner as MachineOwner<unknown>,
      lines: lineBytesMax === undefined ? undefined : new LineSplitter(lineBytesMax),
    };
    this.pump();
  }

  /** Takes the machine off the link. What comes from now on is kept for the next. */
  release(): void {
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    const later = this.kept.splice(0);
    this.keptBytes = 0;
    const unread = running.machine.pollUnread?.();
    if (unread) this.keep(unread);
    if (running.lines) this.keep(running.lines.takeRest());
    for (const bytes of later) this.keep(bytes);
    this.rearm();
  }

  /** After the machine was told something otherwise than by its link. */
  wake(): void {
    this.pump();
  }

  /** Throws away all that came in and was not handed on, and what is not on the wire yet. */
  async discard(): Promise<void> {
    this.dropKept();
    this.running?.lines?.takeRest();
    await this.link.discard();
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private readonly listener: LinkListener = {
    received: (bytes) => {
      if (this.running === undefined || this.pumping) this.keep(bytes);
      else this.takeIn(this.running, bytes);
      this.pump();
    },
    closed: (how) => {
      // Half a line of before the gap says nothing after it.
      this.dropKept();
      this.running?.lines?.takeRest();
      this.rearm();
      this.running?.owner.closed(how);
    },
  };

  private takeIn({ machine, lines }: Running, bytes: Uint8Array): void {
    if (lines) lines.push(bytes);
    else machine.handleBytes(bytes, this.timers.nowMs());
  }

  private keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.kept.push(bytes.slice());
    this.keptBytes += bytes.length;
    while (this.keptBytes > KEPT_BYTES_MAX) {
      const oldest = this.kept[0]!;
      const excess = Math.min(this.keptBytes - KEPT_BYTES_MAX, oldest.length);
      if (excess === oldest.length) this.kept.shift();
      else this.kept[0] = oldest.subarray(excess);
      this.keptBytes -= excess;
      this.droppedBytes += excess;
    }
  }

  private dropKept(): void {
    this.kept.length = 0;
    this.keptBytes = 0;
  }

  /**
   * Until nothing moves: each piece of input is followed by all that the machine makes of it. What the
   * machine says is told before what it sends leaves: its owner may have to write it down first.
   */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    try {
      for (let rounds = 0; ; rounds++) {
        assert(rounds < ROUNDS_MAX, 'a machine comes to rest');
        if (this.tellOne()) continue;
        this.sendAll();
        if (!this.tellOne() && !this.handOnOne()) break;
      }
    } finally {
      this.pumping = false;
    }
    this.rearm();
  }

  private tellOne(): boolean {
    const event = this.running?.machine.pollEvent();
    if (event === undefined) return false;
    this.running!.owner.event(event);
    return true;
  }

  /** A line, or a chunk that came before its machine did. */
  private handOnOne(): boolean {
    const { running } = this;
    if (running === undefined) return false;
    const line = running.lines?.next();
    if (line) {
      running.machine.handleBytes(line, this.timers.nowMs());
      return true;
    }
    const bytes = this.kept.shift();
    if (bytes === undefined) return false;
    this.keptBytes -= bytes.length;
    this.takeIn(running, bytes);
    return true;
  }

  private sendAll(): void {
    if (this.sending || this.running === undefined || !this.link.isOpen) return;
    const { machine } = this.running;
    const nowMs = this.timers.nowMs();
    let length = 0;
    while (length < WRITE_BYTES) {
      const bytes = machine.pollTransmit(nowMs);
      if (bytes === undefined) break;
      this.makeRoom(length + bytes.length);
      this.buffer.set(bytes, length);
      length += bytes.length;
    }
    if (length === 0) return;
    if (this.lastWrite.length !== length) this.lastWrite = this.buffer.subarray(0, length);
    this.sending = true;
    this.link.send(this.lastWrite, this.sent);
  }

  private readonly sent = (): void => {
    this.sending = false;
    this.pump();
  };

  private makeRoom(length: number): void {
    if (length <= this.buffer.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.buffer);
    this.buffer = larger;
    this.lastWrite = larger.subarray(0, 0);
  }

  /** A timer that is due earlier stays: it finds nothing to do and sets the next. */
  private rearm(): void {
    const atMs = this.dueMs();
    if (this.timerAtMs <= atMs && atMs !== Number.POSITIVE_INFINITY) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.timers.after(Math.max(atMs - this.timers.nowMs(), 0), this.timeUp);
  }

  /** What is due to be sent stays due while a write is stuck: that alone is no reason to look at once. */
  private dueMs(): number {
    if (!this.running || !this.link.isOpen) return Number.POSITIVE_INFINITY;
    const atMs = this.running.machine.pollTimeout();
    if (!this.sending || this.timerAtMs !== Number.POSITIVE_INFINITY) return atMs;
    const nowMs = this.timers.nowMs();
    return atMs <= nowMs ? nowMs + STUCK_WRITE_MS : atMs;
  }

  private readonly timeUp = (): void => {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    this.running?.machine.handleTimeout(this.timers.nowMs());
    this.pump();
  };
}
