/** The journal: what is acknowledged stays, every change is found, damage is set aside and said. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkChain, parseRecord } from '../../src/audit/chain.ts';
import { UpliftError } from '../../src/errors.ts';
import { Journal, type JournalRecord } from '../../src/store/journal.ts';
import { JournalReader } from '../../src/store/journal-reader.ts';
import { checkVersion, Database, sqliteVersion } from '../../src/store/sqlite.ts';
import { temporaryFolder } from './failing-files.ts';

const test = suite('journal');
const root = temporaryFolder('journal');
let folders = 0;
const newFolder = () => join(root, `${++folders}`);
const NOW = Date.UTC(2026, 0, 1);
const SEED = 20260101;

const entry = (n: number) => ({ kind: 'event', device: `ppmid-${n}`, text: `the ${n}th`, n });
const open = (folder: string) => Journal.open(folder, {}, NOW);
const numbers = (journal: Journal) => [...journal.records()].map(({ sequence }) => sequence);

/** A journal of so many records, closed. */
function written(count: number): string {
  const folder = newFolder();
  const { journal } = open(folder);
  for (let n = 1; n <= count; n++) journal.append([entry(n)], NOW + n);
  journal.close();
  return folder;
}

function refusedWith(code: string, work: () => unknown): UpliftError {
  try {
    work();
  } catch (error) {
    assert.instance(error, UpliftError);
    assert.is((error as UpliftError).code, code, `${error}`);
    return error as UpliftError;
  }
  assert.unreachable(`${code} was expected`);
  throw new Error('unreachable');
}

/** Changes rows behind the journal's back. */
function tamper(folder: string, sql: string): void {
  const database = Database.open(join(folder, 'journal.db'));
  database.exec(sql);
  database.close();
}

test('SQLite versions that may damage a database are refused', () => {
  for (const version of ['3.40.1', '3.51.2', '3.52.0', '2.9.9', '3.9.99']) {
    const { expected, actual, next } = refusedWith('sqlite-version', () => checkVersion(version));
    assert.ok(expected && actual?.includes(version) && next);
  }
  for (const version of ['3.51.3', '3.51.10', '3.52.1', '3.53.4', '4.0.0', sqliteVersion()]) {
    checkVersion(version);
  }
});

test('appended, closed, opened: the same records, in one chain', () => {
  const folder = newFolder();
  const first = open(folder);
  assert.equal(first.report, { records: 0, head: first.journal.head, unacknowledged: 0 });
  const records = first.journal.append([entry(1), entry(2)], NOW);
  assert.equal(
    records.map(({ sequence }) => sequence),
    [1, 2],
  );
  assert.is(records[1]!.previous, records[0]!.hash);
  assert.equal(first.journal.append([], NOW), []);
  first.journal.close();
  const second = open(folder);
  assert.equal([...second.journal.records()], records);
  assert.equal([...second.journal.records(2, 1)], [records[1]]);
  assert.equal(second.report, { records: 2, head: second.journal.head, unacknowledged: 0 });
  assert.equal(second.journal.check().findings, []);
  second.journal.close();
});

test('one process has it: the second is told which', () => {
  const folder = newFolder();
  const { journal } = open(folder);
  const { actual } = refusedWith('store-in-use', () => open(folder));
  assert.match(actual!, `process ${process.pid}`);
  journal.close();
  open(folder).journal.close();
});

test('an entry cannot pose as the journal, nor bring its own seal', () => {
  const { journal } = open(newFolder());
  assert.throws(() => journal.append([{ kind: 'checkpoint' }], NOW), /assertion failed/);
  assert.throws(() => journal.note({ kind: 'recovered' }, NOW), /assertion failed/);
  assert.throws(() => journal.append([{ kind: 'event', hash: '' }], NOW), /assertion failed/);
  assert.throws(() => journal.append([{ kind: 'x', text: 'x'.repeat(3e5) }], NOW), /characters/);
  assert.equal([journal.state, journal.append([entry(1)], NOW).length], [{ state: 'ready' }, 1]);
  journal.close();
});

