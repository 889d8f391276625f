/**
 * The DCC User Interface as Service Users meet it: `uplift serve` over a rig of virtual devices with the
 * real driver, signed requests over mutual TLS, answers and messages signed, in order, once; kill -9 in the
 * middle, an endpoint that is away, and whoever has no business there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import { euiText } from '../../src/duis/identifiers.ts';
import { encodeRequest } from '../../src/duis/request-text.ts';
import type { RequestBody, ServiceRequest } from '../../src/duis/service-request.ts';
import type { OutboxView, ServiceRequestView } from '../../src/gateway/control.ts';
import {
  admissionSection,
  type DuisMaterial,
  duisSection,
  HOME,
  HUB_CHF,
  OTHER_SUPPLIER,
  writeDuisMaterial,
} from '../support/duis-material.ts';
import {
  Endpoint,
  post,
  type Received,
  type RequestOptions,
  requestOf,
  signedRequest,
  tlsOf,
  verified,
} from '../support/duis-user.ts';
import {
  type CliRun,
  FIRMWARE,
  NEW_VERSION,
  QUICK_CLIENT,
  sleep,
  startCli,
  TestRig,
  type TestRigOptions,
} from '../support/rigs.ts';

const test = suite('duis service');

const KILLS = 8;
const LIMIT_MS = 120_000;
const CHF = HUB_CHF.replaceAll('-', '');
const NOBODY = '0255504c46549999';
const SEED = Number(process.env['UPLIFT_SEED'] ?? Date.now() % 1_000_000);

class Site {
  readonly rig: TestRig;
  readonly material: DuisMaterial;
  readonly endpoint: Endpoint;
  readonly otherEndpoint: Endpoint;
  readonly api: ApiClient;
  run!: CliRun;
  port = 0;

  private constructor(rig: TestRig, material: DuisMaterial) {
    this.rig = rig;
    this.material = material;
    this.endpoint = new Endpoint(material);
    this.otherEndpoint = new Endpoint(material);
    this.api = new ApiClient(join(rig.folder, 'api.sock'));
  }

  static async make(options: TestRigOptions, duis: Record<string, unknown> = {}): Promise<Site> {
    const rig = await TestRig.make({ otaClient: QUICK_CLIENT, installation: HOME, ...options });
    const material = writeDuisMaterial(join(rig.folder, 'material'), FIRMWARE.trust);
    const site = new Site(rig, material);
    await site.endpoint.open();
    await site.otherEndpoint.open();
    const endpoints = { supplier: site.endpoint.url, otherSupplier: site.otherEndpoint.url };
    writeFileSync(
      join(rig.folder, 'gateway.yaml'),
      JSON.stringify({
        gateway: { id: 'test', stateDirectory: join(rig.folder, 'state') },
        rigs: [rig.path],
        admission: admissionSection(material, FIRMWARE.list),
        schedule: { prepaymentBlackout: [] },
        api: { socket: { path: join(rig.folder, 'api.sock'), role: 'admin' } },
        duis: { ...duisSection(material, endpoints), ...duis },
      }),
    );
    await rig.up();
    await site.serve();
    return site;
  }

  async serve(): Promise<void> {
    this.run = startCli(['serve', '--config', join(this.rig.folder, 'gateway.yaml')]);
    const { msg } = await this.run.until(({ code }) => code === 'ready');
    const [, port] = /:(\d+) \(Service Requests\)/.exec(msg as string) ?? [];
    assert.ok(port, msg as string);
    this.port = Number(port);
  }

  async remove(): Promise<void> {
    this.run.child.kill('SIGKILL');
    await this.run.done;
    await this.endpoint.close();
    await this.otherEndpoint.close();
    await this.rig.remove();
  }

  /** What the gateway has logged of what it cannot do. */
  get complaints(): string {
    const told = this.run.events.filter(({ level }) => level === 'error' || level === 'warning');
    return told.map((event) => JSON.stringify(event)).join('\n');
  }

  get ppmids(): string[] {
    return this.rig.rig.ppmids.map(({ eui64 }) => eui64);
  }

  /** Signed by the supplier, and sent by it. */
  async ask(body: RequestBody, options: RequestOptions = {}): Promise<Answer> {
    return this.send(signedRequest(this.material.supplier, requestOf(body, options)));
  }

  async send(document: string | Uint8Array): Promise<Answer> {
    const { material, port } = this;
    const client = { tlsCa: material.tlsCa, client: material.supplierTls };
    const { status, text } = await post(port, document, client);
    assert.is(status, 200, `${text}\n${this.complaints}`);
    verified(text, material);
    return { text, code: codeIn(text) };
  }

  /** Until the endpoint has had a message that fits. */
  async message(pattern: RegExp, endpoint = this.endpoint): Promise<string> {
    const found = () => endpoint.messages.find(({ text }) => pattern.test(text))?.text;
    const lacking = () => `${pattern}\n${textsOf(endpoint)}\n${this.complaints}`;
    await until(() => found() !== undefined, lacking);
    return found()!;
  }

  version(ppmid: string): number {
    return this.rig.device(ppmid).state().fileVersion;
  }
}

