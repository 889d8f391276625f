/**
 * Runs scenarios on a rig until all are done, or the time is up: on free devices, several beside each other,
 * again where the class of a failure allows it, and on after a crash where it was.
 *
 * Retries: what the rig failed in is tried on another device, or later; what did not get across is tried
 * again and counted; what a device or a check failed in is the result.
 */
import type { Rig, RigDevice } from '../../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../../errors.ts';
import { COMMAND_TIMERS } from '../../transport/serial/driver.ts';
import { failureOf, labError } from '../failure.ts';
import { EXIT_OF_CLASS, type LabClass } from '../failure-classes.ts';
import type { Lease } from '../ports.ts';
import type { RecordingWriter } from '../recording/writer.ts';
import { LEASE_MS, LeaseBook } from '../rig/leases.ts';
import type { RunResult } from '../run-result.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { DevicePool } from './device-pool.ts';
import { type Expansion, expandRuns, type PlannedRun, turnOf, wantsLabAlone } from './expand.ts';
import type { OpenHands } from './hands.ts';
import { refuseLacks, refuseNothing, refuseOthers, refuseUnknown } from './lab-refusals.ts';
import type { LabRunEvent } from './lab-run.ts';
import { openRigHands } from './rig-hands.ts';
import { RunLog, type RunLogContent } from './run-log.ts';
import { runOne } from './run-one.ts';
import { RunRecordings } from './run-recordings.ts';
import { closeWan, openWan, type Wan } from './wan.ts';

export interface LabOptions {
  rig: Rig;
  scenarios: readonly Scenario[];
  /** Where the log, and what each run leaves, are kept. */
  folder: string;
  /** Of every random choice. */
  seed: number;
  /** Goes on with what the log of the folder has not done. */
  resume?: boolean;
  devices?: readonly string[] | undefined;
  /** Only the runs of these names, as a report tells them. */
  only?: readonly string[] | undefined;
  /** Turns of every run. */
  repeat?: number;
  /** Nothing begins after this; without `repeat` turns follow each other until then. */
  untilMs?: number | undefined;
  /** Runs beside each other, as far as devices are free. */
  parallel?: number;
  /** Attempts after the first, for `infra` and for `flash` each. */
  retries?: number;
  /** Failures of the rig in a row at one device, after which it is not used any more. */
  setAsideAfter?: number;
  /** Recordings of runs that passed, too. */
  keepRecordings?: boolean;
  /** Of Uplift, as recordings name it. */
  version?: string;
  /** In place of drivers and proxies by the rig file, which then need not name any. */
  openHands?: OpenHands;
  /** In place of leases in the state folder of the rig. */
  openLease?: OpenLease;
  onEvent?: (event: LabEvent) => void;
  signal?: AbortSignal;
}

export type OpenLease = (devices: readonly string[], run: string) => Promise<Lease>;

export type LabEvent =
  | { kind: 'planned'; runs: number; seed: number; done: number }
  | { kind: 'begun'; run: string; attempt: number; devices: readonly string[] }
  | { kind: 'run'; run: string; event: LabRunEvent }
  | { kind: 'ended'; result: RunResult; isFinal: boolean }
  | { kind: 'set-aside'; device: string };

export interface LabEnd {
  seed: number;
  folder: string;
  passed: number;
  failed: Readonly<Record<LabClass, number>>;
  /** Runs that were not begun, or not ended. */
  left: number;
  setAside: readonly string[];
  /** Something was left to do, or turns would have gone on. */
  isInterrupted: boolean;
}

const DEFAULTS = { parallel: 1, retries: 0, setAsideAfter: 3 };
const RENEW_MS = LEASE_MS / 3;

interface Queued {
  plan: PlannedRun;
  attempt: number;
  retries: Record<'infra' | 'flash', number>;
  avoided: Set<string>;
}

