/**
 * What a route is: where it is, who may use it, what it takes and gives as schemas, and what it
 * does. The server, the OpenAPI document and the tests read the same table of them (`routes.ts`).
 */
import type { z } from '../config/fields.ts';
import type { Role } from '../config/gateway.ts';
import type {
  CampaignControlCode,
  ControlCode,
  GatewayControl,
  OutboxCode,
} from '../gateway/control.ts';
import type { Actor } from '../jobs/records.ts';
import type { Clock } from '../ports.ts';
import type { StoreCode } from '../store/codes.ts';
import type { ApiCode } from './problem.ts';

/** Of a body that is a JSON document. */
export const JSON_BYTES_MAX = 64 * 1024;

/** Whatever writes is refused so while the store or the gateway is not well. */
export const UNWELL = ['not-accepting', 'faulted', 'no-space', 'io'] as const;

export interface ApiMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** What a route works on. */
export interface ApiWorld {
  control: GatewayControl;
  clock: Clock;
  metrics: ApiMetrics | undefined;
  openApi(): unknown;
}

export interface Call<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  by: Actor;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Answer {
  status: number;
  /** JSON, but for text. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Bytes as they come; `declared` is what the header states. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  declaredBytes: number | undefined;
}

export interface RouteShape {
  operation: string;
  method: Method;
  /** As OpenAPI writes it: `/jobs/{job}`. */
  path: string;
  /** The least of the roles that may; undefined: everybody, unasked. */
  role: Role | undefined;
  summary: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?:
    | { kind: 'json'; schema: z.ZodType; bytesMax: number }
    | { kind: 'bytes'; mediaType: string; bytesMax: number }
    /** Handed on as it comes. */
    | { kind: 'stream'; mediaType: string; bytesMax: number };
  /** By status. A schema: JSON. Text: of this media type. Null: nothing. */
  answers: Readonly<Record<number, z.ZodType | string | null>>;
  headers?: Readonly<Record<string, string>>;
  /** What it may refuse with, beside what every route may. */
  refuses: readonly (ApiCode | ControlCode | OutboxCode | CampaignControlCode | StoreCode)[];
  /** Absent: the server's own, which is the stream of events. */
  handle?(call: Call<never, never, never>, world: ApiWorld): Answer | Promise<Answer>;
}

interface Typed<P, Q, B> extends Omit<RouteShape, 'handle' | 'params' | 'query'> {
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  handle(call: Call<P, Q, B>, world: ApiWorld): Answer | Promise<Answer>;
}

/** A route whose handler is held to its schemas by the compiler. */
export function route<P, Q, B>(
  typed: Typed<P, Q, B> & {
    body: { kind: 'json'; schema: z.ZodType<B>; bytesMax: number };
  },
): RouteShape;
export function route<P, Q>(
  typed: Typed<P, Q, ByteStream> & { body: { kind: 'stream' } & RouteShape['body'] },
): RouteShape;
export function route<P, Q>(
  typed: Typed<P, Q, Uint8Array> & { body: { kind: 'bytes' } & RouteShape['body'] },
): RouteShape;
export function route<P, Q>(typed: Typed<P, Q, undefined> & { body?: undefined }): RouteShape;
export function route(typed: unknown): RouteShape {
  return typed as RouteShape;
}
