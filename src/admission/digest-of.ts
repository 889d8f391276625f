/** One SHA-256 for a fact of any shape, so that two can be told apart without keeping either. */
import { sha256Hex } from '../trust/digest.ts';

/**
 * The same for equal values, whatever the order of their keys; absent and `undefined` are the same.
 * Maps are left out: in facts they are indices of what is there beside them.
 */
export function digestOf(value: unknown): string {
  return sha256Hex(new TextEncoder().encode(JSON.stringify(value, plain) ?? ''));
}

/** Of what many decisions share and nobody changes, such as a list with thousands of entries: made once. */
export function sharedDigestOf(value: object): string {
  const known = DIGESTS.get(value);
  if (known !== undefined) return known;
  const digest = digestOf(value);
  DIGESTS.set(value, digest);
  return digest;
}

const DIGESTS = new WeakMap<object, string>();

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (value instanceof Uint8Array) return sha256Hex(value);
  if (value instanceof Set) return [...value].map(String).sort();
  if (value instanceof Map) return undefined;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
