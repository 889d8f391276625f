/** A blob over lines that break, from servers that answer as they should and as they should not. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AgentRecords } from '../../../src/fleet/agent/agent-records.ts';
import type { WantedBlob } from '../../../src/fleet/agent/blob-queue.ts';
import { CoordinatorLink, type LinkLimits } from '../../../src/fleet/agent/coordinator-link.ts';
import { type BlobSink, download, MemorySink } from '../../../src/fleet/agent/download.ts';
import { ownIdentity } from '../../../src/fleet/agent/identity.ts';
import { ImageSink, tendUploads } from '../../../src/fleet/agent/image-sink.ts';
import { ImageStore } from '../../../src/store/images.ts';
import { seededBytes } from '../../bench/bench.ts';
import { CoordinatorDouble, type Instead, problem } from '../../support/coordinator-double.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';

const test = suite('download');
const MIB = 1024 * 1024;
const clock = { nowMs: () => Date.now() };
const image = seededBytes(8 * MIB, 7);

let folder: string;
let double: CoordinatorDouble;
let images: ImageStore;
let records: AgentRecords;
const links: CoordinatorLink[] = [];
const proxies: CuttingProxy[] = [];

test.before.each(async () => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-download-'));
  double = await new CoordinatorDouble().start();
  images = openImages();
  records = new AgentRecords(join(folder, 'agent'));
});

test.after.each(async () => {
  for (const link of links.splice(0)) link.close();
  for (const proxy of proxies.splice(0)) await proxy.stop();
  await double.stop();
  images.close();
  rmSync(folder, { recursive: true });
});

function openImages(): ImageStore {
  const options = { reserveBytes: 0 };
  return ImageStore.open(join(folder, 'store'), options, clock.nowMs()).images;
}

function linkTo(port: number, limits: Partial<LinkLimits> = {}): CoordinatorLink {
  const { keyPem, certificatePem } = ownIdentity(folder, 'gw-1');
  const link = new CoordinatorLink({
    url: `https://127.0.0.1:${port}`,
    gateway: 'gw-1',
    version: '0.0.0',
    trust: { keyPem, certificatePem, serverCertificate: double.identity.fingerprint },
    clock,
    limits: { idleMs: 2_000, ...limits },
  });
  links.push(link);
  return link;
}

async function proxyWith(cutBytes?: readonly [number, number], seed = 1): Promise<CuttingProxy> {
  const proxy = await CuttingProxy.start(double.port, cutBytes ? { cutBytes, seed } : { seed });
  proxies.push(proxy);
  return proxy;
}

function wanted(bytes: Uint8Array): WantedBlob {
  return { kind: 'image', ...double.blob(bytes) };
}

function imageSink(blob: WantedBlob): ImageSink {
  return new ImageSink(images, records.uploads, clock, blob);
}

function stored(blob: WantedBlob): Uint8Array {
  const opened = images.open(blob.sha256);
  assert.ok(opened.ok);
  return opened.bytes;
}

for (const cutBytes of [
  [300_000, 900_000],
  [100_000, 400_000],
] as const) {
  test(`8 MiB over a line that is reset after ${cutBytes.join(' to ')} bytes`, async () => {
    const blob = wanted(image);
    const proxy = await proxyWith(cutBytes, 42);
    const { end, fetchedBytes, connections } = await download(
      linkTo(proxy.port),
      blob,
      imageSink(blob),
    );
    assert.equal(end, { kind: 'stored' });
    assert.is(createHash('sha256').update(stored(blob)).digest('hex'), blob.sha256);
    const ratio = fetchedBytes / blob.bytes;
    const onTheLine = proxy.forwardedBytes / blob.bytes;
    console.log(
      `NOTE ${connections} connections, fetched ${ratio.toFixed(4)} x its size, ` +
        `on the line ${onTheLine.toFixed(4)} x`,
    );
    assert.ok(proxy.cuts >= (8 * MIB) / cutBytes[1] - 1, `${proxy.cuts} cuts`);
    assert.ok(ratio <= 1.1 && onTheLine <= 1.1, `${ratio}, ${onTheLine}`);
    assert.is(double.requests.length, connections);
    assert.equal(records.uploads.value, {});
  });
}

test('an upload goes on after a restart of the process, from the offset that the store has', async () => {
  const blob = wanted(image);
  const proxy = await proxyWith([3 * MIB, 3 * MIB + 1]);
  const link = linkTo(proxy.port);
  const sink = imageSink(blob);
  let isFirst = true;
  const first = await download(link, blob, sink, () => {
    if (sink.offset > 4 * MIB && isFirst) {
      isFirst = false;
      proxy.mode = 'refuse';
      proxy.cutAll();
    }
    return true;
  });
  assert.is(first.end.kind, 'broken');
  const { offset } = sink;
  assert.ok(offset > 4 * MIB);
  images.close();
  images = openImages();
  records = new AgentRecords(join(folder, 'agent'));
  const again = imageSink(blob);
  assert.is(again.offset, offset);
  assert.is(again.etag, `"${blob.sha256}"`);
  const second = await download(linkTo(double.port), blob, again);
  assert.equal(second.end, { kind: 'stored' });
  assert.is(second.fetchedBytes, blob.bytes - offset);
  assert.equal(double.requests.at(-1)!.headers.range, `bytes=${offset}-`);
  assert.equal(double.requests.at(-1)!.headers['if-range'], `"${blob.sha256}"`);
  assert.equal(stored(blob), image);
});

test('a coordinator that is killed and started again', async () => {
  const blob = wanted(image);
  const link = linkTo(double.port);
  const sink = imageSink(blob);
  let isUp = true;
  const first = await download(link, blob, sink, () => {
    if (isUp && sink.offset > 2 * MIB) {
      isUp = false;
      void double.stop();
    }
    return true;
  });
  assert.is(first.end.kind, 'broken');
  const had = sink.offset;
  assert.ok(had > 2 * MIB);
  await double.start();
  const second = await download(link, blob, sink);
  assert.equal(second.end, { kind: 'stored' });
  assert.is(second.fetchedBytes, blob.bytes - had);
  assert.equal(stored(blob), image);
});

test('a line that stalls for ever is given up, and what came stays', async () => {
  const blob = wanted(image);
  const proxy = await proxyWith();
  const sink = imageSink(blob);
  const { end, connections } = await download(
    linkTo(proxy.port, { idleMs: 1_500, connectMs: 1_500 }),
    blob,
    sink,
    () => {
      if (sink.offset > MIB) proxy.mode = 'stall';
      return true;
    },
  );
  assert.is(end.kind, 'broken');
  assert.ok(sink.offset > MIB);
  assert.is(connections, 2, 'the first brought something, the second nothing');
});

test('what is not wanted any more is not fetched to its end', async () => {
  const blob = wanted(image);
  const sink = imageSink(blob);
  const { end } = await download(linkTo(double.port), blob, sink, () => sink.offset < MIB);
  assert.equal(end, { kind: 'broken', code: 'blob-unwanted', detail: '' });
  assert.ok(sink.offset < 2 * MIB);
});

// ---- servers that answer otherwise ------------------------------------------------------------------

const small = seededBytes(100_000, 3);
const HALF = 40_000;

/** A sink with the first 40,000 bytes, as an earlier connection left it. */
function begun(blob: WantedBlob, etag: string | undefined = `"${blob.sha256}"`): MemorySink {
  const sink = new MemorySink(blob);
  sink.begin(etag);
  sink.append(small.subarray(0, HALF));
  return sink;
}

