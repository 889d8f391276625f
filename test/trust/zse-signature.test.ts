/**
 * Smart Energy signatures: implicit certificates that others published, images signed by a builder
 * with OpenSSL's points, each outcome by its cause, and bits of a signed image flipped.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import { aesMmo } from '../../src/image/aes-mmo.ts';
import { encodeOtaImage, type OtaImageSpec, parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { combine, compressPoint, decompressPoint, integerOf } from '../../src/trust/sect-curves.ts';
import {
  decodeZseCertificate,
  ZSE_SUITES,
  type ZseSuiteNumber,
  zsePublicKey,
} from '../../src/trust/zse-certificate.ts';
import {
  verifyZseSignature,
  ZSE_SIGNATURE_OUTCOMES,
  type ZseSignatureOutcome,
  type ZseTrust,
  zseOutcomeAt,
} from '../../src/trust/zse-signature.ts';
import { issue, signDigest, signImage, type TestSigner, testCa } from './zse-signer.ts';

interface Vector {
  source: string;
  suite: ZseSuiteNumber;
  caPublicKey: string;
  certificate: string;
  privateKey: string;
  publicKey: string;
}

const VECTORS = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/zse-certificates.json'), 'utf8'),
) as { certificates: Vector[] };

const ISSUER = '5445535453454341';
const SIGNER = '00124b0001020304';
const AT_MS = Date.UTC(2026, 0, 1);
const SUITES = [1, 2] as const;
const SPEC: OtaImageSpec = {
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  headerString: 'zse',
  elements: [{ tag: 0, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }],
};
const CAS = { 1: testCa(1, ISSUER), 2: testCa(2, ISSUER) };
const SIGNERS = { 1: issue(CAS[1], SIGNER), 2: issue(CAS[2], SIGNER) };
const TRUST: ZseTrust = {
  caPublicKeys: [CAS[1], CAS[2]],
  signerList: [SIGNER],
};

function outcomeOf(bytes: Uint8Array, trust: ZseTrust = TRUST): ZseSignatureOutcome | 'unread' {
  const file = parseOtaFile(bytes);
  return file.ok ? zseOutcomeAt(verifyZseSignature(file.images[0]!, trust), AT_MS) : 'unread';
}

for (const vector of VECTORS.certificates) {
  test(`the key of a published certificate: ${vector.source}`, () => {
    const bytes = decodeHex(vector.certificate)!;
    const certificate = decodeZseCertificate(vector.suite, bytes)!;
    const { curve } = certificate.suite;
    const publicKey = zsePublicKey(certificate, decodeHex(vector.caPublicKey)!)!;
    assert.is(encodeHex(compressPoint(curve, publicKey)), vector.publicKey);
    const scalar = integerOf(decodeHex(vector.privateKey)!);
    assert.equal(combine(curve, [[scalar, curve.generator]]), publicKey);
  });
}

test('the fields of published certificates', () => {
  const suite1 = decodeZseCertificate(1, decodeHex(VECTORS.certificates[4]!.certificate)!)!;
  assert.is(suite1.subject, '0013a200404c15a4');
  assert.is(suite1.issuer, ISSUER);
  assert.is(suite1.details, undefined);
  const suite2 = decodeZseCertificate(2, decodeHex(VECTORS.certificates[5]!.certificate)!)!;
  assert.is(suite2.subject, '0a0b0c0d0e0f1011');
  assert.is(suite2.issuer, '1112131415161718');
  assert.equal(suite2.details, {
    serialNumber: '2622a505e8938f27',
    issuedAtMs: Date.UTC(2013, 10, 25, 1, 9, 47),
    keyUsage: 0x88,
  });
});

test('a certificate that was changed by one bit gives another key or none', () => {
  for (const [index, step] of [
    [0, 23],
    [5, 61],
  ] as const) {
    const { suite, certificate, caPublicKey, publicKey } = VECTORS.certificates[index]!;
    const bytes = decodeHex(certificate)!;
    for (let bit = 0; bit < 8 * bytes.length; bit += step) {
      const flipped = flip(bytes, bit);
      const decoded = decodeZseCertificate(suite, flipped);
      const key = decoded && zsePublicKey(decoded, decodeHex(caPublicKey)!);
      if (!key) continue;
      const octets = encodeHex(compressPoint(ZSE_SUITES[suite].curve, key));
      assert.is.not(octets, publicKey, `bit ${bit}`);
    }
  }
});

for (const suite of SUITES) {
  const signed = signImage(SPEC, SIGNERS[suite]);

  test(`suite ${suite}: a signed image verifies, and says by whom`, () => {
    const file = parseOtaFile(signed);
    assert.ok(file.ok);
    assert.equal(verifyZseSignature(file.images[0]!, TRUST), {
      outcome: 'verified',
      suite,
      signer: SIGNER,
      issuer: ISSUER,
      // A certificate of suite 1 has no dates.
      ...(suite === 1 ? {} : { validity: { notBeforeMs: 1_600_000_000_000 } }),
    });
  });

  test(`suite ${suite}: the signer's key follows from certificate and CA`, () => {
    const { certificate, publicKey } = SIGNERS[suite];
    const key = zsePublicKey(decodeZseCertificate(suite, certificate)!, CAS[suite].publicKey)!;
    assert.equal(compressPoint(ZSE_SUITES[suite].curve, key), publicKey);
  });

  test(`suite ${suite}: inside a file, at an offset`, () => {
    const wrapped = Uint8Array.from([...signed, 1, 2, 3]);
    assert.is(outcomeOf(wrapped), 'verified');
  });

  test(`suite ${suite}: each outcome by its cause`, () => {
    const signer = SIGNERS[suite];
    const other = suite === 1 ? 2 : 1;
    const stranger = issue(testCa(suite, '00000000000000ca'), SIGNER);
    const sameNameOtherCa = issue(testCa(suite, ISSUER, 'another CA'), SIGNER);
    const expect = (bytes: Uint8Array, outcome: ZseSignatureOutcome, trust?: ZseTrust) =>
      assert.is(outcomeOf(bytes, trust), outcome);
    expect(signImage(SPEC, signer, { certificate: null }), 'certificate-missing');
    expect(signImage(SPEC, signer, { certificate: signer.certificate.subarray(1) }), 'malformed');
    expect(signImage(SPEC, signer, { named: '00124b0001020305' }), 'signer-unknown');
    expect(signImage(SPEC, signer, { named: '00124b0001020305' }), 'subject-differs', {
      ...TRUST,
      signerList: [SIGNER, '00124b0001020305'],
    });
    expect(signed, 'signer-unknown', { ...TRUST, signerList: [] });
    expect(signed, 'no-trust-anchor', { ...TRUST, caPublicKeys: [CAS[other]] });
    expect(signImage(SPEC, stranger), 'unknown-issuer');
    expect(signImage(SPEC, sameNameOtherCa), 'wrong');
    const badKey = CAS[suite].publicKey.subarray(1);
    expect(signed, 'certificate-key', {
      ...TRUST,
      caPublicKeys: [{ ...CAS[suite], publicKey: badKey }],
    });
    const twoKeys = [{ ...CAS[suite], publicKey: badKey }, CAS[suite]];
    expect(signed, 'verified', { ...TRUST, caPublicKeys: twoKeys });
    const trailing = { ...SPEC, unread: Uint8Array.of(9, 9) };
    expect(signImage(trailing, signer), 'not-last');
    const twice = {
      ...SPEC,
      elements: [{ tag: suite === 1 ? 1 : 5, data: new Uint8Array(8) }, ...SPEC.elements!],
    };
    expect(signImage(twice, signer), 'malformed');
    const certificates = {
      ...SPEC,
      elements: [...SPEC.elements!, { tag: suite === 1 ? 2 : 6, data: signer.certificate }],
    };
    expect(signImage(certificates, signer), 'certificate-missing');
    expect(encodeOtaImage(certificates), 'signature-missing');
    const both = { ...SPEC, elements: [{ tag: suite === 1 ? 5 : 1, data: new Uint8Array(8) }] };
    expect(signImage(both, signer), 'signed-twice');
  });

  test(`suite ${suite}: no flipped bit of a signed image is accepted`, () => {
    const stop = 8 * signed.length;
    // All of them: test/sweep/trust-bits.test.ts.
    const step = suite === 1 ? 53 : 211;
    for (let bit = 0; bit < stop; bit += step) {
      assert.is.not(outcomeOf(flip(signed, bit)), 'verified', `bit ${bit}`);
    }
    for (let length = 0; length < signed.length; length += 41) {
      assert.is.not(outcomeOf(signed.subarray(0, length)), 'verified', `${length} bytes`);
    }
  });
}

test('points of small order hide neither in the certificate, nor in the CA key, nor in both', () => {
  for (const suite of SUITES) {
    const { curve } = ZSE_SUITES[suite];
    const ca = CAS[suite];
    // The point of order 2. Added twice it is gone again, and the key is one that somebody has.
    const two = { x: 0n, y: 1n };
    const spoilt = (octets: Uint8Array) => {
      const point = decompressPoint(curve, octets)!;
      const sum = combine(curve, [
        [1n, point],
        [1n, two],
      ]);
      return compressPoint(curve, sum!);
    };
    const spoiltCa = spoilt(ca.publicKey);
    let odd = 0;
    for (let turn = 0; odd === 0; turn++) {
      const { certificate } = issue(ca, SIGNER, { seed: `turn ${turn}` });
      const at = suite === 1 ? 0 : 37;
      certificate.set(spoilt(certificate.slice(at, at + 1 + curve.fieldBytes)), at);
      const decoded = decodeZseCertificate(suite, certificate)!;
      odd = Number(integerOf(aesMmo(certificate)) & 1n);
      if (odd === 1) assert.is(zsePublicKey(decoded, ca.publicKey), undefined);
      assert.is(zsePublicKey(decoded, spoiltCa), undefined);
    }
  }
});

test('suite 2: dates and usage of the certificate', () => {
  const expect = (options: object, outcome: ZseSignatureOutcome) =>
    assert.is(outcomeOf(signImage(SPEC, issue(CAS[2], SIGNER, options))), outcome);
  expect({ keyUsage: 0x08 }, 'wrong-usage');
  expect({ keyUsage: 0x80 }, 'verified');
  expect({ issuedAtS: AT_MS / 1000 + 1 }, 'not-yet-valid');
  expect({ issuedAtS: AT_MS / 1000 }, 'verified');
  expect({ issuedAtS: AT_MS / 1000 - 10, lifeS: 10 }, 'verified');
  expect({ issuedAtS: AT_MS / 1000 - 10, lifeS: 9 }, 'expired');
});

test('an image without signature, and one with a certificate alone', () => {
  const plain = signImage(SPEC, SIGNERS[1]);
  const file = parseOtaFile(plain);
  assert.ok(file.ok);
  const image = { ...file.images[0]!, elements: [] };
  assert.equal(verifyZseSignature(image, TRUST), { outcome: 'none' });
  assert.ok(ZSE_SIGNATURE_OUTCOMES.none.length > 0);
});

test('the published device of annex C signs an image that verifies', () => {
  for (const index of [0, 5]) {
    const { suite, certificate, caPublicKey, privateKey } = VECTORS.certificates[index]!;
    const decoded = decodeZseCertificate(suite, decodeHex(certificate)!)!;
    const signer: TestSigner = {
      suite,
      eui64: decoded.subject,
      certificate: decoded.bytes,
      scalar: integerOf(decodeHex(privateKey)!),
      publicKey: new Uint8Array(0),
    };
    const trust: ZseTrust = {
      caPublicKeys: [{ issuer: decoded.issuer, suite, publicKey: decodeHex(caPublicKey)! }],
      signerList: [decoded.subject],
    };
    assert.is(outcomeOf(signImage(SPEC, signer), trust), 'verified');
    assert.is(signDigest(signer, new Uint8Array(16)).length, ZSE_SUITES[suite].signatureBytes);
  }
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3]! ^= 1 << (bit & 7);
  return flipped;
}

test.run();
