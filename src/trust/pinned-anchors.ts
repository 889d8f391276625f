/**
 * Trust anchors: what a gateway believes without proof, each for one purpose. A document names them,
 * and pins every one by the SHA-256 of its DER, so that a file which was exchanged is noticed. There
 * is no way to trust anything else, and none to trust everything.
 *
 * An anchor is a CA's certificate, or one certificate or bare key that is believed itself: the
 * public test PKI, for one, comes without its CA.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { refuse, type TrustRefusal } from './codes.ts';
import { sha256Hex } from './digest.ts';
import { parsePem } from './pem.ts';
import { type Certificate, parseCertificate } from './x509.ts';

/**
 * What a signature is for. An anchor of one purpose is none for any other.
 *
 * In SMKI, one CA issues certificates for several of these; what tells them apart is the role. 87
 * signs XML for a user and 89 for the data service provider (the public test PKI); these never sign
 * firmware. An anchor may name other roles.
 */
export const PURPOSES = {
  'gb-firmware': { what: 'GB Manufacturer Images', refuses: ['87', '89'] },
  'hub-firmware': { what: "images of Communications Hubs' own bootloaders", refuses: ['87', '89'] },
  'xml-signing': { what: 'Service Requests, responses and alerts', takes: ['87', '89'] },
  campaign: { what: 'campaigns', refuses: ['87', '89'] },
  'products-list': { what: 'product lists', refuses: ['87', '89'] },
  'downgrade-waiver': { what: 'waivers of the version floor', refuses: ['87', '89'] },
} as const satisfies Record<string, PurposeRule>;

export type Purpose = keyof typeof PURPOSES;

interface PurposeRule {
  what: string;
  takes?: readonly string[];
  refuses?: readonly string[];
}

/** As it stands in the document. */
export interface TrustAnchorSpec {
  name: string;
  purpose: string;
  /** SHA-256 of the DER: 64 digits, colons between them allowed. */
  fingerprint: string;
  /** One CERTIFICATE or PUBLIC KEY. */
  pem: string;
  /** The roles of certificates that it may vouch for, in place of the purpose's own rule. */
  roles?: readonly string[];
}

export interface TrustAnchor {
  name: string;
  purpose: Purpose;
  fingerprint: string;
  /** P-256. */
  publicKey: KeyObject;
  /** Absent: a bare key, which is at the end of no chain. */
  certificate?: Certificate;
  roles?: readonly string[];
}

const ANCHORS_MAX = 256;

/** All or none: a document with one bad anchor is not in force. */
export function loadTrustAnchors(
  specs: readonly TrustAnchorSpec[],
): { ok: true; anchors: TrustAnchor[] } | (TrustRefusal & { anchor?: string }) {
  if (specs.length > ANCHORS_MAX) return refuse('too-large');
  const anchors: TrustAnchor[] = [];
  for (const spec of specs) {
    if (anchors.some(({ name }) => name === spec.name)) {
      return { ...refuse('anchor-repeated', spec.name), anchor: spec.name };
    }
    const loaded = loadAnchor(spec);
    if (!loaded.ok) return { ...loaded, anchor: spec.name };
    anchors.push(loaded.anchor);
  }
  return { ok: true, anchors };
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

function loadAnchor(spec: TrustAnchorSpec): { ok: true; anchor: TrustAnchor } | TrustRefusal {
  const { name, purpose, roles } = spec;
  if (!isPurpose(purpose)) return refuse('anchor-purpose', purpose);
  const pem = parsePem(spec.pem);
  if (!pem.ok) return pem;
  const [block, ...others] = pem.blocks;
  if (!block || others.length > 0) return refuse('not-pem');
  const fingerprint = spec.fingerprint.replaceAll(':', '').toLowerCase();
  if (sha256Hex(block.der) !== fingerprint) return refuse('anchor-fingerprint', name);
  const common = { name, purpose, fingerprint, ...(roles ? { roles } : {}) };
  if (block.label === 'CERTIFICATE') {
    const certificate = parseCertificate(block.der);
    if (!certificate.ok) return certificate;
    return { ok: true, anchor: { ...common, publicKey: certificate.publicKey, certificate } };
  }
  if (block.label !== 'PUBLIC KEY') return refuse('not-pem');
  const publicKey = p256Key(block.der);
  return publicKey
    ? { ok: true, anchor: { ...common, publicKey } }
    : refuse('key-unsupported', name);
}

function p256Key(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}
