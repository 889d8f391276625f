/** Every route: what it answers when all is well, and each refusal by its code and status. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { refusalsOf } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';
import * as schemas from '../../src/api/schemas.ts';
import type { z } from '../../src/config/fields.ts';
import { FakeCampaigns, FakeDuis, IMAGE, refusedByStore } from './fake-control.ts';
import { type Answered, type Asked, Served, TOKENS } from './served.ts';

const test = suite('routes of the API');
const BODY = Buffer.from('a hub image, more or less');
const SHA256 = createHash('sha256').update(BODY).digest('hex');
const JOBS = '/api/v1/jobs';
const UPLOADS = '/api/v1/images/uploads';
const OUTBOX = '/api/v1/duis/outbox';
const PIECE = 'application/offset+octet-stream';
const DAY_MS = 86_400_000;
/** Operations whose success and whose statuses were seen. */
const seen = new Map<string, Set<number>>();
let served: Served;

test.before.each(async () => {
  served = await Served.start();
});
test.after.each(() => served.stop());

function wish(more: object = {}) {
  const deadlineMs = Date.now() + DAY_MS;
  return {
    image: IMAGE,
    devices: ['hub-1'],
    activation: { when: 'now' },
    priority: 4,
    deadlineMs,
    ...more,
  };
}

/** Asks, and holds the answer against what the table of routes says of it. */
async function ask(operation: string, asked: Asked): Promise<Answered> {
  const answer = await served.local(asked);
  const route = ROUTES.find((one) => one.operation === operation)!;
  seen.set(operation, (seen.get(operation) ?? new Set()).add(answer.status));
  if (answer.status < 400) {
    const shape = route.answers[answer.status];
    assert.ok(shape !== undefined, `${operation} answers ${answer.status}`);
    if (shape !== null && typeof shape !== 'string') assertShape(shape, answer.json);
    return answer;
  }
  assert.ok(refusalsOf(route).has(answer.status), `${operation} refuses with ${answer.status}`);
  assert.match(answer.headers['content-type']!, /^application\/problem\+json/);
  assertShape(schemas.problem, answer.json);
  return answer;
}

function assertShape(shape: z.ZodType, document: unknown): void {
  const parsed = shape.safeParse(document);
  assert.ok(parsed.success, `${JSON.stringify(parsed.error?.issues)} ${JSON.stringify(document)}`);
}

async function refuses(operation: string, asked: Asked, status: number, code: string) {
  const answer = await ask(operation, asked);
  assert.is(`${answer.status} ${answer.json?.code}`, `${status} ${code}`);
  assert.is(answer.json.type, `urn:uplift:error:${code}`);
  return answer.json;
}

const post = (path: string, body: unknown = {}): Asked => ({ method: 'POST', path, body });
const createJob = async (more: object = {}): Promise<string> =>
  (await ask('createJob', post(JOBS, wish(more)))).json.id;

test('a job is created, shown, listed, and tells its story', async () => {
  const created = await ask('createJob', post(JOBS, wish({ requestId: 'r1' })));
  assert.is(created.status, 201);
  const { id } = created.json;
  assert.is(created.headers.location, `${JOBS}/${id}`);
  assert.is(created.json.by, 'socket:local');
  const again = await ask('createJob', post(JOBS, { ...created.json.request }));
  assert.is(again.json.id, id, 'the same request is the same job');
  const shown = await ask('showJob', { path: `${JOBS}/${id}` });
  assert.equal(shown.json, created.json);
  assert.is(shown.json.upgrades[0].waitsFor, 'its turn: time, window, link and room');
  const { json } = await ask('jobStory', { path: `${JOBS}/${id}/story` });
  assert.equal(
    json.records.map(({ kind }: { kind: string }) => kind),
    ['job', 'state'],
  );
  const head = await served.local({ method: 'HEAD', path: `${JOBS}/${id}` });
  assert.is(`${head.status} ${head.text}`, '200 ');
});

