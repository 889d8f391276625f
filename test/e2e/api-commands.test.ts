/** The commands that ask a running gateway, against one in memory behind a real socket. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ApiEvent } from '../../src/api/client.ts';
import { loadTokens } from '../../src/config/tokens.ts';
import { IMAGE } from '../api/fake-control.ts';
import { Served } from '../api/served.ts';
import { MAIN } from '../support/main.ts';

const test = suite('commands that ask a gateway');
let served: Served;
test.before.each(async () => {
  served = await Served.start();
});
test.after.each(() => served.stop());

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

test('a job that ends while its watch begins is over for it', async () => {
  const file = join(served.folder, 'hub.bin');
  writeFileSync(file, 'an image');
  const { control } = served;
  const { story } = control;
  control.story = (id) => {
    control.story = story;
    const job = control.book.job(id)!;
    control.move(job, job.upgrades, 'refused');
    return control.story(id);
  };
  const watched = await uplift('job', 'create', '--image', file, '--device', 'hub-1', '--watch');
  assert.is(watched.exit, 3, watched.err);
  assert.match(watched.err, /hub-1 +refused/);
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

test('devices, and what one says that it runs', async () => {
  const listed = await uplift('device', 'list');
  assert.match(listed.out, /hub-1 +communications_hub +port:hub-1 +not read yet/);
  assert.is((await uplift('device', 'read', 'hub-1')).out, 'hub-1 runs 1.0.0\n');
  assert.is((await uplift('device', 'read', 'nobody')).exit, 3);
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