test('notes wait for company or their time, and the newest of a key stays', () => {
  const folder = newFolder();
  const { journal } = Journal.open(folder, { flushMs: 500, idleMs: 2000 }, NOW);
  journal.note({ kind: 'progress', percent: 1 }, NOW, 'ppmid');
  journal.note({ kind: 'progress', percent: 2 }, NOW + 10, 'ppmid');
  journal.note({ kind: 'progress', percent: 9 }, NOW + 20, 'hub');
  assert.equal([numbers(journal), journal.pollTimeout()], [[], NOW + 500]);
  assert.is(journal.append([entry(1)], NOW + 30)[0]!.sequence, 3);
  const [first, second] = [...journal.records()];
  assert.equal([first!['percent'], first!.atMs, second!['percent']], [2, NOW + 10, 9]);
  assert.is(journal.pollTimeout(), NOW + 2030);
  journal.note({ kind: 'progress' }, NOW + 40);
  journal.handleTimeout(NOW + 539);
  assert.is(journal.head.sequence, 3);
  journal.handleTimeout(NOW + 540);
  assert.is(journal.head.sequence, 4);
  journal.handleTimeout(NOW + 2540);
  assert.is(journal.pollTimeout(), Number.POSITIVE_INFINITY);
  journal.note({ kind: 'progress', last: true }, NOW + 3000);
  journal.close();
  const reopened = open(folder);
  assert.is(reopened.report.records, 5);
  reopened.journal.close();
});

test('tampering: found by a check, named, and at the next start set aside and said', () => {
  const line = `replace(line, 'ppmid-3', 'ppmid-9')`;
  const cases: [string, string, string, number][] = [
    [`UPDATE record SET line = ${line} WHERE sequence = 3`, 'edited', 'edited', 3],
    ['DELETE FROM record WHERE sequence = 3', 'removed', 'removed', 3],
    ['DELETE FROM record WHERE sequence >= 5', 'truncated', 'truncated', 5],
    ['DELETE FROM record', 'truncated', 'truncated', 1],
    ["UPDATE record SET line = '{}' WHERE sequence = 3", 'malformed', 'malformed', 3],
    [
      `UPDATE record SET sequence = -1 WHERE sequence = 3; UPDATE record SET sequence = 3
       WHERE sequence = 4; UPDATE record SET sequence = 4 WHERE sequence = -1`,
      'removed',
      'removed',
      3,
    ],
    ['UPDATE record SET sequence = 9 WHERE sequence = 6', 'reordered', 'reordered', 6],
  ];
  for (const [sql, code, reason, lostFrom] of cases) {
    const folder = written(6);
    tamper(folder, sql);
    const reader = JournalReader.open(folder);
    assert.is(reader.check().findings[0]?.code, code, sql);
    reader.close();
    const { journal, report } = open(folder);
    assert.is(report.damage?.code, reason, sql);
    assert.equal(report.damage?.lost, [{ from: lostFrom, to: 6 }], sql);
    assert.ok(existsSync(report.damage!.movedTo!));
    // Numbers are not given out twice, and what is missing stays known.
    const expected = [...Array(lostFrom - 1).keys()].map((n) => n + 1);
    assert.equal(numbers(journal), [...expected, 7], sql);
    assert.equal(
      journal.check().findings.map((finding) => `${finding.code} ${finding.sequence}`),
      [`lost ${lostFrom}`],
    );
    assert.is(journal.append([entry(8)], NOW)[0]!.sequence, 8);
    journal.close();
    const again = open(folder);
    assert.is(again.report.damage, undefined);
    assert.is(again.report.records, lostFrom + 1);
    again.journal.close();
  }
});

test('the first records gone: the rest is carried over, and the gap is said', () => {
  const folder = written(6);
  tamper(folder, 'DELETE FROM record WHERE sequence <= 2');
  const { journal, report } = open(folder);
  assert.equal(report.damage?.lost, [{ from: 1, to: 2 }]);
  assert.equal(numbers(journal), [3, 4, 5, 6, 7]);
  assert.equal(
    journal.check().findings.map(({ code }) => code),
    ['lost'],
  );
  journal.close();
  const again = open(folder);
  assert.is(again.report.damage, undefined);
  again.journal.close();
});

