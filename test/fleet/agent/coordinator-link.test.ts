/** The requests as they go out, and what becomes of whatever is answered, or is not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { TlsTrust } from '../../../src/fleet/agent/client-agent.ts';
import { CoordinatorLink, type LinkLimits } from '../../../src/fleet/agent/coordinator-link.ts';
import { type GatewayIdentity, ownIdentity } from '../../../src/fleet/agent/identity.ts';
import type { EventBatch, Inventory } from '../../../src/fleet/wire.ts';
import {
  CoordinatorDouble,
  json,
  problem,
  type Said,
  serverIdentity,
} from '../../support/coordinator-double.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';

const test = suite('coordinator link');
const clock = { nowMs: () => Date.UTC(2026, 0, 1) };
const HASH = 'ab'.repeat(32);
const BATCH: EventBatch = { through: { sequence: 3, hash: HASH }, events: [] };
const INVENTORY: Inventory = { version: '0.0.0', windows: [], devices: [] };

let folder: string;
let double: CoordinatorDouble;
let identity: GatewayIdentity;
const links: CoordinatorLink[] = [];

test.before.each(async () => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-link-'));
  identity = ownIdentity(folder, 'gw-1');
  double = await new CoordinatorDouble().start();
  double.known = identity.fingerprint;
});

test.after.each(async () => {
  for (const link of links.splice(0)) link.close();
  await double.stop();
  rmSync(folder, { recursive: true });
});

function linkTo(
  url = double.url,
  trust: Partial<TlsTrust> = { serverCertificate: double.identity.fingerprint },
  limits: Partial<LinkLimits> = {},
): CoordinatorLink {
  const { keyPem, certificatePem } = identity;
  const options = { url, gateway: 'gw-1', version: '1.2.3', clock };
  const link = new CoordinatorLink({
    ...options,
    trust: { keyPem, certificatePem, ...trust },
    limits: { idleMs: 1_000, connectMs: 1_000, ...limits },
  });
  links.push(link);
  return link;
}

async function outcome(said: Said | 'hang', version?: number) {
  double.instead = () => said;
  const answer = await linkTo().desired(version, 0);
  return 'code' in answer ? [answer.kind, answer.code] : [answer.kind];
}

test('the five requests, as the wire has them', async () => {
  const link = linkTo();
  double.known = undefined;
  const enrolled = await link.enrol({ token: double.token, gateway: 'gw-1', version: '1.2.3' });
  assert.equal(enrolled, {
    kind: 'answered',
    value: { gateway: 'gw-1', fleet: 'double', certificate: identity.fingerprint },
  });
  const first = await link.desired(undefined, 0);
  assert.equal(first, { kind: 'answered', value: double.desired });
  assert.equal(await link.desired(1, 0), { kind: 'unchanged' });
  assert.equal(await link.postEvents(BATCH), {
    kind: 'answered',
    value: { journal: BATCH.through },
  });
  assert.equal(await link.postInventory(INVENTORY), { kind: 'answered', value: undefined });
  assert.equal(
    double.requests.map(({ method, path }) => `${method} ${path}`),
    [
      'POST /v1/enrolment',
      'GET /v1/gw/gw-1/desired',
      'GET /v1/gw/gw-1/desired',
      'POST /v1/gw/gw-1/events',
      'POST /v1/gw/gw-1/inventory',
    ],
  );
  const [, unconditional, conditional, events] = double.requests;
  assert.is(unconditional!.headers['if-none-match'], undefined);
  assert.is(unconditional!.headers['prefer'], undefined);
  assert.is(conditional!.headers['if-none-match'], '"1"');
  assert.is(events!.headers['content-encoding'], 'gzip');
  assert.is(events!.headers['content-type'], 'application/json');
  assert.is(events!.headers['user-agent'], 'uplift/1.2.3');
  for (const { client } of double.requests) assert.is(client, identity.fingerprint);
});

test('a path in front of the doors is kept', async () => {
  await linkTo(`${double.url}/fleet/`).desired(undefined, 0);
  assert.is(double.requests[0]!.path, '/fleet/v1/gw/gw-1/desired');
});

test('a long poll is answered when there is something new', async () => {
  const link = linkTo();
  const asked = link.desired(1, 30);
  while (double.requests.length === 0) await new Promise((done) => setTimeout(done, 5));
  double.want([]);
  assert.equal(await asked, { kind: 'answered', value: double.desired });
  assert.is(double.requests[0]!.headers['prefer'], 'wait=30');
  assert.is(double.desired.version, 2);
});

test('a long poll outlives the silence that other requests are given up for', async () => {
  const link = linkTo(undefined, undefined, { idleMs: 800 });
  assert.equal(await link.desired(1, 1), { kind: 'unchanged' });
  double.instead = () => 'hang';
  const silent = await link.desired(1, 0);
  assert.is('code' in silent && silent.code, 'fleet-silent');
});

test('an answer that drips is given up when its time is over', async () => {
  const link = linkTo(undefined, undefined, { wholeMs: 400, idleMs: 300 });
  double.instead = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const dripping = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(dripping));
    return 'hang';
  };
  const answer = await link.desired(undefined, 0);
  assert.equal('code' in answer && [answer.kind, answer.code], ['unreached', 'fleet-silent']);
});

test('what is answered instead', async () => {
  const redirect = { location: 'https://127.0.0.1:1/' };
  const cases: [Said, string[]][] = [
    [problem(403, 'gateway-revoked'), ['refused', 'gateway-revoked']],
    [problem(409, 'events-forked'), ['refused', 'events-forked']],
    [problem(400, 'request-invalid'), ['refused', 'fleet-refuses']],
    [problem(400, 'Not A Code'), ['unreached', 'fleet-answer']],
    [problem(400, 'toString'), ['unreached', 'fleet-answer']],
    [problem(503, 'busy'), ['later', 'busy']],
    [problem(429, 'busy'), ['later', 'busy']],
    [{ status: 500, body: 'oh' }, ['later', 'fleet-failing']],
    [{ status: 502, headers: { 'content-type': 'text/html' } }, ['later', 'fleet-failing']],
    [{ status: 403, headers: { 'content-type': 'text/html' } }, ['unreached', 'fleet-answer']],
    [{ status: 403, body: '{"code":"gateway-revoked"}' }, ['unreached', 'fleet-answer']],
    ...[301, 302, 303, 307, 308].map((status): [Said, string[]] => [
      { status, headers: redirect },
      ['unreached', 'fleet-redirects'],
    ]),
    [{ status: 304 }, ['unreached', 'fleet-redirects']],
    [{ status: 200, body: '{}' }, ['later', 'fleet-answer']],
    [json({}), ['later', 'fleet-answer']],
    [json({ ...double.desired, more: 1 }), ['later', 'fleet-answer']],
    [json({ ...double.desired, version: -1 }), ['later', 'fleet-answer']],
    [json({ ...double.desired, pollMs: 0 }), ['later', 'fleet-answer']],
    [{ ...json({}), body: '{"version":' }, ['later', 'fleet-answer']],
    [json({ filling: 'x'.repeat(8 * 1024 * 1024) }), ['later', 'fleet-answer-large']],
  ];
  for (const [said, expected] of cases) {
    const shown = `${said.status} ${`${said.body}`.slice(0, 40)}`;
    assert.equal(await outcome(said), expected, shown);
  }
});

test('an acknowledgement is bounded as well', async () => {
  double.instead = () => json({ filling: 'x'.repeat(70_000) });
  const answer = await linkTo().postEvents(BATCH);
  assert.equal('code' in answer && answer.code, 'fleet-answer-large');
});

test('Retry-After in seconds and as a moment', async () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  for (const [headers, expected] of [
    [{ 'retry-after': '120' }, 120_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:30 GMT', date }, 90_000],
    [{ 'retry-after': 'soon' }, undefined],
  ] as const) {
    double.instead = () => problem(503, 'busy', headers);
    const answer = await linkTo().desired(undefined, 0);
    assert.is(answer.kind === 'later' ? answer.retryAfterMs : 0, expected);
  }
});

test('nobody there, and nobody that speaks', async () => {
  const nobody = await linkTo('https://127.0.0.1:1').desired(undefined, 0);
  assert.equal('code' in nobody && [nobody.kind, nobody.code], ['unreached', 'fleet-unreachable']);
  const mute = createServer(() => {});
  await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done));
  const { port } = mute.address() as { port: number };
  const link = linkTo(`https://127.0.0.1:${port}`, undefined, { connectMs: 150 });
  const answer = await link.desired(undefined, 0);
  assert.is('code' in answer && answer.kind, 'unreached');
  link.close();
  mute.close();
});

test('a connection that is reset in the middle of an answer', async () => {
  double.instead = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{', () => response.destroy());
    return 'hang';
  };
  const answer = await linkTo().desired(undefined, 0);
  assert.equal('code' in answer && [answer.kind, answer.code], ['unreached', 'fleet-broken-off']);
});

test('one connection serves many requests, and one that the server closed is no failure', async () => {
  const proxy = await CuttingProxy.start(double.port);
  const link = linkTo(`https://127.0.0.1:${proxy.port}`);
  for (let at = 0; at < 5; at++) await link.desired(1, 0);
  assert.is(proxy.connections, 1);
  await double.stop();
  await double.start();
  assert.equal(await link.desired(1, 0), { kind: 'unchanged' });
  await proxy.stop();
});

test('when it is closed everything ends, and nothing begins', async () => {
  const link = linkTo();
  double.instead = () => 'hang';
  const asked = link.desired(1, 60);
  while (double.requests.length === 0) await new Promise((done) => setTimeout(done, 5));
  link.close();
  const ended = await asked;
  assert.is('code' in ended && ended.code, 'fleet-stopped');
  const after = await link.desired(1, 0);
  assert.is('code' in after && after.code, 'fleet-stopped');
  assert.is(double.requests.length, 1);
});

// ---- who is spoken to -------------------------------------------------------------------------------

test('the server is known by CAs, by its certificate, or by both', async () => {
  const { fingerprint, certificatePem } = double.identity;
  const other = serverIdentity('another');
  const cases: [Partial<TlsTrust>, string][] = [
    [{ serverCertificate: fingerprint }, 'answered'],
    [{ caPem: certificatePem }, 'answered'],
    [{ caPem: certificatePem, serverCertificate: fingerprint }, 'answered'],
    [{ serverCertificate: other.fingerprint }, 'fleet-untrusted'],
    [{ caPem: other.certificatePem }, 'fleet-untrusted'],
    [{ caPem: certificatePem, serverCertificate: other.fingerprint }, 'fleet-untrusted'],
    [{ caPem: other.certificatePem, serverCertificate: fingerprint }, 'fleet-untrusted'],
    // The CAs of the system.
    [{}, 'fleet-untrusted'],
  ];
  for (const [trust, expected] of cases) {
    const before = double.requests.length;
    const answer = await linkTo(undefined, trust).enrol({
      token: 'a-secret-of-sixteen',
      gateway: 'gw-1',
      version: '1',
    });
    const got = 'code' in answer ? answer.code : answer.kind;
    const isAsked = expected === 'answered';
    assert.is(got, isAsked ? 'token-unknown' : expected, JSON.stringify(Object.keys(trust)));
    assert.is(double.requests.length - before, isAsked ? 1 : 0, 'no token goes to anybody else');
  }
});

test('a name that the certificate does not have', async () => {
  const trust = { caPem: double.identity.certificatePem };
  const answer = await linkTo(`https://localhost:${double.port}`, trust).desired(undefined, 0);
  assert.is('code' in answer && answer.code, 'fleet-untrusted');
});

test.run();
