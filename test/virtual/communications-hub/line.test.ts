/**
 * The line behind a hub: its rate in both directions, the latency of an adapter, the receive pool
 * that overruns, and every fault that can be switched on.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LineReceiver } from '../../../src/virtual/communications-hub/line-receiver.ts';
import type { HubFaults } from '../../../src/virtual/communications-hub/options.ts';
import { Bench, GEOMETRY, makeImage, naiveLines, naiveMessage, naiveParse } from './fixture.ts';

const echo = (text: string) => naiveMessage(2, 0, 0, { d: text });
const A = makeImage({ version: [1, 0, 0, 0] });
const B = makeImage({ version: [2, 0, 0, 0] });

/** When an answer to `message` is whole, in ms after it was written. */
function answerAfterMs(bench: Bench, message: Uint8Array): number {
  bench.take();
  for (const line of naiveLines(message)) bench.send(line);
  for (let ms = 1; ms <= 2_000; ms++) {
    bench.scheduler.run(1);
    if (naiveParse(Uint8Array.from(bench.written)).length > 0) return ms;
  }
  return Number.POSITIVE_INFINITY;
}

test('bytes take their time: 115200 is 11.52 kB/s, both ways', () => {
  const bench = Bench.booted({ baudRate: 115_200, smp: { messageMs: 0, lineMs: 0 } });
  const message = echo('x'.repeat(60));
  const wireBytes = naiveLines(message)[0]!.length;
  const bothWaysMs = (wireBytes + wireBytes + 1) / 11.52;
  const tookMs = answerAfterMs(bench, message);
  assert.ok(tookMs >= bothWaysMs && tookMs <= bothWaysMs + 4, `${tookMs} for ${bothWaysMs}`);
});

test('a long output comes at the line rate, whatever the tick', () => {
  const bench = Bench.booted({ baudRate: 115_200, bootMs: 10 });
  bench.hub.reset();
  bench.scheduler.run(10);
  bench.take();
  bench.scheduler.run(10);
  assert.ok(Math.abs(bench.written.length - 10 * 11.52) <= 24, `${bench.written.length}`);
});

for (const turnRoundMs of [0, 1, 5, 16]) {
  test(`an adapter with a latency of ${turnRoundMs} ms holds a short answer so long`, () => {
    const plain = answerAfterMs(Bench.booted(), echo('hi'));
    const held = answerAfterMs(Bench.booted({ turnRoundMs }), echo('hi'));
    assert.ok(Math.abs(held - plain - turnRoundMs) <= 1, `${plain}, ${held}`);
  });
}

test('an adapter passes full packets of 62 bytes on at once', () => {
  const bench = Bench.booted({ turnRoundMs: 200 });
  for (const line of naiveLines(echo('x'.repeat(120)))) {
    bench.send(line);
    bench.scheduler.run(5);
  }
  bench.scheduler.run(30);
  assert.is(bench.written.length % 62, 0);
  assert.ok(bench.written.length >= 124);
  bench.scheduler.run(200);
  assert.is(naiveParse(bench.take()).length, 1);
});

test('the pool: lines that come while all its buffers wait are lost', () => {
  const messages: Uint8Array[] = [];
  const options = { lineBytes: 128, poolLines: 2, bufBytes: 384, lineMs: 1 };
  const receiver = new LineReceiver(options, {
    message: (message) => {
      messages.push(message);
      return 50;
    },
  });
  const sendAt = (message: Uint8Array, atMs: number) => {
    for (const byte of naiveLines(message).flatMap((line) => [...line]))
      receiver.takeByte(byte, atMs);
  };
  sendAt(echo('1'), 0);
  sendAt(echo('2'), 10);
  assert.is(messages.length, 2, 'the second waits in the pool');
  sendAt(echo('3'), 20);
  sendAt(echo('4'), 20);
  assert.is(messages.length, 3, 'the fourth found no buffer');
  assert.is(receiver.lostLines, 1);
  sendAt(echo('5'), 500);
  assert.is(messages.length, 4);
  assert.is(receiver.lostLines, 1);
});

test('sending ahead: a window of three overruns a slow hub, one at a time does not', () => {
  const flash = { ...GEOMETRY, programPageMs: 30 };
  const lostWith = (window: number) => {
    const bench = Bench.booted({ firmware: A.bytes, baudRate: 115_200, flash });
    bench.chunk({ off: 0, len: B.bytes.length, sha: B.sha, data: B.bytes.subarray(0, 64) });
    bench.scheduler.run(1_000);
    let off = 64;
    for (let round = 0; round < 4; round++) {
      bench.take();
      for (let message = 0; message < window; message++, off += 300) {
        const data = B.bytes.subarray(off, off + 300);
        for (const line of naiveLines(naiveMessage(2, 1, 1, { off, data }))) bench.send(line);
      }
      bench.scheduler.run(1_000);
      if (naiveParse(bench.take()).length < window) return true;
    }
    return false;
  };
  assert.is(lostWith(1), false);
  assert.is(lostWith(3), true);
});

