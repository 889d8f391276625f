/**
 * A gateway on a desk: a clock that is turned by hand, a journal in memory that can be made to fail, and a
 * field whose devices do what a test says. Nothing here knows how the gateway works.
 */
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import type { GatewayRecord } from '../../src/gateway/control.ts';
import type {
  Brief,
  Field,
  FieldDevice,
  FieldListener,
  FieldOwner,
  FieldRun,
  FieldTask,
} from '../../src/gateway/field.ts';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import type { GatewayJournal } from '../../src/gateway/record-keeper.ts';
import type { JobRequest } from '../../src/jobs/records.ts';
import type { UpgradeState } from '../../src/jobs/states.ts';
import type { Timers } from '../../src/ports.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import type { SessionEvent } from '../../src/upgrade/session-messages.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

export const IMAGE = 'a'.repeat(64);
export const HOUR_MS = 3_600_000;

export class MemoryJournal implements GatewayJournal {
  readonly rows: GatewayRecord[];
  /** How many more appends succeed. */
  room = Number.POSITIVE_INFINITY;
  private notes: { entry: Record<string, unknown>; atMs: number }[] = [];

  constructor(rows: GatewayRecord[] = []) {
    this.rows = rows;
  }

  get head() {
    return { sequence: this.rows.length, hash: '' };
  }

  append(entries: readonly Record<string, unknown>[], nowMs: number): GatewayRecord[] {
    if (this.room-- <= 0) throw new UpliftError('journal-unwritten', 'the disk is full');
    const waiting = this.notes;
    this.notes = [];
    for (const { entry, atMs } of waiting) this.push(entry, atMs);
    return entries.map((entry) => this.push(entry, nowMs));
  }

  note(entry: Record<string, unknown>, nowMs: number): void {
    this.notes.push({ entry, atMs: nowMs });
  }

  *records(from = 1, limit = Number.POSITIVE_INFINITY): Generator<GatewayRecord> {
    yield* this.rows.slice(from - 1, from - 1 + limit);
  }

  pollTimeout(): number {
    return Number.POSITIVE_INFINITY;
  }

  handleTimeout(): void {}

  private push(entry: Record<string, unknown>, atMs: number): GatewayRecord {
    // What the chain itself writes into a record, no entry may have.
    for (const field of ['sequence', 'atMs', 'previous', 'hash']) assert.not(field in entry, field);
    const record = JSON.parse(JSON.stringify({ sequence: this.rows.length + 1, atMs, ...entry }));
    this.rows.push(record);
    return record;
  }
}

/** Timers of one process: what it had set goes with it. */
export class ProcessTimers implements Timers {
  private readonly clock: Timers;
  private isEnded = false;

  constructor(clock: Timers) {
    this.clock = clock;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  after(delayMs: number, task: () => void): { cancel(): void } {
    return this.clock.after(delayMs, () => {
      if (!this.isEnded) task();
    });
  }

  end(): void {
    this.isEnded = true;
  }
}

/** One run of a device, to be told what it does. */
export class ScriptedRun implements FieldRun {
  readonly task: FieldTask;
  readonly owner: FieldOwner;
  cancellable = true;
  isOver = false;
  /** What was announced, and whether its record was durable. */
  readonly announced: boolean[] = [];

  constructor(task: FieldTask, owner: FieldOwner) {
    this.task = task;
    this.owner = owner;
  }

  say(...states: Extract<SessionEvent, { kind: 'state' }>['state'][]): this {
    for (const state of states) {
      if (state === 'activating' && !this.task.announced.includes('activate'))
        this.announced.push(this.owner.event({ kind: 'intent', intent: 'activate' }));
      this.owner.event({ kind: 'state', state, untilMs: 2_000_000_000_000 });
    }
    return this;
  }

  end(state: 'done' | 'failed' | 'refused' | 'unknown-outcome' | 'cancelled', code?: string): void {
    const event = { kind: 'state', state, ...(code ? { code } : {}) };
    this.owner.event(event as SessionEvent);
    this.finish({ kind: 'final' });
  }

  hold(): void {
    this.owner.event({ kind: 'state', state: 'awaiting-activation' });
    this.finish({ kind: 'held' });
  }

  notBegun(code: string): void {
    this.finish({ kind: 'not-begun', error: new UpliftError(code, 'it does not open') });
  }

  cancel(): boolean {
    if (!this.cancellable) return false;
    this.end('cancelled');
    return true;
  }

  stop(): void {
    this.finish({ kind: 'stopped', detail: 'stopped' });
  }

  private finish(end: Parameters<FieldOwner['ended']>[0]): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.ended(end);
  }
}

