/**
 * What may be asked of the gateway about jobs: each is checked, is on record when it returns, or throws
 * and changed nothing.
 */
import { inPieces } from '../bytes/in-pieces.ts';
import { someOf } from '../bytes/some-of.ts';
import { UpliftError } from '../errors.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import {
  type Actor,
  DEVICES_A_RECORD,
  type JobActivation,
  type JobCommand,
  type JobRecordBody,
  type JobRequest,
} from '../jobs/records.ts';
import { isBeyondRecall, isOver, STATE_RULES } from '../jobs/states.ts';
import type { LocalHours } from '../schedule/windows.ts';
import {
  CONTROL_CODES,
  type ControlCode,
  type GatewayRecord,
  type UpgradeWait,
} from './control.ts';
import type { FieldDevice } from './field.ts';
import type { RecordKeeper } from './record-keeper.ts';
import { UPGRADES_A_PIECE, type UpgradeQueue } from './upgrade-queue.ts';

/** Of the running gateway, as much as is used here. */
export interface Floor {
  readonly nowMs: number;
  readonly devices: ReadonlyMap<string, FieldDevice>;
  isRunning(upgrade: Upgrade): boolean;
  callOff(upgrade: Upgrade, detail: string): void;
  explain(upgrade: Upgrade): UpgradeWait;
  /** @throws UpliftError where nothing new may begin */
  assertAccepting(): void;
  /** Begins what is due. */
  turn(): void;
}

export interface JobDeskOptions {
  floor: Floor;
  queue: UpgradeQueue;
  records: RecordKeeper;
  windows: Readonly<Record<string, LocalHours>>;
  devicesMax: number;
  /** What is tried again has so long at least. */
  retryMs: number;
  hasImage(sha256: string): boolean;
}

/** What a door demands of a job on top of what was asked. */
export interface Demands {
  /** Somebody other than its author has to approve it. */
  secondPerson: boolean;
}

const NO_DEMANDS: Demands = { secondPerson: false };

const PRIORITY_MAX = 8;

export class JobDesk {
  private readonly options: JobDeskOptions;
  private readonly floor: Floor;
  private readonly queue: UpgradeQueue;
  private readonly records: RecordKeeper;

  constructor(options: JobDeskOptions) {
    this.options = options;
    this.floor = options.floor;
    this.queue = options.queue;
    this.records = options.records;
  }

  /** The same `requestId` with the same content gives the job that is there. */
  create(asked: JobRequest, by: Actor, demandsOf?: (request: JobRequest) => Demands): Job {
    const known = this.knownRequest(asked);
    if (known) return known;
    this.floor.assertAccepting();
    this.checkRequest(asked);
    const { secondPerson } = demandsOf?.(asked) ?? NO_DEMANDS;
    const request = secondPerson ? { ...asked, needsApproval: true } : asked;
    const superseded = this.supersede(request);
    const id = `j${this.records.head.sequence + 1}`;
    const state = request.needsApproval ? 'awaiting-approval' : 'scheduled';
    // Whoever approves or rejects does so for all of it.
    const { length } = request.devices;
    const atOnce = request.needsApproval || length <= UPGRADES_A_PIECE ? length : 0;
    const [devices = [], ...more] = inPieces(request.devices, DEVICES_A_RECORD);
    this.records.write(
      { kind: 'job', job: id, by, request: { ...request, devices } },
      ...more.map((piece) => ({ kind: 'job-devices' as const, job: id, devices: piece })),
      ...superseded.map((upgrade) => this.stateOf(upgrade, 'superseded', `by ${id}`)),
      ...request.devices
        .slice(0, atOnce)
        .map((device) =>
          this.records.stateOf({ job: { id }, device, attempt: 0 }, state, request.deadlineMs),
        ),
    );
    for (const upgrade of superseded) this.queue.remove(upgrade);
    const job = this.records.book.job(id)!;
    for (const upgrade of job.upgrades.slice(0, atOnce)) this.queue.add(upgrade);
    this.queue.plan(job.upgrades.slice(atOnce));
    this.floor.turn();
    return job;
  }

