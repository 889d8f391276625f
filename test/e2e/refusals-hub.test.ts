/**
 * Whatever an image, a list, a key or a model rules out for a hub is refused by `verify` and `plan`,
 * with exit code 3 and the rule named, and no port of the rig is opened for it. On a rig with hubs and
 * PPMIDs the image says which of them are meant.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeTrustFolder } from '../support/anchors.ts';
import { type CliResult, runCli } from '../support/rigs.ts';

const test = suite('refusals of hub images');
const ROOT = resolve(import.meta.dirname, '../..');
const firmware = (file: string) => join(ROOT, 'firmware', file);
const MCUBOOT = firmware('hub-2.0.0-test.mcuboot.bin');
const GBL = firmware('hub-00020000-test.gbl');
const OTA = firmware('121D-0084-02000000-test.zigbee');
const LIST = firmware('central-products-list.csv');
const TRUST = firmware('trust');

const folder = mkdtempSync(join(tmpdir(), 'uplift-refusals-hub-'));
const rig = join(folder, 'rig.yaml');
const servers: Server[] = [];
let opened = 0;

test.before(async () => {
  writeTrustWithoutHubs();
  const ports = await Promise.all([countedPort(), countedPort(), countedPort()]);
  writeFileSync(rig, rigText(ports));
});
test.after(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

/** A port that counts who opens it. */
async function countedPort(): Promise<string> {
  const server = createServer((socket) => {
    opened++;
    socket.destroy();
  });
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** One of each: SMP, Gecko bootloader, PPMID. */
function rigText([first, second, third]: string[]): string {
  const model = (file: string) => join(ROOT, 'hw-config', file);
  const network = {
    panId: 0x1a62,
    extendedPanId: 'dddddddddddddddd',
    channel: 11,
    networkKey: '01030507090b0d0f00020406080a0c0d',
  };
  return JSON.stringify({
    rig: 'all-kinds',
    description: 'hubs and a PPMID',
    state: 'state',
    centralProductsList: LIST,
    trustAnchors: TRUST,
    coordinators: [{ id: 'zigbee-1', adapter: 'zstack', port: first, network }],
    devices: [
      { id: 'hub', model: model('hubs/virtual-hub.yaml'), port: second },
      { id: 'radio', model: model('hubs/virtual-hub-radio.yaml'), port: third },
      {
        id: 'ppmid',
        model: model('ppmids/virtual-ppmid.yaml'),
        coordinator: 'zigbee-1',
        eui64: '00:0d:6f:00:0a:90:69:e7',
      },
    ],
  });
}

function saved(name: string, bytes: Uint8Array): string {
  const path = join(folder, name.replaceAll(/[^\w]+/g, '-'));
  writeFileSync(path, bytes);
  return path;
}

function changed(path: string, offset: number, mask = 0x10): Uint8Array {
  const bytes = new Uint8Array(readFileSync(path));
  bytes[offset < 0 ? bytes.length + offset : offset]! ^= mask;
  return bytes;
}

function cut(path: string, length: number): Uint8Array {
  return new Uint8Array(readFileSync(path)).subarray(0, length);
}

interface Verdict {
  device: string;
  profile?: string;
  plan?: { link: string; steps: { step: string; irreversible?: true }[] };
  decision: { verdict: string; ruleId?: string; conditional: boolean; pending: string[] };
}

interface Verdicts {
  verdicts: Verdict[];
  leftOut: string[];
}

function said(result: CliResult): Verdicts {
  assert.is(result.events.length, 1, result.stdout + result.stderr);
  const { verdicts, plans, leftOut } = result.events[0] as never as Verdicts & {
    plans: Verdict[];
  };
  return { verdicts: verdicts ?? plans, leftOut };
}

/** What `verify` and `plan` say. */
async function judged(image: string, ...options: string[]): Promise<[number | null, Verdicts][]> {
  const [verify, plan] = await Promise.all([
    runCli(['verify', image, '--rig', rig, '--json', ...options]),
    runCli(['plan', '--image', image, '--rig', rig, '--json', ...options]),
  ]);
  assert.is(opened, 0, 'no port was opened');
  return [verify, plan].map((result) => [result.code, said(result)]);
}

const NO_KEYS = join(folder, 'other-keys');

const REFUSED: [string, string, () => string, ...string[]][] = [
  ['cut in the header', 'image.readable', () => saved('a', cut(MCUBOOT, 31)), '--device', 'hub'],
  ['cut in the body', 'image.readable', () => saved('b', cut(MCUBOOT, 50_000))],
  ['cut in the signature', 'image.readable', () => saved('c', cut(MCUBOOT, 98_978))],
  ['a GBL cut before its END', 'image.readable', () => saved('d', cut(GBL, 65_672))],
  ['a bit of the body', 'image.digest', () => saved('e', changed(MCUBOOT, 50_000))],
  ['a bit of the header', 'image.digest', () => saved('f', changed(MCUBOOT, 20, 1))],
  ['a bit of a GBL', 'image.readable', () => saved('g', changed(GBL, 40_000))],
  [
    'signed by another',
    'image.signature',
    () => firmware('hub-2.0.1-test-wrong-signature.mcuboot.bin'),
  ],
  [
    'signed by a stranger',
    'image.signature',
    () => firmware('hub-2.0.2-test-unknown-key.mcuboot.bin'),
  ],
  ['no key for it, on a bench', 'image.signature', () => GBL, '--no-cpl', '--trust', NO_KEYS],
  ['GBL for the SMP hub', 'device.image-profile', () => GBL, '--device', 'hub'],
  ['MCUboot for the radio', 'device.image-profile', () => MCUBOOT, '--device', 'radio'],
  ['MCUboot for the PPMID', 'device.image-profile', () => MCUBOOT, '--device', 'ppmid'],
  ['ZigBee for the hub', 'device.image-profile', () => OTA, '--device', 'hub'],
  ['ZigBee for the radio', 'device.image-profile', () => OTA, '--device', 'radio'],
];

for (const [name, rule, image, ...options] of REFUSED) {
  test(`${name}: ${rule}, before a port is opened`, async () => {
    for (const [code, { verdicts }] of await judged(image(), ...options)) {
      assert.is(code, 3);
      for (const { decision, plan, device } of verdicts) {
        assert.is(decision.verdict, 'refused', device);
        assert.is(decision.ruleId, rule, device);
        assert.is(plan, undefined, 'nothing is planned');
      }
    }
  });
}

/** Keys for ZigBee only, one of them the very key of the MCUboot images. */
function writeTrustWithoutHubs(): void {
  const keys = ['test-supplier-digital-signing.pem', 'test-hub-mcuboot.pem'].map((file) => [
    file,
    { purpose: 'gb-firmware', pem: readFileSync(join(TRUST, file), 'utf8') },
  ]);
  writeTrustFolder(NO_KEYS, Object.fromEntries(keys));
}

test('both sides are said to a person', async () => {
  const { code, stdout } = await runCli(['verify', GBL, '--rig', rig, '--device', 'hub']);
  assert.is(code, 3);
  assert.match(stdout, 'for hub: refused by device.image-profile');
  assert.match(stdout, /expected {2}mcuboot: MCUboot image, which the device takes/);
  assert.match(stdout, /found {5}gbl: GBL image \(Gecko bootloader\), which the file holds/);
});

test('the image says which devices of a rig are meant, and the others are named', async () => {
  for (const [image, device, leftOut] of [
    [MCUBOOT, 'hub', ['radio', 'ppmid']],
    [GBL, 'radio', ['hub', 'ppmid']],
    [OTA, 'ppmid', ['hub', 'radio']],
  ] as const) {
    for (const [code, outcome] of await judged(image)) {
      assert.is(code, 0, device);
      assert.equal(
        outcome.verdicts.map((one) => one.device),
        [device],
      );
      assert.equal(outcome.leftOut, leftOut);
    }
  }
  const { stdout } = await runCli(['plan', '--rig', rig, '--image', GBL]);
  assert.match(stdout, /left out, .*: hub, ppmid/);
  assert.match(stdout, 'no way back');
});

test('what is no image at all is refused for every device', async () => {
  for (const [code, { verdicts, leftOut }] of await judged(saved('garbage', Buffer.from('x')))) {
    assert.is(code, 3);
    assert.equal(
      verdicts.map(({ device, decision }) => [device, decision.ruleId]),
      ['hub', 'radio', 'ppmid'].map((id) => [id, 'image.readable']),
    );
    assert.equal(leftOut, []);
  }
});

test('what is open before contact: an SMP hub will say it, a bootloader will not', async () => {
  const [[, smp]] = (await judged(MCUBOOT)) as [[number, Verdicts]];
  const { decision } = smp.verdicts[0]!;
  assert.equal([decision.conditional, decision.pending], [true, ['runningVersion']]);
  const { stdout } = await runCli(['verify', GBL, '--rig', rig]);
  assert.match(stdout, 'for radio: admitted\n');
  assert.match(stdout, /! device\.newer/);
  assert.match(stdout, 'cannot be known before the upload');
});

test('not newer, known before contact', async () => {
  for (const [image, running, options, code, rule = 'device.newer'] of [
    [MCUBOOT, '1.0.0', [], 0],
    // Older, and not a version that the list names to upgrade from, whatever may be gone back to.
    [MCUBOOT, '1.9.9', [], 3, 'cpl.pathway'],
    [MCUBOOT, '1.9.9', ['--allow-downgrade'], 3, 'cpl.pathway'],
    [MCUBOOT, '2.0.0.0', [], 3],
    [MCUBOOT, '2.0.0.1', [], 3],
    [MCUBOOT, '2.0.0.1', ['--allow-downgrade'], 0],
    [MCUBOOT, '2.0.0', ['--allow-downgrade'], 3],
    [GBL, '0x00010000', [], 0],
    [GBL, '0x00020000', [], 3],
    [GBL, '131073', [], 3],
  ] as const) {
    const parameters = ['--rig', rig, '--running', running, ...options, '--json'];
    const result = await runCli(['verify', image, ...parameters]);
    assert.is(result.code, code, `${running} ${options}: ${result.stdout}`);
    const { ruleId } = said(result).verdicts[0]!.decision;
    assert.is(ruleId, code === 3 ? rule : undefined);
  }
});

test('what was said wrongly on the command line', async () => {
  const misplaced = join(folder, 'misplaced');
  mkdirSync(misplaced);
  writeFileSync(join(misplaced, 'a.pem'), readFileSync(join(TRUST, 'test-hub-gbl.pem')));
  writeFileSync(join(misplaced, 'anchors.json'), '{"version": 1, "anchors": []}');
  for (const [parameters, code] of [
    [['verify', MCUBOOT, '--rig', rig, '--running', '0x02000000'], 'option-invalid'],
    [['verify', GBL, '--rig', rig, '--running', '1.0.0'], 'option-invalid'],
    [['verify', OTA, '--rig', rig, '--running', '1.0.0'], 'option-invalid'],
    [['verify', GBL, '--rig', rig, '--trust', misplaced], 'trust-purpose-unknown'],
    [['plan', '--rig', rig, '--image', GBL, '--activate', 'held'], 'option-invalid'],
    [['plan', '--rig', rig, '--image', GBL, '--device', 'other'], 'device-unknown'],
  ] as const) {
    const { code: exit, stdout } = await runCli([...parameters, '--json']);
    assert.is(exit, 2, parameters.join(' '));
    assert.is(JSON.parse(stdout).error.code, code);
  }
});

test('on a bench: an unsigned image passes when somebody says so', async () => {
  const bench = ['--no-cpl', '--trust', NO_KEYS, '--json'];
  const refused = await runCli(['verify', MCUBOOT, '--rig', rig, ...bench]);
  assert.is(refused.code, 3, 'the very key is there, and trusted for another purpose');
  const told = await runCli(['verify', MCUBOOT, '--rig', rig, ...bench, '--allow-unsigned']);
  assert.is(told.code, 0, told.stdout);
  const wrong = firmware('hub-2.0.1-test-wrong-signature.mcuboot.bin');
  const options = ['--no-cpl', '--allow-unsigned', '--json'];
  const still = await runCli(['verify', wrong, '--rig', rig, ...options]);
  assert.is(said(still).verdicts[0]!.decision.ruleId, 'image.signature');
});

test('without a rig: the format says how it is read, a model file what takes it', async () => {
  const model = join(ROOT, 'hw-config/hubs/virtual-hub-radio.yaml');
  const options = ['--model', model, '--cpl', LIST, '--trust', TRUST, '--json'];
  const taken = await runCli(['verify', GBL, ...options]);
  assert.is(taken.code, 0, taken.stdout);
  assert.is(said(taken).verdicts[0]!.profile, 'gbl');
  const other = await runCli(['verify', MCUBOOT, ...options]);
  assert.is(said(other).verdicts[0]!.decision.ruleId, 'device.image-profile');
  const bare = await runCli(['verify', MCUBOOT, '--cpl', LIST, '--json']);
  assert.is(said(bare).verdicts[0]!.profile, 'mcuboot');
  assert.ok(said(bare).verdicts[0]!.decision.pending.includes('imageProfile'));
  const read = await runCli(['verify', GBL, '--profile', 'mcuboot', '--json']);
  assert.is(said(read).verdicts[0]!.decision.ruleId, 'image.readable');
});

test('plans: what a hub with two slots goes through, and one with a bootloader alone', async () => {
  const steps = async (image: string, ...options: string[]) => {
    const result = await runCli(['plan', '--rig', rig, '--image', image, '--json', ...options]);
    return said(result).verdicts[0]!.plan!.steps;
  };
  assert.equal(
    (await steps(MCUBOOT)).map(({ step }) => step),
    ['admit', 'enter', 'erase', 'distribute', 'verify', 'activate', 'restart', 'confirm'],
  );
  assert.is((await steps(MCUBOOT, '--activate', 'held')).at(-1)!.step, 'hold');
  const bootloader = await steps(GBL);
  assert.equal(
    bootloader.map(({ step }) => step),
    ['admit', 'enter', 'erase', 'distribute', 'verify', 'restart', 'confirm'],
  );
  assert.ok(bootloader.find(({ step }) => step === 'erase')!.irreversible);
});

test.run();
