/**
 * The virtual OTA client, by a hand-written server that speaks bytes: every state, every status, every
 * fault of a device. Time is simulated.
 */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import type { PpmidFaults } from '../../src/config/schema.ts';
import type { ClientQuirks } from '../../src/virtual/ota-client.ts';
import { type PpmidEvent, type PpmidOptions, VirtualPpmid } from '../../src/virtual/ppmid.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import {
  IMAGE_TYPE,
  MANUFACTURER,
  makeImage,
  makeModel,
  makeRig,
  SimulatedScheduler,
  VERSION_NEW,
  VERSION_OLD,
} from './fixture.ts';

const SERVER_ENDPOINT = 6;
const EUI64 = '000d6f000a9069e7';
const HOUR_MS = 3_600_000;
const NOTIFY = '19010003 64 3412 8400 01000002';
const NEW_TRIPLE = '34128400 01000002';

interface Shape {
  faults?: Partial<PpmidFaults>;
  quirks?: Partial<ClientQuirks>;
  otaClient?: Partial<PpmidOptions['otaClient']>;
  flash?: Partial<ReturnType<typeof makeModel>['flash']>;
  sleeps?: boolean;
  expectedSha256?: string;
}

/** A device and the frames it sends; nothing answers by itself. */
class Harness {
  readonly scheduler = new SimulatedScheduler();
  readonly sent: string[] = [];
  readonly events: PpmidEvent[] = [];
  announcements = 0;
  readonly device: VirtualPpmid;
  /** Answers each frame of the device; `undefined` is silence. */
  server: (frame: Uint8Array) => string | Uint8Array | undefined = () => undefined;
  private readonly shape: Shape;

  constructor(shape: Shape = {}, restored?: PpmidOptions['restored']) {
    this.shape = shape;
    const model = makeModel(shape.flash ? { flash: shape.flash } : {});
    const none = makeRig();
    none.remove();
    this.device = new VirtualPpmid({
      id: 'ppmid',
      eui64: EUI64,
      model,
      otaClient: { ...model.otaClient, ...shape.otaClient },
      faults: { ...none.ppmids[0]!.virtual!.faults, ...shape.faults },
      ...(shape.quirks && { quirks: shape.quirks }),
      ...(shape.expectedSha256 && { expectedSha256: shape.expectedSha256 }),
      ...(restored && { restored }),
      fileVersion: VERSION_OLD,
      scheduler: this.scheduler,
      random: new SeededRandom(7),
      network: {
        uplink: (_node, { payload, destinationEndpoint }) => {
          assert.is(destinationEndpoint, SERVER_ENDPOINT);
          this.sent.push(encodeHex(payload));
          this.scheduler.after(1, () => {
            const answer = this.server(payload);
            if (answer !== undefined) this.receive(answer);
          });
        },
        announce: () => {
          this.announcements++;
        },
        findServer: () => SERVER_ENDPOINT,
        rejoinWithNewAddress: (node) => {
          node.association = { networkIdentity: 'n', networkAddress: 0x2002 };
          this.announcements++;
        },
        forget: () => {},
      },
      onEvent: (event) => this.events.push(event),
    });
    this.device.association = { networkIdentity: 'n', networkAddress: 0x1001 };
    this.device.networkUp();
  }

  receive(frame: string | Uint8Array, broadcast = false): void {
    const payload = typeof frame === 'string' ? decodeHex(frame.replaceAll(' ', ''))! : frame;
    this.device.receive({
      clusterId: 0x0019,
      sourceEndpoint: SERVER_ENDPOINT,
      destinationEndpoint: 1,
      broadcast,
      payload,
    });
  }

