/** An OpenAPI 3.1 document, made from a table of routes and its schemas. */
import { z } from '../config/fields.ts';
import { ROLES } from '../config/gateway-schema.ts';
import type { Problems } from './problem.ts';
import type { BodyShape, HeaderParameter, RouteShape } from './route.ts';
import { problem } from './schemas.ts';

export interface DescribedApi {
  title: string;
  summary: string;
  version: string;
  root: string;
  routes: readonly AnyRoute[];
  problems: Problems;
  /** By what whoever asks may say who they are. */
  security: readonly ('token' | 'certificate')[];
}

/** Whatever it works on. */
export type AnyRoute = Omit<RouteShape<never>, 'handle' | 'turn'>;

const ALWAYS: readonly string[] = [
  'request-malformed',
  'request-invalid',
  'unauthenticated',
  'forbidden',
  'origin-foreign',
  'request-slow',
  'host-unknown',
  'attempts-many',
  'header-large',
  'internal',
];
const WITH_BODY: readonly string[] = ['body-large', 'body-length', 'media-type'];

type JsonSchema = Record<string, unknown>;

export function describeApi(api: DescribedApi): Record<string, unknown> {
  const { title, summary, version, root, routes, problems, security } = api;
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = `${root}${route.path}`;
    const operation = operationOf(route, problems);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation };
  }
  const schemes = {
    token: { type: 'http', scheme: 'bearer' },
    certificate: { type: 'mutualTLS' },
  };
  return {
    openapi: '3.1.0',
    info: { title, version, summary },
    'x-roles': ROLES,
    security: security.map((name) => ({ [name]: [] })),
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, 'output') },
      securitySchemes: Object.fromEntries(security.map((name) => [name, schemes[name]])),
    },
  };
}

/** Statuses that a route may answer with, and the codes behind those that are refusals. */
export function refusalsOf(route: AnyRoute, problems: Problems): Map<number, string[]> {
  const codes = new Set([...ALWAYS, ...(route.body ? WITH_BODY : []), ...route.refuses]);
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const status = problems.statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

function operationOf(route: AnyRoute, problems: Problems): JsonSchema {
  const { operation, summary, role, params, query, asks = [], body, answers, headers } = route;
  const parameters = [
    ...parametersOf('path', params),
    ...parametersOf('query', query),
    ...asks.map(headerParameter),
  ];
  const shownHeaders = Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  );
  return {
    operationId: operation,
    summary,
    'x-role': role ?? 'anybody',
    ...(role === undefined ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body ? { requestBody: requestBodyOf(body) } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [
          status,
          {
            description: 'Done.',
            ...(headers ? { headers: shownHeaders } : {}),
            ...(answer === null ? {} : { content: contentOf(answer) }),
          },
        ]),
      ),
      ...Object.fromEntries(
        [...refusalsOf(route, problems)].map(([status, codes]) => [status, refusalOf(codes)]),
      ),
    },
  };
}

function requestBodyOf(body: BodyShape): JsonSchema {
  const description = `At most ${body.bytesMax} bytes.`;
  const content =
    body.kind === 'json'
      ? { 'application/json': { schema: schemaOf(body.schema, 'input') } }
      : { [body.mediaType]: { schema: { type: 'string', format: 'binary' } } };
  return { required: true, description, content };
}

function contentOf(answer: z.ZodType | string): JsonSchema {
  if (typeof answer === 'string') return { [answer]: { schema: { type: 'string' } } };
  return { 'application/json': { schema: schemaOf(answer, 'output') } };
}

function refusalOf(codes: string[]): JsonSchema {
  return {
    description: `Refused: ${codes.join(', ')}.`,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}

function parametersOf(place: 'path' | 'query', schema: z.ZodType | undefined): JsonSchema[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function headerParameter(parameter: HeaderParameter): JsonSchema {
  const { name, description, pattern, isRequired = false } = parameter;
  const schema = { type: 'string', pattern };
  return { name, in: 'header', required: isRequired, description, schema };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
