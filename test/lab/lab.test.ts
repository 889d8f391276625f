/** The runner: what is tried again, on which device, beside what, and what goes on after a crash. */
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EXIT, UpliftError } from '../../src/errors.ts';
import { labError } from '../../src/lab/failure.ts';
import type { Lease } from '../../src/lab/ports.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { exitOf, type LabOptions } from '../../src/lab/runner/lab.ts';
import { RUN_LOG, readRunLog } from '../../src/lab/runner/run-log.ts';
import type { ScenarioDefinition } from '../../src/lab/scenario/define.ts';
import { FakeRig, newFolder, removeFolders, runOn } from './fake-hands.ts';

const test = suite('lab');

const well: ScenarioDefinition = { name: 'well', steps: [{ powerOff: {} }] };

function failing(
  code: 'power-failed' | 'upgrade-too-long' | 'version-other' | 'too-slow',
  times: number,
) {
  let left = times;
  const call = () => {
    if (left-- > 0) throw labError(code);
  };
  return { name: 'failing', steps: [{ call }] } satisfies ScenarioDefinition;
}

test('what the rig failed in is tried on another device', async () => {
  const fake = new FakeRig({ fails: { device: 'hub-1', times: 9 } });
  const { results, end } = await runOn(fake, 2, well, { retries: 2 });
  assert.equal(
    results.map(({ result, isFinal }) => [
      Object.values(result.devices)[0],
      result.outcome,
      isFinal,
    ]),
    [
      ['hub-1', 'failed', false],
      ['hub-2', 'passed', true],
    ],
  );
  assert.is(exitOf(end), EXIT.done);
});

test('each class has its own answer to a failure', async () => {
  const attempts = async (code: Parameters<typeof failing>[0]) => {
    const { results, end } = await runOn(new FakeRig(), 1, failing(code, 9), { retries: 2 });
    return { count: results.length, exit: exitOf(end) };
  };
  assert.equal(await attempts('power-failed'), { count: 3, exit: EXIT.notReachable });
  assert.equal(await attempts('upgrade-too-long'), { count: 3, exit: EXIT.transferFailed });
  assert.equal(await attempts('version-other'), { count: 1, exit: EXIT.deviceFailed });
  assert.equal(await attempts('too-slow'), { count: 1, exit: EXIT.checkFailed });
});

test('nothing is tried again unless it was asked for', async () => {
  const { results } = await runOn(new FakeRig(), 1, failing('power-failed', 1));
  assert.is(results.length, 1);
});

test('of a retry that passes the attempts before are on record', async () => {
  const { folder } = await runOn(new FakeRig(), 1, failing('upgrade-too-long', 1), { retries: 1 });
  const { attempts, finals } = readRunLog(folder);
  assert.equal(
    attempts.map(({ attempt, outcome }) => [attempt, outcome]),
    [
      [1, 'failed'],
      [2, 'passed'],
    ],
  );
  assert.is([...finals.values()][0]!.outcome, 'passed');
});

test('a device at which the rig fails again and again is set aside, and the rest goes on', async () => {
  const fake = new FakeRig({ fails: { device: 'hub-1', times: 99 } });
  const { end, events } = await runOn(fake, 2, well, { repeat: 8, setAsideAfter: 3, retries: 5 });
  assert.equal(end.setAside, ['hub-1']);
  assert.is(events.filter(({ kind }) => kind === 'set-aside').length, 1);
  assert.is(end.passed, 8);
});

test('without a device that is left the runs are the rig’s failures, and it ends', async () => {
  const fake = new FakeRig({ fails: { device: 'hub', times: 99 } });
  const { end, results } = await runOn(fake, 1, well, { repeat: 5, setAsideAfter: 2 });
  assert.is(end.failed.infra, 5);
  assert.is(results.at(-1)!.result.failure!.code, 'no-device-free');
});

test('runs go beside each other on free devices, and never two on one', async () => {
  const waits: ScenarioDefinition = { name: 'waits', steps: [{ waitFor: { ms: 20 } }] };
  const fake = new FakeRig();
  const { end } = await runOn(fake, 3, waits, { repeat: 9, parallel: 8 });
  assert.is(end.passed, 9);
  assert.is(fake.openMax, 3);
});

