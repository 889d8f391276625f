/** The sender against bytes written out, a naive encoder, and what receivers do wrong, by name. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { XMODEM_FAILURES } from '../../../src/protocol/xmodem/codes.ts';
import type {
  XmodemEvent,
  XmodemFile,
  XmodemSenderOptions,
} from '../../../src/protocol/xmodem/messages.ts';
import { XmodemSender } from '../../../src/protocol/xmodem/sender.ts';
import { Desk } from './desk.ts';
import { ACK, blocks, C, CAN, counting, EOT, headerBlock, NAK } from './naive-blocks.ts';

const test = suite('xmodem sender');

const CANCEL = [...Array(8).fill(CAN), ...Array(8).fill(0x08)];
/** On a line of 115200 baud a block of 128 bytes takes 11.5 ms, one of 1,024 bytes 89.3 ms. */
const SMALL_MS = 12;
const LARGE_MS = 90;
/** Before the end of a file, where nothing went wrong: 50 ms and the time of a block. */
const END_QUIET_MS = 50 + LARGE_MS;

function desk(
  options: Partial<XmodemSenderOptions>,
  ...files: (XmodemFile | Uint8Array)[]
): Desk<XmodemEvent, XmodemSender> {
  const sender = new XmodemSender({ variant: 'xmodem', baudRate: 115_200, ...options });
  const list = files.map((file) => (file instanceof Uint8Array ? { bytes: file } : file));
  return new Desk<XmodemEvent, XmodemSender>(sender).call((s, nowMs) => s.start(list, nowMs));
}

function failureOf(d: Desk<XmodemEvent, XmodemSender>): string | undefined {
  const event = d.last();
  return event?.kind === 'failed' ? event.code : undefined;
}

test('golden bytes: "123456789" with CRC and with a checksum', () => {
  const file = new TextEncoder().encode('123456789');
  const text = [0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39];
  const data = [...text, ...Array(119).fill(0x1a)];
  desk({}, file)
    .expectNothing()
    .receive(C)
    .expectSent([0x01, 0x01, 0xfe, ...data, 0xe4, 0x47])
    .pass(SMALL_MS)
    .receive(ACK)
    .pass(END_QUIET_MS)
    .expectSent([0x04]);
  const sum = (477 + 119 * 0x1a) & 0xff;
  desk({}, file)
    .receive(NAK)
    .expectSent([0x01, 0x01, 0xfe, ...data, sum]);
});

test('golden bytes: block 0 of YMODEM', () => {
  const file = { bytes: counting(300), name: 'a.gbl', modifiedS: 0o14725736400 };
  const expected = headerBlock('a.gbl\x00300 14725736400');
  desk({ variant: 'ymodem' }, file).receive(C).expectSent(expected);
  assert.equal(
    expected.slice(0, 12),
    [1, 0, 255, 0x61, 0x2e, 0x67, 0x62, 0x6c, 0, 0x33, 0x30, 0x30],
  );
});

test('a clean line carries what the naive encoder writes', () => {
  for (const [variant, check] of [
    ['xmodem', 'crc'],
    ['xmodem', 'checksum'],
    ['xmodem-1k', 'crc'],
    ['xmodem-1k', 'checksum'],
  ] as const) {
    for (const length of [1, 127, 128, 129, 895, 896, 897, 1024, 1025, 2_500, 40_000]) {
      const file = counting(length);
      const expected = blocks(file, variant === 'xmodem-1k' && check === 'crc', check);
      const d = desk({ variant, pad: 0x1a }, file).receive(check === 'crc' ? C : NAK);
      for (const block of expected) d.expectSent(block).pass(LARGE_MS).receive(ACK);
      d.expectNothing().pass(END_QUIET_MS).expectSent([EOT]).pass(1).receive(ACK).expectNothing();
      assert.equal(d.last(), { kind: 'done', blocks: expected.length, resent: 0 }, `${length}`);
    }
  }
});

test('progress counts what the receiver has, once a block', () => {
  const d = desk({}, counting(300)).receive(C);
  for (let i = 0; i < 3; i++) d.pass(SMALL_MS).receive(ACK);
  d.pass(END_QUIET_MS);
  const seen = d.events.flatMap((event) => (event.kind === 'progress' ? [event.sentBytes] : []));
  assert.equal(seen, [0, 128, 256, 300]);
});

