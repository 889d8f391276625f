/**
 * One run from its set-up to its clean-up. The clean-up runs whatever happened, also after an interruption
 * and after a set-up that failed; each of its steps has a deadline of its own, and one that fails leaves
 * the next ones to run. The hands are closed last.
 */
import { mkdirSync } from 'node:fs';
import type { Rig, RigDevice } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import { type Failure, failureOf, labError } from '../failure.ts';
import type { LinkRecorder } from '../ports.ts';
import type { RunResult } from '../run-result.ts';
import type { ScenarioSteps } from '../scenario/scenario.ts';
import { runStep, runSteps, StepError } from './engine.ts';
import type { PlannedRun } from './expand.ts';
import type { OpenHands, RigHands } from './hands.ts';
import { Interrupted } from './interrupted.ts';
import { LabRun, type LabRunEvent } from './lab-run.ts';
import { rigOfRun } from './run-rig.ts';
import { untilAborted } from './wait.ts';

/** To open or close what the run reaches into the rig by. */
const HANDS_MS = 60_000;

export interface RunOneOptions {
  plan: PlannedRun;
  rig: Rig;
  /** By the parts they play. */
  devices: ReadonlyMap<string, RigDevice>;
  attempt: number;
  /** Of this attempt alone. */
  folder: string;
  openHands: OpenHands;
  openRecorder?: ((folder: string) => LinkRecorder) | undefined;
  onEvent(event: LabRunEvent): void;
  signal: AbortSignal;
}

/** Throws where the lab itself is wrong; everything else is a result. */
export async function runOne(options: RunOneOptions): Promise<RunResult> {
  const { plan, devices, attempt, folder, signal } = options;
  mkdirSync(folder, { recursive: true });
  const startedAtMs = Date.now();
  const started = performance.now();
  const opened = await openHands(options);
  const end: Ended =
    'failure' in opened
      ? { outcome: 'failed', failure: opened.failure, cleanUpFailures: [], run: undefined }
      : await runOpened(options, opened.hands);
  const { outcome, failure, cleanUpFailures, run } = end;
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
    faults: end.faults ?? {},
  };
}

interface Ended {
  outcome: RunResult['outcome'];
  failure?: Failure | undefined;
  cleanUpFailures: Failure[];
  run: LabRun | undefined;
  faults?: Record<string, number>;
}

async function openHands({
  plan,
  rig,
  devices,
  folder,
  openHands: open,
}: RunOneOptions): Promise<{ hands: RigHands } | { failure: Failure }> {
  const own = rigOfRun(rig, [...devices.values()], folder);
  mkdirSync(own.stateFolder, { recursive: true });
  const late = AbortSignal.timeout(HANDS_MS);
  try {
    const hands = await untilAborted(open({ rig: own, folder, seed: plan.seed }), late, 0);
    return { hands };
  } catch (error) {
    return { failure: toldFailure(error, 'hands') };
  }
}

async function runOpened(options: RunOneOptions, hands: RigHands): Promise<Ended> {
  const { plan, devices, folder, openRecorder, onEvent, signal } = options;
  const { id, seed } = plan;
  const recorder = openRecorder?.(folder);
  const run = new LabRun({ id, seed, devices, hands, recorder, onEvent, signal });
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
  const cleanUpFailures = await cleanUp(steps, run, hands, recorder);
  const [first] = cleanUpFailures;
  if (ended.outcome === 'passed' && first) ended = { outcome: 'failed', failure: first };
  return { ...ended, cleanUpFailures, run, faults };
}

/** Interrupted once, the run still leaves the rig as it should be. */
async function cleanUp(
  steps: ScenarioSteps,
  run: LabRun,
  hands: RigHands,
  recorder: LinkRecorder | undefined,
): Promise<Failure[]> {
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
  for (const undo of run.undo.splice(0).reverse()) await attempt('cleanUp', undo);
  await attempt('cleanUp', () => untilAborted(hands.close(), AbortSignal.timeout(HANDS_MS), 0));
  await attempt('cleanUp', async () => recorder?.close());
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

function faultCounts(
  hands: RigHands,
  devices: ReadonlyMap<string, RigDevice>,
): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { id } of devices.values()) {
    for (const [what, count] of Object.entries(hands.faults(id)?.counts ?? {})) {
      sum[what] = (sum[what] ?? 0) + count;
    }
  }
  return sum;
}
