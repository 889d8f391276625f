/** Base64 as it arrives: the same as node's, in any pieces, in its one strict form. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Base64Decoder, decodeBase64 } from '../../src/bytes/base64.ts';

const test = suite('base64');
const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

test('what node encodes is decoded, in any pieces and with blanks anywhere', () => {
  const blank = fc.constantFrom('', '', '', ' ', '\n', '\t', '\r\n');
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.array(blank, { minLength: 1 }),
      fc.nat(200),
      (bytes, blanks, cut) => {
        const text = [...Buffer.from(bytes).toString('base64')]
          .map((digit, at) => digit + blanks[at % blanks.length]!)
          .join('');
        const decoder = new Base64Decoder(100);
        const whole = ascii(text);
        assert.is(decoder.push(whole.subarray(0, cut)), undefined);
        assert.is(decoder.push(whole.subarray(cut)), undefined);
        const decoded = decoder.end();
        assert.ok(decoded.ok);
        assert.equal([...decoded.bytes], [...bytes]);
        assert.is(decoded.bytes.buffer.byteLength, bytes.length);
      },
    ),
  );
});

test('only what an encoder writes is taken: every text of four characters', () => {
  const characters = ['A', 'Q', 'B', '/', '=', '-', '\u0000'];
  for (const a of characters) {
    for (const b of characters) {
      for (const c of characters) {
        for (const d of characters) {
          const text = a + b + c + d;
          const isStrict = Buffer.from(text, 'base64').toString('base64') === text;
          assert.is(decodeBase64(text, 3) !== undefined, isStrict, text);
        }
      }
    }
  }
});

test('what stands in no group of four', () => {
  for (const text of [
    'A',
    'AA',
    'AAA',
    'AA=',
    'A===',
    '=',
    '====',
    'AAAA=',
    'AA==A',
    'AAA=AAAA',
    'é===',
  ]) {
    assert.is(decodeBase64(text, 100), undefined, text);
  }
  assert.equal([...decodeBase64('', 0)!], []);
});

test('a bound is kept to the octet', () => {
  const codes = (text: string, bytesMax: number) => {
    const decoder = new Base64Decoder(bytesMax);
    const decoded = decoder.end;
    return decoder.push(ascii(text)) ?? decoded.call(decoder);
  };
  for (const [text, bytes] of [
    ['AAAA', 3],
    ['AAA=', 2],
    ['AA==', 1],
    ['AAAAAA==', 4],
  ] as const) {
    const fits = codes(text, bytes);
    assert.ok(typeof fits === 'object' && fits.ok, text);
    const tooLong = codes(text, bytes - 1);
    assert.is(
      typeof tooLong === 'object' ? !tooLong.ok && tooLong.code : tooLong,
      'base64-too-long',
    );
  }
});

test.run();
