/**
 * Runs the steps of a scenario, one after another, each within its deadline. There is one engine: files and
 * programs come to the same steps.
 */
import type { RigDevice } from '../../config/schema.ts';
import { UpliftError } from '../../errors.ts';
import { LabError, labError } from '../failure.ts';
import type { LabCodeName } from '../failure-classes.ts';
import { jumpClock } from '../faults/clock-jump.ts';
import { fillDisk } from '../faults/full-disk.ts';
import type { WanProxy } from '../faults/wan-proxy.ts';
import { type Actions, actionOf, type Step, type StepKind } from '../scenario/scenario.ts';
import { runAssertion, saysVersion } from './assertions.ts';
import { Interrupted } from './interrupted.ts';
import type { LabRun } from './lab-run.ts';
import { runCommand } from './run-command.ts';
import { runActivation, runUpgrade } from './upgrade-step.ts';
import { untilAborted, wait } from './wait.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

interface Kind {
  /** Chosen for devices on a bench; a step can name its own. */
  deadlineMs: number;
  /** What it is where it lasts longer. */
  late: LabCodeName;
  /** What it may then take to leave its device as it should be. */
  graceMs?: number;
}

const GRACE_MS = SECOND_MS;
/** A session tells its device to wait, and a coordinator is closed. */
const SESSION_GRACE_MS = 20 * SECOND_MS;
/** Such steps may hold a session. */
const HOLDER_GRACE_MS = SESSION_GRACE_MS + GRACE_MS;

const KINDS: Readonly<Record<StepKind, Kind>> = {
  upgrade: { deadlineMs: 2 * HOUR_MS, late: 'upgrade-too-long', graceMs: SESSION_GRACE_MS },
  activate: { deadlineMs: 15 * MINUTE_MS, late: 'upgrade-too-long', graceMs: SESSION_GRACE_MS },
  powerOff: { deadlineMs: 30 * SECOND_MS, late: 'power-failed' },
  powerOn: { deadlineMs: 30 * SECOND_MS, late: 'power-failed' },
  powerCycle: { deadlineMs: 2 * MINUTE_MS, late: 'power-failed' },
  press: { deadlineMs: 30 * SECOND_MS, late: 'hands-failed' },
  waitFor: { deadlineMs: 10 * MINUTE_MS, late: 'wait-too-long', graceMs: SESSION_GRACE_MS },
  readVersion: { deadlineMs: MINUTE_MS, late: 'reading-too-long', graceMs: SESSION_GRACE_MS },
  assert: { deadlineMs: MINUTE_MS, late: 'reading-too-long', graceMs: SESSION_GRACE_MS },
  fault: { deadlineMs: 10 * SECOND_MS, late: 'hands-failed' },
  clearFaults: { deadlineMs: 10 * SECOND_MS, late: 'hands-failed' },
  coordinatorReset: { deadlineMs: 30 * SECOND_MS, late: 'hands-failed' },
  lineGlitch: { deadlineMs: 30 * SECOND_MS, late: 'hands-failed' },
  wanCut: { deadlineMs: 15 * MINUTE_MS, late: 'command-failed' },
  wanSlow: { deadlineMs: 15 * MINUTE_MS, late: 'step-too-long' },
  clockJump: { deadlineMs: 10 * SECOND_MS, late: 'step-too-long' },
  diskFull: { deadlineMs: 2 * MINUTE_MS, late: 'step-too-long' },
  runCommand: { deadlineMs: 5 * MINUTE_MS, late: 'command-failed' },
  group: { deadlineMs: 24 * HOUR_MS, late: 'step-too-long', graceMs: HOLDER_GRACE_MS },
  parallel: { deadlineMs: 24 * HOUR_MS, late: 'step-too-long', graceMs: HOLDER_GRACE_MS },
  call: { deadlineMs: 10 * MINUTE_MS, late: 'step-too-long' },
};

/** Between two questions for a version. */
const ASK_MS = 1_000;

/** Where the failure was seen, wrapped around it once. */
export class StepError extends Error {
  readonly step: string;

  constructor(step: string, cause: unknown) {
    super((cause as Error)?.message, { cause });
    this.name = 'StepError';
    this.step = step;
  }
}

/** @throws StepError around whatever a step throws, Interrupted as it is */
export async function runSteps(
  steps: readonly Step[],
  where: string,
  run: LabRun,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, step] of steps.entries()) {
    if (signal.aborted) throw new Interrupted();
    await runStep(step, `${where}[${index}]`, run, signal);
  }
}

export async function runStep(
  step: Step,
  where: string,
  run: LabRun,
  signal: AbortSignal,
): Promise<void> {
  const [kind, told] = actionOf(step);
  const title = step.name ?? kind;
  const startedMs = run.nowMs();
  run.beginStep(where, title);
  const end = (outcome: 'passed' | 'failed' | 'interrupted') => {
    const wallMs = Math.round(run.nowMs() - startedMs);
    run.endStep({ step: where, title, startedMs: Math.round(startedMs), wallMs, outcome });
  };
  try {
    const limits = { ...KINDS[kind], deadlineMs: step.deadlineMs ?? KINDS[kind].deadlineMs };
    await withinDeadline(limits, signal, (own) =>
      carryOut(kind, told, `${where}.${kind}`, run, own),
    );
    end('passed');
  } catch (error) {
    end(error instanceof Interrupted ? 'interrupted' : 'failed');
    if (error instanceof Interrupted || error instanceof StepError) throw error;
    throw new StepError(where, error);
  }
}

