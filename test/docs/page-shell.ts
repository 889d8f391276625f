/** One bash in which the commands of a page are given one after another, and what each says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PageFolder } from './page-folder.ts';

const LIMIT_MS = 120_000;
const LOOK_MS = 50;
const STOP_MS = 5_000;
/** In what a command says it does not occur. */
const MARK = '\u001e';

export interface Spoken {
  said: string;
  code: number;
}

export class PageShell {
  private readonly folder: PageFolder;
  private readonly child: ChildProcess;
  private said = '';
  private wake: () => void = () => {};
  private jobs = 0;

  constructor(folder: PageFolder) {
    this.folder = folder;
    const { path } = folder;
    this.child = spawn('bash', ['-c', 'exec bash --norc --noprofile 2>&1'], {
      cwd: path,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        PATH: `${join(path, 'bin')}:${process.env['PATH']}`,
        HOME: path,
        NO_COLOR: '1',
        COLUMNS: '120',
      },
    });
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.said += chunk.toString();
      this.wake();
    });
    this.child.on('exit', () => this.wake());
  }

  /** Until it is over. */
  async run(command: string): Promise<Spoken> {
    this.said = '';
    const after = `__code=$?; printf '${MARK}%s${MARK}' $__code; (exit $__code)`;
    this.child.stdin!.write(`${this.folder.toHere(command)}\n${after}\n`);
    const over = new RegExp(`${MARK}(\\d+)${MARK}$`);
    for (const endMs = Date.now() + LIMIT_MS; ; ) {
      const found = over.exec(this.said);
      if (found) {
        const said = this.said.slice(0, found.index);
        return { said: this.folder.toPage(said), code: Number(found[1]) };
      }
      if (this.child.exitCode !== null) throw new Error(`the shell ended\n${this.said}`);
      if (Date.now() > endMs) throw new Error(`not over in time: ${command}\n${this.said}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, 1_000).unref();
      });
    }
  }

  /** One that goes on (`... &`): until it has said what is waited for. */
  async start(command: string, isReady: (said: string) => boolean): Promise<Spoken> {
    const log = `.job-${++this.jobs}`;
    const bare = command.replace(/\s*&$/, '');
    await this.run(`${bare} >${log} 2>&1 &`);
    const path = join(this.folder.path, log);
    for (const endMs = Date.now() + LIMIT_MS; ; ) {
      const said = existsSync(path) ? this.folder.toPage(readFileSync(path, 'utf8')) : '';
      if (isReady(said) || Date.now() > endMs) return { said, code: 0 };
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** With all that it started. */
  async end(): Promise<void> {
    const over = new Promise((resolve) => this.child.on('exit', resolve));
    this.child.stdin!.end('kill $(jobs -p) 2>/dev/null; wait\n');
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
    try {
      process.kill(-this.child.pid!, 'SIGKILL');
    } catch {
      // the group is already gone
    }
  }
}
