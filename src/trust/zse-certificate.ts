/**
 * Implicit certificates of ZigBee Smart Energy, crypto suites 1 and 2. They carry no signature:
 * certificate and CA key together give a public key (ECQV, SEC 4 version 1, 2.5), and only who was
 * issued the certificate knows the private one. A certificate that was changed, or that another CA
 * issued, gives a key that nobody can sign with.
 *
 * The public key is e times the certificate's point plus the CA's key, where e is AES-MMO-128 over
 * the whole certificate, big-endian and not cut. Neither the Smart Energy profile nor its annex C
 * could be read; the layouts and that rule are from test certificates which others published with
 * the CA's key and the device's keys: five of suite 1 and four of suite 2 agree (test/vectors). Not
 * from a source: what the bits of key usage mean, and that the four octets after the
 * date of issue are seconds of life; both are inferred from the values in those certificates.
 *
 * The production CA's keys are not public: whoever has them configures them.
 */
import { encodeHex } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import { aesMmo } from '../image/aes-mmo.ts';
import {
  combine,
  decompressPoint,
  integerOf,
  isPublicKey,
  SECT_CURVES,
  type SectCurve,
  type SectPoint,
} from './sect-curves.ts';

export type ZseSuiteNumber = 1 | 2;

export interface ZseSuite {
  readonly number: ZseSuiteNumber;
  readonly curve: SectCurve;
  readonly certificateBytes: number;
  /** Of r and s together. */
  readonly signatureBytes: number;
}

export const ZSE_SUITES: Readonly<Record<ZseSuiteNumber, ZseSuite>> = {
  1: { number: 1, curve: SECT_CURVES.sect163k1, certificateBytes: 48, signatureBytes: 42 },
  2: { number: 2, curve: SECT_CURVES.sect283k1, certificateBytes: 74, signatureBytes: 72 },
};

export interface ZseCertificate {
  suite: ZseSuite;
  /** Whole; what is hashed. A view. */
  bytes: Uint8Array;
  /** EUI-64s: 16 lower-case digits. In the certificate they are not reversed. */
  subject: string;
  issuer: string;
  /** The point that the public key is made from, compressed. A view. */
  reconstruction: Uint8Array;
  /** Suite 2 only; a certificate of suite 1 has neither dates nor usage. */
  details?: ZseCertificateDetails;
}

export interface ZseCertificateDetails {
  serialNumber: string;
  issuedAtMs: number;
  /** Absent: without end. */
  expiresAtMs?: number;
  keyUsage: number;
}

/** The bit of key usage for signatures, at the place that X.509 has it. Inferred: see above. */
export const ZSE_USAGE_SIGNATURE = 0x80;

/** Type, curve and hash of the certificates of suite 2 that were seen. */
const SUITE_2_TYPE = 0x00;
const SUITE_2_CURVE = 0x0d;
const SUITE_2_HASH = 0x08;
const LIFE_WITHOUT_END = 0xffff_ffff;

/** A CA that is trusted for a suite. */
export interface ZseCaKey {
  /** EUI-64, 16 lower-case digits. */
  issuer: string;
  suite: ZseSuiteNumber;
  /** Compressed: 22 octets in suite 1, 37 in suite 2. */
  publicKey: Uint8Array;
}

/** `undefined` where the bytes are no certificate of the suite. */
export function decodeZseCertificate(
  suiteNumber: ZseSuiteNumber,
  bytes: Uint8Array,
): ZseCertificate | undefined {
  const suite = ZSE_SUITES[suiteNumber];
  if (bytes.length !== suite.certificateBytes) return undefined;
  const reader = new ByteReader(bytes);
  return suiteNumber === 1 ? decodeSuite1(suite, reader) : decodeSuite2(suite, reader);
}

/** `undefined` where either point is none, or the sum is nobody's public key. */
export function zsePublicKey(
  { suite, bytes, reconstruction }: ZseCertificate,
  caPublicKey: Uint8Array,
): SectPoint | undefined {
  const { curve } = suite;
  const point = decompressPoint(curve, reconstruction);
  const caPoint = decompressPoint(curve, caPublicKey);
  if (!point || !caPoint || !isPublicKey(curve, caPoint)) return undefined;
  const publicKey = combine(curve, [
    [integerOf(aesMmo(bytes)), point],
    [1n, caPoint],
  ]);
  return publicKey && isPublicKey(curve, publicKey) ? publicKey : undefined;
}

/** The point 22, subject 8, issuer 8, and 10 octets that the issuer chooses. */
function decodeSuite1(suite: ZseSuite, reader: ByteReader): ZseCertificate {
  const reconstruction = reader.view(1 + suite.curve.fieldBytes);
  const subject = encodeHex(reader.view(8));
  const issuer = encodeHex(reader.view(8));
  return { suite, bytes: reader.bytes, subject, issuer, reconstruction };
}

/**
 * Type 1, serial number 8, curve 1, hash 1, issuer 8, date of issue 5 (seconds since 1970), life 4
 * (seconds), subject 8, key usage 1, the point 37. Integers are big-endian.
 */
function decodeSuite2(suite: ZseSuite, reader: ByteReader): ZseCertificate | undefined {
  const type = reader.u8();
  const serialNumber = encodeHex(reader.view(8));
  const curve = reader.u8();
  const hash = reader.u8();
  const issuer = encodeHex(reader.view(8));
  const issuedAtMs = (reader.u8() * 2 ** 32 + reader.u32be()) * 1000;
  const lifeS = reader.u32be();
  const subject = encodeHex(reader.view(8));
  const keyUsage = reader.u8();
  const reconstruction = reader.view(1 + suite.curve.fieldBytes);
  if (type !== SUITE_2_TYPE || curve !== SUITE_2_CURVE || hash !== SUITE_2_HASH) return undefined;
  const details: ZseCertificateDetails = { serialNumber, issuedAtMs, keyUsage };
  if (lifeS !== LIFE_WITHOUT_END) details.expiresAtMs = issuedAtMs + lifeS * 1000;
  return { suite, bytes: reader.bytes, subject, issuer, reconstruction, details };
}
