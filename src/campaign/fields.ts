/**
 * Fields of signed documents, each in two forms: as deterministic CBOR, whose records are maps with
 * numbers as keys, and as plain data, as YAML and JSON have it, with names. One description makes both
 * readers and both writers, so they cannot differ.
 *
 * Strict in both: no field that is not known, none twice, every text and number within its bounds, sets
 * in order. The first fault is kept, with the place of it.
 */
import type { CborMap, CborValue } from '../bytes/cbor.ts';
import { isCborMap } from '../bytes/cbor.ts';
import { decodeHex, encodeHex } from '../bytes/hex.ts';
import { assert } from '../errors.ts';
import { type CampaignCode, type CampaignRefusal, refuseCampaign } from './codes.ts';

export type Form = 'cbor' | 'plain';

export interface Field<T> {
  /** `undefined` where it is refused. */
  read(value: unknown, at: string, reading: Reading): T | undefined;
  write(value: T, form: Form): unknown;
  /** Its plain form, as JSON Schema says it: for editors and the manual. */
  schema: FieldSchema;
}

export type FieldSchema = Readonly<Record<string, unknown>>;

/** One document that is being read. */
export class Reading {
  readonly form: Form;
  refusal: CampaignRefusal | undefined;

  constructor(form: Form) {
    this.form = form;
  }

  refuse(code: CampaignCode, at: string, about = ''): undefined {
    this.refusal ??= refuseCampaign(code, about ? `${at}: ${about}` : at, at);
    return undefined;
  }
}

/** A field of a record: its number in CBOR. */
export interface Member<T> {
  label: number;
  field: Field<T>;
  optional: boolean;
  /** For whoever writes one, where the name does not say it. */
  what: string | undefined;
}

type Members<T> = { [K in keyof T]-?: Member<NonNullable<T[K]>> };

export function member<T>(label: number, field: Field<T>, what?: string): Member<T> {
  return { label, field, optional: false, what };
}

export function optional<T>(label: number, field: Field<T>, what?: string): Member<T> {
  return { label, field, optional: true, what };
}

/** Text that people can read aloud: no control characters, no blanks around it. */
export function text(charactersMax: number, pattern = /^/): Field<string> {
  const expected = `1 to ${charactersMax} characters`;
  const form = pattern.source === '^' ? {} : { pattern: pattern.source };
  return {
    schema: { type: 'string', minLength: 1, maxLength: charactersMax, ...form },
    read(value, at, reading) {
      if (typeof value !== 'string') return reading.refuse('field-kind', at, 'text is wanted');
      const isPlain = value.trim() === value && value.isWellFormed() && !/\p{C}/u.test(value);
      const fits = value !== '' && value.length <= charactersMax;
      return isPlain && fits && pattern.test(value)
        ? value
        : reading.refuse('field-value', at, expected);
    },
    write: (value) => value,
  };
}

export function whole(least: number, most: number): Field<number> {
  return {
    schema: { type: 'integer', minimum: least, maximum: most },
    read(value, at, reading) {
      if (typeof value !== 'number') return reading.refuse('field-kind', at, 'a number is wanted');
      const fits = Number.isSafeInteger(value) && value >= least && value <= most;
      return fits && !Object.is(value, -0)
        ? value
        : reading.refuse('field-value', at, `${least} to ${most}`);
    },
    write: (value) => value,
  };
}

export function oneOf<T extends string>(words: readonly T[]): Field<T> {
  return {
    schema: { enum: words },
    read(value, at, reading) {
      const found = words.find((word) => word === value);
      return found ?? reading.refuse('field-value', at, words.join(', '));
    },
    write: (value) => value,
  };
}

/** The only value is true: where it is not so, the field is left out. */
export const yes: Field<true> = {
  schema: { const: true },
  read: (value, at, reading) => (value === true ? true : reading.refuse('field-value', at, 'true')),
  write: (value) => value,
};

/** 32 octets; as text 64 lower-case digits. */
export const sha256: Field<string> = {
  schema: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  read(value, at, reading) {
    const isBytes = reading.form === 'cbor' && value instanceof Uint8Array;
    const digits = isBytes ? encodeHex(value) : value;
    if (isBytes !== (reading.form === 'cbor')) return reading.refuse('field-kind', at, 'SHA-256');
    return typeof digits === 'string' && /^[0-9a-f]{64}$/.test(digits)
      ? digits
      : reading.refuse('field-value', at, 'a SHA-256: 64 lower-case digits');
  },
  write(value, form) {
    const bytes = decodeHex(value);
    assert(bytes?.length === 32, 'a SHA-256 has 32 octets');
    return form === 'cbor' ? bytes : value;
  },
};

