/** The lines of the log: what is in them, what never is, and that a peer's text stays text. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLog, type ServiceLog } from '../../src/observe/log.ts';
import type { LogLevel } from '../../src/ports.ts';

function logged(work: (log: ServiceLog) => void, level: LogLevel = 'debug'): string[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  work(openLog({ gateway: 'bench-1', level, destination }));
  return lines;
}

function only(work: (log: ServiceLog) => void): Record<string, unknown> {
  const lines = logged(work);
  assert.is(lines.length, 1);
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

test('a line has time, level, gateway, fields and words', () => {
  const line = only((log) =>
    log.write('warning', 'the link is lost', { dev: 'hub', job: 'j-1', seq: 7, code: 'link-lost' }),
  );
  assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { time: _, ...rest } = line;
  assert.equal(rest, {
    level: 'warning',
    gw: 'bench-1',
    dev: 'hub',
    job: 'j-1',
    seq: 7,
    code: 'link-lost',
    msg: 'the link is lost',
  });
});

test('levels below the one that is set are not written', () => {
  const levels: LogLevel[] = ['debug', 'info', 'warning', 'error'];
  levels.forEach((level, index) => {
    const lines = logged((log) => {
      for (const one of levels) log.write(one, 'x');
    }, level);
    assert.is(lines.length, levels.length - index);
  });
});

test('a log about something says so in every line, and a line may say otherwise', () => {
  const lines = logged((log) => {
    const about = log.about({ dev: 'hub' }).about({ campaign: 'c' });
    about.write('info', 'one');
    about.write('info', 'two', { dev: 'ppmid' });
    log.write('info', 'three');
  }).map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(
    lines.map(({ dev, campaign }) => [dev, campaign]),
    [
      ['hub', 'c'],
      ['ppmid', 'c'],
      [undefined, undefined],
    ],
  );
});

test("a peer's text cannot end a line, steer a terminal or turn the writing round", () => {
  const bad = 'ok\r\n{"level":"info"}\x1b[2J\x9b0m\u202egpj.exe\u2028\u0000';
  const [line] = logged((log) => log.write('info', bad, { heard: bad, [bad]: { deep: [bad] } }));
  assert.match(line!, /^[\x20-\x7e]+\n$/);
  const parsed = JSON.parse(line!) as Record<string, unknown>;
  const shown = 'ok\\x0d\\x0a{"level":"info"}\\x1b[2J\\x9b0m\\u202egpj.exe\\u2028\\x00';
  assert.is(parsed['msg'], shown);
  assert.is(parsed['heard'], shown);
  assert.equal(parsed[shown], { deep: [shown] });
});

test('secrets are not written, however deep', () => {
  const secret = 'c0ffee';
  const names = ['networkKey', 'installCode', 'token', 'password', 'pin', 'privateKey', 'key'];
  for (const name of names) {
    for (const fields of [
      { [name]: secret },
      { a: { [name]: secret } },
      { a: [{ [name]: secret }] },
      { a: { b: { c: { [name]: secret } } } },
      { a: { b: { c: { d: { e: { [name]: secret } } } } } },
    ]) {
      const [line] = logged((log) => log.write('info', 'x', fields));
      assert.not.match(line!, secret, JSON.stringify(fields));
    }
  }
});

test('an error is told with its cause and without what hangs on it', () => {
  const cause = Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  const error = Object.assign(new Error('not found', { cause }), { headers: 'Bearer c0ffee' });
  const [text] = logged((log) => log.write('error', 'failed', { error }));
  assert.not.match(text!, 'c0ffee');
  const line = JSON.parse(text!) as { error: { message: string; cause: { code: string } } };
  assert.is(line.error.message, 'not found');
  assert.is(line.error.cause.code, 'ENOENT');
});

test('what a line is made of has bounds: length, depth, entries; bytes and loops are no trouble', () => {
  const loop: Record<string, unknown> = {};
  loop['again'] = loop;
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`n${n}`, n]));
  const [line] = logged((log) =>
    log.write('info', 'x'.repeat(1_000_000), {
      loop,
      many,
      long: Array(10_000).fill('y'),
      bytes: new Uint8Array(9),
      big: 1n,
    }),
  );
  assert.ok(line!.length < 5_000, `${line!.length}`);
  const parsed = JSON.parse(line!) as Record<string, unknown>;
  assert.is(parsed['bytes'], '[9 bytes]');
  assert.is(parsed['big'], '1');
  assert.match(String(parsed['msg']), '(1000000 characters)');
});

test('fields do not take the place of what every line has', () => {
  const [line] = logged((log) => log.write('info', 'x', { level: 'error', gw: 'other', msg: 'y' }));
  for (const name of ['level', 'gw', 'msg', 'time'])
    assert.is(line!.split(`"${name}":`).length, 2, `${name} stands once`);
  assert.is((JSON.parse(line!) as { gw: string }).gw, 'bench-1');
});

test('stdout has every line when the process ends at once', () => {
  const log = resolve(import.meta.dirname, '../../src/observe/log.ts');
  const script = `import { openLog } from ${JSON.stringify(log)};
    const log = openLog({ gateway: 'g', level: 'info' });
    for (let n = 0; n < 500; n++) log.write('info', 'line', { seq: n });
    process.kill(process.pid, 'SIGKILL');`;
  let said = '';
  try {
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' });
  } catch (error) {
    said = (error as { stdout: Buffer }).stdout.toString();
  }
  assert.is(said.trim().split('\n').length, 500);
});

test.run();
