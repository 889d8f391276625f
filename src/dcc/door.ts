/**
 * Where Service Users post their requests: TLS in both directions, one request a post, read and verified
 * while it comes. Who shows the certificate of one user sends requests of that user alone.
 *
 * What is a request, and is refused, is answered in its own words with status 200; what is none, or comes
 * from somebody else, by a problem document.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { discardRest } from '../api/body.ts';
import { certificateOf, closeDoor, DOOR_LIMITS, type Door, openTcpDoor } from '../api/doors.ts';
import { GATEWAY_TABLES } from '../api/gateway-problems.ts';
import { API_CODES, Problems } from '../api/problem.ts';
import type { DuisConfig, DuisUser } from '../config/duis.ts';
import { ServiceRequestReader } from '../duis/request-reader.ts';
import { UpliftError } from '../errors.ts';
import type { Log } from '../ports.ts';
import { parseCertificate } from '../trust/x509.ts';
import type { KnownSigners } from '../trust/xml-signature.ts';
import type { Answer, TakenRequest } from './desk.ts';

export interface DuisDoorOptions {
  config: Pick<DuisConfig, 'listen' | 'tls' | 'requestBytesMax'>;
  users: ReadonlyMap<string, DuisUser>;
  signersAt(atMs: number): KnownSigners;
  take(taken: TakenRequest): Promise<Answer>;
  nowMs(): number;
  log: Log;
}

export const DUIS_DOOR_CODES = {
  'certificate-missing': 'Who sends requests shows the certificate of a Service User.',
  'certificate-unknown': 'The certificate is of no Service User that is known here.',
  'party-differs':
    'The request is of another Service User than the one whose certificate was shown.',
  'requests-many': 'Too many requests came from this Service User.',
  'request-refused': 'What came is no signed Service Request that is taken here.',
} as const;

const STATUS: Record<keyof typeof DUIS_DOOR_CODES, number> = {
  'certificate-missing': 401,
  'certificate-unknown': 403,
  'party-differs': 403,
  'requests-many': 429,
  'request-refused': 400,
};

const PROBLEMS = new Problems(...GATEWAY_TABLES, {
  sentences: DUIS_DOOR_CODES,
  statuses: STATUS,
});

/** Of one user. */
const AT_ONCE_MAX = 4;
const A_MINUTE_MAX = 120;
const MINUTE_MS = 60_000;
const MEDIA_TYPES = ['application/xml', 'text/xml'];

export class DuisDoor {
  private readonly options: DuisDoorOptions;
  private readonly traffic = new Map<string, { atOnce: number; sinceMs: number; count: number }>();
  private door: Door | undefined;

  private constructor(options: DuisDoorOptions) {
    this.options = options;
  }

  /** @throws UpliftError */
  static async open(options: DuisDoorOptions): Promise<DuisDoor> {
    const opened = new DuisDoor(options);
    opened.door = await openTcpDoor(options.config, DOOR_LIMITS, (request, response) => {
      void opened.serve(request, response);
    });
    return opened;
  }

  get address(): { host: string; port: number } {
    const { address, port } = this.door!.server.address() as AddressInfo;
    return { host: address, port };
  }

  async close(graceMs = 2_000): Promise<void> {
    if (this.door) await closeDoor(this.door, graceMs);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    let user: DuisUser | undefined;
    try {
      user = this.userOf(request);
      this.begin(user);
      checkHead(request);
      const { bytes, responseCode, isRepeated } = await this.answer(request, user);
      this.tell('info', request, user, { code: responseCode, repeated: isRepeated });
      response.writeHead(200, {
        'content-type': 'application/xml; charset=utf-8',
        'content-length': `${bytes.length}`,
      });
      response.end(bytes);
    } catch (error) {
      const isKnown = error instanceof UpliftError;
      const refusal = isKnown ? error : new UpliftError('internal', API_CODES.internal);
      const stack = isKnown ? {} : { stack: String((error as Error).stack) };
      this.tell(isKnown ? 'warning' : 'error', request, user, { code: refusal.code, ...stack });
      discardRest(request);
      const document = PROBLEMS.documentOf(refusal);
      response.writeHead(document.status, {
        ...PROBLEMS.headersOf(refusal),
        'content-type': 'application/problem+json',
      });
      response.end(JSON.stringify(document));
    } finally {
      const traffic = user && this.traffic.get(user.eui64);
      if (traffic && traffic.atOnce > 0) traffic.atOnce--;
    }
  }

