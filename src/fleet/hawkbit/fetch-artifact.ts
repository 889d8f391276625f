/** Artifacts of a hawkBit server into the image store, by the same resumed downloads as a coordinator's blobs. */
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../ports.ts';
import type { KeptUploads } from '../agent/agent-records.ts';
import { headOf } from '../agent/blob-head.ts';
import { download } from '../agent/download.ts';
import type { BlobPart, BlobPartEnd, BlobReceiver } from '../agent/fleet-link.ts';
import { ImageSink, type UploadStore } from '../agent/image-sink.ts';
import type { Access } from './ddi-http.ts';
import type { FetchArtifact } from './downloads.ts';

/** Nothing came for so long: the connection is given up, and what came stays. */
const IDLE_MS = 60_000;

export function fetchArtifactsInto(
  images: UploadStore,
  uploads: KeptUploads,
  clock: Clock,
): FetchArtifact {
  return async (artifact, places, signal) => {
    const blob = { ...artifact, kind: 'image' as const };
    let why = 'it is nowhere';
    for (const place of places) {
      const sink = new ImageSink(images, uploads, clock, blob);
      const link = {
        fetchBlob: (part: BlobPart, receiver: BlobReceiver) =>
          fetchPart(place, part, receiver, signal),
      };
      const { end } = await download(link, blob, sink, () => !signal.aborted);
      if (end.kind === 'stored') return;
      why = `${end.code}: ${end.detail}`;
    }
    throw new Error(why);
  };
}

/** One response; whatever happens is a result. */
function fetchPart(
  { url, agent, headers }: Access,
  { offset, etag }: BlobPart,
  receiver: BlobReceiver,
  signal: AbortSignal,
): Promise<BlobPartEnd> {
  const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  if (offset > 0 && etag !== undefined) range['if-range'] = etag;
  const { get } = url.protocol === 'https:' ? https : http;
  return new Promise((done) => {
    const broken = ({ message }: Error) =>
      done({ kind: 'unreached', code: 'fleet-broken-off', detail: message });
    const request = get(url, { agent, headers: { ...headers, ...range }, signal }, (response) => {
      const { statusCode: status } = response;
      const end = (result: BlobPartEnd) => {
        response.destroy();
        done(result);
      };
      response.on('error', broken);
      if (status !== 200 && status !== 206 && status !== 416) {
        end({ kind: 'refused', code: 'fleet-refuses', detail: `status ${status}` });
        return;
      }
      if (!receiver.head(headOf(status, response))) {
        end({ kind: 'dropped' });
        return;
      }
      response.on('data', (chunk: Uint8Array) => {
        if (!receiver.chunk(chunk)) end({ kind: 'dropped' });
      });
      response.on('end', () => done({ kind: 'ended' }));
      response.on('close', () => broken(new Error('it ended')));
    });
    request.setTimeout(IDLE_MS, () => request.destroy(new Error('nothing came')));
    request.on('error', broken);
  });
}
