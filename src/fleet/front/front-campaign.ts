/**
 * One campaign of a front, from its signed document to the end of its last device: handed to the
 * coordinator, started when enough have signed, then followed. It looks at how things stand there and not at
 * how they came there, so that it goes on after a start as at any other time.
 */
import { UpliftError } from '../../errors.ts';
import type { Log, Timers } from '../../ports.ts';
import type { CampaignDeviceView, CampaignState } from '../coordinator/control.ts';
import type { FleetClient } from './client.ts';
import type { FrontCode } from './codes.ts';
import { isAway, pauseMs } from './contact.ts';
import type { FleetRun, RunImage } from './fleet-run.ts';
import { nothingOf, silenceOf, stepsOf } from './steps.ts';

export interface FollowLimits {
  /** Between two questions while something moves; where nothing does it grows to `idleMs`. */
  pollMs: number;
  idleMs: number;
  /** How often the campaign itself is asked for. */
  viewMs: number;
  /** A campaign that the coordinator refuses is offered again for so long. */
  refusedMs: number;
  /** After the end of a campaign: until what its gateway had not begun is given up, and what it had. */
  unbegunMs: number;
  silentMs: number;
}

export const FOLLOW_LIMITS: FollowLimits = {
  pollMs: 2_000,
  idleMs: 30_000,
  viewMs: 20_000,
  refusedMs: 24 * 3_600_000,
  unbegunMs: 3_600_000,
  silentMs: 24 * 3_600_000,
};

export interface FrontCampaignOptions {
  id: string;
  expiresMs: number;
  /** Absent: the coordinator has it. */
  document?: Uint8Array;
  client: FleetClient;
  timers: Timers;
  limits: FollowLimits;
  log: Log;
  /** None of its devices is under way any more. */
  onOver(id: string): void;
}

const PAGE = 1_000;
/** Clocks and commits of a coordinator's processes may be so far apart. */
const OVERLAP_MS = 60_000;
const NOT_STARTED: readonly CampaignState[] = ['unsigned', 'ready'];
const ENDS: Partial<Record<CampaignState, FrontCode>> = {
  finished: 'campaign-without-it',
  aborted: 'campaign-aborted',
  expired: 'campaign-expired',
  superseded: 'campaign-superseded',
};

export class FrontCampaign {
  readonly id: string;
  private readonly options: FrontCampaignOptions;
  private readonly runs = new Map<string, FleetRun>();
  private document: Uint8Array | undefined;
  /** Until it is started. */
  private image: RunImage | undefined;
  private state: CampaignState | undefined;
  private viewedMs = Number.NEGATIVE_INFINITY;
  /** Of what was listed, when it changed last; absent: all of it is to be listed. */
  private changedMs: number | undefined;
  private endSeenMs: number | undefined;
  private refusedSinceMs: number | undefined;
  private waitsFor: string | undefined;
  private failures = 0;
  private waitMs: number;
  private timer: { cancel(): void } | undefined;
  private isTurning = false;
  /** There is more to do at once. */
  private isUrgent = false;
  private isStopped = false;

  constructor(options: FrontCampaignOptions) {
    this.options = options;
    this.id = options.id;
    this.document = options.document;
    this.waitMs = options.limits.pollMs;
  }

  /** They are part of it from now on. */
  adopt(runs: readonly FleetRun[]): void {
    const { silentMs } = this.options.limits;
    for (const run of runs) {
      this.runs.set(run.device, run);
      run.isPlaced = true;
      this.image = run.image;
      if (!run.standing.isAnnounced)
        run.wait(`in the campaign ${this.id}`, this.options.expiresMs + silentMs);
    }
    this.beginAnew();
    this.wake(0);
  }

