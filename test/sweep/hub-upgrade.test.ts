/**
 * Whole upgrades of hubs with every single fault, and pairs: the power goes at each flash operation, each
 * piece of either direction is lost, damaged, doubled or late. Whatever happens the session ends in time
 * and in a bounded number of pieces, what it says of the hub is true, the hub has one whole image, and a
 * session after it carries the upgrade through.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GeckoBoard } from '../../src/virtual/communications-hub/gecko-board.ts';
import type { SmpBoard } from '../../src/virtual/communications-hub/smp-board.ts';
import { HubWorld, type RequestChange } from '../upgrade/hub-world.ts';
import { makeImage } from '../virtual/communications-hub/fixture.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';

const test = suite('hub upgrades, swept');
const FLASH = {
  slotBytes: 8_192,
  eraseBlockBytes: 512,
  programPageBytes: 128,
  eraseBlockMs: 2,
  programPageMs: 0.3,
};
const A = makeImage({ version: [1, 0, 0, 0], bodyBytes: 900 });
const B = makeImage({ version: [2, 0, 0, 0], bodyBytes: 1_500 });
const OLD_GBL = makeGbl({ version: 0x10000, programBytes: 700 });
const NEW_GBL = makeGbl({ version: 0x20000, programBytes: 1_100 });

/** Any one session, repeats and waits included. */
const SESSION_MS_MAX = 15 * 60_000;
const COST_FACTOR = 8;
/** A fault may leave a hub that the next session finds as it is. */
const SESSIONS_MAX = 3;

interface Protocol {
  name: string;
  make(faults?: Faults): HubWorld;
  begin(world: HubWorld): HubWorld;
  /** `old`, `new`, or what is wrong with it; `trial`: the new one, not confirmed. */
  runs(world: HubWorld): string;
}

interface Faults {
  powerCutAtFlashOperation?: number[];
  powerCutTearsFlash?: boolean;
}

const SMP: Protocol = {
  name: 'SMP',
  make: (faults = {}) => new HubWorld({ flash: FLASH, firmware: A.bytes, faults }),
  begin: (world) => world.smp(B.bytes, { device: DEVICE }),
  runs: (world) => {
    const { bootloader } = world.hub.board as SmpBoard;
    const found = bootloader.readImage(0, 0);
    if (!found.ok) return found.fault;
    if (found.image.version.major === 1) return 'old';
    return bootloader.swapType(0) === 'revert' ? 'trial' : 'new';
  },
};

const DEVICE = { slotBytes: FLASH.slotBytes, imageProfile: 'mcuboot' } as const;
const GBL_CHANGE: RequestChange = {
  device: { slotBytes: FLASH.slotBytes, imageProfile: 'gbl' },
  line: { canEnterBootloader: true },
};

const GBL: Protocol = {
  name: 'GBL',
  make: (faults = {}) => {
    const settings = { protocol: 'gecko-bootloader', firmware: OLD_GBL } as const;
    const world = new HubWorld({ ...settings, flash: FLASH, faults });
    world.lineSteps = () => world.hub.receive(new Uint8Array(Buffer.from('\nbootloader\n')));
    return world;
  },
  begin: (world) => world.bootloader(NEW_GBL, 'gbl', GBL_CHANGE),
  runs: (world) => {
    const { application } = world.hub.board as GeckoBoard;
    if (application === undefined) return 'none';
    return application.version === 0x20000 ? 'new' : 'old';
  },
};

interface Clean {
  operations: number;
  transmits: number;
  pieces: number;
}

function cleanRun(protocol: Protocol): Clean {
  const world = protocol.make();
  const before = world.hub.flash.operations;
  protocol.begin(world).settle(SESSION_MS_MAX);
  assert.is(world.state, 'done', world.story());
  const { transmits, pieces, hub } = world;
  return { operations: hub.flash.operations - before, transmits, pieces };
}

