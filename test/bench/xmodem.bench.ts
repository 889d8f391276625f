/**
 * XMODEM blocks sent: from an acknowledgement's byte to the next block's bytes, against the same blocks
 * made plainly, with a slice, a table and a copy. Then the heap bytes a block allocates. Then how much of
 * a simulated line the sender uses, against what the protocol allows: one block, its answer and the
 * turn-round of the adapter at a time.
 */
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import {
  bytesAllocatedPerCall,
  type Contender,
  compare,
  FULL,
  mix,
  printDigest,
  seededBytes,
} from './bench.ts';

const ACK = 0x06;
const C = 0x43;
const EOT = 0x04;
const SIZES = [
  { name: '128 bytes', variant: 'xmodem', blockBytes: 128 },
  { name: '1,024 bytes', variant: 'xmodem-1k', blockBytes: 1024 },
] as const;
type Size = (typeof SIZES)[number];

const image = seededBytes(1024 * 1024, 0x0e0a);
const ALLOCATION_CALLS = FULL ? 20_000 : 8_000;
/** The harness warms up for 5 rounds and measures 10. */
const ALLOCATION_BLOCKS = 16 * ALLOCATION_CALLS;
/** When each block is sent. Boxed once: the caller of the machine pays for its clock, not the machine. */
const timesMs: (number | string)[] = [
  '',
  ...Array.from({ length: ALLOCATION_BLOCKS }, (_, i) => 1_900_000_000_000.5 + 12 * i),
];
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 8;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value & 0x8000 ? 0x1021 : 0);
  return value & 0xffff;
});
const acknowledgement = Uint8Array.of(ACK);

for (const size of SIZES) {
  compare({
    name: `XMODEM, blocks of ${size.name}`,
    contenders: { sender: sent(size), plain: made(size) },
    bytesPerCall: size.blockBytes,
  });
}

// An image so long that none of the rounds comes to its end.
const long = seededBytes(128 * ALLOCATION_BLOCKS, 1);
const perBlock = bytesAllocatedPerCall(sent(SIZES[0], long, false), ALLOCATION_CALLS);
console.log(`heap bytes allocated per block: ${perBlock} (over ${ALLOCATION_CALLS} blocks)`);
printDigest('allocation', Math.round(perBlock * ALLOCATION_CALLS));
const control = bytesAllocatedPerCall(made(SIZES[0]), 500);
console.log(`heap bytes allocated per block made plainly: ${control.toFixed(0)}`);
if (control < 16) throw new Error('the measure of allocation measures nothing');

let digest = 0;
console.log('line use, kB/s of image (share of the bound)  turn-round 0, 5, 16 ms');
for (const baudRate of [115_200, 1_000_000]) {
  for (const size of SIZES) {
    const rates = [0, 5, 16].map((turnRoundMs) => {
      const rate = lineRate(size, baudRate, turnRoundMs);
      const share = rate / bound(size, baudRate, turnRoundMs);
      if (size.blockBytes === 1024 && share < 0.99) {
        throw new Error(`${baudRate} baud, ${turnRoundMs} ms: ${share} of the bound`);
      }
      digest = mix(digest, Math.round(rate * 1000));
      return `${rate.toFixed(2)} (${(100 * share).toFixed(1)} %)`;
    });
    const label = `  ${baudRate} baud, ${size.name}`;
    console.log(`${label.padEnd(30)}${rates.map((text) => text.padStart(18)).join('')}`);
  }
}
printDigest('line use', digest);

/** A call is an acknowledgement and the block that follows it; call 0 begins anew, if asked to. */
function sent(size: Size, bytes: Uint8Array = image, beginsAnew = true): Contender {
  const sender = new XmodemSender({ variant: size.variant, baudRate: 115_200_000 });
  const files = [{ bytes }];
  let block = 0;
  const begin = () => {
    block = 1;
    const nowMs = timesMs[1] as number;
    sender.abandon();
    sender.start(files, nowMs);
    sender.handleByte(C, nowMs);
    return sender.pollTransmit(nowMs)!;
  };
  begin();
  return (call) => {
    if (call === 0 && beginsAnew) return sampled(begin());
    const nowMs = timesMs[++block] as number;
    sender.handleBytes(acknowledgement, nowMs);
    // None where the image is through.
    const bytes = sender.pollTransmit(nowMs) ?? begin();
    sender.pollEvent();
    return sampled(bytes);
  };
}

/** The same blocks with objects: cut, check, put together. */
function made(size: Size): Contender {
  let offset = 0;
  let number = 1;
  return (call) => {
    if (call === 0 || offset >= image.length) {
      offset = 0;
      number = 1;
    }
    const data = image.slice(offset, offset + size.blockBytes);
    let crc = 0;
    for (const byte of data) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ byte]!;
    const head = [size.blockBytes === 1024 ? 2 : 1, number, 255 - number];
    const block = Uint8Array.from([...head, ...data, crc >> 8, crc & 0xff]);
    offset += size.blockBytes;
    number = (number + 1) & 0xff;
    return sampled(block);
  };
}

function sampled(block: Uint8Array): number {
  const end = block.length;
  return block[1]! ^ (block[9]! << 8) ^ (block[end - 1]! << 16) ^ (block[end - 2]! << 24);
}

/** kB/s of image, from the first request to the acknowledged end. */
function lineRate(size: Size, baudRate: number, turnRoundMs: number): number {
  const sender = new XmodemSender({ variant: size.variant, baudRate });
  const byteMs = 10_000 / baudRate;
  let nowMs = 0;
  sender.start([{ bytes: image }], nowMs);
  sender.handleByte(C, nowMs);
  for (let over = false; !over; ) {
    const bytes = sender.pollTransmit(nowMs);
    if (bytes) {
      over = bytes[0] === EOT && bytes.length === 1;
      nowMs += (bytes.length + 1) * byteMs + turnRoundMs;
      sender.handleByte(ACK, nowMs);
    } else {
      nowMs = sender.pollTimeout();
      sender.handleTimeout(nowMs);
    }
  }
  if (sender.active || sender.resent > 0) throw new Error('the transfer did not go through');
  return image.length / nowMs;
}

/** One block with its head and CRC, one answer, one turn-round. */
function bound(size: Size, baudRate: number, turnRoundMs: number): number {
  const wireBytes = 3 + size.blockBytes + 2 + 1;
  return size.blockBytes / ((wireBytes * 10_000) / baudRate + turnRoundMs);
}
