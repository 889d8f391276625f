/**
 * A program that is not ours as a device of a lab: lrzsz receives by XMODEM behind the lab's proxy, on a line
 * that is bad. The image arrives whole, the recording says what passed, and the sender does the same again.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SerialProxy } from '../../src/lab/faults/serial-proxy.ts';
import type { LinkFaultSettings } from '../../src/lab/ports.ts';
import { MONOTONIC_CLOCK } from '../../src/lab/recording/clock.ts';
import { contentsBeside } from '../../src/lab/recording/contents.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { recordedMachine } from '../../src/lab/recording/recorded-machine.ts';
import { replayRecording } from '../../src/lab/recording/replay.ts';
import { openRecorder, type RecordingWriter } from '../../src/lab/recording/writer.ts';
import { traceOf } from '../../src/lab/trace/trace.ts';
import type { XmodemEvent, XmodemSenderOptions } from '../../src/protocol/xmodem/messages.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import { realFiles } from '../../src/store/files.ts';
import { LinkDriver } from '../../src/transport/serial/driver.ts';
import { SerialLink } from '../../src/transport/serial/serial-link.ts';
import { counting } from '../protocol/xmodem/naive-blocks.ts';
import { ProgramLink } from './program-link.ts';
import { testWithTool } from './tools.ts';

const test = suite('interop lab');

const LINK = 'lrzsz';
const SEED = 0x5eed21;
/** In tenths of a second: damage costs little time. */
const QUICK = ['-t', '10'];
const SETTINGS: XmodemSenderOptions = {
  variant: 'xmodem-1k',
  baudRate: Number.POSITIVE_INFINITY,
  // On a pipe there is no line to wait for, and a time-out above that of lrzsz.
  times: { answerMs: 1_500, settleMs: 200, startMs: 20_000 },
};
const LIMIT_MS = 60_000;
/** When its last answer is lost a program cannot know that it is through: the end is spared. */
const SPARED_SHARE = 0.9;

interface Run {
  events: XmodemEvent[];
  counts: Readonly<Record<string, number>>;
  recorder: RecordingWriter;
  exitCode: number | null;
}

async function upload(folder: string, bytes: Uint8Array, faults: LinkFaultSettings): Promise<Run> {
  const recorder = openRecorder(join(folder, 'run.uplrec'), {
    ...{ version: 'test', rig: 'lrzsz', device: 'rx', seed: SEED },
    startedAtMs: MONOTONIC_CLOCK.nowMs(),
    links: { [LINK]: 'xmodem' },
  });
  const program = new ProgramLink('rx', ['-b', '-c', ...QUICK, 'got'], folder);
  const port = join(folder, 'line');
  const proxy = await SerialProxy.start({ link: program, port, seed: SEED, recorder, name: LINK });
  const driver = new LinkDriver(new SerialLink({ port, baudRate: 115_200, rtscts: false }));
  const sender = recordedMachine(new XmodemSender(SETTINGS), {
    ...{ recorder, link: LINK, kind: 'xmodem-sender', settings: SETTINGS },
  });
  const events: XmodemEvent[] = [];
  const limit = setTimeout(() => void program.close(), LIMIT_MS);
  proxy.set(faults);
  await driver.open();
  sender.start([{ bytes }], Date.now());
  await new Promise<void>((done) => {
    driver.run(sender, {
      event: (event) => {
        events.push({ ...event });
        if (event.kind === 'progress' && event.sentBytes > SPARED_SHARE * bytes.length)
          proxy.clear();
        if (event.kind === 'done' || event.kind === 'failed') done();
      },
      closed: () => done(),
    });
  });
  const exitCode = await program.ended;
  clearTimeout(limit);
  await driver.close();
  await proxy.stop();
  await recorder.close();
  return { events, counts: proxy.counts, recorder, exitCode };
}

const LINES: Record<string, LinkFaultSettings> = {
  'a clean line': {},
  'one byte in ten thousand corrupted': { corrupt: 1e-4 },
  'bytes lost, doubled and corrupted, bursts of noise': {
    ...{ drop: 4e-5, duplicate: 4e-5, corrupt: 4e-5 },
    burst: { bytes: 12, count: 2 },
  },
};

for (const [name, faults] of Object.entries(LINES)) {
  testWithTool(test, 'rx', `rx behind the proxy: ${name}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'uplift-lab-'));
    try {
      const bytes = counting(60_001);
      const { events, counts, recorder, exitCode } = await upload(folder, bytes, faults);
      const resent = events.filter(({ kind }) => kind === 'retry').length;
      console.log(`  ${name}: seed ${SEED}, ${JSON.stringify(counts)}, ${resent} blocks again`);
      assert.is(events.at(-1)?.kind, 'done', JSON.stringify(events.at(-1)));
      assert.is(exitCode, 0);
      const got = readFileSync(join(folder, 'got'));
      assert.equal(got.subarray(0, bytes.length), Buffer.from(bytes), 'the image arrived whole');
      const damaged = counts['dropped']! + counts['corrupted']! + counts['burstBytes']!;
      assert.is(damaged > 0, Object.keys(faults).length > 0, 'the line was as bad as was asked');
      const recording = readRecordingFile(recorder.path);
      assert.is(recording.damage, undefined);
      const contents = contentsBeside(recorder.path, realFiles);
      const outcome = replayRecording(recording, { contents });
      assert.is(outcome.kind, 'same', JSON.stringify(outcome));
      assert.ok(outcome.kind === 'same' && outcome.sentBytes > bytes.length);
      const said = [...traceOf(recording)].map(({ text }) => text);
      assert.ok(said.includes('block 1, 1024 bytes'));
      assert.ok(said.includes('EOT: that was all'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
