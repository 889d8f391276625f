/**
 * Lines and packets: observed bytes, the naive codec as oracle, every split point, every truncation and bit
 * flip, and whatever else shares the line.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASE64_VALUE, encodeBase64, NOT_BASE64 } from '../../../src/protocol/smp/base64.ts';
import { PacketDecoder } from '../../../src/protocol/smp/packet-decoder.ts';
import {
  linesOf,
  MESSAGE_BYTES_MAX,
  MESSAGE_START,
  PacketEncoder,
  wireBytesOf,
} from '../../../src/protocol/smp/packet-encoder.ts';
import { writeChunk } from '../../../src/protocol/smp/upload-request.ts';
import { counting, hexBytes, lines, messagesIn, packet } from './naive-codec.ts';

const test = suite('protocol/smp framing');

const ECHO = hexBytes('0a00000600000100a16164626869');
const ECHO_LINE = '\x06\x09ABAKAAAGAAABAKFhZGJoaaWv\n';

function encode(message: Uint8Array, resynchronise = false): Uint8Array {
  const encoder = new PacketEncoder();
  encoder.message.set(message, MESSAGE_START);
  return Uint8Array.from(encoder.encode(message.length, resynchronise));
}

/** Every message that comes out when the parts go in one after the other. */
function decode(...parts: Uint8Array[]): Uint8Array[] {
  const decoder = new PacketDecoder();
  return parts.flatMap((part) => feed(decoder, part));
}

function feed(decoder: PacketDecoder, part: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < part.length; ) {
    at = decoder.take(part, at);
    if (!decoder.ready) continue;
    found.push(decoder.bytes.slice(decoder.messageStart, decoder.messageEnd));
  }
  return found;
}

function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** A message of `length` bytes, header included. */
function sample(length: number): Uint8Array {
  const bytes = counting(length, 11);
  bytes.set([0x0b, 0, (length - 8) >> 8, (length - 8) & 255, 0, 1, 7, 1]);
  return bytes;
}

test('observed: echo', () => {
  assert.equal(encode(ECHO), latin(ECHO_LINE));
  assert.equal(decode(latin(ECHO_LINE)), [ECHO]);
});

test('observed: params', () => {
  const params = hexBytes('0000000100004206a0');
  assert.equal(encode(params), latin('\x06\x09AAsAAAABAABCBqApIQ==\n'));
  const answer = latin('\x06\x09ACMBAAAZAABCBr9oYnVmX3NpemUZAYBpYnVmX2NvdW50BP9y4g==\n');
  const [message] = decode(answer);
  assert.equal(message!.subarray(0, 8), hexBytes('0100001900004206'));
});

test('observed: an upload chunk of 200 bytes takes lines of 127, 127 and 59 bytes', () => {
  const encoder = new PacketEncoder();
  const data = Uint8Array.from({ length: 0x1234 + 200 }, (_, i) => (i - 0x1234) & 255);
  const bytes = writeChunk(encoder.message, MESSAGE_START, 1, 7, data, 0x1234, 200);
  assert.is(bytes, 223);
  const out = encoder.encode(bytes, false);
  const raw = encoder.message.subarray(0, bytes + 4);
  assert.equal(raw.subarray(-2), hexBytes('f0db'));
  const text = Buffer.from(out).toString('latin1');
  assert.equal(
    text.split('\n').map((line) => (line === '' ? 0 : line.length + 1)),
    [127, 127, 59, 0],
  );
});

test('encoding is that of the oracle at every length, and so is its size', () => {
  for (let length = 8; length < 600; length++) {
    const message = sample(length);
    const out = encode(message);
    assert.equal(out, Uint8Array.from(lines(message)), `${length}`);
    assert.is(wireBytesOf(length), out.length);
    assert.is(linesOf(length), out.filter((byte) => byte === 0x0a).length);
  }
  const largest = encode(sample(MESSAGE_BYTES_MAX));
  assert.equal(messagesIn(largest), [sample(MESSAGE_BYTES_MAX)]);
  assert.throws(() => new PacketEncoder().encode(MESSAGE_BYTES_MAX + 1, false));
});

test('no line is longer than 127 bytes, and raw bytes are multiples of 3', () => {
  const text = Buffer.from(encode(sample(2_000))).toString('latin1');
  const list = text.split('\n').slice(0, -1);
  for (const line of list.slice(0, -1)) assert.is(line.length, 126);
  assert.ok(list.every((line) => line.length <= 126 && !/=./.test(line.slice(0, -2))));
});

test('a resynchronising packet begins with an empty line; the next without has none', () => {
  const encoder = new PacketEncoder();
  encoder.message.set(ECHO, MESSAGE_START);
  assert.equal(encoder.encode(ECHO.length, true), latin(`\n${ECHO_LINE}`));
  assert.equal(encoder.encode(ECHO.length, false), latin(ECHO_LINE));
});

test('base64 is that of Buffer, both ways', () => {
  const all = counting(256, 1);
  for (let length = 0; length < 12; length++) {
    for (let start = 0; start < 240; start += 7) {
      const out = new Uint8Array(16);
      const end = encodeBase64(all, start, start + length, out, 0);
      const expected = Buffer.from(all.subarray(start, start + length)).toString('base64');
      assert.is(Buffer.from(out.subarray(0, end)).toString('latin1'), expected);
    }
  }
  const symbols = [...BASE64_VALUE.entries()].filter(([, value]) => value !== NOT_BASE64);
  assert.is(symbols.length, 64);
});

