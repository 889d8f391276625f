/** What people get of a coordinator, by role, on every route; and the commands that ask for them. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { refusalsOf } from '../../../src/api/describe.ts';
import { encodeManifest } from '../../../src/campaign/manifest.ts';
import * as audit from '../../../src/cli/fleet-audit.ts';
import * as campaign from '../../../src/cli/fleet-campaign.ts';
import * as gateway from '../../../src/cli/fleet-gateway.ts';
import { Output } from '../../../src/cli/output.ts';
import { ROLES } from '../../../src/config/api-schema.ts';
import type { UpliftError } from '../../../src/errors.ts';
import { sealEvents } from '../../../src/fleet/bundle/carried-events.ts';
import { fleetOpenApi } from '../../../src/fleet/coordinator/doors.ts';
import { OPERATOR_PROBLEMS } from '../../../src/fleet/coordinator/fleet-problems.ts';
import { OPERATOR_ROUTES } from '../../../src/fleet/coordinator/operator-routes.ts';
import type { Answered, Asked } from '../../api/served.ts';
import { TOKENS } from '../../api/served.ts';
import { ANN, BOB, changed, keyIdOf, signedBy, signer } from '../../campaign/campaigns.ts';
import { counts } from '../../support/memory-coordinator.ts';
import { Opened } from './opened.ts';

const test = suite('the doors of a coordinator for people');
const ROOT = '/api/v1';
const BYTES = Buffer.from('an image, more or less');
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const MANIFEST = changed({
  images: [{ ...changed({}).images[0]!, sha256: SHA256, bytes: BYTES.length }],
  targets: [{ ...changed({}).targets[0]!, image: SHA256 }],
});
const ID = MANIFEST.id;
const DOCUMENT = signedBy(encodeManifest(MANIFEST), ANN, BOB);
const UNAPPROVED = signedBy(encodeManifest(MANIFEST), ANN);
const COSE = { 'content-type': 'application/cose' };
const seen = new Map<string, Set<number>>();

let opened: Opened;
test.before.each(async () => {
  opened = await Opened.start();
});
test.after.each(() => opened.stop());

/** Holds the answer against what the table of routes says of it. */
async function ask(operation: string, asked: Asked, token: string = TOKENS.operator) {
  const answer: Answered = await opened.person({ token, ...asked, path: `${ROOT}${asked.path}` });
  const route = OPERATOR_ROUTES.find((one) => one.operation === operation)!;
  seen.set(operation, (seen.get(operation) ?? new Set()).add(answer.status));
  const shape = route.answers[answer.status];
  const isRefusal = refusalsOf(route, OPERATOR_PROBLEMS).has(answer.status);
  assert.ok(shape !== undefined || isRefusal, `${operation}: ${answer.status} ${answer.text}`);
  if (shape && typeof shape !== 'string') {
    const parsed = shape.safeParse(answer.json);
    assert.ok(parsed.success, `${operation}: ${JSON.stringify(parsed.error?.issues)}`);
  }
  return answer;
}

async function refuses(operation: string, asked: Asked, wanted: string) {
  const answer = await ask(operation, asked);
  assert.is(`${answer.status} ${answer.json.code}`, wanted, operation);
}

const post = (path: string, body: unknown = {}): Asked => ({ method: 'POST', path, body });
const submit = (body: Uint8Array, token?: string) =>
  ask('submitCampaign', { method: 'POST', path: '/campaigns', body, headers: COSE }, token);

test('the least role of every route is asked, and no lesser one gets in', async () => {
  await opened.stop();
  opened = await Opened.start({ failuresMax: 1_000 });
  for (const { operation, method, path, role } of OPERATOR_ROUTES) {
    const isReading = method === 'GET' || method === 'HEAD';
    assert.is(role, isReading ? 'viewer' : 'operator', operation);
    const url = `${ROOT}${path.replace(/\{\w+\}/g, 'x')}`;
    for (const name of ROLES) {
      const { status } = await opened.person({ method, path: url, token: TOKENS[name] });
      assert.is(status === 403, name === 'viewer' && !isReading, `${operation} for ${name}`);
    }
    assert.is((await opened.person({ method, path: url })).status, 401, operation);
  }
  assert.is((await opened.local({ path: `${ROOT}/gateways` })).status, 200, 'over the socket');
});

