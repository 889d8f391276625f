/**
 * One run while it runs: its devices by the parts they play, what it reaches into the rig by, what its
 * upgrades said, and what has to be undone whatever happens. Calls of a program get it as it is.
 */
import type { Rig, RigDevice } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import type { DeviceWords } from '../../gateway/device-words.ts';
import type { FlashEvent } from '../../gateway/flash.ts';
import { labError } from '../failure.ts';
import { MONOTONIC_CLOCK } from '../recording/clock.ts';
import type { RecordingWriter } from '../recording/writer.ts';
import type { StepRecord, TimelineEntry, UpgradeRecord } from '../run-result.ts';
import type { UpgradeStep } from '../scenario/scenario.ts';
import { readDevice } from './device-reading.ts';
import type { RigHands } from './hands.ts';
import type { UpgradeWatch } from './upgrade-watch.ts';
import type { Wan } from './wan.ts';

/** Of a run that goes on for ever in one step. */
const TIMELINE_MAX = 2_000;
const STEPS_MAX = 5_000;

export interface LabRunOptions {
  id: string;
  seed: number;
  devices: ReadonlyMap<string, RigDevice>;
  hands: RigHands;
  wan: Wan;
  recorder: RecordingWriter;
  onEvent(event: LabRunEvent): void;
  /** Aborted where the run is to end before its time. */
  signal: AbortSignal;
}

export type LabRunEvent =
  | { kind: 'step'; step: string; title: string }
  | { kind: 'flash'; device: string; event: FlashEvent }
  | { kind: 'deed'; device: string; what: string };

/** The state of one device within its run. */
interface DeviceDesk {
  watch: UpgradeWatch | undefined;
  /** Of the last upgrade: what `activate` goes on with. */
  lastUpgrade: UpgradeStep | undefined;
}

export class LabRun {
  readonly id: string;
  readonly seed: number;
  readonly hands: RigHands;
  readonly wan: Wan;
  readonly startedAtMs = Date.now();
  readonly steps: StepRecord[] = [];
  readonly timeline: TimelineEntry[] = [];
  readonly upgrades: UpgradeRecord[] = [];
  readonly readings = new Map<string, DeviceWords>();
  /** What has to be undone when it ends, by what it is; the newest first. */
  readonly undo = new Map<string, () => Promise<void> | void>();
  /** What says how long something took: no jump of the wall clock moves it. */
  private readonly startedMs = performance.now();
  private readonly options: LabRunOptions;
  private readonly desks = new Map<string, DeviceDesk>();
  private undoes = 0;
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(options: LabRunOptions) {
    this.options = options;
    this.id = options.id;
    this.seed = options.seed;
    this.hands = options.hands;
    this.wan = options.wan;
  }

  get rig(): Rig {
    return this.hands.rig;
  }

  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** Since the run began. */
  nowMs(): number {
    return performance.now() - this.startedMs;
  }

  /** As the gateway opens it. Without a name: of the one part that there is. */
  device(role?: string): RigDevice {
    const { devices } = this.options;
    const chosen = role === undefined ? [...devices.values()][0] : devices.get(role);
    assert(chosen !== undefined, `the scenario has a part ${role}`);
    return this.rig.devices.find(({ id }) => id === chosen.id) ?? chosen;
  }

  desk(device: RigDevice): DeviceDesk {
    const known = this.desks.get(device.id) ?? { watch: undefined, lastUpgrade: undefined };
    this.desks.set(device.id, known);
    return known;
  }

  /** Asks the device what it runs, and changes nothing. */
  read(device: RigDevice): Promise<DeviceWords> {
    return this.inTurn(device, () => readDevice(device, this.rig, this.hands.ports));
  }

  /** What opens the same link waits for what has it: a port and a coordinator have one user. */
  inTurn<T>(device: RigDevice, work: () => Promise<T>): Promise<T> {
    const link = device.kind === 'hub' ? device.id : device.coordinator;
    const before = this.turns.get(link) ?? Promise.resolve();
    const result = before.then(work, work);
    this.turns.set(
      link,
      result.catch(() => {}),
    );
    return result;
  }

  /** What was done to a device, for the report and the recording. */
  note(device: string, what: string, detail?: string): void {
    this.enter({ device, what, detail, kind: 'deed' });
    const text = detail === undefined ? what : `${what}: ${detail}`;
    this.options.recorder.note(device, text, MONOTONIC_CLOCK.nowMs());
    this.options.onEvent({ kind: 'deed', device, what });
  }

  flashEvent(device: string, event: FlashEvent): void {
    if (event.kind === 'session' && event.event.kind === 'state') {
      const { state, code, detail } = event.event;
      this.enter({ device, what: state, detail: code ?? detail, kind: 'state' });
    }
    if (event.kind === 'session' && event.event.kind === 'note') {
      this.enter({ device, what: 'note', detail: event.event.text, kind: 'deed' });
    }
    this.options.onEvent({ kind: 'flash', device, event });
  }

  beginStep(step: string, title: string): void {
    this.options.onEvent({ kind: 'step', step, title });
  }

  endStep(record: StepRecord): void {
    if (this.steps.length < STEPS_MAX) this.steps.push(record);
  }

  /** What is called the same is undone once. */
  undoAtEnd(work: () => Promise<void> | void, what = `work ${++this.undoes}`): void {
    this.undo.set(what, work);
  }

  /** Undoes it now, and not again when the run ends. */
  async undoNow(what: string): Promise<void> {
    const undo = this.undo.get(what);
    this.undo.delete(what);
    await undo?.();
  }

  /** Fails where there is none: the name says of what. */
  part<T>(
    found: T | undefined,
    code: 'power-missing' | 'button-missing' | 'faults-missing',
    device: RigDevice,
  ): T {
    if (found !== undefined) return found;
    throw labError(code, {
      expected: `a driver for it at ${device.id} in the rig file`,
      actual: 'none',
    });
  }

  private enter(entry: Omit<TimelineEntry, 'atMs'>): void {
    if (this.timeline.length >= TIMELINE_MAX) return;
    this.timeline.push({ atMs: Math.round(this.nowMs()), ...entry });
  }
}