test('every split point, in two and in three parts', () => {
  const text = Uint8Array.from(lines(sample(120), [93, 90]));
  for (let a = 0; a <= text.length; a++) {
    assert.equal(decode(text.subarray(0, a), text.slice(a)), [sample(120)], `${a}`);
    for (let b = a; b <= text.length; b += 5) {
      const parts = [text.slice(0, a), text.slice(a, b), text.slice(b)];
      assert.equal(decode(...parts), [sample(120)], `${a} ${b}`);
    }
  }
  assert.equal(decode(...Array.from(text, (byte) => Uint8Array.of(byte))), [sample(120)]);
});

test('lines of any length, padded anywhere, also as Zephyr cuts them', () => {
  const cuts = [[93, 90], [3], [1], [2], [93, 1, 2, 3, 92], [50], [93, 90, 1], [4, 5]];
  for (const cut of cuts) {
    for (const length of [8, 9, 10, 90, 181, 300]) {
      assert.equal(decode(lines(sample(length), cut)), [sample(length)], `${cut} ${length}`);
    }
  }
});

test('every truncation yields nothing, and the packet after it comes through', () => {
  const text = lines(sample(150));
  for (let length = 0; length < text.length; length++) {
    const whole = decode(text.subarray(0, length));
    // The newline at the very end is not waited for.
    assert.is(whole.length, length === text.length - 1 ? 1 : 0, `${length}`);
    assert.equal(decode(text.subarray(0, length), lines(ECHO)).at(-1), ECHO, `${length}`);
  }
});

test('every bit flip yields the same message or none, and never disturbs the packet after it', () => {
  const message = sample(100);
  const text = Uint8Array.from(lines(message));
  for (let bit = 0; bit < 8 * text.length; bit++) {
    const flipped = text.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const found = decode(flipped, lines(ECHO));
    assert.equal(found.at(-1), ECHO, `bit ${bit}`);
    for (const other of found.slice(0, -1)) assert.equal(other, message, `bit ${bit}`);
  }
});

test('log, prompts and colour before, between and inside lines', () => {
  const message = sample(200);
  const list = Buffer.from(lines(message)).toString('latin1').split('\n').slice(0, -1);
  const log = '\x1b[1;32muart:~$ \x1b[0m[00:00:00.010] <inf> main: ready AAAA====\r\n';
  const between = list.map((line) => `${log}${line}\n`).join('');
  assert.equal(decode(latin(between + log)), [message]);
  const inside = list.map((line) => `uart:~$ ${line}\r\n`).join('');
  assert.equal(decode(latin(inside)), [message]);
  const halfMarkers = list.map((line) => `\x06\x06\x04${line}\n\x06 \x09\x04 \x14`).join('');
  assert.equal(decode(latin(halfMarkers)), [message]);
});

test('a start marker begins afresh, also in the middle of a line', () => {
  const cut = lines(sample(150)).subarray(0, 60);
  assert.equal(decode(cut, lines(ECHO)), [ECHO]);
  const decoder = new PacketDecoder();
  const firstLine = lines(sample(150)).subarray(0, 127);
  assert.equal(feed(decoder, firstLine), []);
  assert.equal(feed(decoder, lines(ECHO)), [ECHO]);
  assert.is(decoder.counters.cutShort, 1);
});

test('a continuation without a start is ignored', () => {
  const second = lines(sample(150)).subarray(127);
  assert.equal(decode(second, lines(ECHO)), [ECHO]);
});

test('a length that is not kept, too small or too large, drops the packet', () => {
  const line = (raw: number[]) => latin(`\x06\x09${Buffer.from(raw).toString('base64')}\n`);
  const right = [...packet(ECHO)];
  assert.equal(decode(line(right)), [ECHO]);
  for (const [high, low] of [
    [0xff, 0xff],
    [0, 0],
    [0, 9],
    [0, right[1]! - 1],
    [0, right[1]! + 1],
    [0x20, 0],
  ]) {
    assert.equal(decode(line([high!, low!, ...right.slice(2)])), []);
  }
});

test('an endless packet does not grow and ends at the next marker', () => {
  const decoder = new PacketDecoder();
  const head = latin('\x06\x09H/8A');
  assert.equal(feed(decoder, head), []);
  const more = latin(`\n\x04\x14${'AAAA'.repeat(31)}`);
  for (let i = 0; i < 200; i++) assert.equal(feed(decoder, more), []);
  assert.equal(feed(decoder, lines(ECHO)), [ECHO]);
});

test('what was dropped is counted by cause', () => {
  const decoder = new PacketDecoder();
  const wrongCrc = lines(ECHO).slice();
  wrongCrc[9] = 0x41;
  feed(decoder, wrongCrc);
  feed(decoder, latin('\x06\x09AB!D\n'));
  feed(decoder, latin('\x06\x09////\n'));
  feed(decoder, lines(ECHO));
  const { messages, badCrc, badBase64, badLength } = decoder.counters;
  assert.equal(
    { messages, badCrc, badBase64, badLength },
    {
      messages: 1,
      badCrc: 1,
      badBase64: 1,
      badLength: 1,
    },
  );
});

test('reset drops what was gathered', () => {
  const decoder = new PacketDecoder();
  const text = lines(sample(150));
  feed(decoder, text.subarray(0, 140));
  decoder.reset();
  assert.equal(feed(decoder, text.subarray(140)), []);
  assert.equal(feed(decoder, lines(ECHO)), [ECHO]);
});

test.run();