test('a job that is asked for wrongly is refused, and nothing is kept', async () => {
  const cases: [more: object, status: number, code: string][] = [
    [{ devices: ['nobody'] }, 422, 'device-unknown'],
    [{ image: '22'.repeat(32) }, 422, 'image-unknown'],
    [{ window: 'night' }, 422, 'window-unknown'],
    [{ devices: ['hub-1', 'hub-1'] }, 422, 'job-malformed'],
    [{ deadlineMs: 5 }, 422, 'job-malformed'],
    [{ priority: 9 }, 400, 'request-invalid'],
    [{ devices: [] }, 400, 'request-invalid'],
    [{ extra: 1 }, 400, 'request-invalid'],
  ];
  for (const [more, status, code] of cases) {
    await refuses('createJob', post(JOBS, wish(more)), status, code);
  }
  assert.is(served.control.journal.length, 1);
  await createJob({ requestId: 'r1' });
  await refuses('createJob', post(JOBS, wish()), 409, 'job-open');
  await refuses('createJob', post(JOBS, wish({ requestId: 'r1' })), 409, 'request-id-reused');
  served.control.state = 'degraded';
  const path = { path: '/readyz' };
  assert.is((await served.local(path)).status, 503);
  await refuses('createJob', post(JOBS, wish()), 503, 'not-accepting');
});

test('each wrong field is named by its JSON pointer, and an unknown one is wrong', async () => {
  const body = { ...wish(), activation: { when: 'at' }, priority: 'high', 'a/b~c': 1 };
  const { errors } = await refuses('createJob', post(JOBS, body), 400, 'request-invalid');
  assert.equal(errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/activation/atMs',
    '/a~1b~0c',
    '/priority',
  ]);
  const query = await refuses(
    'listJobs',
    { path: `${JOBS}?limit=0&colour=red` },
    400,
    'request-invalid',
  );
  assert.equal(query.errors.map(({ pointer }: { pointer: string }) => pointer).sort(), [
    '/query/colour',
    '/query/limit',
  ]);
});

test('approval and rejection are of another than the author', async () => {
  const id = await createJob({ needsApproval: true });
  const path = `${JOBS}/${id}`;
  await refuses('approveJob', post(`${path}/approve`), 403, 'own-approval');
  await refuses('rejectJob', post(`${path}/reject`), 400, 'request-invalid');
  Object.assign(served.control.book.job(id)!, { by: 'api:else' });
  const approved = await ask('approveJob', post(`${path}/approve`));
  assert.is(approved.json.approvedBy, 'socket:local');
  assert.is(approved.json.upgrades[0].state, 'scheduled');
  await refuses('approveJob', post(`${path}/approve`), 409, 'not-approvable');
  await refuses('rejectJob', post(`${path}/reject`, { reason: 'no' }), 409, 'not-approvable');
  const other = await createJob({ devices: ['hub-2'], needsApproval: true });
  const rejected = await ask('rejectJob', post(`${JOBS}/${other}/reject`, { reason: 'not now' }));
  assert.is(rejected.json.upgrades[0].state, 'refused');
});

test('activation, cancellation and retry', async () => {
  const { control } = served;
  const id = await createJob({ activation: { when: 'held' }, devices: ['hub-1', 'hub-2'] });
  const path = `${JOBS}/${id}`;
  const now = { activation: { when: 'now' } };
  await refuses('activateJob', post(`${path}/activate`, now), 409, 'not-activatable');
  const job = control.book.job(id)!;
  control.move(job, job.upgrades, 'verifying');
  control.move(job, job.upgrades, 'awaiting-activation');
  const some = { ...now, devices: ['hub-1'] };
  const other = { ...now, devices: ['ppmid-1'] };
  await refuses('activateJob', post(`${path}/activate`, other), 422, 'device-not-in-job');
  const activated = await ask('activateJob', post(`${path}/activate`, some));
  assert.equal(
    activated.json.upgrades.map(({ state }: { state: string }) => state),
    ['scheduled', 'awaiting-activation'],
  );
  const none = { devices: ['ppmid-1'] };
  await refuses('cancelJob', post(`${path}/cancel`, none), 422, 'device-not-in-job');
  await refuses('retryJob', post(`${path}/retry`), 409, 'not-retryable');
  const cancelled = await ask('cancelJob', post(`${path}/cancel`, { reason: 'a storm' }));
  assert.is(cancelled.json.isOver, true);
  await refuses('cancelJob', post(`${path}/cancel`), 409, 'not-cancellable');
  const failed = await createJob();
  const failing = control.book.job(failed)!;
  control.move(failing, failing.upgrades, 'failed');
  const again = await ask('retryJob', post(`${JOBS}/${failed}/retry`, { devices: ['hub-1'] }));
  assert.is(again.json.upgrades[0].state, 'scheduled');
});

