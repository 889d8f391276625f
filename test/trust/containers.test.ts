/** PKCS#12 files and CMS messages that OpenSSL made, changed in every way, and each refusal. */

import { createHash, createHmac, randomInt, sign, verify } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { parseSignedData, type SignedData, verifySignedData } from '../../src/trust/cms.ts';
import type { TrustCode } from '../../src/trust/codes.ts';
import { parseRevocationList, type RevocationList } from '../../src/trust/crl.ts';
import { pkcs12Key } from '../../src/trust/der.ts';
import { openPkcs12 } from '../../src/trust/pkcs12.ts';
import { ECDSA_SHA256, int, name, oid, seq, tlv } from './naive-x509.ts';
import {
  CAMPAIGN,
  CONTENT,
  codeOf,
  flipMessage,
  flipPkcs12,
  leaf,
  message,
  OPTIONS,
  p12,
  root,
  VECTORS,
} from './openssl-containers.ts';
import { AT_MS, anchor, make, SPECS } from './test-pki.ts';

/** Of the flips; test/sweep/trust-bits.test.ts does them all. */
const STRIDE = 16;
const START = randomInt(STRIDE);
console.log(`SEED ${START}`);

test('PKCS#12: the key and its certificates, with the ciphers of today and without any', () => {
  for (const [file, password, others] of [
    ['modern', 'geheim', 1],
    ['plain', 'geheim', 0],
    ['iter1', 'geheim', 0],
    ['empty', '', 0],
  ] as const) {
    const opened = openPkcs12(p12(file), password);
    assert.ok(opened.ok, file);
    assert.is(opened.certificate.fingerprint, leaf.fingerprint);
    assert.is(opened.others.length, others);
    const signature = sign('sha256', CONTENT, opened.privateKey);
    assert.ok(verify('sha256', CONTENT, leaf.publicKey, signature));
  }
});

test('PKCS#12: each refusal by its cause', () => {
  const codeOf = (file: Uint8Array, password = 'geheim'): TrustCode | 'ok' => {
    const opened = openPkcs12(file, password);
    return opened.ok ? 'ok' : opened.code;
  };
  assert.is(codeOf(p12('modern'), 'Geheim'), 'wrong-password');
  assert.is(codeOf(p12('modern'), ''), 'wrong-password');
  assert.is(codeOf(p12('legacy')), 'algorithm-unsupported');
  assert.is(codeOf(p12('nomac')), 'seal-missing');
  assert.is(codeOf(new Uint8Array(70_000)), 'too-large');
  assert.is(codeOf(p12('modern'), 'x'.repeat(2000)), 'too-large');
  assert.is(codeOf(Uint8Array.from(seq(int(1)))), 'version-unsupported');
  assert.is(codeOf(leaf.der), 'version-unsupported');
  assert.is(codeOf(new Uint8Array(0)), 'not-der');
  assert.is(codeOf(Uint8Array.from(costly(1_000_000_000))), 'too-costly');
  assert.is(codeOf(sealedWithRounds(1000)), 'wrong-password');
  assert.is(codeOf(sealedWithRounds(2_000_001)), 'too-costly');
});

test('PKCS#12: a sample of bits flipped; none opens to another key, and none hangs', () => {
  flipPkcs12(STRIDE, START);
  const file = p12('iter1');
  for (let length = 0; length < file.length; length += 7) {
    assert.not(openPkcs12(file.subarray(0, length), 'geheim').ok);
  }
});

test('CMS: content inside, beside it, signer by serial number and by key', () => {
  const parsed = parseSignedData(message('attached'));
  assert.ok(parsed.ok);
  const result = verifySignedData(parsed, [CAMPAIGN], OPTIONS);
  assert.ok(result.ok);
  assert.equal(result.content, CONTENT);
  assert.is(result.signers[0]!.certificate.serialDecimal, '77');
  assert.is(result.signers[0]!.chain.anchor.name, 'anchor');
  assert.ok(result.signers[0]!.signingTimeMs! >= Date.UTC(2026, 10, 25));
  assert.is(codeOf(message('attached'), CONTENT), 'verified');
  assert.is(codeOf(message('detached'), CONTENT), 'verified');
  assert.is(codeOf(message('keyid')), 'verified');
});

