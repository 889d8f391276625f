/** Rigs with virtual hubs, by the command line: `rig up` in a process of its own, serialport on its PTYs. */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CliResult, runCli, startCli, type TestHub, TestRig } from '../support/rigs.ts';

const test = suite('hubs of a rig');

interface Checked {
  device: string;
  answers: boolean;
  code?: string;
  next?: string;
  // biome-ignore lint/suspicious/noExplicitAny: looked into freely
  found?: any;
}

async function withRig(hubs: TestHub[], body: (rig: TestRig) => Promise<void>, devices = 0) {
  const rig = await TestRig.make({ devices, hubs });
  try {
    await body(rig);
  } finally {
    await rig.remove();
  }
}

/** Runs the rig in another process while `body` runs. */
async function whileUp(rig: TestRig, body: (ready: Record<string, unknown>) => Promise<void>) {
  const run = startCli(['rig', 'up', '--rig', rig.path, '--json']);
  try {
    await body(await run.until(({ kind }) => kind === 'ready'));
  } finally {
    run.child.kill('SIGTERM');
    assert.is((await run.done).code, 0);
  }
}

function checkedOf({ events }: CliResult): Checked[] {
  return events.find(({ kind }) => kind === 'result')!['devices'] as Checked[];
}

test('up, check, list; stopped and up again; gone', async () => {
  await withRig([{ id: 'hub' }], async (rig) => {
    for (let round = 0; round < 2; round++) {
      await whileUp(rig, async (ready) => {
        assert.equal(ready['hubs'], [{ id: 'hub', path: rig.rig.hubs[0]!.port }]);
        assert.is(ready['devices'], 1);
        const json = await runCli(['rig', 'check', '--rig', rig.path, '--json']);
        assert.is(json.code, 0, json.stdout + json.stderr);
        const [hub] = checkedOf(json);
        assert.is(hub!.answers, true);
        assert.is(hub!.found.mode, 'application');
        assert.is(hub!.found.images[0].version, '1.0.0');
        assert.match(hub!.found.images[0].hash, /^[0-9a-f]{64}$/);
        const words = await runCli(['rig', 'check', '--rig', rig.path]);
        assert.match(words.stdout, /✓ hub .*answers\n +runs +an application that speaks SMP/);
      });
    }
    assert.not.ok(existsSync(rig.rig.hubs[0]!.port));
    const list = await runCli(['rig', 'list', '--rig', rig.path]);
    assert.match(list.stdout, 'smp, 1000000 baud, virtual');
    const check = await runCli(['rig', 'check', '--rig', rig.path]);
    assert.is(check.code, 6);
    assert.match(check.stdout, 'uplift rig up');
  });
});

test('each state that a hub can be in is told, and the bad ones end with exit code 6', async () => {
  const hubs: TestHub[] = [
    { id: 'recovery', virtual: { smp: { startsInRecovery: true } } },
    { id: 'silent', virtual: { faults: { silent: true } } },
    { id: 'noisy', virtual: { faults: { babble: 0.5, noise: 0.001, loss: 0.001 } } },
    { id: 'starting', protocol: 'gecko-bootloader', virtual: { bootMs: 60_000 } },
  ];
  await withRig(hubs, async (rig) => {
    await whileUp(rig, async () => {
      const result = await runCli(['rig', 'check', '--rig', rig.path, '--json']);
      assert.is(result.code, 6, result.stdout + result.stderr);
      const checks = new Map(checkedOf(result).map((check) => [check.device, check]));
      assert.is(checks.get('recovery')!.found.mode, 'recovery');
      assert.is(checks.get('noisy')!.found.mode, 'application');
      assert.is(checks.get('silent')!.code, 'hub-silent');
      assert.is(checks.get('starting')!.code, 'hub-silent');
      assert.match(checks.get('starting')!.next!, 'serial.enterBootloader');
    });
  });
});

test('the wrong speed is guessed from what a hub says by itself', async () => {
  await withRig([{ virtual: { faults: { wrongBaudRate: true } } }], async (rig) => {
    await rig.up();
    const restarts = setInterval(() => rig.hub().hub.reset(), 200);
    const { code, stdout } = await runCli(['rig', 'check', '--rig', rig.path]);
    clearInterval(restarts);
    assert.is(code, 6, stdout);
    assert.match(stdout, /found +.*is the baud rate right\?/);
    assert.match(stdout, /speed +1000000 baud/);
  });
});

test('a bootloader in its menu is told with its version', async () => {
  await withRig([{ id: 'radio', protocol: 'gecko-bootloader' }], async (rig) => {
    await rig.up({
      onEvent: ({ id, event }) => {
        if (event.kind === 'bootloader-started') rig.hub(id).hub.receive(Uint8Array.of(0x0a));
      },
    });
    const { code, stdout } = await runCli(['rig', 'check', '--rig', rig.path]);
    assert.is(code, 0, stdout);
    assert.match(stdout, /runs +Gecko bootloader 2\.04\.01/);
  });
});

test('PPMIDs and hubs in one rig', async () => {
  await withRig(
    [{ id: 'hub' }],
    async (rig) => {
      await rig.up();
      const { code, stdout } = await runCli(['rig', 'check', '--rig', rig.path]);
      assert.is(code, 0, stdout);
      assert.match(stdout, /✓ ppmid .*answers/);
      assert.match(stdout, /✓ hub .*answers/);
      assert.match(stdout, '2 of 2 devices answer');
    },
    1,
  );
});

test.run();
