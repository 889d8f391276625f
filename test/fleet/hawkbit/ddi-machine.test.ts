/** Actions of a hawkBit server, from their offer to their end, under a simulated clock. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeManifest, type Manifest } from '../../../src/campaign/manifest.ts';
import { openCampaign } from '../../../src/campaign/signed-campaign.ts';
import type { CarriedCampaign, FollowedCampaign } from '../../../src/fleet/agent/carrier.ts';
import { hawkbitState, NO_ACTIONS } from '../../../src/fleet/hawkbit/action-state.ts';
import { HAWKBIT_CODES, type HawkbitCode } from '../../../src/fleet/hawkbit/codes.ts';
import {
  type DdiAnswer,
  DdiMachine,
  type DdiOptions,
  type DdiRequest,
} from '../../../src/fleet/hawkbit/ddi-machine.ts';
import type { KeptActions } from '../../../src/fleet/hawkbit/hawkbit-folder.ts';
import {
  ANN,
  BOB,
  changed,
  IMAGE,
  MANIFEST,
  NOW,
  signedBy,
  TRUST,
} from '../../campaign/campaigns.ts';
import { seeded } from '../../protocol/zcl-ota/naive-frames.ts';
import { HawkbitTestServer } from '../../support/hawkbit-server.ts';

const test = suite('actions of a hawkBit server');

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FIRMWARE = Buffer.alloc(5_000, 'firmware');
const OTHER = Buffer.alloc(6_000, 'another');
const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const NONE = { pending: 0, granted: 0, taken: 0, 'under-way': 0, succeeded: 0, failed: 0 };

function manifest(changes: Partial<Manifest> = {}): Manifest {
  const sha256 = sha256Of(FIRMWARE);
  return changed({
    images: [{ ...IMAGE, sha256, bytes: FIRMWARE.length }],
    targets: MANIFEST.targets.map((target) => ({ ...target, image: sha256 })),
    ...changes,
  });
}

const CAMPAIGN = signedBy(encodeManifest(manifest()), ANN, BOB);
const DIGEST = sha256Of(encodeManifest(manifest()));
const SET = { 'ppmid.campaign': CAMPAIGN, 'image.zigbee': FIRMWARE };

/** A gateway that asks a server in memory; a clock that jumps to what is next. */
class World {
  readonly server = new HawkbitTestServer();
  nowMs = NOW;
  readonly store = new Set<string>();
  downloads: readonly string[] = [];
  /** What the follower was told last, and makes of it. */
  desired: readonly CarriedCampaign[] = [];
  followed: Partial<FollowedCampaign> | undefined = {};
  kept: KeptActions = { state: NO_ACTIONS };
  /** The verdict of another gateway, or of other trust anchors. */
  refusal: { code: string; message: string } | undefined;
  readonly said: string[] = [];
  machine: DdiMachine;
  /** In place of an answer of the server. */
  fault: ((request: DdiRequest) => DdiAnswer | undefined) | undefined;
  requests = 0;
  private readonly limits: Partial<DdiOptions>;

  constructor(limits: Partial<DdiOptions> = {}) {
    this.limits = limits;
    this.machine = this.start();
  }

