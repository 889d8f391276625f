/** Messages in turns: in order, none lost, and none of many holding up the loop. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Turns } from '../../src/transport/zigbee/turns.ts';

const test = suite('messages in turns');

/** A loop that is turned by hand; each message takes `costMs`. */
function desk(costMs: number) {
  let nowMs = 0;
  const later: (() => void)[] = [];
  const handled: number[] = [];
  const turns = new Turns<number>(
    (message) => {
      handled.push(message);
      nowMs += costMs;
    },
    { nowMs: () => nowMs, later: (task) => void later.push(task) },
  );
  const turn = () => {
    const beforeMs = nowMs;
    for (const task of later.splice(0)) task();
    return nowMs - beforeMs;
  };
  return { turns, handled, later, turn };
}

test('few messages are handled as they come', () => {
  const { turns, handled } = desk(1);
  for (let n = 0; n < 5; n++) turns.push(n);
  assert.equal(handled, [0, 1, 2, 3, 4]);
});

test('a bunch is handled over several turns, each bounded', () => {
  const { turns, handled, later, turn } = desk(4);
  for (let n = 0; n < 50; n++) turns.push(n);
  assert.is(handled.length, 3, '12 ms, and not 200');
  while (later.length > 0) assert.ok(turn() <= 12);
  assert.equal(
    handled,
    Array.from({ length: 50 }, (_, n) => n),
  );
});

test('at the end all that waits is handled, and nothing twice', () => {
  const { turns, handled, later, turn } = desk(10);
  for (let n = 0; n < 9; n++) turns.push(n);
  turns.drain();
  while (later.length > 0) turn();
  assert.equal(handled, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('whatever comes when, the order stays and nothing is lost', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('turn'), fc.constant('push')), { maxLength: 60 }),
      fc.integer({ min: 0, max: 30 }),
      (steps, costMs) => {
        const { turns, handled, later, turn } = desk(costMs);
        let pushed = 0;
        for (const step of steps) {
          if (step === 'push') turns.push(pushed++);
          else turn();
        }
        while (later.length > 0) turn();
        assert.equal(
          handled,
          Array.from({ length: pushed }, (_, n) => n),
        );
      },
    ),
  );
});

test.run();
