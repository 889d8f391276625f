/**
 * The audit log on disk: records are appended and synchronised before a decision is acted on, then the
 * head beside the log is replaced whole. A log that is damaged takes no more records.
 *
 *     audit.jsonl             one record a line
 *     audit.jsonl.head        sequence and hash of the newest that may have been acted on
 *     audit.jsonl.lock        while a process appends
 *     audit.jsonl.torn-TIME   half a record, moved aside
 *
 * A process may be killed, or the power cut, at any point. What is behind the record of the head was never
 * acted on then: whole records there are followed, and anything else is moved aside by the next append,
 * kept and out of the chain. Only where the record of the head itself is missing or edited, or a whole
 * record behind it does not follow, the log is damaged.
 *
 * An append reads the end of the log and not the log: 8 KiB, and no more than was left behind the head.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type AuditCheck,
  type AuditEntry,
  type AuditHead,
  type AuditRecord,
  type ChainRecord,
  checkChain,
  EMPTY_HEAD,
  followHead,
  headText,
  isRecordOf,
  nextRecord,
  parseHead,
  parseRecord,
  recordLine,
  sealOf,
} from '../audit/chain.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { giveUpLock, takeLock } from '../store/process-lock.ts';
import { syncFolder, writeAll, writeDurably, writeSynced } from './durable-file.ts';

const LOCK_WAIT_MS = 50;
const LOCK_TRIES_MAX = 200;
/** Read first to find the newest record; a record is about 1 KiB. */
const TAIL_BYTES = 8_192;
const OWNER_ONLY = 0o600;

export class AuditLog {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get headPath(): string {
    return `${this.path}.head`;
  }

  /** All of them are on disk when it returns. @throws UpliftError where they are not, and then none is */
  append(entries: readonly AuditEntry[], nowMs: number): AuditRecord[] {
    if (entries.length === 0) return [];
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      return this.locked(() => this.appendLocked(entries, nowMs));
    } catch (error) {
      throw error instanceof UpliftError ? error : this.notWritten(error);
    }
  }

  check(trusted?: AuditHead, after?: AuditHead): AuditCheck {
    const headLine = existsSync(this.headPath) ? readFileSync(this.headPath, 'utf8') : undefined;
    return checkChain(this.text(), headLine, trusted, after);
  }

  records(): ChainRecord[] {
    return this.text()
      .split('\n')
      .flatMap((line) => parseRecord(line) ?? []);
  }

  private text(): string {
    if (existsSync(this.path)) return readFileSync(this.path, 'utf8');
    if (existsSync(this.headPath)) return '';
    throw new UpliftError('audit-log-missing', `there is no audit log ${this.path}`, {
      expected: 'a log that a command has written',
      actual: 'no such file',
      next: 'name the log, or the rig that names it (auditLog)',
    });
  }

  private appendLocked(entries: readonly AuditEntry[], nowMs: number): AuditRecord[] {
    const descriptor = openSync(this.path, 'a+', OWNER_ONLY);
    try {
      const end = this.findEnd(descriptor, nowMs);
      let { head } = end;
      const records = entries.map((entry) => {
        const record = nextRecord(head, entry, nowMs);
        head = { sequence: record.sequence, hash: record.hash };
        return record;
      });
      // Before the records: where the disk has no room for their head it takes none of them.
      const nextHead = `${this.headPath}.new`;
      writeSynced(nextHead, headText(head), OWNER_ONLY);
      appendSynced(descriptor, records.map(recordLine).join(''), end.bytes);
      renameSync(nextHead, this.headPath);
      syncFolder(dirname(this.path));
      return records;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Where the next record goes: after the record of the head, and what follows that. */
  private findEnd(descriptor: number, nowMs: number): { head: AuditHead; bytes: number } {
    const { size } = fstatSync(descriptor);
    const kept = this.keptHead(size);
    const keptEnd = kept.sequence === 0 ? 0 : endOfRecord(descriptor, size, kept);
    if (keptEnd === undefined) {
      throw this.damaged(`record ${kept.sequence}, which the head names`, 'it is not there whole');
    }
    const tail = readRange(descriptor, keptEnd, size);
    const { head, bytes, rest } = followHead(kept, tail);
    if (rest === 'damaged') {
      throw this.damaged(`record ${head.sequence + 1} after it`, 'one that does not follow');
    }
    if (rest === 'torn') {
      this.moveAside(tail.subarray(bytes), nowMs);
      ftruncateSync(descriptor, keptEnd + bytes);
      fsyncSync(descriptor);
    }
    return { head, bytes: keptEnd + bytes };
  }

  /** A log gets its head before its first record: one with records and no head has lost it. */
  private keptHead(size: number): AuditHead {
    if (!existsSync(this.headPath)) {
      if (size > 0) throw this.damaged('a log with its head', 'one without');
      writeDurably(this.headPath, headText(EMPTY_HEAD), OWNER_ONLY);
      return EMPTY_HEAD;
    }
    const kept = parseHead(readFileSync(this.headPath, 'utf8'));
    if (kept) return kept;
    throw this.damaged('a head: sequence and hash of a record', 'something else');
  }

  private moveAside(torn: Uint8Array, nowMs: number): void {
    let atMs = nowMs;
    const pathAt = () => `${this.path}.torn-${new Date(atMs).toISOString().replaceAll(':', '')}`;
    while (existsSync(pathAt())) atMs++;
    writeDurably(pathAt(), torn, OWNER_ONLY);
  }

  private locked<T>(work: () => T): T {
    const path = `${this.path}.lock`;
    for (let tries = 1; ; tries++) {
      const lock = takeLock(path);
      if (lock.taken) break;
      if (tries >= LOCK_TRIES_MAX) throw locksHeld(path, lock.holder);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_WAIT_MS);
    }
    try {
      return work();
    } finally {
      giveUpLock(path);
    }
  }

  private damaged(expected: string, actual: string): UpliftError {
    return new UpliftError('audit-log-damaged', `the audit log ${this.path} is damaged`, {
      expected,
      actual,
      next: 'run `uplift audit check` to see what is missing; nothing is decided without the log',
      exit: EXIT.refused,
    });
  }

  private notWritten(error: unknown): UpliftError {
    return new UpliftError('audit-log-unwritable', `${this.path} cannot be written`, {
      expected: 'an audit log',
      actual: (error as Error).message,
      next: 'nothing is done without its record: make room, or correct the path',
      cause: error,
    });
  }
}