test('YMODEM: two files, the end refused once, and the batch closed', () => {
  const one = { bytes: counting(1_100), name: 'one' };
  const two = { bytes: counting(5, 9), name: 'two' };
  const d = desk({ variant: 'ymodem' }, one, two);
  const sendFile = (text: string, file: Uint8Array) => {
    d.receive(C).expectSent(headerBlock(text)).pass(SMALL_MS).receive(ACK).expectNothing();
    d.receive(C);
    for (const block of blocks(file, true)) d.expectSent(block).pass(LARGE_MS).receive(ACK);
    d.pass(END_QUIET_MS).expectSent([EOT]).pass(1).receive(NAK).expectSent([EOT]).pass(1);
    d.receive(ACK).expectNothing();
  };
  sendFile('one\x001100', one.bytes);
  sendFile('two\x005', two.bytes);
  d.receive(C).expectSent(headerBlock('')).pass(SMALL_MS).receive(ACK).expectNothing();
  assert.is(d.count('file-done'), 2);
  assert.equal(d.last(), { kind: 'done', blocks: 3, resent: 2 });
});

test('an empty file is an end, and in YMODEM a name', () => {
  desk({}, new Uint8Array(0)).receive(C).expectSent([EOT]);
  desk({ variant: 'ymodem' }, { bytes: new Uint8Array(0), name: 'none' })
    .receive(C)
    .expectSent(headerBlock('none\x000'))
    .pass(SMALL_MS)
    .receive(ACK, C)
    .expectSent([EOT]);
});

test('a refused block goes out again, ten times in all, and then the receiver is told', () => {
  const [first] = blocks(counting(9), false);
  const d = desk({}, counting(9)).receive(C);
  for (let i = 0; i < 10; i++) d.expectSent(first!).pass(SMALL_MS).receive(NAK);
  d.expectSent(CANCEL);
  assert.is(failureOf(d), 'block-refused');
  d.pass(600_000).receive(C, NAK, ACK).expectNothing();
});

test('silence: the time-out begins when the line has carried the block', () => {
  const [first] = blocks(counting(2_000), true);
  const times = { answerMs: 3_000 };
  const d = desk({ variant: 'xmodem-1k', baudRate: 9_600, times }, counting(2_000)).receive(C);
  // 1,029 bytes at 9,600 baud: 1,072 ms.
  d.expectSent(first!).pass(4_071).expectNothing().pass(1).expectSent(first!);
  d.pass(60_000);
  assert.is(failureOf(d), 'no-answer');
  assert.equal(d.takeSent().slice(-16), CANCEL);
});

test('a line that is still busy with an earlier block is waited for', () => {
  const times = { answerMs: 100 };
  const d = desk({ baudRate: 1_330, times }, counting(300)).receive(C);
  const [first] = blocks(counting(300), false);
  // One block takes a second.
  d.expectSent(first!).pass(1_099).expectNothing().pass(1).expectSent(first!);
  d.pass(1_099).expectNothing().pass(1).expectSent(first!);
});

test('a driver that holds bytes back stops the clock, but not for ever', () => {
  const sender = new XmodemSender({ variant: 'xmodem', baudRate: 115_200 });
  sender.start([{ bytes: counting(9) }], 0);
  sender.handleBytes(Uint8Array.of(C), 10);
  assert.is(sender.pollTimeout(), 30_010);
  sender.handleTimeout(30_010);
  sender.pollEvent();
  sender.pollEvent();
  assert.equal(sender.pollEvent(), {
    kind: 'failed',
    code: 'line-blocked',
    block: 1,
    sentBytes: 0,
  });
});

test('the bytes handed out stay as they are until the next are asked for', () => {
  const sender = new XmodemSender({ variant: 'xmodem', baudRate: Number.POSITIVE_INFINITY });
  sender.start([{ bytes: counting(300) }], 0);
  sender.handleBytes(Uint8Array.of(C), 0);
  const bytes = sender.pollTransmit(0)!;
  const before = [...bytes];
  sender.handleBytes(Uint8Array.of(ACK, ACK, NAK, C), 1);
  sender.handleTimeout(5);
  assert.equal([...bytes], before);
  assert.is.not(sender.pollTransmit(5), undefined);
  assert.is.not(bytes[1], before[1]);
});

test('an acknowledgement before the line has carried the block is an older one', () => {
  const [first, second, third] = blocks(counting(300), false);
  const d = desk({}, counting(300)).receive(C).expectSent(first!);
  d.pass(SMALL_MS).receive(ACK, ACK).expectSent(second!);
  d.pass(5).receive(ACK, NAK).expectNothing();
  d.pass(7).receive(ACK).expectSent(third!);
});

test('a line that answers its first block early is faster than it says', () => {
  const list = blocks(counting(1_000), false);
  const d = desk({}, counting(1_000)).receive(C);
  for (const block of list) d.expectSent(block).receive(ACK);
  d.pass(END_QUIET_MS).expectSent([EOT]).receive(ACK);
  assert.equal(d.last(), { kind: 'done', blocks: list.length, resent: 0 });
});