  /** As after a power cut: what was kept, and nothing else. */
  start(): DdiMachine {
    const random = seeded(7);
    this.machine = new DdiMachine(
      {
        judge: (document) => {
          if (this.refusal) return { ok: false, ...this.refusal };
          return openCampaign(document, { ...TRUST, atMs: NOW });
        },
        hasImage: (sha256) => this.store.has(sha256),
        random: { next: () => random(1000) / 1000 },
        ...this.limits,
      },
      this.kept,
    );
    return this.machine;
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 20_000, 'it never rests');
      this.machine.handleFollowed(this.campaigns(), this.nowMs);
      this.machine.handleTimeout(this.nowMs);
      this.drain();
      const request = this.machine.pollRequest(this.nowMs);
      if (request) {
        this.requests++;
        this.machine.handleAnswer(this.fault?.(request) ?? this.ask(request), this.nowMs);
        this.drain();
        continue;
      }
      const nextMs = Math.max(this.nowMs + 1, this.machine.pollTimeout());
      if (nextMs > untilMs) break;
      this.nowMs = nextMs;
    }
    this.nowMs = untilMs;
  }

  /** What is downloaded comes whole. */
  deliver(): void {
    for (const sha256 of this.downloads) this.store.add(sha256);
    this.machine.handleDownloaded();
    this.drain();
  }

  devices(changes: Partial<FollowedCampaign['devices']>): FollowedCampaign['devices'] {
    return { ...NONE, ...changes };
  }

  private campaigns(): FollowedCampaign[] {
    const [desired] = this.desired;
    if (!desired || !this.followed) return [];
    const isAborted = desired.course === 'abort';
    const lacks = !this.store.has(sha256Of(FIRMWARE));
    return [
      {
        ...{ id: 'ppmid-2026-01', digest: DIGEST, carrier: 'hawkbit', missing: [] },
        state: isAborted ? 'aborted' : lacks ? 'lacks-images' : 'running',
        devices: this.devices({ pending: 3 }),
        ...this.followed,
      },
    ];
  }

  private drain(): void {
    for (let event = this.machine.pollEvent(); event; event = this.machine.pollEvent()) {
      if (event.kind === 'keep') {
        const state = hawkbitState.parse(JSON.parse(JSON.stringify(event.state)));
        this.kept = { state, ...(event.document ? { document: event.document } : {}) };
      } else if (event.kind === 'desire') this.desired = event.campaigns;
      else if (event.kind === 'download') {
        this.downloads = event.artifacts.map(({ sha256 }) => sha256);
      } else this.said.push(`${event.level} ${event.code ?? ''} ${event.message}`);
    }
  }

  private ask(request: DdiRequest): DdiAnswer {
    const { server } = this;
    const root = `/${server.tenant}/controller/v1/${server.controller}`;
    if (request.kind === 'document') {
      const [url] = request.offer.distribution.campaign.urls;
      const { status, body } = server.handle({ method: 'GET', path: url! });
      return { status, body };
    }
    const words = {
      base: ['GET', ''],
      attributes: ['PUT', '/configData'],
      deployment: ['GET', '/deploymentBase/'],
      confirmation: ['GET', '/confirmationBase/'],
      cancel: ['GET', '/cancelAction/'],
      report: ['POST', '/deploymentBase/'],
      'cancel-report': ['POST', '/cancelAction/'],
      confirm: ['POST', '/confirmationBase/'],
    } as const;
    const [method, path] = words[request.kind];
    const id = 'id' in request ? request.id : '';
    const query = 'query' in request ? request.query : '';
    const tail = method === 'POST' ? '/feedback' : query;
    const body = 'body' in request ? Buffer.from(JSON.stringify(request.body)) : undefined;
    const asked = { method, path: `${root}${path}${id}${tail}`, ...(body ? { body } : {}) };
    const answer = server.handle(asked);
    const text = Buffer.from(answer.body).toString();
    return { status: answer.status, ...(text === '' ? {} : { body: JSON.parse(text) }) };
  }
}

const executions = ({ feedback }: { feedback: { execution: string }[] }) =>
  feedback.map(({ execution }) => execution);
const numberOf = (code: HawkbitCode) => HAWKBIT_CODES[code].number;
const asksOf = (world: World, text: string) =>
  world.server.asked.filter((one) => one.includes(text)).length;

test('an action is downloaded, carried out, reported, and closed with what came of it', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.machine.setAttributes({ 'uplift.version': '1.2.3' });
  world.run(MINUTE_MS);
  assert.equal(world.server.attributes, { 'uplift.version': '1.2.3' });
  assert.equal(world.downloads, [sha256Of(FIRMWARE)]);
  assert.equal(
    world.desired.map(({ course, devices }) => [course, devices]),
    [['run', 'own']],
  );
  assert.equal(new Uint8Array(world.desired[0]!.document), CAMPAIGN);
  assert.is(world.kept.state.action?.digest, DIGEST);
  world.deliver();
  assert.equal(world.downloads, []);
  world.run(MINUTE_MS);
  world.followed = { devices: world.devices({ 'under-way': 1, succeeded: 1, pending: 1 }) };
  world.run(MINUTE_MS);
  assert.equal(executions(action), ['download', 'downloaded', 'proceeding', 'proceeding']);
  assert.equal(action.feedback.at(-1)!.progress, { cnt: 1, of: 3 });
  assert.match(action.feedback.at(-1)!.details[0]!, /1 under-way, 1 succeeded/);
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
  world.run(MINUTE_MS);
  assert.is(action.status, 'finished');
  assert.equal(world.desired, [], 'nothing is wanted any more');
  assert.is(world.kept.state.action, undefined);
  const { asked, faults } = world.server;
  const before = asked.length;
  world.run(HOUR_MS);
  assert.ok(asked.slice(before).every((one) => one === 'GET base 200'));
  assert.ok(asked.length - before <= 14, 'a poll each five minutes, more or less');
  assert.equal(faults, []);
});

