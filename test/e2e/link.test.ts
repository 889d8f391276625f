/**
 * A coordinator's worker process with the real driver, while its line does what lines do: it hangs, is hung
 * up, glues and cuts frames, corrupts them, runs full; and while the process itself is killed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadRig } from '../../src/config/load.ts';
import type { Rig } from '../../src/config/schema.ts';
import { ZigbeeLink } from '../../src/transport/zigbee/client.ts';
import type { CoordinatorOptions, LinkEvent } from '../../src/transport/zigbee/messages.ts';
import type { WireFaults } from '../../src/virtual/host-output.ts';
import { startVirtualRig } from '../../src/virtual/rig.ts';
import { sealFirmware } from '../../src/virtual/sealed-firmware.ts';
import { counting, naiveImage } from '../image/naive-ota.ts';
import {
  FIRMWARE,
  NEW_VERSION,
  runCli,
  sha256Of,
  sleep,
  startCli,
  TestRig,
  type TestRigOptions,
} from '../support/rigs.ts';

const test = suite('link');
const EUI64 = '000d6f000a9069e7';

/** A worker on a rig's first coordinator, and all it said. */
class Worker {
  readonly link: ZigbeeLink;
  readonly events: LinkEvent[] = [];
  readonly ends: string[] = [];
  private readonly rig: Rig;
  private readonly options: Partial<CoordinatorOptions>;

  constructor(rig: Rig, options: Partial<CoordinatorOptions> = {}) {
    this.rig = rig;
    this.options = options;
    this.link = new ZigbeeLink(
      (event) => this.events.push(event),
      (reason) => this.ends.push(reason),
    );
  }

  get pid(): number {
    return this.link['worker'].pid!;
  }

  async open(): Promise<this> {
    const { adapter, port, baudRate, rtscts, network, inFlightMax } = this.rig.coordinators[0]!;
    const { panId, extendedPanId, channel, networkKey } = network;
    await this.link.call('open', {
      adapter,
      port,
      baudRate,
      rtscts,
      panId,
      extendedPanId,
      channel,
      networkKey,
      stateFolder: join(this.rig.stateFolder, 'zigbee-1'),
      inFlightMax,
      ...this.options,
    });
    const eui64s = [EUI64];
    const joined = await this.link.call('join', { eui64s, installCodes: [], timeoutMs: 10_000 });
    assert.equal(joined.missing, []);
    return this;
  }

  /** Gives the device an image and invites it. */
  async serve(image: SmallImage): Promise<void> {
    await this.link.call('assign', {
      eui64: EUI64,
      endpoint: 1,
      imagePath: image.path,
      imageOffset: 0,
      token: { sha256: image.sha256, bytes: image.bytes },
      triple: {
        manufacturerCode: 0x121d,
        imageType: image.imageType,
        fileVersion: NEW_VERSION,
      },
      authorised: true,
      resumable: true,
      activation: { when: 'now' },
      stallMs: 20_000,
    });
    await this.link.call('notify', { eui64: EUI64, payloadType: 0 });
  }

  async until(fits: (event: LinkEvent) => boolean, mostMs: number): Promise<LinkEvent> {
    const deadlineMs = Date.now() + mostMs;
    for (;;) {
      const found = this.events.find(fits);
      if (found) return found;
      assert.ok(Date.now() < deadlineMs, `not within ${mostMs} ms: ${said(this.events)}`);
      await sleep(10);
    }
  }

  kind(kind: LinkEvent['kind'], mostMs = 15_000): Promise<LinkEvent> {
    return this.until((event) => event.kind === kind, mostMs);
  }

  sent(bytes: number): Promise<LinkEvent> {
    return this.until(
      (event) => event.kind === 'progress' && (event.samples[0]?.sentBytes ?? 0) >= bytes,
      15_000,
    );
  }

  /** Processor time the worker has used, ms; Linux only. */
  cpuMs(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  }
}

function said(events: LinkEvent[]): string {
  return JSON.stringify(events.filter(({ kind }) => kind !== 'progress').slice(-12));
}

