/** Faults in what passes a link: as often as they are to be, counted, and the same under the same seed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinkFaultSettings } from '../../src/lab/ports.ts';
import { FaultMaker } from '../../src/lab/runner/fault-maker.ts';

const test = suite('fault maker');
const BYTES = 20_000;

function passed(settings: LinkFaultSettings, seed = 1) {
  const maker = new FaultMaker(seed);
  maker.settings = settings;
  const out: number[] = [];
  for (let n = 0; n < BYTES; n++) out.push(...maker.alterByte(n & 0xff, 'down'));
  return { out, counts: maker.counts };
}

test('without a setting everything passes as it is', () => {
  const { out, counts } = passed({});
  assert.ok(out.every((byte, n) => byte === (n & 0xff)));
  assert.equal(counts, {});
});

test('rates are kept to, and each fault is counted', () => {
  const near = (count: number | undefined, rate: number) =>
    assert.ok(Math.abs(count! - rate * BYTES) < 5 * Math.sqrt(rate * BYTES), `${count}`);
  const dropped = passed({ drop: 0.05 });
  near(dropped.counts['dropped'], 0.05);
  assert.is(dropped.out.length, BYTES - dropped.counts['dropped']!);
  const doubled = passed({ duplicate: 0.02 });
  near(doubled.counts['duplicated'], 0.02);
  assert.is(doubled.out.length, BYTES + doubled.counts['duplicated']!);
  const corrupted = passed({ corrupt: 0.01 });
  near(corrupted.counts['corrupted'], 0.01);
  const flips = corrupted.out.map((byte, n) => byte ^ (n & 0xff)).filter((flip) => flip !== 0);
  assert.is(flips.length, corrupted.counts['corrupted']);
  assert.ok(
    flips.every((flip) => (flip & (flip - 1)) === 0),
    'one bit each',
  );
});

test('the same seed brings the same faults', () => {
  assert.equal(passed({ corrupt: 0.01 }, 7).out, passed({ corrupt: 0.01 }, 7).out);
  assert.not.equal(passed({ corrupt: 0.01 }, 7).out, passed({ corrupt: 0.01 }, 8).out);
});

test('one direction is left alone where the other is meant', () => {
  const maker = new FaultMaker(1);
  maker.settings = { direction: 'up', drop: 1 };
  assert.equal(maker.alterByte(5, 'down'), [5]);
  assert.equal(maker.alterByte(5, 'up'), []);
  const frame = Uint8Array.of(1, 2);
  assert.is(maker.alterFrame(frame, 'down')[0], frame);
  assert.equal(maker.alterFrame(frame, 'up'), []);
});

test('a burst damages so many bytes in a row, so many times', () => {
  const { out, counts } = passed({ burst: { bytes: 3, count: 2 } });
  const damaged = out.flatMap((byte, n) => (byte === (n & 0xff) ? [] : [n]));
  assert.equal(damaged, [0, 1, 2, 6, 7, 8]);
  assert.is(counts['burst'], 6);
});

test('a link that is cut passes nothing', () => {
  assert.is(passed({ disconnected: true }).out.length, 0);
});

test('a damaged frame is a copy with one bit changed in its second half', () => {
  const maker = new FaultMaker(3);
  maker.settings = { corrupt: 1 };
  for (let n = 0; n < 200; n++) {
    const frame = new Uint8Array(20);
    const [damaged] = maker.alterFrame(frame, 'down');
    assert.ok(frame.every((byte) => byte === 0));
    const at = damaged!.findIndex((byte) => byte !== 0);
    assert.ok(at >= 10 && damaged!.filter((byte) => byte !== 0).length === 1);
  }
  assert.equal(maker.alterFrame(new Uint8Array(0), 'down'), [new Uint8Array(0)]);
});

test.run();
