/** The audit log on disk: nothing is half done, whoever is killed at whatever point, or a disk fills up. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AuditEntry,
  EMPTY_HEAD,
  headText,
  isDecision,
  nextRecord,
  recordLine,
} from '../../src/audit/chain.ts';
import { UpliftError } from '../../src/errors.ts';
import { AuditLog } from '../../src/gateway/audit-log.ts';

const test = suite('audit log');
const MODULE = resolve(import.meta.dirname, '../../src/gateway/audit-log.ts');
const NOW = Date.UTC(2026, 0, 1);
const parent = mkdtempSync(join(tmpdir(), 'uplift-audit-log-'));
const folder = join(parent, 'log');
const path = join(folder, 'audit.jsonl');
test.after(() => rmSync(parent, { recursive: true }));
test.before.each(() => rmSync(folder, { recursive: true, force: true }));

function entry(device: string): AuditEntry {
  return {
    kind: 'decision',
    by: 'flash',
    subject: { device, image: 'image.zigbee' },
    digests: { send: 'ab'.repeat(32) },
    decision: {
      decidedAtMs: 1_900_000_000_000,
      intake: 'bench',
      verdict: 'admitted',
      conditional: false,
      pending: [],
      said: [],
    },
  };
}

function refused(code: string, work: () => unknown): UpliftError {
  try {
    work();
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    assert.is((error as UpliftError).code, code);
    return error as UpliftError;
  }
  throw new Error(`${code} was expected`);
}

const codesOf = (log: AuditLog) => log.check().findings.map(({ code }) => code);
const devicesOf = (log: AuditLog) =>
  log.records().map((record) => (record as unknown as AuditEntry).subject.device);
const tornFiles = () => readdirSync(folder).filter((name) => name.includes('.torn-'));

test('appended by one process after another, and whole; nothing else stays behind', () => {
  for (let n = 0; n < 3; n++) new AuditLog(path).append([entry(`${n}`), entry(`${n}b`)], NOW);
  const check = new AuditLog(path).check();
  assert.equal([check.findings, check.records, check.head.sequence], [[], 6, 6]);
  const fifth = new AuditLog(path).records()[4]!;
  assert.ok(isDecision(fifth) && fifth.subject.device === '2');
  assert.equal(readdirSync(folder).sort(), ['audit.jsonl', 'audit.jsonl.head']);
  assert.is(statSync(path).mode & 0o777, 0o600);
});

test('killed between records and their head, however many: the next append goes on', () => {
  const log = new AuditLog(path);
  log.append([entry('a')], NOW);
  const before = readFileSync(log.headPath);
  const many = Array.from({ length: 300 }, (_, n) => entry(`many-${n}`));
  log.append(many, NOW);
  writeFileSync(log.headPath, before);
  assert.equal(codesOf(log), ['head-behind']);
  log.append([entry('c')], NOW);
  assert.equal(codesOf(log), []);
  assert.is(log.check().records, 302);
  assert.equal(tornFiles(), []);
});

test('killed at each byte of what it wrote: nothing that was acknowledged is lost', () => {
  for (const [acknowledged, step] of [
    [0, 11],
    [2, 1],
  ] as const) {
    rmSync(folder, { recursive: true, force: true });
    const log = new AuditLog(path);
    if (acknowledged > 0) log.append([entry('a'), entry('b')], NOW);
    const kept = acknowledged > 0 ? readFileSync(path) : Buffer.alloc(0);
    const keptHead = acknowledged > 0 ? readFileSync(log.headPath) : headText(EMPTY_HEAD);
    log.append([entry('c'), entry('d')], NOW);
    const whole = readFileSync(path);
    for (let cut = kept.length; cut <= whole.length; cut += step) {
      writeFileSync(path, whole.subarray(0, cut));
      writeFileSync(log.headPath, keptHead);
      const lines = whole.subarray(0, cut).toString().split('\n');
      const half = lines.pop()!;
      assert.is(codesOf(log).includes('torn'), half !== '', `cut at ${cut}`);
      log.append([entry('next')], NOW);
      assert.equal(codesOf(log), [], `cut at ${cut}`);
      const devices = ['a', 'b', 'c', 'd'].slice(acknowledged > 0 ? 0 : 2);
      assert.equal(devicesOf(log), [...devices.slice(0, lines.length), 'next'], `cut at ${cut}`);
      const torn = tornFiles();
      assert.equal(
        torn.map((name) => readFileSync(join(folder, name), 'utf8')),
        half === '' ? [] : [half],
      );
      for (const name of torn) rmSync(join(folder, name));
    }
  }
});

test('a power cut that left noughts where the record was to be', () => {
  const log = new AuditLog(path);
  log.append([entry('a')], NOW);
  for (let n = 0; n < 2; n++) {
    appendFileSync(path, Buffer.alloc(700));
    log.append([entry('b')], NOW);
  }
  assert.equal([codesOf(log), devicesOf(log)], [[], ['a', 'b', 'b']]);
  assert.equal(tornFiles(), [
    'audit.jsonl.torn-2026-01-01T000000.000Z',
    'audit.jsonl.torn-2026-01-01T000000.001Z',
  ]);
});

test('killed before the first record, at each step', () => {
  const log = new AuditLog(path);
  for (const [name, text] of [
    ['audit.jsonl', ''],
    ['audit.jsonl.head', headText(EMPTY_HEAD)],
    ['audit.jsonl.head.new', '0 00'],
  ] as const) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text);
    log.append([entry('a')], NOW);
    assert.equal([codesOf(log), devicesOf(log)], [[], ['a']], name);
    rmSync(folder, { recursive: true });
  }
});

test('a damaged log takes no more records, and is left as it is', () => {
  const log = new AuditLog(path);
  log.append([entry('a'), entry('b')], NOW);
  const whole = readFileSync(path, 'utf8');
  const head = readFileSync(log.headPath, 'utf8');
  const firstEnd = whole.indexOf('\n') + 1;
  const behind = recordLine(nextRecord(EMPTY_HEAD, entry('c'), NOW));
  const damages: [name: string, log: string, head?: string][] = [
    ['the newest is gone', whole.slice(0, firstEnd)],
    ['the newest is half', whole.slice(0, -20)],
    ['its line end is gone', whole.slice(0, -1)],
    [
      'half of it, where the head is older',
      whole.slice(0, firstEnd - 20),
      headText(headAt(whole, 0)),
    ],
    ['the newest is edited', whole.replace('"b"', '"B"')],
    ['an edited one behind the head', whole.replace('"b"', '"B"'), headText(headAt(whole, 0))],
    ['one that does not follow', whole + behind],
    ['a head that is none', whole, `${head}x`],
    ['a head of another log', whole, headText({ sequence: 2, hash: 'ab'.repeat(32) })],
  ];
  for (const [name, text, headLine = head] of damages) {
    writeFileSync(path, text);
    writeFileSync(log.headPath, headLine);
    refused('audit-log-damaged', () => log.append([entry('c')], NOW));
    assert.is(readFileSync(path, 'utf8'), text, name);
    assert.ok(codesOf(log).length > 0, `${name}: and the check finds it`);
  }
  assert.equal(tornFiles(), []);
  writeFileSync(path, whole);
  rmSync(log.headPath);
  refused('audit-log-damaged', () => log.append([entry('c')], NOW));
  rmSync(path);
  refused('audit-log-missing', () => log.check());
});

test('a log that is gone and whose head is there is truncated, and stays so', () => {
  const log = new AuditLog(path);
  log.append([entry('a')], NOW);
  rmSync(path);
  assert.equal(codesOf(log), ['truncated']);
  refused('audit-log-damaged', () => log.append([entry('b')], NOW));
});

test('a disk that is full takes no record and no head', () => {
  mkdirSync(folder);
  symlinkSync('/dev/full', path);
  const error = refused('audit-log-unwritable', () => new AuditLog(path).append([entry('a')], NOW));
  assert.match(error.actual!, 'ENOSPC');
  assert.is(readFileSync(`${path}.head`, 'utf8'), headText(EMPTY_HEAD));
  assert.equal(readdirSync(folder).includes('audit.jsonl.lock'), false);
});

/** Holds the lock of the log, as an append does, until it is ended. */
async function lockElsewhere(): Promise<{ end(): Promise<void> }> {
  const script = `
    import { takeLock } from ${JSON.stringify(resolve(MODULE, '../../store/process-lock.ts'))};
    console.log(takeLock(process.argv[1]).taken);
    setInterval(() => {}, 1000);`;
  const parameters = ['--input-type=module', '-e', script, `${path}.lock`];
  const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<string>((told) => {
    child.stdout.once('data', (chunk: Buffer) => told(chunk.toString().trim()));
  });
  assert.is(said, 'true');
  const gone = new Promise<void>((ended) => child.once('exit', () => ended()));
  return {
    end: () => {
      child.kill('SIGKILL');
      return gone;
    },
  };
}