test('what is not there is not found, on every route that names something', async () => {
  const cases: [operation: string, asked: Asked, code: string][] = [
    ['showJob', { path: `${JOBS}/j99` }, 'job-unknown'],
    ['jobStory', { path: `${JOBS}/j99/story` }, 'job-unknown'],
    ['approveJob', post(`${JOBS}/j99/approve`), 'job-unknown'],
    ['rejectJob', post(`${JOBS}/j99/reject`, { reason: 'x' }), 'job-unknown'],
    ['activateJob', post(`${JOBS}/j99/activate`, { activation: { when: 'now' } }), 'job-unknown'],
    ['cancelJob', post(`${JOBS}/j99/cancel`), 'job-unknown'],
    ['retryJob', post(`${JOBS}/j99/retry`), 'job-unknown'],
    ['showImage', { path: `/api/v1/images/${SHA256}` }, 'image-missing'],
    ['deleteImage', { method: 'DELETE', path: `/api/v1/images/${SHA256}` }, 'image-missing'],
    ['showUpload', { path: `${UPLOADS}/${'0'.repeat(32)}` }, 'upload-unknown'],
    ['finishUpload', post(`${UPLOADS}/${'0'.repeat(32)}/finish`), 'upload-unknown'],
    ['abandonUpload', { method: 'DELETE', path: `${UPLOADS}/${'0'.repeat(32)}` }, 'upload-unknown'],
    ['showList', { path: '/api/v1/lists/installations' }, 'not-found'],
    ['showRule', { path: '/api/v1/rules/no.rule' }, 'not-found'],
    ['metrics', { path: '/api/v1/metrics' }, 'not-found'],
  ];
  for (const [operation, asked, code] of cases) await refuses(operation, asked, 404, code);
  const none = await served.local({ path: '/api/v1/none' });
  assert.is(`${none.status} ${none.json.code}`, '404 not-found');
  const put = await served.local({ method: 'PUT', path: `${JOBS}/j1/cancel`, body: {} });
  assert.is(`${put.status} ${put.json.code} ${put.headers.allow}`, '405 method-unknown POST');
});

test('jobs are listed a page at a time, and by what they are', async () => {
  const { control } = served;
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) ids.unshift(await createJob({ supersede: true }));
  const listed: string[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const query: string = next === '' ? '' : `&before=${next}`;
    const { json } = await ask('listJobs', { path: `${JOBS}?limit=3${query}` });
    listed.push(...json.jobs.map(({ id }: { id: string }) => id));
    next = json.next;
  }
  assert.equal(listed, ids);
  const idsOf = async (query: string) =>
    (await ask('listJobs', { path: `${JOBS}?${query}` })).json.jobs.map(
      ({ id }: { id: string }) => id,
    );
  assert.equal(await idsOf('open=true'), ids.slice(0, 1));
  assert.equal(await idsOf('open=false'), ids.slice(1));
  assert.equal(await idsOf('state=superseded&limit=2'), ids.slice(1, 3));
  assert.equal(await idsOf('device=hub-2'), []);
  assert.equal(await idsOf(`image=${IMAGE}&device=hub-1`), ids);
  await refuses('listJobs', { path: `${JOBS}?before=j0` }, 400, 'cursor-unknown');
  assert.is(control.book.job(ids[0]!)!.id, ids[0]);
});

