/** The whole agent against a coordinator on loopback, with a follower and a journal in memory. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FleetAgent } from '../../../src/fleet/agent/agent.ts';
import { BEAT, type BeatSettings } from '../../../src/fleet/agent/beat-settings.ts';
import {
  type CampaignFollower,
  type CarriedCampaign,
  COORDINATOR,
  type FollowedCampaign,
} from '../../../src/fleet/agent/carrier.ts';
import { CoordinatorLink } from '../../../src/fleet/agent/coordinator-link.ts';
import type { EventSource } from '../../../src/fleet/agent/event-source.ts';
import { ownIdentity } from '../../../src/fleet/agent/identity.ts';
import type { EventBatch, FleetEvent, Inventory, JournalMark } from '../../../src/fleet/wire.ts';
import type { LogFields, LogLevel } from '../../../src/ports.ts';
import { ImageStore } from '../../../src/store/images.ts';
import { MessageStore } from '../../../src/store/messages.ts';
import { SYSTEM_TIMERS } from '../../../src/transport/serial/driver.ts';
import { SeededRandom } from '../../../src/virtual/random.ts';
import { seededBytes } from '../../bench/bench.ts';
import { CoordinatorDouble, problem } from '../../support/coordinator-double.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';

const test = suite('fleet agent');
const DEVICE = '00124b0001020304';
const CAMPAIGN = 'c1'.repeat(32);
const WAIT_MS = 15_000;
/** Windows of milliseconds: the machine's own tests have the real ones. */
const QUICK: BeatSettings = {
  ...BEAT,
  contact: { ...BEAT.contact, baseMs: 20, capMs: 100 },
  errand: { ...BEAT.errand, baseMs: 20, capMs: 100 },
  refusedMs: 200,
  waitSeconds: 1,
  pollMsMin: 10,
  eventsPauseMs: 10,
  inventoryPauseMs: 50,
};

/** Remembers what it was to do; an image that its campaign needs is missing until the store has it. */
class Follower implements CampaignFollower {
  wanted: readonly CarriedCampaign[] | undefined;
  desires = 0;
  stored = 0;
  needs: { sha256: string; bytes: number }[] = [];
  state: FollowedCampaign['state'] = 'lacks-images';

  desire(carrier: string, campaigns: readonly CarriedCampaign[]): void {
    assert.is(carrier, COORDINATOR);
    this.wanted = campaigns;
    this.desires++;
  }

  campaigns(): readonly FollowedCampaign[] {
    return (this.wanted ?? []).map(() => ({
      id: 'spring',
      digest: CAMPAIGN,
      carrier: COORDINATOR,
      state: this.state,
      missing: this.needs,
      devices: {} as FollowedCampaign['devices'],
    }));
  }

  imageStored(): void {
    this.stored++;
  }
}

/** A chain of records; each is an event. */
class Journal implements EventSource {
  readonly marks: JournalMark[] = [];
  private readonly salt: string;

  constructor(salt = '') {
    this.salt = salt;
  }

  add(count = 1): this {
    for (let n = 0; n < count; n++) {
      const sequence = this.marks.length;
      const before = this.marks.at(-1)?.hash ?? this.salt;
      const hash = createHash('sha256').update(`${before}${sequence}`).digest('hex');
      this.marks.push({ sequence, hash });
    }
    return this;
  }

  stretch(after: JournalMark | undefined, eventsMax: number): EventBatch | undefined {
    const from = after === undefined ? 0 : after.sequence + 1;
    const marks = this.marks.slice(from, from + eventsMax);
    const through = marks.at(-1);
    if (!through) return undefined;
    const events = marks.map(({ sequence }): FleetEvent => {
      const detail = 'x'.repeat(450);
      const about = { campaign: CAMPAIGN, device: DEVICE, attempt: 1 };
      return { sequence, atMs: 1, ...about, phase: 'planned', detail };
    });
    return { ...(after ? { after } : {}), through, events };
  }

  holds({ sequence, hash }: JournalMark): boolean {
    return this.marks[sequence]?.hash === hash;
  }

  waiting(after: JournalMark | undefined): number {
    return Math.max(0, this.marks.length - (after === undefined ? 0 : after.sequence + 1));
  }
}

let folder: string;
let double: CoordinatorDouble;
let images: ImageStore;
let follower: Follower;
let journal: Journal;
let inventory: Inventory;
let log: { level: LogLevel; message: string; fields: LogFields | undefined }[];
let agent: FleetAgent;

test.before.each(async () => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-agent-'));
  double = await new CoordinatorDouble().start();
  images = openImages();
  follower = new Follower();
  journal = new Journal();
  inventory = { version: '0.0.0', windows: [], devices: [] };
  log = [];
});

