/**
 * COSE: what is signed, held against the examples of RFC 9052; what the profile refuses; whose signatures
 * count. The examples have their key id unprotected, so the profile refuses them, and only what their
 * signatures are over is ours.
 */
import { createPublicKey, verify } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborValue, decodeCbor, encodeCbor } from '../../src/bytes/cbor.ts';
import { decodeHex } from '../../src/bytes/hex.ts';
import {
  addSignature,
  type CoseSigner,
  decodeCose,
  encodeUnsigned,
  mergeSignatures,
  signAlone,
  signatureStructure,
} from '../../src/trust/cose.ts';
import { verifyApprovals, verifySigners } from '../../src/trust/cose-signers.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { ANN, BOB, CARLA, keyIdOf, NOW, signer, TRUST } from '../campaign/campaigns.ts';
import { anchorOf } from '../support/anchors.ts';
import { certificate, crl, UNTIL_MS } from './naive-x509.ts';
import { anchor, ISSUING, make, ROOT, SPECS } from './test-pki.ts';

const test = suite('trust/cose');
const KIND = 'text/plain';
const utf8 = (text: string) => new TextEncoder().encode(text);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const CONTENT = utf8('This is the content.');
const OPTIONS = { ...TRUST, atMs: NOW, purpose: 'campaign' } as const;

/** The key "11" of RFC 9052, appendix C.7.1. */
const KEY_11 = createPublicKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: b64('bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff'),
    y: b64('20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e'),
  },
});
/** Appendix C.1.1 (COSE_Sign) and C.2.1 (COSE_Sign1). */
const EXAMPLES = {
  sign:
    'e2aeafd40d69d19dfe6e52077c5d7ff4e408282cbefb5d06cbf414af2e19d982' +
    'ac45ac98b8544c908b4507de1e90b717c3d34816fe926a2b98f53afd2fa0f30a',
  sign1:
    '8eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e' +
    '2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36',
};
const ES256_HEADER = decodeHex('a10126')!;

test('what is signed is what the examples of RFC 9052 signed', () => {
  const structures = {
    sign: signatureStructure('sign', new Uint8Array(0), ES256_HEADER, CONTENT),
    sign1: signatureStructure('sign1', ES256_HEADER, undefined, CONTENT),
  };
  for (const kind of ['sign', 'sign1'] as const) {
    const key = { key: KEY_11, dsaEncoding: 'ieee-p1363' } as const;
    const signature = decodeHex(EXAMPLES[kind])!;
    assert.ok(verify('sha256', structures[kind], key, signature), kind);
    assert.not.ok(verify('sha256', structures[kind].subarray(1), key, signature), kind);
  }
  const text = '54546869732069732074686520636f6e74656e742e';
  assert.is(hexOf(structures.sign), `85695369676e61747572654043a1012640${text}`);
  assert.is(hexOf(structures.sign1), `846a5369676e61747572653143a1012640${text}`);
});

test('golden: a document that nobody has signed', () => {
  assert.is(
    hexOf(encodeUnsigned(CONTENT, KIND)),
    'd862844da1036a746578742f706c61696ea054546869732069732074686520636f6e74656e742e80',
  );
  assert.is(code(decodeCose(encodeUnsigned(CONTENT, KIND), KIND)), 'cose-no-signature');
  assert.is(code(decodeCose(encodeUnsigned(CONTENT, KIND), KIND, { mayBeUnsigned: true })), 'ok');
});

test('one signer, and several', () => {
  for (const bytes of [signAlone(CONTENT, KIND, ANN), signedBy(ANN), signedBy(ANN, BOB, CARLA)]) {
    const document = decodeCose(bytes, KIND);
    assert.ok(document.ok);
    if (!document.ok) continue;
    assert.equal(document.payload, CONTENT);
    const verified = verifySigners(document, OPTIONS);
    assert.ok(verified.ok, code(verified));
    if (verified.ok) assert.is(verified.signers.length, document.signatures.length);
  }
});

test('a signature counts for one kind, one content type and one payload', () => {
  const alone = decodeCose(signAlone(CONTENT, KIND, ANN), KIND);
  assert.is(code(decodeCose(signAlone(CONTENT, KIND, ANN), 'text/html')), 'cose-content-type');
  assert.is(
    code(decodeCose(signAlone(CONTENT, KIND, ANN), KIND, { kind: 'sign' })),
    'cose-structure',
  );
  if (!alone.ok) return assert.unreachable();
  const [signature] = alone.signatures;
  const moved = signatureStructure('sign', encodeCbor(new Map([[3, KIND]])), ES256_HEADER, CONTENT);
  const elsewhere = { signatures: [{ ...signature!, signed: moved }] };
  assert.is(code(verifySigners(elsewhere, OPTIONS)), 'signature-other-bytes');
});

