/** MCUboot's serial recovery, where it differs from the application's server. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SmpOptions } from '../../../src/virtual/communications-hub/options.ts';
import { Bench, makeImage, type TestImage } from './fixture.ts';

const A = makeImage({ version: [1, 0, 0, 0] });
const B = makeImage({ version: [2, 0, 0, 0] });

function recovering(smp: Partial<SmpOptions> = {}): Bench {
  const bench = Bench.booted({ firmware: A.bytes, smp: { recovery: true, ...smp } });
  assert.equal(bench.ask(2, 0, 5, { boot_mode: 1 }), {});
  bench.scheduler.run(2_000);
  bench.take();
  return bench;
}

function upload(bench: Bench, image: TestImage, first: object = {}): void {
  for (let off = 0; off < image.bytes.length; ) {
    const data = image.bytes.subarray(off, off + 900);
    const body = off === 0 ? { ...first, off, len: image.bytes.length, data } : { off, data };
    const answer = bench.chunk(body);
    assert.is(answer.rc, 0);
    off = answer.off;
  }
}

test('what it does not know, and what it answers to a console echo', () => {
  const bench = recovering();
  assert.equal(bench.ask(2, 0, 0, { d: 'hi' }), { rc: 8 });
  assert.equal(bench.ask(2, 1, 5, {}), { rc: 8 });
  assert.equal(bench.ask(0, 1, 6, {}), { rc: 8 });
  assert.equal(bench.setState({ hash: A.hash, confirm: true }), { rc: 8 });
  assert.equal(bench.ask(0, 9, 0, {}), { rc: 8 });
  assert.equal(bench.ask(2, 0, 1, { echo: 1 }), { rc: 0 });
});

test('params and list', () => {
  const bench = recovering();
  assert.equal(bench.ask(0, 0, 6, {}), { buf_size: 1024, buf_count: 1 });
  const [only, ...others] = bench.list();
  assert.equal(Object.keys(only), ['slot', 'hash', 'version']);
  assert.is(only.version, '1.0.0');
  assert.is(others.length, 0);
  assert.equal(recovering({ recoveryParams: false }).ask(0, 0, 6, {}), { rc: 8 });
});

test('the upload: offsets, what is refused, and no resume', () => {
  const bench = recovering();
  const len = B.bytes.length;
  const data = B.bytes.subarray(0, 64);
  assert.equal(bench.chunk({ off: 64, data }), { rc: 0, off: 0 }, 'before any first chunk');
  assert.equal(bench.chunk({ data }), { rc: 3 });
  assert.equal(bench.chunk({ off: 0, len: 40_000, data }), { rc: 3 });
  assert.equal(bench.chunk({ off: 0, len, sha: B.sha, data }), { rc: 0, off: 64 });
  assert.equal(bench.chunk({ off: 640, data }), { rc: 0, off: 64 });
  assert.equal(bench.chunk({ off: 64, data: B.bytes.subarray(64, 128) }), { rc: 0, off: 128 });
  assert.equal(
    bench.chunk({ off: 0, len, sha: B.sha, data }),
    { rc: 0, off: 64 },
    'sha is ignored',
  );
  assert.equal(bench.chunk({ off: 0, len: 100, data: new Uint8Array(64) }), { rc: 0, off: 64 });
  assert.equal(bench.chunk({ off: 64, data: new Uint8Array(64) }), { rc: 3 }, 'past len');
});

test('it writes the primary slot, and the reset boots it', () => {
  const bench = recovering();
  upload(bench, B);
  assert.equal(bench.ask(2, 0, 5, {}), { rc: 0 });
  bench.scheduler.run(2_000);
  assert.is(bench.state(), '0 2.0.0 confirmed active');
});

test('a bad image does not boot, and there is no way back', () => {
  const bench = recovering();
  upload(bench, makeImage({ version: [2, 0, 0, 0], spoilt: true }));
  bench.ask(2, 0, 5, {});
  bench.scheduler.run(2_000);
  assert.is(bench.ask(2, 0, 0, { d: 'hi' }), undefined);
  assert.ok(bench.events.some((event) => event.kind === 'nothing-to-boot'));
  const helped = recovering({ recoveryWithoutImage: true });
  upload(helped, makeImage({ version: [2, 0, 0, 0], spoilt: true }));
  helped.ask(2, 0, 5, {});
  helped.scheduler.run(2_000);
  upload(helped, B);
  helped.ask(2, 0, 5, {});
  helped.scheduler.run(2_000);
  assert.is(helped.state(), '0 2.0.0 confirmed active');
});

test('direct upload takes the slot from the image number', () => {
  const bench = recovering({ recoveryDirectUpload: true });
  upload(bench, B, { image: 2 });
  assert.equal(
    bench.list().map(({ slot, version }) => [slot, version]),
    [
      [0, '1.0.0'],
      [1, '2.0.0'],
    ],
  );
});

test('a power cut ends recovery; without recovery in the build boot_mode is a plain reset', () => {
  const bench = recovering();
  bench.hub.powerOff();
  bench.hub.powerOn();
  bench.scheduler.run(2_000);
  assert.equal(bench.ask(2, 0, 0, { d: 'hi' }), { r: 'hi' });
  const plain = recovering({ recovery: false });
  assert.equal(plain.ask(2, 0, 0, { d: 'hi' }), { r: 'hi' });
});

test('a hub that starts in recovery leaves it with a reset', () => {
  const bench = Bench.booted({ firmware: A.bytes, smp: { startsInRecovery: true } });
  assert.equal(bench.ask(2, 0, 0, { d: 'hi' }), { rc: 8 });
  assert.equal(bench.ask(2, 0, 5, {}), { rc: 0 });
  bench.scheduler.run(2_000);
  assert.equal(bench.ask(2, 0, 0, { d: 'hi' }), { r: 'hi' });
});

test.run();