test.after.each(async () => {
  await agent.stop();
  await double.stop();
  images.close();
  rmSync(folder, { recursive: true });
});

function openImages(): ImageStore {
  return ImageStore.open(join(folder, 'store'), { reserveBytes: 0 }, Date.now()).images;
}

function newAgent({ port = double.port, token }: { port?: number; token?: string } = {}) {
  const { keyPem, certificatePem, fingerprint } = ownIdentity(folder, 'gw-1');
  const link = new CoordinatorLink({
    url: `https://127.0.0.1:${port}`,
    gateway: 'gw-1',
    version: '0.0.0',
    trust: { keyPem, certificatePem, serverCertificate: double.identity.fingerprint },
    clock: SYSTEM_TIMERS,
    limits: { idleMs: 1_000, connectMs: 1_000 },
  });
  agent = new FleetAgent({
    ...{ gateway: 'gw-1', version: '0.0.0', fingerprint, token, link, follower, images },
    folder: join(folder, 'agent'),
    events: journal,
    inventory: () => inventory,
    documents: new MessageStore(join(folder, 'documents')),
    timers: SYSTEM_TIMERS,
    random: new SeededRandom(1),
    log: { write: (level, message, fields) => void log.push({ level, message, fields }) },
    settings: QUICK,
  });
  return agent;
}

/** As an earlier start left it. */
function enrolled(): void {
  double.known = ownIdentity(folder, 'gw-1').fingerprint;
}

async function until(what: string, is: () => boolean): Promise<void> {
  const endMs = Date.now() + WAIT_MS;
  while (!is()) {
    if (Date.now() > endMs) {
      const found = JSON.stringify({ status: agent.status(), log }, undefined, 1);
      throw new Error(`not within ${WAIT_MS} ms: ${what}\n${found}`);
    }
    await new Promise((done) => setTimeout(done, 5));
  }
}

function wantCampaign(text = 'a signed campaign', device = DEVICE): void {
  const document = double.blob(Buffer.from(text));
  const devices = [{ device, attempt: 1 }];
  double.want([{ id: 'spring', digest: CAMPAIGN, document, course: 'run', devices }]);
}

const shown = () =>
  follower.wanted?.map(({ document, course, devices }) => {
    return { document: Buffer.from(document).toString(), course, devices };
  });
const CARRIED = [
  { document: 'a signed campaign', course: 'run', devices: [{ device: DEVICE, attempt: 1 }] },
];
const codes = () => agent.status().conditions.map(({ code }) => code);

test('enrols, tells what happened, and brings a campaign and its image', async () => {
  journal.add(3);
  const image = seededBytes(300_000, 5);
  follower.needs = [double.blob(image)];
  newAgent({ token: double.token }).start();
  await until('enrolled', () => agent.status().enrolled && agent.status().connected);
  wantCampaign();
  await until('the image', () => follower.stored === 1);
  assert.equal(shown(), CARRIED);
  const opened = images.open(follower.needs[0]!.sha256);
  assert.ok(opened.ok);
  assert.equal(opened.bytes, image);
  assert.equal(double.journal, journal.marks.at(-1));
  assert.is(double.batches[0]!.events.length, 3);
  const { fetchedBytes, storedBytes, eventsWaiting, desiredVersion, blobs } = agent.status();
  assert.is(fetchedBytes, storedBytes);
  assert.is(storedBytes, image.length + 'a signed campaign'.length);
  assert.is(eventsWaiting, 0);
  assert.is(desiredVersion, double.desired.version);
  assert.is(blobs.waiting, 0);
  await until('the inventory', () => double.inventories.length === 1);
  assert.equal(codes(), []);
});

test('goes on by itself: new events, another inventory, another wish', async () => {
  enrolled();
  newAgent().start();
  await until('the inventory', () => double.inventories.length === 1);
  journal.add();
  agent.wake();
  await until('the event', () => double.journal?.sequence === 0);
  inventory = { ...inventory, windows: ['night'] };
  agent.inventoryChanged();
  await until('the other inventory', () => double.inventories.length === 2);
  wantCampaign();
  await until('the campaign', () => shown()?.length === 1);
  double.want([]);
  await until('that it is gone', () => shown()?.length === 0);
});

