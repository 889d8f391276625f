/**
 * The power goes at every single flash operation of an upgrade, and at pairs of them, with the
 * operation left undone or half done. Whatever was cut, the next boot has one whole image to run,
 * and the right one; after it an upgrade can be carried through.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HubFlash, PowerCut } from '../../src/virtual/communications-hub/hub-flash.ts';
import { Mcuboot } from '../../src/virtual/communications-hub/mcuboot.ts';
import { SMP_DEFAULTS } from '../../src/virtual/communications-hub/options.ts';
import { SmpServer } from '../../src/virtual/communications-hub/smp-server.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import {
  decodeBody,
  describeEntry,
  makeImage,
  naiveMessage,
  type TestImage,
} from '../virtual/communications-hub/fixture.ts';

const GEOMETRY = {
  slotBytes: 8_192,
  eraseBlockBytes: 512,
  programPageBytes: 128,
  eraseBlockMs: 0,
  programPageMs: 0,
};
const A = makeImage({ version: [1, 0, 0, 0], bodyBytes: 1_500 });
const B = makeImage({ version: [2, 0, 0, 0], bodyBytes: 2_500 });

/** A device without line and time: flash, and what boots from it. */
class Device {
  readonly flash: HubFlash;
  private server: SmpServer | undefined;

  constructor(tears: boolean, seed: number) {
    this.flash = new HubFlash(GEOMETRY, 2, new SeededRandom(seed));
    this.flash.tears = tears;
    this.flash.load(0, A.bytes);
  }

  /** Boots until the power stays. */
  boot(): void {
    for (let attempt = 0; !this.bootOnce(); attempt++) {
      assert.ok(attempt < 5, 'the power is cut once only');
    }
  }

