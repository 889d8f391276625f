/**
 * Labs on rigs that are real to them: a hub behind a pseudo-terminal of another process, its supply switched by a
 * command, and a coordinator that somebody else runs. What fails there is replayed from its recording, without
 * either.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Rig } from '../../src/config/schema.ts';
import type { UpliftError } from '../../src/errors.ts';
import { contentsBeside } from '../../src/lab/recording/contents.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { replayRecording } from '../../src/lab/recording/replay.ts';
import { LeaseBook } from '../../src/lab/rig/leases.ts';
import type { RunResult } from '../../src/lab/run-result.ts';
import { runScenario } from '../../src/lab/runner/run-scenario.ts';
import { defineScenario } from '../../src/lab/scenario/define.ts';
import { realFiles } from '../../src/store/files.ts';
import { FIRMWARE, runCli, type TestHub, TestRig } from '../support/rigs.ts';

const test = suite('lab rig');

const HUB: TestHub = {
  id: 'hub',
  baudRate: 1_000_000,
  serial: { answerTimeoutMs: 400, attemptsMax: 6 },
};

/** Switches the hub of the process, and is done when it is switched. */
const SWITCH = `#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
off) kill -HUP "$2" ;;
on) kill -USR2 "$2" ;;
state) cat power; exit ;;
esac
until [ "$(cat power)" = "$1" ]; do sleep 0.02; done
`;

interface RealHub {
  rig: TestRig;
  /** From now on there is no hub. */
  unplug(): Promise<void>;
  remove(): Promise<void>;
}

async function realHub(): Promise<RealHub> {
  const far = await TestRig.make({ devices: 0, hubs: [HUB] });
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../support/hub-process.ts'), far.path],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise((ready) => child.stdout!.once('data', ready));
  const program = join(far.folder, 'switch');
  writeFileSync(program, SWITCH);
  chmodSync(program, 0o755);
  const command = (word: string) => [program, word, `${child.pid}`];
  const rig = await TestRig.make({
    devices: 0,
    vouched: true,
    hubs: [
      {
        ...HUB,
        port: join(far.folder, 'ports/hub'),
        virtual: undefined,
        power: {
          driver: 'command',
          ...{ on: command('on'), off: command('off'), state: command('state') },
        },
      },
    ],
  });
  return {
    rig,
    unplug: () => ended(child),
    remove: async () => {
      await ended(child);
      await far.remove();
      await rig.remove();
    },
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null) return done();
    child.once('close', () => done());
    child.kill();
  });
}

/** A line that damages bytes, and a power cut in the middle. YAML reads JSON. */
function badLine(name: string, image: string, upgrade: object, asserted: object): string {
  return JSON.stringify({
    scenario: name,
    description: 'made for a test',
    steps: [
      { fault: { corrupt: 0.0002 } },
      {
        upgrade: {
          image,
          ...upgrade,
          at: [{ percent: 40, steps: [{ powerCycle: { offMs: 300 } }] }],
        },
      },
      { clearFaults: {} },
      { assert: { outcome: 'done', faultsMin: 1, ...asserted } },
    ],
  });
}

test('a hub that is real: cut off and on a bad line, and what failed is replayed without it', async () => {
  const { rig, unplug, remove } = await realHub();
  const out = join(rig.folder, 'lab');
  const there = join(rig.folder, 'there.yaml');
  const back = join(rig.folder, 'back.yaml');
  writeFileSync(there, badLine('there', FIRMWARE.hubNew, {}, { version: '2.0.0' }));
  const older = { list: 'none', allowDowngrade: true };
  writeFileSync(back, badLine('back', FIRMWARE.hubOld, older, { durationMsMax: 1 }));
  try {
    const run = ['lab', 'run', there, back, '--rig', rig.path, '--out', out, '--seed', '3'];
    const { code, stderr, stdout } = await runCli(run);
    assert.is(code, 7, stdout + stderr);
    const lines = stderr.split('\n');
    assert.ok(
      lines.some((line) => /✓ there .*passed/.test(line)),
      stderr,
    );
    const failed = lines.findIndex((line) => /✗ back .*assertion: too-slow/.test(line));
    const replay = /replay {2}uplift (lab replay \S+)/.exec(lines[failed + 1]!)![1]!;
    const names = readdirSync(join(out, 'recordings')).filter((name) => name.endsWith('.uplrec'));
    assert.is(names.length, 1, 'of what passed nothing is kept');
    await unplug();
    const again = await runCli(replay.split(' '));
    assert.is(again.code, 0, again.stderr);
    assert.match(again.stdout, /the same to the last byte: 1 machine, \d{3,} calls, \d{6,} bytes/);
    const trace = await runCli(['trace', 'show', replay.split(' ')[2]!]);
    for (const said of ['power off', 'power on', '"corrupt":0.0002', 'image upload'])
      assert.ok(trace.stdout.includes(said), said);
  } finally {
    await remove();
  }
});