async function fetched(instead: Instead, sink?: BlobSink, blob = wanted(small)) {
  double.instead = instead;
  return await download(linkTo(double.port), blob, sink ?? begun(blob));
}

test('a server that has no parts any more: what is there comes again and is counted', async () => {
  const blob = wanted(small);
  const sink = begun(blob);
  const etag = `"${blob.sha256}"`;
  const { end, fetchedBytes } = await fetched(
    () => ({ status: 200, headers: { etag }, body: small }),
    sink,
  );
  assert.equal(end, { kind: 'stored' });
  assert.is(fetchedBytes, small.length);
  assert.equal(sink.content, small);
});

test('another ETag: it starts over, with what comes', async () => {
  const blob = wanted(small);
  const sink = begun(blob, '"before"');
  const { end, fetchedBytes, connections } = await fetched(() => undefined, sink);
  assert.equal(end, { kind: 'stored' });
  assert.is(fetchedBytes, small.length);
  assert.is(connections, 1);
  assert.is(sink.etag, `"${blob.sha256}"`);
});

test('a part of another ETag, from a server that does not heed If-Range', async () => {
  const blob = wanted(small);
  const etag = '"after"';
  const { end, fetchedBytes, connections } = await fetched(
    ({ headers }) => {
      if (headers.range === undefined) return { status: 200, headers: { etag }, body: small };
      const range = `bytes ${HALF}-${small.length - 1}/${small.length}`;
      const body = small.subarray(HALF);
      return { status: 206, headers: { etag, 'content-range': range }, body };
    },
    begun(blob, '"before"'),
  );
  assert.equal(end, { kind: 'stored' });
  assert.is(connections, 2);
  assert.ok(fetchedBytes <= small.length * 1.4);
});