  /** False where the power went; else the image in slot 0 is whole and runs. */
  bootOnce(): boolean {
    const options = { signatureKey: undefined, preventsDowngrade: false };
    const bootloader = new Mcuboot({ flash: this.flash, imageCount: 1, ...options });
    try {
      assert.ok(bootloader.boot().boots, 'there is an image to boot');
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return false;
    }
    this.server = new SmpServer(SMP_DEFAULTS, this.flash, bootloader, { reset: () => {} });
    return true;
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  ask(op: number, command: number, body: object): any {
    return decodeBody(this.server!.handlePacket(naiveMessage(op, 1, command, body))[0]!);
  }

  state(): string {
    return this.ask(0, 0, {}).images.map(describeEntry).join(' | ');
  }

  upload(image: TestImage): void {
    for (let off = 0; off < image.bytes.length; ) {
      const data = image.bytes.subarray(off, off + 300);
      const { bytes, sha } = image;
      off = this.ask(2, 1, off === 0 ? { off, len: bytes.length, sha, data } : { off, data }).off;
      assert.type(off, 'number');
    }
  }
}

const TRIAL = '0 2.0.0 active | 1 1.0.0 confirmed';
const STAGED = '0 1.0.0 confirmed active | 1 2.0.0';
const PENDING = '0 1.0.0 confirmed active | 1 2.0.0 pending';
const PERMANENT = '0 1.0.0 confirmed active | 1 2.0.0 pending permanent';
const ONLY_A = '0 1.0.0 confirmed active';
const ONLY_B = '0 2.0.0 confirmed active';

interface Step {
  name: string;
  /** Before the operation is counted. */
  prepare: (device: Device) => void;
  act: (device: Device) => void;
  /** What a boot after the cut may find. */
  after: string[];
  /** The step is itself a boot. */
  isBoot?: boolean;
}

function stage(device: Device): void {
  device.boot();
  device.upload(B);
}

function trial(device: Device): void {
  stage(device);
  device.ask(2, 0, { hash: B.hash });
  device.boot();
  assert.is(device.state(), TRIAL);
}

const STEPS: Step[] = [
  {
    name: 'upload',
    prepare: (device) => device.boot(),
    act: (device) => device.upload(B),
    after: [ONLY_A, STAGED],
  },
  {
    name: 'upload over an older one',
    prepare: (device) => stage(device),
    act: (device) => device.upload(B),
    after: [ONLY_A, STAGED],
  },
  {
    name: 'test',
    prepare: stage,
    act: (device) => void device.ask(2, 0, { hash: B.hash }),
    after: [STAGED, TRIAL],
  },
  {
    name: 'permanent',
    prepare: stage,
    act: (device) => void device.ask(2, 0, { hash: B.hash, confirm: true }),
    after: [STAGED, ONLY_B],
  },
  {
    name: 'test swap',
    prepare: (device) => {
      stage(device);
      device.ask(2, 0, { hash: B.hash });
      assert.is(device.state(), PENDING);
    },
    act: (device) => device.boot(),
    isBoot: true,
    after: [TRIAL],
  },
  {
    name: 'permanent swap',
    prepare: (device) => {
      stage(device);
      device.ask(2, 0, { hash: B.hash, confirm: true });
      assert.is(device.state(), PERMANENT);
    },
    act: (device) => device.boot(),
    isBoot: true,
    after: [ONLY_B],
  },
  { name: 'revert', prepare: trial, act: (device) => device.boot(), isBoot: true, after: [STAGED] },
  {
    name: 'confirm',
    prepare: trial,
    act: (device) => void device.ask(2, 0, { confirm: true }),
    after: [STAGED, ONLY_B],
  },
  {
    name: 'erase',
    prepare: stage,
    act: (device) => void device.ask(2, 5, {}),
    after: [ONLY_A, STAGED],
  },
];

/** Runs the step with the power cut at that operation; a boot has followed. */
function cutAt(step: Step, tears: boolean, operation: number): Device {
  const device = new Device(tears, operation * 31);
  step.prepare(device);
  device.flash.cutAtOperation = device.flash.operations + operation;
  if (step.isBoot) {
    if (!device.bootOnce()) device.boot();
    return device;
  }
  try {
    step.act(device);
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
  device.boot();
  return device;
}

function countOperations(step: Step): number {
  const device = new Device(false, 1);
  step.prepare(device);
  const before = device.flash.operations;
  step.act(device);
  return device.flash.operations - before;
}

for (const step of STEPS) {
  for (const tears of [false, true]) {
    test(`${step.name}: every cut, operations ${tears ? 'half done' : 'undone'}`, () => {
      const operations = countOperations(step);
      assert.ok(operations > 0);
      for (let operation = 1; operation <= operations; operation++) {
        const device = cutAt(step, tears, operation);
        const state = device.state();
        const where = `operation ${operation} of ${operations}`;
        const reverted = tears && step.name === 'test swap' && operation === operations;
        const expected = reverted ? [STAGED] : step.after;
        assert.ok(expected.includes(state), `${where}: ${state}`);
        carryThrough(device, where);
      }
    });
  }
}

/** Whatever the cut left, an upgrade to B can be finished. */
function carryThrough(device: Device, where: string): void {
  if (device.state() === TRIAL) device.ask(2, 0, { confirm: true });
  if (device.state() !== ONLY_B) {
    // What is staged is taken as it is: a half-written request must not stand in the way.
    if (device.state() !== STAGED) device.upload(B);
    assert.is(device.state(), STAGED, where);
    device.ask(2, 0, { hash: B.hash });
    device.boot();
    assert.is(device.state(), TRIAL, where);
    device.ask(2, 0, { confirm: true });
  }
  device.boot();
  assert.is(device.state(), ONLY_B, where);
}

test('pairs: the swap that goes on is cut again', () => {
  const step = STEPS.find(({ name }) => name === 'test swap')!;
  const operations = countOperations(step);
  const outcomes = new Map<string, number>();
  for (let first = 1; first <= operations; first += 3) {
    for (let second = 1; second <= operations; second += 5) {
      const tears = (first + second) % 2 === 0;
      const device = cutTwice(step, tears, first, second);
      const state = device.state();
      outcomes.set(state, (outcomes.get(state) ?? 0) + 1);
      // The last mark of all, half written, is written: the boot after it already reverts.
      const expected = tears ? [TRIAL, STAGED] : [TRIAL];
      assert.ok(expected.includes(state), `${first}, ${second}: ${state}`);
    }
  }
  assert.ok(outcomes.get(TRIAL)! > 200);
  assert.ok((outcomes.get(STAGED) ?? 0) < 20);
});

function cutTwice(step: Step, tears: boolean, first: number, second: number): Device {
  const device = new Device(tears, first * 1009 + second);
  step.prepare(device);
  device.flash.cutAtOperation = device.flash.operations + first;
  device.bootOnce();
  device.flash.cutAtOperation = device.flash.operations + second;
  // Where less was left to do than `second`, the swap has ended and the power was never cut again.
  if (device.bootOnce()) device.flash.cutAtOperation = Number.POSITIVE_INFINITY;
  else device.boot();
  return device;
}

test.run();
