/** A self-signed certificate is what two other readers, and the TLS of node, take it for. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ATTRIBUTES } from '../../src/trust/distinguished-name.ts';
import { NO_EXPIRY_MS, newP256Key, selfSigned } from '../../src/trust/self-signed.ts';
import { isSignedBy, KEY_USAGE, parseCertificate } from '../../src/trust/x509.ts';

const FROM_MS = Date.UTC(2000, 0, 1);
const REQUEST = {
  commonName: 'gw-0001',
  notBeforeMs: FROM_MS,
  notAfterMs: NO_EXPIRY_MS,
  serial: Uint8Array.from({ length: 16 }, (_, at) => 0xf0 + at),
};

test('node and our own strict reader read the same', () => {
  const keyPem = newP256Key();
  const key = createPrivateKey(keyPem);
  const pem = selfSigned(key, REQUEST);
  const theirs = new X509Certificate(pem);
  assert.is(theirs.subject, 'CN=gw-0001');
  assert.is(theirs.issuer, 'CN=gw-0001');
  assert.is(theirs.serialNumber, '01F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF');
  assert.equal(theirs.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.is(theirs.ca, false);
  assert.is(theirs.validFrom, 'Jan  1 00:00:00 2000 GMT');
  assert.is(theirs.validTo, 'Dec 31 23:59:59 9999 GMT');
  assert.ok(theirs.verify(theirs.publicKey));
  assert.ok(theirs.checkPrivateKey(key));

  const ours = parseCertificate(pem);
  assert.ok(ours.ok);
  assert.equal(ours.subject.attributes, [{ oid: ATTRIBUTES.CN, value: 'gw-0001' }]);
  assert.is(ours.serialHex, '01f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
  assert.is(ours.notBeforeMs, FROM_MS);
  assert.is(ours.notAfterMs, NO_EXPIRY_MS + 999);
  assert.is(ours.keyUsage, KEY_USAGE.digitalSignature);
  assert.is(ours.isCa, false);
  assert.is(ours.subjectKeyId?.length, 40);
  assert.ok(isSignedBy(ours, ours.publicKey));
  assert.is(ours.fingerprint, theirs.fingerprint256.replaceAll(':', '').toLowerCase());
});

test('times on both sides of 2050, and any serial number', () => {
  const key = createPrivateKey(newP256Key());
  for (const [notBeforeMs, notAfterMs] of [
    [Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2050, 0, 1)],
    [Date.UTC(1970, 0, 1), Date.UTC(1999, 11, 31)],
  ] as const) {
    for (const length of [8, 19]) {
      for (const octet of [0x00, 0x7f, 0x80, 0xff]) {
        const serial = new Uint8Array(length).fill(octet);
        const pem = selfSigned(key, { ...REQUEST, notBeforeMs, notAfterMs, serial });
        const read = parseCertificate(pem);
        assert.ok(read.ok);
        assert.is(read.notBeforeMs, notBeforeMs);
        assert.is(read.notAfterMs, notAfterMs + 999);
        assert.ok(read.serialNumber > 0n);
        assert.ok(new X509Certificate(pem).verify(read.publicKey));
      }
    }
  }
});

test('what cannot be a certificate is a mistake of the caller', () => {
  const key = createPrivateKey(newP256Key());
  for (const wrong of [
    { commonName: '' },
    { commonName: 'x'.repeat(65) },
    { serial: new Uint8Array(7) },
    { serial: new Uint8Array(20) },
    { notBeforeMs: NO_EXPIRY_MS, notAfterMs: FROM_MS },
  ]) {
    assert.throws(() => selfSigned(key, { ...REQUEST, ...wrong }), /assertion failed/);
  }
});

test.run();
