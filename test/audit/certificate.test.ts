/** Certificates: made of records, read off paper again, and held against the log they came of. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CERTIFICATE_CODES,
  certificateOf,
  certificateText,
  checkCertificate,
  parseCertificate,
} from '../../src/audit/certificate.ts';
import {
  type ChainEntry,
  type ChainRecord,
  EMPTY_HEAD,
  nextRecord,
} from '../../src/audit/chain.ts';

const test = suite('certificates');
const IMAGE = 'ab'.repeat(32);
const LISTED = 'cd'.repeat(32);
const START_MS = Date.UTC(2027, 0, 31, 12);
const DONE_AT = 7;

function chain(entries: readonly ChainEntry[]): ChainRecord[] {
  const records: ChainRecord[] = [];
  for (const entry of entries) {
    const head = records.at(-1) ?? EMPTY_HEAD;
    records.push(nextRecord(head, entry, START_MS + records.length * 1_000));
  }
  return records;
}

function decision(device: string, verdict: string, runs?: string) {
  return {
    kind: 'decision',
    job: 'j2',
    by: 'gateway',
    subject: { device, image: 'x' },
    digests: { listed: LISTED },
    decision: { verdict, said: [] },
    ...(runs === undefined ? {} : { runs }),
    entries: ['TEST-0003', 'TEST-0004'],
  };
}

const state = (device: string, name: string, more: object = {}) =>
  ({ kind: 'state', job: 'j2', device, state: name, ...more }) as ChainEntry;

const LOG = chain([
  { kind: 'gateway-started' },
  { kind: 'job', job: 'j2', by: 'api:ann', request: { image: IMAGE } } as ChainEntry,
  { kind: 'command', job: 'j2', by: 'api:robert', command: 'approve' } as ChainEntry,
  decision('hub-1', 'admitted', '1.0.0'),
  decision('other', 'admitted', '9.9.9'),
  state('other', 'failed'),
  state('hub-1', 'done', { runs: '2.0.0; rc=1' }),
  state('hub-2', 'distributing'),
]);
const TEXT = certificateText(certificateOf(LOG, 'j2', 'hub-1')!);
const codes = (text: string, log: readonly ChainRecord[] = LOG) =>
  checkCertificate(text, log).map(({ code, field }) => [code, field].filter(Boolean).join(' '));

test('it says what the records say, in one line of visible ASCII', () => {
  const hash = LOG[DONE_AT - 1]!.hash;
  assert.is(
    TEXT,
    `UPLIFT-CERTIFICATE-1;job=j2;device=hub-1;ran=1.0.0;runs=2.0.0%3B%20rc%3D1;image=${IMAGE};listed=${LISTED};` +
      `entries=TEST-0003,TEST-0004;by=api:ann;approvedBy=api:robert;done=2027-01-31T12:00:06.000Z;record=7:${hash}`,
  );
  assert.match(TEXT, /^[!-~]+$/);
  assert.equal(codes(TEXT), []);
  assert.equal(codes(` ${TEXT}\n`), [], 'as it is pasted');
});

test('there is none before the version was read back', () => {
  assert.is(certificateOf(LOG, 'j2', 'hub-2'), undefined);
  assert.is(certificateOf(LOG, 'j2', 'other'), undefined);
  assert.is(certificateOf(LOG.slice(0, DONE_AT - 1), 'j2', 'hub-1'), undefined);
  assert.is(certificateOf(LOG, 'j3', 'hub-1'), undefined);
  const unread = chain([state('hub-1', 'done')]);
  assert.is(
    certificateOf(unread, 'j2', 'hub-1'),
    undefined,
    'a state without a version is no proof',
  );
});

test('every value that was changed is found, and named', () => {
  for (const field of ['ran', 'runs', 'image', 'listed', 'entries', 'by', 'approvedBy', 'done']) {
    const changed = TEXT.replace(new RegExp(`;${field}=[^;]`), `;${field}=z`);
    assert.is.not(changed, TEXT);
    assert.equal(codes(changed), [`certificate-differs ${field}`]);
    const without = TEXT.replace(new RegExp(`;${field}=[^;]+`), '');
    const expected = field === 'runs' ? 'certificate-malformed' : `certificate-differs ${field}`;
    assert.equal(codes(without), [expected]);
  }
});

test('another record, another log and another upgrade are told apart', () => {
  const { hash } = LOG[DONE_AT - 1]!;
  assert.equal(codes(TEXT.replace(`record=7:${hash}`, `record=99:${hash}`)), [
    'certificate-absent record',
  ]);
  const elsewhere = `record=7:${'0'.repeat(64)}`;
  assert.equal(codes(TEXT.replace(`record=7:${hash}`, elsewhere)), [
    'certificate-exchanged record',
  ]);
  const failed = LOG[5]!;
  assert.equal(codes(TEXT.replace(`record=7:${hash}`, `record=6:${failed.hash}`)), [
    'certificate-not-done record',
  ]);
  assert.equal(codes(TEXT.replace('device=hub-1', 'device=other')), [
    'certificate-not-done record',
  ]);
  assert.equal(codes(TEXT, LOG.slice(0, 3)), ['certificate-absent record']);
});

test('every text that is cut off, has one bit more or is doubled is no certificate, or a wrong one', () => {
  for (let length = 0; length < TEXT.length; length++)
    assert.ok(codes(TEXT.slice(0, length)).length > 0, `${length} characters`);
  for (let at = 0; at < TEXT.length; at++) {
    for (let bit = 0; bit < 7; bit++) {
      const flipped = String.fromCharCode(TEXT.charCodeAt(at) ^ (1 << bit));
      const text = TEXT.slice(0, at) + flipped + TEXT.slice(at + 1);
      const found = codes(text);
      assert.ok(found.length > 0, `bit ${bit} of ${at}: ${flipped}`);
      for (const one of found) assert.ok(one.split(' ')[0]! in CERTIFICATE_CODES);
    }
  }
  assert.equal(codes(`${TEXT};${TEXT}`), ['certificate-malformed']);
  assert.is(parseCertificate(`${TEXT};job=j2`), undefined, 'a field twice');
  assert.is(parseCertificate(TEXT.replace(';device', ';surprise=1;device')), undefined);
  assert.is(parseCertificate(TEXT.replace('hub-1', '%68ub-1')), undefined, 'one spelling a value');
});

test.run();
