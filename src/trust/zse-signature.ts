/**
 * The signature that a ZigBee Smart Energy image carries in its sub-elements: tags 0x0001 and
 * 0x0002 (crypto suite 1), or 0x0005 and 0x0006 (suite 2).
 *
 * Rules, as Silicon Labs' client checks them (gecko_sdk, ota-client-signature-verify.c, which names
 * 15-0324-02, 11.7.1), and two that are stricter:
 * - one suite signs, not both;
 * - the signer in the signature is a known one, and the subject of the certificate;
 * - the issuer of the certificate is a configured CA (there: the client's own);
 * - the digest is AES-MMO-128 over the image without its last 42 or 72 bytes, which are r and s. So
 *   the signature has to be the last element, and here one that stands elsewhere is refused: that
 *   client would digest one thing and read the signature from another;
 * - an element that occurs twice is refused, where that client takes the first.
 *
 * No signed image of a real device could be had. That r and s are big-endian, and that the digest
 * is a number as it stands, big-endian, is inferred from SEC 1 and from how certificates do it.
 */
import { eui64FromWire } from '../bytes/hex.ts';
import { aesMmo } from '../image/aes-mmo.ts';
import { ELEMENT_HEAD_BYTES, type SubElement, TAG } from '../image/ota-elements.ts';
import type { OtaImage } from '../image/zigbee-ota.ts';
import { integerOf, verifySectEcdsa } from './sect-curves.ts';
import {
  decodeZseCertificate,
  ZSE_SUITES,
  ZSE_USAGE_SIGNATURE,
  type ZseCaKey,
  type ZseCertificate,
  type ZseSuiteNumber,
  zsePublicKey,
} from './zse-certificate.ts';

export const ZSE_SIGNATURE_OUTCOMES = {
  verified: 'made by a known signer whose certificate a configured CA issued',
  none: 'the image has no Smart Energy signature',
  'signed-twice': 'signed with both crypto suites, where one is allowed',
  malformed: 'not of the form that its crypto suite has',
  'not-last': 'not the last element of the image, so it does not cover what comes after it',
  'signature-missing': 'gone, and the signing certificate is still there',
  'certificate-missing': 'without exactly one signing certificate of its crypto suite',
  'signer-unknown': 'made by a signer that is not configured',
  'subject-differs': 'made by another signer than its certificate names',
  'no-trust-anchor': 'no CA key of its crypto suite is configured',
  'unknown-issuer': 'the certificate was issued by a CA that is not configured',
  'wrong-usage': 'the certificate is not for signatures',
  'not-yet-valid': 'the certificate is not valid yet',
  expired: 'the certificate has expired',
  'certificate-key': 'certificate and CA key together give no public key',
  wrong: 'not made by the named signer over these very bytes',
} as const;

export type ZseSignatureOutcome = keyof typeof ZSE_SIGNATURE_OUTCOMES;

export interface ZseTrust {
  caPublicKeys: readonly ZseCaKey[];
  /** EUI-64s, 16 lower-case digits, of those who may sign images. */
  signerList: readonly string[];
}

export interface ZseProof {
  outcome: ZseSignatureOutcome;
  suite?: ZseSuiteNumber;
  /** Whom the signature names, true or not. */
  signer?: string;
  issuer?: string;
  /** Of the certificate, where it says so. */
  validity?: { notBeforeMs: number; notAfterMs?: number };
}

const ELEMENTS: Readonly<Record<ZseSuiteNumber, { signature: number; certificate: number }>> = {
  1: { signature: TAG.signatureSuite1, certificate: TAG.certificateSuite1 },
  2: { signature: TAG.signatureSuite2, certificate: TAG.certificateSuite2 },
};

const EUI64_BYTES = 8;

/** Larger than any image that is admitted, and a bound on the time a check takes. */
const IMAGE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Whatever the time: when the certificate is valid is part of the proof, for `zseOutcomeAt` to ask.
 * Reads the whole image once, 10 ms a MiB; the curve takes 16 ms in suite 1 and 60 in
 * suite 2.
 */
