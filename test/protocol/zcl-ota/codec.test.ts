/** The frames of cluster 0x0019 against golden bytes, cut at every byte, with every bit turned. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../../src/bytes/hex.ts';
import {
  decodeOtaFrame,
  encodeOtaFrame,
  type OtaMessage,
  STATUS,
  statusName,
} from '../../../src/protocol/zcl-ota/codec.ts';

interface Golden {
  /** As encodeOtaFrame writes it: default responses not wanted. */
  hex: string;
  sequence: number;
  message: OtaMessage;
  /** What shorter frames may be read as, by length; all others are malformed or no frame. */
  lenient?: Record<number, OtaMessage>;
}

const ids = { manufacturerCode: 0x1234, imageType: 0x0001, fileVersion: 0x00020000 };
const IDS = '34120100 00000200'.replace(' ', '');
const blockRequest = {
  kind: 'image-block-request',
  ...ids,
  fileOffset: 0x00012345,
  maximumDataBytes: 0x32,
} as const;
const pageRequest = {
  kind: 'image-page-request',
  ...ids,
  fileOffset: 0x100,
  maximumDataBytes: 0x3f,
  pageBytes: 0x0400,
  responseSpacingMs: 0x0032,
} as const;
const notifyFull = { kind: 'image-notify', payloadType: 3, queryJitter: 100, ...ids } as const;

