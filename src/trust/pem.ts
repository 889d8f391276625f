/** PEM (RFC 7468): one block or several, of known labels, and nothing that could be read two ways. */
import { refuse, type TrustRefusal } from './codes.ts';

export interface PemBlock {
  label: string;
  der: Uint8Array;
}

/** Characters; a chain of a few certificates, or a revocation list. */
const PEM_CHARACTERS_MAX = 4 * 1024 * 1024;
const BLOCKS_MAX = 64;

/** One class for all that is between the lines: several that overlap would be tried in every way. */
const BLOCK =
  /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]+)-----END ([A-Z0-9 ]{1,40})-----/g;

/** Text between the blocks is passed over, as tools write it. */
export function parsePem(text: string): { ok: true; blocks: PemBlock[] } | TrustRefusal {
  if (text.length > PEM_CHARACTERS_MAX) return refuse('too-large');
  const blocks: PemBlock[] = [];
  for (const [, label, body, endLabel] of text.matchAll(BLOCK)) {
    const digits = body!.replace(/\s/g, '');
    if (label !== endLabel) return refuse('not-pem');
    const der = Buffer.from(digits, 'base64');
    // Padded as it should be, and no bits too many in the last digit: one file, one reading.
    if (der.length === 0 || der.toString('base64') !== digits) return refuse('not-pem');
    blocks.push({ label: label!, der: Uint8Array.from(der) });
    if (blocks.length > BLOCKS_MAX) return refuse('too-large');
  }
  const begun = text.split('-----BEGIN ').length - 1;
  return blocks.length > 0 && begun === blocks.length ? { ok: true, blocks } : refuse('not-pem');
}
