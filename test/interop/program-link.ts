/** A program on its standard input and output as the device at the end of a link. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Link, LinkListener } from '../../src/ports.ts';

export class ProgramLink implements Link {
  readonly name: string;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private listener: LinkListener | undefined;

  constructor(command: string, args: string[], cwd: string) {
    this.name = command;
    this.child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'ignore'] });
    // The program may leave before it has read all.
    this.child.stdin!.on('error', () => {});
    this.child.stdout!.on('data', (chunk: Buffer) =>
      this.listener?.received(new Uint8Array(chunk)),
    );
    this.ended = new Promise((done) => {
      // A device that is through is silent; its line stays.
      this.child.on('close', done);
    });
  }

  get isOpen(): boolean {
    return this.listener !== undefined;
  }

  async open(listener: LinkListener): Promise<void> {
    this.listener = listener;
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    this.child.stdin!.write(bytes.slice(), (error) => taken(!error));
  }

  async drained(): Promise<void> {}
  async discard(): Promise<void> {}

  async setBaudRate(): Promise<boolean> {
    return false;
  }

  async setSignals(): Promise<boolean> {
    return false;
  }

  async sendBreak(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {
    const { listener } = this;
    this.listener = undefined;
    this.child.kill('SIGKILL');
    listener?.closed({ reason: 'closed', detail: '' });
  }
}
