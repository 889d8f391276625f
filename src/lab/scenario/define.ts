/** A scenario as a program writes it, for what YAML cannot say. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { expectedWords, keyText } from '../../config/explain.ts';
import type { z } from '../../config/fields.ts';
import type { KeyPath } from '../../config/yaml-source.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { choose } from './chance.ts';
import { imagesOfCell, withAbsoluteImages } from './image-paths.ts';
import {
  type Actions,
  type Cell,
  cellsOf,
  type DeviceRole,
  type Scenario,
  type ScenarioSteps,
  type Step,
  type StepKind,
} from './scenario.ts';
import { type MatrixValue, type RandomChoice, type Scalar, stepsOfProgram } from './schema.ts';
import { checkSteps } from './step-checks.ts';

/** A step with what has a default left out. */
export type StepInput = {
  [Kind in StepKind]: { name?: string; deadlineMs?: number } & Record<Kind, ActionInput<Kind>>;
}[StepKind];

type ActionInput<Kind extends StepKind> = Kind extends 'call' | 'parallel' | 'group' | 'upgrade'
  ? Nested[Kind & keyof Nested]
  : Partial<Actions[Kind]>;

interface BranchInputs extends ReadonlyArray<readonly StepInput[]> {}

interface Nested {
  call: Actions['call'];
  parallel: BranchInputs;
  group: { steps: readonly StepInput[] };
  upgrade: Partial<Omit<Actions['upgrade'], 'at' | 'image'>> & {
    image: string;
    at?: readonly TriggerInput[];
  };
}

type TriggerInput = Partial<Omit<Actions['upgrade']['at'][number], 'steps'>> & {
  steps: readonly StepInput[];
};

/** What the steps of a combination may be made of. */
export interface CellOf {
  cell: Cell;
  seed: number;
  /** The same for the same seed and name. */
  random(name: string, choice: RandomChoice): Scalar;
}

type Steps = readonly StepInput[] | ((cell: CellOf) => readonly StepInput[]);

export interface ScenarioDefinition {
  name: string;
  description?: string;
  /** Its parts; one, `device`, for any device where absent. */
  devices?: Record<string, DeviceRole>;
  matrix?: Record<string, readonly MatrixValue[]>;
  setUp?: Steps;
  steps: Steps;
  cleanUp?: Steps;
  /** Paths of images are relative to it; the working folder where absent. */
  folder?: string;
}

/** @throws UpliftError where a step is none */
export function defineScenario(definition: ScenarioDefinition): Scenario {
  const { name, description = '', matrix = {}, folder = '.' } = definition;
  const roles = new Map(Object.entries(definition.devices ?? { device: {} }));
  const cells = cellsOf(matrix);
  const stepsOf = (cell: Cell, seed: number): ScenarioSteps => {
    const of = (list: Steps = [], what: string) => {
      const random = (named: string, choice: RandomChoice) =>
        choose(choice, seed, `${what}.${named}`);
      const written = typeof list === 'function' ? list({ cell, seed, random }) : list;
      return parsed(written, what, resolve(folder));
    };
    const lists = {
      setUp: of(definition.setUp, 'setUp'),
      steps: of(definition.steps, 'steps'),
      cleanUp: of(definition.cleanUp, 'cleanUp'),
    };
    const [fault] = checkSteps(lists, [...roles.keys()]);
    if (fault) throw wrong(name, fault.path, `a ${fault.kind} that is there`, fault.name || 'none');
    return lists;
  };
  for (const cell of cells) stepsOf(cell, 0);
  const said = JSON.stringify(definition, sourceOfFunction);
  return {
    ...{ name, description, roles, cells, stepsOf },
    path: undefined,
    values: {},
    sha256: createHash('sha256').update(said).digest('hex'),
    imagesOf: (cell) => imagesOfCell(cell, folder),
  };

  function parsed(written: readonly StepInput[], what: string, base: string): Step[] {
    const result = stepsOfProgram.safeParse(written, { error: expectedWords });
    if (!result.success) throw issueError(name, what, result.error.issues[0]!);
    return withAbsoluteImages(result.data as Step[], base);
  }
}

/** A function says what is written in it, as far as that can be seen. */
function sourceOfFunction(_key: string, value: unknown): unknown {
  return typeof value === 'function' ? String(value) : value;
}

function issueError(name: string, what: string, issue: z.core.$ZodIssue): UpliftError {
  const { keys } = issue as { keys?: string[] };
  const found = keys === undefined ? 'something else' : `a key ${keys.join(', ')}`;
  return wrong(name, [what, ...(issue.path as KeyPath)], issue.message, found);
}

function wrong(name: string, path: KeyPath, expected: string, actual: string): UpliftError {
  return new UpliftError('scenario-wrong', `the scenario ${name}: ${keyText(path)} is wrong`, {
    expected,
    actual,
    next: 'correct the step',
    exit: EXIT.usage,
  });
}
