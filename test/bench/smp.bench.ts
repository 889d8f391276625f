/**
 * SMP uploads. First the client's own work a chunk, from the bytes of an answer to the lines of the next
 * chunk: time, and heap bytes allocated, against the same with the naive codec. Then throughput over a
 * simulated line, in image bytes a second, against stop-and-wait on the same line and against the most the
 * line can carry. The lines are those of the table in the folder's facts: speed, what adapter or device add
 * to a turn-round, message size, and what the device can hold while it is busy.
 *
 * Where the delay is the adapter's, or the device takes lines while it works, a window helps: the client
 * has to come within 5 % of the bound. Where the device is deaf while it works, the pool decides, and the
 * client must not be slower than stop-and-wait by more than its trials cost, 2 %.
 */
import { SmpClient } from '../../src/protocol/smp/client.ts';
import { writeHeader } from '../../src/protocol/smp/header.ts';
import {
  MESSAGE_START,
  PacketEncoder,
  wireBytesOf,
} from '../../src/protocol/smp/packet-encoder.ts';
import { chunkBytesMax } from '../../src/protocol/smp/upload-request.ts';
import {
  firmware,
  frame,
  Indefinite,
  lines,
  message,
  messagesIn,
} from '../protocol/smp/naive-codec.ts';
import { SerialWorld } from '../protocol/smp/serial-world.ts';
import { bytesAllocatedPerCall, type Contender, compare, FULL, mix, printDigest } from './bench.ts';

const START_MS = 1_900_000_000_000.5;
/** Boxed once: the caller of the machine pays for its clock, not the machine. */
const boxedMs: (number | string)[] = ['', START_MS];
const CHUNK_IMAGE = firmware(80_000);
const ANSWER_OFFSET_MAX = 0x3fffffff;
const ANSWER_BODY_BYTES = 11;

// ---- the client's own work ----------------------------------------------------------------------------

/**
 * One chunk's answer in, the next chunk's lines out. The answer is written over the last one, without
 * allocating; the image is a gigabyte of zeros, which the system maps only as it is read.
 */
function chunks(bufferBytes: number): Contender {
  const image = new Uint8Array(ANSWER_OFFSET_MAX);
  const most = chunkBytesMax(bufferBytes - 4, image.length);
  let client = new SmpClient();
  let answer = new OffsetAnswer();
  const begin = () => {
    client = new SmpClient({ windowMax: 1 });
    answer = open(client, bufferBytes, image);
  };
  begin();
  return () => {
    if (answer.offset + 2 * most > image.length) begin();
    const nowMs = boxedMs[1] as number;
    client.handleBytes(answer.lines(), nowMs);
    client.pollEvent();
    const out = client.pollTransmit(nowMs)!;
    client.pollTimeout();
    answer.next(most);
    return out[out.length - 5]! ^ out.length;
  };
}

/** Takes a client to where chunks of one size flow; the answer to the one under way. */
function open(client: SmpClient, bufferBytes: number, image: Uint8Array): OffsetAnswer {
  client.request({ kind: 'params' });
  const params = frame(messagesIn(client.pollTransmit(START_MS)!)[0]!);
  const sizes = { buf_size: bufferBytes, buf_count: 4 };
  client.handleBytes(lines(message({ ...params, op: 1, body: sizes })), START_MS);
  client.pollEvent();
  client.startUpload({ image, sha256: new Uint8Array(32) }, START_MS);
  const first = frame(messagesIn(client.pollTransmit(START_MS)!)[0]!);
  const answer = new OffsetAnswer();
  answer.sequence = first.sequence;
  // It resumes there, so that offsets keep their width from the first chunk on.
  answer.offset = 0x10000;
  client.handleBytes(answer.lines(), START_MS);
  while (client.pollEvent());
  client.pollTransmit(START_MS);
  answer.next(chunkBytesMax(bufferBytes - 4, image.length));
  return answer;
}

/** `{off}` as Zephyr sends it, in a buffer of its own. */
class OffsetAnswer {
  sequence = 0;
  offset = 0;
  private readonly encoder = new PacketEncoder();

  next(chunkBytes: number): void {
    this.sequence = (this.sequence + 1) & 255;
    this.offset += chunkBytes;
  }

  lines(): Uint8Array {
    const { encoder, offset } = this;
    const out = encoder.message;
    writeHeader(out, MESSAGE_START, 3, 1, ANSWER_BODY_BYTES, 1, this.sequence, 1);
    const body = MESSAGE_START + 8;
    out[body] = 0xbf;
    out[body + 1] = 0x63;
    out[body + 2] = 0x6f;
    out[body + 3] = 0x66;
    out[body + 4] = 0x66;
    out[body + 5] = 0x1a;
    out[body + 6] = offset >> 24;
    out[body + 7] = offset >> 16;
    out[body + 8] = offset >> 8;
    out[body + 9] = offset;
    out[body + 10] = 0xff;
    return encoder.encode(8 + ANSWER_BODY_BYTES, false);
  }
}

