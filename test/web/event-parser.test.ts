/** Events of a stream, cut anywhere. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventParser } from '../../src/web/event-parser.ts';

const test = suite('parser of event streams');
const TEXT =
  'retry: 2000\n\n:\n\nid: 7\nevent: record\ndata: {"a":"b: c"}\n\nevent: progress\ndata: one\ndata: two\n\n';
const EVENTS = [
  { kind: '', id: undefined, data: '' },
  { kind: '', id: undefined, data: '' },
  { kind: 'record', id: '7', data: '{"a":"b: c"}' },
  { kind: 'progress', id: undefined, data: 'one\ntwo' },
];

test('every split point of it gives the same events', () => {
  for (let first = 0; first <= TEXT.length; first++) {
    for (let second = first; second <= TEXT.length; second++) {
      const parser = new EventParser();
      const pieces = [TEXT.slice(0, first), TEXT.slice(first, second), TEXT.slice(second)];
      assert.equal(
        pieces.flatMap((piece) => parser.take(piece)),
        EVENTS,
      );
    }
  }
});

test('half an event is none yet', () => {
  const parser = new EventParser();
  assert.equal(parser.take('id: 1\nevent: record\ndata: {}\n'), []);
  assert.is(parser.take('\n').length, 1);
});

test('an event without end is not kept', () => {
  const parser = new EventParser();
  const piece = 'x'.repeat(1024 * 1024);
  assert.throws(() => {
    for (let n = 0; n < 17; n++) parser.take(piece);
  }, /without end/);
});

test.run();
