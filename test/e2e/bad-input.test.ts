/**
 * Ports, rigs and state folders that are not as they should be: a clear error with what was expected,
 * what was found and what to do, the exit code of the contract, in time, and nothing half-written.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAIN } from '../support/main.ts';
import {
  type CliResult,
  FIRMWARE,
  freePort,
  NEW_VERSION,
  runCli,
  sleep,
  startCli,
  TestRig,
  type TestRigOptions,
} from '../support/rigs.ts';

const test = suite('bad input');

interface ErrorBody {
  code: string;
  message: string;
  expected: string;
  actual: string;
  next: string;
  exit: number;
}

async function withRig(
  options: TestRigOptions & { start?: boolean },
  body: (rig: TestRig) => Promise<void>,
): Promise<void> {
  const { start = true, ...made } = options;
  const rig = await TestRig.make(made);
  try {
    if (start) await rig.up();
    await body(rig);
  } finally {
    await rig.remove();
  }
}

/** `rig check` and `flash` must both end with this error. */
async function assertBoth(rig: TestRig, code: string, exit: number): Promise<ErrorBody> {
  const check = await runCli(['rig', 'check', '--rig', rig.path, '--json']);
  const flash = await runCli([...rig.flashArguments(), '--json']);
  for (const result of [check, flash]) assertError(result, code, exit);
  return errorOf(flash);
}

function assertError(result: CliResult, code: string, exit: number): void {
  const error = errorOf(result);
  assert.is(error.code, code, JSON.stringify(error));
  assert.is(result.code, exit, result.stdout);
  for (const key of ['message', 'expected', 'actual', 'next'] as const)
    assert.ok(error[key]?.length > 0, `${code}: ${key} is said`);
}

function errorOf({ events, stdout, stderr }: CliResult): ErrorBody {
  const found = events.find((event) => 'error' in event && !('kind' in event));
  assert.ok(found, `no error: ${stdout}${stderr}`);
  return found['error'] as ErrorBody;
}

/** Every file below the state folder with its bytes: to see that nothing was touched. */
function contents(rig: TestRig): Map<string, string> {
  const folder = rig.rig.stateFolder;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !name.startsWith('virtual') && statSync(join(folder, name)).isFile(),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'hex')]));
}

test('nobody listens on the TCP port', async () => {
  await withRig({ start: false }, async (rig) => {
    const error = await assertBoth(rig, 'coordinator-unreachable', 6);
    assert.match(error.next, 'uplift rig up');
    const text = await runCli(rig.flashArguments());
    assert.match(text.stderr, /error nothing answers on tcp:[^\n]+\n {2}expected[^\n]+\n {2}found/);
    assert.not.match(text.stderr, /\n +at /);
    assert.is(text.stdout, '');
    for (const [name, bytes] of contents(rig)) assert.is(bytes, '', `${name} holds nothing`);
    assert.not.ok(contents(rig).has('lock'));
    await rig.up();
    assert.is(
      (await runCli(['rig', 'check', '--rig', rig.path])).code,
      0,
      'and nothing is in the way',
    );
    await rig.down();
    const joined = contents(rig).get('zigbee-1/database.db');
    assert.is((await runCli(['rig', 'check', '--rig', rig.path])).code, 6);
    assert.is(contents(rig).get('zigbee-1/database.db'), joined, 'what joined is still known');
  });
});

test('somebody listens who is no coordinator', async () => {
  const server = createServer((socket) =>
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  );
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
  const { port } = server.address() as { port: number };
  await withRig({ start: false, port: `tcp://127.0.0.1:${port}` }, async (rig) => {
    const result = await runCli([...rig.flashArguments(), '--json']);
    assert.is(result.code, 6, result.stdout);
    assert.ok(errorOf(result).next.length > 0);
  });
  server.close();
});

test('there is no such serial port', async () => {
  await withRig({ start: false, port: '/dev/uplift-none' }, async (rig) => {
    await assertBoth(rig, 'port-missing', 6);
  });
});

test('the serial port is in use: who holds it is named', async () => {
  const port = `/tmp/uplift-held-${process.pid}`;
  await withRig({ port }, async (rig) => {
    const holder = await holdPort(port);
    try {
      const error = await assertBoth(rig, 'port-in-use', 6);
      // A pseudo-terminal is also held by who made it, which here is this process.
      const named = Number(/process (\d+)/.exec(error.message)?.[1]);
      assert.ok([holder.pid, process.pid].includes(named), error.message);
      assert.match(error.next, 'stop the program');
    } finally {
      holder.kill('SIGKILL');
    }
  });
});

/** Another program with the port open and locked, as the serial library does. */
async function holdPort(port: string): Promise<ChildProcess> {
  const script = `
    import { SerialPort } from 'serialport';
    const port = new SerialPort({ path: process.argv[1], baudRate: 115200 });
    port.on('open', () => console.log('open'));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, port], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((open) => child.stdout.once('data', open));
  return child;
}

test('rig up where its TCP port is taken', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((up) => server.listen(port, '127.0.0.1', up));
  await withRig({ start: false, port: `tcp://127.0.0.1:${port}` }, async (rig) => {
    const result = await runCli(['rig', 'up', '--rig', rig.path, '--json']);
    assertError(result, 'VIRTUAL_PORT_UNAVAILABLE', 6);
  });
  server.close();
});

