/** Uploads: in pieces, over outages, and never twice what is there. */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Client, NotReachable, Refusal } from '../../src/web/client.ts';
import { type UploadStep, uploadImage } from '../../src/web/upload.ts';

const test = suite('upload of an image');
const BYTES = new Uint8Array(1_000_000).map((_, n) => (n * 31 + (n >> 8)) & 0xff);
const SHA256 = createHash('sha256').update(BYTES).digest('hex');

/** A store over a line that breaks where it is told to. */
class Store {
  readonly received = new Uint8Array(BYTES.length);
  at = 0;
  isThere = true;
  /** Operations by their number that do not get through: before they are done, or their answer after. */
  lost = new Map<number, 'request' | 'answer'>();
  calls = 0;
  readonly kept = new Map<string, string>();
  readonly steps: UploadStep[] = [];

  async upload(): Promise<unknown> {
    const file = { name: 'hub 1.bin', size: BYTES.length, ...sliced(BYTES) };
    return uploadImage(file, {
      client: { ask: (name: string, asked: Asked) => this.ask(name, asked) } as unknown as Client,
      kept: {
        get: (sha256) => this.kept.get(sha256),
        set: (sha256, id) => void (id ? this.kept.set(sha256, id) : this.kept.delete(sha256)),
      },
      wait: async () => {},
      onStep: (step) => this.steps.push(step),
      signal: new AbortController().signal,
    });
  }

  private async ask(name: string, asked: Asked): Promise<unknown> {
    const lost = this.lost.get(++this.calls);
    if (lost === 'request') throw new NotReachable('cut');
    const answer = this.answer(name, asked);
    if (lost === 'answer') throw new NotReachable('cut');
    return answer;
  }

  private answer(name: string, { body, headers }: Asked): unknown {
    const view = () => ({
      upload: 'u1',
      bytes: BYTES.length,
      receivedBytes: this.at,
      expiresMs: 1,
    });
    if (name === 'beginUpload') {
      assert.is(body.sha256, SHA256);
      return view();
    }
    if (name === 'showUpload') {
      if (this.isThere) return view();
      throw new Refusal({ type: '', title: '', status: 404, code: 'upload-unknown' });
    }
    if (name === 'appendUpload') {
      const offset = Number(headers['upload-offset']);
      if (offset !== this.at)
        throw new Refusal({ type: '', title: '', status: 409, code: 'upload-offset' });
      this.received.set(body as unknown as Uint8Array, offset);
      this.at += (body as unknown as Uint8Array).length;
      return undefined;
    }
    assert.is(name, 'finishUpload');
    assert.is(createHash('sha256').update(this.received).digest('hex'), SHA256);
    return { sha256: SHA256 };
  }
}

interface Asked {
  body: { sha256: string };
  headers: Record<string, string>;
}

function sliced(bytes: Uint8Array) {
  const bufferOf = async (one: Uint8Array) => one.slice().buffer as ArrayBuffer;
  return {
    arrayBuffer: () => bufferOf(bytes),
    slice: (from: number, to: number) => ({
      arrayBuffer: () => bufferOf(bytes.subarray(from, to)),
    }),
  };
}

test('all of it gets there, and progress is told', async () => {
  const store = new Store();
  assert.equal(await store.upload(), { sha256: SHA256 });
  assert.is(store.steps[0]!.kind, 'hashing');
  assert.is(store.steps.at(-1)!.kind, 'checking');
  assert.is(store.kept.size, 0);
});

test('wherever the line is cut, before or after the store has it, it goes on from there', async () => {
  const whole = new Store();
  await whole.upload();
  for (let call = 1; call <= whole.calls; call++) {
    for (const how of ['request', 'answer'] as const) {
      const store = new Store();
      store.lost.set(call, how);
      assert.equal(await store.upload(), { sha256: SHA256 }, `${how} ${call}`);
      assert.ok(store.steps.some(({ kind }) => kind === 'waiting'));
      assert.ok(store.calls <= whole.calls + 2, `${store.calls} calls`);
    }
  }
});

test('one that was begun before goes on, also after the page was closed', async () => {
  const store = new Store();
  store.kept.set(SHA256, 'u1');
  store.received.set(BYTES.subarray(0, 600_000));
  store.at = 600_000;
  await store.upload();
  const [first] = store.steps.flatMap((step) => (step.kind === 'sending' ? step.sentBytes : []));
  assert.is(first, 600_000);
});

test('one that came to its end is begun anew', async () => {
  const store = new Store();
  store.kept.set(SHA256, 'u0');
  store.isThere = false;
  assert.equal(await store.upload(), { sha256: SHA256 });
});

test.run();