/** The year 2100, ms since 1970: a later time is a slip or an attack. */
const MOMENT_MS_MAX = Date.UTC(2100, 0, 1);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Whole seconds, as ms since 1970; as text 2027-01-31T02:30:00Z. */
export const moment: Field<number> = {
  schema: { type: 'string', format: 'date-time' },
  read(value, at, reading) {
    const isNumber = reading.form === 'cbor';
    if (typeof value !== (isNumber ? 'number' : 'string')) {
      return reading.refuse('field-kind', at, 'a time is wanted');
    }
    const ms = isNumber ? 1000 * (value as number) : timeMsOf(value as string);
    return ms >= 0 && ms <= MOMENT_MS_MAX
      ? ms
      : reading.refuse('field-value', at, 'a time such as 2027-01-31T02:30:00Z');
  },
  write(value, form) {
    assert(value % 1000 === 0, 'times are whole seconds');
    return form === 'cbor' ? value / 1000 : timeText(value);
  },
};

export function list<T>(field: Field<T>, least: number, most: number): Field<readonly T[]> {
  return {
    schema: { type: 'array', items: field.schema, minItems: least, maxItems: most },
    read(value, at, reading) {
      if (!Array.isArray(value)) return reading.refuse('field-kind', at, 'a list is wanted');
      if (value.length < least || value.length > most) {
        return reading.refuse('field-value', at, `${least} to ${most} entries`);
      }
      const entries: T[] = [];
      for (const [index, entry] of (value as unknown[]).entries()) {
        const read = field.read(entry, `${at}[${index}]`, reading);
        if (read === undefined) return undefined;
        entries.push(read);
      }
      return entries;
    },
    write: (value, form) => value.map((entry) => field.write(entry, form)),
  };
}

/** Texts, each once; in CBOR in order, so that a set has one encoding. */
export function setOf(field: Field<string>, most: number): Field<readonly string[]> {
  const listed = list(field, 1, most);
  return {
    schema: { ...listed.schema, uniqueItems: true },
    read(value, at, reading) {
      const entries = listed.read(value, at, reading);
      if (!entries) return undefined;
      const sorted = reading.form === 'plain' ? entries.toSorted(byCode) : entries;
      const isSorted = sorted.every((entry, index) => index === 0 || sorted[index - 1]! < entry);
      return isSorted ? sorted : reading.refuse('entry-order', at);
    },
    write: (value, form) => listed.write(value.toSorted(byCode), form),
  };
}

export function record<T extends object>(members: Members<T>): Field<T> {
  const all = Object.entries(members) as [string, Member<unknown>][];
  const labels = new Map<unknown, string>(all.map(([name, { label }]) => [label, name]));
  const names = new Map<unknown, string>(all.map(([name]) => [plainName(name), name]));
  assert(labels.size === all.length, 'each label is used once');
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        all.map(([name, { field, what }]) => [
          plainName(name),
          { ...field.schema, ...(what === undefined ? {} : { description: what }) },
        ]),
      ),
      required: all.filter(([, { optional }]) => !optional).map(([name]) => plainName(name)),
      additionalProperties: false,
    },
    read(value, at, reading) {
      const entries = entriesOf(value, reading.form);
      if (!entries) return reading.refuse('field-kind', at, 'a mapping is wanted');
      const values = new Map<string, unknown>();
      for (const [key, entry] of entries) {
        const name = (reading.form === 'cbor' ? labels : names).get(key);
        if (name === undefined) return reading.refuse('field-unknown', below(at, String(key)));
        values.set(name, entry);
      }
      const made: Record<string, unknown> = {};
      for (const [name, { field, optional }] of all) {
        if (!values.has(name)) {
          if (optional) continue;
          return reading.refuse('field-missing', below(at, plainName(name)));
        }
        const read = field.read(values.get(name), below(at, plainName(name)), reading);
        if (read === undefined) return undefined;
        made[name] = read;
      }
      return made as T;
    },
    write(value, form) {
      const written = all.flatMap(([name, { label, field }]): [number, string, unknown][] => {
        const entry = (value as Record<string, unknown>)[name];
        return entry === undefined ? [] : [[label, name, field.write(entry, form)]];
      });
      return form === 'cbor'
        ? (new Map(written.map(([label, , entry]) => [label, entry as CborValue])) as CborMap)
        : Object.fromEntries(written.map(([, name, entry]) => [plainName(name), entry]));
    },
  };
}

/** 2027-01-31T02:30:00Z. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function timeMsOf(written: string): number {
  const ms = TIME.test(written) ? Date.parse(written) : Number.NaN;
  // A 31 February would be one in March.
  return !Number.isNaN(ms) && timeText(ms) === written ? ms : Number.NaN;
}

function entriesOf(value: unknown, form: Form): Iterable<[unknown, unknown]> | undefined {
  if (form === 'cbor') return isCborMap(value as CborValue) ? (value as CborMap) : undefined;
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? Object.entries(value) : undefined;
}

/** A time is text there, so it has no unit. */
function plainName(name: string): string {
  return name.replace(/Ms$/, '');
}

function below(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`;
}

function byCode(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
