/**
 * Who made the signature of a GB image, among the anchors and certificates that were given: found once
 * an image, when its facts are gathered. Whether that party may sign is asked for every decision,
 * since it depends on the time.
 */

import type { RevocationList } from '../trust/crl.ts';
import { isRawP256Signature, verifyP256 } from '../trust/ecdsa.ts';
import {
  mayBeOtaSigner,
  type Purpose,
  type TrustAnchor,
  type ZseAnchor,
} from '../trust/trust-anchors.ts';
import type { Certificate } from '../trust/x509.ts';

/** What the signatures of an image are held against. */
export interface ImageTrust {
  anchors: readonly TrustAnchor[];
  /** Of signers and of the CAs between them and an anchor, in any order. */
  certificates?: readonly Certificate[];
  /** Absent: revocation is not checked. */
  crls?: readonly RevocationList[];
  zseCas?: readonly ZseAnchor[];
  /** EUI-64s, 16 lower-case digits, of those who may sign Smart Energy images. */
  zseSigners?: readonly string[];
}

export type SignerFacts = { trust: ImageTrust } & (
  | { by: 'certificate'; certificate: Certificate }
  | { by: 'anchor'; anchor: TrustAnchor }
  | { by: 'nobody' }
);

/** These sign something else altogether, and name nobody who was to sign the image. */
const NAMES_NOBODY: readonly Purpose[] = ['mcuboot-firmware', 'gbl-firmware', 'downgrade-waiver'];

/** `undefined` where nothing is signed, or by nobody while nobody was named who might have. */
export function findSigner(
  bytes: Uint8Array,
  signature: Uint8Array | undefined,
  trust: ImageTrust | undefined,
): SignerFacts | undefined {
  if (!trust || !signature) return undefined;
  const { anchors, certificates = [], crls } = trust;
  if (isRawP256Signature(signature)) {
    // A CA signs certificates; a signature under its key is by no party that may sign images.
    const certificate = certificates.find(
      ({ isCa, publicKey }) => !isCa && verifyP256(publicKey, bytes, signature),
    );
    if (certificate) return { by: 'certificate', certificate, trust };
    const found = anchors.filter(
      ({ publicKey, algorithm }) =>
        algorithm === 'ecdsa-p256' && verifyP256(publicKey, bytes, signature),
    );
    // One key may be pinned for several purposes.
    const anchor = found.find(mayBeOtaSigner) ?? found[0];
    if (anchor) return { by: 'anchor', anchor, trust };
  }
  const isNamed =
    certificates.length > 0 ||
    crls !== undefined ||
    anchors.some(({ purpose }) => !NAMES_NOBODY.includes(purpose));
  return isNamed ? { by: 'nobody', trust } : undefined;
}
