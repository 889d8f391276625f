/** The pump between OTA server and coordinator, with a sender whose every confirm is given by hand. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinkEvent } from '../../src/transport/zigbee/messages.ts';
import { type FrameSender, OtaLink } from '../../src/transport/zigbee/ota-link.ts';
import { counting, le } from '../image/naive-ota.ts';

const A = '00112233445566aa';
const B = '00112233445566bb';
const TRIPLE = { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: 0x02000000 };
const NAMES = [...le(0x121d, 2), ...le(0x0084, 2), ...le(0x02000000, 4)];
const IMAGE = Uint8Array.from(counting(1_000));
const BLOCK_RESPONSE = 0x05;

interface Sent {
  eui64: string;
  endpoint: number;
  sourceEndpoint: number | undefined;
  bytes: Uint8Array;
  confirm(): Promise<void>;
  lose(): Promise<void>;
}

class HandSender implements FrameSender {
  readonly sent: Sent[] = [];

  send(
    eui64: string,
    endpoint: number,
    sourceEndpoint: number | undefined,
    bytes: Uint8Array,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sent.push({
        eui64,
        endpoint,
        sourceEndpoint,
        bytes,
        confirm: () => settled(resolve),
        lose: () => settled(() => reject(new Error('no confirm'))),
      });
    });
  }

  /** Offsets of the blocks sent so far, in order. */
  offsets(): number[] {
    return this.sent
      .filter(({ bytes }) => bytes[2] === BLOCK_RESPONSE)
      .map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true));
  }
}

async function settled(body: () => void): Promise<void> {
  body();
  await new Promise((wake) => setImmediate(wake));
}

/** Until so many frames wait behind the first device's one on its way. */
async function waiting(link: OtaLink, frames: number): Promise<void> {
  while (link['peers'][0]!.waiting.length < frames)
    await new Promise((wake) => setTimeout(wake, 1));
}

function frame(eui64: string, bytes: number[], endpoint = 1, destinationEndpoint = 1) {
  return { eui64, endpoint, destinationEndpoint, bytes: Uint8Array.from(bytes) };
}

function blockRequest(offset: number, sequence = 7): number[] {
  return [0x01, sequence, 0x03, 0, ...NAMES, ...le(offset, 4), 50];
}

function queryRequest(fileVersion: number, sequence = 9): number[] {
  return [0x01, sequence, 0x01, 0, ...NAMES.slice(0, 4), ...le(fileVersion, 4)];
}

function open(authorised = true): { link: OtaLink; sender: HandSender; events: LinkEvent[] } {
  const events: LinkEvent[] = [];
  const link = new OtaLink((event) => events.push(event));
  const sender = new HandSender();
  link.setSender(sender);
  for (const eui64 of [A, B]) assign(link, eui64, authorised);
  return { link, sender, events };
}

function assign(link: OtaLink, eui64: string, authorised: boolean, stallMs = 60_000): void {
  link.command((server, nowMs) =>
    server.assign(
      link.device(eui64),
      {
        image: IMAGE,
        triple: TRIPLE,
        authorised,
        resumable: true,
        activation: { when: 'now' },
        blockPeriodMs: 0,
        paceBy: 'delay',
        stallMs,
        blockBytesMax: 63,
      },
      nowMs,
    ),
  );
}

test('an answer leaves from the endpoint it was asked on, with exactly its bytes', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(100, 42), 3, 6));
  const { eui64, endpoint, sourceEndpoint, bytes } = sender.sent[0]!;
  assert.equal([eui64, endpoint, sourceEndpoint], [A, 3, 6]);
  const head = [0x19, 42, BLOCK_RESPONSE, 0, ...NAMES, ...le(100, 4), 50];
  assert.equal([...bytes], [...head, ...IMAGE.subarray(100, 150)]);
  await sender.sent[0]!.confirm();
  link.stop();
});

test('one frame in flight a device; another device does not wait for it', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(0)));
  link.handleFrame(frame(A, blockRequest(50)));
  link.handleFrame(frame(B, blockRequest(200)));
  assert.equal(sender.offsets(), [0, 200]);
  await sender.sent[0]!.confirm();
  assert.equal(sender.offsets(), [0, 200, 50]);
  link.stop();
});

test('the bytes of a waiting frame do not change with the next', async () => {
  const { link, sender } = open();
  for (const offset of [0, 50]) link.handleFrame(frame(A, blockRequest(offset)));
  link.handleFrame(frame(B, blockRequest(300)));
  await sender.sent[0]!.confirm();
  const waited = sender.sent.at(-1)!;
  assert.is(waited.eui64, A);
  assert.equal([...waited.bytes.subarray(17)], [...IMAGE.subarray(50, 100)]);
  link.stop();
});

