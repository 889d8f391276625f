/**
 * Certificate revocation lists (RFC 5280, 5), whole ones of one issuer. A delta list, a list of
 * another issuer's certificates and one of a part of the certificates mark themselves by a critical
 * extension, and are refused with it.
 */
import { refuse, type TrustRefusal } from './codes.ts';
import { contextTag, type Der, decodeDer, partsOf, TAGS, timeMsOf, unsignedOf } from './der.ts';
import { type DistinguishedName, readName } from './distinguished-name.ts';
import { parsePem } from './pem.ts';
import { readEnvelope, readExtensionList, readExtensions } from './x509.ts';

/** Some 25,000 entries. */
export const CRL_BYTES_MAX = 1024 * 1024;

export interface RevocationList {
  ok: true;
  issuer: DistinguishedName;
  thisUpdateMs: number;
  nextUpdateMs: number;
  /** Serial numbers. What the reason is, revoked is revoked. */
  revoked: ReadonlySet<bigint>;
  signed: Uint8Array;
  signature: Uint8Array;
}

const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  '2.5.29.20', // number
  '2.5.29.35', // authority key
]);
/** The reason, and the date it became invalid: neither changes that it is. */
const KNOWN_ENTRY_EXTENSIONS: ReadonlySet<string> = new Set(['2.5.29.21', '2.5.29.24']);

/** One list, in DER or in PEM. */
export function parseRevocationList(input: Uint8Array | string): RevocationList | TrustRefusal {
  if (typeof input !== 'string') return readList(input);
  const pem = parsePem(input);
  if (!pem.ok) return pem;
  const [block, ...others] = pem.blocks;
  if (block?.label !== 'X509 CRL' || others.length > 0) return refuse('not-pem');
  return readList(block.der);
}

function readList(input: Uint8Array): RevocationList | TrustRefusal {
  if (input.length > CRL_BYTES_MAX) return refuse('too-large');
  const root = decodeDer(Uint8Array.from(input), CRL_BYTES_MAX);
  if (!root) return refuse('not-der');
  if (unsignedOf(partsOf(partsOf(root)[0])[0]) !== 1n) return refuse('version-unsupported');
  const envelope = readEnvelope(root, (body) => body.parts[1]);
  if (!envelope.ok) return envelope;
  const [, , issuerNode, thisUpdate, nextUpdate, ...rest] = envelope.body.parts;
  const issuer = readName(issuerNode);
  const thisUpdateMs = timeMsOf(thisUpdate);
  const nextUpdateMs = timeMsOf(nextUpdate);
  if (!issuer) return refuse('malformed');
  if (thisUpdateMs === undefined || nextUpdateMs === undefined || nextUpdateMs < thisUpdateMs) {
    return refuse('date-invalid');
  }
  const entries = rest[0]?.tag === TAGS.sequence ? rest.shift()! : undefined;
  if (rest.length > 1) return refuse('malformed');
  const read = readExtensions(rest[0], contextTag(0));
  if (!read.ok) return read;
  const unknown = read.extensions.find(
    ({ oid, critical }) => critical && !KNOWN_EXTENSIONS.has(oid),
  );
  if (unknown) return refuse('extension-unknown', unknown.oid);
  const revoked = readEntries(entries);
  if (!revoked.ok) return revoked;
  return {
    ok: true,
    issuer,
    thisUpdateMs,
    nextUpdateMs,
    revoked: revoked.serials,
    signed: envelope.body.bytes,
    signature: envelope.signature,
  };
}

function readEntries(
  node: Der | undefined,
): { ok: true; serials: ReadonlySet<bigint> } | TrustRefusal {
  const serials = new Set<bigint>();
  for (const { tag, parts } of node?.parts ?? []) {
    const serial = unsignedOf(parts[0]);
    if (tag !== TAGS.sequence || serial === undefined || parts.length > 3) {
      return refuse('malformed');
    }
    if (timeMsOf(parts[1]) === undefined) return refuse('date-invalid');
    if (parts[2]) {
      const extensions = parts[2].tag === TAGS.sequence ? readExtensionList(parts[2]) : undefined;
      if (!extensions) return refuse('malformed');
      const isKnown = (oid: string) => KNOWN_ENTRY_EXTENSIONS.has(oid);
      const unknown = extensions.find(({ oid, critical }) => critical && !isKnown(oid));
      if (unknown) return refuse('extension-unknown', unknown.oid);
    }
    serials.add(serial);
  }
  return { ok: true, serials };
}
