/** The gateway's end of a coordinator's worker process: typed calls, events, and an end to it. */
import { type ChildProcess, fork } from 'node:child_process';
import { EXIT, type ExitCode, UpliftError } from '../../errors.ts';
import type { ErrorBody, FromWorker, LinkEvent, Method, Methods } from './messages.ts';
import { Turns } from './turns.ts';

const CLOSE_MS_MAX = 3_000;

interface Call {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class ZigbeeLink {
  private readonly worker: ChildProcess;
  private readonly calls = new Map<number, Call>();
  private nextId = 1;
  private closing = false;
  private over: string | undefined;

  /** Events come as they happen; `onEnd` once, when the worker dies unasked. */
  constructor(onEvent: (event: LinkEvent) => void, onEnd: (reason: string) => void) {
    // From the sources the worker is a file beside this one, in the package a bundle of its own.
    const script = import.meta.url.endsWith('.ts') ? './worker.ts' : './zigbee-worker.js';
    this.worker = fork(new URL(script, import.meta.url), {
      // The driver makes an error object a block for its time-outs; without traces that costs little.
      execArgv: ['--stack-trace-limit=0'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const messages = new Turns<FromWorker>((message) => {
      if ('event' in message) onEvent(message.event);
      else this.settle(message);
    });
    this.worker.on('message', (message: FromWorker) => messages.push(message));
    const end = (reason: string) => {
      if (this.over !== undefined) return;
      // What it said before its end was said.
      messages.drain();
      this.over = reason;
      for (const call of this.calls.values()) call.reject(ended(reason));
      this.calls.clear();
      if (!this.closing) onEnd(reason);
    };
    this.worker.on('exit', (code, signal) =>
      end(`the coordinator's process ended (${signal ?? `code ${code}`})`),
    );
    // Not started at all, or its channel broke: then nothing more comes of it.
    this.worker.on('error', (error) => {
      end(`the coordinator's process failed (${error.message})`);
      this.worker.kill('SIGKILL');
    });
  }

  call<M extends Method>(method: M, parameters: Methods[M][0]): Promise<Methods[M][1]> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.over !== undefined || !this.worker.connected) {
        reject(ended(this.over ?? "the coordinator's process is gone"));
        return;
      }
      this.calls.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.worker.send({ id, method, parameters });
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.over !== undefined) return;
    const gone = new Promise<void>((resolve) => this.worker.once('exit', () => resolve()));
    const kill = setTimeout(() => this.worker.kill('SIGKILL'), CLOSE_MS_MAX);
    this.call('close', {}).catch(() => {});
    await gone;
    clearTimeout(kill);
  }

  private settle(message: Exclude<FromWorker, { event: LinkEvent }>): void {
    const call = this.calls.get(message.id);
    this.calls.delete(message.id);
    if (message.ok) call?.resolve(message.result);
    else call?.reject(revive(message.error));
  }
}

function revive({ code, message, exit, ...detail }: ErrorBody): UpliftError {
  return new UpliftError(code, message, {
    ...detail,
    exit: (exit ?? EXIT.transferFailed) as ExitCode,
  });
}

function ended(reason: string): UpliftError {
  return new UpliftError('worker-ended', reason, {
    next: 'run the command again; the devices keep what they have',
    exit: EXIT.transferFailed,
  });
}
