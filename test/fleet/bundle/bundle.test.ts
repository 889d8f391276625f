/** Bundles: what goes onto a medium, what is read from one, and what a damaged one is not taken for. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../../src/api/client.ts';
import { encodeManifest, type Manifest } from '../../../src/campaign/manifest.ts';
import { importBundle } from '../../../src/cli/bundle-import.ts';
import { show } from '../../../src/cli/bundle-show.ts';
import { Output } from '../../../src/cli/output.ts';
import { EXIT, UpliftError } from '../../../src/errors.ts';
import { type ApplyEvent, applyBundle } from '../../../src/fleet/bundle/apply-bundle.ts';
import { Bundle } from '../../../src/fleet/bundle/bundle.ts';
import { sealEvents, takeCarriedEvents } from '../../../src/fleet/bundle/carried-events.ts';
import { importEvents } from '../../../src/fleet/bundle/import-events.ts';
import { safeName } from '../../../src/fleet/bundle/layout.ts';
import { type BundleWish, makeBundle } from '../../../src/fleet/bundle/make-bundle.ts';
import type { EventBatch } from '../../../src/fleet/wire.ts';
import type { CampaignView } from '../../../src/gateway/control.ts';
import { FakeCampaigns } from '../../api/fake-control.ts';
import { Served } from '../../api/served.ts';
import {
  ANN,
  BOB,
  changed,
  IMAGE,
  MANIFEST,
  NOW,
  signedBy,
  signer,
  TRUST,
} from '../../campaign/campaigns.ts';

const test = suite('bundles on a medium');
let folder = '';
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-bundle-'));
  mkdirSync(join(folder, 'stick'));
});
test.after.each(() => rmSync(folder, { recursive: true }));

const FIRST = Buffer.alloc(300_000, 'first image');
const SECOND = Buffer.alloc(70_000, 'second image');
const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const trust = { ...TRUST, atMs: NOW };

/** For one image, signed by its author and an approver. */
function campaign(image: Uint8Array, changes: Partial<Manifest> = {}): Uint8Array {
  return signedBy(encodeManifest(manifestFor(image, changes)), ANN, BOB);
}