test('an ETag that is another every time', async () => {
  let count = 0;
  const { end, connections } = await fetched((_, response) => {
    const etag = `"${count++}"`;
    response.writeHead(200, { etag, 'content-length': `${small.length}` });
    response.write(small.subarray(0, 30_000), () => response.destroy());
    return 'hang';
  });
  assert.is(end.kind === 'spoiled' && end.code, 'blob-changed');
  assert.is(connections, 4);
});

test('weak ETags and none are as good as none: the digest decides', async () => {
  for (const headers of [{ etag: 'W/"1"' }, {}] as Record<string, string>[]) {
    double.requests.length = 0;
    const blob = wanted(small);
    const sink = new MemorySink(blob);
    double.instead = ({ headers: asked }, response) => {
      if (asked.range !== undefined) return undefined;
      response.writeHead(200, { ...headers, 'content-length': `${small.length}` });
      response.write(small.subarray(0, HALF), () => response.destroy());
      return 'hang';
    };
    const { end } = await download(linkTo(double.port), blob, sink);
    assert.equal(end, { kind: 'stored' });
    assert.is(double.requests[1]!.headers['if-range'], undefined);
  }
});

test('another part than was asked for is refused', async () => {
  const last = small.length - 1;
  for (const range of [
    `bytes 0-${last}/${small.length}`,
    `bytes ${HALF + 1}-${last}/${small.length}`,
    `bytes ${HALF}-${last + 1}/${small.length + 1}`,
    `bytes ${HALF}-${last}/${small.length + 1}`,
    `bytes ${HALF}-${HALF - 1}/${small.length}`,
    `bytes */${small.length}`,
    `items ${HALF}-${last}/${small.length}`,
    '',
  ]) {
    const blob = wanted(small);
    const sink = begun(blob);
    const { end } = await fetched(
      () => ({
        status: 206,
        headers: { etag: `"${blob.sha256}"`, ...(range === '' ? {} : { 'content-range': range }) },
        body: small.subarray(HALF),
      }),
      sink,
    );
    assert.is(end.kind === 'broken' && end.code, 'range-other', range);
    assert.is(sink.offset, HALF, 'what was there stays');
  }
});

test('parts that are shorter than was asked for, one after the other', async () => {
  const step = 20_000;
  const { end, connections, fetchedBytes } = await fetched(({ headers }) => {
    const from = Number(/\d+/.exec(headers.range ?? '')![0]);
    const until = Math.min(small.length, from + step);
    const range = `bytes ${from}-${until - 1}/${small.length}`;
    return { status: 206, headers: { 'content-range': range }, body: small.subarray(from, until) };
  });
  assert.equal(end, { kind: 'stored' });
  assert.is(connections, 3);
  assert.is(fetchedBytes, small.length - HALF);
});

test('no such part: once more from the beginning, and no more', async () => {
  const { end, connections } = await fetched(({ headers }) =>
    headers.range === undefined ? undefined : { status: 416 },
  );
  assert.equal(end, { kind: 'stored' });
  assert.is(connections, 2);
  const never = await fetched(() => ({ status: 416 }));
  assert.is(never.end.kind === 'broken' && never.end.code, 'range-refused');
  const other = await fetched(() => ({ status: 416, headers: { 'content-range': 'bytes */7' } }));
  assert.is(other.end.kind === 'spoiled' && other.end.code, 'blob-other');
});

