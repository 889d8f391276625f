/** Replays: the same machine does the same again to the last byte, and one that was changed is found. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contentsBeside } from '../../src/lab/recording/contents.ts';
import type { Recording, RecordingRecord } from '../../src/lab/recording/format.ts';
import { MACHINES } from '../../src/lab/recording/machines.ts';
import { recordedMachine } from '../../src/lab/recording/recorded-machine.ts';
import { replayRecording } from '../../src/lab/recording/replay.ts';
import type { RecordingWriter } from '../../src/lab/recording/writer.ts';
import { traceOf } from '../../src/lab/trace/trace.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import { encodeOtaFrame } from '../../src/protocol/zcl-ota/codec.ts';
import { ZclOtaServer } from '../../src/protocol/zcl-ota/server.ts';
import { realFiles } from '../../src/store/files.ts';
import type { SmpSessionRequest } from '../../src/upgrade/hub-session-messages.ts';
import { SmpSession } from '../../src/upgrade/smp-session.ts';
import { counting } from '../protocol/xmodem/naive-blocks.ts';
import { B, HubWorld } from '../upgrade/hub-world.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';
import { finished, LINK, newRecorder, recordSession } from './recorded-world.ts';

const test = suite('replay');

const replay = (recorder: RecordingWriter, recording: Recording, machines = MACHINES) =>
  replayRecording(recording, { contents: contentsBeside(recorder.path, realFiles), machines });

async function smpUpgrade(
  settings: ConstructorParameters<typeof HubWorld>[0] = {},
): Promise<{ recorder: RecordingWriter; recording: Recording; world: HubWorld }> {
  const recorder = newRecorder('smp');
  const world = new HubWorld(settings);
  recordSession(world, recorder, 'smp-session', B.bytes, 'mcuboot', { smp: { windowMax: 4 } });
  world.settle();
  return { recorder, recording: await finished(recorder), world };
}

test('an SMP upgrade is the same to the last byte', async () => {
  const { recorder, recording, world } = await smpUpgrade();
  assert.is(world.state, 'done', world.story());
  const outcome = replay(recorder, recording);
  assert.is(outcome.kind, 'same', JSON.stringify(outcome));
  assert.ok(outcome.kind === 'same' && outcome.sentBytes === world.sentBytes);
});

test('also over a bad line, with breaks of the link and a power cut', async () => {
  for (const seed of [1, 2, 3]) {
    const recorder = newRecorder('smp');
    const faults = { loss: 0.0005, corruption: 0.0005, powerCutAtByte: 3_000 };
    const world = new HubWorld({ seed, faults });
    recordSession(world, recorder, 'smp-session', B.bytes, 'mcuboot');
    world.run(2_000);
    world.cutLink();
    world.run(3_000);
    world.restoreLink();
    world.settle();
    const recording = await finished(recorder);
    const outcome = replay(recorder, recording);
    assert.is(outcome.kind, 'same', `seed ${seed}: ${JSON.stringify(outcome)}`);
    assert.ok(outcome.kind === 'same' && outcome.sentBytes > B.bytes.length);
  }
});

test('a bootloader upgrade is the same to the last byte', async () => {
  const recorder = newRecorder('bootloader');
  const world = new HubWorld({
    protocol: 'gecko-bootloader',
    firmware: makeGbl({ version: 0x10000 }),
    faults: { corruption: 0.0002 },
  });
  const file = makeGbl({ version: 0x20000 });
  recordSession(world, recorder, 'bootloader-session', file, 'gbl').settle();
  const outcome = replay(recorder, await finished(recorder));
  assert.is(outcome.kind, 'same', JSON.stringify(outcome));
  assert.ok(outcome.kind === 'same' && outcome.sentBytes > file.length);
});

test('an XMODEM sender is the same to the last byte', async () => {
  const recorder = newRecorder('xmodem');
  let nowMs = 0;
  const settings = { variant: 'xmodem-1k', baudRate: 115_200 } as const;
  const sender = recordedMachine(new XmodemSender(settings), {
    ...{ recorder, link: LINK, settings },
    kind: 'xmodem-sender',
    clock: { nowMs: () => nowMs },
  });
  sender.start([{ bytes: counting(5_000) }], nowMs);
  const answers = [0x43, 0x06, 0x15, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06];
  for (const answer of answers) {
    nowMs += 200;
    sender.handleBytes(Uint8Array.of(answer), nowMs);
    while (sender.pollTransmit(nowMs)) {}
    while (sender.pollEvent()) {}
  }
  const outcome = replay(recorder, await finished(recorder));
  assert.ok(outcome.kind === 'same' && outcome.sentBytes > 5_000, JSON.stringify(outcome));
});

const TRIPLE = { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: 0x02000000 };

function served(recorder: RecordingWriter): void {
  let nowMs = 0;
  const server = recordedMachine(new ZclOtaServer(), {
    ...{ recorder, link: LINK, settings: {} },
    kind: 'zcl-ota-server',
    clock: { nowMs: () => nowMs },
  });
  const device = server.addDevice();
  server.assign(
    device,
    {
      ...{ image: counting(3_000), triple: TRIPLE, authorised: true, resumable: false },
      ...{ activation: { when: 'now' }, blockPeriodMs: 30, paceBy: 'delay', stallMs: 60_000 },
      blockBytesMax: 48,
    },
    nowMs,
  );
  for (let offset = 0; offset < 3_000; offset += 48) {
    const request = { kind: 'image-block-request', ...TRIPLE, fileOffset: offset } as const;
    server.handleFrame(
      device,
      encodeOtaFrame({ ...request, maximumDataBytes: 48 }, offset & 255),
      nowMs,
    );
    for (let step = 0; step < 40; step++) {
      nowMs++;
      if (server.pollTimeout() <= nowMs) server.handleTimeout(nowMs);
      while (server.pollTransmit(nowMs)) {}
      while (server.pollEvent()) {}
    }
  }
}

test('an OTA server is the same to the last byte; a long image is kept beside the recording', async () => {
  const recorder = newRecorder('ota-server');
  served(recorder);
  const recording = await finished(recorder);
  const outcome = replay(recorder, recording);
  assert.ok(outcome.kind === 'same' && outcome.sentBytes > 3_000, JSON.stringify(outcome));
  const said = [...traceOf(recording)].map(({ text }) => text);
  assert.match(said[1]!, /^device 0: image-block-request #0 .*fileOffset 0/);
  assert.match(said[2]!, /^device 0: image-block-response #0 .*data 48 bytes/);
  const without = replayRecording(recording);
  assert.ok(without.kind === 'refused' && without.code === 'replay-settings');
});

test('a session that was changed differs where the change first shows', async () => {
  const { recorder, recording } = await smpUpgrade();
  const slower = {
    ...MACHINES,
    'smp-session': {
      ...MACHINES['smp-session'],
      make: (request: SmpSessionRequest) =>
        new SmpSession({ ...request, smp: { ...request.smp, chunkAlignmentBytes: 64 } }),
    },
  };
  const outcome = replay(recorder, recording, slower as unknown as typeof MACHINES);
  assert.is(outcome.kind, 'differs');
  if (outcome.kind !== 'differs') return;
  const { difference } = outcome;
  assert.is(difference.what, 'sent', JSON.stringify(difference));
  assert.match(difference.expected, /write image upload/);
  assert.match(difference.actual, /write image upload/);
  assert.ok(difference.offset > 0 && difference.atUs > 0);
});

test('one byte that was sent otherwise is found at its offset', async () => {
  const { recorder, recording } = await smpUpgrade();
  const sends = recording.records.flatMap((record, index) =>
    record.kind === 'call' && record.call.method === 'pollTransmit' && record.call.result
      ? index
      : [],
  );
  let before = 0;
  for (const [n, index] of sends.entries()) {
    const record = recording.records[index] as Extract<RecordingRecord, { kind: 'call' }>;
    const { $bytes } = record.call.result as { $bytes: string };
    const bytes = Buffer.from($bytes, 'base64');
    if (n % 9 === 0) {
      const at = n % bytes.length;
      const other = Buffer.from(bytes);
      other[at]! ^= 1;
      const records = recording.records.slice();
      const call = { ...record.call, result: { $bytes: other.toString('base64') } };
      records[index] = { ...record, call };
      const outcome = replay(recorder, { ...recording, records });
      assert.ok(outcome.kind === 'differs' && outcome.difference.offset === before + at);
    }
    before += bytes.length;
  }
});

test('a call that was left out is noticed', async () => {
  const { recorder, recording } = await smpUpgrade();
  const answer = recording.records.findIndex(
    (record, index) => index > 50 && record.kind === 'call' && record.call.method === 'handleBytes',
  );
  const records = recording.records.toSpliced(answer, 1);
  assert.is(replay(recorder, { ...recording, records }).kind, 'differs');
});

test('nothing of a recording is called that is no input of its machine', async () => {
  const { recorder, recording } = await smpUpgrade();
  for (const method of ['constructor', 'toString', '__proto__', 'beginActivation', 'state']) {
    const call = { method, parameters: [] };
    const records = [...recording.records, { kind: 'call', atUs: 9e9, link: LINK, call } as const];
    const outcome = replay(recorder, { ...recording, records });
    assert.ok(outcome.kind === 'refused' && outcome.code === 'replay-call', method);
  }
  const records = [
    { kind: 'machine', atUs: 0, link: LINK, machine: 'toString', settings: {} } as const,
  ];
  const unknown = replay(recorder, { ...recording, records });
  assert.ok(unknown.kind === 'refused' && unknown.code === 'replay-machine-unknown');
  const none = replay(recorder, { ...recording, records: [] });
  assert.ok(none.kind === 'refused' && none.code === 'replay-nothing');
});

test.run();
