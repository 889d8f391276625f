/**
 * How much of a serial line an upload uses: through the serialport driver and a real pseudo-terminal, to a
 * virtual hub in another process whose line has true speed and turn-round.
 *
 * SMP with a window is held against something plain, the same client with one request at a time, and against
 * the bound of the line, on which chunks follow each other without a gap. XMODEM has no window: its bound has
 * one block, its answer and one turn-round, and plain are blocks made beforehand that are written to the
 * port, without machine and driver, at each acknowledgement. Bounds are the arithmetic of protocol and line;
 * the figures include the device's own 1.2 ms a message, and what this machine takes to wake two processes.
 *
 * Goals, checked with --full: SMP within 5 % of its bound where the window opens, and nowhere slower than one
 * at a time by more than its trials cost, 2 %; XMODEM-1K within 1 % of its bound, or of plain where the
 * machine does not reach that; under 3 % of a core at 115200 baud.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteMachine } from '../../src/protocol/machine.ts';
import { SmpClient } from '../../src/protocol/smp/client.ts';
import { wireBytesOf } from '../../src/protocol/smp/packet-encoder.ts';
import { chunkBytesMax } from '../../src/protocol/smp/upload-request.ts';
import type { XmodemVariant } from '../../src/protocol/xmodem/messages.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import { LinkDriver } from '../../src/transport/serial/driver.ts';
import { SerialLink } from '../../src/transport/serial/serial-link.ts';
import { ACK, blocks, C } from '../protocol/xmodem/naive-blocks.ts';
import { makeImage } from '../virtual/communications-hub/fixture.ts';
import { FULL, mix, printDigest } from './bench.ts';
import type { LineRequest } from './processes/lines.ts';

const SMP_GOAL = 0.95;
const PLAIN_GOAL = 0.98;
const XMODEM_1K_GOAL = 0.99;
const CPU_GOAL = 0.03;
const LARGE_BLOCK_BYTES = 1_024;

/** Of the first two a chunk and a block are measured from when they flow. */
const IMAGE_BYTES = FULL
  ? { 115200: 128 * 1024, 1000000: 256 * 1024 }
  : { 115200: 8_192, 1000000: 24_576 };
/** Slow lines leave a core idle: so many run at once. */
const LANES = { 115200: FULL ? 6 : 1, 1000000: 1 } as const;
type BaudRate = keyof typeof LANES;

interface Setting {
  baudRate: BaudRate;
  turnRoundMs: number;
  /** Absent for XMODEM. */
  smp?: { bufBytes: number; poolLines: number };
  variant?: XmodemVariant;
}

interface Result {
  bytesPerSecond: number;
  window: number;
  lost: number;
}

const folder = mkdtempSync(join(tmpdir(), 'uplift-line-use-'));
const lines = fork(join(import.meta.dirname, 'processes/lines.ts'), [folder]);
const missed: string[] = [];
/** Lines are opened one after another. */
let opening: Promise<unknown> = Promise.resolve();
let digest = 0;

try {
  await once(lines);
  console.log(
    '   baud  protocol   buf  pool  turn-round      B/s  of plain  of bound  window  lost',
  );
  for (const baudRate of [115_200, 1_000_000] as const) {
    const settings = settingsOf(baudRate);
    const before = { cpu: process.cpuUsage(), atMs: performance.now() };
    await inLanes(settings, LANES[baudRate], measure);
    const { user, system } = process.cpuUsage(before.cpu);
    const share = (user + system) / 1_000 / (performance.now() - before.atMs) / LANES[baudRate];
    console.log(`${String(baudRate).padStart(7)}  ${(100 * share).toFixed(1)} % of a core a line`);
    if (baudRate === 115_200 && share > CPU_GOAL)
      missed.push(`${(100 * share).toFixed(1)} % of a core`);
  }
  printDigest('line-use', digest);
  if (FULL && missed.length > 0) throw new Error(`goals missed:\n${missed.join('\n')}`);
} finally {
  lines.disconnect();
  rmSync(folder, { recursive: true, force: true });
}

