/** Uploads against the naive device: what each of its observed behaviours comes to, and at which cost. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SmpClient } from '../../../src/protocol/smp/client.ts';
import type { SmpEvent, UploadRequest } from '../../../src/protocol/smp/messages.ts';
import { counting, firmware, frame, lines, message, messagesIn } from './naive-codec.ts';
import { listedHash, RECOVERY } from './naive-server.ts';
import { SerialWorld, type WorldPlan } from './serial-world.ts';

const test = suite('protocol/smp upload');

type Uploaded = Extract<SmpEvent, { kind: 'uploaded' }>;

function shaOf(image: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(image).digest());
}

function start(world: SerialWorld, image: Uint8Array, more: Partial<UploadRequest> = {}): number {
  return world.client.startUpload({ image, sha256: shaOf(image), ...more }, world.nowMs);
}

function isEnd(event: SmpEvent): boolean {
  return event.kind === 'uploaded' || event.kind === 'failed';
}

function finish(world: SerialWorld, limitMs?: number): string {
  const event = world.until(isEnd, limitMs);
  return event?.kind === 'failed' ? event.failure.code : (event?.kind ?? 'still going');
}

function statistics(world: SerialWorld): Uploaded['statistics'] {
  const event = world.events.find((one): one is Uploaded => one.kind === 'uploaded');
  assert.ok(event, 'uploaded');
  return event!.statistics;
}

function kinds(world: SerialWorld): string[] {
  return world.events.map(({ kind }) => kind).filter((kind) => kind !== 'upload-progress');
}

/** A world whose client knows the buffers. */
function known(plan: Partial<WorldPlan> = {}): SerialWorld {
  const world = new SerialWorld(plan);
  world.client.request({ kind: 'params' });
  world.until((event) => event.kind === 'answered' || event.kind === 'failed');
  world.events.length = 0;
  return world;
}

test('a clean upload takes the requests it must and no more', () => {
  const world = known();
  const image = firmware(20_000);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  const { requests, lost, restarts } = statistics(world);
  const first = 380 - 8 - 10 - 1 - 4 - 3 - 38;
  const chunks = 1 + Math.ceil((20_000 - (first - (first % 16))) / 352);
  assert.ok(requests <= chunks + 1, `${requests} requests for ${chunks} chunks`);
  assert.equal([lost, restarts], [0, 0]);
  assert.equal(kinds(world), ['upload-started', 'uploaded']);
});

test('a first chunk that is answered with nonsense goes out again, and no deadline stands still', () => {
  const client = new SmpClient();
  let nowMs = 1e12;
  client.startUpload({ image: firmware(400) }, nowMs);
  const [first] = messagesIn(Uint8Array.from(client.pollTransmit(nowMs)!)).map(frame);
  const nonsense = message({ ...first!, op: 3, body: {} }).with(8, 0xff);
  client.handleBytes(lines(nonsense), nowMs);
  for (let sent = 0, wakes = 0; sent === 0; wakes++) {
    assert.ok(wakes < 3, 'a deadline at which there is nothing to do');
    nowMs = client.pollTimeout();
    client.handleTimeout(nowMs);
    if (client.pollTransmit(nowMs)) sent++;
  }
});

test('every length of image around the chunk', () => {
  for (const length of [32, 33, 47, 300, 319, 320, 321, 671, 672, 673, 1_024, 1_025]) {
    const world = known();
    const image = firmware(length);
    start(world, image);
    assert.is(finish(world), 'uploaded', `${length}`);
    assert.equal(world.server.uploaded, image, `${length}`);
  }
});

test('chunks are multiples of what the options say, on a line that loses long messages too', () => {
  for (const chunkAlignBytes of [1, 4, 24, 64, 128]) {
    for (const loss of [false, true]) {
      const world = known({
        options: { chunkAlignBytes },
        fault: (packet) => (loss && packet > 4 && packet % 5 === 0 ? 'drop' : undefined),
      });
      const image = firmware(20_001);
      start(world, image);
      assert.is(finish(world), 'uploaded', `${chunkAlignBytes}`);
      assert.equal(world.server.uploaded, image);
      const offsets = world.server.requests.flatMap(
        ({ body }) => (body as { off?: number }).off ?? [],
      );
      assert.ok(offsets.length > 20_001 / 352);
      assert.not(
        offsets.some((offset) => offset % chunkAlignBytes !== 0),
        `${chunkAlignBytes}`,
      );
    }
  }
});

test('a message that holds no chunk of that alignment is not sent', () => {
  const world = known({ options: { chunkAlignBytes: 512 } });
  start(world, firmware(20_000));
  assert.is(finish(world), 'request-too-large');
  assert.is(
    world.server.requests.some(({ body }) => 'data' in (body as object)),
    false,
  );
});

