/**
 * Attacks on the HTTP interface, by the rows of the table of attacks: over real sockets, each with
 * its code, nothing kept of it, and the next valid request done.
 */
import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nameOf } from '../../src/api/client.ts';
import { storyRow } from '../../src/cli/job-lines.ts';
import { IMAGE, refusedByStore } from '../api/fake-control.ts';
import { type Asked, Served, TOKENS } from '../api/served.ts';

const test = suite('attacks on the HTTP interface');
const BODY = Buffer.from('half of one image, and half of another one');
const OTHER = Buffer.from('HALF OF ONE IMAGE, AND HALF OF ANOTHER ONE');
const JOBS = '/api/v1/jobs';
const UPLOADS = '/api/v1/images/uploads';
const PIECE = 'application/offset+octet-stream';
let served: Served;

test.before.each(async () => {
  served = await Served.start();
});
test.after.each(() => served.stop());

const post = (path: string, body: unknown = {}): Asked => ({ method: 'POST', path, body });
const job = (more: object = {}) =>
  post(JOBS, {
    image: IMAGE,
    devices: ['hub-1'],
    activation: { when: 'now' },
    priority: 4,
    deadlineMs: Date.now() + 1e8,
    supersede: true,
    ...more,
  });

/** The path of a fresh upload of `BODY`. */
async function begun(): Promise<string> {
  const sha256 = createHash('sha256').update(BODY).digest('hex');
  const request = { bytes: BODY.length, sha256, name: `image-${randomBytes(4).toString('hex')}` };
  const { status, headers } = await served.local(post(UPLOADS, request));
  assert.is(status, 201);
  return headers.location!;
}

function piece(path: string, offset: number, body: Uint8Array): Asked {
  const headers = { 'content-type': PIECE, 'upload-offset': `${offset}` };
  return { method: 'PATCH', path, body, headers };
}

/** After each attack: a whole upload, and a job. */
async function assertWell(): Promise<void> {
  const path = await begun();
  assert.is((await served.local(piece(path, 0, BODY))).status, 204);
  const image = await served.local(post(`${path}/finish`));
  assert.is(image.status, 201);
  const made = await served.local(job({ image: image.json.sha256 }));
  assert.is(made.status, 201);
  await served.local(post(`${JOBS}/${made.json.id}/cancel`));
  assert.is(
    (await served.local({ method: 'DELETE', path: `/api/v1/images/${image.json.sha256}` })).status,
    204,
  );
}

const codeIn = (text: string) => /"code":"([a-z-]+)"/.exec(text)?.[1];
const chunk = (bytes: Uint8Array | string) => {
  const content = Buffer.from(bytes);
  return Buffer.concat([
    Buffer.from(`${content.length.toString(16)}\r\n`),
    content,
    Buffer.from('\r\n'),
  ]);
};
const head = (method: string, path: string, ...lines: string[]) =>
  [`${method} ${path} HTTP/1.1`, 'host: localhost', ...lines, '', ''].join('\r\n');

test('10a endless data: more than was stated: cut off there, and nothing is kept', async () => {
  const path = await begun();
  const start = head(
    'PATCH',
    path,
    `content-type: ${PIECE}`,
    'upload-offset: 0',
    'transfer-encoding: chunked',
  );
  const text = await served.raw(
    Buffer.concat([
      Buffer.from(start),
      ...Array.from({ length: 400 }, () => chunk('x'.repeat(4_000))),
    ]),
  );
  assert.is(codeIn(text), 'upload-too-long');
  assert.is(served.control.uploads.size, 0);
  await assertWell();
});

test('10b lying length: too large: refused before a byte of it is read', async () => {
  const text = await served
    .raw(
      `${head('POST', JOBS, 'content-type: application/json', 'content-length: 99999999999', 'connection: close')}{`,
    )
    .catch(() => '');
  assert.is(codeIn(text), 'body-large');
  const path = await begun();
  const more = head(
    'PATCH',
    path,
    `content-type: ${PIECE}`,
    'upload-offset: 0',
    'content-length: 999',
    'connection: close',
  );
  assert.is(codeIn(await served.raw(more)), 'body-large');
  assert.is((await served.local({ path })).json.receivedBytes, 0);
  await assertWell();
});

