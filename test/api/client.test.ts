/** The client against a gateway in memory behind a real socket. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient, nameOf } from '../../src/api/client.ts';
import type { UpliftError } from '../../src/errors.ts';
import { IMAGE } from './fake-control.ts';
import { Served } from './served.ts';

const test = suite('the client of the API');
let served: Served;
let client: ApiClient;
test.before.each(async () => {
  served = await Served.start();
  client = new ApiClient(served.path, { pauseMs: 5 });
});
test.after.each(() => served.stop());

const wish = () => ({
  image: IMAGE,
  devices: ['hub-1'],
  activation: { when: 'now' },
  priority: 4,
  deadlineMs: Date.now() + 1e8,
});

async function refusalOf(work: Promise<unknown>): Promise<UpliftError> {
  try {
    await work;
  } catch (error) {
    return error as UpliftError;
  }
  throw new Error('it was done');
}

/** A door before the door, whose connections are cut after so many bytes to the gateway. */
async function cutting(afterBytes: number, times: number) {
  const path = join(served.folder, 'cut.sock');
  let cuts = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = served.dial();
    let bytes = 0;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
    }
    near.on('data', (chunk) => {
      bytes += chunk.length;
      far.write(chunk);
      if (bytes < afterBytes || cuts >= times) return;
      cuts++;
      near.destroy();
      far.end();
    });
    far.on('data', (chunk) => near.write(chunk));
    far.on('close', () => near.destroy());
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((done) => server.listen(path, done));
  const cutAll = () => {
    for (const socket of open) socket.destroy();
  };
  const close = () => {
    cutAll();
    return new Promise((done) => server.close(done));
  };
  return { path, close, cutAll, cuts: () => cuts };
}

test('an upload that is cut off again and again arrives whole', async () => {
  const file = join(served.folder, 'hub image.bin');
  const bytes = Buffer.alloc(900_000, 'image ');
  writeFileSync(file, bytes);
  const door = await cutting(200_000, 3);
  const told: number[] = [];
  const image = await new ApiClient(door.path, { pauseMs: 20 }).upload(file, (sent) =>
    told.push(sent),
  );
  await door.close();
  assert.is(door.cuts(), 3);
  assert.is(image.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.is(image.name, 'hub image.bin');
  assert.is(told.at(-1), 900_000);
  assert.is((await client.upload(file)).sha256, image.sha256, 'the second time it is there');
  assert.is(served.control.uploads.size, 0);
});

test('events go on after every lost connection, none lost and none twice', async () => {
  const door = await cutting(Number.POSITIVE_INFINITY, 0);
  const stop = new AbortController();
  const { control } = served;
  const got: number[] = [];
  const saying = setInterval(() => {
    for (let n = 0; n < 7; n++) control.append({ kind: 'test' });
    if (control.journal.length % 3 === 0) door.cutAll();
    if (control.journal.length > 200) clearInterval(saying);
  }, 3);
  const far = new ApiClient(door.path, { pauseMs: 2, attemptsMax: 1_000 });
  for await (const event of far.events({ from: 1 }, stop.signal)) {
    if (event.event === 'record') got.push(event.record.sequence);
    if (got.length > 200) stop.abort();
  }
  await door.close();
  assert.equal(
    got,
    Array.from({ length: got.length }, (_, n) => n + 1),
  );
});

test('what is refused is thrown as it was said, with its exit code', async () => {
  const unknown = await refusalOf(client.get('/jobs/j99'));
  assert.is(`${unknown.code} ${unknown.exit}`, 'job-unknown 2');
  await client.post('/jobs', wish());
  const open = await refusalOf(client.post('/jobs', wish()));
  assert.is(`${open.code} ${open.exit} ${open.actual}`, 'job-open 3 j2/hub-1');
  const invalid = await refusalOf(client.post('/jobs', { ...wish(), priority: 10 }));
  assert.is(`${invalid.code} ${invalid.expected}`, 'request-invalid /priority: 0 to 8');
  const nobody = await refusalOf(new ApiClient(join(served.folder, 'none')).get('/health'));
  assert.is(`${nobody.code} ${nobody.exit}`, 'gateway-unreachable 6');
  assert.is(nameOf('/a/ëë—.bin'), 'bin');
  assert.is(nameOf('/a/..'), 'image');
});

test('an event stream that ends for good is an error; one that is refused is too', async () => {
  await served.server.close(0);
  const lost = client.events({ from: 1 });
  const error = await refusalOf(lost.next());
  assert.is(`${error.code} ${error.exit}`, 'gateway-unreachable 6');
  served.server = (await Served.start()).server;
});

test.run();