test('silence after an early answer: the line is faster than it says', () => {
  const list = blocks(counting(500), false);
  const d = desk({}, counting(500)).receive(C).expectSent(list[0]!);
  d.pass(SMALL_MS).receive(ACK).expectSent(list[1]!).receive(ACK).expectNothing();
  d.pass(1_012).expectSent(list[1]!).receive(ACK);
  d.pass(1_000).expectSent(list[2]!).receive(ACK).expectSent(list[3]!).receive(ACK);
  d.expectNothing().pass(1_000).expectSent([EOT]);
});

test('after a time-out the late answer is waited for', () => {
  const [first, second] = blocks(counting(300), false);
  const d = desk({ baudRate: 1e9 }, counting(300)).receive(C).expectSent(first!);
  d.pass(10_001).expectSent(first!).receive(ACK).expectNothing();
  d.pass(400).receive(ACK).expectSent(second!);
  assert.is(d.count('retry'), 1);
});

test('two acknowledgements of the last block: the second is not one of the end', () => {
  const [first] = blocks(counting(9), false);
  const d = desk({}, counting(9)).receive(C).expectSent(first!).pass(SMALL_MS).receive(ACK);
  d.expectNothing().pass(1).receive(ACK).expectNothing();
  d.pass(1_000).expectSent([EOT]).pass(1).receive(ACK);
  assert.is(d.last()?.kind, 'done');
});

test('a refusal before the end sends the last block again', () => {
  const [first] = blocks(counting(9), false);
  const d = desk({}, counting(9)).receive(C).expectSent(first!).pass(SMALL_MS).receive(ACK);
  d.pass(1).receive(NAK).expectSent(first!);
});

test('a refusal while late answers are waited for sends the block again', () => {
  const [first, second] = blocks(counting(300), false);
  const d = desk({ baudRate: 1e9 }, counting(300)).receive(C).expectSent(first!);
  d.pass(10_001).expectSent(first!).receive(ACK).expectNothing();
  d.pass(400).receive(NAK).expectSent(first!).pass(1).receive(ACK).expectNothing();
  d.pass(1_000).expectSent(second!);
});

test('noise between packets is passed over', () => {
  const [first, second] = blocks(counting(200), false);
  const d = desk({}, counting(200)).receive(0, 0xff, 'noise', 0x7f, 0x18, 'x').expectNothing();
  d.receive(C).expectSent(first!).pass(SMALL_MS);
  d.receive(0, 0x18, 0xff, 'g', 0x04).expectNothing().receive(ACK).expectSent(second!);
});

test('surplus requests to start do not double the first block', () => {
  const [first, second] = blocks(counting(200), false);
  const d = desk({}, counting(200)).receive(C, C, C).expectSent(first!);
  d.receive(C).pass(SMALL_MS).receive(C).expectNothing().receive(ACK).expectSent(second!);
  d.pass(SMALL_MS).receive(C).pass(2_000).receive(C).expectNothing();
});

test('surplus requests leave a slow first block its time: flash may be erased', () => {
  for (const start of [C, NAK]) {
    const d = desk({}, counting(200)).receive(start);
    d.takeSent();
    d.receive(start, start).pass(9_000).expectNothing().receive(ACK);
    assert.is(d.takeSent().length, start === C ? 133 : 132);
  }
});

test('a receiver that goes on asking has not seen the first block', () => {
  const [first] = blocks(counting(200), false);
  const d = desk({}, counting(200)).receive(C).expectSent(first!);
  d.pass(1_000).receive(C).expectSent(first!);
});

test('a request with NAK that was noise is corrected by the next C', () => {
  const file = counting(200);
  const d = desk({}, file)
    .receive(NAK)
    .expectSent(blocks(file, false, 'checksum')[0]!);
  d.pass(3_000).receive(C).expectSent(blocks(file, false)[0]!);
});

test('where only CRCs will do, NAK starts nothing', () => {
  desk({ crcOnly: true }, counting(9)).receive(NAK, NAK).expectNothing().receive(C);
});

test('a receiver that knows no large blocks gets small ones', () => {
  const file = counting(1_500);
  const [large] = blocks(file, true);
  const small = blocks(file, false);
  const d = desk({ variant: 'xmodem-1k' }, file).receive(C);
  for (let i = 0; i < 3; i++) d.expectSent(large!).pass(LARGE_MS).receive(NAK);
  for (const block of small) d.expectSent(block).pass(LARGE_MS).receive(ACK);
  d.pass(END_QUIET_MS).expectSent([EOT]);
  assert.is(d.count('smaller-blocks'), 1);
});

