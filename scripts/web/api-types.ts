/**
 * The page's view of the API, out of its OpenAPI document: what each operation takes and gives as types, and
 * where it is and who may as a table. Run by `scripts/build web-types`; a test says whether it is in step.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openApiOf } from '../../src/api/openapi.ts';
import { fleetOpenApi } from '../../src/fleet/coordinator/doors.ts';

const WEB = resolve(import.meta.dirname, '../../src/web');
/** All that the page of a coordinator asks. */
const FLEET_OPERATIONS = ['listCampaigns'];

interface Schema {
  type?: string;
  format?: string;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  $ref?: string;
}

interface Operation {
  operationId: string;
  'x-role': string;
  parameters?: { name: string; in: string; required: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Placed {
  path: string;
  method: string;
  operation: Operation;
}

type Paths = Record<string, Record<string, Operation>>;

type Described = {
  'x-roles': string[];
  paths: Paths;
  components: { schemas: Record<string, Schema> };
};

/** The text of each file by its path, formatted as the rest is. */
export function apiTypes(): Map<string, string> {
  const fleet = fleetOpenApi('').operators as Described;
  return new Map([
    [resolve(WEB, 'api-types.ts'), gatewayText(openApiOf('') as Described)],
    [resolve(WEB, 'fleet-types.ts'), fleetText(fleet)],
  ]);
}

function gatewayText(document: Described): string {
  const operations = operationsOf(document);
  const roles = document['x-roles'].map((role) => `'${role}'`).join(', ');
  const lines = [
    '/**',
    ' * What the API takes and gives. Made from its OpenAPI document by `scripts/build web-types`; not to be',
    ' * edited.',
    ' */',
    '',
    `export const ROLES = [${roles}] as const;`,
    'export type Role = (typeof ROLES)[number];',
    '',
    '/** Method, path, the least of the roles that may, and the media type of what it takes. */',
    'export const OPERATIONS = {',
    ...operations.map(tableLine),
    '} as const;',
    '',
    `export interface Problem ${typeOf(document.components.schemas['Problem']!, 0)}`,
    '',
    'export interface Operations {',
    ...operations.flatMap(({ operation }) => operationLines(operation)),
    '}',
    '',
  ];
  return lines.join('\n');
}

function fleetText(document: Described): string {
  const operations = operationsOf(document).filter(({ operation }) =>
    FLEET_OPERATIONS.includes(operation.operationId),
  );
  const lines = [
    '/**',
    ' * What the page of a coordinator asks of its API. Made from its OpenAPI document by `scripts/build web-types`;',
    ' * not to be edited.',
    ' */',
    '',
    'export const FLEET_OPERATIONS = {',
    ...operations.map(tableLine),
    '} as const;',
    '',
    'export interface FleetOperations {',
    ...operations.flatMap(({ operation }) => operationLines(operation)),
    '}',
    '',
  ];
  return lines.join('\n');
}

function operationsOf({ paths }: Described): Placed[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

function tableLine({ path, method, operation }: Placed): string {
  const [mediaType] = Object.keys(operation.requestBody?.content ?? {});
  const words = [
    method.toUpperCase(),
    path,
    operation['x-role'],
    ...(mediaType ? [mediaType] : []),
  ];
  return `  ${operation.operationId}: [${words.map((word) => `'${word}'`).join(', ')}],`;
}

function operationLines({ operationId, parameters = [], requestBody, responses }: Operation) {
  const fields = (place: string) => parameters.filter((one) => one.in === place);
  const body = Object.values(requestBody?.content ?? {})[0]?.schema;
  const answers = Object.entries(responses)
    .filter(([status]) => status < '400')
    .flatMap(([, { content }]) => Object.values(content ?? {}).map(({ schema }) => schema));
  return [
    `  ${operationId}: {`,
    ...parameterLines('path', fields('path')),
    ...parameterLines('query', fields('query')),
    ...(body ? [`    body: ${typeOf(body, 2)};`] : []),
    `    answer: ${answers.length === 0 ? 'undefined' : union(answers, 2)};`,
    '  };',
  ];
}

function parameterLines(name: string, parameters: NonNullable<Operation['parameters']>): string[] {
  if (parameters.length === 0) return [];
  const fields = parameters.map(
    (one) =>
      `${one.name}${one.required ? '' : '?'}: ${isText(one.schema) ? 'string' : typeOf(one.schema, 2)}`,
  );
  return [`    ${name}: { ${fields.join('; ')} };`];
}

/** Numbers in a query are digits. */
function isText({ type, enum: choices }: Schema): boolean {
  return type === 'string' && choices === undefined;
}

function typeOf(schema: Schema, depth: number): string {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return union(choices, depth);
  switch (schema.type) {
    case 'string':
      return schema.format === 'binary' ? 'Uint8Array<ArrayBuffer>' : 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array': {
      const item = typeOf(schema.items!, depth);
      return / [|] /.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return objectType(schema, depth);
    default:
      return 'unknown';
  }
}

function union(schemas: Schema[], depth: number): string {
  return [...new Set(schemas.map((schema) => typeOf(schema, depth)))].join(' | ');
}

function objectType(
  { properties = {}, required = [], additionalProperties }: Schema,
  depth: number,
): string {
  const indent = '  '.repeat(depth + 1);
  const lines = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : '?';
    return `${indent}${name}${mark}: ${typeOf(schema, depth + 1)};`;
  });
  const isOpen = typeof additionalProperties === 'object';
  if (isOpen && lines.length === 0) {
    const value = typeOf(additionalProperties, depth + 1);
    return `Record<string, ${value}>`;
  }
  if (isOpen) lines.push(`${indent}[field: string]: unknown;`);
  if (lines.length === 0) return 'Record<string, never>';
  return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

if (import.meta.main) for (const [path, text] of apiTypes()) writeFileSync(path, text);
