/**
 * SMP uploads against every single fault and, on a small image, every pair of faults, in both directions:
 * the device ends with exactly the image, the client says so only then, and neither the requests, nor the
 * bytes, nor the time it took exceed what the faults explain. Then planted defects, each of which the sweep
 * has to find.
 */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Flights } from '../../src/protocol/smp/flights.ts';
import { PacketDecoder } from '../../src/protocol/smp/packet-decoder.ts';
import { PacketEncoder } from '../../src/protocol/smp/packet-encoder.ts';
import { RoundTrip } from '../../src/protocol/smp/round-trip.ts';
import { UploadRun } from '../../src/protocol/smp/upload.ts';
import { firmware } from '../protocol/smp/naive-codec.ts';
import { type DevicePlan, listedHash, RECOVERY } from '../protocol/smp/naive-server.ts';
import { FAULTS, type Fault, SerialWorld } from '../protocol/smp/serial-world.ts';

const test = suite('sweep/smp');

interface Setup {
  name: string;
  device?: Partial<DevicePlan>;
  baudRate?: number;
  adapterMs?: number;
  /** Told to the client, so that it can clear up a lost last answer; default true. */
  imageHash?: boolean;
  sha256?: boolean;
}

type Struck = [packet: number, fault: Fault];

interface Cost {
  requests: number;
  bytes: number;
  ms: number;
}

interface Clean extends Cost {
  packets: number;
}

const SETUPS: Setup[] = [
  { name: 'plain' },
  { name: 'fast line, slow adapter', baudRate: 1_000_000, adapterMs: 16 },
  { name: 'log between answers', device: { babbles: true } },
  { name: 'busy device', baudRate: 1_000_000, device: { blind: true, handleMs: 12, eraseMs: 200 } },
  { name: 'recovery', device: RECOVERY },
  { name: 'version 1 only', device: { onlyV1: true } },
  { name: 'no image hash', imageHash: false },
  { name: 'no hash at all', imageHash: false, sha256: false },
];

const CHUNK_WIRE_BYTES = 1_420;
const BOOT_MS = 300;

function imageOf(setup: Setup, chunks: number): Uint8Array {
  return firmware((setup.device?.recovery ? 900 : 300) * chunks);
}

interface Run extends Cost {
  outcome: string;
  right: boolean;
  packets: number;
}

function run(
  setup: Setup,
  image: Uint8Array,
  limitMs: number,
  fault?: (n: number) => Fault | undefined,
): Run {
  const { device = {}, baudRate = 115_200, adapterMs = 0 } = setup;
  let begun = Number.POSITIVE_INFINITY;
  const world: SerialWorld = new SerialWorld({
    device: { ...device, bootMs: BOOT_MS },
    baudRate,
    adapterMs,
    // Faults begin with the upload.
    fault: (packet) => fault?.(packet - begun),
  });
  world.client.request({ kind: 'params' });
  world.until(({ kind }) => kind === 'answered');
  begun = world.packets;
  const before = { requests: world.requestsSent, bytes: world.bytesToDevice, ms: world.elapsedMs };
  const sha256 = new Uint8Array(createHash('sha256').update(image).digest());
  const upload = {
    image,
    ...(setup.sha256 === false ? {} : { sha256 }),
    ...(setup.imageHash === false ? {} : { imageHash: listedHash(image) }),
  };
  world.client.startUpload(upload, world.nowMs);
  const end = world.until(({ kind }) => kind === 'uploaded' || kind === 'failed', limitMs);
  return {
    outcome: end?.kind === 'failed' ? end.failure.code : (end?.kind ?? 'not done in time'),
    right: Buffer.compare(world.server.uploaded, image) === 0,
    packets: world.packets - begun,
    requests: world.requestsSent - before.requests,
    bytes: world.bytesToDevice - before.bytes,
    ms: world.elapsedMs - before.ms,
  };
}

function cleanRun(setup: Setup, image: Uint8Array): Clean {
  const clean = run(setup, image, 600_000);
  assert.is(clean.outcome, 'uploaded', setup.name);
  assert.ok(clean.right, setup.name);
  return clean;
}

