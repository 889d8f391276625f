/**
 * Names in certificates (X.501; RFC 5280, 4.1.2.4), and the text that XML signatures name an issuer
 * by. A name chains by its octets. With text the order of the parts and blanks do not count: both
 * `CN=Z1,OU=07` and `CN=Z1, OU=07` occur for what the certificate writes the other way around.
 */
import { encodeHex } from '../bytes/hex.ts';
import { type Der, oidOf, TAGS, wholeBitsOf } from './der.ts';

export interface DistinguishedName {
  /** Compared when certificates chain. */
  der: Uint8Array;
  attributes: readonly NameAttribute[];
}

export interface NameAttribute {
  oid: string;
  /** Text; of a unique identifier, hexadecimal digits. */
  value: string;
}

export const ATTRIBUTES = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
} as const;

/** SMKI puts the EUI-64 here, a BIT STRING of 8 octets. */
const UNIQUE_IDENTIFIER = '2.5.4.45';

const ATTRIBUTES_MAX = 16;
const VALUE_OCTETS_MAX = 256;

const TEXT_TAGS: ReadonlySet<number> = new Set([
  TAGS.utf8String,
  TAGS.printableString,
  TAGS.ia5String,
]);

export function readName(node: Der | undefined): DistinguishedName | undefined {
  if (node?.tag !== TAGS.sequence || node.parts.length > ATTRIBUTES_MAX) return undefined;
  const attributes: NameAttribute[] = [];
  for (const set of node.parts) {
    // Several attributes in one set: SMKI has none, and text forms disagree on them.
    const [pair, ...others] = set.parts;
    if (set.tag !== TAGS.set || pair?.tag !== TAGS.sequence || others.length > 0) return undefined;
    const attribute = readAttribute(pair);
    if (!attribute) return undefined;
    attributes.push(attribute);
  }
  return { der: node.bytes, attributes };
}

/** The EUI-64 that SMKI names a subject by: 16 lower-case digits. */
export function eui64Of({ attributes }: DistinguishedName): string | undefined {
  const found = attributes.filter(({ oid }) => oid === UNIQUE_IDENTIFIER);
  return found.length === 1 && /^[0-9a-f]{16}$/.test(found[0]!.value) ? found[0]!.value : undefined;
}

/** The role: SMKI writes it as the organisational unit, two hexadecimal digits. */
export function roleOf({ attributes }: DistinguishedName): string | undefined {
  const found = attributes.filter(({ oid }) => oid === ATTRIBUTES.OU);
  return found.length === 1 ? found[0]!.value.toUpperCase() : undefined;
}

/** For people. */
export function nameText({ attributes }: DistinguishedName): string {
  return attributes.map(({ oid, value }) => `${shortName(oid)}=${value}`).join(',');
}

/** Whether `text` names the same attributes, in any order. */
export function matchesNameText({ attributes }: DistinguishedName, text: string): boolean {
  const wanted = text.split(',').map((part) => {
    const [name, ...value] = part.split('=');
    return `${name!.trim().toUpperCase()}=${value.join('=').trim()}`;
  });
  const own = attributes.map(({ oid, value }) => `${shortName(oid).toUpperCase()}=${value.trim()}`);
  return wanted.length === own.length && sorted(wanted) === sorted(own);
}

export function sameName(left: DistinguishedName, right: DistinguishedName): boolean {
  return Buffer.compare(left.der, right.der) === 0;
}

function readAttribute(pair: Der): NameAttribute | undefined {
  const [type, value, ...others] = pair.parts;
  const oid = oidOf(type);
  if (!oid || !value || others.length > 0 || value.content.length > VALUE_OCTETS_MAX) {
    return undefined;
  }
  if (oid === UNIQUE_IDENTIFIER) {
    const octets = wholeBitsOf(value);
    return octets && { oid, value: encodeHex(octets) };
  }
  if (!TEXT_TAGS.has(value.tag)) return undefined;
  const text = Buffer.from(value.content).toString('utf8');
  // Octets that are no UTF-8, and control characters, would read as something else.
  if (Buffer.compare(Buffer.from(text), value.content) !== 0) return undefined;
  return hasControlCharacter(text) ? undefined : { oid, value: text };
}

function hasControlCharacter(text: string): boolean {
  return [...text].some(
    (character) => character < ' ' || (character >= '\x7f' && character < '\xa0'),
  );
}

function shortName(oid: string): string {
  return Object.entries(ATTRIBUTES).find(([, value]) => value === oid)?.[0] ?? oid;
}

function sorted(parts: readonly string[]): string {
  return JSON.stringify([...parts].sort());
}