const ENDS: [state: FollowedCampaign['state'], code: HawkbitCode, failed: number][] = [
  ['held', 'campaign-held', 2],
  ['aborted', 'campaign-aborted', 1],
  ['refused', 'campaign-refused', 0],
  ['expired', 'campaign-expired', 0],
  ['finished', 'devices-failed', 1],
];
for (const [state, code, failed] of ENDS) {
  test(`a campaign that is ${state} with ${failed} failed closes the action as ${code}`, () => {
    const world = new World();
    const action = world.server.assign(SET);
    world.store.add(sha256Of(FIRMWARE));
    const why = { code: 'too-few', detail: 'of the canary' };
    world.followed = { state, devices: world.devices({ failed, succeeded: 1 }), ...why };
    world.run(MINUTE_MS);
    assert.is(action.status, 'error');
    const { execution, finished, code: number, details } = action.feedback.at(-1)!;
    assert.equal([execution, finished, number], ['closed', 'failure', numberOf(code)]);
    assert.match(details[0]!, new RegExp(`^${code}: `));
    assert.match(details.join(' '), /1 succeeded/);
    assert.equal(world.desired, []);
  });
}

test('a set without one signed campaign and exactly its images is closed, and nothing of it begun', () => {
  const cases: [set: Record<string, Uint8Array>, code: HawkbitCode][] = [
    [{ 'image.zigbee': FIRMWARE }, 'campaign-none'],
    [{ ...SET, 'b.campaign': OTHER }, 'campaign-several'],
    [{ 'ppmid.campaign': CAMPAIGN }, 'image-absent'],
    [{ 'ppmid.campaign': CAMPAIGN, 'image.zigbee': OTHER }, 'image-extra'],
    [{ ...SET, 'more.bin': OTHER }, 'image-extra'],
    [{ ...SET, 'ppmid.campaign': OTHER }, 'campaign-refused'],
    [{ ...SET, 'ppmid.campaign': CAMPAIGN.subarray(0, -1) }, 'campaign-refused'],
    [{ ...SET, 'ppmid.campaign': signedBy(encodeManifest(manifest()), ANN) }, 'campaign-refused'],
    [{ ...SET, 'ppmid.campaign': new Uint8Array(2 * 1024 * 1024 + 1) }, 'campaign-large'],
  ];
  for (const [set, code] of cases) {
    const world = new World();
    const action = world.server.assign(set);
    world.run(MINUTE_MS);
    assert.is(action.status, 'error', code);
    assert.is(action.feedback.at(-1)!.code, numberOf(code), code);
    assert.equal([world.desired, world.downloads], [[], []]);
    assert.equal(world.server.faults, []);
  }
});

test('an action without hashes, and one that cannot be read, are closed', () => {
  for (const [deployment, code] of [
    [{ chunks: 'none' }, 'ddi-unreadable'],
    [{ chunks: [{ artifacts: [{ filename: 'a.campaign', size: 9 }] }] }, 'artifact-unhashed'],
  ] as const) {
    const world = new World();
    const action = world.server.assign(SET);
    world.fault = (request) =>
      request.kind === 'deployment' ? { status: 200, body: { id: '1', deployment } } : undefined;
    world.run(MINUTE_MS);
    assert.is(action.feedback.at(-1)!.code, numberOf(code));
  }
});

test('outside its window it is downloaded and nothing is begun; inside it is', () => {
  const world = new World();
  const action = world.server.assign(SET, { update: 'skip', maintenanceWindow: 'unavailable' });
  world.run(MINUTE_MS);
  assert.is(world.desired[0]!.course, 'pause');
  world.deliver();
  world.run(10 * MINUTE_MS);
  assert.equal(executions(action), ['download', 'downloaded', 'scheduled']);
  action.update = 'forced';
  action.maintenanceWindow = 'available';
  world.run(6 * MINUTE_MS);
  assert.is(world.desired[0]!.course, 'run');
  action.update = 'skip';
  action.maintenanceWindow = 'unavailable';
  world.run(6 * MINUTE_MS);
  assert.is(world.desired[0]!.course, 'pause', 'it closed again');
});

