/** A file held against its schema. */
import { expectedWords, explain, type SchemaIssue } from './explain.ts';
import type { JsonSchema } from './schema.ts';
import { throwAny, type YamlSource } from './yaml-source.ts';

export interface Schema<T> {
  safeParse(
    value: unknown,
    options: { error: (issue: { code?: string | undefined }) => string | undefined },
  ): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}

/** @throws ConfigError */
export function validate<T>(
  schema: Schema<T>,
  source: YamlSource,
  jsonSchema: () => JsonSchema,
): T {
  const parsed = schema.safeParse(source.value(), { error: expectedWords });
  if (parsed.success) return parsed.data;
  throwAny(explain(parsed.error.issues, source, jsonSchema()));
  throw new Error('a schema refused a file without an issue');
}
