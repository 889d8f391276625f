/**
 * A ZigBee network in numbers: one air that carries one frame at a time, attempts that fail the
 * more often the more frames wait, devices that write each block before they ask for the next, and
 * meter reads that want the same air. Time is simulated.
 */
import type { Pace } from '../../src/schedule/pace.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

/** One attempt: frame, acknowledgement and back-off over two hops. */
const AIRTIME_MS = 8;
const ATTEMPTS_MAX = 4;
/** The chance that an attempt fails, for each frame that waits besides. */
const COLLISION = 0.04;
const WRITE_MS = 120;
const SERVER_MS = 5;
const TIMEOUT_MS = 2_000;
const READ_EVERY_MS = 2_000;
const SAMPLE_EVERY_MS = 5_000;
const BLOCK_BYTES = 50;

export interface World {
  devices: number;
  blocks: number;
  seed: number;
  /** Decides how many and how often; else a fixed number, as fast as they can. */
  pace: Pace | number;
  /** Attempts fail so often besides; changes the network while it runs. */
  interference?: (nowMs: number) => number;
}

export interface Run {
  tookMs: number;
  /** In order. */
  answersMs: number[];
  /** The longest time a downloading device was without a block. */
  longestGapMs: number;
  /** Of those that downloaded together, the fastest rate by the slowest. */
  unfairness: number;
  concurrency: number[];
}

export function simulate(world: World): Run {
  return new Air(world).run();
}

class Air {
  private readonly world: World;
  private readonly random: SeededRandom;
  private readonly tasks: { atMs: number; sequence: number; task: () => void }[] = [];
  private readonly queue: (() => void)[] = [];
  private nowMs = 0;
  private sequence = 0;
  private busy = false;
  private waiting: number;
  private active = 0;
  private done = 0;
  private servedBytes = 0;
  private answered: number[] = [];
  private readonly result: Run;
  private readonly rates: number[] = [];

  constructor(world: World) {
    this.world = world;
    this.random = new SeededRandom(world.seed);
    this.waiting = world.devices;
    this.result = { tookMs: 0, answersMs: [], longestGapMs: 0, unfairness: 1, concurrency: [] };
  }

  run(): Run {
    this.admit();
    this.read();
    this.after(0, () => this.sample());
    while (this.done < this.world.devices) {
      const next = this.tasks.shift()!;
      this.nowMs = next.atMs;
      next.task();
    }
    this.result.tookMs = this.nowMs;
    this.result.unfairness = Math.max(...this.rates) / Math.min(...this.rates);
    return this.result;
  }

  private get concurrency(): number {
    const { pace } = this.world;
    return typeof pace === 'number' ? pace : pace.concurrency;
  }

  private admit(): void {
    for (; this.waiting > 0 && this.active < this.concurrency; this.waiting--) {
      this.active++;
      this.download(this.world.blocks, this.nowMs, this.nowMs);
    }
  }

  private download(blocksLeft: number, startedMs: number, lastMs: number): void {
    if (blocksLeft === 0) {
      this.active--;
      this.done++;
      this.rates.push((this.world.blocks * BLOCK_BYTES) / (this.nowMs - startedMs));
      this.admit();
      return;
    }
    const askedMs = this.nowMs;
    this.exchange(() => {
      this.servedBytes += BLOCK_BYTES;
      this.result.longestGapMs = Math.max(this.result.longestGapMs, this.nowMs - lastMs);
      const blockMs = this.nowMs;
      const { pace } = this.world;
      const periodMs = typeof pace === 'number' ? 0 : pace.blockPeriodMs;
      const restMs = Math.max(WRITE_MS, askedMs + periodMs - this.nowMs);
      this.after(restMs, () => this.download(blocksLeft - 1, startedMs, blockMs));
    });
  }

  private read(): void {
    const askedMs = this.nowMs;
    this.exchange(() => {
      const answerMs = this.nowMs - askedMs;
      this.answered.push(answerMs);
      this.result.answersMs.push(answerMs);
    });
    this.after(READ_EVERY_MS, () => this.read());
  }

  private sample(): void {
    const { pace } = this.world;
    this.result.concurrency.push(this.active);
    if (typeof pace !== 'number') {
      const sum = this.answered.reduce((total, ms) => total + ms, 0);
      pace.sample({
        atMs: this.nowMs,
        devices: this.active,
        servedBytes: this.servedBytes,
        ...(this.answered.length > 0 ? { answerMs: sum / this.answered.length } : {}),
      });
      this.admit();
    }
    this.servedBytes = 0;
    this.answered = [];
    this.after(SAMPLE_EVERY_MS, () => this.sample());
  }

  /** A question and its answer; asked again when either is lost. */
  private exchange(answered: () => void): void {
    let over = false;
    this.send(() =>
      this.after(SERVER_MS, () =>
        this.send(() => {
          if (over) return;
          over = true;
          answered();
        }),
      ),
    );
    this.after(TIMEOUT_MS, () => {
      if (over) return;
      over = true;
      this.exchange(answered);
    });
  }

  private send(arrived: () => void): void {
    this.queue.push(arrived);
    if (!this.busy) this.attempt(1);
  }

  private attempt(number: number): void {
    this.busy = true;
    const clear = (1 - COLLISION) ** (this.queue.length - 1);
    const interference = this.world.interference?.(this.nowMs) ?? 0;
    const lost = this.random.chance(1 - clear * (1 - interference));
    this.after(AIRTIME_MS, () => {
      if (lost && number < ATTEMPTS_MAX) {
        this.attempt(number + 1);
        return;
      }
      const arrived = this.queue.shift()!;
      this.busy = false;
      if (!lost) arrived();
      if (!this.busy && this.queue.length > 0) this.attempt(1);
    });
  }

  private after(delayMs: number, task: () => void): void {
    const atMs = this.nowMs + delayMs;
    let low = 0;
    let high = this.tasks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tasks[middle]!.atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    this.tasks.splice(low, 0, { atMs, sequence: this.sequence++, task });
  }
}
