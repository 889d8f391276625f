/**
 * The book of requests: one decision an id, whatever comes again, late or out of order, and over
 * restarts.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceTable } from '../../src/duis/device-table.ts';
import { requestIdText } from '../../src/duis/identifiers.ts';
import { RequestBook } from '../../src/duis/request-book.ts';
import {
  acceptanceRecords,
  isMessageRecord,
  isRequestRecord,
  type MessageRecordBody,
  type RequestRecordBody,
  refusalRecord,
} from '../../src/duis/request-records.ts';
import type { RequestBody, RequestId } from '../../src/duis/service-request.ts';
import { DEVICES_A_RECORD } from '../../src/jobs/records.ts';
import { BROKER, HASH, HUB_1, HUB_2, SUPPLIER } from './response-samples.ts';

const test = suite('the book of requests');

const OTHER = '0255504c46540003';
const REFUSAL = { origin: 'service', code: 'role-not-allowed' } as const;
const NOW = 1_000_000;

/** A journal and the book that is built of it: `restart` builds another one. */
class Desk {
  readonly journal: string[] = [];
  book = new RequestBook();

  say(...bodies: (RequestRecordBody | MessageRecordBody)[]): void {
    for (const body of bodies) {
      if (body.kind === 'duis-request') this.book.assertFits(body);
      const record = {
        ...body,
        sequence: this.journal.length + 1,
        atMs: NOW + this.journal.length,
      };
      this.journal.push(JSON.stringify(record));
      this.book.apply(record);
    }
  }

  restart(): void {
    this.book = new RequestBook();
    for (const line of this.journal) {
      const record = JSON.parse(line);
      if (isRequestRecord(record) || isMessageRecord(record)) this.book.apply(record);
    }
  }

  /** As a gateway does: judged, then decided and written down, or answered again. */
  receive(requestId: RequestId, body: RequestBody, sha256: string, isGood = true): string {
    const judged = this.book.judge(requestId, sha256);
    if (judged.kind === 'repeated') return judged.answer;
    if (judged.kind === 'refused') return judged.code;
    const answer = `answer ${this.journal.length}`;
    const header = { requestId, serviceReference: '11.3', serviceReferenceVariant: '11.3' };
    const request = { schemaVersion: '5.1', header: { ...header, commandVariant: 4 }, body };
    if (!isGood) {
      this.say(refusalRecord(request, { sha256, refusal: REFUSAL, answer }));
      return answer;
    }
    const devices = 'deviceIds' in body ? body.deviceIds : [requestId.target];
    this.say(...acceptanceRecords({ request, sha256, duisVersion: '5.1', devices, answer }, NOW));
    return answer;
  }
}

const id = (counter: number, target = HUB_1, originator = SUPPLIER): RequestId => ({
  originator,
  target,
  counter: BigInt(counter),
});
const activation = (execution?: number | 'cancel'): RequestBody => ({
  kind: 'ActivateFirmware',
  firmwareHash: HASH,
  ...(execution === undefined ? {} : { execution }),
});

test('the same again gets the first answer, and is not done again', () => {
  const desk = new Desk();
  const first = desk.receive(id(5), activation(), 'a');
  const records = desk.journal.length;
  assert.is(desk.receive(id(5), activation(), 'a'), first);
  desk.restart();
  assert.is(desk.receive(id(5), activation(), 'a'), first);
  assert.is(desk.journal.length, records);
});

test('what was refused is refused again by its first answer', () => {
  const desk = new Desk();
  const first = desk.receive(id(5), activation(), 'a', false);
  assert.is(desk.receive(id(5), activation(), 'a'), first);
  assert.not.ok(desk.book.isAccepted(requestIdText(id(5))));
});

test('another content under one id, and counters that do not rise, are refused', () => {
  const desk = new Desk();
  desk.receive(id(5), activation(), 'a');
  assert.is(desk.receive(id(5), activation(), 'b'), 'request-id-other-content');
  assert.is(desk.receive(id(4), activation(), 'c'), 'counter-not-above');
  assert.is(desk.receive(id(5, HUB_2), activation(), 'd'), 'counter-not-above', 'by originator');
  assert.match(desk.receive(id(1, HUB_1, OTHER), activation(), 'e'), /^answer/);
  assert.match(desk.receive(id(6), activation(), 'f'), /^answer/);
});

