/** Frames that are no query, no request for data and no report, and calls that are wrong. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ZclOtaServer } from '../../../src/protocol/zcl-ota/server.ts';
import type { Activation } from '../../../src/protocol/zcl-ota/session.ts';
import { assignmentOf, Fixture } from './fixture.ts';
import {
  block,
  defaultResponse,
  end,
  names,
  offer,
  page,
  query,
  refusal,
  request,
  response,
  seeded,
  specificFile,
  TRIPLE,
  u32,
  upgradeEnd,
} from './naive-frames.ts';

const HOLD = 0xffffffff;
const OLD = { ...TRIPLE, fileVersion: 0x01020303 };

/** A device that has the image, down to its last byte. */
function downloaded(activation: Activation): Fixture {
  const fixture = Fixture.assigned({ activation });
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .receive(block(2, TRIPLE, 990, 50))
    .take();
  fixture.says('started');
  return fixture;
}

test('release: nothing is offered, blocks are refused, ends are held', () => {
  const fixture = downloaded({ when: 'now' });
  fixture.call((server) => server.release(0));
  fixture.receive(query(1, OLD)).sends(refusal(1, 0x98));
  fixture.receive(block(2, TRIPLE, 0, 50)).sends(defaultResponse(2, 3, 0x98));
  fixture.receive(end(3, 0, TRIPLE)).sends(upgradeEnd(3, TRIPLE, HOLD));
  assert.is(fixture.server.progress(0, fixture.progress()), false);
});

test("a device's default response is an event", () => {
  const fixture = Fixture.assigned();
  fixture.receive(Uint8Array.of(0x10, 7, 0x0b, 7, 1)).sends();
  assert.equal(fixture.takeEvents(), [{ kind: 'answered', device: 0, command: 7, status: 1 }]);
});

test('unknown commands and commands of a server are not supported; other frames are let be', () => {
  const fixture = Fixture.assigned();
  fixture.receive(request(7, 0x0a, 1, 2)).sends(defaultResponse(7, 0x0a, 0x81));
  fixture.receive(request(7, 0xff)).sends(defaultResponse(7, 0xff, 0x81));
  fixture.receive(request(7, 0x00, 0, 100)).sends(defaultResponse(7, 0, 0x81));
  fixture.receive(request(7, 0x05, 0x95)).sends(defaultResponse(7, 5, 0x81));
  // Read attributes, a reserved frame type, our own answers coming back, a query in the wrong direction.
  fixture.receive(Uint8Array.of(0x00, 7, 0x00, 2, 0)).sends();
  fixture.receive(Uint8Array.of(0x02, 7, 0x03)).sends();
  fixture.receive(offer(7, TRIPLE, 5)).sends();
  fixture.receive(response(7, 0x0a)).sends();
  fixture.receive(response(7, 0x01, 0, ...names(OLD))).sends();
  fixture
    .receive(response(7, 0x03, 0, ...names(TRIPLE), ...u32(0), 50))
    .sends()
    .says();
});

test("a manufacturer's own commands are not taken for the cluster's", () => {
  const fixture = Fixture.assigned();
  const plains = [query(7, OLD), block(7, TRIPLE, 0, 50), end(7, 0, TRIPLE), request(7, 0x40)];
  // A code whose second byte stands where the command of a block request would.
  for (const code of [
    [0x1d, 0x12],
    [0x03, 0x03],
  ]) {
    for (const plain of plains) {
      const frame = Uint8Array.of(plain[0]! | 4, ...code, ...plain.subarray(1));
      for (let length = 5; length <= frame.length; length++) {
        fixture.receive(frame.subarray(0, length));
        fixture.sends(Uint8Array.of(0x1c, ...code, 7, 0x0b, plain[2]!, 0x81)).says();
      }
    }
  }
});

test("a manufacturer's command that looks like a block request is none", () => {
  const fixture = Fixture.assigned();
  const lookalike = Uint8Array.of(0x05, 9, 3, 0, ...names(TRIPLE), ...u32(0), 50);
  fixture
    .receive(lookalike)
    .sends(Uint8Array.of(0x1c, 9, 3, 0, 0x0b, 0x1d, 0x81))
    .says();
});

