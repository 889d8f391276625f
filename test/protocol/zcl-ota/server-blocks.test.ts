/** Block requests: what is answered, and how much. Pages and pace: server-pace.test.ts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeOtaFrame, encodeOtaFrame } from '../../../src/protocol/zcl-ota/codec.ts';
import { assignmentOf, data, Fixture, IMAGE } from './fixture.ts';
import {
  abortData,
  block,
  defaultResponse,
  type Names,
  page,
  seeded,
  TRIPLE,
  u16,
  wait,
} from './naive-frames.ts';

const EUI = [8, 7, 6, 5, 4, 3, 2, 1];

test('blocks of every size, from the first to the rest of the last', () => {
  const fixture = Fixture.assigned();
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .sends(data(1, 0, 50))
    .says('started');
  fixture.receive(block(2, TRIPLE, 50, 1)).sends(data(2, 50, 1));
  fixture.receive(block(255, TRIPLE, 51, 63)).sends(data(255, 51, 63));
  fixture.receive(block(0, TRIPLE, 990, 50)).sends(data(0, 990, 10));
  fixture
    .receive(block(1, TRIPLE, 999, 50))
    .sends(data(1, 999, 1))
    .says();
  assert.is(fixture.progress().sentBytes, 1000);
  assert.is(fixture.progress().blocks, 5);
});

test('maximum data 0 gets 40 bytes, 255 gets our limit', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 0)).sends(data(1, 0, 40));
  fixture.receive(block(2, TRIPLE, 40, 255)).sends(data(2, 40, 64));
  const small = Fixture.assigned({ blockBytesMax: 48 });
  small.receive(block(2, TRIPLE, 0, 255)).sends(data(2, 0, 48));
});

test('optional fields, announced and missing, or there and not announced, change nothing', () => {
  const fixture = Fixture.assigned();
  const tails = [[], EUI, u16(200), [...EUI, ...u16(200)], [1], EUI.slice(3)];
  for (let control = 0; control < 4; control++) {
    for (const tail of tails) {
      fixture.receive(block(7, TRIPLE, 0, 20, control, ...tail)).sends(data(7, 0, 20));
      fixture.receive(block(7, TRIPLE, 20, 20, control, ...tail)).sends(data(7, 20, 20));
    }
  }
});

test('past the end, at the end and over 2^31 there is nothing', () => {
  const fixture = Fixture.assigned({ resumable: true });
  for (const offset of [1000, 1001, 0x7fffffff, 0x80000000, 0xffffffff]) {
    fixture.receive(block(3, TRIPLE, offset, 50)).sends(defaultResponse(3, 3, 0x98));
  }
  fixture.says();
  assert.is(fixture.progress().blocks, 0);
});

test('foreign triples, wildcards among them, get nothing and are told of', () => {
  const fixture = Fixture.assigned();
  const foreign: Names[] = [
    { ...TRIPLE, manufacturerCode: 0x121e },
    { ...TRIPLE, imageType: 0x85 },
    { ...TRIPLE, fileVersion: 0x01020305 },
    { manufacturerCode: 0xffff, imageType: 0xffff, fileVersion: 0xffffffff },
    { ...TRIPLE, fileVersion: 0xffffffff },
  ];
  for (const triple of foreign) {
    fixture.receive(block(3, triple, 0, 50)).sends(defaultResponse(3, 3, 0x98));
    assert.equal(fixture.takeEvents(), [{ kind: 'foreign-request', device: 0, triple }]);
    fixture.receive(page(4, triple, 0, 50, 100, 10)).sends(defaultResponse(4, 4, 0x98));
    fixture.says('foreign-request').pass(1_000).sends();
  }
});

test('a device without an assignment gets nothing', () => {
  const fixture = new Fixture();
  fixture.server.addDevice();
  fixture.receive(block(3, TRIPLE, 0, 50)).sends(defaultResponse(3, 3, 0x98));
  fixture.says('foreign-request').pass(100_000_000).says();
});

test('image types from 0xFFC0 and versions with the highest bit are served', () => {
  const triple = { manufacturerCode: 0xfffe, imageType: 0xffc1, fileVersion: 0xfedcba98 };
  const fixture = Fixture.assigned({ triple });
  fixture.receive(block(3, triple, 0, 5)).sends(data(3, 0, 5, IMAGE, triple));
});

test('random requests on the hot path are answered byte for byte as the codec writes it', () => {
  const seed = 0x0f70;
  console.log(`\nSEED ${seed}`);
  const random = seeded(seed);
  for (let round = 0; round < 300; round++) {
    const triple = {
      manufacturerCode: random(0x10000),
      imageType: random(0x10000),
      fileVersion: random(0x100000000),
    };
    const image = Uint8Array.from({ length: 1 + random(2_000) }, () => random(256));
    const fixture = Fixture.assigned({ image, triple, resumable: true, blockBytesMax: 255 });
    for (let request = 0; request < 10; request++) {
      const fileOffset = random(image.length);
      const maximumDataBytes = 1 + random(255);
      const sequence = random(256);
      const options = random(2) ? { requestNodeEui64: '0102030405060708' } : {};
      const asked = { ...triple, fileOffset, maximumDataBytes, ...options };
      fixture.receive(encodeOtaFrame({ kind: 'image-block-request', ...asked }, sequence));
      const part = image.subarray(fileOffset, fileOffset + maximumDataBytes);
      const expected = { kind: 'image-block-response', ...triple, fileOffset, data: part } as const;
      fixture.sends(encodeOtaFrame(expected, sequence));
    }
  }
});

test('a block asked for again and again gets smaller: late where that size was taken before', () => {
  const sizes = (fixture: Fixture, offset: number, times: number) => {
    for (let i = 0; i < times; i++) fixture.receive(block(1, TRIPLE, offset, 63));
    return fixture.take().map(({ bytes }) => bytes[16]);
  };
  const fixture = Fixture.assigned();
  assert.equal(sizes(fixture, 0, 14), [63, 63, 63, 50, 50, 50, 40, 40, 40, 32, 32, 32, 32, 32]);
  assert.is(fixture.progress().repeats, 13);
  const proven = Fixture.assigned();
  assert.equal(sizes(proven, 0, 1), [63]);
  assert.equal(sizes(proven, 63, 8), [63, 63, 63, 63, 63, 63, 50, 50]);
});

test('repeats of different blocks do not add up', () => {
  const fixture = Fixture.assigned();
  for (const offset of [0, 0, 0, 500, 500, 200, 200]) fixture.receive(block(1, TRIPLE, offset, 63));
  assert.is(fixture.progress().blockBytes, 64);
});

test('the end of the image, asked for again and again, does not make blocks smaller', () => {
  const fixture = Fixture.assigned({ resumable: true });
  for (let i = 0; i < 20; i++) fixture.receive(block(1, TRIPLE, 995, 63));
  assert.is(fixture.progress().blockBytes, 64);
});

test('repeats, jumps back and skips are answered by the offset alone', () => {
  const fixture = Fixture.assigned();
  for (const offset of [0, 50, 50, 0, 500, 100, 950, 0]) {
    fixture.receive(block(9, TRIPLE, offset, 50)).sends(data(9, offset, 50));
  }
});

test('nothing leaves before the assignment is authorised', () => {
  const fixture = Fixture.assigned({ authorised: false, resumable: true });
  fixture.receive(block(1, TRIPLE, 0, 50)).sends(wait(1, 2));
  fixture.receive(page(2, TRIPLE, 100, 50, 500, 10)).sends(wait(2, 2));
  assert.equal(fixture.takeEvents(), [
    { kind: 'asks-unauthorised', device: 0, offset: 0 },
    { kind: 'asks-unauthorised', device: 0, offset: 100 },
  ]);
  fixture.pass(10_000).sends();
  fixture.call((server) => server.authorise(0, 'anything')).sends();
  fixture
    .receive(block(3, TRIPLE, 0, 50))
    .sends(data(3, 0, 50))
    .says('started');
});

test('authorising one of two devices with one assignment object does not authorise the other', () => {
  const fixture = new Fixture();
  const shared = assignmentOf({ authorised: false });
  for (let i = 0; i < 2; i++) fixture.server.assign(fixture.server.addDevice(), shared, 0);
  fixture.call((server) => server.authorise(0, 'anything'));
  fixture.receive(block(1, TRIPLE, 0, 50), 1).sends(wait(1, 2));
  assert.is(shared.authorised, false);
});

test('an unknown partial download is told to drop, until the device begins anew', () => {
  const fixture = Fixture.assigned();
  for (let i = 0; i < 3; i++) {
    fixture.receive(block(5, TRIPLE, 50, 50)).sends(abortData(5));
    assert.equal(fixture.takeEvents(), [{ kind: 'partial-dropped', device: 0, offset: 50 }]);
  }
  fixture
    .receive(page(5, TRIPLE, 50, 50, 100, 10))
    .sends(abortData(5))
    .says('partial-dropped');
  fixture
    .receive(block(6, TRIPLE, 0, 50))
    .sends(data(6, 0, 50))
    .says('started');
  fixture
    .receive(block(7, TRIPLE, 50, 50))
    .sends(data(7, 50, 50))
    .says();
});

test('a known partial download goes on where it was', () => {
  const fixture = Fixture.assigned({ resumable: true });
  fixture.receive(block(5, TRIPLE, 950, 50)).sends(data(5, 950, 50));
  assert.equal(fixture.takeEvents(), [{ kind: 'started', device: 0, offset: 950 }]);
  const later = Fixture.assigned();
  later.call((server) => server.setResumable(0));
  later.receive(block(5, TRIPLE, 950, 50)).sends(data(5, 950, 50));
});

test('abort is sticky until the device is assigned anew', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.call((server) => server.abort(0));
  for (let i = 0; i < 3; i++) fixture.receive(block(2, TRIPLE, 0, 50)).sends(abortData(2));
  fixture
    .receive(page(3, TRIPLE, 0, 50, 100, 10))
    .sends(abortData(3))
    .pass(1_000)
    .sends();
  fixture.call((server) => {
    server.authorise(0, 'anything');
    server.setPace(0, 0);
    server.unpark(0);
  });
  fixture
    .receive(block(2, TRIPLE, 0, 50))
    .sends(abortData(2))
    .says('started');
  fixture.call((server, nowMs) => server.assign(0, assignmentOf({ authorised: true }), nowMs));
  fixture.receive(block(4, TRIPLE, 0, 50)).sends(data(4, 0, 50));
});

test('a parked device is told to come back, an hour at most, and goes on afterwards', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.call((server, nowMs) => server.park(0, 2 * 3_600_000, nowMs)).sends();
  assert.is(fixture.progress().parked, false, 'it has not been told yet');
  fixture.receive(block(2, TRIPLE, 50, 50)).sends(wait(2, 3600));
  assert.is(fixture.progress().parked, true);
  fixture
    .pass(3_600_000)
    .receive(page(3, TRIPLE, 50, 50, 100, 10))
    .sends(wait(3, 3600));
  fixture
    .pass(3_599_000)
    .receive(block(4, TRIPLE, 50, 50))
    .sends(wait(4, 1));
  fixture
    .pass(1_000)
    .receive(block(5, TRIPLE, 50, 50))
    .sends(data(5, 50, 50));
  assert.is(fixture.progress().parked, false);
  fixture.call((server, nowMs) => server.park(0, 60_000, nowMs));
  fixture.call((server) => server.unpark(0));
  fixture.receive(block(6, TRIPLE, 100, 50)).sends(data(6, 100, 50));
});

test('a wait that the device was told to keep is no stall', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.call((server, nowMs) => server.park(0, 100_000, nowMs));
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .sends(wait(2, 100))
    .says('started');
  fixture.pass(119_999).says();
  fixture.pass(1);
  assert.equal(fixture.takeEvents(), [{ kind: 'stalled', device: 0, silentMs: 120_000 }]);
});

test('every stall is told of, once each', () => {
  const fixture = Fixture.assigned();
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .pass(100_000)
    .says('started', 'stalled');
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .pass(19_999)
    .says()
    .pass(1)
    .says('stalled');
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .pass(100_000)
    .says('stalled')
    .pass(1e9)
    .says();
});

test('a block held back is not sent for a new assignment, however late the driver drains', () => {
  const other = IMAGE.slice().reverse();
  const fixture = Fixture.assigned({ blockPeriodMs: 300 });
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .receive(block(2, TRIPLE, 50, 50))
    .take();
  fixture.nowMs += 300;
  const { server, nowMs } = fixture;
  server.handleTimeout(nowMs);
  server.assign(0, assignmentOf({ image: other, authorised: true, blockPeriodMs: 300 }), nowMs);
  server.handleFrame(0, block(3, TRIPLE, 0, 50), nowMs);
  fixture.drain().sends(data(3, 0, 50, other));
  server.handleFrame(0, block(4, TRIPLE, 50, 50), nowMs);
  fixture
    .drain()
    .sends()
    .pass(300)
    .sends(data(4, 50, 50, other));
});

test('a driver that wakes late and drains late sends each block once', () => {
  const fixture = Fixture.assigned();
  fixture.server.handleFrame(0, page(1, TRIPLE, 0, 50, 100, 10), fixture.nowMs);
  fixture.server.handleFrame(0, page(2, TRIPLE, 0, 50, 100, 10), fixture.nowMs);
  for (let i = 0; i < 50; i++) fixture.server.handleTimeout(fixture.nowMs + i);
  fixture
    .drain()
    .sends(data(2, 0, 50))
    .pass(10_000)
    .sends(data(2, 50, 50));
});

test('a caller that never drains fails, and does not fill the memory', () => {
  const fixture = Fixture.assigned();
  const flood = () => {
    for (let i = 0; i < 100_000; i++) fixture.server.notify(0, 0);
  };
  assert.throws(flood, /drained/);
  const events = Fixture.assigned({ authorised: false });
  const floodEvents = () => {
    for (let i = 0; i < 100_000; i++)
      events.server.handleFrame(0, Uint8Array.of(0x18, 1, 0x0b, 0, 0), 0);
  };
  assert.throws(floodEvents, /drained/);
});

test('every truncation of a block and a page request is answered with a code or as meant', () => {
  const whole = [
    block(1, TRIPLE, 0, 50, 3, ...EUI, ...u16(200)),
    page(1, TRIPLE, 0, 50, 100, 10),
    block(1, TRIPLE, 0, 50),
  ];
  for (const frame of whole) {
    for (let length = 0; length < frame.length; length++) {
      const fixture = Fixture.assigned();
      const cut = frame.slice(0, length);
      fixture.receive(cut);
      if (length < 3) fixture.sends();
      else if (decodeOtaFrame(cut).ok) fixture.sends(data(1, 0, 50));
      else fixture.sends(defaultResponse(1, frame[2]!, 0x80)).says();
    }
  }
});

test.run();
