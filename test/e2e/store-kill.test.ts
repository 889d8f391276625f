/**
 * A real process that writes to a store is killed at a random moment, again and again: nothing that it
 * was told is kept is lost, the chain is whole, and no half image has a name.
 *
 * A killed process leaves the system's cache behind, so this shows nothing about a power cut.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRecord } from '../../src/audit/chain.ts';
import { ImageStore } from '../../src/store/images.ts';
import { Journal, type JournalReport } from '../../src/store/journal.ts';
import { Database } from '../../src/store/sqlite.ts';
import { temporaryFolder } from '../store/failing-files.ts';

const test = suite('store, killed');
const CYCLES = 110;
const IMAGE_CYCLES = 10;
/** After the store is open, ms. */
const KILL_WITHIN_MS = 60;
const seed = Number(process.env['UPLIFT_SEED'] ?? Date.now() % 1_000_000);
console.log(`SEED ${seed}`);

let state = seed;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) / 2 ** 24;
};

/** The whole lines that a writer said before it was killed. */
function killedWriter(
  what: 'journal' | 'images',
  folder: string,
  cycle: number,
): Promise<string[]> {
  const writer = resolve(import.meta.dirname, 'store-writer.ts');
  const afterMs = random() * KILL_WITHIN_MS;
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [writer, what, folder, `${seed + cycle}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => {
      errors += bytes.toString();
    });
    child.stdout.on('data', (bytes: Buffer) => {
      if (said === '') setTimeout(() => child.kill('SIGKILL'), afterMs);
      said += bytes.toString();
    });
    child.on('error', fail);
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') fail(new Error(`it ended by itself: ${code} ${errors}`));
      else done(said.split('\n').slice(0, -1));
    });
  });
}

test(`a journal whose process is killed ${CYCLES} times`, async () => {
  const folder = temporaryFolder('kill');
  const acknowledged = new Map<number, string>();
  for (let cycle = 1; cycle <= CYCLES; cycle++) {
    const [opened, ...lines] = await killedWriter('journal', folder, cycle);
    const report = JSON.parse(opened!.slice('open '.length)) as JournalReport;
    assert.is(report.damage, undefined, `cycle ${cycle}`);
    for (const line of lines) {
      const [sequence, hash] = line.split(' ');
      assert.not.ok(acknowledged.has(Number(sequence)), `cycle ${cycle}: ${sequence} given twice`);
      acknowledged.set(Number(sequence), hash!);
    }
    if (cycle % 10 === 0) checkJournal(folder, acknowledged, `cycle ${cycle}`);
  }
  console.log(`NOTE ${acknowledged.size} records acknowledged in ${CYCLES} lives, none lost`);
  assert.ok(acknowledged.size > CYCLES, 'the writers wrote');
});

function checkJournal(folder: string, acknowledged: ReadonlyMap<number, string>, what: string) {
  const database = Database.open(join(folder, 'journal.db'));
  assert.is(database.pragma('integrity_check'), 'ok', what);
  database.close();
  const { journal, report } = Journal.open(folder, {}, 0);
  assert.is(report.damage, undefined, what);
  assert.equal(journal.check().findings, [], what);
  const there = archivedHashes(folder);
  for (const { sequence, hash } of journal.records()) there.set(sequence, hash);
  for (const [sequence, hash] of acknowledged) {
    assert.is(there.get(sequence), hash, `${what}: record ${sequence}`);
  }
  journal.close();
}

function archivedHashes(folder: string): Map<number, string> {
  const hashes = new Map<number, string>();
  const archive = join(folder, 'archive');
  for (const name of existsSync(archive) ? readdirSync(archive) : []) {
    if (!name.endsWith('.jsonl')) continue;
    for (const line of readFileSync(join(archive, name), 'utf8').trimEnd().split('\n')) {
      const { sequence, hash } = parseRecord(line)!;
      hashes.set(sequence, hash);
    }
  }
  return hashes;
}

test(`an image store whose process is killed ${IMAGE_CYCLES} times`, async () => {
  const folder = temporaryFolder('kill');
  const kept: string[] = [];
  for (let cycle = 1; cycle <= IMAGE_CYCLES; cycle++) {
    const [, ...lines] = await killedWriter('images', folder, cycle);
    kept.push(...lines.map((line) => line.slice('kept '.length)));
    const { images } = ImageStore.open(folder, { reserveBytes: 0 }, 0);
    for (const sha256 of kept) assert.ok(images.has(sha256), `cycle ${cycle}: ${sha256} is kept`);
    for (const { sha256 } of images.list()) {
      assert.ok(images.open(sha256).ok, `cycle ${cycle}: what has a name is whole`);
    }
    images.handleTimeout(2 ** 50);
    // Few stay, so that every cycle is as quick as the first.
    kept.splice(0, kept.length - 3);
    images.removeUnused(new Set(kept));
    images.close();
  }
});

test.run();
