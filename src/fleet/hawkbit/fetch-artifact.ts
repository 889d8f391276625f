/** Artifacts of a hawkBit server into the image store, by the same resumed downloads as a coordinator's blobs. */
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../ports.ts';
import type { KeptUploads } from '../agent/agent-records.ts';
import { isBlobStatus, partHeaders, passBlob } from '../agent/blob-head.ts';
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
  part: BlobPart,
  receiver: BlobReceiver,
  signal: AbortSignal,
): Promise<BlobPartEnd> {
  const { get } = url.protocol === 'https:' ? https : http;
  const all = { ...headers, ...partHeaders(part) };
  return new Promise((done) => {
    const request = get(url, { agent, headers: all, signal }, (response) => {
      const { statusCode: status } = response;
      if (isBlobStatus(status)) {
        done(passBlob(status, response, receiver, brokenOff));
        return;
      }
      response.destroy();
      done({ kind: 'refused', code: 'fleet-refuses', detail: `status ${status}` });
    });
    request.setTimeout(IDLE_MS, () => request.destroy(new Error('nothing came')));
    request.on('error', (error) => done(brokenOff(error)));
  });
}

function brokenOff({ message }: Error): BlobPartEnd {
  return { kind: 'unreached', code: 'fleet-broken-off', detail: message };
}
