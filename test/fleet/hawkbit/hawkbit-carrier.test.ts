/** The carrier against a server on this machine: what goes over the wire, to whom, and what is kept. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeManifest } from '../../../src/campaign/manifest.ts';
import { openCampaign } from '../../../src/campaign/signed-campaign.ts';
import type {
  CampaignFollower,
  CarriedCampaign,
  FollowedCampaign,
} from '../../../src/fleet/agent/carrier.ts';
import { NO_ACTIONS } from '../../../src/fleet/hawkbit/action-state.ts';
import { attributesOf } from '../../../src/fleet/hawkbit/attributes.ts';
import { DdiHttp } from '../../../src/fleet/hawkbit/ddi-http.ts';
import { attributesBody, readBase } from '../../../src/fleet/hawkbit/ddi-messages.ts';
import type { FetchArtifact } from '../../../src/fleet/hawkbit/downloads.ts';
import { HawkbitCarrier } from '../../../src/fleet/hawkbit/hawkbit-carrier.ts';
import { HawkbitFolder } from '../../../src/fleet/hawkbit/hawkbit-folder.ts';
import type { Timers } from '../../../src/ports.ts';
import { realTimers } from '../../api/served.ts';
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
import { HawkbitTestServer } from '../../support/hawkbit-server.ts';

const test = suite('carrier of a hawkBit server');
const TOKEN = 'TargetToken 5d8fSD54fdsFG98DDsa';
const FIRMWARE = Buffer.alloc(200_000, 'firmware of a display');
const SHA256 = createHash('sha256').update(FIRMWARE).digest('hex');
const MANIFEST_BYTES = encodeManifest(
  changed({
    images: [{ ...IMAGE, sha256: SHA256, bytes: FIRMWARE.length }],
    targets: MANIFEST.targets.map((target) => ({ ...target, image: SHA256 })),
  }),
);
const CAMPAIGN = signedBy(MANIFEST_BYTES, ANN, BOB);
const DIGEST = createHash('sha256').update(MANIFEST_BYTES).digest('hex');
const SET = { 'ppmid.campaign': CAMPAIGN, 'image.zigbee': FIRMWARE };
const NONE = { pending: 0, granted: 0, taken: 0, 'under-way': 0, succeeded: 0, failed: 0 };

/** A clock that runs a hundred times as fast. */
const HASTE = 100;
const hasty: Timers = {
  nowMs: () => Math.round(NOW + performance.now() * HASTE),
  after: (delayMs, task) => realTimers.after(delayMs / HASTE, task),
};

/** Carries out in no time what it has the images of. */
class Follower implements CampaignFollower {
  desired: readonly CarriedCampaign[] = [];
  by = '';
  readonly images = new Map<string, Uint8Array>();

  desire(_carrier: string, campaigns: readonly CarriedCampaign[], by: string): void {
    this.desired = campaigns;
    this.by = by;
  }

  campaigns(): FollowedCampaign[] {
    return this.desired.map(() => {
      const isThere = this.images.has(SHA256);
      return {
        ...{ id: 'ppmid-2026-01', digest: DIGEST, carrier: 'hawkbit', missing: [] },
        state: isThere ? 'finished' : 'lacks-images',
        devices: { ...NONE, ...(isThere ? { succeeded: 2 } : { pending: 2 }) },
      };
    });
  }

  imageStored(): void {}
}

/** Into memory, from where it broke off; as the gateway's own does into its store. */
function fetchInto(images: Map<string, Uint8Array>): FetchArtifact {
  const parts = new Map<string, Buffer>();
  return async ({ sha256, bytes }, [place], signal) => {
    const { url, agent, headers } = place!;
    const got = parts.get(sha256) ?? Buffer.alloc(0);
    const range = { range: `bytes=${got.length}-` };
    const response = await new Promise<http.IncomingMessage>((done, failed) => {
      const asked = http.request(url, { agent, signal, headers: { ...headers, ...range } }, done);
      asked.on('error', failed);
      asked.end();
    });
    assert.ok([200, 206].includes(response.statusCode!), `status ${response.statusCode}`);
    let whole = response.statusCode === 206 ? got : Buffer.alloc(0);
    try {
      for await (const piece of response) whole = Buffer.concat([whole, piece as Buffer]);
    } finally {
      parts.set(sha256, whole);
    }
    if (whole.length < bytes) throw new Error(`it ended at ${whole.length}`);
    assert.is(createHash('sha256').update(whole).digest('hex'), sha256);
    images.set(sha256, whole);
  };
}

