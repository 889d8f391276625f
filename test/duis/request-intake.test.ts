/**
 * A request from its bytes' digest to its answer: what is asked first, and what is written down.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { requestIdText } from '../../src/duis/identifiers.ts';
import { RequestBook } from '../../src/duis/request-book.ts';
import { takeIn } from '../../src/duis/request-intake.ts';
import {
  acceptanceRecords,
  type RequestRecordBody,
  refusalRecord,
} from '../../src/duis/request-records.ts';
import type { ServiceRequest } from '../../src/duis/service-request.ts';
import { BROKER, HASH, HUB_1, SUPPLIER } from './response-samples.ts';

const test = suite('intake');

const SETTINGS = { brokers: [BROKER], users: new Map([[SUPPLIER, ['IS']]]) };
const NOW = 1_000_000;
const AROUND = { nowMs: NOW, devices: new Set([HUB_1]) };

function activation(counter: bigint, execution?: number | 'cancel', variant = 4): ServiceRequest {
  return {
    schemaVersion: '5.1',
    header: {
      requestId: { originator: SUPPLIER, target: HUB_1, counter },
      commandVariant: variant,
      serviceReference: '11.3',
      serviceReferenceVariant: '11.3',
    },
    body: {
      kind: 'ActivateFirmware',
      firmwareHash: HASH,
      ...(execution === undefined ? {} : { execution }),
    },
  };
}

function desk() {
  const book = new RequestBook();
  let sequence = 0;
  const say = (...bodies: RequestRecordBody[]) => {
    for (const body of bodies) book.apply({ ...body, sequence: ++sequence, atMs: NOW });
  };
  const take = (request: ServiceRequest, sha256: string, nowMs = NOW) =>
    takeIn(request, sha256, book, SETTINGS, { ...AROUND, nowMs });
  const accept = (request: ServiceRequest, sha256: string) =>
    say(
      ...acceptanceRecords(
        { request, sha256, duisVersion: '5.1', devices: [HUB_1], answer: `to ${sha256}` },
        NOW,
      ),
    );
  return { book, say, take, accept };
}

test('sound, then the same again, then older ones', () => {
  const { take, accept } = desk();
  assert.equal(take(activation(5n), 'a'), { kind: 'sound' });
  accept(activation(5n), 'a');
  assert.equal(take(activation(5n), 'a'), { kind: 'repeated', answer: 'to a' });
  assert.equal(take(activation(5n), 'b'), {
    kind: 'turned-away',
    refusal: { origin: 'service', code: 'request-id-other-content' },
  });
  assert.equal(take(activation(4n), 'c'), {
    kind: 'turned-away',
    refusal: { origin: 'service', code: 'counter-not-above' },
  });
});

test('what does not fit is refused for good, and its answer repeated', () => {
  const { take, say } = desk();
  const wrong = activation(5n, undefined, 1);
  const refused = take(wrong, 'a');
  assert.is(refused.kind, 'refused');
  if (refused.kind !== 'refused') return;
  assert.is(refused.refusal.code, 'variant-not-served');
  assert.is(refused.findings.length, 1);
  say(refusalRecord(wrong, { sha256: 'a', refusal: refused.refusal, answer: 'no' }));
  assert.equal(take(wrong, 'a'), { kind: 'repeated', answer: 'no' });
});

test('the same again is answered as then, though its time has passed since', () => {
  const { take, accept } = desk();
  const dated = activation(5n, NOW + 1_000);
  assert.is(take(dated, 'a').kind, 'sound');
  accept(dated, 'a');
  assert.is(take(dated, 'a', NOW + 3_600_000).kind, 'repeated');
});

test('a cancellation needs what it cancels, once', () => {
  const { book, take, accept } = desk();
  const codeOf = (request: ServiceRequest) => {
    const intake = take(request, `${request.header.requestId.counter}`);
    return intake.kind === 'refused' ? intake.refusal.code : intake.kind;
  };
  assert.is(codeOf(activation(1n, 'cancel')), 'nothing-to-cancel');
  accept(activation(2n, NOW + 1_000), '2');
  assert.is(codeOf(activation(3n, 'cancel')), 'sound');
  accept(activation(3n, 'cancel'), '3');
  assert.is(codeOf(activation(4n, 'cancel')), 'nothing-to-cancel');
  assert.equal(book.due(NOW + 10_000), [], 'it is never done');
});

test('a predecessor has to have been taken', () => {
  const { take, accept } = desk();
  const after = activation(5n);
  after.header.precedingRequestId = { originator: SUPPLIER, target: HUB_1, counter: 1n };
  const refused = take(after, 'a');
  assert.is(refused.kind === 'refused' && refused.refusal.code, 'preceding-unknown');
  accept(activation(1n), 'b');
  assert.is(take(after, 'a').kind, 'sound');
});

test('a settled request keeps its decision and lets its devices go', () => {
  const { book, take, say, accept } = desk();
  accept(activation(5n), 'a');
  const requestId = requestIdText(activation(5n).header.requestId);
  assert.is(book.request(requestId)?.devices.size, 1);
  say({ kind: 'duis-request', step: 'settled', requestId });
  assert.is(book.request(requestId)?.devices.size, 0);
  assert.is(take(activation(5n), 'a').kind, 'repeated');
});

test.run();
