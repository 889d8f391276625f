/** Certificates and revocation lists: their fields, and each refusal by its cause. */
import { X509Certificate } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import type { TrustCode } from '../../src/trust/codes.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { matchesNameText, nameText } from '../../src/trust/distinguished-name.ts';
import { parsePem } from '../../src/trust/pem.ts';
import { loadTrustAnchors, type TrustAnchorSpec } from '../../src/trust/trust-anchors.ts';
import { KEY_USAGE, parseCertificate } from '../../src/trust/x509.ts';
import { quickestMs } from '../support/quickest.ts';
import {
  bits,
  type CertificateSpec,
  type CrlSpec,
  certificate,
  crl,
  extension,
  FROM_MS,
  fingerprint,
  int,
  oid,
  pem,
  seq,
  tlv,
  UNTIL_MS,
} from './naive-x509.ts';
import { ISSUING, make, SPECS } from './test-pki.ts';

const SPEC: CertificateSpec = SPECS.supplier;

function codeOf(changes: Partial<CertificateSpec>): TrustCode | 'ok' {
  const parsed = parseCertificate(certificate({ ...SPEC, ...changes }));
  return parsed.ok ? 'ok' : parsed.code;
}

test('the fields, and the same in node', () => {
  const der = certificate({ ...SPEC, serial: 105986833131214866166891566273223584671n });
  const parsed = parseCertificate(pem('CERTIFICATE', der));
  assert.ok(parsed.ok);
  const theirs = new X509Certificate(der);
  assert.is(parsed.serialDecimal, '105986833131214866166891566273223584671');
  assert.is(parsed.serialHex.toUpperCase(), theirs.serialNumber);
  assert.is(parsed.fingerprint, theirs.fingerprint256.replaceAll(':', '').toLowerCase());
  assert.is(parsed.notBeforeMs, Date.parse(theirs.validFrom));
  assert.is(parsed.notAfterMs, Date.parse(theirs.validTo) + 999);
  assert.equal([parsed.notBeforeMs, parsed.notAfterMs], [FROM_MS, UNTIL_MS + 999]);
  assert.is(parsed.eui64, '0090b3d51f300100');
  assert.is(parsed.role, '02');
  assert.is(parsed.keyUsage, KEY_USAGE.digitalSignature);
  assert.is(parsed.isCa, false);
  assert.ok(parsed.publicKey.equals(theirs.publicKey));
  assert.is(nameText(parsed.issuer), 'OU=07,CN=Z1');
});

test('an issuer as XML signatures name it', () => {
  const { issuer, subject } = make(SPEC);
  for (const text of ['CN=Z1,OU=07', 'CN=Z1, OU=07', 'OU=07,CN=Z1', ' ou=07 , cn=Z1 ']) {
    assert.ok(matchesNameText(issuer, text), text);
  }
  for (const text of [
    'CN=Z1',
    'CN=Z1,OU=08',
    'CN=Z1,OU=07,OU=07',
    'CN=Z1,O=07',
    '',
    'CN=z1,OU=07',
  ]) {
    assert.not(matchesNameText(issuer, text), text);
  }
  assert.not(matchesNameText(subject, 'CN=Z1,OU=07'));
});