/** Throws where the lab itself is wrong, or nothing can be kept; what fails in a run is a result. */
export async function runLab(options: LabOptions): Promise<LabEnd> {
  const { rig, openHands } = options;
  const expansion = expandRuns({ ...options, hasOtherHands: openHands !== undefined });
  refuseLacks(expansion, options.only);
  refuseNothing(expansion);
  refuseUnknown(options.only ?? [], expansion);
  const book = await LeaseBook.open(rig.stateFolder);
  try {
    const wan = await openWan(rig.wan);
    try {
      const { log, content } = openLog(options);
      const around = { openHands: openRigHands, openLease: leasesFrom(book), ...options, wan };
      return await new Lab(around, expansion, log, content).run().finally(() => log.close());
    } finally {
      await closeWan(wan);
    }
  } finally {
    book.close();
  }
}

type LabSurroundings = LabOptions &
  Required<Pick<LabOptions, 'openHands' | 'openLease'>> & {
    wan: Wan;
  };

/** The steady clock: where the time of day is set, a lease is as long as before. */
function leasesFrom(book: LeaseBook): OpenLease {
  const { nowMs } = COMMAND_TIMERS;
  return async (devices, run) => book.take(devices, { holder: `lab run ${run}`, nowMs });
}

class Lab {
  private readonly options: LabSurroundings & typeof DEFAULTS;
  private readonly expansion: Expansion;
  private readonly log: RunLog;
  private readonly pool: DevicePool;
  private readonly recordings: RunRecordings;
  private readonly signal: AbortSignal;
  private readonly seed: number;
  private readonly finals: Map<string, { outcome: string; class?: LabClass | undefined }>;
  private readonly begun: ReadonlyMap<string, number>;
  private readonly queue: Queued[] = [];
  private readonly running = new Set<Promise<void>>();
  private turn = 0;
  private isAloneRunning = false;
  private bug: { error: unknown } | undefined;

  constructor(
    options: LabSurroundings,
    expansion: Expansion,
    log: RunLog,
    content: RunLogContent | undefined,
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.expansion = expansion;
    this.log = log;
    this.pool = new DevicePool(options.rig, this.options.setAsideAfter);
    this.signal = options.signal ?? new AbortController().signal;
    const { folder, version, keepRecordings = false } = options;
    this.recordings = new RunRecordings({ folder, version, keepsAll: keepRecordings });
    if (content) this.recordings.dropCutOff(content.attempts);
    this.seed = content?.head.seed ?? options.seed;
    this.begun = content?.begun ?? new Map();
    const known = [...(content?.finals ?? [])];
    this.finals = new Map(
      known.map(([run, { outcome, failure }]) => [run, { outcome, class: failure?.class }]),
    );
  }

  async run(): Promise<LabEnd> {
    const runs = this.turnsMax === Number.POSITIVE_INFINITY ? 0 : this.runsMax;
    this.tell({ kind: 'planned', runs, seed: this.seed, done: this.finals.size });
    while (!this.bug && (this.beginWhatCan() || this.running.size > 0)) {
      if (this.running.size > 0) await Promise.race(this.running);
    }
    await Promise.all(this.running);
    if (this.bug) throw this.bug.error;
    return this.end();
  }

  private get turnsMax(): number {
    const { untilMs, repeat, only } = this.options;
    if (only) return Math.max(...only.map(turnNamed));
    return repeat ?? (untilMs === undefined ? 1 : Number.POSITIVE_INFINITY);
  }

  private get runsMax(): number {
    return this.options.only?.length ?? this.turnsMax * this.expansion.runs.length;
  }

  private get isOver(): boolean {
    const { untilMs = Number.POSITIVE_INFINITY } = this.options;
    return this.signal.aborted || this.bug !== undefined || Date.now() >= untilMs;
  }

  /** Whether anything was begun, or came to its end without beginning. */
  private beginWhatCan(): boolean {
    let hasBegun = false;
    while (!this.isOver && this.running.size < this.options.parallel && !this.isAloneRunning) {
      if (this.queue.length === 0 && !this.refill()) break;
      if (!this.beginOne()) break;
      hasBegun = true;
    }
    return hasBegun;
  }

