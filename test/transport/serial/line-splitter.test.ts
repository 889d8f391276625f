/** Whole lines out of a stream, wherever it is cut, and a bound on a line that never ends. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LineSplitter } from '../../../src/transport/serial/line-splitter.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function linesOf(splitter: LineSplitter): string[] {
  const lines: string[] = [];
  for (let line = splitter.next(); line; line = splitter.next()) lines.push(textOf(line));
  return lines;
}

test('every split point of a stream gives the same lines', () => {
  const stream = bytesOf('\x06\x09AAsAAAAB\n\n[boot] *** ok\r\n\x04\x14x\nrest');
  const whole = ['\x06\x09AAsAAAAB\n', '\n', '[boot] *** ok\r\n', '\x04\x14x\n'];
  for (let first = 0; first <= stream.length; first++) {
    for (let second = first; second <= stream.length; second++) {
      const splitter = new LineSplitter(127);
      const lines: string[] = [];
      for (const [from, to] of [
        [0, first],
        [first, second],
        [second, stream.length],
      ]) {
        splitter.push(stream.subarray(from, to));
        lines.push(...linesOf(splitter));
      }
      assert.equal(lines, whole, `cut at ${first} and ${second}`);
      assert.is(textOf(splitter.takeRest()), 'rest');
      assert.is(splitter.droppedBytes, 0);
    }
  }
});

test('lines stay whole when the chunk they came in is used again', () => {
  const splitter = new LineSplitter(127);
  const chunk = bytesOf('one\ntwo\nth');
  splitter.push(chunk);
  chunk.fill(0);
  assert.equal(linesOf(splitter), ['one\n', 'two\n']);
  splitter.push(bytesOf('ree\n'));
  assert.equal(linesOf(splitter), ['three\n']);
});

test('a line that never ends keeps its last bytes: the frame after the noise is there', () => {
  const splitter = new LineSplitter(16);
  for (let i = 0; i < 1000; i++) splitter.push(new Uint8Array(100).fill(0xff));
  splitter.push(bytesOf('\x06\x09AAsA\n'));
  const line = splitter.next()!;
  assert.is(line.length, 16);
  assert.is(textOf(line.subarray(9)), '\x06\x09AAsA\n');
  assert.is(splitter.droppedBytes, 100_007 - 16);
  assert.is(splitter.next(), undefined);
});

test('a long line that came in one chunk is cut alike', () => {
  const splitter = new LineSplitter(16);
  splitter.push(bytesOf(`${'x'.repeat(50)}end\n`));
  assert.equal(linesOf(splitter), [`${'x'.repeat(12)}end\n`]);
  assert.is(splitter.droppedBytes, 38);
});

test('a line of just the bound is whole', () => {
  const splitter = new LineSplitter(4);
  splitter.push(bytesOf('abc\nabcd\n'));
  assert.equal(linesOf(splitter), ['abc\n', 'bcd\n']);
});

test('more lines in one chunk than a stream holds by default', () => {
  const splitter = new LineSplitter(127);
  splitter.push(new Uint8Array(65_536).fill(0x0a));
  assert.is(linesOf(splitter).length, 65_536);
  splitter.push(bytesOf('next\n'));
  assert.equal(linesOf(splitter), ['next\n']);
});

test('several chunks of many lines before the first is asked for', () => {
  const splitter = new LineSplitter(127);
  for (let chunk = 0; chunk < 3; chunk++) splitter.push(bytesOf(`${chunk}\n`.repeat(100)));
  assert.is(textOf(splitter.takeRest()), '0\n'.repeat(100) + '1\n'.repeat(100) + '2\n'.repeat(100));
});

test('the rest is all that was not given out, in order, once', () => {
  const splitter = new LineSplitter(127);
  splitter.push(bytesOf('one\ntwo\nthr'));
  assert.is(textOf(splitter.next()!), 'one\n');
  assert.is(textOf(splitter.takeRest()), 'two\nthr');
  assert.is(splitter.takeRest().length, 0);
  splitter.push(bytesOf('ee\n'));
  assert.equal(linesOf(splitter), ['ee\n']);
});

test.run();
