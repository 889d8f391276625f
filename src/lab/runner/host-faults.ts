/**
 * Faults of the machine that the gateway runs on. They concern everything in this process, so a run that
 * makes one has the lab to itself; each gives back what undoes it.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { labError } from '../failure.ts';
import { Interrupted } from './interrupted.ts';

type Undo = () => void;

/** A file system that is filled up must be nobody else's: one so small was made for it. */
const DISK_BYTES_MAX = 1024 ** 3;
const FILL_NAME = 'uplift-lab-disk-full';
const FILL_BYTES = 1024 ** 2;
/** Of what a command says, for the report. */
const SAID_MAX = 500;

/** The wall clock as this process reads it. Another jump adds to the one before. */
export function jumpClock(ms: number): Undo {
  const before = Date.now;
  Date.now = () => before() + ms;
  return () => {
    Date.now = before;
  };
}

/** @throws LabError where others need the file system */
export function fillDisk(
  folder: string,
  bytesOf: (folder: string) => number = fileSystemBytes,
): Undo {
  const bytes = bytesOf(folder);
  if (bytes > DISK_BYTES_MAX) {
    throw labError('disk-shared', {
      expected: `a file system of its own, at most ${DISK_BYTES_MAX} bytes`,
      actual: `${bytes} bytes`,
      next: 'put `state` of the rig on a small tmpfs or loop device',
    });
  }
  const path = join(folder, FILL_NAME);
  const file = openSync(path, 'w');
  try {
    for (let piece = FILL_BYTES; piece > 0; piece >>>= 1) fillBy(file, Buffer.alloc(piece));
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}

/** Pieces of this size until none goes in any more. */
function fillBy(file: number, piece: Buffer): void {
  try {
    while (writeSync(file, piece) === piece.length);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
  }
}

function fileSystemBytes(folder: string): number {
  const { blocks, bsize } = statfsSync(folder);
  return blocks * bsize;
}

export interface CommandEnd {
  /** Undefined where it could not be started, or ended by a signal. */
  exit: number | undefined;
  /** The end of what it said. */
  said: string;
}

/** Its own process group, killed as a whole where the run ends before it does. @throws Interrupted */
export function runCommand(command: readonly string[], signal: AbortSignal): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Interrupted());
    const [program, ...parameters] = command;
    const child = spawn(program!, parameters, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const take = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_MAX);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const onAbort = () => {
      if (child.pid !== undefined) killGroup(child.pid);
      reject(new Interrupted());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const end = (exit: number | undefined, words: string) => {
      signal.removeEventListener('abort', onAbort);
      resolve({ exit, said: words.trim() });
    };
    child.on('error', (error) => end(undefined, error.message));
    child.on('close', (code) => end(code ?? undefined, said));
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