interface SmallImage {
  path: string;
  bytes: number;
  sha256: string;
  imageType: number;
}

function smallImage(rig: TestRig, kibibytes: number, imageType = 0x0084): SmallImage {
  const path = join(rig.folder, 'small.zigbee');
  const body = [...sealFirmware(Uint8Array.from(counting(kibibytes * 1024 + 3, 11)))];
  const image = naiveImage({
    fileVersion: NEW_VERSION,
    imageType,
    hardware: [0x0100, 0x01ff],
    body,
  });
  writeFileSync(path, image);
  return { path, bytes: image.length, sha256: sha256Of(path), imageType };
}

async function withRig(options: TestRigOptions, body: (rig: TestRig) => Promise<void>) {
  const rig = await TestRig.make(options);
  try {
    await rig.up();
    await body(rig);
  } finally {
    await rig.remove();
  }
}

async function withWorker(
  rig: TestRig,
  options: Partial<CoordinatorOptions>,
  body: (worker: Worker) => Promise<void>,
): Promise<void> {
  const worker = new Worker(rig.rig, options);
  try {
    await body(await worker.open());
    assert.equal(worker.ends, [], 'the worker did not end unasked');
  } finally {
    await worker.link.close();
  }
}

/** The device runs the image, byte for byte. */
async function upgraded(rig: TestRig, image: SmallImage, mostMs = 15_000): Promise<void> {
  const deadlineMs = Date.now() + mostMs;
  while (rig.device().fileVersion !== NEW_VERSION) {
    assert.ok(Date.now() < deadlineMs, `not upgraded in ${mostMs} ms`);
    await sleep(10);
  }
  assert.is(rig.device().activeSha256, image.sha256);
  assert.is(rig.device().activations, 1);
}

const PATIENT = { failuresMax: 1_000 };

for (const lane of [true, false]) {
  const way = lane ? 'the lane' : "the driver's public way";

  test(`an upgrade by ${way}`, async () => {
    await withRig({}, async (rig) => {
      await withWorker(rig, { lane }, async (worker) => {
        const image = smallImage(rig, 64);
        await worker.serve(image);
        await worker.kind('downloaded');
        await upgraded(rig, image);
        const { bytesReceived } = rig.device().client.counters;
        assert.is(bytesReceived, image.bytes, 'each byte once');
      });
    });
  });

  test(`a coordinator that restarts by itself, by ${way}`, async () => {
    await withRig({ linkDelayMs: 2, otaClient: PATIENT }, async (rig) => {
      await withWorker(rig, { lane }, async (worker) => {
        const image = smallImage(rig, 16);
        await worker.serve(image);
        await worker.sent(4_000);
        rig.coordinator().powerCycle();
        await worker.kind('link-up');
        await upgraded(rig, image);
      });
    });
  });

  const wires: [string, Partial<WireFaults>, number][] = [
    ['frames glued together', { coalesceMs: 4 }, 32],
    ['frames cut in two', { splitWrites: 0.3 }, 32],
    ['wrong checksums', { wrongCheck: 0.003 }, 16],
    ['a coordinator whose buffer is full', { bufferFull: 0.1 }, 16],
  ];
  for (const [name, wireFaults, kibibytes] of wires) {
    test(`${name}, by ${way}`, async () => {
      await withRig({ otaClient: PATIENT }, async (rig) => {
        await withWorker(rig, { lane }, async (worker) => {
          const image = smallImage(rig, kibibytes);
          rig.coordinator().wireFaults = wireFaults;
          await worker.serve(image);
          await upgraded(rig, image, 60_000);
          rig.coordinator().wireFaults = {};
        });
      });
    });
  }
}

