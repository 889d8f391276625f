/** What the service manager hears, in its order, and that nothing is done where nobody listens. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openNotifier } from '../../src/service/notify.ts';

function recorded(fail = false) {
  const said: string[] = [];
  const failures: string[] = [];
  const notifier = openNotifier({
    environment: { NOTIFY_SOCKET: '/run/x' },
    onFailure: (reason) => void failures.push(reason),
    async send(assignments) {
      await new Promise((resolve) => setImmediate(resolve));
      if (fail) throw new Error('refused');
      said.push(assignments.join(' '));
    },
  });
  return { said, failures, notifier };
}

test('nobody listens: nothing is sent', async () => {
  for (const environment of [{}, { NOTIFY_SOCKET: '' }]) {
    let sent = 0;
    const notifier = openNotifier({
      environment,
      send: async () => {
        sent++;
      },
    });
    assert.is(notifier.isListenedTo, false);
    await notifier.ready('x');
    await notifier.watchdog();
    await notifier.stopping('x');
    assert.is(sent, 0);
  }
});

test('messages keep their order', async () => {
  const { said, notifier } = recorded();
  void notifier.ready('2 devices');
  void notifier.status('upgrading');
  await notifier.stopping('1 upgrade stops');
  assert.equal(said, [
    'READY=1 STATUS=2 devices',
    'STATUS=upgrading',
    'STOPPING=1 STATUS=1 upgrade stops',
  ]);
});

test('a feed is left out while another is on its way', async () => {
  const { said, notifier } = recorded();
  await Promise.all([notifier.watchdog(), notifier.watchdog(), notifier.watchdog()]);
  await notifier.watchdog();
  assert.equal(said, ['WATCHDOG=1', 'WATCHDOG=1']);
});

test('a status is one short line: it cannot say READY for the service', async () => {
  const { said, notifier } = recorded();
  await notifier.status(`a\nREADY=1\x1b[2J${'x'.repeat(1_000)}`);
  assert.match(said[0]!, /^STATUS=a\\x0aREADY=1\\x1b\[2Jx+$/);
  assert.ok(said[0]!.length < 300);
});

test('a message that fails is told, and the next one is sent all the same', async () => {
  const { failures, notifier } = recorded(true);
  await notifier.ready('x');
  await notifier.watchdog();
  assert.equal(failures, ['refused', 'refused']);
});

test('a missing program is told', async () => {
  const failures: string[] = [];
  const notifier = openNotifier({
    environment: { NOTIFY_SOCKET: '/run/x', PATH: '/nonexistent' },
    onFailure: (reason) => void failures.push(reason),
  });
  await notifier.watchdog();
  assert.match(failures[0]!, 'systemd-notify');
});

test('a socket of the manager hears it by systemd-notify', async () => {
  if (!hasProgram('systemd-notify') || !hasProgram('socat')) {
    if (process.env['CI'] === 'true') throw new Error('systemd-notify or socat is not installed');
    console.log('SKIP systemd-notify or socat is not installed: no message was sent for real');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'uplift-notify-'));
  const socket = join(folder, 'notify');
  const manager = spawn('socat', ['-u', `UNIX-RECV:${socket}`, 'STDOUT'], { stdio: 'pipe' });
  let heard = '';
  manager.stdout.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  try {
    const failures: string[] = [];
    const notifier = openNotifier({
      environment: { ...process.env, NOTIFY_SOCKET: socket },
      onFailure: (reason) => void failures.push(reason),
    });
    await until(() => execFileSync('ls', [folder]).toString().includes('notify'));
    // Nobody acknowledges here what the program waits for: it ends by its own or our deadline.
    void notifier.ready('2 devices');
    await until(() => heard.includes('STATUS=2 devices'));
    assert.match(heard, /^READY=1\nSTATUS=2 devices/);
  } finally {
    manager.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});

function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, 'in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test.run();
