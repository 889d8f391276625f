/** `uplift duis sign`: puts the signature of a Service User into a request, or into a response. */
import { readUnsignedRequest } from '../duis/request-reader.ts';
import { readUnverifiedResponse } from '../duis/response-reader.ts';
import type { RequestId } from '../duis/service-request.ts';
import { assert, EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { XmlSigningIdentity } from '../trust/xml-signing.ts';
import { signXml } from '../trust/xml-signing.ts';
import {
  certificateText,
  identityOf,
  readDocument,
  refusedDocument,
  signerOf,
  withCounter,
  writeDocument,
} from './duis-documents.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export interface SignOptions {
  certificate: string;
  key: string;
  counter: string;
  out?: string;
}

const COUNTERS = ['keep', 'now'];

export async function sign(path: string, options: SignOptions, output: Output): Promise<ExitCode> {
  const { counter, out } = options;
  if (!COUNTERS.includes(counter)) throw usage('--counter', COUNTERS.join(' or '), counter);
  const identity = identityOf(options);
  const written = await readDocument(path);
  const now = counter === 'now' ? BigInt(Date.now()) : undefined;
  const document = now === undefined ? written : withCounter(written, now);
  checkDocument(document, identity, now);
  const signed = signXml(document, identity);
  if (!signed.ok) throw refusedDocument(signed, 'sign the document as it was made');
  const signer = signerOf(identity);
  if (output.json) {
    const text = out === undefined ? { document: new TextDecoder().decode(signed.bytes) } : { out };
    if (out !== undefined) writeDocument(signed.bytes, out);
    output.result({ signer, bytes: signed.bytes.length, ...text }, []);
    return EXIT.done;
  }
  writeDocument(signed.bytes, out);
  if (out !== undefined && out !== '-') {
    output.result({}, [`${out}: signed by ${certificateText(identity.certificate)}`]);
  }
  return EXIT.done;
}

/** Nobody takes what is malformed, or signed by another than its originator. @throws UpliftError */
function checkDocument(
  document: Uint8Array,
  identity: XmlSigningIdentity,
  counter: bigint | undefined,
): void {
  const read = readUnsignedRequest(document);
  if (read.ok) {
    const { requestId } = read.unsigned.header;
    assert(counter === undefined || requestId.counter === counter, 'the counter is the new one');
    checkOriginator(requestId, identity);
    return;
  }
  if (read.code !== 'request-other-root') {
    throw refusedDocument(read, 'correct it at that place, then sign it');
  }
  const response = readUnverifiedResponse(document);
  if (!response.ok) throw refusedDocument(response, 'name a Request, or a Response');
  if (counter !== undefined) throw usage('--counter', 'keep, for a Response', 'now');
}

function checkOriginator({ originator }: RequestId, { certificate }: XmlSigningIdentity): void {
  if (certificate.eui64 === originator) return;
  throw new UpliftError('originator-differs', 'the signer is not the originator of the request', {
    expected: `the certificate of ${originator}`,
    actual: `that of ${certificate.eui64 ?? 'nobody with an EUI-64'}`,
    next: 'sign as the originator, or correct the RequestID',
    exit: EXIT.refused,
  });
}
