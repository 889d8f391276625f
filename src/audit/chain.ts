/**
 * The audit log: a chain of records, each of which names the hash of the one before, so that no
 * record can be edited, taken out, put in or moved without a trace. One line of JSON a record.
 *
 * A chain alone does not show that its newest records were cut off, or that all of it was written
 * anew. For that its head is kept beside it, and whoever wants more keeps a head elsewhere: sequence and
 * hash of the newest record.
 *
 * Nobody acts on a record before the head names it or a later one. So what a process that was killed in
 * the middle of its writing leaves behind the record of the head is no evidence of anything: whole records
 * there are counted, half of one is not.
 *
 * A record holds digests of what a decision was made on and not the facts themselves: it proves
 * later which ones they were and gives nothing away.
 */
import type { Intake } from '../admission/context.ts';
import { sha256Hex } from '../trust/digest.ts';

const LINE_END = 0x0a;

export const AUDIT_CODES = {
  malformed: 'The line is no record.',
  torn: 'The log ends in half a record, whose writer was stopped. Where the head misses none, nothing was done on it, and the next record moves it aside.',
  edited: 'The record was edited: its hash is not the one of its content.',
  removed: 'Records before this one are missing.',
  reordered: 'The record stands in another place than the one it was written in.',
  unlinked: 'The record does not name the hash of the one before: one of the two was exchanged.',
  truncated: 'The newest records are missing: the head names a later one.',
  exchanged: 'The record that the head names has another hash: the log was written anew.',
  'head-missing': 'The log has records and no head, so nobody can say whether any are missing.',
  'head-malformed': 'The head is none.',
  'head-behind': 'The head names an older record than the newest: one was written without it.',
} as const;

export type AuditCode = keyof typeof AUDIT_CODES;

export interface AuditFinding {
  code: AuditCode;
  message: string;
  /** The sequence number that is meant, or is missing. */
  sequence: number;
  /** In the file, from 1; absent where it is about no line. */
  line?: number;
}

export interface AuditEntry {
  kind: 'decision';
  /** The command or process that decided. */
  by: string;
  /** What was decided about, in the words of its user. */
  subject: { device?: string; image: string };
  /** SHA-256 of what the decision was made on, by name: 64 lower-case digits. */
  digests: Readonly<Record<string, string>>;
  decision: {
    /** As of when; what was asked as of another time is recorded at this one. */
    decidedAtMs: number;
    intake: Intake;
    verdict: 'admitted' | 'refused';
    ruleId?: string;
    conditional: boolean;
    pending: readonly string[];
    /** Rules that refused or warned. */
    said: readonly string[];
  };
}

export interface AuditRecord extends AuditEntry {
  /** From 1, without a gap. */
  sequence: number;
  atMs: number;
  /** Hash of the record before; 64 zeros in the first. */
  previous: string;
  /** SHA-256 of all of the above. */
  hash: string;
}

export interface AuditHead {
  sequence: number;
  hash: string;
}

export const EMPTY_HEAD: AuditHead = { sequence: 0, hash: '0'.repeat(64) };

/** The record that goes after `head`. */
export function nextRecord(head: AuditHead, entry: AuditEntry, atMs: number): AuditRecord {
  const { kind, by, subject, digests, decision } = entry;
  const sequence = head.sequence + 1;
  const unsealed = { sequence, atMs, kind, by, subject, digests, decision, previous: head.hash };
  return { ...unsealed, hash: sha256Hex(Buffer.from(JSON.stringify(unsealed))) };
}

