/**
 * The ready scenarios on a virtual rig, over the real driver and real ports; devices with a defect each,
 * which have to be found and put in the right class; and the commands, also where they are killed.
 * The combinations that are left out here run with `uplift lab run NAME --rig hw-config/rigs/...`.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadScenarios } from '../../src/cli/lab-scenarios.ts';
import type { UpliftError } from '../../src/errors.ts';
import type { RunResult } from '../../src/lab/run-result.ts';
import { runLab } from '../../src/lab/runner/lab.ts';
import { RUN_LOG } from '../../src/lab/runner/run-log.ts';
import { defineScenario, type StepInput } from '../../src/lab/scenario/define.ts';
import { loadScenario, type VariableValues } from '../../src/lab/scenario/load.ts';
import type { Cell, Scenario } from '../../src/lab/scenario/scenario.ts';
import {
  FIRMWARE,
  runCli,
  startCli,
  type TestHub,
  TestRig,
  type TestRigOptions,
} from '../support/rigs.ts';

const test = suite('lab');
const SCENARIOS = resolve(import.meta.dirname, '../../hw-config/scenarios');

/** Fast, and soon of the opinion that nothing comes any more. */
const HUB: TestHub = {
  id: 'hub',
  baudRate: 2_000_000,
  serial: { answerTimeoutMs: 400, attemptsMax: 4 },
};

/** Of those that take long one combination for all; the others are the same path at another place. */
const KEPT: Record<string, (text: string) => boolean> = {
  'power-cut': (text) => text.includes('hub') && text.includes('"percent":50'),
  'hundred-upgrades': (text) => text.includes('hub'),
};

/** Where the matrix names the image of a PPMID, one of 4 KiB: what is tried there is not its length. */
function ready(name: string, values: VariableValues = {}): Scenario {
  const loaded = loadScenario(join(SCENARIOS, `${name}.yaml`), values);
  const isKept = KEPT[name] ?? (() => true);
  const kept = loaded.cells.map((cell) => JSON.stringify(cell)).filter(isKept);
  const cells = kept.map((text) => JSON.parse(text.replace(LONG, FIRMWARE.removed)) as Cell);
  return { ...loaded, cells, imagesOf: (cell) => loaded.imagesOf(cell) };
}

const LONG = '../../firmware/121D-0084-02000000-test.zigbee';

/** That of the test material, and on it the image of 4 KiB. */
function listWithSmall(folder: string): string {
  const path = join(folder, 'list.csv');
  const rows = readFileSync(FIRMWARE.list, 'utf8').replace(
    'Removed,2021-01-01,2021-07-20',
    'Current,2021-01-01,',
  );
  writeFileSync(path, rows);
  return path;
}

