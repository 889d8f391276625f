/**
 * Our SMP client against the real server: Zephyr 4.4 with MCUboot in QEMU, through serialport on a
 * pseudo-terminal that stays when the board loses its power, as a USB adapter does.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SmpClient } from '../../src/protocol/smp/client.ts';
import type { SmpFailure } from '../../src/protocol/smp/codes.ts';
import { imageStateOf, uploadOutlook } from '../../src/protocol/smp/image-state.ts';
import type {
  ImageEntry,
  SmpAnswer,
  SmpEvent,
  SmpOptions,
  SmpRequest,
  UploadRequest,
} from '../../src/protocol/smp/messages.ts';
import { LinkDriver } from '../../src/transport/serial/driver.ts';
import { SerialLink } from '../../src/transport/serial/serial-link.ts';
import type { HubFinding } from '../../src/upgrade/hub-finding.ts';
import { HubProbe } from '../../src/upgrade/hub-probe.ts';
import { openHostPort } from '../../src/virtual/host-port.ts';
import {
  imageHash,
  otherVersion,
  pause,
  sha256,
  testWithBoard,
  ZephyrBoard,
} from './zephyr-board.ts';

const test = suite('Zephyr in QEMU');

const BAUD_RATE = 115_200;
const BOOT_LIMIT_MS = 10_000;
const SWAP = 'Starting swap';

type Uploaded = Extract<SmpEvent, { kind: 'uploaded' }>;
type Ending = Uploaded | Extract<SmpEvent, { kind: 'failed' }>;

/** So often a board's UART may go deaf in one test. */
const DEAF_MAX = 2;

/** The board at one end of a pseudo-terminal, our driver and client at the other. */
class Desk {
  readonly board: ZephyrBoard;
  readonly driver: LinkDriver;
  /** All of the client's events, but progress. */
  readonly events: SmpEvent[] = [];
  readonly uploadedTo: number[] = [];
  client = new SmpClient();
  private readonly waiting = new Map<number, (event: SmpEvent) => void>();
  private readonly progressWaits: { offset: number; done: () => void }[] = [];
  private readonly close: () => Promise<void>;

  private constructor(board: ZephyrBoard, driver: LinkDriver, close: () => Promise<void>) {
    this.board = board;
    this.driver = driver;
    this.close = close;
  }

  static async open(options: Partial<SmpOptions> = {}): Promise<Desk> {
    const board = await ZephyrBoard.powerOn();
    const folder = mkdtempSync(join(tmpdir(), 'uplift-zephyr-'));
    const port = await openHostPort(join(folder, 'hub0'), {
      connected: () => {},
      received: (chunk) => board.write(chunk.slice()),
      disconnected: () => {},
    });
    board.listen((chunk) => port.write(chunk));
    const driver = new LinkDriver(
      new SerialLink({ port: port.path, baudRate: BAUD_RATE, rtscts: false }),
    );
    const desk = new Desk(board, driver, async () => {
      await driver.close();
      await port.cut();
      await board.remove();
      rmSync(folder, { recursive: true, force: true });
    });
    await driver.open();
    desk.connect(options);
    return desk;
  }

  /** A new client on the link. */
  connect(options: Partial<SmpOptions> = {}): void {
    this.client = new SmpClient(options);
    this.driver.run(this.client, {
      event: (event) => this.take(event),
      closed: (how) => assert.is(how.reason, 'closed', how.detail),
    });
  }

  ended(): Promise<void> {
    return this.close();
  }

  async ask(request: SmpRequest): Promise<SmpAnswer> {
    const event = await this.outcome(this.client.request(request));
    if (event.kind === 'failed') throw new Error(event.failure.message);
    assert.is(event.kind, 'answered');
    return (event as Extract<SmpEvent, { kind: 'answered' }>).answer;
  }

  async refusal(request: SmpRequest): Promise<SmpFailure> {
    const event = await this.outcome(this.client.request(request));
    assert.is(event.kind, 'failed', JSON.stringify(event));
    return (event as Extract<SmpEvent, { kind: 'failed' }>).failure;
  }

  upload(image: Uint8Array, more: Partial<UploadRequest> = {}): Promise<Ending> {
    const named = { sha256: sha256(image), imageHash: imageHash(image) };
    const id = this.client.startUpload({ image, ...named, ...more }, Date.now());
    return this.outcome(id) as Promise<Ending>;
  }

