/** Who sends Service Requests, and by which keys both sides sign, read from what the configuration names. */
import type { DuisConfig, DuisUser } from '../config/duis.ts';
import { UpliftError } from '../errors.ts';
import { loadSigningIdentity } from '../gateway/signing-identity.ts';
import { loadCertificates } from '../gateway/trust-documents.ts';
import { loadTrust } from '../gateway/trust-folder.ts';
import type { RevocationList } from '../trust/crl.ts';
import type { TrustAnchor } from '../trust/trust-anchors.ts';
import type { KnownSigners } from '../trust/xml-signature.ts';
import { signXml, type XmlSigningIdentity } from '../trust/xml-signing.ts';

export interface ServiceUsers {
  users: ReadonlyMap<string, DuisUser>;
  /** As of that time. */
  signersAt(atMs: number): KnownSigners;
  /** Puts the signature into a document of ours. */
  sign(document: string): Uint8Array;
}

export interface TrustedBy {
  anchors: readonly TrustAnchor[];
  crls: readonly RevocationList[] | undefined;
}

/** @throws UpliftError where a file is not what it is to be */
export function loadServiceUsers(config: DuisConfig, trusted: TrustedBy): ServiceUsers {
  const identity = loadSigningIdentity(config.signing);
  return {
    users: new Map(config.users.map((user) => [user.eui64, user])),
    signersAt: loadSigners(config, trusted),
    sign: (document) => signDocument(document, identity),
  };
}

/** Who may sign requests, as of a time. @throws UpliftError where a file is not what it is to be */
export function loadSigners(
  { users }: Pick<DuisConfig, 'users'>,
  { anchors, crls }: TrustedBy,
): ServiceUsers['signersAt'] {
  const certificates = users.flatMap((user) => loadCertificates(user.certificates));
  return (atMs) => ({ certificates, anchors, atMs, ...(crls ? { crls } : {}) });
}

/** The anchors of a document or folder; none where none is named. */
export function anchorsOf(path: string | undefined): readonly TrustAnchor[] {
  return path === undefined ? [] : loadTrust(path).anchors;
}

/** @throws UpliftError where the document cannot be signed */
export function signDocument(document: string, identity: XmlSigningIdentity): Uint8Array {
  const signed = signXml(new TextEncoder().encode(document), identity);
  if (signed.ok) return signed.bytes;
  const { code, message, line, column } = signed;
  throw new UpliftError(code, message, { actual: `line ${line}, column ${column}` });
}
