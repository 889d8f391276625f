/**
 * How many upload requests to keep in flight, and how long each may be.
 *
 * A device takes lines into a small pool while it is busy. How small, it does not say; a window that
 * overruns the pool is slower than none, and the right window also depends on the adapter's delay and the
 * line's speed. So it is measured: image bytes acknowledged a millisecond over an epoch of chunks,
 * repeats and waits included.
 *
 * - It begins with one request, measures that, and tries a larger window for one epoch. The first loss ends
 *   the trial, and costs about one round trip: half the step is tried at once, the same step after a pause
 *   that grows by four each time. A trial without gain or loss costs nothing and is repeated sooner.
 * - With a known line speed the first measure also says which window should fill the line: one trial goes
 *   there, and others go beyond it only while the line is not full.
 * - Two losses in an epoch, or a rate below that of the smaller window it came from, end a setting. At
 *   window one, losses mean that even a single message overruns the pool or that the line is noisy: then
 *   shorter messages are tried, and kept if they are faster.
 *
 * So the setting in use is always the fastest measured, trials apart. Nothing is allocated.
 */

export interface WindowLimits {
  windowMax: number;
  /** Lines of the longest message. */
  messageLines: number;
  /** Lines the device can surely hold: windows within it need no small steps. */
  receiveLines: number;
  /** Image bytes a millisecond that fill the line; Infinity where its speed is unknown. */
  lineBytesPerMs: number;
}

const FIRST_EPOCH_CHUNKS = 3;
const EPOCH_CHUNKS = 16;
const TRIAL_CHUNKS = 4;
const LOSSES_MAX = 2;
/** A trial has to be faster by this to be kept. */
const GAIN_MIN = 1.01;
/** Chunks before a trial without gain is repeated: it cost nothing, and a slow flash page may have spoilt it. */
const SHORT_PAUSE_CHUNKS = 32;
/** Of the line's rate: more is not to be had. */
const FULL_LINE = 0.97;
/** Chunks before a trial with a loss is repeated, and how that grows. */
const PAUSE_CHUNKS = 128;
/** The same where a window would be several times as fast: the loss may have been the line's. */
const EAGER_PAUSE_CHUNKS = 16;
const EAGER_WINDOW = 4;
const PAUSE_GROWTH = 4;
const PAUSE_CHUNKS_MAX = 8_192;
/** Lines of shortened messages, longest first. Two lines are Zephyr's whole pool. */
const SHORT_LINES = [3, 2, 1] as const;

const BEST_RATE = 0;
/** Of the smaller setting that was left for the best. */
const LOWER_RATE = 1;
const EPOCH_START_MS = 2;

export class WindowControl {
  /** Requests to keep in flight now. */
  window = 1;
  /** Lines a message may have now. */
  lines: number;

  private readonly limits: WindowLimits;
  private readonly numbers = new Float64Array(3);
  private bestWindow = 1;
  private bestLines: number;
  private lowerWindow = 1;
  private trial = false;
  /** The smallest window that failed in a trial; 0 for none. */
  private failedWindow = 0;
  private targetWindow = 0;
  private failedLeft = 0;
  private pauseLeft = 0;
  private pauseChunks = PAUSE_CHUNKS;
  private shortPauseChunks = SHORT_PAUSE_CHUNKS;

  private settling = 1;
  private chunks = 0;
  private bytes = 0;
  private losses = 0;
  private epochChunks = FIRST_EPOCH_CHUNKS;

  constructor(limits: WindowLimits) {
    this.limits = limits;
    this.lines = limits.messageLines;
    this.bestLines = limits.messageLines;
  }

  /** The device's offset has moved by `bytes`. */
  acknowledged(bytes: number, nowMs: number): void {
    this.countDown();
    if (this.settling > 0) {
      if (--this.settling === 0) this.numbers[EPOCH_START_MS] = nowMs;
      return;
    }
    this.bytes += bytes;
    this.chunks++;
    if (this.chunks >= this.epochChunks) this.endEpoch(nowMs);
  }

  /** A request did not reach the device. */
  lost(nowMs: number): void {
    this.losses++;
    if (this.trial && this.window > this.bestWindow) this.overrun();
    else if (!this.trial && this.losses >= LOSSES_MAX && this.chunks > 0) this.endEpoch(nowMs);
  }

  /** The upload begins again, perhaps at another device: what was measured still serves as a guess. */
  interrupted(): void {
    if (this.trial) this.use(this.bestWindow, this.bestLines, false);
    else this.beginEpoch(EPOCH_CHUNKS);
  }

  private endEpoch(nowMs: number): void {
    const elapsedMs = nowMs - this.numbers[EPOCH_START_MS]!;
    const rate = elapsedMs > 0 ? this.bytes / elapsedMs : 0;
    if (rate === 0) this.beginEpoch(EPOCH_CHUNKS);
    else if (this.trial) this.endTrial(rate);
    else this.endSteady(rate);
  }

  private endTrial(rate: number): void {
    const { numbers } = this;
    if (rate < GAIN_MIN * numbers[BEST_RATE]!) {
      this.rest(this.window > this.bestWindow ? this.shortPauseChunks : PAUSE_CHUNKS);
      this.shortPauseChunks = Math.min(2 * this.shortPauseChunks, PAUSE_CHUNKS_MAX);
      return;
    }
    numbers[LOWER_RATE] = this.window > this.bestWindow ? numbers[BEST_RATE]! : 0;
    if (this.window < this.bestWindow) this.markFailed(this.bestWindow);
    this.lowerWindow = this.bestWindow;
    numbers[BEST_RATE] = rate;
    this.bestWindow = this.window;
    this.bestLines = this.lines;
    if (!this.tryLarger()) this.use(this.bestWindow, this.bestLines, false);
  }

