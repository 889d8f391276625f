/** The link to a serial server in the network. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../../src/errors.ts';
import { TcpLink } from '../../../src/transport/serial/tcp-link.ts';
import { Heard, sent } from './listener.ts';
import { until } from './terminal.ts';

const servers: Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
});

test('bytes pass both ways, in order', async () => {
  const { link } = await connected((socket) => socket.pipe(socket));
  const heard = new Heard();
  await link.open(heard);
  const all = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
  for (let at = 0; at < all.length; at += 4096) {
    assert.ok(await sent(link, all.subarray(at, at + 4096)));
  }
  await until(() => heard.length === all.length);
  assert.equal(heard.bytes, all);
  await link.close();
  await link.close();
  assert.equal(heard.closes, [{ reason: 'closed', detail: '' }]);
});

test('no server is told with its address', async () => {
  const { link, server } = await connected(() => {});
  server.close();
  await once(server, 'close');
  const error = await link.open(new Heard()).catch((failure: unknown) => failure);
  assert.instance(error, UpliftError);
  const { code, message, exit } = error as UpliftError;
  assert.equal([code, exit], ['port-unreachable', 6]);
  assert.match(message, link.name);
});

test('a server that goes closes the link, politely or not', async () => {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const { link, sockets } = await connected(() => {});
    const heard = new Heard();
    await link.open(heard);
    await until(() => sockets.length === 1);
    sockets[0]![leave]();
    await until(() => heard.closes.length === 1);
    assert.is(heard.closes[0]!.reason, 'vanished');
    assert.not.ok(link.isOpen);
    assert.is(await sent(link, Uint8Array.of(1)), false);
  }
});

test('a server that takes nothing holds the sender, and closing lets it go', async () => {
  const { link } = await connected((socket) => socket.pause());
  const heard = new Heard();
  await link.open(heard);
  const stuck = await sendUntilStuck(link);
  const drained = link.drained();
  await link.close();
  assert.is(await stuck.whole, false);
  await drained;
  assert.equal(heard.closes, [{ reason: 'closed', detail: '' }]);
});

test('a server that takes again lets the sender go on', async () => {
  const { link, sockets } = await connected((socket) => socket.pause());
  await link.open(new Heard());
  const stuck = await sendUntilStuck(link);
  sockets[0]!.resume();
  assert.is(await stuck.whole, true);
  await link.drained();
  await link.close();
});

test('a link is opened again after its server went and came', async () => {
  const { link, sockets } = await connected((socket) => socket.pipe(socket));
  for (let round = 0; round < 3; round++) {
    const heard = new Heard();
    await link.open(heard);
    assert.ok(await sent(link, Uint8Array.of(round)));
    await until(() => heard.length === 1);
    sockets.at(-1)!.destroy();
    await until(() => heard.closes.length === 1);
  }
});

test('it has no line to set, and says so', async () => {
  const { link } = await connected(() => {});
  await link.open(new Heard());
  assert.equal(
    [await link.setBaudRate(), await link.setSignals(), await link.sendBreak()],
    [false, false, false],
  );
  await link.discard();
  await link.close();
});

test('an IPv6 address stands in brackets', async () => {
  const server = createServer((socket) => socket.end('hello'));
  servers.push(server);
  server.listen(0, '::1');
  const listening = await Promise.race([
    once(server, 'listening').then(() => true),
    once(server, 'error').then(() => false),
  ]);
  if (!listening) {
    console.log('SKIP no IPv6 here');
    return;
  }
  const link = new TcpLink(`tcp://[::1]:${(server.address() as AddressInfo).port}`);
  const heard = new Heard();
  await link.open(heard);
  await until(() => heard.length === 5);
  await link.close();
});

async function connected(
  accept: (socket: Socket) => void,
): Promise<{ link: TcpLink; server: Server; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    accept(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { link: new TcpLink(`tcp://127.0.0.1:${port}`), server, sockets };
}

async function sendUntilStuck(link: TcpLink): Promise<{ whole: Promise<boolean> }> {
  for (;;) {
    const whole = sent(link, new Uint8Array(1_048_576));
    const patience = new Promise((done) => setTimeout(() => done('stuck'), 100));
    if ((await Promise.race([whole, patience])) === 'stuck') return { whole };
  }
}

test.run();