/** What one fault may cost: a few requests and waits, or everything again. */
function costOf(fault: Fault, setup: Setup, clean: Clean): Cost {
  const few = { requests: 5, bytes: 5 * CHUNK_WIRE_BYTES, ms: 2_600 };
  // Without the image's hash a lost last answer cannot be told from a restart of the device.
  const again = fault === 'power-cut' || (setup.imageHash === false && fault !== 'split');
  // Without any hash the first chunk, come twice, starts anew each time; so it does in recovery.
  const recovers = setup.device?.recovery === true || setup.sha256 === false;
  if (!again && !recovers) return few;
  // A power cut also takes a whole window with it, and what is sent before the device is back.
  const wasted = fault === 'power-cut' ? 8 : 0;
  return {
    requests: few.requests + wasted + clean.requests,
    bytes: few.bytes + wasted * CHUNK_WIRE_BYTES + clean.bytes,
    ms: few.ms + BOOT_MS + clean.ms,
  };
}

/** Why a run with these faults is not as it should be; undefined where it is. */
function verdict(
  setup: Setup,
  image: Uint8Array,
  clean: Clean,
  struck: Struck[],
): string | undefined {
  const most = { requests: clean.requests, bytes: clean.bytes, ms: clean.ms };
  for (const [, fault] of struck) {
    const cost = costOf(fault, setup, clean);
    most.requests += cost.requests;
    most.bytes += cost.bytes;
    most.ms += cost.ms;
  }
  const fault = (packet: number) => struck.find(([at]) => at === packet)?.[1];
  const label = `${setup.name}: ${struck.map(([at, kind]) => `${kind} at ${at}`).join(', ')}`;
  const outcome = run(setup, image, most.ms, fault);
  if (outcome.outcome !== 'uploaded') return `${label}: ${outcome.outcome}`;
  if (!outcome.right) return `${label}: another image`;
  if (outcome.requests > most.requests) return `${label}: ${outcome.requests} requests`;
  return outcome.bytes > most.bytes ? `${label}: ${outcome.bytes} bytes` : undefined;
}

function cleanRuns(setups: Setup[], chunks: number): Clean[] {
  return setups.map((setup) => cleanRun(setup, imageOf(setup, chunks)));
}

function singles(setups: Setup[], chunks: number, cleans = cleanRuns(setups, chunks)): string[] {
  const failures: string[] = [];
  for (const [i, setup] of setups.entries()) {
    const image = imageOf(setup, chunks);
    const clean = cleans[i]!;
    for (let packet = 0; packet < clean.packets; packet++) {
      for (const fault of FAULTS) {
        const failure = verdict(setup, image, clean, [[packet, fault]]);
        if (failure) failures.push(failure);
      }
    }
  }
  return failures;
}

function pairs(setups: Setup[], chunks: number, enough = 20): { failures: string[]; runs: number } {
  const failures: string[] = [];
  let runs = 0;
  for (const setup of setups) {
    const image = imageOf(setup, chunks);
    const clean = cleanRun(setup, image);
    for (let first = 0; first < clean.packets; first++) {
      for (let second = first + 1; second < clean.packets + 3; second++) {
        for (const a of FAULTS) {
          for (const b of FAULTS) {
            runs++;
            const failure = verdict(setup, image, clean, [
              [first, a],
              [second, b],
            ]);
            if (failure) failures.push(failure);
            if (failures.length >= enough) return { failures, runs };
          }
        }
      }
    }
  }
  return { failures, runs };
}

test('clean runs take the packets they must and no more', () => {
  const counts = SETUPS.map((setup) => [setup.name, cleanRun(setup, imageOf(setup, 9)).packets]);
  assert.equal(counts, [
    ['plain', 16],
    ['fast line, slow adapter', 16],
    ['log between answers', 16],
    ['busy device', 19],
    ['recovery', 18],
    ['version 1 only', 16],
    ['no image hash', 16],
    ['no hash at all', 16],
  ]);
});

test('every single fault', () => {
  assert.equal(singles(SETUPS, 20), []);
});

test('every pair of faults on a small image', () => {
  const { failures, runs } = pairs(SETUPS, 3);
  console.log(`\nNOTE ${runs} pairs`);
  assert.equal(failures, []);
});

