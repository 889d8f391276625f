/** Attacks on signatures: rows 1b, 14 and 19h of the table of attacks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import type { AdmissionContext } from '../../src/admission/context.ts';
import { gatherImageFacts } from '../../src/admission/facts.ts';
import type { ImageTrust } from '../../src/admission/signer.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { verifyChain } from '../../src/trust/chain.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import {
  parseWaiver,
  verifyWaiver,
  type WaiverKey,
  waiverText,
} from '../../src/trust/downgrade-waiver.ts';
import { isRawP256Signature, verifyP256 } from '../../src/trust/ecdsa.ts';
import type { Purpose } from '../../src/trust/trust-anchors.ts';
import type { Certificate } from '../../src/trust/x509.ts';
import { trusting } from '../admission/hub-desk.ts';
import { naiveGbl, naiveGblHeader } from '../image/naive-hub.ts';
import { counting, le } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import { crl, FROM_MS, signRaw, UNTIL_MS } from '../trust/naive-x509.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import {
  BODY,
  DecisionDesk,
  EUI64,
  GOOD,
  GOOD_LINES,
  HARDWARE,
  hashOf,
  listText,
  ota,
  otaFacts,
  PPMID,
} from './gateway-desk.ts';

const test = suite('attacks on signatures');
const NOW = AT_MS;
const decisions = new DecisionDesk();
test.after(() => decisions.close());

const parsed = parseCentralProductsList(listText(GOOD_LINES.ppmid));
if (!parsed.ok) throw new Error(parsed.message);
const { list } = parsed;

// ---- certificates ---------------------------------------------------------------------------------------

const supplier = make(SPECS.supplier);
const issuing = make(SPECS.issuing);
const root = make(SPECS.root);
const firmwareRoot = anchor(root.der, 'gb-firmware');
const CHAIN: ImageTrust = { anchors: [firmwareRoot], certificates: [supplier, issuing] };
const SIGNATURE = signRaw(testKey('supplier').privateKey, Uint8Array.from(BODY));

function signed(parties: ImageTrust, signature: Uint8Array = SIGNATURE) {
  const file = ota({ body: [...BODY, 0, 0x40, ...signature] });
  const image = gatherImageFacts(file, { profile: 'gb-signed', trust: parties }).facts;
  const device = { ...PPMID, kind: 'esme' as const, imageProfile: 'gb-signed' as const };
  return { image, device, list };
}

function revoked(...serials: bigint[]) {
  const of = (signedBy: string, issuer: typeof ROOT, dead: bigint[]) => {
    const found = parseRevocationList(crl({ signedBy, issuer, revoked: dead }));
    if (!found.ok) throw new Error(found.message);
    return found;
  };
  return [of('root', ROOT, []), of('issuing', ISSUING, serials)];
}

/** As certificates in place of the good ones, with what the chain says of them. */
interface PartyAttack {
  id: string;
  attack: string;
  parties: ImageTrust;
  /** Of the chain of the first certificate; absent where the key is pinned itself. */
  code?: string;
  atMs?: number;
}

const from = (...certificates: Certificate[]): ImageTrust => ({ ...CHAIN, certificates });
const PARTIES: PartyAttack[] = [
  {
    id: '14b',
    attack: 'dead key: an expired certificate',
    parties: CHAIN,
    code: 'expired',
    atMs: UNTIL_MS + 1000,
  },
  {
    id: '14b',
    attack: 'dead key: a certificate that is not valid yet',
    parties: CHAIN,
    code: 'not-yet-valid',
    atMs: FROM_MS - 1,
  },
  {
    id: '14b',
    attack: 'dead key: a revoked certificate',
    parties: { ...CHAIN, crls: revoked(3n) },
    code: 'revoked',
  },
  {
    id: '14b',
    attack: 'dead key: no revocation list where one is asked for',
    parties: { ...CHAIN, crls: [] },
    code: 'crl-missing',
  },
  {
    id: '14c',
    attack: 'wrong key usage: a key for key agreement',
    parties: from(make(SPECS.supplier, { usage: 16 }), issuing),
    code: 'wrong-usage',
  },
  {
    id: '14c',
    attack: 'wrong role: a key that signs XML',
    parties: from(make(SPECS.xml, { key: 'supplier' }), issuing),
    code: 'wrong-role',
  },
  ...(['xml-signing', 'campaign', 'downgrade-waiver', 'products-list'] as const).flatMap(
    (purpose): PartyAttack[] => [
      {
        id: '14c',
        attack: `wrong purpose: a root that is pinned for ${purpose}`,
        parties: { ...CHAIN, anchors: [anchor(root.der, purpose)] },
        code: 'wrong-purpose',
      },
      {
        id: '14c',
        attack: `wrong purpose: a key that is pinned for ${purpose}`,
        parties: { anchors: [anchor(supplier.der, purpose)], certificates: [] },
      },
    ],
  ),
  {
    id: '14e',
    attack: 'leaf as CA: issued by a certificate without basicConstraints',
    parties: from(
      make(SPECS.supplier, { signedBy: 'xml', issuer: SPECS.xml.subject }),
      make(SPECS.xml, { usage: 33 }),
      issuing,
    ),
    code: 'leaf-as-ca',
  },
  {
    id: '14e',
    attack: 'leaf as CA: a CA below one that may have none below it',
    parties: from(
      make(SPECS.supplier, { signedBy: 'other', issuer: [['CN', 'Z2']] }),
      make(SPECS.issuing, {
        key: 'other',
        signedBy: 'issuing',
        subject: [['CN', 'Z2']],
        issuer: ISSUING,
      }),
      issuing,
    ),
    code: 'path-too-long',
  },
];

