/** Documents of trust on disk: good ones, and each mistake with the file that it is in and its code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import {
  loadCertificates,
  loadRevocationLists,
  loadVersionFloors,
  loadWaiver,
} from '../../src/gateway/trust-documents.ts';
import { CRL_BYTES_MAX } from '../../src/trust/crl.ts';
import { certificate, crl, pem } from '../trust/naive-x509.ts';
import { ROOT, SPECS } from '../trust/test-pki.ts';

const test = suite('trust documents');
const folder = mkdtempSync(join(tmpdir(), 'uplift-documents-'));
test.after(() => rmSync(folder, { recursive: true }));

const root = certificate(SPECS.root);
const issuing = certificate(SPECS.issuing);
const rootCrl = crl({ signedBy: 'root', issuer: ROOT, revoked: [2n] });
const FLOOR = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
  floor: 7,
};

function file(content: string | object | Uint8Array): string {
  const path = join(folder, 'document');
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(path, isRaw ? content : JSON.stringify(content));
  return path;
}

const floors = (...list: object[]) => ({ version: 1, floors: list });

test('good ones', () => {
  const two = file(pem('CERTIFICATE', issuing) + pem('CERTIFICATE', root));
  assert.is(loadCertificates([two]).length, 2, 'every certificate of a file');
  assert.equal(loadCertificates([]), []);
  for (const content of [rootCrl, pem('X509 CRL', rootCrl)])
    assert.is(loadRevocationLists([file(content)]).length, 1);
  assert.is(loadVersionFloors(file(floors(FLOOR))).floors[0]!.floor, 7);
});

const cut = (der: Uint8Array) => der.subarray(0, der.length - 1);
const certificatesOf = (path: string) => loadCertificates([path]);
const revocationOf = (path: string) => loadRevocationLists([path]);

const WRONG: [
  name: string,
  load: (path: string) => unknown,
  content: string | object,
  code: string,
][] = [
  ['certificates: no PEM', certificatesOf, 'x', 'not-pem'],
  ['floors: no JSON', loadVersionFloors, '', 'json-malformed'],
  ['floors: no list', loadVersionFloors, { version: 1 }, 'floors-malformed'],
  ['floors: one twice', loadVersionFloors, floors(FLOOR, { ...FLOOR, floor: 8 }), 'floor-repeated'],
  ['waiver: no JSON', loadWaiver, '[', 'json-malformed'],
  ['waiver: another document', loadWaiver, floors(FLOOR), 'waiver-malformed'],
];

function refusal(load: (path: string) => unknown, path: string): UpliftError {
  try {
    load(path);
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    const { message, expected, actual, next, exit } = error as UpliftError;
    assert.match(message, path);
    assert.ok(expected && actual && next);
    assert.is(exit, 2);
    return error as UpliftError;
  }
  throw new Error('it was taken');
}

for (const [name, load, content, code] of WRONG) {
  test(name, () => assert.is(refusal(load, file(content)).code, code));
}

test('what the readers of certificates and lists say is passed on, with the file', () => {
  const damaged: [(path: string) => unknown, string | object | Uint8Array][] = [
    [certificatesOf, pem('CERTIFICATE', cut(root))],
    [revocationOf, cut(rootCrl)],
    [revocationOf, pem('X509 CRL', cut(rootCrl))],
    [revocationOf, root],
  ];
  const codes = damaged.map(([load, content]) => refusal(load, file(content)).code);
  for (const code of codes) assert.match(code, /^[a-z0-9]+(-[a-z0-9]+)+$/);
});

test('files that are not there, are folders, or are too large', () => {
  for (const load of [certificatesOf, revocationOf, loadVersionFloors, loadWaiver]) {
    assert.is(refusal(load, join(folder, 'none')).code, 'file-unreadable');
    assert.is(refusal(load, folder).code, 'file-unreadable');
  }
  assert.is(refusal(revocationOf, file(new Uint8Array(CRL_BYTES_MAX + 1))).code, 'file-too-large');
  assert.is(refusal(loadWaiver, file(' '.repeat(4 * 1024 * 1024 + 1))).code, 'file-too-large');
});

test.run();