test('written anew: the kept head tells, and so does one kept elsewhere', () => {
  const folder = written(4);
  const other = newFolder();
  const { journal } = open(other);
  const trusted = { ...journal.append([entry(90), entry(91), entry(92), entry(93)], NOW)[1]! };
  journal.close();
  cpSync(join(other, 'journal.db'), join(folder, 'journal.db'));
  const opened = open(folder);
  assert.is(opened.report.damage?.code, 'exchanged');
  assert.equal(opened.report.damage?.lost, [{ from: 4, to: 4 }]);
  opened.journal.close();
  const third = open(written(4));
  assert.equal(
    third.journal.check(trusted).findings.map(({ code, sequence }) => `${code} ${sequence}`),
    ['exchanged 2'],
  );
  third.journal.close();
});

test('a head that is gone: the journal goes on and says so for good', () => {
  for (const damage of ['removed', 'malformed']) {
    const folder = written(3);
    const path = join(folder, 'journal.head');
    if (damage === 'removed') rmSync(path);
    else writeFileSync(path, 'x'.repeat(8192));
    const { journal, report } = open(folder);
    assert.is(report.damage?.code, 'head-missing');
    assert.equal(report.damage?.lost, [{ from: 4 }]);
    assert.is(report.head.sequence, 4);
    assert.equal(
      journal.check().findings.map(({ code }) => code),
      ['lost'],
    );
    journal.close();
    const again = open(folder);
    assert.is(again.report.damage, undefined);
    again.journal.close();
  }
});

test('a head torn in its newest slot: the one before it stands', () => {
  const folder = written(3);
  const path = join(folder, 'journal.head');
  const bytes = readFileSync(path);
  const at = bytes.indexOf('000000000000003');
  const torn = Buffer.from(bytes);
  torn.fill(0, at + 20, at + 81);
  writeFileSync(path, torn);
  const { journal, report } = open(folder);
  assert.equal([report.damage, report.unacknowledged, report.records], [undefined, 1, 3]);
  assert.equal(journal.check().findings, []);
  journal.close();
});

test('all of the database gone: nothing is taken for a new journal', () => {
  const folder = written(3);
  rmSync(join(folder, 'journal.db'));
  const { journal, report } = open(folder);
  assert.equal([report.damage?.code, report.damage?.lost], ['missing', [{ from: 1, to: 3 }]]);
  assert.equal(numbers(journal), [4]);
  journal.close();
});

test('the copy of yesterday is better than nothing', async () => {
  const folder = written(3);
  const { journal } = open(folder);
  assert.is(journal.backupDueMs, 0);
  assert.is((await journal.backup()).head.sequence, 3);
  assert.ok(journal.backupDueMs > NOW);
  journal.append([entry(4)], NOW);
  journal.close();
  writeFileSync(join(folder, 'journal.db'), 'no database, and not empty either'.repeat(100));
  const { journal: reopened, report } = open(folder);
  assert.equal([report.damage?.code, report.damage?.lost], ['damaged', [{ from: 4, to: 4 }]]);
  assert.equal(numbers(reopened), [1, 2, 3, 5]);
  reopened.close();
});

test('every page of the file damaged: a true prefix is left, and the loss is said', () => {
  const folder = written(60);
  const truth = [...readRecords(folder)];
  const whole = readFileSync(join(folder, 'journal.db'));
  assert.ok(whole.length >= 16_384, `${whole.length}`);
  let damages = 0;
  for (let at = 0; at < whole.length; at += at < 200 ? 8 : 487) {
    const target = newFolder();
    cpSync(folder, target, { recursive: true });
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x40;
    writeFileSync(join(target, 'journal.db'), damaged);
    const { journal, report } = open(target);
    const left = [...journal.records()].filter(({ kind }) => kind === 'event');
    assert.equal(left, truth.slice(0, left.length), `byte ${at}`);
    if (left.length < truth.length) {
      assert.equal(report.damage?.lost, [{ from: left.length + 1, to: 60 }], `byte ${at}`);
    }
    if (report.damage) damages++;
    journal.close();
    rmSync(target, { recursive: true });
  }
  assert.ok(damages > 20, `${damages} damages`);
});

