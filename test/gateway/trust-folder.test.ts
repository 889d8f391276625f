/** One document says what each key is trusted for; a key that it does not name is an error. */
import { generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../src/bytes/hex.ts';
import { UpliftError } from '../../src/errors.ts';
import { loadTrust } from '../../src/gateway/trust-folder.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { fingerprintOf, writeTrustFolder } from '../support/anchors.ts';
import { testCa } from '../trust/zse-signer.ts';

const test = suite('trust folder');
const SHIPPED = resolve(import.meta.dirname, '../../firmware/trust');
const KEY = join(SHIPPED, 'test-hub-mcuboot.pem');
const PEM = readFileSync(KEY, 'utf8');
const PIN = JSON.parse(readFileSync(join(SHIPPED, 'anchors.json'), 'utf8')).anchors[1].fingerprint;
const root = mkdtempSync(join(tmpdir(), 'uplift-trust-'));
test.after(() => rmSync(root, { recursive: true }));

/** A folder with a copy of one key under each of the names, and no document. */
function folderOf(...names: string[]): string {
  const folder = mkdtempSync(join(root, 'trust-'));
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(KEY, join(folder, name));
  }
  return folder;
}

const GOOD = { name: 'a', purpose: 'mcuboot-firmware', fingerprint: PIN, file: 'a.pem' };

function documentOf(folder: string, ...anchors: unknown[]): string {
  writeFileSync(join(folder, 'anchors.json'), JSON.stringify({ version: 1, anchors }));
  return folder;
}

function refusal(path: string): UpliftError {
  try {
    loadTrust(path);
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    const { exit, expected, actual, next } = error as UpliftError;
    assert.is(exit, 2);
    assert.ok(expected && actual && next, 'expected, found and next are said');
    return error as UpliftError;
  }
  throw new Error('it was taken');
}

test('the shipped folder: one key for each purpose, by folder and by document', () => {
  for (const path of [SHIPPED, join(SHIPPED, 'anchors.json')]) {
    const { anchors, zseCas } = loadTrust(path);
    assert.equal(
      anchors.map(({ purpose }) => purpose),
      ['gb-firmware', 'mcuboot-firmware', 'gbl-firmware'],
    );
    assert.equal(zseCas, []);
  }
});

test('keys of every kind that a purpose takes, in sub-folders and in the document', () => {
  const pemOf = (pair: ReturnType<typeof generateKeyPairSync>) =>
    pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const edwards = generateKeyPairSync('ed25519');
  const folder = writeTrustFolder(mkdtempSync(join(root, 'trust-')), {
    'mcuboot/rsa.pem': { purpose: 'mcuboot-firmware', pem: pemOf(rsa) },
    'mcuboot/edwards.pem': { purpose: 'mcuboot-firmware', pem: pemOf(edwards) },
  });
  assert.equal(
    loadTrust(folder).anchors.map(({ algorithm }) => algorithm),
    ['rsa-2048', 'ed25519'],
  );
  for (const purpose of ['gbl-firmware', 'gb-firmware', 'campaign', 'downgrade-waiver']) {
    const { publicKey } = edwards;
    const anchor = {
      name: 'e',
      purpose,
      fingerprint: fingerprintOf(publicKey),
      pem: pemOf(edwards),
    };
    const error = refusal(documentOf(folderOf(), { ...anchor, person: 'ann' }));
    assert.is(error.code, 'anchor-key', purpose);
    assert.match(error.expected!, 'ecdsa-p256');
    assert.match(error.actual!, 'ed25519');
  }
});

test('a CA of Smart Energy: a point under an EUI-64', () => {
  for (const suite of [1, 2] as const) {
    const { publicKey, issuer } = testCa(suite, '5445535453454341');
    const fingerprint = sha256Hex(publicKey);
    const anchor = { name: 'ca', purpose: 'zse-ca', fingerprint, point: encodeHex(publicKey) };
    const document = (change: object) =>
      documentOf(folderOf(), { ...anchor, issuer: '54:45:53:54:53:45:43:41', suite, ...change });
    const { zseCas } = loadTrust(document({}));
    assert.equal([zseCas[0]!.issuer, zseCas[0]!.suite], [issuer, suite]);
    assert.equal(zseCas[0]!.publicKey, publicKey);
    for (const [change, code] of [
      [{ suite: 3 - suite }, 'anchor-point'],
      [{ suite: 3 }, 'anchors-malformed'],
      [{ issuer: 'TESTSECA' }, 'anchor-point'],
      [{ issuer: undefined }, 'anchor-point'],
      [{ point: `${anchor.point}00` }, 'anchor-point'],
      [{ point: `ff${anchor.point.slice(2)}` }, 'anchor-point'],
      [{ fingerprint: '00'.repeat(32) }, 'anchor-fingerprint'],
      [{ purpose: 'gb-firmware' }, 'not-pem'],
    ] as const) {
      assert.is(refusal(document(change)).code, code, JSON.stringify(change));
    }
  }
});

