/**
 * The gateway while it runs: jobs in, records out, and between them what the scheduler starts and the
 * field carries out. It owns no port and no file; time, journal and field are handed to it, so that weeks
 * of it run in seconds under a simulated clock.
 *
 * Invariants
 * - A record is durable before what it announces is done; the book is what the records say, and nothing else.
 * - Everything that is not over has a deadline: the scheduler's while it waits, the session's while it
 *   runs, and that of the hold while it is held.
 * - When the journal takes no more, nothing new begins, what runs is left so that devices keep what they
 *   have, and everybody who asks is told.
 */

import type { RequestFacts } from '../admission/context.ts';
import { someOf } from '../bytes/some-of.ts';
import { assert, UpliftError } from '../errors.ts';
import { isCommanded, type JobBook, type Upgrade } from '../jobs/book.ts';
import type { Actor, JobRecordBody } from '../jobs/records.ts';
import { isBeyondRecall, isOver, STATE_RULES, type UpgradeState } from '../jobs/states.ts';
import type { Timers } from '../ports.ts';
import { EXPIRIES, type ExpiryCode } from '../schedule/codes.ts';
import { Heap } from '../schedule/heap.ts';
import type { Disposition, ItemResult, Start } from '../schedule/item.ts';
import { FAILURE_CLASSES, type RetryableCode } from '../schedule/retry.ts';
import type { Scheduler } from '../schedule/scheduler.ts';
import type { LocalHours } from '../schedule/windows.ts';
import type { UploadSample } from '../upgrade/hub-session-messages.ts';
import type { DeviceReadingView, GatewayListener, UpgradeWait } from './control.ts';
import { type DeviceWords, NotSaidError } from './device-words.ts';
import type { Brief, Field, FieldDevice } from './field.ts';
import { type Floor, JobDesk, refused } from './job-desk.ts';
import {
  type GatewayJournal,
  type JournalBody,
  RecordKeeper,
  type SaidVersion,
  type StateMore,
} from './record-keeper.ts';
import { UpgradeQueue } from './upgrade-queue.ts';
import { type AttemptEnd, nextOf, type RunDesk, UpgradeRun } from './upgrade-run.ts';

export interface GatewayLimits {
  /** From the start of an attempt to the session's first word. */
  verifyMs: number;
  /** How long a device may hold an image that nobody activates. */
  heldMs: number;
  /** How late an activation may be that was asked for at a time. */
  activationLateMs: number;
  /** Unknown outcomes are read again for so long. */
  unknownMs: number;
  devicesMax: number;
}

export const GATEWAY_LIMITS: GatewayLimits = {
  verifyMs: 60_000,
  heldMs: 30 * 24 * 3_600_000,
  activationLateMs: 24 * 3_600_000,
  unknownMs: 7 * 24 * 3_600_000,
  devicesMax: 50_000,
};

export interface GatewayOptions {
  timers: Timers;
  journal: GatewayJournal;
  field: Field;
  scheduler: Scheduler;
  /** Gathers what an upgrade is decided on. @throws UpliftError */
  brief(image: string, device: string, request: RequestFacts | undefined): Brief;
  /** How long an upgrade of the device will take with this image, ms. */
  expectedMs(image: string, device: string): number;
  hasImage(sha256: string): boolean;
  /** Before anything is sent to a device on the word of its list. @throws UpliftError */
  admitted?(device: string): void;
  windows: Readonly<Record<string, LocalHours>>;
  blackout?: LocalHours;
  limits?: GatewayLimits;
}

const LONGEST_TIMER_MS = 2_000_000_000;

export class Gateway implements RunDesk, Floor {
  /** What may be asked about jobs. */
  readonly jobs: JobDesk;
  readonly startedMs: number;
  readonly devices = new Map<string, FieldDevice>();
  /** Ids of devices. */
  readonly idsByEui = new Map<string, string>();
  private readonly options: GatewayOptions;
  private readonly limits: GatewayLimits;
  private readonly records: RecordKeeper;
  private readonly running = new Map<string, UpgradeRun>();
  private readonly queue: UpgradeQueue;
  private readonly links = new Map<string, { up: boolean; since: number; detail: string }>();
  /** When holds end; of one that ended before, or was commanded, an entry stays until then. */
  private readonly holdEnds = new Heap<{ upgrade: Upgrade; untilMs: number }>(
    (a, b) => a.untilMs < b.untilMs,
  );
  private timer: { cancel(): void } | undefined;
  private isTurning = false;
  private isStopping = false;

