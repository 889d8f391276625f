/**
 * Whatever an image, a list or a device rules out is refused before a byte is sent, with exit code 3 and
 * the rule named: by `flash` against a live rig, by `verify` and by `plan`. Where the image alone is
 * enough to refuse, the coordinator is never even opened.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { factsOfDevice } from '../../src/gateway/device-facts.ts';
import { loadImage } from '../../src/gateway/image-library.ts';
import { loadCentralProductsList } from '../../src/gateway/list-library.ts';
import { encodeGbImage } from '../../src/image/gb-upgrade.ts';
import { headerSpecFrom, type OtaHeaderSpec } from '../../src/image/ota-header.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { type CliResult, FIRMWARE, runCli, sleep, TestRig } from '../support/rigs.ts';

const test = suite('refusals');
const good = new Uint8Array(readFileSync(FIRMWARE.new));
const removed = FIRMWARE.new.replace('02000000-test', '01800000-test-removed');
const HEADER_BYTES = 60;
const HEADER_LENGTH_OFFSET = 6;
const TOTAL_SIZE_OFFSET = 52;

const folder = mkdtempSync(join(tmpdir(), 'uplift-refusals-'));
let hostsSeen = 0;
let rig: TestRig;

test.before(async () => {
  rig = await TestRig.make();
  await rig.up({
    onEvent: ({ event }) => {
      if (event.kind === 'host-connected') hostsSeen++;
    },
  });
});
test.after(async () => {
  await rig.remove();
  rmSync(folder, { recursive: true });
});

interface Case {
  name: string;
  rule: string;
  image: string;
  /** Instead of the list of the test firmware. */
  list?: string[];
}

function saved(name: string, bytes: Uint8Array): string {
  const path = join(folder, `${name.replaceAll(/[^\w]+/g, '-')}.zigbee`);
  writeFileSync(path, bytes);
  return path;
}

function changed(change: (bytes: Uint8Array, view: DataView) => void): Uint8Array {
  const bytes = good.slice();
  change(bytes, new DataView(bytes.buffer));
  return bytes;
}

/** The good Manufacturer Image, so also its listed hash, below another header. */
function withHeader(change: Partial<OtaHeaderSpec>): Uint8Array {
  const parsed = parseOtaFile(good);
  assert.ok(parsed.ok);
  const header = { ...headerSpecFrom(parsed.images[0]!.header), ...change };
  return encodeGbImage({ header, manufacturerImage: good.slice(HEADER_BYTES) });
}

function imageCases(): Case[] {
  const cuts = [0, 3, 59, 60, good.length >> 1, good.length - 1];
  const images: [string, string, Uint8Array][] = [
    ['wrong magic', 'image.readable', changed((bytes) => bytes.fill(0x55, 0, 4))],
    [
      'a header longer than the file',
      'image.readable',
      changed((_, view) => view.setUint16(HEADER_LENGTH_OFFSET, 0xffff, true)).slice(0, 4096),
    ],
    [
      'a total size beyond the file',
      'image.readable',
      changed((_, view) => view.setUint32(TOTAL_SIZE_OFFSET, good.length + 1, true)),
    ],
    [
      'a total size of 4 GiB',
      'image.readable',
      changed((_, view) => view.setUint32(TOTAL_SIZE_OFFSET, 0xffff_ffff, true)),
    ],
    [
      'a total size below the file',
      'image.total-size',
      changed((_, view) => view.setUint32(TOTAL_SIZE_OFFSET, good.length - 1, true)),
    ],
    ['another manufacturer', 'device.manufacturer-code', withHeader({ manufacturerCode: 0x1037 })],
    ['another image type', 'device.image-type', withHeader({ imageType: 0x0085 })],
    [
      "another device's EUI-64",
      'device.destination',
      withHeader({ destinationEui64: '000d6f000a9069e8' }),
    ],
    ['one bit of the body', 'cpl.listed', changed((bytes) => (bytes[70_000]! ^= 0x10))],
    ...cuts.map((cut): [string, string, Uint8Array] => [
      `cut at byte ${cut}`,
      'image.readable',
      good.slice(0, cut),
    ]),
  ];
  return [
    ...images.map(([name, rule, bytes]) => ({ name, rule, image: saved(name, bytes) })),
    { name: 'another hardware', rule: 'device.hardware-range', image: FIRMWARE.wrongHardware },
    { name: 'an entry that was removed', rule: 'cpl.current', image: removed },
    { name: 'no list', rule: 'cpl.listed', image: FIRMWARE.new, list: [] },
  ];
}

