/**
 * Whole upgrades of Communications Hubs through the command line, serialport and a pseudo-terminal, with
 * what can go wrong on the way. The hubs are virtual and in this process, their lines as slow as real ones.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GeckoBoard } from '../../src/virtual/communications-hub/gecko-board.ts';
import type { SmpBoard } from '../../src/virtual/communications-hub/smp-board.ts';
import { HUB_FIRMWARE, HubRig, type HubRigOptions } from '../support/hub-rigs.ts';
import {
  type CliResult,
  FIRMWARE,
  NEW_VERSION,
  runCli,
  sleep,
  startCli,
  TestRig,
} from '../support/rigs.ts';

const test = suite('hub upgrade');
const IMAGE_BYTES = readFileSync(HUB_FIRMWARE.new).length;

/** With framing. */
const WIRE_BYTES = 1.5 * IMAGE_BYTES;

type Event = Record<string, unknown>;

async function withRig(
  options: HubRigOptions,
  body: (rig: HubRig) => Promise<void>,
): Promise<void> {
  const rig = await HubRig.up(options);
  try {
    await body(rig);
  } finally {
    await rig.down();
  }
}

/** `0 2.0.0 sound, next boot: none` */
function running(rig: HubRig, n = 0): string {
  const { bootloader } = rig.hubs[n]!.hub.board as SmpBoard;
  const found = bootloader.readImage(0, 0);
  if (!found.ok) return found.fault;
  const { major, minor, revision } = found.image.version;
  return `${major}.${minor}.${revision}, next boot: ${bootloader.swapType(0)}`;
}

function outcome(result: CliResult, n = 0): Event {
  const last = result.events.find(({ kind }) => kind === 'result');
  return (last?.['outcomes'] as Event[] | undefined)?.[n] ?? {};
}

function notes(result: CliResult): string[] {
  return result.events.flatMap(({ kind, text }) => (kind === 'note' ? [String(text)] : []));
}

function assertDone(result: CliResult, rig: HubRig): void {
  const { state, detail } = outcome(result);
  assert.is(result.code, 0, `${state}, ${detail}\n${result.stdout.slice(-3000)}${result.stderr}`);
  assert.is(state, 'done');
  assert.match(String(detail), /read back/);
  assert.is(running(rig), '2.0.0, next boot: none');
}

const past = (share: number) => (event: Event) =>
  event['kind'] === 'progress' && Number(event['sentBytes']) > share * IMAGE_BYTES;

test('a clean line: what is there and what will happen is said before the first byte', async () => {
  await withRig({}, async (rig) => {
    const result = await runCli(rig.flashArguments());
    assertDone(result, rig);
    const kinds = result.events.map(({ kind, state, text }) => String(state ?? text ?? kind));
    const first = kinds.indexOf('progress');
    const before = kinds.slice(0, first).join('\n');
    assert.match(before, /its application answers: slot 0 runs 1\.0\.0, confirmed/);
    assert.match(before, /98979 bytes go into the slot that does not run/);
    const last = result.events.findLast(({ kind }) => kind === 'progress')!;
    assert.is(last['sentBytes'], IMAGE_BYTES);
    assert.is(outcome(result)['port'], rig.portOf(1));
  });
});

test('the gateway is killed with -9 half-way, and goes on where it was', async () => {
  await withRig({}, async (rig) => {
    const run = startCli(rig.flashArguments());
    await run.until(past(0.5));
    await run.powerCut();
    const before = rig.hub.hub.receivedBytes;
    const result = await runCli(rig.flashArguments());
    assertDone(result, rig);
    assert.ok(notes(result).some((text) => /goes on at byte/.test(text)));
    const all = rig.hub.hub.receivedBytes;
    assert.ok(all < 1.2 * WIRE_BYTES, `${before} bytes of the line before, ${all} in all`);
  });
});

test('the port vanishes half-way and returns', async () => {
  await withRig({}, async (rig) => {
    const run = startCli(rig.flashArguments());
    await run.until(past(0.4));
    await rig.hub.unplug();
    await sleep(700);
    await rig.hub.plug();
    const result = await run.done;
    assertDone(result, rig);
    assert.ok(
      notes(result).some((text) => /^link down: vanished/.test(text)),
      'said',
    );
    assert.ok(
      notes(result).some((text) => /goes on at byte/.test(text)),
      'went on',
    );
  });
});

test('the hub loses its power half-way', async () => {
  await withRig({}, async (rig) => {
    const run = startCli(rig.flashArguments());
    await run.until(past(0.4));
    rig.hub.hub.powerOff();
    await sleep(300);
    rig.hub.hub.powerOn();
    const result = await run.done;
    assertDone(result, rig);
    assert.ok(notes(result).some((text) => /restarted in the upload/.test(text)));
  });
});

test('log lines among the answers, and answers that come late', async () => {
  const faults = { babble: 0.2, lateAnswer: 0.01, lateAnswerMs: 300 };
  await withRig({ settings: { faults } }, async (rig) => {
    assertDone(await runCli(rig.flashArguments()), rig);
  });
});

test('another speed than the hub', async () => {
  await withRig({ settings: { faults: { wrongBaudRate: true } } }, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--wait', '3']);
    assert.is(result.code, 6, result.stdout);
    assert.is(outcome(result)['code'], 'hub-silent');
    assert.is(running(rig), '1.0.0, next boot: none');
  });
});

