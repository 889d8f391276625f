/**
 * Whole upgrades of 256 KiB through the command line, zigbee-herdsman's real driver and a virtual
 * coordinator on a socket or a pseudo-terminal, with everything that can go wrong on the way.
 */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  FIRMWARE,
  NEW_VERSION,
  OLD_VERSION,
  runCli,
  sha256Of,
  sleep,
  startCli,
  TestRig,
  type TestRigOptions,
} from '../support/rigs.ts';

const test = suite('upgrade');
const NEW_SHA256 = sha256Of(FIRMWARE.new);
const IMAGE_BYTES = 262_204;

async function withRig(
  options: TestRigOptions,
  body: (rig: TestRig) => Promise<void>,
): Promise<void> {
  const rig = await TestRig.make(options);
  try {
    await rig.up();
    await body(rig);
    assert.is(
      rig.coordinator().counters.unknownCommands,
      0,
      'the driver asked nothing the coordinator lacks',
    );
  } finally {
    await rig.remove();
  }
}

function assertUpgraded(rig: TestRig, id?: string): void {
  const device = rig.device(id);
  assert.is(device.fileVersion, NEW_VERSION, `${id ?? 'the device'} runs the new version`);
  assert.is(device.activeSha256, NEW_SHA256, 'of exactly the bytes of the file');
  assert.is(device.activations, 1, 'activated once');
}

function outcomes(result: { events: Record<string, unknown>[] }): Record<string, unknown>[] {
  return result.events.find((event) => event['kind'] === 'result')!['outcomes'] as Record<
    string,
    unknown
  >[];
}

test('a clean line, over TCP', async () => {
  await withRig({}, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout + result.stderr);
    assertUpgraded(rig);
    assert.is(outcomes(result)[0]!['state'], 'done');
    assert.match(String(outcomes(result)[0]!['detail']), /read back/);
  });
});

test('a clean line, over a pseudo-terminal', async () => {
  const folder = `/tmp/uplift-pty-${process.pid}`;
  await withRig({ port: folder }, async (rig) => {
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 0, result.stdout + result.stderr);
    assertUpgraded(rig);
  });
});

test('a blank coordinator: the driver forms the network first', async () => {
  await withRig({ network: 'blank' }, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout + result.stderr);
    const opened = result.events.find((event) => event['kind'] === 'opened')!['result'];
    assert.is((opened as Record<string, unknown>)['start'], 'reset');
    assertUpgraded(rig);
  });
});

test('10 % loss each way', async () => {
  await withRig({ otaClient: { answerTimeoutMs: 20, retryPauseMs: 2 } }, async (rig) => {
    assert.is((await runCli(['rig', 'join', '--rig', rig.path])).code, 0);
    rig.coordinator().linkFaults = { lossDown: 0.1, lossUp: 0.1 };
    const result = await runCli([...rig.flashArguments(), '--json']);
    rig.coordinator().linkFaults = {};
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
    const { lostDown, lostUp } = rig.coordinator().radio.counters;
    assert.ok(lostDown > 300 && lostUp > 300, `frames were lost: ${lostDown} down, ${lostUp} up`);
  });
});

test('restarts at five hundred different blocks, ten devices', async () => {
  const restartAtBlock = Array.from({ length: 50 }, (_, index) => index * 104 + 3);
  await withRig({ devices: 10, faults: { restartAtBlock } }, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    for (const { id } of rig.rig.devices) assertUpgraded(rig, id);
    for (const { id } of rig.rig.devices)
      assert.ok(rig.device(id).restarts >= 50, `${id} restarted`);
  });
});

test('restarts that lose the progress or the network address', async () => {
  const faults = { restartAtBlock: [700, 2500], losesProgress: true, rejoinWithNewAddress: true };
  await withRig({ faults }, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
  });
});

test('the link to the coordinator is cut and restored', async () => {
  await withRig({ linkDelayMs: 1 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    for (const share of [0.2, 0.6]) {
      await run.until(
        (event) => event['kind'] === 'progress' && Number(event['sentBytes']) > share * IMAGE_BYTES,
      );
      await rig.coordinator().cutLink();
      await sleep(400);
      await rig.coordinator().restoreLink();
    }
    const result = await run.done;
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    const notes = result.events.filter((event) => /link up again/.test(String(event['text'])));
    assert.ok(notes.length >= 2, 'the cuts were seen and said');
    assertUpgraded(rig);
    assert.ok(
      rig.device().client.counters.bytesReceived < 1.1 * IMAGE_BYTES,
      'nothing was sent anew',
    );
  });
});

