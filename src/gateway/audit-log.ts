/**
 * The audit log on disk: records are appended and synchronised before a decision is acted on, then the
 * head beside the log is replaced whole. A log that is damaged takes no more records.
 *
 *     audit.jsonl        one record a line
 *     audit.jsonl.head   sequence and hash of the newest
 *     audit.jsonl.lock   while a process appends
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type AuditCheck,
  type AuditEntry,
  type AuditHead,
  type AuditRecord,
  checkChain,
  EMPTY_HEAD,
  headText,
  nextRecord,
  parseHead,
  parseRecord,
  recordLine,
} from '../audit/chain.ts';
import { EXIT, UpliftError } from '../errors.ts';

const LOCK_WAIT_MS = 50;
const LOCK_TRIES_MAX = 200;
/** More than a record ever takes. */
const TAIL_BYTES = 1024 * 1024;

export class AuditLog {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get headPath(): string {
    return `${this.path}.head`;
  }

  /** All or none of them are on disk when it returns. @throws UpliftError where they are not */
  append(entries: readonly AuditEntry[], nowMs: number): AuditRecord[] {
    if (entries.length === 0) return [];
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      return this.locked(() => this.appendLocked(entries, nowMs));
    } catch (error) {
      throw error instanceof UpliftError ? error : this.notWritten(error);
    }
  }

  check(trusted?: AuditHead): AuditCheck {
    const headLine = existsSync(this.headPath) ? readFileSync(this.headPath, 'utf8') : undefined;
    return checkChain(this.text(), headLine, trusted);
  }

  records(): AuditRecord[] {
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
    const descriptor = openSync(this.path, 'a+', 0o600);
    try {
      let head = this.headFor(descriptor);
      const records = entries.map((entry) => {
        const record = nextRecord(head, entry, nowMs);
        head = { sequence: record.sequence, hash: record.hash };
        return record;
      });
      writeAll(descriptor, records.map(recordLine).join(''));
      fsyncSync(descriptor);
      this.keepHead(head);
      return records;
    } finally {
      closeSync(descriptor);
    }
  }

  /** The newest record and the kept head have to agree: what is damaged is not built upon. */
  private headFor(descriptor: number): AuditHead {
    const tail = readTail(descriptor);
    const kept = existsSync(this.headPath)
      ? parseHead(readFileSync(this.headPath, 'utf8'))
      : undefined;
    if (tail === '' && !existsSync(this.headPath)) return EMPTY_HEAD;
    const newest = tail.endsWith('\n')
      ? parseRecord(tail.trimEnd().split('\n').at(-1)!)
      : undefined;
    if (newest && kept) {
      const { sequence, hash, previous } = newest;
      if (kept.sequence === sequence && kept.hash === hash) return kept;
      // Killed between the record and its head: the record is whole and follows.
      if (kept.sequence + 1 === sequence && kept.hash === previous) return { sequence, hash };
    }
    throw new UpliftError('audit-log-damaged', `the audit log ${this.path} is damaged`, {
      expected: kept ? `a log that ends with record ${kept.sequence}` : 'a log with its head',
      actual: newest
        ? `one that ends with record ${newest.sequence}`
        : 'no whole record at its end',
      next: 'run `uplift audit check` to see what is missing; nothing is decided without the log',
      exit: EXIT.refused,
    });
  }

  private keepHead(head: AuditHead): void {
    const path = `${this.headPath}.${process.pid}`;
    const descriptor = openSync(path, 'w', 0o600);
    try {
      writeAll(descriptor, headText(head));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(path, this.headPath);
    const folder = openSync(dirname(this.path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  private locked<T>(work: () => T): T {
    const lock = `${this.path}.lock`;
    for (let tries = 0; ; tries++) {
      try {
        const descriptor = openSync(lock, 'wx', 0o600);
        writeAll(descriptor, `${process.pid}\n`);
        closeSync(descriptor);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (tries >= LOCK_TRIES_MAX) throw this.locksHeld(lock);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_WAIT_MS);
      }
    }
    try {
      return work();
    } finally {
      rmSync(lock, { force: true });
    }
  }

  private locksHeld(lock: string): UpliftError {
    return new UpliftError('audit-log-locked', `another process holds ${lock}`, {
      expected: 'a lock that is given up within seconds',
      actual: `held for ${(LOCK_WAIT_MS * LOCK_TRIES_MAX) / 1000} s`,
      next: 'remove it if no other Uplift process runs',
      exit: EXIT.notReachable,
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

function readTail(descriptor: number): string {
  const { size } = fstatSync(descriptor);
  const bytes = new Uint8Array(Math.min(size, TAIL_BYTES));
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(descriptor, bytes, at, bytes.length - at, size - bytes.length + at);
    if (read === 0) break;
    at += read;
  }
  return Buffer.from(bytes).toString('utf8');
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