test('an image is uploaded in pieces, in use while a job needs it, and deleted', async () => {
  const begin = { bytes: BODY.length, sha256: SHA256, name: 'hub 1.2.bin' };
  const begun = await ask('beginUpload', post(UPLOADS, begin));
  assert.is(begun.status, 201);
  const path = begun.headers.location!;
  const piece = (offset: number, end: number): Asked => ({
    method: 'PATCH',
    path,
    body: BODY.subarray(offset, end),
    headers: { 'content-type': PIECE, 'upload-offset': `${offset}` },
  });
  const first = await ask('appendUpload', piece(0, 10));
  assert.is(`${first.status} ${first.headers['upload-offset']}`, '204 10');
  await refuses('finishUpload', post(`${path}/finish`), 409, 'upload-incomplete');
  const wrong = await ask('appendUpload', piece(4, 12));
  assert.is(`${wrong.json.code} ${wrong.headers['upload-offset']}`, 'upload-offset 10');
  const head = await served.local({ method: 'HEAD', path });
  assert.is(`${head.headers['upload-offset']} ${head.headers['upload-length']}`, '10 25');
  assert.is((await ask('showUpload', { path })).json.receivedBytes, 10);
  await ask('appendUpload', piece(10, 25));
  const image = await ask('finishUpload', post(`${path}/finish`));
  assert.is(`${image.status} ${image.json.sha256}`, `201 ${SHA256}`);
  assert.is((await ask('beginUpload', post(UPLOADS, begin))).status, 200, 'it is there');
  assert.is((await ask('listImages', { path: '/api/v1/images' })).json.images.length, 2);
  const imagePath = `/api/v1/images/${SHA256}`;
  assert.is((await ask('showImage', { path: imagePath })).json.name, 'hub 1.2.bin');
  const job = await createJob({ image: SHA256 });
  const remove: Asked = { method: 'DELETE', path: imagePath };
  await refuses('deleteImage', remove, 409, 'image-in-use');
  await ask('cancelJob', post(`${JOBS}/${job}/cancel`));
  assert.is((await ask('deleteImage', remove)).status, 204);
  const other = await ask('beginUpload', post(UPLOADS, begin));
  const abandon: Asked = { method: 'DELETE', path: other.headers.location! };
  assert.is((await ask('abandonUpload', abandon)).status, 204);
});

test('lists, devices, rules, records, health and the document of all this', async () => {
  const put: Asked = {
    method: 'PUT',
    path: '/api/v1/lists/installations?source=the%20site&fetchedAtMs=1800000000000',
    body: 'a,b\n1,2\n',
  };
  assert.is((await ask('putList', put)).json.entries, 2);
  assert.is(
    (await ask('showList', { path: '/api/v1/lists/installations' })).json.source,
    'the site',
  );
  assert.is((await ask('listLists', { path: '/api/v1/lists' })).json.lists.length, 1);
  await refuses('putList', { ...put, body: '' }, 422, 'list-empty');
  await refuses(
    'putList',
    { ...put, path: '/api/v1/lists/other?source=x' },
    400,
    'request-invalid',
  );
  assert.is((await ask('listDevices', { path: '/api/v1/devices' })).json.devices.length, 3);
  const { json } = await ask('listRules', { path: '/api/v1/rules' });
  const [rule] = json.rules;
  assert.equal((await ask('showRule', { path: `/api/v1/rules/${rule.id}` })).json, rule);
  const records = await ask('listRecords', { path: '/api/v1/records?from=2&limit=5' });
  assert.equal(
    records.json.records.map(({ sequence }: { sequence: number }) => sequence),
    [2],
  );
  assert.is(records.json.next, 3);
  assert.is((await ask('listRecords', { path: '/api/v1/records?from=9' })).json.next, 9);
  assert.is((await ask('health', { path: '/api/v1/health' })).json.state, 'ready');
  assert.is((await ask('openApi', { path: '/api/v1/openapi.json' })).json.openapi, '3.1.0');
});

test('metrics are served where there are any', async () => {
  await served.stop();
  const contentType = 'text/plain; version=0.0.4; charset=utf-8';
  served = await Served.start({ metrics: { contentType, text: async () => 'up 1\n' } });
  const { text, headers } = await ask('metrics', { path: '/api/v1/metrics' });
  assert.is(`${text}${headers['content-type']}`, `up 1\n${contentType}`);
});

test('a fault of the store is told without what the system said', async () => {
  served.control.trouble = refusedByStore('io', 'writing: EIO, write /var/lib/uplift/journal.db');
  const answer = await ask('beginUpload', post(UPLOADS, { bytes: 1, sha256: SHA256, name: 'a' }));
  assert.is(`${answer.status} ${answer.headers['retry-after']}`, '503 10');
  assert.not.match(answer.text, /EIO|var/);
  served.control.trouble = new Error('a bug in /home/somebody/uplift.ts');
  const bug = await ask('createJob', post(JOBS, wish()));
  assert.is(`${bug.status} ${bug.json.code}`, '500 internal');
  assert.not.match(bug.text, /home|bug|at /);
  assert.match(String(served.log.at(-1)!.fields!['stack']), /a bug in/);
  await createJob();
});

test('a device is asked what it runs, and its answer is a record', async () => {
  const read = await ask('readDevice', post('/api/v1/devices/hub-1/read'));
  assert.is(read.status, 202);
  const said = served.control.journal.find(({ sequence }) => sequence === read.json.from)!;
  assert.is(said.kind, 'device-read');
  const nobody = post('/api/v1/devices/nobody/read');
  await refuses('readDevice', nobody, 422, 'device-unknown');
});

