/**
 * Every job and upgrade as the journal tells them: records in, the present state out. The book is built
 * by replaying the journal, and kept by the same code while the gateway runs, so what is known after a
 * crash is what was known before it.
 */
import { assert } from '../errors.ts';
import type { Intent } from '../upgrade/session-messages.ts';
import type { JobActivation, JobRecord, JobRequest } from './records.ts';
import { isBeyondRecall, isOver, mayFollow, type Owner, type UpgradeState } from './states.ts';

export interface Job {
  readonly id: string;
  readonly by: string;
  readonly createdMs: number;
  request: JobRequest;
  /** In the order of the request. */
  readonly upgrades: Upgrade[];
  approvedBy?: string;
}

/** One device of a job. */
export interface Upgrade {
  /** `JOB/DEVICE`. */
  readonly id: string;
  readonly job: Job;
  readonly device: string;
  state: UpgradeState;
  owner: Owner;
  sinceMs: number;
  untilMs: number | undefined;
  /** From 1; of the one that runs, or ran last. */
  attempt: number;
  code: string | undefined;
  detail: string | undefined;
  next: string | undefined;
  sentBytes: number;
  totalBytes: number;
  /** As it was commanded last. */
  activation: JobActivation;
  /** Sequence of the record that commanded it: one activation for each, at most. */
  commandedBy: number;
  /** The device has the image and waits: what is left is the activation. */
  holds: boolean;
  /** What was announced under that command. */
  readonly intents: Set<Intent>;
  /** A cancellation that its state could not follow yet. */
  cancelRequested: boolean;
}

/** A hub is looked at in `activating` before anything is commanded: what was, its intent says. */
export function isCommanded({ state, intents }: Upgrade): boolean {
  return isBeyondRecall(state) && intents.has('activate');
}

export class JobBook {
  private readonly byId = new Map<string, Job>();
  private readonly byRequestId = new Map<string, Job>();
  /** By its id. */
  private readonly upgradeById = new Map<string, Upgrade>();
  /** By device: what is not over, the newest last. */
  private readonly open = new Map<string, Upgrade[]>();

  get jobs(): IterableIterator<Job> {
    return this.byId.values();
  }

  job(id: string): Job | undefined {
    return this.byId.get(id);
  }

  jobOfRequest(requestId: string): Job | undefined {
    return this.byRequestId.get(requestId);
  }

  upgrade(job: string, device: string): Upgrade | undefined {
    return this.upgradeById.get(`${job}/${device}`);
  }

  openFor(device: string): readonly Upgrade[] {
    return this.open.get(device) ?? [];
  }

  /** Outcomes that are unknown since then or later. */
  *unknownSince(sinceMs: number): IterableIterator<Upgrade> {
    for (const { upgrades } of this.byId.values())
      for (const upgrade of upgrades)
        if (upgrade.state === 'unknown-outcome' && upgrade.sinceMs >= sinceMs) yield upgrade;
  }

  *openUpgrades(): IterableIterator<Upgrade> {
    for (const upgrades of this.open.values()) yield* upgrades;
  }

  /** Forgets jobs that ended before then: their records are retired from the journal. */
  retire(beforeMs: number): void {
    for (const job of this.byId.values()) {
      if (!job.upgrades.every(({ state, sinceMs }) => isOver(state) && sinceMs < beforeMs))
        continue;
      this.byId.delete(job.id);
      for (const { id } of job.upgrades) this.upgradeById.delete(id);
      const { requestId } = job.request;
      if (requestId !== undefined) this.byRequestId.delete(requestId);
    }
  }

  /** Before it is written down: a record that contradicts those before it would stop every start to come. */
  assertFits(record: Pick<JobRecord & { kind: 'state' }, 'job' | 'device' | 'state'>): void {
    const upgrade = this.upgrade(record.job, record.device);
    const { state } = record;
    const fits = !upgrade || upgrade.state === state || mayFollow(upgrade.state, state);
    assert(fits, `${upgrade?.state} is followed by ${state}`);
  }

