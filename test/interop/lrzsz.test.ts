/**
 * XMODEM and YMODEM against lrzsz, both directions, over pipes: on a terminal it flushes at its exit and
 * loses its last answer. Clean, and with seeded damage to what passes either way.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  XmodemEvent,
  XmodemReceiverEvent,
  XmodemReceiverOptions,
  XmodemVariant,
} from '../../src/protocol/xmodem/messages.ts';
import { XmodemReceiver } from '../../src/protocol/xmodem/receiver.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import { counting } from '../protocol/xmodem/naive-blocks.ts';
import { type Damage, type ProgramRun, runProgram } from './program.ts';
import { testWithTool } from './tools.ts';

const test = suite('interop lrzsz');

/** lrzsz: time-outs in tenths of a second; 1 s, so that damage costs little time. */
const QUICK = ['-t', '10'];
/** On a pipe there is no line to wait for, and a time-out above theirs. */
const TIMES = { answerMs: 1_500, settleMs: 200, startMs: 20_000 };

/** About six of the messages that a file takes, in its first nine tenths. */
function damageOf(seed: number, fileBytes: number, blockBytes: number): Damage {
  const messages = Math.floor(0.9 * 2 * (fileBytes / blockBytes));
  const kinds = ['drop', 'corrupt', 'truncate', 'noise'] as const;
  return { seed, messages, perMille: Math.ceil(6_000 / messages), kinds };
}