test('what is only to be downloaded is over for the server when it is; nothing was begun', () => {
  const world = new World();
  const action = world.server.assign(SET, { update: 'skip', isDownloadOnly: true });
  world.run(MINUTE_MS);
  world.deliver();
  world.run(6 * MINUTE_MS);
  assert.is(action.status, 'finished');
  assert.equal(world.desired, []);
  const skipped = new World();
  skipped.server.assign(SET, { download: 'skip', update: 'skip' });
  skipped.run(MINUTE_MS);
  assert.equal(skipped.downloads, [], 'nor downloaded where that is to be skipped');
  assert.not.ok(executions(skipped.server.actions[0]!).includes('downloaded'));
});

// ---- confirmation -----------------------------------------------------------------------------------

test('a campaign that is signed as it has to be is confirmed, then carried out', () => {
  const world = new World();
  const action = world.server.assign(SET, { status: 'waiting' });
  world.run(MINUTE_MS);
  assert.equal(
    action.confirmations.map(({ confirmation }) => confirmation),
    ['confirmed'],
  );
  assert.is(action.status, 'running');
  assert.is(world.desired[0]?.course, 'run', 'without waiting for the next poll');
});

test('an action that is offered again after it was denied is not denied again, nor for ever', () => {
  const world = new World();
  world.refusal = { code: 'approvals-too-few', message: 'Fewer have approved.' };
  const action = world.server.assign(SET, { status: 'waiting' });
  world.run(24 * HOUR_MS);
  assert.is(action.confirmations.length, 1);
  const [denied] = action.confirmations;
  assert.equal([denied!.confirmation, denied!.code], ['denied', numberOf('campaign-refused')]);
  assert.match(denied!.details.join(' '), /approvals-too-few/);
  assert.ok(asksOf(world, 'GET download') <= 26, 'looked at once an hour');
  world.start();
  world.run(2 * HOUR_MS);
  assert.is(action.confirmations.length, 1, 'nor after a restart');
  world.refusal = { code: 'other-fleet', message: 'It is for another fleet.' };
  world.run(2 * HOUR_MS);
  assert.is(action.confirmations.length, 2, 'the reason is another');
  world.refusal = undefined;
  world.run(2 * HOUR_MS);
  assert.is(action.confirmations.at(-1)!.confirmation, 'confirmed');
  assert.is(action.status, 'running');
});

// ---- cancellation -----------------------------------------------------------------------------------

test('what is called off begins nothing more, and the server is answered', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.followed = { devices: world.devices({ 'under-way': 1, pending: 2 }) };
  world.run(MINUTE_MS);
  action.status = 'canceling';
  const courses: string[] = [];
  world.fault = () => {
    courses.push(world.desired[0]?.course ?? 'none');
    return undefined;
  };
  world.run(6 * MINUTE_MS);
  assert.ok(courses.includes('abort'), 'it is wanted before it is answered');
  assert.is(action.status, 'canceled');
  assert.match(action.cancelFeedback[0]!.details[0]!, /1 under-way/);
  assert.equal(world.desired, []);
});

test('an action that is not known here is called off all the same', () => {
  const world = new World();
  const unknown = world.server.assign(SET, { status: 'canceling' });
  world.run(MINUTE_MS);
  assert.is(unknown.status, 'canceled');
  assert.match(unknown.cancelFeedback[0]!.details[0]!, /nothing of it was begun/);
});

test('one that has ended is not called off: its end is reported', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.run(MINUTE_MS);
  // The report of its end is not taken before the server calls it off.
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
  world.fault = ({ kind }) => (kind === 'report' ? { status: 403 } : undefined);
  world.run(MINUTE_MS);
  action.status = 'canceling';
  world.run(6 * MINUTE_MS);
  assert.equal(
    action.cancelFeedback.map(({ execution }) => execution),
    ['rejected'],
  );
  world.fault = undefined;
  world.run(6 * MINUTE_MS);
  assert.equal([action.status, action.feedback.at(-1)!.finished], ['finished', 'success']);
});

test('a cancellation that the server forgot, or takes back, leaves nothing under way', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.run(MINUTE_MS);
  action.status = 'canceling';
  world.fault = (request) => (request.kind === 'cancel-report' ? { failed: 'x' } : undefined);
  world.run(6 * MINUTE_MS);
  action.status = 'running';
  world.fault = undefined;
  world.run(20 * MINUTE_MS);
  assert.is(action.status, 'error');
  assert.is(action.feedback.at(-1)!.code, numberOf('campaign-aborted'));
  assert.equal(world.desired, []);
});

// ---- a server that does not keep to it ---------------------------------------------------------------