  constructor(options: GatewayOptions) {
    this.options = options;
    this.limits = options.limits ?? GATEWAY_LIMITS;
    this.startedMs = options.timers.nowMs();
    this.knowDevices(options.field.devices);
    this.records = new RecordKeeper(
      options.journal,
      () => this.nowMs,
      () => this.leaveAll(),
    );
    const { timers, scheduler, windows, blackout } = options;
    this.queue = new UpgradeQueue({
      ...{ timers, scheduler, windows, blackout, devices: this.devices },
      expectedMs: (image, device) => options.expectedMs(image, device),
      unknownMs: this.limits.unknownMs,
      takeOver: (planned) => this.takeOver(planned),
    });
    this.jobs = new JobDesk({
      floor: this,
      queue: this.queue,
      records: this.records,
      windows,
      devicesMax: this.limits.devicesMax,
      retryMs: this.limits.activationLateMs,
      hasImage: (sha256) => options.hasImage(sha256),
    });
  }

  get book(): JobBook {
    return this.records.book;
  }

  get nowMs(): number {
    return this.options.timers.nowMs();
  }

  /** Replays the journal, opens the field, and goes on with what was not over. */
  start(): void {
    const { field } = this.options;
    this.records.replay();
    this.guarded(() => this.record({ kind: 'gateway-started' }));
    field.start({
      link: (link, up, detail) => this.link(link, up, detail),
      pace: (link, upgradesMax) => this.pace(link, upgradesMax),
      devices: (changed) => this.knowDevices(changed),
      together: (work) => this.together(work),
    });
    this.guarded(() => this.recover());
    this.turn();
  }

  /** Leaves every device so that it keeps what it has. The field is the caller's to close. */
  stop(): void {
    this.isStopping = true;
    this.leaveAll();
    this.timer?.cancel();
    this.queue.stop();
    if (!this.trouble) this.guarded(() => this.record({ kind: 'gateway-stopped' }));
  }

  /** What else is due, under the same guard: where its store fails, the gateway takes no more work. */
  keepHouse(work: () => void): void {
    if (!this.trouble) this.guarded(work);
    this.turn();
  }

  /** Forgets jobs that ended before then: their records are in the archive. */
  retire(beforeMs: number): void {
    this.records.retire(beforeMs);
  }

  /** Something of the gateway itself, on record. */
  tell(entry: JournalBody): void {
    this.guarded(() => this.record(entry));
  }

  // ---- what it is asked -------------------------------------------------------------------------------

  /** Where it is queued the scheduler knows better than its state who acts next, and until when. */
  explain(upgrade: Upgrade): UpgradeWait {
    const wait = this.isRunning(upgrade) ? undefined : this.queue.explain(upgrade);
    if (wait) return { waitsFor: wait.text, owner: wait.owner, untilMs: wait.untilMs };
    const { state, owner, untilMs } = upgrade;
    return { waitsFor: STATE_RULES[state].waitsFor, owner, untilMs };
  }

  /**
   * Asks a device what it runs: the answer, or why there is none, is on record as `device-read` when this
   * resolves. @throws UpliftError
   */
  async read(device: string, by: Actor): Promise<DeviceWords> {
    this.assertAccepting();
    this.assertKnown(device);
    const about = { kind: 'device-read', device, by };
    try {
      const words = await this.options.field.read(device);
      this.record({ ...about, ...words });
      return words;
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      const { code, message, actual, next } = error;
      if (!this.trouble) {
        const answers = error instanceof NotSaidError ? { answers: error.answers } : {};
        const why = { code, detail: textOf(message, actual), ...(next ? { next } : {}) };
        this.record({ ...about, ...answers, ...why });
      }
      throw error;
    }
  }

