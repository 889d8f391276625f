/** Scenario files: what each mistake is told as and where, and what a right one comes to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, SCENARIO_CODES } from '../../src/config/codes.ts';
import { UpliftError } from '../../src/errors.ts';
import { choose } from '../../src/lab/scenario/chance.ts';
import { defineScenario } from '../../src/lab/scenario/define.ts';
import { loadScenario } from '../../src/lab/scenario/load.ts';
import { actionOf, cellText, type Step } from '../../src/lab/scenario/scenario.ts';
import { FIRMWARE } from '../support/rigs.ts';

const test = suite('scenarios');
const folder = mkdtempSync(join(tmpdir(), 'uplift-scenarios-'));
const told = new Set<string>();

function fileOf(text: string): string {
  const path = join(folder, 'a.yaml');
  writeFileSync(path, text);
  return path;
}

function scenario(rest: string): string {
  return `scenario: a\ndescription: for a test\n${withVariables(rest)}`;
}

/** `<name>` stands for a variable. */
function withVariables(text: string): string {
  return text.replaceAll(/<(\w[\w.]*)>/g, (_, name: string) => ['$', '{', name, '}'].join(''));
}

function problemsOf(text: string) {
  try {
    loadScenario(fileOf(text));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { code } of error.problems) told.add(code);
    return error.problems;
  }
  return [];
}

interface Mistake {
  what: string;
  text: string;
  code: string;
  line: number;
  key?: string;
  next?: string;
}

const MISTAKES: Mistake[] = [
  {
    what: 'a step that is misspelt',
    text: scenario('steps:\n  - powerCicle: {}\n'),
    code: 'key-unknown',
    line: 4,
    key: 'steps[0].powerCicle',
    next: 'did you mean "powerCycle"?',
  },
  {
    what: 'a key of a step within a repetition that is misspelt',
    text: scenario(
      'steps:\n  - repeat:\n      times: 2\n      steps:\n        - press: { mss: 5 }\n',
    ),
    code: 'key-unknown',
    line: 7,
    key: 'steps[0].repeat.steps[0].press.mss',
    next: 'did you mean "ms"?',
  },
  {
    what: 'a step that does two things',
    text: scenario('steps:\n  - powerOff: {}\n    powerOn: {}\n'),
    code: 'step-unclear',
    line: 4,
    key: 'steps[0]',
  },
  {
    what: 'a step that does nothing',
    text: scenario('steps:\n  - name: nothing\n'),
    code: 'step-unclear',
    line: 4,
  },
  {
    what: 'a variable that is misspelt',
    text: scenario('variables: { offMs: 5 }\nsteps:\n  - powerCycle:\n      offMs: "<ofMs>"\n'),
    code: 'variable-unknown',
    line: 6,
    next: 'did you mean "<offMs>"?',
  },
  {
    what: 'a variable of the wrong kind',
    text: scenario('variables: { offMs: often }\nsteps:\n  - powerCycle: { offMs: "<offMs>" }\n'),
    code: 'value-wrong',
    line: 5,
    key: 'steps[0].powerCycle.offMs',
  },
  {
    what: 'a value of the matrix that does not fit where it is used',
    text: scenario(
      'matrix: { percent: [10, 200] }\nsteps:\n  - waitFor: { percent: "<percent>" }\n',
    ),
    code: 'value-wrong',
    line: 5,
  },
  {
    what: 'a choice by chance whose end does not fit',
    text: scenario('steps:\n  - waitFor: { percent: { random: { between: [1, 101] } } }\n'),
    code: 'value-wrong',
    line: 4,
  },
  {
    what: 'a choice by chance that is none',
    text: scenario('steps:\n  - waitFor: { percent: { random: { between: 1 } } }\n'),
    code: 'value-wrong',
    line: 4,
  },
  {
    what: 'a part that is not there',
    text: scenario('devices: { hub: {}, ppmid: {} }\nsteps:\n  - powerOff: { device: hubb }\n'),
    code: 'role-unknown',
    line: 5,
    next: 'did you mean "hub"?',
  },
  {
    what: 'no part named where there are two',
    text: scenario('devices: { hub: {}, ppmid: {} }\nsteps:\n  - powerOff: {}\n'),
    code: 'role-unknown',
    line: 5,
  },
  {
    what: 'an image that is not there',
    text: scenario('steps:\n  - upgrade: { image: nothing.bin }\n'),
    code: 'image-missing',
    line: 4,
    key: 'steps[0].upgrade.image',
  },
  {
    what: 'a part in the steps of a moment',
    text: scenario(
      `steps:\n  - upgrade:\n      image: ${FIRMWARE.hubNew}\n      at:\n        - percent: 5\n` +
        '          steps:\n            - powerOff: { device: x }\n',
    ),
    code: 'role-unknown',
    line: 9,
  },
  {
    what: 'a moment that is two',
    text: scenario(
      `steps:\n  - upgrade:\n      image: ${FIRMWARE.hubNew}\n      at:\n        - { percent: 5, block: 5, steps: [] }\n`,
    ),
    code: 'value-wrong',
    line: 7,
  },
  {
    what: 'a reading that nobody took',
    text: scenario(
      'steps:\n  - readVersion: { as: before }\n  - assert: { versionSameAs: befor }\n',
    ),
    code: 'reading-unknown',
    line: 5,
    next: 'did you mean "before"?',
  },
  {
    what: 'a matrix of which nothing is left',
    text: scenario('matrix: { n: [1] }\nexclude: [{ n: 1 }]\nsteps:\n  - powerOff: {}\n'),
    code: 'matrix-size',
    line: 3,
  },
  {
    what: 'an assertion of nothing',
    text: scenario('steps:\n  - assert: {}\n'),
    code: 'value-wrong',
    line: 4,
  },
];

