/** The chain of the audit log: every edit, removal, move and cut is found and named. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AuditCode,
  type AuditEntry,
  checkChain,
  EMPTY_HEAD,
  followHead,
  headText,
  nextRecord,
  recordLine,
} from '../../src/audit/chain.ts';

const test = suite('audit');
const NOW = Date.UTC(2026, 0, 1);
const RECORDS = 6;

function entry(device: string): AuditEntry {
  return {
    kind: 'decision',
    by: 'verify',
    subject: { device, image: 'image.zigbee' },
    digests: { send: 'ab'.repeat(32) },
    decision: {
      decidedAtMs: NOW,
      intake: 'bench',
      verdict: 'refused',
      ruleId: 'cpl.listed',
      conditional: false,
      pending: [],
      said: ['cpl.listed refuse'],
    },
  };
}

/** Lines of a good log, with the head after them. */
function chain(count = RECORDS, name = 'ppmid') {
  let head = EMPTY_HEAD;
  const lines: string[] = [];
  for (let n = 1; n <= count; n++) {
    const record = nextRecord(head, entry(`${name}-${n}`), NOW + n);
    head = { sequence: record.sequence, hash: record.hash };
    lines.push(recordLine(record));
  }
  return { lines, head };
}

const { lines: LINES, head: HEAD } = chain();

function found(lines: readonly string[], headLine: string | undefined = headText(HEAD)): string[] {
  return checkChain(lines.join(''), headLine).findings.map(
    ({ code, sequence }) => `${code} ${sequence}`,
  );
}

test('a good log, a new one, and one that has nothing yet', () => {
  assert.equal(found(LINES), []);
  assert.equal(checkChain(LINES.join(''), headText(HEAD)).head, HEAD);
  assert.equal(checkChain('', undefined).findings, []);
});

test('every record edited: found and named', () => {
  for (let at = 0; at < RECORDS; at++) {
    const edited = LINES.with(at, LINES[at]!.replace('"refused"', '"admitted"'));
    assert.equal(found(edited), [`edited ${at + 1}`]);
    const time = LINES.with(at, LINES[at]!.replace(`${NOW + at + 1}`, `${NOW}`));
    assert.equal(found(time), [`edited ${at + 1}`]);
  }
});

test('edited and sealed again: the next record, or the head, gives it away', () => {
  for (let at = 0; at < RECORDS; at++) {
    const before = at === 0 ? EMPTY_HEAD : headOf(LINES[at - 1]!);
    const forged = recordLine(nextRecord(before, entry('forged'), NOW));
    const expected = at === RECORDS - 1 ? `exchanged ${RECORDS}` : `unlinked ${at + 2}`;
    assert.equal(found(LINES.with(at, forged)), [expected]);
  }
});

test('every record removed, every two exchanged, one repeated', () => {
  for (let at = 0; at < RECORDS; at++) {
    const code = at === RECORDS - 1 ? 'truncated' : 'removed';
    assert.equal(found(LINES.toSpliced(at, 1)), [`${code} ${at + 1}`]);
    assert.ok(found(LINES.toSpliced(at, 0, LINES[at]!)).includes(`reordered ${at + 1}`));
  }
  for (let at = 0; at + 1 < RECORDS; at++) {
    const moved = LINES.with(at, LINES[at + 1]!).with(at + 1, LINES[at]!);
    assert.ok(found(moved).includes(`reordered ${at + 1}`), `${found(moved)}`);
  }
});

test('cut anywhere: never taken for whole, and half a record is called so', () => {
  const text = LINES.join('');
  for (let cut = 0; cut < text.length; cut++) {
    const half = cut > 0 && text[cut - 1] !== '\n';
    const codes: AuditCode[] = half ? ['torn', 'truncated'] : ['truncated'];
    const { findings } = checkChain(text.slice(0, cut), headText(HEAD));
    assert.equal(
      findings.map(({ code }) => code),
      codes,
      `cut at ${cut}`,
    );
  }
});

test('behind the head: what follows is followed, half a record is torn, the rest is damage', () => {
  const follow = (text: string) => {
    const { head, bytes, rest } = followHead(headOf(LINES[1]!), Buffer.from(text));
    return [head.sequence, bytes, rest];
  };
  const [, , third, fourth, fifth] = LINES as [string, string, string, string, string];
  assert.equal(follow(''), [2, 0, 'none']);
  assert.equal(follow(third + fourth), [4, third.length + fourth.length, 'none']);
  for (let cut = 1; cut < fourth.length; cut++) {
    assert.equal(follow(third + fourth.slice(0, cut)), [3, third.length, 'torn'], `cut at ${cut}`);
  }
  assert.equal(follow(`${third}${'\0'.repeat(4096)}`), [3, third.length, 'torn']);
  const edited = fourth.replace('"refused"', '"admitted"');
  for (const other of [fifth, third, LINES[0]!, edited]) {
    assert.equal(follow(third + other), [3, third.length, 'damaged']);
  }
});

test('every flipped bit of a record is found', () => {
  const text = Buffer.from(LINES.join(''));
  for (let bit = 0; bit < (text.length - 1) * 8; bit += 13) {
    const flipped = Buffer.from(text);
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    assert.ok(
      checkChain(flipped.toString('latin1'), headText(HEAD)).findings.length > 0,
      `bit ${bit}`,
    );
  }
});

test('the head: missing, none, behind; a log written anew against a head kept elsewhere', () => {
  const text = LINES.join('');
  const codes = (headLine: string | undefined) =>
    checkChain(text, headLine).findings.map(({ code }) => code);
  assert.equal(codes(undefined), ['head-missing']);
  assert.equal(codes('x'), ['head-malformed']);
  assert.equal(codes(headText(headOf(LINES[2]!))), ['head-behind']);
  const other = chain(RECORDS, 'other');
  const anew = checkChain(other.lines.join(''), headText(other.head), headOf(LINES[2]!));
  assert.equal(
    anew.findings.map(({ code, sequence }) => `${code} ${sequence}`),
    ['exchanged 3'],
  );
  const short = chain(2, 'other');
  const cut = checkChain(short.lines.join(''), headText(short.head), headOf(LINES[2]!));
  assert.equal(
    cut.findings.map(({ code }) => code),
    ['truncated'],
  );
});

function headOf(line: string) {
  const { sequence, hash } = JSON.parse(line) as { sequence: number; hash: string };
  return { sequence, hash };
}

test.run();