async function withinDeadline(
  { deadlineMs, late, graceMs = GRACE_MS }: Kind,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), deadlineMs);
  const own = AbortSignal.any([signal, deadline.signal]);
  try {
    await untilAborted(work(own), own, graceMs);
  } catch (error) {
    // What ended because it was told to says nothing by itself.
    const isOurs = error instanceof Interrupted && deadline.signal.aborted && !signal.aborted;
    if (!isOurs) throw error;
    throw labError(late, { expected: `an end within ${deadlineMs} ms`, actual: 'none' });
  } finally {
    clearTimeout(timer);
    // A signal that still listens is kept for as long as the lab: what it was made for is over.
    deadline.abort();
  }
}

type Carry<Kind extends StepKind> = (
  told: Actions[Kind],
  run: LabRun,
  signal: AbortSignal,
  where: string,
) => Promise<void>;

const CARRY_OUT: { [Kind in StepKind]: Carry<Kind> } = {
  upgrade: (told, run, signal, where) =>
    runUpgrade(told, run, where, signal, (steps, at, own) => runSteps(steps, at, run, own)),
  activate: (told, run, signal, where) =>
    runActivation(told, run, where, signal, (steps, at, own) => runSteps(steps, at, run, own)),
  powerOff: ({ device }, run) => switchPower(run, run.device(device), 'off'),
  powerOn: ({ device }, run) => switchPower(run, run.device(device), 'on'),
  powerCycle: async ({ device, offMs }, run, signal) => {
    const chosen = run.device(device);
    await switchPower(run, chosen, 'off');
    await wait(offMs, signal);
    await switchPower(run, chosen, 'on');
  },
  press: async ({ device, button: name, ms }, run) => {
    const chosen = run.device(device);
    const button = run.part(run.hands.button(chosen.id, name), 'button-missing', chosen);
    run.note(chosen.id, 'button pressed', `${ms} ms`);
    await button.press(ms);
  },
  waitFor: (told, run, signal) => waitFor(told, run, signal),
  readVersion: async ({ device, as }, run) => {
    const chosen = run.device(device);
    const words = await run.read(chosen);
    run.note(chosen.id, 'says it runs', words.version);
    if (as !== undefined) run.readings.set(as, words);
  },
  assert: (told, run) => runAssertion(told, run),
  fault: async ({ device, ...settings }, run) => {
    const chosen = run.device(device);
    const faults = run.part(run.hands.faults(chosen.id), 'faults-missing', chosen);
    run.note(chosen.id, 'faults on its link', faultText(settings));
    faults.set(settings);
  },
  clearFaults: async ({ device }, run) => {
    const chosen = run.device(device);
    run.part(run.hands.faults(chosen.id), 'faults-missing', chosen).clear();
    run.note(chosen.id, 'faults taken away');
  },
  coordinatorReset: async ({ device }, run) => {
    const chosen = run.device(device);
    const coordinator = chosen.kind === 'ppmid' ? chosen.coordinator : undefined;
    const reset = coordinator && run.hands.resetCoordinator(coordinator);
    if (!reset) throw labError('reset-missing', { actual: `none for ${chosen.id}` });
    run.note(chosen.id, 'coordinator restarted', coordinator);
    await reset;
  },
  lineGlitch: async ({ device, ...glitch }, run) => {
    const chosen = run.device(device);
    run.note(chosen.id, 'glitch on its line', faultText(glitch));
    const isDone = await run.hands.glitchLine(chosen.id, glitch);
    if (!isDone) throw labError('glitch-missing', { actual: `none at ${chosen.id} now` });
  },
  wanCut: ({ wan, stalled, cut, restore, forMs }, run, signal) => {
    if (wan === undefined) return cutByCommand(cut!, restore!, forMs, run, signal);
    const how = stalled ? 'stalled' : 'cut';
    return throughWan(run, wan, `${how} for ${forMs} ms`, forMs, signal, (proxy) => {
      if (stalled) proxy.stall(true);
      else proxy.set({ disconnected: true });
    });
  },
  wanSlow: ({ wan, delayMs, forMs }, run, signal) =>
    throughWan(run, wan, `${delayMs} ms late for ${forMs} ms`, forMs, signal, (proxy) =>
      proxy.set({ delayMs }),
    ),
  clockJump: async ({ ms }, run) => {
    run.undoAtEnd(jumpClock(ms));
    run.note('gateway', 'clock jumped', `${ms} ms`);
  },
  diskFull: async ({ full }, run) => {
    await run.undoNow('disk');
    if (full) run.undoAtEnd(fillDisk(run.rig.stateFolder), 'disk');
    run.note('gateway', full ? 'disk filled' : 'disk freed');
  },
  runCommand: async ({ command, exit, failsAs }, run, signal) => {
    run.note('gateway', 'command', command.join(' '));
    await commandEndsWith(command, exit, failsAs, signal);
  },
  group: ({ steps }, run, signal, where) => runSteps(steps, `${where}.steps`, run, signal),
  parallel: (branches, run, signal, where) => runBranches(branches, where, run, signal),
  call: async (call, run) => {
    try {
      await call(run);
    } catch (error) {
      const isSaid = error instanceof LabError || error instanceof UpliftError;
      if (isSaid || error instanceof Interrupted) throw error;
      throw labError('call-failed', { actual: (error as Error).message });
    }
  },
};