  async uploaded(image: Uint8Array): Promise<Uploaded> {
    const ending = await this.upload(image);
    assert.is(ending.kind, 'uploaded', JSON.stringify(ending));
    return ending as Uploaded;
  }

  /** Resolves when an upload has come so far. */
  reaches(offset: number): Promise<void> {
    return new Promise((done) => this.progressWaits.push({ offset, done }));
  }

  /** `0 1.2.3.4 active | 1 0.0.0 confirmed` */
  async list(): Promise<string> {
    return (await this.images()).map(describe).join(' | ');
  }

  async images(): Promise<ImageEntry[]> {
    return ((await this.ask({ kind: 'image-list' })) as { images: ImageEntry[] }).images;
  }

  async reset(): Promise<void> {
    this.board.heard = Buffer.alloc(0);
    assert.equal(await this.ask({ kind: 'reset' }), { kind: 'reset' });
    assert.ok(await this.board.hasBooted(), 'the board comes back');
  }

  async test(image: Uint8Array): Promise<void> {
    await this.ask({ kind: 'image-test', hash: imageHash(image) });
  }

  /**
   * QEMU's nRF51 UART interrupts for what comes, not for what waits: where the guest clears the event as its
   * six bytes of room are full, it hears nothing ever again. A line that works answers whatever went wrong.
   */
  async isDeaf(): Promise<boolean> {
    this.connect();
    const asked = this.ask({ kind: 'params' });
    return asked.then(
      () => false,
      () => true,
    );
  }

  private outcome(id: number): Promise<SmpEvent> {
    return new Promise((done) => {
      this.waiting.set(id, done);
      this.driver.wake();
    });
  }

  private take(event: SmpEvent): void {
    if (event.kind === 'upload-progress') {
      this.uploadedTo.push(event.offset);
      for (const wait of this.progressWaits) if (event.offset >= wait.offset) wait.done();
      return;
    }
    this.events.push(event);
    if (event.kind === 'upload-started' || event.kind === 'upload-restarted') return;
    this.waiting.get(event.id)?.(event);
    this.waiting.delete(event.id);
  }
}

function describe(entry: ImageEntry): string {
  const flags = (['pending', 'confirmed', 'active', 'permanent'] as const).filter(
    (flag) => entry[flag],
  );
  return [entry.slot, entry.version, ...flags].join(' ');
}

function testAtDesk(
  name: string,
  body: (desk: Desk, a: Uint8Array, b: Uint8Array) => Promise<void>,
): void {
  testWithBoard(test, name, async (a) => {
    for (let deaf = 0; ; deaf++) {
      const desk = await Desk.open();
      try {
        return await body(desk, a, otherVersion(a, [1, 2, 3, 4]));
      } catch (error) {
        if (deaf === DEAF_MAX || !(await desk.isDeaf())) throw error;
        console.log(`NOTE the UART that QEMU emulates went deaf: once more, "${name}"`);
      } finally {
        await desk.ended();
      }
    }
  });
}

const ONLY_A = '0 0.0.0 confirmed active';
const A_AND_B = `${ONLY_A} | 1 1.2.3.4`;
const B_PENDING = `${A_AND_B} pending`;
const B_ON_TRIAL = '0 1.2.3.4 active | 1 0.0.0 confirmed';
const ONLY_B = '0 1.2.3.4 confirmed active';

