/**
 * Attacks by Service Requests that were good once: rows 22a and 22b of the table of attacks. The bytes are
 * signed and read as others are; what they would do a second time is not done.
 */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RequestBook } from '../../src/duis/request-book.ts';
import { type Intake, takeIn } from '../../src/duis/request-intake.ts';
import { readServiceRequest } from '../../src/duis/request-reader.ts';
import { acceptanceRecords, type RequestRecord } from '../../src/duis/request-records.ts';
import { BROKER, HUB, ORIGINATOR, REQUESTS, requestXml, SIGNERS, utf8 } from '../duis/requests.ts';
import { signNaively } from '../trust/naive-xml-signature.ts';

const test = suite('replayed Service Requests');

const digits = (eui: string) => eui.replaceAll('-', '').toLowerCase();
const SETTINGS = { brokers: [digits(BROKER)], users: new Map([[digits(ORIGINATOR), ['IS']]]) };
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 1, 20);

/** A gateway with its journal, as far as requests are concerned. */
class Desk {
  book = new RequestBook();
  activations = 0;
  readonly journal: RequestRecord[] = [];

  receive(bytes: Uint8Array, nowMs = NOW): Intake {
    const read = readServiceRequest(bytes, SIGNERS);
    assert.ok(read.ok);
    if (!read.ok) return assert.unreachable() as never;
    const { request } = read;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const around = { nowMs, devices: new Set([digits(HUB)]) };
    const intake = takeIn(request, sha256, this.book, SETTINGS, around);
    if (intake.kind !== 'sound') return intake;
    this.activations += 1;
    const of = { request, sha256, duisVersion: '5.1', devices: [digits(HUB)], answer: sha256 };
    for (const body of acceptanceRecords(of, nowMs)) {
      this.journal.push({ ...body, sequence: this.journal.length + 1, atMs: nowMs });
      this.book.apply(this.journal.at(-1)!);
    }
    return intake;
  }

  restart(): void {
    this.book = new RequestBook();
    for (const record of this.journal) this.book.apply(record);
  }
}

const unsigned = (counter: number) =>
  requestXml(REQUESTS['11.3']).replace(':1700000000001<', `:${counter}<`);
const signed = (counter: number) => utf8(signNaively(unsigned(counter)));

test('22a the same activation again, at once, later and after a restart', () => {
  const desk = new Desk();
  const bytes = signed(100);
  assert.is(desk.receive(bytes).kind, 'sound');
  const answer = createHash('sha256').update(bytes).digest('hex');
  for (const nowMs of [NOW, NOW + DAY_MS, NOW + 400 * DAY_MS]) {
    assert.equal(desk.receive(bytes, nowMs), { kind: 'repeated', answer });
    desk.restart();
  }
  assert.is(desk.activations, 1);
});

test('22a its RequestID for another time or device', () => {
  const desk = new Desk();
  desk.receive(signed(100));
  const later = unsigned(100).replace('2026-03-01T02', '2026-03-02T02');
  assert.equal(desk.receive(utf8(signNaively(later))), {
    kind: 'turned-away',
    refusal: { origin: 'service', code: 'request-id-other-content' },
  });
  const elsewhere = unsigned(100).replaceAll(HUB, '02-55-50-4C-46-54-10-02');
  assert.equal(desk.receive(utf8(signNaively(elsewhere))), {
    kind: 'turned-away',
    refusal: { origin: 'service', code: 'counter-not-above' },
  });
  assert.is(desk.activations, 1);
});

test('22a an activation that was called off is not brought back by its own bytes', () => {
  const desk = new Desk();
  const dated = signed(100);
  desk.receive(dated);
  assert.is(desk.book.datedBy(digits(HUB)), digits(ORIGINATOR));
  const cancel = unsigned(101).replace('2026-03-01T02:00:00.00Z', '3000-12-31T00:00:00.00Z');
  assert.is(desk.receive(utf8(signNaively(cancel))).kind, 'sound');
  assert.is(desk.receive(dated).kind, 'repeated');
  desk.restart();
  assert.is(desk.book.datedBy(digits(HUB)), undefined);
});

test('22b an older request held back and let through after a newer one', () => {
  const desk = new Desk();
  const held = signed(99);
  desk.receive(signed(100));
  for (let time = 0; time < 2; time++) {
    assert.equal(desk.receive(held), {
      kind: 'turned-away',
      refusal: { origin: 'service', code: 'counter-not-above' },
    });
    desk.restart();
  }
  assert.is(desk.activations, 1);
  assert.is(desk.receive(signed(101)).kind, 'sound', 'the next one is taken');
});

test('22b it stays refused when the journal has let the newer one go', () => {
  const desk = new Desk();
  desk.receive(signed(100));
  for (const body of desk.book.restated()) {
    desk.journal.push({ ...body, sequence: 2, atMs: NOW });
  }
  desk.journal.shift();
  desk.restart();
  assert.is(desk.receive(signed(99)).kind, 'turned-away');
  assert.is(desk.receive(signed(100)).kind, 'turned-away', 'and so does that one');
});

test.run();
