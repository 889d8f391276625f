/**
 * What an admission is worth: leave to send these very bytes, and no others.
 *
 * A token names the SHA-256 of exactly what is sent. Whoever is about to send holds its own buffer
 * against the token at the last moment before the first byte leaves, and sends from that buffer and
 * nothing else. So it does not matter what became of the file since: written over, replaced by a link or by
 * another file of its name, it either reads as the same bytes or is not sent.
 *
 * A token is no secret and no signature: it travels between our own processes, beside the bytes.
 */
import { sha256Hex } from '../trust/digest.ts';
import type { ImageFacts } from './facts.ts';

export interface AdmissionToken {
  /** SHA-256 of what is sent: 64 lower-case digits. */
  sha256: string;
  /** Of what is sent. */
  bytes: number;
}

export type TokenCheck =
  | { ok: true }
  | { ok: false; code: 'image-changed'; expected: string; actual: string };

export function tokenFor(image: ImageFacts): AdmissionToken {
  const bytes = image.kind === 'ota' ? image.header.totalImageBytes : image.sendBytes;
  return { sha256: image.sendSha256, bytes };
}

/** Hashes the buffer: once for each that is about to be sent from, not for each device. */
export function checkBytes(token: AdmissionToken, bytes: Uint8Array): TokenCheck {
  if (bytes.length !== token.bytes) {
    return changed(`${token.bytes} bytes`, `${bytes.length} bytes`);
  }
  const sha256 = sha256Hex(bytes);
  return sha256 === token.sha256 ? { ok: true } : changed(`SHA-256 ${token.sha256}`, sha256);
}

function changed(expected: string, actual: string): TokenCheck {
  return { ok: false, code: 'image-changed', expected, actual };
}