interface Answer {
  text: string;
  code: string | undefined;
}

const image = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const update = (
  kind: 'UpdateFirmware' | 'UpdatePPMIDFirmware',
  path: string,
  deviceIds: readonly string[],
): RequestBody => ({ kind, image: image(path), firmwareVersion: '02000000', deviceIds });
const codeIn = (text: string) => /<sr:ResponseCode>([^<]*)</.exec(text)?.[1];
const textsOf = ({ messages }: Endpoint) => messages.map(({ text }) => text).join('\n');

/** By which the list of products knows the image. */
function hashOf(entry: string): string {
  const line = readFileSync(FIRMWARE.list, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(entry));
  return line!.split(',')[7]!;
}

async function until(isThere: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const endMs = Date.now() + LIMIT_MS; !(await isThere()); ) {
    if (Date.now() > endMs) throw new Error(`in vain was waited for ${what()}`);
    await sleep(50);
  }
}

/** Each is signed, each once, in the order in which they were queued. */
function checkMessages({ endpoint, material }: Site): void {
  for (const { text } of endpoint.messages) verified(text, material);
  const numbers = endpoint.taken.map(({ id }) => Number(/^test-(\d+)$/.exec(id)![1]));
  assert.equal(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  const contents = endpoint.taken.map(({ text }) =>
    text.replaceAll(/<ds:Signature .*?<\/ds:Signature>/g, ''),
  );
  assert.is(new Set(contents).size, contents.length, 'nothing is told twice');
}

test('11.1 for a PPMID and a hub, held; 11.3 activates; 11.2 reads; 11.4 goes through by itself', async () => {
  const site = await Site.make({ devices: 2, hubs: [{ chf: HUB_CHF }] });
  const { endpoint, otherEndpoint, ppmids, rig } = site;
  const [first, second] = ppmids as [string, string];
  try {
    const ppmid = await site.ask(update('UpdateFirmware', FIRMWARE.new, [first, CHF, NOBODY]));
    assert.is(ppmid.code, 'W110101', ppmid.text);
    assert.match(ppmid.text, `NotApplicableFirmwareDeviceIDList>${euiText(CHF)}<`);
    assert.match(ppmid.text, `InvalidDeviceIDList>${euiText(NOBODY)}<`);
    const hub = await site.ask(update('UpdateFirmware', FIRMWARE.hubNew, [CHF]));
    assert.is(hub.code, 'I0', hub.text);
    await site.message(/CommsHubAlert.*FileTransferSuccess/);
    await site.message(/SMETS1CHFirmwareNotification.*UpdateRequested/);
    await until(
      async () => (await statesOf(site)).every((state) => state === 'awaiting-activation'),
      () => textsOf(endpoint),
    );
    assert.is(site.version(rig.rig.ppmids[0]!.id), 0x01000000, 'held');
    for (const [target, entry] of [
      [first, 'TEST-0003'],
      [CHF, 'TEST-0102'],
    ] as const) {
      const wrong = await site.ask(
        { kind: 'ActivateFirmware', firmwareHash: 'ab'.repeat(32) },
        { target },
      );
      assert.is(wrong.code, 'I99');
      const right = await site.ask(
        { kind: 'ActivateFirmware', firmwareHash: hashOf(entry) },
        { target },
      );
      assert.is(right.code, 'I99', right.text);
    }
    await site.message(/ActivateFirmwareRsp MessageSuccess="false".*hashMismatch/);
    await site.message(/PPMIDAlert.*ActivationSuccess/);
    await site.message(/SMETS1CHFirmwareNotification.*ActivationSuccessful/);
    await until(
      () =>
        endpoint.messages.filter(({ text }) =>
          /ActivateFirmwareRsp MessageSuccess="true"/.test(text),
        ).length === 2,
      () => textsOf(endpoint),
    );
    assert.is(site.version(rig.rig.ppmids[0]!.id), NEW_VERSION);
    for (const target of [first, CHF]) {
      assert.is((await site.ask({ kind: 'ReadFirmwareVersion' }, { target })).code, 'I99');
      await site.message(
        new RegExp(
          `BusinessOriginatorID>${euiText(target)}<.*ReadFirmwareVersionRsp MessageSuccess="true"`,
        ),
      );
    }
    const fourth = await site.ask(update('UpdatePPMIDFirmware', FIRMWARE.new, [second]), {
      version: '5.1',
    });
    assert.is(fourth.code, 'I0', fourth.text);
    assert.match(fourth.text, 'schemaVersion="5.1"');
    await site.message(new RegExp(`PPMIDAlert><sr:DeviceID>${euiText(second)}.*ActivationSuccess`));
    assert.is(site.version(rig.rig.ppmids[1]!.id), NEW_VERSION);
    await site.message(/FirmwareUpgradeRequested/, otherEndpoint);
    checkMessages(site);
    assert.ok(
      endpoint.messages.every(({ attempt }) => attempt === 1),
      'no message was tried twice',
    );
    assert.is(await waitingOf(site), 0);
    const { requests } = await site.api.get<{ requests: ServiceRequestView[] }>('/duis/requests');
    assert.ok(requests.some(({ serviceReference }) => serviceReference === '11.4'));
    site.run.child.kill('SIGTERM');
    assert.is((await site.run.done).code, 0);
  } finally {
    await site.remove();
  }
});

async function statesOf({ api }: Site): Promise<string[]> {
  const { jobs } = await api.get<{ jobs: { id: string }[] }>('/jobs');
  const shown = await Promise.all(
    jobs.map(({ id }) => api.get<{ upgrades: { state: string }[] }>(`/jobs/${id}`)),
  );
  return shown.flatMap(({ upgrades }) => upgrades.map(({ state }) => state));
}

async function waitingOf({ api }: Site): Promise<number> {
  const { users } = await api.get<{ users: OutboxView[] }>('/duis/outbox');
  return users.reduce((sum, { waiting }) => sum + waiting, 0);
}

test(`kill -9, ${KILLS} times from the answer to the last message: nothing is lost, done or told twice`, async () => {
  console.log(`SEED ${SEED} (UPLIFT_SEED)`);
  const random = xorshift(SEED);
  const site = await Site.make({
    devices: 1,
    otaClient: { ...QUICK_CLIENT, failuresMax: 1000 },
    linkDelayMs: 2,
  });
  const { endpoint, material, ppmids } = site;
  try {
    const body = update('UpdatePPMIDFirmware', FIRMWARE.new, ppmids);
    const document = signedRequest(material.supplier, requestOf(body, { version: '5.1' }));
    const first = await site.send(document);
    assert.is(first.code, 'I0', first.text);
    const isUnderWay = async () => (await statesOf(site)).includes('distributing');
    await until(isUnderWay, () => `a transfer\n${site.complaints}`);
    for (let kill = 0; kill < KILLS; kill++) {
      await site.run.powerCut();
      await site.serve();
      assert.is((await site.send(document)).text, first.text, `kill ${kill}: the same answer`);
      await sleep(random() * 1_500);
    }
    for (const ppmid of ppmids) {
      await site.message(
        new RegExp(`PPMIDAlert><sr:DeviceID>${euiText(ppmid)}.*ActivationSuccess`),
      );
    }
    await until(
      async () => (await waitingOf(site)) === 0,
      () => 'an empty outbox',
    );
    checkMessages(site);
    assert.is(endpoint.taken.length, 2, `transferred, activated\n${textsOf(endpoint)}`);
    const { jobs } = await site.api.get<{ jobs: unknown[] }>('/jobs');
    assert.is(jobs.length, 1);
    for (const { id } of site.rig.rig.ppmids) assert.is(site.version(id), NEW_VERSION);
  } finally {
    await site.remove();
  }
});

test('an endpoint that is away, then unwell: messages wait, and come in their order', async () => {
  const site = await Site.make({ devices: 1 });
  const { endpoint } = site;
  const [target] = site.ppmids as [string];
  try {
    await endpoint.close();
    for (const version of ['4.0', '4.0', '4.0']) {
      assert.is((await site.ask({ kind: 'ReadFirmwareVersion' }, { version, target })).code, 'I99');
    }
    await until(
      async () => (await waitingOf(site)) === 3,
      () => 'three messages that wait',
    );
    assert.is(endpoint.messages.length, 0);
    let refusals = 0;
    endpoint.answers = () => (refusals++ < 2 ? 503 : 200);
    await site.run.powerCut();
    await site.serve();
    await endpoint.open();
    await until(
      () => endpoint.taken.length === 3,
      () => textsOf(endpoint),
    );
    assert.ok(refusals > 2);
    checkMessages(site);
    assert.ok(endpoint.messages[0]!.attempt > 1);
    await until(
      async () => (await waitingOf(site)) === 0,
      () => 'an empty outbox',
    );
  } finally {
    await site.remove();
  }
});

/** Who or what is turned away at the door, with the status and the code that it is told. */
type Visit = [name: string, send: (site: Site) => Promise<Received>, status: number, code: string];

const READING: RequestBody = { kind: 'ReadFirmwareVersion' };

function reading(site: Site, options: RequestOptions = {}): ServiceRequest {
  return requestOf(READING, { target: site.ppmids[0]!, ...options });
}

function visit(
  site: Site,
  document: string | Uint8Array,
  client: keyof DuisMaterial | undefined = 'supplierTls',
  headers: Record<string, string> = {},
): Promise<Received> {
  const { tlsCa, ...material } = site.material;
  const identity = client && (material[client as 'supplierTls'] as DuisMaterial['supplierTls']);
  return post(site.port, document, { tlsCa, client: identity }, headers);
}

const good = (site: Site) => signedRequest(site.material.supplier, reading(site));

const VISITS: readonly Visit[] = [
  [
    'no certificate',
    (site) => post(site.port, good(site), { tlsCa: site.material.tlsCa, client: undefined }),
    401,
    'certificate-missing',
  ],
  [
    'one of another CA',
    (site) => visit(site, good(site), 'strangerTls'),
    403,
    'certificate-unknown',
  ],
  [
    'one of nobody who is known',
    (site) => visit(site, good(site), 'unknownTls'),
    403,
    'certificate-unknown',
  ],
  ['the request of another', (site) => visit(site, good(site), 'otherTls'), 403, 'party-differs'],
  [
    'a request in the name of another',
    (site) =>
      visit(
        site,
        signedRequest(site.material.supplier, reading(site, { originator: OTHER_SUPPLIER })),
      ),
    400,
    'originator-differs',
  ],
  ['no signature', (site) => visit(site, encodeRequest(reading(site))), 400, 'signature-missing'],
  ['changed', (site) => visit(site, good(site).replace('"4.0"', '"3.0"')), 400, 'digest-differs'],
  [
    'signed by who is not known',
    (site) => visit(site, signedRequest(site.material.unknownTls, reading(site))),
    400,
    'signer-unknown',
  ],
  ['no XML', (site) => visit(site, 'hello'), 400, 'request-refused'],
  ['cut off', (site) => visit(site, good(site).slice(0, -9)), 400, 'request-refused'],
  ['empty', (site) => visit(site, ''), 400, 'request-refused'],
  [
    'JSON',
    (site) => visit(site, '{}', 'supplierTls', { 'content-type': 'application/json' }),
    415,
    'media-type',
  ],
  ['too large', (site) => visit(site, `<a>${'a'.repeat(70_000)}</a>`), 400, 'request-refused'],
];

test('who or what has no business there is turned away, and nothing is done', async () => {
  const site = await Site.make({ devices: 1 }, { requestBytesMax: 65_536 });
  try {
    for (const [name, send, status, code] of VISITS) {
      const received = await send(site);
      assert.is(received.status, status, `${name}: ${received.text}`);
      assert.match(received.text, code, name);
    }
    const get = await new Promise<number>((done, failed) => {
      const { material, port } = site;
      const options = { host: '127.0.0.1', port, agent: false, ca: readFileSync(material.tlsCa) };
      httpsRequest({ ...options, ...tlsOf(material.supplierTls) }, ({ statusCode }) =>
        done(statusCode!),
      )
        .on('error', failed)
        .end();
    });
    assert.is(get, 405);
    const { requests } = await site.api.get<{ requests: unknown[] }>('/duis/requests');
    assert.equal(requests, []);
    const other = requestOf(READING, { target: site.ppmids[0]!, originator: OTHER_SUPPLIER });
    const theirs = await visit(site, signedRequest(site.material.otherSupplier, other), 'otherTls');
    assert.is(codeIn(theirs.text), 'I99', 'the other supplier in its own name');
    await site.message(/ReadFirmwareVersionRsp/, site.otherEndpoint);
    assert.is(site.endpoint.messages.length, 0, 'what is for one is told to no other');
  } finally {
    await site.remove();
  }
});

test('who is slow, or too many at once, keeps nobody else out', async () => {
  const site = await Site.make({ devices: 1 });
  const { material, port } = site;
  try {
    const sockets = Array.from({ length: 20 }, () =>
      connect({
        host: '127.0.0.1',
        port,
        ca: readFileSync(material.tlsCa),
        ...tlsOf(material.supplierTls),
      }),
    );
    const sinceMs = Date.now();
    const closed = sockets.map(
      (socket) =>
        new Promise<number>((done) => {
          socket.on('error', () => {});
          socket.resume();
          socket.on('close', () => done(Date.now() - sinceMs));
          socket.on('secureConnect', () => socket.write('POST / HTTP/1.1\r\nHost: localhost\r\n'));
        }),
    );
    assert.is((await site.ask(READING, { target: site.ppmids[0]! })).code, 'I99');
    const open = await Promise.all(Array.from({ length: 8 }, () => halfSent(site)));
    const refused = open.filter(({ status }) => status === 429);
    assert.is(refused.length, 4, `of 8 at once: ${open.map(({ status }) => status)}`);
    for (const { end } of open) end();
    await until(
      async () => {
        const { status } = await visit(site, good(site));
        return status === 200;
      },
      () => 'room again',
    );
    for (const ms of await Promise.all(closed)) assert.ok(ms < 15_000, `${ms} ms of half a head`);
  } finally {
    await site.remove();
  }
});

/** Has said its head and one character, and waits; `undefined` where it was not told anything. */
function halfSent({
  material,
  port,
}: Site): Promise<{ status: number | undefined; end: () => void }> {
  return new Promise((done) => {
    const request = httpsRequest({
      host: '127.0.0.1',
      port,
      method: 'POST',
      agent: false,
      ca: readFileSync(material.tlsCa),
      ...tlsOf(material.supplierTls),
      headers: { 'content-type': 'application/xml', 'content-length': '1000' },
    });
    const end = () => request.destroy();
    request.on('error', () => {});
    request.on('response', (response) => {
      response.resume();
      done({ status: response.statusCode, end });
    });
    request.write('<');
    setTimeout(() => done({ status: undefined, end }), 2_000);
  });
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test.run();