/** The same with objects, strings and Buffers. */
function naiveChunks(bufferBytes: number): Contender {
  const most = chunkBytesMax(bufferBytes - 4, 70_000);
  const head = { op: 3, version: 1, group: 1, sequence: 0, command: 1 };
  const answer = lines(message({ ...head, body: new Indefinite({ off: 70_000 }) }));
  return () => {
    const { off } = frame(messagesIn(answer)[0]!).body as { off: number };
    const body = { off, data: CHUNK_IMAGE.subarray(off, off + most) };
    const out = lines(message({ ...head, op: 2, body }));
    return out[out.length - 5]! ^ out.length;
  };
}

for (const bufferBytes of [384, 2_048]) {
  compare({
    name: `chunk of a ${bufferBytes}-byte buffer, answer to lines`,
    sameResult: false,
    contenders: { uplift: chunks(bufferBytes), 'naive codec': naiveChunks(bufferBytes) },
    bytesPerCall: chunkBytesMax(bufferBytes - 4, 70_000),
  });
}

const calls = FULL ? 100_000 : 20_000;
const steady = chunks(384);
// Until V8 has compiled all of it, times are boxed.
for (let call = 0; call < 100_000; call++) steady(call);
const perChunk = bytesAllocatedPerCall(steady, calls);
console.log(`heap bytes allocated per chunk: ${perChunk} (over ${calls} chunks)`);
printDigest('allocation', Math.round(perChunk * calls));
const control = bytesAllocatedPerCall(naiveChunks(384), 300);
console.log(`heap bytes allocated per chunk by the naive codec: ${control.toFixed(0)}`);
if (control < 16) throw new Error('the measure of allocation measures nothing');

// ---- throughput over a simulated line -----------------------------------------------------------------

interface Line {
  baudRate: number;
  bufferBytes: number;
  turnMs: number;
  /** Who adds the turn-round. */
  where: 'adapter' | 'device';
  /** 2 lines, held while the device is deaf to all else; or 4 whole messages. */
  pool: '2 lines' | '4 messages';
}

const IMAGE = firmware(FULL ? 512 * 1024 : 192 * 1024);
let digest = 0;
const slow: string[] = [];

console.log('\n   baud  buf  turn-round     pool        B/s   of stop-and-wait  of bound  window');
for (const baudRate of [115_200, 1_000_000]) {
  for (const bufferBytes of [256, 384, 2_048]) {
    for (const turnMs of [0, 5, 16]) {
      for (const where of turnMs === 0
        ? (['adapter'] as const)
        : (['adapter', 'device'] as const)) {
        for (const pool of ['2 lines', '4 messages'] as const) {
          show({ baudRate, bufferBytes, turnMs, where, pool });
        }
      }
    }
  }
}
printDigest('throughput', digest);
if (slow.length > 0) throw new Error(`too slow:\n${slow.join('\n')}`);

function show(line: Line): void {
  const ours = upload(line, 16);
  const plain = upload(line, 1);
  const bound = boundOf(line);
  const ofPlain = ours.rate / plain.rate;
  const ofBound = ours.rate / bound;
  const { baudRate, bufferBytes, turnMs, where, pool } = line;
  const columns = [
    String(baudRate).padStart(7),
    String(bufferBytes).padStart(5),
    `${String(turnMs).padStart(4)} ms ${turnMs === 0 ? '       ' : where.padEnd(7)}`,
    pool.padEnd(10),
    ours.rate.toFixed(0).padStart(7),
    ofPlain.toFixed(3).padStart(12),
    ofBound.toFixed(3).padStart(15),
    String(ours.window).padStart(6),
  ];
  const text = columns.join(' ');
  console.log(text);
  digest = mix(digest, Math.round(1000 * ours.rate));
  const windowFits = where === 'adapter' || turnMs === 0 || pool === '4 messages';
  if (windowFits ? ofBound < 0.95 : ofPlain < 0.98) slow.push(text);
}

function upload(line: Line, windowMax: number): { rate: number; window: number } {
  const { baudRate, bufferBytes, turnMs, where, pool } = line;
  const device = {
    bufferBytes,
    bufferCount: 4,
    blind: pool === '2 lines',
    poolLines: 2,
    handleMs: where === 'device' ? turnMs : 0,
    eraseMs: 0,
  };
  const adapterMs = where === 'adapter' ? turnMs : 0;
  const world = new SerialWorld({ baudRate, adapterMs, device, options: { windowMax } });
  world.client.request({ kind: 'params' });
  world.until(({ kind }) => kind === 'answered');
  world.client.startUpload({ image: IMAGE }, world.nowMs);
  const startMs = world.nowMs;
  const end = world.until(({ kind }) => kind === 'uploaded' || kind === 'failed');
  if (end?.kind !== 'uploaded') throw new Error(`not uploaded: ${JSON.stringify(end)}`);
  if (Buffer.compare(world.server.uploaded, IMAGE) !== 0) throw new Error('another image');
  return { rate: (1000 * IMAGE.length) / (world.nowMs - startMs), window: end.statistics.window };
}

/** What the slower of line and device can carry, if neither ever waits and chunks are as full as can be. */
function boundOf({ baudRate, bufferBytes, turnMs, where }: Line): number {
  const largest = bufferBytes - 4 - 8 - 15;
  const chunk = largest - (largest > 257 ? 3 : 2);
  const onLineMs = (10_000 * wireBytesOf(bufferBytes - 4)) / baudRate;
  const busyMs = where === 'device' ? turnMs : 0;
  return (1000 * chunk) / Math.max(onLineMs, busyMs);
}