  /** Records of jobs that were retired are passed over. */
  apply(record: JobRecord): void {
    switch (record.kind) {
      case 'job':
        this.addJob(record);
        return;
      case 'job-devices': {
        const job = this.byId.get(record.job);
        if (!job) return;
        const { request } = job;
        job.request = { ...request, devices: [...request.devices, ...record.devices] };
        this.addUpgrades(job, record.devices, record.sequence);
        return;
      }
      case 'command':
        this.applyCommand(record);
        return;
      case 'state':
        this.applyState(record);
        return;
      case 'intent':
        this.upgrade(record.job, record.device)?.intents.add(record.intent);
        return;
      case 'progress': {
        const upgrade = this.upgrade(record.job, record.device);
        if (!upgrade) return;
        upgrade.sentBytes = record.sentBytes;
        upgrade.totalBytes = record.totalBytes;
        return;
      }
      case 'note':
        return;
    }
  }

  private addJob({ job: id, by, request, atMs, sequence }: JobRecord & { kind: 'job' }): void {
    const job: Job = { id, by, createdMs: atMs, request, upgrades: [] };
    this.byId.set(id, job);
    if (request.requestId !== undefined) this.byRequestId.set(request.requestId, job);
    this.addUpgrades(job, request.devices, sequence);
  }

  private addUpgrades(job: Job, devices: readonly string[], commandedBy: number): void {
    const { id, createdMs, request } = job;
    for (const device of devices) {
      const upgrade: Upgrade = {
        id: `${id}/${device}`,
        job,
        device,
        state: 'planned',
        owner: 'gateway',
        sinceMs: createdMs,
        untilMs: request.deadlineMs,
        attempt: 0,
        code: undefined,
        detail: undefined,
        next: undefined,
        sentBytes: 0,
        totalBytes: 0,
        activation: request.activation,
        commandedBy,
        holds: false,
        intents: new Set(),
        cancelRequested: false,
      };
      job.upgrades.push(upgrade);
      this.upgradeById.set(upgrade.id, upgrade);
      this.open.set(device, [...this.openFor(device), upgrade]);
    }
  }

  private applyCommand(record: JobRecord & { kind: 'command' }): void {
    const job = this.byId.get(record.job);
    if (!job) return;
    if (record.command === 'approve') job.approvedBy = record.by;
    const devices = record.devices && new Set(record.devices);
    for (const upgrade of job.upgrades) {
      if (devices && !devices.has(upgrade.device)) continue;
      if (record.command === 'cancel') {
        if (!isOver(upgrade.state)) upgrade.cancelRequested = true;
      } else if (record.command === 'activate' || record.command === 'retry') {
        if (record.command === 'activate') upgrade.activation = record.activation;
        upgrade.commandedBy = record.sequence;
        upgrade.intents.clear();
        upgrade.cancelRequested = false;
      }
    }
  }

  private applyState(record: JobRecord & { kind: 'state' }): void {
    const upgrade = this.upgrade(record.job, record.device);
    if (!upgrade) return;
    const { state, attempt, owner, untilMs, code, detail, next, atMs } = record;
    this.assertFits(record);
    if (upgrade.state !== state) upgrade.sinceMs = atMs;
    if (state === 'awaiting-activation') upgrade.holds = true;
    else if (state === 'distributing' || isOver(state)) upgrade.holds = false;
    Object.assign(upgrade, { state, attempt, owner, untilMs, code, detail, next });
    this.keepOpen(upgrade);
  }

  private keepOpen(upgrade: Upgrade): void {
    const others = this.openFor(upgrade.device).filter((one) => one !== upgrade);
    if (!isOver(upgrade.state)) others.push(upgrade);
    if (others.length > 0) this.open.set(upgrade.device, others);
    else this.open.delete(upgrade.device);
  }
}