  /** The next turn of every run that is not done. */
  private refill(): boolean {
    while (this.turn < this.turnsMax && this.queue.length === 0) {
      this.turn++;
      for (const run of this.expansion.runs) {
        const plan = turnOf(run, this.turn, this.seed);
        if (this.finals.has(plan.id) || this.options.only?.includes(plan.id) === false) continue;
        const attempt = (this.begun.get(plan.id) ?? 0) + 1;
        const retries = { infra: 0, flash: 0 };
        this.queue.push({ plan, attempt, retries, avoided: new Set() });
      }
    }
    return this.queue.length > 0;
  }

  private beginOne(): boolean {
    for (const [index, queued] of this.queue.entries()) {
      const isAlone = wantsLabAlone(queued.plan);
      if (isAlone && this.running.size > 0) continue;
      const taking = this.pool.take(queued.plan, queued.avoided);
      if (taking.kind === 'busy') continue;
      this.queue.splice(index, 1);
      if (taking.kind === 'none') {
        this.settle(queued, withoutDevice(queued));
        return true;
      }
      this.isAloneRunning = isAlone;
      this.start(queued, taking.devices);
      return true;
    }
    return false;
  }

  private start(queued: Queued, devices: ReadonlyMap<string, RigDevice>): void {
    const { plan, attempt } = queued;
    const names = Object.fromEntries([...devices].map(([role, { id }]) => [role, id]));
    const work = async (): Promise<void> => {
      try {
        const record = { run: plan.id, attempt, devices: names, atMs: Date.now() };
        this.log.append({ kind: 'begun', ...record });
        this.tell({ kind: 'begun', ...record, devices: Object.values(names) });
        const result = await this.attempt(queued, devices);
        const isTrouble = result.failure?.class === 'infra';
        for (const device of this.pool.give(devices, isTrouble)) {
          this.tell({ kind: 'set-aside', device });
        }
        this.settle(queued, result);
      } catch (error) {
        this.bug ??= { error };
      } finally {
        this.isAloneRunning = false;
      }
    };
    const promise = work().finally(() => this.running.delete(promise));
    this.running.add(promise);
  }

  private async attempt(
    { plan, attempt }: Queued,
    devices: ReadonlyMap<string, RigDevice>,
  ): Promise<RunResult> {
    const { rig, wan, openHands } = this.options;
    const lost = new AbortController();
    let recorder: RecordingWriter | undefined;
    const result = await runOne({
      ...{ plan, rig, devices, attempt, wan },
      openHands: this.leased(openHands, plan, lost),
      openRecorder: (own) => {
        recorder = this.recordings.open(plan, attempt, own);
        return recorder;
      },
      onEvent: (event) => this.tell({ kind: 'run', run: plan.id, event }),
      signal: AbortSignal.any([this.signal, lost.signal]),
    });
    const failure = lost.signal.aborted ? failureOf(lost.signal.reason, 'lease') : undefined;
    // Nothing of the run listens any more.
    lost.abort();
    const told: RunResult = failure ? { ...result, outcome: 'failed', failure } : result;
    return recorder === undefined ? told : this.recordings.settle(told, recorder);
  }

  /** The lease is there before anything is opened, and given back after everything is closed. */
  private leased(open: OpenHands, { id }: PlannedRun, lost: AbortController): OpenHands {
    return async (request) => {
      const { devices, coordinators } = request.rig;
      const names = [...devices, ...coordinators].map((one) => one.id);
      const lease = await this.options.openLease(names, id);
      const renewing = setInterval(() => {
        lease.renew().catch((error: unknown) => {
          // A book that is busy is asked again; a lease that nobody renews ends by itself.
          if (error instanceof UpliftError) lost.abort(error);
        });
      }, RENEW_MS).unref();
      const release = async () => {
        clearInterval(renewing);
        await lease.release();
      };
      try {
        const hands = await open(request);
        const close = hands.close.bind(hands);
        return Object.assign(hands, { close: () => close().finally(release) });
      } catch (error) {
        await release();
        throw error;
      }
    };
  }