test('each refusal by its cause', () => {
  const rsaAlgorithm = seq(oid('1.2.840.113549.1.1.11'), tlv(5));
  const withNull = seq(oid('1.2.840.10045.4.3.2'), tlv(5));
  const spki = (curve: string, point: number[]) =>
    seq(seq(oid('1.2.840.10045.2.1'), oid(curve)), bits(point));
  const p256 = '1.2.840.10045.3.1.7';
  const offCurve = [4, ...new Array<number>(64).fill(1)];
  const constraints = (...parts: number[][]) => extension('2.5.29.19', true, seq(...parts));
  const cases: [Partial<CertificateSpec>, TrustCode | 'ok'][] = [
    [{}, 'ok'],
    [{ algorithm: withNull }, 'ok'],
    [{ algorithm: withNull, outerAlgorithm: seq(oid('1.2.840.10045.4.3.2')) }, 'malformed'],
    [{ algorithm: rsaAlgorithm }, 'algorithm-unsupported'],
    [{ algorithm: seq(oid('1.2.840.10045.4.3.3')) }, 'algorithm-unsupported'],
    [{ version: [] }, 'version-unsupported'],
    [{ version: tlv(0xa0, int(1)) }, 'version-unsupported'],
    [{ serial: 0n }, 'serial-invalid'],
    [{ serial: 1n << 159n }, 'serial-invalid'],
    [{ serial: (1n << 159n) - 1n }, 'ok'],
    [{ fromMs: UNTIL_MS, untilMs: FROM_MS }, 'date-invalid'],
    [{ untilMs: Date.UTC(9999, 11, 31, 23, 59, 59) }, 'ok'],
    [{ spki: spki('1.3.132.0.34', [4, ...new Array<number>(96).fill(1)]) }, 'key-unsupported'],
    [{ spki: spki(p256, offCurve) }, 'key-unsupported'],
    [{ spki: spki(p256, offCurve.slice(0, 33)) }, 'key-unsupported'],
    [{ extra: [extension('1.2.3.4', true, [5, 0])] }, 'extension-unknown'],
    [{ extra: [extension('1.2.3.4', false, [5, 0])] }, 'ok'],
    [{ extra: [extension('2.5.29.30', true, seq())] }, 'extension-unknown'],
    [{ extra: [extension('2.5.29.15', true, [3, 2, 7, 128])] }, 'extension-repeated'],
    [{ usage: null, extra: [extension('2.5.29.15', true, [3, 2, 0, 128])] }, 'malformed'],
    [{ usage: null, extra: [extension('2.5.29.15', true, [3, 1, 0])] }, 'malformed'],
    [{ extra: [constraints()] }, 'ok'],
    [{ extra: [constraints([1, 1, 0])] }, 'ok'],
    [{ extra: [constraints([1, 1, 7])] }, 'malformed'],
    [{ extra: [constraints([1, 1, 255], int(3))] }, 'ok'],
    [{ extra: [constraints([1, 1, 255], int(999))] }, 'malformed'],
    [{ extra: [constraints(int(3))] }, 'malformed'],
    [{ extra: [extension('2.5.29.32', true, seq(seq(oid('1.2.826.0.1.8641679.1.2.1.4'))))] }, 'ok'],
    [{ extra: [extension('2.5.29.32', true, seq())] }, 'malformed'],
    [{ subject: [['CN', 'a\nb']] }, 'malformed'],
    [{ subject: Array.from({ length: 17 }, () => ['CN', 'a'] as const) }, 'malformed'],
    [{ subject: [['CN', 'a'.repeat(257)]] }, 'malformed'],
    [{ extra: [extension('1.2.3.4', false, new Array<number>(9000).fill(0))] }, 'too-large'],
  ];
  for (const [index, [changes, code]] of cases.entries()) {
    assert.is(codeOf(changes), code, `case ${index}`);
  }
});

test('an EUI-64 or a role that occurs twice, or is of another length, is none', () => {
  const eui = ['EUI', '90b3d51f30010000'] as const;
  assert.is(make(SPEC, { subject: [eui] }).eui64, '90b3d51f30010000');
  assert.is(make(SPEC, { subject: [eui, eui] }).eui64, undefined);
  assert.is(make(SPEC, { subject: [['EUI', '90b3d51f300100']] }).eui64, undefined);
  assert.is(make(SPEC, { subject: [['OU', '8a']] }).role, '8A');
  assert.is(
    make(SPEC, {
      subject: [
        ['OU', '02'],
        ['OU', '87'],
      ],
    }).role,
    undefined,
  );
});

test('what is not DER: another length form, an open length, a padded integer, more bytes', () => {
  const der = certificate(SPEC);
  const body = der.subarray(4);
  const length = body.length;
  const forms = [
    [0x30, 0x83, 0, length >> 8, length & 255, ...body],
    [0x30, 0x80, ...body, 0, 0],
    [...der, 0],
    [0x70, ...der.subarray(1)],
    [0x3f, ...der.subarray(1)],
  ];
  for (const form of forms) {
    const parsed = parseCertificate(Uint8Array.from(form));
    assert.not(parsed.ok);
    if (!parsed.ok)
      assert.ok(['not-der', 'version-unsupported'].includes(parsed.code), parsed.code);
  }
  const nested = new Array<number[]>(40).fill([]).reduce((inner) => seq(inner), seq());
  const deep = parseCertificate(Uint8Array.from(nested));
  assert.ok(!deep.ok && deep.code === 'not-der');
});

test('PEM: blanks without end are passed in a moment', () => {
  const tookMs = quickestMs(() => {
    assert.not(parsePem(`-----BEGIN A-----${' '.repeat(100_000)}`).ok);
    assert.not(parsePem(`-----BEGIN A-----QQ==${'\n '.repeat(100_000)}`).ok);
    assert.not(parsePem('-----BEGIN A-----'.repeat(10_000)).ok);
  });
  assert.ok(tookMs < 2000, `${tookMs} ms`);
});

