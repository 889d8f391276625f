/**
 * The airtime of one ZigBee network: how many devices download at once, and how far apart each of
 * them asks for blocks.
 *
 * A device alone leaves the air idle while it writes a block, so more devices are faster together,
 * until the air is full; from there on they only wait for each other, collide, and slow down
 * everybody else. Neither point is known beforehand. So it is measured, an epoch at a time:
 *
 * - `growing`: more devices, as long as that brings at least half of what it would bring in idle
 *   air. The rate at which it does not is what the air can carry.
 * - `holding`: the number before that, with a block period that leaves `meteringShare` of that rate
 *   to other traffic.
 * - `probing`: after `HOLD_EPOCHS`, one epoch with one device more and no period, to measure it
 *   anew; where that brings something, it grows on.
 *
 * It grows by half until it was full once, and by one from then on. Whenever other traffic waits
 * longer for its answers than it should, devices and rate are cut by a third, whatever the rate
 * says. A download that has begun is not stopped for that: while more go on than may begin, the
 * period holds them to the rate. There is always one device, however seldom it may ask.
 */
import { assert } from '../errors.ts';

export interface PaceSample {
  atMs: number;
  /** Downloading in the time since the sample before. */
  devices: number;
  /** To all of them, in that time. */
  servedBytes: number;
  /** How long other traffic waited for an answer, on average; `undefined` where there was none. */
  answerMs?: number;
}

export interface PaceOptions {
  /** Of a block; 50 where nothing else is known. */
  blockBytes: number;
  concurrencyMax: number;
  /** Of what the air can carry, left to other traffic. */
  meteringShare: number;
  /** The longest that other traffic should wait for an answer, on average over an epoch. */
  answerMsMax: number;
  epochMs: number;
}

/** Chosen for this gateway; a site knows its network. */
export const PACE_DEFAULTS: PaceOptions = {
  blockBytes: 50,
  concurrencyMax: 32,
  meteringShare: 0.25,
  answerMsMax: 250,
  epochMs: 20_000,
};

const HOLD_EPOCHS = 15;
const GROWTH = 1.5;
/** Part of the gain that idle air would bring; with less the air is full. */
const GAIN_MIN = 0.5;
const SHRINK = 2 / 3;
/**
 * Of the best rate ever: where answers are slow even with so little, downloads are not the reason.
 */
const RATE_PART_MIN = 1 / 8;
/** The OTA server teaches no wider one: the field has 16 bits, and 0xFFFF is no value. */
const BLOCK_PERIOD_MS_MAX = 0xfffe;

export class Pace {
  private readonly options: PaceOptions;
  private phase: 'growing' | 'holding' | 'probing' = 'growing';
  private allowed = 1;
  private periodMs = 0;
  private holdLeft = 0;
  private wasFull = false;
  /** Before the last growth. */
  private earlier: { devices: number; rate: number } | undefined;
  /** What the air can carry, bytes/ms. */
  private capacity = 0;
  private bestRate = 0;
  private epoch: Epoch | undefined;

  constructor(options: Partial<PaceOptions> = {}) {
    this.options = { ...PACE_DEFAULTS, ...options };
    const { meteringShare, concurrencyMax, epochMs } = this.options;
    assert(meteringShare >= 0 && meteringShare < 1, 'a share is less than all');
    assert(concurrencyMax >= 1 && epochMs > 0, 'one device at least, for some time');
  }

  get concurrency(): number {
    return this.allowed;
  }

  get blockPeriodMs(): number {
    return this.periodMs;
  }

  /** Samples of one network, in the order of time. */
  sample(sample: PaceSample): void {
    this.epoch ??= new Epoch(sample.atMs);
    this.epoch.add(sample);
    if (sample.atMs - this.epoch.startMs >= this.options.epochMs) this.conclude(sample.atMs);
    this.periodMs = this.phase === 'holding' ? this.periodFor(Math.max(1, sample.devices)) : 0;
  }

  private conclude(nowMs: number): void {
    const { startMs, servedBytes, deviceMs, answerMs } = this.epoch!;
    const lastedMs = nowMs - startMs;
    this.epoch = new Epoch(nowMs);
    const devices = deviceMs / lastedMs;
    const rate = servedBytes / lastedMs;
    this.bestRate = Math.max(this.bestRate, rate);
    if (answerMs > this.options.answerMsMax) this.shrink(devices, rate);
    else if (devices > 0) this.judge(devices, rate);
  }

  private judge(devices: number, rate: number): void {
    // With fewer devices than may download, the rate says nothing about the air.
    const full = devices >= this.allowed - 0.5;
    switch (this.phase) {
      case 'growing':
        if (full) this.grow(devices, rate);
        return;
      case 'holding':
        if (--this.holdLeft > 0) return;
        this.phase = 'probing';
        this.earlier = { devices: this.allowed, rate: this.capacity };
        this.allowMore(1);
        return;
      case 'probing':
        if (full) this.grow(devices, rate);
        else this.hold(Math.max(rate, this.capacity));
    }
  }

  private grow(devices: number, rate: number): void {
    const { earlier } = this;
    const gained =
      earlier === undefined ||
      rate / earlier.rate - 1 >= GAIN_MIN * (devices / earlier.devices - 1);
    if (!gained) {
      this.allowed = Math.max(1, Math.round(earlier.devices));
      // What was measured now is newer, unless too many devices are why it is less.
      this.hold(this.phase === 'probing' ? rate : Math.max(rate, earlier.rate));
    } else if (this.allowed === this.options.concurrencyMax) {
      this.hold(rate);
    } else {
      this.phase = 'growing';
      this.earlier = { devices, rate };
      this.allowMore(this.wasFull ? 1 : Math.floor(this.allowed * (GROWTH - 1)));
    }
  }

  private shrink(devices: number, rate: number): void {
    // Those that go on from before are not fewer yet: only the rate can be.
    if (devices <= this.allowed + 0.5) {
      this.allowed = Math.max(1, Math.floor(this.allowed * SHRINK));
    }
    const cut = SHRINK * (rate > 0 ? rate : this.capacity);
    this.hold(Math.max(cut, RATE_PART_MIN * this.bestRate));
  }

  private hold(capacity: number): void {
    this.phase = 'holding';
    this.holdLeft = HOLD_EPOCHS;
    this.wasFull = true;
    this.capacity = capacity;
  }

  private allowMore(devices: number): void {
    this.allowed = Math.min(this.options.concurrencyMax, this.allowed + Math.max(1, devices));
  }

  private periodFor(devices: number): number {
    const { blockBytes, meteringShare } = this.options;
    const rate = (1 - meteringShare) * this.capacity;
    if (rate === 0) return BLOCK_PERIOD_MS_MAX;
    return Math.min(BLOCK_PERIOD_MS_MAX, Math.round((devices * blockBytes) / rate));
  }
}

class Epoch {
  readonly startMs: number;
  servedBytes = 0;
  deviceMs = 0;
  private lastMs: number;
  private answers = 0;
  private answersMs = 0;

  constructor(startMs: number) {
    this.startMs = startMs;
    this.lastMs = startMs;
  }

  get answerMs(): number {
    return this.answers === 0 ? 0 : this.answersMs / this.answers;
  }

  add({ atMs, devices, servedBytes, answerMs }: PaceSample): void {
    this.deviceMs += devices * Math.max(0, atMs - this.lastMs);
    // What was served before the first sample of all belongs to no epoch.
    if (atMs > this.startMs) this.servedBytes += servedBytes;
    this.lastMs = atMs;
    if (answerMs === undefined) return;
    this.answers++;
    this.answersMs += answerMs;
  }
}