/** The same without what makes it virtual: somebody else runs that. */
function asReal(rig: Rig): Rig {
  const ppmids = rig.ppmids.map((device) => ({ ...device, virtual: undefined }));
  return {
    ...rig,
    stateFolder: join(rig.stateFolder, 'gateway'),
    coordinators: rig.coordinators.map((one) => ({ ...one, virtual: undefined })),
    ...{ devices: ppmids, ppmids },
  };
}

test('a coordinator that is real: bad air, a reset, and the same again without it', async () => {
  const rig = await TestRig.make({ otaClient: { answerTimeoutMs: 400, retryPauseMs: 50 } });
  await rig.up();
  const folder = join(rig.folder, 'lab');
  const scenario = defineScenario({
    name: 'air',
    steps: [
      { fault: { drop: 0.03, duplicate: 0.03 } },
      {
        upgrade: {
          image: FIRMWARE.removed,
          ...{ list: 'none', allowUnsigned: true },
          at: [{ percent: 30, steps: [{ coordinatorReset: {} }] }],
        },
      },
      { assert: { outcome: 'done', faultsMin: 1, durationMsMax: 1 } },
    ],
  });
  try {
    const [result] = await runScenario(scenario, { rig: asReal(rig.rig), folder, seed: 5 });
    assert.is(result!.failure?.code, 'too-slow', JSON.stringify(result!.failure));
    assert.ok(result!.faults['dropped']! > 0 && result!.faults['resets']! === 1);
    assert.is(rig.device().fileVersion, 0x01800000);
    await rig.down();
    assert.is(replayed(folder, result!).kind, 'same');
  } finally {
    await rig.remove();
  }
});

function replayed(folder: string, { recording }: RunResult) {
  const path = join(folder, recording!.path);
  return replayRecording(readRecordingFile(path), { contents: contentsBeside(path, realFiles) });
}

const codeOf = (work: Promise<unknown>): Promise<UpliftError> =>
  work.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: UpliftError) => error,
  );

test('what the rig file does not name is told before the first run, with what to write', async () => {
  const hub = { ...HUB, port: '/dev/no-such-port', virtual: undefined };
  const rig = await TestRig.make({ devices: 0, hubs: [hub] });
  const folder = join(rig.folder, 'lab');
  const wants = (steps: Parameters<typeof defineScenario>[0]['steps']) =>
    codeOf(
      runScenario(defineScenario({ name: 'wants', steps }), { rig: rig.rig, folder, seed: 1 }),
    );
  try {
    const power = await wants([{ powerCycle: {} }]);
    assert.is(power.code, 'power-missing');
    assert.is(power.exit, 6);
    assert.match(power.expected!, 'devices, hub: power: {driver: ...}');
    assert.match(power.next!, rig.path);
    assert.match((await wants([{ press: { button: 'reset' } }])).expected!, 'buttons: {reset:');
    const wan = await wants([
      { group: { steps: [{ wanSlow: { wan: 'far', delayMs: 9, forMs: 9 } }] } },
    ]);
    assert.match(wan.expected!, 'wan: {id: far,');
    assert.is((await wants([{ coordinatorReset: {} }])).code, 'reset-missing');
    assert.not.ok(existsSync(folder), 'nothing was begun');
  } finally {
    await rig.remove();
  }
});

test('a device that a person has is left alone, and one of a run is the run’s', async () => {
  const rig = await TestRig.make({ devices: 0, hubs: [HUB] });
  const { stateFolder } = rig.rig;
  const held: string[][] = [];
  const scenario = defineScenario({
    name: 'held',
    steps: [
      {
        call: async () => {
          held.push((await LeaseBook.inForce(stateFolder)).map(({ holder }) => holder));
        },
      },
    ],
  });
  const run = (name: string) =>
    runScenario(scenario, { rig: rig.rig, folder: join(rig.folder, name), seed: 1 });
  try {
    const [passed] = await run('free');
    assert.is(passed!.outcome, 'passed', JSON.stringify(passed!.failure));
    assert.equal(held, [['lab run held test-hub #1']]);
    assert.equal(await LeaseBook.inForce(stateFolder), []);
    const person = { holder: 'mary@bench', outlivesProcess: true };
    await LeaseBook.use(stateFolder, (book) => book.take(['hub'], person));
    const [refused] = await run('taken');
    assert.equal([refused!.failure!.code, refused!.failure!.class], ['lease-held', 'infra']);
    assert.is(held.length, 1);
  } finally {
    await rig.remove();
  }
});

test.run();
