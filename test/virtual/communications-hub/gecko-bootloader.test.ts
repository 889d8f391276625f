/**
 * The virtual Gecko and Ember bootloaders against the facts of their real ones: texts with their
 * NULs, blocks of 128 only, refusals in the block that carries the fault, and flash that is gone
 * once written.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GeckoBoard } from '../../../src/virtual/communications-hub/gecko-board.ts';
import type { HubSettings } from '../../../src/virtual/communications-hub/options.ts';
import { readShared, testWithShared } from '../../support/shared.ts';
import { Bench } from './fixture.ts';
import {
  gblTag,
  makeEbl,
  makeGbl,
  naiveCrc32,
  programData,
  xmodemBlock,
} from './silicon-labs-files.ts';

const ACK = '\x06';
const NAK = '\x15';
const CANCEL = '\x18\x18\x18';
const MENU = '\r\nGecko Bootloader v2.04.01\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const EMBER_MENU =
  '\r\nEM357 Serial Bootloader v2.04.01\r\n1. upload ebl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const ABORTED = '\r\nSerial upload aborted\r\n\0';
const COMPLETE = '\r\nSerial upload complete\r\n\0';
const fileError = (code: string) => `${CANCEL}${ABORTED}\r\nfile error 0x\0${code}\r\n${MENU}`;
const BLOCK_ERROR = `${CANCEL}${ABORTED}\r\nblock error 0x\x0018\r\n${MENU}`;

const FLASH = {
  slotBytes: 16_384,
  eraseBlockBytes: 2_048,
  programPageBytes: 256,
  eraseBlockMs: 0,
  programPageMs: 0,
};

/** Room for the real files. */
const LARGE_FLASH = { ...FLASH, slotBytes: 524_288, eraseBlockBytes: 8_192 };

type Bootloader = NonNullable<HubSettings['bootloader']>;

function bench(bootloader: Bootloader = {}, settings: Partial<HubSettings> = {}): Bench {
  const made = new Bench({
    protocol: 'gecko-bootloader',
    baudRate: 115_200,
    flash: FLASH,
    firmware: makeGbl({ version: 1 }),
    bootMs: 50,
    ...settings,
    bootloader,
  });
  made.hub.powerOn();
  made.scheduler.run(100);
  return made;
}

function board(of: Bench): GeckoBoard {
  return of.hub.board as GeckoBoard;
}

function say(to: Bench, bytes: Uint8Array | string, waitMs = 40): string {
  to.take();
  to.send(bytes);
  to.scheduler.run(waitMs);
  return to.text();
}

/** In the menu, upload begun, the first C seen. */
function uploading(of: Bench): Bench {
  assert.is(say(of, '\n'), MENU);
  assert.is(say(of, '1'), '\r\nbegin upload\r\n\0C');
  return of;
}

/** Sends all blocks; answers what each was answered with, one text. */
function sendFile(to: Bench, file: Uint8Array): string {
  let said = '';
  for (let at = 0, number = 1; at < file.length; at += 128, number++) {
    const answer = say(to, xmodemBlock(number, file.subarray(at, at + 128)), 60);
    said += answer === ACK ? 'A' : answer;
    if (answer !== ACK) break;
  }
  return said;
}

test('a whole upgrade: window, menu, upload, run', () => {
  const hub = uploading(bench());
  const file = makeGbl({ version: 0x01020304 });
  const blocks = Math.ceil(file.length / 128);
  assert.is(sendFile(hub, file), 'A'.repeat(blocks));
  assert.is(say(hub, '\x04'), `${ACK}${COMPLETE}${MENU}`);
  const program = programData(3_001);
  assert.equal(board(hub).application, {
    bytes: 3_001,
    version: 0x01020304,
    crc32: naiveCrc32(program),
  });
  assert.match(say(hub, '2', 200), /^\r\nhub application 0x01020304\r\n$/);
  assert.is(say(hub, 'hello\n'), '', 'the application answers nothing');
});

test('without a byte in its window the bootloader starts the application', () => {
  const hub = bench({ windowMs: 500 });
  assert.is(hub.text(), '');
  hub.scheduler.run(1_000);
  assert.match(hub.text(), /hub application 0x00000001/);
  assert.is(say(hub, '\n'), '');
  hub.hub.reset();
  hub.scheduler.run(100);
  assert.is(say(hub, '\n'), MENU);
});