test('counters are compared as numbers of 64 bits', () => {
  const desk = new Desk();
  const high = { ...id(0), counter: 2n ** 64n - 2n };
  desk.receive({ ...high, counter: 2n ** 64n - 3n }, activation(), 'a');
  assert.match(desk.receive(high, activation(), 'b'), /^answer/);
  desk.restart();
  assert.is(desk.receive({ ...high, counter: 10n }, activation(), 'c'), 'counter-not-above');
  assert.match(desk.receive({ ...high, counter: 2n ** 64n - 1n }, activation(), 'd'), /^answer/);
});

test('a second decision of one id is never written down', () => {
  const desk = new Desk();
  desk.receive(id(5), activation(), 'a');
  const [record] = desk.journal.map((line) => JSON.parse(line));
  assert.throws(() => desk.book.assertFits(record), /decided once/);
  assert.throws(() => desk.book.apply(record), /decided once/);
});

test('duplicates, late ones and strange orders never make two acceptances of one id', () => {
  const arrival = fc.record({
    counter: fc.integer({ min: 0, max: 8 }),
    target: fc.constantFrom(HUB_1, HUB_2),
    originator: fc.constantFrom(SUPPLIER, OTHER),
    sha256: fc.constantFrom('a', 'b'),
    isGood: fc.boolean(),
    restarts: fc.boolean(),
    retires: fc.boolean(),
  });
  const property = fc.property(fc.array(arrival, { maxLength: 60 }), (arrivals) => {
    const desk = new Desk();
    const answers = new Map<string, string>();
    for (const { counter, target, originator, sha256, isGood, restarts, retires } of arrivals) {
      const requestId = id(counter, target, originator);
      const got = desk.receive(requestId, activation(), sha256, isGood);
      const key = `${requestIdText(requestId)} ${sha256}`;
      if (got.startsWith('answer')) {
        assert.is(answers.get(key) ?? got, got);
        answers.set(key, got);
      }
      if (restarts) desk.restart();
      if (retires) {
        desk.say(...desk.book.restated());
        desk.book.retire(NOW + desk.journal.length);
      }
    }
    const accepted = desk.journal
      .map((line) => JSON.parse(line))
      .filter(({ step }) => step === 'accepted' || step === 'refused');
    const ids = accepted.map(({ requestId }) => requestId);
    assert.is(new Set(ids).size, ids.length);
    for (const originator of ['02-55-50-4C-46-54-00-01', '02-55-50-4C-46-54-00-03']) {
      const counters = ids
        .filter((text: string) => text.startsWith(originator))
        .map((text: string) => Number(text.split(':')[2]));
      assert.equal(
        counters,
        [...new Set(counters)].sort((a, b) => a - b),
      );
    }
  });
  fc.assert(property, { seed: 22, numRuns: 400 });
});

test('counters outlive the records that raised them', () => {
  const desk = new Desk();
  desk.receive(id(5), activation(), 'a');
  desk.say(...desk.book.restated());
  desk.journal.shift();
  desk.restart();
  assert.is(desk.receive(id(5), activation(), 'a'), 'counter-not-above', 'not done a second time');
  assert.match(desk.receive(id(6), activation(), 'b'), /^answer/);
});

test('a counter that is said again never lowers one', () => {
  const desk = new Desk();
  desk.receive(id(5), activation(), 'a');
  desk.say({ kind: 'duis-request', step: 'counter', requestId: requestIdText(id(3)) });
  assert.is(desk.receive(id(4), activation(), 'b'), 'counter-not-above');
});

test('an activation that is dated for later waits, is put off, called off, or done', () => {
  const desk = new Desk();
  desk.receive(id(1), activation(NOW + 50), 'a');
  assert.is(desk.book.datedBy(HUB_1), SUPPLIER);
  assert.is(desk.book.nextDueMs(), NOW + 50);
  assert.equal(desk.book.due(NOW + 49), []);
  desk.receive(id(2), activation(NOW + 90), 'b');
  desk.restart();
  assert.equal(desk.book.due(NOW + 89), [], 'the later one counts');
  assert.equal(desk.book.due(NOW + 90), [
    {
      requestId: requestIdText(id(2)),
      originator: SUPPLIER,
      deviceId: HUB_1,
      executionMs: NOW + 90,
    },
  ]);
  desk.receive(id(3), activation('cancel'), 'c');
  assert.is(desk.book.datedBy(HUB_1), undefined);
  assert.is(desk.book.nextDueMs(), undefined);

  desk.receive(id(4, HUB_2), activation(NOW + 10), 'd');
  assert.is(desk.book.neededSinceMs(), NOW, 'of none was it said yet what became of it');
  for (const counter of [1, 2, 3])
    desk.say({ kind: 'duis-request', step: 'settled', requestId: requestIdText(id(counter)) });
  assert.is(desk.book.neededSinceMs(), NOW + 3);
  desk.book.retire(NOW + 1_000);
  assert.ok(desk.book.isAccepted(requestIdText(id(4, HUB_2))), 'what waits is not forgotten');
  assert.not.ok(desk.book.isAccepted(requestIdText(id(1))));
  desk.say({ kind: 'duis-request', step: 'executed', requestId: requestIdText(id(4, HUB_2)) });
  desk.restart();
  assert.equal(desk.book.due(NOW + 100), []);
});

