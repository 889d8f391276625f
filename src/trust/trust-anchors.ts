/**
 * Trust anchors: what a gateway believes without proof, each for one purpose. A document names them,
 * and pins every one by a SHA-256, so that a file which was exchanged is noticed. There is no way to
 * trust anything else, and none to trust everything.
 *
 * An anchor is a CA's certificate, or one certificate or bare key that is believed itself: the
 * public test PKI, for one, comes without its CA, and bootloaders know bare keys only. The CAs of
 * Smart Energy have neither: a point of a curve, under an EUI-64.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeHex, parseEui64 } from '../bytes/hex.ts';
import type { HubImageProfile } from '../image/hub-image.ts';
import { refuse, type TrustCode, type TrustRefusal } from './codes.ts';
import { sha256Hex } from './digest.ts';
import { parsePem } from './pem.ts';
import { type KeyAlgorithm, type SignatureKey, signatureKeyOf } from './public-key.ts';
import { decompressPoint, isPublicKey } from './sect-curves.ts';
import { type Certificate, parseCertificate } from './x509.ts';
import { ZSE_SUITES, type ZseCaKey } from './zse-certificate.ts';

/**
 * What a signature is for. An anchor of one purpose is none for any other: a signature of one kind
 * would otherwise verify under any key of the same algorithm.
 *
 * In SMKI, one CA issues certificates for several of these; what tells them apart is the role. 87
 * signs XML for a user and 89 for the data service provider (the public test PKI); these never sign
 * firmware. An anchor may name other roles.
 */
export const PURPOSES = {
  'gb-firmware': {
    what: 'GB images and other ZigBee OTA files',
    keys: ['ecdsa-p256'],
    certificates: true,
    refuses: ['87', '89'],
  },
  'mcuboot-firmware': {
    what: 'MCUboot images',
    keys: ['ecdsa-p256', 'rsa-2048', 'rsa-3072', 'ed25519'],
  },
  'gbl-firmware': { what: 'GBL images', keys: ['ecdsa-p256'] },
  'xml-signing': {
    what: 'Service Requests, responses and alerts',
    keys: ['ecdsa-p256'],
    certificates: true,
    takes: ['87', '89'],
  },
  campaign: {
    what: 'campaigns',
    keys: ['ecdsa-p256'],
    certificates: true,
    refuses: ['87', '89'],
  },
  'products-list': {
    what: 'product lists',
    keys: ['ecdsa-p256'],
    certificates: true,
    refuses: ['87', '89'],
  },
  'downgrade-waiver': {
    what: 'waivers of the version floor',
    keys: ['ecdsa-p256'],
    certificates: true,
    refuses: ['87', '89'],
    namesPerson: true,
  },
  /** Its anchors are points. */
  'zse-ca': { what: 'certificates of signers of Smart Energy images', keys: [] },
} as const satisfies Record<string, PurposeRule>;

export type Purpose = keyof typeof PURPOSES;

interface PurposeRule {
  what: string;
  keys: readonly KeyAlgorithm[];
  /** Whether an anchor may be a certificate. */
  certificates?: true;
  /** Whether an anchor says whose key it is. */
  namesPerson?: true;
  takes?: readonly string[];
  refuses?: readonly string[];
}

/** As it stands in the document. */
export interface TrustAnchorSpec {
  name: string;
  purpose: string;
  /** SHA-256 of the DER, or of the point's octets: 64 digits, colons between them allowed. */
  fingerprint: string;
  /** One CERTIFICATE or PUBLIC KEY; a Smart Energy CA has `point` instead. */
  pem?: string;
  /** The roles of certificates that it may vouch for, in place of the purpose's own rule. */
  roles?: readonly string[];
  /** Whose key it is, of a key that signs waivers. */
  person?: string;
  /** Of a Smart Energy CA: its public key, compressed, as digits. */
  point?: string;
  /** Of a Smart Energy CA: its EUI-64, as certificates name it. */
  issuer?: string;
  /** Of a Smart Energy CA: the crypto suite, 1 (sect163k1) or 2 (sect283k1). */
  suite?: number;
}

export interface TrustAnchor {
  name: string;
  purpose: Exclude<Purpose, 'zse-ca'>;
  fingerprint: string;
  publicKey: KeyObject;
  algorithm: KeyAlgorithm;
  /** Absent: a bare key, which is at the end of no chain. */
  certificate?: Certificate;
  roles?: readonly string[];
  person?: string;
}

export interface ZseAnchor extends ZseCaKey {
  name: string;
  purpose: 'zse-ca';
  fingerprint: string;
}

export interface LoadedAnchors {
  ok: true;
  anchors: readonly TrustAnchor[];
  zseCas: readonly ZseAnchor[];
}

export interface AnchorRefusal extends TrustRefusal {
  /** The name of the one that is refused, where it is one. */
  anchor?: string;
  expected?: string;
  actual?: string;
}

const ANCHORS_MAX = 256;

/** All or none: a document with one bad anchor is not in force. */
export function loadTrustAnchors(specs: readonly TrustAnchorSpec[]): LoadedAnchors | AnchorRefusal {
  if (specs.length > ANCHORS_MAX) return refuse('too-large');
  const anchors: TrustAnchor[] = [];
  const zseCas: ZseAnchor[] = [];
  const names = new Set<string>();
  for (const spec of specs) {
    const { name } = spec;
    if (names.has(name)) return { ...refuse('anchor-repeated', name), anchor: name };
    names.add(name);
    const loaded = loadAnchor(spec);
    if (!loaded.ok) return { ...loaded, anchor: name };
    if (loaded.anchor.purpose === 'zse-ca') zseCas.push(loaded.anchor);
    else anchors.push(loaded.anchor);
  }
  return { ok: true, anchors, zseCas };
}

