/** Leases of devices, within one process and between real ones. */
import { type ChildProcess, spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LeaseBook, leaseWords } from '../../src/lab/rig/leases.ts';
import { temporaryFolder } from '../store/failing-files.ts';

const test = suite('leases');
const HOLDER = join(import.meta.dirname, 'lease-holder.ts');
const folder = temporaryFolder('leases');
let folders = 0;
const newBook = () => LeaseBook.open(join(folder, String(++folders)));

async function codeOf(body: () => unknown): Promise<string | undefined> {
  try {
    await body();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test('one at a time; all devices of a run, or none', async () => {
  const book = await newBook();
  const lease = book.take(['a', 'b'], { holder: 'run 1' });
  assert.equal(lease.devices, ['a', 'b']);
  assert.is(await codeOf(() => book.take(['b', 'c'], { holder: 'run 2' })), 'lease-held');
  assert.equal(
    book.list().map(({ device }) => device),
    ['a', 'b'],
    'nothing of what was refused',
  );
  const other = book.take(['c'], { holder: 'run 2' });
  await lease.release();
  await lease.release();
  book.take(['a', 'b'], { holder: 'run 3' });
  await other.renew();
  book.close();
});

test('a lease runs out without renewals; who had it is told', async () => {
  const book = await newBook();
  let nowMs = 1_000;
  const clock = { nowMs: () => nowMs };
  const lease = book.take(['a'], { holder: 'run 1', forMs: 100, ...clock });
  nowMs = 1_090;
  await lease.renew();
  nowMs = 1_180;
  assert.is(await codeOf(() => book.take(['a'], { holder: 'run 2', ...clock })), 'lease-held');
  nowMs = 1_190;
  assert.equal(book.list(nowMs), []);
  const next = book.take(['a'], { holder: 'run 2', forMs: 100, ...clock });
  assert.is(await codeOf(() => lease.renew()), 'lease-lost');
  await lease.release();
  await next.renew();
  assert.equal(
    book.list(nowMs).map(({ holder }) => holder),
    ['run 2'],
    'what is lost releases nothing of others',
  );
  book.close();
});

test('a person locks, and unlocks; a run only by force', async () => {
  const book = await newBook();
  book.take(['a'], { holder: 'ada', outlivesProcess: true, forMs: 60_000 });
  const run = book.take(['b'], { holder: 'run 1' });
  const [ofAda] = book.list();
  assert.match(leaseWords(ofAda!), new RegExp(`^a: ada on ${hostname()}, until \\d{4}-`));
  assert.is(await codeOf(() => book.end(['a', 'b'], false)), 'lease-of-run');
  assert.is(book.list().length, 2);
  assert.is(book.end(['a'], false).length, 1);
  assert.is(book.end(['b'], true).length, 1);
  assert.is(await codeOf(() => run.renew()), 'lease-lost');
  assert.equal(book.end(['a', 'b'], true), []);
  book.close();
});

function holder(state: string, mode: string): ChildProcess {
  return spawn(process.execPath, [HOLDER, state, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
}

function output(child: ChildProcess): Promise<string> {
  let said = '';
  child.stdout!.on('data', (chunk) => {
    said += chunk;
  });
  return new Promise((done) => child.on('close', () => done(said)));
}

test('processes that want the same devices at once never have them together', async () => {
  const state = join(folder, 'contended');
  const rounds = 30;
  const said = await Promise.all([1, 2, 3].map(() => output(holder(state, String(rounds)))));
  for (const line of said) assert.equal(JSON.parse(line), { had: rounds, shared: 0 });
  const book = await LeaseBook.open(state);
  assert.equal(book.list(), []);
  book.close();
});

test('what a killed process had is taken over at once', async () => {
  const state = join(folder, 'killed');
  const child = holder(state, 'hang');
  await new Promise<void>((done) => child.stdout!.once('data', () => done()));
  const book = await LeaseBook.open(state);
  assert.is(await codeOf(() => book.take(['hub'], { holder: 'next' })), 'lease-held');
  assert.is(book.list()[0]?.pid, child.pid);
  const gone = new Promise((done) => child.once('close', done));
  child.kill('SIGKILL');
  await gone;
  assert.equal(book.list(), []);
  book.take(['hub'], { holder: 'next' });
  book.close();
});

test.run();