test('a coordinator that cannot be reached at the start, and then can', async () => {
  enrolled();
  journal.add(5);
  await double.stop();
  newAgent().start();
  await until('that it says so', () => codes().includes('fleet-unreachable'));
  assert.not(agent.status().connected);
  assert.is(agent.status().lastContactMs, undefined);
  assert.is(agent.status().eventsWaiting, 5);
  assert.is(follower.desires, 0, 'nothing is called off as nothing is known');
  await double.start();
  await until('the events', () => double.journal?.sequence === 4);
  assert.ok(agent.status().connected);
  assert.equal(codes(), []);
  const said = log.filter(({ fields }) => fields?.code === 'fleet-unreachable');
  assert.is(said.length, 2, 'once that it is so, and once that it is over');
});

test('a gateway that is started without a WAN goes on with what was wanted', async () => {
  enrolled();
  newAgent().start();
  wantCampaign();
  await until('the campaign', () => shown()?.length === 1);
  await agent.stop();
  await double.stop();
  follower = new Follower();
  newAgent().start();
  assert.equal(shown(), CARRIED, 'at once');
  await until('that nobody is there', () => codes().includes('fleet-unreachable'));
  assert.is(follower.desires, 1, 'and nothing else since');
  assert.equal(shown(), CARRIED);
  await double.start();
  await until('the coordinator', () => agent.status().connected);
  assert.is(follower.desires, 1, 'the same again is no news');
});

test('records that are damaged are learnt again', async () => {
  enrolled();
  newAgent().start();
  wantCampaign();
  await until('the campaign', () => shown()?.length === 1);
  await agent.stop();
  for (const name of ['desired', 'enrolled', 'inventory-told', 'told', 'uploads']) {
    writeFileSync(join(folder, `agent/${name}.json`), '{"half":');
  }
  follower = new Follower();
  newAgent().start();
  assert.is(follower.desires, 0);
  await until('the campaign again', () => shown()?.length === 1);
});

test('a campaign that is signed anew is followed as before until the document is here', async () => {
  enrolled();
  newAgent().start();
  wantCampaign();
  await until('the campaign', () => shown()?.length === 1);
  double.instead = ({ path }) =>
    path.includes('/blob/') ? problem(404, 'blob-unknown') : undefined;
  wantCampaign('signed by two');
  await until('the refusal', () => agent.status().blobs.conditions.length === 1);
  assert.equal(shown(), CARRIED);
  assert.is(agent.status().blobs.conditions[0]!.code, 'blob-unknown');
});

test('events are told in stretches that the wire takes, each after the other', async () => {
  enrolled();
  journal.add(5_000);
  newAgent().start();
  await until('all of them', () => double.journal?.sequence === 4_999);
  assert.ok(double.batches.length >= 3);
  let next = 0;
  for (const { events, after, through } of double.batches) {
    assert.ok(Buffer.byteLength(JSON.stringify({ events, after, through })) <= 1024 * 1024);
    for (const { sequence } of events) assert.is(sequence, next++);
  }
});

test('how far it was told is known after a start, without anybody who answers', async () => {
  enrolled();
  journal.add(3);
  newAgent().start();
  await until('all of it', () => agent.told?.sequence === 2);
  await agent.stop();
  await double.stop();
  newAgent().start();
  assert.equal(agent.told, journal.marks[2], 'what is sealed for a stick follows it');
  await double.start();
});

test('a stretch whose acknowledgement is lost is not told twice', async () => {
  enrolled();
  journal.add(3);
  let isFirst = true;
  double.instead = ({ path, body }, response) => {
    if (!path.endsWith('/events') || !isFirst) return undefined;
    isFirst = false;
    // It was taken, and nobody hears of it.
    double.batches.push(body as EventBatch);
    double.journal = (body as EventBatch).through;
    response.destroy();
    return 'hang';
  };
  newAgent().start();
  await until('the mark', () => agent.status().eventsWaiting === 0);
  journal.add(2);
  agent.wake();
  await until('the rest', () => double.journal?.sequence === 4);
  const told = double.batches.flatMap(({ events }) => events.map(({ sequence }) => sequence));
  assert.equal(told, [0, 1, 2, 3, 4]);
  assert.equal(codes(), []);
});

test('a coordinator that was put back to an older state is told again from there', async () => {
  enrolled();
  journal.add(6);
  newAgent().start();
  await until('all of it', () => double.journal?.sequence === 5);
  double.journal = journal.marks[2];
  double.batches.length = 0;
  journal.add();
  agent.wake();
  await until('all of it again', () => double.journal?.sequence === 6);
  const told = double.batches.flatMap(({ events }) => events.map(({ sequence }) => sequence));
  assert.equal(told, [3, 4, 5, 6]);
});

