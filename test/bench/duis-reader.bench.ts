/**
 * Reading the largest signed Service Request there is: 11.1 with an image of 10,240,000 octets for
 * 50,000 devices, as it arrives in chunks of 64 KiB, up to its release with the signature verified.
 *
 * Memory is what the process grows by at its peak while it reads, as a multiple of the decoded image;
 * the document is made chunk by chunk, so it is never there as a whole. Time is compared with the least
 * that anybody has to do with the same bytes: SHA-256 over them, and node's own base64 decoder for the
 * image. The digest is of the image and the devices that were read.
 */
import { createHash } from 'node:crypto';
import { ServiceRequestReader } from '../../src/duis/request-reader.ts';
import { BROKER, requestXml, SIGNERS } from '../duis/requests.ts';
import { signatureOf } from '../trust/naive-xml-signature.ts';
import { collector, FULL, mix, printDigest, seededBytes } from './bench.ts';

const IMAGE_BYTES = FULL ? 10_240_000 : 102_400;
const DEVICES = FULL ? 50_000 : 500;
const CHUNK_BYTES = 65_536;
const ROUNDS = FULL ? 7 : 2;
/** What reading may take at its peak, garbage included. */
const PEAK_BYTES_MAX = 2 * IMAGE_BYTES + 8_388_608;
/** A multiple of 3, so that the base64 of the parts is that of the whole. */
const PART_BYTES = 49_152;
const PART = seededBytes(PART_BYTES, 1);
const PART_BASE64 = base64Of(PART);

const [START, END] = requestXml({
  reference: '11.1',
  target: BROKER,
  variant: '8',
  body: '<sr:UpdateFirmware>|</sr:UpdateFirmware>',
}).split('|') as [string, string];

interface Peak {
  rss: number;
  heapAndBuffers: number;
}

const signature = makeSignature();
const collect = collector();
const peak = measureMemory();
const readMs: number[] = [];
const floorMs: number[] = [];
let digest = 0;
let bytes = 0;
for (let round = 0; round < ROUNDS; round++) {
  // Made before the clock runs: what is timed is the reading.
  const chunks = [...chunksOf(document(signature))];
  bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  readMs.push(timed(() => (digest = mix(digest, read(chunks)))));
  floorMs.push(timed(() => (digest = mix(digest, floor(chunks)))));
}
report();

/** The text of the document in parts, without or with its signature. */
function* document(signed = ''): Generator<string> {
  yield `${START}<sr:FirmwareImage>`;
  for (let at = 0; at < IMAGE_BYTES; at += PART_BYTES) {
    const isLast = at + PART_BYTES >= IMAGE_BYTES;
    yield isLast ? base64Of(PART.subarray(0, IMAGE_BYTES - at)) : PART_BASE64;
  }
  yield '</sr:FirmwareImage><sr:FirmwareVersion>00010203</sr:FirmwareVersion><sr:DeviceIDList>';
  for (let device = 0; device < DEVICES; device++) {
    const number = device.toString(16).padStart(6, '0').match(/../g)!.join('-');
    yield `${device > 0 ? ',' : ''}02-55-50-4C-46-${number}`;
  }
  const at = END.lastIndexOf('</');
  yield `</sr:DeviceIDList>${END.slice(0, at)}`;
  yield signed;
  yield END.slice(at);
}

/** Each in memory of its own, or all in the same. */
function* chunksOf(parts: Iterable<string>, isOne = false): Generator<Uint8Array> {
  let chunk = Buffer.alloc(CHUNK_BYTES);
  let used = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const written = chunk.write(part.slice(at, at + CHUNK_BYTES - used), used, 'latin1');
      at += written;
      used += written;
      if (used < CHUNK_BYTES) continue;
      yield chunk;
      if (!isOne) chunk = Buffer.alloc(CHUNK_BYTES);
      used = 0;
    }
  }
  yield chunk.subarray(0, used);
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function makeSignature(): string {
  const hash = createHash('sha256');
  for (const part of document()) hash.update(part);
  return signatureOf('', { references: [{ digest: hash.digest('base64') }] });
}

function read(chunks: Iterable<Uint8Array>, afterChunk = () => {}): number {
  const reader = new ServiceRequestReader();
  for (const chunk of chunks) {
    const fault = reader.push(chunk);
    if (fault) throw new Error(`${fault.code}: ${fault.message}`);
    afterChunk();
  }
  const result = reader.end(SIGNERS);
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  afterChunk();
  const { body } = result.request;
  if (body.kind !== 'UpdateFirmware') throw new Error(body.kind);
  return digestOf(body.image, body.deviceIds.join());
}

function floor(chunks: readonly Uint8Array[]): number {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  const text = chunks.map((chunk) => Buffer.from(chunk.buffer, 0, chunk.length).toString('latin1'));
  const image = Buffer.from(text.join('').slice(START.length + 18), 'base64');
  return hash.digest().length ^ image.length;
}

function digestOf(image: Uint8Array, devices: string): number {
  return createHash('sha256').update(image).update(devices).digest().readInt32LE();
}

/** In a process that has read nothing yet. */
function measureMemory(): Peak {
  collect();
  const before = process.memoryUsage();
  const most: Peak = { rss: 0, heapAndBuffers: 0 };
  read(chunksOf(document(signature), true), () => {
    const { rss, heapUsed, external } = process.memoryUsage();
    most.rss = Math.max(most.rss, rss - before.rss);
    const used = heapUsed + external - before.heapUsed - before.external;
    most.heapAndBuffers = Math.max(most.heapAndBuffers, used);
  });
  return most;
}

function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

function report(): void {
  if (peak.heapAndBuffers > PEAK_BYTES_MAX) throw new Error(`grew by ${peak.heapAndBuffers} bytes`);
  const best = Math.min(...readMs);
  const least = Math.min(...floorMs);
  const multiple = (grown: number) => (grown / IMAGE_BYTES).toFixed(2);
  console.log(
    `11.1, ${IMAGE_BYTES} octets for ${DEVICES} devices, ${bytes} bytes, best of ${ROUNDS}`,
  );
  console.log(
    `  read and verified  ${best.toFixed(1)} ms  ${(bytes / best / 1000).toFixed(0)} MB/s`,
  );
  console.log(`  SHA-256 and base64 alone  ${least.toFixed(1)} ms  ${(best / least).toFixed(2)} x`);
  console.log(
    `  peak growth: heap and buffers ${multiple(peak.heapAndBuffers)} x the image, resident ${multiple(peak.rss)} x`,
  );
  printDigest('duis-reader', digest);
}
