/**
 * An image into the gateway's store, piece by piece. What breaks off goes on where the gateway says it is,
 * also after the page was closed: the upload's id is kept under the image's hash until it is there.
 */
import { type Answer, type Client, NotReachable, Refusal } from './client.ts';

type Image = Answer<'finishUpload'>;

export interface UploadSource {
  name: string;
  size: number;
  slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> };
  arrayBuffer(): Promise<ArrayBuffer>;
}

export type UploadStep =
  | { kind: 'hashing' }
  | { kind: 'sending'; sentBytes: number; totalBytes: number }
  /** The gateway is not reachable: it goes on by itself from there. */
  | { kind: 'waiting'; sentBytes: number; totalBytes: number }
  | { kind: 'checking' };

export interface UploadOptions {
  client: Client;
  /** By the image's SHA-256: ids of uploads that were begun. */
  kept: {
    get(sha256: string): string | undefined;
    set(sha256: string, id: string | undefined): void;
  };
  wait(ms: number): Promise<void>;
  onStep(step: UploadStep): void;
  signal: AbortSignal;
}

const PIECE_BYTES = 256 * 1024;
const PAUSE_MS = 2_000;

/** Nothing is kept unless all of it is what was stated. @throws Refusal */
export async function uploadImage(file: UploadSource, options: UploadOptions): Promise<Image> {
  const { client, kept, onStep, signal } = options;
  onStep({ kind: 'hashing' });
  const sha256 = hex(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  const begun = await patiently(() => begin(file, sha256, options), options, file, 0);
  if (!('upload' in begun)) return begun;
  kept.set(sha256, begun.upload);
  const path = { upload: begun.upload };
  for (let at = begun.receivedBytes; at < file.size; ) {
    signal.throwIfAborted();
    onStep({ kind: 'sending', sentBytes: at, totalBytes: file.size });
    at = await patiently(() => append(file, at, path, options), options, file, at);
  }
  onStep({ kind: 'checking' });
  const image = await patiently(
    () => client.ask('finishUpload', { path, body: {}, signal }),
    options,
    file,
    file.size,
  );
  kept.set(sha256, undefined);
  return image;
}

/** As the store takes names: letters, digits, blanks and a few more. */
export function storedName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9 ._+@()=,~-]/g, '_').replace(/^[^A-Za-z0-9]+/, '');
  return plain.slice(0, 128) || 'image';
}

async function begin(file: UploadSource, sha256: string, { client, kept, signal }: UploadOptions) {
  const upload = kept.get(sha256);
  if (upload !== undefined) {
    try {
      return await client.ask('showUpload', { path: { upload }, signal });
    } catch (error) {
      // It came to its end, or was of another gateway.
      if (!(error instanceof Refusal) || error.problem.code !== 'upload-unknown') throw error;
    }
  }
  const body = { bytes: file.size, sha256, name: storedName(file.name) };
  return client.ask('beginUpload', { body, signal });
}

/** Where it goes on: after this piece, or where the gateway says that it is. */
async function append(
  file: UploadSource,
  at: number,
  path: { upload: string },
  { client, signal }: UploadOptions,
): Promise<number> {
  const end = Math.min(file.size, at + PIECE_BYTES);
  const body = new Uint8Array(await file.slice(at, end).arrayBuffer());
  try {
    await client.ask('appendUpload', { path, body, headers: { 'upload-offset': `${at}` }, signal });
    return end;
  } catch (error) {
    if (!(error instanceof Refusal) || error.problem.code !== 'upload-offset') throw error;
    return (await client.ask('showUpload', { path, signal })).receivedBytes;
  }
}

/** For as long as the gateway is only not reachable. */
async function patiently<T>(
  work: () => Promise<T>,
  { onStep, wait, signal }: UploadOptions,
  { size }: UploadSource,
  sentBytes: number,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isPassing = error instanceof NotReachable && !signal.aborted;
      if (!isPassing) throw error;
      onStep({ kind: 'waiting', sentBytes, totalBytes: size });
      await wait(PAUSE_MS);
    }
  }
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
