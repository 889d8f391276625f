/**
 * What holds up the tests of the hawkBit carrier: a client of hawkBit that is not ours, SWUpdate in its
 * suricatta mode, works with the server that those tests run against. It writes nothing: a dry run.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HawkbitTestServer } from '../support/hawkbit-server.ts';
import { hasTool, testWhere } from './tools.ts';

const test = suite('interop hawkBit server');
const missing = ['swupdate', 'openssl'].filter((tool) => !hasTool(tool));
const DEVICE = 'swupdate-1';
const TOKEN = 'f3b1c2';
const WAIT_MS = 30_000;

let folder = '';
let server: HawkbitTestServer;
let running: ChildProcess | undefined;

test.before.each(async () => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-swupdate-'));
  mkdirSync(join(folder, 'sockets'));
  server = new HawkbitTestServer(DEVICE, `TargetToken ${TOKEN}`);
  server.sleep = '00:00:01';
  await server.listen();
});
test.after.each(async () => {
  await stop();
  await server.close();
  rmSync(folder, { recursive: true });
});

testWhere(test, missing, 'it reads, downloads and installs an action, and closes it', async () => {
  makeKeys();
  const action = server.assign({ 'image.swu': updateFile() });
  run();
  const isInstalled = () =>
    action.feedback.some(({ details }) => /SWUPDATE successful/.test(details.join(' ')));
  await until(isInstalled, 'installed');
  assert.ok(server.asked.includes('GET download/1/0/image.swu 200'));
  assert.is(action.status, 'running', 'it reports when it was started anew');
  await stop();
  run('-c', '2');
  await until(() => action.status !== 'running', 'closed');
  assert.is(action.status, 'finished');
  assert.equal(server.faults, []);
});

testWhere(test, missing, 'it closes an action as a failure whose file is none', async () => {
  makeKeys();
  const action = server.assign({ 'image.swu': Buffer.alloc(4096, 'no update') });
  run();
  await until(() => action.status !== 'running', 'closed');
  assert.is(action.status, 'error');
  assert.equal(server.faults, []);
});

testWhere(test, missing, 'it answers a cancellation', async () => {
  makeKeys();
  const action = server.assign({ 'image.swu': updateFile() }, { status: 'canceling' });
  run();
  await until(() => action.status !== 'canceling', 'called off');
  assert.is(action.status, 'canceled');
  assert.is(action.cancelFeedback[0]!.execution, 'closed');
});

testWhere(test, missing, 'it is refused with another token', async () => {
  makeKeys();
  const other = server;
  server = new HawkbitTestServer(DEVICE, 'TargetToken another');
  await server.listen();
  server.assign({ 'image.swu': updateFile() });
  run();
  await until(() => server.asked.length > 0, 'asked');
  assert.equal([...new Set(server.asked)], ['GET base 401']);
  await other.close();
});

function run(...more: string[]): void {
  const { tenant, origin } = server;
  const suricatta = [
    ...['-t', tenant, '-u', origin, '-i', DEVICE, '-k', TOKEN, '-p', '1', ...more],
  ].join(' ');
  const options = ['-n', '-M', '-m', '-H', 'board:1.0', '-k', join(folder, 'signer.pem')];
  const child = spawn('swupdate', [...options, '-u', suricatta], {
    // Each has its sockets to itself.
    env: { ...process.env, TMPDIR: join(folder, 'sockets') },
    stdio: 'ignore',
    // Its processes are a group, which is ended as one.
    detached: true,
  });
  running = child;
}

async function stop(): Promise<void> {
  const child = running;
  running = undefined;
  if (!child || child.exitCode !== null || child.pid === undefined) return;
  const gone = new Promise((done) => child.once('exit', done));
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const untilMs = Date.now() + WAIT_MS;
  while (Date.now() < untilMs) {
    if (isSo()) return;
    await sleep(50);
  }
  assert.unreachable(`not ${what} within ${WAIT_MS} ms: ${server.asked.join(', ')}`);
}

function makeKeys(): void {
  const [key, certificate] = [join(folder, 'signer.key'), join(folder, 'signer.pem')];
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate],
    ...['-subj', '/CN=test', '-days', '30', '-addext', 'extendedKeyUsage=emailProtection'],
  );
}

/** As SWUpdate has it: a CPIO archive of a description, its CMS signature, and the file. */
function updateFile(): Uint8Array {
  const content = Buffer.alloc(100_000, 'content');
  const sha256 = createHash('sha256').update(content).digest('hex');
  const description = Buffer.from(
    'software = { version = "1.0"; hardware-compatibility: ["1.0"]; files: ( { ' +
      `filename = "f.bin"; path = "${folder}/f.bin"; sha256 = "${sha256}"; } ); }\n`,
  );
  const path = join(folder, 'sw-description');
  writeFileSync(path, description);
  const signature = openssl(
    ...['cms', '-sign', '-in', path, '-signer', join(folder, 'signer.pem')],
    ...['-inkey', join(folder, 'signer.key'), '-outform', 'DER', '-nosmimecap', '-binary'],
  );
  return cpio([
    ['sw-description', description],
    ['sw-description.sig', signature],
    ['f.bin', content],
  ]);
}

/** The portable format with checksums (newc, 070702): each field eight hexadecimal digits. */
function cpio(files: [name: string, content: Uint8Array][]): Uint8Array {
  const aligned = (bytes: Uint8Array, to: number) =>
    Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
  const entry = (name: string, content: Uint8Array, inode: number) => {
    const sum = content.reduce((total, octet) => (total + octet) >>> 0, 0);
    const fields = [
      ...[inode, 0o100644, 0, 0, 1, 0, content.length],
      ...[0, 0, 0, 0, name.length + 1, sum],
    ];
    const digits = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
    const head = aligned(Buffer.from(`070702${digits}${name}\0`), 4);
    return Buffer.concat([head, aligned(content, 4)]);
  };
  const entries = files.map(([name, content], index) => entry(name, content, index + 1));
  return aligned(Buffer.concat([...entries, entry('TRAILER!!!', new Uint8Array(0), 0)]), 512);
}

function openssl(...args: string[]): Buffer {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

test.run();