/** What a session said against what is there. */
function isTrue(protocol: Protocol, world: HubWorld, what: string): void {
  const runs = protocol.runs(world);
  const story = `${what}: ${runs}; ${world.story()}`;
  const { state, session } = world;
  if (state === 'done') assert.is(runs, 'new', story);
  if (session.code === 'device-reverted' || session.code === 'image-dropped-at-boot') {
    assert.is(runs, 'old', story);
  }
  if (session.code === 'not-confirmed') assert.is(runs, 'trial', story);
  if (session.code === 'application-unheard') assert.is(runs, 'new', story);
  assert.ok(state === 'done' || session.code !== undefined, story);
}

/** Sessions one after another until the upgrade is through. */
function carryThrough(protocol: Protocol, world: HubWorld, clean: Clean, what: string): void {
  for (let round = 1; ; round++) {
    const before = world.transmits;
    const swapsBefore = swaps(world);
    if (round > 1) world.run(3_000);
    protocol.begin(world).settle(SESSION_MS_MAX);
    // Power that has just gone is back, and what it cut has booted.
    const powered = () => world.hub.isPowered;
    if (!powered()) world.until(powered);
    isTrue(protocol, world, what);
    assert.ok(swaps(world) - swapsBefore <= 1, `${what}: one activation; ${world.story()}`);
    const cost = world.transmits - before;
    const most = COST_FACTOR * clean.transmits + 100;
    assert.ok(cost <= most, `${what}: ${cost} pieces; ${world.story()}`);
    const through = world.state === 'done' || protocol.runs(world) === 'new';
    if (through) return;
    assert.ok(round < SESSIONS_MAX, `${what}: not through after ${round}; ${world.story()}`);
  }
}

/** Times the new image was put in the place of the old. */
function swaps(world: HubWorld): number {
  return world.hubEvents.filter((event) => event.kind === 'image-swapped' && event.swap === 'test')
    .length;
}

type Fault = (bytes: Uint8Array) => Uint8Array | undefined;

const FAULTS: Record<string, Fault> = {
  lost: () => undefined,
  damaged: (bytes) => bytes.map((byte, at) => (at === bytes.length >>> 1 ? byte ^ 0x10 : byte)),
  doubled: (bytes) => new Uint8Array([...bytes, ...bytes]),
  cut: (bytes) => bytes.subarray(0, bytes.length >>> 1),
};

function withFaults(world: HubWorld, down: Map<number, Fault>, up: Map<number, Fault>): HubWorld {
  world.toHub = (bytes, transmit) => (down.get(transmit) ?? ((same) => same))(bytes);
  world.toHost = (bytes, piece) => (up.get(piece) ?? ((same) => same))(bytes);
  return world;
}

for (const protocol of [SMP, GBL]) {
  const { name, make } = protocol;

  test(`${name}: the power goes at every flash operation`, () => {
    const clean = cleanRun(protocol);
    assert.ok(clean.operations > 10, `${clean.operations} operations`);
    for (const powerCutTearsFlash of [false, true]) {
      for (let at = 1; at <= clean.operations; at++) {
        const world = make({ powerCutAtFlashOperation: [at], powerCutTearsFlash });
        const what = `cut at operation ${at}${powerCutTearsFlash ? ', torn' : ''}`;
        carryThrough(protocol, world, clean, what);
      }
    }
  });

  test(`${name}: every single fault of a piece, either way`, () => {
    const clean = cleanRun(protocol);
    for (const [kind, fault] of Object.entries(FAULTS)) {
      for (let at = 1; at <= clean.transmits; at++) {
        const world = withFaults(make(), new Map([[at, fault]]), new Map());
        carryThrough(protocol, world, clean, `to the hub ${at} ${kind}`);
      }
      for (let at = 1; at <= clean.pieces; at++) {
        const world = withFaults(make(), new Map(), new Map([[at, fault]]));
        carryThrough(protocol, world, clean, `from the hub ${at} ${kind}`);
      }
    }
  });

  test(`${name}: every pair of lost pieces`, () => {
    const clean = cleanRun(protocol);
    const { lost } = FAULTS;
    for (let first = 1; first <= clean.transmits; first++) {
      for (let second = first + 1; second <= clean.transmits + 1; second++) {
        const down = new Map([
          [first, lost!],
          [second, lost!],
        ]);
        const world = withFaults(make(), down, new Map());
        carryThrough(protocol, world, clean, `to the hub ${first} and ${second} lost`);
      }
    }
  });
}

test.run();