test('PEM: one block of the right label, and one reading of it', () => {
  const text = pem('CERTIFICATE', certificate(SPEC));
  assert.ok(parseCertificate(`subject=a\n${text}`).ok);
  for (const wrong of [
    '',
    text + text,
    text.replaceAll('CERTIFICATE', 'X509 CRL'),
    text.replace('END CERTIFICATE', 'END X509 CRL'),
    text.replace('MII', 'M!I'),
    text.replace('-----END', '-----EN'),
    `${text}-----BEGIN CERTIFICATE-----`,
  ]) {
    const parsed = parseCertificate(wrong);
    assert.ok(!parsed.ok && parsed.code === 'not-pem', wrong.slice(0, 40));
  }
  // 'QQ==' and 'QR==' are one octet to a lenient reader.
  assert.not(parsePem('-----BEGIN A-----\nQR==\n-----END A-----').ok);
  assert.not(parsePem('-----BEGIN A-----\nQQ=\n-----END A-----').ok);
  assert.not(parsePem('-----BEGIN A-----\nQ=Q=\n-----END A-----').ok);
  assert.not(parsePem('-----BEGIN A-----\n\n-----END A-----').ok);
  assert.ok(parsePem('-----BEGIN A-----\nQQ==\n-----END A-----').ok);
});

test('revocation lists, and each refusal by its cause', () => {
  const base: CrlSpec = { signedBy: 'issuing', issuer: ISSUING, revoked: [3n, 4n] };
  const codeOfList = (changes: Partial<CrlSpec>) => {
    const parsed = parseRevocationList(crl({ ...base, ...changes }));
    return parsed.ok ? 'ok' : parsed.code;
  };
  const parsed = parseRevocationList(pem('X509 CRL', crl(base)));
  assert.ok(parsed.ok);
  assert.equal([...parsed.revoked], [3n, 4n]);
  assert.equal([parsed.thisUpdateMs, parsed.nextUpdateMs], [FROM_MS, UNTIL_MS]);
  const delta = extension('2.5.29.27', true, int(1));
  const reason = extension('2.5.29.21', false, tlv(0x0a, [1]));
  const otherIssuer = extension('2.5.29.29', true, seq());
  assert.is(codeOfList({ revoked: [] }), 'ok');
  assert.is(codeOfList({ extra: [extension('2.5.29.20', false, int(5))] }), 'ok');
  assert.is(codeOfList({ extra: [delta] }), 'extension-unknown');
  assert.is(codeOfList({ extra: [reason, reason] }), 'extension-repeated');
  assert.is(codeOfList({ entryExtra: [reason] }), 'ok');
  assert.is(codeOfList({ entryExtra: [otherIssuer] }), 'extension-unknown');
  assert.is(codeOfList({ nextMs: FROM_MS - 1000 }), 'date-invalid');
});

test('trust anchors are pinned, named once, for a known purpose', () => {
  const der = certificate(SPEC);
  const spec = {
    name: 'a',
    purpose: 'gb-firmware',
    fingerprint: fingerprint(der),
    pem: pem('CERTIFICATE', der),
  };
  const codeOfAnchor = (changes: Partial<TrustAnchorSpec>) => {
    const loaded = loadTrustAnchors([{ ...spec, ...changes }]);
    return loaded.ok ? 'ok' : loaded.code;
  };
  const key = testKey('waiver');
  const spki = new Uint8Array(key.publicKey.export({ type: 'spki', format: 'der' }));
  const bare = { pem: key.pem, fingerprint: fingerprint(spki) };
  assert.is(codeOfAnchor({}), 'ok');
  const colons = spec.fingerprint.toUpperCase().replace(/..(?=.)/g, '$&:');
  assert.is(codeOfAnchor({ fingerprint: colons }), 'ok');
  assert.is(codeOfAnchor(bare), 'ok');
  assert.is(codeOfAnchor({ fingerprint: '' }), 'anchor-fingerprint');
  assert.is(codeOfAnchor({ fingerprint: fingerprint(spki) }), 'anchor-fingerprint');
  assert.is(codeOfAnchor({ purpose: 'any' }), 'anchor-purpose');
  assert.is(codeOfAnchor({ purpose: 'constructor' }), 'anchor-purpose');
  assert.is(codeOfAnchor({ pem: spec.pem + spec.pem }), 'not-pem');
  const twice = loadTrustAnchors([spec, spec]);
  assert.ok(!twice.ok && twice.code === 'anchor-repeated' && twice.anchor === 'a');
});

test.run();
