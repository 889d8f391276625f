/**
 * Campaigns without a coordinator: a campaign is made, signed by two people and brought on a stick with the real
 * commands, or by a hawkBit server; a gateway of virtual devices verifies it and carries it out with the real driver, also where
 * its process is killed in the middle; what became of it goes home on the same stick.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import { openEvents } from '../../src/fleet/bundle/carried-events.ts';
import type { CampaignView, DeviceView, HealthView } from '../../src/gateway/control.ts';
import { FLEET, type FleetMaterial, writeFleetMaterial } from '../support/fleet-material.ts';
import { HawkbitTestServer } from '../support/hawkbit-server.ts';
import {
  type CliRun,
  FIRMWARE,
  NEW_VERSION,
  OLD_VERSION,
  QUICK_CLIENT,
  runCli,
  sha256Of,
  sleep,
  startCli,
  TestRig,
} from '../support/rigs.ts';

const test = suite('campaigns on a gateway');
const LIMIT_MS = 120_000;
const HARDWARE = {
  ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
};

class Site {
  readonly rig: TestRig;
  readonly material: FleetMaterial;
  readonly stick: string;
  private readonly config: string;
  private readonly socket: string;

  constructor(rig: TestRig, campaigns: Record<string, unknown> = {}) {
    this.rig = rig;
    this.material = writeFleetMaterial(join(rig.folder, 'keys'), FIRMWARE.trust);
    this.stick = join(rig.folder, 'stick');
    mkdirSync(this.stick);
    this.socket = join(rig.folder, 'state/run/uplift.sock');
    this.config = join(rig.folder, 'gateway.yaml');
    const { trustAnchors } = this.material;
    const admission = { intake: 'bench', centralProductsList: FIRMWARE.list, trustAnchors };
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id: 'gateway-1', stateDirectory: join(rig.folder, 'state') },
        ...{ rigs: [rig.path], admission, schedule: { prepaymentBlackout: [] } },
        ...{ api: { socket: { role: 'admin' } }, campaigns: { fleet: FLEET, ...campaigns } },
      }),
    );
  }

  async serve(): Promise<CliRun> {
    const run = startCli(['serve', '--config', this.config]);
    await run.until(({ code }) => code === 'ready');
    return run;
  }

  /** Its path. */
  async signed(change: Record<string, unknown> = {}, signers = ['author', 'approver']) {
    const { author, approver } = this.material;
    const sha256 = sha256Of(FIRMWARE.new);
    const document = {
      ...{
        version: 1,
        id: 'ppmid-1',
        reason: 'a test',
        fleet: FLEET,
        line: 'ppmid',
        generation: 1,
      },
      issued: new Date(Date.now() - 60_000).toISOString().replace(/\.\d+/, ''),
      expires: new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+/, ''),
      approvals: 1,
      images: [
        {
          ...{ sha256, bytes: statSync(FIRMWARE.new).size, format: 'zigbee-ota' },
          ...{ version: NEW_VERSION, firmwareVersion: '02000000' },
        },
      ],
      targets: [{ ...HARDWARE, from: ['01000000'], image: sha256, floor: OLD_VERSION }],
      rings: [
        { name: 'first', members: [this.rig.rig.ppmids[0]!.eui64], untilPercent: 100 },
        { name: 'rest', all: true, untilPercent: 100 },
      ],
      pace: { first: 10, growthPercent: 100, afterSucceeded: 1, most: 10 },
      aborts: [{ failure: 'any', count: 1 }],
      activation: { when: 'now' },
      ...change,
    };
    const source = join(this.rig.folder, 'campaign.json');
    const path = join(this.rig.folder, `${document.id}.campaign`);
    writeFileSync(source, JSON.stringify(document));
    const made = ['--author', author.certificateFile, '--out', path];
    await this.ok('campaign', 'make', source, ...made);
    for (const as of signers) {
      const { certificateFile, keyFile } = as === 'author' ? author : approver;
      const by = ['--certificate', certificateFile, '--key', keyFile];
      await this.ok('campaign', 'sign', path, '--as', as, ...by);
    }
    return path;
  }

  async bundle(campaign: string): Promise<void> {
    const checked = ['--anchors', this.material.trustAnchors];
    const what = ['--campaign', campaign, '--image', FIRMWARE.new, '--out', this.stick];
    await this.ok('bundle', 'make', ...what, ...checked);
  }

  apply(...more: string[]) {
    return runCli(['bundle', 'apply', this.stick, '--socket', this.socket, ...more, '--json']);
  }

  async campaigns(): Promise<CampaignView[]> {
    return (await this.get<{ campaigns: CampaignView[] }>('/campaigns')).campaigns;
  }

  get<T>(path: string): Promise<T> {
    return new ApiClient(this.socket).get<T>(path);
  }

  async ok(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await runCli(words);
    assert.is(code, 0, `${words.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Of every sealed stretch on the stick: device, and what it came to. */
  told(): Map<string, string> {
    const folder = join(this.stick, 'uplift-bundle/events');
    const last = new Map<string, string>();
    for (const name of readdirSync(folder).sort()) {
      const opened = openEvents(new Uint8Array(readFileSync(join(folder, name))));
      assert.ok(opened.ok);
      for (const event of opened.batch.events)
        if ('device' in event) last.set(event.device, event.phase);
    }
    return last;
  }
}

test('made, signed, carried, verified, carried out ring by ring, and told of at home', async () => {
  const rig = await TestRig.make({ devices: 3, otaClient: QUICK_CLIENT });
  const site = new Site(rig);
  await rig.up();
  const run = await site.serve();
  try {
    await site.bundle(await site.signed());
    const applied = await site.apply('--wait');
    assert.is(applied.code, 0, applied.stdout + applied.stderr);
    for (const { id } of rig.rig.ppmids) assert.is(rig.device(id).fileVersion, NEW_VERSION);
    assert.equal(
      (await site.campaigns()).map(({ state }) => state),
      ['finished'],
    );
    const health = await site.get<HealthView>('/health');
    assert.equal(
      health.campaigns?.map(({ id, generation, state }) => [id, generation, state]),
      [['ppmid-1', 1, 'finished']],
    );
    assert.is(health.coordinator, undefined, 'it has none');
    const told = rig.rig.ppmids.map(({ eui64 }) => site.told().get(eui64));
    assert.equal(told, ['done', 'done', 'done']);
    // The same stick again begins nothing, and is no mistake.
    const again = await site.apply('--wait');
    assert.is(again.code, 0, again.stdout + again.stderr);
  } finally {
    run.child.kill('SIGTERM');
    await run.done;
    await rig.remove();
  }
});

test('killed in the middle, it goes on by itself from where it was', async () => {
  const rig = await TestRig.make({ devices: 2, otaClient: QUICK_CLIENT });
  const site = new Site(rig);
  await rig.up();
  let run = await site.serve();
  try {
    await site.bundle(await site.signed());
    assert.is((await site.apply()).code, 0);
    await until(async () => {
      const [first] = rig.rig.ppmids;
      return rig.device(first!.id).fileVersion === NEW_VERSION;
    });
    const { devices } = await site.get<{ devices: DeviceView[] }>('/devices');
    assert.equal(
      devices.map(({ campaign }) => [campaign?.id, campaign?.generation, campaign?.ring]),
      [
        ['ppmid-1', 1, 'first'],
        ['ppmid-1', 1, 'rest'],
      ],
    );
    run.child.kill('SIGKILL');
    await run.done;
    run = await site.serve();
    await until(async () => (await site.campaigns())[0]?.state === 'finished');
    for (const { id } of rig.rig.ppmids) assert.is(rig.device(id).fileVersion, NEW_VERSION);
  } finally {
    run.child.kill('SIGTERM');
    await run.done;
    await rig.remove();
  }
});

test('a hawkBit server carries it, over downloads that break off', async () => {
  const rig = await TestRig.make({ devices: 1, otaClient: QUICK_CLIENT });
  const token = join(rig.folder, 'token');
  writeFileSync(token, 'of-this-target\n', { mode: 0o600 });
  const server = new HawkbitTestServer('gateway-1', 'TargetToken of-this-target');
  server.sleep = '00:00:01';
  server.cuts = [60_000, 90_000];
  const url = await server.listen();
  const site = new Site(rig, { hawkbit: { url: url.origin, targetTokenFile: token } });
  await rig.up();
  const path = await site.signed();
  const run = await site.serve();
  try {
    const action = server.assign({
      'ppmid-1.campaign': new Uint8Array(readFileSync(path)),
      'image.zigbee': new Uint8Array(readFileSync(FIRMWARE.new)),
    });
    await until(async () => action.status !== 'running');
    assert.is(action.status, 'finished', JSON.stringify(action.feedback));
    assert.is(rig.device().fileVersion, NEW_VERSION);
    assert.equal(server.faults, []);
  } finally {
    run.child.kill('SIGTERM');
    await run.done;
    await server.close();
    await rig.remove();
  }
});

test('what its signatures or its place do not allow begins nothing, and says why', async () => {
  const rig = await TestRig.make({ devices: 1, otaClient: QUICK_CLIENT });
  const site = new Site(rig);
  await rig.up();
  const run = await site.serve();
  try {
    for (const [code, change, signers] of [
      ['approvals-too-few', {}, ['author']],
      ['other-fleet', { fleet: 'south' }, ['author', 'approver']],
      ['generation-fast-forward', { generation: 4_000_000_000 }, ['author', 'approver']],
    ] as const) {
      const path = await site.signed({ id: `no-${code}`, ...change }, [...signers]);
      const {
        code: exit,
        stdout,
        stderr,
      } = await runCli([
        ...['bundle', 'make', '--campaign', path, '--image', FIRMWARE.new],
        ...['--out', site.stick],
      ]);
      assert.is(exit, 0, stdout + stderr);
      const applied = await site.apply('--wait');
      assert.is(applied.code, 3, applied.stdout + applied.stderr);
      assert.match(applied.stdout + applied.stderr, code);
      rmSync(join(site.stick, 'uplift-bundle'), { recursive: true });
    }
    assert.is(rig.device().fileVersion, OLD_VERSION);
  } finally {
    run.child.kill('SIGTERM');
    await run.done;
    await rig.remove();
  }
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + LIMIT_MS; !(await isSo()); ) {
    assert.ok(Date.now() < endMs, 'it takes too long');
    await sleep(100);
  }
}

test.run();
