/** The file of a recording: what goes in comes out, and what is damaged is good up to there. */
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contentsBeside } from '../../src/lab/recording/contents.ts';
import type { RecordingHeader, RecordingRecord } from '../../src/lab/recording/format.ts';
import { parseRecording, readRecordingFile } from '../../src/lab/recording/reader.ts';
import { RecordedLink } from '../../src/lab/recording/recorded-link.ts';
import { decodeValue, encodeValue } from '../../src/lab/recording/values.ts';
import { openRecorder } from '../../src/lab/recording/writer.ts';
import { realFiles } from '../../src/store/files.ts';
import { FailingFiles, temporaryFolder } from '../store/failing-files.ts';
import { SimulatedLink } from '../transport/serial/simulated-link.ts';

const test = suite('recording');

const HEADER: RecordingHeader = {
  version: '0.1.0',
  rig: 'bench',
  device: 'hub-1',
  imageSha256: 'ab'.repeat(32),
  seed: 7,
  startedAtMs: 1_000_000,
  links: { 'hub-1': 'smp' },
};

const folder = temporaryFolder('recording');
let files = 0;
const newPath = () => join(folder, `${++files}.uplrec`);

async function small(path: string): Promise<Uint8Array> {
  const recorder = openRecorder(path, HEADER);
  recorder.record('hub-1', 'down', Uint8Array.of(1, 2, 3), 1_000_000.25);
  recorder.record('hub-1', 'up', Uint8Array.of(0xff), 1_000_001.5);
  recorder.note('hub-1', 'opened – ü', 1_000_002);
  recorder.record('other', 'up', new Uint8Array(0), 1_000_003);
  recorder.machine('hub-1', 'smp-session', { a: 1 }, 1_000_004);
  recorder.call('hub-1', { method: 'handleTimeout', parameters: [5] }, 1_000_004);
  await recorder.close();
  return readFileSync(path);
}

const SMALL: RecordingRecord[] = [
  { kind: 'bytes', atUs: 250, link: 'hub-1', direction: 'down', bytes: Uint8Array.of(1, 2, 3) },
  { kind: 'bytes', atUs: 1_500, link: 'hub-1', direction: 'up', bytes: Uint8Array.of(0xff) },
  { kind: 'note', atUs: 2_000, link: 'hub-1', text: 'opened – ü' },
  { kind: 'machine', atUs: 4_000, link: 'hub-1', machine: 'smp-session', settings: { a: 1 } },
  { kind: 'call', atUs: 4_000, link: 'hub-1', call: { method: 'handleTimeout', parameters: [5] } },
];

/** Byte strings as plain arrays: a view of the file compares as what it holds. */
function plain(records: RecordingRecord[]): unknown[] {
  return records.map((record) =>
    record.kind === 'bytes' ? { ...record, bytes: [...record.bytes] } : record,
  );
}

test('what goes in comes out', async () => {
  const path = newPath();
  await small(path);
  const read = readRecordingFile(path);
  assert.equal(read.header, HEADER);
  assert.equal(plain(read.records), plain(SMALL));
  assert.is(read.damage, undefined);
});

test('golden bytes of a record', async () => {
  const bytes = await small(newPath());
  assert.is(Buffer.from(bytes.subarray(0, 8)).toString('hex'), '55504c5245430001');
  // Length 11, kind 3; 250 us, link 0, down; 1 2 3; the CRC-32 of all that.
  const record = '0b00000003fa00000000000001010203';
  const check = '9ab3d3b8';
  const text = Buffer.from(bytes).toString('hex');
  const at = text.indexOf(record);
  assert.ok(at > 0, text);
  assert.is(text.slice(at + record.length, at + record.length + 8), check);
});

test('every truncation leaves a prefix and says where', async () => {
  const bytes = await small(newPath());
  for (let length = 0; length < bytes.length; length++) {
    const read = parseRecording(bytes.subarray(0, length));
    if (!read.ok) continue;
    assert.equal(plain(read.records), plain(SMALL.slice(0, read.records.length)), `${length}`);
    if (read.damage) assert.is(read.damage.code, 'recording-cut-off', `${length}`);
    else assert.ok(read.records.length <= SMALL.length);
  }
  const cut = parseRecording(bytes.subarray(0, bytes.length - 1));
  assert.ok(cut.ok);
  assert.is(cut.records.length, SMALL.length - 1, 'only the last record is lost');
});

test('every flipped bit leaves a prefix or a code', async () => {
  const bytes = await small(newPath());
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const read = parseRecording(flipped);
    if (!read.ok) continue;
    assert.ok(read.damage !== undefined, `bit ${bit} is noticed`);
    assert.equal(plain(read.records), plain(SMALL.slice(0, read.records.length)), `bit ${bit}`);
  }
});

test('a recorder that is killed loses what it had not flushed, and no more', () => {
  const path = newPath();
  const recorder = openRecorder(path, HEADER);
  recorder.record('hub-1', 'up', Uint8Array.of(1), 1_000_000);
  recorder.flush();
  recorder.record('hub-1', 'up', Uint8Array.of(2), 1_000_001);
  // Not closed: what is on disk is what a crash leaves.
  const read = readRecordingFile(path);
  assert.is(read.records.length, 1);
  truncateSync(path, readFileSync(path).length - 3);
  const cut = readRecordingFile(path);
  assert.is(cut.records.length, 0);
  assert.is(cut.damage?.code, 'recording-cut-off');
});

