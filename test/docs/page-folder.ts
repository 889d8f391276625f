/**
 * The folder in which the commands of one page run, as a clone of the repository is for a reader: `hw-config` and
 * `firmware` copied, `uplift` on the path, `scripts/uplift`. What the head of the page asks for is beside them:
 *
 *   baud=N    the lines of the virtual hubs are that fast, so that a test waits less
 *   keys      `keys`: people who sign campaigns, their trust anchors, TLS of a coordinator (fleet-material.ts)
 *   duis      `duis`: a Service User and a gateway that know each other (duis-material.ts)
 *   tokens    `tokens`, and `ann.token`, `olive.token`: two operators
 *
 * Ports and jobs that pages name are other ones on the machine of a test; `toHere` and `toPage` translate.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeDuisMaterial } from '../support/duis-material.ts';
import { writeFleetMaterial } from '../support/fleet-material.ts';
import { MAIN } from '../support/main.ts';
import { freePort } from '../support/rigs.ts';
import { type Page, ROOT } from './pages.ts';

const JOB = /\bj\d+\b/g;
const PORTS = [8460, 8461, 8470, 8471, 9464, 17754, 17755, 17756];

export class PageFolder {
  readonly path: string;
  private readonly ports: ReadonlyMap<string, string>;
  /** By their names here: numbers of records, of which a gateway has more or fewer before the first. */
  private readonly jobs = new Map<string, string>();

  private constructor(path: string, ports: ReadonlyMap<string, string>) {
    this.path = path;
    this.ports = ports;
  }

  static async make({ fixture }: Page): Promise<PageFolder> {
    const ports = new Map<string, string>();
    for (const port of PORTS) ports.set(`${port}`, `${await freePort()}`);
    const folder = new PageFolder(mkdtempSync(join(tmpdir(), 'uplift-docs-')), ports);
    folder.fill();
    for (const word of fixture) folder.add(word);
    return folder;
  }

  /** A file that a page has its reader write. */
  write(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.toHere(text), { mode: 0o600 });
  }

  toHere(text: string): string {
    const here = new Map([...this.jobs].map(([job, page]) => [page, job]));
    return text
      .replace(/\b\d{4,5}\b/g, (word) => this.ports.get(word) ?? word)
      .replace(JOB, (word) => here.get(word) ?? word);
  }

  /** Jobs that are new in what was said are those that are new on the page, in their order. */
  meet(expected: readonly string[], said: string): void {
    const known = new Set(this.jobs.values());
    const newIn = (text: string) => [...new Set(text.match(JOB))].filter((job) => !known.has(job));
    const onPage = newIn(expected.join('\n'));
    for (const [at, job] of newIn(said).entries()) {
      if (at < onPage.length) this.jobs.set(job, onPage[at]!);
    }
  }

  toPage(text: string): string {
    const back = new Map([...this.ports].map(([page, here]) => [here, page]));
    return text
      .replaceAll(this.path, '~/uplift')
      .replaceAll(ROOT, '~/uplift')
      .replace(/(?<=:)\d{4,5}\b/g, (word) => back.get(word) ?? word)
      .replace(JOB, (word) => this.jobs.get(word) ?? word);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  private fill(): void {
    for (const name of ['hw-config', 'firmware']) {
      cpSync(join(ROOT, name), join(this.path, name), { recursive: true });
    }
    for (const path of globSync('hw-config/**/*.yaml', { cwd: this.path }))
      this.rewrite(path, (text) => this.toHere(text));
    const script = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@" </dev/null\n`;
    for (const name of ['bin/uplift', 'scripts/uplift']) {
      mkdirSync(dirname(join(this.path, name)), { recursive: true });
      writeFileSync(join(this.path, name), script, { mode: 0o755 });
    }
  }

  private add(word: string): void {
    const [name, value] = word.split('=');
    if (name === 'baud') {
      for (const path of globSync('hw-config/hubs/*.yaml', { cwd: this.path })) {
        this.rewrite(path, (text) => text.replace(/baudRate: \d+/, `baudRate: ${value}`));
      }
    } else if (name === 'keys') {
      writeFleetMaterial(join(this.path, 'keys'), join(this.path, 'firmware/trust'));
    } else if (name === 'duis') {
      writeDuisMaterial(join(this.path, 'duis'), join(this.path, 'firmware/trust'));
    } else if (name === 'tokens') {
      const lines = ['ann', 'olive'].map((person) => {
        const token = randomBytes(24).toString('base64url');
        this.write(`${person}.token`, token);
        return `operator ${person} sha256:${createHash('sha256').update(token).digest('hex')}\n`;
      });
      this.write('tokens', lines.join(''));
    } else throw new Error(`docs-test: ${word} is not known`);
  }

  private rewrite(path: string, change: (text: string) => string): void {
    const file = join(this.path, path);
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  }
}
