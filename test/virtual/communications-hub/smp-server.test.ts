/**
 * The virtual SMP server against what Zephyr 4.4 was seen to answer: every golden line here was
 * captured from the running server, the rows of the upload table and of the os group one by one.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Bench, cbor, GEOMETRY, makeImage, naiveLines, naiveMessage } from './fixture.ts';

const READ = 0;
const WRITE = 2;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The one answer, header and map, in hexadecimal; '' for silence. */
function answerHex(bench: Bench, message: Uint8Array): string {
  return bench.exchange(message).map(hex).join(' ');
}

function request(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

const A = makeImage({ version: [1, 0, 0, 0] });
const B = makeImage({ version: [1, 2, 3, 4] });

// Captured from the board: request and answer, header and map. Info texts apart, byte for byte.
const GOLDEN: [name: string, request: string, answer: string][] = [
  ['echo, v1', '0200000600003c00a16164626869', '0300000700003c00bf6172626869ff'],
  ['echo, v2', '0a00000600003c00a16164626869', '0b00000700003c00bf6172626869ff'],
  ['echo as a read', '0800000600003d00a16164626869', '0900000700003d00bf6172626869ff'],
  ['echo of nothing', '0a00000100003e00a0', '0b00000500003e00bf617260ff'],
  ['echo of a number', '0a00000400003f00a1616405', '0b00000600003f00bf62726303ff'],
  ['echo without a map', '0a00000000004000', '0b00000600004000bf62726303ff'],
  [
    'params',
    '0000000100004206a0',
    '0100001900004206bf686275665f73697a65190180696275665f636f756e7404ff',
  ],
  ['params written', '0a00000100004206a0', '0b00000600004206bf62726308ff'],
  [
    'info, wrong letter, v1',
    '0000000a00000907a166666f726d6174615a',
    '0100000600000907bf62726303ff',
  ],
  [
    'info, wrong letter, v2',
    '0800000a00004507a166666f726d6174615a',
    '0900001300004507bf63657272bf6567726f75700062726302ffff',
  ],
  ['task statistics, not built in', '0800000100004a03a0', '0900000600004a03bf62726308ff'],
  ['reset as a read', '0800000100004d05a0', '0900000600004d05bf62726308ff'],
  ['no such os command', '0800000100004e09a0', '0900000600004e09bf62726308ff'],
  ['no such group', '0800000100091800a0', '0900000600091800bf62726308ff'],
  ['version 0b10', '1200000600007800a16164626869', '0b00000600007800bf6272630dff'],
  ['version 0b11', '1a00000600007900a16164626869', '0b00000600007900bf6272630dff'],
  ['an answer as a request', '0900000600007a00a16164626869', '0b00000600007a00bf62726308ff'],
  ['no such operation', '0d00000600007c00a16164626869', '0b00000600007c00bf62726308ff'],
  ['length beyond the packet', '0a00003200007e00a16164626869', '0b00000600007e00bf62726309ff'],
  ['length short of the map', '0a00000300007f00a16164626869', '0b00000700007f00bf6172626869ff'],
  ['half a header', '0a000000', ''],
  [
    'two requests in a packet',
    '0a00000600008000a161646268690a00000600008100a1616462796f',
    '0b00000700008000bf6172626869ff 0b00000700008100bf617262796fff',
  ],
  [
    'a map of indefinite length',
    '0a00000700008200bf6164626869ff',
    '0b00000700008200bf6172626869ff',
  ],
  ['half a map', '0a00000400008300a1616462', '0b00000600008300bf62726303ff'],
  ['text in pieces', '0a00000900008400a161647f61686169ff', '0b00000600008400bf62726303ff'],
  ['a key twice', '0a00000b00008400a26164626869616462796f', '0b00000600008400bf62726303ff'],
  ['bytes after the map', '0a00000800008400a1616462686900 00', '0b00000700008400bf6172626869ff'],
  ['flags set', '0aff000600008500a16164626869', '0b00000700008500bf6172626869ff'],
  ['top bits set', 'ea00000600008500a16164626869', '0b00000700008500bf6172626869ff'],
  ['set nothing, v1', '0200000100011f00a0', '0300000600011f00bf62726303ff'],
  [
    'set nothing, v2',
    '0a00000100015b00a0',
    '0b00001400015b00bf63657272bf6567726f7570016272631818ffff',
  ],
  ['erase', '0a00000100016205a0', '0b00000200016205bfff'],
  ['erase slot 0, v1', '0200000700012705a164736c6f7400', '0300000600012705bf62726306ff'],
  [
    'erase slot 0, v2',
    '0a00000700016305a164736c6f7400',
    '0b00001300016305bf63657272bf6567726f75700162726309ffff',
  ],
  [
    'erase slot 2, v2',
    '0a00000700016505a164736c6f7402',
    '0b00001300016505bf63657272bf6567726f7570016272630affff',
  ],
];

test('answers are those of the running server, byte for byte', () => {
  const bench = Bench.booted({ smp: { bootloaderInfo: false } });
  for (const [name, asked, expected] of GOLDEN) {
    assert.is(answerHex(bench, request(asked.replaceAll(' ', ''))), expected, name);
  }
});

test('the list of images has its keys in order, and false flags unless built without', () => {
  const bench = Bench.booted({ firmware: A.bytes });
  const flags =
    '68626f6f7461626c65f56770656e64696e67f469636f6e6669726d6564f566616374697665f5697065726d616e656e74f4';
  const map = `bf66696d616765739fbf64736c6f74006776657273696f6e65312e302e3064686173685820${hex(A.hash)}${flags}ffff6b73706c697453746174757300ff`;
  const expected = `0900008600014f00${map}`;
  assert.is(answerHex(bench, naiveMessage(READ, 1, 0, {}, { sequence: 0x4f })), expected);
  const terse = Bench.booted({ firmware: A.bytes, smp: { omitFalseFlags: true } });
  assert.equal(Object.keys(terse.list()[0]), [
    'slot',
    'version',
    'hash',
    'bootable',
    'confirmed',
    'active',
  ]);
});

test('slot info', () => {
  const bench = Bench.booted();
  const slots = [
    { slot: 0, size: 32_768 },
    { slot: 1, size: 32_768, upload_image_id: 0 },
  ];
  assert.equal(bench.ask(READ, 1, 6, {}), { images: [{ image: 0, slots }] });
});

test('info takes letters in any order and writes their parts in its own', () => {
  const bench = Bench.booted({
    smp: {
      info: {
        s: 'Zephyr',
        n: 'hub',
        r: 'r',
        v: 'v',
        b: 'b',
        m: 'arm',
        p: 'p',
        i: 'i',
        o: 'Zephyr',
      },
    },
  });
  const info = (body: object) => bench.ask(READ, 0, 7, body);
  assert.equal(info({}), { output: 'Zephyr' });
  assert.equal(info({ format: '' }), { output: 'Zephyr' });
  assert.equal(info({ format: 'mn' }), { output: 'hub arm' });
  assert.equal(info({ format: 'sa' }), { output: 'Zephyr hub r v b arm p i Zephyr' });
});

test('bootloader information, where it is built in', () => {
  const bench = Bench.booted();
  assert.equal(bench.ask(READ, 0, 8, {}), { bootloader: 'MCUboot' });
  assert.equal(bench.ask(READ, 0, 8, { query: 'mode' }), { mode: 9 });
  assert.equal(bench.ask(READ, 0, 8, { query: 'x' }), { err: { group: 0, rc: 3 } });
  const strict = Bench.booted({ smp: { preventsDowngrade: true } });
  assert.equal(strict.ask(READ, 0, 8, { query: 'mode' }), { mode: 9, 'no-downgrade': true });
});

test('a reset is answered, acts 250 ms later, and its log is on the line', () => {
  const bench = Bench.booted({ bootMs: 100 });
  const echo = naiveMessage(WRITE, 0, 0, { d: 'x' });
  assert.is(bench.exchange(naiveMessage(WRITE, 0, 5, {}), 100).length, 1);
  assert.is(bench.exchange(echo, 100).length, 1, 'the old image still answers');
  assert.not.match(bench.text(), /MCUboot/);
  bench.scheduler.run(400);
  assert.match(bench.text(), /Booting MCUboot[\s\S]*Jumping to the first image slot/);
  const busy = Bench.booted({ smp: { resetWantsForce: true } });
  assert.equal(busy.ask(WRITE, 0, 5, {}), { rc: 10 });
  assert.equal(busy.ask(WRITE, 0, 5, { force: 1 }), {});
});

for (const version of [0, 1]) {
  test(`the upload table, as version ${version + 1} shows it`, () => {
    const bench = Bench.booted({ firmware: A.bytes });
    const len = B.bytes.length;
    const data = B.bytes.subarray(0, 40);
    const error = (code: number, v1: number, rsn: string) =>
      version === 0 ? { rc: v1, rsn } : { err: { group: 1, rc: code } };
    const chunk = (body: object) => bench.chunk(body, version);
    const malformed = 'header malformed';
    assert.equal(chunk({ off: 5, data }), { off: 0 }, 'an offset where nothing has begun');
    assert.equal(chunk({ off: 0, len, data: new Uint8Array(40) }), error(23, 1, 'magic mismatch'));
    assert.equal(chunk({ off: 0, len, data: B.bytes.subarray(0, 31) }), error(22, 3, malformed));
    assert.equal(chunk({ off: 0, len }), error(22, 3, malformed));
    assert.equal(chunk({ off: 0, data }), error(21, 3, malformed));
    assert.equal(chunk({ data }), error(20, 3, malformed));
    assert.equal(chunk({ off: 0xffffffff, data }), error(20, 3, malformed));
    assert.equal(chunk({ off: 0, len: 32_769, data }), error(30, 1, 'img too large'));
    assert.equal(chunk({ off: 0, len: 32_768, data }), { off: 40 });
    assert.equal(chunk({ off: 0, image: 3, len, data }), { off: 40 }, 'one image only: any number');
    assert.equal(chunk({ off: 0, len: 60, data }), { off: 40 });
    assert.equal(chunk({ off: 40, data }), error(31, 1, 'data overrun'));
    assert.equal(chunk({ off: 40, data }), { off: 0 }, 'an error ends the upload');
    const upgrade = { off: 0, len, upgrade: true };
    assert.equal(chunk({ ...upgrade, data: A.bytes.subarray(0, 40) }), error(27, 6, 'downgrade'));
    assert.equal(chunk({ ...upgrade, data }), { off: 40 });
    assert.equal(chunk({ off: 0, len, sha: new Uint8Array(33), data }).off, undefined);
    assert.equal(chunk({ off: '1', data }), { rc: 3 });
    assert.equal(chunk({ off: 0, len, data: 'hello' }), { rc: 3 });
    assert.equal(chunk({ off: 0, len, bogus: { a: [1, 2] }, data }), { off: 40 });
  });
}

test('a wrong or repeated offset costs nothing', () => {
  const bench = Bench.booted();
  bench.upload(B, 240, 480);
  assert.equal(bench.chunk({ off: 240, data: B.bytes.subarray(240, 480) }), { off: 480 });
  assert.equal(bench.chunk({ off: 720, data: B.bytes.subarray(720, 960) }), { off: 480 });
  assert.equal(bench.chunk({ off: 480, data: new Uint8Array(0) }), { off: 480 });
});

test('the same sha resumes, another one or none begins again', () => {
  const bench = Bench.booted();
  bench.upload(B, 240, 960);
  const first = { off: 0, len: B.bytes.length, data: B.bytes.subarray(0, 100) };
  assert.equal(bench.chunk({ ...first, sha: B.sha }), { off: 960 });
  assert.equal(
    bench.chunk({ ...first, sha: B.sha, len: 5_000 }),
    { off: 960 },
    'len is not looked at',
  );
  assert.equal(bench.chunk({ ...first, sha: B.sha.subarray(0, 8) }), { off: 100 });
  bench.upload(B, 240, 960);
  assert.equal(bench.chunk(first), { off: 100 });
});

test('an erase ends the upload; a complete one cannot be resumed', () => {
  const bench = Bench.booted();
  bench.upload(B, 240, 480);
  assert.equal(bench.ask(WRITE, 1, 5, {}), {});
  assert.equal(bench.chunk({ off: 480, data: B.bytes.subarray(480, 500) }), { off: 0 });
  assert.equal(bench.upload(B), { off: B.bytes.length });
  const again = { off: 0, len: B.bytes.length, sha: B.sha, data: B.bytes.subarray(0, 128) };
  assert.equal(bench.chunk(again), { off: 128 });
});

test('a full slot is erased at the first chunk, or as the image grows', () => {
  const erasedAtFirstChunk = (progressiveErase: boolean) => {
    const bench = Bench.booted({ smp: { progressiveErase } });
    bench.upload(B);
    const before = bench.hub.flash.operations;
    bench.upload(A, 240, 240);
    const operations = bench.hub.flash.operations - before;
    bench.upload(A);
    assert.is(bench.state(), '0 1.0.0 confirmed active | 1 1.0.0');
    return operations;
  };
  assert.is(erasedAtFirstChunk(false), Math.ceil(B.bytes.length / GEOMETRY.eraseBlockBytes));
  assert.is(erasedAtFirstChunk(true), 1);
});

test('builds that answer rc on writes, and match at the end', () => {
  const bench = Bench.booted({ smp: { writeAnswersCarryRc: true, uploadMatch: true } });
  assert.equal(bench.chunk({ off: 0, len: 100, data: B.bytes.subarray(0, 40) }), {
    rc: 0,
    off: 40,
  });
  assert.equal(bench.ask(WRITE, 1, 5, {}), { rc: 0 });
  assert.equal(bench.upload(B), { rc: 0, off: B.bytes.length, match: true });
  const wrong = { ...B, sha: A.sha };
  assert.equal(bench.upload(wrong), { rc: 0, off: B.bytes.length, match: false });
  assert.equal(
    Object.keys(bench.ask(READ, 1, 0, {})),
    ['images', 'splitStatus'],
    'no rc in a list',
  );
});

test('maps of definite length, where the build has them', () => {
  const bench = Bench.booted({ smp: { indefiniteMaps: false } });
  const echo = naiveMessage(WRITE, 0, 0, { d: 'hi' }, { sequence: 1 });
  assert.is(answerHex(bench, echo), '0b00000600000100a16172626869');
});

test('the largest packet is buf_size, the next is silence', () => {
  const bench = Bench.booted();
  const messageOf = (bytes: number) => {
    const text = 'x'.repeat(bytes - 8 - 6);
    const message = naiveMessage(WRITE, 0, 0, { d: text });
    assert.is(message.length, bytes);
    return message;
  };
  assert.is(bench.exchange(messageOf(380)).length, 1);
  assert.is(bench.exchange(messageOf(381)).length, 0);
});

test('lines as the server takes them', () => {
  const bench = Bench.booted();
  const echo = naiveMessage(WRITE, 0, 0, { d: 'y'.repeat(120) });
  const [whole] = naiveLines(naiveMessage(WRITE, 0, 0, { d: 'hi' }));
  const said = (...pieces: (Uint8Array | string)[]) => {
    bench.take();
    for (const piece of pieces) {
      bench.send(piece);
      bench.scheduler.run(50);
    }
    return bench.text().includes('\x06\x09');
  };
  const padded = (length: number) => {
    const line = Buffer.from(whole!).toString('latin1').slice(0, -1);
    return `${line.padEnd(length - 1, ' ')}\n`;
  };
  assert.ok(said('\n', '\n', whole!), 'empty lines');
  assert.ok(
    said(`${Buffer.from(whole!).toString('latin1').slice(0, -1)}\r\n`),
    'return and new line',
  );
  assert.ok(said(padded(128)), 'a line of 128');
  assert.not.ok(said(padded(129)), 'a line of 129');
  assert.not.ok(said('uart:~$ ', whole!), 'a prompt before the marker');
  assert.not.ok(
    said(`\x04\x14${Buffer.from(whole!.subarray(2)).toString('latin1')}`),
    'no first line',
  );
  assert.ok(said('\x06\x09ABAK\n', whole!), 'half a packet, then a whole one');
  const wrong = whole!.slice();
  wrong[8]! ^= 1;
  assert.not.ok(said(wrong), 'a wrong CRC');
  for (const rawPerLine of [30, 90, 91, 92, 93]) {
    assert.ok(said(...naiveLines(echo, rawPerLine)), `lines of ${rawPerLine}`);
  }
  for (const rawPerLine of [94, 96]) {
    assert.not.ok(said(...naiveLines(echo, rawPerLine)), `lines of ${rawPerLine}`);
  }
  const [first, second] = naiveLines(echo);
  assert.ok(said(first!, 'hello\n', second!), 'a foreign line between');
});

test('every truncation and every flipped bit of a request ends in an answer or in silence', () => {
  const bench = Bench.booted();
  const message = naiveMessage(WRITE, 1, 0, { hash: B.hash.subarray(0, 9), confirm: true });
  const variants: Uint8Array[] = [];
  for (let end = 0; end < message.length; end++) variants.push(message.slice(0, end));
  for (let bit = 0; bit < message.length * 8; bit++) {
    const flipped = message.slice();
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    variants.push(flipped);
  }
  const server = () =>
    (bench.hub.board as { server?: { handlePacket(p: Uint8Array): Uint8Array[] } }).server!;
  for (const variant of variants) {
    for (const answer of server().handlePacket(variant)) cbor.decode(answer.slice(8));
  }
  assert.is(bench.state(), '0 1.0.0 confirmed active');
});

test.run();
