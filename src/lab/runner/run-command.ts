/** Runs a program of a scenario to its end, or to that of its run. */
import { spawn } from 'node:child_process';
import { Interrupted } from './interrupted.ts';

/** Of what a command says, for the report. */
const SAID_MAX = 500;

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