for (const { name, rule, image, list = ['--cpl', FIRMWARE.list] } of imageCases()) {
  test(`${name}: ${rule}, before a port is opened`, async () => {
    const target = ['--rig', rig.path, ...list];
    const [flash, plain, verify, plan] = await Promise.all([
      runCli(['flash', ...target, '--image', image, '--json']),
      runCli(['flash', ...target, '--image', image]),
      runCli(['verify', image, ...target, '--json']),
      runCli(['plan', ...target, '--image', image, '--json']),
    ]);
    for (const result of [flash, plain, verify, plan]) assertRefused(result);
    assert.is(ruleOf(flash), rule);
    assert.match(plain.stdout, `refused by ${rule}`);
    assert.match(plain.stdout, new RegExp(`✗ ${rule.replace('.', '\\.')}`));
    assert.match(plain.stdout, /expected {2}\S.*\n +found/, 'both sides of the rule are said');
    assert.is(verdicts(verify, 'verdicts')[0]!.decision.ruleId, rule);
    assert.is(verdicts(plan, 'plans')[0]!.decision.ruleId, rule);
    assert.not('plan' in verdicts(plan, 'plans')[0]!, 'nothing is planned');
    assertUntouched();
  });
}

test('every cut of the header, and many of the body', () => {
  const facts = factsOfDevice(rig.rig.ppmids[0]!);
  const list = loadCentralProductsList(FIRMWARE.list);
  for (let cut = 0; cut < good.length; cut += cut < 512 ? 1 : 997) {
    const path = saved('cut', good.subarray(0, cut));
    const image = loadImage(path, { profile: 'gb-ppmid' }).facts;
    for (const policy of [{}, { listRequired: false, allowDowngrade: true }]) {
      const device = { ...facts, currentFileVersion: 0x01000000 };
      const decision = decideAdmission({ image, device, list, policy }, Date.now());
      assert.is(decision.verdict, 'refused', `cut at ${cut}`);
      assert.is(decision.ruleId, 'image.readable', `cut at ${cut}`);
    }
  }
});

test('not newer, known before contact', async () => {
  const target = [FIRMWARE.new, '--rig', rig.path, '--cpl', FIRMWARE.list, '--json'];
  for (const [running, downgrade, code, rule = 'device.newer'] of [
    ['0x01000000', [], 0],
    // Older, and not a version that the list names to upgrade from.
    ['0x01ffffff', [], 3, 'cpl.pathway'],
    ['0x01ffffff', ['--allow-downgrade'], 3, 'cpl.pathway'],
    ['0x02000000', [], 3],
    ['0x02000001', [], 3],
    ['0xfffffffe', [], 3],
    ['0x02000001', ['--allow-downgrade'], 0],
    ['0x02000000', ['--allow-downgrade'], 3],
  ] as const) {
    const result = await runCli(['verify', ...target, '--running', running, ...downgrade]);
    assert.is(result.code, code, `${running} ${downgrade}: ${result.stdout}`);
    const { ruleId } = verdicts(result, 'verdicts')[0]!.decision;
    assert.is(ruleId, code === 3 ? rule : undefined);
  }
});