  /** A larger window lost a request. */
  private overrun(): void {
    this.markFailed(this.window);
    // Half-way to what failed may still be a gain.
    if (!this.tryLarger()) this.rest(SHORT_PAUSE_CHUNKS);
  }

  private markFailed(window: number): void {
    if (this.failedWindow === 0) {
      this.failedLeft = this.pauseChunks;
      this.pauseChunks = Math.min(PAUSE_GROWTH * this.pauseChunks, PAUSE_CHUNKS_MAX);
    }
    this.failedWindow = window;
  }

  /** Stays with the best setting for so many chunks. */
  private rest(chunks: number): void {
    this.pauseLeft = chunks;
    this.use(this.bestWindow, this.bestLines, false);
  }

  /** What failed stays failed for a while, longer each time. */
  private countDown(): void {
    if (this.pauseLeft > 0) this.pauseLeft--;
    if (this.failedLeft > 0 && --this.failedLeft === 0) this.failedWindow = 0;
  }

  private endSteady(rate: number): void {
    const { numbers, limits } = this;
    const before = numbers[BEST_RATE]!;
    numbers[BEST_RATE] = before > 0 && this.losses === 0 ? (before + rate) / 2 : rate;
    if (this.targetWindow === 0) this.aim(rate);
    if (this.bestWindow > 1 && rate < numbers[LOWER_RATE]!) {
      this.fallBack();
    } else if (this.losses >= LOSSES_MAX && this.trySmaller()) {
      return;
    } else if (this.losses === 0 && this.pauseLeft === 0) {
      this.aimHigher(rate);
      if (this.bestLines < limits.messageLines) this.use(1, this.longerLines(), true);
      else if (!this.tryLarger()) this.beginEpoch(EPOCH_CHUNKS);
    } else {
      this.beginEpoch(EPOCH_CHUNKS);
    }
  }

  /** The window that fills the line, from the rate of window one; without a speed the largest allowed. */
  private aim(rate: number): void {
    const { windowMax, lineBytesPerMs } = this.limits;
    const fills = Math.ceil(lineBytesPerMs / rate);
    // Faster than the line is said to be: then it is not what it is said to be.
    const known = Number.isFinite(fills) && rate < 1.05 * lineBytesPerMs;
    this.targetWindow = known ? Math.min(fills, windowMax) : windowMax;
    if (known && fills >= EAGER_WINDOW) this.pauseChunks = EAGER_PAUSE_CHUNKS;
  }

  /** Uneven answers leave gaps on a line that the window should fill: a larger one may cover them. */
  private aimHigher(rate: number): void {
    const { windowMax, lineBytesPerMs } = this.limits;
    if (this.bestWindow < this.targetWindow || rate >= FULL_LINE * lineBytesPerMs) return;
    const wider = this.bestWindow + Math.max(1, this.bestWindow >> 1);
    this.targetWindow = Math.min(windowMax, wider);
  }

  private tryLarger(): boolean {
    const candidate = this.largerWindow();
    if (candidate <= this.bestWindow) return false;
    this.use(candidate, this.bestLines, true);
    return true;
  }

  private largerWindow(): number {
    const { bestWindow, failedWindow, targetWindow, limits } = this;
    if (failedWindow > bestWindow) return Math.floor((bestWindow + failedWindow) / 2);
    const safe = Math.floor(limits.receiveLines / limits.messageLines);
    const known = Number.isFinite(limits.lineBytesPerMs);
    const step = bestWindow === 1 ? Math.max(2, safe) : known ? targetWindow : 2 * bestWindow;
    return Math.min(step, targetWindow);
  }

  private fallBack(): void {
    this.markFailed(this.bestWindow);
    this.bestWindow = this.lowerWindow;
    this.numbers[BEST_RATE] = this.numbers[LOWER_RATE]!;
    this.numbers[LOWER_RATE] = 0;
    this.lowerWindow = 1;
    this.rest(PAUSE_CHUNKS);
  }

  /** Losses: a smaller window, or shorter messages, for one epoch. */
  private trySmaller(): boolean {
    if (this.bestWindow > 1) {
      this.use(Math.floor(this.bestWindow / 2), this.bestLines, true);
      return true;
    }
    const lines = SHORT_LINES.find((shorter) => shorter < this.bestLines);
    if (lines === undefined || this.pauseLeft > 0) return false;
    this.use(1, lines, true);
    return true;
  }

  private longerLines(): number {
    const longer = [...SHORT_LINES].reverse().find((lines) => lines > this.bestLines);
    return longer ?? this.limits.messageLines;
  }

  private use(window: number, lines: number, trial: boolean): void {
    this.settling = Math.max(this.window, window);
    this.window = window;
    this.lines = lines;
    this.trial = trial;
    this.beginEpoch(trial ? Math.max(TRIAL_CHUNKS, window) : EPOCH_CHUNKS);
  }

  private beginEpoch(chunks: number): void {
    this.epochChunks = chunks;
    this.chunks = 0;
    this.bytes = 0;
    this.losses = 0;
    if (this.settling === 0) this.settling = 1;
  }
}