  last(): string {
    return this.sent.at(-1)!;
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** The same device after a restart of the rig. */
  reborn(): Harness {
    const state = structuredClone(this.device.state());
    const slot = this.device.slot.read(0, state.download?.storedBytes ?? 0);
    return new Harness(this.shape, { state, slot });
  }
}

/** A server that serves `image` and answers the end with `upgradeTime`. */
function serve(image: Uint8Array, upgradeTime = 0, currentTime = 0) {
  return (frame: Uint8Array): Uint8Array | undefined => {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const sequence = frame[1]!;
    if ((frame[0]! & 3) !== 1) return undefined;
    if (frame[2] === 0x01) {
      return offer(sequence, image.length);
    }
    if (frame[2] === 0x03) {
      const offset = view.getUint32(12, true);
      return block(sequence, offset, image.subarray(offset, offset + frame[16]!));
    }
    if (frame[2] === 0x06 && frame[3] === 0) return upgradeEnd(sequence, currentTime, upgradeTime);
    return undefined;
  };
}

function offer(sequence: number, imageBytes: number, version = VERSION_NEW): Uint8Array {
  const frame = new Uint8Array(16);
  const view = new DataView(frame.buffer);
  frame.set([0x19, sequence, 0x02, 0x00]);
  view.setUint16(4, MANUFACTURER, true);
  view.setUint16(6, IMAGE_TYPE, true);
  view.setUint32(8, version, true);
  view.setUint32(12, imageBytes, true);
  return frame;
}

function block(sequence: number, offset: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(17 + data.length);
  const view = new DataView(frame.buffer);
  frame.set([0x19, sequence, 0x05, 0x00]);
  view.setUint16(4, MANUFACTURER, true);
  view.setUint16(6, IMAGE_TYPE, true);
  view.setUint32(8, VERSION_NEW, true);
  view.setUint32(12, offset, true);
  frame[16] = data.length;
  frame.set(data, 17);
  return frame;
}

function wait(sequence: number, current: number, request: number, period: number): Uint8Array {
  const frame = new Uint8Array(14);
  const view = new DataView(frame.buffer);
  frame.set([0x19, sequence, 0x05, 0x97]);
  view.setUint32(4, current, true);
  view.setUint32(8, request, true);
  view.setUint16(12, period, true);
  return frame;
}

function upgradeEnd(sequence: number, currentTime: number, upgradeTime: number): Uint8Array {
  const frame = new Uint8Array(19);
  const view = new DataView(frame.buffer);
  frame.set([0x19, sequence, 0x07]);
  view.setUint16(3, MANUFACTURER, true);
  view.setUint16(5, IMAGE_TYPE, true);
  view.setUint32(7, VERSION_NEW, true);
  view.setUint32(11, currentTime, true);
  view.setUint32(15, upgradeTime, true);
  return frame;
}

const IMAGE = makeImage(VERSION_NEW, 3_000);
const DIGEST = createHash('sha256').update(IMAGE).digest('hex');

/** Notified, served, and left alone for so long. */
function upgraded(shape: Shape = {}, image = IMAGE, upgradeTime = 0, durationMs = 60_000): Harness {
  const harness = new Harness(shape);
  harness.server = serve(image, upgradeTime);
  harness.receive(NOTIFY);
  harness.scheduler.run(durationMs);
  return harness;
}

test('golden frames: query, block request with period, report', () => {
  const harness = upgraded({}, IMAGE, 0xffffffff);
  const [query, first, second] = harness.sent;
  assert.is(query, `1101 01 01 34128400 00000001 0101`.replaceAll(' ', ''));
  assert.is(first, `1102 03 02 ${NEW_TRIPLE} 00000000 32 0000`.replaceAll(' ', ''));
  assert.is(second, `1103 03 02 ${NEW_TRIPLE} 32000000 32 0000`.replaceAll(' ', ''));
  assert.is(harness.last().slice(4), `06 00 ${NEW_TRIPLE}`.replaceAll(' ', ''));
});

test('golden frames: EUI-64, no period, pages', () => {
  const quirks = { sendsEui64: true };
  const blocks = upgraded({ quirks, otaClient: { blockPeriodUnit: 'none' } });
  assert.is(
    blocks.sent[1],
    `1102 03 01 ${NEW_TRIPLE} 00000000 32 e769900a006f0d00`.replaceAll(' ', ''),
  );
  const pages = upgraded({ otaClient: { pageBytes: 512, pageSpacingMs: 20 } });
  assert.is(pages.sent[1], `1102 04 00 ${NEW_TRIPLE} 00000000 32 0002 1400`.replaceAll(' ', ''));
});

test('a download ends in the new version, and in an announcement', () => {
  const harness = upgraded();
  assert.equal(harness.kinds(), [
    'download-started',
    'download-finished',
    'count-down',
    'activated',
  ]);
  const { device } = harness;
  assert.is(device.fileVersion, VERSION_NEW);
  assert.is(device.activeSha256, DIGEST);
  assert.is(harness.announcements, 1);
  assert.is(device.client.counters.blocksReceived, Math.ceil(IMAGE.length / 50));
  assert.is(device.client.counters.bytesReceived, IMAGE.length);
  assert.is(device.client.counters.endRequests, 1);
  assert.is(device.client.record, undefined);
});

test('a server may give less than was asked for, never more', () => {
  const harness = new Harness();
  const inner = serve(IMAGE);
  harness.server = (frame) => {
    if (frame[2] === 0x03) frame[16] = Math.min(frame[16]!, 7);
    return inner(frame);
  };
  harness.receive(NOTIFY);
  harness.scheduler.run(60_000);
  assert.is(harness.device.activeSha256, DIGEST);
  const greedy = new Harness();
  greedy.server = (frame) =>
    frame[2] === 0x03 ? block(frame[1]!, 0, IMAGE.subarray(0, 51)) : serve(IMAGE)(frame);
  greedy.receive(NOTIFY);
  greedy.scheduler.run(400);
  assert.is(greedy.device.client.counters.blocksReceived, 0);
});

test('a broadcast notify is drawn for, and kept quiet about where it names another', () => {
  const quiet = ['19010003 64 3512 8400 01000002', '19010003 64 3412 8500 01000002'];
  quiet.push('19010003 64 3412 8400 00000001');
  for (const frame of quiet) {
    const harness = new Harness();
    harness.receive(frame, true);
    harness.scheduler.run(100);
    assert.equal(harness.sent, []);
    harness.receive(frame);
    harness.scheduler.run(100);
    assert.is(harness.sent.length, 1, 'in a unicast the fields do not matter');
  }
  let queries = 0;
  for (let round = 0; round < 400; round++) {
    const harness = new Harness();
    for (let draw = 0; draw < round % 40; draw++) harness.receive('19010000 00', true);
    harness.receive('19010000 32', true);
    harness.scheduler.run(10);
    queries += harness.sent.length;
  }
  assert.ok(queries > 120 && queries < 280, `${queries} of 400 drew 50 or less`);
});

test('every payload type of a notify is understood', () => {
  for (const frame of ['19010000 64', '19010001 64 3412', '19010002 64 3412 8400', NOTIFY]) {
    const harness = new Harness();
    harness.receive(frame);
    harness.scheduler.run(10);
    assert.is(harness.sent.length, 1);
  }
});

test('a notify in mid-download is refused, and the download goes on', () => {
  const harness = new Harness();
  harness.server = serve(IMAGE);
  harness.receive(NOTIFY);
  harness.scheduler.run(20);
  harness.receive('190a0003 64 3412 8400 01000002');
  assert.is(harness.last(), '100a0b0001');
  harness.scheduler.run(60_000);
  assert.is(harness.device.activeSha256, DIGEST);
});

test('offers that do not suit are refused with their reason', () => {
  const cases: [Uint8Array, string | undefined][] = [
    [Uint8Array.of(0x19, 1, 2, 0x98), undefined],
    [Uint8Array.of(0x19, 1, 2, 0x7e), undefined],
    [offer(1, 1_000, VERSION_OLD), undefined],
    [offer(1, 0), '10010b0285'],
    [offer(1, 524_289), '10010b0289'],
  ];
  const otherType = offer(1, 1_000);
  otherType[6]! ^= 1;
  cases.push([otherType, '10010b0285']);
  for (const [answer, expected] of cases) {
    const harness = new Harness();
    harness.server = (frame) => (frame[2] === 0x01 ? answer : undefined);
    harness.receive(NOTIFY);
    harness.scheduler.run(10_000);
    assert.equal(harness.sent.slice(1), expected === undefined ? [] : [expected]);
    assert.is(harness.device.client.upgradeStatus, 0);
  }
});

test('lost answers are asked for again; too many in a row end the download with ABORT', () => {
  const harness = new Harness();
  const inner = serve(IMAGE);
  let count = 0;
  harness.server = (frame) => (count++ % 3 === 1 ? undefined : inner(frame));
  harness.receive(NOTIFY);
  harness.scheduler.run(120_000);
  assert.is(harness.device.activeSha256, DIGEST);
  assert.ok(harness.device.client.counters.timeouts > 20);
  const silent = new Harness();
  silent.server = (frame) => (frame[2] === 0x01 ? offer(frame[1]!, IMAGE.length) : undefined);
  silent.receive(NOTIFY);
  silent.scheduler.run(9 * 550 + 499);
  assert.is(silent.sent.length, 11);
  silent.scheduler.run(60_000);
  assert.is(silent.last().slice(4), `0695${NEW_TRIPLE}`.replaceAll(' ', ''));
  assert.is(silent.sent.length, 12);
  assert.is(silent.device.client.record, undefined);
});

test('repeated and misplaced blocks are counted, not stored; empty ones do not loop', () => {
  const harness = new Harness();
  const inner = serve(IMAGE);
  harness.server = (frame) => {
    const answer = inner(frame);
    if (frame[2] !== 0x03) return answer;
    harness.receive(block(frame[1]!, 0, IMAGE.subarray(0, 50)));
    harness.receive(block(frame[1]!, 100_000, IMAGE.subarray(0, 50)));
    harness.receive(block(frame[1]!, 0, new Uint8Array(0)));
    return answer;
  };
  harness.receive(NOTIFY);
  harness.scheduler.run(60_000);
  const { counters } = harness.device.client;
  assert.is(harness.device.activeSha256, DIGEST);
  assert.ok(counters.duplicates >= 60);
  assert.ok(counters.emptyBlocks >= 60);
  assert.is(counters.bytesReceived, IMAGE.length);
});

test('pages: holes are fetched as blocks, and a server without pages is asked for blocks', () => {
  for (const lost of [[], [0], [3], [0, 1, 2], [10], [4, 5, 10]]) {
    const harness = new Harness({ otaClient: { pageBytes: 512, pageSpacingMs: 1 } });
    const inner = serve(IMAGE);
    harness.server = (frame) => {
      if (frame[2] !== 0x04) return inner(frame);
      const start = new DataView(frame.buffer, frame.byteOffset).getUint32(12, true);
      const end = Math.min(start + 512, IMAGE.length);
      for (let at = start, index = 0; at < end; at += 50, index++) {
        const data = IMAGE.subarray(at, Math.min(at + 50, end));
        if (!lost.includes(index)) harness.receive(block(frame[1]!, at, data));
      }
      return undefined;
    };
    harness.receive(NOTIFY);
    harness.scheduler.run(60_000);
    assert.is(harness.device.activeSha256, DIGEST, `lost ${lost}`);
    assert.is(harness.device.client.counters.pageRequests, Math.ceil(IMAGE.length / 512));
    assert.is(harness.device.client.counters.bytesReceived, IMAGE.length);
  }
  const harness = new Harness({ otaClient: { pageBytes: 512 } });
  const inner = serve(IMAGE);
  harness.server = (frame) =>
    frame[2] === 0x04 ? Uint8Array.of(0x18, frame[1]!, 0x0b, 0x04, 0x81) : inner(frame);
  harness.receive(NOTIFY);
  harness.scheduler.run(60_000);
  assert.is(harness.device.activeSha256, DIGEST);
  assert.is(harness.device.client.counters.pageRequests, 1);
});

test('WAIT_FOR_DATA is waited for, and its block period kept, in either unit', () => {
  for (const [unit, period, spacingMs] of [
    ['ms', 40, 40],
    ['s', 2, 2_000],
    ['none', 40, 1],
  ] as const) {
    const harness = new Harness({ otaClient: { blockPeriodUnit: unit } });
    const inner = serve(IMAGE);
    let first = true;
    harness.server = (frame) => {
      if (frame[2] !== 0x03 || !first) return inner(frame);
      first = false;
      return wait(frame[1]!, 1_000, 1_005, period);
    };
    harness.receive(NOTIFY);
    harness.scheduler.run(5_000);
    assert.is(harness.device.client.counters.blocksReceived, 0);
    const before = harness.scheduler.nowMs();
    while (harness.device.client.counters.blocksReceived < 10) harness.scheduler.run(1);
    const tookMs = harness.scheduler.nowMs() - before;
    assert.ok(Math.abs(tookMs - 9 * spacingMs) <= 12, `${unit}: ${tookMs} ms`);
  }
});

test('an ABORT ends the download and frees the slot', () => {
  const harness = new Harness();
  harness.server = serve(IMAGE);
  harness.receive(NOTIFY);
  harness.scheduler.run(30);
  harness.server = (frame) => Uint8Array.of(0x19, frame[1]!, 0x05, 0x95);
  harness.scheduler.run(60_000);
  assert.is(harness.kinds().at(-1), 'download-aborted');
  assert.is(harness.device.client.record, undefined);
  assert.is(harness.device.client.upgradeStatus, 0);
});

test('upgrade time: later, held, activated on command, cut to the longest wait', () => {
  const later = upgraded({}, IMAGE, 600, 60_000);
  assert.is(later.device.client.upgradeStatus, 4);
  later.receive(upgradeEnd(9, 0, 0));
  assert.is(later.last(), '10090b0701', 'a count-down cannot be recalled');
  later.scheduler.run(600_000);
  assert.is(later.device.fileVersion, VERSION_NEW);

  const held = upgraded({}, IMAGE, 0xffffffff, 60_000);
  assert.is(held.device.client.upgradeStatus, 3);
  const reports = held.device.client.counters.endRequests;
  held.scheduler.run(2 * HOUR_MS);
  assert.is(held.device.client.counters.endRequests, reports + 2);
  assert.is(held.device.fileVersion, VERSION_OLD);
  held.receive('18090b 0600');
  held.receive(upgradeEnd(9, 0, 0));
  held.scheduler.run(1_000);
  assert.is(held.device.fileVersion, VERSION_NEW);

  const capped = upgraded({ otaClient: { waitMaxMs: 10_000 } }, IMAGE, 86_400, 60_000);
  assert.is(capped.device.fileVersion, VERSION_NEW);
});

test('a command to activate that names another image, or comes too early, is refused', () => {
  const harness = new Harness();
  harness.receive(upgradeEnd(9, 0, 0));
  assert.is(harness.last(), '10090b0701');
  const held = upgraded({}, IMAGE, 0xffffffff);
  const other = upgradeEnd(9, 0, 0);
  other[7]! ^= 1;
  held.receive(other);
  held.scheduler.run(1_000);
  assert.is(held.device.fileVersion, VERSION_OLD);
  held.receive(`190907 ffff ffff ffffffff 00000000 00000000`);
  held.scheduler.run(1_000);
  assert.is(held.device.fileVersion, VERSION_NEW, 'wildcards name every image');
});

test('silence after the report activates, unless the time-out policy says never', () => {
  for (const timeoutPolicy of [0, 1] as const) {
    const harness = new Harness({ quirks: { timeoutPolicy } });
    const inner = serve(IMAGE);
    harness.server = (frame) => (frame[2] === 0x06 ? undefined : inner(frame));
    harness.receive(NOTIFY);
    harness.scheduler.run(60_000);
    assert.is(harness.device.client.counters.endRequests, 10);
    assert.is(harness.device.fileVersion, timeoutPolicy === 0 ? VERSION_NEW : VERSION_OLD);
  }
});

test('policy "out of band": only a person activates', () => {
  const harness = upgraded({ quirks: { activationPolicy: 1 } }, IMAGE, 0);
  assert.is(harness.device.fileVersion, VERSION_OLD);
  assert.is(harness.device.client.upgradeStatus, 6);
  harness.device.client.activateOutOfBand();
  harness.scheduler.run(1_000);
  assert.is(harness.device.fileVersion, VERSION_NEW);
});

test('a restart at any block costs at most a page, and the download goes on without a query', () => {
  const blocks = Math.ceil(IMAGE.length / 50);
  for (let index = 0; index < blocks; index++) {
    const harness = upgraded({ faults: { restartAtBlock: [index] } });
    assert.is(harness.device.activeSha256, DIGEST, `restart at ${index}`);
    const { counters } = harness.device.client;
    assert.is(counters.queries, 1);
    assert.ok(counters.bytesReceived - IMAGE.length < 256 + 50, `${counters.bytesReceived}`);
    assert.is(harness.device.restarts, 1);
    assert.is(harness.announcements, 2);
  }
});

test('restart faults: a new address, lost progress, several in a row', () => {
  const faults = { restartAtBlock: [5, 20, 40], rejoinWithNewAddress: true, losesProgress: true };
  const harness = upgraded({ faults });
  assert.is(harness.device.activeSha256, DIGEST);
  assert.is(harness.device.restarts, 3);
  assert.is(harness.device.association!.networkAddress, 0x2002);
  const resumed = harness.events.filter((event) => event.kind === 'download-resumed');
  assert.equal(
    resumed.map((event) => 'offset' in event && event.offset),
    [0, 0, 0],
  );
});

test('a restart of the rig resumes at the stored offset, and in a held image', () => {
  const half = new Harness();
  half.server = serve(IMAGE);
  half.receive(NOTIFY);
  while (half.device.client.counters.blocksReceived < 30) half.scheduler.run(1);
  const again = half.reborn();
  again.server = serve(IMAGE);
  again.scheduler.run(60_000);
  assert.equal(again.kinds()[0], 'download-resumed');
  assert.is(again.device.client.counters.queries, 0);
  assert.ok(again.device.client.counters.bytesReceived < IMAGE.length - 1_200);
  assert.is(again.device.activeSha256, DIGEST);

  const held = upgraded({}, IMAGE, 0xffffffff).reborn();
  held.server = serve(IMAGE, 0);
  held.scheduler.run(60_000);
  assert.is(held.device.activeSha256, DIGEST);
  assert.is(held.reborn().device.fileVersion, VERSION_NEW);
});

test('a download that was broken off goes on; a dropped one begins anew', () => {
  const half = new Harness();
  half.server = serve(IMAGE);
  half.receive(NOTIFY);
  while (half.device.client.counters.blocksReceived < 30) half.scheduler.run(1);
  half.device.powerOff();
  half.server = serve(IMAGE);
  half.device.powerOn();
  half.scheduler.run(60_000);
  assert.is(half.device.activeSha256, DIGEST);
  assert.is(half.device.client.counters.queries, 1);

  const dropped = new Harness();
  dropped.server = serve(IMAGE);
  dropped.receive(NOTIFY);
  while (dropped.device.client.counters.blocksReceived < 30) dropped.scheduler.run(1);
  dropped.device.powerOff();
  dropped.device.client.dropDownload();
  const other = makeImage(VERSION_NEW, 4_000);
  dropped.server = serve(other);
  dropped.device.powerOn();
  dropped.receive(NOTIFY);
  dropped.scheduler.run(60_000);
  const digest = createHash('sha256').update(other).digest('hex');
  assert.is(dropped.device.activeSha256, digest);
});

test('a device that stalls stops asking, and stays in its download', () => {
  const harness = new Harness({ faults: { stallAtBlock: 20 } });
  harness.server = serve(IMAGE);
  harness.receive(NOTIFY);
  harness.scheduler.run(60_000);
  assert.is(harness.device.client.upgradeStatus, 1);
  assert.is(harness.device.client.counters.blocksReceived, 20);
});

test('a stall ends after its time', () => {
  const harness = upgraded({ faults: { stallAtBlock: 20, stallMs: 30_000 } }, IMAGE, 0, 20_000);
  assert.is(harness.device.client.counters.blocksReceived, 20);
  harness.scheduler.run(20_000);
  assert.is(harness.device.activeSha256, DIGEST);
});

test('faults of the end: refuses, reverts, never activates', () => {
  const refuses = upgraded({ faults: { refusesImage: true } });
  assert.is(refuses.last().slice(4), `0696${NEW_TRIPLE}`.replaceAll(' ', ''));
  assert.is(refuses.device.fileVersion, VERSION_OLD);
  const short = upgraded({ faults: { refusesImage: true }, quirks: { shortEndRequest: true } });
  assert.is(short.last().slice(4), '0696');

  const reverts = upgraded({ faults: { revertsAfterActivation: true } });
  assert.is(reverts.kinds().at(-1), 'reverted');
  assert.is(reverts.device.fileVersion, VERSION_OLD);
  assert.is(reverts.announcements, 1);

  const claims = upgraded({ faults: { claimsNewVersion: true } });
  assert.is(claims.kinds().at(-1), 'activated');
  assert.is(claims.device.fileVersion, VERSION_NEW);
  assert.is(claims.device.builtVersion, VERSION_OLD);
  assert.is(claims.device.state().builtVersion, VERSION_OLD);

  const never = upgraded({ faults: { neverActivates: true } });
  assert.is(never.kinds().at(-1), 'activation-ignored');
  assert.is(never.device.fileVersion, VERSION_OLD);
  assert.is(never.announcements, 0);
});

test('an image that is not for this device is refused, unless nobody looks', () => {
  const broken = IMAGE.slice();
  broken[0]! ^= 1;
  const otherType = IMAGE.slice();
  otherType[12]! ^= 1;
  const otherVersion = IMAGE.slice();
  otherVersion[14]! ^= 1;
  const otherHardware = IMAGE.slice();
  otherHardware[57] = 0x02;
  const otherSize = IMAGE.slice();
  otherSize[52]! ^= 1;
  for (const image of [broken, otherType, otherVersion, otherHardware, otherSize]) {
    const refused = upgraded({}, image);
    assert.is(refused.kinds().at(-1), 'image-refused');
    assert.is(refused.last().slice(4, 8), '0696');
    assert.is(refused.device.fileVersion, VERSION_OLD);
    const blind = upgraded({ faults: { skipsVerification: true } }, image);
    assert.is(blind.device.fileVersion, VERSION_NEW);
  }
  const tampered = IMAGE.slice();
  tampered[2_000]! ^= 1;
  assert.is(upgraded({ expectedSha256: DIGEST }, tampered).kinds().at(-1), 'image-refused');
  assert.is(upgraded({ expectedSha256: DIGEST }).device.activeSha256, DIGEST);
});

test('duplicate requests and slow flash change the time, not the outcome', () => {
  const repeated = upgraded({ faults: { duplicateRequests: 3 } });
  assert.is(repeated.device.activeSha256, DIGEST);
  assert.ok(repeated.device.client.counters.duplicates >= 2 * 60);
  const flash = { eraseBlockMs: 100, programPageMs: 10 };
  const slow = upgraded({ flash, faults: { slowMs: 5 } });
  assert.is(slow.device.activeSha256, DIGEST);
  const fast = upgraded();
  assert.ok(slow.scheduler.nowMs() >= fast.scheduler.nowMs());
});

test('a client with a query period finds its server and asks by itself', () => {
  const harness = new Harness({ otaClient: { queryPeriodMs: 300_000 } });
  harness.scheduler.run(300_000);
  assert.ok(harness.sent.length >= 1);
  harness.server = serve(IMAGE);
  harness.scheduler.run(600_000);
  assert.is(harness.device.activeSha256, DIGEST);
});

test('truncated, flipped and random frames never stop the client', () => {
  const seed = Date.now() >>> 0;
  console.log(`SEED ${seed}`);
  const random = new SeededRandom(seed);
  const frames = [offer(1, 100), block(1, 0, IMAGE.subarray(0, 50)), wait(1, 0, 5, 7)];
  frames.push(upgradeEnd(1, 0, 5), decodeHex(NOTIFY.replaceAll(' ', ''))!);
  const harness = new Harness();
  for (let round = 0; round < 3_000; round++) {
    const frame = frames[Math.floor(random.next() * frames.length)]!.slice();
    const bit = Math.floor(random.next() * frame.length * 8);
    if (random.chance(0.5)) frame[bit >>> 3]! ^= 1 << (bit & 7);
    harness.receive(frame.subarray(0, Math.ceil(random.next() * frame.length)));
    harness.scheduler.run(Math.floor(random.next() * 50));
  }
  assert.is(harness.device.fileVersion, VERSION_OLD);
});

test.run();
