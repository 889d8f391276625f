/** Versions are text: compared folded, never converted; the other coding is only noticed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  isFirmwareVersion,
  sameHardware,
  sameText,
  sameUnderOtherCoding,
} from '../../src/products/device-model.ts';

test('text is equal but for blanks around it and case', () => {
  assert.ok(sameText(' 0002012f', '0002012F '));
  assert.not(sameText('9001', '00009001'));
  assert.not(sameText('10', '0A'));
});

test('a version has 1 to 8 characters, hexadecimal or not', () => {
  for (const text of ['1', '9001', 'V1.2 b', '12345678']) assert.ok(isFirmwareVersion(text));
  for (const text of ['', ' ', '123456789']) assert.not(isFirmwareVersion(text));
});

test('one number under two codings is noticed, octet by octet or as a whole', () => {
  assert.ok(sameUnderOtherCoding('10', '0A'));
  assert.ok(sameUnderOtherCoding('0a', '10'));
  assert.ok(sameUnderOtherCoding('01120000', '010C0000'));
  assert.ok(sameUnderOtherCoding('00000256', '00000100'));
  assert.not(sameUnderOtherCoding('01120000', '01120000'));
  assert.not(sameUnderOtherCoding('01120000', '010D0000'));
  assert.not(sameUnderOtherCoding('100A', '0A10'));
  assert.not(sameUnderOtherCoding('GEO', '10'));
});

test('hardware agrees in what both sides name', () => {
  const device = { manufacturer: '121d', model: '0084', hardwareVersion: '01' };
  assert.ok(sameHardware(device, { ...device, manufacturer: '121D', hardwareRevision: '07' }));
  for (const field of ['manufacturer', 'model', 'hardwareVersion'] as const) {
    assert.not(sameHardware(device, { ...device, [field]: 'FF' }));
  }
});

test.run();