/** A COSE_Sign as `alter` leaves it, signed before that. */
function altered(alter: (parts: CborValue[], own: CborValue[]) => void): string {
  const decoded = decodeCbor(signedBy(ANN).subarray(2), { depthMax: 8, itemsMax: 1000 });
  if (!decoded.ok) throw new Error(decoded.code);
  const parts = decoded.value as CborValue[];
  alter(parts, (parts[3] as CborValue[])[0] as CborValue[]);
  return code(decodeCose(Uint8Array.from([0xd8, 0x62, ...encodeCbor(parts)]), KIND));
}
const header = (...entries: [number, CborValue][]) => encodeCbor(new Map(entries));
const KID = new Uint8Array(32);
const put = (parts: CborValue[], at: number, part: CborValue) => {
  parts[at] = part;
};

const ALTERED: [string, Parameters<typeof altered>[0], string][] = [
  ['nothing', () => {}, 'ok'],
  ['ES384', (_, own) => put(own, 0, header([1, -35], [4, KID])), 'cose-algorithm'],
  ['no algorithm', (_, own) => put(own, 0, header([4, KID])), 'cose-algorithm'],
  ['algorithm as text', (_, own) => put(own, 0, header([1, 'ES256'], [4, KID])), 'cose-algorithm'],
  ['no key id', (_, own) => put(own, 0, header([1, -7])), 'cose-header'],
  [
    'a short key id',
    (_, own) => put(own, 0, header([1, -7], [4, new Uint8Array(2)])),
    'cose-header',
  ],
  [
    'a critical header',
    (_, own) => put(own, 0, header([1, -7], [2, [9]], [4, KID])),
    'cose-critical-header',
  ],
  [
    'one in the body',
    (parts) => put(parts, 0, header([2, [9]], [3, KIND])),
    'cose-critical-header',
  ],
  ['one unprotected', (_, own) => put(own, 1, new Map([[2, [9]]])), 'cose-critical-header'],
  ['a header more', (_, own) => put(own, 0, header([1, -7], [4, KID], [9, 1])), 'cose-header'],
  ['one more in the body', (parts) => put(parts, 0, header([3, KIND], [9, 1])), 'cose-header'],
  ['one more unprotected', (_, own) => put(own, 1, new Map([[4, KID]])), 'cose-header'],
  ['an empty body header', (parts) => put(parts, 0, new Uint8Array(0)), 'cose-structure'],
  [
    'a body header beside the protected',
    (parts) => put(parts, 1, new Map([[3, KIND]])),
    'cose-structure',
  ],
  ['a short signature', (_, own) => put(own, 2, new Uint8Array(63).fill(1)), 'cose-signature-form'],
  ['r and s of zero', (_, own) => put(own, 2, new Uint8Array(64)), 'cose-signature-form'],
  ['no payload', (parts) => put(parts, 2, 'detached'), 'cose-structure'],
  ['a part more', (parts) => put(parts, 4, 1), 'cose-structure'],
  [
    'seventeen signers',
    (parts, own) => put(parts, 3, Array(17).fill(own)),
    'cose-too-many-signatures',
  ],
];

for (const [what, alter, expected] of ALTERED) {
  test(`the profile: ${what}`, () => assert.is(altered(alter), expected));
}

test('the profile: another tag, none, and what is no CBOR', () => {
  const bytes = signedBy(ANN);
  assert.is(code(decodeCose(bytes.subarray(2), KIND)), 'cose-structure');
  assert.is(
    code(decodeCose(Uint8Array.from([0xd8, 0x61, ...bytes.subarray(2)]), KIND)),
    'cose-structure',
  );
  assert.is(code(decodeCose(Uint8Array.from([...bytes, 0]), KIND)), 'cose-cbor');
});

const vouched = (who: CoseSigner, options: object = {}) => {
  const document = decodeCose(signedBy(who), KIND);
  return document.ok ? code(verifySigners(document, { ...OPTIONS, ...options })) : document.code;
};

test('who is trusted', () => {
  const root = certificate(SPECS.root);
  const lists = (revoked: readonly bigint[]) =>
    [
      parseRevocationList(crl({ signedBy: 'root', issuer: ROOT })),
      parseRevocationList(crl({ signedBy: 'issuing', issuer: ISSUING, revoked })),
    ].filter((list) => 'revoked' in list);
  assert.is(vouched(ANN), 'ok');
  assert.is(vouched(ANN, { anchors: [] }), 'no-trust-anchor');
  assert.is(vouched(ANN, { anchors: [anchor(root, 'gb-firmware')] }), 'wrong-purpose');
  assert.is(vouched(ANN, { atMs: UNTIL_MS + 1000 }), 'expired');
  assert.is(vouched(ANN, { atMs: 0 }), 'not-yet-valid');
  assert.is(vouched(ANN, { crls: lists([]) }), 'ok');
  assert.is(vouched(ANN, { crls: lists([ANN.certificates[0].serialNumber]) }), 'revoked');
  assert.is(vouched(signer('eve', { signedBy: 'eve', keyIds: false })), 'signature');
  assert.is(vouched(signer('xml', { subject: [['OU', '87']] })), 'wrong-role');
  const leaf = make(SPECS.supplier);
  const below = signer('eve', { signedBy: 'supplier', issuer: SPECS.supplier.subject });
  const chain = [below.certificates[0], leaf, make(SPECS.issuing)] as const;
  const through: CoseSigner = { ...below, certificates: [...chain] };
  assert.is(vouched(through), 'leaf-as-ca');
  const bare = { ...ANN, certificates: [ANN.certificates[0]] } as const;
  assert.is(vouched(bare), 'unknown-issuer');
  assert.is(vouched(bare, { certificates: [make(SPECS.issuing)] }), 'ok');
});