test('another program holds the port', async () => {
  await withRig({}, async (rig) => {
    const port = new SerialPort({ path: rig.portOf(1), baudRate: 115_200 });
    await new Promise((opened) => port.once('open', opened));
    const result = await runCli(rig.flashArguments());
    await new Promise<void>((closed) => port.close(() => closed()));
    assert.is(result.code, 6, result.stdout);
    const { error } = result.events.at(-1) as { error: Event };
    assert.is(error['code'], 'port-in-use');
  });
});

test('held, and activated by a command of its own without a second upload', async () => {
  await withRig({}, async (rig) => {
    const held = await runCli([...rig.flashArguments(), '--activate', 'held']);
    assert.is(held.code, 0, held.stdout);
    assert.is(outcome(held)['state'], 'awaiting-activation');
    assert.is(running(rig), '1.0.0, next boot: none');
    const before = rig.hub.hub.receivedBytes;
    const activated = await runCli([...rig.flashArguments(), '--activate', 'now']);
    assertDone(activated, rig);
    assert.ok(rig.hub.hub.receivedBytes - before < 2_000, 'nothing is sent again');
    const again = await runCli(rig.flashArguments());
    assert.is(again.code, 0, 'what runs already is done');
  });
});

test('an image that does not stay is an upgrade that failed', async () => {
  const settings = { faults: { crashAfterActivationMs: 1 } };
  await withRig({ settings }, async (rig) => {
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 5, result.stdout);
    assert.is(outcome(result)['code'], 'device-reverted');
    assert.is(running(rig), '1.0.0, next boot: none');
  });
});

test('an image that the bootloader of the hub does not take', async () => {
  await withRig({ settings: { faults: { refusesImage: true } } }, async (rig) => {
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 5, result.stdout);
    assert.is(outcome(result)['code'], 'image-dropped-at-boot');
    assert.is(running(rig), '1.0.0, next boot: none');
  });
});

test('a bootloader that takes GBL', async () => {
  await withRig({ protocol: 'gecko-bootloader' }, async (rig) => {
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 0, result.stdout.slice(-3000) + result.stderr);
    assert.is((rig.hub.hub.board as GeckoBoard).application?.version, 0x20000);
    assert.match(String(outcome(result)['detail']), /the application says 0x00020000/);
    const said = notes(result).join('\n');
    assert.match(said, /step 1 of enterBootloader passed over: the port has no RTS and DTR/);
    assert.match(said, /from the first block on that is gone/);
  });
});

test('Ctrl-C: an upload over SMP goes on later, a bootloader is left in its menu', async () => {
  await withRig({}, async (rig) => {
    const run = startCli(rig.flashArguments());
    await run.until(past(0.3));
    run.child.kill('SIGINT');
    const stopped = await run.done;
    assert.is(stopped.code, 130, stopped.stdout.slice(-2000));
    const result = await runCli(rig.flashArguments());
    assertDone(result, rig);
    assert.ok(notes(result).some((text) => /goes on at byte/.test(text)));
  });
  // Slow enough to be stopped before it is through.
  const settings = { turnRoundMs: 30 };
  await withRig({ protocol: 'gecko-bootloader', settings }, async (rig) => {
    const run = startCli(rig.flashArguments());
    await run.until(({ kind, sentBytes }) => kind === 'progress' && Number(sentBytes) > 1_000);
    run.child.kill('SIGINT');
    const stopped = await run.done;
    assert.is(stopped.code, 130, stopped.stdout.slice(-2000));
    assert.match(String(outcome(stopped)['detail']), /in its bootloader, without an application/);
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 0, result.stdout.slice(-3000));
  });
});

test('one rig with two hubs and a PPMID: each image goes to those that take it', async () => {
  const ppmids = await TestRig.make({ port: join(tmpdir(), `uplift-both-${process.pid}`) });
  try {
    await ppmids.up();
    await withRig({ hubs: 2 }, async (rig) => {
      const document = JSON.parse(readFileSync(ppmids.path, 'utf8'));
      document.devices.push(...rig.devices());
      const path = join(ppmids.folder, 'both.yaml');
      writeFileSync(path, JSON.stringify(document));
      const common = ['flash', '--rig', path, '--json'];
      const hubs = await runCli([
        ...[...common, '--image', HUB_FIRMWARE.new],
        ...['--no-cpl', '--trust', HUB_FIRMWARE.trust],
      ]);
      assert.is(hubs.code, 0, hubs.stdout.slice(-2000) + hubs.stderr);
      assert.is(outcome(hubs, 0)['state'], 'done');
      assert.is(outcome(hubs, 1)['state'], 'done');
      for (const n of [0, 1]) assert.is(running(rig, n), '2.0.0, next boot: none');
      assert.equal(hubs.events.at(-1)?.['leftOut'], ['ppmid']);
      const one = await runCli([...common, '--image', FIRMWARE.new, '--cpl', FIRMWARE.list]);
      assert.is(one.code, 0, one.stdout.slice(-2000) + one.stderr);
      assert.is(ppmids.device().fileVersion, NEW_VERSION);
      assert.equal(one.events.at(-1)?.['leftOut'], ['hub-1', 'hub-2']);
    });
  } finally {
    await ppmids.remove();
  }
});

test.run();