function settingsOf(baudRate: BaudRate): Setting[] {
  const turnRounds = FULL ? [0, 5, 16] : [5];
  const buffers = FULL ? [256, 384, 2_048] : [384];
  const smp = turnRounds.flatMap((turnRoundMs) =>
    buffers.flatMap((bufBytes) =>
      [2, 64].map((poolLines) => ({ baudRate, turnRoundMs, smp: { bufBytes, poolLines } })),
    ),
  );
  const xmodem = turnRounds.flatMap((turnRoundMs) =>
    (['xmodem', 'xmodem-1k'] as const).map((variant) => ({ baudRate, turnRoundMs, variant })),
  );
  return [...smp, ...xmodem];
}

async function inLanes<T>(work: T[], lanes: number, run: (one: T) => Promise<void>): Promise<void> {
  const left = [...work];
  const lane = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await run(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function measure(setting: Setting): Promise<void> {
  const { baudRate, turnRoundMs, smp, variant } = setting;
  const bound = smp
    ? smpBound(baudRate, smp.bufBytes)
    : xmodemBound(baudRate, variant!, turnRoundMs);
  const ours = smp ? await uploadSmp(setting, 16) : await uploadXmodem(setting);
  const plain = smp ? await uploadSmp(setting, 1) : await sendBare(setting);
  const ofBound = ours.bytesPerSecond / bound;
  const ofPlain = ours.bytesPerSecond / plain.bytesPerSecond;
  const text = [
    String(baudRate).padStart(7),
    ` ${(variant ?? 'smp').padEnd(9)}`,
    (smp ? String(smp.bufBytes) : '').padStart(5),
    (smp ? String(smp.poolLines) : '').padStart(5),
    `${turnRoundMs} ms`.padStart(11),
    ours.bytesPerSecond.toFixed(0).padStart(8),
    ofPlain.toFixed(3).padStart(9),
    ofBound.toFixed(3).padStart(9),
    (smp ? String(ours.window) : '').padStart(7),
    (smp ? String(ours.lost) : '').padStart(5),
  ].join(' ');
  console.log(text);
  digest = mix(digest, imageOf(setting).length ^ turnRoundMs);
  const slow = smp
    ? ofPlain < PLAIN_GOAL || (ours.lost === 0 && ofBound < SMP_GOAL)
    : variant === 'xmodem-1k' && Math.max(ofBound, ofPlain) < XMODEM_1K_GOAL;
  if (slow) missed.push(text);
}

async function uploadSmp(setting: Setting, windowMax: number): Promise<Result> {
  const { bytes, hash } = makeImage({ version: [2, 0, 0, 0], bodyBytes: imageOf(setting).length });
  const client = new SmpClient({ baudRate: setting.baudRate, windowMax });
  return onLine(setting, client, async (driver, until) => {
    client.request({ kind: 'params' });
    driver.wake();
    await until(({ kind }) => kind === 'answered');
    client.startUpload({ image: bytes }, now());
    driver.wake();
    const started = await until(({ kind }) => kind === 'upload-started');
    const end = await until(({ kind }) => kind === 'uploaded' || kind === 'failed');
    if (end.event.kind !== 'uploaded') throw new Error(JSON.stringify(end.event));
    client.request({ kind: 'image-list' });
    driver.wake();
    const list = (await until(({ kind }) => kind === 'answered')).event;
    const answer = list.kind === 'answered' ? list.answer : undefined;
    const images = answer?.kind === 'image-list' ? answer.images : [];
    const whole = images.some((image) => Buffer.from(image.hash).equals(hash));
    if (!whole) throw new Error('the hub does not list the image');
    const { window, lost } = end.event.statistics;
    const first = started.event.kind === 'upload-started' ? started.event.offset : 0;
    const bytesPerSecond = (1_000 * (bytes.length - first)) / (end.atMs - started.atMs);
    return { bytesPerSecond, window, lost };
  });
}

async function uploadXmodem(setting: Setting): Promise<Result> {
  const image = imageOf(setting);
  const sender = new XmodemSender({ variant: setting.variant!, baudRate: setting.baudRate });
  return onLine(setting, sender, async (driver, until, path) => {
    sender.start([{ bytes: image }], now());
    driver.wake();
    lines.send({ begin: path });
    const started = await until(({ kind }) => kind === 'started');
    // Before the last block is told as sent, the sender waits whether its answer comes twice.
    const flowing = image.length - LARGE_BLOCK_BYTES;
    const end = await until((event) => event.kind === 'progress' && event.sentBytes >= flowing);
    await until(({ kind }) => kind === 'done');
    // Many receivers refuse the first end, and so does this one.
    if (sender.resent > 1) throw new Error('a block went out twice on a line without a fault');
    const bytesPerSecond = (1_000 * flowing) / (end.atMs - started.atMs);
    return { bytesPerSecond, window: 0, lost: 0 };
  });
}

/** Blocks made beforehand, each written at the acknowledgement of the one before. */
async function sendBare(setting: Setting): Promise<Result> {
  const image = imageOf(setting);
  const { baudRate, turnRoundMs, variant } = setting;
  const made = blocks(image, variant === 'xmodem-1k').map((block) => Uint8Array.from(block));
  const path = await openLine({ baudRate, turnRoundMs });
  const link = new SerialLink({ port: path, baudRate, rtscts: false });
  let next = 0;
  let startMs = 0;
  const whole = Promise.withResolvers<number>();
  await link.open({
    received: (bytes) => {
      if (bytes[0] !== ACK && (next > 0 || bytes[0] !== C)) return;
      if (next === 0) startMs = now();
      if (next === made.length) whole.resolve(now() - startMs);
      else link.send(made[next++]!, () => {});
    },
    closed: () => {},
  });
  lines.send({ begin: path });
  const elapsedMs = await whole.promise;
  await link.close();
  lines.send({ close: path });
  return { bytesPerSecond: (1_000 * image.length) / elapsedMs, window: 0, lost: 0 };
}

type Until<Event> = (fits: (event: Event) => boolean) => Promise<{ event: Event; atMs: number }>;

/** A new line with the machine on it, for as long as `work` takes. */
async function onLine<Event>(
  setting: Setting,
  machine: ByteMachine<Event>,
  work: (driver: LinkDriver, until: Until<Event>, path: string) => Promise<Result>,
): Promise<Result> {
  const { baudRate, turnRoundMs, smp } = setting;
  const path = await openLine({ baudRate, turnRoundMs, ...(smp && { smp }) });
  const driver = new LinkDriver(new SerialLink({ port: path, baudRate, rtscts: false }));
  let wanted: {
    fits: (event: Event) => boolean;
    done: (found: { event: Event; atMs: number }) => void;
  };
  await driver.open();
  driver.run(machine, {
    event: (event) => {
      if (wanted?.fits(event)) wanted.done({ event, atMs: now() });
    },
    closed: () => {},
  });
  const until: Until<Event> = (fits) =>
    new Promise((done) => {
      wanted = { fits, done };
    });
  try {
    return await work(driver, until, path);
  } finally {
    await driver.close();
    lines.send({ close: path });
  }
}

function openLine(request: LineRequest): Promise<string> {
  const opened = opening.then(async () => {
    const answer = once(lines);
    lines.send(request);
    return ((await answer) as { path: string }).path;
  });
  opening = opened;
  return opened;
}

function once(child: ChildProcess): Promise<unknown> {
  return new Promise((done) => child.once('message', done));
}

function imageOf({ baudRate, variant }: Setting): Uint8Array {
  // Whole blocks, so that padding takes no time.
  return makeImage({ bodyBytes: IMAGE_BYTES[baudRate] }).bytes.subarray(
    0,
    variant && IMAGE_BYTES[baudRate],
  );
}

/** Chunks without a gap. */
function smpBound(baudRate: number, bufBytes: number): number {
  const chunk = chunkBytesMax(bufBytes - 4, 70_000);
  return (chunk * baudRate) / 10 / wireBytesOf(bufBytes - 4);
}

/** One block with its head and CRC, its answer, one turn-round. */
function xmodemBound(baudRate: number, variant: XmodemVariant, turnRoundMs: number): number {
  const blockBytes = variant === 'xmodem' ? 128 : 1_024;
  return (1_000 * blockBytes) / (((blockBytes + 6) * 10_000) / baudRate + turnRoundMs);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
