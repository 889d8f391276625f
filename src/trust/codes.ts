/**
 * Why a certificate, a list, a container or a chain is not taken. One table for the whole folder;
 * codes are never reused. The outcomes of image signatures are in the files that check them.
 */
export const TRUST_CODES = {
  // Reading.
  'too-large': 'Larger than anything of its kind that is read.',
  'not-pem': 'Not in PEM form, or of another kind than is wanted.',
  'not-der': 'Not ASN.1 in its one distinguished encoding.',
  malformed: 'Not of the structure that its kind has.',
  'version-unsupported': 'Of a version that is not read.',
  'algorithm-unsupported': 'Made with an algorithm that is not accepted.',
  'key-unsupported': 'The public key is no point of P-256 in uncompressed form.',
  'serial-invalid': 'The serial number is not positive, or longer than 20 octets.',
  'date-invalid': 'A date is none, or the validity ends before it begins.',
  'extension-repeated': 'An extension occurs twice.',
  'extension-unknown': 'A critical extension is not known, so nobody may rely on the rest.',

  // A chain.
  'not-yet-valid': 'The validity of a certificate has not begun.',
  expired: 'The validity of a certificate has ended.',
  'wrong-usage': 'The key usage of a certificate does not allow what it is used for.',
  'wrong-role': 'The role in the certificate is none that this purpose takes.',
  'wrong-purpose': 'A trust anchor is configured, but for another purpose.',
  'leaf-as-ca': 'A certificate that is no CA issued another.',
  'path-too-long': 'More CAs follow one another than the path length allows.',
  'path-too-costly': 'More ways lead to a trust anchor than are tried.',
  'unknown-issuer': 'No configured trust anchor is at the end of the chain.',
  'no-trust-anchor': 'No trust anchor is configured for this purpose.',
  signature: 'The signature is not that of the issuer over these very bytes.',
  revoked: 'The issuer has revoked a certificate.',
  'crl-missing': 'No revocation list of an issuer is at hand.',
  'crl-signature': 'The signature of a revocation list is not that of its issuer.',
  'crl-stale': 'A revocation list is older than its next update.',
  'crl-not-yet-valid': 'A revocation list is from the future.',

  // Trust anchors.
  'anchor-fingerprint': 'The certificate or key is not the one that the fingerprint pins.',
  'anchor-purpose': 'The purpose is none that is known.',
  'anchor-repeated': 'A name occurs twice.',
  'anchor-key': 'The key is none that its purpose takes.',
  'anchor-person': 'A key that signs waivers does not say whose it is.',
  'anchor-point': 'The public key of a Smart Energy CA is not whole.',

  // Containers.
  'wrong-password': 'The password does not open the file, or the file was changed.',
  'seal-missing': 'The file has no seal under its password, so a change would not show.',
  'too-costly': 'The file asks for more key derivation than is done for it.',
  'key-missing': 'No private key is in the file.',
  'key-mismatch': 'The private key fits no certificate of the file.',
  'signer-missing': 'Nobody signed, or the certificate of a signer is missing.',
  'attributes-missing':
    'The signer signed no attributes, and such a signature can be made out of another message.',
  'content-missing': 'The signed content is neither inside nor given.',
  'content-differs': 'The content is not what was signed.',
} as const;

export type TrustCode = keyof typeof TRUST_CODES;

export interface TrustRefusal {
  ok: false;
  code: TrustCode;
  /** The sentence of the code, and what it is about where that is known. */
  message: string;
}

export function refuse(code: TrustCode, about = ''): TrustRefusal {
  return {
    ok: false,
    code,
    message: about ? `${TRUST_CODES[code]} (${about})` : TRUST_CODES[code],
  };
}