function inFolder(body: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'uplift-lrzsz-'));
    try {
      await body(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

async function send(
  variant: XmodemVariant,
  command: string[],
  folder: string,
  files: { name: string; bytes: Uint8Array }[],
  damage?: Damage,
): Promise<ProgramRun<XmodemEvent>> {
  const baudRate = Number.POSITIVE_INFINITY;
  const sender = new XmodemSender({ variant, baudRate, times: TIMES });
  const [program, ...args] = command;
  const begin = (nowMs: number) => sender.start(files, nowMs);
  return runProgram<XmodemEvent>(program!, args, folder, sender, begin, damage);
}

async function receive(
  options: XmodemReceiverOptions,
  command: string[],
  folder: string,
  damage?: Damage,
): Promise<{ run: ProgramRun<XmodemReceiverEvent>; files: Record<string, Uint8Array> }> {
  const receiver = new XmodemReceiver({
    startPeriodMs: 1_000,
    blockMs: 1_500,
    byteMs: 500,
    ...options,
  });
  const [program, ...args] = command;
  const begin = (nowMs: number) => receiver.start(nowMs);
  const run = await runProgram(program!, args, folder, receiver, begin, damage);
  const files: Record<string, Uint8Array> = {};
  let name = '';
  for (const event of run.events) {
    if (event.kind === 'file') name = event.name;
    if (event.kind === 'data') {
      files[name] = Buffer.concat([files[name] ?? new Uint8Array(0), event.data]);
    }
  }
  return { run, files };
}

function expectDone(run: ProgramRun<{ kind: string }>): void {
  const words = `${JSON.stringify(run.events.at(-1))} ${run.complaints}`;
  assert.ok(
    run.events.some(({ kind }) => kind === 'done'),
    words,
  );
  assert.is(run.exitCode, 0, words);
}

function padded(bytes: Uint8Array): Buffer {
  const whole = Buffer.alloc(128 * Math.ceil(bytes.length / 128), 0x1a);
  whole.set(bytes);
  return whole;
}

function note(name: string, seed: number, run: ProgramRun<{ kind: string }>): void {
  const again = run.events.filter(({ kind }) => kind === 'retry').length;
  console.log(`\nNOTE ${name}: seed ${seed}, ${run.damaged} damaged, ${again} sent again`);
}

const RECEIVERS = [
  { name: 'rx, checksums', variant: 'xmodem', args: [], check: 'checksum' },
  { name: 'rx -c, CRC', variant: 'xmodem', args: ['-c'], check: 'crc' },
  { name: 'rx -c, blocks of 1,024', variant: 'xmodem-1k', args: ['-c'], check: 'crc' },
] as const;

for (const { name, variant, args, check } of RECEIVERS) {
  testWithTool(
    test,
    'rx',
    `we send, ${name}`,
    inFolder(async (folder) => {
      for (const length of [1, 1_024, 70_001]) {
        const bytes = counting(length);
        const file = [{ name: 'x', bytes }];
        const run = await send(variant, ['rx', '-b', ...args, 'got'], folder, file);
        expectDone(run);
        assert.equal(
          run.events.find(({ kind }) => kind === 'started'),
          { kind: 'started', check },
        );
        assert.equal(readFileSync(join(folder, 'got')), padded(bytes), `${length}`);
      }
    }),
  );

  testWithTool(
    test,
    'rx',
    `we send, ${name}, damage`,
    inFolder(async (folder) => {
      const seed = 0x5eed01;
      const bytes = counting(60_001);
      const damage = damageOf(seed, bytes.length, variant === 'xmodem' ? 128 : 1_024);
      const command = ['rx', '-b', ...QUICK, ...args, 'got'];
      const run = await send(variant, command, folder, [{ name: 'x', bytes }], damage);
      note(name, seed, run);
      expectDone(run);
      assert.equal(readFileSync(join(folder, 'got')), padded(bytes));
    }),
  );
}

testWithTool(
  test,
  'rb',
  'we send a batch, rb',
  inFolder(async (folder) => {
    const files = [0, 1, 1_024, 50_003].map((length) => ({
      name: `file-${length}.bin`,
      bytes: counting(length),
      modifiedS: 1_700_000_000,
    }));
    const run = await send('ymodem', ['rb', '-b', '-y'], folder, files);
    expectDone(run);
    for (const { name, bytes } of files) {
      assert.equal(readFileSync(join(folder, name)), Buffer.from(bytes), name);
    }
  }),
);

testWithTool(
  test,
  'rb',
  'we send a batch, rb, damage',
  inFolder(async (folder) => {
    const seed = 0x5eed02;
    const files = [30_000, 20_007].map((length) => ({
      name: `f${length}`,
      bytes: counting(length),
    }));
    const damage = damageOf(seed, 50_007, 1_024);
    const run = await send('ymodem', ['rb', '-b', '-y', ...QUICK], folder, files, damage);
    note('rb', seed, run);
    expectDone(run);
    for (const { name, bytes } of files) {
      assert.equal(readFileSync(join(folder, name)), Buffer.from(bytes), name);
    }
  }),
);

testWithTool(
  test,
  'rx',
  'we cancel, rx ends',
  inFolder(async (folder) => {
    const sender = new XmodemSender({ variant: 'xmodem', baudRate: Number.POSITIVE_INFINITY });
    const begin = (nowMs: number) => {
      sender.start([{ bytes: counting(50_000) }], nowMs);
      setTimeout(() => sender.cancel(), 5);
    };
    const run = await runProgram<XmodemEvent>('rx', ['-b', '-c', 'got'], folder, sender, begin);
    const last = run.events.at(-1);
    assert.ok(last?.kind === 'failed' && last.code === 'cancelled', JSON.stringify(last));
    assert.is.not(run.exitCode, 0);
    assert.is.not(run.exitCode, null);
  }),
);

const SENDERS = [
  { name: 'sx, checksums', args: [], check: 'checksum' },
  { name: 'sx, CRC', args: [], check: 'crc' },
  { name: 'sx -k, CRC', args: ['-k'], check: 'crc' },
] as const;

for (const { name, args, check } of SENDERS) {
  testWithTool(
    test,
    'sx',
    `${name}, we receive`,
    inFolder(async (folder) => {
      for (const length of [1, 1_024, 70_001]) {
        const bytes = counting(length);
        writeFileSync(join(folder, 'sent'), bytes);
        const options = { variant: 'xmodem', check } as const;
        const { run, files } = await receive(options, ['sx', '-b', ...args, 'sent'], folder);
        expectDone(run);
        assert.equal(Buffer.from(files['']!.subarray(0, length)), Buffer.from(bytes));
      }
    }),
  );

  testWithTool(
    test,
    'sx',
    `${name}, we receive, damage`,
    inFolder(async (folder) => {
      const seed = 0x5eed03;
      const bytes = counting(60_001);
      writeFileSync(join(folder, 'sent'), bytes);
      const options = { variant: 'xmodem', check } as const;
      const damage = damageOf(seed, bytes.length, args.length > 0 ? 1_024 : 128);
      const command = ['sx', '-b', ...QUICK, ...args, 'sent'];
      const { run, files } = await receive(options, command, folder, damage);
      note(name, seed, run);
      expectDone(run);
      assert.equal(Buffer.from(files['']!.subarray(0, bytes.length)), Buffer.from(bytes));
    }),
  );
}

testWithTool(
  test,
  'sb',
  'sb, we receive a batch',
  inFolder(async (folder) => {
    const lengths = [1, 1_024, 50_003];
    for (const length of lengths) writeFileSync(join(folder, `f${length}`), counting(length));
    const names = lengths.map((length) => `f${length}`);
    for (const args of [[], ['-k']]) {
      const command = ['sb', '-b', ...args, ...names];
      const { run, files } = await receive({ variant: 'ymodem' }, command, folder);
      expectDone(run);
      assert.equal(Object.keys(files), names);
      lengths.forEach((length, i) => {
        assert.equal(Buffer.from(files[names[i]!]!), Buffer.from(counting(length)));
      });
    }
  }),
);

test.run();
