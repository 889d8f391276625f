/**
 * Reads a scenario file. A wrong file throws one ConfigError with every problem in it, its line and its key.
 * Paths are relative to the file. Every combination of the matrix is put together and checked before
 * anything runs; no image is read, and no rig is needed.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigCode, Problem } from '../../config/codes.ts';
import { expectedWords, explain, problemAt } from '../../config/explain.ts';
import { inFolder, refuseAbsent, shownPath } from '../../config/files.ts';
import { nearest } from '../../config/nearest.ts';
import type { JsonSchema } from '../../config/schema.ts';
import { type KeyPath, readYaml, throwAny, type YamlSource } from '../../config/yaml-source.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { choose } from './chance.ts';
import { imagesOfCell, withAbsoluteImages } from './image-paths.ts';
import { type Cell, cellsOf, cellText, type Scenario, type ScenarioSteps } from './scenario.ts';
import {
  type MatrixValue,
  type RandomChoice,
  type Scalar,
  type ScenarioDocument,
  scenarioJsonSchema,
  scenarioSchema,
} from './schema.ts';
import { checkSteps, type StepFault } from './step-checks.ts';
import { flatVariables, type Scope, substitute } from './substitute.ts';

/** Of `matrix`: more runs are a mistake, or several scenarios. */
const CELLS_MAX = 10_000;
/** Combinations that are checked one by one; of more than these every so many. */
const CHECKED_MAX = 500;

/** Variables that every run has. */
const OWN_VARIABLES = ['iteration', 'seed'];

export type VariableValues = Readonly<Record<string, Scalar>>;

/** `values`: in place of what the file says of its variables. @throws UpliftError */
export function loadScenario(path: string, values: VariableValues = {}): Scenario {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const file = new ScenarioFile(absolute, readYaml(absolute, shownPath(absolute)), values);
  return file.scenario();
}

class ScenarioFile {
  private readonly path: string;
  private readonly folder: string;
  private readonly source: YamlSource;
  private readonly raw: unknown;
  private readonly values: VariableValues;
  private readonly problems: Problem[] = [];

  constructor(path: string, source: YamlSource, values: VariableValues) {
    this.values = values;
    this.path = path;
    this.folder = dirname(path);
    this.source = source;
    this.raw = source.value();
  }

  scenario(): Scenario {
    const { path, folder } = this;
    const first = this.checked({}, firstCell(this.raw));
    throwAny(this.problems);
    this.refuseUnknownValues();
    const { matrix, exclude, devices, scenario: name, description } = first!;
    const cells = cellsOf(matrix, exclude);
    if (cells.length === 0 || cells.length > CELLS_MAX) this.tellCellCount(cells.length);
    throwAny(this.problems);
    const stride = Math.ceil(cells.length / CHECKED_MAX);
    for (let at = 0; at < cells.length; at += stride) {
      this.checked(cells[at]!, cells[at]!);
      throwAny(this.problems);
    }
    return {
      name,
      description,
      path,
      values: this.values,
      sha256: createHash('sha256')
        .update(readFileSync(path))
        .update(JSON.stringify(this.values))
        .digest('hex'),
      roles: new Map(Object.entries(devices)),
      cells,
      imagesOf: (cell) => imagesOf(cell, folder),
      stepsOf: (cell, seed) => this.compiled(cell, seed),
    };
  }

  /** With every random choice at its least and at its most. Undefined where there is a problem. */
  private checked(told: Cell, cell: Cell): ScenarioDocument | undefined {
    const [low] = [0, 1].map((end) => {
      const scope = this.scope(cell, (choice) => endOf(choice, end));
      const document = substitute(this.raw, [], scope);
      const parsed = scenarioSchema.safeParse(document, { error: expectedWords });
      if (!parsed.success) {
        const explained = explain(
          parsed.error.issues,
          this.source,
          scenarioJsonSchema() as JsonSchema,
        );
        this.problems.push(...explained.map((problem) => inCell(problem, told)));
        return undefined;
      }
      const lists = withImages(parsed.data, this.folder);
      for (const fault of checkSteps(lists, Object.keys(parsed.data.devices))) this.tell(fault);
      return parsed.data;
    });
    this.dropRepeated();
    return low;
  }

  private compiled(cell: Cell, seed: number): ScenarioSteps {
    const scope = this.scope(cell, (choice, what) => choose(choice, seed, what), seed);
    const document = substitute(this.raw, [], { ...scope, unrolls: true });
    const parsed = scenarioSchema.safeParse(document, { error: expectedWords });
    if (!parsed.success) {
      // A value by chance that no end of its range is.
      throwAny(explain(parsed.error.issues, this.source, scenarioJsonSchema() as JsonSchema));
    }
    return withImages(parsed.data!, this.folder);
  }

