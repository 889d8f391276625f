/**
 * What a route is: where it is, who may use it, what it takes and gives as schemas, and what it
 * does. Server, OpenAPI document and tests read the same table of them. `W` is what the routes of
 * one API work on: a gateway, a coordinator.
 */
import type { ServerResponse } from 'node:http';
import type { z } from '../config/fields.ts';
import type { Role } from '../config/gateway.ts';
import type { Actor } from '../jobs/records.ts';
import type { Identity } from './access.ts';

/** Of a body that is a JSON document. */
export const JSON_BYTES_MAX = 64 * 1024;

export interface ApiMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface Call<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  by: Actor;
  who: Identity;
  /** The address of the peer. */
  address: string;
  method: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether whoever asked still may; for answers that last. */
  stillMay(): boolean;
  /** Called once where the client goes away before it has its answer. */
  onGone(task: () => void): void;
}

export interface Answer {
  status: number;
  /** JSON, but for text and bytes. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** In place of a body: writes it as it comes, and ends the response. Not called for HEAD. */
  pour?(response: ServerResponse): void;
}

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * The least of the roles that may. Without tokens: whoever shows a certificate, or the gateway that
 * is known by it, on a path that names a gateway that one alone.
 */
export type RouteRole = Role | 'certificate' | 'gateway';

/** Bytes as they come; `declared` is what the header states. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  declaredBytes: number | undefined;
}

export interface HeaderParameter {
  name: string;
  description: string;
  pattern: string;
  isRequired?: boolean;
}

export type BodyShape =
  /** `mayBePacked`: by gzip; the bound is of what comes out. */
  | { kind: 'json'; schema: z.ZodType; bytesMax: number; mayBePacked?: true }
  | { kind: 'bytes'; mediaType: string; bytesMax: number }
  /** Handed on as it comes. */
  | { kind: 'stream'; mediaType: string; bytesMax: number };

export interface RouteShape<W> {
  operation: string;
  method: Method;
  /** As OpenAPI writes it: `/jobs/{job}`. */
  path: string;
  /** Undefined: everybody, unasked. */
  role: RouteRole | undefined;
  summary: string;
  params?: z.ZodType;
  query?: z.ZodType;
  /** Fields of the request's header that it reads. */
  asks?: readonly HeaderParameter[];
  body?: BodyShape;
  /** By status. A schema: JSON. Text: of this media type. Null: nothing. */
  answers: Readonly<Record<number, z.ZodType | string | null>>;
  headers?: Readonly<Record<string, string>>;
  /** JSON is packed for whoever takes gzip. */
  isPacked?: true;
  /** A stream without end, of which HEAD says nothing. */
  isEndless?: true;
  /** What it may refuse with, beside what every route may. */
  refuses: readonly string[];
  /**
   * Waits for a turn before a byte of the body is read, so that bodies that wait cost nothing.
   * @returns what gives the turn back
   * @throws RefusalError
   */
  turn?(who: Identity, world: W): Promise<() => void>;
  handle(call: Call<never, never, never>, world: W): Answer | Promise<Answer>;
}

interface Typed<W, C, P, Q, B> extends Omit<RouteShape<W>, 'handle' | 'params' | 'query'> {
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  refuses: readonly (C & string)[];
  handle(call: Call<P, Q, B>, world: W): Answer | Promise<Answer>;
}

/** Makes routes whose handlers are held to their schemas by the compiler. */
export interface RouteMaker<W, C> {
  <P, Q, B>(
    typed: Typed<W, C, P, Q, B> & { body: { kind: 'json'; schema: z.ZodType<B> } & BodyShape },
  ): RouteShape<W>;
  <P, Q>(
    typed: Typed<W, C, P, Q, ByteStream> & { body: { kind: 'stream' } & BodyShape },
  ): RouteShape<W>;
  <P, Q>(
    typed: Typed<W, C, P, Q, Uint8Array> & { body: { kind: 'bytes' } & BodyShape },
  ): RouteShape<W>;
  <P, Q>(typed: Typed<W, C, P, Q, undefined> & { body?: undefined }): RouteShape<W>;
}

/** `C`: the codes that the routes of this API may refuse with. */
export function routeMaker<W, C>(): RouteMaker<W, C> {
  return (typed: unknown) => typed as RouteShape<W>;
}
