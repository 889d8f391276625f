/** Copies of the journal: when they are due, which stay, and what a failure does. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { JournalCopies } from '../../src/service/journal-copies.ts';

const test = suite('copies of the journal');

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);

function desk(dated = true) {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-copies-'));
  const told: string[] = [];
  const journal = {
    backupDueMs: START_MS,
    backups: 0,
    fails: false,
    async backup() {
      if (this.fails) {
        throw new UpliftError('store-fault', 'it does not', { actual: 'no room' });
      }
      this.backups++;
      const path = join(folder, 'journal.db.backup');
      writeFileSync(path, `copy ${this.backups}`);
      return { path };
    },
  };
  const copies = new JournalCopies({
    journal,
    dated: dated ? { directory: folder, everyHours: 6, keep: 3 } : undefined,
    log: { write: (_level, message) => void told.push(message) },
  });
  const names = () => readdirSync(folder).filter((name) => name.startsWith('journal-'));
  const at = async (ms: number) => {
    copies.keepHouse(ms);
    await copies.settled();
  };
  return { folder, journal, copies, told, names, at };
}

test('one beside it when it is due, dated ones as often as is said, the newest of them stay', async () => {
  const { folder, journal, names, at } = desk();
  writeFileSync(join(folder, 'journal-of-somebody'), '');
  for (let hours = 0; hours <= 48; hours++) {
    await at(START_MS + hours * HOUR_MS);
    journal.backupDueMs = Math.max(journal.backupDueMs, START_MS + (hours + 24) * HOUR_MS);
  }
  assert.is(journal.backups, 9, 'every six hours of 48');
  assert.equal(names(), [
    'journal-20260102T120000Z.db',
    'journal-20260102T180000Z.db',
    'journal-20260103T000000Z.db',
    'journal-of-somebody',
  ]);
  rmSync(folder, { recursive: true });
});

test('without a folder for dated ones there is the daily one', async () => {
  const { folder, journal, names, at } = desk(false);
  await at(START_MS - 1);
  assert.is(journal.backups, 0);
  await at(START_MS);
  assert.equal([journal.backups, names()], [1, []]);
  rmSync(folder, { recursive: true });
});

test('a failure is told, and it is tried again in an hour', async () => {
  const { folder, journal, told, at } = desk();
  journal.fails = true;
  await at(START_MS);
  await at(START_MS + 1);
  assert.equal(told, ['the journal was not copied: it does not: no room']);
  journal.fails = false;
  await at(START_MS + HOUR_MS);
  assert.is(journal.backups, 1);
  rmSync(folder, { recursive: true });
});

test('one at a time', async () => {
  const { folder, journal, copies } = desk();
  for (let n = 0; n < 5; n++) copies.keepHouse(START_MS + n);
  await copies.settled();
  assert.is(journal.backups, 1);
  rmSync(folder, { recursive: true });
});

test.run();