function carryOut<Kind extends StepKind>(
  kind: Kind,
  told: Actions[Kind],
  where: string,
  run: LabRun,
  signal: AbortSignal,
): Promise<void> {
  return (CARRY_OUT[kind] as Carry<Kind>)(told, run, signal, where);
}

/** What is off at the end of a run is switched on again: the next one wants the device. */
async function switchPower(run: LabRun, device: RigDevice, to: 'on' | 'off'): Promise<void> {
  const power = run.part(run.hands.power(device.id), 'power-missing', device);
  const what = `power of ${device.id}`;
  run.note(device.id, `power ${to}`);
  if (to === 'off') run.undoAtEnd(() => power.on(), what);
  await power[to]();
  if (to === 'on') run.undo.delete(what);
  const found = await power.state();
  if (found !== to && found !== 'unknown') {
    throw labError('power-failed', { expected: to, actual: `still ${found}` });
  }
}

async function cutByCommand(
  cut: readonly string[],
  restore: readonly string[],
  forMs: number,
  run: LabRun,
  signal: AbortSignal,
): Promise<void> {
  const what = `network, by ${restore.join(' ')}`;
  const never = new AbortController().signal;
  run.undoAtEnd(() => commandEndsWith(restore, 0, 'infra', never), what);
  await commandEndsWith(cut, 0, 'infra', signal);
  run.note('gateway', 'network cut', `${forMs} ms`);
  await wait(forMs, signal);
  await run.undoNow(what);
}

async function throughWan(
  run: LabRun,
  id: string,
  words: string,
  forMs: number,
  signal: AbortSignal,
  begin: (proxy: WanProxy) => void,
): Promise<void> {
  const proxy = run.wan.get(id);
  if (proxy === undefined) throw labError('wan-missing', { actual: `none called ${id}` });
  const what = `network ${id}`;
  run.undoAtEnd(() => proxy.clear(), what);
  begin(proxy);
  run.note('gateway', `network ${id}`, words);
  await wait(forMs, signal);
  await run.undoNow(what);
}

/** The first that fails ends the others, and all have ended when it is told. */
async function runBranches(
  branches: readonly (readonly Step[])[],
  where: string,
  run: LabRun,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const own = AbortSignal.any([signal, stop.signal]);
  let first: { error: unknown } | undefined;
  await Promise.all(
    branches.map((steps, index) =>
      runSteps(steps, `${where}[${index}]`, run, own).catch((error: unknown) => {
        first ??= { error };
        stop.abort();
      }),
    ),
  );
  stop.abort();
  if (first) throw first.error;
}

async function waitFor(told: Actions['waitFor'], run: LabRun, signal: AbortSignal): Promise<void> {
  if (told.ms !== undefined) return wait(told.ms, signal);
  const device = run.device(told.device);
  if (told.version !== undefined) return waitForVersion(told.version, run, device, signal);
  const desk = run.desk(device);
  // It may begin in another branch, after this step.
  while (desk.watch === undefined) await wait(ASK_MS / 20, signal);
  const { watch } = desk;
  const { state, percent, block, event } = told;
  const isThere = await watch.until(() => {
    if (state !== undefined) return watch.hasReached({ state });
    if (percent !== undefined) return watch.hasReached({ percent });
    if (block !== undefined) return watch.hasReached({ block });
    return watch.hasNoted(event!);
  }, signal);
  if (!isThere) throw new Interrupted();
}

async function waitForVersion(
  version: string,
  run: LabRun,
  device: RigDevice,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const words = await run.read(device).catch((error: unknown) => {
      if (!(error instanceof UpliftError)) throw error;
      return undefined;
    });
    if (words && saysVersion(words, version)) return;
    await wait(ASK_MS, signal);
  }
}

async function commandEndsWith(
  command: readonly string[],
  wanted: number,
  failsAs: 'infra' | 'device' | 'assertion',
  signal: AbortSignal,
): Promise<void> {
  const { exit, said } = await runCommand(command, signal);
  if (exit === wanted) return;
  throw labError('command-failed', {
    class: failsAs,
    expected: `${command[0]} ends with ${wanted}`,
    actual: `${exit === undefined ? 'no exit code' : `exit code ${exit}`}${said && `: ${said}`}`,
  });
}

function faultText(settings: object): string {
  return Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}
