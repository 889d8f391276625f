/** The heap against a sorted list, and its comparisons counted. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Heap } from '../../src/schedule/heap.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

const test = suite('heap');

interface Member {
  key: number;
}

test('it gives back the least, whatever was added and taken out', () => {
  const call = fc.record({ do: fc.constantFrom('add', 'delete', 'shift'), n: fc.nat({ max: 30 }) });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 80 }), (calls) => {
      const heap = new Heap<Member>((a, b) => a.key < b.key);
      const model: Member[] = [];
      for (const { do: what, n } of calls) {
        if (what === 'add') {
          const member = { key: n };
          heap.add(member);
          model.push(member);
        } else if (what === 'delete' && model.length > 0) {
          const [member] = model.splice(n % model.length, 1);
          assert.ok(heap.delete(member!));
          assert.not(heap.delete(member!));
        } else if (what === 'shift') {
          const first = heap.shift();
          assert.is(first?.key, leastOf(model)?.key);
          if (first) model.splice(model.indexOf(first), 1);
        }
        assert.is(heap.size, model.length);
        assert.is(heap.peek()?.key, leastOf(model)?.key);
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});

test('adding and taking out any of 10,000 compares no more than three times the height', () => {
  let comparisons = 0;
  const heap = new Heap<Member>((a, b) => {
    comparisons++;
    return a.key < b.key;
  });
  const random = new SeededRandom(9);
  const members = Array.from({ length: 10_000 }, () => ({ key: random.next() }));
  const most = 3 * Math.ceil(Math.log2(members.length));
  const counted = (work: () => void) => {
    comparisons = 0;
    work();
    assert.ok(comparisons <= most, `${comparisons} comparisons, at most ${most}`);
  };
  for (const member of members) counted(() => heap.add(member));
  for (let at = 0; at < members.length; at += 3) counted(() => heap.delete(members[at]!));
  let last = 0;
  while (heap.size > 0) {
    counted(() => {
      const { key } = heap.shift()!;
      assert.ok(key >= last);
      last = key;
    });
  }
});

test('a member is in it once', () => {
  const heap = new Heap<Member>((a, b) => a.key < b.key);
  const member = { key: 1 };
  heap.add(member);
  assert.throws(() => heap.add(member), /once/);
});

function leastOf(members: readonly Member[]): Member | undefined {
  return members.reduce<Member | undefined>(
    (least, member) => (least === undefined || member.key < least.key ? member : least),
    undefined,
  );
}

test.run();