export function verifyZseSignature(image: OtaImage, trust: ZseTrust): ZseProof {
  const suites = ([1, 2] as const).filter((suite) =>
    image.elements.some(({ tag }) => tag === ELEMENTS[suite].signature),
  );
  const suite = suites[0];
  if (suite === undefined) return { outcome: hasCertificate(image) ? 'signature-missing' : 'none' };
  if (suites.length > 1) return { outcome: 'signed-twice' };
  const [signature, ...others] = elementsOf(image, ELEMENTS[suite].signature);
  const { signatureBytes } = ZSE_SUITES[suite];
  if (!signature || others.length > 0 || image.bytes.length > IMAGE_BYTES_MAX) {
    return { outcome: 'malformed', suite };
  }
  if (signature.data.length !== EUI64_BYTES + signatureBytes || signature.info.length > 0) {
    return { outcome: 'malformed', suite };
  }
  const signer = eui64FromWire(signature.data.subarray(0, EUI64_BYTES));
  const proof = { suite, signer };
  const endAt = signature.offset + ELEMENT_HEAD_BYTES + signature.dataBytes - image.offset;
  if (endAt !== image.bytes.length) return { outcome: 'not-last', ...proof };
  if (!trust.signerList.includes(signer)) return { outcome: 'signer-unknown', ...proof };
  return { ...proof, ...verifyWithCertificate(image, suite, signature, trust) };
}

/** What the signature is worth at a time. */
export function zseOutcomeAt({ outcome, validity }: ZseProof, atMs: number): ZseSignatureOutcome {
  if (outcome !== 'verified' || !validity) return outcome;
  // A time that is no number is inside no validity.
  if (!(atMs >= validity.notBeforeMs)) return 'not-yet-valid';
  const { notAfterMs } = validity;
  return notAfterMs === undefined || atMs <= notAfterMs ? 'verified' : 'expired';
}

function verifyWithCertificate(
  image: OtaImage,
  suite: ZseSuiteNumber,
  signature: SubElement,
  trust: ZseTrust,
): Pick<ZseProof, 'outcome' | 'issuer' | 'validity'> {
  const found = elementsOf(image, ELEMENTS[suite].certificate);
  if (found.length !== 1) return { outcome: 'certificate-missing' };
  const certificate = decodeZseCertificate(suite, found[0]!.data);
  if (!certificate) return { outcome: 'malformed' };
  const { issuer, subject } = certificate;
  const signer = eui64FromWire(signature.data.subarray(0, EUI64_BYTES));
  if (subject !== signer) return { outcome: 'subject-differs', issuer };
  const refusal = refusalOf(certificate, trust);
  if (refusal) return { outcome: refusal, issuer };
  const { curve, signatureBytes } = certificate.suite;
  const keys = caKeysFor(certificate, trust).flatMap(
    ({ publicKey }) => zsePublicKey(certificate, publicKey) ?? [],
  );
  if (keys.length === 0) return { outcome: 'certificate-key', issuer };
  const coveredBytes = image.bytes.length - signatureBytes;
  const hashed = integerOf(aesMmo(image.bytes.subarray(0, coveredBytes)));
  const value = image.bytes.subarray(coveredBytes);
  const verified = keys.some((key) => verifySectEcdsa(curve, key, hashed, value));
  return { outcome: verified ? 'verified' : 'wrong', issuer, ...validityOf(certificate) };
}

function validityOf({ details }: ZseCertificate): Pick<ZseProof, 'validity'> {
  if (!details) return {};
  const { issuedAtMs, expiresAtMs } = details;
  const end = expiresAtMs === undefined ? {} : { notAfterMs: expiresAtMs };
  return { validity: { notBeforeMs: issuedAtMs, ...end } };
}

function refusalOf(certificate: ZseCertificate, trust: ZseTrust): ZseSignatureOutcome | undefined {
  const { suite, details } = certificate;
  if (!trust.caPublicKeys.some((key) => key.suite === suite.number)) return 'no-trust-anchor';
  if (caKeysFor(certificate, trust).length === 0) return 'unknown-issuer';
  if (!details) return undefined;
  return (details.keyUsage & ZSE_USAGE_SIGNATURE) === 0 ? 'wrong-usage' : undefined;
}

function caKeysFor({ suite, issuer }: ZseCertificate, trust: ZseTrust): readonly ZseCaKey[] {
  return trust.caPublicKeys.filter((key) => key.suite === suite.number && key.issuer === issuer);
}

/** Nobody carries one for nothing: one bit of its tag would otherwise make a bad signature none. */
function hasCertificate({ elements }: OtaImage): boolean {
  return elements.some(
    ({ tag }) => tag === ELEMENTS[1].certificate || tag === ELEMENTS[2].certificate,
  );
}

function elementsOf(image: OtaImage, tag: number): SubElement[] {
  return image.elements.filter((element) => element.tag === tag);
}