export function isPurpose(text: string): text is Purpose {
  return Object.hasOwn(PURPOSES, text);
}

/** Whether an anchor's certificates of this role are for its purpose. */
export function takesRole({ purpose, roles }: TrustAnchor, role: string | undefined): boolean {
  if (roles) return role !== undefined && roles.some((one) => one.toUpperCase() === role);
  const { takes, refuses }: PurposeRule = PURPOSES[purpose];
  if (takes) return role !== undefined && takes.includes(role);
  return role === undefined || !refuses?.includes(role);
}

/** The keys that may have signed a hub's image of this format. EBL has no signature. */
export function hubKeysFor(
  profile: HubImageProfile,
  anchors: readonly TrustAnchor[],
): readonly SignatureKey[] {
  return anchors
    .filter(({ purpose }) => purpose === `${profile}-firmware`)
    .map(({ publicKey }) => signatureKeyOf(publicKey));
}

/** What may have signed images below an OTA header itself; a CA signs certificates. */
export function mayBeOtaSigner({ purpose, certificate }: TrustAnchor): boolean {
  return purpose === 'gb-firmware' && !certificate?.isCa;
}

type LoadedAnchor = { ok: true; anchor: TrustAnchor | ZseAnchor } | AnchorRefusal;

function loadAnchor(spec: TrustAnchorSpec): LoadedAnchor {
  const { name, purpose, roles, person } = spec;
  if (!isPurpose(purpose)) {
    const known = Object.entries(PURPOSES).map(([id, { what }]) => `${id} for ${what}`);
    return wrong('anchor-purpose', name, known.join(', '), purpose);
  }
  if (purpose === 'zse-ca') return loadZseAnchor(spec);
  const { keys, certificates, namesPerson }: PurposeRule = PURPOSES[purpose];
  if (namesPerson && !person) {
    return wrong('anchor-person', name, 'person: whose key it is', 'none');
  }
  const pem = parsePem(spec.pem ?? '');
  if (!pem.ok) return pem;
  const [block, ...others] = pem.blocks;
  if (!block || others.length > 0) return refuse('not-pem', name);
  const pinned = checkPin(spec, block.der);
  if ('ok' in pinned) return pinned;
  const common = {
    name,
    purpose,
    ...pinned,
    ...(roles ? { roles } : {}),
    ...(person === undefined ? {} : { person }),
  };
  if (block.label === 'CERTIFICATE') {
    if (!certificates) return wrong('anchor-key', name, 'a bare PUBLIC KEY', 'a certificate');
    const certificate = parseCertificate(block.der);
    if (!certificate.ok) return certificate;
    const { publicKey } = certificate;
    return { ok: true, anchor: { ...common, publicKey, algorithm: 'ecdsa-p256', certificate } };
  }
  if (block.label !== 'PUBLIC KEY') return refuse('not-pem', name);
  const key = bareKey(block.der);
  const wanted = `a key of ${keys.join(', ')}`;
  if (!key?.ok) return wrong('anchor-key', name, wanted, key?.message ?? 'no public key');
  const { algorithm } = key;
  if (!keys.includes(algorithm)) return wrong('anchor-key', name, wanted, algorithm);
  return { ok: true, anchor: { ...common, publicKey: key.key, algorithm } };
}

function loadZseAnchor(spec: TrustAnchorSpec): LoadedAnchor {
  const { name, suite, point } = spec;
  const issuer = parseEui64(spec.issuer ?? '');
  if (issuer === undefined) {
    return wrong('anchor-point', name, "issuer: the CA's EUI-64", spec.issuer ?? 'none');
  }
  if (suite !== 1 && suite !== 2) {
    return wrong('anchor-point', name, 'suite: 1 (sect163k1) or 2 (sect283k1)', `${suite}`);
  }
  const { curve } = ZSE_SUITES[suite];
  const publicKey = decodeHex(point ?? '');
  const found = publicKey && decompressPoint(curve, publicKey);
  if (!found || !isPublicKey(curve, found)) {
    const digits = 2 * (1 + curve.fieldBytes);
    return wrong('anchor-point', name, `point: ${digits} digits of a public key`, point ?? 'none');
  }
  const pinned = checkPin(spec, publicKey);
  if ('ok' in pinned) return pinned;
  return { ok: true, anchor: { name, purpose: 'zse-ca', ...pinned, issuer, suite, publicKey } };
}

function checkPin(
  { name, fingerprint }: TrustAnchorSpec,
  bytes: Uint8Array,
): { fingerprint: string } | AnchorRefusal {
  const pinned = fingerprint.replaceAll(':', '').toLowerCase();
  const actual = sha256Hex(bytes);
  return pinned === actual
    ? { fingerprint: pinned }
    : wrong('anchor-fingerprint', name, pinned || 'a fingerprint', actual);
}

function bareKey(der: Uint8Array): SignatureKey | undefined {
  try {
    return signatureKeyOf(createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }));
  } catch {
    return undefined;
  }
}

function wrong(code: TrustCode, name: string, expected: string, actual: string): AnchorRefusal {
  return { ...refuse(code, name), expected, actual };
}
