/** What a trace says of recorded bytes, and its export read by a reader of its own. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinkKind, Recording, RecordingRecord } from '../../src/lab/recording/format.ts';
import { OtaTap } from '../../src/lab/recording/recorded-ota.ts';
import { pcapngOf } from '../../src/lab/trace/pcapng.ts';
import { type TraceEntry, traceOf } from '../../src/lab/trace/trace.ts';
import { encodeOtaFrame } from '../../src/protocol/zcl-ota/codec.ts';
import { encodeFrame } from '../../src/virtual/znp/frame.ts';
import { B, HubWorld } from '../upgrade/hub-world.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';
import { finished, headerOf, LINK, newRecorder, recordSession } from './recorded-world.ts';

const test = suite('trace');
const TRIPLE = { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: 0x02000000 };

function recorded(kind: LinkKind, pieces: ['up' | 'down', Uint8Array][]): Recording {
  const records = pieces.map(
    ([direction, bytes], n): RecordingRecord => ({
      ...{ kind: 'bytes', atUs: n * 1_000, link: LINK, direction, bytes },
    }),
  );
  return { header: headerOf(kind), records };
}

const texts = (trace: Iterable<TraceEntry>) => [...trace].map(({ text }) => text);

/** The same stream, each direction in pieces of so many bytes. */
function cut(recording: Recording, size: number): Recording {
  const records = recording.records.flatMap((record) => {
    if (record.kind !== 'bytes') return [record];
    const pieces: RecordingRecord[] = [];
    for (let at = 0; at < record.bytes.length; at += size)
      pieces.push({ ...record, bytes: record.bytes.slice(at, at + size) });
    return pieces;
  });
  return { ...recording, records };
}