interface Rig {
  server: HawkbitTestServer;
  url: URL;
  follower: Follower;
  folder: string;
  begin(token?: string): HawkbitCarrier;
}

async function rigged(work: (rig: Rig) => Promise<void>): Promise<void> {
  const server = new HawkbitTestServer('gateway 1/north'.replace(/[ /]/g, '-'), TOKEN);
  const url = await server.listen();
  const folder = mkdtempSync(join(tmpdir(), 'uplift-hawkbit-'));
  const follower = new Follower();
  const fetch = fetchInto(follower.images);
  const carriers: HawkbitCarrier[] = [];
  const begin = (value = TOKEN.split(' ')[1]!) => {
    const { tenant, controller } = server;
    const carrier = new HawkbitCarrier({
      server: { url, tenant, controller, token: { kind: 'TargetToken', value } },
      ...{ follower, fetch, store: new HawkbitFolder(folder) },
      judge: (document) => openCampaign(document, { ...TRUST, atMs: NOW }),
      hasImage: (sha256) => follower.images.has(sha256),
      attributes: () => ({ 'uplift.version': '1' }),
      ...{ timers: hasty, random: { next: () => 0 }, log: { write: () => {} } },
    });
    carriers.push(carrier);
    carrier.start();
    return carrier;
  };
  try {
    await work({ server, url, follower, folder, begin });
  } finally {
    for (const carrier of carriers) carrier.stop();
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (isSo()) return;
    await sleep(5);
  }
  assert.unreachable(what);
}

test('an action from its offer to its end, over downloads that break off', () =>
  rigged(async ({ server, follower, folder, begin }) => {
    const action = server.assign(SET, { status: 'waiting' });
    // The campaign, then three tries at the image.
    server.cuts = [100, 60_000, 60_000];
    const carrier = begin();
    await until(() => action.status !== 'waiting', 'confirmed');
    await until(() => !['waiting', 'running'].includes(action.status), 'ended');
    assert.is(action.status, 'finished');
    assert.equal(Buffer.from(follower.images.get(SHA256)!), FIRMWARE);
    assert.is(follower.by, 'hawkbit:DEFAULT');
    assert.equal(server.attributes, { 'uplift.version': '1' });
    assert.ok(
      server.asked.some((one) => /^GET download.* 206$/.test(one)),
      'it went on with Range',
    );
    await until(() => follower.desired.length === 0, 'nothing is wanted any more');
    assert.equal(server.faults, []);
    carrier.stop();
    const kept = new HawkbitFolder(folder).load();
    assert.is(kept.state.action, undefined);
    assert.is(kept.state.ended[0]?.outcome.finished, 'success');
  }));

test('after a restart it goes on with what was kept, before it reaches the server', () =>
  rigged(async ({ server, follower, begin }) => {
    const action = server.assign(SET, { download: 'skip', update: 'skip' });
    begin().nudge();
    await until(() => follower.desired.length === 1, 'wanted');
    follower.desired = [];
    server.intercept = () => ({ status: 503 });
    begin();
    assert.is(follower.desired[0]?.course, 'pause');
    assert.equal(new Uint8Array(follower.desired[0]!.document), CAMPAIGN);
    assert.is(action.status, 'running');
  }));