for (const { what, text, code, line, key, next } of MISTAKES) {
  test(`${what} is told with its line`, () => {
    const problems = problemsOf(text);
    const found = problems.find((problem) => problem.code === code);
    assert.ok(found, JSON.stringify(problems));
    assert.is(found.line, line);
    if (key !== undefined) assert.is(found.key, key);
    if (next !== undefined) assert.is(found.next, withVariables(next));
  });
}

test('every code of scenarios has a test', () => {
  assert.equal(
    Object.keys(SCENARIO_CODES).filter((code) => !told.has(code)),
    [],
  );
});

test('all mistakes of a file are told at once', () => {
  const problems = problemsOf(
    scenario(
      'steps:\n  - powerCycle: { offMs: -1 }\n  - upgrade: { image: <a> }\n  - press: { ms: x }\n',
    ),
  );
  assert.ok(problems.length >= 2, JSON.stringify(problems));
});

test('a function is no step of a file', () => {
  const [problem] = problemsOf(scenario('steps:\n  - call: "() => {}"\n'));
  assert.is(problem!.code, 'key-unknown');
});

function only(steps: readonly Step[], index = 0): unknown {
  return actionOf(steps[index]!)[1];
}

test('variables stand for values, and within text for their text', () => {
  const text = scenario(
    'variables: { offMs: 40, twice: "<offMs> and <offMs>" }\nmatrix:\n  m: [{ a: 1, b: two }]\n' +
      'steps:\n  - powerCycle: { offMs: "<offMs>" }\n  - waitFor: { event: "<m.b>: <twice>" }\n' +
      '  - waitFor: { ms: "<m.a>" }\n',
  );
  const loaded = loadScenario(fileOf(text));
  const { steps } = loaded.stepsOf(loaded.cells[0]!, 1);
  assert.equal(only(steps), { offMs: 40 });
  assert.equal(only(steps, 1), { event: 'two: 40 and 40' });
  assert.equal(only(steps, 2), { ms: 1 });
});

test('values from outside stand in for variables, and only for those that are there', () => {
  const path = fileOf(
    scenario('variables: { offMs: 40 }\nsteps:\n  - powerCycle: { offMs: "<offMs>" }\n'),
  );
  const loaded = loadScenario(path, { offMs: 7 });
  assert.equal(only(loaded.stepsOf({}, 1).steps), { offMs: 7 });
  assert.is.not(loaded.sha256, loadScenario(path).sha256);
  assert.throws(
    () => loadScenario(path, { ofMs: 7 }),
    (error: UpliftError) => error.code === 'variable-unset' && error.next === 'did you mean offMs?',
  );
});

test('a repetition has choices of its own in each turn, the same under the same seed', () => {
  const path = fileOf(
    scenario(
      'steps:\n  - repeat:\n      times: 20\n      steps:\n' +
        '        - waitFor: { ms: { random: { between: [1, 1000] } } }\n        - waitFor: { ms: "<iteration>" }\n',
    ),
  );
  const loaded = loadScenario(path);
  const chosen = (seed: number) => {
    const group = only(loaded.stepsOf({}, seed).steps) as { steps: Step[] };
    assert.is(group.steps.length, 20);
    return group.steps.map((turn, index) => {
      const { steps } = only([turn]) as { steps: Step[] };
      assert.equal(only(steps, 1), { ms: index + 1 });
      return (only(steps) as { ms: number }).ms;
    });
  };
  assert.equal(chosen(5), chosen(5));
  assert.is.not(JSON.stringify(chosen(5)), JSON.stringify(chosen(6)));
  assert.ok(new Set(chosen(5)).size > 10);
});

test('choices by chance keep to their range and reach both ends', () => {
  const seen = new Set<unknown>();
  for (let seed = 0; seed < 500; seed++) seen.add(choose({ between: [-2, 2] }, seed, 'x'));
  assert.equal([...seen].sort(), [-1, -2, 0, 1, 2].sort());
});

test('the matrix is every combination but those that are left out', () => {
  const loaded = loadScenario(
    fileOf(
      scenario(
        'matrix: { a: [1, 2, 3], b: [x, y] }\nexclude: [{ a: [1, 2], b: x }]\nsteps:\n  - powerOff: {}\n',
      ),
    ),
  );
  assert.equal(loaded.cells.map(cellText), ['a=1 b=y', 'a=2 b=y', 'a=3 b=x', 'a=3 b=y']);
});

test('a program says the same, and what YAML cannot', () => {
  const made = defineScenario({
    name: 'made',
    matrix: { n: [1, 2] },
    steps: ({ cell, random }) => [
      { powerCycle: {} },
      { waitFor: { ms: Number(cell['n']) } },
      { waitFor: { ms: Number(random('pause', { between: [1, 9] })) } },
      { call: () => {} },
    ],
  });
  const { steps } = made.stepsOf(made.cells[1]!, 3);
  assert.equal(only(steps), { offMs: 1_000 });
  assert.equal(only(steps, 1), { ms: 2 });
  assert.type(only(steps, 3), 'function');
  assert.equal(only(made.stepsOf(made.cells[1]!, 3).steps, 2), only(steps, 2));
  const wrong = () => defineScenario({ name: 'wrong', steps: [{ powerCycle: { offMs: -1 } }] });
  assert.throws(
    wrong,
    (error: unknown) => error instanceof UpliftError && error.code === 'scenario-wrong',
  );
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
