/**
 * What recording a piece of a link costs, and what a bad line costs: a chunk of 527 bytes, against copying it.
 * The file is one that keeps nothing, so the disk has no part in the figures.
 */
import { ByteFaults, noByteFaults } from '../../src/lab/faults/byte-faults.ts';
import { openRecorder } from '../../src/lab/recording/writer.ts';
import { type FileSystem, realFiles } from '../../src/store/files.ts';
import { bytesAllocatedPerCall, compare, seededBytes } from './bench.ts';

const CHUNK_BYTES = 527;
const chunk = seededBytes(CHUNK_BYTES, 3);

let written = 0;
const files: FileSystem = {
  ...realFiles,
  open: () => 1,
  write: (_descriptor, bytes) => {
    written += bytes.length;
    return bytes.length;
  },
  sync: () => {},
  close: () => {},
  makeFolder: () => {},
};
const header = { version: 'bench', rig: 'r', device: 'd', seed: 1, startedAtMs: 0 };
const recorder = openRecorder('/bench/run.uplrec', header, { files });
const counts = noByteFaults();
const clean = new ByteFaults(1, 'down', counts);
const bad = new ByteFaults(1, 'down', counts);
bad.set({ drop: 1e-4, duplicate: 1e-4, corrupt: 1e-4 });
const target = new Uint8Array(CHUNK_BYTES);
let atMs = 0;

const contenders = {
  recorded: () => {
    atMs += 0.5;
    recorder.record('hub', 'down', chunk, atMs);
    return chunk.length;
  },
  'faults, none set': () => {
    clean.take(chunk);
    return chunk.length;
  },
  'faults, three rates': () => {
    bad.take(chunk);
    return chunk.length;
  },
  copied: () => {
    target.set(chunk);
    return chunk.length;
  },
};

compare({ name: 'a chunk on its way', bytesPerCall: CHUNK_BYTES, contenders });
for (const [label, contender] of Object.entries(contenders)) {
  console.log(
    `${label}: ${bytesAllocatedPerCall(contender, 500).toFixed(0)} bytes allocated a chunk`,
  );
}
recorder.flush();
if (written === 0) throw new Error('nothing was recorded');
await recorder.close();