test('readings of several users may be dated for one device', () => {
  const desk = new Desk();
  const reading = (executionMs: number): RequestBody => ({
    kind: 'ReadFirmwareVersion',
    executionMs,
  });
  desk.receive(id(1), reading(NOW + 20), 'a');
  desk.receive(id(1, HUB_1, OTHER), reading(NOW + 10), 'b');
  assert.equal(
    desk.book.due(NOW + 20).map(({ originator }) => originator),
    [OTHER, SUPPLIER],
  );
  assert.is(desk.book.datedBy(HUB_1), undefined, 'they keep no activation away');
});

test('a time that has come is no time for later', () => {
  const desk = new Desk();
  desk.receive(id(1), activation(NOW), 'a');
  assert.is(desk.book.datedBy(HUB_1), undefined);
});

test('a request for 50,000 devices: several records, one table, marks that outlive a restart', () => {
  const desk = new Desk();
  const deviceIds = Array.from({ length: 50_000 }, (_, n) =>
    (0x0255504c00000000n + BigInt(n * 7)).toString(16).padStart(16, '0'),
  );
  const body: RequestBody = {
    kind: 'UpdateFirmware',
    image: new Uint8Array(),
    firmwareVersion: '00010203',
    deviceIds,
  };
  desk.receive(id(1, BROKER), body, 'a');
  assert.is(desk.journal.length, 50_000 / DEVICES_A_RECORD);
  assert.ok(desk.journal.every((line) => line.length < 256 * 1024));
  const requestId = requestIdText(id(1, BROKER));
  const about = { requestId, mark: 2, devices: deviceIds.slice(0, 3) };
  desk.say({ kind: 'duis-message', step: 'queued', user: SUPPLIER, body: 'b', about });
  desk.say({ kind: 'duis-request', step: 'jobs', requestId, jobs: ['j1', 'j2'] });
  desk.restart();
  const request = desk.book.request(requestId)!;
  assert.is(request.devices.size, 50_000);
  assert.is(request.devices.marksOf(deviceIds[2]!), 2);
  assert.is(request.devices.marksOf(deviceIds[3]!), 0);
  assert.equal(request.jobs, ['j1', 'j2']);
  assert.is(request.firmwareVersion, '00010203');
  assert.equal(
    [...desk.book.accepted()].map((one) => one.id),
    [requestId],
  );
});

test('records of requests that are retired are passed over', () => {
  const desk = new Desk();
  const requestId = requestIdText(id(1));
  desk.say({ kind: 'duis-request', step: 'devices', requestId, devices: [HUB_1] });
  desk.say({ kind: 'duis-request', step: 'jobs', requestId, jobs: ['j1'] });
  desk.say({ kind: 'duis-request', step: 'executed', requestId });
  assert.is(desk.book.request(requestId), undefined);
});

test('a table of devices holds what a map does', () => {
  const device = fc
    .bigInt({ min: 0n, max: 2n ** 64n - 1n })
    .map((n) => n.toString(16).padStart(16, '0'));
  const property = fc.property(
    fc.array(device, { maxLength: 40 }),
    fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 255 })), { maxLength: 40 }),
    (devices, marks) => {
      const table = new DeviceTable([...devices, ...devices]);
      const oracle = new Map(devices.map((one) => [one, 0]));
      assert.is(table.size, oracle.size);
      for (const [index, mark] of marks) {
        const one = devices[index] ?? 'ffffffffffffffff';
        table.mark(one, mark);
        if (oracle.has(one)) oracle.set(one, oracle.get(one)! | mark);
      }
      for (const [one, mark] of oracle) assert.is(table.marksOf(one), mark);
      assert.equal([...table.deviceIds()], [...oracle.keys()].sort());
    },
  );
  fc.assert(property, { seed: 3, numRuns: 200 });
  assert.not.ok(new DeviceTable([]).has(HUB_1));
});

test.run();
