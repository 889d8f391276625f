/**
 * Asks a hawkBit server what the machine wants to know, over HTTP. Credentials go to the server that was
 * configured and to nobody else, whatever a link says.
 */
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { DdiAnswer, DdiRequest } from './ddi-machine.ts';
import { DDI_LIMITS } from './ddi-messages.ts';
import type { Artifact } from './distribution.ts';

export interface HawkbitServer {
  /** Its root, such as https://hawkbit.example/ ; the path of a proxy may follow. */
  url: URL;
  tenant: string;
  /** The id of this gateway there. */
  controller: string;
  /** Of this target, or of all gateways; absent: the certificate says who asks. */
  token?: { kind: 'TargetToken' | 'GatewayToken'; value: string };
  /** Who signs its certificate; absent: the CAs of the system. */
  caFile?: string;
  client?: { certificateFile: string; keyFile: string };
}

/** With what an artifact is to be fetched from a place. */
export interface Access {
  url: URL;
  agent: http.Agent;
  headers: Readonly<Record<string, string>>;
}

export interface DdiHttpLimits {
  /** Of one request, but for what is downloaded. */
  answerMs: number;
}

const RETRY_AFTER = /^[0-9]{1,6}$/;

export class DdiHttp {
  private readonly server: HawkbitServer;
  private readonly answerMs: number;
  private readonly root: string;
  private readonly agents: { plain: http.Agent; secure: http.Agent; foreign: http.Agent };
  private readonly stopping = new AbortController();

  /** @throws where files of keys and certificates cannot be read */
  constructor(server: HawkbitServer, { answerMs }: DdiHttpLimits = { answerMs: 60_000 }) {
    this.server = server;
    this.answerMs = answerMs;
    const { url, tenant, controller, caFile, client } = server;
    const path = url.pathname.replace(/\/+$/, '');
    const [of, id] = [tenant, controller].map(encodeURIComponent);
    this.root = `${path}/${of}/controller/v1/${id}`;
    const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
    const identity = client && {
      cert: readFileSync(client.certificateFile),
      key: readFileSync(client.keyFile),
    };
    const tls = { keepAlive: true, minVersion: 'TLSv1.2', ...ca } as const;
    this.agents = {
      plain: new http.Agent({ keepAlive: true }),
      secure: new https.Agent({ ...tls, ...identity }),
      foreign: new https.Agent(tls),
    };
  }

  async ask(request: DdiRequest): Promise<DdiAnswer> {
    if (request.kind === 'document') return this.document(request.offer.distribution.campaign);
    const { method, path, body } = wordsOf(request);
    try {
      const access = this.accessTo(new URL(`${this.root}${path}`, this.server.url));
      const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const response = await this.send(access, method, content);
      const bytes = await bodyOf(response, DDI_LIMITS.jsonBytesMax);
      return { ...statusOf(response), body: jsonIn(bytes) };
    } catch (error) {
      return failedBy(error);
    }
  }

  /** In the order in which they are to be tried; links that are none are left out. */
  placesOf({ urls }: Pick<Artifact, 'urls'>): readonly Access[] {
    return urls
      .filter((url) => URL.canParse(url))
      .map((url) => new URL(url))
      .filter(({ protocol }) => protocol === 'https:' || protocol === 'http:')
      .map((url) => this.accessTo(url));
  }

  close(): void {
    this.stopping.abort();
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  private async document(artifact: Artifact): Promise<DdiAnswer> {
    let answer: DdiAnswer = { failed: 'the artifact has no link that can be followed' };
    for (const access of this.placesOf(artifact)) {
      try {
        const response = await this.send(access, 'GET', undefined);
        const status = statusOf(response);
        const bytes = await bodyOf(response, artifact.bytes);
        answer = { ...status, body: bytes };
        if (status.status === 200) return answer;
      } catch (error) {
        answer = failedBy(error);
      }
    }
    return answer;
  }

  private accessTo(url: URL): Access {
    const isOurs = url.origin === this.server.url.origin;
    const { token } = this.server;
    const { plain, secure, foreign } = this.agents;
    const authorization: Record<string, string> =
      token && isOurs ? { authorization: `${token.kind} ${token.value}` } : {};
    const agent = url.protocol === 'http:' ? plain : isOurs ? secure : foreign;
    return { url, agent, headers: authorization };
  }

  private send(
    { url, agent, headers }: Access,
    method: string,
    content: Buffer | undefined,
  ): Promise<IncomingMessage> {
    const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(this.answerMs)]);
    const { request: open } = url.protocol === 'https:' ? https : http;
    const typed = content && {
      'content-type': 'application/json',
      'content-length': `${content.length}`,
    };
    return new Promise((done, failed) => {
      const asked = open(url, {
        ...{ method, agent, signal },
        headers: { accept: 'application/hal+json, application/json, */*', ...headers, ...typed },
      });
      asked.on('response', done);
      asked.on('error', failed);
      asked.end(content);
    });
  }
}

function wordsOf(request: Exclude<DdiRequest, { kind: 'document' }>): {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: unknown;
} {
  switch (request.kind) {
    case 'base':
      return { method: 'GET', path: '' };
    case 'attributes':
      return { method: 'PUT', path: '/configData', body: request.body };
    case 'deployment':
      return { method: 'GET', path: `/deploymentBase/${request.id}${request.query}` };
    case 'confirmation':
      return { method: 'GET', path: `/confirmationBase/${request.id}${request.query}` };
    case 'cancel':
      return { method: 'GET', path: `/cancelAction/${request.id}` };
    case 'report':
      return { method: 'POST', path: `/deploymentBase/${request.id}/feedback`, body: request.body };
    case 'cancel-report':
      return { method: 'POST', path: `/cancelAction/${request.id}/feedback`, body: request.body };
    case 'confirm':
      return {
        ...{ method: 'POST', path: `/confirmationBase/${request.id}/feedback` },
        body: request.body,
      };
  }
}

function statusOf({ statusCode = 0, headers }: IncomingMessage) {
  const after = headers['retry-after'] ?? '';
  const retry = RETRY_AFTER.test(after) ? { retryAfterMs: Number(after) * 1000 } : {};
  return { status: statusCode, ...retry };
}

async function bodyOf(response: IncomingMessage, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response) {
    pieces.push(piece as Uint8Array);
    bytes += (piece as Uint8Array).length;
    // One byte more is let in, so that what is longer than it is said to be does not pass for it.
    if (bytes > most + 65_536) throw new Error('an answer without end');
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function failedBy(error: unknown): DdiAnswer {
  const { code, message, name } = error as NodeJS.ErrnoException;
  return { failed: name === 'TimeoutError' ? 'nothing in time' : (code ?? message) };
}
