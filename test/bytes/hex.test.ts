import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeHex,
  encodeHex,
  eui64FromWire,
  eui64ToWire,
  hex,
  parseEui64,
} from '../../src/bytes/hex.ts';

test('every byte, there and back', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.is(encodeHex(bytes), Buffer.from(bytes).toString('hex'));
  assert.equal(decodeHex(encodeHex(bytes)), bytes);
  assert.equal(decodeHex(encodeHex(bytes).toUpperCase()), bytes);
  assert.is(encodeHex(new Uint8Array(0)), '');
  assert.equal(decodeHex(''), new Uint8Array(0));
});

test('what is no hexadecimal text is refused, not half read', () => {
  for (const text of [
    '0',
    '012',
    '0g',
    'g0',
    '0x12',
    ' 12',
    '12 ',
    '1 2 ',
    '-1',
    '+1',
    '1.',
    '１２',
    '12\n',
  ]) {
    assert.is(decodeHex(text), undefined, JSON.stringify(text));
  }
});

test('codes show upper case and padded, and longer ones whole', () => {
  assert.is(hex(0xab, 4), '0x00AB');
  assert.is(hex(0, 2), '0x00');
  assert.is(hex(0xffffffff, 8), '0xFFFFFFFF');
  assert.is(hex(0x12345, 4), '0x12345');
});

test('an EUI-64 is the wire reversed, and the wire stays as it was', () => {
  const wire = Uint8Array.of(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);
  assert.is(eui64FromWire(wire), '1122334455667788');
  assert.is(wire[0], 0x88);
  assert.equal(eui64ToWire('1122334455667788'), wire);
});

test('an EUI-64 of another length or alphabet has no bytes', () => {
  for (const text of [
    '',
    '112233445566778',
    '11223344556677889',
    '112233445566778g',
    '0x11223344556677',
  ]) {
    assert.is(eui64ToWire(text), undefined, JSON.stringify(text));
  }
});

test('an EUI-64 as people write it', () => {
  const expected = '00124b00abcdef01';
  for (const text of [
    '00124b00abcdef01',
    '00124B00ABCDEF01',
    '0x00124b00abcdef01',
    '0X00124B00ABCDEF01',
    '00:12:4b:00:ab:cd:ef:01',
    '00-12-4B-00-AB-CD-EF-01',
    '00 12 4b 00 ab cd ef 01',
    '  0x00124b00abcdef01\n',
  ]) {
    assert.is(parseEui64(text), expected, JSON.stringify(text));
  }
});

test('what is no EUI-64 is none', () => {
  for (const text of [
    '',
    '0x',
    '00124b00abcdef0',
    '00124b00abcdef012',
    '00124b00abcdef0g',
    '0x0x124b00abcdef01',
    '00124b00.abcdef01',
    '00_12_4b_00_ab_cd_ef_01',
    '：0124b00abcdef01',
  ]) {
    assert.is(parseEui64(text), undefined, JSON.stringify(text));
  }
});

test('an EUI-64 is read from a Buffer without turning its bytes round', () => {
  const bytes = Buffer.from('0102030405060708', 'hex');
  assert.is(eui64FromWire(bytes), '0807060504030201');
  assert.is(bytes.toString('hex'), '0102030405060708');
});

test.run();