test('an action that is offered again after it was closed is closed again, more and more rarely', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
  world.run(MINUTE_MS);
  const feedbackBefore = action.feedback.length;
  const stubborn = setStubborn(world);
  world.run(24 * HOUR_MS);
  stubborn.restore();
  const closed = action.feedback.slice(feedbackBefore);
  assert.ok(closed.length > 3 && closed.length < 20, `${closed.length} times in a day`);
  for (const one of closed) assert.equal([one.execution, one.finished], ['closed', 'success']);
  assert.equal([world.desired, world.downloads], [[], []], 'it is not carried out again');
});

/** Its actions stay active whatever they are told. */
function setStubborn({ server }: World) {
  const [action] = server.actions as [(typeof server.actions)[number]];
  Object.defineProperty(action, 'status', {
    get: () => 'running',
    set: () => {},
    configurable: true,
  });
  return {
    restore: () => Object.defineProperty(action, 'status', { value: 'finished', writable: true }),
  };
}

test('an action that is answered with 404 or 410 is forgotten, and not asked for in a loop', () => {
  for (const status of [404, 410]) {
    const world = new World();
    world.server.assign(SET);
    world.fault = (request) => (request.kind === 'deployment' ? { status } : undefined);
    world.run(HOUR_MS);
    assert.ok(world.requests < 40, `${world.requests} requests in an hour`);
    assert.equal(world.desired, []);
    world.fault = undefined;
    world.run(6 * MINUTE_MS);
    assert.is(world.desired.length, 1, 'it is there after all');
    world.fault = (request) => (request.kind === 'report' ? { status } : undefined);
    world.deliver();
    world.run(4 * MINUTE_MS);
    assert.equal(world.desired, [], 'gone while it was under way');
  }
});

test('an action that the server has no more is forgotten, and what has not begun is called off', () => {
  const world = new World();
  world.server.assign(SET);
  world.run(MINUTE_MS);
  assert.is(world.desired.length, 1);
  world.server.actions.length = 0;
  world.run(6 * MINUTE_MS);
  assert.equal([world.desired, world.downloads], [[], []]);
  assert.is(world.kept.state.action, undefined);
});

test('another action takes the place of one that is not through', () => {
  const world = new World();
  const first = world.server.assign(SET);
  world.run(MINUTE_MS);
  first.status = 'canceled';
  const second = world.server.assign(SET);
  world.run(6 * MINUTE_MS);
  assert.is(world.kept.state.action?.id, `${second.id}`);
  assert.is(world.desired.length, 1);
});

test('a report of an end is repeated until it is taken, over restarts; Retry-After is kept to', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.run(MINUTE_MS);
  let refused = 0;
  world.fault = ({ kind }) => {
    if (kind !== 'report') return undefined;
    refused++;
    return { status: 429, retryAfterMs: 10 * MINUTE_MS };
  };
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
  world.run(HOUR_MS);
  assert.ok(refused > 3 && refused <= 7, `asked ${refused} times in an hour`);
  // After a restart the follower may not know the campaign any more.
  world.followed = undefined;
  world.start();
  world.fault = undefined;
  world.run(MINUTE_MS);
  assert.equal([action.status, action.feedback.at(-1)!.finished], ['finished', 'success']);
});

test('a server that refuses every report for good is not asked for ever', () => {
  const world = new World();
  world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
  world.fault = ({ kind }) => (kind === 'report' ? { status: 403 } : undefined);
  world.run(24 * HOUR_MS);
  assert.is(world.kept.state.action, undefined);
  assert.ok(world.requests < 400, `${world.requests} requests in a day`);
});

test('a server that is down is asked ever more rarely, and at once no more than once', () => {
  for (const answer of [{ failed: 'ECONNREFUSED' }, { status: 503 }, { status: 500 }]) {
    const world = new World();
    world.fault = () => answer;
    world.run(HOUR_MS);
    assert.ok(world.requests >= 8 && world.requests < 20, `${world.requests} in an hour`);
    world.fault = undefined;
    world.server.assign(SET);
    world.run(16 * MINUTE_MS);
    assert.is(world.desired.length, 1);
  }
});

test('answers that are none change nothing: a proxy, a wrong tenant, a login page', () => {
  for (const answer of [
    { status: 200, body: undefined },
    { status: 200, body: 'text' },
    { status: 200, body: [] },
    { status: 200, body: { _links: { deploymentBase: { href: 'https://x/evil' } } } },
    { status: 302 },
    { status: 401 },
    { status: 404 },
  ]) {
    const world = new World();
    world.fault = () => answer;
    world.run(HOUR_MS);
    assert.equal([world.desired, world.downloads], [[], []]);
    assert.ok(world.requests < 20, `${world.requests} in an hour`);
  }
});