test('Service Requests that were taken, and what waits for their users', async () => {
  const duis = new FakeDuis();
  served.control.duis = duis;
  const { json } = await ask('listServiceRequests', { path: '/api/v1/duis/requests' });
  assert.equal(json.requests, duis.requests());
  assert.equal((await ask('showOutbox', { path: OUTBOX })).json.users, duis.outbox());
  const shown = await ask('showMessage', { path: `${OUTBOX}/7` });
  assert.is(shown.text, '<m n="7">\u00fc</m>');
  assert.is(shown.headers['content-type'], 'application/xml; charset=utf-8');
  await refuses('showMessage', { path: `${OUTBOX}/8` }, 404, 'message-unknown');
  for (const number of ['0', '-1', 'five', '1e3', '9007199254740992']) {
    await refuses('showMessage', { path: `${OUTBOX}/${number}` }, 400, 'request-invalid');
  }
  await refuses('releaseMessage', post(`${OUTBOX}/7/release`), 409, 'message-not-parked');
  assert.is((await ask('releaseMessage', post(`${OUTBOX}/5/release`))).status, 204);
  await refuses('discardMessage', post(`${OUTBOX}/5/discard`), 400, 'request-invalid');
  const given = post(`${OUTBOX}/5/discard`, { reason: 'told by letter' });
  await refuses('discardMessage', given, 409, 'message-not-parked');
  assert.equal(duis.done, ['release 5 socket:local']);
  served.control.duis = new FakeDuis();
  assert.is((await ask('discardMessage', given)).status, 204);
  const { done } = served.control.duis as FakeDuis;
  assert.equal(done, ['discard 5 socket:local told by letter']);
});

test('a viewer sees what waits, and moves nothing', async () => {
  const duis = new FakeDuis();
  served.control.duis = duis;
  const token = TOKENS.viewer;
  for (const path of ['/api/v1/duis/requests', OUTBOX, `${OUTBOX}/5`]) {
    assert.is((await served.remote({ path, token })).status, 200, path);
    assert.is((await served.remote({ path })).status, 401, path);
  }
  for (const path of [`${OUTBOX}/5/release`, `${OUTBOX}/5/discard`]) {
    const answer = await served.remote({ ...post(path, { reason: 'x' }), token });
    assert.is(`${answer.status} ${answer.json.code}`, '403 forbidden');
  }
  assert.equal(duis.done, []);
});

test('a gateway without Service Users has none of their routes, and says so', async () => {
  const routes: [operation: string, asked: Asked][] = [
    ['listServiceRequests', { path: '/api/v1/duis/requests' }],
    ['showOutbox', { path: OUTBOX }],
    ['showMessage', { path: `${OUTBOX}/5` }],
    ['releaseMessage', post(`${OUTBOX}/5/release`)],
    ['discardMessage', post(`${OUTBOX}/5/discard`, { reason: 'x' })],
  ];
  for (const [operation, asked] of routes) {
    const { expected, next } = await refuses(operation, asked, 404, 'not-found');
    assert.is(expected, 'a gateway with Service Users');
    assert.match(next, 'duis');
  }
});

const CAMPAIGNS = '/api/v1/campaigns';
const campaign = (body: Uint8Array): Asked => ({
  ...{ method: 'POST', path: CAMPAIGNS, body },
  headers: { 'content-type': 'application/cose' },
});

test('a campaign is brought, shown and called off; its events are sealed', async () => {
  const campaigns = new FakeCampaigns();
  served.control.campaigns = campaigns;
  const document = Uint8Array.of(0xd8, 0x62, 0xff, 0x00);
  const { json } = await ask('carryCampaign', campaign(document));
  assert.equal([json.id, json.state, json.devices], ['c-1', 'running', { pending: 2 }]);
  assert.equal((await ask('carryCampaign', campaign(document))).json, json, 'once');
  assert.equal((await ask('listCampaigns', { path: CAMPAIGNS })).json.campaigns, [json]);
  const path = `${CAMPAIGNS}/${json.digest}`;
  assert.equal((await ask('showCampaign', { path })).json, json);
  await refuses('cancelCampaign', post(`${path}/cancel`), 400, 'request-invalid');
  const called = await ask('cancelCampaign', post(`${path}/cancel`, { reason: 'no' }));
  assert.is(called.json.state, 'aborted');
  await refuses('cancelCampaign', post(`${path}/cancel`, { reason: 'x' }), 409, 'campaign-over');
  assert.equal(campaigns.done, ['carry c-1 socket:local', 'cancel c-1 socket:local no']);
  const events = '/api/v1/fleet/events';
  const first = (await ask('sealedEvents', { path: events })).json;
  assert.equal([first.gateway, first.through, first.more], ['gateway-1', 20, true]);
  assert.equal([...Buffer.from(first.sealed, 'base64')], [0xd2, 1, 2, 3]);
  const next = (await ask('sealedEvents', { path: `${events}?after=20` })).json;
  assert.equal([next.through, next.more], [31, false]);
});

