/**
 * A lab by the minute: whole runs on virtual hubs. Each starts its own part of the rig, reads a version,
 * uploads an image over a pseudo-terminal, has it swapped and confirmed, reads the version again, holds it
 * against the first, and leaves its records on disk. Told are runs a minute, and what the process holds at
 * rest before them, when a few have warmed it up, and after them: a runner that goes all night may not grow.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { RunResult } from '../../src/lab/run-result.ts';
import { runLab } from '../../src/lab/runner/lab.ts';
import { defineScenario } from '../../src/lab/scenario/define.ts';
import { type TestHub, TestRig } from '../support/rigs.ts';
import { FULL, printDigest } from './bench.ts';

const RUNS = FULL ? 1_000 : 8;
const HUBS = FULL ? 16 : 2;
/** Of compiled code and of what the collector has not come to. */
const GROWTH_BYTES_MAX = 2_000_000;

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
/** 4 KiB, of two versions; nothing here asks who signed them. */
const OLD = join(FIRMWARE, 'hub-2.0.1-test-wrong-signature.mcuboot.bin');
const NEW = join(FIRMWARE, 'hub-2.0.2-test-unknown-key.mcuboot.bin');

const hub = (n: number): TestHub => ({
  id: `hub-${n}`,
  baudRate: 1_000_000,
  flash: { slotBytes: 16_384 },
  virtual: { firmware: OLD },
});

const scenario = defineScenario({
  name: 'bench',
  steps: [
    { readVersion: { as: 'before' } },
    { upgrade: { image: NEW, list: 'none', allowUnsigned: true } },
    { assert: { outcome: 'done', versionOtherThan: 'before' } },
  ],
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Held {
  heapBytes: number;
  descriptors: number;
}

/** Twice, a moment apart: what is finalised in between lets go of more. */
async function held(): Promise<Held> {
  for (let round = 0; round < 2; round++) {
    await setTimeout(200);
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return { heapBytes: heapUsed + external, descriptors: readdirSync('/proc/self/fd').length };
}

const rig = await TestRig.make({
  devices: 0,
  hubs: Array.from({ length: HUBS }, (_, n) => hub(n + 1)),
});
const folder = mkdtempSync(join(tmpdir(), 'uplift-lab-bench-'));

/** Each run twice on each hub at the least, so that all that is made once is made. */
await runAll('warm', 4 * HUBS);
const before = await held();
const startedMs = performance.now();
const outcomes = await runAll('runs', RUNS);
const wallMs = performance.now() - startedMs;
const after = await held();
await rig.remove();
rmSync(folder, { recursive: true, force: true });

const perMinute = (RUNS / wallMs) * 60_000;
console.log(`lab: ${RUNS} runs on ${HUBS} hubs in ${(wallMs / 1000).toFixed(1)} s`);
console.log(`  ${perMinute.toFixed(0)} runs a minute`);
console.log(`  held before: ${heldText(before)}; after: ${heldText(after)}`);
const digest = createHash('sha256').update(outcomes.sort().join('\n')).digest();
printDigest('lab', digest.readUInt32BE(0));
const grown = after.heapBytes - before.heapBytes;
if (grown > GROWTH_BYTES_MAX) throw new Error(`it holds ${grown} bytes more than before`);
if (after.descriptors > before.descriptors) throw new Error('files stay open');

async function runAll(name: string, repeat: number): Promise<string[]> {
  const told: string[] = [];
  const { passed } = await runLab({
    ...{ rig: rig.rig, scenarios: [scenario], seed: 1, repeat, parallel: HUBS },
    folder: join(folder, name),
    onEvent: (event) => {
      if (event.kind === 'ended') told.push(outcomeOf(event.result));
    },
  });
  if (passed !== repeat) throw new Error(`${passed} of ${repeat} runs passed`);
  return told;
}

function outcomeOf({ run, outcome, failure, upgrades }: RunResult): string {
  const told = upgrades.map(({ state, totalBytes }) => `${state} ${totalBytes}`);
  return [run, outcome, failure?.code ?? '', ...told].join(' ');
}

function heldText({ heapBytes, descriptors }: Held): string {
  return `${(heapBytes / 1e6).toFixed(1)} MB, ${descriptors} files`;
}