test('10b lying length: too small, absent, twice: what is left over is no request', async () => {
  const json = 'content-type: application/json';
  const small = await served.raw(`${head('POST', JOBS, json, 'content-length: 2')}{}"more of it"`);
  assert.match(small, /^HTTP\/1.1 400 /);
  assert.not.match(small, /HTTP\/1.1 [235]/, 'what was left over is not done');
  const absent = await served.raw(`${head('POST', JOBS, json, 'connection: close')}{"a":1}`);
  assert.match(absent, /^HTTP\/1.1 400 /);
  const twice = await served.raw(
    `${head('POST', JOBS, json, 'content-length: 2', 'content-length: 7')}{}`,
  );
  assert.match(twice, /^HTTP\/1.1 400 /);
  assert.is(served.control.journal.length, 1);
  await assertWell();
});

test('10b lying length: a connection that ends early leaves an upload where it is', async () => {
  const path = await begun();
  const socket = served.dial();
  socket.on('error', () => {});
  const start = head(
    'PATCH',
    path,
    `content-type: ${PIECE}`,
    'upload-offset: 0',
    `content-length: ${BODY.length}`,
  );
  socket.write(start);
  socket.write(BODY.subarray(0, 7));
  for (let received = 0; received < 7; ) {
    received = (await served.local({ path })).json.receivedBytes;
  }
  // Half-closed: it still listens, and sends no more.
  socket.resume().end();
  await new Promise((done) => socket.once('close', done));
  assert.is((await served.local(piece(path, 7, BODY.subarray(7)))).status, 204);
  assert.is((await served.local(post(`${path}/finish`))).status, 201);
  assert.is(served.log.filter(({ level }) => level === 'error').length, 0);
});

test('10c endless chunks: cut off at the bound of the route, known or not', async () => {
  for (const door of ['socket', 'tcp'] as const) {
    const socket = served.dial(door);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString();
    });
    socket.on('error', () => {});
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.write(
      head(
        'POST',
        `${JOBS}/j1/cancel`,
        'content-type: application/json',
        'transfer-encoding: chunked',
      ),
    );
    let sent = 0;
    const more = () => {
      while (!socket.destroyed && sent < 64e6 && socket.write(chunk(' '.repeat(16_000))))
        sent += 16_000;
      if (!socket.destroyed && sent < 64e6) socket.once('drain', more);
    };
    more();
    await closed;
    assert.ok(sent < 32e6, `${sent} bytes were taken`);
    assert.is(codeIn(text), door === 'socket' ? 'body-large' : 'unauthenticated');
  }
  await assertWell();
});

test('10d oversized request: more devices than a job may have', async () => {
  const devices = Array.from({ length: 50_001 }, (_, n) => `d${n}`);
  const answer = await served.local(job({ devices }));
  assert.is(`${answer.status} ${answer.json.code}`, '400 request-invalid');
  assert.is(answer.json.errors[0].pointer, '/devices');
  const large = await served.local(post(JOBS, 'x'.repeat(5_000_000)));
  assert.ok([413, 415].includes(large.status));
  await assertWell();
});

test('12 slow sending: given up at its deadline; an upload goes on from there', async () => {
  await served.stop();
  served = await Served.start({ limits: { headersMs: 200, requestMs: 300 } });
  const path = await begun();
  const socket = served.dial();
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString();
  });
  socket.on('error', () => {});
  socket.write(
    head(
      'PATCH',
      path,
      `content-type: ${PIECE}`,
      'upload-offset: 0',
      `content-length: ${BODY.length}`,
    ),
  );
  let at = 0;
  const dripping = setInterval(() => socket.write(BODY.subarray(at, ++at)), 100);
  await new Promise((done) => socket.once('close', done));
  clearInterval(dripping);
  assert.ok(at < BODY.length, `${at} bytes`);
  assert.match(text, /^(HTTP\/1.1 408 |$)/);
  const { receivedBytes } = (await served.local({ path })).json;
  assert.ok(receivedBytes > 0);
  assert.is(
    (await served.local(piece(path, receivedBytes, BODY.subarray(receivedBytes)))).status,
    204,
  );
  assert.is((await served.local(post(`${path}/finish`))).status, 201);
});