test('while a device downloads, what other traffic waits is told; a block period holds it back', async () => {
  await withRig(
    { linkDelayMs: 10, otaClient: { ...PATIENT, answerTimeoutMs: 3_000 } },
    async (rig) => {
      await withWorker(rig, {}, async (worker) => {
        const image = smallImage(rig, 16);
        await worker.serve(image);
        const probed = await worker.kind('probed');
        assert.ok(probed.kind === 'probed' && probed.answerMs >= 20 && probed.answerMs < 3_000);
        await worker.link.call('pace', { blockPeriodMs: 400 });
        const { counters } = rig.device().client;
        await sleep(500);
        const [before, fromMs] = [counters.blocksReceived, performance.now()];
        await sleep(2_000);
        const blocks = counters.blocksReceived - before;
        const blocksMax = (performance.now() - fromMs) / 400 + 1;
        assert.ok(blocks > 0 && blocks <= blocksMax, `${blocks} blocks, one each 400 ms at most`);
        await worker.link.call('pace', { blockPeriodMs: 0 });
        await upgraded(rig, image);
      });
    },
  );
});

test('an image type above 0xFFBF, which the driver itself refuses', async () => {
  for (const lane of [true, false]) {
    await withRig({}, async (rig) => {
      const image = smallImage(rig, 16, 0xffc1);
      const model = JSON.parse(readFileSync(join(rig.folder, 'model.yaml'), 'utf8'));
      model.zigbee.imageType = image.imageType;
      writeFileSync(join(rig.folder, 'model.yaml'), JSON.stringify(model));
      await rig.down();
      const changed = loadRig(rig.path);
      const virtual = await startVirtualRig(changed);
      rig.virtual = virtual;
      await withWorker(rig, { lane }, async (worker) => {
        await worker.serve(image);
        await upgraded(rig, image);
      });
    });
  }
});

test('a coordinator that hangs is noticed, and found again', async () => {
  await withRig({ linkDelayMs: 2, otaClient: PATIENT }, async (rig) => {
    await withWorker(rig, {}, async (worker) => {
      const image = smallImage(rig, 32);
      await worker.serve(image);
      await worker.sent(8_000);
      rig.coordinator().wireFaults = { droppedResponse: 1 };
      const hungMs = Date.now();
      await worker.kind('link-down', 14_000);
      console.log(`NOTE hung coordinator noticed after ${Date.now() - hungMs} ms`);
      await assertRejects(worker.link.call('devices', {}), 'link-down');
      await sleep(3_000);
      assert.is(worker.events.filter(({ kind }) => kind === 'link-up').length, 0);
      rig.coordinator().wireFaults = {};
      const backMs = Date.now();
      await worker.kind('link-up', 20_000);
      console.log(`NOTE found again ${Date.now() - backMs} ms after it answers`);
      await upgraded(rig, image);
      assert.ok(rig.device().client.counters.bytesReceived < 1.05 * image.bytes, 'it went on');
    });
  });
});

for (const when of ['idle', 'in a download'] as const) {
  test(`a pseudo-terminal hung up, ${when}`, async () => {
    const port = `/tmp/uplift-link-${process.pid}`;
    await withRig({ port, linkDelayMs: 2, otaClient: PATIENT }, async (rig) => {
      await withWorker(rig, {}, async (worker) => {
        const image = smallImage(rig, 32);
        if (when === 'in a download') {
          await worker.serve(image);
          await worker.sent(8_000);
        }
        const cutMs = Date.now();
        const beforeMs = worker.cpuMs();
        await rig.coordinator().cutLink();
        await worker.kind('link-down', 14_000);
        const spentMs = worker.cpuMs() - beforeMs;
        console.log(
          `NOTE ${when}: noticed after ${Date.now() - cutMs} ms, ${spentMs} ms of CPU until then`,
        );
        const quietMs = worker.cpuMs();
        await sleep(1_000);
        const idleMs = worker.cpuMs() - quietMs;
        assert.ok(idleMs < 300, `${idleMs} ms of CPU in a second without a line`);
        await rig.coordinator().restoreLink();
        await worker.kind('link-up');
        if (when === 'idle') await worker.serve(image);
        await upgraded(rig, image);
        assert.ok(rig.device().client.counters.bytesReceived < 1.05 * image.bytes, 'it went on');
      });
    });
  });
}

