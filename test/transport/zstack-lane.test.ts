/** The short lane in a driver of the private shape it knows; frames written byte by byte from ZNP's layout. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type LaneFrame, ZstackLane } from '../../src/transport/zigbee/zstack-lane.ts';
import { le } from '../image/naive-ota.ts';

const DATA = Uint8Array.of(0x19, 7, 5, 1, 2, 3);

/** One job at a time a key and in all, as far as the lane can tell. */
class ZStackAdapter {
  readonly written: number[][] = [];
  readonly passed: number[][] = [];
  transaction = 0;
  broken = false;
  queue = { execute: <T>(body: () => Promise<T>, _key: number) => body() };
  znp = {
    queue: { run: <T>(body: () => Promise<T>) => body() },
    transport: {
      write: (bytes: Buffer) => {
        if (this.broken) throw new Error('port is not open');
        this.written.push([...bytes]);
        return true;
      },
    },
    onFrame: (buffer: Buffer, _dataLength: number, _checksumAt: number) => {
      this.passed.push([...buffer]);
    },
  };
  nextTransactionID(): number {
    this.transaction = (this.transaction + 1) & 0xff;
    return this.transaction;
  }

  receive(cmd0: number, cmd1: number, data: number[], corrupt = 0): void {
    const body = [data.length, cmd0, cmd1, ...data];
    const sum = body.reduce((xor, byte) => xor ^ byte, 0);
    const bytes = Buffer.from([0xfe, ...body, sum ^ corrupt]);
    this.znp.onFrame(bytes, data.length, 4 + data.length);
  }
}

function attach(take = true) {
  const adapter = new ZStackAdapter();
  const frames: LaneFrame[] = [];
  const lane = ZstackLane.attach(adapter, (frame) => {
    frames.push({ ...frame, bytes: frame.bytes.slice() });
    return take;
  })!;
  const send = () => outcome(lane.send(0x1234, 3, 6, DATA, 5_000));
  return { adapter, lane, frames, send };
}

/** What became of a promise, to be looked at whenever. */
function outcome(promise: Promise<void>): { result?: string; promise: Promise<void> } {
  const seen: { result?: string; promise: Promise<void> } = { promise: Promise.resolve() };
  seen.promise = promise.then(
    () => {
      seen.result = 'sent';
    },
    (error: Error) => {
      seen.result = error.message;
    },
  );
  return seen;
}

const settle = () => new Promise((wake) => setImmediate(wake));

function incoming(data: number[], cluster = 0x0019, stated = data.length): number[] {
  const head = [...le(0, 2), ...le(cluster, 2), ...le(0x1234, 2), 3, 1, 0, 200, 0, 0, 0, 0, 0, 5];
  return [...head, stated, ...data];
}

test('a request, byte for byte; status, then confirm', async () => {
  const { adapter, lane, send } = attach();
  const sent = send();
  const body = [10 + 6, 0x24, 0x01, 0x34, 0x12, 3, 6, 0x19, 0x00, 1, 0, 30, 6, ...DATA];
  assert.equal(adapter.written, [[0xfe, ...body, body.reduce((xor, byte) => xor ^ byte, 0)]]);
  adapter.receive(0x64, 0x01, [0]);
  await settle();
  assert.is(sent.result, undefined, 'accepted is not sent');
  adapter.receive(0x44, 0x80, [0, 3, 1]);
  await settle();
  assert.is(sent.result, 'sent');
  assert.equal(adapter.passed, [], 'the driver has seen none of it');
  lane.detach();
});

test('the confirm before the status', async () => {
  const { adapter, lane, send } = attach();
  const sent = send();
  adapter.receive(0x44, 0x80, [0, 3, 1]);
  adapter.receive(0x64, 0x01, [0]);
  await settle();
  assert.is(sent.result, 'sent');
  assert.equal(adapter.passed, []);
  adapter.receive(0x64, 0x01, [0]);
  assert.is(adapter.passed.length, 1, 'one that nobody waits for is the driver’s');
  lane.detach();
});

test('a refusal by status, and one by confirm', async () => {
  const refused = attach();
  const byStatus = refused.send();
  refused.adapter.receive(0x64, 0x01, [0x11]);
  await settle();
  assert.match(byStatus.result!, /status 0x11/);
  refused.adapter.receive(0x44, 0x80, [0, 3, 1]);
  assert.is(refused.adapter.passed.length, 1, 'a confirm nobody waits for any more');
  refused.lane.detach();
  const lost = attach();
  const byConfirm = lost.send();
  lost.adapter.receive(0x64, 0x01, [0]);
  lost.adapter.receive(0x44, 0x80, [0xe9, 3, 1]);
  await settle();
  assert.match(byConfirm.result!, /0xe9/);
  lost.lane.detach();
});

test('a confirm of another transaction is the driver’s', async () => {
  const { adapter, lane, send } = attach();
  const sent = send();
  adapter.receive(0x64, 0x01, [0]);
  adapter.receive(0x44, 0x80, [0, 3, 2]);
  await settle();
  assert.is(sent.result, undefined);
  assert.is(adapter.passed.length, 1);
  adapter.receive(0x44, 0x80, [0, 3, 1]);
  await settle();
  assert.is(sent.result, 'sent');
  lane.detach();
});

