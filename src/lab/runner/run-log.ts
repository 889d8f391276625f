/**
 * The log of a lab: a JSON line for each run that begins and each that has ended, on disk before anything
 * follows from it, so that what a killed runner had done is known. A last line that is no whole one is what
 * it was writing then.
 */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import { syncFolder, writeAll } from '../../gateway/durable-file.ts';
import type { RunResult } from '../run-result.ts';

export const RUN_LOG = 'lab.jsonl';
const LOG_BYTES_MAX = 2 ** 31 - 1;
const VERSION = 1;

export interface LogHead {
  kind: 'lab';
  version: typeof VERSION;
  seed: number;
  rig: { path: string; id: string };
  scenarios: {
    name: string;
    path: string | undefined;
    values: Readonly<Record<string, string | number | boolean>>;
    sha256: string;
  }[];
  /** Turns of every run; absent where they follow each other until a time. */
  repeat?: number | undefined;
  /** Only these devices, and only these runs. */
  devices?: readonly string[] | undefined;
  only?: readonly string[] | undefined;
  startedAtMs: number;
}

export type LogRecord =
  | LogHead
  | { kind: 'resumed'; atMs: number }
  | { kind: 'begun'; run: string; attempt: number; devices: Record<string, string>; atMs: number }
  /** `isFinal`: it is not tried again. */
  | { kind: 'ended'; isFinal: boolean; result: RunResult };

export interface RunLogContent {
  /** Where it is, absolute. */
  folder: string;
  head: LogHead;
  /** Every attempt, in the order in which they ended. */
  attempts: readonly RunResult[];
  /** What became of each run that is done with. */
  finals: ReadonlyMap<string, RunResult>;
  /** Attempts of each run so far, those that the end of the runner cut off included. */
  begun: ReadonlyMap<string, number>;
}

export class RunLog {
  readonly folder: string;
  private readonly file: number;

  private constructor(folder: string, file: number) {
    this.folder = folder;
    this.file = file;
  }

  /** @throws UpliftError where the folder has a log already */
  static create(folder: string, head: Omit<LogHead, 'kind' | 'version'>): RunLog {
    try {
      mkdirSync(folder, { recursive: true });
      const log = new RunLog(folder, openSync(join(folder, RUN_LOG), 'wx'));
      log.append({ kind: 'lab', version: VERSION, ...head });
      syncFolder(folder);
      return log;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(folder, error);
      throw new UpliftError('lab-there', `${folder} has runs already`, {
        expected: 'a folder without them',
        actual: RUN_LOG,
        next: `name another with --out, or go on with \`uplift lab run --resume ${folder}\``,
        exit: EXIT.usage,
        cause: error,
      });
    }
  }

  /** To go on with: what is no whole line at its end is cut off. */
  static reopen(folder: string): { log: RunLog; content: RunLogContent } {
    const { content, wholeBytes } = readLog(folder);
    try {
      const file = openSync(join(folder, RUN_LOG), 'r+');
      ftruncateSync(file, wholeBytes);
      closeSync(file);
      const log = new RunLog(folder, openSync(join(folder, RUN_LOG), 'a'));
      log.append({ kind: 'resumed', atMs: Date.now() });
      return { log, content };
    } catch (error) {
      throw unwritable(folder, error);
    }
  }

  /** On disk when it returns. @throws UpliftError */
  append(record: LogRecord): void {
    try {
      writeAll(this.file, `${JSON.stringify(record)}\n`);
      fsyncSync(this.file);
    } catch (error) {
      throw unwritable(this.folder, error);
    }
  }

  close(): void {
    closeSync(this.file);
  }
}

/** @throws UpliftError where it is none, or damaged */
export function readRunLog(folder: string): RunLogContent {
  return readLog(folder).content;
}

function readLog(folder: string): { content: RunLogContent; wholeBytes: number } {
  const path = join(folder, RUN_LOG);
  const bytes = readBounded(path, LOG_BYTES_MAX, 'the log of a lab');
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = new TextDecoder().decode(bytes.subarray(0, wholeBytes)).split('\n').slice(0, -1);
  const records = lines.map((line, index) => parseRecord(line, path, index + 1));
  const head = records[0];
  if (head?.kind !== 'lab' || head.version !== VERSION) {
    throw damaged(path, 1, `a log of a lab of version ${VERSION}`);
  }
  const attempts: RunResult[] = [];
  const finals = new Map<string, RunResult>();
  const begun = new Map<string, number>();
  for (const record of records) {
    if (record.kind === 'begun') begun.set(record.run, record.attempt);
    if (record.kind !== 'ended') continue;
    attempts.push(record.result);
    if (record.isFinal) finals.set(record.result.run, record.result);
  }
  return { content: { folder: resolve(folder), head, attempts, finals, begun }, wholeBytes };
}

const KINDS = ['lab', 'resumed', 'begun', 'ended'];

function parseRecord(line: string, path: string, number: number): LogRecord {
  let record: LogRecord | undefined;
  try {
    record = JSON.parse(line);
  } catch {
    // Told below.
  }
  if (typeof record !== 'object' || record === null || !KINDS.includes(record.kind)) {
    throw damaged(path, number, 'a record of a lab');
  }
  return record;
}

function damaged(path: string, line: number, expected: string): UpliftError {
  return new UpliftError('lab-log-damaged', `${path}:${line} is not taken`, {
    expected,
    actual: 'something else',
    next: 'name another folder, or begin anew',
    exit: EXIT.usage,
  });
}

function unwritable(folder: string, cause: unknown): UpliftError {
  if (cause instanceof UpliftError) return cause;
  return new UpliftError('lab-log-unwritable', `nothing can be written to ${folder}`, {
    expected: 'a folder to keep what is known of each run',
    actual: (cause as Error).message,
    next: 'check its disk and its rights; `uplift lab run --resume` goes on',
    exit: EXIT.usage,
    cause,
  });
}
