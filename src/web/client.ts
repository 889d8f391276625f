/**
 * Asks a gateway, or the coordinator of a fleet: operations by their name in its OpenAPI document, with the
 * token of who asks.
 */
import { OPERATIONS, type Operations, type Problem, ROLES, type Role } from './api-types.ts';
import { FLEET_OPERATIONS, type FleetOperations } from './fleet-types.ts';

export type OperationName = keyof Operations;
export type Answer<Name extends OperationName> = AnswerOf<Operations, Name>;

export type Asked<Name extends OperationName> = AskedOf<Operations, Name>;
export type FleetAnswer<Name extends keyof FleetOperations> = AnswerOf<FleetOperations, Name>;

type AskedOf<All, Name extends keyof All> = Omit<All[Name], 'answer'> & {
  headers?: Record<string, string>;
  signal?: AbortSignal;
};
type AnswerOf<All, Name extends keyof All> = All[Name] extends { answer: infer Given }
  ? Given
  : never;
/** Method, path, the least role, and the media type of what it takes. */
type OperationTable = Readonly<Record<string, readonly (string | undefined)[]>>;

/** The same of any operation. */
interface AnyAsked {
  path?: Record<string, string>;
  query?: Record<string, string | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** What the gateway refused, as it said it. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** No answer: whoever was asked is not there, or is somebody else. */
export class NotReachable extends Error {}

class ApiClient<All> {
  /** The gateway's clock less that of this browser, as its last answer said: to the second. */
  clockOffsetMs = 0;
  private readonly operations: OperationTable;
  private readonly token: string;
  private readonly onUnknown: () => void;

  /** `onUnknown`: the token is none any more. */
  constructor(operations: OperationTable, token: string, onUnknown: () => void = () => {}) {
    this.operations = operations;
    this.token = token;
    this.onUnknown = onUnknown;
  }

  /** @throws Refusal, NotReachable */
  async ask<Name extends keyof All & string>(
    name: Name,
    asked: AskedOf<All, Name>,
  ): Promise<AnswerOf<All, Name>> {
    const response = await this.fetch(name, asked as AnyAsked);
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return (isJson ? await response.json() : undefined) as AnswerOf<All, Name>;
  }

  protected async fetch(name: keyof All & string, asked: AnyAsked): Promise<Response> {
    const [method, path, , mediaType] = this.operations[name]!;
    const { body, headers, signal } = asked;
    const response = await fetch(addressOf(path!, asked), {
      method: method!,
      ...(body === undefined ? {} : { body: bodyOf(body) }),
      headers: {
        ...(body === undefined ? {} : { 'content-type': mediaType! }),
        ...headers,
        authorization: `Bearer ${this.token}`,
      },
      ...(signal ? { signal } : {}),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    }).catch((cause: unknown) => {
      throw new NotReachable('the gateway does not answer', { cause });
    });
    const answeredMs = Date.parse(response.headers.get('date') ?? '');
    if (!Number.isNaN(answeredMs)) this.clockOffsetMs = answeredMs - Date.now();
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.code === 'unauthenticated') this.onUnknown();
    throw new Refusal(problem);
  }
}

export class Client extends ApiClient<Operations> {
  constructor(token: string, onUnknown?: () => void) {
    super(OPERATIONS, token, onUnknown);
  }

  /** The stream of events after the record `after`, or from now on. @throws Refusal, NotReachable */
  async events(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = { 'last-event-id': `${after}` };
    const response = await this.fetch('events', { signal, headers });
    if (response.body) return response.body;
    throw new NotReachable('an answer without events');
  }
}

export class FleetClient extends ApiClient<FleetOperations> {
  constructor(token: string, onUnknown?: () => void) {
    super(FLEET_OPERATIONS, token, onUnknown);
  }
}

export function mayAsk(role: Role, name: OperationName): boolean {
  const [, , least] = OPERATIONS[name];
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body);
}

function addressOf(path: string, { path: names = {}, query = {} }: AnyAsked): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(names[name]!));
  const words = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return words.length === 0 ? filled : `${filled}?${words.join('&')}`;
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch (cause) {
    throw new NotReachable(`what answers is no gateway (${response.status})`, { cause });
  }
}
