/**
 * What a schema finds wrong, told by the file: the place, the key, what was expected and what was found,
 * and the key or word that was probably meant.
 */
import type { ConfigCode, Problem } from './codes.ts';
import { nearest } from './nearest.ts';
import type { JsonSchema } from './schema.ts';
import type { Found, KeyPath, YamlSource } from './yaml-source.ts';

/** The parts of zod's issues that are read here. */
export interface SchemaIssue {
  code: string;
  path: readonly PropertyKey[];
  message: string;
  expected?: string;
  keys?: readonly string[];
  values?: readonly unknown[];
  /** Of an issue of our own: what it is told as. */
  params?: { code?: ConfigCode; found?: string; next?: string } | undefined;
}

/**
 * The issues as problems, in the order in which they stand in the file. A missing key whose misspelling
 * is there is told once, as the misspelling.
 */
export function explain(
  issues: readonly SchemaIssue[],
  source: YamlSource,
  schema: JsonSchema,
): Problem[] {
  const misspelt = new Set<string>();
  const problems: Problem[] = [];
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const path = issue.path as KeyPath;
    for (const key of issue.keys ?? []) {
      const known = Object.keys(schemaAt(schema, path, source)?.properties ?? {});
      const absent = known.filter((name) => !source.has([...path, name]));
      const meant = nearest(key, absent) ?? nearest(key, known);
      if (meant !== undefined) misspelt.add(keyText([...path, meant]));
      problems.push(unknownKey(source, [...path, key], known, meant));
    }
  }
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') continue;
    const path = issue.path as KeyPath;
    const missing = !source.has(path);
    if (missing && misspelt.has(keyText(path))) continue;
    problems.push(missing ? missingKey(source, issue) : wrongValue(source, issue));
  }
  return problems.sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

/** As people write it: `devices[0].virtual.count`. */
export function keyText(path: KeyPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w-]{1,64}$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step.slice(0, 64))}]`;
  }
  return text;
}

/** Words for what zod would tell in its own; descriptions in the schema go before these. */
export function expectedWords(issue: {
  code?: string | undefined;
  expected?: unknown;
  values?: readonly unknown[];
}): string | undefined {
  if (issue.code === 'invalid_value') {
    const values = issue.values ?? [];
    return `${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`;
  }
  const words: Record<string, string> = {
    boolean: 'true or false',
    object: 'a mapping of keys and values',
    array: 'a list, each entry after a hyphen',
  };
  return words[String(issue.expected)];
}

/** A value that is not as it should be; what is found there is said in the words of the file, unless told. */
export function problemAt(
  source: YamlSource,
  path: KeyPath,
  told: Pick<Problem, 'code' | 'expected'> & {
    found?: string | undefined;
    next?: string | undefined;
  },
): Problem {
  const { code, expected, found = source.found(path).words, next } = told;
  const place = { file: source.file, ...source.placeOfValue(path), key: keyText(path) };
  return { code, ...place, expected, found, ...(next === undefined ? {} : { next }) };
}

function unknownKey(
  source: YamlSource,
  path: KeyPath,
  known: readonly string[],
  meant: string | undefined,
): Problem {
  return {
    code: 'key-unknown',
    file: source.file,
    ...source.placeOfKey(path),
    key: keyText(path),
    expected: `one of the keys ${known.join(', ')}`,
    found: JSON.stringify(String(path.at(-1)).slice(0, 64)),
    ...(meant === undefined ? {} : { next: `did you mean "${meant}"?` }),
  };
}

function missingKey(source: YamlSource, issue: SchemaIssue): Problem {
  const path = issue.path as KeyPath;
  return problemAt(source, path, {
    code: 'key-missing',
    expected: issue.message,
    found: 'nothing',
    next: `add the key "${path.at(-1)}"`,
  });
}

function wrongValue(source: YamlSource, issue: SchemaIssue): Problem {
  const path = issue.path as KeyPath;
  const found = source.found(path);
  const unquoted =
    issue.expected === 'string' && ['number', 'boolean', 'other'].includes(found.kind);
  const next = unquoted ? quoteIt(found) : (issue.params?.next ?? suggestion(issue, found));
  return problemAt(source, path, {
    code: unquoted ? 'value-unquoted' : (issue.params?.code ?? 'value-wrong'),
    expected: issue.message,
    found: issue.params?.found,
    next,
  });
}

function quoteIt({ source }: Found): string {
  return source === '' ? 'put it in quotes' : `put it in quotes: "${source.slice(0, 64)}"`;
}

function suggestion(issue: SchemaIssue, found: Found): string | undefined {
  if (issue.code !== 'invalid_value' || found.kind !== 'text') return undefined;
  const meant = nearest(found.source.replace(/^["']|["']$/g, ''), (issue.values ?? []).map(String));
  return meant === undefined ? undefined : `did you mean "${meant}"?`;
}

function schemaAt(schema: JsonSchema, path: KeyPath, source: YamlSource): JsonSchema | undefined {
  let at: JsonSchema | undefined = schema;
  for (const [index, step] of path.entries()) {
    const property =
      typeof step === 'number' ? at?.items : (at?.properties?.[step] ?? at?.additionalProperties);
    at = referred(property, schema);
    at = referred(optionAt(at, path.slice(0, index + 1), source), schema);
  }
  return at;
}

/** A schema that holds itself is named once and referred to. */
function referred(at: JsonSchema | undefined, root: JsonSchema): JsonSchema | undefined {
  const name = at?.$ref?.split('/').at(-1);
  return name === undefined ? at : root.$defs?.[name];
}

/** Of several schemas for one place, the one that knows most of the keys that are there. */
function optionAt(
  schema: JsonSchema | undefined,
  path: KeyPath,
  source: YamlSource,
): JsonSchema | undefined {
  const options = schema?.anyOf ?? schema?.oneOf;
  if (options === undefined) return schema;
  const known = ({ properties = {} }: JsonSchema) =>
    Object.keys(properties).filter((key) => source.has([...path, key])).length;
  return options.reduce((best, option) => (known(option) > known(best) ? option : best));
}
