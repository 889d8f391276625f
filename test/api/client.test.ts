/** The client, and the commands that use it, against a gateway in memory behind a real socket. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient, type ApiEvent, nameOf } from '../../src/api/client.ts';
import { loadTokens } from '../../src/config/tokens.ts';
import type { UpliftError } from '../../src/errors.ts';
import { IMAGE } from './fake-control.ts';
import { Served } from './served.ts';

const test = suite('the client of the API');
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
let served: Served;
let client: ApiClient;
test.before.each(async () => {
  served = await Served.start();
  client = new ApiClient(served.path, { pauseMs: 5 });
});
test.after.each(() => served.stop());

const wish = () => ({
  image: IMAGE,
  devices: ['hub-1'],
  activation: { when: 'now' },
  priority: 4,
  deadlineMs: Date.now() + 1e8,
});

async function refusalOf(work: Promise<unknown>): Promise<UpliftError> {
  try {
    await work;
  } catch (error) {
    return error as UpliftError;
  }
  throw new Error('it was done');
}

interface Ran {
  exit: number | null;
  out: string;
  err: string;
}

function uplift(...words: string[]): Promise<Ran> {
  const socket = words[0] === 'api' ? [] : ['--socket', served.path];
  const child = spawn(process.execPath, [MAIN, ...words, ...socket], {
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  return new Promise((done) => child.on('close', (exit) => done({ exit, out, err })));
}

/** A door before the door, whose connections are cut after so many bytes to the gateway. */
async function cutting(afterBytes: number, times: number) {
  const path = join(served.folder, 'cut.sock');
  let cuts = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = served.dial();
    let bytes = 0;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
    }
    near.on('data', (chunk) => {
      bytes += chunk.length;
      far.write(chunk);
      if (bytes < afterBytes || cuts >= times) return;
      cuts++;
      near.destroy();
      far.end();
    });
    far.on('data', (chunk) => near.write(chunk));
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((done) => server.listen(path, done));
  const cutAll = () => {
    for (const socket of open) socket.destroy();
  };
  const close = () => {
    cutAll();
    return new Promise((done) => server.close(done));
  };
  return { path, close, cutAll, cuts: () => cuts };
}