  over(run: FleetRun): void {
    if (this.runs.get(run.device) !== run) return;
    this.runs.delete(run.device);
    if (this.runs.size > 0) return;
    this.stop();
    this.options.onOver(this.id);
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private beginAnew(): void {
    this.changedMs = undefined;
    this.waitMs = this.options.limits.pollMs;
    this.isUrgent = true;
  }

  private wake(delayMs: number): void {
    if (this.isTurning || this.isStopped) return;
    this.timer?.cancel();
    this.timer = this.options.timers.after(delayMs, () => void this.turn());
  }

  private async turn(): Promise<void> {
    this.isTurning = true;
    this.isUrgent = false;
    let nextMs: number;
    try {
      this.endOverdue();
      await this.step();
      this.failures = 0;
      this.refusedSinceMs = undefined;
      nextMs = this.waitMs;
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      nextMs = pauseMs(this.failures++);
      this.failed(error);
    }
    this.isTurning = false;
    this.wake(this.isUrgent && this.failures === 0 ? 0 : nextMs);
  }

  private async step(): Promise<void> {
    if (this.document) await this.submit(this.document);
    if (this.isStopped) return;
    await this.look();
    if (this.state === 'ready') await this.start();
    if (this.isStopped || this.state === undefined) return;
    if (NOT_STARTED.includes(this.state)) {
      // Nothing is listed before it is started.
      this.waitMs = this.options.limits.idleMs;
      return;
    }
    await this.list();
    if (!this.isStopped) this.endRest();
  }

  // ---- until it runs ----------------------------------------------------------------------------------

  private async submit(document: Uint8Array): Promise<void> {
    const { client } = this.options;
    await this.putImage();
    try {
      await client.submit(document);
    } catch (error) {
      // Made before, and cut off before that was heard: its name says that it is the same.
      if (!isRefusal(error, 'campaign-exists')) throw error;
    }
    this.document = undefined;
    this.log('info', `${this.runs.size} devices are in a campaign`);
  }

  private async putImage(): Promise<void> {
    const { client } = this.options;
    if (!this.image) return;
    const { sha256, file } = this.image;
    if (!(await client.hasBlob(sha256))) await client.putBlob(sha256, file);
  }

  private async look(): Promise<void> {
    const { client, timers, limits, expiresMs } = this.options;
    const isDue = timers.nowMs() - this.viewedMs >= limits.viewMs;
    if (this.state !== undefined && !isDue && !NOT_STARTED.includes(this.state)) return;
    const view = await client.campaign(this.id);
    this.viewedMs = timers.nowMs();
    if (!view) {
      this.waitMs = limits.idleMs;
      this.endAll('campaign-lost');
      return;
    }
    if (this.state !== view.state) this.log('info', `the campaign is ${view.state}`);
    this.state = view.state;
    if (view.state !== 'unsigned') return;
    const { approvalsMissing } = view;
    this.wait(`approvals are missing: ${approvalsMissing}`, expiresMs);
  }

  private async start(): Promise<void> {
    const { client, expiresMs } = this.options;
    try {
      this.state = (await client.start(this.id)).state;
      this.image = undefined;
      this.beginAnew();
    } catch (error) {
      if (isRefusal(error, 'image-missing')) await this.putImage();
      else if (isRefusal(error, 'no-devices')) this.endAll('campaign-without-it');
      else if (isRefusal(error, 'author-starts'))
        this.wait('somebody other than this front has to start it', expiresMs + 1);
      else if (!isRefusal(error, 'campaign-state')) throw error;
    }
  }

  private wait(what: string, untilMs: number): void {
    if (this.waitsFor === what) return;
    this.waitsFor = what;
    this.log('warning', what);
    for (const run of this.runs.values()) run.wait(`in the campaign ${this.id}: ${what}`, untilMs);
  }

  private failed(error: UpliftError): void {
    const { timers, limits } = this.options;
    const { code, message, actual } = error;
    const text = actual === undefined ? message : `${message} (${actual})`;
    if (isAway(error)) return;
    if (this.failures === 1) this.log('warning', text, code);
    this.refusedSinceMs ??= timers.nowMs();
    const isGivenUp = timers.nowMs() - this.refusedSinceMs >= limits.refusedMs;
    if (isGivenUp && this.document) this.endAll('campaign-refused', `${code}: ${text}`);
  }

  // ---- while it runs ----------------------------------------------------------------------------------

  /** What changed; the whole list where nothing is known. */
  private async list(): Promise<void> {
    const { client, limits } = this.options;
    const sinceMs = this.changedMs;
    // Who joins while it is listed has it listed again.
    this.changedMs = Number.NEGATIVE_INFINITY;
    let newestMs = sinceMs ?? 0;
    let isMoving = false;
    let after: string | undefined;
    try {
      for (;;) {
        const page = await client.campaignDevices(this.id, {
          ...(sinceMs === undefined ? {} : { changedSinceMs: Math.max(0, sinceMs - OVERLAP_MS) }),
          ...(after === undefined ? {} : { after }),
          limit: PAGE,
        });
        if (this.isStopped) return;
        for (const view of page.items) {
          newestMs = Math.max(newestMs, view.changedMs);
          isMoving = this.hear(view) || isMoving;
        }
        if (!page.more) break;
        after = page.items.at(-1)!.device;
      }
    } catch (error) {
      this.changedMs = sinceMs;
      throw error;
    }
    const isWhole = sinceMs === undefined;
    if (this.changedMs === undefined) return;
    this.changedMs = newestMs;
    // A campaign has the devices that were known when it was started.
    if (isWhole) this.endUnseen();
    this.waitMs = isMoving ? limits.pollMs : Math.min(limits.idleMs, this.waitMs * 2);
  }

  /** Whether it says something new. */
  private hear(view: CampaignDeviceView): boolean {
    const run = this.runs.get(view.device);
    if (!run?.isOpen) return false;
    const { expiresMs, limits } = this.options;
    run.seen = view.state;
    const steps = stepsOf(view, run.standing, expiresMs + limits.silentMs);
    run.tell(steps);
    return steps.events.length > 0;
  }

  private endUnseen(): void {
    for (const run of [...this.runs.values()])
      if (run.seen === undefined) run.tell(nothingOf(run.standing, 'campaign-without-it'));
  }

  /** Nothing is in progress for ever: what its campaign leaves behind ends with it. */
  private endRest(): void {
    const code = ENDS[this.state!];
    if (code === undefined) return;
    const { timers, limits } = this.options;
    const nowMs = timers.nowMs();
    if (this.endSeenMs === undefined) {
      this.endSeenMs = nowMs;
      // Once more from the beginning: what was said until then counts.
      this.beginAnew();
      return;
    }
    const sinceMs = nowMs - this.endSeenMs;
    for (const run of [...this.runs.values()]) {
      if (!run.isOpen) continue;
      const isIdle = run.seen === undefined || run.seen === 'pending';
      const isBegun = !isIdle && run.seen !== 'granted' && run.seen !== 'taken';
      if (isIdle || (!isBegun && sinceMs >= limits.unbegunMs))
        run.tell(nothingOf(run.standing, code));
      else if (isBegun && sinceMs >= limits.silentMs) run.tell(silenceOf(run.standing));
    }
  }

  /** Also where nobody could be asked since. */
  private endOverdue(): void {
    const { timers, limits, expiresMs } = this.options;
    if (timers.nowMs() < expiresMs + limits.silentMs) return;
    for (const run of [...this.runs.values()]) run.tell(silenceOf(run.standing));
  }

  private endAll(code: FrontCode, detail?: string): void {
    this.document = undefined;
    for (const run of [...this.runs.values()]) run.tell(nothingOf(run.standing, code, detail));
  }

  private log(level: 'info' | 'warning', message: string, code?: string): void {
    const { log } = this.options;
    log.write(level, message, { campaign: this.id, ...(code === undefined ? {} : { code }) });
  }
}

function isRefusal(error: unknown, code: string): boolean {
  return error instanceof UpliftError && error.code === code;
}