test('the lock of a killed process, or of one before a restart, is taken over at once', async () => {
  mkdirSync(folder);
  const holder = await lockElsewhere();
  const held = readFileSync(`${path}.lock`, 'utf8');
  await holder.end();
  const otherBoot = held.replace(/ [0-9a-f-]{36} /, ' 00000000-0000-0000-0000-000000000000 ');
  const sameNumber = otherBoot.replace(/^\d+/, `${process.pid}`);
  for (const text of [held, otherBoot, sameNumber, '', '4194304\n']) {
    writeFileSync(`${path}.lock`, text);
    const startedMs = performance.now();
    new AuditLog(path).append([entry('a')], NOW);
    assert.ok(performance.now() - startedMs < 2_000, 'and nobody waits for it');
    assert.not.ok(existsSync(`${path}.lock`));
  }
});

test('many processes append at once: each record once, in one chain', async () => {
  const script = `
    import { AuditLog } from ${JSON.stringify(MODULE)};
    const entry = ${JSON.stringify(entry('NAME'))};
    for (let n = 0; n < 5; n++) {
      const device = process.argv[2] + '-' + n;
      new AuditLog(process.argv[1]).append([{ ...entry, subject: { ...entry.subject, device } }], 1);
    }`;
  const names = ['p', 'q', 'r'];
  const codes = await Promise.all(
    names.map((name) => {
      const parameters = ['--input-type=module', '-e', script, path, name];
      const child = spawn(process.execPath, parameters, { stdio: 'inherit' });
      return new Promise((ended) => child.once('exit', ended));
    }),
  );
  assert.equal(codes, [0, 0, 0]);
  const log = new AuditLog(path);
  assert.equal(codesOf(log), []);
  const expected = names.flatMap((name) => [0, 1, 2, 3, 4].map((n) => `${name}-${n}`));
  assert.equal(devicesOf(log).sort(), expected);
});

test('an append reads the end of a log and not the log', () => {
  const log = new AuditLog(path);
  log.append([entry('a'), entry('b')], NOW);
  const whole = readFileSync(path);
  // As large as a log of 40 million records, and no byte of it written.
  const hugeBytes = 2 ** 34;
  truncateSync(path, 0);
  truncateSync(path, hugeBytes);
  appendFileSync(path, `\n${whole}`);
  log.append([entry('c')], NOW);
  assert.ok(statSync(path).size > hugeBytes + whole.length);
});

function headAt(text: string, line: number) {
  const { sequence, hash } = JSON.parse(text.split('\n')[line]!);
  return { sequence, hash };
}

test.run();