test('an upload that is cut off again and again arrives whole', async () => {
  const file = join(served.folder, 'hub image.bin');
  const bytes = Buffer.alloc(900_000, 'image ');
  writeFileSync(file, bytes);
  const door = await cutting(200_000, 3);
  const told: number[] = [];
  const image = await new ApiClient(door.path, { pauseMs: 20 }).upload(file, (sent) =>
    told.push(sent),
  );
  await door.close();
  assert.is(door.cuts(), 3);
  assert.is(image.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.is(image.name, 'hub image.bin');
  assert.is(told.at(-1), 900_000);
  assert.is((await client.upload(file)).sha256, image.sha256, 'the second time it is there');
  assert.is(served.control.uploads.size, 0);
});

test('events go on after every lost connection, none lost and none twice', async () => {
  const door = await cutting(Number.POSITIVE_INFINITY, 0);
  const stop = new AbortController();
  const { control } = served;
  const got: number[] = [];
  const saying = setInterval(() => {
    for (let n = 0; n < 7; n++) control.append({ kind: 'test' });
    if (control.journal.length % 3 === 0) door.cutAll();
    if (control.journal.length > 200) clearInterval(saying);
  }, 3);
  const far = new ApiClient(door.path, { pauseMs: 2, attemptsMax: 1_000 });
  for await (const event of far.events({ from: 1 }, stop.signal)) {
    if (event.event === 'record') got.push(event.record.sequence);
    if (got.length > 200) stop.abort();
  }
  await door.close();
  assert.equal(
    got,
    Array.from({ length: got.length }, (_, n) => n + 1),
  );
});

test('what is refused is thrown as it was said, with its exit code', async () => {
  const unknown = await refusalOf(client.get('/jobs/j99'));
  assert.is(`${unknown.code} ${unknown.exit}`, 'job-unknown 2');
  await client.post('/jobs', wish());
  const open = await refusalOf(client.post('/jobs', wish()));
  assert.is(`${open.code} ${open.exit} ${open.actual}`, 'job-open 3 j2/hub-1');
  const invalid = await refusalOf(client.post('/jobs', { ...wish(), priority: 10 }));
  assert.is(`${invalid.code} ${invalid.expected}`, 'request-invalid /priority: 0 to 8');
  const nobody = await refusalOf(new ApiClient(join(served.folder, 'none')).get('/health'));
  assert.is(`${nobody.code} ${nobody.exit}`, 'gateway-unreachable 6');
  assert.is(nameOf('/a/ëë—.bin'), 'bin');
  assert.is(nameOf('/a/..'), 'image');
});

test('an event stream that ends for good is an error; one that is refused is too', async () => {
  await served.server.close(0);
  const lost = client.events({ from: 1 });
  const error = await refusalOf(lost.next());
  assert.is(`${error.code} ${error.exit}`, 'gateway-unreachable 6');
  served.server = (await Served.start()).server;
});

test('a job from the command line: created with its image, followed, and its story told', async () => {
  const file = join(served.folder, 'hub.bin');
  writeFileSync(file, 'an image');
  const { control } = served;
  const stop = control.listen({
    record({ kind, state, job }) {
      if (kind !== 'state' || state !== 'scheduled') return;
      setTimeout(() => {
        const found = control.book.job(String(job))!;
        control.progress(found.id, 'hub-1', 1, 8);
        for (const next of [
          'verifying',
          'staged',
          'distributing',
          'distributed',
          'done',
        ] as const) {
          control.move(found, found.upgrades, next);
        }
      }, 50);
    },
    progress() {},
  });
  const words = ['job', 'create', '--image', file, '--device', 'hub-1', '--watch'];
  const followed = await uplift(...words, '--reason', 'a \\u test');
  stop();
  assert.is(followed.exit, 0, followed.err);
  assert.match(
    followed.err,
    /socket:local +asks for it +a [\s\S]*hub-1 +distributing[\s\S]*hub-1 +done/,
  );
  assert.match(followed.out, /hub-1 +done/);
  const id = [...control.book.jobs][0]!.id;
  const shown = await uplift('job', 'show', id);
  assert.match(shown.out, /^2\S+Z +socket:local +asks for it/);
  const json = JSON.parse((await uplift('job', 'show', id, '--json')).out);
  assert.is(json.story.length, 7);
  const watched = await uplift('job', 'show', id, '--watch', '--json');
  const events = watched.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ApiEvent);
  assert.is(events.length, 7, 'a job that is over is told once');
});

test('commands that change a job, and lists', async () => {
  const { control } = served;
  const image = ['--image', IMAGE];
  const created = await uplift('job', 'create', ...image, '--device', 'hub-1', 'hub-2', '--json');
  const { id } = JSON.parse(created.out);
  const job = control.book.job(id)!;
  const cancelled = await uplift('job', 'cancel', id, '--device', 'hub-2', '--reason', 'rain');
  assert.match(cancelled.out, /hub-1 +scheduled +gateway: its turn[\s\S]*hub-2 +cancelled/);
  control.move(job, [job.upgrades[0]!], 'failed');
  const listed = await uplift('job', 'list');
  assert.match(listed.out, /2 devices +1{12} +1 failed, 1 cancelled/);
  assert.match((await uplift('job', 'retry', id, '--device', 'hub-1')).out, /hub-1 +scheduled/);
  control.move(job, [job.upgrades[0]!], 'refused');
  assert.is((await uplift('job', 'show', id, '--watch', '--quiet')).exit, 3);
  const none = await uplift('job', 'approve', 'j99');
  assert.is(none.exit, 2);
  assert.match(none.err, /job-unknown/);
  assert.is((await uplift('image', 'rm', IMAGE)).exit, 0);
  assert.is((await uplift('image', 'list')).out, 'no image\n');
});

test('a token is shown once, and its line is one of the file', async () => {
  const { out } = await uplift(
    'api',
    'token',
    '--name',
    'a',
    '--role',
    'viewer',
    '--days',
    '2',
    '--json',
  );
  const { token, line } = JSON.parse(out);
  const file = join(served.folder, 'one');
  writeFileSync(file, line);
  const [loaded] = loadTokens(file);
  assert.is(loaded!.sha256, createHash('sha256').update(token).digest('hex'));
  assert.ok(Math.abs(loaded!.untilMs! - Date.now() - 2 * 86_400_000) < 60_000);
  assert.is((await uplift('api', 'token', '--name', 'a', '--role', 'king')).exit, 2);
  const { openapi } = JSON.parse((await uplift('api', 'openapi')).out);
  assert.is(openapi, '3.1.0');
});

test.run();