/** Written out by hand from the table of commands; never edited to fit the code. */
const GOLDEN: Golden[] = [
  {
    hex: '19 01 00 00 64',
    sequence: 1,
    message: { kind: 'image-notify', payloadType: 0, queryJitter: 100 },
  },
  {
    hex: '19 01 00 01 64 3412',
    sequence: 1,
    message: {
      kind: 'image-notify',
      payloadType: 1,
      queryJitter: 100,
      manufacturerCode: 0x1234,
    },
  },
  {
    hex: '19 01 00 02 32 3412 c0ff',
    sequence: 1,
    message: {
      kind: 'image-notify',
      payloadType: 2,
      queryJitter: 50,
      manufacturerCode: 0x1234,
      imageType: 0xffc0,
    },
  },
  { hex: `19 01 00 03 64 ${IDS}`, sequence: 1, message: notifyFull },
  {
    hex: `11 2a 01 00 ${IDS}`,
    sequence: 0x2a,
    message: { kind: 'query-next-image-request', ...ids },
  },
  {
    hex: '11 2a 01 01 ffff c1ff ffffffff 1112',
    sequence: 0x2a,
    message: {
      kind: 'query-next-image-request',
      manufacturerCode: 0xffff,
      imageType: 0xffc1,
      fileVersion: 0xffffffff,
      hardwareVersion: 0x1211,
    },
    lenient: Object.fromEntries(
      [12, 13].map((length) => [
        length,
        {
          kind: 'query-next-image-request',
          manufacturerCode: 0xffff,
          imageType: 0xffc1,
          fileVersion: 0xffffffff,
        },
      ]),
    ),
  },
  {
    hex: `19 2a 02 00 ${IDS} 00000400`,
    sequence: 0x2a,
    message: { kind: 'query-next-image-response', status: 0, ...ids, imageBytes: 0x40000 },
  },
  {
    hex: '19 2a 02 98',
    sequence: 0x2a,
    message: { kind: 'query-next-image-response', status: STATUS.noImageAvailable },
  },
  {
    hex: '19 2a 02 7e',
    sequence: 0x2a,
    message: { kind: 'query-next-image-response', status: STATUS.notAuthorized },
  },
  { hex: `11 ff 03 00 ${IDS} 45230100 32`, sequence: 0xff, message: blockRequest },
  {
    hex: `11 ff 03 01 ${IDS} 45230100 32 0807060504030201`,
    sequence: 0xff,
    message: { ...blockRequest, requestNodeEui64: '0102030405060708' },
    lenient: Object.fromEntries(lengths(17, 24).map((length) => [length, blockRequest])),
  },
  {
    hex: `11 ff 03 02 ${IDS} 45230100 32 c800`,
    sequence: 0xff,
    message: { ...blockRequest, minimumBlockPeriod: 200 },
    lenient: { 17: blockRequest, 18: blockRequest },
  },
  {
    hex: `11 ff 03 03 ${IDS} 45230100 32 0807060504030201 c800`,
    sequence: 0xff,
    message: {
      ...blockRequest,
      requestNodeEui64: '0102030405060708',
      minimumBlockPeriod: 200,
    },
    lenient: {
      ...Object.fromEntries(lengths(17, 24).map((length) => [length, blockRequest])),
      25: { ...blockRequest, requestNodeEui64: '0102030405060708' },
      26: { ...blockRequest, requestNodeEui64: '0102030405060708' },
    },
  },
  {
    hex: `11 00 04 00 ${IDS} 00010000 3f 0004 3200`,
    sequence: 0,
    message: pageRequest,
  },
  {
    hex: `11 00 04 01 ${IDS} 00010000 3f 0004 3200 0807060504030201`,
    sequence: 0,
    message: { ...pageRequest, requestNodeEui64: '0102030405060708' },
    lenient: Object.fromEntries(lengths(21, 28).map((length) => [length, pageRequest])),
  },
  {
    hex: `19 2a 05 00 ${IDS} 45230100 03 aabbcc`,
    sequence: 0x2a,
    message: {
      kind: 'image-block-response',
      ...ids,
      fileOffset: 0x12345,
      data: Uint8Array.of(0xaa, 0xbb, 0xcc),
    },
  },
  {
    hex: '19 2a 05 97 00000000 100e0000 c800',
    sequence: 0x2a,
    message: {
      kind: 'image-block-wait',
      currentTime: 0,
      requestTime: 3600,
      minimumBlockPeriod: 200,
    },
    lenient: {
      12: { kind: 'image-block-wait', currentTime: 0, requestTime: 3600 },
      13: { kind: 'image-block-wait', currentTime: 0, requestTime: 3600 },
    },
  },
  {
    hex: '19 2a 05 95',
    sequence: 0x2a,
    message: { kind: 'image-block-refusal', status: STATUS.abort },
  },
  {
    hex: `11 2b 06 00 ${IDS}`,
    sequence: 0x2b,
    message: { kind: 'upgrade-end-request', status: 0, ...ids },
  },
  {
    hex: `11 2b 06 96 ${IDS}`,
    sequence: 0x2b,
    message: { kind: 'upgrade-end-request', status: STATUS.invalidImage, ...ids },
    lenient: Object.fromEntries(
      lengths(4, 11).map((length) => [
        length,
        { kind: 'upgrade-end-request', status: STATUS.invalidImage },
      ]),
    ),
  },
  {
    hex: '11 2b 06 95',
    sequence: 0x2b,
    message: { kind: 'upgrade-end-request', status: STATUS.abort },
  },
  {
    hex: `19 2b 07 ${IDS} 00000000 ffffffff`,
    sequence: 0x2b,
    message: {
      kind: 'upgrade-end-response',
      ...ids,
      currentTime: 0,
      upgradeTime: 0xffffffff,
    },
  },
  {
    hex: '11 2c 08 0807060504030201 3412 c0ff ffffffff 0200',
    sequence: 0x2c,
    message: {
      kind: 'query-device-specific-file-request',
      eui64: '0102030405060708',
      manufacturerCode: 0x1234,
      imageType: 0xffc0,
      fileVersion: 0xffffffff,
      zigbeeStackVersion: 2,
    },
  },
  {
    hex: `19 2c 09 00 ${IDS} ff000000`,
    sequence: 0x2c,
    message: {
      kind: 'query-device-specific-file-response',
      status: 0,
      ...ids,
      imageBytes: 255,
    },
  },
  {
    hex: '19 2c 09 98',
    sequence: 0x2c,
    message: { kind: 'query-device-specific-file-response', status: STATUS.noImageAvailable },
  },
  {
    hex: '18 2a 0b 03 98',
    sequence: 0x2a,
    message: { kind: 'default-response', command: 3, status: STATUS.noImageAvailable },
  },
];

