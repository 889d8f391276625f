/** What gateways get at the door of a coordinator, over TLS with certificates that nobody signed. */
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { gunzipSync, gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type describeApi, refusalsOf } from '../../../src/api/describe.ts';
import { CoordinatorLink } from '../../../src/fleet/agent/coordinator-link.ts';
import { fleetOpenApi } from '../../../src/fleet/coordinator/doors.ts';
import { GATEWAY_DOOR_PROBLEMS } from '../../../src/fleet/coordinator/fleet-problems.ts';
import { GATEWAY_ROUTES } from '../../../src/fleet/coordinator/gateway-routes.ts';
import { WIRE_LIMITS } from '../../../src/fleet/wire.ts';
import type { Answered, Asked } from '../../api/served.ts';
import { type Client, newClient, ONE, Opened, TWO } from './opened.ts';

const test = suite('the door of a coordinator for gateways');
const DESIRED = '/v1/gw/one/desired';
const EVENTS = '/v1/gw/one/events';
const INVENTORY = '/v1/gw/one/inventory';
const HASH = 'ab'.repeat(32);
const BATCH = { through: { sequence: 5, hash: HASH }, events: [] };
const DEVICE = {
  ...{ device: '000d6f000a9069e7', id: 'ppmid-1', kind: 'ppmid', manufacturer: '121D' },
  ...{ model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
};
const LIST = { version: '0.1.0', windows: ['night'], devices: [DEVICE] };
const IMAGE = new Uint8Array(700_001).map((_, index) => (index * 7) % 253);
/** Every status that each operation was seen to answer with. */
const seen = new Map<string, Set<number>>();

let opened: Opened;
test.before.each(async () => {
  opened = await Opened.start();
});
test.after.each(() => opened.stop());

const operationOf = ({ method = 'GET', path }: Asked) =>
  GATEWAY_ROUTES.find(
    (route) =>
      route.method === method &&
      new RegExp(`^/v1${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );

/** Holds the answer against what the table of routes says of it. */
async function ask(asked: Asked, client: Client | null = ONE): Promise<Answered> {
  const answer = await opened.gateway(asked, client);
  const route = operationOf(asked);
  if (!route) return answer;
  const { operation } = route;
  seen.set(operation, (seen.get(operation) ?? new Set()).add(answer.status));
  const isAnswer = answer.status in route.answers;
  const isRefusal = refusalsOf(route, GATEWAY_DOOR_PROBLEMS).has(answer.status);
  assert.ok(isAnswer || isRefusal, `${operation} answers ${answer.status}: ${answer.text}`);
  const shape = route.answers[answer.status];
  if (shape && typeof shape !== 'string') assert.ok(shape.safeParse(answer.json).success);
  return answer;
}

async function refuses(asked: Asked, wanted: string, client: Client | null = ONE) {
  const answer = await ask(asked, client);
  assert.is(`${answer.status} ${answer.json?.code}`, wanted, asked.path);
  assert.match(answer.headers['content-type']!, /^application\/problem\+json/);
  return answer;
}

const post = (path: string, body: unknown, headers?: Record<string, string>): Asked => ({
  ...{ method: 'POST', path, body },
  ...(headers ? { headers } : {}),
});
const packed = (body: unknown) => gzipSync(Buffer.from(JSON.stringify(body)));
const GZIP = { 'content-type': 'application/json', 'content-encoding': 'gzip' };

test('only a gateway is let in, only on its own paths, and no more once it is shut out', async () => {
  const stranger = newClient('one');
  const blob = `/v1/blob/sha256/${opened.desk.keep(IMAGE)}`;
  for (const asked of [
    { path: DESIRED },
    post(EVENTS, BATCH),
    post(INVENTORY, LIST),
    { path: blob },
  ]) {
    await refuses(asked, '403 certificate-missing', null);
    await refuses(asked, '403 gateway-unknown', stranger);
    const own = await ask(asked);
    assert.ok(own.status < 300, `${asked.path}: ${own.text}`);
    if (asked.path !== blob) await refuses(asked, '403 forbidden', TWO);
  }
  await refuses({ path: '/v1/gw/nobody/desired' }, '403 forbidden');
  assert.is((await ask({ path: '/v1/none' }, stranger)).status, 403);
  assert.is((await ask({ path: '/v1/none' })).status, 404);
  await opened.desk.revokeGateway('one', 'somebody', 'stolen');
  for (const path of [DESIRED, blob]) await refuses({ path }, '403 gateway-unknown');
  assert.equal(
    opened.log.filter(({ level }) => level === 'error'),
    [],
  );
});

test('who is shut out is out also on the connection and the TLS session that it had', async () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const get = () =>
    new Promise<number>((done, failed) => {
      https
        .get({ ...opened.place(), agent, path: DESIRED }, (response) => {
          response.resume().on('end', () => done(response.statusCode!));
        })
        .on('error', failed);
    });
  assert.is(await get(), 200);
  await opened.desk.revokeGateway('one', 'somebody', 'stolen');
  assert.is(await get(), 403);
  agent.destroy();
});

test('a gateway enrols once with its token, and not with the certificate of another', async () => {
  const { desk } = opened;
  const three = newClient('three');
  const { token } = await desk.addGateway('three', 'somebody');
  const wish = { token, gateway: 'three', version: '0.1.0' };
  const path = '/v1/enrolment';
  await refuses(post(path, wish), '409 certificate-in-use');
  await refuses(post(path, wish), '403 certificate-missing', null);
  await refuses(post(path, { ...wish, gateway: 'two' }), '403 token-unknown', three);
  const { json } = await ask(post(path, wish), three);
  assert.equal(json, { gateway: 'three', fleet: 'north', certificate: three.certificate });
  await refuses(post(path, wish), '403 token-unknown', newClient('four'));
  assert.is((await ask({ path: '/v1/gw/three/desired' }, three)).status, 200);
});

test('tokens are not guessed: after some failures an address waits, and no right one helps', async () => {
  const { desk } = opened;
  const { token } = await desk.addGateway('three', 'somebody');
  const three = newClient('three');
  const wish = (guess: string) => {
    return post('/v1/enrolment', { token: guess, gateway: 'three', version: '1' });
  };
  for (let guess = 0; guess < 10; guess++) {
    await refuses(wish(`a-token-that-is-wrong-${guess}`), '403 token-unknown', three);
  }
  const barred = await refuses(wish(token), '429 attempts-many', three);
  assert.is(barred.headers['retry-after'], '60');
  assert.is((await ask({ path: DESIRED })).status, 200, 'who is enrolled is not kept out');
});

test('what is wanted: its version is its ETag, and known it is not sent again', async () => {
  const first = await ask({ path: DESIRED });
  assert.is(`${first.status} ${first.headers.etag}`, '200 "1"');
  const same = (value: string) => ask({ path: DESIRED, headers: { 'if-none-match': value } });
  for (const value of ['"1"', 'W/"1"', '"7", "1"']) {
    const { status, text, headers } = await same(value);
    assert.is(`${status} ${headers.etag} ${text}`, '304 "1" ', value);
  }
  for (const value of ['"7"', '"x"', '1']) assert.is((await same(value)).status, 200, value);
  const head = await ask({ method: 'HEAD', path: DESIRED });
  assert.is(`${head.status} ${head.headers.etag} ${head.text}`, '200 "1" ');
});

test('a document that is worth it is packed, for who takes that', async () => {
  const devices = Array.from({ length: 200 }, (_, index) => ({
    ...{ device: `000d6f00000${`${index}`.padStart(5, '0')}`, attempt: 1 },
  }));
  const document = { sha256: HASH, bytes: 9 };
  opened.desk.want('one', [{ id: 'c', digest: HASH, document, course: 'run', devices }]);
  const get = async (encoding: string) => {
    const { headers, body } = await opened.bytes(DESIRED, { 'accept-encoding': encoding });
    return { encoding: headers['content-encoding'], vary: headers['vary'], body };
  };
  const zipped = await get('br, gzip;q=0.5');
  assert.is(zipped.encoding, 'gzip');
  const plain = await get('gzip;q=0, identity');
  assert.is(`${plain.encoding} ${plain.vary}`, 'undefined accept-encoding');
  assert.is(gunzipSync(zipped.body).toString(), plain.body.toString());
  assert.ok(zipped.body.length < plain.body.length / 5);
  opened.desk.want('one', []);
  assert.is((await get('gzip')).encoding, undefined, 'a short one is not');
});

const waiting = { 'if-none-match': '"1"', prefer: 'respond-async, wait=50' };

test('who waits is answered with what changed, and only by a change of its own', async () => {
  const answer = ask({ path: DESIRED, headers: waiting });
  const other = ask({ path: '/v1/gw/two/desired', headers: waiting }, TWO);
  await until(() => opened.doors.waiters === 2);
  opened.desk.want('one', []);
  const { status, headers, json } = await answer;
  assert.is(`${status} ${headers['preference-applied']}`, '200 wait=50');
  assert.is(`${headers.etag} ${json.version}`, '"2" 2');
  assert.is(opened.doors.waiters, 1);
  opened.desk.want('two', []);
  await other;
  assert.is(opened.doors.waiters, 0);
});

test('a change between the reading and the wait is not missed; a wake for nothing is no end', async () => {
  const { desk } = opened;
  let isFirst = true;
  desk.before = (what) => {
    if (what !== 'desired' || !isFirst) return;
    isFirst = false;
    queueMicrotask(() => desk.want('one', []));
  };
  const { json } = await ask({ path: DESIRED, headers: waiting });
  assert.is(json.version, 2);
  const answer = ask({ path: DESIRED, headers: { ...waiting, 'if-none-match': '"2"' } });
  await until(() => opened.doors.waiters === 1);
  desk.wanted.set('one', { version: 1, pollMs: 1_000, campaigns: [] });
  desk.want('one', []);
  await sleep(50);
  assert.is(opened.doors.waiters, 1, 'version 2 it has');
  desk.want('one', []);
  assert.is((await answer).json.version, 3);
});

test('a wait that is over is a 304, and what nobody announced is found at its end', async () => {
  const short = { 'if-none-match': '"1"', prefer: 'wait=1' };
  const over = await ask({ path: DESIRED, headers: short });
  assert.is(`${over.status} ${over.headers['preference-applied']}`, '304 wait=1');
  const answer = ask({ path: DESIRED, headers: short });
  await until(() => opened.doors.waiters === 1);
  opened.desk.wanted.set('one', { version: 9, pollMs: 1_000, campaigns: [] });
  assert.is((await answer).json.version, 9);
});

test('a client that goes away leaves no waiter, and a coordinator that stops answers all', async () => {
  const request = https.get({ ...opened.place(), agent: false, path: DESIRED, headers: waiting });
  request.on('error', () => {});
  await until(() => opened.doors.waiters === 1);
  request.destroy();
  await until(() => opened.doors.waiters === 0);
  const answer = ask({ path: DESIRED, headers: { ...waiting, prefer: 'wait=9999' } });
  await until(() => opened.doors.waiters === 1);
  await opened.doors.close();
  const { status, headers } = await answer;
  assert.is(`${status} ${headers['preference-applied']}`, `304 wait=${WIRE_LIMITS.waitSecondsMax}`);
});

test('events and inventory are taken, plain or packed; what does not follow is refused', async () => {
  const { desk } = opened;
  const taken = await ask(post(EVENTS, BATCH));
  assert.equal(taken.json.journal, BATCH.through);
  assert.is(taken.headers['retry-after'], '2');
  const next = { after: BATCH.through, through: { sequence: 6, hash: HASH }, events: [] };
  assert.is((await ask(post(EVENTS, packed(next), GZIP))).status, 200);
  await refuses(post(EVENTS, packed(next), GZIP), '409 events-gap');
  const fork = { ...next, after: { sequence: 6, hash: 'cd'.repeat(32) } };
  await refuses(post(EVENTS, fork), '409 events-forked');
  assert.is((await ask(post(INVENTORY, packed(LIST), GZIP))).status, 204);
  assert.equal(desk.inventories.get('one'), LIST);
});

test('each wrong field is named by its pointer, and nothing of the rest is taken', async () => {
  const event = {
    ...{ sequence: 1, atMs: 1, campaign: HASH, device: 'X', attempt: 0, phase: 'done' },
  };
  const wrong = { through: { sequence: -1, hash: HASH }, events: [], more: 1 };
  const { json } = await refuses(post(EVENTS, wrong), '400 request-invalid');
  const pointers = json.errors.map(({ pointer }: { pointer: string }) => pointer);
  assert.equal(pointers.sort(), ['/more', '/through/sequence']);
  const other = await refuses(post(EVENTS, { ...BATCH, events: [event] }), '400 request-invalid');
  assert.match(other.json.errors[0].pointer, /^\/events\/0/);
  const devices = [DEVICE, { ...DEVICE, device: 'hub' }];
  const third = await refuses(post(INVENTORY, { ...LIST, devices }), '400 request-invalid');
  assert.is(third.json.errors[0].pointer, '/devices/1/device');
  for (const text of ['{', '', 'null', '[]', '\ud800']) {
    const asked = post(EVENTS, Buffer.from(text), { 'content-type': 'application/json' });
    await refuses(asked, '400 request-invalid');
  }
  await refuses(post(EVENTS, Buffer.from('{}'), GZIP), '400 request-invalid');
  const cut = packed(BATCH).subarray(0, 40);
  await refuses(post(EVENTS, cut, GZIP), '400 request-invalid');
  for (const encoding of ['br', 'deflate', 'gzip, gzip']) {
    const headers = { ...GZIP, 'content-encoding': encoding };
    await refuses(post(EVENTS, packed(BATCH), headers), '415 media-type');
  }
  await refuses(post(EVENTS, 'text', { 'content-type': 'text/plain' }), '415 media-type');
  assert.equal(opened.desk.batches, []);
});

test('no more is unpacked than may be, however little was sent; and no more is read', async () => {
  const bomb = gzipSync(Buffer.alloc(200 * WIRE_LIMITS.eventsBytesMax));
  assert.ok(bomb.length < WIRE_LIMITS.eventsBytesMax / 4, `${bomb.length} bytes`);
  const before = process.memoryUsage().rss;
  await refuses(post(EVENTS, bomb, GZIP), '413 body-large');
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 50 * WIRE_LIMITS.eventsBytesMax, `it grew by ${grown} bytes`);
  const members = Buffer.concat(Array(5).fill(gzipSync(Buffer.alloc(300_000, ' '))));
  await refuses(post(EVENTS, members, GZIP), '413 body-large');
  const much = Buffer.alloc(WIRE_LIMITS.eventsBytesMax + 1, ' ');
  await refuses(post(EVENTS, much, { 'content-type': 'application/json' }), '413 body-large');
  assert.equal(opened.desk.batches, []);
});

test('more intakes than can be answered are told to come again, and are taken then', async () => {
  await opened.stop();
  opened = await Opened.start({ intakesAtOnce: 1, intakesWaitingMax: 1 });
  let release = () => {};
  const held = new Promise<void>((done) => {
    release = done;
  });
  opened.desk.before = (what) => (what === 'takeInventory' ? held : undefined);
  const first = ask(post(INVENTORY, LIST));
  await until(() => opened.desk.calls.includes('takeInventory'));
  const second = ask(post(INVENTORY, LIST));
  await sleep(50);
  const third = await refuses(post(INVENTORY, LIST), '503 busy');
  assert.is(third.headers['retry-after'], '5');
  await refuses(post('/v1/gw/two/inventory', LIST), '503 busy', TWO);
  assert.is((await ask({ path: DESIRED })).status, 200, 'others are answered');
  release();
  assert.is(`${(await first).status} ${(await second).status}`, '204 204');
  assert.is((await ask(post('/v1/gw/two/inventory', LIST), TWO)).status, 204);
});

test('a blob, whole and in every form of a part; of HEAD the header alone', async () => {
  const sha256 = opened.desk.keep(IMAGE);
  const path = `/v1/blob/sha256/${sha256}`;
  const etag = `"${sha256}"`;
  const size = IMAGE.length;
  const cases: [headers: Record<string, string>, status: number, from: number, to: number][] = [
    [{}, 200, 0, size],
    [{ range: 'bytes=0-0' }, 206, 0, 1],
    [{ range: 'bytes=100-199999' }, 206, 100, 200_000],
    [{ range: 'bytes=262143-262144' }, 206, 262_143, 262_145],
    [{ range: `bytes=${size - 1}-` }, 206, size - 1, size],
    [{ range: 'bytes=-5' }, 206, size - 5, size],
    [{ range: `bytes=-${size + 5}` }, 206, 0, size],
    [{ range: 'bytes=5-2' }, 200, 0, size],
    [{ range: 'bytes=0-1,5-6' }, 200, 0, size],
    [{ range: 'lines=0-1' }, 200, 0, size],
    [{ range: 'bytes=10-19', 'if-range': etag }, 206, 10, 20],
    [{ range: 'bytes=10-19', 'if-range': '"other"' }, 200, 0, size],
    [{ range: 'bytes=10-19', 'if-range': `W/${etag}` }, 200, 0, size],
  ];
  for (const [wish, status, from, to] of cases) {
    const { headers, body, ...answer } = await opened.bytes(path, wish);
    assert.is(answer.status, status, JSON.stringify(wish));
    assert.is(Buffer.compare(body, IMAGE.subarray(from, to)), 0, JSON.stringify(wish));
    assert.is(headers['content-length'], `${to - from}`);
    assert.is(`${headers['accept-ranges']} ${headers.etag}`, `bytes ${etag}`);
    assert.match(headers['cache-control']!, /immutable/);
    const range = status === 206 ? `bytes ${from}-${to - 1}/${size}` : undefined;
    assert.is(headers['content-range'], range);
  }
  const none = await opened.bytes(path, { range: `bytes=${size}-` });
  assert.is(`${none.status} ${none.headers['content-range']}`, `416 bytes */${size}`);
  assert.is(none.body.length, 0);
  const same = await opened.bytes(path, { 'if-none-match': etag });
  assert.is(`${same.status} ${same.headers.etag} ${same.body.length}`, `304 ${etag} 0`);
  const head = await opened.bytes(path, {}, 'HEAD');
  assert.is(
    `${head.status} ${head.headers['content-length']} ${head.body.length}`,
    `200 ${size} 0`,
  );
  await refuses({ path: `/v1/blob/sha256/${HASH}` }, '404 blob-unknown');
  await refuses({ path: '/v1/blob/sha256/x' }, '400 request-invalid');
  assert.is(opened.desk.blobReads, 3, 'three pieces, each read once');
  seen.set('blob', new Set([...(seen.get('blob') ?? []), 200, 206, 304, 416]));
});

test('a client that reads nothing is cut off, and costs no more than its buffers', async () => {
  await opened.stop();
  opened = await Opened.start({ stallMs: 150 });
  const { key, cert } = ONE;
  const path = `/v1/blob/sha256/${opened.desk.keep(new Uint8Array(16 * 1024 * 1024))}`;
  const { port } = opened.doors.gatewayAddress;
  const socket = connect({
    host: '127.0.0.1',
    port,
    key,
    cert,
    ca: opened.identity.certificatePem,
  });
  socket.on('error', () => {});
  await new Promise((done) => socket.once('secureConnect', done));
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  await until(() => opened.desk.blobReads > 0);
  await sleep(600);
  const reads = opened.desk.blobReads;
  assert.ok(reads < 64, `${reads} of 64 pieces were read`);
  let bytes = 0;
  socket.on('data', (piece) => {
    bytes += piece.length;
  });
  await new Promise((done) => socket.once('close', done).resume());
  assert.ok(bytes < 16 * 1024 * 1024, `${bytes} bytes came`);
  assert.equal(
    opened.log.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a body that comes slowly is given up, and gives its turn back', async () => {
  await opened.stop();
  opened = await Opened.start({
    gateways: { requestMs: 300, headersMs: 200 },
    intakesAtOnce: 1,
    intakesWaitingMax: 0,
  });
  const headers = { 'content-type': 'application/json', 'content-length': '100' };
  const slow = https.request({
    ...{ ...opened.place(), agent: false, method: 'POST', path: EVENTS, headers },
  });
  slow.on('error', () => {});
  slow.write('{');
  await sleep(100);
  await refuses(post(INVENTORY, LIST), '503 busy');
  await new Promise((done) => slow.on('close', done));
  await sleep(50);
  assert.is((await ask(post(INVENTORY, LIST))).status, 204);
});

test('whether it is well is said to everybody: that it answers, and that its database does', async () => {
  const get = (path: string) => opened.gateway({ path }, null);
  assert.is((await get('/healthz')).text, '{"state":"ready"}');
  assert.is((await get('/readyz')).status, 200);
  opened.desk.before = (what) => {
    if (what === 'hasBlob') throw new Error('the database is away');
  };
  const { status, text } = await get('/readyz');
  assert.is(`${status} ${text}`, '503 {"state":"degraded"}');
  assert.is((await get('/healthz')).status, 200);
});

test('the link of a gateway understands all of it', async () => {
  const { desk, doors, identity } = opened;
  const three = newClient('three');
  const { token } = await desk.addGateway('three', 'somebody');
  const link = new CoordinatorLink({
    ...{
      url: `https://127.0.0.1:${doors.gatewayAddress.port}`,
      gateway: 'three',
      version: '0.1.0',
    },
    trust: {
      keyPem: three.key,
      certificatePem: three.cert,
      caPem: identity.certificatePem,
    },
    clock: { nowMs: Date.now },
  });
  try {
    const enrolled = await link.enrol({ token, gateway: 'three', version: '0.1.0' });
    assert.is(enrolled.kind, 'answered', JSON.stringify(enrolled));
    const wanted = await link.desired(undefined, 0);
    assert.is(wanted.kind, 'answered', JSON.stringify(wanted));
    assert.is((await link.desired(1, 1)).kind, 'unchanged');
    assert.is((await link.postInventory(LIST)).kind, 'answered');
    assert.is((await link.postEvents(BATCH)).kind, 'answered');
    assert.equal(await link.postEvents(BATCH), {
      ...{ kind: 'refused', code: 'events-gap', detail: 'HTTP 409' },
    } as never);
  } finally {
    link.close();
  }
});

test('every answer was seen that the table of routes promises, and the document says them all', () => {
  const { paths } = fleetOpenApi('1.0.0').gateways as ReturnType<typeof describeApi> as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  for (const route of GATEWAY_ROUTES) {
    const documented = paths[`/v1${route.path}`]![route.method.toLowerCase()]!.responses;
    for (const status of Object.keys(route.answers)) {
      assert.ok(seen.get(route.operation)?.has(Number(status)), `${route.operation} ${status}`);
      assert.ok(status in documented);
    }
    for (const status of seen.get(route.operation)!) {
      assert.ok(`${status}` in documented, `${route.operation} ${status}`);
    }
  }
});

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (isSo()) return;
    await sleep(5);
  }
  assert.unreachable('it never came');
}

test.run();