test('a device that never joins', async () => {
  await withRig({ devices: 2, joinTimeoutMs: 1_000 }, async (rig) => {
    rig.device('ppmid-1').powerOff();
    const startedMs = Date.now();
    const check = await runCli(['rig', 'check', '--rig', rig.path]);
    assert.is(check.code, 6);
    assert.match(
      check.stdout,
      /✗ ppmid-1 .*\n +found .*it did not join within 1 s\n +next .*pairing/,
    );
    assert.match(check.stdout, /✓ ppmid-2/);
    assert.match(check.stdout, '1 of 2 devices answer');
    const flash = await runCli(rig.flashArguments());
    assert.is(flash.code, 6, flash.stdout + flash.stderr);
    assert.match(flash.stdout, /ppmid-1: failed, .*\n +expected .*\n +found .*\n +next /);
    assert.match(flash.stdout, '2 devices: 1 failed, 1 done');
    assert.match(flash.stderr, /ppmid-1: failed, /);
    assert.is(rig.device('ppmid-2').fileVersion, NEW_VERSION, 'the other one is upgraded');
    assert.ok(Date.now() - startedMs < 90_000);
  });
});

test('joining closed: the advice is to join', async () => {
  await withRig({ joining: 'closed' }, async (rig) => {
    for (const words of [['rig', 'check', '--rig', rig.path], rig.flashArguments()]) {
      const result = await runCli(words);
      assert.is(result.code, 6);
      assert.match(result.stdout, /uplift rig join --rig/);
      assert.not.match(result.stderr, /open for joining/);
    }
    assert.is((await runCli(['rig', 'join', '--rig', rig.path, '--quiet'])).code, 0);
    const quiet = await runCli([...rig.flashArguments(), '--quiet']);
    assert.is(quiet.code, 0, quiet.stderr);
    assert.is(quiet.stdout + quiet.stderr, '', 'and quiet is quiet');
  });
});

test('rig join of a device that does not come', async () => {
  await withRig({ joining: 'closed', joinTimeoutMs: 1_000 }, async (rig) => {
    rig.device().powerOff();
    const result = await runCli(['rig', 'join', '--rig', rig.path]);
    assert.is(result.code, 6);
    assert.match(result.stdout, 'it did not join within 1 s');
    assert.not.match(result.stdout, 'run `uplift rig join', 'that was just done');
  });
});

test('a device that joined and is silent', async () => {
  await withRig({}, async (rig) => {
    assert.is((await runCli(['rig', 'check', '--rig', rig.path])).code, 0);
    rig.device().powerOff();
    const check = await runCli(['rig', 'check', '--rig', rig.path, '--quiet']);
    assert.is(check.code, 6);
    assert.is(check.stdout, '');
    assert.match(check.stderr, /✗ ppmid .*\n +found .*\n +next .*powered/);
    const startedMs = Date.now();
    const flash = await runCli([...rig.flashArguments(), '--wait', '3', '--json']);
    const tookMs = Date.now() - startedMs;
    assert.is(flash.code, 6, flash.stdout + flash.stderr);
    const { outcomes } = flash.events.at(-1) as { outcomes: Record<string, unknown>[] };
    assert.is(outcomes[0]!['code'], 'device-silent');
    assert.ok(outcomes[0]!['next']);
    assert.ok(tookMs > 3_000 && tookMs < 45_000, `within its deadline: ${tookMs} ms`);
  });
});

test('Ctrl-C ends a wait for joining', async () => {
  await withRig({ joinTimeoutMs: 60_000 }, async (rig) => {
    rig.device().powerOff();
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(({ kind }) => kind === 'joining');
    const startedMs = Date.now();
    run.child.kill('SIGINT');
    const result = await run.done;
    assert.is(result.code, 130, result.stdout + result.stderr);
    assert.ok(Date.now() - startedMs < 20_000, `${Date.now() - startedMs} ms`);
    assert.not.ok([...contents(rig).keys()].includes('lock'));
  });
});