test('gateways are added, listed a page at a time, shown, renewed and shut out', async () => {
  for (const name of ['a', 'b', 'c']) {
    const { status, json } = await ask('addGateway', post('/gateways', { gateway: name }));
    assert.is(status, 201);
    assert.is(opened.desk.tokens.get(json.token), name);
  }
  await refuses('addGateway', post('/gateways', { gateway: 'a' }), '409 gateway-exists');
  await refuses('addGateway', post('/gateways', { gateway: 'a b' }), '400 request-invalid');
  const names: string[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const after: string = next === '' ? '' : `&after=${next}`;
    const { json } = await ask('listGateways', { path: `/gateways?limit=2${after}` });
    names.push(...json.gateways.map(({ id }: { id: string }) => id));
    next = json.next;
  }
  assert.equal(names, ['a', 'b', 'c', 'one', 'two']);
  const shown = await ask('showGateway', { path: '/gateways/one' });
  assert.equal(shown.json.inventory, []);
  await refuses('showGateway', { path: '/gateways/none' }, '404 gateway-unknown');
  assert.is((await ask('renewGateway', post('/gateways/a/renew'))).json.gateway, 'a');
  await refuses('renewGateway', post('/gateways/none/renew'), '404 gateway-unknown');
  await refuses('revokeGateway', post('/gateways/a/revoke'), '400 request-invalid');
  const why = { reason: 'stolen' };
  assert.is((await ask('revokeGateway', post('/gateways/a/revoke', why))).status, 204);
  await refuses('revokeGateway', post('/gateways/a/revoke', why), '403 gateway-revoked');
});

test('what a gateway sealed is brought by a person, and taken by its seal', async () => {
  const gateway = signer('gateway-1');
  opened.desk.enrolled('gateway-1', keyIdOf(gateway));
  const batch = { through: { sequence: 3, hash: SHA256 }, events: [] };
  const bring = (fleet: string) => ({
    ...{ method: 'POST', path: '/carried-events', headers: COSE },
    body: sealEvents({ fleet, gateway: 'gateway-1', batch }, gateway),
  });
  const { fleet } = opened.desk;
  const brought = await ask('bringEvents', bring(fleet));
  assert.equal(brought.json, { gateway: 'gateway-1', journal: batch.through });
  assert.is(opened.desk.entries.at(-1)!.what, 'events-brought');
  await refuses('bringEvents', bring('other'), '422 events-other-fleet');
  await refuses('bringEvents', { ...bring(fleet), body: BYTES }, '422 cose-structure');
  await refuses('bringEvents', bring(fleet), '409 events-gap');
});

test('an image is kept if it is what its name says, and nothing of it otherwise', async () => {
  const path = `/blobs/${SHA256}`;
  const missing = await ask('hasBlob', { method: 'HEAD', path });
  assert.is(missing.status, 404);
  await refuses('putBlob', { method: 'PUT', path, body: Buffer.from('other') }, '422 blob-other');
  assert.is((await ask('putBlob', { method: 'PUT', path, body: BYTES })).status, 204);
  assert.is((await ask('hasBlob', { method: 'HEAD', path })).status, 200);
  const chunked = await opened.person({
    ...{ method: 'PUT', path: `${ROOT}${path}`, token: TOKENS.operator },
    headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/octet-stream' },
  });
  assert.is(`${chunked.status} ${chunked.json.code}`, '400 body-length');
});

