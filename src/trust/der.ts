/**
 * DER as a tree (ITU-T X.690): the one file that node-forge enters through. 1.4.0 is the oldest
 * version to use: the ones before it recurse without end and read numbers wrongly
 * (CVE-2025-66031, CVE-2026-33891).
 *
 * node-forge reads BER, and leniently. So what it read is written again and has to be what came in:
 * then there is one way to read it, and the octets of every part are known by their place. Refused
 * beside that: tags of more than one octet, strings in pieces, sets and sequences that are not
 * constructed. Parts are views of the caller's bytes.
 */
/// <reference path="./node-forge.d.ts" />
import forge, { type Asn1Node } from 'node-forge';

export interface Der {
  /** The first octet: class, whether constructed, number. See `TAGS`. */
  tag: number;
  /** Tag and length included. */
  bytes: Uint8Array;
  /** Without them; of a constructed one as well. */
  content: Uint8Array;
  /** Of a constructed one. */
  parts: readonly Der[];
}

export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A context-specific tag, `[number]`. */
export function contextTag(number: number, constructed = true): number {
  return 0x80 | (constructed ? CONSTRUCTED : 0) | number;
}

const CLASS = 0xc0;
const CONSTRUCTED = 0x20;
const NUMBER = 0x1f;

/** More than a certificate in a CMS message in a PKCS#12 file needs. */
const DEPTH_MAX = 24;

/** The one value that `bytes` is; `undefined` where it is none in DER, or longer than `bytesMax`. */
export function decodeDer(bytes: Uint8Array, bytesMax: number): Der | undefined {
  if (bytes.length > bytesMax) return undefined;
  const text = binaryText(bytes);
  let root: Asn1Node;
  try {
    root = forge.asn1.fromDer(text, {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
      maxDepth: DEPTH_MAX,
    });
    if (forge.asn1.toDer(root).getBytes() !== text) return undefined;
  } catch {
    // It throws for whatever it cannot read, with texts that are no contract.
    return undefined;
  }
  return place(root, bytes, 0);
}

/** One value in DER: its parts one after the other, or the octets of a primitive one. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const node = {
    tagClass: tag & CLASS,
    // With the bit of a constructed one: node-forge itself sets that for a list of nodes alone.
    type: tag & ~CLASS,
    constructed: (tag & CONSTRUCTED) !== 0,
    value: binaryText(Buffer.concat(parts)),
  };
  return binaryBytes(forge.asn1.toDer(node).getBytes());
}

/** An OBJECT IDENTIFIER from its form in dots. */
export function encodeOid(dotted: string): Uint8Array {
  return encodeDer(TAGS.oid, binaryBytes(forge.asn1.oidToDer(dotted).getBytes()));
}

/** The key that a password gives (RFC 7292, appendix B.2); `id` 3 is for the seal. */
export function pkcs12Key(
  password: string,
  salt: Uint8Array,
  id: 1 | 2 | 3,
  iterations: number,
  digest: { name: 'sha1' | 'sha256' | 'sha384' | 'sha512'; bytes: number },
): Uint8Array {
  const buffer = forge.util.createBuffer(binaryText(salt));
  const made = forge.md[digest.name].create().start();
  const key = forge.pkcs12.generateKey(password, buffer, id, iterations, digest.bytes, made);
  return binaryBytes(key.getBytes());
}

/** The tree with its places; `undefined` where a node is of a kind that is refused. */
function place(node: Asn1Node, bytes: Uint8Array, start: number): Der | undefined {
  const tag = node.tagClass | (node.constructed ? CONSTRUCTED : 0) | node.type;
  const universal = (tag & CLASS) === 0;
  const container = universal && (node.type === 0x10 || node.type === 0x11);
  if (node.type === NUMBER || (universal && node.constructed !== container)) return undefined;
  const contentStart = start + headBytes(bytes, start);
  let end = contentStart;
  const parts: Der[] = [];
  if (typeof node.value === 'string') {
    // node-forge takes any class's type 30 for a string of two octets a character.
    end += (node.type === TAGS.bmpString ? 2 : 1) * node.value.length;
  } else {
    for (const child of node.value) {
      const part = place(child, bytes, end);
      if (!part) return undefined;
      parts.push(part);
      end += part.bytes.length;
    }
  }
  return {
    tag,
    bytes: bytes.subarray(start, end),
    content: bytes.subarray(contentStart, end),
    parts,
  };
}

