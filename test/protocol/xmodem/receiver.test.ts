/** The receiver against naive blocks, damaged ones, and our own sender over every variant. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  XmodemReceiverEvent,
  XmodemReceiverOptions,
} from '../../../src/protocol/xmodem/messages.ts';
import { XmodemReceiver } from '../../../src/protocol/xmodem/receiver.ts';
import { XmodemSender } from '../../../src/protocol/xmodem/sender.ts';
import { decodeFileHeader } from '../../../src/protocol/xmodem/ymodem-header.ts';
import { Desk } from './desk.ts';
import { ACK, block, blocks, C, CAN, counting, EOT, headerBlock, NAK } from './naive-blocks.ts';

const test = suite('xmodem receiver');

function desk(options: Partial<XmodemReceiverOptions> = {}) {
  const receiver = new XmodemReceiver({ variant: 'xmodem', ...options });
  return new Desk<XmodemReceiverEvent, XmodemReceiver>(receiver).call((r, nowMs) => r.start(nowMs));
}

function received(d: ReturnType<typeof desk>): number[] {
  return d.events.flatMap((event) => (event.kind === 'data' ? [...event.data] : []));
}

test('a clean transfer', () => {
  for (const check of ['crc', 'checksum'] as const) {
    const d = desk({ check }).expectSent([check === 'crc' ? C : NAK]);
    for (const bytes of blocks(counting(300), false, check)) d.receive(...bytes).expectSent([ACK]);
    d.receive(EOT).expectSent([NAK]).receive(EOT).expectSent([ACK]);
    assert.equal(received(d), [...counting(300), ...Array(84).fill(0x1a)]);
    assert.equal(d.last(), { kind: 'done', blocks: 3, repeated: 0, refused: 0 });
  }
});

test('large and small blocks mix, and block numbers wrap', () => {
  const file = counting(260 * 1024 + 300);
  const d = desk();
  for (const bytes of blocks(file, true)) d.receive(...bytes);
  assert.equal(Buffer.from(received(d).slice(0, file.length)), Buffer.from(file));
});

test('the start is asked for again and again, and then not', () => {
  const d = desk().expectSent([C]).pass(3_000).expectSent([C]);
  d.pass(54_000).expectSent(Array(18).fill(C)).pass(3_000).expectSent([CAN, CAN, CAN]);
  assert.equal(d.last(), { kind: 'failed', code: 'start-missing' });
});

test('every split point of a block', () => {
  const [bytes] = blocks(counting(128), false);
  for (let cut = 0; cut <= bytes!.length; cut++) {
    const d = desk().expectSent([C]);
    d.receive(...bytes!.slice(0, cut))
      .receive(...bytes!.slice(cut))
      .expectSent([ACK]);
    assert.equal(received(d), [...counting(128)]);
  }
});

test('every bit of a block turned: refused, and the block again is taken', () => {
  const [bytes] = blocks(counting(128), false);
  for (let bit = 0; bit < 8 * bytes!.length; bit++) {
    const damaged = bytes!.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    const d = desk()
      .expectSent([C])
      .receive(...damaged)
      .pass(1_100);
    const answer = d.takeSent();
    // Without its first byte it is noise, and STX for SOH is a block that stays short.
    if (bit >= 8) assert.equal(answer, [NAK], `bit ${bit}`);
    d.receive(...bytes!)
      .pass(1_100)
      .receive(...bytes!);
    assert.equal(received(d), [...counting(128)], `bit ${bit}`);
  }
});

test('every truncation: refused after silence, and the block again is taken', () => {
  const [bytes] = blocks(counting(128), false);
  for (let length = 1; length < bytes!.length; length++) {
    const d = desk().expectSent([C]);
    d.receive(...bytes!.slice(0, length))
      .expectNothing()
      .pass(1_000)
      .expectSent([NAK]);
    d.receive(...bytes!).expectSent([ACK]);
    assert.equal(received(d), [...counting(128)]);
  }
});

test('a repeat is acknowledged and dropped, another number ends the transfer', () => {
  const list = blocks(counting(500), false);
  const d = desk()
    .expectSent([C])
    .receive(...list[0]!)
    .receive(...list[0]!)
    .expectSent([ACK, ACK]);
  assert.is(received(d).length, 128);
  d.receive(...list[2]!).expectSent([CAN, CAN, CAN]);
  assert.equal(d.last(), { kind: 'failed', code: 'out-of-sequence' });
});

test('YMODEM: sizes cut the padding, the batch ends', () => {
  const d = desk({ variant: 'ymodem' }).expectSent([C]);
  d.receive(...headerBlock('name\x00130 14725736400 100644')).expectSent([ACK, C]);
  d.receive(...headerBlock('name\x00130 14725736400 100644')).expectSent([ACK, C]);
  for (const bytes of blocks(counting(130), false)) d.receive(...bytes).expectSent([ACK]);
  d.receive(EOT).expectSent([NAK]).receive(EOT).expectSent([ACK, C]);
  d.receive(EOT).expectSent([ACK, C]);
  d.receive(...headerBlock('')).expectSent([ACK]);
  assert.equal(d.events[0], {
    kind: 'file',
    name: 'name',
    bytes: 130,
    modifiedS: 0o14725736400,
  });
  assert.equal(received(d), [...counting(130)]);
  assert.is(d.last()?.kind, 'done');
});

test('block 0 with strange words', () => {
  const decode = (text: string) => decodeFileHeader(new Uint8Array(Buffer.from(text, 'latin1')));
  assert.is(decode('no end'), undefined);
  assert.equal(decode('x\0'), { name: 'x', bytes: undefined, modifiedS: undefined });
  assert.equal(decode('x\x00-1 9\0'), { name: 'x', bytes: undefined, modifiedS: undefined });
  assert.equal(decode('x\x0012 0 0\0'), { name: 'x', bytes: 12, modifiedS: undefined });
  assert.is(decode('x\x0099999999999999999999\0')?.bytes, undefined);
});

test('two cancels end it, one is noise', () => {
  const d = desk().receive(CAN, 'x', CAN, ...blocks(counting(9), false)[0]!);
  assert.is(received(d).length, 128);
  d.receive(CAN, CAN);
  assert.equal(d.last(), { kind: 'failed', code: 'cancelled-by-peer' });
});

test('silence between blocks is refused, and ends after ten', () => {
  const d = desk()
    .receive(...blocks(counting(9), false)[0]!)
    .expectSent([C, ACK]);
  d.pass(100_000).expectSent(Array(10).fill(NAK)).pass(10_000).expectSent([CAN, CAN, CAN]);
  assert.equal(d.last(), { kind: 'failed', code: 'no-answer' });
});

test('strict: what the Gecko bootloader refuses', () => {
  const list = blocks(counting(500), false);
  const strict = () => desk({ strict: true }).expectSent([C]);
  for (const bytes of [block(1, Array(1024).fill(0)), [C], [CAN], [3], [0x0a]]) {
    strict()
      .receive(...bytes)
      .expectSent([CAN, CAN, CAN]);
  }
  strict()
    .receive(...list[1]!)
    .expectSent([NAK])
    .receive(...list[0]!)
    .expectSent([ACK]);
  const number = [...list[0]!];
  number[2] = 0;
  strict()
    .receive(...number)
    .expectSent([NAK])
    .receive(...list[0]!)
    .expectSent([ACK]);
  strict()
    .receive(...list[0]!)
    .expectSent([ACK])
    .pass(3_000)
    .expectSent([NAK]);
  strict()
    .receive(...list[0]!, EOT)
    .expectSent([ACK, ACK]);
});

test('the owner judges data and end, and says how long storing takes', () => {
  const [bytes] = blocks(counting(9), false);
  desk({ accept: () => false })
    .expectSent([C])
    .receive(...bytes!)
    .expectSent([CAN, CAN, CAN]);
  const ends = desk({ strict: true, acceptEnd: () => false }).expectSent([C]);
  ends
    .receive(...bytes!)
    .expectSent([ACK])
    .receive(EOT)
    .expectSent([CAN, CAN, CAN]);
  const slow = desk({ storeMs: 14 })
    .expectSent([C])
    .receive(...bytes!)
    .expectNothing();
  slow.pass(14).expectSent([ACK]);
});

test('sender and receiver, every variant, check and length', () => {
  for (const variant of ['xmodem', 'xmodem-1k', 'ymodem'] as const) {
    for (const check of ['crc', 'checksum'] as const) {
      for (const length of [0, 1, 128, 129, 1_000, 1_024, 5_000]) {
        const file = counting(length);
        const sender = new XmodemSender({ variant, baudRate: Number.POSITIVE_INFINITY });
        const receives = variant === 'ymodem' ? 'ymodem' : 'xmodem';
        const receiver = new XmodemReceiver({ variant: receives, check });
        const got: number[] = [];
        let done = 0;
        receiver.start(0);
        sender.start([{ bytes: file, name: 'file' }], 0);
        for (let nowMs = 0; done < 2 && nowMs < 60_000; nowMs += 50) {
          sender.handleTimeout(nowMs);
          receiver.handleTimeout(nowMs);
          for (let busy = true; busy; ) {
            const down = sender.pollTransmit(nowMs);
            if (down) receiver.handleBytes(down, nowMs);
            const up = receiver.pollTransmit(nowMs);
            if (up) sender.handleBytes(up, nowMs);
            busy = down !== undefined || up !== undefined;
          }
          for (let e = receiver.pollEvent(); e; e = receiver.pollEvent()) {
            if (e.kind === 'data') got.push(...e.data);
            if (e.kind === 'done') done++;
          }
          for (let e = sender.pollEvent(); e; e = sender.pollEvent()) if (e.kind === 'done') done++;
        }
        assert.is(done, 2, `${variant} ${check} ${length}`);
        const kept = variant === 'ymodem' ? got : got.slice(0, length);
        assert.equal(kept, [...file], `${variant} ${check} ${length}`);
      }
    }
  }
});

test.run();
