/** docs/reference/configuration.md: every key of every file, from the schemas that the files are held against. */
import { MANIFEST_SCHEMA } from '../../src/campaign/manifest.ts';
import {
  fleetJsonSchema,
  gatewayJsonSchema,
  hubJsonSchema,
  installationsJsonSchema,
  type JsonSchema,
  listColumnsJsonSchema,
  ppmidJsonSchema,
  readinessPolicyJsonSchema,
  rigJsonSchema,
} from '../../src/config/schema.ts';
import { scenarioJsonSchema } from '../../src/lab/scenario/schema.ts';
import { code, page, table } from './markdown.ts';

interface File {
  title: string;
  where: string;
  schema: JsonSchema;
}

/** A list of steps may hold lists of steps: those are told once, as a file of their own. */
const SCENARIO = scenarioJsonSchema({ standIns: false }) as JsonSchema;
const [STEPS] = Object.values(SCENARIO.$defs ?? {});

interface Row {
  key: string;
  type: string;
  need: string;
  bounds: string;
  description: string;
}

const FILES: readonly File[] = [
  {
    title: 'The gateway',
    where: 'What `uplift serve --config` takes; `hw-config/gateway.example.yaml` is one.',
    schema: gatewayJsonSchema(),
  },
  {
    title: 'A rig',
    where: 'What `--rig` takes, and `rigs` of a gateway; `hw-config/rigs` has some.',
    schema: rigJsonSchema(),
  },
  {
    title: 'A hub model',
    where: 'What `model` of a hub names; `hw-config/hubs` has some.',
    schema: hubJsonSchema(),
  },
  {
    title: 'A PPMID model',
    where: 'What `model` of a PPMID names; `hw-config/ppmids` has one.',
    schema: ppmidJsonSchema(),
  },
  {
    title: 'A scenario',
    where:
      'What `uplift lab run` takes; `hw-config/scenarios` has some. For any value a variable may stand, its ' +
      'name in braces behind a dollar; or a choice by chance: `random` with `between` two whole numbers, or ' +
      '`of` a list.',
    schema: SCENARIO,
  },
  {
    title: 'A step of a scenario',
    where: 'An entry of `setUp`, `steps` and `cleanUp`, and of every list of steps in a step.',
    schema: STEPS?.items ?? {},
  },
  {
    title: 'A campaign',
    where: 'What `uplift campaign make` takes; `hw-config/campaign.example.yaml` is one.',
    schema: MANIFEST_SCHEMA,
  },
  {
    title: 'The coordinator of a fleet',
    where: 'What `uplift fleet serve --config` takes; `hw-config/fleet.example.yaml` is one.',
    schema: fleetJsonSchema(),
  },
  {
    title: 'Columns of lists',
    where: 'What `--columns` takes; `firmware/lists/columns.yaml` is one.',
    schema: listColumnsJsonSchema(),
  },
  {
    title: 'Installations',
    where:
      'What `--installation` takes, where it is no table; `firmware/lists/installations.yaml` is one.',
    schema: installationsJsonSchema(),
  },
  {
    title: 'The policy of readiness',
    where: 'What `--policy` of `uplift readiness` takes; `firmware/lists/policy.yaml` is one.',
    schema: readinessPolicyJsonSchema(),
  },
];

export function configurationPage(): string {
  return page(
    'Configuration',
    'Every key of every file that Uplift reads. `[]` is an entry of a list, `*` a name that the file gives. ' +
      'How the files are written is in [hw-config/README.md](../../hw-config/README.md).',
    FILES.map(({ title }) => `- [${title}](#${title.toLowerCase().replaceAll(' ', '-')})`).join(
      '\n',
    ),
    ...FILES.flatMap(({ title, where, schema }) => [
      `## ${title}`,
      where,
      table(
        ['Key', 'Type', 'Default', 'Bounds', 'What it is'],
        rowsOf(schema, '').map(({ key, type, need, bounds, description }) => [
          code(key),
          type,
          need,
          bounds,
          description,
        ]),
      ),
    ]),
  );
}

