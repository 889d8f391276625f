import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { StateFolder } from '../../src/gateway/state-folder.ts';

const test = suite('state folder');
const MODULE = resolve(import.meta.dirname, '../../src/gateway/state-folder.ts');
let folder = '';

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-state-'));
});
test.after.each(() => {
  rmSync(folder, { recursive: true, force: true });
});

function refusal(body: () => unknown): UpliftError {
  try {
    body();
  } catch (error) {
    assert.instance(error, UpliftError, String(error));
    const { expected, actual, next } = error as UpliftError;
    assert.ok(expected && actual && next, 'expected, found and next are said');
    return error as UpliftError;
  }
  throw new Error('it was taken');
}

/** Another process that opens the folder, says what came of it, and lives until it is ended. */
async function openElsewhere(): Promise<{ said: string; pid: number; end(): Promise<void> }> {
  const script = `
    import { StateFolder } from ${JSON.stringify(MODULE)};
    try { StateFolder.open(process.argv[1]); console.log('open'); }
    catch (error) { console.log(error.code); }
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>((resolveSaid) => {
    child.stdout.once('data', (chunk: Buffer) => resolveSaid(chunk.toString().trim()));
  });
  const end = () =>
    new Promise<void>((gone) => {
      child.once('exit', () => gone());
      child.kill('SIGKILL');
    });
  return { said, pid: child.pid!, end };
}

test('one process at a time, and the next after it', async () => {
  StateFolder.open(folder).close();
  assert.equal(readdirSync(folder), ['distribution'], 'nothing stays behind');
  const first = await openElsewhere();
  assert.is(first.said, 'open');
  const error = refusal(() => StateFolder.open(folder));
  assert.is(error.code, 'rig-in-use');
  assert.is(error.exit, 6);
  assert.match(error.message, `process ${first.pid}`);
  await first.end();
  assert.ok(existsSync(join(folder, 'lock')), 'a killed process leaves its lock');
  StateFolder.open(folder).close();
});

test('of many who try at once over a stale lock, one wins', async () => {
  for (let round = 0; round < 3; round++) {
    writeFileSync(join(folder, 'lock'), '4194304 gone\n');
    const all = await Promise.all(Array.from({ length: 6 }, openElsewhere));
    const said = all.map((one) => one.said).sort();
    await Promise.all(all.map((one) => one.end()));
    assert.equal(said, ['open', ...Array.from({ length: 5 }, () => 'rig-in-use')]);
    rmSync(join(folder, 'lock'));
  }
});

test('a lock that names nobody is taken over', () => {
  const stale = ['', '\n', '0', '-1', 'x', '4194304', '4194304 boot 12', `${process.ppid} other 1`];
  for (const text of stale) {
    writeFileSync(join(folder, 'lock'), text);
    const state = StateFolder.open(folder);
    assert.is(readFileSync(join(folder, 'lock'), 'utf8').split(' ')[0], `${process.pid}`, text);
    state.close();
    assert.equal(readdirSync(folder), ['distribution']);
  }
});

test('a number given out again after a restart is not the holder', () => {
  const state = StateFolder.open(folder);
  const mine = readFileSync(join(folder, 'lock'), 'utf8').trim();
  state.close();
  if (!mine.includes(' ')) return;
  const otherBoot = mine.replace(/ [0-9a-f-]{36} /, ' 00000000-0000-0000-0000-000000000000 ');
  const otherStart = mine.replace(/\d+$/, '1');
  for (const text of [otherBoot, otherStart]) {
    assert.is.not(text, mine);
    writeFileSync(join(folder, 'lock'), text);
    StateFolder.open(folder).close();
  }
  writeFileSync(join(folder, 'lock'), mine);
  assert.is(refusal(() => StateFolder.open(folder)).code, 'rig-in-use');
});

test('a folder that cannot be made or used', () => {
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'locked', 'lock'), { recursive: true });
  symlinkSync(join(folder, 'nowhere', 'deep'), join(folder, 'dangling'));
  for (const name of ['file', 'file/below', 'locked', 'dangling']) {
    const error = refusal(() => StateFolder.open(resolve(folder, name)));
    assert.is(error.code, 'state-folder', name);
    assert.is(error.exit, 2);
  }
});

test('the network key is made once, and kept to oneself', () => {
  const state = StateFolder.open(folder);
  assert.is(state.networkKey('zigbee-1', 'ab'), 'ab', 'the configured one is taken');
  assert.not.ok(existsSync(join(folder, 'zigbee-1')));
  const key = state.networkKey('zigbee-1', 'generated');
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.is(state.networkKey('zigbee-1', 'generated'), key);
  assert.is.not(state.networkKey('zigbee-2', 'generated'), key);
  assert.is(statSync(join(folder, 'zigbee-1/network-key')).mode & 0o777, 0o600);
  state.close();
});

test('a damaged network key is not replaced by a new one', () => {
  const state = StateFolder.open(folder);
  mkdirSync(join(folder, 'zigbee-1'));
  const path = join(folder, 'zigbee-1/network-key');
  for (const text of ['', 'garbage', '0'.repeat(31), '0'.repeat(33)]) {
    writeFileSync(path, text);
    assert.is(refusal(() => state.networkKey('zigbee-1', 'generated')).code, 'state-damaged');
    assert.is(readFileSync(path, 'utf8'), text, 'and it is left as it was');
  }
  state.close();
});

test('what is distributed to whom is remembered, whole or not at all', () => {
  const state = StateFolder.open(folder);
  const eui64 = '000d6f000a9069e7';
  assert.is(state.distribution(eui64), undefined);
  const record = { sha256: 'ab'.repeat(32), fileVersion: 2 };
  state.rememberDistribution(eui64, record);
  assert.equal(state.distribution(eui64), record);
  assert.equal(readdirSync(join(folder, 'distribution')), [`${eui64}.json`]);
  const path = join(folder, 'distribution', `${eui64}.json`);
  const text = readFileSync(path, 'utf8');
  for (let cut = 0; cut < text.length - 1; cut++) {
    writeFileSync(path, text.slice(0, cut));
    assert.is(state.distribution(eui64), undefined, `cut at ${cut}`);
  }
  for (const garbage of ['null', '5', '"x"', '[]', '{}', '{"sha256":1,"fileVersion":2}', '\0']) {
    writeFileSync(path, garbage);
    assert.is(state.distribution(eui64), undefined, garbage);
  }
  state.rememberDistribution(eui64, record);
  assert.equal(state.distribution(eui64), record, 'and the next one is whole again');
  state.close();
});

const DATABASE = '{"id":1,"type":"Coordinator"}\n{"id":2,"type":"Router","ieeeAddr":"0x1"}';

test("the driver's files: none, good, damaged", () => {
  const state = StateFolder.open(folder);
  state.checkCoordinator('zigbee-1');
  const at = (name: string) => join(folder, 'zigbee-1', name);
  mkdirSync(join(folder, 'zigbee-1'));
  state.checkCoordinator('zigbee-1');
  writeFileSync(at('database.db'), '');
  state.checkCoordinator('zigbee-1');
  assert.not.ok(
    existsSync(at('database.db.kept')),
    'a first start that failed left nothing to keep',
  );
  writeFileSync(at('database.db'), DATABASE);
  writeFileSync(at('coordinator-backup.json'), '{"metadata":{"format":"x"}}');
  state.checkCoordinator('zigbee-1');
  assert.is(readFileSync(at('database.db.kept'), 'utf8'), DATABASE);
  const wrong = [
    '',
    '\n',
    'garbage',
    `${DATABASE}\n{"id":3,"ty`,
    '{"id":"1"}',
    'null',
    DATABASE.slice(1),
  ];
  for (const text of wrong) {
    writeFileSync(at('database.db'), text);
    const error = refusal(() => state.checkCoordinator('zigbee-1'));
    assert.is(error.code, 'state-damaged', text);
    assert.match(error.next!, 'database.db.kept');
    assert.is(readFileSync(at('database.db'), 'utf8'), text, 'left as it was');
    assert.is(readFileSync(at('database.db.kept'), 'utf8'), DATABASE, 'and the copy too');
  }
  writeFileSync(at('database.db'), DATABASE);
  for (const text of ['', 'garbage', '{}', 'null', '{"metadata":']) {
    writeFileSync(at('coordinator-backup.json'), text);
    assert.is(refusal(() => state.checkCoordinator('zigbee-1')).code, 'state-damaged', text);
  }
  state.close();
});

test.run();
