/** A virtual hub on a real pseudo-terminal, opened by serialport; its flash in a file; and TCP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openVirtualHub } from '../../../src/virtual/communications-hub/open-hub.ts';
import { SystemScheduler } from '../../../src/virtual/scheduler.ts';
import {
  type Answer,
  decodeBody,
  GEOMETRY,
  makeImage,
  naiveLines,
  naiveMessage,
  naiveParse,
} from './fixture.ts';

const A = makeImage({ version: [1, 0, 0, 0] });
const B = makeImage({ version: [2, 0, 0, 0], bodyBytes: 3_000 });
const ANSWER_LIMIT_MS = 3_000;

interface Duplex {
  write(bytes: Buffer): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
}

/** One request at a time over a stream. */
class Client {
  private received = Buffer.alloc(0);
  private wake = () => {};
  private sequence = 0;
  private readonly stream: Duplex;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
  }

  async ask(op: number, group: number, command: number, body: object): Promise<Answer> {
    this.sequence = (this.sequence + 1) & 0xff;
    this.received = Buffer.alloc(0);
    const message = naiveMessage(op, group, command, body, { sequence: this.sequence });
    this.stream.write(Buffer.concat(naiveLines(message)));
    const answer = await this.until(() =>
      naiveParse(this.received).find((found) => found[6] === this.sequence),
    );
    return decodeBody(answer);
  }

  async until<T>(find: () => T | undefined): Promise<T> {
    const endMs = Date.now() + ANSWER_LIMIT_MS;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      assert.ok(Date.now() < endMs, 'an answer in time');
      await new Promise<void>((done) => {
        const timer = setTimeout(done, 100);
        this.wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  }

  async upload(bytes: Uint8Array): Promise<void> {
    for (let off = 0; off < bytes.length; ) {
      const data = bytes.subarray(off, off + 200);
      off = (await this.ask(2, 1, 1, off === 0 ? { off, len: bytes.length, data } : { off, data }))
        .off;
    }
  }
}

test('serialport opens it: upload, test, reset; the state outlives the hub', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-hub-'));
  const settings = {
    port: join(folder, 'hub0'),
    statePath: join(folder, 'state', 'hub0.flash'),
    flash: GEOMETRY,
    firmware: A.bytes,
    baudRate: 921_600,
    bootMs: 20,
    smp: { poolLines: 8, resetDelayMs: 20 },
  };
  const versions = async (client: Client) =>
    (await client.ask(0, 1, 0, {})).images.map((image: Answer) => image.version);
  try {
    for (const expected of [['1.0.0'], ['1.0.0', '2.0.0']]) {
      const scheduler = new SystemScheduler();
      const started: string[] = [];
      const open = await openVirtualHub({
        ...settings,
        scheduler,
        onEvent: (event) => {
          if (event.kind === 'application-started') started.push(event.version);
        },
      });
      const port = new SerialPort({ path: open.path, baudRate: 921_600 });
      const client = new Client(port);
      await client.until(() => started[0]);
      assert.equal(await versions(client), expected);
      if (expected.length === 1) {
        await client.upload(B.bytes);
        await client.ask(2, 1, 0, { hash: B.hash });
        await client.ask(2, 0, 5, {});
        await client.until(() => started[1]);
        assert.equal(await versions(client), ['2.0.0', '1.0.0']);
      }
      await new Promise<void>((done) => port.close(() => done()));
      await open.stop();
      scheduler.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the same over TCP, and a cable that is pulled', async () => {
  const scheduler = new SystemScheduler();
  const open = await openVirtualHub({
    scheduler,
    port: 'tcp://127.0.0.1:0',
    flash: GEOMETRY,
    firmware: A.bytes,
    bootMs: 5,
  });
  const portNumber = Number(open.path.split(':').at(-1));
  for (let round = 0; round < 2; round++) {
    const socket = connect(portNumber, '127.0.0.1');
    const closed = new Promise((done) => socket.once('close', done));
    socket.on('error', () => {});
    const client = new Client(socket);
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(await client.ask(2, 0, 0, { d: 'hi' }), { r: 'hi' });
    await open.unplug();
    await closed;
    await open.plug();
  }
  await open.stop();
  scheduler.stop();
});

test.run();