test('every truncation of every request is answered, from the third byte on', () => {
  for (const frame of [
    query(7, OLD, 0x1211),
    end(7, 0, TRIPLE),
    end(7, 0x96, TRIPLE),
    specificFile(7, TRIPLE),
    page(7, TRIPLE, 0, 50, 50, 10),
  ]) {
    for (let length = 0; length <= frame.length; length++) {
      const fixture = Fixture.assigned();
      fixture.receive(frame.slice(0, length));
      const sent = fixture.take();
      assert.is(sent.length, length < 3 ? 0 : 1);
      if (length < 3) continue;
      assert.is(sent[0]!.bytes[1], 7);
      const malformed = sent[0]!.bytes[0] === 0x18 && sent[0]!.bytes[4] === 0x80;
      const lenient = frame[2] === 1 && length >= 12;
      const failed = frame[2] === 6 && frame[3] !== 0 && length >= 4;
      assert.is(malformed, length < frame.length && !lenient && !failed);
    }
  }
});

test('random bytes never throw, and never get data of an unauthorised image', () => {
  const seed = 0xf022;
  console.log(`\nSEED ${seed}`);
  const random = seeded(seed);
  const templates = [
    query(1, OLD, 1),
    block(1, TRIPLE, 0, 50, 3, 1, 2, 3),
    page(1, TRIPLE, 0, 50, 100, 10),
    end(1, 0, TRIPLE),
    specificFile(1, TRIPLE),
  ];
  const fixture = Fixture.assigned({ authorised: false, resumable: true });
  for (let round = 0; round < 20_000; round++) {
    const frame = templates[random(templates.length)]!.slice(0, random(30));
    for (let turns = random(4); turns > 0; turns--) frame[random(frame.length)] = random(256);
    fixture.receive(frame).pass(random(200));
    for (const { bytes } of fixture.take()) {
      assert.not.ok(bytes[0] === 0x19 && bytes[2] === 5 && bytes[3] === 0, 'data left');
      assert.not.ok(bytes[2] === 2 && bytes[3] === 0, 'an offer left');
    }
    fixture.takeEvents();
  }
});

test('device numbers that were never added are a programming error in every call', () => {
  for (const device of [-1, 1, 0.5, Number.NaN]) {
    const { server } = Fixture.assigned();
    const calls: ((server: ZclOtaServer) => void)[] = [
      () => server.assign(device, assignmentOf(), 0),
      () => server.release(device),
      () => server.authorise(device, 'anything'),
      () => server.setResumable(device),
      () => server.setPace(device, 0),
      () => server.park(device, 0, 0),
      () => server.unpark(device),
      () => server.abort(device),
      () => server.notify(device, 0),
      () => server.activate(device, { when: 'now' }, 0),
      () => server.progress(device, {} as never),
      () => server.handleFrame(device, block(1, TRIPLE, 0, 50), 0),
    ];
    for (const call of calls) assert.throws(() => call(server), /was added/);
    assert.is(server.addDevice(), 1);
  }
  const { server } = new Fixture(new ZclOtaServer());
  assert.is(server.addDevice(), 0);
  assert.throws(() => server.authorise(0, 'anything'), /without an image/);
  assert.throws(() => server.activate(0, { when: 'now' }, 0), /without an image/);
  assert.throws(() => server.assign(0, assignmentOf({ image: new Uint8Array(0) }), 0), /bytes/);
  assert.throws(() => server.assign(0, assignmentOf({ blockBytesMax: 256 }), 0), /bytes/);
});

test('an idle server asks for no wake-up', () => {
  const fixture = new Fixture();
  for (let i = 0; i < 5; i++) fixture.server.addDevice();
  fixture.server.handleTimeout(fixture.nowMs);
  assert.is(fixture.server.pollTimeout(), Number.POSITIVE_INFINITY);
  assert.is(fixture.server.pollTransmit(fixture.nowMs), undefined);
  assert.is(fixture.server.pollEvent(), undefined);
});

test.run();