testAtDesk('an upgrade: params, echo, upload, test, swap, confirm', async (desk, a, b) => {
  assert.equal(await desk.ask({ kind: 'echo', text: 'hi' }), { kind: 'echo', text: 'hi' });
  const params = { bufferBytes: 384, bufferCount: 4, messageBytes: 380 };
  assert.equal(await desk.ask({ kind: 'params' }), { kind: 'params', ...params });
  assert.is(desk.client.messageBytes, 380);
  const info = (await desk.ask({ kind: 'os-info', format: 's' })) as { output: string };
  assert.is(info.output, 'Zephyr');
  assert.is(await desk.list(), ONLY_A);
  const slots = (await desk.ask({ kind: 'slot-info' })) as { slots: { slotBytes: number }[] };
  assert.equal(
    slots.slots.map(({ slotBytes }) => slotBytes),
    [106_496, 106_496],
  );
  const question = { hash: imageHash(b), imageBytes: b.length, mode: 'application' } as const;
  assert.is(uploadOutlook(await desk.images(), question), 'upload');

  const { statistics } = await desk.uploaded(b);
  assert.is(await desk.list(), A_AND_B);
  assert.is(statistics.restarts, 0);
  assert.is(uploadOutlook(await desk.images(), question), 'in-other-slot');
  await desk.test(b);
  assert.is(await desk.list(), B_PENDING);
  assert.is(imageStateOf(await desk.images()).nextBoot, 'tests');
  await desk.reset();
  assert.is(await desk.list(), B_ON_TRIAL);
  assert.is(imageStateOf(await desk.images()).nextBoot, 'reverts');
  await desk.ask({ kind: 'image-confirm' });
  assert.is(await desk.list(), ONLY_B);
  await desk.reset();
  assert.is(await desk.list(), ONLY_B);

  assert.is((await desk.upload(a, { upgradeOnly: true })).kind, 'failed', 'an older version');
  await desk.uploaded(a);
  await desk.ask({ kind: 'image-confirm', hash: imageHash(a) });
  assert.is(imageStateOf(await desk.images()).nextBoot, 'changes');
  await desk.reset();
  assert.is(await desk.list(), ONLY_A);
  const rate = Math.round((b.length * 1_000) / statistics.elapsedMs);
  console.log(
    `NOTE ${b.length} B in ${statistics.requests} requests, ${rate} B/s, ` +
      `${statistics.lost} lost, window ${statistics.window}`,
  );
});

testAtDesk('windows of every size, and small messages', async (desk, _a, b) => {
  for (const [windowMax, messageBytesMax] of [
    [1, 380],
    [4, 124],
    [16, 252],
    [16, 380],
  ] as const) {
    await desk.ask({ kind: 'image-erase' });
    const baudRate = windowMax === 4 ? undefined : BAUD_RATE;
    desk.connect({ windowMax, messageBytesMax, baudRate, firstSequence: 250 });
    const { statistics } = await desk.uploaded(b);
    assert.is(await desk.list(), A_AND_B, `window ${windowMax}, ${messageBytesMax} bytes`);
    assert.is(statistics.restarts, 0);
    assert.ok(statistics.window <= windowMax);
  }
});

testAtDesk('not confirmed, the new image goes back by itself', async (desk, _a, b) => {
  await desk.uploaded(b);
  await desk.test(b);
  await desk.reset();
  assert.is(await desk.list(), B_ON_TRIAL);
  await desk.board.powerCut();
  await desk.board.powerOn();
  assert.is(await desk.list(), A_AND_B, 'after a power cut');
  await desk.test(b);
  await desk.reset();
  assert.is(await desk.list(), B_ON_TRIAL);
  await desk.reset();
  assert.is(await desk.list(), A_AND_B, 'after a reset');
});

testAtDesk('a power cut in the middle of an upload', async (desk, _a, b) => {
  // How long a hub may be away is its owner's to say.
  desk.connect({ progressPeriodMs: 0, chunkAttemptsMax: 20 });
  const middle = desk.reaches(b.length / 2);
  const whole = desk.upload(b);
  await middle;
  await desk.board.powerCut();
  const reached = desk.uploadedTo.at(-1)!;
  assert.ok(reached < b.length, 'the cut came in time');
  await desk.board.powerOn();
  const ending = await whole;
  assert.is(ending.kind, 'uploaded', JSON.stringify(ending));
  assert.is((ending as Uploaded).statistics.restarts, 1);
  const restarts = desk.events.filter(({ kind }) => kind === 'upload-restarted');
  assert.equal(
    restarts.map((event) => 'reason' in event && event.reason),
    ['device-lost-upload'],
  );
  assert.is(await desk.list(), A_AND_B);
});