/** What the model file says lets the image pass; what the device says does not. */
const LEARNED: { name: string; rule: string; image: string; model: Record<string, unknown> }[] = [
  {
    name: 'another manufacturer',
    rule: 'device.manufacturer-code',
    image: saved('learned manufacturer', withHeader({ manufacturerCode: 0x1037 })),
    model: { manufacturerCode: 0x1037 },
  },
  {
    name: 'another image type',
    rule: 'device.image-type',
    image: saved('learned type', withHeader({ imageType: 0x0085 })),
    model: { imageType: 0x0085 },
  },
  {
    name: 'another hardware',
    rule: 'device.hardware-range',
    image: saved(
      'learned hardware',
      withHeader({ minimumHardwareVersion: 0x0200, maximumHardwareVersion: 0x02ff }),
    ),
    model: { hardwareVersion: 0x0200 },
  },
];

for (const { name, rule, image, model } of LEARNED) {
  test(`${name}, as the device itself says: ${rule}, before a byte is sent`, async () => {
    await withOwnRig({}, async (own) => {
      const path = join(own.folder, 'model.yaml');
      const text = JSON.parse(readFileSync(path, 'utf8'));
      writeFileSync(path, JSON.stringify({ ...text, zigbee: { ...text.zigbee, ...model } }));
      await assertRefusedByDevice(own, image, rule);
    });
  });
}

test('not newer, learned from the device: the same version, and an older one', async () => {
  await withOwnRig({ firmware: FIRMWARE.new }, async (own) => {
    await assertRefusedByDevice(own, FIRMWARE.new, 'device.newer');
    await assertRefusedByDevice(own, FIRMWARE.old, 'device.newer');
    assert.is(own.device().client.counters.queries, 0, 'it was not even told of the image');
  });
});

test('one device of two is refused, the other upgraded', async () => {
  await withOwnRig({ devices: 2 }, async (own) => {
    const first = await runCli([...own.flashArguments(), '--device', 'ppmid-1', '--json']);
    assert.is(first.code, 0, first.stdout.slice(-2000) + first.stderr);
    rmSync(join(own.rig.stateFolder, 'distribution'), { recursive: true });
    const blocks = own.device('ppmid-1').client.counters.blocksReceived;
    const both = await runCli(own.flashArguments());
    assert.is(both.code, 3, both.stdout + both.stderr);
    assert.match(both.stdout, /ppmid-1: refused by device\.newer/);
    assert.match(both.stdout, /2 devices: 1 refused, 1 done/);
    assert.is(own.device('ppmid-1').client.counters.blocksReceived, blocks);
    assert.is(own.device('ppmid-2').fileVersion, 0x02000000);
  });
});

async function withOwnRig(
  options: Parameters<typeof TestRig.make>[0],
  body: (own: TestRig) => Promise<void>,
): Promise<void> {
  const own = await TestRig.make(options);
  try {
    await own.up();
    await body(own);
  } finally {
    await own.remove();
  }
}

async function assertRefusedByDevice(own: TestRig, image: string, rule: string): Promise<void> {
  const result = await runCli([...own.flashArguments(image), '--json']);
  assertRefused(result);
  assert.is(ruleOf(result), rule);
  await sleep(300);
  assert.is(own.device().client.counters.blocksReceived, 0, 'not a byte was sent');
}

function assertRefused(result: CliResult): void {
  assert.is(result.code, 3, result.stdout.slice(-3000) + result.stderr);
}

function assertUntouched(): void {
  assert.is(hostsSeen, 0, 'nobody connected to the coordinator');
  assert.is(rig.device().client.counters.blocksReceived, 0);
  assert.is(rig.device().client.counters.queries, 0);
}

interface Verdict {
  decision: { ruleId?: string };
}

function ruleOf(result: CliResult): string | undefined {
  const { outcomes } = result.events.find(({ kind }) => kind === 'result') as never as {
    outcomes: (Verdict & { state: string; exit: number })[];
  };
  assert.is(outcomes.length, 1);
  assert.is(outcomes[0]!.state, 'refused');
  assert.is(outcomes[0]!.exit, 3);
  return outcomes[0]!.decision.ruleId;
}

function verdicts(result: CliResult, key: 'verdicts' | 'plans'): Verdict[] {
  assert.is(result.events.length, 1, 'one document');
  return result.events[0]![key] as Verdict[];
}

test.run();
