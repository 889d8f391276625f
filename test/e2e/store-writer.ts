/**
 * A process that writes to a store as fast as it can and says what it was told, until it is killed.
 *
 *     node store-writer.ts journal|images FOLDER SEED
 */
import { writeSync } from 'node:fs';
import { ImageStore } from '../../src/store/images.ts';
import { Journal } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { seededBytes } from '../bench/bench.ts';

const [what, folder, seed] = process.argv.slice(2) as [string, string, string];
/** At once and whole: a line that was written is one that the other process has. */
const say = (line: string) => writeSync(1, `${line}\n`);

if (what === 'journal') {
  const { journal, report } = Journal.open(folder, {}, Date.now());
  say(`open ${JSON.stringify(report)}`);
  for (let n = 1; ; n++) {
    const nowMs = Date.now();
    if (n % 3 === 0) journal.note({ kind: 'progress', n }, nowMs);
    const entries = Array.from({ length: 1 + (n % 4) }, () => ({ kind: 'event', seed, n }));
    for (const { sequence, hash } of journal.append(entries, nowMs)) say(`${sequence} ${hash}`);
    if (n % 50 === 0) journal.retire({ beforeSequence: journal.head.sequence - 60 }, nowMs);
  }
}
const { images, report } = ImageStore.open(folder, { reserveBytes: 0 }, Date.now());
say(`open ${JSON.stringify(report)}`);
for (let n = 1; ; n++) {
  const bytes = seededBytes(200_000, Number(seed) * 1000 + n);
  const request = { bytes: bytes.length, sha256: sha256Hex(bytes), name: `${n}` };
  const begun = images.begin(request, Date.now());
  if (!begun.ok || begun.kind !== 'upload') throw new Error(JSON.stringify(begun));
  for (let at = 0; at < bytes.length; at += 16_384) {
    images.append(begun.uploadId, at, bytes.subarray(at, at + 16_384), Date.now());
  }
  const finished = images.finish(begun.uploadId);
  if (!finished.ok) throw new Error(JSON.stringify(finished));
  say(`kept ${finished.sha256}`);
}
