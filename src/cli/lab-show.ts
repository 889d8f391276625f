/** `uplift lab show`: the runs that scenarios come to. Opens no port and starts no device. */
import { loadRig } from '../config/load.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { expandRuns, turnOf } from '../lab/runner/expand.ts';
import { actionOf, cellText, type Scenario, type Step } from '../lab/scenario/scenario.ts';
import { wholeNumber } from './inputs.ts';
import { loadScenarios, valuesOf } from './lab-scenarios.ts';
import { type Output, table } from './output.ts';

export interface LabShowOptions {
  rig?: string;
  device?: string[];
  seed?: string;
  set?: string[];
}

const SEED_MAX = 0xffff_ffff;

export function showScenarios(
  named: readonly string[],
  options: LabShowOptions,
  output: Output,
): ExitCode {
  const scenarios = loadScenarios(named, valuesOf(options.set));
  const seed = options.seed === undefined ? 0 : wholeNumber(options.seed, '--seed', SEED_MAX);
  const told = scenarios.map((scenario) => stepsOf(scenario, seed));
  const stepLines = scenarios.flatMap(({ name, description }, index) => [
    `${name}: ${description}`,
    ...listLines(told[index]!),
    '',
  ]);
  if (options.rig === undefined) {
    const cells = scenarios.map(({ name, cells }) => ({ scenario: name, cells }));
    const lines = scenarios.flatMap(({ cells }) => cells.map((cell) => `  ${cellText(cell)}`));
    output.result({ scenarios: told, combinations: cells }, [...stepLines, ...lines]);
    return EXIT.done;
  }
  const { runs, leftOut } = expandRuns({
    scenarios,
    rig: loadRig(options.rig),
    devices: options.device,
  });
  const plans = runs.map((run) => {
    const { id, seed: own, roles } = turnOf(run, 1, seed);
    const devices = Object.fromEntries(
      [...roles].map(([role, players]) => [role, players.map((player) => player.id)]),
    );
    return { run: id, devices, ...(options.seed !== undefined && { seed: own }) };
  });
  output.result({ scenarios: told, runs: plans, leftOut }, [
    ...stepLines,
    `${plans.length} ${plans.length === 1 ? 'run' : 'runs'}:`,
    ...table(
      plans.map(({ run, devices }) => [run, Object.values(devices).flat().join(', ')]),
      '  ',
    ),
    ...(leftOut.length > 0 ? ['', `${leftOut.length} left out:`] : []),
    ...table(
      leftOut.map(({ scenario, what, reason }) => [`${scenario} ${what}`, reason]),
      '  ',
    ),
  ]);
  return EXIT.done;
}

/** Of its first combination. */
function stepsOf(scenario: Scenario, seed: number) {
  const { setUp, steps, cleanUp } = scenario.stepsOf(scenario.cells[0]!, seed);
  return { scenario: scenario.name, setUp, steps, cleanUp };
}

function listLines({ setUp, steps, cleanUp }: ReturnType<typeof stepsOf>): string[] {
  const lists: [string, readonly Step[]][] = [
    ['set-up', setUp],
    ['steps', steps],
    ['clean-up', cleanUp],
  ];
  return lists.flatMap(([name, list]) =>
    list.map(
      (step, index) => `  ${index === 0 ? name.padEnd(9) : ' '.repeat(9)} ${stepText(step)}`,
    ),
  );
}

function stepText(step: Step): string {
  const [kind, told] = actionOf(step);
  if (step.name !== undefined) return `${kind}: ${step.name}`;
  if (kind === 'group' || kind === 'parallel' || kind === 'call') return kind;
  const words = Object.entries(told as object)
    .filter(([, value]) => value !== undefined && typeof value !== 'object')
    .map(([key, value]) => `${key} ${String(value).replace(/^.*\//, '')}`);
  return words.length === 0 ? kind : `${kind}: ${words.join(', ')}`;
}
