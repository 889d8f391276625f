/**
 * A scenario as the engine runs it, whether it was written as YAML or as a program: parts, combinations of
 * the matrix, and for each of them steps. It knows nothing of rigs.
 */
import type { SessionState } from '../../upgrade/states.ts';
import type { LineGlitch } from '../faults/line-glitch.ts';
import type { LinkFaultSettings } from '../ports.ts';
import type { LabRun } from '../runner/lab-run.ts';
import type { EXPECTATIONS, MatrixValue, Scalar } from './schema.ts';

export type Expectation = (typeof EXPECTATIONS)[number];

/** What is known of a device before one is chosen. */
export interface DeviceRole {
  kind?: 'ppmid' | 'communications-hub' | undefined;
  model?: string | undefined;
  id?: string | undefined;
}

/** In place of the gateway's own limits. */
export interface UpgradeLimits {
  contactMs?: number | undefined;
  stallMs?: number | undefined;
  stallsMax?: number | undefined;
  progressMs?: number | undefined;
  attemptsMax?: number | undefined;
  confirmMs?: number | undefined;
  linkDownMs?: number | undefined;
}

/** When, in an upgrade, its steps are done: one of block, percent and state. */
export interface Trigger {
  block?: number | undefined;
  percent?: number | undefined;
  state?: SessionState | undefined;
  afterMs: number;
  steps: readonly Step[];
}

export interface UpgradeStep {
  device?: string | undefined;
  /** An absolute path. */
  image: string;
  activate: 'now' | 'held';
  expect?: Expectation | undefined;
  list: 'required' | 'none';
  allowDowngrade: boolean;
  allowUnsigned: boolean;
  limits?: UpgradeLimits | undefined;
  at: readonly Trigger[];
}

export interface Assertion {
  device?: string | undefined;
  version?: string | undefined;
  versionOtherThan?: string | undefined;
  versionSameAs?: string | undefined;
  outcome?: SessionState | undefined;
  code?: string | undefined;
  rule?: string | undefined;
  blocksAgainMax?: number | undefined;
  bytesAgainMax?: number | undefined;
  sentBytesMax?: number | undefined;
  durationMsMax?: number | undefined;
  durationMsMin?: number | undefined;
  faultsMin?: number | undefined;
}

export interface Waiting {
  device?: string | undefined;
  ms?: number | undefined;
  state?: SessionState | undefined;
  percent?: number | undefined;
  block?: number | undefined;
  event?: string | undefined;
  version?: string | undefined;
}

/** By a proxy of the rig, or by commands of the site. */
export interface WanCut {
  wan?: string | undefined;
  /** Connections stay, and nothing comes through. */
  stalled: boolean;
  cut?: readonly string[] | undefined;
  restore?: readonly string[] | undefined;
  forMs: number;
}

interface OnDevice {
  device?: string | undefined;
}

/** Lists of steps that run beside each other; an interface, since a type may not hold itself. */
export interface Branches extends ReadonlyArray<readonly Step[]> {}

/** Each kind of step with what it is told. */
export interface Actions {
  upgrade: UpgradeStep;
  activate: OnDevice & { expect: Expectation; limits?: UpgradeLimits | undefined };
  powerOff: OnDevice;
  powerOn: OnDevice;
  powerCycle: OnDevice & { offMs: number };
  press: OnDevice & { button?: string | undefined; ms: number };
  waitFor: Waiting;
  readVersion: OnDevice & { as?: string | undefined };
  assert: Assertion;
  fault: OnDevice & LinkFaultSettings;
  clearFaults: OnDevice;
  coordinatorReset: OnDevice;
  lineGlitch: OnDevice & LineGlitch;
  wanCut: WanCut;
  wanSlow: { wan: string; delayMs: number; forMs: number };
  clockJump: { ms: number };
  diskFull: { full: boolean };
  runCommand: {
    command: readonly string[];
    exit: number;
    failsAs: 'infra' | 'device' | 'assertion';
  };
  group: { steps: readonly Step[] };
  parallel: Branches;
  /** Of a program: whatever it throws that is no LabError fails the run as `call-failed`. */
  call: (run: LabRun) => Promise<void> | void;
}

export type StepKind = keyof Actions;

interface StepHead {
  name?: string | undefined;
  deadlineMs?: number | undefined;
}

/** One key says what it does. */
export type Step = { [Kind in StepKind]: StepHead & Record<Kind, Actions[Kind]> }[StepKind];

export interface ScenarioSteps {
  setUp: readonly Step[];
  steps: readonly Step[];
  cleanUp: readonly Step[];
}

/** One combination of the matrix. */
export type Cell = Readonly<Record<string, MatrixValue>>;

export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** What it was read from; of a program its own source, where it says. */
  readonly path: string | undefined;
  /** What was set in place of its own variables. */
  readonly values: Readonly<Record<string, Scalar>>;
  /** Of what it says, hex: a run is gone on with only under the same. */
  readonly sha256: string;
  readonly roles: ReadonlyMap<string, DeviceRole>;
  /** At least one, also without a matrix. */
  readonly cells: readonly Cell[];
  /** Images that a combination names as `image`, as absolute paths. */
  imagesOf(cell: Cell): string[];
  /** Every random choice follows from the seed. @throws UpliftError */
  stepsOf(cell: Cell, seed: number): ScenarioSteps;
}

/** What a step does, and what it is told. */
export function actionOf<Kind extends StepKind>(step: Step): [Kind, Actions[Kind]] {
  const entry = Object.entries(step).find(([key]) => key !== 'name' && key !== 'deadlineMs');
  return entry as [Kind, Actions[Kind]];
}

/** The combinations of a matrix, the last axis changing first. */
export function cellsOf(
  matrix: Readonly<Record<string, readonly MatrixValue[]>>,
  exclude: readonly Readonly<Record<string, unknown>>[] = [],
): Cell[] {
  let cells: Record<string, MatrixValue>[] = [{}];
  for (const [axis, values] of Object.entries(matrix)) {
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [axis]: value })));
  }
  return cells.filter((cell) => !exclude.some((entry) => isExcluded(cell, entry)));
}

function isExcluded(cell: Cell, entry: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(entry).every(([axis, wanted]) => {
    const value = cell[axis];
    return Array.isArray(wanted) ? wanted.includes(value) : wanted === value;
  });
}

/** In a few words: `image=hub-2.0.0 percent=10`. */
export function cellText(cell: Cell): string {
  return Object.entries(cell)
    .map(([axis, value]) => `${axis}=${valueText(value)}`)
    .join(' ');
}

function valueText(value: MatrixValue): string {
  if (typeof value === 'object') return Object.values(value).map(valueText).join('+');
  return String(value)
    .replace(/^.*\//, '')
    .replace(/\.(mcuboot\.bin|[a-z0-9]{1,6})$/i, '');
}
