/** Steps, deadlines and the clean-up, on a rig without devices. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { labError } from '../../src/lab/failure.ts';
import { jumpClock } from '../../src/lab/faults/clock-jump.ts';
import { refuseSharedDisk } from '../../src/lab/faults/full-disk.ts';
import type { LabRun } from '../../src/lab/runner/lab-run.ts';
import type { ScenarioDefinition } from '../../src/lab/scenario/define.ts';
import { FakeRig, newFolder, removeFolders, runOn } from './fake-hands.ts';

const test = suite('engine');

async function one(definition: Omit<ScenarioDefinition, 'name'>, fake = new FakeRig()) {
  const { results, end } = await runOn(fake, 1, { name: 'one', ...definition });
  return { result: results[0]!.result, end, deeds: fake.deeds };
}

test('set-up, steps and clean-up come in their order, and the hands are closed last', async () => {
  const { result, deeds } = await one({
    setUp: [{ powerOff: {} }],
    steps: [{ powerOn: {} }, { powerCycle: { offMs: 1 } }],
    cleanUp: [{ powerOn: {} }],
  });
  assert.is(result.outcome, 'passed');
  assert.equal(deeds, ['hub: off', 'hub: on', 'hub: off', 'hub: on', 'hub: on', 'hub: closed']);
  assert.equal(
    result.steps.map(({ step }) => step),
    ['setUp[0]', 'steps[0]', 'steps[1]', 'cleanUp[0]'],
  );
  assert.ok(result.timeline.some(({ what, device }) => what === 'power off' && device === 'hub'));
});

test('after a set-up that failed no step runs, and the clean-up does', async () => {
  const { result, deeds } = await one({
    setUp: [{ press: {} }],
    steps: [{ powerOff: {} }],
    cleanUp: [{ powerOn: {} }],
  });
  assert.equal(deeds, ['hub: on', 'hub: closed']);
  assert.is(result.failure!.code, 'button-missing');
  assert.is(result.failure!.class, 'infra');
  assert.is(result.failure!.step, 'setUp[0]');
});

test('a clean-up step that fails leaves the next to run, and fails a run that had passed', async () => {
  const { result, deeds } = await one({
    steps: [{ powerOff: {} }],
    cleanUp: [{ press: {} }, { powerOn: {} }],
  });
  assert.equal(deeds, ['hub: off', 'hub: on', 'hub: closed']);
  assert.is(result.outcome, 'failed');
  assert.is(result.failure!.step, 'cleanUp[0]');
});

test('the first failure counts; that of the clean-up stands beside it', async () => {
  const { result } = await one({
    steps: [{ runCommand: { command: ['false'], failsAs: 'assertion' } }],
    cleanUp: [{ press: {} }],
  });
  assert.is(result.failure!.class, 'assertion');
  assert.equal(
    result.cleanUpFailures.map(({ code }) => code),
    ['button-missing'],
  );
});

test('a driver that never answers ends with the deadline of its step', async () => {
  const fake = new FakeRig({ hangs: 'hub' });
  const { result } = await one({ steps: [{ powerOff: {}, deadlineMs: 30 }] }, fake);
  assert.is(result.failure!.code, 'power-failed');
  assert.match(result.failure!.expected!, '30 ms');
});

test('a wait that comes to its deadline is a failure of its own kind', async () => {
  const { result } = await one({ steps: [{ waitFor: { state: 'done' }, deadlineMs: 30 }] });
  assert.is(result.failure!.code, 'wait-too-long');
  assert.is(result.failure!.class, 'assertion');
});

test('a deadline of a group is over all of its steps', async () => {
  const { result, deeds } = await one({
    steps: [{ deadlineMs: 40, group: { steps: [{ powerOff: {} }, { waitFor: { ms: 60_000 } }] } }],
  });
  assert.is(result.failure!.code, 'step-too-long');
  assert.is(deeds[0], 'hub: off');
});

test('lists of steps run beside each other, and the first failure ends the others', async () => {
  const order: string[] = [];
  const call = (what: string) => ({ call: () => void order.push(what) });
  const { result } = await one({
    steps: [
      {
        parallel: [
          [{ waitFor: { ms: 30 } }, call('slow')],
          [call('quick'), { waitFor: { ms: 5 } }],
        ],
      },
      call('after'),
      { parallel: [[{ waitFor: { ms: 60_000 } }, call('never')], [{ press: {} }]] },
    ],
  });
  assert.equal(order, ['quick', 'slow', 'after']);
  assert.is(result.failure!.step, 'steps[2].parallel[1][0]');
  assert.ok(result.wallMs < 10_000);
});

test('what a call throws is a check that did not hold, unless it says its own class', async () => {
  const failing = async (error: Error) => {
    const throws = () => {
      throw error;
    };
    return (await one({ steps: [{ call: throws }] })).result.failure!;
  };
  const plain = await failing(new Error('seven is not eight'));
  assert.is(plain.code, 'call-failed');
  assert.is(plain.class, 'assertion');
  assert.match(plain.actual!, 'seven');
  assert.is((await failing(labError('power-failed'))).class, 'infra');
});

test('a call gets the run: its devices, and what is to be undone', async () => {
  let undone = 0;
  const { result } = await one({
    devices: { left: {} },
    steps: [
      {
        call: (run: LabRun) => {
          assert.is(run.device('left').id, 'hub');
          run.undoAtEnd(() => void undone++);
        },
      },
    ],
  });
  assert.is(result.outcome, 'passed');
  assert.is(undone, 1);
});

test('a command ends as it has to, or with what it said', async () => {
  const sh = (text: string) => ['sh', '-c', text];
  const well = await one({ steps: [{ runCommand: { command: sh('exit 3'), exit: 3 } }] });
  assert.is(well.result.outcome, 'passed');
  const ill = await one({ steps: [{ runCommand: { command: sh('echo no relay; exit 1') } }] });
  assert.is(ill.result.failure!.class, 'infra');
  assert.match(ill.result.failure!.actual!, /exit code 1: no relay/);
  const absent = await one({ steps: [{ runCommand: { command: ['/no/such/program'] } }] });
  assert.is(absent.result.failure!.code, 'command-failed');
  const endless = { runCommand: { command: sh('sleep 60 & wait') }, deadlineMs: 60 };
  assert.is((await one({ steps: [endless] })).result.failure!.code, 'command-failed');
});

test('a network that was cut comes back, also where the run is over before', async () => {
  const folder = newFolder();
  const log = join(folder, 'log');
  const say = (word: string) => ['sh', '-c', `echo ${word} >> ${log}`];
  const wan = (forMs: number) => ({ wanCut: { cut: say('cut'), restore: say('back'), forMs } });
  await one({ steps: [wan(5)] });
  assert.is(readFileSync(log, 'utf8'), 'cut\nback\n');
  writeFileSync(log, '');
  const { result } = await one({ steps: [{ ...wan(60_000), deadlineMs: 100 }] });
  assert.is(result.failure!.code, 'command-failed');
  assert.is(readFileSync(log, 'utf8'), 'cut\nback\n');
});

test('the clock jumps for the rest of the run, and no further', async () => {
  const realMs = Date.now();
  let seenMs = 0;
  await one({
    steps: [
      { clockJump: { ms: 3_600_000 } },
      { clockJump: { ms: 3_600_000 } },
      {
        call: () => {
          seenMs = Date.now();
        },
      },
    ],
  });
  assert.ok(Math.abs(seenMs - realMs - 7_200_000) < 60_000);
  assert.ok(Math.abs(Date.now() - realMs) < 60_000);
  const undo = jumpClock(-1_000_000);
  assert.ok(Date.now() < realMs);
  undo();
});

test('a disk that others need is not filled', async () => {
  const folder = newFolder();
  assert.throws(
    () => refuseSharedDisk(folder, () => 2 ** 31),
    (error: Error & { code?: string }) => error.code === 'disk-shared',
  );
  refuseSharedDisk(folder, () => 2 ** 20);
});

test('interrupted, a run cleans up and is neither passed nor failed', async () => {
  const stop = new AbortController();
  const fake = new FakeRig();
  const { results, end } = await runOn(
    fake,
    1,
    {
      name: 'long',
      steps: [
        { powerOff: {} },
        { call: () => stop.abort() },
        { waitFor: { ms: 60_000 } },
        { press: {} },
      ],
      cleanUp: [{ powerOn: {} }],
    },
    { signal: stop.signal },
  );
  assert.is(results[0]!.result.outcome, 'interrupted');
  assert.is(results[0]!.isFinal, false);
  assert.equal(fake.deeds, ['hub: off', 'hub: on', 'hub: closed']);
  assert.is(end.left, 1);
  assert.is(end.isInterrupted, true);
});

test.after(removeFolders);
test.run();