test('the latest block replaces the one that waits, other frames keep their place', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(0, 1)));
  link.handleFrame(frame(A, blockRequest(50, 2)));
  link.handleFrame(frame(A, queryRequest(0x01000000, 3)));
  for (const offset of [100, 150, 200])
    link.handleFrame(frame(A, blockRequest(offset, 4 + offset / 50)));
  assert.is(sender.sent.length, 1);
  await sender.sent[0]!.confirm();
  assert.is(sender.sent[1]!.bytes[2], 0x02, 'the answer to the query');
  await sender.sent[1]!.confirm();
  assert.equal(sender.offsets(), [0, 200]);
  await sender.sent[2]!.confirm();
  assert.is(sender.sent.length, 3, 'one answer, not one a repetition');
  link.stop();
});

test('blocks of one page wait behind each other, until a newer request', async () => {
  const { link, sender } = open();
  const pageRequest = [0x01, 7, 0x04, 0, ...NAMES, ...le(0, 4), 50, ...le(200, 2), ...le(0, 2)];
  link.handleFrame(frame(A, pageRequest));
  await waiting(link, 3);
  assert.equal(sender.offsets(), [0], 'the first is on its way');
  for (let sent = 0; sent < 3; sent++) await sender.sent[sent]!.confirm();
  assert.equal(sender.offsets(), [0, 50, 100, 150]);
  link.handleFrame(frame(A, [...pageRequest.slice(0, 1), 8, ...pageRequest.slice(2)]));
  await waiting(link, 4);
  link.handleFrame(frame(A, blockRequest(300, 9)));
  await sender.sent[3]!.confirm();
  assert.equal(sender.offsets(), [0, 50, 100, 150, 300], 'the second page is overtaken');
  link.stop();
});

test('few frames wait for a device that never confirms', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(0)));
  for (let i = 0; i < 100; i++) link.handleFrame(frame(A, queryRequest(0x01000000, i)));
  let confirmed = 0;
  for (; confirmed < sender.sent.length; confirmed++) await sender.sent[confirmed]!.confirm();
  assert.is(confirmed, 5, 'the one on its way and four behind it');
  link.stop();
});

test('a lost frame is not sent again, and holds up nothing', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(0)));
  await sender.sent[0]!.lose();
  assert.is(sender.sent.length, 1);
  link.handleFrame(frame(A, blockRequest(0)));
  assert.equal(sender.offsets(), [0, 0], 'the device asks again');
  link.stop();
});

test('without a sender answers are dropped, and the machine lives on', async () => {
  const { link, sender } = open();
  link.setSender(undefined);
  link.handleFrame(frame(A, blockRequest(0)));
  assert.is(sender.sent.length, 0);
  assert.is(link.samples().find(({ eui64 }) => eui64 === A)!.blocks, 1);
  assert.is(link.samples().find(({ eui64 }) => eui64 === B)!.blocks, 0, 'each its own');
  link.setSender(sender);
  assert.is(sender.sent.length, 0, 'nothing stale is sent');
  link.handleFrame(frame(A, blockRequest(0)));
  assert.equal(sender.offsets(), [0]);
  link.stop();
});

test('a sender that is gone without a word holds up no device', async () => {
  const { link, sender } = open();
  link.handleFrame(frame(A, blockRequest(0)));
  link.handleFrame(frame(A, blockRequest(50)));
  link.setSender(undefined);
  const next = new HandSender();
  link.setSender(next);
  link.handleFrame(frame(A, blockRequest(50)));
  link.handleFrame(frame(A, blockRequest(100)));
  assert.equal(next.offsets(), [50]);
  await sender.sent[0]!.confirm();
  assert.equal(next.offsets(), [50], 'a late confirm of the old one frees nothing');
  await next.sent[0]!.confirm();
  assert.equal(next.offsets(), [50, 100]);
  assert.equal(sender.offsets(), [0]);
  link.stop();
});

test('events carry the EUI-64', () => {
  const { link, events } = open(false);
  link.handleFrame(frame(B, blockRequest(0)));
  assert.equal(events, [{ kind: 'asks-unauthorised', eui64: B, offset: 0 }]);
  link.stop();
});

test('the machine is woken in time: a silence, a query that waits for a decision', async () => {
  const events: LinkEvent[] = [];
  const link = new OtaLink((event) => events.push(event));
  assign(link, A, true, 40);
  assign(link, B, true, 3_600_000);
  const startMs = Date.now();
  while (events.length === 0 && Date.now() - startMs < 10_000) {
    await new Promise((wake) => setTimeout(wake, 5));
  }
  assert.is(events[0]?.kind, 'stalled');
  assert.ok(Date.now() - startMs >= 39, 'not before');
  await new Promise((wake) => setTimeout(wake, 60));
  assert.is(events.length, 1, 'once a silence');
  link.stop();
});

test('a timer farther away than Node can wait does not fire at once', async () => {
  const events: LinkEvent[] = [];
  const link = new OtaLink((event) => events.push(event));
  assign(link, A, true, 40 * 24 * 3_600_000);
  await new Promise((wake) => setTimeout(wake, 30));
  assert.equal(events, []);
  link.stop();
});

test('samples are of assigned devices only', () => {
  const { link } = open();
  link.device('00112233445566cc');
  assert.equal(
    link.samples().map(({ eui64, totalBytes }) => [eui64, totalBytes]),
    [
      [A, 1_000],
      [B, 1_000],
    ],
  );
  link.stop();
});

test.run();
