/**
 * A gateway service under load: `uplift serve` as its users run it, with the real driver in a worker a
 * network, virtual coordinators and PPMIDs in a process of their own. Hundreds of PPMIDs are queued by
 * the HTTP API, as many download at once as are configured, listeners follow the events and somebody
 * reads the health all the time.
 *
 * What the gateway's own process uses is measured twice, idle and while it is full: so its figures are
 * ratios of one run on one machine. The workers and the virtual side are counted apart.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../../src/api/client.ts';
import { hexDigits } from '../../src/bytes/hex.ts';
import type { HealthView } from '../../src/gateway/control.ts';
import { encodeGbImage } from '../../src/image/gb-upgrade.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { SEAL_BYTES, sealFirmware } from '../../src/virtual/sealed-firmware.ts';
import { type CliRun, FIRMWARE, NEW_VERSION, runCli, startCli, TestRig } from '../support/rigs.ts';
import { FULL, mix, printDigest, seededBytes } from './bench.ts';
import type { Usage } from './processes/usage.ts';

const NETWORKS = FULL ? 5 : 2;
const DEVICES_A_NETWORK = FULL ? 100 : 2;
const DEVICES = NETWORKS * DEVICES_A_NETWORK;
const AT_ONCE = FULL ? 50 : 4;
const JOBS = FULL ? 10 : 2;
const LISTENERS = 4;
const IMAGE_BYTES = FULL ? 32 * 1024 : 8 * 1024;
/** Each way; so that a transfer takes longer than the measurement. */
const LINK_DELAY_MS = FULL ? 15 : 8;
const MEASURED_MS = FULL ? 10_000 : 1_500;
const HEALTH_EVERY_MS = 50;
/** What is waited for longer is an error. */
const STEP_MS_MAX = FULL ? 900_000 : 30_000;
const CLIENT = { answerTimeoutMs: 5_000, retryPauseMs: 100, rebootMs: 10, failuresMax: 50 };

