/**
 * Posts a document to the endpoint of a Service User: TLS with its CA and our certificate, no redirect, one
 * deadline for all of it. Whatever happens is a result.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { DuisEndpoint } from '../config/duis.ts';
import type { DeliveryResult } from '../duis/outbox.ts';

export type Post = (
  user: string,
  sent: { message: number; attempt: number; body: Uint8Array },
) => Promise<DeliveryResult>;

const ANSWER_BYTES_MAX = 1024 * 1024;
const RETRY_AFTER = /^[0-9]{1,6}$/;

/** @param gateway by which the receiver tells our messages from those of others */
export function postTo(
  endpoints: ReadonlyMap<string, DuisEndpoint>,
  gateway: string,
  answerMs: number,
): Post {
  const agents = new Map([...endpoints].map(([user, endpoint]) => [user, agentOf(endpoint)]));
  return (user, { message, attempt, body }) => {
    const endpoint = endpoints.get(user);
    if (!endpoint) {
      return Promise.resolve({ kind: 'failed', detail: 'no endpoint is configured for it' });
    }
    const headers = {
      'content-type': 'application/xml; charset=utf-8',
      'content-length': `${body.length}`,
      // The same over all tries: whoever has it already says so with 200.
      'uplift-message-id': `${gateway}-${message}`,
      'uplift-attempt': `${attempt}`,
    };
    return send(endpoint, agents.get(user)!, { headers, body, answerMs });
  };
}

function send(
  { url }: DuisEndpoint,
  agent: http.Agent,
  {
    headers,
    body,
    answerMs,
  }: { headers: Record<string, string>; body: Uint8Array; answerMs: number },
): Promise<DeliveryResult> {
  return new Promise((done) => {
    const { request: open } = url.startsWith('https:') ? https : http;
    const signal = AbortSignal.timeout(answerMs);
    const request = open(url, { method: 'POST', agent, headers, signal }, (response) => {
      const { statusCode = 0 } = response;
      const after = response.headers['retry-after'] ?? '';
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        // Nothing is read of it; a peer that never ends it is not waited for.
        if (bytes > ANSWER_BYTES_MAX) response.destroy();
      });
      response.on('error', () => {});
      const retry = RETRY_AFTER.test(after) ? { retryAfterMs: Number(after) * 1000 } : {};
      response.on('close', () => done({ kind: 'answered', status: statusCode, ...retry }));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      done({ kind: 'failed', detail: error.code ?? error.message });
    });
    request.end(body);
  });
}

function agentOf({ url, caFile, client }: DuisEndpoint): http.Agent {
  const kept = { keepAlive: true, maxSockets: 1 };
  if (!url.startsWith('https:')) return new http.Agent(kept);
  return new https.Agent({
    ...kept,
    minVersion: 'TLSv1.2',
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(client === undefined
      ? {}
      : { cert: readFileSync(client.certificateFile), key: readFileSync(client.keyFile) }),
  });
}
