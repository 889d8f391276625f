/** Pace by delay and by block period, and pages, under a simulated clock. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { assignmentOf, data, Fixture } from './fixture.ts';
import { block, defaultResponse, names, page, TRIPLE, u16, wait } from './naive-frames.ts';

test('pace by delay: answers are held back, up to 2 s, and no further than to the next request', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 300 });
  const beganMs = fixture.nowMs;
  fixture.receive(block(1, TRIPLE, 0, 50)).sends(data(1, 0, 50));
  fixture
    .pass(100)
    .receive(block(2, TRIPLE, 50, 50))
    .sends();
  fixture
    .pass(100)
    .receive(block(3, TRIPLE, 50, 50))
    .sends()
    .pass(1_000);
  const [sent, ...more] = fixture.take();
  assert.is(more.length, 0);
  assert.is(encodeHex(sent!.bytes), encodeHex(data(3, 50, 50)));
  assert.is(sent!.atMs, beganMs + 300);
  fixture
    .pass(1_000)
    .receive(block(4, TRIPLE, 100, 50))
    .sends(data(4, 100, 50));
});

test('pace by delay: a newer request replaces the one held back', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 300 });
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .receive(block(3, TRIPLE, 0, 20))
    .sends();
  fixture
    .pass(300)
    .sends(data(3, 0, 20))
    .pass(1_000)
    .sends();
});

test('pace by delay: over 2 s the device is told to come back, and then served', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 60_000 });
  fixture.receive(block(1, TRIPLE, 0, 50)).sends(data(1, 0, 50));
  fixture
    .pass(500)
    .receive(block(2, TRIPLE, 50, 50))
    .sends(wait(2, 60));
  fixture
    .pass(60_000)
    .receive(block(3, TRIPLE, 50, 50))
    .sends(data(3, 50, 50))
    .says('started');
  const slow = Fixture.assigned({ blockPeriodMs: 10_000_000 });
  slow.receive(block(1, TRIPLE, 0, 50)).take();
  slow.receive(block(2, TRIPLE, 50, 50)).sends(wait(2, 3600));
});

test('the pace may change in mid-download', () => {
  const fixture = Fixture.assigned();
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  fixture.call((server) => server.setPace(0, 500));
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .sends()
    .pass(500)
    .sends(data(2, 50, 50));
  fixture.call((server) => server.setPace(0, 0));
  fixture.receive(block(3, TRIPLE, 100, 50)).sends(data(3, 100, 50));
});

test('block period, a client in milliseconds: taught once, then left to itself', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  fixture.receive(block(1, TRIPLE, 0, 50, 2, ...u16(0))).sends(wait(1, 1, 200));
  for (let i = 0; i < 10; i++) {
    fixture.pass(i === 0 ? 1_200 : 200);
    fixture.receive(block(2, TRIPLE, 50 * i, 50, 2, ...u16(200))).sends(data(2, 50 * i, 50));
  }
  // A lost answer and the client's pause are no proof of seconds.
  fixture
    .pass(5_200)
    .receive(block(3, TRIPLE, 500, 50, 2, ...u16(200)))
    .sends(data(3, 500, 50));
  fixture.call((server) => server.setPace(0, 0));
  fixture
    .pass(200)
    .receive(block(4, TRIPLE, 550, 50, 2, ...u16(200)))
    .sends(wait(4, 1, 0));
  fixture
    .pass(1_000)
    .receive(block(5, TRIPLE, 550, 50, 2, ...u16(0)))
    .sends(data(5, 550, 50));
});

test('block period, a client in seconds: found out by its silence, told 0 and held back instead', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  fixture.receive(block(1, TRIPLE, 0, 50, 2, ...u16(0))).sends(wait(1, 1, 200));
  fixture
    .pass(201_000)
    .receive(block(2, TRIPLE, 0, 50, 2, ...u16(200)))
    .sends(wait(2, 1, 0));
  // That answer was lost: it is told again.
  fixture
    .pass(200_000)
    .receive(block(3, TRIPLE, 0, 50, 2, ...u16(200)))
    .sends(wait(3, 1, 0));
  fixture
    .pass(1_000)
    .receive(block(4, TRIPLE, 0, 50, 2, ...u16(0)))
    .sends(data(4, 0, 50));
  fixture
    .receive(block(5, TRIPLE, 50, 50, 2, ...u16(0)))
    .sends()
    .pass(200)
    .sends(data(5, 50, 50));
});

test('block period: a client that does not take it gets its blocks, held back', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  for (let i = 0; i < 3; i++) {
    fixture
      .receive(block(i, TRIPLE, 0, 50, 2, ...u16(7)))
      .sends(wait(i, 1, 200))
      .pass(1_000);
  }
  fixture.receive(block(4, TRIPLE, 0, 50, 2, ...u16(7))).sends(data(4, 0, 50));
  fixture
    .receive(block(5, TRIPLE, 50, 50, 2, ...u16(7)))
    .sends()
    .pass(200)
    .sends(data(5, 50, 50));
});

test('block period: a client that has ours from before is left to itself', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  fixture.receive(block(1, TRIPLE, 0, 50, 2, ...u16(200))).sends(data(1, 0, 50));
  fixture
    .pass(200)
    .receive(block(2, TRIPLE, 50, 50, 2, ...u16(200)))
    .sends(data(2, 50, 50));
});

test('block period: taught anew at every change of pace, and never over its field', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 100, paceBy: 'block-period' });
  let stated = 0;
  [200, 300, 400, 500, 600, 70_000].forEach((period, i) => {
    const ask = () => block(1, TRIPLE, 50 * i, 50, 2, ...u16(stated));
    fixture.call((server) => server.setPace(0, period));
    const taught = Math.min(period, 0xfffe);
    fixture.receive(ask()).sends(wait(1, 1, taught));
    stated = taught;
    fixture
      .pass(1_000)
      .receive(ask())
      .sends(data(1, 50 * i, 50));
  });
});

test('asking again while an answer is held back, or after a wait, makes no block smaller', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 2_000 });
  fixture.receive(block(1, TRIPLE, 0, 50)).take();
  for (let i = 0; i < 15; i++) fixture.pass(100).receive(block(2, TRIPLE, 500, 50));
  fixture.pass(2_000).sends(data(2, 500, 50));
  const waiting = Fixture.assigned({ blockPeriodMs: 20_000 });
  waiting.receive(block(1, TRIPLE, 0, 50)).take();
  for (let i = 0; i < 15; i++) waiting.pass(100).receive(block(2, TRIPLE, 0, 50));
  assert.is(waiting.progress().blockBytes, 64);
  assert.is(waiting.progress().repeats, 0);
});

test('block period: a client without the field is held back', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  fixture.receive(block(1, TRIPLE, 0, 50, 2)).sends(data(1, 0, 50));
  fixture
    .receive(block(2, TRIPLE, 50, 50))
    .sends()
    .pass(200)
    .sends(data(2, 50, 50));
});

test('a wait does not take back the period that was taught', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 200, paceBy: 'block-period' });
  fixture.call((server, nowMs) => server.park(0, 60_000, nowMs));
  fixture.receive(block(1, TRIPLE, 0, 50, 2, ...u16(200))).sends(wait(1, 60, 200));
});

test('a page: its blocks at the spacing, with the sequence of the request', () => {
  const fixture = Fixture.assigned();
  const beganMs = fixture.nowMs;
  fixture.receive(page(9, TRIPLE, 0, 50, 175, 30)).pass(10_000);
  const sent = fixture.take();
  assert.equal(
    sent.map(({ bytes }) => encodeHex(bytes)),
    [data(9, 0, 50), data(9, 50, 50), data(9, 100, 50), data(9, 150, 25)].map(encodeHex),
  );
  assert.equal(
    sent.map(({ atMs }) => atMs - beganMs),
    [0, 30, 60, 90],
  );
  assert.is(fixture.progress().sentBytes, 175);
});

test('a page over the end of the image stops there, and an answer follows each page', () => {
  const fixture = Fixture.assigned({ resumable: true });
  fixture
    .receive(page(9, TRIPLE, 960, 50, 1024, 30))
    .pass(10_000)
    .sends(data(9, 960, 40));
  fixture.receive(page(9, TRIPLE, 1000, 50, 10, 30)).sends(defaultResponse(9, 4, 0x98));
  fixture.receive(page(9, TRIPLE, 0, 50, 0, 30)).sends(defaultResponse(9, 4, 0x80));
  fixture
    .receive(page(9, TRIPLE, 990, 50, 0xffff, 0))
    .pass(1_000)
    .sends(data(9, 990, 10));
});

test('the spacing of a page is never under 10 ms, nor under the pace', () => {
  const times = (fixture: Fixture) => {
    const beganMs = fixture.nowMs;
    fixture.receive(page(9, TRIPLE, 0, 50, 150, 0)).pass(10_000);
    return fixture.take().map(({ atMs }) => atMs - beganMs);
  };
  assert.equal(times(Fixture.assigned()), [0, 10, 20]);
  assert.equal(times(Fixture.assigned({ blockPeriodMs: 100 })), [0, 100, 200]);
  assert.equal(
    times(Fixture.assigned({ blockPeriodMs: 100, paceBy: 'block-period' })),
    [0, 100, 200],
  );
});

test('pages of one block do not escape the pace', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 300 });
  fixture.receive(page(1, TRIPLE, 0, 50, 50, 10)).sends(data(1, 0, 50));
  fixture
    .receive(page(2, TRIPLE, 50, 50, 50, 10))
    .sends()
    .pass(300)
    .sends(data(2, 50, 50));
  const slow = Fixture.assigned({ blockPeriodMs: 30_000 });
  slow.receive(page(1, TRIPLE, 0, 50, 50, 10)).take();
  slow
    .receive(page(2, TRIPLE, 50, 50, 50, 10))
    .sends(wait(2, 30))
    .pass(100_000)
    .sends();
});

test('the blocks of a page prove their size; a page of one block, asked for again, does not', () => {
  const fixture = Fixture.assigned();
  fixture
    .receive(page(1, TRIPLE, 0, 50, 150, 10))
    .pass(100)
    .take();
  for (let i = 0; i < 6; i++) fixture.receive(block(2, TRIPLE, 150, 50));
  assert.is(fixture.progress().blockBytes, 64);
  const repeated = Fixture.assigned();
  for (let i = 0; i < 4; i++) repeated.receive(page(1, TRIPLE, 0, 63, 63, 10)).pass(100);
  assert.equal(
    repeated.take().map(({ bytes }) => bytes[16]),
    [63, 63, 63, 50, 13],
  );
});

test('a block held back is overtaken by any newer request for data, and by the end', () => {
  const newer = [
    block(3, TRIPLE, 5_000, 50),
    page(3, TRIPLE, 5_000, 50, 50, 10),
    page(3, TRIPLE, 0, 50, 0, 10),
    Uint8Array.of(0x01, 3, 0x06, 0x95),
  ];
  for (const frame of newer) {
    const fixture = Fixture.assigned({ blockPeriodMs: 300 });
    fixture
      .receive(block(1, TRIPLE, 0, 50))
      .receive(block(2, TRIPLE, 50, 50))
      .take();
    fixture.receive(frame).pass(10_000);
    assert.is(fixture.take().length, 1, encodeHex(frame));
  }
});

test('a page is overtaken by any newer request: page, block, query, end', () => {
  const newer: [Uint8Array, number][] = [
    [page(2, TRIPLE, 500, 50, 50, 10), 1],
    [block(2, TRIPLE, 0, 50), 1],
    [block(2, { ...TRIPLE, fileVersion: 1 }, 0, 50), 1],
    [block(2, TRIPLE, 5_000, 50), 1],
    [Uint8Array.of(0x01, 2, 0x01, 0, ...names({ ...TRIPLE, fileVersion: 1 })), 1],
    [Uint8Array.of(0x01, 2, 0x06, 0x95), 1],
  ];
  for (const [frame, answers] of newer) {
    const fixture = Fixture.assigned();
    fixture.receive(page(1, TRIPLE, 0, 50, 1000, 10)).pass(25);
    assert.is(fixture.take().length, 3);
    fixture.receive(frame).pass(10_000);
    assert.is(fixture.take().length, answers, encodeHex(frame));
  }
});

test('a page ends with abort, park, release and a new assignment', () => {
  const enders: ((fixture: Fixture) => void)[] = [
    ({ server }) => server.abort(0),
    ({ server, nowMs }) => server.park(0, 1_000, nowMs),
    ({ server }) => server.release(0),
    ({ server, nowMs }) => server.assign(0, assignmentOf(), nowMs),
  ];
  for (const ender of enders) {
    const fixture = Fixture.assigned();
    fixture.receive(page(1, TRIPLE, 0, 50, 1000, 10)).take();
    ender(fixture);
    fixture.drain().pass(10_000).sends();
  }
});

test('a page to a device that is gone ends after five minutes, and its silence counts from there', () => {
  const fixture = Fixture.assigned();
  fixture
    .receive(page(1, TRIPLE, 0, 50, 1000, 60_000))
    .pass(379_999)
    .says('started');
  fixture.pass(1).says('stalled').pass(3_600_000).says();
  assert.is(fixture.take().length, 6);
});

test('pages of many devices run side by side, each at its spacing', () => {
  const fixture = new Fixture();
  const beganMs = fixture.nowMs;
  for (let device = 0; device < 20; device++) fixture.add();
  for (let device = 0; device < 20; device++) {
    fixture.receive(page(device, TRIPLE, 0, 50, 500, 10 + device), device);
  }
  fixture.pass(10_000);
  const sent = fixture.take();
  for (let device = 0; device < 20; device++) {
    const own = sent.filter((each) => each.device === device);
    assert.equal(
      own.map(({ atMs }) => atMs - beganMs),
      Array.from({ length: 10 }, (_, i) => i * (10 + device)),
    );
    assert.equal(
      own.map(({ bytes }) => encodeHex(bytes)),
      own.map((_, i) => encodeHex(data(device, 50 * i, 50))),
    );
  }
});

test('a driver that drains with an older time sends the block when it is due', () => {
  const fixture = Fixture.assigned({ blockPeriodMs: 300 });
  fixture
    .receive(block(1, TRIPLE, 0, 50))
    .receive(block(2, TRIPLE, 50, 50))
    .take();
  fixture.server.handleTimeout(fixture.nowMs + 300);
  fixture
    .drain()
    .sends()
    .pass(300)
    .sends(data(2, 50, 50));
});

test.run();