test('a reader that goes early does not end an upgrade', async () => {
  await withRig({}, async (rig) => {
    const words = [...rig.flashArguments(), '--json'].map((word) => `'${word}'`).join(' ');
    const line = `'${process.execPath}' '${MAIN}' ${words} | head -1; exit \${PIPESTATUS[0]}`;
    const child = spawn('bash', ['-c', line], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    const code = await new Promise((done) => child.on('close', done));
    assert.is(code, 0, output);
    assert.is(output.trim().split('\n').length, 1, output);
    assert.is(rig.device().fileVersion, NEW_VERSION);
  });
});

test('a state folder that cannot be written', async () => {
  await withRig({}, async (rig) => {
    const text = JSON.parse(readFileSync(rig.path, 'utf8'));
    writeFileSync(join(rig.folder, 'a-file'), '');
    writeFileSync(rig.path, JSON.stringify({ ...text, state: 'a-file/state' }));
    const error = await assertBoth(rig, 'state-folder', 2);
    assert.match(error.next, 'key `state`');
    assert.is(rig.device().client.counters.queries, 0);
    const up = await runCli(['rig', 'up', '--rig', rig.path, '--json']);
    assert.ok(up.code === 2 || up.code === 6, `${up.code} ${up.stdout}`);
  });
});

test('a lock of a process that is gone, or of nobody', async () => {
  await withRig({}, async (rig) => {
    mkdirSync(rig.rig.stateFolder, { recursive: true });
    for (const text of ['', '4194304\n', 'garbage']) {
      writeFileSync(join(rig.rig.stateFolder, 'lock'), text);
      const result = await runCli(['rig', 'check', '--rig', rig.path]);
      assert.is(result.code, 0, result.stdout + result.stderr);
    }
  });
});

test('damaged files of the driver: said, and left as they are', async () => {
  await withRig({}, async (rig) => {
    assert.is((await runCli(['rig', 'check', '--rig', rig.path])).code, 0);
    const folder = join(rig.rig.stateFolder, 'zigbee-1');
    assert.is((await runCli(['rig', 'check', '--rig', rig.path])).code, 0);
    for (const name of ['database.db', 'coordinator-backup.json']) {
      const path = join(folder, name);
      const good = readFileSync(path);
      for (const damage of ['', 'garbage\n\0\u0001', good.subarray(0, good.length - 40)]) {
        writeFileSync(path, damage);
        const before = contents(rig);
        const error = await assertBoth(rig, 'state-damaged', 2);
        assert.match(error.message, name);
        assert.equal(contents(rig), before, 'nothing was written');
      }
      // What the error advises works.
      if (name === 'database.db') writeFileSync(path, readFileSync(`${path}.kept`));
      else rmSync(path);
      const result = await runCli(['rig', 'check', '--rig', rig.path]);
      assert.is(result.code, 0, result.stdout + result.stderr);
    }
    assert.is(rig.device().client.counters.queries, 0);
  });
});

test('a garbage record of what was distributed: the device begins anew', async () => {
  await withRig({}, async (rig) => {
    assert.is((await runCli(['rig', 'check', '--rig', rig.path])).code, 0);
    const path = join(rig.rig.stateFolder, 'distribution/000d6f000a9069e7.json');
    writeFileSync(path, '{"sha256": "f8');
    const result = await runCli(rig.flashArguments());
    assert.is(result.code, 0, result.stdout + result.stderr);
    assert.is(rig.device().fileVersion, NEW_VERSION);
    assert.is(JSON.parse(readFileSync(path, 'utf8')).fileVersion, NEW_VERSION);
  });
});

test('images and lists that cannot be read, before a port is opened', async () => {
  await withRig({ start: false }, async (rig) => {
    const large = join(rig.folder, 'large.zigbee');
    writeFileSync(large, '');
    truncateSync(large, 100_000_000);
    const list = join(rig.folder, 'list.csv');
    writeFileSync(
      list,
      readFileSync(FIRMWARE.list, 'utf8').replace('manufacturer_image_hash', 'hash'),
    );
    const flash = (image: string, cpl: string) =>
      runCli(['flash', '--rig', rig.path, '--image', image, '--cpl', cpl, '--json']);
    assertError(await flash(join(rig.folder, 'none'), FIRMWARE.list), 'file-unreadable', 2);
    assertError(await flash(rig.folder, FIRMWARE.list), 'file-unreadable', 2);
    assertError(await flash(large, FIRMWARE.list), 'file-too-large', 2);
    const columns = await flash(FIRMWARE.new, list);
    assert.is(columns.code, 2);
    assert.match(
      JSON.stringify(errorOf(columns)),
      'manufacturer_image_hash',
      'the column is named',
    );
    writeFileSync(large, '');
    const empty = await flash(large, FIRMWARE.list);
    assert.is(empty.code, 3, empty.stdout);
    assert.throws(() => readdirSync(rig.rig.stateFolder), 'not even a folder was made');
  });
});

test('two rigs on one coordinator: the second is told it cannot have it', async () => {
  await withRig({ linkDelayMs: 2 }, async (rig) => {
    const run = startCli([...rig.flashArguments(), '--json']);
    await run.until(({ kind }) => kind === 'progress');
    const text = JSON.parse(readFileSync(rig.path, 'utf8'));
    const other = join(rig.folder, 'other.yaml');
    writeFileSync(other, JSON.stringify({ ...text, state: 'other-state' }));
    const result = await runCli(['rig', 'check', '--rig', other, '--json']);
    assert.is(result.code, 6, result.stdout + result.stderr);
    assert.ok(errorOf(result).next);
    assert.is((await run.done).code, 0, 'and the first goes on');
    await sleep(10);
  });
});

test.run();