  approve(id: string, by: Actor): Job {
    const job = this.jobOf(id);
    this.floor.assertAccepting();
    const waiting = this.waitingForApproval(job);
    if (job.by === by) throw refused('own-approval', { actual: by });
    this.records.write(
      { kind: 'command', job: id, by, command: 'approve' },
      ...waiting.map((upgrade) => this.stateOf(upgrade, 'scheduled', `approved by ${by}`)),
    );
    for (const upgrade of waiting) this.queue.approve(upgrade);
    this.floor.turn();
    return job;
  }

  reject(id: string, by: Actor, reason: string): Job {
    const job = this.jobOf(id);
    this.floor.assertAccepting();
    const waiting = this.waitingForApproval(job);
    this.records.write(
      { kind: 'command', job: id, by, command: 'reject', reason },
      ...waiting.map((upgrade) => this.stateOf(upgrade, 'refused', `by ${by}: ${reason}`)),
    );
    for (const upgrade of waiting) this.queue.remove(upgrade);
    this.floor.turn();
    return job;
  }

  activate(
    id: string,
    devices: readonly string[] | undefined,
    activation: JobActivation,
    by: Actor,
  ): Job {
    const { job, upgrades } = this.meant(id, devices);
    this.floor.assertAccepting();
    const held = upgrades.filter(
      (upgrade) => upgrade.state === 'awaiting-activation' && !this.floor.isRunning(upgrade),
    );
    if (held.length === 0 || (devices && held.length < upgrades.length)) {
      throw refused('not-activatable', { actual: statesText(upgrades) });
    }
    this.records.write(...commandsOf(held, { job: id, by, command: 'activate', activation }));
    for (const upgrade of held) {
      this.queue.remove(upgrade);
      this.queue.add(upgrade);
    }
    this.floor.turn();
    return job;
  }

  cancel(id: string, devices: readonly string[] | undefined, by: Actor, reason?: string): Job {
    const { job, upgrades } = this.meant(id, devices);
    this.floor.assertAccepting();
    const open = upgrades.filter(
      ({ state, intents }) => !isOver(state) && !isBeyondRecall(state) && !intents.has('activate'),
    );
    if (open.length === 0 || (devices && open.length < upgrades.length)) {
      throw refused('not-cancellable', { actual: statesText(upgrades) });
    }
    const why = reason === undefined ? {} : { reason };
    this.records.write(...commandsOf(open, { job: id, by, command: 'cancel', ...why }));
    for (const upgrade of open) this.floor.callOff(upgrade, `by ${by}`);
    this.floor.turn();
    return job;
  }

  retry(id: string, devices: readonly string[] | undefined, by: Actor): Job {
    const { job, upgrades } = this.meant(id, devices);
    this.floor.assertAccepting();
    const again = upgrades.filter(
      (upgrade) =>
        STATE_RULES[upgrade.state].next.includes('scheduled') &&
        isOver(upgrade.state) &&
        !this.floor.isRunning(upgrade) &&
        this.records.book.openFor(upgrade.device).length === 0,
    );
    if (again.length === 0 || (devices && again.length < upgrades.length)) {
      throw refused('not-retryable', { actual: statesText(upgrades) });
    }
    for (const upgrade of again) this.queue.remove(upgrade);
    const { nowMs } = this.floor;
    const untilMs = Math.max(job.request.deadlineMs, nowMs + this.options.retryMs);
    this.records.write(
      ...commandsOf(again, { job: id, by, command: 'retry' }),
      ...again.map((upgrade) =>
        this.records.stateOf(upgrade, 'scheduled', untilMs, { detail: `by ${by}` }),
      ),
    );
    for (const upgrade of again) this.queue.add(upgrade);
    this.floor.turn();
    return job;
  }

  explain(upgrade: Upgrade): UpgradeWait {
    return this.floor.explain(upgrade);
  }

  /** Every record of the job, in order. */
  story(job: string): GatewayRecord[] {
    return this.records.story(job);
  }

  // ---- checks -----------------------------------------------------------------------------------------

  private knownRequest(request: JobRequest): Job | undefined {
    const { requestId } = request;
    const known = requestId === undefined ? undefined : this.records.book.jobOfRequest(requestId);
    if (!known) return undefined;
    if (isSameRequest(known.request, request)) return known;
    throw refused('request-id-reused', { actual: `${requestId}, of ${known.id}` });
  }