test('an SMP upgrade in words, wherever its bytes are cut', async () => {
  const recorder = newRecorder('smp');
  const world = new HubWorld();
  recordSession(world, recorder, 'smp-session', B.bytes, 'mcuboot').settle();
  const recording = await finished(recorder);
  const said = texts(traceOf(recording));
  assert.ok(
    said.some((text) => /^read image state #\d+ v2 \{\}$/.test(text)),
    said.join('\n'),
  );
  assert.ok(
    said.some((text) => /^write image upload .*len: \d+, off: 0, .*data: \d+ bytes/.test(text)),
  );
  assert.ok(said.some((text) => /^answer to write image upload .*\{off: \d+\}/.test(text)));
  assert.ok(said.some((text) => /^write os reset/.test(text)));
  for (const size of [1, 7, 64]) {
    assert.equal(
      texts(traceOf(cut(recording, size))).filter((text) => !text.startsWith('a machine')),
      said.filter((text) => !text.startsWith('a machine')),
      `${size}`,
    );
  }
});

test('a bootloader upgrade in words: menu, blocks, answers', async () => {
  const recorder = newRecorder('bootloader');
  const world = new HubWorld({
    protocol: 'gecko-bootloader',
    firmware: makeGbl({ version: 0x10000 }),
  });
  recordSession(
    world,
    recorder,
    'bootloader-session',
    makeGbl({ version: 0x20000 }),
    'gbl',
  ).settle();
  const said = texts(traceOf(await finished(recorder)));
  for (const wanted of [
    /^text "Gecko Bootloader v2/,
    /^text "begin upload"$/,
    /^C: ready/,
    /^block 1, 128 bytes$/,
    /^ACK$/,
    /^EOT/,
    /^text "Serial upload complete"$/,
  ]) {
    assert.ok(
      said.some((text) => wanted.test(text)),
      `${wanted} in ${said.join('\n')}`,
    );
  }
  assert.not.ok(said.some((text) => text.includes('damaged')));
});

test('blocks with sums, a damaged block and one that never ended', () => {
  const data = new Uint8Array(128).fill(2);
  const block = Uint8Array.of(1, 1, 254, ...data, 0);
  const bad = block.slice();
  bad[50]! ^= 4;
  const trace = traceOf(
    recorded('xmodem', [
      ['up', Uint8Array.of(0x15)],
      ['down', block],
      ['up', Uint8Array.of(6)],
      ['down', bad],
      ['down', block.subarray(0, 20)],
    ]),
  );
  assert.equal(texts(trace), [
    'NAK: again',
    'block 1, 128 bytes',
    'ACK',
    'block 1, 128 bytes: damaged',
    'block 1: 20 of 132 bytes',
  ]);
});

const OTA_REQUEST = encodeOtaFrame(
  { kind: 'image-block-request', ...TRIPLE, fileOffset: 512, maximumDataBytes: 48 },
  9,
);

function incoming(payload: Uint8Array): Uint8Array {
  const head = [0, 0, 0x19, 0, 0x34, 0x12, 1, 1, 0, 180, 0, 0, 0, 0, 0, 7, payload.length];
  return encodeFrame(2, 4, 0x81, Uint8Array.of(...head, ...payload, 0x34, 0x12, 0x1d));
}

test('a coordinator in words, with what OTA frames carry', () => {
  const response = encodeOtaFrame(
    { kind: 'image-block-response', ...TRIPLE, fileOffset: 512, data: new Uint8Array(48) },
    9,
  );
  const request = Uint8Array.of(0x34, 0x12, 1, 1, 0x19, 0, 5, 0, 30, response.length, ...response);
  const recording = recorded('znp', [
    ['down', Uint8Array.of(0xef)],
    ['down', encodeFrame(1, 1, 1, new Uint8Array(0))],
    ['up', encodeFrame(3, 1, 1, Uint8Array.of(0x59, 6))],
    ['up', incoming(OTA_REQUEST)],
    ['down', encodeFrame(1, 4, 1, request)],
    ['up', encodeFrame(2, 4, 0x80, Uint8Array.of(0, 1, 5))],
  ]);
  const wanted = [
    '1 bytes that are no frame',
    'SREQ SYS ping',
    'SRSP SYS ping 5906',
    'AREQ AF incomingMsg from 0x1234: OTA image-block-request #9 manufacturerCode 0x121D, imageType 0x0084, fileVersion 0x02000000, fileOffset 512, maximumDataBytes 48',
    'SREQ AF dataRequest to 0x1234: OTA image-block-response #9 manufacturerCode 0x121D, imageType 0x0084, fileVersion 0x02000000, fileOffset 512, data 48 bytes',
    'AREQ AF dataConfirm 000105',
  ];
  const normal = (list: string[]) => list.map((text) => text.toLowerCase());
  assert.equal(normal(texts(traceOf(recording))), normal(wanted));
  for (const size of [1, 3, 10])
    assert.equal(normal(texts(traceOf(cut(recording, size)))), normal(wanted));
});

test('frames of the OTA cluster as a link of their own', async () => {
  const recorder = newRecorder('zcl-ota');
  const tap = new OtaTap(recorder, LINK, { nowMs: () => 5 });
  const sender = tap.recording({ send: async () => Promise.reject(new Error('no confirm')) });
  const eui64 = '00112233445566aa';
  tap.received({ eui64, endpoint: 1, destinationEndpoint: 2, bytes: OTA_REQUEST });
  await sender.send(eui64, 1, 2, OTA_REQUEST).catch(() => {});
  const said = texts(traceOf(await finished(recorder)));
  assert.match(said[0]!, /^00112233445566aa\/1 image-block-request #9/);
  assert.is(said[0], said[1]);
  assert.match(said[2]!, /not delivered to 00112233445566aa: no confirm/);
});

interface Packet {
  linkType: number;
  name: string;
  atUs: bigint;
  bytes: string;
  flags: number | undefined;
  comment: string | undefined;
}

/** A reader of pcapng after its draft, made for this test: blocks, options, little-endian. */
function readPcapng(file: Buffer): Packet[] {
  const packets: Packet[] = [];
  const interfaces: { linkType: number; name: string; resolution: number }[] = [];
  for (let at = 0; at < file.length; ) {
    const type = file.readUInt32LE(at);
    const length = file.readUInt32LE(at + 4);
    assert.is(length % 4, 0);
    assert.is(file.readUInt32LE(at + length - 4), length, 'the length stands at both ends');
    const body = file.subarray(at + 8, at + length - 4);
    if (at === 0) assert.is(type, 0x0a0d0d0a);
    if (type === 0x0a0d0d0a) assert.is(body.readUInt32LE(0), 0x1a2b3c4d);
    if (type === 1) {
      const options = optionsOf(body.subarray(8));
      const name = options.get(2)!.toString();
      interfaces.push({ linkType: body.readUInt16LE(0), name, resolution: options.get(9)![0]! });
    }
    if (type === 6) {
      const { resolution, ...of } = interfaces[body.readUInt32LE(0)]!;
      assert.is(resolution, 6);
      const atUs = (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8));
      const captured = body.readUInt32LE(12);
      const options = optionsOf(body.subarray(20 + Math.ceil(captured / 4) * 4));
      packets.push({
        ...of,
        atUs,
        bytes: body.subarray(20, 20 + captured).toString('hex'),
        flags: options.get(2)?.readUInt32LE(0),
        comment: options.get(1)?.toString(),
      });
    }
    at += length;
  }
  return packets;
}

function optionsOf(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; ; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 0) return options;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
}

test('a pcapng file holds every frame with its time, direction and meaning', () => {
  const header = { ...headerOf('znp'), startedAtMs: 1_800_000_000_000 };
  const recording = { ...recorded('znp', [['up', incoming(OTA_REQUEST)]]), header };
  recording.records.push({ kind: 'note', atUs: 7_000_001, link: 'hub', text: 'unplugged' });
  const trace = [...traceOf(recording)];
  const file = Buffer.concat([...pcapngOf(header, trace)]);
  const [frame, note] = readPcapng(file);
  assert.equal(frame, {
    linkType: 149,
    name: LINK,
    atUs: 1_800_000_000_000_000n,
    bytes: Buffer.from(incoming(OTA_REQUEST)).toString('hex'),
    flags: 1,
    comment: trace[0]!.text,
  });
  assert.equal(note, {
    linkType: 148,
    name: 'hub',
    atUs: 1_800_000_007_000_001n,
    bytes: '',
    flags: undefined,
    comment: 'unplugged',
  });
});

test.run();
