/**
 * The largest Service Request there is, from its first byte to its answer, and on until its devices are
 * scheduled: one signed 11.1 with an image of 10,240,000 octets for 50,000 devices. The real reader, desk,
 * journal on SQLite, image store and document store, in a folder of their own; a field of which nothing
 * is heard; a products list of 10,000 rows. What cannot be taken is of three kinds, a warning list each.
 *
 * States what a person would feel: how long until the answer, until all is scheduled, and after that until
 * a start has read it all again; by how much the process grew at its peak; and the longest time for which
 * nothing else had its turn. The digest is of the answer's lists and of the jobs.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { testKey } from '../../firmware/test-material.ts';
import type { DeviceFacts } from '../../src/admission/facts.ts';
import type { DuisUser } from '../../src/config/duis.ts';
import type { Answer } from '../../src/dcc/desk.ts';
import { DccService } from '../../src/dcc/service.ts';
import { signDocument } from '../../src/dcc/service-users.ts';
import { storeImage } from '../../src/dcc/start.ts';
import type { World } from '../../src/dcc/world.ts';
import { ServiceRequestReader } from '../../src/duis/request-reader.ts';
import type { ServiceRequest } from '../../src/duis/service-request.ts';
import type { Brief, FieldDevice } from '../../src/gateway/field.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import { encodeGbImage } from '../../src/image/gb-upgrade.ts';
import {
  type CentralProductsList,
  parseCentralProductsList,
} from '../../src/products/central-products-list.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { ImageStore } from '../../src/store/images.ts';
import { Journal } from '../../src/store/journal.ts';
import { MessageStore } from '../../src/store/messages.ts';
import { BROKER, ORIGINATOR, requestXml, SIGNERS } from '../duis/requests.ts';
import { ScriptedField } from '../gateway/gateway-desk.ts';
import { signatureOf } from '../trust/naive-xml-signature.ts';
import { make, SPECS } from '../trust/test-pki.ts';
import { collector, FULL, mix, printDigest, seededBytes } from './bench.ts';

const DEVICES = FULL ? 50_000 : 1_000;
const IMAGE_BYTES = FULL ? 10_240_000 : 102_400;
const LIST_ROWS = FULL ? 10_000 : 500;
const LINKS = 100;
const CHUNK_BYTES = 65_536;
const ANSWER_MS_MAX = 10_000;
const HOLD_UP_MS_MAX = 250;
const MIB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

/** Of twenty devices sixteen are done; the rest is unknown, runs something else, or has a job. */
type Lot = 'admitted' | 'unknown' | 'not-applicable' | 'in-progress';
const LOTS: Readonly<Record<number, Lot>> = {
  16: 'unknown',
  17: 'not-applicable',
  18: 'not-applicable',
  19: 'in-progress',
};
const lotOf = (device: number): Lot => LOTS[device % 20] ?? 'admitted';
const digits = (eui: string) => eui.replaceAll('-', '').toLowerCase();
const euiOf = (device: number) =>
  `02-55-50-4C-46-${device.toString(16).toUpperCase().padStart(6, '0').match(/../g)!.join('-')}`;
const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('-') + 1));

const OTHER_IMAGE = 'a'.repeat(64);
const IMAGE = makeImage();
const LIST = makeList();
const FIELD_DEVICES = Array.from({ length: DEVICES }, (_, n) => n)
  .filter((n) => lotOf(n) !== 'unknown')
  .map(
    (n): FieldDevice => ({
      id: `ppmid-${n}`,
      kind: 'ppmid',
      eui64: digits(euiOf(n)),
      link: `network:${n % LINKS}`,
      canHold: true,
    }),
  );
