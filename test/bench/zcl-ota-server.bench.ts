/**
 * Image block requests answered by the OTA server, from the request's bytes to the response's: 200 devices
 * in turn, 50-byte blocks, one shared image of 256 KiB, the time moving on. Against the same answers made
 * with the plain codec. Then the heap bytes a block allocates, and the memory a device takes.
 */
import {
  decodeOtaFrame,
  encodeOtaFrame,
  type ImageTriple,
} from '../../src/protocol/zcl-ota/codec.ts';
import { ZclOtaServer } from '../../src/protocol/zcl-ota/server.ts';
import type { Assignment } from '../../src/protocol/zcl-ota/session.ts';
import {
  bytesAllocatedPerCall,
  type Contender,
  compare,
  FULL,
  mix,
  printDigest,
  seededBytes,
} from './bench.ts';

const DEVICES = 200;
const BLOCK_BYTES = 50;
const IMAGE_BYTES = 256 * 1024;
const BLOCKS = Math.floor(IMAGE_BYTES / BLOCK_BYTES);
const TRIPLE: ImageTriple = { manufacturerCode: 0x121d, imageType: 0x84, fileVersion: 0xacdcacdc };
const START_MS = 1_900_000_000_000.5;

const image = seededBytes(IMAGE_BYTES, 0x07a);
/** Boxed once: the caller of the machine pays for its clock, not the machine. */
const timesMs: (number | string)[] = [
  '',
  ...Array.from({ length: 63 }, (_, i) => START_MS + 7 * i),
];
timesMs[0] = START_MS;

compare({
  name: 'image block, request to response',
  // Each goes on through the image in its own rhythm; that they answer alike is shown below.
  sameResult: false,
  contenders: { uplift: served(sampled), 'plain codec': coded(sampled) },
});

const whole = served(everyByte);
const plain = coded(everyByte);
let digest = 0;
for (let call = 0; call < BLOCKS * (FULL ? DEVICES : 3); call++) {
  const ours = whole(call);
  if (ours !== plain(call)) throw new Error(`block ${call} differs from the plain codec's`);
  digest = mix(digest, ours);
}
printDigest('all bytes of all responses', digest);

const allocationCalls = FULL ? 1_000_000 : 20_000;
const perBlock = bytesAllocatedPerCall(served(sampled), allocationCalls);
console.log(`heap bytes allocated per block: ${perBlock} (over ${allocationCalls} blocks)`);
printDigest('allocation', Math.round(perBlock * allocationCalls));
const control = bytesAllocatedPerCall(coded(sampled), 500);
console.log(`heap bytes allocated per block by the plain codec: ${control.toFixed(0)}`);
if (control < 16) throw new Error('the measure of allocation measures nothing');

const devicesMany = FULL ? 20_000 : 2_000;
console.log(`heap bytes per device, added and assigned: ${bytesPerDevice(devicesMany).toFixed(0)}`);

/** The server with all devices assigned; a call is one request and its response. */
function served(digestOf: (response: Uint8Array) => number): Contender {
  const server = new ZclOtaServer();
  const requests: Uint8Array[] = [];
  for (let device = 0; device < DEVICES; device++) {
    server.assign(server.addDevice(), assignment(), START_MS);
    requests.push(request());
  }
  let call = -1;
  return () => {
    call = (call + 1) % (DEVICES * BLOCKS);
    const device = call % DEVICES;
    const nowMs = timesMs[call & 63] as number;
    server.handleFrame(device, aimed(requests[device]!, call), nowMs);
    return digestOf(server.pollTransmit(nowMs)!.bytes);
  };
}

/** The same answers with objects: read, look up, cut, write. */
function coded(digestOf: (response: Uint8Array) => number): Contender {
  const frame = request();
  let call = -1;
  return () => {
    call = (call + 1) % (DEVICES * BLOCKS);
    const decoded = decodeOtaFrame(aimed(frame, call));
    if (!decoded.ok || decoded.message.kind !== 'image-block-request') return 0;
    const { fileOffset, maximumDataBytes } = decoded.message;
    const data = image.subarray(fileOffset, fileOffset + maximumDataBytes);
    const response = { kind: 'image-block-response', ...TRIPLE, fileOffset, data } as const;
    return digestOf(encodeOtaFrame(response, decoded.sequence));
  };
}

/** The request of this call, written over the last one: every device goes through the image in turn. */
function aimed(frame: Uint8Array, call: number): Uint8Array {
  const offset = (((call / DEVICES) | 0) % BLOCKS) * BLOCK_BYTES;
  frame[1] = call;
  frame[12] = offset;
  frame[13] = offset >> 8;
  frame[14] = offset >> 16;
  return frame;
}

function request(): Uint8Array {
  const message = { fileOffset: 0, maximumDataBytes: BLOCK_BYTES, ...TRIPLE };
  return encodeOtaFrame({ kind: 'image-block-request', ...message }, 0);
}

function assignment(): Assignment {
  return {
    image,
    triple: TRIPLE,
    authorised: true,
    resumable: true,
    activation: { when: 'held' },
    blockPeriodMs: 0,
    paceBy: 'delay',
    stallMs: 20_000,
    blockBytesMax: 64,
  };
}

function sampled(response: Uint8Array): number {
  return response[1]! ^ (response[12]! << 8) ^ (response[response.length - 1]! << 16);
}

function everyByte(response: Uint8Array): number {
  let sum = response.length;
  for (let i = 0; i < response.length; i++) sum = mix(sum, response[i]!);
  return sum;
}

/** Each with an assignment and a triple of its own, as they come from the gateway. */
function bytesPerDevice(devices: number): number {
  const server = new ZclOtaServer();
  const used = () => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  for (let i = 0; i < devices; i++) {
    const device = server.addDevice();
    server.assign(device, { ...assignment(), triple: { ...TRIPLE } }, START_MS);
    server.handleFrame(device, request(), START_MS);
    server.pollTransmit(START_MS);
    server.pollEvent();
  }
  const grown = used() - before;
  if (server.pollEvent()) throw new Error('the server was not drained');
  return grown / devices;
}
