/** How the service ends: in good order, at its deadline, or at once. */
import { EventEmitter } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXIT, type ExitCode } from '../../src/errors.ts';
import { type StopSignal, stopOnSignals } from '../../src/service/signals.ts';
import { ManualTimers } from './manual-timers.ts';

const DEADLINE_MS = 20_000;

function running(stop: (signal: StopSignal) => Promise<void>) {
  const timers = new ManualTimers();
  const source = new EventEmitter();
  const exits: ExitCode[] = [];
  const codes: (string | undefined)[] = [];
  const remove = stopOnSignals({
    stop,
    deadlineMs: DEADLINE_MS,
    timers,
    log: { write: (_level, _message, fields) => void codes.push(fields?.code) },
    source,
    exit: (code) => void exits.push(code),
  });
  return { timers, source, exits, codes, remove };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('either signal stops it in good order, once', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const asked: StopSignal[] = [];
    const { source, exits, timers } = running(async (which) => void asked.push(which));
    source.emit(signal);
    await settled();
    assert.equal(asked, [signal]);
    assert.equal(exits, [EXIT.done]);
    assert.is(timers.waiting, 0, 'the deadline is gone');
  }
});

test('what does not stop is given up at the deadline', async () => {
  const { timers, source, exits, codes } = running(() => new Promise(() => {}));
  source.emit('SIGTERM');
  await settled();
  timers.pass(DEADLINE_MS - 1);
  assert.equal(exits, []);
  timers.pass(1);
  assert.equal(exits, [EXIT.interrupted]);
  assert.equal(codes, ['stopping', 'stop-deadline']);
});

test('a second signal, of either kind, ends it at once', async () => {
  let stops = 0;
  const { source, exits } = running(() => {
    stops++;
    return new Promise(() => {});
  });
  source.emit('SIGTERM');
  await settled();
  source.emit('SIGINT');
  source.emit('SIGINT');
  assert.equal(exits, [EXIT.interrupted]);
  assert.is(stops, 1);
});

test('a stop that fails is a bug, whether it throws or rejects', async () => {
  const failures: (() => Promise<void>)[] = [
    () => Promise.reject(new Error('x')),
    () => {
      throw new Error('x');
    },
  ];
  for (const stop of failures) {
    const { source, exits, codes } = running(stop);
    source.emit('SIGTERM');
    await settled();
    assert.equal(exits, [EXIT.bug]);
    assert.is(codes.at(-1), 'stop-failed');
  }
});

test('once removed, signals are not its business', async () => {
  const { source, exits, remove } = running(async () => {});
  remove();
  source.emit('SIGTERM');
  source.emit('SIGINT');
  await settled();
  assert.equal(exits, []);
});

test.run();