test('a campaign from its first signature to its end', async () => {
  const { desk } = opened;
  assert.is((await submit(DOCUMENT)).json.code, 'image-missing');
  desk.blobs.set(SHA256, BYTES);
  assert.is((await submit(Buffer.from('x'))).status, 422);
  assert.is((await submit(UNAPPROVED)).json.state, 'unsigned');
  const early = post(`/campaigns/${ID}/start`);
  await refuses('startCampaign', early, '409 campaign-state');
  const ready = await submit(DOCUMENT, TOKENS.approver);
  assert.is(`${ready.json.state} ${ready.json.submittedBy}`, 'ready api:approver');
  assert.is(ready.json.manifest.id, ID);
  const { json } = await ask('listCampaigns', { path: '/campaigns' });
  assert.is(json.campaigns[0].id, ID);
  assert.not.ok('manifest' in json.campaigns[0]);
  const own = await ask('startCampaign', early, TOKENS.approver);
  assert.is(`${own.status} ${own.json.code}`, '403 author-starts');
  assert.is((await ask('startCampaign', early)).json.state, 'running');
  const reason = { reason: 'a storm' };
  assert.is(
    (await ask('pauseCampaign', post(`/campaigns/${ID}/pause`, reason))).json.detail,
    'a storm',
  );
  assert.is((await ask('resumeCampaign', post(`/campaigns/${ID}/resume`))).json.state, 'running');
  const again = post(`/campaigns/${ID}/retry`);
  await refuses('retryCampaign', again, '409 nothing-failed');
  const device = '000d6f000a9069e7';
  const failed = { device, gateway: 'one', ring: 'canary', attempt: 1, changedMs: 5 };
  desk.devices.set(ID, [{ ...failed, state: 'failed', failure: 'transfer', code: 'link-lost' }]);
  const path = `/campaigns/${ID}/devices`;
  const devices = async (query: string) =>
    (await ask('campaignDevices', { path: `${path}?${query}` })).json.devices.length;
  assert.is(await devices('state=failed&ring=canary&gateway=one&changedSinceMs=5'), 1);
  for (const none of ['state=pending', 'ring=rest', 'gateway=two', 'changedSinceMs=6']) {
    assert.is(await devices(none), 0, none);
  }
  await refuses('campaignDevices', { path: `${path}?state=lost` }, '400 request-invalid');
  desk.batches.push({
    through: { sequence: 9, hash: SHA256 },
    events: [
      ...[{ sequence: 8, atMs: 4, campaign: ready.json.digest, device, attempt: 1 }].map((one) => ({
        ...one,
        phase: 'failed' as const,
      })),
    ],
  });
  const story = await ask('deviceEvents', { path: `${path}/${device}/events` });
  assert.equal(
    story.json.events.map(({ phase, sequence }: Record<string, unknown>) => [phase, sequence]),
    [['failed', 8]],
  );
  await refuses(
    'deviceEvents',
    { path: `/campaigns/none/devices/${device}/events` },
    '404 campaign-unknown',
  );
  await ask('retryCampaign', { ...again, body: { devices: [device] } });
  assert.is(desk.devices.get(ID)![0]!.attempt, 2);
  assert.is(
    (await ask('abortCampaign', post(`/campaigns/${ID}/abort`, reason))).json.state,
    'aborted',
  );
  await refuses('abortCampaign', post(`/campaigns/${ID}/abort`, reason), '409 campaign-state');
  assert.is((await ask('showCampaign', { path: `/campaigns/${ID}` })).json.detail, 'a storm');
  for (const name of ['start', 'resume', 'retry'])
    await refuses(`${name}Campaign`, post(`/campaigns/none/${name}`), '404 campaign-unknown');
  await refuses('showCampaign', { path: '/campaigns/none' }, '404 campaign-unknown');
});

test('who asked for what, and whether it was changed since', async () => {
  await ask('addGateway', post('/gateways', { gateway: 'a' }));
  const first = await ask('listAudit', { path: '/audit?limit=1' });
  assert.is(first.json.next, 1);
  const { json } = await ask('listAudit', { path: '/audit?after=1' });
  assert.is(`${json.entries[0].by} ${json.entries[0].what}`, 'api:operator gateway-added');
  assert.equal((await ask('checkAudit', { path: '/audit/check' })).json, { isWhole: true });
  Object.assign(opened.desk.entries[1]!, { by: 'api:nobody' });
  assert.is((await ask('checkAudit', { path: '/audit/check' })).json.wrong.sequence, 2);
});

test('metrics are served where there are any; what fails inside is not told', async () => {
  await refuses('metrics', { path: '/metrics' }, '404 not-found');
  await opened.stop();
  const contentType = 'text/plain; version=0.0.4; charset=utf-8';
  opened = await Opened.start({}, { metrics: { contentType, text: async () => 'up 1\n' } });
  assert.is((await ask('metrics', { path: '/metrics' })).text, 'up 1\n');
  const { json } = await ask('openApi', { path: '/openapi.json' });
  assert.is(json.info.title, 'Uplift fleet');
  opened.desk.before = () => {
    throw new Error('a bug in /home/somebody/uplift.ts');
  };
  const { status, text } = await ask('listGateways', { path: '/gateways' });
  assert.is(status, 500);
  assert.not.match(text, /home|bug/);
});

test('every operation was seen to do what it is for, and its document says each answer', () => {
  const { paths } = fleetOpenApi('1.0.0').operators as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  for (const { operation, path, method, answers } of OPERATOR_ROUTES) {
    const documented = paths[`${ROOT}${path}`]![method.toLowerCase()]!.responses;
    for (const status of Object.keys(answers)) {
      assert.ok(seen.get(operation)?.has(Number(status)), `${operation} ${status}`);
    }
    for (const status of seen.get(operation)!) assert.ok(`${status}` in documented, operation);
  }
});