test('parts are played by devices of their own', async () => {
  const two: ScenarioDefinition = {
    name: 'two',
    devices: { left: {}, right: {} },
    steps: [{ powerOff: { device: 'left' } }, { powerOff: { device: 'right' } }],
  };
  const fake = new FakeRig();
  const { end } = await runOn(fake, 3, two, { repeat: 2, parallel: 2 });
  assert.is(end.passed, 2);
  assert.ok(fake.deeds.includes('hub-1+hub-2: closed'));
  const lonely = runOn(new FakeRig(), 1, two);
  await lonely.then(
    () => assert.unreachable('one device cannot play two parts'),
    (error: UpliftError) => assert.is(error.code, 'nothing-to-run'),
  );
});

test('a fault of the machine itself has the lab alone', async () => {
  let running = 0;
  let most = 0;
  const step = {
    call: async () => {
      most = Math.max(most, ++running);
      await new Promise((wake) => setTimeout(wake, 5));
      running--;
    },
  };
  const jumping: ScenarioDefinition = { name: 'jumping', steps: [{ clockJump: { ms: 5 } }, step] };
  const { end } = await runOn(new FakeRig(), 4, jumping, { repeat: 4, parallel: 4 });
  assert.is(end.passed, 4);
  assert.is(most, 1);
});

test('nothing begins after the time is up; without a number, turns go on until then', async () => {
  const quick: ScenarioDefinition = { name: 'quick', steps: [{ waitFor: { ms: 10 } }] };
  const { end, results } = await runOn(new FakeRig(), 1, quick, { untilMs: Date.now() + 300 });
  assert.ok(results.length >= 3, `${results.length} runs`);
  assert.is(end.passed, results.length);
  const late = await runOn(new FakeRig(), 1, quick, { untilMs: Date.now() - 1, repeat: 3 });
  assert.is(late.results.length, 0);
  assert.is(late.end.left, 3);
  const stop = AbortSignal.timeout(50);
  const stopped = await runOn(new FakeRig(), 1, quick, {
    untilMs: Date.now() + 60_000,
    signal: stop,
  });
  assert.is(exitOf(stopped.end), EXIT.interrupted, 'it would have gone on');
});

test('the same seed gives each run the same choices, whatever runs beside it', async () => {
  const seeds = async (seed: number, only?: string[]) => {
    const { results } = await runOn(new FakeRig(), 1, well, {
      seed,
      repeat: 3,
      ...(only && { only }),
    });
    return results.map(({ result }) => [result.run, result.seed] as const);
  };
  const all = await seeds(5);
  assert.equal(await seeds(5), all);
  assert.equal(await seeds(5, [all[1]![0]]), [all[1]]);
  assert.is.not((await seeds(6))[0]![1], all[0]![1]);
});

test('a run that is named and is none is told with the one that was meant', async () => {
  await runOn(new FakeRig(), 1, well, { only: ['wel test-hub #1'] }).then(
    () => assert.unreachable(),
    (error: UpliftError) => {
      assert.is(error.code, 'run-unknown');
      assert.match(error.next!, 'well test-hub #1');
    },
  );
});

test('after a crash what is not done is done, and what was cut off is done again', async () => {
  const folder = newFolder();
  const out = join(folder, 'out');
  await runOn(new FakeRig(), 1, well, { repeat: 2, folder: out });
  const lines = readFileSync(join(out, RUN_LOG), 'utf8').split('\n');
  // Killed in the second run: it was begun, and half a line was written.
  writeFileSync(join(out, RUN_LOG), `${lines.slice(0, 4).join('\n')}\n{"kind":"en`);
  const again = await runOn(new FakeRig(), 1, well, { repeat: 2, folder: out, resume: true });
  assert.equal(
    again.results.map(({ result }) => [result.run, result.attempt]),
    [['well test-hub #2', 2]],
  );
  assert.is(again.end.passed, 2);
  assert.is(readRunLog(out).finals.size, 2);
  const third = await runOn(new FakeRig(), 1, well, { repeat: 2, folder: out, resume: true });
  assert.is(third.results.length, 0);
});

test('a log is gone on with under the same scenarios only, and never begun over', async () => {
  const out = join(newFolder(), 'out');
  await runOn(new FakeRig(), 1, well, { folder: out });
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (error: UpliftError) => error.code,
    );
  assert.is(await codeOf(runOn(new FakeRig(), 1, well, { folder: out })), 'lab-there');
  const changed = { ...well, steps: [{ powerOn: {} }] };
  const resumed = runOn(new FakeRig(), 1, changed, { folder: out, resume: true });
  assert.is(await codeOf(resumed), 'lab-changed');
  appendFileSync(join(out, RUN_LOG), 'not json\n');
  assert.is(
    await codeOf(runOn(new FakeRig(), 1, well, { folder: out, resume: true })),
    'lab-log-damaged',
  );
});