test("CMS: OpenSSL's revocation lists, of which a message's own turn no check on", () => {
  const clean = parseRevocationList(VECTORS.crls.clean);
  const revoked = parseRevocationList(VECTORS.crls.revoked);
  assert.ok(clean.ok && revoked.ok);
  assert.equal([...revoked.revoked], [77n]);
  const withLists = (crls: RevocationList[]) =>
    codeOf(message('attached'), undefined, { ...OPTIONS, crls });
  assert.is(withLists([clean]), 'verified');
  assert.is(withLists([revoked]), 'revoked');
  assert.is(withLists([clean, revoked]), 'revoked');
  const parsed = parseSignedData(message('attached'));
  assert.ok(parsed.ok);
  const codeWith = (brought: RevocationList[], crls?: RevocationList[]) => {
    const options = crls ? { ...OPTIONS, crls } : OPTIONS;
    const result = verifySignedData({ ...parsed, crls: brought }, [CAMPAIGN], options);
    return result.ok ? 'verified' : result.code;
  };
  assert.is(codeWith([revoked]), 'verified');
  assert.is(codeWith([clean], [revoked]), 'revoked');
  assert.is(codeWith([revoked], [clean]), 'revoked');
  assert.is(codeWith([clean], []), 'verified');
});

test('CMS: each refusal by its cause', () => {
  assert.is(codeOf(message('detached')), 'content-missing');
  assert.is(codeOf(message('detached'), Buffer.from('another manifest')), 'content-differs');
  assert.is(codeOf(message('attached'), Buffer.from('another manifest')), 'content-differs');
  assert.is(codeOf(message('noattr')), 'attributes-missing');
  assert.is(codeOf(message('stream')), 'not-der');
  assert.is(codeOf(message('sha384')), 'algorithm-unsupported');
  assert.is(codeOf(message('attached'), undefined, { ...OPTIONS, atMs: 0 }), 'not-yet-valid');
  assert.is(codeOf(message('attached'), undefined, { ...OPTIONS, crls: [] }), 'crl-missing');
  const forFirmware = [anchor(root.der, 'gb-firmware')];
  assert.is(codeOf(message('attached'), undefined, OPTIONS, forFirmware), 'wrong-purpose');
  assert.is(codeOf(new Uint8Array(2_000_000)), 'too-large');
  assert.is(codeOf(leaf.der), 'malformed');
  const parsed = parseSignedData(message('attached')) as SignedData;
  const codeOfChanged = (changes: Partial<SignedData>) => {
    const result = verifySignedData({ ...parsed, ...changes }, [CAMPAIGN], OPTIONS);
    return result.ok ? 'verified' : result.code;
  };
  assert.is(codeOfChanged({ signers: [] }), 'signer-missing');
  assert.is(codeOfChanged({ certificates: [] }), 'signer-missing');
  const bad = { ...parsed.signers[0]!, signature: new Uint8Array(70) };
  assert.is(codeOfChanged({ signers: [parsed.signers[0]!, bad] }), 'signature');
});