async function runOn(options: TestRigOptions, scenarios: Scenario[]): Promise<RunResult[]> {
  const rig = await TestRig.make({ vouched: true, ...options });
  const folder = mkdtempSync(join(tmpdir(), 'uplift-lab-'));
  const results: RunResult[] = [];
  try {
    await runLab({
      ...{ rig: { ...rig.rig, centralProductsList: listWithSmall(rig.folder) } },
      ...{ scenarios, folder, seed: 7, parallel: 3 },
      onEvent: (event) => {
        if (event.kind === 'ended') results.push(event.result);
      },
    });
  } finally {
    await rig.remove();
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

test('the ready scenarios pass on devices that are well', async () => {
  const names = readdirSync(SCENARIOS).map((name) => name.replace('.yaml', ''));
  assert.ok(names.length >= 10);
  const scenarios = names.map((name) =>
    ready(name, name === 'hundred-upgrades' ? { pairs: 1 } : {}),
  );
  const results = await runOn({ devices: 1, hubs: [HUB, { ...HUB, id: 'hub-2' }] }, scenarios);
  assert.equal(
    results.flatMap(({ run, failure }) => (failure ? [`${run}: ${JSON.stringify(failure)}`] : [])),
    [],
  );
  const ran = new Set(results.map(({ scenario }) => scenario));
  assert.equal([...ran].sort(), names.sort());
  const did = (scenario: string, what: string) =>
    results.some(({ scenario: name, timeline }) => {
      return name === scenario && timeline.some((entry) => entry.what === what);
    });
  for (const name of ['power-cut', 'power-cut-resume', 'activation-cut', 'held-activation']) {
    assert.ok(did(name, 'power off'), `${name} cuts the power`);
  }
  const corrupted = results.find(({ scenario }) => scenario === 'corrupted-line')!;
  assert.ok(corrupted.faults['corrupted']! > 0 && corrupted.upgrades[0]!.repeats > 0);
  const refused = results.find(({ scenario }) => scenario === 'downgrade-refused')!;
  assert.is(refused.upgrades[1]!.rule, 'device.newer');
  assert.is(refused.upgrades[1]!.blocks, 0);
});

/** As `upgrade`, with less patience. */
const impatient = defineScenario({
  name: 'impatient',
  steps: [{ upgrade: { image: FIRMWARE.hubNew, limits: { progressMs: 3_000 } } }],
});

interface Defect {
  what: string;
  scenario: string | Scenario;
  rig: TestRigOptions;
  code: string;
  class: string;
}

const DEFECTS: Defect[] = [
  {
    what: 'a hub that loses its slot on a power cut',
    scenario: 'held-activation',
    rig: { devices: 0, hubs: [{ ...HUB, virtual: { faults: { losesSlotOnPowerCut: true } } }] },
    code: 'image-lost',
    class: 'device',
  },
  {
    what: 'a PPMID that reports success but did not change',
    scenario: 'upgrade',
    rig: { devices: 1, faults: { claimsNewVersion: true } },
    code: 'version-unchanged',
    class: 'device',
  },
  {
    what: 'a PPMID that accepts a wrong hash',
    scenario: 'damaged-block',
    rig: { devices: 1, faults: { skipsVerification: true } },
    code: 'wrong-image-taken',
    class: 'device',
  },
  {
    what: 'a hub that stalls for ever',
    scenario: impatient,
    rig: { devices: 0, hubs: [{ ...HUB, virtual: { faults: { stallAtByte: 30_000 } } }] },
    code: 'deadline-passed',
    class: 'flash',
  },
  {
    what: 'a PPMID that takes the image and goes back to what it ran',
    scenario: 'upgrade',
    rig: { devices: 1, faults: { revertsAfterActivation: true } },
    code: 'device-reverted',
    class: 'device',
  },
];

test('each planted defect is found, and put in its class', async () => {
  const found = await Promise.all(
    DEFECTS.map(({ scenario, rig }) =>
      runOn(rig, [typeof scenario === 'string' ? ready(scenario) : scenario]),
    ),
  );
  for (const [index, { what, code, class: expected }] of DEFECTS.entries()) {
    const [result] = found[index]!;
    assert.is(result!.outcome, 'failed', `${what}: ${JSON.stringify(result!.upgrades)}`);
    assert.equal([result!.failure!.code, result!.failure!.class], [code, expected], what);
  }
});

/** In the middle of an upgrade of a device of this kind. */
function midway(name: string, kind: 'ppmid' | 'communications-hub', steps: readonly StepInput[]) {
  const image = kind === 'ppmid' ? FIRMWARE.removed : FIRMWARE.hubNew;
  const at = [{ percent: 30, steps }];
  return defineScenario({
    name,
    devices: { device: { kind } },
    steps: [{ upgrade: { image, at } }, { assert: { outcome: 'done' } }],
  });
}

/** Bad air and a coordinator that restarts are in lab-rig.test.ts. */
test('an upgrade gets over a fault of each kind', async () => {
  const results = await runOn({ devices: 1, hubs: [HUB] }, [
    midway('glitch', 'communications-hub', [{ lineGlitch: { rts: true } }]),
    midway('unplug', 'communications-hub', [
      { fault: { disconnected: true } },
      { waitFor: { ms: 700 } },
      { clearFaults: {} },
    ]),
    midway('button', 'ppmid', [{ press: { ms: 100 } }]),
    // The clock that deadlines are on is not the one that is set.
    midway('clock', 'communications-hub', [
      { clockJump: { ms: -3_600_000 } },
      { waitFor: { ms: 200 } },
      { clockJump: { ms: 7_200_000 } },
    ]),
  ]);
  assert.equal(
    results.map(({ scenario, failure }) => [scenario, failure?.code]).sort(),
    ['button', 'clock', 'glitch', 'unplug'].map((name) => [name, undefined]),
  );
});

test('a port that is not there is the rig’s failure, and not the device’s', async () => {
  const hub = { ...HUB, port: '/dev/no-such-port', virtual: undefined };
  const [result] = await runOn({ devices: 0, hubs: [hub] }, [ready('upgrade')]);
  assert.is(result!.failure!.class, 'infra');
  assert.is(result!.failure!.code, 'port-missing');
});

test('killed in a run, the command goes on with --resume, and the reports are whole', async () => {
  const rig = await TestRig.make({ vouched: true, devices: 0, hubs: [HUB] });
  const out = join(rig.folder, 'lab');
  const parameters = ['lab', 'run', 'upgrade', '--rig', rig.path, '--out', out, '--json'];
  try {
    const run = startCli([...parameters, '--seed', '9', '--repeat', '2', '--verbose']);
    await run.until(({ kind, run: id }) => kind === 'begun' && String(id).endsWith('#2'));
    await run.powerCut();
    assert.match(readFileSync(join(out, RUN_LOG), 'utf8'), '"begun"');
    const again = await runCli(['lab', 'run', '--resume', out, '--json']);
    assert.is(again.code, 0, again.stdout + again.stderr);
    const result = again.events.find(({ kind }) => kind === 'result')!;
    assert.is(result['passed'], 2);
    assert.is(result['seed'], 9);
    for (const name of ['report.html', 'junit.xml', 'runs.jsonl']) {
      assert.ok(existsSync(join(out, name)), name);
    }
    const left = readdirSync(join(out, 'recordings')).filter((name) => name.endsWith('.uplrec'));
    assert.equal(left, [], 'what was cut off is of no result');
    const report = await runCli(['lab', 'report', out]);
    assert.match(
      report.stdout,
      /upgrade +test-hub +hub-2\.0\.0-test\.mcuboot\.bin +2 of 2 .*passed so far/,
    );
  } finally {
    await rig.remove();
  }
});

test('Ctrl-C cleans up, tells what is left, and ends with 130', async () => {
  const rig = await TestRig.make({ vouched: true, devices: 0, hubs: [HUB] });
  const out = join(rig.folder, 'lab');
  try {
    const run = startCli(['lab', 'run', 'power-cut', '--rig', rig.path, '--out', out, '--json']);
    await run.until(({ kind }) => kind === 'begun');
    run.child.kill('SIGINT');
    const { code, events } = await run.done;
    assert.is(code, 130);
    const ended = events.find(({ kind }) => kind === 'ended')! as { result: RunResult };
    assert.is(ended.result.outcome, 'interrupted');
    assert.equal(ended.result.cleanUpFailures, []);
    assert.is(events.find(({ kind }) => kind === 'result')!['left'], 10);
  } finally {
    await rig.remove();
  }
});

test('list and show touch nothing; what is wrong is told', async () => {
  const list = await runCli(['lab', 'list', '--json']);
  const { scenarios } = JSON.parse(list.stdout) as { scenarios: { name: string }[] };
  assert.ok(scenarios.some(({ name }) => name === 'held-activation'));
  const rig = 'hw-config/rigs/virtual-site.yaml';
  const show = await runCli(['lab', 'show', 'power-cut', '--rig', rig]);
  assert.is(show.code, 0);
  assert.match(show.stdout, '20 runs');
  const unknown = await runCli(['lab', 'run', 'upgrad', '--rig', rig]);
  assert.is(unknown.code, 2);
  assert.match(unknown.stderr, 'did you mean upgrade?');
  assert.throws(
    () => loadScenarios(['hundred-upgrades'], { pair: 3 }),
    (error: UpliftError) => error.next === 'did you mean pairs?',
  );
});

test.run();
