/** What a model file says is done to the line, done in its order and with its waits. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadHubModel } from '../../../src/config/load.ts';
import { type LineStepPassedOver, runLineSteps } from '../../../src/transport/serial/line-steps.ts';
import { SimulatedLink, SimulatedTimers } from './simulated-link.ts';

const LISTENER = { received: () => {}, closed: () => {} };

/** Lets the steps run as far as they get at this time. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

test('signals, a break, text and waits, in order', async () => {
  const link = new SimulatedLink();
  const timers = new SimulatedTimers();
  await link.open(LISTENER);
  const startMs = timers.nowMs();
  const outcome = runLineSteps(
    link,
    [
      { rts: true, dtr: true, waitMs: 50 },
      { rts: false, waitMs: 0 },
      { breakMs: 250, waitMs: 0 },
      { send: '\x03\xff', waitMs: 0 },
      { waitMs: 10 },
      { dtr: false, waitMs: 0 },
    ],
    timers,
    () => assert.unreachable('the link has every line'),
  );
  await settle();
  assert.equal(link.done, ['signals {"rts":true,"dtr":true}']);
  timers.advance(49);
  await settle();
  assert.is(link.done.length, 1, 'not before the wait is over');
  timers.advance(1);
  await settle();
  assert.equal(link.done.slice(1), ['signals {"rts":false}', 'break 250', 'send \x03\xff']);
  link.take();
  await settle();
  assert.is(link.done[4], 'drained', 'the wait counts from the wire');
  timers.advance(10);
  assert.is(await outcome, 'done');
  assert.is(link.done[5], 'signals {"dtr":false}');
  assert.is(timers.nowMs() - startMs, 60);
});

test('what a line does not have is passed over and told', async () => {
  const link = new SimulatedLink();
  link.hasLines = false;
  await link.open(LISTENER);
  const events: LineStepPassedOver[] = [];
  const steps = [
    { rts: true, waitMs: 0 },
    { breakMs: 5, waitMs: 0 },
  ];
  const outcome = await runLineSteps(link, steps, new SimulatedTimers(), (e) => events.push(e));
  assert.is(outcome, 'done');
  assert.equal(events, [
    { kind: 'line-step-passed-over', step: 0, lacks: 'modem-lines' },
    { kind: 'line-step-passed-over', step: 1, lacks: 'break' },
  ]);
});

test('a link that closes ends the steps', async () => {
  const link = new SimulatedLink();
  const timers = new SimulatedTimers();
  await link.open(LISTENER);
  const steps = [
    { send: 'a', waitMs: 0 },
    { send: 'b', waitMs: 0 },
  ];
  const outcome = runLineSteps(link, steps, timers, () => {});
  await settle();
  link.vanish();
  assert.is(await outcome, 'link-closed');
  assert.equal(link.writes.length, 1);
  assert.is(await runLineSteps(link, steps, timers, () => {}), 'link-closed');
});

test('a link that closes in the last wait is told', async () => {
  const link = new SimulatedLink();
  const timers = new SimulatedTimers();
  await link.open(LISTENER);
  const outcome = runLineSteps(link, [{ waitMs: 10 }], timers, () => {});
  await settle();
  link.vanish();
  timers.advance(10);
  assert.is(await outcome, 'link-closed');
});

test('the steps of a model file are steps', async () => {
  const link = new SimulatedLink();
  await link.open(LISTENER);
  const timers = new SimulatedTimers();
  const { serial } = loadHubModel('hw-config/hubs/virtual-hub-radio.yaml');
  const outcome = runLineSteps(link, serial.reset, timers, () => {});
  await settle();
  timers.advance(50);
  assert.is(await outcome, 'done');
  assert.equal(link.done, ['signals {"rts":true}', 'signals {"rts":false}']);
});

test.run();