test('a processor that stands still for its flash loses what its UART cannot hold', () => {
  const flash = { ...GEOMETRY, eraseBlockMs: 40, programPageMs: 3 };
  const answersTo = (flashBlocksUart: boolean) => {
    const bench = Bench.booted({ firmware: A.bytes, flash, flashBlocksUart });
    const first = { off: 0, len: B.bytes.length, data: B.bytes.subarray(0, 300) };
    for (const line of naiveLines(naiveMessage(2, 1, 1, first))) bench.send(line);
    bench.scheduler.run(8);
    bench.send(naiveLines(echo('hi'))[0]!);
    bench.scheduler.run(1_000);
    return naiveParse(bench.take()).length;
  };
  assert.is(answersTo(false), 2);
  assert.is(answersTo(true), 1);
});

/** How many of 60 echoes are answered. */
function answered(faults: Partial<HubFaults>, seed = 7): number {
  const bench = Bench.booted({ faults, seed });
  let count = 0;
  for (let round = 0; round < 60; round++) {
    if (bench.exchange(echo('hello'), 60).length > 0) count++;
  }
  return count;
}

test('faults on the line cost some answers, and the same ones with the same seed', () => {
  assert.is(answered({}), 60);
  for (const faults of [
    { corruption: 0.01 },
    { loss: 0.01 },
    { noise: 0.01 },
    { unanswered: 0.3 },
  ]) {
    const count = answered(faults);
    assert.ok(count > 5 && count < 60, `${JSON.stringify(faults)}: ${count}`);
    assert.is(answered(faults), count);
  }
  assert.is(answered({ wrongBaudRate: true }), 0);
  assert.is(answered({ silent: true }), 0);
});

test('babble comes between the lines of an answer and hides none of them', () => {
  const bench = Bench.booted({ faults: { babble: 1 } });
  const answers = bench.exchange(echo('x'.repeat(200)));
  assert.is(answers.length, 1);
});

test('late answers come, late', () => {
  const late = Bench.booted({ faults: { late: 1, lateMs: 700 } });
  const tookMs = answerAfterMs(late, echo('hi'));
  assert.ok(tookMs >= 700 && tookMs < 720, `${tookMs}`);
});

test('a stall: nothing is heard for its time', () => {
  const bench = Bench.booted({ faults: { stallAtByte: 5, stallMs: 400 } });
  assert.is(bench.exchange(echo('hi'), 300).length, 0);
  bench.scheduler.run(100);
  // The half line from before the stall is still in the buffer.
  bench.send('\n');
  assert.is(bench.exchange(echo('hi')).length, 1);
});

test('the power goes at byte n, and comes back', () => {
  const bench = Bench.booted({ faults: { powerCutAtByte: 10 }, powerOffMs: 300 });
  bench.send(naiveLines(echo('hi'))[0]!);
  bench.scheduler.run(100);
  assert.is(bench.hub.isPowered, false);
  assert.is(bench.written.length, 0);
  bench.scheduler.run(1_000);
  assert.match(bench.text(), /Booting MCUboot/);
  assert.is(bench.exchange(echo('hi')).length, 1);
});

test('the power goes at flash operation n', () => {
  for (const powerCutTearsFlash of [false, true]) {
    const faults = { powerCutAtFlashOperation: [9], powerCutTearsFlash };
    const bench = Bench.booted({ firmware: A.bytes, faults });
    assert.is(bench.upload(B), undefined, 'silence');
    bench.scheduler.run(2_000);
    const cut = bench.events.find((event) => event.kind === 'power-cut');
    assert.equal(cut, { kind: 'power-cut', flashOperation: 9 });
    bench.upload(B);
    assert.is(bench.state(), '0 1.0.0 confirmed active | 1 2.0.0');
  }
});

test('the power goes at each operation of a list', () => {
  const faults = { powerCutAtFlashOperation: [30, 4, 5, 31] };
  const bench = Bench.booted({ firmware: A.bytes, faults });
  for (let round = 0; round < 8; round++) {
    bench.upload(B);
    bench.scheduler.run(2_000);
  }
  const cuts = bench.events.flatMap((event) =>
    event.kind === 'power-cut' ? [event.flashOperation] : [],
  );
  assert.equal(cuts, [4, 5, 30, 31]);
  assert.is(bench.state(), '0 1.0.0 confirmed active | 1 2.0.0');
});

test('answers that come twice', () => {
  const bench = Bench.booted({ faults: { duplicate: 1 } });
  assert.is(bench.exchange(echo('hi')).length, 2);
});

test('a stall without a time is for ever', () => {
  const bench = Bench.booted({ faults: { stallAtByte: 5 } });
  bench.exchange(echo('hi'), 1_000);
  bench.scheduler.run(3_600_000);
  assert.is(bench.exchange(echo('hi')).length, 0);
});

test.run();