test('a bare key is named by its own fingerprint', () => {
  const pinned = anchorOf('campaign', ANN.certificates[0].publicKey);
  const named = { ...ANN.certificates[0], fingerprint: pinned.fingerprint };
  const own = { ...ANN, certificates: [named] } as const;
  assert.is(vouched(own, { anchors: [pinned] }), 'ok');
  const forBoth = [anchorOf('gbl-firmware', ANN.certificates[0].publicKey), pinned];
  assert.is(vouched(own, { anchors: forBoth }), 'ok');
  assert.is(vouched(own), 'signer-unknown');
  assert.is(
    vouched(own, { anchors: [anchorOf('gbl-firmware', ANN.certificates[0].publicKey)] }),
    'wrong-purpose',
  );
});

const approved = (approvals: number, ...signers: CoseSigner[]) => {
  const document = decodeCose(signedBy(...signers), KIND);
  if (!document.ok) return document.code;
  const verified = verifySigners(document, OPTIONS);
  if (!verified.ok) return verified.code;
  return code(verifyApprovals(verified.signers, keyIdOf(ANN), approvals));
};

test('signatures that were made apart are put together, each signer once', () => {
  const signedBy = (content: Uint8Array, ...signers: readonly CoseSigner[]) => {
    let bytes = encodeUnsigned(content, KIND);
    for (const one of signers) {
      const added = addSignature(bytes, KIND, one);
      assert.ok(added.ok);
      if (added.ok) bytes = added.bytes;
    }
    return bytes;
  };
  const first = signedBy(CONTENT, ANN, BOB);
  const merged = mergeSignatures(first, signedBy(CONTENT, BOB, CARLA), KIND);
  assert.ok(merged?.ok);
  if (!merged?.ok) return;
  const document = decodeCose(merged.bytes, KIND);
  assert.ok(document.ok);
  if (!document.ok) return;
  assert.equal(
    document.signatures.map(({ keyId }) => keyId),
    [ANN, BOB, CARLA].map(keyIdOf),
  );
  assert.ok(verifySigners(document, OPTIONS).ok);
  // Nothing new: not an octet changes.
  const again = mergeSignatures(first, signedBy(CONTENT, BOB), KIND);
  assert.equal(again, { ok: true, bytes: first });
  assert.is(mergeSignatures(first, signedBy(utf8('other'), BOB), KIND), undefined);
  const alone = mergeSignatures(first, signAlone(CONTENT, KIND, BOB), KIND);
  assert.ok(alone === undefined || !alone.ok);
  const none = mergeSignatures(first, first.subarray(1), KIND);
  assert.is(none?.ok === false && none.code, 'cose-structure');
});

test('who counts', () => {
  const annsOtherKey = signer('ann', { key: 'another key of ann' });
  const annsKeyRenamed = signer('annette', { key: 'ann' });
  const bobsOtherKey = signer('robert', { key: 'another key of robert' });
  assert.is(approved(1, ANN, BOB), 'ok');
  assert.is(approved(1, BOB, ANN), 'ok');
  assert.is(approved(2, ANN, BOB, CARLA), 'ok');
  assert.is(approved(1, ANN), 'approvals-too-few');
  assert.is(approved(2, ANN, BOB), 'approvals-too-few');
  assert.is(approved(1, BOB, CARLA), 'author-unsigned');
  for (const again of [ANN, annsOtherKey, annsKeyRenamed]) {
    assert.is(approved(1, ANN, again), 'self-approval');
    assert.is(approved(1, again, ANN, BOB), 'ok');
  }
  for (const again of [BOB, bobsOtherKey]) {
    assert.is(approved(2, ANN, BOB, again), 'approver-twice');
    assert.is(approved(2, ANN, BOB, again, CARLA), 'ok');
  }
});

test('one signature that is not good spoils the document', () => {
  assert.is(approved(1, ANN, BOB, signer('eve', { signedBy: 'eve', keyIds: false })), 'signature');
});

test('the key has to be that of the certificate', () => {
  assert.throws(
    () => signAlone(CONTENT, KIND, { ...ANN, privateKey: BOB.privateKey }),
    /cannot sign for the certificate/,
  );
});

function signedBy(...signers: CoseSigner[]): Uint8Array {
  let document = encodeUnsigned(CONTENT, KIND);
  for (const one of signers) {
    const added = addSignature(document, KIND, one);
    if (!added.ok) throw new Error(added.message);
    document = added.bytes;
  }
  return document;
}

function code(result: { ok: boolean; code?: string }): string {
  return result.ok ? 'ok' : result.code!;
}

function b64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64url');
}

test.run();