test('a large block of which one copy met silence stays large: the receiver may have it', () => {
  const [large] = blocks(counting(1_500), true);
  const d = desk({ variant: 'xmodem-1k' }, counting(1_500)).receive(C).expectSent(large!);
  d.pass(10_090).expectSent(large!);
  for (let i = 0; i < 8; i++) d.pass(LARGE_MS).receive(NAK).expectSent(large!);
  assert.is(d.count('smaller-blocks'), 0);
});

test('two cancels in a row end it, one does not, wherever the chunks are cut', () => {
  const d = desk({}, counting(300)).receive(C);
  d.takeSent();
  d.pass(SMALL_MS).receive(CAN, 'x', CAN).expectNothing();
  assert.is(failureOf(d), undefined);
  d.receive(CAN).expectNothing();
  assert.is(failureOf(d), 'cancelled-by-peer');
  d.receive(CAN, C, ACK).pass(60_000).expectNothing();
  assert.is(d.count('failed'), 1);
});

test('cancelling here tells the receiver, in every state', () => {
  const waiting = desk({}, counting(300)).call((s) => s.cancel());
  assert.is(failureOf(waiting.expectSent(CANCEL)), 'cancelled');
  const sending = desk({}, counting(300)).receive(C);
  sending.takeSent();
  sending.call((s) => s.cancel()).expectSent(CANCEL);
  sending.call((s) => s.cancel()).expectNothing();
  assert.is(sending.count('failed'), 1);
});

test('nobody asks for a block: the wait ends', () => {
  const d = desk({}, counting(9)).pass(59_999);
  assert.is(failureOf(d), undefined);
  assert.is(failureOf(d.pass(1)), 'start-missing');
});

test('the end is asked for until it is acknowledged', () => {
  const d = desk({}, counting(9)).receive(C).pass(SMALL_MS).receive(ACK).pass(END_QUIET_MS);
  d.takeSent();
  d.pass(10_001).expectSent([EOT]);
  for (let i = 0; i < 8; i++) d.pass(1).receive(NAK).expectSent([EOT]);
  d.pass(1).receive(NAK).expectSent(CANCEL);
  assert.is(failureOf(d), 'end-refused');
});

test('a batch that is not closed is told apart: the files have arrived', () => {
  const d = desk({ variant: 'ymodem' }, { bytes: counting(5), name: 'x' });
  d.receive(C).pass(SMALL_MS).receive(ACK, C).pass(SMALL_MS).receive(ACK).pass(END_QUIET_MS);
  d.receive(ACK);
  assert.is(d.count('file-done'), 1);
  assert.is(failureOf(d.pass(60_000)), 'batch-left-open');
});

test('block numbers wrap', () => {
  const file = counting(258 * 128);
  const d = desk({}, file).receive(C);
  for (const block of blocks(file, false)) d.expectSent(block).pass(SMALL_MS).receive(ACK);
  d.pass(END_QUIET_MS).expectSent([EOT]);
});

test('a machine sends one file after another', () => {
  const d = desk({}, counting(9)).receive(C, CAN, CAN);
  d.takeSent();
  d.call((s, nowMs) => s.start([{ bytes: counting(5, 3) }], nowMs));
  d.receive(C).expectSent(blocks(counting(5, 3), false)[0]!);
});

test('what a receiver says may be cut anywhere', () => {
  const answers = [
    [0x55, C, 0],
    [0x11, NAK],
    ['n', ACK],
    [C, ACK, 0],
    [0x18, 7, ACK, 0],
    [NAK, 1],
    [ACK],
  ];
  const run = (cut: number) => {
    const d = desk({}, counting(300));
    for (const chunk of answers) {
      d.receive(...chunk.slice(0, cut))
        .receive(...chunk.slice(cut))
        .pass(END_QUIET_MS);
    }
    return [d.takeSent(), d.events];
  };
  assert.is((run(0)[1]!.at(-1) as XmodemEvent).kind, 'done');
  for (let cut = 1; cut <= 4; cut++) assert.equal(run(cut), run(0));
});

test('every failure has a sentence and a next step', () => {
  for (const { sentence, next } of Object.values(XMODEM_FAILURES)) {
    assert.ok(sentence.length > 10 && next.length > 10);
  }
});

test('wrong use is a defect of the caller', () => {
  const sender = new XmodemSender({ variant: 'xmodem', baudRate: 9_600 });
  assert.throws(() => sender.start([], 0), /one file/);
  const batch = new XmodemSender({ variant: 'ymodem', baudRate: 9_600 });
  assert.throws(() => batch.start([{ bytes: counting(1) }], 0), /has a name/);
  assert.throws(() => new XmodemSender({ variant: 'xmodem', baudRate: 0 }), /baud rate/);
  sender.start([{ bytes: counting(1) }], 0);
  assert.throws(() => sender.start([{ bytes: counting(1) }], 0), /one transfer/);
});

test.run();
