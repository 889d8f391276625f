/** Documents of the DCC User Interface, and who signs them, as the commands are told of them. */
import { statSync, writeFileSync } from 'node:fs';
import { anchorsOf } from '../dcc/service-users.ts';
import { REQUEST_BYTES_MAX } from '../duis/request-reader.ts';
import { readRequestId } from '../duis/schema-values.ts';
import type { RequestId } from '../duis/service-request.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { replaceDurably } from '../gateway/durable-file.ts';
import { loadSigningIdentity } from '../gateway/signing-identity.ts';
import { loadCertificates, loadRevocationLists } from '../gateway/trust-documents.ts';
import { nameText } from '../trust/distinguished-name.ts';
import type { Certificate } from '../trust/x509.ts';
import type { KnownSigners } from '../trust/xml-signature.ts';
import type { XmlSigningIdentity } from '../trust/xml-signing.ts';
import { momentOf } from './inputs.ts';

export interface SignerOptions {
  certificate?: string[];
  anchors?: string;
  crl?: string[];
  at?: string;
}

/** What a document is refused for, and where in it. */
export interface DocumentFault {
  code: string;
  message: string;
  line: number;
  column: number;
  element?: string;
  actual?: string;
}

/** A file, or stdin for `-`. @throws UpliftError */
export async function readDocument(path: string, bytesMax = REQUEST_BYTES_MAX) {
  if (path !== '-') return readBounded(path, bytesMax, 'a document of the DCC User Interface');
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of process.stdin as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new UpliftError('file-too-large', 'what comes from stdin is too large', {
        expected: `at most ${bytesMax} bytes`,
        actual: 'more',
        next: 'check that this is the right document',
      });
    }
    pieces.push(piece);
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

/** To a file, whole or not at all, or as it is to stdout. @throws UpliftError */
export function writeDocument(bytes: Uint8Array, out: string | undefined): void {
  if (out === undefined || out === '-') {
    process.stdout.write(bytes);
    return;
  }
  try {
    const isPipe = statSync(out, { throwIfNoEntry: false })?.isFile() === false;
    if (isPipe) writeFileSync(out, bytes);
    else replaceDurably(out, bytes);
  } catch (cause) {
    throw new UpliftError('file-unwritable', `${out} cannot be written`, {
      expected: 'a path to which this user may write',
      actual: (cause as NodeJS.ErrnoException).code ?? 'something else',
      next: 'name another with --out',
      cause,
    });
  }
}

/** @throws UpliftError */
export function identityOf({ certificate, key }: { certificate: string; key: string }) {
  return loadSigningIdentity({ certificateFile: certificate, keyFile: key });
}

export function momentIn({ at }: Pick<SignerOptions, 'at'>): number {
  return at === undefined ? Date.now() : momentOf('--at', at);
}

/** Of what was named on the command line. @throws UpliftError */
export function signersIn(options: SignerOptions): KnownSigners {
  const { certificate = [], anchors, crl } = options;
  return {
    certificates: loadCertificates(certificate),
    anchors: anchorsOf(anchors),
    ...(crl ? { crls: loadRevocationLists(crl) } : {}),
    atMs: momentIn(options),
  };
}

export function certificateText(certificate: Certificate): string {
  const { subject, serialDecimal, eui64, role, notAfterMs } = certificate;
  const as = role === undefined ? '' : `, role ${role}`;
  const who = eui64 === undefined ? nameText(subject) : `EUI-64 ${eui64}${as}`;
  const until = new Date(notAfterMs).toISOString().slice(0, 10);
  return `${who}, serial number ${serialDecimal}, valid to ${until}`;
}

export function certificateDocument(certificate: Certificate) {
  const { subject, issuer, serialDecimal, eui64, role, fingerprint } = certificate;
  const names = { subject: nameText(subject), issuer: nameText(issuer) };
  return { ...names, serialNumber: serialDecimal, eui64, role, fingerprint };
}

export function signerOf({ certificate }: XmlSigningIdentity) {
  return certificateDocument(certificate);
}

export function placeText({ line, column, element }: DocumentFault): string {
  return `line ${line}, column ${column}${element === undefined ? '' : `, ${element}`}`;
}

/** The document is not what it is to be: exit code 3. */
export function refusedDocument(fault: DocumentFault, next: string): UpliftError {
  const { code, message, actual } = fault;
  return new UpliftError(code, message, {
    expected: 'a document of the DCC User Interface that is taken',
    actual: `${actual === undefined ? '' : `${actual}, `}${placeText(fault)}`,
    next,
    exit: EXIT.refused,
  });
}

/** The names of elements may have any prefix. */
const REQUEST_ID = /<(?:[\w.-]+:)?RequestID\s*>([^<]{1,256})</d;
/** The header is here; nobody need look through an image. */
const HEADER_CHARACTERS = 65_536;

/** As it stands in the header, unread otherwise; `undefined` where there is none. */
export function requestIdIn(document: Uint8Array): RequestId | undefined {
  return readRequestId(requestIdText(document)?.text ?? '');
}

/** The same document with another counter, which its author wrote and nobody signed yet. */
export function withCounter(document: Uint8Array, counter: bigint): Uint8Array {
  const found = requestIdText(document);
  if (!found) return document;
  const { text, from, until } = found;
  const changed = text.replace(/[0-9]+(?=\s*$)/, `${counter}`);
  const pieces = [document.subarray(0, from), Buffer.from(changed), document.subarray(until)];
  return Uint8Array.from(Buffer.concat(pieces));
}

/** The first that is in no comment. */
function requestIdText(document: Uint8Array) {
  // A character an octet, whatever they mean, so that places are those of the document.
  const head = Buffer.from(document.subarray(0, HEADER_CHARACTERS)).toString('latin1');
  const bare = head.replace(/<!--[\s\S]*?-->/g, (comment) => ' '.repeat(comment.length));
  const [from, until] = REQUEST_ID.exec(bare)?.indices?.[1] ?? [];
  if (from === undefined || until === undefined) return undefined;
  return { text: head.slice(from, until), from, until };
}