const folder = mkdtempSync(join(tmpdir(), 'uplift-load-'));
const socket = join(folder, 'api.sock');
const image = join(folder, 'load.zigbee');
const rigs: TestRig[] = [];
let virtual: ChildProcess | undefined;
let run: CliRun | undefined;
try {
  const list = writeImageAndList();
  for (let number = 1; number <= NETWORKS; number++) {
    rigs.push(
      await TestRig.make({
        number,
        devices: DEVICES_A_NETWORK,
        otaClient: CLIENT,
        linkDelayMs: LINK_DELAY_MS,
        joinTimeoutMs: 120_000,
      }),
    );
  }
  const paths = rigs.map(({ path }) => path);
  virtual = fork(join(import.meta.dirname, 'processes/coordinator.ts'), paths);
  await message(virtual);
  await Promise.all(paths.map(joinAll));
  run = serve(list);
  await run.until(({ code }) => code === 'ready');
  await measure(run, virtual, new ApiClient(socket));
} finally {
  run?.child.kill('SIGTERM');
  await run?.done;
  virtual?.kill();
  for (const rig of rigs) await rig.remove();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(gateway: CliRun, peers: ChildProcess, client: ApiClient): Promise<void> {
  const pid = gateway.child.pid!;
  await until('every coordinator is open', async () => {
    const { links } = await client.get<HealthView>('/health');
    return links.length === NETWORKS && links.every(({ up }) => up);
  });
  const workers = childrenOf(pid);
  await sleep(500);
  await usageOf(pid);
  await sleep(MEASURED_MS);
  const idle = await usageOf(pid);

  const { sha256 } = await client.upload(image);
  const listening = new AbortController();
  const listeners = Array.from({ length: LISTENERS }, () => listen(listening.signal));
  const health = readHealth(client, listening.signal);
  const jobs = await createJobs(client, sha256);
  await until(`${AT_ONCE} download at once`, async () => {
    const { upgrades } = await client.get<HealthView>('/health');
    return upgrades['distributing'] === AT_ONCE;
  });
  const before = await snapshot(client, peers, pid, workers);
  await sleep(MEASURED_MS);
  const { upgrades } = await client.get<HealthView>('/health');
  const full = await snapshot(client, peers, pid, workers);
  await until('every upgrade is over', async () => {
    const open = (await client.get<HealthView>('/health')).upgrades;
    return Object.keys(open).length === 0;
  });
  if (full.records === before.records) throw new Error('no progress was put on record');
  const end = await snapshot(client, peers, pid, workers);
  listening.abort();
  const heard = await Promise.all(listeners);
  if (new Set(heard).size > 1) throw new Error('not every listener heard the same records');
  report({ idle, before, full, end, upgrades, answersMs: await health });
  printDigest('gateway-load', await digestOf(client, jobs));
}

interface Snapshot {
  gateway: Usage;
  workersCpuMs: number;
  virtualCpuMs: number;
  blocks: number;
  records: number;
}

async function snapshot(
  client: ApiClient,
  peers: ChildProcess,
  pid: number,
  workers: readonly number[],
): Promise<Snapshot> {
  const gateway = await usageOf(pid);
  peers.send('report');
  const { blocks } = (await message(peers)) as { blocks: number };
  const { journal } = await client.get<HealthView>('/health');
  return {
    gateway,
    workersCpuMs: workers.reduce((sum, worker) => sum + cpuMsOf(worker), 0),
    virtualCpuMs: cpuMsOf(peers.pid!),
    blocks,
    records: journal.sequence,
  };
}

function report(found: {
  idle: Usage;
  before: Snapshot;
  full: Snapshot;
  end: Snapshot;
  upgrades: HealthView['upgrades'];
  answersMs: number[];
}): void {
  const { idle, before, full, end, upgrades, answersMs } = found;
  const { wallMs, cpuMs, loop, residentBytes, commits, fileSyncs, syncMs, syncMaxMs } =
    full.gateway;
  const blocks = full.blocks - before.blocks;
  const a = (count: number) => ((count * 1000) / wallMs).toFixed(1);
  const share = (ms: number) => `${((100 * ms) / wallMs).toFixed(1)} %`;
  const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`;
  const perBlock = (ms: number) => `${((1000 * ms) / blocks).toFixed(0)} us`;
  const workersMs = full.workersCpuMs - before.workersCpuMs;
  const virtualMs = full.virtualCpuMs - before.virtualCpuMs;
  const loopText = ({ loop: { p50Ms, p99Ms, maxMs } }: Usage) =>
    `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(0)} ms`;
  answersMs.sort((one, other) => one - other);
  const answer = (part: number) => answersMs[Math.floor(part * (answersMs.length - 1))]!.toFixed(0);
  const waiting = upgrades['scheduled'] ?? 0;
  console.log(
    `${DEVICES} PPMIDs behind ${NETWORKS} coordinators, ${AT_ONCE} at once, ${IMAGE_BYTES} bytes each\n` +
      `  measured for ${(wallMs / 1000).toFixed(1)} s, ${waiting} waiting at its end\n` +
      `  event loop idle: ${loopText(idle)}\n` +
      `  event loop full: ${loopText(full.gateway)} (p99 ${(loop.p99Ms / idle.loop.p99Ms).toFixed(1)} x idle)\n` +
      `  event loop to the end: ${loopText(end.gateway)}\n` +
      `  resident: ${mib(idle.residentBytes)} idle, ${mib(residentBytes)} full, ${mib(end.gateway.residentBytes)} when all are over; ` +
      `heap ${mib(idle.heapBytes)}, ${mib(full.gateway.heapBytes)}, ${mib(end.gateway.heapBytes)}\n` +
      `  CPU of a core: gateway ${share(cpuMs)} (idle ${((100 * idle.cpuMs) / idle.wallMs).toFixed(1)} %), ` +
      `${NETWORKS} workers ${share(workersMs)}, virtual devices ${share(virtualMs)}\n` +
      `  ${a(blocks)} blocks/s: gateway ${perBlock(cpuMs)} of CPU a block, workers ${perBlock(workersMs)}\n` +
      `  ${a(full.records - before.records)} journal records/s in ${a(commits)} commits/s, ${a(fileSyncs)} file syncs/s\n` +
      `  held up by them: ${share(syncMs)} full, at most ${syncMaxMs.toFixed(0)} ms; ` +
      `to the end ${((100 * end.gateway.syncMs) / end.gateway.wallMs).toFixed(1)} %, at most ${end.gateway.syncMaxMs.toFixed(0)} ms\n` +
      `  health answered within ${answer(0.5)} ms (p50), ${answer(0.99)} ms (p99)`,
  );
}

/** Which device ended how, with what version, whatever the order. */
async function digestOf(client: ApiClient, jobs: readonly string[]): Promise<number> {
  const { devices } = await client.get<{ devices: { id: string; runs?: string }[] }>('/devices');
  const runs = new Map(devices.map(({ id, runs: version }) => [id, version]));
  const lines: string[] = [];
  for (const job of jobs) {
    const { upgrades } = await client.get<{ upgrades: { device: string; state: string }[] }>(
      `/jobs/${job}`,
    );
    for (const { device, state } of upgrades) lines.push(`${device} ${state} ${runs.get(device)}`);
  }
  const wrong = lines.filter((line) => !line.endsWith(` done ${hexDigits(NEW_VERSION, 8)}`));
  if (lines.length !== DEVICES || wrong.length > 0) {
    throw new Error(`${wrong.length} of ${lines.length} are not done, such as ${wrong[0]}`);
  }
  return [...Buffer.from(lines.sort().join('\n'))].reduce(mix, 0);
}

async function createJobs(client: ApiClient, sha256: string): Promise<string[]> {
  // Every job has devices of every network.
  const all = rigs.flatMap(({ rig }) => rig.ppmids.map(({ id }) => id));
  const ids: string[] = [];
  for (let n = 0; n < JOBS; n++) {
    const devices = all.filter((_, index) => index % JOBS === n);
    const { id } = await client.post<{ id: string }>('/jobs', {
      image: sha256,
      devices,
      activation: { when: 'now' },
      priority: n % 3,
      deadlineMs: Date.now() + 24 * 3_600_000,
    });
    ids.push(id);
  }
  return ids;
}

/** What one heard of records until it is told to stop. */
async function listen(signal: AbortSignal): Promise<number> {
  let digest = 0;
  for await (const event of new ApiClient(socket).events({ from: 1 }, signal)) {
    if (event.event === 'record') digest = mix(digest, event.record.sequence);
    if (event.event === 'gap') throw new Error('a listener missed records');
  }
  return digest;
}

async function readHealth(client: ApiClient, signal: AbortSignal): Promise<number[]> {
  const answersMs: number[] = [];
  while (!signal.aborted) {
    const startedMs = performance.now();
    await client.get('/health');
    answersMs.push(performance.now() - startedMs);
    await sleep(HEALTH_EVERY_MS);
  }
  return answersMs;
}

async function joinAll(rig: string): Promise<void> {
  const { code, stdout, stderr } = await runCli(['rig', 'join', '--rig', rig]);
  if (code !== 0) throw new Error(`uplift rig join ended with ${code}\n${stdout}\n${stderr}`);
}

function serve(list: string): CliRun {
  const config = join(folder, 'gateway.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      gateway: { id: 'load', stateDirectory: join(folder, 'state') },
      rigs: rigs.map(({ path }) => path),
      admission: { intake: 'bench', centralProductsList: list, trustAnchors: FIRMWARE.trust },
      schedule: {
        prepaymentBlackout: [],
        // Each network would take more: it is the gateway's own limit that holds.
        devicesAtOnce: { perNetwork: AT_ONCE, perGateway: AT_ONCE },
        pace: { measured: false },
      },
      api: { socket: { path: socket, role: 'admin' } },
    }),
  );
  const usage = join(import.meta.dirname, 'processes/usage.ts');
  return startCli(['serve', '--config', config], {
    NODE_OPTIONS: `--import ${usage}`,
    UPLIFT_USAGE_FOLDER: folder,
  });
}

/** A new image, and a products list with it and the version that devices have. */
function writeImageAndList(): string {
  const manufacturerImage = sealFirmware(seededBytes(IMAGE_BYTES - SEAL_BYTES, 1));
  const header = {
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: NEW_VERSION,
    headerString: 'UPLIFT TEST LOAD',
    minimumHardwareVersion: 0x0100,
    maximumHardwareVersion: 0x01ff,
  };
  writeFileSync(image, encodeGbImage({ header, manufacturerImage }));
  const [title, columns, old] = readFileSync(FIRMWARE.list, 'utf8').split('\n');
  const hash = sha256Hex(manufacturerImage);
  const listed = `TEST-9001,PPMID,121D,0084,01,00,02000000,${hash},Current,2021-01-01,,02000000,TEST-0001`;
  const path = join(folder, 'list.csv');
  writeFileSync(path, `${[title, columns, old, listed].join('\n')}\n`);
  return path;
}

/** What a process used since it was asked before. */
async function usageOf(pid: number): Promise<Usage> {
  const path = join(folder, `${pid}.json`);
  rmSync(path, { force: true });
  process.kill(pid, 'SIGUSR2');
  let usage: Usage | undefined;
  await until('the gateway says what it used', async () => {
    try {
      usage = JSON.parse(readFileSync(path, 'utf8')) as Usage;
    } catch {
      return false;
    }
    return true;
  });
  return usage!;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** Of user and system, in clock ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + STEP_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within ${STEP_MS_MAX / 1000} s: ${what}`);
    await sleep(20);
  }
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) =>
      reject(new Error(`a process of the bench ended (${code})`));
    child.once('exit', gone);
    child.once('message', (said) => {
      child.off('exit', gone);
      resolve(said);
    });
  });
}