test('21a decompression bomb: nothing that is compressed is unpacked', async () => {
  const asked = job();
  const body = gzipSync(JSON.stringify(asked.body));
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const answer = await served.local({ ...asked, body, headers });
  assert.is(`${answer.status} ${answer.json.code}`, '415 media-type');
  await assertWell();
});

const NAMES = [
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a/b',
  'a\\b',
  '%2e%2e%2fpasswd',
  'a\u0000.bin',
  'a\r\nb',
  '\u202Egpj.nib',
  '\u001b[2J',
  'x'.repeat(129),
  '',
  ' ',
  '.hidden',
];
test('21b archive path: a name of an image that leads elsewhere', async () => {
  for (const name of NAMES) {
    const sha256 = '33'.repeat(32);
    const answer = await served.local(post(UPLOADS, { bytes: 9, sha256, name }));
    const found = `${answer.status} ${answer.json.errors[0].pointer}`;
    assert.is(found, '400 /name', JSON.stringify(name));
    assert.match(nameOf(`folder/${name}`), /^[A-Za-z0-9][A-Za-z0-9 ._+@()=,~-]{0,127}$/);
  }
  assert.is(served.control.uploads.size, 0);
  await assertWell();
});

test('25d path traversal: ids in the address that lead elsewhere', async () => {
  for (const name of NAMES) {
    for (const root of [JOBS, '/api/v1/images', UPLOADS, '/api/v1/lists', '/api/v1/rules']) {
      const path = `${root}/${encodeURIComponent(name)}`;
      const { status, text } = await served.local({ path });
      assert.ok(isAnother(name) || status === 400, `${path}: ${status}`);
      assert.not.match(text, /root:/);
    }
  }
  for (const path of ['../../health', '%2e%2e%2f%2e%2e', '/etc/passwd', '%00', '%']) {
    const text = await served.raw(head('GET', `/api/v1/images/${path}`, 'connection: close'));
    assert.match(text, /^HTTP\/1.1 40[04] /, path);
  }
  await assertWell();
});

/** With no name it is the address of something else. */
function isAnother(name: string): boolean {
  return name === '';
}

test('21d resumed upload: the second half of another file, or after other bytes', async () => {
  const path = await begun();
  await served.local(piece(path, 0, BODY.subarray(0, 20)));
  const moved = await served.local(piece(path, 10, OTHER.subarray(10)));
  assert.is(
    `${moved.status} ${moved.json.code} ${moved.headers['upload-offset']}`,
    '409 upload-offset 20',
  );
  await served.local(piece(path, 20, OTHER.subarray(20)));
  const spliced = await served.local(post(`${path}/finish`));
  assert.is(`${spliced.status} ${spliced.json.code}`, '422 digest-differs');
  assert.is(served.control.uploads.size, 0);
  assert.is(served.control.stored.size, 1);
  assert.is((await served.local({ path })).status, 404);
  await assertWell();
});

test('24 log injection: inert in the log, in answers, and at a terminal', async () => {
  const text = '\u001b[2J\r\nfaked: line\u202E';
  const answer = await served.local({ path: `${JOBS}?device=${encodeURIComponent(text)}` });
  assert.is(answer.status, 400);
  const unknown = await served.local({ path: `${JOBS}/${encodeURIComponent(text)}` });
  assert.is(unknown.status, 400);
  assert.is((await served.local(job({ reason: text }))).status, 400);
  served.control.trouble = refusedByStore('image-poisoned', text);
  const quoted = await served.local(job());
  assert.is(quoted.status, 422);
  for (const { text: shown } of [answer, unknown, quoted]) {
    assert.not.match(shown, /\p{Cc}|\p{Cf}/u);
  }
  await served.remote({ path: `${JOBS}/${encodeURIComponent(text)}` });
  for (const { message, fields } of served.log) {
    assert.not.match(message, /\p{Cc}/u);
    assert.not.match(JSON.stringify(fields), /faked/);
  }
  const record = { sequence: 1, atMs: 1, kind: 'note', device: 'hub-1', text };
  assert.not.match(storyRow(record).join(''), /\p{Cc}|\p{Cf}/u);
  await assertWell();
});