for (const { id, attack, parties, code, atMs = NOW } of PARTIES) {
  test(`${id} ${attack}: ${code ?? 'no chain'}, signature.party`, () => {
    decisions.refuses('signature.party', signed(parties), atMs);
    if (code !== undefined) {
      const { certificates = [], anchors, crls } = parties;
      const chain = verifyChain(certificates[0]!, certificates, anchors, {
        atMs,
        purpose: 'gb-firmware',
        ...(crls ? { crls } : {}),
      });
      assert.is(chain.ok ? 'verified' : chain.code, code);
    }
    decisions.admits(signed(CHAIN), NOW);
    decisions.admits(signed({ ...CHAIN, crls: revoked() }), NOW);
  });
}

test('14c wrong purpose: an anchor for firmware vouches for no XML', () => {
  const xml = make(SPECS.xml);
  const chain = verifyChain(xml, [issuing], [firmwareRoot], { atMs: NOW, purpose: 'xml-signing' });
  assert.is(chain.ok ? 'verified' : chain.code, 'wrong-purpose');
});

test('14c wrong purpose: a key for one kind of bootloader is none for the other: image.signature', () => {
  const of = (file: Uint8Array, profile: 'mcuboot' | 'gbl', purpose: Purpose) => ({
    image: gatherImageFacts(file, { profile, ...trusting(purpose) }).facts,
    device: { imageProfile: profile, runningVersion: profile === 'gbl' ? '0x00010000' : '1.0.0' },
    policy: { listRequired: false },
  });
  decisions.refuses('image.signature', of(GOOD.hub, 'mcuboot', 'gbl-firmware'), NOW);
  decisions.refuses('image.signature', of(GOOD.radio, 'gbl', 'mcuboot-firmware'), NOW);
  decisions.admits(of(GOOD.radio, 'gbl', 'gbl-firmware'), NOW);
});

// ---- the form of a signature ------------------------------------------------------------------------------

const ORDER = Buffer.from(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  'hex',
);
const ZERO = new Uint8Array(32);
const R = SIGNATURE.subarray(0, 32);
const S = SIGNATURE.subarray(32);
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const integer = (value: Uint8Array) => joined(Uint8Array.of(2, 33, 0), value);
const DER = joined(Uint8Array.of(0x30, 70), integer(R), integer(S));

const FORMS: [attack: string, signature: Uint8Array][] = [
  ['DER in place of r and s', DER],
  ['63 bytes', SIGNATURE.subarray(0, 63)],
  ['65 bytes', joined(SIGNATURE, Uint8Array.of(0))],
  ['nothing', new Uint8Array(0)],
  ['r is 0', joined(ZERO, S)],
  ['s is 0', joined(R, ZERO)],
  ['both are 0', joined(ZERO, ZERO)],
  ['r is the order', joined(ORDER, S)],
  ['s is the order', joined(R, ORDER)],
  ['all bits set', new Uint8Array(64).fill(0xff)],
];

for (const [attack, signature] of FORMS) {
  const isWhole = signature.length === 64;
  test(`19h signature form: ${attack}, in a GB image`, () => {
    const { publicKey } = testKey('supplier');
    assert.not(isRawP256Signature(signature));
    assert.not(verifyP256(publicKey, Uint8Array.from(BODY), signature));
    const facts = signed(CHAIN, signature);
    decisions.refuses(isWhole ? 'signature.party' : 'image.readable', facts, NOW);
    if (!isWhole) assert.is(facts.image.ok ? 'read' : facts.image.code, 'signature-length');
    decisions.admits(signed(CHAIN), NOW);
  });

  test(`19h signature form: ${attack}, in a GBL`, () => {
    const facts = signedGbl(signature);
    decisions.refuses(isWhole ? 'image.signature' : 'image.readable', facts, NOW);
    if (!isWhole) assert.is(facts.image.ok ? 'read' : facts.image.code, 'tag-length');
  });
}

