/**
 * A month of Service Requests: two users, thirty-odd devices, requests sent again, late, out of order and
 * with other content; endpoints that fail, people who approve, cancel and try again, and a gateway that
 * is killed at any moment, within what it writes too. Then everything heals.
 */

import { requestIdText } from '../../src/duis/identifiers.ts';
import type { FirmwareUpdate, RequestId, ServiceRequest } from '../../src/duis/service-request.ts';
import { UpliftError } from '../../src/errors.ts';
import type { FieldDevice } from '../../src/gateway/field.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { JobRequest } from '../../src/jobs/records.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import {
  BROKER,
  DccDesk,
  euiOf,
  IMAGE,
  IMAGE_SHA256,
  OTHER_USER,
  ppmids,
  textOf,
  USER,
} from '../dcc/dcc-desk.ts';
import { DuisDevices } from './duis-devices.ts';
import { DuisEndpoints } from './duis-endpoints.ts';
import { checkLedger } from './duis-ledger.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MONTH_DAYS = 30;
/** Longer than anything is held or dated. */
const GRACE_MS = 45 * DAY_MS;
const PAUSE_MS_MAX = 5 * HOUR_MS;
const SOON_MS_MAX = 4_000;
const SOON_SHARE = 0.7;
const COPIES_MAX = 4;
const COPY_LATE_MS_MAX = 2 * DAY_MS;
const OTHER_KINDS: readonly FieldDevice['kind'][] = [
  'esme',
  'esme',
  'gsme',
  'communications_hub',
  'communications_hub',
];
const PPMIDS = 28;

interface Letter {
  request: ServiceRequest;
  sha256: string;
}

interface Given {
  requestId: string;
  code: string;
  text: string;
}

export class DuisMonth {
  readonly random: SeededRandom;
  readonly desk: DccDesk;
  readonly devices: DuisDevices;
  readonly endpoints: DuisEndpoints;
  readonly broken: string[] = [];
  readonly happened = new Map<string, number>();
  /** By the bytes of the request. */
  private readonly given = new Map<string, Given>();
  private readonly counters = new Map<string, bigint>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly days: number;
  private lives = 0;

  constructor(seed: number, days = MONTH_DAYS) {
    this.days = days;
    this.random = new SeededRandom(seed);
    this.desk = new DccDesk({
      devices: devices(),
      suppliers: () => [],
      answers: (sent) => this.endpoints.answers(sent),
    });
    this.endpoints = new DuisEndpoints(this.random, this.desk.desk.clock);
    this.devices = new DuisDevices(this.desk.desk, this.random);
    for (let n = 1; n <= PPMIDS; n += 2) this.desk.desk.field.says.set(`ppmid-${n}`, '02000001');
  }

  get nowMs(): number {
    return this.desk.nowMs;
  }

  async run(): Promise<void> {
    const endMs = this.nowMs + this.days * DAY_MS;
    while (this.nowMs < endMs) {
      const mostMs = this.random.chance(SOON_SHARE) ? SOON_MS_MAX : PAUSE_MS_MAX;
      await this.pass(this.under(mostMs));
      if (this.gateway.condition.state === 'degraded') this.restart();
      await this.something();
    }
    await this.heal();
  }

  /** Everything that is wrong. */
  judge(): string[] {
    const { desk, devices, endpoints, broken } = this;
    const { journal, gateway } = desk.desk;
    for (const { id, state } of gateway.book.openUpgrades()) broken.push(`${id} is ${state} still`);
    if (desk.service.waiting > 0) broken.push(`${desk.service.waiting} messages wait still`);
    this.judgeGiven();
    const ledger = {
      records: journal.rows,
      documents: desk.documents,
      devices: gateway.fieldDevices,
      heard: endpoints.heard,
      activations: devices.activations,
    };
    return [...broken, ...checkLedger(ledger)];
  }

  /** Whoever was told that it is done had sent what was taken, to the last byte. */
  private judgeGiven(): void {
    const taken = new Map<unknown, unknown>();
    for (const { kind, step, requestId, sha256 } of this.desk.desk.journal.rows)
      if (kind === 'duis-request' && step === 'accepted') taken.set(requestId, sha256);
    for (const [sha256, { requestId, code }] of this.given) {
      const isTaken = taken.get(requestId) === sha256;
      if (isTaken !== !code.startsWith('E')) this.broken.push(`${requestId}: ${code}`);
    }
  }

  private get gateway(): Gateway {
    return this.desk.desk.gateway;
  }

  // ---- time -------------------------------------------------------------------------------------------

  /** From one thing that is due to the next; what is answered in between is heard at once. */
  private async pass(ms: number): Promise<void> {
    const { clock } = this.desk.desk;
    const untilMs = clock.nowMs() + ms;
    while (clock.nextMs <= untilMs) {
      clock.run(clock.nextMs - clock.nowMs());
      await turn();
    }
    clock.run(untilMs - clock.nowMs());
  }

  private restart(): void {
    this.lives++;
    this.desk.restart();
    for (let n = 1; n <= PPMIDS; n += 2) this.desk.desk.field.says.set(`ppmid-${n}`, '02000001');
  }