test('entry by a command of the application', () => {
  const hub = bench({ windowMs: 0, entryCommand: 'dfu' });
  assert.match(hub.text(), /hub application/);
  assert.is(say(hub, 'nonsense\ndfu?\n'), '');
  assert.is(say(hub, 'dfu\r\n', 200), '');
  assert.is(say(hub, '\n'), MENU);
});

test('the menu: any byte shows it, and so does run without an application', () => {
  const hub = bench({}, { firmware: new Uint8Array(0) });
  hub.scheduler.run(5_000);
  assert.is(hub.text(), '');
  assert.is(say(hub, '1'), MENU, 'the first byte, whatever it is');
  assert.is(say(hub, 'x'), MENU);
  assert.is(say(hub, '3'), MENU);
  assert.is(say(hub, '2'), MENU);
});

test('Ember wants a new line first, and says its own name', () => {
  const hub = bench({}, { protocol: 'ember-bootloader', firmware: makeEbl() });
  assert.is(say(hub, '1x'), '');
  assert.is(say(hub, '\n'), EMBER_MENU);
  assert.is(say(hub, '1'), '\r\nbegin upload\r\n\0C');
  const file = makeEbl();
  const end = file.findLastIndex((byte) => byte !== 0xff) + 1;
  assert.is(sendFile(hub, file.subarray(0, end)), 'A'.repeat(Math.ceil(end / 128)));
  assert.is(say(hub, '\x04'), `${ACK}${COMPLETE}${EMBER_MENU}`);
  assert.is(board(hub).application?.bytes, 2_000);
});

test('C each second, 60 times, then it gives up', () => {
  const hub = uploading(bench());
  hub.take();
  hub.scheduler.run(58_500);
  assert.is(hub.text(), 'C'.repeat(58));
  hub.scheduler.run(2_500);
  assert.is(hub.text(), `C${CANCEL}${MENU}`);
});

test('what comes in the 5 ms after "begin upload" is thrown away', () => {
  const hub = bench();
  say(hub, '\n');
  const said = say(hub, '1\x02\x02', 100);
  assert.is(said, '\r\nbegin upload\r\n\0C');
});

const STRAYS: [name: string, byte: string][] = [
  ['a 1K block', '\x02'],
  ['a C', 'C'],
  ['CAN', '\x18'],
  ['Ctrl-C', '\x03'],
  ['a new line', '\n'],
];
for (const [name, byte] of STRAYS) {
  test(`${name} where a block should begin ends the upload`, () => {
    const hub = uploading(bench());
    const file = makeGbl();
    assert.is(say(hub, xmodemBlock(1, file.subarray(0, 128))), ACK);
    assert.is(say(hub, byte), BLOCK_ERROR);
  });
}

test('NAK for a bad block, ACK for a repeated one, NAK for one out of order', () => {
  const hub = uploading(bench());
  const file = makeGbl();
  const first = xmodemBlock(1, file.subarray(0, 128));
  for (const at of [2, 50, 131]) {
    const wrong = first.slice();
    wrong[at]! ^= 0x10;
    assert.is(say(hub, wrong), NAK, `byte ${at}`);
  }
  assert.is(say(hub, first), ACK);
  assert.is(say(hub, first), ACK, 'again');
  assert.is(say(hub, xmodemBlock(3, file.subarray(256, 384))), NAK);
  assert.is(say(hub, xmodemBlock(2, file.subarray(128, 256))), ACK);
});

test('half a block, or 3 s of silence, is answered with NAK', () => {
  const hub = uploading(bench());
  const file = makeGbl();
  const first = xmodemBlock(1, file.subarray(0, 128));
  assert.is(say(hub, first.subarray(0, 60), 2_900), '');
  hub.scheduler.run(200);
  assert.is(hub.text(), NAK);
  assert.is(say(hub, first), ACK);
  assert.is(say(hub, '', 3_100), NAK);
  assert.is(say(hub, xmodemBlock(2, file.subarray(128, 256))), ACK);
});

