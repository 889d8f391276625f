/**
 * A naive maker of certificates and revocation lists, for tests: DER as arrays of numbers, written
 * from RFC 5280 alone, signed by node. Every field can be made wrong.
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { testKey } from '../../firmware/test-material.ts';

export function tlv(tag: number, ...parts: readonly (readonly number[] | Uint8Array)[]): number[] {
  const content = parts.flatMap((part) => [...part]);
  const { length } = content;
  if (length < 128) return [tag, length, ...content];
  const octets = [...Buffer.from(length.toString(16).padStart(length > 255 ? 4 : 2, '0'), 'hex')];
  if (length > 0xffff)
    octets.splice(0, 2, ...Buffer.from(length.toString(16).padStart(6, '0'), 'hex'));
  return [tag, 0x80 | octets.length, ...octets, ...content];
}

export const seq = (...parts: readonly (readonly number[] | Uint8Array)[]) => tlv(0x30, ...parts);

export function int(value: bigint | number): number[] {
  let digits = value.toString(16);
  if (digits.length % 2) digits = `0${digits}`;
  const octets = [...Buffer.from(digits, 'hex')];
  return tlv(0x02, octets[0]! >= 0x80 ? [0, ...octets] : octets);
}

export function oid(dotted: string): number[] {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]];
  const arcs = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      septets.unshift(0x80 | (left & 0x7f));
    }
    return septets;
  });
  return tlv(0x06, arcs);
}

export const text = (value: string, tag = 0x0c) => tlv(tag, [...Buffer.from(value)]);
export const bits = (octets: readonly number[] | Uint8Array, unused = 0) =>
  tlv(0x03, [unused], octets);

export function time(ms: number): number[] {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  const year = Number(digits.slice(0, 4));
  return year < 2050 ? text(digits.slice(2), 0x17) : text(digits, 0x18);
}

/** `[['CN', 'Z1'], ['OU', '07']]`; `EUI` is the unique identifier. */
export type NameSpec = readonly (readonly [string, string])[];

const NAMES: Record<string, string> = {
  CN: '2.5.4.3',
  OU: '2.5.4.11',
  O: '2.5.4.10',
  EUI: '2.5.4.45',
};

export function name(spec: NameSpec): number[] {
  return seq(
    ...spec.map(([type, value]) => {
      const coded = type === 'EUI' ? bits([...Buffer.from(value, 'hex')]) : text(value);
      return tlv(0x31, seq(oid(NAMES[type]!), coded));
    }),
  );
}

/** Named bits, the first one given as 1. */
export function usageBits(usage: number): number[] {
  let octet = 0;
  for (let bit = 0; bit < 8; bit++) if ((usage >> bit) & 1) octet |= 0x80 >> bit;
  let unused = 0;
  while (unused < 8 && !((octet >> unused) & 1)) unused++;
  return octet === 0 ? bits([]) : bits([octet], unused);
}

export const USAGE = { sign: 1, agree: 16, certSign: 32, crlSign: 64 } as const;
export const ECDSA_SHA256 = seq(oid('1.2.840.10045.4.3.2'));

export interface CertificateSpec {
  /** Phrases that keys are made from. */
  key: string;
  signedBy: string;
  subject: NameSpec;
  issuer: NameSpec;
  serial?: bigint;
  fromMs?: number;
  untilMs?: number;
  usage?: number | null;
  ca?: boolean | { pathLength: number };
  keyIds?: boolean;
  extra?: readonly number[][];
  algorithm?: number[];
  outerAlgorithm?: number[];
  version?: number[];
  spki?: number[];
}

export const FROM_MS = Date.UTC(2024, 0, 1);
export const UNTIL_MS = Date.UTC(2030, 0, 1) - 1000;

export function extension(id: string, critical: boolean, value: readonly number[]): number[] {
  return seq(oid(id), critical ? tlv(0x01, [0xff]) : [], tlv(0x04, value));
}

export function certificate(spec: CertificateSpec): Uint8Array {
  const spki = spec.spki ?? [
    ...testKey(spec.key).publicKey.export({ type: 'spki', format: 'der' }),
  ];
  const usage =
    spec.usage === undefined ? (spec.ca ? USAGE.certSign | USAGE.crlSign : USAGE.sign) : spec.usage;
  const pathLength = typeof spec.ca === 'object' ? int(spec.ca.pathLength) : [];
  const extensions = [
    ...(usage === null ? [] : [extension('2.5.29.15', true, usageBits(usage))]),
    ...(spec.ca ? [extension('2.5.29.19', true, seq(tlv(0x01, [0xff]), pathLength))] : []),
    ...(spec.keyIds === false
      ? []
      : [
          extension('2.5.29.14', false, tlv(0x04, keyId(spec.key))),
          extension('2.5.29.35', false, seq(tlv(0x80, keyId(spec.signedBy)))),
        ]),
    ...(spec.extra ?? []),
  ];
  const body = seq(
    spec.version ?? tlv(0xa0, int(2)),
    int(spec.serial ?? 0x1234n),
    spec.algorithm ?? ECDSA_SHA256,
    name(spec.issuer),
    seq(time(spec.fromMs ?? FROM_MS), time(spec.untilMs ?? UNTIL_MS)),
    name(spec.subject),
    spki,
    ...(extensions.length > 0 ? [tlv(0xa3, seq(...extensions))] : []),
  );
  return signed(body, spec.signedBy, spec.outerAlgorithm ?? spec.algorithm);
}

export interface CrlSpec {
  signedBy: string;
  issuer: NameSpec;
  revoked?: readonly bigint[];
  fromMs?: number;
  nextMs?: number;
  extra?: readonly number[][];
  entryExtra?: readonly number[][];
}

export function crl(spec: CrlSpec): Uint8Array {
  const entries = (spec.revoked ?? []).map((serial) =>
    seq(int(serial), time(FROM_MS), spec.entryExtra ? seq(...spec.entryExtra) : []),
  );
  const body = seq(
    int(1),
    ECDSA_SHA256,
    name(spec.issuer),
    time(spec.fromMs ?? FROM_MS),
    time(spec.nextMs ?? UNTIL_MS),
    entries.length > 0 ? seq(...entries) : [],
    spec.extra ? tlv(0xa0, seq(...spec.extra)) : [],
  );
  return signed(body, spec.signedBy);
}

export function pem(label: string, der: Uint8Array): string {
  const digits = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${digits}\n-----END ${label}-----\n`;
}

export function fingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

export function signRaw(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }));
}

function signed(body: number[], signedBy: string, algorithm = ECDSA_SHA256): Uint8Array {
  const key = testKey(signedBy).privateKey;
  const value = sign('sha256', Uint8Array.from(body), { key, dsaEncoding: 'der' });
  return Uint8Array.from(seq(body, algorithm, bits(value)));
}

function keyId(phrase: string): number[] {
  return [...createHash('sha1').update(phrase).digest().subarray(0, 8)];
}