export function recordLine(record: AuditRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** A record by its line, whether its hash is right or not; `undefined` where the line is none. */
export function parseRecord(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const record = value as Partial<AuditRecord>;
  const isChained =
    Number.isSafeInteger(record.sequence) && isHash(record.previous) && isHash(record.hash);
  const isWhole =
    Number.isFinite(record.atMs) &&
    typeof record.kind === 'string' &&
    typeof record.subject?.image === 'string' &&
    typeof record.decision?.verdict === 'string' &&
    Array.isArray(record.decision.said);
  return isChained && isWhole ? (value as AuditRecord) : undefined;
}

/** `N HASH`, as it is kept. */
export function parseHead(text: string): AuditHead | undefined {
  const parts = /^(\d{1,15}) ([0-9a-f]{64})\n?$/.exec(text);
  return parts ? { sequence: Number(parts[1]), hash: parts[2]! } : undefined;
}

export function headText({ sequence, hash }: AuditHead): string {
  return `${sequence} ${hash}\n`;
}

export interface AuditCheck {
  findings: AuditFinding[];
  records: number;
  /** Of the newest record. */
  head: AuditHead;
}

/**
 * Everything that is wrong with a log, in its order. `headLine` is what is kept beside it, `undefined`
 * where nothing is; `trusted` is a head that was kept elsewhere, at any earlier time.
 */
export function checkChain(
  text: string,
  headLine: string | undefined,
  trusted?: AuditHead,
): AuditCheck {
  const findings: AuditFinding[] = [];
  const say = (code: AuditCode, sequence: number, line?: number) =>
    findings.push({
      code,
      message: AUDIT_CODES[code],
      sequence,
      ...(line === undefined ? {} : { line }),
    });
  const lines = text.split('\n');
  // A whole log ends with a line's end; what follows it is half a record.
  const half = lines.pop()!;
  let head = EMPTY_HEAD;
  const hashes = new Map<number, string>();
  for (const [index, line] of lines.entries()) {
    const record = parseRecord(line);
    if (!record) {
      say('malformed', head.sequence + 1, index + 1);
      // Whatever stands there took the place of one record.
      head = { sequence: head.sequence + 1, hash: '' };
      continue;
    }
    const { sequence, hash, previous } = record;
    if (!isSealed(line, record)) say('edited', sequence, index + 1);
    if (sequence <= head.sequence) say('reordered', sequence, index + 1);
    else if (sequence > head.sequence + 1) say('removed', head.sequence + 1, index + 1);
    else if (head.hash !== '' && previous !== head.hash) say('unlinked', sequence, index + 1);
    hashes.set(sequence, hash);
    if (sequence > head.sequence) head = { sequence, hash };
  }
  if (half !== '') say('torn', head.sequence + 1, lines.length + 1);
  checkHead(headLine, head, hashes, say);
  if (trusted && trusted.sequence > 0) checkNamed(trusted, head, hashes, say);
  return { findings, records: lines.length, head };
}

/** What follows the record of a head in the log. */
export interface Continuation {
  /** Of the last whole record that goes on from it. */
  head: AuditHead;
  /** As many bytes are such records. */
  bytes: number;
  /** What the others are: half of something, or records that were tampered with. */
  rest: 'none' | 'torn' | 'damaged';
}

export function followHead(from: AuditHead, tail: Buffer): Continuation {
  let head = from;
  let bytes = 0;
  while (bytes < tail.length) {
    const end = tail.indexOf(LINE_END, bytes);
    const line = end < 0 ? '' : tail.toString('utf8', bytes, end);
    const record = parseRecord(line);
    if (!record) return { head, bytes, rest: 'torn' };
    const { sequence, hash, previous } = record;
    const isNext = sequence === head.sequence + 1 && previous === head.hash;
    if (!isNext || !isSealed(line, record)) return { head, bytes, rest: 'damaged' };
    head = { sequence, hash };
    bytes = end + 1;
  }
  return { head, bytes, rest: 'none' };
}

/** Whether the line is the record that the head names, and was not edited. */
export function isRecordOf({ sequence, hash }: AuditHead, line: string): boolean {
  const record = parseRecord(line);
  return record?.sequence === sequence && record.hash === hash && isSealed(line, record);
}

/** How the line of the record with this hash ends. */
export function sealOf(hash: string): string {
  return `,"hash":"${hash}"}`;
}

type Say = (code: AuditCode, sequence: number) => void;

function checkHead(
  headLine: string | undefined,
  head: AuditHead,
  hashes: ReadonlyMap<number, string>,
  say: Say,
): void {
  if (headLine === undefined) {
    if (head.sequence > 0) say('head-missing', head.sequence);
    return;
  }
  const kept = parseHead(headLine);
  if (!kept) {
    say('head-malformed', head.sequence);
    return;
  }
  if (kept.sequence < head.sequence) say('head-behind', head.sequence);
  if (kept.sequence > 0) checkNamed(kept, head, hashes, say);
}

function checkNamed(
  named: AuditHead,
  head: AuditHead,
  hashes: ReadonlyMap<number, string>,
  say: Say,
): void {
  if (named.sequence > head.sequence) say('truncated', head.sequence + 1);
  else if (hashes.has(named.sequence) && hashes.get(named.sequence) !== named.hash) {
    say('exchanged', named.sequence);
  }
}

/** By the very text of the line: no second spelling of a record is taken for it. */
function isSealed(line: string, { hash }: AuditRecord): boolean {
  const seal = sealOf(hash);
  if (!line.endsWith(seal)) return false;
  return sha256Hex(Buffer.from(`${line.slice(0, -seal.length)}}`)) === hash;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