function lengths(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function bytesOf(hex: string): Uint8Array {
  return decodeHex(hex.replaceAll(' ', ''))!;
}

function messageOf(bytes: Uint8Array): OtaMessage | string {
  const decoded = decodeOtaFrame(bytes);
  return decoded.ok ? decoded.message : decoded.code;
}

test('golden bytes: every command in both directions is read', () => {
  for (const { hex, sequence, message } of GOLDEN) {
    const bytes = bytesOf(hex);
    const decoded = decodeOtaFrame(bytes);
    assert.ok(decoded.ok, hex);
    assert.equal(decoded.message, message, hex);
    assert.is(decoded.sequence, sequence);
    assert.is(decoded.frameControl, bytes[0]);
    assert.is(decoded.command, bytes[2]);
    assert.is(decoded.manufacturerSpecific, undefined);
  }
});

test('golden bytes: every command in both directions is written', () => {
  for (const { hex, sequence, message } of GOLDEN) {
    assert.is(encodeHex(encodeOtaFrame(message, sequence)), hex.replaceAll(' ', ''));
  }
});

test('a block request that a coordinator received, and the refusal it got', () => {
  const received = bytesOf('01 2a 03 00 3412 0100 00000200 00000000 32');
  assert.equal(messageOf(received), { ...blockRequest, fileOffset: 0 });
  assert.is(
    encodeHex(encodeOtaFrame({ kind: 'image-block-refusal', status: 0x95 }, 0x2a)),
    '192a0595',
  );
});

test('a default response may be addressed to the server', () => {
  const message = { kind: 'default-response', command: 7, status: 1 } as const;
  const bytes = encodeOtaFrame(message, 9, { defaultResponseToServer: true });
  assert.is(encodeHex(bytes), '10090b0701');
  assert.equal(messageOf(bytes), message);
});

test('a manufacturer code stands behind the frame control', () => {
  const decoded = decodeOtaFrame(bytesOf(`15 1d12 2a 01 00 ${IDS}`));
  assert.ok(decoded.ok);
  assert.is(decoded.manufacturerSpecific, 0x121d);
  assert.is(decoded.sequence, 0x2a);
  assert.is(decoded.command, 1);
  const message = { kind: 'default-response', command: 3, status: 0x81 } as const;
  const bytes = encodeOtaFrame(message, 7, { manufacturerSpecific: 0x121d });
  assert.is(encodeHex(bytes), '1c1d12070b0381');
});

test('every truncation is a code or the lenient reading that is meant', () => {
  for (const { hex, lenient } of GOLDEN) {
    const bytes = bytesOf(hex);
    for (let length = 0; length < bytes.length; length++) {
      const expected = lenient?.[length] ?? (length < 3 ? 'not-a-frame' : 'malformed');
      assert.equal(messageOf(bytes.subarray(0, length)), expected, `${hex} cut to ${length}`);
    }
  }
});

test('trailing bytes are ignored', () => {
  for (const { hex, message } of GOLDEN) {
    // An upgrade end request may go on behind its status, a flagged field may follow: not these.
    if ('minimumBlockPeriod' in message || hex.endsWith('06 95')) continue;
    assert.equal(messageOf(bytesOf(`${hex} 00`)), message);
  }
});

test('every bit turned ends in a code or in a message that can be written', () => {
  for (const { hex } of GOLDEN) {
    const bytes = bytesOf(hex);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const turned = bytes.slice();
      turned[bit >> 3]! ^= 1 << (bit & 7);
      const decoded = decodeOtaFrame(turned);
      if (!decoded.ok) {
        assert.ok(['malformed', 'unsupported-command', 'not-a-frame'].includes(decoded.code));
        continue;
      }
      const again = decodeOtaFrame(encodeOtaFrame(decoded.message, decoded.sequence));
      assert.ok(again.ok);
      assert.equal(again.message, decoded.message);
    }
  }
});

test('unknown commands, reserved frame types and other profile-wide commands have their codes', () => {
  assert.is(messageOf(bytesOf('01 2a 0a 00')), 'unsupported-command');
  assert.is(messageOf(bytesOf('01 2a ff')), 'unsupported-command');
  assert.is(messageOf(bytesOf('00 2a 00 0000')), 'unsupported-command');
  assert.is(messageOf(bytesOf('02 2a 03 00')), 'not-a-frame');
  assert.is(messageOf(bytesOf('03 2a 0b 00 00')), 'not-a-frame');
  assert.is(messageOf(bytesOf('19 01 00 04 64')), 'malformed');
});

test('the data of a block is a view of the frame, and a block over its size field is an error', () => {
  const frame = bytesOf(`19 2a 05 00 ${IDS} 00000000 02 aabb`);
  const message = messageOf(frame) as Extract<OtaMessage, { kind: 'image-block-response' }>;
  assert.is(message.data.buffer, frame.buffer);
  const tooLong = { ...message, data: new Uint8Array(256) };
  assert.throws(() => encodeOtaFrame(tooLong, 0), /size field/);
});

test('statuses have names for people', () => {
  assert.is(statusName(0x95), 'ABORT');
  assert.is(statusName(0x98), 'NO_IMAGE_AVAILABLE');
  assert.is(statusName(0xc3), 'status 0xc3');
});

test.run();