/** Octets of tag and length: what was read is known to be DER. */
function headBytes(bytes: Uint8Array, start: number): number {
  const first = bytes[start + 1]!;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function binaryBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** The parts of a node of this tag, and none of any other: what is read has a tag that was looked at. */
export function partsOf(node: Der | undefined, tag: number = TAGS.sequence): readonly Der[] {
  return node?.tag === tag ? node.parts : [];
}

/** A non-negative INTEGER; `undefined` for any other. */
export function unsignedOf(node: Der | undefined): bigint | undefined {
  if (node?.tag !== TAGS.integer || node.content.length === 0 || node.content[0]! >= 0x80) {
    return undefined;
  }
  return BigInt(`0x${Buffer.from(node.content).toString('hex')}`);
}

/** An OBJECT IDENTIFIER in dots; `undefined` for what is none, or has an arc beyond 2^53. */
export function oidOf(node: Der | undefined): string | undefined {
  if (node?.tag !== TAGS.oid || node.content.length === 0) return undefined;
  const arcs: number[] = [];
  let arc = 0;
  for (const [at, octet] of node.content.entries()) {
    const isFirst = at === 0 || node.content[at - 1]! < 0x80;
    if (isFirst && octet === 0x80) return undefined;
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) return undefined;
    if (octet >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)));
    arcs.push(arcs.length === 1 ? arc - 40 * arcs[0]! : arc);
    arc = 0;
  }
  if (node.content.at(-1)! >= 0x80) return undefined;
  return arcs.join('.');
}

/** The name of an AlgorithmIdentifier that has no parameters, or NULL for them. */
export function plainAlgorithmOf(node: Der | undefined): string | undefined {
  const [name, parameters, ...others] = partsOf(node);
  if (others.length > 0) return undefined;
  const isNull = parameters?.tag === TAGS.null && parameters.content.length === 0;
  return parameters && !isNull ? undefined : oidOf(name);
}

/** The octets of a BIT STRING of whole octets. */
export function wholeBitsOf(node: Der | undefined): Uint8Array | undefined {
  if (node?.tag !== TAGS.bitString || node.content[0] !== 0) return undefined;
  return node.content.subarray(1);
}

/** The bits of a BIT STRING, the first one lowest, as named bits are counted; 32 at most. */
export function namedBitsOf(node: Der | undefined): number | undefined {
  if (node?.tag !== TAGS.bitString) return undefined;
  const unused = node.content[0];
  const octets = node.content.subarray(1);
  if (unused === undefined || unused > 7 || octets.length > 4) return undefined;
  if (octets.length === 0) return unused === 0 ? 0 : undefined;
  let bits = 0;
  for (let bit = 0; bit < 8 * octets.length; bit++) {
    if ((octets[bit >> 3]! >> (7 - (bit & 7))) & 1) bits |= 1 << bit;
  }
  // DER: unused bits are zero, and the last used one is set (X.690, 11.2).
  const last = 8 * octets.length - unused - 1;
  return bits >>> last === 1 ? bits >>> 0 : undefined;
}

export function booleanOf(node: Der | undefined): boolean | undefined {
  if (node?.tag !== TAGS.boolean || node.content.length !== 1) return undefined;
  if (node.content[0] === 0xff) return true;
  return node.content[0] === 0 ? false : undefined;
}

/** UTCTime or GeneralizedTime in the one form that RFC 5280, 4.1.2.5 allows; ms. */
export function timeMsOf(node: Der | undefined): number | undefined {
  if (!node) return undefined;
  const text = String.fromCharCode(...node.content.subarray(0, 16));
  const form =
    node.tag === TAGS.utcTime
      ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
      : node.tag === TAGS.generalizedTime
        ? /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
        : undefined;
  const found = form?.exec(text);
  if (!found || text.length !== node.content.length) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const century = node.tag === TAGS.utcTime ? (year >= 50 ? 1900 : 2000) : 0;
  const ms = Date.UTC(century + year, month - 1, day, hour, minute, second);
  const date = new Date(ms);
  // A 31 February would be one in March.
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && hour < 24 && minute < 60 && second < 60 ? ms : undefined;
}
