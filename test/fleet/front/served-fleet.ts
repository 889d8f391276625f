/** The in-memory coordinator behind HTTP, as the real one's people ask it. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { DeviceState } from '../../../src/campaign/device-progress.ts';
import { manifestDocument } from '../../../src/campaign/manifest.ts';
import { UpliftError } from '../../../src/errors.ts';
import type { Page } from '../../../src/fleet/coordinator/control.ts';
import type { MemoryFleet } from './memory-fleet.ts';

export interface ServedFleet {
  /** `METHOD PATH TOKEN` of each request. */
  asked: string[];
  close(): Promise<void>;
}

export async function serveFleet(fleet: MemoryFleet, socketPath: string): Promise<ServedFleet> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    asked.push(`${request.method} ${pathname} ${request.headers.authorization ?? '-'}`);
    try {
      const answer = await answerOf(fleet, request, pathname, searchParams);
      const isMissing = answer === undefined;
      response.writeHead(isMissing ? 404 : 200, { 'content-type': 'application/json' });
      response.end(
        isMissing ? JSON.stringify({ code: 'campaign-unknown' }) : JSON.stringify(answer),
      );
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      const { code, message: title } = error;
      response.writeHead(fleet.isAway ? 503 : 409, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code, title }));
    }
  });
  await new Promise<void>((done) => server.listen(socketPath, done));
  return { asked, close: () => closed(server) };
}

async function answerOf(
  fleet: MemoryFleet,
  request: IncomingMessage,
  pathname: string,
  words: URLSearchParams,
): Promise<unknown> {
  const [what, id, part] = pathname.replace('/api/v1/', '').split('/');
  const after = words.get('after') ?? undefined;
  const limit = Number(words.get('limit') ?? 100);
  const method = request.method!;
  if (what === 'gateways' && id) return { inventory: await fleet.gatewayDevices(id) };
  if (what === 'gateways') return listed('gateways', await fleet.gateways(after, limit));
  if (what === 'blobs' && method === 'HEAD') return (await fleet.hasBlob(id!)) || undefined;
  if (what === 'blobs') return fleet.putBlob(id!, await bodyOf(request)).then(() => ({}));
  if (what === 'campaigns' && method === 'POST' && part) return fleet.start(id!);
  if (what === 'campaigns' && method === 'POST') return fleet.submit(await bodyOf(request));
  if (what === 'campaigns' && part) {
    const since = words.get('changedSinceMs');
    const state = words.get('state');
    const page = await fleet.campaignDevices(id!, {
      ...{ limit, ...(after === undefined ? {} : { after }) },
      ...(since === null ? {} : { changedSinceMs: Number(since) }),
      ...(state === null ? {} : { state: state as DeviceState }),
    });
    return listed('devices', page);
  }
  if (!id) return listed('campaigns', await fleet.campaigns(after, limit));
  const [campaign, manifest] = [await fleet.campaign(id), await fleet.manifest(id)];
  return campaign && manifest && { ...campaign, manifest: manifestDocument(manifest) };
}

function listed<T extends { id: string } | { device: string }>(name: string, page: Page<T>) {
  const last = page.items.at(-1);
  const next = last && ('id' in last ? last.id : last.device);
  return { [name]: page.items, ...(page.more ? { next } : {}) };
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
