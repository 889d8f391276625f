/**
 * A process of its own that fills a store until the system stops it, and prints how that ended; with
 * `room` it then makes room and shows that a store that is opened anew has all it acknowledged.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UpliftError } from '../../src/errors.ts';
import { ImageStore } from '../../src/store/images.ts';
import { Journal } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';

const [folder, room] = process.argv.slice(2) as [string, string | undefined];
const ballast = join(folder, 'ballast');
if (room) writeFileSync(ballast, new Uint8Array(100_000));
const { journal } = Journal.open(folder, {}, 0);
let acknowledged = 0;
for (let isTaken = true; isTaken; ) {
  try {
    acknowledged = journal.append([{ kind: 'event', text: 'x'.repeat(2000) }], 0)[0]!.sequence;
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    isTaken = false;
  }
}
const { state } = journal;
journal.close();
const bytes = new Uint8Array(500_000);
const { images } = ImageStore.open(folder, { reserveBytes: 0 }, 0);
const begun = images.begin({ bytes: bytes.length, sha256: sha256Hex(bytes), name: '' }, 0);
const isUpload = begun.ok && begun.kind === 'upload';
const answer = isUpload ? images.append(begun.uploadId, 0, bytes, 0) : begun;
images.close();
if (room) {
  rmSync(ballast);
  const { journal: reopened, report } = Journal.open(folder, {}, 0);
  if (report.damage || report.head.sequence < acknowledged) throw new Error('records are gone');
  if (reopened.append([{ kind: 'event' }], 0)[0]!.sequence <= acknowledged)
    throw new Error('number');
  reopened.close();
}
console.log(JSON.stringify({ acknowledged, state, images: answer }));