test('without params messages stay small; a device without params is served too', () => {
  const world = known({ device: { withoutParams: true, bufferBytes: 256 } });
  assert.is(world.client.messageBytes, 252);
  const image = firmware(5_000);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
});

test('a device of version 1 only', () => {
  const world = new SerialWorld({ device: { onlyV1: true } });
  const image = firmware(3_000);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  assert.is(world.server.requests.filter(({ version }) => version === 1).length, 1);
});

test('fixed maps, log between answers, a slow erase', () => {
  const device = { fixedMaps: true, babbles: true, eraseMs: 30_000 };
  const world = known({ device });
  const image = firmware(8_000);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  // The first chunk is not repeated, however long the erase takes.
  const firsts = world.server.requests.filter(({ body }) => (body as { len?: number }).len);
  assert.is(firsts.length, 1);
});

test('a lost first chunk is noticed by a probe, not after the time an erase may take', () => {
  for (const packet of [0, 1]) {
    const world = known();
    const second = known({ fault: (n) => (n === 2 + packet ? 'drop' : undefined) });
    const image = firmware(3_000);
    start(world, image);
    finish(world);
    start(second, image);
    assert.is(finish(second), 'uploaded');
    assert.equal(second.server.uploaded, image);
    assert.ok(second.elapsedMs - world.elapsedMs < 1_500, `${second.elapsedMs}`);
  }
});

test('page erases do not look like losses', () => {
  const device = { pageBytes: 4_096, pageEraseMs: 85, handleMs: 2 };
  const world = known({ device });
  const image = firmware(60_000);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.is(statistics(world).lost, 0);
});

test('goes on where it stopped, in the same boot', () => {
  const world = known();
  const image = firmware(20_000);
  const id = start(world, image);
  world.until((event) => event.kind === 'upload-progress');
  world.client.cancel(id);
  assert.is(finish(world), 'cancelled');
  world.pass(500);
  const { offset } = world.server;
  assert.ok(offset > 1_000);
  const sentBefore = world.requestsSent;
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  const started = world.events.filter((event) => event.kind === 'upload-started');
  assert.equal(
    started.map(({ resumed }) => resumed),
    [false, true],
  );
  assert.is(started[1]!.offset, offset);
  assert.ok(world.requestsSent - sentBefore <= 2 + Math.ceil((20_000 - offset) / 352));
});

test('another image starts from the beginning, and so does one without a hash', () => {
  for (const sha256 of [undefined, shaOf(counting(3))]) {
    const world = known();
    const id = start(world, firmware(20_000));
    world.until((event) => event.kind === 'upload-progress');
    world.client.cancel(id);
    world.pass(500);
    const other = firmware(9_000, 5);
    world.client.startUpload(sha256 ? { image: other, sha256 } : { image: other }, world.nowMs);
    world.events.length = 0;
    assert.is(finish(world), 'uploaded');
    assert.equal(world.server.uploaded, other);
    assert.ok(world.events.every((event) => event.kind !== 'upload-started' || !event.resumed));
  }
});

test('a power cut of the device at any time: once again from the start', () => {
  for (let cutMs = 5; cutMs < 1_200; cutMs += 23) {
    const world = known();
    const image = firmware(6_000);
    start(world, image, { imageHash: listedHash(image) });
    world.at(cutMs, () => world.powerCut());
    assert.is(finish(world), 'uploaded', `cut at ${cutMs}`);
    assert.equal(world.server.uploaded, image, `cut at ${cutMs}`);
    assert.ok(world.elapsedMs < 5_000, `cut at ${cutMs}: ${world.elapsedMs} ms`);
  }
});

test('a device that keeps losing power ends the upload with a reason', () => {
  const world = known();
  start(world, firmware(60_000));
  const cut = () => {
    world.powerCut();
    world.at(3_000, cut);
  };
  world.at(1_000, cut);
  assert.is(finish(world), 'upload-restarts');
});

test('a device that stays silent ends the upload, in bounded time', () => {
  const world = known();
  start(world, firmware(60_000));
  world.at(1_000, () => {
    world.linkUp = false;
  });
  assert.is(finish(world), 'no-answer');
  assert.ok(world.elapsedMs < 20_000);
});

test('a device silent from the first chunk on ends the upload after the time of an erase', () => {
  const world = known();
  world.linkUp = false;
  start(world, firmware(6_000));
  assert.is(finish(world), 'no-answer');
  assert.ok(world.elapsedMs < 42_000);
});