test('a journal that was put back, or exchanged, is not told; the rest goes on', async () => {
  enrolled();
  for (const mark of [
    { sequence: 9, hash: new Journal().add(10).marks[9]!.hash },
    new Journal('another').add(2).marks[1]!,
  ]) {
    journal = new Journal().add(3);
    double.journal = mark;
    double.batches.length = 0;
    newAgent().start();
    await until('the fork', () => codes().includes('events-forked'));
    assert.is(double.batches.length, 0);
    assert.ok(agent.status().connected);
    const count = follower.desires;
    double.want([]);
    await until('what is wanted', () => follower.desires > count);
    // A person put the coordinator's record right.
    double.journal = undefined;
    await until('the events', () => double.journal?.sequence === 2);
    await until('that it is over', () => codes().length === 0);
    await agent.stop();
  }
});

test('a gateway that is shut out says so, asks seldom, and comes back', async () => {
  enrolled();
  let isOut = true;
  double.instead = () => (isOut ? problem(403, 'gateway-revoked') : undefined);
  newAgent().start();
  await until('that it says so', () => codes().includes('gateway-revoked'));
  assert.not(agent.status().connected);
  const before = double.requests.length;
  await new Promise((done) => setTimeout(done, 100));
  assert.ok(double.requests.length - before <= 1);
  isOut = false;
  await until('the coordinator', () => agent.status().connected);
  assert.equal(codes(), []);
});

test('an enrolment of another certificate is not believed', async () => {
  double.instead = ({ path }) =>
    path === '/v1/enrolment'
      ? {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ gateway: 'gw-1', fleet: 'x', certificate: 'ab'.repeat(32) }),
        }
      : problem(403, 'gateway-unknown');
  newAgent({ token: double.token }).start();
  await until('that it says so', () => codes().includes('fleet-other-identity'));
  assert.not(agent.status().enrolled);
});

test('an image goes on over a line that breaks, and over a restart', async () => {
  enrolled();
  const image = seededBytes(4 * 1024 * 1024, 9);
  const wanted = double.blob(image);
  follower.needs = [wanted];
  const proxy = await CuttingProxy.start(double.port, { seed: 3, cutBytes: [300_000, 900_000] });
  newAgent({ port: proxy.port }).start();
  wantCampaign();
  await until('a part of it', () => images.usedBytes > 0 && proxy.forwardedBytes > 1_500_000);
  await agent.stop();
  const before = agent.status().fetchedBytes;
  images.close();
  images = openImages();
  newAgent({ port: proxy.port }).start();
  await until('all of it', () => follower.stored === 1);
  const opened = images.open(wanted.sha256);
  assert.ok(opened.ok);
  const ratio = (before + agent.status().fetchedBytes) / image.length;
  console.log(`NOTE ${proxy.cuts} cuts and a restart: fetched ${ratio.toFixed(4)} x its size`);
  assert.ok(ratio <= 1.01, `${ratio}`);
  await agent.stop();
  await proxy.stop();
});

test('an image that is not wanted any more is given up, in the store too', async () => {
  enrolled();
  follower.needs = [double.blob(seededBytes(1024 * 1024, 9))];
  double.instead = ({ path }, response) => {
    if (!path.endsWith(follower.needs[0]?.sha256 ?? '-')) return undefined;
    response.writeHead(200, { 'content-length': `${1024 * 1024}` });
    response.write(double.blobs.get(follower.needs[0]!.sha256)!.subarray(0, 100_000));
    return 'hang';
  };
  newAgent().start();
  wantCampaign();
  await until('a part of it', () => images.usedBytes > 0);
  await agent.stop();
  follower.needs = [];
  newAgent().start();
  await until('that it is gone', () => images.usedBytes === 0);
});

test('an image that is something else is tried three times, and then told of', async () => {
  enrolled();
  const wanted = double.blob(seededBytes(50_000, 2));
  double.blobs.set(wanted.sha256, seededBytes(50_000, 3));
  follower.needs = [wanted];
  newAgent().start();
  wantCampaign();
  await until('the first try', () => agent.status().blobs.conditions.length === 1);
  const [condition] = agent.status().blobs.conditions;
  assert.is(condition!.code, 'blob-other');
  assert.not(images.has(wanted.sha256));
  assert.is(follower.stored, 0);
  assert.ok(agent.status().connected);
});

test('a gateway that fails at it says that it was its own', async () => {
  enrolled();
  newAgent();
  let isBroken = true;
  follower.desire = () => {
    if (isBroken) throw new Error('the disk is full');
  };
  agent.start();
  double.want([]);
  await until('that it says so', () => codes().includes('fleet-gateway'));
  isBroken = false;
  await until('that it is over', () => codes().length === 0);
});

test.run();
