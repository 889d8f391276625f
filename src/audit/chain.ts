/**
 * A chain of records, each of which names the hash of the one before, so that no record can be edited,
 * taken out, put in or moved without a trace. One line of JSON a record. The audit log and the journal
 * are both such chains; a decision is one kind of record, and a kind may say anything that is JSON.
 *
 * A chain alone does not show that its newest records were cut off, or that all of it was written
 * anew. For that its head is kept beside it, and whoever wants more keeps a head elsewhere: sequence and
 * hash of the newest record.
 *
 * Nobody acts on a record before the head names it or a later one. So what a process that was killed in
 * the middle of its writing leaves behind the record of the head is no evidence of anything: whole records
 * there are counted, half of one is not.
 *
 * Two kinds speak of the chain itself. A `checkpoint` names the last record that was retired into an
 * archive: a chain that begins after it is whole. A `recovered` names the records that were lost with a
 * damaged file: the chain goes on after them, their numbers are not given out again, and every check
 * says that they are missing.
 *
 * A decision holds digests of what it was made on and not the facts themselves: it proves later which
 * ones they were and gives nothing away.
 */
import type { Intake } from '../admission/context.ts';
import { assert } from '../errors.ts';
import { sha256Hex } from '../trust/digest.ts';

const LINE_END = 0x0a;