test('a wrong token gets nothing, and the right one goes to no other server', () =>
  rigged(async ({ server, url, follower, begin }) => {
    server.assign(SET);
    begin('wrong').nudge();
    await until(() => server.asked.length > 0, 'asked');
    assert.equal(server.asked, ['GET base 401']);
    assert.equal(follower.desired, []);
    const { tenant, controller } = server;
    const ddi = new DdiHttp({
      url,
      tenant,
      controller,
      token: { kind: 'GatewayToken', value: 's' },
    });
    const urls = [`${url.origin}/x`, 'https://cdn.example/x', 'ftp://x/y', 'no link'];
    const places = ddi.placesOf({ urls });
    assert.equal(
      places.map(({ url: { hostname }, headers }) => [hostname, headers]),
      [
        ['127.0.0.1', { authorization: 'GatewayToken s' }],
        ['cdn.example', {}],
      ],
    );
    ddi.close();
  }));

test('of links only the action counts, wherever they lead', () => {
  const base = (links: object) =>
    readBase({ config: { polling: { sleep: '01:02:03' } }, _links: links });
  const at = (name: string, href: string) => base({ [name]: { href } })?.action;
  const root = 'https://elsewhere.example/proxy/T/controller/v1/x';
  assert.is(base({})?.pollMs, 3_723_000);
  assert.equal(at('deploymentBase', `${root}/deploymentBase/17?c=-2127`), {
    ...{ kind: 'deployment', id: '17', query: '?c=-2127' },
  });
  assert.equal(at('cancelAction', `${root}/cancelAction/3`), {
    ...{ kind: 'cancel', id: '3', query: '' },
  });
  for (const bad of ['../../x', `${root}/deploymentBase/1/feedback`, `${root}/deploymentBase/x`]) {
    assert.is(at('deploymentBase', bad), undefined, bad);
  }
  assert.is(readBase({ config: { polling: { sleep: 'soon' } } })?.pollMs, undefined);
  assert.is(readBase('text'), undefined);
});

test('what is kept and cannot be read is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-hawkbit-'));
  try {
    const store = new HawkbitFolder(folder);
    assert.equal(store.load(), { state: NO_ACTIONS });
    const action = {
      ...{ id: '7', document: createHash('sha256').update(CAMPAIGN).digest('hex'), digest: DIGEST },
      ...{ course: 'run' as const, takenMs: 5, reports: 0, isDownloadTold: false },
    };
    const state = { ...NO_ACTIONS, action };
    store.keep({ state, document: CAMPAIGN });
    const loaded = new HawkbitFolder(folder).load();
    assert.equal(loaded.state, state);
    assert.equal(new Uint8Array(loaded.document!), CAMPAIGN);
    assert.equal(readdirSync(folder).sort(), ['action.campaign', 'actions.json']);
    rmSync(join(folder, 'action.campaign'));
    assert.is(new HawkbitFolder(folder).load().document, undefined);
    truncateSync(join(folder, 'actions.json'), 20);
    assert.equal(new HawkbitFolder(folder).load(), { state: NO_ACTIONS });
    writeFileSync(join(folder, 'actions.json'), '{"version":2}');
    assert.equal(new HawkbitFolder(folder).load(), { state: NO_ACTIONS });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a gateway with many models tells as many as a server keeps', () => {
  const device = (model: string, firmwareVersion?: string) => ({
    ...{ device: '000d6f000a9069e7', id: 'd', kind: 'ppmid', manufacturer: 'm', model },
    ...{
      hardwareVersion: '1',
      hardwareRevision: '0',
      ...(firmwareVersion ? { firmwareVersion } : {}),
    },
  });
  const few = attributesOf({
    ...{ version: '1.0', region: 'scotland', windows: ['night', 'day'] },
    devices: [device('a', '1'), device('a', '1'), device('a')],
  });
  assert.equal(few, {
    'uplift.version': '1.0',
    'uplift.region': 'scotland',
    'uplift.windows': 'night day',
    'uplift.devices': '3',
    'device.ppmid.a.1': '2',
    'device.ppmid.a.unknown': '1',
  });
  const devices = Array.from({ length: 300 }, (_, index) =>
    device(`model ${index}`, 'x'.repeat(64)),
  );
  const many = attributesOf({ version: '1.0', windows: [], devices });
  assert.is(Object.keys(many).length, 100);
  const { data } = attributesBody({ long: 'x'.repeat(500) }) as { data: Record<string, string> };
  assert.is(data['long']!.length, 128);
});

test.run();
