/** When the watchdog is fed, and above all when not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Notifier } from '../../src/service/notify.ts';
import { supervise } from '../../src/service/supervision.ts';
import {
  WATCHED_PARTS,
  Watchdog,
  type WatchdogEvent,
  watchdogPeriodMs,
} from '../../src/service/watchdog.ts';
import { ManualTimers } from './manual-timers.ts';

const PERIOD_MS = 15_000;

function eventsOf(watchdog: Watchdog): WatchdogEvent[] {
  const events: WatchdogEvent[] = [];
  for (let event = watchdog.pollEvent(); event; event = watchdog.pollEvent()) events.push(event);
  return events;
}

const machine = suite('the machine');

machine('is fed at the end of a period in which all made progress', () => {
  const watchdog = new Watchdog(PERIOD_MS, 0);
  assert.is(watchdog.pollTimeout(), PERIOD_MS);
  for (const part of WATCHED_PARTS) watchdog.beat(part, 10);
  assert.equal(eventsOf(watchdog), [], 'not before');
  watchdog.handleTimeout(PERIOD_MS);
  assert.equal(eventsOf(watchdog), [{ kind: 'feed' }]);
  assert.is(watchdog.pollTimeout(), 2 * PERIOD_MS);
});

machine('one beat is good for one period only', () => {
  const watchdog = new Watchdog(PERIOD_MS, 0);
  for (const part of WATCHED_PARTS) watchdog.beat(part, 10);
  watchdog.handleTimeout(PERIOD_MS);
  eventsOf(watchdog);
  watchdog.handleTimeout(2 * PERIOD_MS);
  assert.equal(eventsOf(watchdog), [{ kind: 'starved', parts: [...WATCHED_PARTS] }]);
});

machine('no set of parts but all of them feeds it', () => {
  for (let mask = 0; mask < 2 ** WATCHED_PARTS.length; mask++) {
    const watchdog = new Watchdog(PERIOD_MS, 0);
    const beating = WATCHED_PARTS.filter((_, index) => mask & (1 << index));
    for (let nowMs = 0; nowMs <= 10 * PERIOD_MS; nowMs += 500) {
      for (const part of beating) watchdog.beat(part, nowMs);
      watchdog.handleTimeout(nowMs);
    }
    const events = eventsOf(watchdog);
    const isWhole = beating.length === WATCHED_PARTS.length;
    assert.is(
      events.some(({ kind }) => kind === 'feed'),
      isWhole,
      beating.join(),
    );
    const starved = events.filter((event) => event.kind === 'starved');
    assert.is(starved.length, isWhole ? 0 : 1, 'told once');
    if (!isWhole) {
      const missing = WATCHED_PARTS.filter((part) => !beating.includes(part));
      assert.equal(starved[0]!.parts, missing);
    }
  }
});

machine('a beat that comes late feeds it at once, and the next period begins there', () => {
  const watchdog = new Watchdog(PERIOD_MS, 0);
  watchdog.beat('event-loop', 1);
  watchdog.beat('scheduler', 1);
  watchdog.handleTimeout(PERIOD_MS);
  assert.equal(eventsOf(watchdog), [{ kind: 'starved', parts: ['journal'] }]);
  assert.is(watchdog.pollTimeout(), undefined);
  watchdog.beat('journal', PERIOD_MS + 4_000);
  assert.equal(eventsOf(watchdog), [{ kind: 'feed' }]);
  assert.is(watchdog.pollTimeout(), 2 * PERIOD_MS + 4_000);
});

machine('while all beat often the manager never waits as long as it would wait', () => {
  const watchdog = new Watchdog(PERIOD_MS, 0);
  let fedMs = 0;
  for (let nowMs = 0; nowMs < 100 * PERIOD_MS; nowMs += 1_000) {
    for (const part of WATCHED_PARTS) watchdog.beat(part, nowMs);
    watchdog.handleTimeout(nowMs);
    for (const { kind } of eventsOf(watchdog)) {
      assert.is(kind, 'feed');
      assert.ok(nowMs - fedMs < 2 * PERIOD_MS);
      fedMs = nowMs;
    }
  }
  assert.ok(fedMs > 98 * PERIOD_MS);
});

machine('half of what the manager waits, and only for the process it watches', () => {
  assert.is(watchdogPeriodMs({ WATCHDOG_USEC: '30000000' }, 7), 15_000);
  assert.is(watchdogPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000);
  assert.is(watchdogPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined);
  for (const written of [undefined, '', '0', '-1', 'x', '1e9', '9'.repeat(40)])
    assert.is(watchdogPeriodMs({ WATCHDOG_USEC: written }, 7), undefined);
});

machine.run();

const supervision = suite('supervision');

function supervised(environment: NodeJS.ProcessEnv = { WATCHDOG_USEC: '30000000' }) {
  const timers = new ManualTimers();
  const said: string[] = [];
  const notifier: Notifier = {
    isListenedTo: true,
    ready: async () => {},
    status: async () => {},
    watchdog: async () => void said.push('fed'),
    stopping: async () => {},
  };
  const delays: number[] = [];
  const running = supervise({
    notifier,
    timers,
    log: { write: (level, message) => void said.push(`${level} ${message}`) },
    onLoopDelay: (seconds) => void delays.push(seconds),
    environment,
    processId: 7,
  });
  return { timers, said, delays, running };
}

supervision('parts that beat keep it fed; one that stands still is named', () => {
  const { timers, said, running } = supervised();
  for (let n = 0; n < 60; n++) {
    running.beat('journal');
    running.beat('scheduler');
    timers.pass(1_000);
  }
  assert.equal(said, ['fed', 'fed', 'fed', 'fed']);
  for (let n = 0; n < 60; n++) {
    running.beat('scheduler');
    timers.pass(1_000);
  }
  // One beat of the journal was left of the minute before.
  const words = 'error no progress: journal; the watchdog is not fed';
  assert.equal(said.slice(4), [words]);
  running.beat('journal');
  assert.is(said.at(-1), 'fed', 'and it goes on');
});

supervision('without a manager that watches nothing is said, and the loop is measured', () => {
  const { timers, said, delays, running } = supervised({});
  timers.pass(3_000);
  timers.stall(2_500);
  timers.pass(0);
  assert.equal(said, []);
  assert.equal(delays, [0, 0, 0, 1.5]);
  running.stop();
  assert.is(timers.waiting, 0);
});

supervision.run();