export const AUDIT_CODES = {
  malformed: 'The line is no record.',
  torn: 'The log ends in half a record, whose writer was stopped. Where the head misses none, nothing was done on it, and the next record moves it aside.',
  edited: 'The record was edited: its hash is not the one of its content.',
  removed: 'Records before this one are missing.',
  lost: 'Records were lost with a damaged file; the log itself says so.',
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

/** What is recorded, before it is sealed: a kind and whatever else that is JSON. */
export interface ChainEntry {
  kind: string;
}

export interface ChainSeal {
  /** From 1, without a gap. */
  sequence: number;
  atMs: number;
  /** Hash of the record before; 64 zeros in the first. */
  previous: string;
  /** SHA-256 of all of the record but this field, as its line spells it. */
  hash: string;
}

export type ChainRecord<Entry extends ChainEntry = ChainEntry> = Entry & ChainSeal;

export interface AuditEntry extends ChainEntry {
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

export type AuditRecord = ChainRecord<AuditEntry>;

/** Everything up to `retired` is in an archive. */
export interface CheckpointEntry extends ChainEntry {
  kind: 'checkpoint';
  retired: AuditHead;
  archive: { name: string; sha256: string; records: number };
}

/** Sequence numbers, both ends included; without `to` nobody knows how many. */
export interface SequenceRange {
  from: number;
  to?: number;
}

export interface RecoveredEntry extends ChainEntry {
  kind: 'recovered';
  /** What was found to be wrong. */
  reason: string;
  /** Where the damaged file is now; absent where it stayed. */
  damaged?: string;
  lost: readonly SequenceRange[];
}

export interface AuditHead {
  sequence: number;
  hash: string;
}

export const EMPTY_HEAD: AuditHead = { sequence: 0, hash: '0'.repeat(64) };

const SEAL_FIELDS = ['sequence', 'atMs', 'previous', 'hash'] as const;

/** The record that goes after `head`. */
export function nextRecord<Entry extends ChainEntry>(
  head: AuditHead,
  entry: Entry,
  atMs: number,
): ChainRecord<Entry> {
  for (const field of SEAL_FIELDS) assert(!(field in entry), `an entry has no ${field} of its own`);
  const { kind, ...body } = entry;
  const unsealed = { sequence: head.sequence + 1, atMs, kind, ...body, previous: head.hash };
  const hash = sha256Hex(Buffer.from(JSON.stringify(unsealed)));
  return { ...unsealed, hash } as unknown as ChainRecord<Entry>;
}

export function recordLine(record: ChainRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** A record by its line, whether its hash is right or not; `undefined` where the line is none. */
export function parseRecord(line: string): ChainRecord | undefined {
  // Most of what is no record is told without an exception, which takes many times as long.
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const record = value as Partial<ChainRecord>;
  const isWhole =
    Number.isSafeInteger(record.sequence) &&
    isHash(record.previous) &&
    isHash(record.hash) &&
    Number.isFinite(record.atMs) &&
    typeof record.kind === 'string' &&
    (record.kind !== 'decision' || isDecision(record as ChainRecord));
  return isWhole ? (value as ChainRecord) : undefined;
}

export function isDecision(record: ChainRecord): record is AuditRecord {
  const { kind, subject, decision } = record as Partial<AuditRecord>;
  return (
    kind === 'decision' &&
    typeof subject?.image === 'string' &&
    typeof decision?.verdict === 'string' &&
    Array.isArray(decision.said)
  );
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

export interface ChainExpectations {
  /** What is kept beside the log; `undefined` where nothing is. */
  headLine: string | undefined;
  /** A head that was kept elsewhere, at any earlier time. */
  trusted?: AuditHead | undefined;
  /** The record that the log begins after: of an archive that is not the first. */
  after?: AuditHead | undefined;
}

/** Everything that is wrong with a log, in its order. */
export function checkChain(
  text: string,
  headLine: string | undefined,
  trusted?: AuditHead,
  after?: AuditHead,
): AuditCheck {
  const check = new ChainCheck({ headLine, trusted, after });
  const lines = text.split('\n');
  // A whole log ends with a line's end; what follows it is half a record.
  const half = lines.pop()!;
  for (const line of lines) check.take(line);
  return check.finish(half !== '');
}

/** The same line by line, for a log that is not held in memory. */
export class ChainCheck {
  readonly findings: AuditFinding[] = [];
  private readonly kept: AuditHead | undefined;
  private readonly expected: ChainExpectations;
  /** The heads that are asked for, and what the log has in their place. */
  private readonly named = new Map<number, string>();
  private newest: AuditHead;
  private lines = 0;
  /** A log that begins late, until a record of it says why. */
  private lateStart: { retired: AuditHead; line: number } | undefined;

  constructor(expected: ChainExpectations) {
    this.expected = expected;
    this.kept = expected.headLine === undefined ? undefined : parseHead(expected.headLine);
    for (const head of [this.kept, expected.trusted]) if (head) this.named.set(head.sequence, '');
    this.newest = expected.after ?? EMPTY_HEAD;
  }

  /** Of the newest record so far. */
  get head(): AuditHead {
    return this.newest;
  }

  /** The first sequence number of a log that begins late and has not said why. */
  get unprovenStart(): number | undefined {
    return this.lateStart && this.lateStart.retired.sequence + 1;
  }

  /** The record of the line, where it is one. */
  take(line: string): ChainRecord | undefined {
    this.lines++;
    const record = parseRecord(line);
    if (!record) {
      this.say('malformed', this.newest.sequence + 1, this.lines);
      // Whatever stands there took the place of one record.
      this.newest = { sequence: this.newest.sequence + 1, hash: '' };
      return undefined;
    }
    const { sequence, hash } = record;
    if (!isSealed(line, record)) this.say('edited', sequence, this.lines);
    this.place(record);
    if (this.named.has(sequence)) this.named.set(sequence, hash);
    if (sequence > this.newest.sequence) this.newest = { sequence, hash };
    return record;
  }

  /** To be called once, when all lines were taken; `isTorn` where half a line follows them. */
  finish(isTorn = false): AuditCheck {
    const { findings, lines, newest } = this;
    if (this.lateStart) {
      this.say('removed', (this.expected.after?.sequence ?? 0) + 1, this.lateStart.line);
      // It is about the first line.
      findings.unshift(findings.pop()!);
      this.lateStart = undefined;
    }
    if (isTorn) this.say('torn', newest.sequence + 1, lines + 1);
    this.checkKept();
    const { trusted } = this.expected;
    if (trusted && trusted.sequence > 0) this.checkNamed(trusted);
    return { findings, records: lines, head: newest };
  }

  private place(record: ChainRecord): void {
    const { sequence, previous } = record;
    const head = this.newest;
    const isFirst = this.lines === 1;
    if (sequence <= head.sequence) this.say('reordered', sequence, this.lines);
    else if (sequence === head.sequence + 1) {
      if (head.hash !== '' && previous !== head.hash) this.say('unlinked', sequence, this.lines);
    } else if (isFirst) {
      const retired = { sequence: sequence - 1, hash: previous };
      this.lateStart = { retired, line: this.lines };
    } else if (previous === head.hash && declaresLost(record, head.sequence + 1, sequence - 1)) {
      this.say('lost', head.sequence + 1, this.lines);
    } else this.say('removed', head.sequence + 1, this.lines);
    this.explainStart(record);
    for (const { from, to } of lostRanges(record)) {
      if (to === undefined) this.say('lost', from, this.lines);
    }
  }

  private explainStart(record: ChainRecord): void {
    if (!this.lateStart) return;
    const { sequence, hash } = this.lateStart.retired;
    const { retired } = record as Partial<ChainRecord<CheckpointEntry>>;
    const isCheckpoint =
      record.kind === 'checkpoint' && retired?.sequence === sequence && retired.hash === hash;
    const from = (this.expected.after?.sequence ?? 0) + 1;
    const isLost = declaresLost(record, from, sequence);
    if (isLost) this.say('lost', from, this.lines);
    if (isCheckpoint && this.named.has(sequence)) this.named.set(sequence, hash);
    if (isCheckpoint || isLost) this.lateStart = undefined;
  }

  private checkKept(): void {
    const { kept, newest } = this;
    if (this.expected.headLine === undefined) {
      if (newest.sequence > 0) this.say('head-missing', newest.sequence);
    } else if (!kept) this.say('head-malformed', newest.sequence);
    else {
      if (kept.sequence < newest.sequence) this.say('head-behind', newest.sequence);
      if (kept.sequence > 0) this.checkNamed(kept);
    }
  }

  private checkNamed(named: AuditHead): void {
    const found = this.named.get(named.sequence);
    if (named.sequence > this.newest.sequence) this.say('truncated', this.newest.sequence + 1);
    else if (found !== '' && found !== named.hash) this.say('exchanged', named.sequence);
  }

  private say(code: AuditCode, sequence: number, line?: number): void {
    const at = line === undefined ? {} : { line };
    this.findings.push({ code, message: AUDIT_CODES[code], sequence, ...at });
  }
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

function lostRanges(record: ChainRecord): readonly SequenceRange[] {
  const { kind, lost } = record as Partial<ChainRecord<RecoveredEntry>>;
  if (kind !== 'recovered' || !Array.isArray(lost)) return [];
  return lost.filter((range) => Number.isSafeInteger(range?.from));
}

function declaresLost(record: ChainRecord, from: number, to: number): boolean {
  return lostRanges(record).some((range) => range.from === from && range.to === to);
}

/** By the very text of the line: no second spelling of a record is taken for it. */
function isSealed(line: string, { hash }: ChainSeal): boolean {
  const seal = sealOf(hash);
  if (!line.endsWith(seal)) return false;
  return sha256Hex(Buffer.from(`${line.slice(0, -seal.length)}}`)) === hash;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