const DEVICES: readonly FieldDevice[] = [
  { id: 'hub-1', kind: 'communications_hub', link: 'port:hub-1', canHold: true },
  { id: 'hub-2', kind: 'communications_hub', link: 'port:hub-2', canHold: false },
  { id: 'ppmid-1', kind: 'ppmid', link: 'network:zigbee-1', canHold: true },
  { id: 'ppmid-2', kind: 'ppmid', link: 'network:zigbee-1', canHold: true },
];

export class ScriptedField implements Field {
  readonly devices: readonly FieldDevice[];
  readonly runs: ScriptedRun[] = [];
  listener!: FieldListener;
  /** Told of each run, for devices that do things by themselves. */
  onRun: (run: ScriptedRun) => void = () => {};

  constructor(devices: readonly FieldDevice[] = DEVICES) {
    this.devices = devices;
  }

  start(listener: FieldListener): void {
    this.listener = listener;
  }

  run(task: FieldTask, owner: FieldOwner): FieldRun {
    const run = new ScriptedRun(task, owner);
    this.runs.push(run);
    this.onRun(run);
    return run;
  }

  /** What devices say when they are asked; others are silent. */
  readonly says = new Map<string, string>();
  /** Devices whose link, or port, fails when they are asked: with which code. */
  readonly troubles = new Map<string, string>();
  /** How often each was asked. */
  readonly asked = new Map<string, number>();

  async read(device: string): Promise<{ version: string }> {
    this.asked.set(device, (this.asked.get(device) ?? 0) + 1);
    const trouble = this.troubles.get(device);
    if (trouble !== undefined) throw new UpliftError(trouble, 'it cannot be asked');
    const version = this.says.get(device);
    if (version === undefined) throw new UpliftError('device-silent', 'it does not answer');
    return { version };
  }

  async close(): Promise<void> {}

  /** The newest of a device. */
  of(device: string): ScriptedRun {
    const run = this.runs.findLast(({ task }) => task.device === device);
    assert.ok(run, `${device} runs`);
    return run;
  }
}

/** Of what is to be new in every process, how it is made. */
export type GatewayChange =
  | Partial<GatewayOptions>
  | ((timers: ProcessTimers) => Partial<GatewayOptions>);

export class GatewayDesk {
  readonly clock: SimulatedScheduler;
  journal = new MemoryJournal();
  timers!: ProcessTimers;
  field!: ScriptedField;
  gateway!: Gateway;
  /** Of every process; see the field's. */
  onRun: (run: ScriptedRun) => void = () => {};
  private readonly change: GatewayChange;
  private readonly devices: readonly FieldDevice[] | undefined;

  constructor(change: GatewayChange = {}, devices?: readonly FieldDevice[], startMs?: number) {
    this.clock = new SimulatedScheduler(startMs);
    this.change = change;
    this.devices = devices;
    this.start();
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** Another process over what is on disk; the one before is gone as with kill -9. */
  start(): this {
    this.timers?.end();
    this.journal.room = 0;
    this.journal = new MemoryJournal(this.journal.rows);
    this.timers = new ProcessTimers(this.clock);
    this.field = new ScriptedField(this.devices);
    this.field.onRun = (run) => this.onRun(run);
    this.gateway = new Gateway({
      timers: this.timers,
      journal: this.journal,
      field: this.field,
      scheduler: new Scheduler(new RetryDesk({ next: () => 0.5 }, this.nowMs)),
      brief: () => ({ image: { facts: { ok: false } } }) as unknown as Brief,
      expectedMs: () => 60_000,
      hasImage: (sha256) => sha256 === IMAGE,
      windows: {},
      ...(typeof this.change === 'function' ? this.change(this.timers) : this.change),
    });
    this.gateway.start();
    return this;
  }

  job(change: Partial<JobRequest> = {}, by = 'api:author'): string {
    const request: JobRequest = {
      image: IMAGE,
      devices: ['ppmid-1'],
      activation: { when: 'now' },
      priority: 0,
      deadlineMs: this.nowMs + 24 * HOUR_MS,
      ...change,
    };
    return this.gateway.jobs.create(request, by).id;
  }

  state(job: string, device = 'ppmid-1'): UpgradeState {
    return this.gateway.book.upgrade(job, device)!.state;
  }

  /** What a device went through in a job. */
  states(job: string, device = 'ppmid-1'): string[] {
    return this.gateway.jobs
      .story(job)
      .flatMap((record) =>
        record.kind === 'state' && record['device'] === device ? String(record['state']) : [],
      );
  }

  intents(job: string): number {
    return this.gateway.jobs.story(job).filter(({ kind }) => kind === 'intent').length;
  }

  refuses(code: string, ask: () => unknown): void {
    const before = this.journal.rows.length;
    assert.throws(ask, (error: unknown) => error instanceof UpliftError && error.code === code);
    assert.is(this.journal.rows.length, before, 'nothing was changed');
  }
}
