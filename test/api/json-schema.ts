/**
 * JSON Schema, as much as the OpenAPI document uses: whether a value conforms, and values that do.
 */
import fc from 'fast-check';

export interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  default?: unknown;
  description?: string;
}

const KNOWN = new Set([
  ...['$ref', 'type', 'enum', 'const', 'pattern', 'format', 'minLength', 'maxLength', 'minimum'],
  ...['maximum', 'exclusiveMinimum', 'items', 'minItems', 'maxItems', 'properties', 'required'],
  ...['additionalProperties', 'propertyNames', 'anyOf', 'oneOf', 'default', 'description'],
]);

type Resolve = (ref: string) => Schema;

/** Where it does not, and why; empty where it conforms. */
export function faults(schema: Schema, value: unknown, resolve: Resolve, at = ''): string[] {
  const unknown = Object.keys(schema).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0) throw new Error(`this test does not know ${unknown.join(', ')}`);
  if (schema.$ref) return faults(resolve(schema.$ref), value, resolve, at);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) {
    const fits = options.some((option) => faults(option, value, resolve, at).length === 0);
    return fits ? [] : [`${at}: none of ${options.length}`];
  }
  if (schema.enum) return schema.enum.includes(value) ? [] : [`${at}: not in the enumeration`];
  if ('const' in schema) return schema.const === value ? [] : [`${at}: not the constant`];
  switch (schema.type) {
    case 'string':
      return typeof value !== 'string'
        ? [`${at}: no string`]
        : checks(at, [
            value.length >= (schema.minLength ?? 0),
            value.length <= (schema.maxLength ?? Number.POSITIVE_INFINITY),
            schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(value),
          ]);
    case 'boolean':
      return checks(at, [typeof value === 'boolean']);
    case 'integer':
      return checks(at, [
        Number.isInteger(value),
        (value as number) >= (schema.minimum ?? Number.NEGATIVE_INFINITY),
        (value as number) <= (schema.maximum ?? Number.POSITIVE_INFINITY),
      ]);
    case 'array':
      if (!Array.isArray(value)) return [`${at}: no array`];
      return value.flatMap((item, n) => faults(schema.items ?? {}, item, resolve, `${at}/${n}`));
    case 'object':
      return objectFaults(schema, value, resolve, at);
    default:
      return [];
  }
}

function objectFaults(schema: Schema, value: unknown, resolve: Resolve, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${at}: no object`];
  }
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  return [
    ...missing.map((key) => `${at}/${key}: missing`),
    ...Object.entries(value).flatMap(([key, part]) => {
      if (Object.hasOwn(properties, key)) {
        return faults(properties[key]!, part, resolve, `${at}/${key}`);
      }
      if (additionalProperties === false) return [`${at}/${key}: unknown`];
      const rest = typeof additionalProperties === 'object' ? additionalProperties : {};
      return faults(rest, part, resolve, `${at}/${key}`);
    }),
  ];
}

function checks(at: string, results: boolean[]): string[] {
  return results.every(Boolean) ? [] : [`${at}: not as it has to be`];
}

/** Values that conform. */
export function valid(schema: Schema): fc.Arbitrary<unknown> {
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return fc.oneof(...options.map(valid));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if ('const' in schema) return fc.constant(schema.const);
  switch (schema.type) {
    case 'string': {
      if (schema.pattern) return fc.stringMatching(new RegExp(schema.pattern));
      const { minLength = 0, maxLength = 20 } = schema;
      return fc.string({ minLength, maxLength: Math.min(maxLength, 40) });
    }
    case 'boolean':
      return fc.boolean();
    case 'integer': {
      const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
      return fc.integer({
        min: Math.max(minimum, Number.MIN_SAFE_INTEGER),
        max: Math.min(maximum, Number.MAX_SAFE_INTEGER),
      });
    }
    case 'array':
      return fc.array(valid(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 4 });
    case 'object': {
      const { properties = {}, required = [] } = schema;
      const parts = Object.entries(properties).map(([key, part]) => [key, valid(part)] as const);
      return fc.record(Object.fromEntries(parts), { requiredKeys: required });
    }
    default:
      return fc.jsonValue();
  }
}

/** Text that is unkind to whoever shows, stores or matches it. */
export const unkind: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...['', '..', '../../etc/passwd', '%2f..%2f', '\u0000', 'a\r\nb: c', '\u202Eevil', '\uD800'],
    ...['__proto__', 'constructor', 'x'.repeat(5_000), null, true, -1, 1.5, 1e300, [], {}],
    ...[[[]], { when: 'at' }, { __proto__: { a: 1 } }, Number.MAX_SAFE_INTEGER + 1],
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values that nearly conform: one part is another, missing, or one too many. */
export function mutated(schema: Schema): fc.Arbitrary<unknown> {
  return fc
    .tuple(valid(schema), unkind, fc.nat(), fc.constantFrom('replace', 'remove', 'add'))
    .map(([value, other, where, how]) => {
      const copy = structuredClone(value);
      const places: [Record<string, unknown>, string][] = [];
      const walk = (node: unknown) => {
        if (typeof node !== 'object' || node === null) return;
        for (const key of Object.keys(node)) {
          places.push([node as Record<string, unknown>, key]);
          walk((node as Record<string, unknown>)[key]);
        }
      };
      walk(copy);
      const place = places[where % Math.max(1, places.length)];
      if (!place) return other;
      const [node, key] = place;
      if (how === 'remove' && !Array.isArray(node)) delete node[key];
      else if (how === 'add' && !Array.isArray(node)) node[`${key}x`] = other;
      else node[key] = other;
      return copy;
    });
}