test('a record is on disk before its run begins', async () => {
  const out = join(newFolder(), 'out');
  const seen: string[] = [];
  const looks: ScenarioDefinition = {
    name: 'looks',
    steps: [{ call: () => void seen.push(readFileSync(join(out, RUN_LOG), 'utf8')) }],
  };
  await runOn(new FakeRig(), 1, looks, { folder: out });
  assert.match(seen[0]!, '"kind":"begun","run":"looks test-hub #1"');
});

test('a lease is taken for the devices of a run and given back, also where nothing opens', async () => {
  const leases: string[] = [];
  const openLease = async (devices: readonly string[]): Promise<Lease> => {
    leases.push(`${devices}: taken`);
    return {
      devices,
      renew: async () => {},
      release: async () => void leases.push(`${devices}: released`),
    };
  };
  await runOn(new FakeRig(), 1, well, { openLease });
  assert.equal(leases, ['hub: taken', 'hub: released']);
  leases.length = 0;
  const openHands = async () => {
    throw new UpliftError('port-missing', 'no such port');
  };
  const { results } = await runOn(new FakeRig(), 1, well, { openLease, openHands });
  assert.equal(leases, ['hub: taken', 'hub: released']);
  assert.is(results[0]!.result.failure!.code, 'port-missing');
  assert.is(results[0]!.result.failure!.class, 'infra');
});

test('a lease that another has is the rig’s failure', async () => {
  const openLease = async () => {
    throw new UpliftError('rig-in-use', 'another run has it');
  };
  const { results } = await runOn(new FakeRig(), 1, well, { openLease });
  assert.is(results[0]!.result.failure!.class, 'infra');
});

test('a bug ends the lab with itself, and leaves the run to be done', async () => {
  const out = join(newFolder(), 'out');
  const openHands = async (): Promise<never> => {
    throw new TypeError('undefined is no function');
  };
  await runOn(new FakeRig(), 1, well, { folder: out, openHands }).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.name, 'TypeError'),
  );
  const content = readRunLog(out);
  assert.is(content.finals.size, 0);
  assert.is(content.begun.get('well test-hub #1'), 1);
});

test('the recording of a run that failed is kept, and of one that passed where that is asked', async () => {
  const fails = { name: 'fails', steps: [{ call: () => Promise.reject(labError('too-slow')) }] };
  const recorded = async (options: Partial<LabOptions>) => {
    const { results, folder } = await runOn(new FakeRig(), 1, [well, fails], options);
    const kept = results.map(({ result }) => result.recording?.path);
    for (const path of kept) assert.ok(path === undefined || existsSync(join(folder, path)));
    return { names: readdirSync(join(folder, 'recordings')), kept };
  };
  const { names, kept } = await recorded({});
  assert.is(names.length, 1);
  assert.match(names[0]!, /^fails-test-hub-1-[0-9a-f]{8}-1\.uplrec$/);
  assert.is(kept[0], undefined);
  assert.is((await recorded({ keepRecordings: true })).names.length, 2);
});

test('a recording says which run it is of, and what was done to its device', async () => {
  const { results, folder } = await runOn(new FakeRig(), 1, well, { keepRecordings: true });
  const { header, records } = readRecordingFile(join(folder, results[0]!.result.recording!.path));
  assert.equal(header.about, { run: 'well test-hub #1', scenario: 'well', attempt: 1 });
  assert.equal(header.links, { hub: 'smp' });
  const notes = records.flatMap((record) => (record.kind === 'note' ? [record.text] : []));
  assert.equal(notes, ['power off']);
});

test('of a run that was cut off by a crash nothing is left when it is gone on with', async () => {
  const out = join(newFolder(), 'out');
  await runOn(new FakeRig(), 1, well, { folder: out, repeat: 1, keepRecordings: true });
  const orphan = join(out, 'recordings', 'cut-off-1.uplrec');
  writeFileSync(orphan, 'UPLREC');
  await runOn(new FakeRig(), 1, well, { folder: out, repeat: 1, resume: true });
  assert.not.ok(existsSync(orphan));
  assert.is(readdirSync(join(out, 'recordings')).length, 1);
});

test.after(removeFolders);
test.run();
