/**
 * Brings the events of a medium home: each sealed stretch is posted to the coordinator, which knows a
 * gateway by its seal, takes a stretch once, and says how far it has the journal then.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { EXIT, UpliftError } from '../../errors.ts';
import { type EventsTaken, eventsTaken } from '../wire.ts';
import type { Bundle, FoundEvents } from './bundle.ts';
import { CARRIED_EVENTS_MEDIA_TYPE, CARRIED_EVENTS_PATH } from './carried-events.ts';

/** What the coordinator says to one; a refusal is a result, an unreachable coordinator is thrown. */
export type PostEvents = (
  sealed: Uint8Array,
) => Promise<{ ok: true; taken: EventsTaken } | { ok: false; code: string; message: string }>;

export interface ImportedEvents {
  file: string;
  gateway?: string;
  events?: number;
  /** How far the coordinator has the journal now. */
  through?: number;
  code?: string;
  message?: string;
}

/** @throws UpliftError where the coordinator is not reached; what was taken before stays taken */
export async function importEvents(
  bundle: Bundle,
  post: PostEvents,
  taken: (one: FoundEvents) => void = () => {},
): Promise<readonly ImportedEvents[]> {
  const imported: ImportedEvents[] = [];
  for (const found of bundle.events()) {
    const { file, opened, code = '', message = '', bytes } = found;
    if (!opened) {
      imported.push({ file, code, message });
      continue;
    }
    const about = { file, gateway: opened.gateway, events: opened.batch.events.length };
    const answer = await post(bytes);
    if (!answer.ok) {
      imported.push({ ...about, code: answer.code, message: answer.message });
      continue;
    }
    imported.push({ ...about, through: answer.taken.journal?.sequence ?? 0 });
    taken(found);
  }
  return imported;
}

export interface CoordinatorAddress {
  /** Its root; https but for this machine. */
  url: URL;
  token?: string;
  caFile?: string;
  client?: { certificateFile: string; keyFile: string };
  answerMs: number;
}

const ANSWER_BYTES_MAX = 64 * 1024;

export function postEventsTo(address: CoordinatorAddress): PostEvents {
  const { url, token, answerMs } = address;
  const target = new URL(CARRIED_EVENTS_PATH, url);
  const agent = agentOf(address);
  const { request: open } = url.protocol === 'https:' ? https : http;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (sealed) =>
    new Promise((done, failed) => {
      const headers = {
        ...authorization,
        'content-type': CARRIED_EVENTS_MEDIA_TYPE,
        'content-length': `${sealed.length}`,
      };
      const signal = AbortSignal.timeout(answerMs);
      const fail = (error: unknown) => failed(unreachable(url, error));
      const request = open(target, { method: 'POST', agent, headers, signal }, async (response) => {
        try {
          done(answerIn(response.statusCode ?? 0, await bodyOf(response)));
        } catch (error) {
          fail(error);
        }
      });
      request.on('error', fail);
      request.end(sealed);
    });
}

function answerIn(status: number, body: unknown): Awaited<ReturnType<PostEvents>> {
  const taken = eventsTaken.safeParse(body);
  if (status === 200 && taken.success) return { ok: true, taken: taken.data };
  if (status === 429 || status >= 500) throw new Error(`status ${status}`);
  const { code, title } = (body ?? {}) as { code?: unknown; title?: unknown };
  return {
    ok: false,
    code: typeof code === 'string' ? code : 'answer-unknown',
    message: typeof title === 'string' ? title : `it answers with status ${status}`,
  };
}

async function bodyOf(response: AsyncIterable<Uint8Array>): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response) {
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('an answer without end');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch {
    return undefined;
  }
}

function agentOf({ url, caFile, client }: CoordinatorAddress): http.Agent {
  if (url.protocol !== 'https:') return new http.Agent();
  return new https.Agent({
    minVersion: 'TLSv1.2',
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(client === undefined
      ? {}
      : { cert: readFileSync(client.certificateFile), key: readFileSync(client.keyFile) }),
  });
}

function unreachable({ host }: URL, error: unknown): UpliftError {
  const { code, message, name } = error as NodeJS.ErrnoException;
  const isLate = name === 'AbortError' || name === 'TimeoutError';
  return new UpliftError('coordinator-unreachable', `the coordinator at ${host} does not answer`, {
    expected: 'a coordinator that takes what is brought to it',
    actual: isLate ? 'nothing in time' : (code ?? message),
    next: 'look at the address and the certificates; the same medium may be brought again',
    exit: EXIT.notReachable,
    cause: error,
  });
}
