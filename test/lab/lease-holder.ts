/**
 * A process of the tests of leases: takes the device again and again, and while it has it writes that down
 * and looks whether anybody else does.
 *
 *   node lease-holder.ts STATE-FOLDER ROUNDS | hang
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LeaseBook } from '../../src/lab/rig/leases.ts';

const [folder, rounds] = process.argv.slice(2);
const book = await LeaseBook.open(folder!);
if (rounds === 'hang') {
  book.take(['hub'], { holder: 'hangs', forMs: 3_600_000 });
  console.log('has it');
  setInterval(() => {}, 1_000);
} else {
  let had = 0;
  let shared = 0;
  while (had < Number(rounds)) {
    try {
      const lease = book.take(['hub', 'ppmid'], { holder: `process ${process.pid}` });
      had++;
      shared += hasAlone() ? 0 : 1;
      await new Promise((done) => setTimeout(done, 2));
      rmSync(join(folder!, 'alone'), { force: true });
      await lease.renew();
      await lease.release();
    } catch (error) {
      if ((error as { code?: string }).code !== 'lease-held') throw error;
    }
    await new Promise((done) => setTimeout(done, 1 + (process.pid % 3)));
  }
  book.close();
  console.log(JSON.stringify({ had, shared }));
}

/** A file that only one at a time can make. */
function hasAlone(): boolean {
  try {
    closeSync(openSync(join(folder!, 'alone'), 'wx'));
    return true;
  } catch {
    return false;
  }
}