test('the coordinator restarts by itself', async () => {
  await withRig({ linkDelayMs: 1 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(
      (event) => event['kind'] === 'progress' && Number(event['sentBytes']) > 0.3 * IMAGE_BYTES,
    );
    rig.coordinator().powerCycle();
    const result = await run.done;
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
  });
});

test('the gateway is killed with -9 half-way and started again', async () => {
  await withRig({ linkDelayMs: 1 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(
      (event) => event['kind'] === 'progress' && Number(event['sentBytes']) > 0.5 * IMAGE_BYTES,
    );
    await run.powerCut();
    await sleep(300);
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
    const { bytesReceived } = rig.device().client.counters;
    assert.ok(bytesReceived <= IMAGE_BYTES + 2 * 50, `at most one block twice: ${bytesReceived}`);
  });
});

test('Ctrl-C stops cleanly and the next flash goes on', async () => {
  await withRig({ linkDelayMs: 1, otaClient: { waitMaxMs: 300 } }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(
      (event) => event['kind'] === 'progress' && Number(event['sentBytes']) > 0.4 * IMAGE_BYTES,
    );
    run.child.kill('SIGINT');
    const stopped = await run.done;
    assert.is(stopped.code, 130, stopped.stdout.slice(-2000) + stopped.stderr);
    assert.is(outcomes(stopped)[0]!['state'], 'interrupted');
    assert.ok(rig.device().client.counters.waits > 0, 'the device was told to wait');
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
    const { bytesReceived } = rig.device().client.counters;
    assert.ok(bytesReceived <= IMAGE_BYTES + 2 * 50, `nothing was sent anew: ${bytesReceived}`);
  });
});

test('a partial download of other content is dropped, not continued', async () => {
  await withRig({ linkDelayMs: 1 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(
      (event) => event['kind'] === 'progress' && Number(event['sentBytes']) > 0.3 * IMAGE_BYTES,
    );
    await run.powerCut();
    const { rmSync } = await import('node:fs');
    rmSync(join(rig.rig.stateFolder, 'distribution'), { recursive: true });
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assert.ok(result.events.some((event) => /told to drop/.test(String(event['text']))));
    assertUpgraded(rig);
    assert.ok(rig.device().client.counters.bytesReceived > 1.25 * IMAGE_BYTES, 'it began anew');
  });
});

test('held, then activated by a command of its own', async () => {
  await withRig({}, async (rig) => {
    const held = await runCli([...rig.flashArguments(), '--activate', 'held', '--json']);
    assert.is(held.code, 0, held.stdout.slice(-2000) + held.stderr);
    assert.is(outcomes(held)[0]!['state'], 'awaiting-activation');
    await sleep(300);
    assert.is(rig.device().fileVersion, OLD_VERSION, 'nothing is activated unasked');
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
    assert.is(outcomes(result)[0]!['blocks'], 0, 'without a second download');
  });
});

test('activated at a time', async () => {
  await withRig({}, async (rig) => {
    const at = new Date(Date.now() + 6_000).toISOString();
    const result = await runCli([...rig.flashArguments(), '--activate', at, '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
    assertUpgraded(rig);
    assert.ok(Date.now() >= Date.parse(at), 'not before its time');
  });
});

test('a device that reverts, one that refuses, one that never activates', async () => {
  for (const [faults, code, exit] of [
    [{ revertsAfterActivation: true }, 'device-reverted', 5],
    [{ refusesImage: true }, 'image-refused-by-device', 5],
  ] as const) {
    await withRig({ faults }, async (rig) => {
      const result = await runCli([...rig.flashArguments(), '--json']);
      assert.is(result.code, exit, result.stdout.slice(-2000) + result.stderr);
      assert.is(outcomes(result)[0]!['code'], code);
      assert.is(rig.device().fileVersion, OLD_VERSION);
    });
  }
});

test('pages instead of blocks', async () => {
  await withRig(
    { otaClient: { pageBytes: 1024, pageSpacingMs: 2, answerTimeoutMs: 300 } },
    async (rig) => {
      const result = await runCli([...rig.flashArguments(), '--json']);
      assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
      assertUpgraded(rig);
      assert.ok(rig.device().client.counters.pageRequests > 200);
      assert.is(rig.device().client.counters.emptyBlocks, 0);
    },
  );
});

test('a second flash of the same rig is told who holds it', async () => {
  await withRig({ linkDelayMs: 2 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until((event) => event['kind'] === 'progress');
    const second = await runCli(rig.flashArguments());
    assert.is(second.code, 6);
    assert.match(second.stderr, /rig-in-use/);
    assert.match(second.stderr, new RegExp(String(run.child.pid)));
    assert.is((await run.done).code, 0);
  });
});

test.run();