  /** Variables may name those before them, and what the matrix chose. */
  private scope(cell: Cell, chance: Scope['choose'], seed = 0): Scope {
    const own = Object.fromEntries(OWN_VARIABLES.map((name) => [name, name === 'seed' ? seed : 1]));
    let variables = flatVariables({ ...own, ...cell });
    const scope = (): Scope => ({
      variables,
      choose: chance,
      unknown: (name, path) => this.tellUnknown(name, path, [...variables.keys()]),
      wrongChoice: (path) => this.tellChoice(path),
      unrolls: false,
      turn: '',
    });
    const written = { ...mapping(mapping(this.raw)['variables']), ...this.values };
    for (const [name, value] of Object.entries(written)) {
      const known = substitute(value, ['variables', name], scope());
      variables = new Map([...variables, ...flatVariables({ [name]: known })]);
    }
    return scope();
  }

  private refuseUnknownValues(): void {
    const known = Object.keys(mapping(mapping(this.raw)['variables']));
    const unknown = Object.keys(this.values).find((name) => !known.includes(name));
    if (unknown === undefined) return;
    const meant = nearest(unknown, known);
    throw new UpliftError('variable-unset', `${this.source.file} has no variable ${unknown}`, {
      expected: known.join(', ') || 'none: it has no variables',
      actual: unknown,
      next: meant === undefined ? 'leave it out' : `did you mean ${meant}?`,
      exit: EXIT.usage,
    });
  }

  private tellUnknown(name: string, path: KeyPath, known: string[]): string {
    const meant = nearest(name, known);
    const names = known.filter((one) => one !== 'iteration').join(', ');
    this.add(
      'variable-unknown',
      path,
      `a variable of this file: ${names}`,
      `\${${name}}`,
      meant === undefined ? undefined : `did you mean "\${${meant}}"?`,
    );
    return '';
  }

  private tellChoice(path: KeyPath): number {
    this.add('value-wrong', path, 'between: [from, to], both whole numbers, or of: [values]');
    return 0;
  }

  private tellCellCount(count: number): void {
    const found = count === 0 ? 'none: `exclude` leaves out every one' : `${count} of them`;
    this.add('matrix-size', ['matrix'], `1 to ${CELLS_MAX} combinations`, found);
  }

  private tell(fault: StepFault): void {
    const { path, name } = fault;
    if (fault.kind === 'image') {
      this.add('image-missing', path, 'an image', `no file ${shownPath(name)}`, inFolder(name));
      return;
    }
    const { known } = fault;
    const meant = nearest(name, known);
    const next = meant === undefined ? undefined : `did you mean "${meant}"?`;
    const code = fault.kind === 'role' ? 'role-unknown' : 'reading-unknown';
    const what = fault.kind === 'role' ? 'a part under `devices`' : 'a name that `as` gave before';
    const names = known.filter((one) => one !== '').join(', ') || 'there is none';
    this.add(code, path, `${what}: ${names}`, name === '' ? 'none named' : name, next);
  }

  private add(
    code: ConfigCode,
    path: KeyPath,
    expected: string,
    found?: string,
    next?: string,
  ): void {
    this.problems.push(problemAt(this.source, path, { code, expected, found, next }));
  }

  /** What is wrong at both ends of a choice is told once. */
  private dropRepeated(): void {
    const told = new Set<string>();
    const once = this.problems.filter((problem) => {
      const words = JSON.stringify(problem);
      if (told.has(words)) return false;
      told.add(words);
      return true;
    });
    this.problems.splice(0, this.problems.length, ...once);
  }
}

function mapping(value: unknown): Record<string, unknown> {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMapping ? (value as Record<string, unknown>) : {};
}

/** As far as it can be told before the file is checked. */
function firstCell(raw: unknown): Cell {
  const axes = Object.entries(mapping(mapping(raw)['matrix']));
  const known = axes.flatMap(([axis, values]) =>
    Array.isArray(values) && values.length > 0 ? [[axis, values[0] as MatrixValue]] : [],
  );
  return Object.fromEntries(known) as Cell;
}

function endOf(choice: RandomChoice, end: number) {
  if ('between' in choice) return choice.between[end]!;
  return end === 0 ? choice.of[0]! : choice.of.at(-1)!;
}

function inCell(problem: Problem, cell: Cell): Problem {
  const words = cellText(cell);
  return words === '' ? problem : { ...problem, found: `${problem.found} with ${words}` };
}

/** Those that are there; the others are told as steps name them. */
function imagesOf(cell: Cell, folder: string): string[] {
  return imagesOfCell(cell, folder).filter((path) => existsSync(path));
}

function withImages({ setUp, steps, cleanUp }: ScenarioDocument, folder: string): ScenarioSteps {
  return withAbsoluteImages({ setUp, steps, cleanUp }, folder);
}
