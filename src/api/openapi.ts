/** The OpenAPI 3.1 document, made from the table of routes and its schemas. */
import { z } from '../config/fields.ts';
import { statusOf } from './problem.ts';
import type { RouteShape } from './route.ts';
import { API_ROOT, ROUTES } from './routes.ts';
import { problem } from './schemas.ts';

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

export function openApiOf(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    const path = `${API_ROOT}${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Uplift',
      version,
      summary: 'Firmware upgrades of smart-metering devices: jobs, images, lists, records.',
    },
    security: [{ token: [] }, { certificate: [] }],
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, 'output') },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        certificate: { type: 'mutualTLS' },
      },
    },
  };
}

/** Statuses that a route may answer with, and the codes behind those that are refusals. */
export function refusalsOf(route: RouteShape): Map<number, string[]> {
  const codes = new Set([...ALWAYS, ...(route.body ? WITH_BODY : []), ...route.refuses]);
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

function operationOf(route: RouteShape): JsonSchema {
  const { operation, summary, role, params, query, body, answers, headers } = route;
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)];
  if (body?.kind === 'stream') {
    parameters.push(headerParameter('Upload-Offset', 'Where the bytes go.'));
  }
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
        [...refusalsOf(route)].map(([status, codes]) => [status, refusalOf(codes)]),
      ),
    },
  };
}

function requestBodyOf(body: NonNullable<RouteShape['body']>): JsonSchema {
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

function headerParameter(name: string, description: string): JsonSchema {
  const schema = { type: 'string', pattern: '^[0-9]{1,15}$' };
  return { name, in: 'header', required: true, description, schema };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