/** Below a header that says signed, with a good CRC at its end. */
function signedGbl(signature: Uint8Array) {
  const file = naiveGbl([
    naiveGblHeader(0x100),
    [0xf40a0af4, [...le(2, 4), ...le(0x00020000, 4), ...le(0, 4), ...counting(16)]],
    [0xfd0303fd, [...le(0x4000, 4), ...counting(150, 3)]],
    [0xf70a0af7, [...signature]],
  ]);
  const image = gatherImageFacts(file, { profile: 'gbl', ...trusting('gbl-firmware') }).facts;
  const device = { imageProfile: 'gbl' as const, runningVersion: '0x00010000' };
  return { image, device, policy: { listRequired: false } };
}

// ---- waivers ------------------------------------------------------------------------------------------------

interface WaiverChange {
  devices?: string[];
  signers?: string[];
  author?: string;
  approver?: string;
  imageSha256?: string;
  purpose?: 'downgrade-waiver' | 'campaign';
  value?: (good: string) => string;
}

const LEAVE_FROM = Date.UTC(2025, 11, 20);
const LEAVE_UNTIL = Date.UTC(2026, 0, 10);
const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z');

function waived(change: WaiverChange = {}): NonNullable<AdmissionContext['waiver']> {
  const { author = 'ann', approver = 'bob', signers = [author, approver] } = change;
  const document = {
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'The new image fails.',
    author,
    approver,
    devices: change.devices ?? [EUI64],
    hardware: HARDWARE,
    imageVersion: 0x02000000,
    imageSha256: change.imageSha256 ?? hashOf(GOOD.ppmid),
    notBefore: iso(LEAVE_FROM),
    expires: iso(LEAVE_UNTIL),
    signatures: [],
  };
  const found = parseWaiver(document);
  if (!found.ok) throw new Error(found.message);
  const text = Buffer.from(waiverText(found.waiver));
  const signatures = signers.map((person) => {
    const good = Buffer.from(signRaw(testKey(person).privateKey, text)).toString('hex');
    return { person, value: change.value?.(good) ?? good };
  });
  const keys = ['ann', 'bob'].map((person) => keyOf(person, change.purpose));
  return { waiver: { ...found.waiver, signatures }, keys };
}

function keyOf(person: string, purpose: WaiverChange['purpose'] = 'downgrade-waiver'): WaiverKey {
  return { person, anchor: anchorOf(purpose, testKey(person).publicKey) };
}

function back(waiver: AdmissionContext['waiver']) {
  const device = { ...PPMID, currentFileVersion: 0x03000000 };
  return { image: otaFacts(), device, list, context: { intake: 'bench' as const, waiver } };
}

const WAIVERS: [id: string, attack: string, change: WaiverChange, code: string, atMs?: number][] = [
  ['1b', 'of another device', { devices: ['00112233445566ab'] }, 'waiver-other-device'],
  ['1b', 'expired', {}, 'waiver-expired', LEAVE_UNTIL],
  ['1b', 'not valid yet', {}, 'waiver-not-yet-valid', LEAVE_FROM - 1],
  ['1b', 'signed by one', { signers: ['ann'] }, 'waiver-one-signature'],
  ['1b', 'signed by one twice', { signers: ['ann', 'ann'] }, 'waiver-one-signature'],
  ['1b', 'approved by its author', { approver: 'ann' }, 'waiver-author-approves'],
  ['1b', 'of another image', { imageSha256: 'e'.repeat(64) }, 'waiver-other-image'],
  ['1b', 'signed by a stranger', { approver: 'eve' }, 'waiver-key-unknown'],
  ['14c', 'signed by keys for campaigns', { purpose: 'campaign' }, 'waiver-key-purpose'],
  ['19h', 'r is 0', { value: (good) => `${'0'.repeat(64)}${good.slice(64)}` }, 'waiver-signature'],
  ['19h', 's is 0', { value: (good) => good.slice(0, 64) + '0'.repeat(64) }, 'waiver-signature'],
  ['19h', 'r too big', { value: (good) => 'f'.repeat(64) + good.slice(64) }, 'waiver-signature'],
  ['19h', '63 bytes', { value: (good) => good.slice(2) }, 'waiver-signature'],
  ['19h', '65 bytes', { value: (good) => `${good}00` }, 'waiver-signature'],
  ['19h', 'DER', { value: () => Buffer.from(DER).toString('hex') }, 'waiver-signature'],
];

for (const [id, attack, change, code, atMs = NOW] of WAIVERS) {
  test(`${id} waiver misuse: ${attack}: ${code}, device.newer`, () => {
    const waiver = waived(change);
    decisions.refuses('device.newer', back(waiver), atMs);
    const found = verifyWaiver(waiver.waiver, waiver.keys, {
      device: EUI64,
      hardware: HARDWARE,
      imageVersion: 0x02000000,
      imageSha256: hashOf(GOOD.ppmid),
      atMs,
    });
    assert.is(found.ok ? 'given' : found.code, code);
    decisions.admits(back(waived()), NOW);
    decisions.refuses('device.newer', back(undefined), NOW);
  });
}

test.run();