test('what is no key is left alone, and so are folders with a dot', () => {
  const folder = folderOf('a.pem', 'notes/readme.txt', '..2026_01_01/old.pem');
  writeFileSync(join(folder, 'README.md'), 'whose keys these are');
  assert.is(loadTrust(documentOf(folder, GOOD)).anchors.length, 1);
});

test('links are followed, as mounted secrets have them', () => {
  const folder = folderOf();
  symlinkSync(KEY, join(folder, 'a.pem'));
  symlinkSync(join(root, 'nowhere'), join(folder, 'mcuboot'));
  assert.is(loadTrust(documentOf(folder, GOOD)).anchors.length, 1);
});

/** The change of a good anchor, beside a file a.pem. */
const WRONG: [string, object, string][] = [
  ['no purpose', { purpose: undefined }, 'anchors-malformed'],
  ['a purpose that is none', { purpose: 'zigbee' }, 'anchor-purpose'],
  ['a format that nobody signs', { purpose: 'ebl-firmware' }, 'anchor-purpose'],
  ['a name of every object', { purpose: 'toString' }, 'anchor-purpose'],
  ['another fingerprint', { fingerprint: '00'.repeat(32) }, 'anchor-fingerprint'],
  ['no fingerprint', { fingerprint: undefined }, 'anchors-malformed'],
  ['an empty fingerprint', { fingerprint: '' }, 'anchors-malformed'],
  ['a misspelt key', { role: ['87'] }, 'anchors-malformed'],
  ['a file and PEM', { pem: PEM }, 'anchors-malformed'],
  ['neither', { file: undefined }, 'anchors-malformed'],
  ['an absolute path', { file: KEY }, 'trust-purpose-unknown'],
  ['no such file', { file: 'b.pem' }, 'trust-purpose-unknown'],
  ['a key that signs waivers, of nobody', { purpose: 'downgrade-waiver' }, 'anchor-person'],
];

for (const [name, change, code] of WRONG) {
  test(`${name}: ${code}`, () => {
    assert.is(refusal(documentOf(folderOf('a.pem'), { ...GOOD, ...change })).code, code);
  });
}

test('a key that the document does not name, with its fingerprint to pin', () => {
  for (const misplaced of ['b.pem', 'zigbee/b.pem', 'gbl/b.pem']) {
    const error = refusal(documentOf(folderOf('a.pem', misplaced), GOOD));
    assert.is(error.code, 'trust-purpose-unknown');
    assert.match(error.message, 'b.pem');
    assert.match(error.expected!, /gb-firmware for .*mcuboot-firmware for .*gbl-firmware for /);
    assert.match(error.next!, PIN);
  }
  const folder = documentOf(folderOf('a.pem', 'b.pem'), GOOD);
  assert.is(loadTrust(join(folder, 'anchors.json')).anchors.length, 1, 'named alone');
});

test('the fingerprint that was pinned and the one that was found', () => {
  const fingerprint = '11'.repeat(32);
  const error = refusal(documentOf(folderOf('a.pem'), { ...GOOD, fingerprint }));
  assert.is(error.expected, fingerprint);
  assert.is(error.actual, PIN);
  assert.match(error.message, 'the anchor a');
});

test('no folder, no document, no anchors, a file that is none', () => {
  assert.is(refusal(join(root, 'none')).code, 'file-unreadable');
  assert.is(refusal(KEY).code, 'json-malformed');
  for (const names of [[], ['a.pem'], ['gbl/a.pem'], ['notes.txt']]) {
    assert.is(refusal(folderOf(...names)).code, 'trust-anchors-missing', names.join());
  }
  assert.match(refusal(folderOf('gbl/a.pem')).actual!, 'gbl/a.pem');
  assert.is(refusal(documentOf(folderOf())).code, 'trust-anchors-missing');
  const outside = documentOf(folderOf(), { ...GOOD, file: KEY });
  assert.is(refusal(outside).code, 'anchors-malformed', 'an absolute path');
  assert.is(refusal(documentOf(folderOf(), GOOD)).code, 'file-unreadable');
  const garbage = folderOf();
  writeFileSync(join(garbage, 'a.pem'), 'garbage');
  assert.is(refusal(documentOf(garbage, GOOD)).code, 'not-pem');
  const named = folderOf();
  mkdirSync(join(named, 'a.pem'));
  assert.is(refusal(documentOf(named, GOOD)).code, 'file-unreadable');
  assert.is(refusal(documentOf(folderOf('a.pem'), GOOD, GOOD)).code, 'anchor-repeated');
  const other = folderOf('a.pem');
  writeFileSync(join(other, 'anchors.json'), JSON.stringify({ version: 2, anchors: [GOOD] }));
  assert.is(refusal(other).code, 'anchors-malformed');
});

test.run();
