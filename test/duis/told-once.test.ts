/**
 * A whole request over crashes: book, progress, collector and outbox on one journal. Whatever
 * happens to devices and gateway, every milestone of every device is queued once, and arrives.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COLLECTING, FailureCollector } from '../../src/duis/failure-collector.ts';
import { requestIdText } from '../../src/duis/identifiers.ts';
import { Outbox } from '../../src/duis/outbox.ts';
import { type DeviceStory, type Notice, progressOf } from '../../src/duis/progress.ts';
import { MILESTONES } from '../../src/duis/progress-rows.ts';
import { RequestBook } from '../../src/duis/request-book.ts';
import {
  acceptanceRecords,
  isMessageRecord,
  isRequestRecord,
  type MessageRecordBody,
  type RequestRecordBody,
} from '../../src/duis/request-records.ts';
import { responseText } from '../../src/duis/response.ts';
import type { UpgradeState } from '../../src/jobs/states.ts';
import { HUB_1, SUPPLIER, signInForm, UPDATE_ID } from './response-samples.ts';

const test = suite('told once');

const DEVICES = Array.from({ length: 6 }, (_, n) => (0x1000 + n).toString(16).padStart(16, '0'));
const ID = requestIdText(UPDATE_ID);

class Gateway {
  readonly journal: string[] = [];
  /** What the records of jobs say, which are durable too. */
  readonly states = new Map<string, { state: UpgradeState; code: string | undefined }>();
  readonly bodies: string[] = [];
  nowMs = 1_000;
  book = new RequestBook();
  outbox = this.newOutbox();
  collector = new FailureCollector();

  constructor() {
    const request = {
      header: { requestId: UPDATE_ID, serviceReference: '11.1' },
      body: {
        kind: 'UpdateFirmware',
        image: new Uint8Array(),
        firmwareVersion: '00010203',
        deviceIds: DEVICES,
      },
    } as const;
    const of = { request, sha256: 'a', duisVersion: '5.1', devices: DEVICES, answer: 'b' };
    this.say(...acceptanceRecords(of, this.nowMs));
  }

  say(...bodies: (RequestRecordBody | MessageRecordBody)[]): void {
    for (const body of bodies) {
      this.journal.push(
        JSON.stringify({ ...body, sequence: this.journal.length + 1, atMs: this.nowMs }),
      );
      this.apply(this.journal.at(-1)!);
    }
  }

  move(deviceId: string, state: UpgradeState, code: string | undefined, isHeard: boolean): void {
    this.states.set(deviceId, { state, code });
    // A crash between the record of the state and what it makes the gateway say.
    if (isHeard) this.look(deviceId);
    else this.crash();
  }

  crash(): void {
    this.book = new RequestBook();
    this.outbox = this.newOutbox();
    this.collector = new FailureCollector();
    for (const line of this.journal) this.apply(line);
    for (const deviceId of this.states.keys()) this.look(deviceId);
  }

  collect(): void {
    for (;;) {
      const notice = this.collector.pollNotice(this.nowMs);
      if (!notice) return;
      this.queue(notice);
    }
  }

  /** Everything to its user, with as many crashes before the record as asked. */
  drain(crashes: number): number[] {
    const arrived: number[] = [];
    for (let left = crashes; ; ) {
      const transmit = this.outbox.pollTransmit(this.nowMs);
      if (!transmit) return arrived;
      if (!arrived.includes(transmit.message)) arrived.push(transmit.message);
      const result = { kind: 'answered', status: 200 } as const;
      const record = this.outbox.handleResult(transmit, result, this.nowMs);
      if (left-- > 0) this.crash();
      else if (record) this.say(record);
    }
  }

  private look(deviceId: string): void {
    const { state, code } = this.states.get(deviceId)!;
    const story: DeviceStory = {
      request: this.book.request(ID)!,
      deviceId,
      kind: 'ppmid',
      hubId: HUB_1,
      state,
      code,
      atMs: this.nowMs,
      firmwareVersion: '00010203',
      alertCounter: 1n,
    };
    const { notices, collected } = progressOf(story);
    for (const notice of notices) this.queue(notice);
    for (const one of collected) this.collector.add(one, this.nowMs);
  }

  private queue({ user, about, response }: Notice): void {
    this.bodies.push(responseText(response, signInForm));
    const body = `${this.bodies.length - 1}`;
    this.say({ kind: 'duis-message', step: 'queued', user, body, about });
  }

  private apply(line: string): void {
    const record = JSON.parse(line);
    if (isRequestRecord(record) || isMessageRecord(record)) this.book.apply(record);
    if (isMessageRecord(record)) this.outbox.apply(record);
  }

  private newOutbox(): Outbox {
    return new Outbox({ next: () => 0 });
  }
}

test('every milestone of every device is queued once and arrives, over any crashes', () => {
  const move = fc.record({
    device: fc.constantFrom(...DEVICES),
    state: fc.constantFrom<UpgradeState>('scheduled', 'distributed', 'done', 'failed', 'expired'),
    code: fc.constantFrom(undefined, 'device-silent', 'transfer-stalled', 'device-reverted'),
    isHeard: fc.boolean(),
    collects: fc.boolean(),
  });
  const property = fc.property(
    fc.array(move, { maxLength: 30 }),
    fc.integer({ min: 0, max: 5 }),
    (moves, crashes) => {
      const gateway = new Gateway();
      for (const { device, state, code, isHeard, collects } of moves) {
        gateway.move(device, state, code, isHeard);
        gateway.nowMs += 10;
        if (collects) gateway.nowMs += COLLECTING.collectMs;
        gateway.collect();
      }
      gateway.nowMs += COLLECTING.collectMs;
      gateway.collect();
      const queued = gateway.journal
        .map((line, index) => ({ ...JSON.parse(line), sequence: index + 1 }))
        .filter(({ step }) => step === 'queued');
      const told = queued.flatMap(({ about }) =>
        about.devices.map((device: string) => `${device} ${about.mark}`),
      );
      assert.is(new Set(told).size, told.length, 'once');
      for (const [device, { state }] of gateway.states) {
        if (state === 'done') assert.ok(told.includes(`${device} ${MILESTONES.activated}`));
      }
      assert.equal(
        gateway.drain(crashes),
        queued.map(({ sequence }) => sequence),
      );
      assert.is(gateway.outbox.waitingFor(SUPPLIER), 0);
    },
  );
  fc.assert(property, { seed: 13, numRuns: 200 });
});

test.run();
