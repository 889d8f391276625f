/**
 * The one door to cbor-x. Out: plain CBOR as SMP servers take it, maps with short heads and byte strings
 * without tag 64 (the library's defaults write neither). In: one map, looked over by `scanCbor` first.
 */
import { Encoder } from 'cbor-x';
import { type CborRefusalCode, scanCbor } from '../../bytes/cbor-scan.ts';

/** A decoded map. Values are what their reader finds out they are. */
export type CborMap = Record<string, unknown>;

export type DecodedCborMap =
  | { ok: true; map: CborMap }
  | { ok: false; code: CborRefusalCode | 'not-a-map' | 'undecodable' };

const cbor = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
});

/** Keys in the order given; a key whose value is undefined is left out. The bytes are the caller's own. */
export function encodeCborMap(map: CborMap): Uint8Array {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined);
  // The library's results share one pool.
  return new Uint8Array(cbor.encode(Object.fromEntries(entries)));
}

/** The map that is exactly `bytes[start, end)`. Byte strings in it are copies. */
export function decodeCborMap(bytes: Uint8Array, start: number, end: number): DecodedCborMap {
  const scan = scanCbor(bytes, start, end);
  if (!scan.ok) return scan;
  if (bytes[start]! >> 5 !== 5) return { ok: false, code: 'not-a-map' };
  try {
    // Decoded byte strings share memory with the input: here with a copy that nobody else has.
    return { ok: true, map: cbor.decode(new Uint8Array(bytes.subarray(start, end))) as CborMap };
  } catch {
    return { ok: false, code: 'undecodable' };
  }
}