test('a worker that is killed rejects what is under way, and says so once', async () => {
  await withRig({}, async (rig) => {
    const worker = await new Worker(rig.rig).open();
    rig.coordinator().radio.linkDelayMs = 2_000;
    const read = worker.link.call('read', { eui64: EUI64, endpoint: 1, timeoutMs: 6_000 });
    await sleep(50);
    process.kill(worker.pid, 'SIGKILL');
    const error = await assertRejects(read, 'worker-ended');
    assert.match(error.message, /SIGKILL/);
    assert.is(error['exit'], 4);
    await assertRejects(worker.link.call('devices', {}), 'worker-ended');
    assert.is(worker.ends.length, 1);
    await worker.link.close();
  });
});

test('calls made while a worker dies are all answered', async () => {
  await withRig({}, async (rig) => {
    const worker = await new Worker(rig.rig).open();
    process.kill(worker.pid, 'SIGKILL');
    const endMs = Date.now() + 300;
    const calls: Promise<unknown>[] = [];
    while (Date.now() < endMs) {
      calls.push(worker.link.call('devices', {}).catch((error) => error.code));
      await sleep(1);
    }
    const all = await Promise.race([Promise.all(calls), sleep(3_000)]);
    assert.ok(Array.isArray(all), 'none is left without an answer');
    assert.is(worker.ends.length, 1);
    await worker.link.close();
  });
});

test('a flash whose worker is killed fails as a transfer, and the next goes on', async () => {
  await withRig({ linkDelayMs: 1 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until((event) => event['kind'] === 'progress' && Number(event['sentBytes']) > 80_000);
    const children = readFileSync(`/proc/${run.child.pid}/task/${run.child.pid}/children`, 'utf8');
    process.kill(Number(children.trim().split(' ')[0]), 'SIGKILL');
    const result = await run.done;
    assert.is(result.code, 4, result.stdout.slice(-2_000) + result.stderr);
    assert.match(result.stdout, /worker-ended/);
    const again = await runCli([...rig.flashArguments(), '--json']);
    assert.is(again.code, 0, again.stdout.slice(-2_000) + again.stderr);
    assert.is(rig.device().activations, 1);
    const { bytesReceived } = rig.device().client.counters;
    assert.ok(bytesReceived < 1.02 * 262_204, `it went on: ${bytesReceived}`);
  });
});

test('two coordinators of one rig at once', async () => {
  const rig = await TestRig.make({ devices: 2 });
  const second = await TestRig.make({});
  try {
    const text = JSON.parse(readFileSync(rig.path, 'utf8'));
    const other = JSON.parse(readFileSync(second.path, 'utf8')).coordinators[0];
    const network = { ...other.network, panId: 0x1a63, extendedPanId: 'eeeeeeeeeeeeeeee' };
    text.coordinators.push({ ...other, id: 'zigbee-2', network });
    text.devices.push({
      ...text.devices[0],
      id: 'other',
      coordinator: 'zigbee-2',
      eui64: '00:0d:6f:00:0b:90:00:01',
    });
    writeFileSync(rig.path, JSON.stringify(text));
    const both = loadRig(rig.path);
    rig.virtual = await startVirtualRig(both);
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 0, result.stdout.slice(-2_000) + result.stderr);
    assert.is(both.devices.length, 4);
    for (const { id } of both.devices) {
      assert.is(rig.device(id).fileVersion, NEW_VERSION, id);
      assert.is(rig.device(id).activeSha256, sha256Of(FIRMWARE.new), id);
    }
  } finally {
    await rig.remove();
    await second.remove();
  }
});

async function assertRejects(
  call: Promise<unknown>,
  code: string,
): Promise<Error & Record<string, unknown>> {
  const error = await call.then(
    () => undefined,
    (reason: Error & Record<string, unknown>) => reason,
  );
  assert.is(error?.['code'], code);
  return error!;
}

test.run();