test('long pieces are more than one record, and large ones pass the buffer', async () => {
  const path = newPath();
  const recorder = openRecorder(path, HEADER);
  const bytes = Uint8Array.from({ length: 200_001 }, (_, i) => i * 7);
  recorder.record('line', 'up', bytes, 1_000_000);
  recorder.note('line', 'x'.repeat(100_000), 1_000_000);
  await recorder.close();
  const { records, damage } = readRecordingFile(path);
  assert.is(damage, undefined);
  const pieces = records.flatMap((record) => (record.kind === 'bytes' ? [record.bytes] : []));
  assert.equal(Buffer.concat(pieces), Buffer.from(bytes));
  assert.is(recorder.recordedBytes, bytes.length);
});

test('time never goes back', async () => {
  const path = newPath();
  const recorder = openRecorder(path, HEADER);
  for (const atMs of [1_000_005, 1_000_001, 999_000, 1_000_006])
    recorder.record('line', 'up', Uint8Array.of(1), atMs);
  await recorder.close();
  const times = readRecordingFile(path).records.map(({ atUs }) => atUs);
  assert.equal(times, [5_000, 5_000, 5_000, 6_000]);
});

test('a disk that fills up stops the recording, not the link; the end tells', async () => {
  for (let operation = 1; operation < 12; operation++) {
    const path = newPath();
    const failing = new FailingFiles(operation, 'ENOSPC', true);
    let recorder: ReturnType<typeof openRecorder>;
    try {
      recorder = openRecorder(path, HEADER, { files: failing });
    } catch (error) {
      assert.is((error as { code?: string }).code, 'recording-not-written');
      continue;
    }
    recorder.record('line', 'up', new Uint8Array(30_000), 1_000_000);
    recorder.flush();
    recorder.record('line', 'up', new Uint8Array(10), 1_000_001);
    let code = 'closed';
    await recorder.close().catch((error) => {
      code = error.code;
    });
    assert.is(code, failing.failed === undefined ? 'closed' : 'recording-not-written');
    if (existsSync(path)) parseRecording(readFileSync(path));
  }
});

test('a link that is recorded is the link', async () => {
  const path = newPath();
  const recorder = openRecorder(path, HEADER);
  const inner = new SimulatedLink();
  let nowMs = 1_000_000;
  const link = new RecordedLink(inner, {
    recorder,
    name: 'hub-1',
    clock: { nowMs: () => nowMs++ },
  });
  const heard: number[] = [];
  await link.open({ received: (bytes) => heard.push(...bytes), closed: () => {} });
  link.send(Uint8Array.of(9, 8), () => {});
  inner.take();
  inner.receive(Uint8Array.of(7));
  await link.setSignals({ rts: true, dtr: false });
  inner.hasLines = false;
  await link.sendBreak(5);
  inner.vanish();
  await recorder.close();
  assert.equal(heard, [7]);
  assert.equal(
    readRecordingFile(path).records.map((record) =>
      record.kind === 'bytes'
        ? `${record.direction} ${[...record.bytes]}`
        : 'text' in record && record.text,
    ),
    [
      'opened',
      'down 9,8',
      'up 7',
      'RTS true, DTR false',
      'break of 5 ms: not on this link',
      'closed: vanished, EIO',
    ],
  );
});

test('values of every kind come back, long bytes from beside the recording', () => {
  const contents = contentsBeside(newPath(), realFiles);
  const long = Uint8Array.from({ length: 5_000 }, (_, i) => i);
  const value = {
    text: 'a',
    none: null,
    infinite: Number.POSITIVE_INFINITY,
    whole: 12n,
    list: [1, undefined, true],
    map: new Map<unknown, unknown>([['k', { deep: Uint8Array.of(1) }]]),
    set: new Set([1, 2]),
    $odd: { $bytes: 'x' },
    long,
  };
  const encoded = JSON.parse(JSON.stringify(encodeValue(value, contents)));
  assert.equal(decodeValue(encoded, contents)?.value, value);
  assert.is(JSON.stringify(encoded).length < 1_000, true, 'the long one is not in it');
});

test('what is no value is named, and nothing is made of it', () => {
  class Thing {}
  assert.equal(encodeValue({ f: () => 1, t: new Thing() }, undefined), {
    f: { $opaque: 'function' },
    t: { $opaque: 'Thing' },
  });
  assert.is(decodeValue({ f: { $opaque: 'function' } }, undefined), undefined);
  for (const wrong of [{ $number: 1 }, { $map: [[1]] }, { $unheard: 1 }, { $integer: 'x' }])
    assert.is(decodeValue(wrong, undefined), undefined, JSON.stringify(wrong));
  const decoded = decodeValue(JSON.parse('{"__proto__":{"a":1}}'), undefined)!.value as object;
  assert.is(Object.getPrototypeOf(decoded), Object.prototype);
});

test.run();
