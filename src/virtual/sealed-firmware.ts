/**
 * How the maker of the virtual PPMID lets it tell a good Manufacturer Image from a damaged one: the image
 * ends with a mark and the SHA-256 of all before them. What real makers do is theirs (GBCS leaves it to
 * them); this stands in for it, so that a wrong byte is found by the device as well.
 */
import { createHash } from 'node:crypto';

const MARK = new TextEncoder().encode('UPLIFTSEAL-TEST!');
const SHA256_BYTES = 32;
export const SEAL_BYTES = MARK.length + SHA256_BYTES;

/** A Manufacturer Image of `payload` and its seal. */
export function sealFirmware(payload: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(payload.length + SEAL_BYTES);
  sealed.set(payload);
  sealed.set(MARK, payload.length);
  sealed.set(digest(payload), payload.length + MARK.length);
  return sealed;
}

export function checkSeal(manufacturerImage: Uint8Array): 'intact' | 'damaged' | 'absent' {
  const payloadBytes = manufacturerImage.length - SEAL_BYTES;
  if (payloadBytes < 0) return 'absent';
  const mark = manufacturerImage.subarray(payloadBytes, payloadBytes + MARK.length);
  if (!MARK.every((byte, index) => mark[index] === byte)) return 'absent';
  const expected = digest(manufacturerImage.subarray(0, payloadBytes));
  const found = manufacturerImage.subarray(payloadBytes + MARK.length);
  return expected.every((byte, index) => found[index] === byte) ? 'intact' : 'damaged';
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
