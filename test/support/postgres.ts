/**
 * A PostgreSQL of a test's own: a fresh cluster in a temporary folder, on a Unix socket there and no port,
 * durable as it comes. It may be stopped, killed and started again.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const VERSIONS = [15, 16, 17, 18];
/** The server refuses to run as root; Debian's package makes this user. */
const USER = 'postgres';
const TOOL = 'initdb';

export interface TestPostgres {
  /** Of a database that is made new and empty. */
  makeDatabase(): Promise<string>;
  /** In order; `start` brings it back. */
  stop(): Promise<void>;
  /** All of its processes at once. */
  kill9(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** What a test needs and is not here: for `testWhere`. */
export function missingPostgres(): readonly string[] {
  return programFolder() === undefined ? ['postgresql'] : [];
}

export async function startPostgres(): Promise<TestPostgres> {
  const programs = programFolder()!;
  const isRoot = process.getuid?.() === 0;
  const folder = mkdtempSync(join(tmpdir(), 'uplift-postgres-'));
  if (isRoot) chownSync(folder, idOf('-u'), idOf('-g'));
  const data = join(folder, 'data');
  // Not by a call that waits: meanwhile this process has to see what happens to its connections.
  const run = async (program: string, ...args: string[]) => {
    const command = [join(programs, program), ...args];
    const [file, ...rest] = isRoot ? ['runuser', '-u', USER, '--', ...command] : command;
    await promisify(execFile)(file!, rest, { cwd: folder });
  };
  const owner = isRoot ? USER : execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
  await run('initdb', '-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--username', owner);
  const settings = `-c listen_addresses='' -c unix_socket_directories='${folder}'`;
  const log = join(folder, 'log');
  let databases = 0;
  let isUp = false;
  const server: TestPostgres = {
    async makeDatabase() {
      const name = `fleet${++databases}`;
      await run('createdb', '-h', folder, '-U', owner, name);
      return `postgresql://${owner}@/${name}?host=${encodeURIComponent(folder)}`;
    },
    async stop() {
      await run('pg_ctl', '-D', data, '-w', '-m', 'fast', 'stop');
      isUp = false;
    },
    async kill9() {
      await killAll(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]));
      isUp = false;
    },
    async start() {
      await run('pg_ctl', '-D', data, '-w', '-l', log, '-o', settings, 'start');
      isUp = true;
    },
    async remove() {
      if (isUp) await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, USER], { encoding: 'utf8' }));
}

/** The server and its children, which this test started. */
async function killAll(server: number): Promise<void> {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', `${server}`], { encoding: 'utf8' });
  for (const pid of [server, ...children.stdout.split('\n').map(Number)]) {
    if (pid > 0) kill(pid);
  }
  while (isThere(server)) await setTimeout(10);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Debian keeps the server's programs out of PATH. */
function programFolder(): string | undefined {
  const debian = VERSIONS.map((version) => `/usr/lib/postgresql/${version}/bin`);
  const path = (process.env['PATH'] ?? '').split(delimiter);
  return [...debian, ...path].find((folder) => isProgram(join(folder, TOOL)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