test('devices say which campaign they are in; the health names them, and the coordinator', async () => {
  served.control.campaigns = new FakeCampaigns();
  const { json } = await ask('carryCampaign', campaign(Uint8Array.of(0xd8, 0x62, 0xff, 0x00)));
  const { devices } = (await ask('listDevices', { path: '/api/v1/devices' })).json;
  assert.equal(
    devices.map((device: { campaign?: unknown }) => device.campaign),
    [
      { id: 'c-1', generation: 7, ring: 'canary', state: 'under-way' },
      ...Array(devices.length - 1),
    ],
  );
  const health = (await ask('health', { path: '/api/v1/health' })).json;
  const { id, digest, carrier, state } = json;
  assert.equal(health.campaigns, [{ id, digest, generation: 7, carrier, state }]);
  assert.equal(health.coordinator, {
    ...{ connected: false, enrolled: true, lastContactMs: 4, eventsWaiting: 3 },
    trouble: { code: 'fleet-unreachable', sinceMs: 5 },
  });
});

test('a campaign that is none, or is not there, or is one too many', async () => {
  const campaigns = new FakeCampaigns();
  served.control.campaigns = campaigns;
  await refuses('carryCampaign', campaign(Uint8Array.of(1)), 422, 'cose-structure');
  const json = { ...campaign(Uint8Array.of(1)), headers: { 'content-type': 'application/json' } };
  await refuses('carryCampaign', json, 415, 'media-type');
  const large = campaign(new Uint8Array(2 * 1024 * 1024 + 1));
  await refuses('carryCampaign', large, 413, 'body-large');
  const path = `${CAMPAIGNS}/${'0'.repeat(64)}`;
  await refuses('showCampaign', { path }, 404, 'campaign-unknown');
  await refuses('showCampaign', { path: `${CAMPAIGNS}/ABC` }, 400, 'request-invalid');
  const call = post(`${path}/cancel`, { reason: 'x' });
  await refuses('cancelCampaign', call, 404, 'campaign-unknown');
  for (const octet of [1, 2, 3, 4]) {
    await ask('carryCampaign', campaign(Uint8Array.of(0xd8, octet)));
  }
  await refuses('carryCampaign', campaign(Uint8Array.of(0xd8, 5)), 409, 'campaigns-many');
  const [brought] = campaigns.campaigns();
  campaigns.brought.set(brought!.digest, { ...brought!, carrier: 'coordinator' });
  const other = post(`${CAMPAIGNS}/${brought!.digest}/cancel`, { reason: 'x' });
  await refuses('cancelCampaign', other, 409, 'campaign-of-other');
});

test('a gateway of no fleet has no campaigns, and says so', async () => {
  const digest = '0'.repeat(64);
  const routes: [operation: string, asked: Asked][] = [
    ['listCampaigns', { path: CAMPAIGNS }],
    ['carryCampaign', campaign(Uint8Array.of(0xd8))],
    ['showCampaign', { path: `${CAMPAIGNS}/${digest}` }],
    ['cancelCampaign', post(`${CAMPAIGNS}/${digest}/cancel`, { reason: 'x' })],
    ['sealedEvents', { path: '/api/v1/fleet/events' }],
  ];
  for (const [operation, asked] of routes) {
    const { expected } = await refuses(operation, asked, 404, 'not-found');
    assert.is(expected, 'a gateway that belongs to a fleet');
  }
});

test('who asks is told so, and by which role', async () => {
  const { json } = await ask('whoAmI', { path: '/api/v1/me' });
  assert.equal(json, { by: 'socket:local', role: 'admin' });
  const remote = await served.remote({ path: '/api/v1/me', token: TOKENS.viewer });
  assert.equal(remote.json, { by: 'api:viewer', role: 'viewer' });
});

