/**
 * A certificate that stands for nothing but its key: self-signed, version 3, P-256, for a client of TLS
 * that is known by the SHA-256 of its certificate (RFC 5280; RFC 5480; RFC 5758, 3.2).
 *
 * Nobody vouches for the name in it. It is there so that a person who sees the certificate knows whose
 * it is.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { assert } from '../errors.ts';
import { contextTag, encodeDer, encodeOid, TAGS } from './der.ts';
import { sha256Hex } from './digest.ts';
import { ATTRIBUTES } from './distinguished-name.ts';

export interface SelfSignedRequest {
  /** 1 to 64 characters (RFC 5280, ub-common-name). */
  commonName: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** Random: 8 to 19 octets, so that it is unique without a register (RFC 5280, 4.1.2.2). */
  serial: Uint8Array;
}

/** An expiry that is none (RFC 5280, 4.1.2.5): 31 December 9999, 23:59:59. */
export const NO_EXPIRY_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const EXTENSIONS = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** UTCTime up to then, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
const UTC_TIME_ENDS_YEAR = 2050;
const PEM_LINE_CHARACTERS = 64;

/** A new private key on P-256, PKCS #8 in PEM. */
export function newP256Key(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The certificate in PEM. */
export function selfSigned(privateKey: KeyObject, request: SelfSignedRequest): string {
  const { commonName, notBeforeMs, notAfterMs, serial } = request;
  assert(privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1', 'the key is on P-256');
  assert(serial.length >= 8 && serial.length <= 19, 'a serial number of 8 to 19 octets');
  assert(commonName.length >= 1 && commonName.length <= 64, 'a name of 1 to 64 characters');
  assert(notBeforeMs <= notAfterMs, 'it begins before it ends');
  const algorithm = sequence(encodeOid(ECDSA_WITH_SHA256));
  const name = nameOf(commonName);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const body = sequence(
    encodeDer(contextTag(0), encodeDer(TAGS.integer, Uint8Array.of(2))),
    // Above zero and in its shortest form, whatever the octets are.
    encodeDer(TAGS.integer, Uint8Array.of(0x01), serial),
    algorithm,
    name,
    sequence(timeOf(notBeforeMs), timeOf(notAfterMs)),
    name,
    publicKey,
    encodeDer(contextTag(3), extensionsOf(privateKey)),
  );
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' });
  return pemOf('CERTIFICATE', sequence(body, algorithm, bitString(0, signature)));
}

function nameOf(commonName: string): Uint8Array {
  const value = encodeDer(TAGS.utf8String, Buffer.from(commonName));
  return sequence(encodeDer(TAGS.set, sequence(encodeOid(ATTRIBUTES.CN), value)));
}

function timeOf(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  const isUtc = Number(digits.slice(0, 4)) < UTC_TIME_ENDS_YEAR;
  return isUtc
    ? encodeDer(TAGS.utcTime, Buffer.from(digits.slice(2)))
    : encodeDer(TAGS.generalizedTime, Buffer.from(digits));
}

function extensionsOf(privateKey: KeyObject): Uint8Array {
  // RFC 7093, 2, method 1: of the SHA-256 of the key's point, the leftmost 160 bits.
  const point = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-65);
  const keyId = Buffer.from(sha256Hex(point), 'hex').subarray(0, 20);
  return sequence(
    extension(EXTENSIONS.basicConstraints, true, sequence()),
    // The first named bit is the highest of its octet.
    extension(EXTENSIONS.keyUsage, true, bitString(7, Uint8Array.of(0x80))),
    extension(EXTENSIONS.extendedKeyUsage, false, sequence(encodeOid(CLIENT_AUTH))),
    extension(EXTENSIONS.subjectKeyId, false, encodeDer(TAGS.octetString, keyId)),
  );
}

function extension(oid: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [encodeDer(TAGS.boolean, Uint8Array.of(0xff))] : [];
  return sequence(encodeOid(oid), ...critical, encodeDer(TAGS.octetString, value));
}

function bitString(unusedBits: number, octets: Uint8Array): Uint8Array {
  return encodeDer(TAGS.bitString, Uint8Array.of(unusedBits), octets);
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encodeDer(TAGS.sequence, ...parts);
}

function pemOf(label: string, der: Uint8Array): string {
  const digits = Buffer.from(der).toString('base64');
  const lines = digits.match(new RegExp(`.{1,${PEM_LINE_CHARACTERS}}`, 'g'))!;
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