test('CMS: attributes that are missing, twice, or of another content', () => {
  const data = oid('1.2.840.113549.1.7.1');
  const attribute = (type: string, ...values: number[][]) => seq(oid(type), tlv(0x31, ...values));
  const type = attribute('1.2.840.113549.1.9.3', data);
  const otherType = attribute('1.2.840.113549.1.9.3', oid('1.2.840.113549.1.7.5'));
  const digestOf = (content: Uint8Array) =>
    attribute('1.2.840.113549.1.9.4', tlv(4, createHash('sha256').update(content).digest()));
  const digest = digestOf(CONTENT);
  const two = attribute('1.2.840.113549.1.9.4', digest.slice(15), digest.slice(15));
  const anchors = [anchor(make(SPECS.root).der, 'campaign')];
  const codeOfBuilt = (...attributes: number[][]) =>
    codeOf(builtMessage(attributes), undefined, { ...OPTIONS, atMs: AT_MS }, anchors);
  assert.is(codeOfBuilt(type, digest), 'verified');
  assert.is(codeOfBuilt(digest), 'malformed');
  assert.is(codeOfBuilt(type), 'malformed');
  assert.is(codeOfBuilt(otherType, digest), 'malformed');
  assert.is(codeOfBuilt(type, digest, digest), 'malformed');
  assert.is(codeOfBuilt(type, digest, digestOf(Buffer.from('other'))), 'malformed');
  assert.is(codeOfBuilt(type, two), 'malformed');
  assert.is(codeOfBuilt(type, digestOf(Buffer.from('other'))), 'content-differs');
});

test('CMS: a sample of bits flipped; what is still accepted says the same', () => {
  flipMessage(STRIDE, START);
  const bytes = message('detached');
  for (let length = 0; length < bytes.length; length += 3) {
    assert.is.not(codeOf(bytes.subarray(0, length), CONTENT), 'verified');
  }
});

/** A message of the test PKI with these signed attributes. */
function builtMessage(attributes: number[][]): Uint8Array {
  const data = oid('1.2.840.113549.1.7.1');
  const sha256 = seq(oid('2.16.840.1.101.3.4.2.1'));
  const { key, issuer, serial } = SPECS.supplier;
  const signature = sign(
    'sha256',
    Uint8Array.from(tlv(0x31, ...attributes)),
    testKey(key).privateKey,
  );
  const signer = seq(
    int(1),
    seq(name(issuer), int(serial)),
    sha256,
    tlv(0xa0, ...attributes),
    ECDSA_SHA256,
    tlv(4, signature),
  );
  const certificates = tlv(0xa0, make(SPECS.issuing).der, make(SPECS.supplier).der);
  const content = seq(data, tlv(0xa0, tlv(4, CONTENT)));
  const body = seq(int(1), tlv(0x31, sha256), content, certificates, tlv(0x31, signer));
  return Uint8Array.from(seq(oid('1.2.840.113549.1.7.2'), tlv(0xa0, body)));
}

/** A well-sealed file with one part whose key takes this many rounds. */
function sealedWithRounds(rounds: number): Uint8Array {
  const data = oid('1.2.840.113549.1.7.1');
  const derivation = seq(oid('1.2.840.113549.1.5.12'), seq(tlv(4, [1, 2, 3]), int(rounds)));
  const scheme = seq(oid('2.16.840.1.101.3.4.1.42'), tlv(4, new Array<number>(16).fill(0)));
  const algorithm = seq(oid('1.2.840.113549.1.5.13'), seq(derivation, scheme));
  const encrypted = seq(data, algorithm, tlv(0x80, new Array<number>(16).fill(0)));
  const part = seq(oid('1.2.840.113549.1.7.6'), tlv(0xa0, seq(int(0), encrypted)));
  const safes = Uint8Array.from(seq(part));
  const salt = Uint8Array.of(1, 2, 3);
  const key = pkcs12Key('geheim', salt, 3, 1, { name: 'sha256', bytes: 32 });
  const seal = createHmac('sha256', key).update(safes).digest();
  const info = seq(seq(oid('2.16.840.1.101.3.4.2.1')), tlv(4, seal));
  return Uint8Array.from(seq(int(3), seq(data, tlv(0xa0, tlv(4, safes))), seq(info, tlv(4, salt))));
}

/** A file whose seal asks for this many rounds. */
function costly(rounds: number): number[] {
  const data = oid('1.2.840.113549.1.7.1');
  const safe = seq(data, tlv(0xa0, tlv(4, seq())));
  const digest = seq(seq(oid('2.16.840.1.101.3.4.2.1')), tlv(4, new Array<number>(32).fill(0)));
  return seq(int(3), safe, seq(digest, tlv(4, [1, 2, 3]), int(rounds)));
}

test.run();
