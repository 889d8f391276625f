/**
 * Bodies of requests: bounded before anything is parsed, and held to what the header says of them.
 */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { z } from '../config/fields.ts';
import { ApiError } from './problem.ts';
import type { BodyShape, ByteStream } from './route.ts';

/**
 * What is still read and thrown away of a body that was refused: a peer reads its answer when it
 * has sent.
 */
const DISCARDED_BYTES_MAX = 256 * 1024;

/** @throws ApiError */
export async function readBody(request: IncomingMessage, shape: BodyShape): Promise<unknown> {
  assertMediaType(request, shape);
  const { bytesMax } = shape;
  const declaredBytes = declaredOf(request);
  if (declaredBytes !== undefined && declaredBytes > bytesMax) throw tooLarge(bytesMax);
  const stream = bounded(request, bytesMax);
  if (shape.kind === 'stream') {
    const bytes: ByteStream = { declaredBytes, [Symbol.asyncIterator]: () => stream };
    return bytes;
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  const whole = Buffer.concat(pieces);
  if (shape.kind === 'bytes') return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
  const isPacked = request.headers['content-encoding'] === 'gzip';
  const text = isPacked ? await unpacked(whole, bytesMax) : whole;
  return checked(shape.schema, parseJson(text), 'body');
}

/** @throws ApiError, which names each wrong field by its JSON pointer */
export function checked(
  schema: z.ZodType | undefined,
  value: unknown,
  part: 'body' | 'path' | 'query',
): unknown {
  if (!schema) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const prefix = part === 'body' ? '' : `/${part}`;
  const errors = parsed.error.issues.flatMap((issue) => {
    const at = `${prefix}${pointerOf(issue.path)}`;
    if (issue.code !== 'unrecognized_keys') return [{ pointer: at, expected: issue.message }];
    return issue.keys.map((key) => ({
      pointer: `${at}${pointerOf([key])}`,
      expected: 'no such field',
    }));
  });
  throw new ApiError('request-invalid', { errors: errors.slice(0, ERRORS_MAX) });
}

/**
 * After an answer that did not wait for the body: the rest is thrown away, or the connection is.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  request.on('data', (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes > DISCARDED_BYTES_MAX) request.socket.destroy();
  });
  request.on('error', () => {});
  request.resume();
}

const UNPACKED = 'a body that is not compressed';
const ERRORS_MAX = 20;
const POINTER_CHARACTERS_MAX = 200;

async function* bounded(
  request: IncomingMessage,
  bytesMax: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  // The stream is not destroyed when this stops early: the answer has to get out first.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    bytes += (piece as Uint8Array).length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield piece as Uint8Array;
  }
}

function assertMediaType({ headers }: IncomingMessage, shape: BodyShape): void {
  const wanted = shape.kind === 'json' ? 'application/json' : shape.mediaType;
  const [given = ''] = (headers['content-type'] ?? '').toLowerCase().split(/\s*;/);
  if (given !== wanted) throw new ApiError('media-type', { expected: wanted });
  const encoding = headers['content-encoding'];
  const mayBePacked = shape.kind === 'json' && shape.mayBePacked === true;
  if (encoding === undefined || encoding === 'identity') return;
  if (mayBePacked && encoding === 'gzip') return;
  const expected = mayBePacked ? 'gzip, or a body that is not compressed' : UNPACKED;
  throw new ApiError('media-type', { expected });
}

/** No more than the bound ever comes out, however little went in. */
async function unpacked(packed: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new ApiError('request-invalid', {
      errors: [{ pointer: '', expected: 'gzip (RFC 1952)' }],
    });
  }
}

function declaredOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new ApiError('request-invalid', {
      errors: [{ pointer: '', expected: 'a JSON document in UTF-8' }],
    });
  }
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path
    .map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('')
    .slice(0, POINTER_CHARACTERS_MAX);
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError('body-large', { expected: `at most ${bytesMax} bytes` });
}