// ---- nothing under way for ever ----------------------------------------------------------------------

test('images that do not come, a campaign that does not come, and one that nobody takes up: all end', () => {
  const late = new World();
  const images = late.server.assign(SET);
  late.run(25 * HOUR_MS);
  assert.is(images.feedback.at(-1)!.code, numberOf('download-late'));
  assert.equal(late.downloads, []);

  const absent = new World();
  const document = absent.server.assign(SET);
  absent.fault = ({ kind }) => (kind === 'document' ? { status: 404 } : undefined);
  absent.run(26 * HOUR_MS);
  assert.is(document.feedback.at(-1)!.code, numberOf('download-late'));

  const damaged = new World();
  const other = damaged.server.assign(SET);
  damaged.fault = ({ kind }) => (kind === 'document' ? { status: 200, body: OTHER } : undefined);
  damaged.run(HOUR_MS);
  assert.is(other.feedback.at(-1)!.code, numberOf('campaign-other-bytes'));

  const ignored = new World();
  const ignoredAction = ignored.server.assign(SET);
  ignored.followed = undefined;
  ignored.run(HOUR_MS);
  assert.is(ignoredAction.feedback.at(-1)!.code, numberOf('not-followed'));
});

test('reports that are no end are few, however long it takes', () => {
  const world = new World();
  const action = world.server.assign(SET);
  world.store.add(sha256Of(FIRMWARE));
  for (let minute = 0; minute < 1_000; minute++) {
    world.followed = { devices: world.devices({ succeeded: minute, pending: 1_000 - minute }) };
    world.run(MINUTE_MS);
  }
  assert.ok(action.feedback.length <= 301, `${action.feedback.length}`);
  for (const { details } of action.feedback) {
    for (const detail of details) assert.ok(detail.length > 0 && detail.length <= 512);
  }
  world.followed = { state: 'finished', devices: world.devices({ succeeded: 1_000 }) };
  world.run(MINUTE_MS);
  assert.is(action.status, 'finished');
});

// ---- restarts ---------------------------------------------------------------------------------------

test('a power cut after any request: the action ends as it would have, and is reported', () => {
  for (let cut = 1; cut < 14; cut++) {
    const world = new World();
    const action = world.server.assign(SET);
    let asked = 0;
    world.fault = () => {
      asked++;
      return undefined;
    };
    for (let step = 0; step < 30 && action.status === 'running'; step++) {
      world.run(MINUTE_MS / 2);
      if (asked >= cut && cut > 0) {
        world.start();
        asked = Number.NEGATIVE_INFINITY;
      }
      world.deliver();
      const succeeded = Math.min(3, Math.floor(step / 4));
      const state = succeeded === 3 ? 'finished' : 'running';
      if (world.store.size > 0) {
        world.followed = { state, devices: world.devices({ succeeded, pending: 3 - succeeded }) };
      }
    }
    assert.is(action.status, 'finished', `cut after ${cut}`);
    assert.equal(world.server.faults, []);
  }
});

test('a document that was lost with its disk is fetched again', () => {
  const world = new World();
  world.server.assign(SET);
  world.run(MINUTE_MS);
  world.kept = { state: world.kept.state };
  world.start();
  world.run(MINUTE_MS);
  assert.is(world.desired.length, 1);
});

test('faults at random: a request in three fails or is answered with nonsense, and the action ends', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World();
    const random = seeded(seed);
    const action = world.server.assign(SET, random(2) === 0 ? { status: 'waiting' } : {});
    world.fault = () => {
      if (random(3) > 0) return undefined;
      const kinds: DdiAnswer[] = [
        { failed: 'ECONNRESET' },
        { status: 503, retryAfterMs: 30_000 },
        { status: 500 },
        { status: 200, body: 'a login page' },
        { status: 404 },
      ];
      return kinds[random(kinds.length)]!;
    };
    for (let hour = 0; hour < 30; hour++) {
      world.run(HOUR_MS / 2);
      if (random(4) === 0) world.start();
      world.deliver();
      if (world.store.size > 0 && hour > 4) {
        world.followed = { state: 'finished', devices: world.devices({ succeeded: 3 }) };
      }
    }
    world.fault = undefined;
    world.run(26 * HOUR_MS);
    assert.not.ok(
      ['running', 'canceling'].includes(action.status),
      `seed ${seed}: ${action.status}`,
    );
    assert.equal(world.server.faults, []);
  }
});

test.run();
