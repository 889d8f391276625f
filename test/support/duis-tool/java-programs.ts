/** Java programs, run one call after another in one JVM by `MainLoop.java`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const LOOP = resolve(import.meta.dirname, 'MainLoop.java');
/** Of one call, the start of the JVM included. */
const CALL_LIMIT_MS = 90_000;
/** Most calls are over before the second compiler would have paid. */
const JVM_OPTIONS = [
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-Djava.security.manager=allow',
];

export interface ProgramRun {
  exitCode: number;
  /** Its standard output. */
  output: Uint8Array;
  /** Its standard error. */
  messages: string;
}

/** Ends with `close`, and by itself when this process does: its standard input is closed then. */
export class JavaPrograms {
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private received = Buffer.alloc(0);
  private complaints = '';
  private wake: (() => void) | undefined;
  private isOver = false;
  private last: Promise<unknown> = Promise.resolve();

  constructor(classPath: string) {
    this.child = spawn('java', [...JVM_OPTIONS, '-cp', classPath, LOOP]);
    this.exited = new Promise((done) => {
      const end = () => {
        this.isOver = true;
        this.wake?.();
        done();
      };
      this.child.on('close', end);
      this.child.on('error', (error) => {
        this.complaints += error.message;
        end();
      });
    });
    this.child.stdin!.on('error', () => {});
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake?.();
    });
  }

  /** Calls take turns. */
  run(mainClass: string, args: readonly string[], input: Uint8Array): Promise<ProgramRun> {
    const turn = this.last.then(() => this.call([mainClass, ...args], input));
    this.last = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    this.child.stdin!.end();
    await this.exited;
  }

  private async call(words: readonly string[], input: Uint8Array): Promise<ProgramRun> {
    const { stdin } = this.child;
    stdin!.write(int32(words.length));
    for (const word of words) {
      const text = Buffer.from(word);
      stdin!.write(Buffer.concat([int32(text.length).subarray(2), text]));
    }
    stdin!.write(Buffer.concat([int32(input.length), input]));
    const limit = setTimeout(() => this.child.kill('SIGKILL'), CALL_LIMIT_MS);
    try {
      const exitCode = (await this.take(4)).readInt32BE();
      const output = await this.take((await this.take(4)).readInt32BE());
      const messages = await this.take((await this.take(4)).readInt32BE());
      return { exitCode, output, messages: messages.toString() };
    } finally {
      clearTimeout(limit);
    }
  }

  private async take(length: number): Promise<Buffer> {
    while (this.received.length < length) {
      if (this.isOver) throw new Error(`java ended before it answered: ${this.complaints}`);
      await new Promise<void>((wake) => {
        this.wake = wake;
      });
    }
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