  /** @throws UpliftError where no rig has it */
  assertKnown(device: string): void {
    if (this.devices.has(device)) return;
    throw refused('device-unknown', { expected: someOf(this.devices.keys()), actual: device });
  }

  get condition(): { state: 'ready' | 'degraded' | 'stopping'; error: UpliftError | undefined } {
    const state = this.isStopping ? 'stopping' : this.trouble ? 'degraded' : 'ready';
    return { state, error: this.trouble };
  }

  get linkStates(): ReadonlyMap<string, { up: boolean; since: number; detail: string }> {
    return this.links;
  }

  runsOf(device: string): SaidVersion | undefined {
    return this.records.said.get(device);
  }

  readingOf(device: string): DeviceReadingView | undefined {
    return this.records.readings.get(device);
  }

  get fieldDevices(): readonly FieldDevice[] {
    return this.options.field.devices;
  }

  /** `undefined` where the field has no such device. */
  device(id: string): FieldDevice | undefined {
    return this.devices.get(id);
  }

  listen(listener: GatewayListener): () => void {
    return this.records.listen(listener);
  }

  /** @throws UpliftError where nothing new may begin */
  assertAccepting(): void {
    if (!this.isStopping && !this.trouble) return;
    throw refused('not-accepting', {
      expected: 'a gateway that can write down what it does',
      actual: this.trouble?.actual ?? 'it stops',
      next: this.trouble?.next ?? 'ask again when it has started',
    });
  }

  // ---- records ----------------------------------------------------------------------------------------

  /** @throws UpliftError where they are not durable */
  record(...entries: (JobRecordBody | JournalBody)[]): void {
    this.records.write(...entries);
  }

  note(entry: JournalBody, key: string): void {
    this.records.note(entry, key);
  }

  progress(upgrade: Upgrade, sample: UploadSample): void {
    if (this.records.progress(upgrade, sample)) this.rearm();
  }

  admitted(upgrade: Upgrade): void {
    this.options.admitted?.(upgrade.device);
  }

  saidToRun(device: string, version: string): void {
    this.records.said.set(device, { version, atMs: this.nowMs });
  }

  faulted(error: UpliftError): void {
    this.records.faulted(error);
  }

  private get trouble(): UpliftError | undefined {
    return this.records.trouble;
  }

  private guarded(work: () => void): void {
    this.records.guarded(work);
  }

  private leaveAll(): void {
    for (const run of [...this.running.values()]) run.stop();
  }

  private stateOf(
    upgrade: Upgrade,
    state: UpgradeState,
    { untilMs, ...more }: StateMore & { untilMs?: number } = {},
  ): JobRecordBody {
    return this.records.stateOf(upgrade, state, untilMs ?? this.queue.endMs(upgrade), more);
  }

  // ---- what runs --------------------------------------------------------------------------------------

  /** Whatever is due: starts, expiries, holds that nobody ended, records that waited. */
  turn(): void {
    if (this.isTurning || this.trouble || this.isStopping) return;
    this.isTurning = true;
    this.guarded(() => {
      const { scheduler, journal } = this.options;
      journal.handleTimeout(this.nowMs);
      this.endHolds();
      for (let moved = true; moved && !this.trouble; ) {
        const { start, pause, expire } = scheduler.poll(this.nowMs);
        for (const { id, code } of expire) this.expire(id, code);
        for (const id of pause) this.running.get(id)?.stop();
        this.begin(start);
        moved = start.length + pause.length + expire.length > 0;
      }
    });
    this.isTurning = false;
    this.rearm();
  }

