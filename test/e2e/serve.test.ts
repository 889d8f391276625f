/**
 * The gateway service as its users run it: `uplift serve` over a rig of virtual devices with the real
 * driver and a real serial line, jobs by the command line, and kill -9 again and again.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import {
  type CliRun,
  FIRMWARE,
  QUICK_CLIENT,
  runCli,
  sleep,
  startCli,
  TestRig,
} from '../support/rigs.ts';

const test = suite('serve');

/** With those of store-kill.test.ts more than 150. */
const KILLS = 40;
const SEED = Number(process.env['UPLIFT_SEED'] ?? Date.now() % 1_000_000);

class Site {
  readonly rig: TestRig;
  readonly config: string;
  readonly socket: string;

  private constructor(rig: TestRig) {
    this.rig = rig;
    this.config = join(rig.folder, 'gateway.yaml');
    this.socket = join(rig.folder, 'api.sock');
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id: 'test', stateDirectory: join(rig.folder, 'state') },
        rigs: [rig.path],
        admission: {
          intake: 'bench',
          centralProductsList: FIRMWARE.list,
          trustAnchors: FIRMWARE.trust,
        },
        schedule: { prepaymentBlackout: [] },
        api: { socket: { path: this.socket, role: 'admin' } },
      }),
    );
  }

  static async make(options: Parameters<typeof TestRig.make>[0]): Promise<Site> {
    const site = new Site(await TestRig.make(options));
    await site.rig.up();
    return site;
  }

  serve(): CliRun {
    return startCli(['serve', '--config', this.config]);
  }

  /** A client of a gateway that answers by now. */
  async client(run: CliRun): Promise<ApiClient> {
    await run.until(({ code }) => code === 'ready');
    return new ApiClient(this.socket);
  }

  cli(...words: string[]) {
    return runCli([...words, '--socket', this.socket, '--json']);
  }
}

interface Shown {
  upgrades: { device: string; state: string; attempt: number }[];
}

test('a job for a PPMID and one for a hub, by the command line, to the version read back', async () => {
  const site = await Site.make({ devices: 1, hubs: [{}], otaClient: QUICK_CLIENT });
  const run = site.serve();
  try {
    await site.client(run);
    const [ppmid, hub] = [site.rig.rig.ppmids[0]!.id, site.rig.rig.hubs[0]!.id];
    const create = (device: string, image: string, ...more: string[]) =>
      site.cli('job', 'create', '--device', device, '--image', image, ...more);
    const [first, second] = await Promise.all([
      create(ppmid, FIRMWARE.new, '--watch'),
      create(hub, FIRMWARE.hubNew, '--watch'),
    ]);
    assert.is(first.code, 0, first.stderr + first.stdout);
    assert.is(second.code, 0, second.stderr + second.stdout);
    const refused = await create(ppmid, FIRMWARE.wrongHardware, '--watch');
    assert.is(refused.code, 3, refused.stdout);
    const unknown = await create('nobody', FIRMWARE.new);
    assert.is(unknown.code, 3, unknown.stdout + unknown.stderr);
    assert.match(unknown.stdout + unknown.stderr, /device-unknown/);
    const shown = await site.cli('job', 'list');
    assert.is(shown.code, 0);
    run.child.kill('SIGTERM');
    assert.is((await run.done).code, 0);
    const log = join(site.rig.folder, 'export.jsonl');
    const journal = join(site.rig.folder, 'state/journal');
    assert.is((await runCli(['audit', 'export', '--journal', journal, '--out', log])).code, 0);
    assert.is((await runCli(['audit', 'check', '--log', log])).code, 0);
    const kinds = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string; intent?: string }).intent);
    assert.is(kinds.filter((intent) => intent === 'activate').length, 2, 'one a device');
  } finally {
    run.child.kill('SIGKILL');
    await site.rig.remove();
  }
});

test(`kill -9, ${KILLS} times in one upgrade of two devices: nothing acknowledged is lost`, async () => {
  console.log(`SEED ${SEED} (UPLIFT_SEED)`);
  const site = await Site.make({
    devices: 1,
    hubs: [{}],
    otaClient: { ...QUICK_CLIENT, failuresMax: 1000 },
    linkDelayMs: 6,
  });
  let activations = 0;
  const ppmid = site.rig.rig.ppmids[0]!.id;
  const hub = site.rig.rig.hubs[0]!.id;
  let run = site.serve();
  try {
    const uploads = await Promise.all([
      site.client(run).then(() => site.cli('image', 'put', FIRMWARE.new)),
      site.client(run).then(() => site.cli('image', 'put', FIRMWARE.hubNew)),
    ]);
    for (const { code, stderr } of uploads) assert.is(code, 0, stderr);
    const jobs = await Promise.all([
      site.cli('job', 'create', '--device', ppmid, '--image', FIRMWARE.new),
      site.cli('job', 'create', '--device', hub, '--image', FIRMWARE.hubNew),
    ]);
    const ids = jobs.map(({ code, stdout, stderr }) => {
      assert.is(code, 0, stderr);
      return (JSON.parse(stdout) as { id: string }).id;
    });
    const random = xorshift(SEED);
    const seen = new Map<number, string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const client = await site.client(run);
      await sleep(random() * 600);
      await check(client, seen, kill);
      await run.powerCut();
      run = site.serve();
    }
    const client = await site.client(run);
    for (let waits = 0; ; waits++) {
      const states = await Promise.all(ids.map((id) => client.get<Shown>(`/jobs/${id}`)));
      if (states.every(({ upgrades }) => upgrades.every(({ state }) => state === 'done'))) break;
      assert.ok(waits < 300, JSON.stringify(states));
      await sleep(500);
    }
    await check(client, seen, KILLS);
    const { records } = await client.get<{ records: { kind: string; intent?: string }[] }>(
      '/records?from=1&limit=1000',
    );
    activations = records.filter(({ intent }) => intent === 'activate').length;
    assert.ok(activations <= 2, `${activations} activations were announced`);
    assert.is(site.rig.device(ppmid).state().fileVersion, 0x02000000);
  } finally {
    run.child.kill('SIGKILL');
    await site.rig.remove();
  }
});

/** Whatever was read of the journal before reads the same now. */
async function check(client: ApiClient, seen: Map<number, string>, kill: number): Promise<void> {
  for (let from = 1; ; ) {
    const { records } = await client.get<{ records: { sequence: number; hash: string }[] }>(
      `/records?from=${from}&limit=1000`,
    );
    for (const { sequence, hash } of records) {
      assert.is(hash, seen.get(sequence) ?? hash, `record ${sequence} after kill ${kill}`);
      seen.set(sequence, hash);
      from = sequence + 1;
    }
    if (records.length === 0) break;
  }
  const newest = Math.max(...seen.keys());
  const { records } = await client.get<{ records: unknown[] }>(`/records?from=${newest}&limit=1`);
  assert.is(records.length, 1, `record ${newest} is there after kill ${kill}`);
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test.run();