const KEY = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const OTHER = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const PEM = KEY.publicKey.export({ type: 'spki', format: 'pem' }) as string;

const REFUSED: [name: string, code: string, file: Uint8Array, bootloader?: Bootloader][] = [
  ['a wrong header version', '41', makeGbl({ headerVersion: 0x04000000 })],
  ['a wrong CRC', '43', makeGbl({ crcXor: 1 })],
  ['an unknown tag', '44', makeGbl({ extra: [gblTag(0x12345678, new Uint8Array(4))] })],
  ['something else altogether', '44', new Uint8Array(256).fill(0x55)],
  ['a second header', '4F', makeGbl({ extra: [gblTag(0x03a617eb, new Uint8Array(8))] })],
  ['a file that begins elsewhere', '4F', makeGbl().subarray(16)],
  ['an unsigned file where signing is required', '4F', makeGbl(), { signatureKey: PEM }],
  ['a signature that is missing', '4F', makeGbl({ type: 0x100 }), { signatureKey: PEM }],
  ['a signature by another', '45', makeGbl({ signWith: OTHER.privateKey }), { signatureKey: PEM }],
  ['an encrypted file without a key', '50', makeGbl({ type: 1 }), { decrypts: false }],
];
for (const [name, code, file, bootloader] of REFUSED) {
  test(`${name}: error ${code}, in the block that carries it`, () => {
    const hub = uploading(bench(bootloader));
    const said = sendFile(hub, file);
    assert.is(said.replace(/^A*/, ''), fileError(code));
  });
}

test('a signed file is taken by the key that signed it, and by a bootloader without a key', () => {
  for (const bootloader of [{ signatureKey: PEM }, {}]) {
    const hub = uploading(bench(bootloader));
    assert.match(sendFile(hub, makeGbl({ signWith: KEY.privateKey })), /^A+$/);
    assert.is(say(hub, '\x04'), `${ACK}${COMPLETE}${MENU}`);
  }
});

test('every flipped bit of a signed file is refused', () => {
  const file = makeGbl({ signWith: KEY.privateKey, programBytes: 40 });
  for (let bit = 0; bit < file.length * 8; bit += 7) {
    const wrong = file.slice();
    wrong[bit >>> 3]! ^= 1 << (bit & 7);
    const hub = uploading(bench({ signatureKey: PEM }));
    const said = sendFile(hub, wrong);
    const end = /^A+$/.test(said) ? say(hub, '\x04') : said;
    assert.match(end, /upload aborted/, `bit ${bit}`);
    assert.not.match(end, /upload complete/);
  }
});

test('a truncated file is refused at its end, and leaves no application', () => {
  const hub = uploading(bench());
  const file = makeGbl();
  assert.match(sendFile(hub, file.subarray(0, 1_280)), /^A+$/);
  assert.is(board(hub).application, undefined);
  assert.is(say(hub, '\x04'), BLOCK_ERROR);
  assert.is(say(hub, '2'), MENU);
  hub.hub.reset();
  hub.scheduler.run(5_000);
  assert.is(say(hub, '\n'), MENU, 'it stays in the bootloader');
});

test('a file refused before its program data leaves the application alone', () => {
  const hub = uploading(bench());
  sendFile(hub, makeGbl({ headerVersion: 1 }));
  assert.is(board(hub).application?.version, 1);
});

test('a block after the one that holds the end is refused', () => {
  const hub = uploading(bench());
  const file = makeGbl();
  const padded = new Uint8Array(Math.ceil(file.length / 128) * 128 + 128).fill(0xff);
  padded.set(file);
  assert.is(sendFile(hub, padded).replace(/^A*/, ''), fileError('4F'));
});

test('a power cut during an upload leaves the bootloader alone in flash', () => {
  for (const powerCutTearsFlash of [false, true]) {
    const hub = uploading(bench({}, { faults: { powerCutTearsFlash }, powerOffMs: 100 }));
    hub.hub.flash.cutAtOperation = hub.hub.flash.operations + 6;
    const said = sendFile(hub, makeGbl());
    assert.match(said, /^A+$/);
    hub.scheduler.run(1_000);
    assert.is(board(hub).application, undefined);
    assert.is(say(hub, '\n'), MENU);
  }
});

