/**
 * Who asks, and what they may. A Unix socket says it by who can open it; a port by a token or by a
 * client certificate. Whoever is not known learns nothing but that.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Role } from '../config/gateway.ts';
import { ROLES } from '../config/gateway-schema.ts';
import type { ApiToken } from '../config/tokens.ts';
import type { Actor } from '../jobs/records.ts';
import type { RouteRole } from './route.ts';

export interface Identity {
  /** Known by what. */
  kind: 'socket' | 'token' | 'certificate';
  by: Actor;
  /** Absent: it has none, and is let in by what it is. */
  role?: Role;
  /** Of a certificate that stands for itself: SHA-256 of its DER, and the gateway known by it. */
  certificate?: string;
  gateway?: string;
  /** From then on nobody. */
  untilMs: number;
}

/** A request, before anything of it but its head was read. */
export interface Asking {
  request: IncomingMessage;
  door: 'socket' | 'tcp';
  address: string;
  /** Of a path that is known. */
  role: RouteRole | undefined;
  params: Readonly<Record<string, string>>;
}

/** Who may use one API. */
export interface Access {
  /** @throws RefusalError */
  identify(asking: Asking): Identity | Promise<Identity>;
  mayUse(identity: Identity, asking: Asking): boolean;
  /** Whether somebody who was let in still would be; asked while an answer lasts. */
  stillMay(identity: Identity): boolean;
}

/** The names of a client certificate that was verified. */
export interface CertificateNames {
  names: readonly string[];
  untilMs: number;
}

export interface AttemptLimits {
  /** Failures from one address before it is answered no more, and for how long they count. */
  failuresMax: number;
  windowMs: number;
  addressesMax: number;
}

export const ATTEMPT_LIMITS: AttemptLimits = {
  failuresMax: 10,
  windowMs: 60_000,
  addressesMax: 10_000,
};

const TOKEN_CHARACTERS_MAX = 512;

export function mayUse(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** Tokens by their digests. Each comparison takes as long whatever is presented. */
export class TokenBook {
  private tokens: { token: ApiToken; digest: Uint8Array }[] = [];

  constructor(tokens: readonly ApiToken[]) {
    this.replace(tokens);
  }

  replace(tokens: readonly ApiToken[]): void {
    this.tokens = tokens.map((token) => ({ token, digest: Buffer.from(token.sha256, 'hex') }));
  }

  /** By the field `Authorization`; `undefined`: nobody. */
  identify(authorization: string | undefined, nowMs: number): Identity | undefined {
    const [, presented] = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '') ?? [];
    if (presented === undefined || presented.length > TOKEN_CHARACTERS_MAX) return undefined;
    const digest = createHash('sha256').update(presented).digest();
    let found: ApiToken | undefined;
    // To the last, so that the time does not tell which it was.
    for (const one of this.tokens) if (timingSafeEqual(one.digest, digest)) found = one.token;
    if (!found) return undefined;
    const { name, role, untilMs = Number.POSITIVE_INFINITY } = found;
    return nowMs < untilMs ? { kind: 'token', by: `api:${name}`, role, untilMs } : undefined;
  }

  /** Whether a token of that name is still there, with that role. */
  has({ by, role }: Identity): boolean {
    return this.tokens.some(({ token }) => `api:${token.name}` === by && token.role === role);
  }
}

/** By the first of the names that the configuration knows. */
export function identifyCertificate(
  certificate: CertificateNames,
  clients: readonly { name: string; role: Role }[],
): Identity | undefined {
  const { names, untilMs } = certificate;
  const client = clients.find(({ name }) => names.includes(name));
  return client && { kind: 'certificate', by: `api:${client.name}`, role: client.role, untilMs };
}

/** How often an address said who it is and was not. Bounded: the oldest is forgotten. */
export class AttemptCounter {
  private readonly limits: AttemptLimits;
  private readonly byAddress = new Map<string, { failures: number; untilMs: number }>();

  constructor(limits: AttemptLimits) {
    this.limits = limits;
  }

  isBarred(address: string, nowMs: number): boolean {
    const entry = this.byAddress.get(address);
    if (!entry) return false;
    if (nowMs >= entry.untilMs) {
      this.byAddress.delete(address);
      return false;
    }
    return entry.failures >= this.limits.failuresMax;
  }

  failed(address: string, nowMs: number): void {
    const entry = this.byAddress.get(address);
    if (entry) {
      entry.failures++;
      return;
    }
    if (this.byAddress.size >= this.limits.addressesMax) {
      const [oldest] = this.byAddress.keys();
      if (oldest !== undefined) this.byAddress.delete(oldest);
    }
    this.byAddress.set(address, { failures: 1, untilMs: nowMs + this.limits.windowMs });
  }
}

/** The name in a `Host` field, without its port. `undefined`: it is none. */
export function hostName(host: string | undefined): string | undefined {
  const [, bracketed, plain] =
    /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{1,5})?$/i.exec(host ?? '') ?? [];
  return (bracketed ?? plain)?.toLowerCase().replace(/\.$/, '');
}

/** Whether a browser says that a page of another origin asks. No browser sends no such field. */
export function isForeign(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  if (origin === undefined) return false;
  if (typeof origin !== 'string' || typeof host !== 'string') return true;
  return !/^https?:\/\//.test(origin) || origin.replace(/^https?:\/\//, '') !== host;
}
