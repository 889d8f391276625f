/** Requests as bytes, answers as values: observed bytes, both error forms, and what a peer gets wrong. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerOf, errorOf } from '../../../src/protocol/smp/answers.ts';
import { decodeCborMap, encodeCborMap } from '../../../src/protocol/smp/cbor.ts';
import {
  CLIENT_FAILURES,
  clientFailure,
  deviceFailure,
  listedPeerErrors,
} from '../../../src/protocol/smp/codes.ts';
import { decodeHeader, writeHeader } from '../../../src/protocol/smp/header.ts';
import type { SmpRequest, UploadRequest } from '../../../src/protocol/smp/messages.ts';
import { commandOf } from '../../../src/protocol/smp/requests.ts';
import { UploadAnswer } from '../../../src/protocol/smp/upload-answer.ts';
import {
  chunkBytesMax,
  firstChunkBytesMax,
  writeChunk,
  writeFirstChunk,
} from '../../../src/protocol/smp/upload-request.ts';
import { cbor, counting, frame, hexBytes, Indefinite, message } from './naive-codec.ts';

const test = suite('protocol/smp messages');

const HASH = counting(32);

const REQUESTS: [SmpRequest, number, number, number, Record<string, unknown>][] = [
  [{ kind: 'echo', text: 'hi' }, 2, 0, 0, { d: 'hi' }],
  [{ kind: 'reset' }, 2, 0, 5, {}],
  [{ kind: 'reset', bootMode: 1, force: true }, 2, 0, 5, { force: 1, boot_mode: 1 }],
  [{ kind: 'params' }, 0, 0, 6, {}],
  [{ kind: 'os-info', format: 'a' }, 0, 0, 7, { format: 'a' }],
  [{ kind: 'bootloader-info', query: 'mode' }, 0, 0, 8, { query: 'mode' }],
  [{ kind: 'image-list' }, 0, 1, 0, {}],
  [{ kind: 'image-test', hash: HASH }, 2, 1, 0, { hash: HASH, confirm: false }],
  [{ kind: 'image-confirm', hash: HASH }, 2, 1, 0, { hash: HASH, confirm: true }],
  [{ kind: 'image-confirm' }, 2, 1, 0, { confirm: true }],
  [{ kind: 'image-erase' }, 2, 1, 5, {}],
  [{ kind: 'image-erase', slot: 1 }, 2, 1, 5, { slot: 1 }],
  [{ kind: 'slot-info' }, 0, 1, 6, {}],
  [{ kind: 'raw', write: true, group: 64, command: 3, body: cbor({ a: 1 }) }, 2, 64, 3, { a: 1 }],
];

test("every request is the oracle's bytes", () => {
  for (const [request, op, group, number, body] of REQUESTS) {
    const command = commandOf(request);
    const seen = [command.write ? 2 : 0, command.group, command.command];
    assert.equal(seen, [op, group, number], request.kind);
    assert.equal(command.body, cbor(body), request.kind);
  }
});

test('what changes the device for good is sent once; everything else may be repeated', () => {
  const once = REQUESTS.filter(([request]) => !commandOf(request).repeatable);
  assert.equal([...new Set(once.map(([{ kind }]) => kind))], ['reset', 'image-erase', 'raw']);
});

test('headers, both ways', () => {
  const bytes = new Uint8Array(9);
  writeHeader(bytes, 0, 2, 1, 1, 0x1234, 0xfe, 5);
  assert.equal(bytes.subarray(0, 8), hexBytes('0a 00 0001 1234 fe 05'));
  const fields = { op: 2, version: 1, bodyBytes: 1, group: 0x1234, sequence: 0xfe, command: 5 };
  assert.equal(decodeHeader(bytes, 0, 9), fields);
  assert.is(decodeHeader(bytes, 0, 8), undefined);
  assert.is(decodeHeader(bytes, 0, 7), undefined);
  assert.is(decodeHeader(new Uint8Array(20), 0, 20), undefined);
});

test("upload chunks are the oracle's bytes, at every size of offset and length", () => {
  const image = counting(70_000);
  for (const offset of [1, 23, 24, 255, 256, 65_535, 65_536]) {
    for (const length of [1, 23, 24, 255, 256, 1_000]) {
      const out = new Uint8Array(1_200);
      const bytes = writeChunk(out, 2, 1, 9, image, offset, length);
      const data = image.subarray(offset, offset + length);
      const body = { off: offset, data };
      const expected = message({ op: 2, version: 1, group: 1, sequence: 9, command: 1, body });
      assert.equal(out.subarray(2, 2 + bytes), expected, `${offset} ${length}`);
    }
  }
});

test('the first chunk carries what was asked for, in the order servers read it', () => {
  const image = counting(300);
  const base = { len: 300, off: 0 };
  const cases: [Partial<UploadRequest>, Record<string, unknown>][] = [
    [{}, base],
    [{ sha256: HASH }, { ...base, sha: HASH }],
    [{ imageNumber: 2 }, { image: 2, ...base }],
    [{ imageNumber: 0 }, base],
    [
      { upgradeOnly: true, sha256: HASH },
      { ...base, sha: HASH, upgrade: true },
    ],
  ];
  for (const [options, fields] of cases) {
    const upload = { image, ...options };
    for (const version of [0, 1]) {
      const out = new Uint8Array(400);
      const bytes = writeFirstChunk(out, 0, version, 3, upload, 64);
      const body = { ...fields, data: image.subarray(0, 64) };
      const expected = message({ op: 2, version, group: 1, sequence: 3, command: 1, body });
      assert.equal(out.subarray(0, bytes), expected);
    }
  }
});

test('chunks are the largest multiple of 16 that fits, and the message never too long', () => {
  const image = counting(100_000);
  const out = new Uint8Array(4_200);
  const upload = { image, sha256: HASH, imageNumber: 300, upgradeOnly: true };
  for (let most = 130; most < 2_100; most++) {
    for (const offset of [16, 300, 70_000]) {
      const chunk = chunkBytesMax(most, offset);
      assert.is(chunk % 16, 0);
      assert.ok(writeChunk(out, 0, 1, 0, image, offset, chunk) <= most);
      assert.ok(writeChunk(out, 0, 1, 0, image, offset, chunk + 17) > most);
    }
    const first = firstChunkBytesMax(most, upload);
    if (first <= 0) continue;
    assert.ok(writeFirstChunk(out, 0, 1, 0, upload, first) <= most);
    assert.ok(writeFirstChunk(out, 0, 1, 0, upload, first + 17) > most);
  }
  assert.equal(
    [1, 24, 64, 128, 256].map((align) => chunkBytesMax(252, 70_000, align)),
    [227, 216, 192, 128, 0],
  );
  assert.equal(
    [252, 380, 1_020, 2_044].map((most) => chunkBytesMax(most, 70_000)),
    [224, 352, 992, 2_016],
  );
});

test('upload answers of every form, without the general decoder', () => {
  const answer = new UploadAnswer();
  const read = (body: unknown) => {
    const bytes = cbor(body);
    const padded = Uint8Array.from([9, ...bytes, 9]);
    return answer.read(padded, 1, 1 + bytes.length);
  };
  for (const form of [
    (map: Record<string, unknown>) => map,
    (map: Record<string, unknown>) => new Indefinite(map),
  ]) {
    for (const off of [0, 23, 24, 255, 256, 65_535, 65_536, 0x3fffffff]) {
      for (const body of [{ off }, { rc: 0, off }, { off, rc: 0 }]) {
        assert.is(read(form(body)), true);
        assert.equal([answer.offset, answer.match], [off, -1]);
      }
      assert.is(read(form({ rc: 0, off, match: true })), true);
      assert.equal([answer.offset, answer.match], [off, 1]);
      assert.is(read(form({ match: false, off })), true);
      assert.equal([answer.offset, answer.match], [off, 0]);
    }
    for (const body of [
      {},
      { rc: 0 },
      { rc: 3, off: 1 },
      { off: 0x40000000 },
      { off: -1 },
      { off: 'a' },
    ]) {
      assert.is(read(form(body)), false, JSON.stringify(body));
    }
    assert.is(read(form({ err: { group: 1, rc: 9 } })), false);
    assert.is(read(form({ off: 1, more: 2 })), false);
  }
  const twice = [...hexBytes('636f666601'), ...hexBytes('636f666602')];
  for (const bytes of [
    [0xa2, ...twice],
    [0xbf, ...twice, 0xff],
  ]) {
    assert.is(answer.read(Uint8Array.from(bytes), 0, bytes.length), false);
  }
});

test('every truncation and bit flip of an upload answer: left to the general decoder, or the same as it', () => {
  const answer = new UploadAnswer();
  for (const map of [{ rc: 0, off: 0x12345, match: true }, new Indefinite({ off: 500, rc: 0 })]) {
    const bytes = cbor(map);
    for (let end = 0; end < bytes.length; end++) assert.is(answer.read(bytes, 0, end), false);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      if (!answer.read(flipped, 0, flipped.length)) continue;
      const decoded = decodeCborMap(flipped, 0, flipped.length);
      assert.is(decoded.ok && decoded.map['off'], answer.offset, `bit ${bit}`);
      assert.is(decoded.ok && decoded.map['rc'] !== undefined && decoded.map['rc'] !== 0, false);
    }
  }
});

test('both error forms, and success in all its forms', () => {
  for (const map of [{}, { rc: 0 }, { off: 1 }, { err: { group: 1, rc: 0 } }]) {
    assert.is(errorOf(map), undefined);
  }
  const refused = (map: Record<string, unknown>) => {
    const error = errorOf(map);
    return error?.kind === 'refused' ? error.failure.code : error?.kind;
  };
  assert.is(refused({ rc: 8 }), 'smp-not-supported');
  assert.is(refused({ rc: 6, rsn: 'no slot' }), 'smp-bad-state');
  assert.is(refused({ rc: 300 }), 'smp-user');
  assert.is(refused({ rc: 77 }), 'smp-unlisted');
  assert.is(refused({ err: { group: 1, rc: 9 } }), 'image-no-free-slot');
  assert.is(refused({ err: { group: 0, rc: 2 } }), 'os-format');
  assert.is(refused({ err: { group: 8, rc: 2 } }), 'group-error');
  assert.is(refused({ err: { group: 1, rc: 99 } }), 'group-error');
  for (const map of [
    { rc: 'x' },
    { rc: -1 },
    { rc: 1.5 },
    { err: 9 },
    { err: {} },
    { err: null },
  ]) {
    assert.is(refused(map as Record<string, unknown>), 'malformed', JSON.stringify(map));
  }
  const { message: sentence, device } = deviceFailure(undefined, 6, 'no slot');
  assert.match(sentence, /no slot/);
  assert.equal(device, { group: undefined, rc: 6, reason: 'no slot' });
});

test('every code is listed once and has a sentence', () => {
  const listed = listedPeerErrors();
  const codes = [...listed.map(({ code }) => code), ...Object.keys(CLIENT_FAILURES)];
  assert.is(new Set(codes).size, codes.length);
  const sentences = [...listed.map(({ sentence }) => sentence), ...Object.values(CLIENT_FAILURES)];
  for (const sentence of sentences) assert.match(sentence, /^[A-Z].*\.$/);
  assert.is(listed.length, 13 + 5 + 34);
  assert.is(clientFailure('cancelled').message, CLIENT_FAILURES.cancelled);
});

test('an image list, with and without flags', () => {
  const images = [
    { slot: 0, version: '1.2.3', hash: HASH, bootable: true, active: true, confirmed: true },
    { image: 1, slot: 1, hash: HASH },
  ];
  const list = answerOf('image-list', { images, splitStatus: 0 });
  assert.is(list?.kind, 'image-list');
  if (list?.kind !== 'image-list') return;
  const [first, second] = list.images;
  assert.equal([first!.active, first!.pending, first!.flagged], [true, false, true]);
  assert.equal([second!.image, second!.version, second!.flagged], [1, '', false]);
});

test('slot info, with and without sizes', () => {
  const slots = [
    { slot: 0, size: 100 },
    { slot: 1, size: 90, upload_image_id: 2 },
  ];
  const answer = answerOf('slot-info', {
    images: [
      { image: 0, slots, max_image_size: 80 },
      { image: 1, slots: [] },
    ],
  });
  assert.equal(answer, {
    kind: 'slot-info',
    slots: [
      { image: 0, slot: 0, slotBytes: 100, uploadImage: undefined },
      { image: 0, slot: 1, slotBytes: 90, uploadImage: 2 },
    ],
    imageBytesMax: [{ image: 0, bytes: 80 }],
  });
});

test('answers that do not fit are none', () => {
  const wrong: [SmpRequest['kind'], Record<string, unknown>][] = [
    ['echo', { r: 1 }],
    ['params', { buf_size: 384 }],
    ['params', { buf_size: 10, buf_count: 4 }],
    ['params', { buf_size: 384, buf_count: 0 }],
    ['os-info', {}],
    ['image-list', {}],
    ['image-list', { images: {} }],
    ['image-list', { images: [1] }],
    ['image-list', { images: [{ slot: 'a' }] }],
    ['image-list', { images: [{ slot: 0, active: 1 }] }],
    ['image-list', { images: [{ slot: 0, hash: 'a' }] }],
    ['image-list', { images: Array.from({ length: 65 }, () => ({ slot: 0 })) }],
    ['image-test', { images: 3 }],
    ['slot-info', { images: [{ image: 0 }] }],
    ['slot-info', { images: [{ slots: [{ slot: 0, size: 'a' }] }] }],
  ];
  for (const [kind, map] of wrong) assert.is(answerOf(kind, map), undefined, JSON.stringify(map));
});

test('params are capped before they are believed', () => {
  const answer = answerOf('params', { buf_size: 1 << 30, buf_count: 1 });
  assert.is(answer?.kind === 'params' && answer.messageBytes, 4_092);
});

test('cbor-x writes plain maps and its results are copies', () => {
  const first = encodeCborMap({ hash: HASH, confirm: true, gone: undefined });
  assert.equal(first, cbor({ hash: HASH, confirm: true }));
  encodeCborMap({ other: counting(64, 3) });
  assert.equal(first, cbor({ hash: HASH, confirm: true }));
});

test('decoded byte strings are copies, and what is no map is refused', () => {
  const bytes = cbor({ hash: HASH });
  const decoded = decodeCborMap(bytes, 0, bytes.length);
  bytes.fill(0);
  assert.equal(decoded.ok && decoded.map['hash'], HASH);
  assert.equal(decodeCborMap(cbor([1]), 0, 2), { ok: false, code: 'not-a-map' });
  assert.is(
    frame(message({ op: 0, version: 0, group: 0, sequence: 0, command: 0, body: {} })).op,
    0,
  );
});

test.run();