test('two in flight are told apart by their transaction', async () => {
  const { adapter, lane, send } = attach();
  const first = send();
  adapter.receive(0x64, 0x01, [0]);
  const second = send();
  adapter.receive(0x64, 0x01, [0]);
  adapter.receive(0x44, 0x80, [0xe9, 3, 2]);
  adapter.receive(0x44, 0x80, [0, 3, 1]);
  await settle();
  assert.is(first.result, 'sent');
  assert.match(second.result!, /0xe9/);
  lane.detach();
});

test('whatever has a wrong checksum goes on untouched, and decides nothing', async () => {
  const { adapter, lane, frames, send } = attach();
  const sent = send();
  for (let bit = 0; bit < 8; bit++) {
    const corrupt = 1 << bit;
    adapter.receive(0x64, 0x01, [0], corrupt);
    adapter.receive(0x44, 0x80, [0, 3, 1], corrupt);
    adapter.receive(0x44, 0x81, incoming([1, 7, 3]), corrupt);
    adapter.receive(0x41, 0x80, [0, 2, 1, 2, 7, 1], corrupt);
  }
  await settle();
  assert.is(adapter.passed.length, 32);
  assert.is(sent.result, undefined);
  assert.is(frames.length, 0);
  adapter.receive(0x64, 0x01, [0]);
  adapter.receive(0x44, 0x80, [0, 3, 1]);
  await settle();
  assert.is(sent.result, 'sent');
  lane.detach();
});

test('a frame of the OTA cluster is taken, with its addresses', () => {
  const { adapter, lane, frames } = attach();
  adapter.receive(0x44, 0x81, incoming([1, 7, 3, 9]));
  assert.equal(adapter.passed, []);
  const { networkAddress, endpoint, destinationEndpoint, bytes } = frames[0]!;
  assert.equal([networkAddress, endpoint, destinationEndpoint], [0x1234, 3, 1]);
  assert.equal([...bytes], [1, 7, 3, 9]);
  lane.detach();
});

test('other clusters, lengths that lie, frames nobody wants: the driver gets them', () => {
  const { adapter, lane, frames } = attach();
  adapter.receive(0x44, 0x81, incoming([1, 7, 3], 0x0000));
  adapter.receive(0x44, 0x81, incoming([1, 7, 3], 0x1900));
  adapter.receive(0x44, 0x81, incoming([1, 7, 3], 0x0019, 200));
  adapter.receive(0x44, 0x81, incoming([1, 7], 0x0019));
  adapter.receive(0x44, 0x81, [0, 0, 0x19, 0]);
  adapter.receive(0x45, 0xc1, [1, 2, 3]);
  assert.is(adapter.passed.length, 6);
  assert.is(frames.length, 0);
  lane.detach();
  const other = attach(false);
  other.adapter.receive(0x44, 0x81, incoming([1, 7, 3]));
  assert.is(other.frames.length, 1);
  assert.is(other.adapter.passed.length, 1);
  other.lane.detach();
});

test("a restart of the coordinator is the driver's to tell", () => {
  const { adapter, lane } = attach();
  adapter.receive(0x41, 0x80, [0, 2, 1, 2, 7, 1]);
  assert.is(adapter.passed.length, 1);
  lane.detach();
});

test('neither status nor confirm: it fails in time', async () => {
  const realNow = Date.now;
  const { adapter, lane, send } = attach();
  try {
    const unanswered = send();
    Date.now = () => realNow() + 5_500;
    lane['expire'](Date.now());
    await settle();
    assert.match(unanswered.result!, /no confirm/);
    adapter.receive(0x64, 0x01, [0]);
    assert.is(adapter.passed.length, 0, 'its status was still awaited');
    const unconfirmed = send();
    adapter.receive(0x64, 0x01, [0]);
    lane['expire'](Date.now() + 5_500);
    await settle();
    assert.match(unconfirmed.result!, /no confirm/);
    adapter.receive(0x44, 0x80, [0, 3, 2]);
    assert.is(adapter.passed.length, 1);
  } finally {
    Date.now = realNow;
    lane.detach();
  }
});

test('detaching fails what is under way and gives the driver its handler back', async () => {
  const { adapter, lane, frames, send } = attach();
  const sent = send();
  lane.detach();
  await settle();
  assert.match(sent.result!, /no confirm/);
  adapter.receive(0x44, 0x81, incoming([1, 7, 3]));
  adapter.receive(0x64, 0x01, [0]);
  assert.is(frames.length, 0);
  assert.is(adapter.passed.length, 2);
});

test('a port that is gone fails the frame', async () => {
  const { adapter, lane, send } = attach();
  adapter.broken = true;
  const sent = send();
  await settle();
  assert.match(sent.result!, /not open/);
  lane.detach();
});

test('a driver of another shape is left alone', () => {
  class EmberAdapter extends ZStackAdapter {}
  const without = (change: (adapter: ZStackAdapter) => void) => {
    const adapter = new ZStackAdapter();
    change(adapter);
    return adapter;
  };
  for (const adapter of [
    {},
    new EmberAdapter(),
    without((adapter) => Object.assign(adapter, { queue: {} })),
    without((adapter) => Object.assign(adapter, { queue: undefined })),
    without((adapter) => Object.assign(adapter, { nextTransactionID: 5 })),
    without((adapter) => Object.assign(adapter, { znp: undefined })),
    without((adapter) => Object.assign(adapter.znp, { queue: undefined })),
    without((adapter) => Object.assign(adapter.znp, { transport: {} })),
    without((adapter) => Object.assign(adapter.znp, { onFrame: undefined })),
  ]) {
    assert.is(
      ZstackLane.attach(adapter, () => true),
      undefined,
    );
  }
});

test.run();
