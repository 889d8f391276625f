/** Every way a coordinator does not open has a code, and names the port and what to do. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXIT, UpliftError } from '../../src/errors.ts';
import { linkFailure } from '../../src/transport/zigbee/link-failure.ts';

const PORT = '/dev/ttyUSB0';

/** What the driver and the system say, as they say it. */
const SAID: [string, string][] = [
  ['connect ECONNREFUSED 192.0.2.1:6638', 'coordinator-unreachable'],
  ['connect EHOSTUNREACH 192.0.2.1:6638', 'coordinator-unreachable'],
  ['connect ENETUNREACH 192.0.2.1:6638', 'coordinator-unreachable'],
  ['connect ETIMEDOUT 192.0.2.1:6638', 'coordinator-unreachable'],
  ['getaddrinfo ENOTFOUND coordinator.local', 'coordinator-unreachable'],
  ['getaddrinfo EAI_AGAIN coordinator.local', 'coordinator-unreachable'],
  ['Error: No such file or directory, cannot open /dev/ttyUSB0', 'port-missing'],
  ["ENOENT: no such file or directory, open '/dev/ttyUSB0'", 'port-missing'],
  ['Error Resource temporarily unavailable Cannot lock port', 'port-in-use'],
  ['EBUSY: resource busy or locked', 'port-in-use'],
  ['Error: Device or resource busy, cannot open /dev/ttyUSB0', 'port-in-use'],
  ['Error: Permission denied, cannot open /dev/ttyUSB0', 'port-forbidden'],
  ["EACCES: permission denied, open '/dev/ttyUSB0'", 'port-forbidden'],
  ["EPERM: operation not permitted, open '/dev/ttyUSB0'", 'port-forbidden'],
  ['startup failed - configuration-adapter mismatch - see logs above', 'network-mismatch'],
  [
    'Failed to connect to the adapter (Error: SRSP - SYS - ping after 6000ms)',
    'coordinator-failed',
  ],
  ['', 'coordinator-failed'],
];

for (const [said, code] of SAID) {
  test(`"${said}" is ${code}`, () => {
    const cause = new Error(said);
    const error = linkFailure(PORT, cause);
    assert.is(error.code, code);
    assert.is(error.exit, EXIT.notReachable);
    assert.match(error.message, PORT);
    assert.is(error.actual, said);
    assert.ok(error.next);
    assert.is(error.cause, cause);
  });
}

test('what is an UpliftError already stays as it is; what is none at all is told', () => {
  const known = new UpliftError('image-changed', 'changed');
  assert.is(linkFailure(PORT, known), known);
  assert.is(linkFailure(PORT, 'odd').actual, 'odd');
  assert.is(linkFailure(PORT, undefined).code, 'coordinator-failed');
});

test('the holder of a port is named, also through a link to it', async () => {
  if (process.platform !== 'linux') return;
  const folder = mkdtempSync(join(tmpdir(), 'uplift-port-'));
  const port = join(folder, 'ttyUSB0');
  const byId = join(folder, 'by-id');
  writeFileSync(port, '');
  symlinkSync(port, byId);
  const script = `require('node:fs').openSync(${JSON.stringify(port)}, 'r+'); console.log('open'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await new Promise((done) => child.stdout.once('data', done));
    for (const path of [port, byId]) {
      const error = linkFailure(path, new Error('Cannot lock port'));
      assert.is(error.code, 'port-in-use');
      assert.match(error.message, `(process ${child.pid})`);
      assert.match(error.message, /node/i);
    }
  } finally {
    child.kill('SIGKILL');
    await new Promise((done) => child.once('exit', done));
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a port in use by nobody that can be seen is told without a name', () => {
  const error = linkFailure('/dev/uplift-no-such-port', new Error('Cannot lock port'));
  assert.is(error.message, '/dev/uplift-no-such-port is in use');
  assert.is(linkFailure('tcp://host:1', new Error('EBUSY')).message, 'tcp://host:1 is in use');
});

test.run();
