/**
 * The gateway service as its users run it: `uplift serve` over a rig of virtual devices with the real
 * driver and a real serial line, jobs by the command line, and kill -9 again and again.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
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
/** More of them by night. */
const KILLS = Number(process.env['UPLIFT_KILLS'] ?? 24);
const SEED = Number(process.env['UPLIFT_SEED'] ?? Date.now() % 1_000_000);

class Site {
  readonly rig: TestRig;
  readonly config: string;
  readonly socket: string;
  readonly state: string;

  private constructor(rig: TestRig, { state, more }: SiteOptions) {
    this.rig = rig;
    this.state = state ?? join(rig.folder, 'state');
    this.config = join(rig.folder, 'gateway.yaml');
    this.socket = join(this.state, 'run/uplift.sock');
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id: 'test', stateDirectory: this.state },
        rigs: [rig.path],
        admission: {
          intake: 'bench',
          centralProductsList: FIRMWARE.list,
          trustAnchors: FIRMWARE.trust,
        },
        schedule: { prepaymentBlackout: [] },
        api: { socket: { role: 'admin' } },
        ...more,
      }),
    );
  }

  static async make(
    options: Parameters<typeof TestRig.make>[0],
    more: SiteOptions = {},
  ): Promise<Site> {
    const site = new Site(await TestRig.make(options), more);
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

interface SiteOptions {
  state?: string;
  /** Sections of the configuration. */
  more?: Record<string, unknown>;
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
    const read = async (device: string) => {
      const { code, stdout, stderr } = await site.cli('device', 'read', device);
      assert.is(code, 0, stderr + stdout);
      return (JSON.parse(stdout) as { version: string }).version;
    };
    const listed = JSON.parse((await site.cli('device', 'list')).stdout) as {
      devices: { id: string; runs: string }[];
    };
    for (const { id, runs } of listed.devices) assert.match(runs, await read(id));
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
    // A device that joined while its gateway was killed takes itself for joined, and is joined anew by hand.
    await joined(await site.client(run), ids[0]!);
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

test('a full disk: no work is taken and it says so; with room again it goes on in the same process', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'uplift-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=320m', 'tmpfs', disk]);
  if (mounted.status !== 0) {
    console.log('SKIP a disk that fills up: no file system can be mounted here');
    rmdirSync(disk);
    return;
  }
  const filler = join(disk, 'filler');
  const copies = mkdtempSync(join(tmpdir(), 'uplift-copies-'));
  const tokensFile = join(copies, 'tokens');
  const token = (name: string) => `viewer ${name} sha256:${sha256(name)}\n`;
  writeFileSync(tokensFile, token('first'), { mode: 0o600 });
  const site = await Site.make(
    { devices: 1, otaClient: QUICK_CLIENT },
    {
      state: join(disk, 'state'),
      more: {
        journal: { backup: { directory: copies } },
        metrics: { serve: 'listener', listen: '127.0.0.1:0' },
        api: {
          socket: { path: join(disk, 'api.sock'), role: 'admin' },
          tcp: { listen: '127.0.0.1:0', tokensFile },
        },
      },
    },
  );
  const socket = join(disk, 'api.sock');
  const run = site.serve();
  try {
    const ready = await run.until(({ code }) => code === 'ready');
    const said = /and 127\.0\.0\.1:(\d+) and 127\.0\.0\.1:(\d+) \(metrics\)/.exec(
      ready['msg'] as string,
    );
    assert.ok(said, ready['msg'] as string);
    const [, api, metrics] = said;
    const page = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    assert.match(page, /uplift_build_info/);
    assert.is((await fetch(`http://127.0.0.1:${metrics}/`)).status, 404);
    const asks = (name: string) =>
      fetch(`http://127.0.0.1:${api}/api/v1/jobs`, {
        headers: { authorization: `Bearer ${name}` },
      });
    assert.is((await asks('second')).status, 401);
    writeFileSync(tokensFile, token('second'));
    run.child.kill('SIGHUP');
    await run.until(({ code }) => code === 'tokens-read');
    assert.equal([(await asks('second')).status, (await asks('first')).status], [200, 401]);
    const cli = (...words: string[]) => runCli([...words, '--socket', socket, '--json']);
    const put = await cli('image', 'put', FIRMWARE.new);
    assert.is(put.code, 0, put.stderr + put.stdout);
    const { sha256: image } = JSON.parse(put.stdout) as { sha256: string };
    const create = () =>
      cli('job', 'create', '--device', site.rig.rig.ppmids[0]!.id, '--image', image);
    fill(filler);
    const refused = await create();
    assert.is(refused.code === 0, false, refused.stdout);
    const health = await new ApiClient(socket).get<{ state: string; reasons: unknown[] }>(
      '/health',
    );
    assert.is(health.state, 'degraded');
    assert.ok(health.reasons.length > 0);
    rmSync(filler);
    await run.until(({ code }) => code === 'reopening');
    while (run.events.filter(({ code }) => code === 'ready').length < 2) await sleep(50);
    const made = await cli(
      'job',
      'create',
      '--device',
      site.rig.rig.ppmids[0]!.id,
      '--image',
      image,
      '--watch',
    );
    assert.is(made.code, 0, made.stderr + made.stdout);
    assert.is(readdirSync(copies).filter((name) => /^journal-.*\.db$/.test(name)).length, 1);
  } finally {
    run.child.kill('SIGKILL');
    await run.done;
    await site.rig.remove();
    spawnSync('umount', ['-l', disk]);
    rmdirSync(disk);
    rmSync(copies, { recursive: true });
  }
});

/** Resolves when the gateway has heard of the device of this job. */
async function joined(client: ApiClient, job: string): Promise<void> {
  for (let waits = 0; ; waits++) {
    const { upgrades } = await client.get<Shown>(`/jobs/${job}`);
    if (upgrades.every(({ state }) => state !== 'scheduled' && state !== 'verifying')) return;
    assert.ok(waits < 600, JSON.stringify(upgrades));
    await sleep(100);
  }
}

/** Until nothing more fits. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (const piece of [new Uint8Array(1 << 20), new Uint8Array(1)]) {
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

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
