/** DER: what is one value in one form, and what is not. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  booleanOf,
  decodeDer,
  namedBitsOf,
  oidOf,
  partsOf,
  timeMsOf,
  unsignedOf,
} from '../../src/trust/der.ts';
import { int, oid, seq, text, tlv, usageBits } from './naive-x509.ts';

const decode = (octets: readonly number[]) => decodeDer(Uint8Array.from(octets), 1024);

test('parts and their places', () => {
  const input = Uint8Array.from([9, 9, ...seq(int(5), seq(), tlv(0xa1, tlv(4, [1, 2])))]);
  const root = decodeDer(input.subarray(2), 1024)!;
  assert.equal([...root.bytes], [...input.subarray(2)]);
  assert.equal(
    root.parts.map(({ tag }) => tag),
    [0x02, 0x30, 0xa1],
  );
  assert.equal([...root.parts[2]!.parts[0]!.content], [1, 2]);
  assert.is(partsOf(root, 0x31).length, 0);
  assert.is(root.content.buffer.byteLength >= root.content.length, true);
  const long = decode(seq(tlv(4, new Array<number>(300).fill(7))))!;
  assert.is(long.parts[0]!.content.length, 300);
});

test('what is refused', () => {
  for (const octets of [
    [],
    [0x30],
    [0x30, 0x01],
    [0x30, 0x81, 0x00],
    [0x30, 0x80, 0, 0],
    [0x05, 0x00, 0x00],
    // Strings in pieces, and containers that are not constructed.
    [0x24, 0x03, 0x04, 0x01, 0x00],
    [0x23, 0x04, 0x03, 0x02, 0x00, 0x00],
    [0x10, 0x00],
    [0x11, 0x00],
    // A tag of more than one octet.
    [0x1f, 0x01, 0x00],
    [0xbf, 0x20, 0x00],
    // A padded integer.
    [0x02, 0x02, 0x00, 0x01],
    [0x02, 0x02, 0xff, 0xff],
    // An odd number of octets in a string of two a character.
    [0x1e, 0x03, 0, 65, 0],
  ]) {
    assert.is(decode(octets), undefined, octets.join(' '));
  }
  assert.is(decodeDer(new Uint8Array(2000), 1024), undefined);
});

test('numbers, names, booleans, bits', () => {
  assert.is(unsignedOf(decode(int(2n ** 64n))), 2n ** 64n);
  assert.is(unsignedOf(decode([2, 1, 0x80])), undefined);
  assert.is(unsignedOf(decode([2, 0])), undefined);
  for (const name of ['1.2.840.10045.4.3.2', '2.5.29.15', '0.9.2342', '2.16.840.1.101.3.4.2.1']) {
    assert.is(oidOf(decode(oid(name))), name);
  }
  assert.is(oidOf(decode([6, 2, 0x88, 0x37])), '2.999');
  for (const octets of [
    [6, 0],
    [6, 2, 0x2a, 0x86],
    [6, 3, 0x2a, 0x80, 0x01],
    [6, 9, 0x2a, ...new Array<number>(7).fill(0xff), 0x7f],
  ]) {
    assert.is(oidOf(decode(octets)), undefined, octets.join(' '));
  }
  assert.is(booleanOf(decode([1, 1, 0xff])), true);
  assert.is(booleanOf(decode([1, 1, 1])), undefined);
  assert.is(namedBitsOf(decode(usageBits(0b1100000))), 0b1100000);
  assert.is(namedBitsOf(decode([3, 2, 7, 0xc0])), undefined);
});

test('dates', () => {
  const ms = (value: string, tag: number) => timeMsOf(decode(text(value, tag)));
  assert.is(ms('491231235959Z', 0x17), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.is(ms('500101000000Z', 0x17), Date.UTC(1950, 0, 1));
  assert.is(ms('99991231235959Z', 0x18), Date.UTC(9999, 11, 31, 23, 59, 59));
  for (const value of ['260231000000Z', '260101240000Z', '2601010000Z', '260101000000+0000', '']) {
    assert.is(ms(value, 0x17), undefined, value);
  }
  assert.is(ms('20260101000000.5Z', 0x18), undefined);
  assert.is(ms('20260101000000Z', 0x17), undefined);
});

test.run();