test('the fault that refuses every image', () => {
  const hub = uploading(bench({}, { faults: { refusesImage: true } }));
  assert.is(sendFile(hub, makeGbl()).replace(/^A*/, ''), fileError('45'));
});

test('a bootloader that looks at no CRC and no signature takes a damaged file', () => {
  const damaged = makeGbl({ crcXor: 1 });
  const strict = uploading(bench());
  assert.is(sendFile(strict, damaged).replace(/^A*/, ''), fileError('43'));
  const hub = uploading(bench({}, { faults: { skipsVerification: true } }));
  assert.match(sendFile(hub, damaged), /^A+$/);
  assert.ok(say(hub, '\x04').startsWith(`${ACK}${COMPLETE}`));
});

test('a new application that hangs says nothing and takes no command', () => {
  const hub = bench({ entryCommand: 'dfu' }, { faults: { neverReturns: true } });
  hub.scheduler.run(2_000);
  assert.match(hub.text(), /hub application/, 'the one it was new with runs');
  say(hub, 'dfu\n', 200);
  assert.match(sendFile(uploading(hub), makeGbl({ version: 2, programBytes: 2_000 })), /^A+$/);
  say(hub, '\x04');
  assert.is(say(hub, '2', 2_000), '');
  say(hub, 'dfu\n', 200);
  assert.is(say(hub, '\n'), '');
  hub.hub.reset();
  hub.scheduler.run(100);
  assert.is(say(hub, '\n'), MENU, 'the bootloader is there after a reset');
});

test('answers that come twice, late, or not at all', () => {
  const twice = bench({}, { faults: { duplicate: 1 } });
  assert.is(say(twice, '\n'), MENU + MENU);
  const late = bench({}, { faults: { late: 1, lateMs: 300 } });
  assert.is(say(late, '\n', 200), '');
  assert.is(say(late, '', 200), MENU);
  const never = bench({}, { faults: { unanswered: 1 } });
  assert.is(say(never, '\n', 5_000), '');
  const log = bench({}, { faults: { babble: 1 } });
  assert.match(say(log, '\n'), /hub: |uart:/);
});

const SAMPLES = 'samples/serial';
const FAST = { baudRate: 1_000_000, flash: LARGE_FLASH };
for (const [name, protocol] of [
  ['NabuCasa_SkyConnect_RCP_v4.1.3_rcp-uart-hw-802154_115200.gbl', 'gecko-bootloader'],
  ['namron_encrypted.gbl', 'gecko-bootloader'],
  ['ncp-uart-sw-6.4.1.ebl', 'ember-bootloader'],
] as const) {
  testWithShared(test, `${SAMPLES}/${name}`, `a real file is taken: ${name}`, (path) => {
    takesWhole(bench({}, { protocol, ...FAST }), readFileSync(path));
  });
}

testWithShared(test, `${SAMPLES}/ikea_signed_a.gbl`, 'a real signature verifies', (path) => {
  const keys = JSON.parse(Buffer.from(readShared(`${SAMPLES}/gbl_signer_keys.json`)).toString());
  const signatureKey = pemOf(JSON.stringify(keys.ikea).match(/[0-9a-f]{128}/)![0]);
  const file = readFileSync(path);
  takesWhole(bench({ signatureKey }, FAST), file);
  const wrong = Uint8Array.from(file);
  wrong[100_000]! ^= 1;
  const hub = uploading(bench({ signatureKey }, FAST));
  assert.is(sendFile(hub, wrong).replace(/^A*/, ''), fileError('45'));
});

function takesWhole(hub: Bench, file: Uint8Array): void {
  const end = file.findLastIndex((byte) => byte !== 0xff) + 1;
  say(hub, '\n');
  say(hub, '1');
  assert.match(sendFile(hub, file.subarray(0, end)), /^A+$/);
  assert.ok(say(hub, '\x04').startsWith(`${ACK}${COMPLETE}`));
  assert.ok(board(hub).application);
}

function pemOf(point: string): string {
  const [x, y] = [point.slice(0, 64), point.slice(64)].map((half) =>
    Buffer.from(half, 'hex').toString('base64url'),
  );
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' });
  return key.export({ type: 'spki', format: 'pem' }) as string;
}

test.run();
