/** Chains: the good ones, every refusal by its cause, revocation, bounds, and flipped bits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ChainOptions, verifyChain } from '../../src/trust/chain.ts';
import type { TrustCode } from '../../src/trust/codes.ts';
import { parseRevocationList, type RevocationList } from '../../src/trust/crl.ts';
import type { TrustAnchor } from '../../src/trust/trust-anchors.ts';
import { type Certificate, parseCertificate } from '../../src/trust/x509.ts';
import {
  type CrlSpec,
  certificate,
  crl,
  extension,
  FROM_MS,
  UNTIL_MS,
  USAGE,
} from './naive-x509.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS } from './test-pki.ts';

const root = make(SPECS.root);
const issuing = make(SPECS.issuing);
const supplier = make(SPECS.supplier);
const xml = make(SPECS.xml);
const firmwareRoot = anchor(root.der, 'gb-firmware');
const xmlRoot = anchor(root.der, 'xml-signing');
const FIRMWARE: ChainOptions = { atMs: AT_MS, purpose: 'gb-firmware' };

function codeOf(
  leaf: Certificate,
  intermediates: readonly Certificate[] = [issuing],
  anchors: readonly TrustAnchor[] = [firmwareRoot],
  options: Partial<ChainOptions> = {},
): TrustCode | 'verified' {
  const result = verifyChain(leaf, intermediates, anchors, { ...FIRMWARE, ...options });
  return result.ok ? 'verified' : result.code;
}

function list(spec: Partial<CrlSpec> & Pick<CrlSpec, 'signedBy' | 'issuer'>): RevocationList {
  const parsed = parseRevocationList(crl(spec));
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed;
}

test('a chain of three, and what it says', () => {
  const result = verifyChain(supplier, [issuing], [firmwareRoot], FIRMWARE);
  assert.ok(result.ok);
  assert.equal(
    result.path.map(({ fingerprint }) => fingerprint),
    [supplier, issuing, root].map(({ fingerprint }) => fingerprint),
  );
  assert.is(result.anchor.name, 'anchor');
  assert.is(result.revocation, 'not-checked');
});

test('an issuing CA, or the leaf itself, as the anchor', () => {
  assert.is(codeOf(supplier, [], [anchor(issuing.der, 'gb-firmware')]), 'verified');
  assert.is(codeOf(supplier, [], [anchor(supplier.der, 'gb-firmware')]), 'verified');
  assert.is(codeOf(supplier, [], [anchor(xml.der, 'gb-firmware')]), 'unknown-issuer');
});

test('dates, to the millisecond, of each certificate of the way', () => {
  for (const [atMs, code] of [
    [FROM_MS - 1, 'not-yet-valid'],
    [FROM_MS, 'verified'],
    [UNTIL_MS + 999, 'verified'],
    [UNTIL_MS + 1000, 'expired'],
    [Number.NaN, 'not-yet-valid'],
  ] as const) {
    assert.is(codeOf(supplier, [issuing], [firmwareRoot], { atMs }), code);
  }
  const past = { untilMs: AT_MS - 1000 };
  const future = { fromMs: AT_MS + 1000 };
  assert.is(codeOf(supplier, [make(SPECS.issuing, past)]), 'expired');
  assert.is(codeOf(supplier, [make(SPECS.issuing, future)]), 'not-yet-valid');
  const oldRoot = make(SPECS.root, past);
  assert.is(codeOf(supplier, [issuing], [anchor(oldRoot.der, 'gb-firmware')]), 'expired');
  const oldLeaf = make(SPECS.supplier, past);
  assert.is(codeOf(oldLeaf, [], [anchor(oldLeaf.der, 'gb-firmware')]), 'expired');
});

test('key usage of leaf and CA', () => {
  for (const usage of [null, USAGE.agree, USAGE.certSign]) {
    assert.is(codeOf(make(SPECS.supplier, { usage })), 'wrong-usage');
  }
  for (const usage of [null, USAGE.sign, USAGE.crlSign]) {
    assert.is(codeOf(supplier, [make(SPECS.issuing, { usage })]), 'wrong-usage');
  }
});

test('a leaf that issues is found out, with and without the usage of a CA', () => {
  const forged = make(SPECS.supplier, {
    key: 'forged',
    signedBy: 'supplier',
    issuer: SPECS.supplier.subject,
  });
  assert.is(codeOf(forged, [supplier, issuing]), 'leaf-as-ca');
  const usage = USAGE.sign | USAGE.certSign;
  assert.is(codeOf(forged, [make(SPECS.supplier, { usage }), issuing]), 'leaf-as-ca');
  assert.is(codeOf(forged, [], [anchor(supplier.der, 'gb-firmware')]), 'leaf-as-ca');
});

test('path length', () => {
  const middle = { key: 'middle', subject: [['CN', 'MIDDLE']], ca: true } as const;
  const second = make(SPECS.issuing, { ...middle, signedBy: 'issuing', issuer: ISSUING });
  const leaf = make(SPECS.supplier, { signedBy: 'middle', issuer: middle.subject });
  assert.is(codeOf(leaf, [second, issuing]), 'path-too-long');
  assert.is(codeOf(leaf, [second, make(SPECS.issuing, { ca: { pathLength: 1 } })]), 'verified');
  assert.is(codeOf(leaf, [second, make(SPECS.issuing, { ca: true })]), 'verified');
});

test('an issuer that nobody knows, one of the same name, and one of the same name and key id', () => {
  assert.is(codeOf(supplier, []), 'unknown-issuer');
  assert.is(codeOf(supplier, [issuing], [anchor(xml.der, 'gb-firmware')]), 'unknown-issuer');
  const namesake = make(SPECS.root, { key: 'other', signedBy: 'other' });
  assert.is(codeOf(supplier, [issuing], [anchor(namesake.der, 'gb-firmware')]), 'unknown-issuer');
  const noIds = make(SPECS.root, { key: 'other', signedBy: 'other', keyIds: false });
  assert.is(codeOf(supplier, [issuing], [anchor(noIds.der, 'gb-firmware')]), 'signature');
  const both = [anchor(noIds.der, 'gb-firmware'), firmwareRoot];
  assert.is(codeOf(supplier, [issuing], both), 'verified');
});

test('the purpose is part of the anchor, and the role of the certificate', () => {
  assert.is(codeOf(supplier, [issuing], []), 'no-trust-anchor');
  assert.is(codeOf(supplier, [issuing], [xmlRoot]), 'wrong-purpose');
  assert.is(codeOf(xml, [issuing], [firmwareRoot]), 'wrong-role');
  assert.is(codeOf(xml, [issuing], [firmwareRoot, xmlRoot]), 'wrong-role');
  const forXml = { purpose: 'xml-signing' } as const;
  assert.is(codeOf(xml, [issuing], [xmlRoot], forXml), 'verified');
  assert.is(codeOf(xml, [issuing], [firmwareRoot], forXml), 'wrong-purpose');
  assert.is(codeOf(supplier, [issuing], [xmlRoot], forXml), 'wrong-role');
  const only02 = anchor(root.der, 'xml-signing', { roles: ['02'] });
  assert.is(codeOf(supplier, [issuing], [only02], forXml), 'verified');
  assert.is(codeOf(xml, [issuing], [only02], forXml), 'wrong-role');
  assert.is(codeOf(xml, [issuing], [only02, xmlRoot], forXml), 'verified');
  assert.is(codeOf(supplier, [], [anchor(supplier.der, 'xml-signing')]), 'wrong-purpose');
});

test('revocation: without lists it is not checked, with them it is, for every issuer', () => {
  const ofRoot = list({ signedBy: 'root', issuer: ROOT });
  const ofIssuing = list({ signedBy: 'issuing', issuer: ISSUING });
  const withLists = (...crls: RevocationList[]) =>
    codeOf(supplier, [issuing], [firmwareRoot], { crls });
  const result = verifyChain(supplier, [issuing], [firmwareRoot], {
    ...FIRMWARE,
    crls: [ofRoot, ofIssuing],
  });
  assert.ok(result.ok && result.revocation === 'checked');
  assert.is(withLists(), 'crl-missing');
  assert.is(withLists(ofIssuing), 'crl-missing');
  assert.is(
    withLists(ofRoot, list({ signedBy: 'issuing', issuer: ISSUING, revoked: [3n] })),
    'revoked',
  );
  assert.is(
    withLists(ofRoot, list({ signedBy: 'issuing', issuer: ISSUING, revoked: [4n, 5n] })),
    'verified',
  );
  assert.is(
    withLists(list({ signedBy: 'root', issuer: ROOT, revoked: [2n] }), ofIssuing),
    'revoked',
  );
  assert.is(withLists(ofRoot, list({ signedBy: 'root', issuer: ISSUING })), 'crl-signature');
  const old = { signedBy: 'issuing', issuer: ISSUING, nextMs: AT_MS - 1 };
  assert.is(withLists(ofRoot, list({ ...old, nextMs: AT_MS - 1000 })), 'crl-stale');
  assert.is(withLists(ofRoot, list({ ...old, nextMs: AT_MS })), 'verified');
  assert.is(withLists(ofRoot, list({ ...old, nextMs: AT_MS - 1000, revoked: [3n] })), 'revoked');
  assert.is(withLists(ofRoot, list({ ...old, nextMs: AT_MS - 1000 }), ofIssuing), 'verified');
  const future = list({ signedBy: 'issuing', issuer: ISSUING, fromMs: AT_MS + 1000 });
  assert.is(withLists(ofRoot, future), 'crl-not-yet-valid');
  const noCrlSign = make(SPECS.issuing, { usage: USAGE.certSign });
  assert.is(
    codeOf(supplier, [noCrlSign], [firmwareRoot], { crls: [ofRoot, ofIssuing] }),
    'wrong-usage',
  );
});

test('hostile intermediates end at a bound', () => {
  const same = (key: string) =>
    make(SPECS.root, { key, signedBy: 'a', keyIds: false, subject: ISSUING, issuer: ISSUING });
  const loop = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'].map(same);
  const leaf = make(SPECS.supplier, { signedBy: 'a', keyIds: false });
  assert.is(codeOf(leaf, loop, [firmwareRoot]), 'signature');
  const allOfA = Array.from({ length: 32 }, (_, index) =>
    make(SPECS.root, {
      key: 'a',
      signedBy: 'a',
      keyIds: false,
      subject: ISSUING,
      issuer: ISSUING,
      serial: BigInt(100 + index),
    }),
  );
  assert.is(codeOf(leaf, allOfA, [firmwareRoot]), 'path-too-costly');
  assert.is(codeOf(leaf, [...allOfA, issuing], [firmwareRoot]), 'path-too-costly');
});

test('no flipped bit of a leaf, an intermediate or a list is accepted', () => {
  const crls = [
    list({ signedBy: 'root', issuer: ROOT }),
    list({ signedBy: 'issuing', issuer: ISSUING }),
  ];
  const options: ChainOptions = { ...FIRMWARE, crls };
  assert.ok(verifyChain(supplier, [issuing], [firmwareRoot], options).ok);
  eachFlip(supplier.der, (der) => {
    const parsed = parseCertificate(der);
    return parsed.ok && verifyChain(parsed, [issuing], [firmwareRoot], options).ok;
  });
  eachFlip(issuing.der, (der) => {
    const parsed = parseCertificate(der);
    return parsed.ok && verifyChain(supplier, [parsed], [firmwareRoot], options).ok;
  });
  const der = crl({ signedBy: 'issuing', issuer: ISSUING, revoked: [7n] });
  eachFlip(der, (flipped) => {
    const parsed = parseRevocationList(flipped);
    const lists = parsed.ok ? [crls[0]!, parsed] : [crls[0]!];
    return verifyChain(supplier, [issuing], [firmwareRoot], { ...options, crls: lists }).ok;
  });
});

test('no flipped bit of a list takes a revocation away', () => {
  const der = crl({
    signedBy: 'issuing',
    issuer: ISSUING,
    revoked: [3n],
    extra: [extension('2.5.29.20', false, [2, 1, 9])],
  });
  const ofRoot = list({ signedBy: 'root', issuer: ROOT });
  eachFlip(der, (flipped) => {
    const parsed = parseRevocationList(flipped);
    const crls = parsed.ok ? [ofRoot, parsed] : [ofRoot];
    return verifyChain(supplier, [issuing], [firmwareRoot], { ...FIRMWARE, crls }).ok;
  });
});

test('every truncation of a certificate and of a list is refused', () => {
  const listed = crl({ signedBy: 'issuing', issuer: ISSUING, revoked: [7n] });
  for (let length = 0; length < supplier.der.length; length++) {
    assert.not(parseCertificate(supplier.der.subarray(0, length)).ok);
  }
  for (let length = 0; length < listed.length; length++) {
    assert.not(parseRevocationList(listed.subarray(0, length)).ok);
  }
  assert.not(parseCertificate(Uint8Array.from([...certificate(SPECS.supplier), 0])).ok);
});

/** Every single bit: none may be accepted. */
function eachFlip(bytes: Uint8Array, accepts: (flipped: Uint8Array) => boolean): void {
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.not(accepts(flipped), `bit ${bit}`);
  }
}

test.run();
