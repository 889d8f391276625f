/** Questions that go together: which, when, and what an error of one does to the others. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../../src/errors.ts';
import { Gathered, type GatheredOptions } from '../../../src/fleet/coordinator/gathered.ts';

const test = suite('fleet/gathered');

interface Round {
  questions: readonly string[];
  answer(): Promise<void>;
  fail(error: unknown): Promise<void>;
}

/** Answers in capitals, when a test says so. */
function gathered(options: Partial<GatheredOptions<string>> = {}) {
  const rounds: Round[] = [];
  const ask = (questions: readonly string[]) =>
    new Promise<readonly string[]>((done, failed) => {
      rounds.push({
        questions,
        answer: () => settled(() => done(questions.map((one) => one.toUpperCase()))),
        fail: (error) => settled(() => failed(error)),
      });
    });
  const all = new Gathered(ask, { atOnce: 1, most: 3, ...options });
  const asked = () => rounds.map(({ questions }) => questions.join(''));
  return { all, rounds, asked };
}

async function settled(work: () => void = () => {}): Promise<void> {
  work();
  await new Promise((done) => setImmediate(done));
}

test('what is asked while others are under way goes as one', async () => {
  const { all, rounds, asked } = gathered();
  const answers = Promise.all(['a', 'b'].map((one) => all.one(one)));
  await settled();
  const later = Promise.all(['c', 'd', 'e', 'f'].map((one) => all.one(one)));
  await settled();
  assert.equal(asked(), ['ab']);
  await rounds[0]!.answer();
  assert.equal(await answers, ['A', 'B']);
  assert.equal(asked(), ['ab', 'cde']);
  await rounds[1]!.answer();
  await rounds[2]!.answer();
  assert.equal(await later, ['C', 'D', 'E', 'F']);
  assert.equal(asked(), ['ab', 'cde', 'f']);
});

test('so many groups are under way at once, and no two with the same key', async () => {
  const { all, rounds, asked } = gathered({ atOnce: 2, keyOf: (one) => one[0]! });
  const answers = Promise.all(['a1', 'b1', 'a2', 'a3', 'c1'].map((one) => all.one(one)));
  await settled();
  assert.equal(asked(), ['a1b1c1']);
  const more = all.one('d1');
  await settled();
  assert.equal(asked(), ['a1b1c1', 'd1']);
  await rounds[0]!.answer();
  await rounds[2]!.answer();
  await rounds[3]!.answer();
  assert.equal(asked(), ['a1b1c1', 'd1', 'a2', 'a3']);
  await rounds[1]!.answer();
  assert.equal(await answers, ['A1', 'B1', 'A2', 'A3', 'C1']);
  assert.is(await more, 'D1');
});

test('what weighs much goes alone, and in its turn', async () => {
  const { all, rounds, asked } = gathered({ weigh: (one) => one.length });
  const answers = Promise.all(['a', 'bbbbb', 'c', 'dd'].map((one) => all.one(one)));
  await settled();
  for (let round = 0; round < 3; round++) await rounds[round]!.answer();
  assert.equal(asked(), ['a', 'bbbbb', 'cdd']);
  assert.equal(await answers, ['A', 'BBBBB', 'C', 'DD']);
});

test('an error of one is its own, and one of the database is that of all', async () => {
  const { all, rounds, asked } = gathered();
  const answers = Promise.allSettled(['a', 'b', 'c'].map((one) => all.one(one)));
  await settled();
  await rounds[0]!.fail(new Error('one of them is malformed'));
  await rounds[1]!.answer();
  await rounds[2]!.fail(new Error('this one'));
  await rounds[3]!.answer();
  assert.equal(asked(), ['abc', 'a', 'b', 'c']);
  const [first, second, third] = await answers;
  assert.equal(
    [first!.status, second!.status, third!.status],
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  const away = new UpliftError('database-away', '', { expected: '', actual: '', next: '' });
  const refused = Promise.allSettled(['d', 'e'].map((one) => all.one(one)));
  await settled();
  await rounds[4]!.fail(away);
  for (const one of await refused) assert.is(one.status === 'rejected' && one.reason, away);
  const after = all.one('f');
  await settled();
  await rounds[5]!.answer();
  assert.is(await after, 'F');
});

test.run();
