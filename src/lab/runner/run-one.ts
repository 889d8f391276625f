/**
 * One run from its set-up to its clean-up. The clean-up runs whatever happened, also after an interruption
 * and after a set-up that failed; each of its steps has a deadline of its own, and one that fails leaves
 * the next ones to run. The hands are closed after it, and the recording of all of it last.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { Rig, RigDevice } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import { type Failure, failureOf, labError } from '../failure.ts';
import { faultsMade } from '../faults/settings.ts';
import type { RecordingWriter } from '../recording/writer.ts';
import type { RunResult } from '../run-result.ts';
import type { ScenarioSteps } from '../scenario/scenario.ts';
import { runStep, runSteps, StepError } from './engine.ts';
import type { PlannedRun } from './expand.ts';
import type { OpenHands, RigHands } from './hands.ts';
import { Interrupted } from './interrupted.ts';
import { LabRun, type LabRunEvent } from './lab-run.ts';
import { rigOfRun, runFolderOf } from './run-rig.ts';
import { untilAborted } from './wait.ts';
import type { Wan } from './wan.ts';

/** To open or close what the run reaches into the rig by. */
const HANDS_MS = 60_000;

export interface RunOneOptions {
  plan: PlannedRun;
  rig: Rig;
  /** By the parts they play. */
  devices: ReadonlyMap<string, RigDevice>;
  attempt: number;
  openHands: OpenHands;
  openRecorder(rig: Rig): RecordingWriter;
  wan: Wan;
  onEvent(event: LabRunEvent): void;
  signal: AbortSignal;
}

/** Throws where the lab itself is wrong; everything else is a result. */
export async function runOne(options: RunOneOptions): Promise<RunResult> {
  const { plan, devices, attempt, signal } = options;
  const startedAtMs = Date.now();
  const started = performance.now();
  const { outcome, failure, cleanUpFailures, run, faults = {} } = await runRecorded(options);
  assert((outcome === 'failed') === (failure !== undefined), 'what failed has a class');
  const { id, scenario, cell, seed } = plan;
  return {
    run: id,
    scenario: scenario.name,
    models: Object.fromEntries([...devices].map(([role, { model }]) => [role, model.model])),
    devices: Object.fromEntries([...devices].map(([role, device]) => [role, device.id])),
    ...{ cell, seed, attempt, startedAtMs },
    wallMs: Math.round(performance.now() - started),
    outcome: failure === undefined && signal.aborted ? 'interrupted' : outcome,
    ...(failure && { failure }),
    cleanUpFailures,
    steps: run?.steps ?? [],
    timeline: run?.timeline ?? [],
    upgrades: run?.upgrades ?? [],
    faults,
  };
}

interface Ended {
  outcome: RunResult['outcome'];
  failure?: Failure | undefined;
  cleanUpFailures: Failure[];
  run: LabRun | undefined;
  faults?: Record<string, number>;
}

async function runRecorded(options: RunOneOptions): Promise<Ended> {
  const { rig, devices } = options;
  const folder = runFolderOf(rig, [...devices.values()]);
  const own = rigOfRun(rig, [...devices.values()], folder);
  let recorder: RecordingWriter;
  try {
    recorder = options.openRecorder(own);
  } catch (error) {
    return notBegun(error, 'recording');
  }
  const ended = await runInFolder(options, own, folder, recorder);
  try {
    await recorder.close();
  } catch (error) {
    const failure = toldFailure(error, 'recording');
    ended.cleanUpFailures.push(failure);
    if (ended.outcome === 'passed') return { ...ended, outcome: 'failed', failure };
  }
  return ended;
}

/** What virtual devices remember, and the gateway of them, is the run's own and ends with it. */
async function runInFolder(
  options: RunOneOptions,
  rig: Rig,
  folder: string,
  recorder: RecordingWriter,
): Promise<Ended> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(rig.stateFolder, { recursive: true });
  const { seed } = options.plan;
  const opening = options.openHands({ rig, folder, seed, recorder });
  let hands: RigHands;
  try {
    hands = await untilAborted(opening, AbortSignal.timeout(HANDS_MS), 0);
  } catch (error) {
    // What opens after all is nobody's.
    opening.then((late) => late.close()).catch(() => {});
    return notBegun(error, 'hands');
  }
  try {
    return await runOpened(options, hands, recorder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function notBegun(error: unknown, step: string): Ended {
  const failure = toldFailure(error, step);
  return { outcome: 'failed', failure, cleanUpFailures: [], run: undefined };
}

async function runOpened(
  { plan, devices, wan, onEvent, signal }: RunOneOptions,
  hands: RigHands,
  recorder: RecordingWriter,
): Promise<Ended> {
  const { id, seed } = plan;
  const run = new LabRun({ id, seed, devices, hands, wan, recorder, onEvent, signal });
  const steps = plan.scenario.stepsOf(plan.cell, seed);
  let ended: Omit<Ended, 'cleanUpFailures' | 'run'> = { outcome: 'passed' };
  try {
    await runSteps(steps.setUp, 'setUp', run, signal);
    await runSteps(steps.steps, 'steps', run, signal);
  } catch (error) {
    ended =
      error instanceof Interrupted
        ? { outcome: 'interrupted' }
        : { outcome: 'failed', failure: toldFailure(error, 'steps') };
  }
  const faults = faultCounts(hands, devices);
  const cleanUpFailures = await cleanUp(steps, run, hands);
  const [first] = cleanUpFailures;
  if (ended.outcome === 'passed' && first) ended = { outcome: 'failed', failure: first };
  return { ...ended, cleanUpFailures, run, faults };
}

/** Interrupted once, the run still leaves the rig as it should be. */
async function cleanUp(steps: ScenarioSteps, run: LabRun, hands: RigHands): Promise<Failure[]> {
  const failures: Failure[] = [];
  const attempt = async (step: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(toldFailure(error, step));
    }
  };
  const never = new AbortController().signal;
  for (const [index, step] of steps.cleanUp.entries()) {
    const where = `cleanUp[${index}]`;
    await attempt(where, () => runStep(step, where, run, never));
  }
  for (const what of [...run.undo.keys()].reverse()) {
    const late = AbortSignal.timeout(HANDS_MS);
    await attempt('cleanUp', () => untilAborted(run.undoNow(what), late, 0));
  }
  await attempt('cleanUp', () => untilAborted(hands.close(), AbortSignal.timeout(HANDS_MS), 0));
  return failures;
}

/** @throws the error itself where it is a bug */
function toldFailure(error: unknown, step: string): Failure {
  if (error instanceof StepError) return toldFailure(error.cause, error.step);
  if (error instanceof Interrupted) {
    return failureOf(labError('hands-failed', { actual: 'no answer in time' }), step)!;
  }
  const failure = failureOf(error, step);
  if (failure === undefined) throw error;
  return failure;
}

/** Devices of one network share what is done to it. */
function faultCounts(
  hands: RigHands,
  devices: ReadonlyMap<string, RigDevice>,
): Record<string, number> {
  const links = new Set([...devices.values()].flatMap(({ id }) => hands.faults(id) ?? []));
  const sum: Record<string, number> = {};
  for (const { counts } of links) {
    for (const [what, count] of Object.entries(faultsMade(counts))) {
      sum[what] = (sum[what] ?? 0) + count;
    }
  }
  return sum;
}
