/**
 * Who made the signature of a GB image, among the parties that were named: found once an image, when
 * its facts are gathered. Whether that party may sign is asked for every decision, since it
 * depends on the time.
 */

import type { RevocationList } from '../trust/crl.ts';
import { isRawP256Signature, verifyP256 } from '../trust/ecdsa.ts';
import type { TrustAnchor } from '../trust/pinned-anchors.ts';
import type { Certificate } from '../trust/x509.ts';

/** What was given to tell the party by. */
export interface SigningParties {
  anchors: readonly TrustAnchor[];
  /** Of signers and of the CAs between them and an anchor, in any order. */
  certificates: readonly Certificate[];
  /** Absent: revocation is not checked. */
  crls?: readonly RevocationList[];
}

export type SignerFacts = { parties: SigningParties } & (
  | { by: 'certificate'; certificate: Certificate }
  | { by: 'anchor'; anchor: TrustAnchor }
  | { by: 'nobody' }
);

/** `undefined` where nobody was named, or nothing is signed. */
export function findSigner(
  bytes: Uint8Array,
  signature: Uint8Array | undefined,
  parties: SigningParties | undefined,
): SignerFacts | undefined {
  if (!parties || !signature) return undefined;
  if (!isRawP256Signature(signature)) return { by: 'nobody', parties };
  // A CA signs certificates; a signature under its key is by no party that may sign images.
  const certificate = parties.certificates.find(
    ({ isCa, publicKey }) => !isCa && verifyP256(publicKey, bytes, signature),
  );
  if (certificate) return { by: 'certificate', certificate, parties };
  const found = parties.anchors.filter(({ publicKey }) => verifyP256(publicKey, bytes, signature));
  // One key may be pinned for several purposes.
  const anchor = found.find(({ purpose }) => purpose === 'gb-firmware') ?? found[0];
  return anchor ? { by: 'anchor', anchor, parties } : { by: 'nobody', parties };
}
