/** Who gets in, by which door, with which role; and what a connection may cost. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AttemptCounter, hostName, TokenBook } from '../../src/api/access.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { ApiServer } from '../../src/api/server.ts';
import { ROLES } from '../../src/config/gateway-schema.ts';
import type { UpliftError } from '../../src/errors.ts';
import { FakeControl } from './fake-control.ts';
import { ask, realTimers, Served, TOKENS } from './served.ts';

const test = suite('access to the API');
let served: Served;
test.before.each(async () => {
  served = await Served.start();
});
test.after.each(() => served.stop());

const HEALTH = '/api/v1/health';

test('the least role of every route is asked, and no lesser one gets in', async () => {
  await served.stop();
  served = await Served.start({ limits: { failuresMax: 1_000 } });
  const rank = (role: string | undefined) => (ROLES as readonly unknown[]).indexOf(role);
  const wanted: Record<string, string[]> = {
    approver: ['approveJob', 'rejectJob'],
    admin: ['putList'],
  };
  for (const { operation, method, path, role } of ROUTES) {
    const named = Object.entries(wanted).find(([, names]) => names.includes(operation))?.[0];
    assert.is(role, named ?? (method === 'GET' && role !== 'operator' ? 'viewer' : 'operator'));
    if (operation === 'events') continue;
    const url = `/api/v1${path.replace(/\{\w+\}/g, 'x')}`;
    for (const token of ROLES) {
      const { status, json } = await served.remote({ method, path: url, token: TOKENS[token] });
      const isIn = rank(token) >= rank(role);
      assert.is(status === 403, !isIn, `${operation} for ${token}: ${status}`);
      if (!isIn) assert.equal(Object.keys(json).sort(), ['code', 'status', 'title', 'type']);
    }
    const stranger = await served.remote({ method, path: url });
    assert.is(stranger.status, 401, operation);
  }
});

test('who is not known, and whose token is over, learn nothing but that', async () => {
  const answers = await Promise.all(
    [undefined, 'wrong', TOKENS.past, '', 'x'.repeat(600)].map((token) =>
      served.remote({ path: HEALTH, token }),
    ),
  );
  for (const { status, text, headers } of answers) {
    assert.is(status, 401);
    assert.is(text, answers[0]!.text);
    assert.match(headers['www-authenticate']!, /^Bearer/);
  }
  const basic = { authorization: `Basic ${btoa(`a:${TOKENS.admin}`)}` };
  assert.is((await served.remote({ path: HEALTH, headers: basic })).status, 401);
  assert.is((await served.remote({ path: '/api/v1/no-such', token: 'wrong' })).status, 401);
  assert.is((await served.remote({ path: '/api/v1/events' })).status, 401);
  for (const { fields } of served.log) assert.not.match(JSON.stringify(fields), /wrong|xxx/);
});

test('health and readiness say little, to everybody', async () => {
  assert.is((await served.remote({ path: '/healthz' })).text, '{"state":"ready"}');
  served.control.state = 'degraded';
  assert.is((await served.remote({ path: '/healthz' })).status, 200);
  const { status, text } = await served.remote({ path: '/readyz' });
  assert.is(`${status} ${text}`, '503 {"state":"degraded"}');
});

test('after ten failures an address waits a minute, also with a good token', async () => {
  for (let n = 0; n < 10; n++) {
    assert.is((await served.remote({ path: HEALTH, token: 'no' })).status, 401);
  }
  const barred = await served.remote({ path: HEALTH, token: TOKENS.admin });
  assert.is(`${barred.status} ${barred.headers['retry-after']}`, '429 60');
  assert.is((await served.local({ path: HEALTH })).status, 200, 'the socket is another door');
  const counter = new AttemptCounter({ failuresMax: 2, windowMs: 100, addressesMax: 3 });
  for (const address of ['a', 'a', 'b', 'c']) counter.failed(address, 0);
  assert.is(counter.isBarred('a', 99), true);
  assert.is(counter.isBarred('a', 100), false);
  for (const address of ['d', 'e', 'f', 'g']) counter.failed(address, 200);
  assert.is(counter.isBarred('b', 200), false);
});

test('tokens are read again while it runs; those taken off are none', async () => {
  const { folder, server } = served;
  const file = join(folder, 'tokens');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, lines.filter((line) => !line.includes(' viewer ')).join('\n'));
  server.reloadTokens();
  assert.is((await served.remote({ path: HEALTH, token: TOKENS.viewer })).status, 401);
  writeFileSync(file, 'not a token');
  assert.throws(() => server.reloadTokens());
  assert.is((await served.remote({ path: HEALTH, token: TOKENS.admin })).status, 200);
});

test('a stream ends when its token does', async () => {
  const sha256 = '00'.repeat(32);
  const book = new TokenBook([{ name: 'a', role: 'viewer', sha256, untilMs: 5 }]);
  const identity = { kind: 'token', by: 'api:a', role: 'viewer', untilMs: 5 } as const;
  assert.is(book.has(identity), true);
  book.replace([{ name: 'a', role: 'admin', sha256 }]);
  assert.is(book.has(identity), false);
});

test('the socket has its mode from its first moment, and is local to this machine', async () => {
  assert.is(statSync(served.path).mode & 0o777, 0o600);
  const body = {
    image: '11'.repeat(32),
    devices: ['hub-1'],
    activation: { when: 'now' },
    priority: 1,
    deadlineMs: Date.now() + 1e6,
  };
  const local = await served.local({ method: 'POST', path: '/api/v1/jobs', body });
  assert.is(local.json.by, 'socket:local');
  const { json } = await served.remote({
    method: 'POST',
    path: '/api/v1/jobs',
    body: { ...body, devices: ['hub-2'] },
    token: TOKENS.operator,
  });
  assert.is(json.by, 'api:operator');
});

test('who shows a token over the socket is its holder; a wrong one is nobody', async () => {
  const asks = (token: string) => served.local({ path: HEALTH, token });
  assert.equal([(await asks(TOKENS.viewer)).status, (await asks('wrong')).status], [200, 401]);
  const body = {
    image: '11'.repeat(32),
    devices: ['ppmid-1'],
    activation: { when: 'now' },
    priority: 1,
    deadlineMs: Date.now() + 1e6,
    needsApproval: true,
  };
  const { json } = await served.local({ method: 'POST', path: '/api/v1/jobs', body });
  assert.ok(json.id, JSON.stringify(json));
  const path = `/api/v1/jobs/${json.id}/approve`;
  assert.is((await served.local({ method: 'POST', path, body: {} })).status, 403, 'its author');
  const approved = await served.local({ method: 'POST', path, body: {}, token: TOKENS.approver });
  assert.is(approved.status, 200, JSON.stringify(approved.json));
  assert.is(
    (await served.local({ method: 'POST', path, body: {}, token: TOKENS.viewer })).status,
    403,
  );
});

test('a socket that a killed process left is taken; one that is answered on, or a file, is not', async () => {
  const { folder } = served;
  const start = async (path: string) => {
    const socket = { path, mode: 0o660, role: 'viewer' as const };
    const control = new FakeControl();
    const config = { socket, tcp: undefined };
    const log = { write() {} };
    const server = await ApiServer.start({
      control,
      config,
      timers: realTimers,
      log,
      version: '1',
    });
    await server.close(0);
  };
  const codeOf = async (path: string) => {
    try {
      await start(path);
    } catch (error) {
      return (error as UpliftError).code;
    }
    return 'taken';
  };
  assert.is(await codeOf(served.path), 'listen-failed');
  assert.is((await served.local({ path: HEALTH })).status, 200, 'who had it has it');
  const file = join(folder, 'file');
  writeFileSync(file, 'kept');
  assert.is(await codeOf(file), 'listen-failed');
  assert.is(readFileSync(file, 'utf8'), 'kept');
  const stale = join(folder, 'stale.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(existsSync(stale));
  assert.is(await codeOf(stale), 'taken');
  assert.is(existsSync(stale), false, 'and nothing is left when it stops');
});

test('beyond loopback nothing listens without TLS, whatever the configuration was', async () => {
  const tcp = { listen: { host: '0.0.0.0', port: 0 }, tls: undefined, tokensFile: undefined };
  const config = {
    socket: { path: join(served.folder, 'b.sock'), mode: 0o600, role: 'admin' as const },
    tcp: { ...tcp, clients: [] },
  };
  const options = {
    control: served.control,
    timers: realTimers,
    log: { write() {} },
    version: '1',
  };
  try {
    await ApiServer.start({ ...options, config });
    assert.unreachable('it listens');
  } catch (error) {
    assert.is((error as UpliftError).code, 'listen-unprotected');
  }
  assert.is(existsSync(config.socket.path), false, 'no door is left open');
});

test('hosts: names of the door, with any port', () => {
  const cases: [string | undefined, string | undefined][] = [
    ['localhost', 'localhost'],
    ['LOCALHOST:8460', 'localhost'],
    ['[::1]:8460', '::1'],
    ['127.0.0.1', '127.0.0.1'],
    ['gateway.example.', 'gateway.example'],
    ['a b', undefined],
    ['', undefined],
    [undefined, undefined],
    ['localhost:', undefined],
    ['user@localhost', undefined],
  ];
  for (const [written, name] of cases) assert.is(hostName(written), name, `${written}`);
});

test('a request that comes slowly, or not at all, is given up', async () => {
  await served.stop();
  const limits = { headersMs: 200, requestMs: 400, idleMs: 5_000 };
  served = await Served.start({ limits });
  const line = 'POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\n';
  const answers = await Promise.all([
    served.raw(''),
    served.raw(line),
    served.raw(`${line}content-type: application/json\r\ncontent-length: 9\r\n\r\n{`),
    served.raw(line, 'tcp'),
  ]);
  for (const text of answers.slice(1)) assert.match(text, /^HTTP\/1.1 (408|401) /);
  assert.is((await served.local({ path: HEALTH })).status, 200);
});

test('no more connections than may be; when one goes, the next comes in', async () => {
  await served.stop();
  served = await Served.start({ limits: { connectionsMax: 3 } });
  const held = Array.from({ length: 3 }, () => served.dial());
  await Promise.all(held.map((socket) => new Promise((done) => socket.once('connect', done))));
  await sleep(50);
  let isRefused = false;
  await served.local({ path: HEALTH }).catch(() => {
    isRefused = true;
  });
  assert.ok(isRefused);
  held[0]!.destroy();
  await sleep(50);
  assert.is((await served.local({ path: HEALTH })).status, 200);
  for (const socket of held) socket.destroy();
});

test('what is no HTTP, and a header without end, are answered and closed', async () => {
  assert.match(await served.raw('hello\r\n\r\n'), /^HTTP\/1.1 400 [\s\S]*request-malformed/);
  const header = `GET ${HEALTH} HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`;
  assert.match(await served.raw(header), /^HTTP\/1.1 431 [\s\S]*header-large/);
  const noHost = await served.raw(`GET ${HEALTH} HTTP/1.1\r\nconnection: close\r\n\r\n`, 'tcp');
  assert.match(noHost, /^HTTP\/1.1 400 /);
  const smuggled =
    'POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n' +
    'transfer-encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.match(await served.raw(smuggled), /^HTTP\/1.1 400 /);
});

test('client certificates: by the CA of the configuration, and by name', async () => {
  const has = spawnSync('openssl', ['version']).status === 0;
  if (!has && process.env['CI'] !== 'true') {
    console.log('SKIP client certificates: needs openssl');
    return;
  }
  const { folder } = served;
  const openssl = (...words: string[]) => {
    const { status, stderr } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' });
    assert.is(status, 0, stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const make = (name: string, subject: string, ...more: string[]) =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      subject,
      ...more,
    );
  make('ca', '/CN=clients');
  make('other', '/CN=others');
  make('server', '/CN=gateway', '-addext', 'subjectAltName=DNS:gateway.example,IP:127.0.0.1');
  for (const [name, ca] of [
    ['night-shift', 'ca'],
    ['nobody', 'ca'],
    ['forged', 'other'],
  ]) {
    const subject = `/CN=${name === 'forged' ? 'night-shift' : name}`;
    make(name!, subject, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`);
  }
  const at = (name: string) => join(folder, name);
  const server = await ApiServer.start({
    control: served.control,
    config: {
      socket: { path: at('tls.sock'), mode: 0o600, role: 'admin' },
      tcp: {
        listen: { host: '127.0.0.1', port: 0 },
        tls: {
          certificateFile: at('server.pem'),
          keyFile: at('server.key'),
          clientCaFile: at('ca.pem'),
        },
        tokensFile: at('tokens'),
        clients: [{ name: 'night-shift', role: 'operator' }],
      },
    },
    timers: realTimers,
    log: { write() {} },
    version: '1',
    limits: { failuresMax: 100 },
  });
  const get = (
    name: string | undefined,
    more: { method?: string; host?: string; token?: string } = {},
  ) => {
    const agent = new https.Agent({
      ca: readFileSync(at('server.pem')),
      servername: 'gateway.example',
      ...(name === undefined
        ? {}
        : { cert: readFileSync(at(`${name}.pem`)), key: readFileSync(at(`${name}.key`)) }),
    });
    const place = { protocol: 'https:', host: '127.0.0.1', port: server.address!.port, agent };
    const { host = 'gateway.example', method = 'GET', token } = more;
    return ask(place, { method, path: HEALTH, headers: { host }, token }, https);
  };
  try {
    assert.is((await get('night-shift')).status, 200);
    assert.is((await get('night-shift', { host: 'localhost' })).status, 200, 'on loopback');
    assert.is((await get('night-shift', { host: 'evil.example' })).status, 421);
    assert.is((await get('nobody')).status, 401);
    assert.is((await get('forged')).status, 401);
    assert.is((await get('forged', { token: TOKENS.admin })).status, 401);
    assert.is((await get(undefined)).status, 401);
    assert.is((await get(undefined, { token: TOKENS.viewer })).status, 200);
    assert.is((await get('nobody', { token: TOKENS.viewer })).status, 200);
  } finally {
    await server.close(0);
  }
});

test.run();
