/**
 * The pace of one network, as its coordinator's process tells what is going on: how much was served to
 * how many devices, and how long other traffic waited for an answer. What comes of it is how many devices
 * may have their turn at once, and how far apart blocks are.
 *
 * It has a timer only while devices download: what an idle network does says nothing about its air.
 */
import type { Timers } from '../ports.ts';
import type { Pace } from '../schedule/pace.ts';
import type { LinkEvent, ProgressSample } from '../transport/zigbee/messages.ts';

export interface NetworkPaceOptions {
  pace: Pace;
  timers: Timers;
  /** How many devices may have their turn at once: at first, and whenever it is another number. */
  onConcurrency(devices: number): void;
  /** Of every block of the network, whenever it is another one. */
  onBlockPeriod(blockPeriodMs: number): void;
}

/** A few of them make an epoch of `Pace`. */
const SAMPLE_MS = 5_000;

export class NetworkPace {
  private readonly options: NetworkPaceOptions;
  /** As it was told last, by EUI-64. */
  private readonly served = new Map<string, number>();
  private samples: readonly ProgressSample[] = [];
  private servedBytes = 0;
  private answers = 0;
  private answersMs = 0;
  private concurrency = 0;
  private blockPeriodMs = 0;
  private timer: { cancel(): void } | undefined;

  constructor(options: NetworkPaceOptions) {
    this.options = options;
  }

  start(): void {
    this.tell();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** The coordinator's process is a new one: it has served nothing yet, and knows no block period. */
  opened(): void {
    this.served.clear();
    this.samples = [];
    this.blockPeriodMs = 0;
    this.tell();
  }

  handle(event: LinkEvent): void {
    if (event.kind === 'probed') {
      this.answers++;
      this.answersMs += event.answerMs;
    } else if (event.kind === 'progress') {
      this.count(event.samples);
    }
  }

  private count(samples: readonly ProgressSample[]): void {
    const known = new Map(this.served);
    this.served.clear();
    for (const { eui64, servedBytes } of samples) {
      const before = known.get(eui64) ?? 0;
      // Less than before is of another download.
      this.servedBytes += servedBytes < before ? servedBytes : servedBytes - before;
      this.served.set(eui64, servedBytes);
    }
    this.samples = samples;
    if (this.timer || this.downloading === 0) return;
    // Nothing downloaded until now, however long that was.
    this.sample(0);
    this.arm();
  }

  private arm(): void {
    this.timer = this.options.timers.after(SAMPLE_MS, () => {
      this.timer = undefined;
      const devices = this.downloading;
      this.sample(devices);
      if (devices > 0) this.arm();
    });
  }

  private sample(devices: number): void {
    const { pace, timers } = this.options;
    const { servedBytes, answers, answersMs } = this;
    this.servedBytes = 0;
    this.answers = 0;
    this.answersMs = 0;
    pace.sample({
      atMs: timers.nowMs(),
      devices,
      servedBytes,
      ...(answers > 0 ? { answerMs: answersMs / answers } : {}),
    });
    this.tell();
  }

  /** Devices that have begun, are not done and have asked lately: a silent one uses no air. */
  private get downloading(): number {
    const sinceMs = this.options.timers.nowMs() - SAMPLE_MS - this.blockPeriodMs;
    return this.samples.filter(
      ({ servedBytes, sentBytes, totalBytes, lastRequestMs, parked }) =>
        servedBytes > 0 && sentBytes < totalBytes && lastRequestMs >= sinceMs && !parked,
    ).length;
  }

  private tell(): void {
    const { pace, onConcurrency, onBlockPeriod } = this.options;
    const { concurrency, blockPeriodMs } = pace;
    if (concurrency !== this.concurrency) {
      this.concurrency = concurrency;
      onConcurrency(concurrency);
    }
    if (blockPeriodMs !== this.blockPeriodMs) {
      this.blockPeriodMs = blockPeriodMs;
      onBlockPeriod(blockPeriodMs);
    }
  }
}
