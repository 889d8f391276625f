/**
 * A coordinator and three gateways with two PPMIDs each, on material made for this run. Ann writes a campaign
 * and hands it in, Robert approves it, Olive starts it; one gateway is the canary, and the others follow.
 */
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { FLEET, writeFleetMaterial } from '../test/support/fleet-material.ts';
import { FIRMWARE, NEW_VERSION, OLD_VERSION, sha256Of, TestRig } from '../test/support/rigs.ts';
import { Commands } from './demo-commands.ts';

const GATEWAYS = 3;
const LIMIT_MS = 180_000;
const ASK_MS = 500;
const ID = 'ppmid-2027-01';
/** Six devices are soon done: real ones take hours, and have a wider pace. */
const OTA_CLIENT = { queryPeriodMs: 0, rebootMs: 500 };

interface Told {
  inventory: { firmwareVersion?: string }[];
}

const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-'));
const commands = new Commands(folder);
const rigs: TestRig[] = [];
const material = writeFleetMaterial(join(folder, 'keys'), FIRMWARE.trust);
const image = basename(FIRMWARE.new);

function file(name: string, content: unknown): string {
  const text = typeof content === 'string' ? content : JSON.stringify(content, undefined, 2);
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return name;
}

/** Who asks: the option by which they say so. */
function person(name: string, lines: string[]): string[] {
  const token = randomBytes(24).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  lines.push(`operator ${name} sha256:${sha256}`);
  return ['--token-file', file(`${name}.token`, token)];
}

function keyOf({ certificateFile, keyFile }: { certificateFile: string; keyFile: string }) {
  const near = (path: string) => relative(folder, path);
  return ['--certificate', near(certificateFile), '--key', near(keyFile)];
}

/** @returns where gateways ask, and how Ann and Olive ask */
async function startCoordinator() {
  const lines: string[] = [];
  const [ann, olive] = [person('ann', lines), person('olive', lines)];
  const { certificateFile, keyFile } = material.coordinatorTls;
  file('fleet.yaml', {
    fleet: { name: FLEET, stateDirectory: 'fleet', runtimeDirectory: '.' },
    gateways: { listen: '127.0.0.1:0', tls: { certificateFile, keyFile } },
    api: { socket: { path: 'fleet.sock', tokensFile: file('tokens', lines.join('\n')) } },
    trust: { anchors: material.trustAnchors },
  });
  const serve = ['fleet', 'serve', '--config', 'fleet.yaml'];
  const [, port] = await commands.start(serve, /:(\d+) \(gateways\)/);
  const at = ['--socket', 'fleet.sock'];
  return { url: `https://127.0.0.1:${port}`, ann: [...at, ...ann], olive: [...at, ...olive] };
}

/** With its rig of virtual devices in this process. */
async function startGateway(number: number, url: string, asking: string[]): Promise<void> {
  const name = `gateway-${number}`;
  const rig = await TestRig.make({ devices: 2, number, otaClient: OTA_CLIENT });
  rigs.push(rig);
  await rig.up();
  const added = await commands.ask('fleet', 'gateway', 'add', name, ...asking, '--json');
  const { token } = JSON.parse(added) as { token: string };
  file(`${name}.yaml`, {
    gateway: { id: name, stateDirectory: name, runtimeDirectory: `${name}/run` },
    rigs: [rig.path],
    admission: {
      intake: 'bench',
      centralProductsList: FIRMWARE.list,
      trustAnchors: material.trustAnchors,
    },
    schedule: { prepaymentBlackout: [] },
    api: { socket: { path: `${name}.sock`, role: 'admin' } },
    campaigns: {
      fleet: FLEET,
      coordinator: {
        ...{ url, caFile: material.tlsCa, contactMs: 1_000, inventoryMs: 1_000 },
        enrolmentTokenFile: file(`${name}.enrolment`, token),
      },
    },
  });
  await commands.start(['serve', '--config', `${name}.yaml`], /serves at/);
}

