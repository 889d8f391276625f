/** Who may go back alone: nobody, where only a waiver lets them; and whoever goes forward needs no second. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { whySecondPerson } from '../../src/admission/second-person.ts';
import { type Case, floors, gather, waived } from './regulation-desk.ts';

const test = suite('a second person');

function why(change: Case): string | undefined {
  const { facts, nowMs } = gather({ intake: 'field', ...change });
  return whySecondPerson(facts, decideAdmission(facts, nowMs), nowMs);
}

const NEWER = { currentFileVersion: 0x03000000 };

test('back on the word of a waiver: two people, and why', () => {
  const said = why({ device: NEWER, context: waived() });
  assert.match(said!, /without its waiver device\.newer would refuse it/);
  const below = why({ context: { ...floors(0x02800000), ...waived() } });
  assert.match(below!, /version\.floor/, 'not older than what runs, and below the floor');
});

test('forward: one, whether there is a waiver or not', () => {
  assert.is(why({}), undefined);
  assert.is(why({ context: waived() }), undefined);
});

test('where it is refused anyhow nobody is asked', () => {
  assert.is(why({ device: NEWER }), undefined);
  assert.is(why({ device: NEWER, context: waived({ signers: ['ann'] }) }), undefined);
});

test('while the device has not said what it runs, a waiver that is there counts as used', () => {
  const device = { currentFileVersion: undefined };
  assert.match(why({ intake: 'bench', device, context: waived() })!, /has not said yet/);
  assert.is(why({ intake: 'bench', device }), undefined);
  const other = { ...device, eui64: '00124b0000000099' };
  assert.is(why({ intake: 'bench', device: other, context: waived() }), undefined, 'of another');
});

test.run();
