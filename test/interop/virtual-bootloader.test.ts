/**
 * A sender that is not ours against the virtual bootloader: lrzsz's `sx` uploads a file in blocks
 * of 128 to the hub.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HubEvent } from '../../src/virtual/communications-hub/board.ts';
import type { GeckoBoard } from '../../src/virtual/communications-hub/gecko-board.ts';
import { type OpenHub, openVirtualHub } from '../../src/virtual/communications-hub/open-hub.ts';
import { SystemScheduler } from '../../src/virtual/scheduler.ts';
import {
  makeGbl,
  naiveCrc32,
  programData,
} from '../virtual/communications-hub/silicon-labs-files.ts';

const LIMIT_MS = 60_000;

function isThere(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined;
}

function testWithSender(name: string, body: () => Promise<void>): void {
  if (isThere('sx') || process.env['CI'] === 'true') {
    test(name, body);
    return;
  }
  console.log(`SKIP ${name}: needs sx (package lrzsz), which is not installed`);
  test.skip(name, () => {});
}

interface Rig {
  open: OpenHub;
  events: HubEvent[];
  folder: string;
  said: () => string;
  write: (text: string) => void;
  until: (what: string, isSo: () => boolean) => Promise<void>;
  /** The host lets the line go, so that another can have it. */
  release: () => Promise<void>;
  stop: () => Promise<void>;
}

/** A bootloader on TCP: `sx` gets the socket as input and output, so nothing it says is lost. */
async function rig(): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-sx-'));
  const scheduler = new SystemScheduler();
  const events: HubEvent[] = [];
  const open = await openVirtualHub({
    scheduler,
    port: 'tcp://127.0.0.1:0',
    protocol: 'gecko-bootloader',
    flash: {
      slotBytes: 65_536,
      eraseBlockBytes: 4_096,
      programPageBytes: 256,
      eraseBlockMs: 2,
      programPageMs: 1,
    },
    firmware: new Uint8Array(0),
    bootMs: 5,
    onEvent: (event) => events.push(event),
  });
  const socket = createConnection(Number(open.path.split(':').at(-1)), '127.0.0.1');
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  await new Promise((done) => socket.once('connect', done));
  return {
    open,
    events,
    folder,
    said: () => said,
    write: (text) => void socket.write(Buffer.from(text, 'latin1')),
    until: async (what, isSo) => {
      for (let waitedMs = 0; !isSo(); waitedMs += 20) {
        assert.ok(waitedMs < LIMIT_MS, `${what}; the hub said ${JSON.stringify(said)}`);
        await new Promise((done) => setTimeout(done, 20));
      }
    },
    release: () =>
      new Promise((done) => {
        socket.once('close', () => done());
        socket.destroy();
      }),
    stop: async () => {
      socket.destroy();
      await open.stop();
      scheduler.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs `sx FILE` with its input and output on the hub's port. */
async function sendWithSx(path: string, portNumber: number): Promise<number | null> {
  const socket = createConnection(portNumber, '127.0.0.1');
  await new Promise((done) => socket.once('connect', done));
  const child = spawn('sx', ['-b', path], { stdio: ['pipe', 'pipe', 'ignore'] });
  socket.on('data', (chunk) => child.stdin.write(chunk));
  child.stdout.on('data', (chunk) => socket.write(chunk));
  child.stdin.on('error', () => {});
  socket.on('error', () => {});
  const limit = setTimeout(() => child.kill(), LIMIT_MS);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearTimeout(limit);
  socket.destroy();
  return code;
}

async function upload(bench: Rig, file: Uint8Array): Promise<number | null> {
  const path = join(bench.folder, 'image.gbl');
  writeFileSync(path, file);
  const portNumber = Number(bench.open.path.split(':').at(-1));
  await bench.until('boots', () => bench.events.some(({ kind }) => kind === 'bootloader-started'));
  bench.write('\n');
  await bench.until('menu', () => bench.said().includes('BL > '));
  bench.write('1');
  await bench.until('asks', () => bench.said().includes('begin upload\r\n\0C'));
  await bench.release();
  return sendWithSx(path, portNumber);
}

testWithSender('sx sends an upgrade file, and it runs', async () => {
  const bench = await rig();
  try {
    const code = await upload(bench, makeGbl({ programBytes: 20_000, version: 7 }));
    await bench.until('ends', () => bench.events.some(({ kind }) => kind.startsWith('upload-')));
    assert.equal(
      bench.events.filter(({ kind }) => kind.startsWith('upload-')),
      [{ kind: 'upload-complete', bytes: 20_000 }],
    );
    assert.is(code, 0);
    const stored = (bench.open.hub.board as GeckoBoard).application;
    assert.equal(stored, { bytes: 20_000, version: 7, crc32: naiveCrc32(programData(20_000)) });
  } finally {
    await bench.stop();
  }
});

testWithSender('sx is cancelled when the file is bad', async () => {
  const bench = await rig();
  try {
    const code = await upload(bench, makeGbl({ programBytes: 2_000, crcXor: 1 }));
    assert.not.equal(code, 0);
    assert.ok(bench.events.some(({ kind }) => kind === 'upload-aborted'));
    assert.is((bench.open.hub.board as GeckoBoard).application, undefined);
  } finally {
    await bench.stop();
  }
});

test.run();
