/**
 * What a line that breaks costs: an image fetched through a proxy that resets every connection after 300 to
 * 900 KB, against the same image, link and store without a cut, turn by turn. How many bytes were
 * fetched, and how many crossed the line with all that TLS adds, for each of the image; and the time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentRecords } from '../../src/fleet/agent/agent-records.ts';
import { CoordinatorLink } from '../../src/fleet/agent/coordinator-link.ts';
import { download } from '../../src/fleet/agent/download.ts';
import { ownIdentity } from '../../src/fleet/agent/identity.ts';
import { ImageSink } from '../../src/fleet/agent/image-sink.ts';
import { ImageStore } from '../../src/store/images.ts';
import { CoordinatorDouble } from '../support/coordinator-double.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { FULL, mix, printDigest, seededBytes } from './bench.ts';

const IMAGE_BYTES = (FULL ? 8 : 1) * 1024 * 1024;
const ROUNDS = FULL ? 9 : 2;
const CUT_BYTES = [300_000, 900_000] as const;
const RATIO_MAX = 1.1;
const clock = { nowMs: () => Date.now() };

interface Run {
  ms: number;
  fetched: number;
  onTheLine: number;
  connections: number;
}

const folder = mkdtempSync(join(tmpdir(), 'uplift-fleet-'));
const double = await new CoordinatorDouble().start();
const identity = ownIdentity(folder, 'bench');
const runs: Record<'uncut' | 'cut', Run[]> = { uncut: [], cut: [] };
let digest = 0;
try {
  for (let round = 0; round < ROUNDS; round++) {
    const image = seededBytes(IMAGE_BYTES, round);
    const blob = { kind: 'image' as const, ...double.blob(image) };
    const order = round % 2 === 0 ? (['uncut', 'cut'] as const) : (['cut', 'uncut'] as const);
    for (const name of order) runs[name].push(await fetched(name, blob, round));
    digest = mix(digest, Number.parseInt(blob.sha256.slice(0, 8), 16));
  }
} finally {
  await double.stop();
  rmSync(folder, { recursive: true });
}
for (const [name, list] of Object.entries(runs)) {
  const { ms, fetched, onTheLine, connections } = list.sort((a, b) => a.ms - b.ms)[
    Math.floor(list.length / 2)
  ]!;
  console.log(
    `${name.padEnd(6)} ${ms.toFixed(0).padStart(6)} ms, ${connections} connections, fetched ` +
      `${fetched.toFixed(4)} x the image, ${onTheLine.toFixed(4)} x on the line (median of ${ROUNDS})`,
  );
}
printDigest('fleet download', digest);

async function fetched(
  name: 'uncut' | 'cut',
  blob: { kind: 'image'; sha256: string; bytes: number },
  round: number,
): Promise<Run> {
  const cutting = name === 'cut' ? { cutBytes: CUT_BYTES, seed: round } : {};
  const proxy = await CuttingProxy.start(double.port, cutting);
  const own = join(folder, `${name}-${round}`);
  const { images } = ImageStore.open(join(own, 'store'), { reserveBytes: 0 }, clock.nowMs());
  const { uploads } = new AgentRecords(join(own, 'agent'));
  const link = new CoordinatorLink({
    url: `https://127.0.0.1:${proxy.port}`,
    gateway: 'bench',
    version: '0.0.0',
    trust: { ...identity, serverCertificate: double.identity.fingerprint },
    clock,
  });
  try {
    const startedMs = performance.now();
    const sink = new ImageSink(images, uploads, clock, blob);
    const { end, fetchedBytes, connections } = await download(link, blob, sink);
    const ms = performance.now() - startedMs;
    if (end.kind !== 'stored') throw new Error(`${name}: ${end.code}`);
    if (!images.open(blob.sha256).ok) throw new Error(`${name}: it is not what was sent`);
    const ratio = fetchedBytes / blob.bytes;
    if (ratio > RATIO_MAX) throw new Error(`${name}: fetched ${ratio} times the image`);
    return { ms, fetched: ratio, onTheLine: proxy.forwardedBytes / blob.bytes, connections };
  } finally {
    link.close();
    images.close();
    await proxy.stop();
  }
}