/** The keys below a schema, in their order, each once. */
function rowsOf(schema: JsonSchema, above: string): Row[] {
  const rows = keysOf(schema).flatMap(([name, below, isRequired]) => {
    const key = above === '' ? name : `${above}${name.startsWith('[') ? '' : '.'}${name}`;
    const row = rowOf(key, below, isRequired);
    return [...(name === '[]' && row.description === '' ? [] : [row]), ...rowsOf(below, key)];
  });
  return [...new Map(rows.map((row) => [row.key, row])).values()];
}

/** Of an object its properties, of a list and of a map their entries where those have keys. */
function keysOf(schema: JsonSchema): [string, JsonSchema, boolean][] {
  const required = (schema['required'] ?? []) as string[];
  const own = Object.entries(schema.properties ?? {}).map(
    ([name, below]): [string, JsonSchema, boolean] => [name, below, required.includes(name)],
  );
  const entries = schema['additionalProperties'];
  const named: [string, JsonSchema, boolean][] =
    typeof entries === 'object' && entries !== null ? [['*', entries as JsonSchema, false]] : [];
  const listed: [string, JsonSchema, boolean][] =
    schema.items && hasKeys(schema.items) ? [['[]', schema.items, false]] : [];
  return [...own, ...named, ...listed, ...(schema.anyOf ?? []).flatMap(keysOf)];
}

function hasKeys(schema: JsonSchema): boolean {
  return keysOf(schema).length > 0;
}

function rowOf(key: string, schema: JsonSchema, isRequired: boolean): Row {
  const fallback = schema['default'];
  const isGiven = fallback !== undefined && !isEmptyObject(fallback);
  return {
    key,
    type: typeOf(schema),
    need: isGiven ? code(JSON.stringify(fallback)) : isRequired ? 'required' : '',
    bounds: boundsOf(schema),
    description: String(schema['description'] ?? ''),
  };
}

function typeOf(schema: JsonSchema): string {
  if (schema.$ref) return 'list of steps';
  if ('const' in schema) return code(JSON.stringify(schema['const']));
  if (schema.enum) return schema.enum.map((value) => code(JSON.stringify(value))).join(', ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  const { type } = schema;
  if (type === 'array') return schema.items ? `list of ${typeOf(schema.items)}` : 'list';
  if (type === 'object') return 'mapping';
  if (type === 'integer') return 'whole number';
  if (type === 'boolean') return '`true` or `false`';
  if (type === 'string') return schema['format'] === 'date-time' ? 'time' : 'text';
  return typeof type === 'string' ? type : 'any';
}

function boundsOf(schema: JsonSchema): string {
  const span = (least: unknown, most: unknown, unit: string) => {
    if (least === undefined && most === undefined) return [];
    if (least === undefined) return [`at most ${shownNumber(most)}${unit}`];
    if (most === undefined) return [`at least ${shownNumber(least)}${unit}`];
    return [`${shownNumber(least)} to ${shownNumber(most)}${unit}`];
  };
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  return [
    ...span(minimum, maximum, ''),
    ...span(minLength, maxLength, ' characters'),
    ...span(minItems, maxItems, ' entries'),
    ...(typeof pattern === 'string' && pattern.length <= PATTERN_SHOWN_MAX ? [code(pattern)] : []),
    ...(schema.anyOf ?? []).map(boundsOf).filter((bounds) => bounds !== ''),
  ].join('; ');
}

/** A longer one tells a reader nothing; what is wrong is told in words when it is. */
const PATTERN_SHOWN_MAX = 60;

function shownNumber(value: unknown): string {
  return typeof value === 'number' && Math.abs(value) >= 10_000
    ? value.toLocaleString('en-GB')
    : `${value}`;
}

function isEmptyObject(value: unknown): boolean {
  return JSON.stringify(value) === '{}';
}