function campaignDocument(): string {
  const sha256 = sha256Of(FIRMWARE.new);
  const at = (ms: number) => new Date(Date.now() + ms).toISOString().replace(/\.\d+/, '');
  return file('campaign.yaml', {
    ...{ version: 1, id: ID, fleet: FLEET, line: 'ppmid', generation: 1 },
    reason: 'the display no longer freezes in the night of the clock change',
    ...{ issued: at(-60_000), expires: at(86_400_000), approvals: 1 },
    images: [
      {
        ...{ sha256, bytes: statSync(FIRMWARE.new).size, format: 'zigbee-ota' },
        ...{ version: NEW_VERSION, firmwareVersion: '02000000' },
      },
    ],
    targets: [
      {
        ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
        ...{ from: ['01000000'], image: sha256, floor: OLD_VERSION },
      },
    ],
    rings: [
      { name: 'canary', members: ['gateway-1'], untilPercent: 100 },
      { name: 'rest', all: true, untilPercent: 100 },
    ],
    pace: { first: 2, growthPercent: 200, afterSucceeded: 2, most: 4 },
    aborts: [{ failure: 'any', count: 1 }],
    activation: { when: 'now' },
  });
}

/** Asked again and again until it is so. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + LIMIT_MS; !(await isSo()); ) {
    if (Date.now() > endMs) throw new Error(`it was waited for in vain that ${what}`);
    await new Promise((wake) => setTimeout(wake, ASK_MS));
  }
}

try {
  copyFileSync(FIRMWARE.new, join(folder, image));
  const { url, ann, olive } = await startCoordinator();
  for (let number = 1; number <= GATEWAYS; number++) await startGateway(number, url, ann);
  for (let number = 1; number <= GATEWAYS; number++) {
    await until('the gateways have told what their devices run', async () => {
      const asked = ['fleet', 'gateway', 'show', `gateway-${number}`, ...ann, '--json'];
      const { inventory } = JSON.parse(await commands.ask(...asked)) as Told;
      return inventory.length === 2 && inventory.every((one) => one.firmwareVersion !== undefined);
    });
  }
  await commands.uplift('fleet', 'gateway', 'list', ...ann);
  await commands.uplift('fleet', 'gateway', 'show', 'gateway-1', ...ann);

  const author = relative(folder, material.author.certificateFile);
  const out = ['--out', 'ppmid.campaign'];
  await commands.uplift('campaign', 'make', campaignDocument(), '--author', author, ...out);
  const signing = ['campaign', 'sign', 'ppmid.campaign'];
  await commands.uplift(...signing, '--as', 'author', ...keyOf(material.author));
  await commands.uplift(...signing, '--as', 'approver', ...keyOf(material.approver));
  const submitting = ['fleet', 'campaign', 'submit', 'ppmid.campaign', '--image', image];
  await commands.uplift(...submitting, ...ann);
  await commands.uplift('fleet', 'campaign', 'start', ID, ...olive);
  let shown = '';
  await until('the campaign ends', async () => {
    const said = await commands.ask('fleet', 'campaign', 'show', ID, ...ann, '--json');
    const { state, rings } = JSON.parse(said) as { state: string; rings: unknown[] };
    if (JSON.stringify(rings) !== shown) {
      shown = JSON.stringify(rings);
      await commands.uplift('fleet', 'campaign', 'show', ID, ...ann);
    }
    return state !== 'running';
  });
  await commands.uplift('fleet', 'campaign', 'devices', ID, ...ann);
  const [first] = rigs[0]!.rig.ppmids;
  await commands.uplift('fleet', 'campaign', 'events', ID, first!.eui64, ...ann);
  await commands.uplift('fleet', 'audit', 'show', ...ann);
  await commands.uplift('fleet', 'audit', 'check', ...ann);
} finally {
  await commands.takeDown();
  for (const rig of rigs) await rig.remove();
  rmSync(folder, { recursive: true, force: true });
}
