/**
 * End to end: CPU time of the gateway process a block, Uplift against zigbee-herdsman's own OTA engine,
 * through the same driver, the same virtual coordinator on a socket, the same device asking for the same
 * blocks of the same image. Contenders run in turn, each in a process of its own, several times; the ratio
 * is that of the medians. Uplift runs with the flags of its worker process, the other engine as it comes;
 * `with flags` shows what of the difference the flags are.
 *
 * The digest is of what the device holds at the end: the same for all, or the bench fails.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeOtaImage } from '../../src/image/zigbee-ota.ts';
import { NEW_VERSION, TestRig } from '../support/rigs.ts';
import { FULL, printDigest, seededBytes } from './bench.ts';

const IMAGE_BYTES = FULL ? 262_144 : 8_192;
const ROUNDS = FULL ? 5 : 1;
const WORKER_FLAGS = ['--stack-trace-limit=0'];
const CONTENDERS = [
  { label: 'uplift', engine: 'ours', flags: WORKER_FLAGS },
  { label: 'uplift, public way', engine: 'ours-public', flags: WORKER_FLAGS },
  { label: 'herdsman OTA', engine: 'theirs', flags: [] },
  { label: 'herdsman OTA, with flags', engine: 'theirs', flags: WORKER_FLAGS },
];

interface Run {
  cpuMs: number;
  wallMs: number;
  blocks: number;
  digest: string;
}

const runs = new Map<string, Run[]>(CONTENDERS.map(({ label }) => [label, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (let turn = 0; turn < CONTENDERS.length; turn++) {
    const contender = CONTENDERS[(round + turn) % CONTENDERS.length]!;
    runs.get(contender.label)!.push(await measure(contender.engine, contender.flags));
  }
}
report();

async function measure(engine: string, flags: string[]): Promise<Run> {
  const rig = await TestRig.make({
    // The seal of the test firmware covers a GB body; this image has sub-elements.
    faults: { skipsVerification: true },
    otaClient: { answerTimeoutMs: 500, retryPauseMs: 100, rebootMs: 10 },
  });
  const imagePath = join(rig.folder, 'image.zigbee');
  const image = imageFile();
  writeFileSync(imagePath, image);
  const sha256 = createHash('sha256').update(image).digest('hex');
  const coordinator = fork(join(import.meta.dirname, 'processes/coordinator.ts'), [rig.path]);
  try {
    await message(coordinator);
    const gateway = fork(
      join(import.meta.dirname, 'processes/gateway.ts'),
      [engine, rig.path, imagePath],
      {
        execArgv: flags,
      },
    );
    const usage = (await message(gateway)) as { cpuMs: number; wallMs: number };
    coordinator.send('report');
    const { digests, blocks } = (await message(coordinator)) as {
      digests: string[];
      blocks: number;
    };
    if (digests[0] !== sha256)
      throw new Error(`${engine}: the device holds ${digests[0]}, not ${sha256}`);
    return { ...usage, blocks, digest: sha256 };
  } finally {
    coordinator.kill();
    await rig.remove();
  }
}

/** An ordinary OTA file with one sub-element: the other engine reads no other body. */
function imageFile(): Uint8Array {
  return encodeOtaImage({
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: NEW_VERSION,
    headerString: 'bench',
    elements: [{ tag: 0, data: seededBytes(IMAGE_BYTES, 1) }],
  });
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`a process of the bench ended (${code})`)));
  });
}

function report(): void {
  const perBlock = (label: string) =>
    median(runs.get(label)!.map(({ cpuMs, blocks }) => (cpuMs * 1000) / blocks));
  const reference = perBlock('herdsman OTA');
  console.log(`CPU time of the gateway a block, ${IMAGE_BYTES} bytes, median of ${ROUNDS}`);
  for (const { label } of CONTENDERS) {
    const list = runs.get(label)!;
    const rate = median(list.map(({ wallMs, blocks }) => (blocks / wallMs) * 1000));
    const us = perBlock(label);
    console.log(
      `  ${label.padEnd(26)}${us.toFixed(1).padStart(8)} us  ${(us / reference).toFixed(2)} x  ${rate.toFixed(0).padStart(6)} blocks/s`,
    );
  }
  const all = [...runs.values()].flat();
  if (new Set(all.map(({ digest }) => digest)).size !== 1)
    throw new Error('contenders did different work');
  printDigest('zigbee-ota', Number.parseInt(all[0]!.digest.slice(0, 8), 16));
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