test('a random campaign: every fault, rates up to one packet in eight', () => {
  let seed = 0x5eed5317;
  console.log(`\nSEED ${seed}`);
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const outcomes: Record<string, number> = {};
  for (let round = 0; round < 300; round++) {
    const setup = SETUPS[random(SETUPS.length)]!;
    const image = firmware(500 + random(30_000));
    const kinds = FAULTS.filter(
      (kind) => random(3) > 0 && (kind !== 'power-cut' || random(3) === 0),
    );
    const perMille = random(125);
    const fault = () => (random(1_000) < perMille ? kinds[random(kinds.length)] : undefined);
    const outcome = run(setup, image, 3_600_000, fault);
    const label = `round ${round}, ${setup.name}: ${kinds.join(' ')} at ${perMille / 10} %`;
    outcomes[outcome.outcome] = (outcomes[outcome.outcome] ?? 0) + 1;
    if (outcome.outcome === 'uploaded') assert.ok(outcome.right, label);
    else assert.is(outcome.outcome, 'upload-restarts', label);
    assert.ok(outcome.bytes < 4 * (6 * image.length + 65_536), label);
  }
  console.log(`NOTE ${JSON.stringify(outcomes)}`);
  assert.ok(outcomes['uploaded']! > 200);
});

// ---- planted defects: the sweep has to find each ------------------------------------------------------

type Method = (this: never, ...args: never[]) => unknown;

/** Runs the body with one method of a class replaced. */
function planted<T>(owner: { prototype: object }, name: string, wrong: Method, body: () => T): T {
  const methods = owner.prototype as Record<string, unknown>;
  const right = methods[name];
  assert.type(right, 'function', `${name} is a method`);
  methods[name] = wrong;
  try {
    return body();
  } finally {
    methods[name] = right;
  }
}

const rightEncode = PacketEncoder.prototype.encode;
const rightTimeout = RoundTrip.prototype.timeoutMs;

interface Sendable {
  restart(nowMs?: number): void;
}

interface Gathering {
  bytes: Uint8Array;
  have: number;
  ready: boolean;
  messageEnd: number;
  drop(): void;
}

const DEFECTS: [string, { prototype: object }, string, Method][] = [
  ['nothing is sent again', UploadRun, 'handleTimeout', () => false],
  ['the device may not go back', UploadRun, 'wentBack', () => undefined],
  ['no probe after the first chunk', UploadRun, 'writeProbe', () => 0],
  ['every wait is a long one', RoundTrip, 'timeoutMs', () => 30_000],
  [
    'waits grow without end',
    RoundTrip,
    'timeoutMs',
    function (this: RoundTrip, attempts: number) {
      return rightTimeout.call(this, attempts) * 40 ** attempts;
    },
  ],
  [
    'broken lines are not ended',
    PacketEncoder,
    'encode',
    function (this: PacketEncoder, messageBytes: number) {
      return rightEncode.call(this, messageBytes, false);
    },
  ],
  [
    'a lost last answer is a restart',
    UploadRun,
    'wentBack',
    function (this: Sendable) {
      this.restart();
    },
  ],
  ['whatever the image list says', UploadRun, 'listHolds', () => true],
  ['the image list is not believed', UploadRun, 'listHolds', () => false],
  ['no answer settles an earlier request', Flights, 'hasChunkAt', () => true],
  ['a byte on its way is sent again', Flights, 'hasChunkAt', () => false],
  [
    'the CRC is not looked at',
    PacketDecoder,
    'checkComplete',
    function (this: Gathering) {
      if (this.have < 2 || this.have < 2 + ((this.bytes[0]! << 8) | this.bytes[1]!)) return;
      this.drop();
      this.ready = true;
      this.messageEnd = this.have - 2;
    },
  ],
];

for (const [name, owner, method, wrong] of DEFECTS) {
  test(`finds: ${name}`, () => {
    const look = (list: typeof SETUPS, step: number): readonly unknown[] => {
      const cleans = cleanRuns(list, 20);
      return planted(owner, method, wrong, () => {
        try {
          const failures = singles(list, 20, cleans);
          return failures.length > 0 ? failures : pairs(list, step, 1).failures;
        } catch (error) {
          return [String(error)];
        }
      });
    };
    const first = look(SETUPS.slice(0, 2), 4);
    // What the first setups do not show, all of them do.
    const found = first.length > 0 ? first : look(SETUPS, 2);
    assert.ok(found.length > 0, 'no run found it');
  });
}

test.run();