  /** @throws UpliftError */
  private async answer(request: IncomingMessage, user: DuisUser): Promise<Answer> {
    const { config, signersAt, nowMs, take } = this.options;
    const reader = new ServiceRequestReader({ bytesMax: config.requestBytesMax });
    const digest = createHash('sha256');
    for await (const chunk of request as AsyncIterable<Buffer>) {
      digest.update(chunk);
      const fault = reader.push(chunk);
      if (fault) throw faulty(fault);
    }
    const read = reader.end(signersAt(nowMs()));
    if (!read.ok) throw faulty(read);
    const { originator } = read.request.header.requestId;
    if (originator !== user.eui64) {
      throw refused('party-differs', { expected: user.eui64, actual: originator });
    }
    return take({ request: read.request, sha256: digest.digest('hex') });
  }

  /** By the names of its certificate, else by the EUI-64 in it. @throws UpliftError */
  private userOf(request: IncomingMessage): DuisUser {
    const certificate = certificateOf(request);
    if (certificate === undefined) throw refused('certificate-missing');
    if (certificate === false) throw refused('certificate-unknown');
    const { users } = this.options;
    for (const user of users.values()) {
      if (user.client !== undefined && certificate.names.includes(user.client)) return user;
    }
    const eui64 = euiOf(request);
    const user = eui64 === undefined ? undefined : users.get(eui64);
    if (!user || user.client !== undefined) throw refused('certificate-unknown');
    return user;
  }

  /** @throws UpliftError where it is too much */
  private begin({ eui64 }: DuisUser): void {
    const nowMs = this.options.nowMs();
    const traffic = this.traffic.get(eui64) ?? { atOnce: 0, sinceMs: nowMs, count: 0 };
    this.traffic.set(eui64, traffic);
    if (nowMs - traffic.sinceMs >= MINUTE_MS) Object.assign(traffic, { sinceMs: nowMs, count: 0 });
    traffic.atOnce++;
    traffic.count++;
    if (traffic.atOnce > AT_ONCE_MAX || traffic.count > A_MINUTE_MAX) {
      throw refused('requests-many', {
        expected: `${AT_ONCE_MAX} at once, ${A_MINUTE_MAX} a minute`,
        next: 'send it again in a minute',
      });
    }
  }

  private tell(
    level: 'info' | 'warning' | 'error',
    request: IncomingMessage,
    user: DuisUser | undefined,
    fields: Record<string, unknown> & { code: string },
  ): void {
    const from = user?.eui64 ?? request.socket.remoteAddress;
    const what = level === 'info' ? 'a Service Request was answered' : 'a post was refused';
    this.options.log.write(level, what, { from, ...fields });
  }
}

/** @throws UpliftError */
function checkHead({ method, headers }: IncomingMessage): void {
  if (method !== 'POST') {
    throw new UpliftError('method-unknown', API_CODES['method-unknown'], { expected: 'POST' });
  }
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (!MEDIA_TYPES.includes(type.trim().toLowerCase())) {
    throw new UpliftError('media-type', API_CODES['media-type'], {
      expected: MEDIA_TYPES.join(' or '),
    });
  }
}

function euiOf({ socket }: IncomingMessage): string | undefined {
  const raw = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined;
  const certificate = raw && parseCertificate(Uint8Array.from(raw));
  return certificate?.ok ? certificate.eui64 : undefined;
}

function faulty({
  code,
  message,
  line,
  column,
  element,
}: {
  code: string;
  message: string;
  line: number;
  column: number;
  element?: string;
}): UpliftError {
  const place = `line ${line}, column ${column}${element === undefined ? '' : `, ${element}`}`;
  return refused('request-refused', {
    expected: 'a signed Service Request',
    actual: `${code}: ${message} (${place})`,
    next: 'correct it: `uplift duis check` says the same',
  });
}

function refused(
  code: keyof typeof DUIS_DOOR_CODES,
  detail: { expected?: string; actual?: string; next?: string } = {},
): UpliftError {
  return new UpliftError(code, DUIS_DOOR_CODES[code], detail);
}