test('upgrades that are not over are listed over all jobs, with the record that they are as of', async () => {
  const first = await createJob({ devices: ['hub-1', 'hub-2'] });
  const second = await createJob({ devices: ['ppmid-1'] });
  const job = served.control.job(first)!;
  served.control.move(job, [job.upgrades[0]!], 'verifying');
  const { json } = await ask('listUpgrades', { path: '/api/v1/upgrades' });
  assert.is(json.sequence, served.control.journal.length);
  assert.equal(
    json.upgrades.map((one: { job: string; device: string; state: string }) => [
      one.job,
      one.device,
      one.state,
    ]),
    [
      [first, 'hub-1', 'verifying'],
      [first, 'hub-2', 'scheduled'],
      [second, 'ppmid-1', 'scheduled'],
    ],
  );
  const page = await ask('listUpgrades', { path: '/api/v1/upgrades?limit=2' });
  assert.is(page.json.next, 2);
  const rest = await ask('listUpgrades', { path: '/api/v1/upgrades?limit=2&skip=2' });
  assert.equal([rest.json.upgrades.length, rest.json.next], [1, undefined]);
  served.control.move(job, [...job.upgrades], 'cancelled');
  assert.is((await ask('listUpgrades', { path: '/api/v1/upgrades' })).json.upgrades.length, 1);
});

test('a review says what each rule would, and keeps nothing', async () => {
  const path = '/api/v1/reviews';
  const wanted = { image: IMAGE, devices: ['hub-1', 'hub-2'], activation: { when: 'now' } };
  const { json } = await ask('reviewUpgrade', post(path, wanted));
  assert.is(json.image.sha256, IMAGE);
  const [review] = json.reviews;
  assert.equal(
    [review.device, review.verdict, review.ruleId],
    ['hub-1', 'refused', 'image.readable'],
  );
  const [finding] = review.findings;
  assert.is(finding.outcome, 'refuse');
  assert.ok(finding.text && finding.next && finding.source.document, JSON.stringify(finding));
  assert.is(served.control.journal.length, 1);
  await refuses('reviewUpgrade', post(path, { ...wanted, devices: ['x'] }), 422, 'device-unknown');
  await refuses(
    'reviewUpgrade',
    post(path, { ...wanted, image: '22'.repeat(32) }),
    422,
    'image-unknown',
  );
  const many = Array.from({ length: schemas.REVIEW_DEVICES_MAX + 1 }, (_, n) => `d${n}`);
  await refuses('reviewUpgrade', post(path, { ...wanted, devices: many }), 400, 'request-invalid');
});

test('there is a certificate when the version was read back, and not before', async () => {
  const id = await createJob({ devices: ['hub-1', 'hub-2'] });
  const path = (device: string, job = id) => ({ path: `${JOBS}/${job}/certificates/${device}` });
  const early = await refuses('showCertificate', path('hub-1'), 409, 'not-done');
  assert.is(early.actual, 'scheduled');
  await refuses('showCertificate', path('hub-3'), 409, 'not-done');
  await refuses('showCertificate', path('hub-1', 'j999'), 404, 'job-unknown');
  const state = { kind: 'state', job: id, device: 'hub-1', attempt: 1 } as const;
  for (const name of ['verifying', 'staged', 'distributing', 'distributed', 'activating'] as const)
    served.control.append({ ...state, state: name, owner: 'device' });
  served.control.append({ ...state, state: 'done', owner: 'nobody', runs: '2.0.0' });
  const { json } = await ask('showCertificate', path('hub-1'));
  assert.equal(
    [json.gateway, json.job, json.device, json.runs, json.image, json.by],
    ['test', id, 'hub-1', '2.0.0', IMAGE, 'socket:local'],
  );
  assert.match(json.text, /^UPLIFT-CERTIFICATE-1;job=/);
  await refuses('showCertificate', path('hub-2'), 409, 'not-done');
});

test('every operation was asked well, and every one that names something was refused', () => {
  const wanted = ROUTES.map(({ operation }) => operation).filter((name) => name !== 'events');
  const unseen = wanted.filter(
    (name) => ![...(seen.get(name) ?? [])].some((status) => status < 400),
  );
  assert.equal(unseen, []);
});

test.run();