test('a recovery killed at any step: the next start ends it', () => {
  const folder = written(4);
  tamper(folder, 'DELETE FROM record WHERE sequence = 3');
  const kept = newFolder();
  cpSync(folder, kept, { recursive: true });
  const { journal, report } = open(folder);
  journal.close();
  const aside = report.damage!.movedTo!;
  const states: [string, () => void][] = [
    ['new beside old', () => cpSync(join(folder, 'journal.db'), join(kept, 'journal.db.new'))],
    ['old moved', () => cpSync(aside, join(kept, aside.slice(folder.length + 1)))],
    ['old gone', () => rmSync(join(kept, 'journal.db'))],
  ];
  for (const [, prepare] of states) {
    prepare();
    const copy = newFolder();
    cpSync(kept, copy, { recursive: true });
    const again = open(copy);
    assert.equal(again.report.damage?.lost, [{ from: 3, to: 4 }]);
    assert.equal(numbers(again.journal), [1, 2, 5]);
    assert.ok(existsSync(again.report.damage!.movedTo!));
    assert.not.ok(existsSync(join(copy, 'journal.db.new')));
    again.journal.close();
  }
});

test('a layout of a later Uplift is left alone', () => {
  const folder = written(2);
  tamper(folder, 'PRAGMA user_version = 2');
  refusedWith('journal-too-new', () => open(folder));
  tamper(folder, 'PRAGMA user_version = 1');
  const { journal, report } = open(folder);
  assert.is(report.damage, undefined);
  journal.close();
});

test('retired: in the archive, out of the journal, and the chain still proven', () => {
  const folder = written(10);
  const { journal } = open(folder);
  assert.is(journal.retire({ beforeSequence: 1 }, NOW), undefined);
  const retirement = journal.retire({ beforeSequence: 5 }, NOW + 50)!;
  assert.equal([retirement.records, retirement.retired.sequence], [4, 4]);
  assert.equal(numbers(journal), [5, 6, 7, 8, 9, 10, 11]);
  assert.equal(journal.check().findings, []);
  const second = journal.retire({ olderThanMs: NOW + 9 }, NOW + 60)!;
  assert.is(second.retired.sequence, 8);
  assert.equal(journal.check(retirement.retired).findings, []);
  const third = journal.retire({ beforeSequence: 99 }, NOW + 70)!;
  assert.is(third.retired.sequence, 12);
  assert.is(journal.retire({ beforeSequence: 99 }, NOW + 80), undefined);
  assert.equal(numbers(journal), [13]);
  const exported = journal.exportTo(join(folder, 'export.jsonl'));
  journal.close();
  const { journal: reopened, report } = open(folder);
  assert.equal([report.damage, reopened.check().findings], [undefined, []]);
  reopened.close();
  // Alone after the record before, and all together.
  const archives = readdirSync(join(folder, 'archive')).filter((name) => name.endsWith('.jsonl'));
  const texts = archives.sort().map((name) => readFileSync(join(folder, 'archive', name), 'utf8'));
  const head = readFileSync(`${second.archive}.head`, 'utf8');
  assert.equal(checkChain(texts[1]!, head, undefined, retirement.retired).findings, []);
  assert.equal(
    checkChain(texts[1]!, head).findings.map(({ code }) => code),
    ['removed'],
  );
  const all = [...texts, readFileSync(exported.path, 'utf8')].join('');
  assert.equal(checkChain(all, readFileSync(`${exported.path}.head`, 'utf8')).findings, []);
  assert.is(all.trimEnd().split('\n').length, 13);
});

test('records cut off the beginning are not taken for retired', () => {
  const folder = written(6);
  const { journal } = open(folder);
  journal.retire({ beforeSequence: 3 }, NOW);
  journal.close();
  tamper(folder, 'DELETE FROM record WHERE sequence = 3');
  const reader = JournalReader.open(folder);
  assert.equal(
    reader.check().findings.map(({ code }) => code),
    ['removed'],
  );
  reader.close();
});

