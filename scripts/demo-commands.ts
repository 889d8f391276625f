/** Commands as a person would give them: each is printed, run from the sources in one folder, and waited for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../src/cli/main.ts');
const [BOLD, PLAIN] =
  process.stdout.isTTY && !process.env['NO_COLOR'] ? ['\u001b[1m', '\u001b[0m'] : ['', ''];

export class Commands {
  private readonly folder: string;
  private readonly running: ChildProcess[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What it says goes where this program's goes. @throws where it ends with anything but 0 */
  async uplift(...words: string[]): Promise<void> {
    console.log(`\n${BOLD}$ uplift ${words.join(' ')}${PLAIN}`);
    await this.run(words, 'inherit');
  }

  /** What it says, which is not shown. @throws as `uplift` */
  async ask(...words: string[]): Promise<string> {
    return this.run(words, 'pipe');
  }

  /** One that stays: resolves when it has said that it is ready. */
  start(words: string[], ready: RegExp): Promise<RegExpExecArray> {
    console.log(`\n${BOLD}$ uplift ${words.join(' ')} &${PLAIN}`);
    const child = spawn(process.execPath, [MAIN, ...words], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.running.push(child);
    let said = '';
    return new Promise((done, failed) => {
      const hear = (chunk: Buffer) => {
        said += chunk.toString();
        const found = ready.exec(said);
        if (!found) return;
        console.log(said.split('\n').find((line) => ready.test(line)));
        for (const stream of [child.stdout, child.stderr]) {
          stream.off('data', hear);
          stream.resume();
        }
        done(found);
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.on('exit', (code) => failed(new Error(`uplift ${words[0]} ended (${code})\n${said}`)));
    });
  }

  /** Ends those that stay, the last first. */
  async takeDown(): Promise<void> {
    for (const child of this.running.splice(0).reverse()) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await new Promise((done) => child.on('exit', done));
    }
  }

  private async run(words: string[], stdout: 'inherit' | 'pipe'): Promise<string> {
    const child = spawn(process.execPath, [MAIN, ...words], {
      cwd: this.folder,
      stdio: ['ignore', stdout, 'inherit'],
    });
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const code = await new Promise((done) => child.on('close', done));
    if (code !== 0) throw new Error(`uplift ${words.slice(0, 3).join(' ')} ended with ${code}`);
    return said;
  }
}