  private settle(queued: Queued, result: RunResult): void {
    const { outcome, failure } = result;
    const isAgain = !this.signal.aborted && this.isTriedAgain(queued, failure?.class);
    const isFinal = outcome !== 'interrupted' && !isAgain;
    this.log.append({ kind: 'ended', isFinal, result });
    if (isFinal) this.finals.set(result.run, { outcome, class: failure?.class });
    this.tell({ kind: 'ended', result, isFinal });
    if (!isAgain) return;
    for (const device of Object.values(result.devices)) queued.avoided.add(device);
    this.queue.push({ ...queued, attempt: queued.attempt + 1 });
  }

  private isTriedAgain({ retries }: Queued, failed: LabClass | undefined): boolean {
    if (failed !== 'infra' && failed !== 'flash') return false;
    if (retries[failed] >= this.options.retries) return false;
    retries[failed]++;
    return true;
  }

  private tell(event: LabEvent): void {
    this.options.onEvent?.(event);
  }

  private end(): LabEnd {
    const failed = { infra: 0, flash: 0, device: 0, assertion: 0 };
    let passed = 0;
    for (const { outcome, class: failedAs } of this.finals.values()) {
      if (failedAs === undefined) passed += outcome === 'passed' ? 1 : 0;
      else failed[failedAs]++;
    }
    const { seed, turnsMax, runsMax } = this;
    const isEndless = turnsMax === Number.POSITIVE_INFINITY;
    const left = isEndless ? 0 : runsMax - this.finals.size;
    return {
      ...{ seed, passed, failed, left },
      folder: this.options.folder,
      setAside: this.pool.setAside,
      isInterrupted: this.signal.aborted && (left > 0 || isEndless),
    };
  }
}

function turnNamed(run: string): number {
  return Number(/#(\d+)$/.exec(run)?.[1] ?? 1);
}

/** What counts most comes first: a device that failed, a check, a transfer, the rig. */
export function exitOf({ failed, isInterrupted }: LabEnd): ExitCode {
  for (const [name, exit] of Object.entries(EXIT_OF_CLASS)) {
    if (failed[name as LabClass] > 0) return exit;
  }
  return isInterrupted ? EXIT.interrupted : EXIT.done;
}

function openLog(options: LabOptions): { log: RunLog; content?: RunLogContent } {
  const { folder, rig, scenarios, seed, untilMs, devices, only, resume } = options;
  const repeat = options.repeat ?? (untilMs === undefined ? 1 : undefined);
  if (resume) {
    const opened = RunLog.reopen(folder);
    refuseOthers(opened.content, scenarios, folder);
    return opened;
  }
  const log = RunLog.create(folder, {
    seed,
    rig: { path: rig.path, id: rig.id },
    scenarios: scenarios.map(({ name, path, values, sha256 }) => ({ name, path, values, sha256 })),
    ...{ repeat, devices, only },
    startedAtMs: Date.now(),
  });
  return { log };
}

function withoutDevice({ plan, attempt }: Queued): RunResult {
  const { id, scenario, cell, seed, roles } = plan;
  const models = [...roles].map(([role, [first]]) => [role, first!.model.model]);
  const actual = 'all of them are set aside';
  return {
    ...{ run: id, scenario: scenario.name, models: Object.fromEntries(models), devices: {} },
    ...{ cell, seed, attempt, startedAtMs: Date.now(), wallMs: 0, outcome: 'failed' },
    failure: failureOf(labError('no-device-free', { actual }), 'devices'),
    ...{ cleanUpFailures: [], steps: [], timeline: [], upgrades: [], faults: {} },
  };
}