  private async heal(): Promise<void> {
    this.devices.isHealed = true;
    this.endpoints.heal();
    this.restart();
    const endMs = this.nowMs + GRACE_MS;
    while (this.nowMs < endMs) {
      await this.pass(DAY_MS);
      for (const { parked } of this.desk.service.outbox())
        for (const { message } of parked) this.desk.service.release(message, 'api:b');
      for (const { id } of [...this.gateway.book.jobs])
        this.refusable((gateway) => gateway.jobs.approve(id, 'api:b'));
      if (this.gateway.condition.state !== 'ready') this.broken.push('degraded though healed');
    }
    await Promise.all(this.underWay);
  }

  // ---- what happens -----------------------------------------------------------------------------------

  private async something(): Promise<void> {
    const deeds: [number, string, () => void | Promise<void>][] = [
      [10, 'update', () => this.post(this.update())],
      [6, 'update twice at once', () => this.twice(() => this.update())],
      [14, 'activation', () => this.post(this.activation())],
      [4, 'activations at once', () => this.twice(() => this.activation())],
      [5, 'reading', () => this.post(this.reading())],
      [4, 'nonsense', () => this.post(this.nonsense())],
      [4, 'local job', () => this.localJob()],
      [3, 'approve', () => this.command((jobs, id) => jobs.approve(id, 'api:b'))],
      [2, 'cancel', () => this.command((jobs, id) => jobs.cancel(id, undefined, 'api:a'))],
      [4, 'retry', () => this.command((jobs, id) => jobs.retry(id, undefined, 'api:a'))],
      [2, 'activate', () => this.command((jobs, id) => this.activate(jobs, id))],
      [3, 'kill', () => this.restart()],
      [4, 'disk full soon', () => this.fillDisk()],
      [3, 'endpoint', () => void this.endpoints.change(this.user())],
      [1, 'release', () => this.putAside()],
    ];
    let draw = this.random.next() * deeds.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, what, deed] of deeds) {
      draw -= weight;
      if (draw >= 0) continue;
      this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
      await deed();
      return;
    }
  }

  /** One to four times, the first mostly at once; now and then with something else under its id. */
  private post(request: ServiceRequest): void {
    const { clock } = this.desk.desk;
    const letter = letterOf(request);
    const copies = 1 + this.under(COPIES_MAX);
    for (let copy = 0; copy < copies; copy++) {
      const isSoon = this.random.chance(copy === 0 ? 0.85 : 0.4);
      const lateMs = this.under(isSoon ? SOON_MS_MAX : COPY_LATE_MS_MAX);
      clock.after(lateMs, () => this.send(letter));
      if (!this.random.chance(0.1)) continue;
      const forged = letterOf(this.forged(request));
      clock.after(this.under(COPY_LATE_MS_MAX), () => this.send(forged));
    }
  }

  /** Both before anything has its turn; sometimes somebody else is there too, or the end. */
  private async twice(next: () => ServiceRequest): Promise<void> {
    this.send(letterOf(next()));
    this.send(letterOf(next()));
    await turn();
    if (this.random.chance(0.3)) this.localJob();
    if (this.random.chance(0.3)) this.restart();
  }

  private send(letter: Letter): void {
    const sending = this.sent(letter).catch((error: unknown) => {
      this.broken.push(String((error as Error).stack));
    });
    this.underWay.add(sending);
    void sending.then(() => this.underWay.delete(sending));
  }

  private async sent({ request, sha256 }: Letter): Promise<void> {
    const { lives } = this;
    let given: Given;
    try {
      const answer = await this.desk.service.take({ request, sha256 });
      // Whoever had it to say is no more.
      if (lives !== this.lives) return;
      const requestId = requestIdText(request.header.requestId);
      given = {
        requestId,
        code: answer.responseCode,
        text: new TextDecoder().decode(answer.bytes),
      };
    } catch (error) {
      if (error instanceof UpliftError) return;
      throw error;
    }
    const before = this.given.get(sha256);
    if (!before) this.given.set(sha256, given);
    else if (before.code !== given.code || timeless(before.text) !== timeless(given.text))
      this.broken.push(`${sha256}: ${before.code} first, then ${given.code}`);
  }

  // ---- requests ---------------------------------------------------------------------------------------

  private update(): ServiceRequest {
    const isPpmid = this.random.chance(0.5);
    const count = 1 + this.under(4);
    const last = isPpmid ? PPMIDS : PPMIDS + OTHER_KINDS.length + 1;
    const deviceIds = Array.from({ length: count }, () => euiOf(1 + this.under(last)));
    const kind = isPpmid ? 'UpdatePPMIDFirmware' : 'UpdateFirmware';
    const body: FirmwareUpdate = { kind, image: IMAGE, firmwareVersion: '02000001', deviceIds };
    return this.desk.request(body, { requestId: this.requestId(BROKER) });
  }

  /** Mostly for what is held: now, for later, for another time, or called off. */
  private activation(): ServiceRequest {
    const held = [...this.gateway.book.openUpgrades()].filter(
      ({ state }) => state === 'awaiting-activation',
    );
    const ids = held.length > 0 && this.random.chance(0.8) ? held.map(({ device }) => device) : [];
    const device = this.gateway.device(this.pick(ids.length > 0 ? ids : [...this.ids()]))!;
    const execution = this.random.chance(0.4)
      ? undefined
      : this.random.chance(0.3)
        ? ('cancel' as const)
        : this.nowMs + this.under(5 * DAY_MS);
    const firmwareHash = this.random.chance(0.9) ? this.desk.hash : 'ab'.repeat(32);
    return this.desk.request(
      { kind: 'ActivateFirmware', firmwareHash, ...(execution === undefined ? {} : { execution }) },
      { requestId: this.requestId(device.eui64!) },
    );
  }

  private reading(): ServiceRequest {
    const device = this.gateway.device(this.pick([...this.ids()]))!;
    const isLater = this.random.chance(0.3);
    const executionMs = this.nowMs + this.under(5 * DAY_MS);
    return this.desk.request(
      { kind: 'ReadFirmwareVersion', ...(isLater ? { executionMs } : {}) },
      { requestId: this.requestId(device.eui64!) },
    );
  }

  /** From nobody, for nothing, or in a way in which nothing is asked. */
  private nonsense(): ServiceRequest {
    const request = this.update();
    const { header } = request;
    const kinds: (() => void)[] = [
      () => Object.assign(header.requestId, { originator: '90b3d51f30990000' }),
      () => Object.assign(header.requestId, { target: euiOf(1) }),
      () => Object.assign(header, { commandVariant: 1 }),
      () => Object.assign(header, { serviceReferenceVariant: '11.2' }),
      () => Object.assign(request, { schemaVersion: '9.9' }),
    ];
    this.pick(kinds)();
    return request;
  }

  private forged(request: ServiceRequest): ServiceRequest {
    const { body } = request;
    if ('image' in body) return { ...request, body: { ...body, deviceIds: [euiOf(2), euiOf(4)] } };
    if (body.kind === 'ActivateFirmware')
      return { ...request, body: { kind: 'ActivateFirmware', firmwareHash: this.desk.hash } };
    return { ...request, header: { ...request.header, firstInSequence: true } };
  }

  private requestId(target: string): RequestId {
    const originator = this.user();
    const counter = (this.counters.get(originator) ?? 1n << 40n) + 1n;
    this.counters.set(originator, counter);
    return { originator, target, counter };
  }

  // ---- people and faults ------------------------------------------------------------------------------

  private localJob(): void {
    const request: JobRequest = {
      image: IMAGE_SHA256,
      devices: [this.pick([...this.ids()])],
      activation: { when: 'now' },
      priority: this.under(9),
      deadlineMs: this.nowMs + HOUR_MS + this.under(2 * DAY_MS),
      needsApproval: this.random.chance(0.5),
      supersede: this.random.chance(0.3),
    };
    this.refusable((gateway) => gateway.jobs.create(request, 'api:a'));
  }

  private activate(jobs: Gateway['jobs'], id: string): void {
    jobs.activate(id, undefined, { when: 'now' }, 'api:a');
  }

  private command(give: (jobs: Gateway['jobs'], id: string) => void): void {
    const jobs = [...this.gateway.book.jobs].slice(-20);
    if (jobs.length === 0) return;
    const { id } = this.pick(jobs);
    this.refusable((gateway) => give(gateway.jobs, id));
  }

  /** What does not fit is refused, with a code and without a change. */
  private refusable(question: (gateway: Gateway) => void): void {
    try {
      question(this.gateway);
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
    }
  }

  /** A few more records, and then none: in the middle of what takes several. */
  private fillDisk(): void {
    this.desk.desk.journal.room = this.under(12);
  }

  /** A person tries one again that its endpoint refused. */
  private putAside(): void {
    for (const { parked } of this.desk.service.outbox()) {
      const [first] = parked;
      if (first) this.refusable(() => this.desk.service.release(first.message, 'api:b'));
    }
  }

  private *ids(): IterableIterator<string> {
    yield* this.gateway.devices.keys();
  }

  private user(): string {
    return this.random.chance(0.5) ? USER : OTHER_USER;
  }

  private pick<T>(all: readonly T[]): T {
    return all[this.under(all.length)]!;
  }

  /** A whole number from 0 on. */
  private under(bound: number): number {
    return Math.floor(this.random.next() * bound);
  }
}

function devices(): FieldDevice[] {
  const others = OTHER_KINDS.map((kind, n): FieldDevice => {
    const id = `${kind}-${n}`;
    const eui64 = euiOf(PPMIDS + 1 + n);
    return { id, kind, eui64, link: `port:${id}`, canHold: n % 2 === 0 };
  });
  return [...ppmids(PPMIDS), ...others];
}

function letterOf(request: ServiceRequest): Letter {
  return { request, sha256: sha256Hex(new TextEncoder().encode(textOf(request))) };
}

/** But for when it was said. */
function timeless(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '');
}

/** Whatever is answered by now is heard. */
function turn(): Promise<void> {
  return new Promise(setImmediate);
}