  private checkRequest(request: JobRequest): void {
    const { devices, image, window, priority, deadlineMs, notBeforeMs, activation } = request;
    const { devicesMax, windows } = this.options;
    const known = this.floor.devices;
    const malformed = (expected: string, actual: string) =>
      refused('job-malformed', { expected, actual });
    if (devices.length === 0 || devices.length > devicesMax) {
      throw malformed(`1 to ${devicesMax} devices`, `${devices.length}`);
    }
    if (new Set(devices).size < devices.length) throw malformed('each device once', 'one twice');
    const unknown = devices.find((device) => !known.has(device));
    if (unknown !== undefined) {
      throw refused('device-unknown', { expected: someOf(known.keys()), actual: unknown });
    }
    if (!this.options.hasImage(image)) throw refused('image-unknown', { actual: image });
    if (window !== undefined && !Object.hasOwn(windows, window)) {
      const expected = Object.keys(windows).join(', ') || 'none is configured';
      throw refused('window-unknown', { expected, actual: window });
    }
    if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
      throw malformed(`a priority from 0 to ${PRIORITY_MAX}`, `${priority}`);
    }
    if (!(deadlineMs > this.floor.nowMs))
      throw malformed('a deadline that is to come', timeText(deadlineMs));
    if (notBeforeMs !== undefined && !(notBeforeMs < deadlineMs)) {
      throw malformed('a beginning before the deadline', timeText(notBeforeMs));
    }
    const needsHold =
      activation.when !== 'now' && devices.find((device) => !known.get(device)!.canHold);
    if (needsHold) throw malformed('activation now: it cannot hold an image', needsHold);
  }

  /** What is open for these devices and gives way; where it does not, the new job is refused. */
  private supersede({ devices, supersede }: JobRequest): Upgrade[] {
    const open = devices.flatMap((device) => this.records.book.openFor(device));
    const stubborn = open.find((upgrade) => !supersede || this.floor.isRunning(upgrade));
    if (stubborn) {
      throw refused('job-open', {
        expected: 'no other job for the device',
        actual: `${stubborn.id}, ${stubborn.state}`,
        next: supersede
          ? 'cancel it first: it has begun'
          : 'cancel it, or let this one supersede it',
      });
    }
    return open;
  }

  private waitingForApproval(job: Job): Upgrade[] {
    const waiting = job.upgrades.filter(({ state }) => state === 'awaiting-approval');
    if (waiting.length > 0) return waiting;
    throw refused('not-approvable', { actual: statesText(job.upgrades) });
  }

  private jobOf(id: string): Job {
    const job = this.records.book.job(id);
    if (job) return job;
    throw refused('job-unknown', { actual: id });
  }

  private meant(id: string, devices: readonly string[] | undefined) {
    const job = this.jobOf(id);
    if (!devices) return { job, upgrades: job.upgrades };
    const upgrades = devices.map((device) => {
      const upgrade = this.records.book.upgrade(id, device);
      if (upgrade) return upgrade;
      throw refused('device-not-in-job', { actual: device });
    });
    return { job, upgrades };
  }

  private stateOf(
    upgrade: Upgrade,
    state: 'superseded' | 'scheduled' | 'refused',
    detail: string,
  ): JobRecordBody {
    return this.records.stateOf(upgrade, state, this.queue.endMs(upgrade), { detail });
  }
}

export function refused(
  code: ControlCode,
  detail: { expected?: string; actual?: string; next?: string },
): UpliftError {
  return new UpliftError(code, CONTROL_CODES[code], detail);
}

/** Approval may have been demanded on top of what was asked. */
function isSameRequest(known: JobRequest, asked: JobRequest): boolean {
  const demanded = { ...asked, needsApproval: true };
  return [asked, demanded].some((one) => JSON.stringify(one) === JSON.stringify(known));
}

type CommandBody = JobRecordBody & { kind: 'command' };
type CommandWords = { job: string; by: Actor; reason?: string } & JobCommand;

/** One command; for many devices in several records. */
function commandsOf(upgrades: readonly Upgrade[], words: CommandWords): CommandBody[] {
  const names = upgrades.map(({ device }) => device);
  return inPieces(names, DEVICES_A_RECORD).map(
    (devices) => ({ kind: 'command', ...words, devices }) as CommandBody,
  );
}

function statesText(upgrades: readonly Upgrade[]): string {
  return someOf(upgrades.map(({ device, state }) => `${device}: ${state}`));
}

function timeText(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : `${ms}`;
}