test('read beside its writer: one moment of it', () => {
  const folder = written(3);
  const { journal } = open(folder);
  const reader = JournalReader.open(folder);
  journal.append([entry(4)], NOW);
  assert.equal([reader.check().findings, reader.check().records], [[], 3]);
  const { records } = reader.exportTo(join(folder, 'moment.jsonl'));
  assert.is(records, 3);
  reader.close();
  journal.close();
  refusedWith('journal-missing', () => JournalReader.open(newFolder()));
});

type Command =
  | { do: 'append' | 'note'; count: number }
  | { do: 'wait' | 'reopen' | 'crash' }
  | { do: 'retire'; part: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('note' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constantFrom('wait' as const, 'reopen' as const, 'crash' as const) }),
  fc.record({
    do: fc.constant('retire' as const),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
);

test('a note that is replaced again and again is written in its time all the same', () => {
  const { journal } = Journal.open(newFolder(), { flushMs: 500, idleMs: 2000 }, NOW);
  const written: number[] = [];
  for (let ms = 0; ms < 2_000; ms += 100) {
    journal.note({ kind: 'progress', ms }, NOW + ms, 'ppmid');
    journal.handleTimeout(NOW + ms);
    written.push(journal.head.sequence);
  }
  assert.is(written.at(-1), 3);
  assert.equal(
    [...journal.records()].map((record) => record['ms']),
    [500, 1_100, 1_700],
  );
  journal.close();
});

test('any course of appends, notes, restarts, kills and retirements: as an array would have it', () => {
  console.log(`SEED ${SEED}`);
  fc.assert(
    fc.property(fc.array(command, { maxLength: 25 }), (commands) => {
      let folder = newFolder();
      let { journal } = open(folder);
      let nowMs = NOW;
      let n = 0;
      let waiting: number[] = [];
      const model: (number | 'checkpoint')[] = [];
      for (const one of commands) {
        nowMs += 100;
        if (one.do === 'append') {
          const added = Array.from({ length: one.count }, () => ++n);
          journal.append(added.map(entry), nowMs);
          model.push(...waiting, ...added);
          waiting = [];
        } else if (one.do === 'note') {
          for (let i = 0; i < one.count; i++) {
            journal.note(entry(++n), nowMs);
            waiting.push(n);
          }
        } else if (one.do === 'wait') {
          nowMs += 10_000;
          journal.handleTimeout(nowMs);
          model.push(...waiting);
          waiting = [];
        } else if (one.do === 'retire') {
          const before = Math.floor(one.part * (model.length + 1));
          if (journal.retire({ beforeSequence: before }, nowMs)) model.push('checkpoint');
        } else if (one.do === 'reopen') {
          journal.close();
          model.push(...waiting);
          waiting = [];
          ({ journal } = open(folder));
        } else {
          // What a killed process leaves: its files as they are.
          const copy = newFolder();
          cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') });
          journal.close();
          folder = copy;
          waiting = [];
          const opened = open(folder);
          assert.equal([opened.report.damage, opened.report.unacknowledged], [undefined, 0]);
          journal = opened.journal;
        }
      }
      const records = [...archived(folder), ...journal.records()];
      assert.equal(
        records.map((record) => (record.kind === 'checkpoint' ? 'checkpoint' : record['n'])),
        model,
      );
      assert.equal(journal.check().findings, []);
      journal.close();
    }),
    { seed: SEED, numRuns: 60 },
  );
});

function* archived(folder: string): Generator<JournalRecord> {
  const archive = join(folder, 'archive');
  if (!existsSync(archive)) return;
  for (const name of readdirSync(archive).sort()) {
    if (!name.endsWith('.jsonl')) continue;
    for (const line of readFileSync(join(archive, name), 'utf8').trimEnd().split('\n')) {
      yield parseRecord(line) as JournalRecord;
    }
  }
}

function readRecords(folder: string): JournalRecord[] {
  const { journal } = open(folder);
  const records = [...journal.records()];
  journal.close();
  return records;
}

test.run();