function locksHeld(path: string, holder: string): UpliftError {
  return new UpliftError('audit-log-locked', `${holder} holds ${path}`, {
    expected: 'a lock that is given up within milliseconds',
    actual: `held for ${(LOCK_WAIT_MS * LOCK_TRIES_MAX) / 1000} s by a process that runs`,
    next: 'wait for that process or stop it, then try again',
    exit: EXIT.notReachable,
  });
}

/** Where it fails, the log is as it was, as far as the disk still obeys. */
function appendSynced(descriptor: number, text: string, atBytes: number): void {
  try {
    writeAll(descriptor, text);
    fsyncSync(descriptor);
  } catch (error) {
    try {
      ftruncateSync(descriptor, atBytes);
    } catch {
      // Then the next append finds a torn record behind the head.
    }
    throw error;
  }
}

/** Where the line of the record that the head names ends; undefined where there is no such line. */
function endOfRecord(descriptor: number, size: number, head: AuditHead): number | undefined {
  const seal = Buffer.from(`${sealOf(head.hash)}\n`);
  for (let length = TAIL_BYTES; ; length *= 2) {
    const start = Math.max(0, size - length);
    const bytes = readRange(descriptor, start, size);
    const at = bytes.lastIndexOf(seal);
    const lineStart = at < 0 ? 0 : bytes.lastIndexOf('\n', at) + 1;
    if (at >= 0 && (lineStart > 0 || start === 0)) {
      const end = at + seal.length;
      const line = bytes.toString('utf8', lineStart, end - 1);
      return isRecordOf(head, line) ? start + end : undefined;
    }
    if (start === 0) return undefined;
  }
}

function readRange(descriptor: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from);
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(descriptor, bytes, at, bytes.length - at, from + at);
    if (read === 0) return bytes.subarray(0, at);
    at += read;
  }
  return bytes;
}
