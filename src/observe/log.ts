/**
 * The log of the service: a JSON line an event on stdout, which the journal of the system keeps. The only
 * import of pino. No file is written and none is rotated here.
 *
 *     {"level":"warning","time":"2027-01-31T02:30:00.000Z","gw":"bench-1","dev":"hub","code":"link-lost","msg":"..."}
 *
 * What devices and people wrote is in these lines, so every text is escaped (a terminal that shows the log
 * obeys nobody else) and cut, and what is named like a secret is not written at all, however deep it lies.
 */
import { type DestinationStream, pino } from 'pino';
import { escapeText } from '../bytes/escape-text.ts';
import type { Log, LogFields, LogLevel } from '../ports.ts';

/** Values of these names are secrets wherever they stand. Blocks and keys never reach a log by design. */
const SECRET_NAMES = [
  'authorization',
  'cookie',
  'installCode',
  'key',
  'linkKey',
  'networkKey',
  'passphrase',
  'password',
  'pin',
  'privateKey',
  'secret',
  'token',
] as const;

const REDACTED = '[redacted]';

/** Of one text; a device that babbles does not fill the disk. */
const TEXT_CHARACTERS_MAX = 2_000;
const DEPTH_MAX = 4;
const ENTRIES_MAX = 64;

const LEVELS: Record<LogLevel, number> = { debug: 20, info: 30, warning: 40, error: 50 };

export interface LogOptions {
  /** The id of the gateway, in every line. */
  gateway: string;
  level: LogLevel;
  /** Where lines go instead of stdout. */
  destination?: DestinationStream;
}

export interface ServiceLog extends Log {
  /** The same log with these fields in every line. */
  about(fields: LogFields): ServiceLog;
}

export function openLog({ gateway, level, destination }: LogOptions): ServiceLog {
  const logger = pino<LogLevel>(
    {
      level,
      customLevels: LEVELS,
      useOnlyCustomLevels: true,
      base: { gw: escapeText(gateway) },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths(), censor: REDACTED },
    },
    // Written before the call returns: the last words of a process that is killed are there.
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
  const over = (fixed: LogFields): ServiceLog => ({
    write(lineLevel, message, fields) {
      if (!logger.isLevelEnabled(lineLevel)) return;
      logger[lineLevel](safeFields({ ...fixed, ...fields }), safeText(message));
    },
    about: (fields) => over({ ...fixed, ...fields }),
  });
  return over({});
}

function redactedPaths(): string[] {
  return Array.from({ length: DEPTH_MAX }, (_, depth) => '*.'.repeat(depth)).flatMap((above) =>
    SECRET_NAMES.map((name) => `${above}${name}`),
  );
}

/** Names that pino writes itself are not for fields: a line has each of them once. */
const OWN_NAMES = new Set(['level', 'time', 'gw', 'msg']);

function safeFields(fields: LogFields): Record<string, unknown> {
  const safe = safeValue(fields, 0) as Record<string, unknown>;
  for (const name of OWN_NAMES) {
    if (!(name in safe)) continue;
    safe[`${name}_`] = safe[name];
    delete safe[name];
  }
  return safe;
}

/** A value as JSON can hold it, its texts escaped and cut, no deeper than is redacted. */
function safeValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return safeText(value);
  if (typeof value === 'bigint' || typeof value === 'symbol') return safeText(String(value));
  if (typeof value === 'function') return '[function]';
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (value instanceof Date) return safeText(String(value));
  if (depth === DEPTH_MAX) return '[deeper]';
  if (value instanceof Error) return safeError(value, depth);
  if (Array.isArray(value)) {
    return value.slice(0, ENTRIES_MAX).map((entry) => safeValue(entry, depth + 1));
  }
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .slice(0, ENTRIES_MAX);
  return Object.fromEntries(
    entries.map(([name, entry]) => [safeText(name), safeValue(entry, depth + 1)]),
  );
}

/** Its own properties stay out: libraries hang requests and their headers on errors. */
function safeError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    name: safeText(error.name),
    message: safeText(error.message),
    ...(code === undefined ? {} : { code: safeValue(code, depth + 1) }),
    ...(error.cause === undefined ? {} : { cause: safeValue(error.cause, depth + 1) }),
    stack: safeText(error.stack ?? ''),
  };
}

function safeText(text: string): string {
  if (text.length <= TEXT_CHARACTERS_MAX) return escapeText(text);
  return `${escapeText(text.slice(0, TEXT_CHARACTERS_MAX))}... (${text.length} characters)`;
}