test('a blob that was tampered with: nothing is kept', async () => {
  const blob = wanted(image);
  const tampered = Uint8Array.from(image);
  tampered[5_000_000]! ^= 1;
  double.blobs.set(blob.sha256, tampered);
  const { end } = await download(linkTo(double.port), blob, imageSink(blob));
  assert.is(end.kind === 'spoiled' && end.code, 'blob-other');
  assert.not(images.has(blob.sha256));
  assert.equal(images.list(), []);
  assert.is(images.usedBytes, 0);
  assert.equal(records.uploads.value, {});
});

test('a blob that is longer, or shorter, than it is to be', async () => {
  for (const length of [99_999, 100_001]) {
    const body = seededBytes(length, 3);
    const stated = await fetched(() => ({ status: 200, body }));
    assert.is(stated.end.kind === 'spoiled' && stated.end.code, 'blob-other');
    assert.is(stated.fetchedBytes, 0, 'its length says so');
    const blob = wanted(small);
    const sink = new MemorySink(blob);
    const unstated = await fetched(
      (_, response) => {
        response.writeHead(200);
        response.end(body);
        return 'hang';
      },
      sink,
      blob,
    );
    const code = unstated.end.kind !== 'stored' && unstated.end.code;
    assert.is(code, length > small.length ? 'blob-other' : 'blob-short');
  }
});

test('a peer that sends little at a time is not asked without end', async () => {
  const { end, connections } = await fetched((_, response) => {
    response.writeHead(206, {
      'content-range': `bytes ${HALF}-${small.length - 1}/${small.length}`,
    });
    response.write(small.subarray(HALF, HALF + 100), () => response.destroy());
    return 'hang';
  });
  assert.is(end.kind === 'broken' && end.code, 'fleet-broken-off');
  assert.is(connections, 1);
});

test('a refusal, a wait, and what is no answer', async () => {
  for (const [said, code, retryAfterMs] of [
    [problem(404, 'blob-unknown'), 'blob-unknown', undefined],
    [problem(429, 'busy', { 'retry-after': '7' }), 'busy', 7_000],
    [{ status: 302, headers: { location: '/elsewhere' } }, 'fleet-redirects', undefined],
    [{ status: 404, body: '<html>' }, 'fleet-answer', undefined],
    [
      { status: 200, headers: { 'content-encoding': 'gzip' }, body: 'x' },
      'fleet-answer',
      undefined,
    ],
  ] as const) {
    const { end, connections } = await fetched(() => said);
    assert.is(end.kind === 'broken' && end.code, code);
    assert.is(end.kind === 'broken' ? end.retryAfterMs : 0, retryAfterMs);
    assert.is(connections, 1);
  }
});

test('a store that has no room says so, and a blob that is there already needs none', async () => {
  const blob = wanted(small);
  images.close();
  images = ImageStore.open(join(folder, 'store'), { totalBytesMax: 10 }, clock.nowMs()).images;
  const full = await download(linkTo(double.port), blob, imageSink(blob));
  assert.is(full.end.kind === 'broken' && full.end.code, 'store-full');
  images.close();
  images = openImages();
  const sink = imageSink(blob);
  assert.equal((await download(linkTo(double.port), blob, sink)).end, { kind: 'stored' });
  const again = await download(linkTo(double.port), blob, imageSink(blob));
  assert.equal(again.end, { kind: 'stored' });
});

test('an upload that is still wanted outlives an outage; one that is not is gone at once', () => {
  const hourMs = 3_600_000;
  let nowMs = Date.UTC(2026, 0, 1);
  const time = { nowMs: () => nowMs };
  const blob = wanted(small);
  const sink = new ImageSink(images, records.uploads, time, blob);
  assert.is(sink.begin('"1"'), undefined);
  assert.is(sink.append(small.subarray(0, HALF)), undefined);
  const needed = new Set([blob.sha256]);
  for (let hour = 0; hour < 48; hour++) {
    nowMs += hourMs;
    tendUploads(images, records.uploads, needed, nowMs);
    images.handleTimeout(nowMs);
  }
  assert.is(new ImageSink(images, records.uploads, time, blob).offset, HALF);
  tendUploads(images, records.uploads, new Set(), nowMs);
  assert.is(images.usedBytes, 0);
  assert.equal(records.uploads.value, {});
});

test.run();