function manifestFor(image: Uint8Array, changes: Partial<Manifest>): Manifest {
  const sha256 = sha256Of(image);
  return changed({
    images: [{ ...IMAGE, sha256, bytes: image.length }],
    targets: MANIFEST.targets.map((target) => ({ ...target, image: sha256 })),
    ...changes,
  });
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Two campaigns with an image each. */
function wish(more: Partial<BundleWish> = {}): BundleWish {
  return {
    campaigns: [
      file('a.campaign', campaign(FIRST)),
      file('b.campaign', campaign(SECOND, { id: 'Hubs.2026', line: 'hubs', window: 'night' })),
    ],
    images: [file('first.zigbee', FIRST), file('second.bin', SECOND)],
    out: join(folder, 'stick'),
    ...more,
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    if (error instanceof UpliftError) return error.code;
    throw error;
  }
}

const stick = () => join(folder, 'stick');
const inBundle = (...path: string[]) => join(stick(), 'uplift-bundle', ...path);
const digests = () => [FIRST, SECOND].map(sha256Of).sort();

test('what is named goes onto the medium, all of it, and is found there again', () => {
  const made = makeBundle(wish({ trust }));
  assert.is(made.isVerified, true);
  assert.is(made.root, inBundle());
  assert.equal(readdirSync(stick()), ['uplift-bundle']);
  assert.equal(readdirSync(inBundle('blobs')).sort(), digests());
  assert.equal(readFileSync(inBundle('blobs', sha256Of(FIRST))), FIRST);
  const hubs = `hubs_2026~${sha256Of(Buffer.from('Hubs.2026')).slice(0, 8)}.campaign`;
  assert.equal(readdirSync(inBundle('campaigns')).sort(), [hubs, 'ppmid-2026-01.campaign']);
  const index = JSON.parse(readFileSync(inBundle('index.json'), 'utf8'));
  assert.equal(
    index.blobs.map(({ name }: { name: string }) => name),
    ['first.zigbee', 'second.bin'],
  );
  for (const place of [stick(), inBundle()]) {
    const bundle = Bundle.open(place);
    assert.equal(
      bundle.campaigns.map(({ manifest }) => manifest?.id),
      ['Hubs.2026', 'ppmid-2026-01'],
    );
    for (const { manifest } of bundle.campaigns) {
      assert.is(bundle.standingOf(manifest!.images[0]!), 'there');
    }
  }
});

test('no campaign, one twice, an image too many, or too few, or of another length: nothing is made', () => {
  const [first, second] = [file('1', FIRST), file('2', SECOND)];
  const one = file('one.campaign', campaign(FIRST));
  const lie = manifestFor(FIRST, {});
  const long = { ...lie, images: lie.images.map((image) => ({ ...image, bytes: 299_999 })) };
  const cases: [more: Partial<BundleWish>, code: string][] = [
    [{ campaigns: [] }, 'campaign-none'],
    [{ campaigns: [one, one], images: [first] }, 'campaign-twice'],
    [{ campaigns: [one], images: [first, second] }, 'image-extra'],
    [{ campaigns: [one], images: [] }, 'image-absent'],
    [{ campaigns: [one], images: [second] }, 'image-extra'],
    [
      { campaigns: [file('l', signedBy(encodeManifest(long), ANN))], images: [first] },
      'image-length',
    ],
    [{ campaigns: [first], images: [first] }, 'cose-structure'],
    [{ campaigns: [one], images: [join(folder, 'none')] }, 'file-unreadable'],
    [{ campaigns: [one], images: [folder] }, 'file-unreadable'],
    [{ campaigns: [one], images: [first], out: join(folder, 'unmounted') }, 'bundle-unwritable'],
  ];
  for (const [more, code] of cases)
    assert.is(
      codeOf(() => makeBundle(wish(more))),
      code,
    );
  assert.equal(readdirSync(stick()), []);
});

test('with trust anchors, nobody carries around what no gateway would believe', () => {
  const images = [file('1', FIRST)];
  const by = (...signers: (typeof ANN)[]) =>
    file('x.campaign', signedBy(encodeManifest(manifestFor(FIRST, {})), ...signers));
  const made = (campaigns: string[], atMs = NOW) =>
    codeOf(() => makeBundle(wish({ campaigns, images, trust: { ...TRUST, atMs } })));
  assert.is(made([by(ANN)]), 'approvals-too-few');
  assert.is(made([by(BOB)]), 'author-unsigned');
  assert.is(made([by(ANN, BOB)], MANIFEST.expiresMs), 'campaign-expired');
  assert.equal(readdirSync(stick()), []);
  assert.is(made([by(ANN, BOB)]), '');
  assert.is(made([by(ANN, BOB)]), 'bundle-exists', 'its events may not be home yet');
});

test('a medium that fails half-way has no bundle, and what a power cut left is made anew', () => {
  mkdirSync(join(stick(), 'uplift-bundle.new', 'campaigns'), { recursive: true });
  writeFileSync(join(stick(), 'uplift-bundle.new', 'campaigns', 'half'), 'x');
  const images = [file('1', FIRST)];
  const campaigns = [file('a', campaign(FIRST))];
  const failing = () =>
    makeBundle(wish({ campaigns, images }), () => {
      // Between its two readings.
      truncateSync(images[0]!, 10);
    });
  writeFileSync(images[0]!, Buffer.concat([FIRST]));
  assert.is(codeOf(failing), '', 'one piece: it was read before it was changed');
  rmSync(inBundle(), { recursive: true });
  const large = Buffer.alloc(3 * 1024 * 1024, 7);
  writeFileSync(images[0]!, large);
  writeFileSync(campaigns[0]!, campaign(large));
  assert.is(codeOf(failing), 'image-changed');
  assert.equal(readdirSync(stick()), []);
});

test('names that FAT cannot tell apart, and those that Windows keeps, become others', () => {
  const names = ['a', 'A', 'con', 'CON', 'a.', 'a..', 'gateway-1', 'Gateway-1', 'x.y', 'x_y'];
  const safe = names.map(safeName);
  assert.is(new Set(safe.map((name) => name.toLowerCase())).size, names.length);
  for (const name of safe) assert.match(name, /^[a-z0-9][a-z0-9_~-]*$/);
  assert.is(safeName('gateway-1'), 'gateway-1');
  assert.is.not(safeName('con'), 'con');
});

test('what is not what it says is not taken for it', () => {
  makeBundle(wish());
  const blob = inBundle('blobs', sha256Of(FIRST));
  const { images } = manifestFor(FIRST, {});
  const standing = () => Bundle.open(stick()).standingOf(images[0]!);
  const bytes = readFileSync(blob);
  bytes[1000]! ^= 1;
  writeFileSync(blob, bytes);
  assert.is(standing(), 'damaged');
  truncateSync(blob, 1000);
  assert.is(standing(), 'damaged');
  rmSync(blob);
  assert.is(standing(), 'absent');
  assert.is(show(stick(), new Output({ quiet: true })), 3);
  symlinkSync(inBundle('blobs', sha256Of(SECOND)), blob);
  assert.is(codeOf(standing), 'bundle-link');
  rmSync(blob);
  writeFileSync(inBundle('campaigns', 'x.campaign'), 'no campaign');
  writeFileSync(inBundle('campaigns', '._ppmid.campaign'), 'what macOS leaves');
  writeFileSync(inBundle('campaigns', 'notes.txt'), 'of a person');
  const { campaigns } = Bundle.open(stick());
  assert.equal(
    campaigns.map(({ code }) => code),
    [undefined, undefined, 'cose-structure'],
  );
  assert.is(
    codeOf(() => Bundle.open(folder)),
    'bundle-missing',
  );
});

// ---- at the gateway ---------------------------------------------------------------------------------

async function served(
  work: (served: Served, client: ApiClient, fake: FakeCampaigns) => Promise<void>,
) {
  const at = await Served.start();
  const campaigns = new FakeCampaigns();
  at.control.campaigns = campaigns;
  try {
    await work(at, new ApiClient(at.path, { attemptsMax: 0 }), campaigns);
  } finally {
    await at.stop();
  }
}

const soon = { wait: false, pause: async () => {} };

test('a gateway is given the images it lacks, then the campaigns, and seals what became of them', () =>
  served(async ({ control }, client, fake) => {
    makeBundle(wish());
    const sent: string[] = [];
    const told = (event: ApplyEvent) => {
      if (event.kind === 'image' && event.sent === event.bytes) sent.push(event.sha256);
    };
    const applied = await applyBundle(Bundle.open(stick()), client, { ...soon, told });
    assert.equal(sent.sort(), digests());
    assert.is(applied.imagesSent, 2);
    for (const sha256 of digests()) assert.ok(control.stored.has(sha256));
    assert.equal(
      applied.campaigns.map(({ id, view }) => [id, view?.state]),
      [
        ['Hubs.2026', 'running'],
        ['ppmid-2026-01', 'running'],
      ],
    );
    assert.is(fake.brought.size, 2);
    assert.equal(applied.events, ['gateway-1.cose', 'gateway-1.2.cose']);
    assert.equal([...readFileSync(inBundle('events', 'gateway-1.2.cose'))], [0xd2, 4, 5]);
    fake.stretches = new Map([[0, { through: 40, sealed: Uint8Array.of(0xd2, 9) }]]);
    const again = await applyBundle(Bundle.open(stick()), client, soon);
    assert.is(again.imagesSent, 0, 'they are there');
    assert.equal(readdirSync(inBundle('events')), ['gateway-1.cose']);
  }));

test('it is followed until it rests, also over a gateway that is started anew', () =>
  served(async (_served, client, fake) => {
    const campaigns = [file('a', campaign(FIRST))];
    makeBundle(wish({ campaigns, images: [file('1', FIRST)] }));
    const states: string[] = [];
    let pauses = 0;
    const away = {
      postBytes: client.postBytes.bind(client),
      upload: client.upload.bind(client),
      get: <T>(path: string): Promise<T> => {
        const isAway = pauses === 2;
        if (!isAway) return client.get<T>(path);
        throw new UpliftError('gateway-unreachable', 'it is down', { exit: EXIT.notReachable });
      },
    };
    const pause = async () => {
      pauses++;
      const [view] = fake.campaigns() as [CampaignView];
      const state = pauses < 4 ? 'running' : 'finished';
      fake.brought.set(view.digest, { ...view, state, devices: { succeeded: pauses } });
    };
    const told = (event: ApplyEvent) => {
      if (event.kind !== 'campaign') return;
      const { state, devices } = event.view;
      states.push(`${state} ${devices['succeeded'] ?? 0}`);
    };
    const applied = await applyBundle(Bundle.open(stick()), away, { wait: true, pause, told });
    assert.equal(states, ['running 0', 'running 1', 'running 3', 'finished 4']);
    assert.is(applied.campaigns[0]!.view?.state, 'finished');
  }));

test('a medium that is not whole changes nothing; a campaign that is refused leaves the others', () =>
  served(async ({ control }, client, fake) => {
    makeBundle(wish());
    const refuses = async () => {
      try {
        await applyBundle(Bundle.open(stick()), client, soon);
        return '';
      } catch (error) {
        return (error as UpliftError).code;
      }
    };
    const blob = inBundle('blobs', sha256Of(SECOND));
    renameSync(blob, join(folder, 'kept'));
    const before = control.stored.size;
    assert.is(await refuses(), 'image-absent');
    writeFileSync(blob, FIRST);
    assert.is(await refuses(), 'blob-damaged');
    assert.equal([control.stored.size, fake.brought.size], [before, 0], 'not even the good one');
    cpSync(join(folder, 'kept'), blob);
    const refusing = Object.assign(fake, {
      carry: (document: Uint8Array, by: string) => {
        if (fake.done.length > 0) return FakeCampaigns.prototype.carry.call(fake, document, by);
        fake.done.push('refused');
        throw new UpliftError('campaign-refused', 'not that one');
      },
    });
    control.campaigns = refusing;
    const applied = await applyBundle(Bundle.open(stick()), client, soon);
    assert.equal(
      applied.campaigns.map(({ code, view }) => code ?? view?.state),
      ['campaign-refused', 'running'],
    );
    control.campaigns = undefined;
    assert.is(await refuses(), 'not-found', 'a gateway of no fleet');
  }));

// ---- at home ----------------------------------------------------------------------------------------

const GATEWAY = signer('gateway-1');

function sealed(from: number, through: number): Uint8Array {
  const mark = (sequence: number) => ({ sequence, hash: `${sequence}`.padStart(64, '0') });
  const batch: EventBatch = {
    ...(from === 0 ? {} : { after: mark(from) }),
    through: mark(through),
    events: [],
  };
  return sealEvents({ fleet: 'north', gateway: 'gateway-1', batch }, GATEWAY);
}

const JSON_TYPE = { 'content-type': 'application/json' };

function refuseTo(
  response: http.ServerResponse,
  status: number,
  { code, message }: { code: string; message: string },
): void {
  const type = { 'content-type': 'application/problem+json' };
  response.writeHead(status, type).end(JSON.stringify({ status, code, title: message }));
}

/** Takes what follows, as the coordinator does, over a door of HTTP. */
async function home(work: (url: string, journal: () => number) => Promise<void>) {
  let journal = 0;
  const desk = {
    fleet: 'north',
    identify: async (certificate: string) =>
      certificate === GATEWAY.certificates[0].fingerprint ? 'gateway-1' : undefined,
    takeSealed: async (_gateway: string, { after, through }: EventBatch) => {
      if ((after?.sequence ?? 0) > journal) throw new UpliftError('events-gap', 'a gap');
      journal = Math.max(journal, through.sequence);
      return { journal: { sequence: journal, hash: '00'.repeat(32) } };
    },
  };
  const server = http.createServer(async (request, response) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of request) pieces.push(piece as Uint8Array);
    const isAsked = request.method === 'POST' && request.url === '/api/v1/carried-events';
    if (!isAsked || request.headers.authorization !== 'Bearer secret') {
      refuseTo(response, 401, { code: 'unauthenticated', message: 'nobody is known' });
      return;
    }
    try {
      const taken = await takeCarriedEvents(desk, Uint8Array.from(Buffer.concat(pieces)));
      if (taken.ok) response.writeHead(200, JSON_TYPE).end(JSON.stringify(taken.taken));
      else refuseTo(response, 422, taken);
    } catch (error) {
      refuseTo(response, 409, error as UpliftError);
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, () => journal);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

test('events come home in order, once, and are taken off the medium when they have', () =>
  home(async (url, journal) => {
    makeBundle(wish());
    // By name the last is the second of them.
    const parts = [
      [0, 5],
      [5, 11],
      [11, 12],
      [12, 20],
      [20, 21],
      [21, 30],
      [30, 31],
      [31, 40],
      [40, 50],
      [50, 60],
    ];
    const bundle = Bundle.open(stick());
    bundle.putEvents(
      'gateway-1',
      parts.map(([from, through]) => sealed(from!, through!)),
    );
    writeFileSync(inBundle('events', 'noise.cose'), 'x');
    const tokenFile = file('token', Buffer.from('secret\n'));
    const asked = { api: url, tokenFile };
    const quiet = new Output({ quiet: true });
    assert.is(await importBundle(stick(), asked, quiet), 3, 'for the noise');
    assert.is(journal(), 60);
    rmSync(inBundle('events', 'noise.cose'));
    assert.is(await importBundle(stick(), { ...asked, remove: true }, quiet), 0, 'again');
    assert.is(journal(), 60);
    assert.equal(readdirSync(inBundle('events')), []);
  }));

test('what the coordinator refuses stays on the medium, and it is said why', () =>
  home(async (url, journal) => {
    makeBundle(wish());
    const bundle = Bundle.open(stick());
    bundle.putEvents('gateway-1', [sealed(5, 9)]);
    const tokenFile = file('token', Buffer.from('secret'));
    const quiet = new Output({ quiet: true });
    const asked = { api: url, tokenFile, remove: true };
    assert.is(await importBundle(stick(), asked, quiet), 3);
    assert.ok(existsSync(inBundle('events', 'gateway-1.cose')));
    assert.is(journal(), 0);
    const answers = await importEvents(bundle, async () => ({
      ok: false,
      code: 'x',
      message: 'y',
    }));
    assert.equal(answers, [
      { file: 'gateway-1.cose', gateway: 'gateway-1', events: 0, code: 'x', message: 'y' },
    ]);
    const gone = new URL(url);
    gone.port = '1';
    for (const [other, code, exit] of [
      [{ api: url }, 'unauthenticated', 3],
      [{ ...asked, api: gone.href }, 'coordinator-unreachable', 6],
    ] as const) {
      try {
        await importBundle(stick(), other, quiet);
        assert.unreachable();
      } catch (error) {
        assert.equal([(error as UpliftError).code, (error as UpliftError).exit], [code, exit]);
      }
    }
  }));

test.run();