const USER: DuisUser = {
  ...{ eui64: digits(ORIGINATOR), roles: ['IS'], certificates: [], endpoint: undefined },
};
const IDENTITY = { privateKey: testKey('xml').privateKey, certificate: make(SPECS.xml) };
const TIMERS = {
  nowMs: Date.now,
  after: (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

interface Running {
  journal: Journal;
  images: ImageStore;
  gateway: Gateway;
  service: DccService;
}

const collect = collector();
const folder = mkdtempSync(join(tmpdir(), 'uplift-duis-'));
try {
  await measure();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const chunks = signedRequest();
  const begunBytes = peakBytes();
  let running = open();
  otherJobs(running.gateway);
  const records = running.journal.head.sequence;
  const request = await phase('read and verified', () => read(chunks));
  const answer = await phase('answered', () => running.service.take(request.result));
  const scheduled = await phase('scheduled', () => untilScheduled(running));
  const grownMiB = (peakBytes() - begunBytes) / MIB;
  const answeredMs = request.tookMs + answer.tookMs;
  const { sequence } = running.journal.head;
  close(running);
  const again = await phase('started again', async () => {
    running = open();
    await untilScheduled(running);
  });
  close(running);
  const admitted = [...running.gateway.book.jobs].at(-1)!.upgrades.length;
  // Before it has started nobody waits for a turn.
  const holdUps = [request, answer, scheduled].map(({ holdUpMs }) => holdUpMs);
  console.log(`11.1, ${IMAGE_BYTES} octets for ${DEVICES} devices, ${admitted} of them admitted`);
  for (const { line } of [request, answer, scheduled, again]) console.log(line);
  console.log(
    `  ${sequence - records} records, journal ${(journalBytes() / MIB).toFixed(1)} MiB, ` +
      `at its peak ${grownMiB.toFixed(0)} MiB more of resident memory`,
  );
  console.log(
    `  ${answeredMs.toFixed(0)} ms to the answer (${ANSWER_MS_MAX} at most); ` +
      `${Math.max(...holdUps).toFixed(0)} ms the longest hold-up (target ${HOLD_UP_MS_MAX})`,
  );
  if (FULL && answeredMs > ANSWER_MS_MAX) throw new Error('the answer took too long');
  printDigest('duis-50000', digestOf(answer.result, running.gateway));
}

// ---- what is measured ---------------------------------------------------------------------------------

interface Phase<T> {
  result: T;
  tookMs: number;
  holdUpMs: number;
  line: string;
}

async function phase<T>(name: string, work: () => Promise<T>): Promise<Phase<T>> {
  collect();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(20);
  delay.reset();
  // The first interval after that does not count.
  await sleep(20);
  const startedMs = performance.now();
  const result = await work();
  const tookMs = performance.now() - startedMs;
  await sleep(5);
  delay.disable();
  const holdUpMs = delay.max / 1e6;
  const words = `${tookMs.toFixed(0).padStart(7)} ms, longest hold-up ${holdUpMs.toFixed(0)} ms`;
  return { result, tookMs, holdUpMs, line: `  ${name.padEnd(20)}${words}` };
}

async function read(
  chunks: readonly Uint8Array[],
): Promise<{ request: ServiceRequest; sha256: string }> {
  const reader = new ServiceRequestReader();
  const digest = createHash('sha256');
  for (const chunk of chunks) {
    digest.update(chunk);
    const fault = reader.push(chunk);
    if (fault) throw new Error(`${fault.code}: ${fault.message}`);
    // As between two reads of a socket.
    await new Promise(setImmediate);
  }
  const read = reader.end(SIGNERS);
  if (!read.ok) throw new Error(`${read.code}: ${read.message}`);
  return { request: read.request, sha256: digest.digest('hex') };
}

/** Every device that was admitted is on record as scheduled. */
async function untilScheduled({ gateway, service }: Running): Promise<void> {
  for (;;) {
    const [request] = service.requests();
    const upgrades = (request?.jobs ?? []).flatMap((job) => gateway.book.job(job)!.upgrades);
    const isAll = upgrades.length > 0 && upgrades.every(({ state }) => state !== 'planned');
    if (isAll) return;
    if (gateway.condition.error) throw gateway.condition.error;
    await sleep(1);
  }
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

function journalBytes(): number {
  const path = join(folder, 'journal');
  const names = readdirSync(path).filter((name) => name.startsWith('journal.db'));
  return names.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

function digestOf({ bytes }: Answer, { book }: Gateway): number {
  const text = new TextDecoder().decode(bytes);
  let digest = 0;
  for (const [, name, list] of text.matchAll(/<sr:(\w+List)>([^<]*)</g))
    digest = mix(mix(digest, name!.length), list!.length);
  for (const { upgrades } of book.jobs)
    for (const { device } of upgrades) digest = mix(digest, numberOf(device));
  return digest;
}

// ---- what is around it --------------------------------------------------------------------------------

function open(): Running {
  const { journal } = Journal.open(join(folder, 'journal'), {}, Date.now());
  const { images } = ImageStore.open(join(folder, 'images'), {}, Date.now());
  const files = new Map<string, ImageFile>();
  const briefFor = (sha256: string): Brief => {
    let file = files.get(sha256);
    if (!file) {
      file = new ImageFile(images.imagePath(sha256), {});
      files.set(sha256, file);
    }
    return { image: file.for('gb-ppmid'), list: LIST, policy: {}, context: undefined };
  };
  const scheduler = new Scheduler(new RetryDesk({ next: () => 0.5 }, Date.now()));
  const gateway = new Gateway({
    timers: TIMERS,
    journal,
    field: new ScriptedField(FIELD_DEVICES),
    scheduler,
    brief: briefFor,
    expectedMs: () => 60_000,
    hasImage: (sha256) => sha256 === OTHER_IMAGE || images.has(sha256),
    windows: {},
  });
  gateway.start();
  const service = new DccService({
    world: worldOf(gateway, images, briefFor),
    records: (from, limit) => journal.records(from, limit),
    random: { next: () => 0.5 },
    post: async () => ({ kind: 'answered', status: 200 }),
    log: { write() {} },
  });
  service.start();
  return { journal, images, gateway, service };
}

function close({ journal, images, gateway, service }: Running): void {
  service.stop();
  gateway.stop();
  images.close();
  journal.close();
}

function worldOf(gateway: Gateway, images: ImageStore, briefFor: (image: string) => Brief): World {
  return {
    get nowMs() {
      return Date.now();
    },
    timers: TIMERS,
    gateway,
    messages: new MessageStore(join(folder, 'duis')),
    settings: { brokers: [digits(BROKER)], users: new Map([[USER.eui64, USER.roles]]) },
    users: new Map([[USER.eui64, USER]]),
    devicesByEui: new Map(FIELD_DEVICES.map(({ id, eui64 }) => [eui64!, id])),
    activation: { updateFirmware: 'held', updatePpmidFirmware: 'now' },
    deadlineMs: 14 * DAY_MS,
    briefFor: (image, device) => ({ brief: briefFor(image), device: factsOf(device) }),
    hubOf: () => undefined,
    suppliersOf: () => [],
    storeImage: (image, name) => storeImage({ images, gateway, timers: TIMERS }, image, name),
    sign: (document) => signDocument(document, IDENTITY),
    signInner: (document) => new TextDecoder().decode(signDocument(document, IDENTITY)),
    write: (...records) => gateway.record(...(records as Parameters<Gateway['record']>)),
    nextTurn: () => new Promise(setImmediate),
  };
}

function factsOf(id: string): DeviceFacts {
  const isOther = lotOf(numberOf(id)) === 'not-applicable';
  return {
    eui64: digits(euiOf(numberOf(id))),
    kind: 'ppmid',
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    hardwareVersion: 0x0100,
    // No version that the list knows as one before.
    currentFileVersion: isOther ? 0x01000001 : 0x01000000,
    deviceModel: {
      ...{ manufacturer: '121D', model: '0084' },
      ...{ hardwareVersion: '01', hardwareRevision: '00' },
    },
    imageProfile: 'gb-ppmid',
  };
}

/** Somebody else's, so that these devices have one already. */
function otherJobs(gateway: Gateway): void {
  const devices = FIELD_DEVICES.map(({ id }) => id).filter(
    (id) => lotOf(numberOf(id)) === 'in-progress',
  );
  gateway.jobs.create(
    {
      image: OTHER_IMAGE,
      devices,
      activation: { when: 'held' },
      priority: 0,
      deadlineMs: Date.now() + DAY_MS,
      needsApproval: true,
    },
    'api:somebody',
  );
}

/** In canonical form, so that its digest is that of its text; in chunks as it arrives. */
function signedRequest(): Uint8Array[] {
  const devices = Array.from({ length: DEVICES }, (_, n) => euiOf(n)).join(',');
  const text = requestXml({
    reference: '11.1',
    target: BROKER,
    variant: '8',
    body:
      `<sr:UpdateFirmware><sr:FirmwareImage>${Buffer.from(IMAGE).toString('base64')}` +
      '</sr:FirmwareImage><sr:FirmwareVersion>02000000</sr:FirmwareVersion>' +
      `<sr:DeviceIDList>${devices}</sr:DeviceIDList></sr:UpdateFirmware>`,
  });
  const at = text.lastIndexOf('</');
  const digest = createHash('sha256').update(text).digest('base64');
  const signature = signatureOf('', { references: [{ digest }] });
  const bytes = Buffer.from(text.slice(0, at) + signature + text.slice(at));
  const count = Math.ceil(bytes.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, n) =>
    Uint8Array.from(bytes.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES)),
  );
}

function makeImage(): Uint8Array {
  const header = {
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: 0x02000000,
    headerString: 'bench',
  };
  const empty = encodeGbImage({ header, manufacturerImage: new Uint8Array(0) });
  const manufacturerImage = seededBytes(IMAGE_BYTES - empty.length, 1);
  return encodeGbImage({ header, manufacturerImage });
}

function makeList(): CentralProductsList {
  const image = new ImageFile('bench.zigbee', {}, IMAGE).for('gb-ppmid');
  const { facts } = image;
  if (!facts.ok || facts.kind !== 'ota') throw new Error('the image is wrong');
  const text = [
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
      'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version,upgrade_from',
    ...Array.from({ length: LIST_ROWS - 2 }, (_, row) => {
      const model = row.toString(16).toUpperCase().padStart(4, '0');
      const other = row.toString(16).padStart(64, '0');
      return `E${row},PPMID,121E,${model},01,00,01000000,${other},Current,2021-01-01,,,N/A`;
    }),
    `OLD,PPMID,121D,0084,01,00,01000000,${'ab'.repeat(32)},Current,2021-01-01,,01000000,N/A`,
    `NEW,PPMID,121D,0084,01,00,02000000,${facts.hashes.manufacturerImage},Current,2021-01-01,,02000000,OLD`,
  ].join('\n');
  const parsed = parseCentralProductsList(text);
  if (!parsed.ok) throw new Error('the list is wrong');
  return parsed.list;
}