/** What a command writes to stdout. */
async function told(run: (output: Output) => Promise<number>, json = false): Promise<string> {
  const { write } = process.stdout;
  let text = '';
  process.stdout.write = ((piece: string) => {
    text += piece;
    return true;
  }) as typeof write;
  try {
    assert.is(await run(new Output({ json })), 0);
  } finally {
    process.stdout.write = write;
  }
  return text;
}

test('the commands: a campaign with its image, its rings as a table, why, and what is next', async () => {
  const image = join(opened.folder, 'image.zigbee');
  const file = join(opened.folder, 'c.campaign');
  writeFileSync(image, BYTES);
  writeFileSync(file, DOCUMENT);
  const asked = { socket: opened.socket };
  const submitted = await told((output) =>
    campaign.submit(file, { ...asked, image: [image] }, output),
  );
  assert.match(submitted, /ppmid-2026-01 {2}ready/);
  assert.match(submitted, /next {2}uplift fleet campaign start ppmid-2026-01, by another/);
  await told((output) => campaign.submit(file, { ...asked, image: [image] }, output));
  assert.is(opened.desk.calls.filter((call) => call === 'putBlob').length, 1, 'it was there');
  const tokenFile = join(opened.folder, 'token');
  writeFileSync(tokenFile, TOKENS.operator);
  const api = { api: `http://127.0.0.1:${opened.doors.address!.port}`, tokenFile };
  await told((output) => campaign.command('start', ID, api, output));
  const held = opened.desk.held.get(ID)!;
  const [canary, ...rest] = held.rings;
  const tripped = {
    ...canary!,
    counts: counts({ succeeded: 1, failed: 1 }),
    failed: { reverted: 1 },
  };
  opened.desk.held.set(ID, {
    ...held,
    rings: [tripped, ...rest],
    state: 'aborted',
    detail: 'r\u001b[2J',
  });
  const shown = await told((output) => campaign.show(ID, api, output));
  assert.match(shown, /aborted.*r\\u\{1B\}\[2J/);
  assert.match(shown, /ring +devices +pending +granted +taken +under-way +succeeded +failed/);
  assert.match(shown, /canary +open +2 +0 +0 +0 +0 +1 +1/);
  assert.match(shown, /canary: 1 failed, reverted/);
  assert.match(shown, /next {2}look at devices --state failed/);
  const json = await told((output) => campaign.show(ID, asked, output), true);
  assert.is(JSON.parse(json).manifest.id, ID);
  assert.match(await told((output) => campaign.list({ ...asked, last: '5' }, output)), /aborted/);
});

test('the commands: gateways, audit, and what goes wrong, each with its exit code', async () => {
  const asked = { socket: opened.socket };
  assert.match(await told((output) => gateway.add('x', asked, output)), /^token {2}\S{32}\n/);
  assert.match(
    await told((output) => gateway.show('one', asked, output)),
    /certificate +[0-9a-f]{64}/,
  );
  const list = await told((output) => gateway.list({ ...asked, last: '1' }, output));
  assert.match(list, /one +enrolled[\s\S]*and more: --after one/);
  await told((output) => gateway.revoke('x', { ...asked, reason: 'lost' }, output));
  assert.match(
    await told((output) => audit.show({ ...asked, last: '9' }, output)),
    /gateway-revoked/,
  );
  assert.match(await told((output) => audit.check(asked, output)), /every entry/);
  const exitOf = (running: Promise<unknown>) =>
    running.then(
      () => 'done',
      ({ code, exit }: UpliftError) => `${code} ${exit}`,
    );
  const output = new Output({});
  assert.is(await exitOf(gateway.show('none', asked, output)), 'gateway-unknown 2');
  assert.is(await exitOf(gateway.add('one', asked, output)), 'gateway-exists 3');
  assert.is(await exitOf(gateway.add('../x', asked, output)), 'option-invalid 2');
  const nobody = { socket: join(opened.folder, 'none.sock') };
  assert.is(await exitOf(gateway.show('one', nobody, output)), 'coordinator-unreachable 6');
  const open = { api: 'http://fleet.example:8471' };
  assert.is(await exitOf(gateway.show('one', open, output)), 'option-invalid 2');
  Object.assign(opened.desk.entries[0]!, { by: 'api:nobody' });
  assert.is(await exitOf(audit.check(asked, output)), 'audit-changed 3');
});

test.run();