  private rearm(): void {
    this.timer?.cancel();
    if (this.trouble || this.isStopping) return;
    const { scheduler, journal, timers } = this.options;
    const atMs = Math.min(scheduler.pollTimeout(), journal.pollTimeout(), this.nextHoldEndMs());
    if (atMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(LONGEST_TIMER_MS, Math.max(0, atMs - this.nowMs));
    this.timer = timers.after(waitMs, () => this.turn());
  }

  /** Their attempts are on record together before the first of them is run: one write for all. */
  private begin(starts: readonly Start[]): void {
    const begun: { upgrade: Upgrade; brief: Brief }[] = [];
    for (const { id } of starts) {
      const upgrade = this.upgradeOf(id);
      const brief = this.briefOf(upgrade);
      if (brief) begun.push({ upgrade, brief });
    }
    if (begun.length === 0) return;
    this.record(...begun.map(({ upgrade }) => this.attemptOf(upgrade)));
    const { field, timers } = this.options;
    const { verifyMs } = this.limits;
    for (const { upgrade, brief } of begun) {
      // What was on record before one of them failed is begun after a start.
      if (this.trouble) return;
      const run = new UpgradeRun(upgrade, brief, this);
      this.running.set(upgrade.id, run);
      run.begin({ field, timers, verifyMs }, this.activationNow(upgrade));
    }
  }

  /** `undefined`: it cannot be begun, which is its end. */
  private briefOf(upgrade: Upgrade): Brief | undefined {
    try {
      const { image, serviceRequest } = upgrade.job.request;
      return this.options.brief(image, upgrade.device, serviceRequest);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      this.queue.leave(upgrade, { kind: 'refused' });
      const { code, actual, next } = error;
      this.finish(upgrade, 'failed', { code, detail: textOf(error.message, actual), next });
      return undefined;
    }
  }

  /** What was commanded before a crash is read back under the state it has; all else is verified anew. */
  private attemptOf(upgrade: Upgrade): JobRecordBody {
    const { job, device, state } = upgrade;
    const attempt = upgrade.attempt + 1;
    const isReading = state === 'unknown-outcome' || isCommanded(upgrade);
    const next = isReading ? state : upgrade.intents.has('activate') ? 'activating' : 'verifying';
    const untilMs = this.nowMs + this.limits.verifyMs;
    return this.records.stateOf({ job, device, attempt }, next, untilMs);
  }

  private activationNow(upgrade: Upgrade): { when: 'now' } | { when: 'held' } {
    const { state, holds, activation } = upgrade;
    const isLater = activation.when !== 'now' || this.queue.isParted(upgrade);
    return { when: state === 'verifying' && !holds && isLater ? 'held' : 'now' };
  }

  ended(run: UpgradeRun, end: AttemptEnd): void {
    const { upgrade } = run;
    this.running.delete(upgrade.id);
    this.records.forgetProgress(upgrade);
    this.guarded(() => this.follow(upgrade, end));
    this.turn();
  }

  private follow(upgrade: Upgrade, end: AttemptEnd): void {
    const { queue } = this;
    if (end.kind === 'stopped') {
      if (this.isStopping || this.trouble) return;
      const code = 'worker-ended';
      const again = queue.tried(upgrade, { kind: 'failed', code });
      this.tellAgain(upgrade, again, code, end.detail, undefined, unheardState(upgrade));
      return;
    }
    if (end.kind === 'held') {
      queue.leave(upgrade, { kind: 'done' });
      if (upgrade.cancelRequested)
        this.finish(upgrade, 'cancelled', { detail: 'the device keeps the image' });
      else this.hold(upgrade);
      return;
    }
    if (end.kind === 'not-begun') {
      const { code, message, actual } = end.error;
      const again = queue.tried(upgrade, failedBy(code));
      const detail = textOf(message, actual);
      this.tellAgain(upgrade, again, code, detail, end.error.next, unheardState(upgrade));
      return;
    }
    const { state, code, detail, runs } = end.state;
    if (state === 'failed' || state === 'unknown-outcome') {
      const again = queue.tried(upgrade, this.resultOf(upgrade, end.state));
      this.tellAgain(upgrade, again, code ?? state, detail, nextOf(code), state);
      return;
    }
    queue.leave(upgrade, { kind: 'done' });
    this.finish(upgrade, state as UpgradeState, { code, detail, next: nextOf(code), runs });
  }

  /** Under one command there is one activation: what failed after it is not tried again by itself. */
  private resultOf(
    upgrade: Upgrade,
    { state, code }: { state: string; code?: string },
  ): ItemResult {
    if (state === 'unknown-outcome') return { kind: 'unknown-outcome' };
    const isSpent = upgrade.intents.has('activate');
    return isSpent ? { kind: 'refused' } : failedBy(code ?? 'deadline-passed');
  }

  private tellAgain(
    upgrade: Upgrade,
    disposition: Disposition,
    code: string,
    detail: string | undefined,
    next: string | undefined,
    state: 'failed' | 'unknown-outcome',
  ): void {
    const isCalledOff = upgrade.cancelRequested && state === 'failed';
    if (disposition.kind !== 'again' || isCalledOff) {
      this.queue.remove(upgrade);
      this.finish(upgrade, isCalledOff ? 'cancelled' : state, { code, detail, next });
      return;
    }
    const at = new Date(disposition.atMs).toISOString();
    const more = { code, ...(detail === undefined ? {} : { detail }) };
    if (state === 'unknown-outcome') {
      this.record(this.stateOf(upgrade, state, { ...more, next: `read again at ${at}` }));
    } else {
      this.record(this.stateOf(upgrade, 'scheduled', { ...more, next: `tried again at ${at}` }));
    }
  }

  private finish(
    upgrade: Upgrade,
    state: UpgradeState,
    more: { [word in keyof StateMore]: string | undefined },
  ): void {
    const said = Object.fromEntries(
      Object.entries(more).filter(([, value]) => value !== undefined),
    );
    this.record(this.stateOf(upgrade, state, said));
  }

  private expire(id: string, code: ExpiryCode): void {
    const upgrade = this.upgradeOf(id);
    this.queue.remove(upgrade);
    if (isOver(upgrade.state)) return;
    const { sentence } = EXPIRIES[code];
    const next = 'make a new job, with a later deadline';
    const isSpent = unheardState(upgrade) === 'unknown-outcome';
    this.finish(upgrade, isSpent ? 'unknown-outcome' : 'expired', { code, detail: sentence, next });
  }

  callOff(upgrade: Upgrade, detail: string): void {
    const run = this.running.get(upgrade.id);
    if (run) {
      run.cancel();
      return;
    }
    this.queue.remove(upgrade);
    this.finish(upgrade, 'cancelled', { detail });
  }

  // ---- what is held -----------------------------------------------------------------------------------

  private hold(upgrade: Upgrade): void {
    const untilMs = this.holdEndMs(upgrade);
    this.record(this.stateOf(upgrade, 'awaiting-activation', { untilMs }));
    this.holdEnds.add({ upgrade, untilMs });
    // Nobody has to command what was asked for at a time, or parted by a blackout.
    if (upgrade.activation.when !== 'held') this.queue.add(upgrade);
  }

  private holdEndMs({ activation }: Upgrade): number {
    return activation.when === 'at'
      ? Math.max(activation.atMs, this.nowMs) + this.limits.activationLateMs
      : this.nowMs + this.limits.heldMs;
  }

  private nextHoldEndMs(): number {
    return this.holdEnds.peek()?.untilMs ?? Number.POSITIVE_INFINITY;
  }

  private endHolds(): void {
    const over: Upgrade[] = [];
    while (this.nextHoldEndMs() <= this.nowMs) {
      const { upgrade, untilMs } = this.holdEnds.shift()!;
      const isHeld = upgrade.state === 'awaiting-activation' && upgrade.untilMs === untilMs;
      if (isHeld && !this.queue.has(upgrade)) over.push(upgrade);
    }
    for (const upgrade of over) {
      const detail = 'nobody commanded its activation; the device keeps the image';
      this.finish(upgrade, 'expired', {
        code: 'hold-expired',
        detail,
        next: nextOf('hold-expired'),
      });
    }
  }

  // ---- scheduling -------------------------------------------------------------------------------------

  private takeOver(planned: readonly Upgrade[]): void {
    if (this.trouble || this.isStopping) {
      this.queue.stop();
      return;
    }
    this.guarded(() => {
      this.record(...planned.map((upgrade) => this.stateOf(upgrade, 'scheduled')));
      for (const upgrade of planned) this.queue.add(upgrade);
    });
    this.turn();
  }

  /** What had begun in time goes on: its job's deadline is for what has not. */
  private goesOnMs({ job: { request } }: Upgrade): number {
    const isPast = request.deadlineMs <= this.nowMs;
    return isPast ? this.nowMs + this.limits.activationLateMs : request.deadlineMs;
  }

  isRunning({ id }: Upgrade): boolean {
    return this.running.has(id);
  }

  /** After a start: what was on its way goes on, what waited waits again. */
  private recover(): void {
    const planned: Upgrade[] = [];
    const goingOn: Upgrade[] = [];
    const again: JobRecordBody[] = [];
    for (const upgrade of [...this.book.openUpgrades()]) {
      if (!this.devices.has(upgrade.device)) {
        const detail = 'no rig of this gateway has the device any more';
        this.finish(upgrade, isCommanded(upgrade) ? 'unknown-outcome' : 'failed', {
          code: 'device-unknown',
          detail,
        });
        continue;
      }
      const { state } = upgrade;
      if (upgrade.cancelRequested && !upgrade.intents.has('activate') && !isBeyondRecall(state)) {
        this.finish(upgrade, 'cancelled', { detail: 'as was asked before the gateway was ended' });
        continue;
      }
      const { untilMs } = upgrade;
      if (state === 'awaiting-activation' && untilMs !== undefined)
        this.holdEnds.add({ upgrade, untilMs });
      // Until somebody commands it.
      if (state === 'awaiting-activation' && upgrade.activation.when === 'held') continue;
      if (state === 'planned') {
        planned.push(upgrade);
        continue;
      }
      const waits =
        state === 'scheduled' || state === 'awaiting-approval' || state === 'awaiting-activation';
      if (!waits && !isCommanded(upgrade)) {
        const detail = 'the gateway was started again';
        again.push(this.stateOf(upgrade, 'scheduled', { detail, untilMs: this.goesOnMs(upgrade) }));
      }
      goingOn.push(upgrade);
    }
    if (again.length > 0) this.record(...again);
    for (const upgrade of goingOn) this.queue.add(upgrade);
    this.queue.plan(planned);
    for (const upgrade of this.book.unknownSince(this.nowMs - this.limits.unknownMs)) {
      if (this.devices.has(upgrade.device) && this.book.openFor(upgrade.device).length === 0)
        this.queue.add(upgrade);
    }
  }

  private link(link: string, up: boolean, detail: string): void {
    this.links.set(link, { up, since: this.nowMs, detail });
    this.records.tellLink(link, up);
    if (up) this.options.scheduler.linkUp(link);
    else this.options.scheduler.linkDown(link);
    this.turn();
  }

  private pace(link: string, upgradesMax: number): void {
    this.options.scheduler.setPace(link, upgradesMax);
    this.turn();
  }

  private knowDevices(devices: readonly FieldDevice[]): void {
    for (const device of devices) {
      const { id, eui64 } = device;
      this.devices.set(id, device);
      if (eui64 !== undefined) this.idsByEui.set(eui64, id);
    }
  }

  /** Nothing is begun before it is on record. */
  private together(work: () => void): void {
    const wasTurning = this.isTurning;
    this.isTurning = true;
    this.guarded(() => this.records.together(work));
    this.isTurning = wasTurning;
    this.turn();
  }

  // ---- leaves -----------------------------------------------------------------------------------------

  private upgradeOf(id: string): Upgrade {
    const slash = id.indexOf('/');
    const upgrade = this.book.upgrade(id.slice(0, slash), id.slice(slash + 1));
    assert(upgrade !== undefined, `${id} is in the book`);
    return upgrade;
  }
}

/** What an upgrade is of which nothing can be heard: a device that was commanded may have followed. */
function unheardState({ intents }: Upgrade): 'failed' | 'unknown-outcome' {
  return intents.has('activate') ? 'unknown-outcome' : 'failed';
}

function failedBy(code: string): ItemResult {
  const isKnown = Object.hasOwn(FAILURE_CLASSES, code);
  return isKnown
    ? { kind: 'failed', code: code as RetryableCode }
    : { kind: 'failed', code: 'worker-ended' };
}

function textOf(message: string, actual: string | undefined): string {
  return actual === undefined ? message : `${message}: ${actual}`;
}
