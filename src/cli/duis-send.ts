/** `uplift duis send`: posts a signed request over mutual TLS, and says what it is answered. */
import https from 'node:https';
import { requestIdText } from '../duis/identifiers.ts';
import {
  RESPONSE_BYTES_MAX,
  type ResponseSummary,
  readServiceResponse,
  readUnverifiedResponse,
} from '../duis/response-reader.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import type { Certificate } from '../trust/x509.ts';
import {
  readDocument,
  refusedDocument,
  requestIdIn,
  type SignerOptions,
  signersIn,
} from './duis-documents.ts';
import { responseDocument, responseLines } from './duis-lines.ts';
import { usage, wholeNumber } from './inputs.ts';
import type { Output } from './output.ts';

export interface SendOptions {
  to: string;
  certificate: string;
  key: string;
  ca?: string;
  signer?: string[];
  anchors?: string;
  at?: string;
  wait: string;
}

interface Received {
  status: number;
  type: string;
  body: Uint8Array;
}

const PEM_BYTES_MAX = 1024 * 1024;
const WAIT_S_MAX = 3_600;

export async function send(path: string, options: SendOptions, output: Output): Promise<ExitCode> {
  const url = urlOf(options.to);
  const { signer, anchors } = options;
  if ((signer === undefined) !== (anchors === undefined)) {
    throw usage('--signer', '--signer and --anchors, to check who answers', 'one of the two');
  }
  const request = await readDocument(path);
  const received = await post(url, request, options);
  const { response, by } = answerIn(received, options);
  checkAbout(request, response);
  const lines = responseLines(response, by);
  const isRefused = response.responseCode.startsWith('E');
  output.result(responseDocument(response, by), lines, isRefused ? lines : []);
  return isRefused ? EXIT.refused : EXIT.done;
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' && url.username === '' && url.password === '') return url;
  throw usage('--to', 'an https address, such as https://gateway.example:8461/', text);
}

/** One deadline for all of it: nothing is sent twice by itself. @throws UpliftError */
function post(url: URL, request: Uint8Array, options: SendOptions): Promise<Received> {
  const { certificate, key, ca, wait } = options;
  const pem = (path: string, what: string) => Buffer.from(readBounded(path, PEM_BYTES_MAX, what));
  const tls = {
    cert: pem(certificate, 'certificates as PEM'),
    key: pem(key, 'a private key as PEM'),
    ...(ca === undefined ? {} : { ca: pem(ca, 'certificates as PEM') }),
    minVersion: 'TLSv1.2' as const,
  };
  const signal = AbortSignal.timeout(wholeNumber(wait, '--wait', WAIT_S_MAX) * 1000);
  const headers = {
    'content-type': 'application/xml; charset=utf-8',
    'content-length': `${request.length}`,
  };
  return new Promise((done, failed) => {
    const fail = (error: unknown) => failed(unreachable(url, error));
    try {
      const sent = https.request(url, { method: 'POST', agent: false, ...tls, headers, signal });
      sent.on('error', fail);
      sent.on('response', async (response) => {
        try {
          const body = await bodyOf(response);
          const { statusCode: status = 0, headers: told } = response;
          done({ status, type: told['content-type'] ?? '', body });
        } catch (error) {
          fail(error);
        }
      });
      sent.end(request);
    } catch (error) {
      failed(unusable(error));
    }
  });
}

async function bodyOf(response: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response) {
    bytes += piece.length;
    if (bytes > RESPONSE_BYTES_MAX) throw new Error('an answer without end');
    pieces.push(piece);
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

/** @throws UpliftError where it is none, or is of nobody who is trusted */
function answerIn(
  { status, type, body }: Received,
  { signer, anchors, at }: SendOptions,
): { response: ResponseSummary; by: Certificate | undefined } {
  if (status !== 200) throw refusedBy(status, type, body);
  if (signer === undefined) {
    const read = readUnverifiedResponse(body);
    if (!read.ok) throw refusedDocument(read, 'see whether that is the address for requests');
    return { response: read.unverified, by: undefined };
  }
  const asked: SignerOptions = {
    certificate: signer,
    ...(anchors === undefined ? {} : { anchors }),
    ...(at === undefined ? {} : { at }),
  };
  const read = readServiceResponse(body, signersIn(asked));
  if (!read.ok) throw refusedDocument(read, 'do not believe it: see who answers there');
  return { response: read.response, by: read.signer.certificate };
}

/** An answer to something else says nothing of this. @throws UpliftError */
function checkAbout(request: Uint8Array, { requestId }: ResponseSummary): void {
  const asked = requestIdIn(request);
  if (!asked) return;
  const expected = requestIdText(asked);
  const actual = requestId ? requestIdText(requestId) : 'none';
  if (actual === expected) return;
  throw new UpliftError('answer-other-request', 'the answer is to another request', {
    expected,
    actual,
    next: 'see who answers there',
    exit: EXIT.refused,
  });
}

/** A problem document says it in the words of who refuses. */
function refusedBy(status: number, type: string, body: Uint8Array): UpliftError {
  const told = type.startsWith('application/problem+json') ? problemIn(body) : {};
  const { code = 'answer-unknown', title, actual, expected, next } = told;
  return new UpliftError(code, title ?? `it is answered with status ${status}`, {
    expected: expected ?? 'a Response, with status 200',
    actual: actual ?? `status ${status}`,
    next: next ?? 'see whether that is the address for requests',
    exit: status >= 500 || status === 429 ? EXIT.notReachable : EXIT.refused,
  });
}

function problemIn(body: Uint8Array): Partial<Record<string, string>> {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof document !== 'object' || document === null) return {};
    return Object.fromEntries(
      Object.entries(document).filter(([, value]) => typeof value === 'string'),
    );
  } catch {
    return {};
  }
}

function unreachable({ host }: URL, error: unknown): UpliftError {
  const { code, message } = error as NodeJS.ErrnoException;
  const isLate = (error as Error).name === 'AbortError' || (error as Error).name === 'TimeoutError';
  return new UpliftError('peer-unreachable', `${host} does not answer`, {
    expected: 'a server that takes this certificate, and whose own is of --ca',
    actual: isLate ? 'nothing in time' : (code ?? message),
    next: 'look at the address and the certificates; the same request may be sent again',
    exit: EXIT.notReachable,
    cause: error,
  });
}

/** What OpenSSL says may quote the file. */
function unusable(error: unknown): UpliftError {
  return new UpliftError('tls-unusable', 'the certificate and key cannot be used for TLS', {
    expected: 'a PEM certificate, and the PEM key that belongs to it, without passphrase',
    actual: (error as { code?: string }).code ?? 'files that are none',
    next: 'name the two that were made together',
  });
}