testAtDesk('an upload that was given up is resumed by its hash', async (desk, _a, b) => {
  desk.connect({ progressPeriodMs: 0 });
  const third = desk.reaches(b.length / 3);
  void desk.upload(b).catch(() => {});
  await third;
  desk.connect();
  await desk.ask({ kind: 'params' });
  await desk.uploaded(b);
  const started = desk.events.findLast(({ kind }) => kind === 'upload-started');
  assert.ok(started?.kind === 'upload-started' && started.resumed);
  assert.ok(started.offset >= b.length / 3, `${started.offset}`);
  assert.is(await desk.list(), A_AND_B);
});

testAtDesk('power cuts while the slots are swapped', async (desk, _a, b) => {
  await desk.uploaded(b);
  for (let round = 0; round < 2; round++) {
    await desk.test(b);
    assert.is(await desk.list(), B_PENDING);
    desk.board.heard = Buffer.alloc(0);
    await desk.ask({ kind: 'reset' });
    assert.ok(await desk.board.says(SWAP, BOOT_LIMIT_MS), 'the swap begins');
    await pause(round * 8);
    await desk.board.powerCut();
    await desk.board.powerOn();
    assert.is(await desk.list(), B_ON_TRIAL, 'the swap is done to its end');
    await desk.reset();
    assert.is(await desk.list(), A_AND_B);
  }
});

testAtDesk('what the server refuses has a name', async (desk, a, b) => {
  const codeOf = (ending: Ending) => ending.kind === 'failed' && ending.failure.code;
  const refusalOf = async (request: SmpRequest) => (await desk.refusal(request)).code;
  assert.is(codeOf(await desk.upload(new Uint8Array(2_000))), 'image-magic');
  assert.is(codeOf(await desk.upload(b.subarray(0, 20))), 'image-header-short');
  const long = new Uint8Array(106_497);
  long.set(b);
  assert.is(codeOf(await desk.upload(long)), 'image-too-large');
  assert.is(codeOf(await desk.upload(a, { upgradeOnly: true })), 'image-not-newer');
  const hash = new Uint8Array(32);
  assert.is(await refusalOf({ kind: 'image-test', hash }), 'image-hash-not-found');
  const short = { kind: 'image-test', hash: hash.subarray(16) } as const;
  assert.is(await refusalOf(short), 'image-hash-invalid');
  assert.is(await refusalOf({ kind: 'image-test', hash: imageHash(a) }), 'image-is-running');
  assert.is(await refusalOf({ kind: 'image-erase', slot: 0 }), 'image-no-free-slot');
  assert.is(await refusalOf({ kind: 'bootloader-info' }), 'smp-not-supported');
  await desk.uploaded(b);
  await desk.test(b);
  const permanent = { kind: 'image-confirm', hash: imageHash(b) } as const;
  assert.is(await refusalOf(permanent), 'image-already-pending');
  await desk.reset();
  assert.is(codeOf(await desk.upload(b)), 'image-no-free-slot', 'while an image is on trial');
  const question = { hash: imageHash(otherVersion(a, [9, 0, 0, 0])), imageBytes: a.length };
  const outlook = uploadOutlook(await desk.images(), { ...question, mode: 'application' });
  assert.is(outlook, 'blocked-unconfirmed', 'and it was to be seen before');
});

testAtDesk('MCUboot drops an image that is damaged', async (desk, a) => {
  const damaged = otherVersion(a, [2, 0, 0, 0]);
  damaged[1_000]! ^= 1;
  await desk.uploaded(damaged);
  assert.is(await desk.list(), `${ONLY_A} | 1 2.0.0`);
  await desk.test(damaged);
  await desk.reset();
  assert.is(await desk.list(), ONLY_A);
});

testAtDesk('the probe finds it, and changes nothing', async (desk) => {
  const before = await desk.list();
  for (const protocol of ['smp', 'gecko-bootloader'] as const) {
    const finding = await new Promise<HubFinding>((done) => {
      desk.driver.run(new HubProbe({ protocol, baudRate: BAUD_RATE }, Date.now()), {
        event: (event) => done(event.finding),
        closed: () => {},
      });
    });
    assert.is(finding.kind, 'smp');
    if (finding.kind !== 'smp') return;
    assert.is(finding.mode, 'application');
    assert.is(finding.images.map(describe).join(' | '), before);
    assert.equal(finding.params, { bufferBytes: 384, bufferCount: 4, messageBytes: 380 });
    assert.is(finding.slots.length, 2);
  }
});

test.run();