test('25a CSRF: a form or a script of another origin changes nothing', async () => {
  const { body } = job();
  const token = TOKENS.admin;
  const ask = (headers: Record<string, string>, sent: unknown = body) =>
    served.remote({ method: 'POST', path: JOBS, body: sent, token, headers });
  const host = `127.0.0.1:${served.port}`;
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://${host}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]) {
    const answer = await ask(headers);
    assert.is(
      `${answer.status} ${answer.json.code}`,
      '403 origin-foreign',
      JSON.stringify(headers),
    );
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    assert.is((await ask({ 'content-type': type }, JSON.stringify(body))).status, 415);
  }
  const preflight = await served.remote({ method: 'OPTIONS', path: JOBS, token });
  assert.is(preflight.headers['access-control-allow-origin'], undefined);
  assert.is(served.control.journal.length, 1);
  assert.is((await ask({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).status, 201);
});

test('25b DNS rebinding: a name that is not ours, though it leads here', async () => {
  const token = TOKENS.admin;
  for (const host of [
    'evil.example',
    `evil.example:${served.port}`,
    '10.0.0.1',
    'localhost.evil.example',
  ]) {
    for (const path of ['/api/v1/health', '/healthz', '/api/v1/none']) {
      const answer = await served.remote({ path, token, headers: { host } });
      assert.is(`${answer.status} ${answer.json.code}`, '421 host-unknown', `${host} ${path}`);
    }
  }
  const { status } = await served.remote({
    path: '/api/v1/health',
    token,
    headers: { host: 'localhost' },
  });
  assert.is(status, 200);
});

test('25c open event stream: nothing is streamed to who is not known', async () => {
  for (const token of [undefined, 'wrong', TOKENS.past]) {
    const answer = await served.remote({ path: '/api/v1/events?from=1', token });
    assert.is(`${answer.status} ${answer.json.code}`, '401 unauthenticated');
  }
  assert.is(served.server.events.count, 0);
  served.control.append({ kind: 'secret' });
  await assertWell();
});

test('26b descriptors gone: what is new is refused for now, and the next is taken', async () => {
  const running = await begun();
  await served.local(piece(running, 0, BODY.subarray(0, 5)));
  served.control.trouble = refusedByStore('open-files', 'EMFILE: too many open files, open /var/x');
  const sha256 = '44'.repeat(32);
  const answer = await served.local(post(UPLOADS, { bytes: 5, sha256, name: 'a' }));
  assert.is(
    `${answer.status} ${answer.json.code} ${answer.headers['retry-after']}`,
    '503 open-files 10',
  );
  assert.not.match(answer.text, /EMFILE|var/);
  assert.is((await served.local(piece(running, 5, BODY.subarray(5)))).status, 204, 'what ran runs');
  assert.is((await served.local({ method: 'DELETE', path: running })).status, 204);
  await assertWell();
});

test('28 leaked secrets: no token is in an answer or in the log', async () => {
  const planted = ['planted-secret-token', TOKENS.viewer, TOKENS.past];
  const answers = [];
  for (const token of planted) {
    answers.push(await served.remote({ method: 'POST', path: JOBS, token, body: {} }));
    answers.push(await served.remote({ path: `/api/v1/none?token=${token}`, token }));
    answers.push(await served.remote({ path: '/api/v1/openapi.json', token }));
  }
  served.control.trouble = new Error('a bug');
  answers.push(await served.local(job()));
  const all = JSON.stringify([served.log, answers.map(({ text, headers }) => [text, headers])]);
  for (const secret of planted) assert.is(all.includes(secret), false, secret);
  assert.is(all.includes(served.folder), false, 'no path of the machine');
  await assertWell();
});

test.run();
