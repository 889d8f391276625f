/** `uplift lab replay` and `uplift trace show` on recordings of simulated upgrades. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { replay } from '../../src/cli/lab-replay.ts';
import type { Output } from '../../src/cli/output.ts';
import { showTrace } from '../../src/cli/trace.ts';
import { EXIT } from '../../src/errors.ts';
import { newRecorder, recordSession } from '../lab/recorded-world.ts';
import { B, HubWorld } from '../upgrade/hub-world.ts';

const test = suite('lab replay, trace show');

class Heard {
  readonly json = false;
  readonly quiet = false;
  readonly verbose = false;
  lines: string[] = [];
  documents: unknown[] = [];

  result(document: unknown, lines: string[]): void {
    this.documents.push(document);
    this.lines.push(...lines);
  }

  event(_document: unknown, line?: string): void {
    if (line !== undefined) this.lines.push(line);
  }

  get output(): Output {
    return this as unknown as Output;
  }
}

async function recordedUpgrade(): Promise<string> {
  const recorder = newRecorder('smp');
  recordSession(new HubWorld(), recorder, 'smp-session', B.bytes, 'mcuboot').settle();
  await recorder.close();
  return recorder.path;
}

test('a recording replays, is shown, and goes to Wireshark', async () => {
  const path = await recordedUpgrade();
  const heard = new Heard();
  assert.is(replay(path, heard.output), EXIT.done);
  assert.match(heard.lines[0]!, /the same to the last byte: 1 machine, \d+ calls, \d+ bytes/);
  const shown = new Heard();
  assert.is(showTrace(path, {}, shown.output), EXIT.done);
  assert.match(shown.lines[0]!, /^simulated hub-1, seed 1$/);
  assert.ok(shown.lines.some((line) => / hub-1 -> write image upload /.test(line)));
  const none = new Heard();
  showTrace(path, { link: ['other'] }, none.output);
  assert.is(none.lines.length, 1);
  const pcapng = `${path}.pcapng`;
  assert.is(showTrace(path, { pcapng }, new Heard().output), EXIT.done);
  assert.is(readFileSync(pcapng).readUInt32LE(0), 0x0a0d0d0a);
});

test('one that was cut off replays as far as it goes, and says so', async () => {
  const path = await recordedUpgrade();
  truncateSync(path, readFileSync(path).length - 5);
  const heard = new Heard();
  assert.is(replay(path, heard.output), EXIT.done);
  assert.match(heard.lines.at(-1)!, /recording-cut-off/);
  const shown = new Heard();
  showTrace(path, {}, shown.output);
  assert.match(shown.lines.at(-1)!, /recording-cut-off/);
});

test('a file that is none, and one without machines, are refused with what to do', async () => {
  const path = await recordedUpgrade();
  writeFileSync(`${path}.txt`, 'no recording');
  const codeOf = (body: () => unknown) => {
    try {
      return body();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  const { output } = new Heard();
  assert.is(
    codeOf(() => replay(`${path}.txt`, output)),
    'recording-foreign',
  );
  assert.is(
    codeOf(() => showTrace(`${path}.gone`, {}, output)),
    'recording-foreign',
  );
  const recorder = newRecorder('smp');
  await recorder.close();
  assert.is(
    codeOf(() => replay(recorder.path, output)),
    'replay-nothing',
  );
});

test.run();
