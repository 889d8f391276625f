/** Faults of links, frames and the network. */
import { lstatSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultyLink } from '../../src/lab/faults/faulty-link.ts';
import { FrameFaults } from '../../src/lab/faults/frame-faults.ts';
import { glitchLine } from '../../src/lab/faults/line-glitch.ts';
import { SerialProxy } from '../../src/lab/faults/serial-proxy.ts';
import { WanProxy } from '../../src/lab/faults/wan-proxy.ts';
import type { LinkFaultSettings } from '../../src/lab/ports.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { openRecorder } from '../../src/lab/recording/writer.ts';
import type { LinkClosed } from '../../src/ports.ts';
import { SerialLink } from '../../src/transport/serial/serial-link.ts';
import { encodeFrame, FRAME_TYPE, SUBSYSTEM, ZnpFrameReader } from '../../src/virtual/znp/frame.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { SimulatedLink } from '../transport/serial/simulated-link.ts';
import { freePath, newTerminal, removeTerminals, until } from '../transport/serial/terminal.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';
import { headerOf } from './recorded-world.ts';

const test = suite('faults');
const folder = temporaryFolder('faults');
test.after(removeTerminals);

const codeOf = async (body: () => unknown): Promise<string | undefined> => {
  try {
    await body();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

async function openFaulty() {
  const inner = new SimulatedLink();
  const scheduler = new SimulatedScheduler();
  const link = new FaultyLink(inner, { seed: 5, timers: scheduler });
  const heard: number[] = [];
  const closings: LinkClosed[] = [];
  const listener = {
    received: (bytes: Uint8Array) => void heard.push(...bytes),
    closed: (how: LinkClosed) => void closings.push(how),
  };
  await link.open(listener);
  return { inner, scheduler, link, heard, closings, listener };
}

const turn = () => new Promise((done) => setImmediate(done));

test('a link without faults is the link', async () => {
  const { inner, link, heard } = await openFaulty();
  const taken: boolean[] = [];
  link.send(Uint8Array.of(1, 2), (whole) => taken.push(whole));
  assert.equal(taken, []);
  inner.take();
  inner.receive(Uint8Array.of(3));
  assert.equal([taken, heard, [...inner.writes[0]!]], [[true], [3], [1, 2]]);
});

test('one direction at a time', async () => {
  const { inner, link, heard } = await openFaulty();
  link.set({ direction: 'down', drop: 1 });
  const taken: boolean[] = [];
  link.send(Uint8Array.of(1, 2), (whole) => taken.push(whole));
  await turn();
  inner.receive(Uint8Array.of(3));
  assert.equal([taken, heard, inner.writes.length], [[true], [3], 0]);
  link.set({ direction: 'up', drop: 1 });
  link.send(Uint8Array.of(4), () => {});
  inner.receive(Uint8Array.of(5));
  assert.equal([heard, inner.writes.length, link.counts.dropped], [[3], 1, 3]);
});

test('late bytes come in their order, and one piece at a time goes to the link', async () => {
  const { inner, scheduler, link, heard } = await openFaulty();
  link.set({ delayMs: 100 });
  for (const byte of [1, 2]) {
    link.send(Uint8Array.of(byte), () => {});
    await turn();
    scheduler.run(10);
  }
  inner.receive(Uint8Array.of(7));
  link.clear();
  // Without a delay now, and behind those that wait all the same.
  link.send(Uint8Array.of(3), () => {});
  inner.receive(Uint8Array.of(8));
  assert.equal([heard, inner.writes.length], [[], 0]);
  scheduler.run(200);
  assert.is(inner.writes.length, 1, 'the next after it is taken');
  for (let n = 0; n < 3; n++) inner.take();
  assert.equal(
    [heard, inner.writes.map(([byte]) => byte)],
    [
      [7, 8],
      [1, 2, 3],
    ],
  );
});

test('a cable that is pulled: gone for its user, and not there until it is put back', async () => {
  const { inner, link, closings, listener } = await openFaulty();
  link.set({ disconnected: true });
  assert.is(closings[0]?.reason, 'vanished');
  assert.not.ok(link.isOpen);
  assert.not.ok(inner.isOpen);
  assert.is(await codeOf(() => link.open(listener)), 'port-missing');
  const taken: boolean[] = [];
  link.send(Uint8Array.of(1), (whole) => taken.push(whole));
  await turn();
  assert.equal(taken, [false]);
  link.clear();
  await link.open(listener);
  assert.ok(link.isOpen);
  assert.is(closings.length, 1);
  assert.is(link.counts.disconnections, 1);
});

test('a fault that a link cannot have, and a number that makes no sense, are refused', async () => {
  const { link } = await openFaulty();
  for (const wrong of [
    { drop: 2 },
    { drop: -1 },
    { delayMs: -5 },
    { burst: { bytes: 0, count: 1 } },
  ])
    assert.is(await codeOf(() => link.set(wrong)), 'fault-out-of-range', JSON.stringify(wrong));
  const { frames } = newFrames({});
  const burst = { burst: { bytes: 1, count: 1 } };
  assert.is(await codeOf(() => frames.set(burst)), 'fault-not-possible');
});

test('a glitch of a line, where there is one', async () => {
  const { inner, scheduler, link } = await openFaulty();
  const glitch = glitchLine(link, { rts: true, ms: 20 }, scheduler);
  await turn();
  scheduler.run(30);
  assert.is(await glitch, true);
  assert.equal(inner.done, ['signals {"rts":true}', 'signals {"rts":false}']);
  inner.hasLines = false;
  assert.is(await glitchLine(link, { dtr: true, ms: 20 }, scheduler), false);
});

test('a proxy between a program and a device on pseudo-terminals', async () => {
  const heard: number[] = [];
  const device = await newTerminal((chunk) => void heard.push(...chunk));
  if (!device) return;
  const path = join(folder, 'proxy.uplrec');
  const recorder = openRecorder(path, { ...headerOf('bytes'), startedAtMs: Date.now() });
  const options = { baudRate: 115_200, rtscts: false };
  const proxy = await SerialProxy.start({
    link: new SerialLink({ port: device.path, ...options }),
    port: freePath('proxy'),
    seed: 1,
    recorder,
    name: 'line',
  });
  const program = new SerialLink({ port: proxy.path, ...options });
  const got: number[] = [];
  let closed = 0;
  const listener = {
    received: (bytes: Uint8Array) => void got.push(...bytes),
    closed: () => void closed++,
  };
  await program.open(listener);
  program.send(Uint8Array.of(1, 2, 3), () => {});
  await until(() => heard.length === 3);
  device.write(Uint8Array.of(9));
  await until(() => got.length === 1);
  proxy.set({ direction: 'up', duplicate: 1 });
  device.write(Uint8Array.of(8));
  await until(() => got.length === 3);
  assert.equal(
    [heard, got],
    [
      [1, 2, 3],
      [9, 8, 8],
    ],
  );
  proxy.set({ disconnected: true });
  await until(() => closed === 1);
  proxy.clear();
  await until(() => lstatSync(proxy.path, { throwIfNoEntry: false }) !== undefined);
  await program.open(listener);
  program.send(Uint8Array.of(4), () => {});
  await until(() => heard.length === 4);
  await program.close();
  await proxy.stop();
  await recorder.close();
  const bytes = readRecordingFile(path).records.flatMap((record) =>
    record.kind === 'bytes' ? [[record.direction, ...record.bytes].join(' ')] : [],
  );
  assert.equal(bytes.join(' '), 'down 1 2 3 up 9 up 8 8 down 4');
});

/** Frames as the product's own virtual coordinator reads and writes them. */
function newFrames(settings: LinkFaultSettings, seed = 1) {
  const scheduler = new SimulatedScheduler();
  const host: string[] = [];
  const coordinator: string[] = [];
  const read = (list: string[]) =>
    new ZnpFrameReader((type, subsystem, command, data) =>
      list.push(`${type}/${subsystem}/${command} ${Buffer.from(data).toString('hex')}`),
    );
  const [hostReader, coordinatorReader] = [read(host), read(coordinator)];
  const frames = new FrameFaults({
    seed,
    timers: scheduler,
    toHost: (bytes) => hostReader.push(bytes),
    toCoordinator: (bytes) => coordinatorReader.push(bytes),
  });
  frames.set(settings);
  return { frames, scheduler, host, coordinator, hostReader, coordinatorReader };
}

const REQUEST = (transaction: number, payload = [0xaa, 0xbb]) =>
  encodeFrame(
    FRAME_TYPE.request,
    SUBSYSTEM.af,
    1,
    Uint8Array.of(0x34, 0x12, 1, 9, 0x19, 0, transaction, 0, 30, payload.length, ...payload),
  );
const ANSWER = encodeFrame(FRAME_TYPE.response, SUBSYSTEM.af, 1, Uint8Array.of(0));
const CONFIRM = (transaction: number) =>
  encodeFrame(FRAME_TYPE.indication, SUBSYSTEM.af, 0x80, Uint8Array.of(0, 9, transaction));
const INCOMING = (sequence: number) =>
  encodeFrame(
    FRAME_TYPE.indication,
    SUBSYSTEM.af,
    0x81,
    Uint8Array.of(0, 0, 0x19, 0, 0x34, 0x12, 1, 9, 0, 90, 0, 0, 0, 0, 0, sequence, 2, 0xaa, 0xbb),
  );
const PING = encodeFrame(FRAME_TYPE.request, SUBSYSTEM.system, 1, new Uint8Array(0));

test('without faults every byte passes, also what is no frame, wherever it is cut', () => {
  const scheduler = new SimulatedScheduler();
  const stream = Buffer.concat([
    Uint8Array.of(0xef, 0xfe),
    PING,
    INCOMING(1),
    Uint8Array.of(7),
    CONFIRM(3),
  ]);
  for (let size = 1; size <= stream.length; size++) {
    const out: number[] = [];
    const frames = new FrameFaults({
      ...{ seed: 1, timers: scheduler, toCoordinator: () => {} },
      toHost: (bytes) => out.push(...bytes),
    });
    for (let at = 0; at < stream.length; at += size)
      frames.coordinatorWrote(stream.subarray(at, at + size));
    assert.equal(out, [...stream], `${size}`);
  }
});

test('a frame to a device that is lost: answered and confirmed, and never sent', () => {
  const { frames, host, coordinator } = newFrames({ direction: 'down', drop: 1 });
  frames.hostWrote(REQUEST(5));
  assert.equal(coordinator, []);
  assert.equal(host, ['3/4/1 00', '2/4/128 000905']);
  frames.hostWrote(PING);
  assert.equal(coordinator, ['1/1/1 '], 'what is no application frame passes');
});

test('one that is doubled: sent twice, answered and confirmed once', () => {
  const { frames, host, coordinator } = newFrames({ direction: 'down', duplicate: 1 });
  frames.hostWrote(REQUEST(5));
  frames.hostWrote(PING);
  assert.is(coordinator.length, 1, 'one request is open at a time');
  frames.coordinatorWrote(ANSWER);
  assert.equal([host, coordinator.length], [['3/4/1 00'], 2]);
  frames.coordinatorWrote(CONFIRM(5));
  frames.coordinatorWrote(ANSWER);
  frames.coordinatorWrote(CONFIRM(5));
  assert.equal(host, ['3/4/1 00', '2/4/128 000905']);
  assert.is(coordinator.at(-1), '1/1/1 ', 'then comes the next');
});

test('one that is late: accepted at once, sent in its time, its answer kept back', () => {
  const { frames, scheduler, host, coordinator } = newFrames({ direction: 'down', delayMs: 300 });
  frames.hostWrote(REQUEST(5));
  assert.equal([host, coordinator], [['3/4/1 00'], []]);
  scheduler.run(301);
  assert.is(coordinator.length, 1);
  frames.coordinatorWrote(ANSWER);
  frames.coordinatorWrote(CONFIRM(5));
  assert.equal(host, ['3/4/1 00', '2/4/128 000905']);
});

test('one that is corrupted has one bit of its payload flipped, and a right check byte', () => {
  const { frames, host, coordinator } = newFrames({ corrupt: 1 });
  frames.hostWrote(REQUEST(5));
  frames.coordinatorWrote(INCOMING(1));
  const head = '1/4/1 34120109190005001e02';
  assert.is(coordinator[0]!.slice(0, head.length), head);
  const payloads = [coordinator[0]!.slice(-4), host[0]!.slice(-4)];
  for (const payload of payloads) {
    const flipped = Number.parseInt(payload, 16) ^ 0xaabb;
    assert.ok(flipped !== 0 && (flipped & (flipped - 1)) === 0, payload);
  }
  assert.is(frames.counts.corrupted, 2);
});

test('what devices send is lost, doubled and late', () => {
  const lost = newFrames({ direction: 'up', drop: 1 });
  lost.frames.coordinatorWrote(INCOMING(1));
  assert.equal([lost.host, lost.frames.counts.dropped], [[], 1]);
  const doubled = newFrames({ direction: 'up', duplicate: 1 });
  doubled.frames.coordinatorWrote(INCOMING(1));
  assert.is(doubled.host.length, 2);
  const late = newFrames({ direction: 'up', delayMs: 50 });
  late.frames.coordinatorWrote(INCOMING(1));
  late.frames.coordinatorWrote(CONFIRM(4));
  assert.equal(late.host, ['2/4/128 000904'], 'only application frames');
  late.scheduler.run(60);
  assert.is(late.host.length, 2);
});

test('the same seed loses the same frames, however the wire is cut', () => {
  const stream = Buffer.concat(Array.from({ length: 100 }, (_, n) => INCOMING(n)));
  const lostWith = (seed: number, size: number) => {
    const { frames, host } = newFrames({ drop: 0.3 }, seed);
    for (let at = 0; at < stream.length; at += size)
      frames.coordinatorWrote(stream.subarray(at, at + size));
    assert.is(frames.counts.dropped + host.length, 100);
    return host;
  };
  const once = lostWith(4, stream.length);
  for (const size of [1, 5, 100]) assert.equal(lostWith(4, size), once);
  assert.not.equal(lostWith(5, 100), once);
});

test('a coordinator that never answers holds up nothing for ever, and is reset', () => {
  const { frames, scheduler, coordinator } = newFrames({});
  frames.hostWrote(PING);
  frames.hostWrote(PING);
  assert.is(coordinator.length, 1);
  scheduler.run(6_001);
  assert.is(coordinator.length, 2);
  frames.resetCoordinator();
  assert.is(coordinator.at(-1), '2/1/0 01');
});

test('a network that is cut, stalled and slow', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const target = { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  const proxy = await WanProxy.start({ target });
  const open = () =>
    new Promise<{ heard: string[]; ended: boolean; write(text: string): void; end(): void }>(
      (done) => {
        const socket = connect(proxy.port, '127.0.0.1');
        const client = {
          heard: [] as string[],
          ended: false,
          write: (text: string) => void socket.write(text),
          end: () => void socket.destroy(),
        };
        socket.on('data', (bytes) => client.heard.push(String(bytes)));
        socket.on('error', () => {});
        socket.on('close', () => {
          client.ended = true;
          done(client);
        });
        socket.on('connect', () => done(client));
      },
    );
  const client = await open();
  client.write('one');
  await until(() => client.heard.join('') === 'one');
  proxy.stall(true);
  client.write('two');
  await new Promise((done) => setTimeout(done, 30));
  assert.is(client.heard.join(''), 'one');
  proxy.stall(false);
  await until(() => client.heard.join('') === 'onetwo');
  proxy.set({ delayMs: 20 });
  client.write('three');
  await until(() => client.heard.join('') === 'onetwothree');
  assert.ok(proxy.counts.delayed >= 2);
  proxy.set({ disconnected: true });
  await until(() => client.ended);
  const refused = await open();
  await until(() => refused.ended);
  proxy.clear();
  const again = await open();
  again.write('x');
  await until(() => again.heard.join('') === 'x');
  assert.equal([proxy.counts.connections, proxy.counts.refused, proxy.counts.cuts], [3, 1, 1]);
  again.end();
  await proxy.stop();
  server.close();
});

test.run();
