/**
 * People and programs: over the Unix socket whoever can open it, and by token or client certificate
 * over either door. What each may is its role.
 */
import type { GatewayConfig } from '../config/gateway.ts';
import { ROLES, type Role } from '../config/gateway-schema.ts';
import { type ApiToken, loadTokens } from '../config/tokens.ts';
import type { Clock } from '../ports.ts';
import {
  type Access,
  type Asking,
  AttemptCounter,
  type AttemptLimits,
  type Identity,
  identifyCertificate,
  mayUse,
  TokenBook,
} from './access.ts';
import { certificateOf } from './doors.ts';
import { ApiError } from './problem.ts';

export class TokenAccess implements Access {
  private readonly config: GatewayConfig['api'];
  private readonly clock: Clock;
  private readonly tokens: TokenBook;
  private readonly attempts: AttemptCounter;

  /** @throws ConfigError */
  constructor(config: GatewayConfig['api'], clock: Clock, limits: AttemptLimits) {
    this.config = config;
    this.clock = clock;
    this.tokens = new TokenBook(tokensOf(config));
    this.attempts = new AttemptCounter(limits);
  }

  /**
   * Reads the file of tokens again; what is wrong in it leaves the old ones. @throws ConfigError
   */
  reload(): void {
    this.tokens.replace(tokensOf(this.config));
  }

  identify({ request, door, address }: Asking): Identity {
    const { authorization } = request.headers;
    if (door === 'socket' && authorization === undefined) return this.local();
    const nowMs = this.clock.nowMs();
    if (this.attempts.isBarred(address, nowMs)) throw new ApiError('attempts-many');
    const certificate = certificateOf(request);
    const identity =
      authorization === undefined && certificate
        ? identifyCertificate(certificate, this.config.tcp!.clients)
        : this.tokens.identify(authorization, nowMs);
    if (identity && certificate !== false) return identity;
    this.attempts.failed(address, nowMs);
    throw new ApiError('unauthenticated');
  }

  mayUse({ role }: Identity, { role: least }: Asking): boolean {
    return least === undefined || (role !== undefined && isRole(least) && mayUse(role, least));
  }

  /** A token may be taken off its file, or come to its end, while a stream is open. */
  stillMay(identity: Identity): boolean {
    const isKnown = identity.kind !== 'token' || this.tokens.has(identity);
    return isKnown && this.clock.nowMs() < identity.untilMs;
  }

  private local(): Identity {
    const { role } = this.config.socket;
    return { kind: 'socket', by: 'socket:local', role, untilMs: Number.POSITIVE_INFINITY };
  }
}

function isRole(word: string): word is Role {
  return (ROLES as readonly string[]).includes(word);
}

/** A token is one at both doors. */
function tokensOf({ socket, tcp }: GatewayConfig['api']): ApiToken[] {
  const files = new Set([socket.tokensFile, tcp?.tokensFile]);
  return [...files].flatMap((path) => (path === undefined ? [] : loadTokens(path)));
}
