/** What a coordinator's process tells, and what comes of it: by a pace that writes down what it is given. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NetworkPace } from '../../src/gateway/network-pace.ts';
import { Pace, type PaceSample } from '../../src/schedule/pace.ts';
import type { ProgressSample } from '../../src/transport/zigbee/messages.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const test = suite('network pace');

class ScriptedPace extends Pace {
  readonly given: PaceSample[] = [];
  said = { concurrency: 1, blockPeriodMs: 0 };

  override get concurrency(): number {
    return this.said.concurrency;
  }

  override get blockPeriodMs(): number {
    return this.said.blockPeriodMs;
  }

  override sample(sample: PaceSample): void {
    this.given.push(sample);
  }
}

function desk() {
  const clock = new SimulatedScheduler();
  const pace = new ScriptedPace();
  const concurrency: number[] = [];
  const periods: number[] = [];
  const network = new NetworkPace({
    pace,
    timers: clock,
    onConcurrency: (devices) => concurrency.push(devices),
    onBlockPeriod: (ms) => periods.push(ms),
  });
  const serve = (...served: (Partial<ProgressSample> & { eui64: string })[]) =>
    network.handle({
      kind: 'progress',
      samples: served.map((one) => ({
        ...{ sentBytes: one.servedBytes ?? 0, servedBytes: 0, totalBytes: 10_000, blocks: 1 },
        ...{ repeats: 0, lastRequestMs: clock.nowMs(), blockBytes: 50, parked: false },
        ...one,
      })),
    });
  network.start();
  return { clock, pace, network, concurrency, periods, serve };
}

test('bytes are counted once, whichever download they are of, and only those who ask are counted', () => {
  const { clock, pace, network, serve } = desk();
  serve({ eui64: 'a', servedBytes: 100 }, { eui64: 'b' });
  assert.equal(pace.given, [{ atMs: clock.nowMs(), devices: 0, servedBytes: 100 }]);
  serve({ eui64: 'a', servedBytes: 300 }, { eui64: 'b', servedBytes: 50 });
  network.handle({ kind: 'probed', answerMs: 40 });
  network.handle({ kind: 'probed', answerMs: 60 });
  clock.run(5_000);
  const { devices, servedBytes, answerMs } = pace.given[1]!;
  assert.equal([devices, servedBytes, answerMs], [2, 250, 50]);
  // The next download of `a` begins, `b` is silent.
  const silentMs = clock.nowMs() - 6_000;
  serve({ eui64: 'a', servedBytes: 70 }, { eui64: 'b', servedBytes: 50, lastRequestMs: silentMs });
  clock.run(5_000);
  assert.equal([pace.given[2]!.devices, pace.given[2]!.servedBytes], [1, 70]);
  assert.not('answerMs' in pace.given[2]!);
});

test('an idle network is not measured, and nothing is left of its timer', () => {
  const { clock, pace, network, serve } = desk();
  serve({ eui64: 'a', servedBytes: 100 });
  serve({ eui64: 'a', servedBytes: 10_000 });
  clock.run(60_000);
  assert.equal(
    pace.given.map(({ devices }) => devices),
    [0, 0],
  );
  assert.is(clock.pending, 0);
  serve({ eui64: 'a', servedBytes: 50 });
  // However long nothing downloaded, it was none.
  assert.is(pace.given.at(-1)!.devices, 0);
  network.stop();
  assert.is(clock.pending, 0);
});

test('what it comes to is told when it changes, and anew to a process that was started anew', () => {
  const { clock, pace, network, concurrency, periods, serve } = desk();
  assert.equal([concurrency, periods], [[1], []]);
  serve({ eui64: 'a', servedBytes: 100 });
  pace.said = { concurrency: 3, blockPeriodMs: 250 };
  clock.run(5_000);
  clock.run(5_000);
  assert.equal([concurrency, periods], [[1, 3], [250]]);
  network.opened();
  assert.equal(
    [concurrency, periods],
    [
      [1, 3],
      [250, 250],
    ],
  );
});

test.run();