test('the link is pulled and comes back: it goes on', () => {
  const world = known();
  const image = firmware(20_000);
  start(world, image);
  world.at(900, () => world.unplug());
  world.at(5_000, () => world.replug());
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  const restarted = world.events.filter((event) => event.kind === 'upload-restarted');
  assert.equal(
    restarted.map(({ reason }) => reason),
    ['link-restored'],
  );
  const again = world.events.filter((event) => event.kind === 'upload-started')[1]!;
  assert.ok(again.resumed && again.offset > 1_000);
});

test('while the link is down nothing is sent and nothing times out', () => {
  const world = known();
  const image = firmware(4_000);
  world.unplug();
  start(world, image);
  world.pass(600_000);
  assert.equal(kinds(world), []);
  world.replug();
  assert.is(finish(world), 'uploaded');
});

test('the last answer lost: the image list tells that all is there', () => {
  const image = firmware(3_000);
  const clean = known();
  start(clean, image);
  finish(clean);
  const lastAnswer = clean.packets - 1;
  const fault = (packet: number) => (packet === lastAnswer ? ('drop' as const) : undefined);
  const world = known({ fault });
  start(world, image, { imageHash: listedHash(image) });
  assert.is(finish(world), 'uploaded');
  assert.is(statistics(world).restarts, 0);
  assert.ok(world.requestsSent <= clean.requestsSent + 2);

  const without = known({ fault });
  start(without, image);
  assert.is(finish(without), 'uploaded');
  assert.is(statistics(without).restarts, 1);
  assert.equal(without.server.uploaded, image);
});

test("what the device refuses ends the upload with the device's reason", () => {
  const image = firmware(3_000);
  const cases: [Partial<WorldPlan['device']>, Uint8Array, Partial<UploadRequest>, string][] = [
    [{ unconfirmed: true }, image, {}, 'image-no-free-slot'],
    [{ slotBytes: 2_999 }, image, {}, 'image-too-large'],
    [{}, counting(3_000), {}, 'image-magic'],
    [{}, image, { upgradeOnly: true }, 'image-not-newer'],
    [{}, firmware(31), {}, 'image-header-short'],
    [{ onlyV1: true, unconfirmed: true }, image, {}, 'smp-bad-state'],
  ];
  for (const [device, bytes, more, code] of cases) {
    const world = known({ device });
    start(world, bytes, more);
    assert.is(finish(world), code);
  }
});

test('a device that compares the hash says so', () => {
  const world = known({ device: { checksHash: true } });
  start(world, firmware(3_000));
  const event = world.until(isEnd);
  assert.is(event?.kind === 'uploaded' && event.match, true);
});

test('serial recovery: no resume, no flags, whole words', () => {
  const world = known({ device: RECOVERY });
  assert.is(world.client.messageBytes, 1_020);
  const image = firmware(20_001);
  start(world, image);
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
  assert.is(statistics(world).window, 1);
  const offsets = world.server.requests.map(({ body }) => (body as { off: number }).off ?? 0);
  assert.ok(offsets.every((offset) => offset % 16 === 0));
});

test('serial recovery and a power cut: from the start', () => {
  const world = known({ device: RECOVERY });
  const image = firmware(20_000);
  start(world, image);
  world.at(1_000, () => world.powerCut());
  assert.is(finish(world), 'uploaded');
  assert.equal(world.server.uploaded, image);
});

test('an ordinary request gets its turn during an upload', () => {
  for (const adapterMs of [0, 16]) {
    const world = known({ adapterMs, baudRate: 1_000_000 });
    const image = firmware(40_000);
    start(world, image);
    world.at(300, () => world.client.request({ kind: 'echo', text: 'still there' }));
    const event = world.until(({ kind }) => kind === 'answered');
    assert.ok(event);
    assert.ok(world.elapsedMs < 500, `${world.elapsedMs}`);
    assert.is(finish(world), 'uploaded');
    assert.equal(world.server.uploaded, image);
    assert.is(statistics(world).lost, 0);
  }
});

test("progress is the device's own offset, and not too often", () => {
  const world = known();
  start(world, firmware(40_000));
  finish(world);
  const progress = world.events.filter((event) => event.kind === 'upload-progress');
  assert.ok(progress.length > 5 && progress.length < world.elapsedMs / 250);
  for (const [i, { offset, bytesPerSecond }] of progress.entries()) {
    assert.ok(offset > (progress[i - 1]?.offset ?? 0) && offset < 40_000);
    assert.ok(bytesPerSecond > 5_000 && bytesPerSecond < 8_000, `${bytesPerSecond}`);
  }
});

test('a message too small for a first chunk is no endless loop', () => {
  const world = new SerialWorld({ options: { messageBytesMax: 96 } });
  start(world, firmware(3_000));
  assert.is(finish(world), 'request-too-large');
});

test.run();
