/** The link over a serial port, on real pseudo-terminals. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../../src/errors.ts';
import type { ByteMachine } from '../../../src/protocol/machine.ts';
import { LinkDriver } from '../../../src/transport/serial/driver.ts';
import { newLink } from '../../../src/transport/serial/link.ts';
import { openFailure } from '../../../src/transport/serial/open-failure.ts';
import { SerialLink } from '../../../src/transport/serial/serial-link.ts';
import { TcpLink } from '../../../src/transport/serial/tcp-link.ts';
import { Heard, sent } from './listener.ts';
import {
  descriptorsOf,
  freePath,
  newDeafTerminal,
  newTerminal,
  removeTerminals,
  until,
} from './terminal.ts';

const linkTo = (port: string) => new SerialLink({ port, baudRate: 115_200, rtscts: false });

/** All values of a byte, many times: what a terminal that is not raw would change. */
const EVERY_BYTE = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

test.after(removeTerminals);

test('every byte passes both ways, in order', async () => {
  const device = await newTerminal((chunk, port) => port.write(chunk));
  if (!device) return;
  const link = linkTo(device.path);
  const heard = new Heard();
  await link.open(heard);
  for (let at = 0; at < EVERY_BYTE.length; at += 2048) {
    assert.ok(await sent(link, EVERY_BYTE.subarray(at, at + 2048)));
  }
  await until(() => heard.length >= EVERY_BYTE.length);
  assert.equal(heard.bytes, EVERY_BYTE);
  await link.close();
});

test('a device that takes nothing holds the sender, and lets it go on when it reads', async () => {
  const device = newDeafTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  await link.open(new Heard());
  const { pieces, stuck } = await sendUntilStuck(link);
  assert.ok(pieces < 100, 'not without end');
  const read = device.listen();
  assert.is(await stuck, true, 'taken once the device reads');
  assert.is(await read, pieces * PIECE_BYTES);
  await link.close();
  device.remove();
});

test('closing does not wait for a device that takes nothing, and tells the sender', async () => {
  const device = newDeafTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  const heard = new Heard();
  await link.open(heard);
  const { stuck } = await sendUntilStuck(link);
  const startedMs = performance.now();
  await link.close();
  assert.ok(performance.now() - startedMs < 1000);
  assert.is(await stuck, false);
  assert.equal(heard.closes, [{ reason: 'closed', detail: '' }]);
  const again = linkTo(device.path);
  await again.open(new Heard());
  await again.close();
  device.remove();
});

test('a device that vanishes under a stuck sender tells it and closes the link', async () => {
  const device = newDeafTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  const heard = new Heard();
  await link.open(heard);
  const { stuck } = await sendUntilStuck(link);
  device.remove();
  const heldWhenTold = stuck.then(() => descriptorsOf(device.path));
  assert.is(await stuck, false);
  assert.is(await heldWhenTold, 0, 'the port is let go of before it is told');
  await until(() => heard.closes.length > 0);
  assert.is(heard.closes[0]!.reason, 'vanished');
});

test('one piece at a time: a second before `taken` is a mistake of the caller', async () => {
  const device = await newTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  await link.open(new Heard());
  const first = sent(link, EVERY_BYTE.subarray(0, 10));
  assert.throws(() => link.send(EVERY_BYTE, () => {}), /one piece at a time/);
  assert.ok(await first);
  await link.close();
});

test('closing twice, at once and later, is once', async () => {
  const device = await newTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  const heard = new Heard();
  await link.close();
  await link.open(heard);
  await Promise.all([link.close(), link.close()]);
  await link.close();
  assert.equal(heard.closes, [{ reason: 'closed', detail: '' }]);
  assert.not.ok(link.isOpen);
});

test('a closed link takes nothing and has nothing', async () => {
  const link = linkTo(freePath('closed'));
  assert.is(await sent(link, Uint8Array.of(1)), false);
  assert.is(await link.setSignals({ rts: true }), false);
  assert.is(await link.setBaudRate(9600), false);
  assert.is(await link.sendBreak(1), false);
  assert.is(await link.reading(), undefined);
  await link.drained();
  await link.discard();
});

test('closing while the device vanishes is told once', async () => {
  for (let round = 0; round < 10; round++) {
    const device = await newTerminal();
    if (!device) return;
    const link = linkTo(device.path);
    const heard = new Heard();
    await link.open(heard);
    const cut = device.cut();
    if (round % 2 === 1) await new Promise((done) => setImmediate(done));
    await Promise.all([cut, link.close()]);
    await new Promise((done) => setTimeout(done, 5));
    assert.is(heard.closes.length, 1);
    assert.not.ok(link.isOpen);
  }
});

test('a link is opened again after its device went and came', async () => {
  const device = await newTerminal((chunk, port) => port.write(chunk));
  if (!device) return;
  const link = linkTo(device.path);
  for (let round = 0; round < 3; round++) {
    const heard = new Heard();
    await link.open(heard);
    assert.ok(await sent(link, Uint8Array.of(round)));
    await until(() => heard.length === 1);
    await device.cut();
    await until(() => heard.closes.length === 1);
    assert.is(heard.closes[0]!.reason, 'vanished');
    assert.is((await failureOf(link)).code, 'port-missing');
    await device.restore();
  }
});

test('opened again at once after closing: the lock is gone by then', async () => {
  const device = await newTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  for (let round = 0; round < 10; round++) {
    const heard = new Heard();
    await link.open(heard);
    const closing = link.close();
    await link.open(new Heard());
    await closing;
    await link.close();
  }
});

test('a terminal has a baud rate but no modem lines, and says so', async () => {
  const device = await newTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  await link.open(new Heard());
  assert.is(await link.setBaudRate(921_600), true);
  assert.is(await link.setSignals({ rts: true, dtr: false }), false);
  assert.is(await link.sendBreak(1), false);
  assert.equal(await link.reading(), {
    path: device.path,
    info: undefined,
    hasModemLines: false,
    isLowLatency: false,
  });
  await sent(link, Uint8Array.of(1));
  await link.drained();
  await link.discard();
  assert.ok(link.isOpen);
  await link.close();
});

test('a port in use names the program that has it', async () => {
  const path = freePath('held');
  const host = fork(resolve(import.meta.dirname, 'processes/host.ts'), [path]);
  try {
    await once(host, 'spawn');
    const device = await newTerminal(undefined, path);
    if (!device) return;
    host.send('open');
    await once(host, 'message');
    const error = await failureOf(linkTo(path));
    assert.is(error.code, 'port-in-use');
    assert.is(error.exit, 6);
    if (process.platform === 'linux') {
      assert.ok(error.message.includes(`host.ts (process ${host.pid})`), error.message);
    }
  } finally {
    host.kill('SIGKILL');
    await once(host, 'exit');
  }
});

test('a port in use by this very program says that', async () => {
  const device = newDeafTerminal();
  if (!device) return;
  const link = linkTo(device.path);
  await link.open(new Heard());
  const error = await failureOf(linkTo(device.path));
  assert.is(error.code, 'port-in-use');
  if (process.platform === 'linux') assert.match(error.message, 'this very program');
  await link.close();
  device.remove();
});

test('what is no port is told before it is opened', async () => {
  const file = freePath('file');
  writeFileSync(file, 'content');
  const dangling = freePath('dangling');
  symlinkSync('/dev/nothing-like-it', dangling);
  for (const [path, code] of [
    [freePath('nothing'), 'port-missing'],
    [dangling, 'port-missing'],
    [file, 'port-wrong-kind'],
    [resolve(file, '..'), 'port-wrong-kind'],
    ['/dev/null', 'port-wrong-kind'],
    ['usb:NO-SUCH-ADAPTER', 'port-missing'],
  ] as const) {
    const error = await failureOf(linkTo(path));
    assert.is(error.code, code, path);
    assert.is(error.exit, 6);
    assert.ok(error.expected && error.actual && error.next, path);
  }
});

test('what an operating system says of an open that failed', () => {
  for (const [said, code] of [
    ['Error: Permission denied, cannot open /dev/ttyUSB0', 'port-forbidden'],
    ['Error Resource temporarily unavailable Cannot lock port', 'port-in-use'],
    ['Opening COM3: Access denied', 'port-in-use'],
    ['Error: No such file or directory, cannot open /dev/ttyUSB0', 'port-missing'],
    ['Error: Invalid argument setting custom baud rate of 123', 'baud-rate-unsupported'],
    ['Error baud rate of 7 is not supported on your platform', 'baud-rate-unsupported'],
    ['Error: Inappropriate ioctl for device setting custom baud rate of 5', 'port-wrong-kind'],
    ['Error: Input/output error, cannot open /dev/ttyUSB0', 'port-failed'],
  ] as const) {
    assert.is(openFailure('/dev/ttyUSB0', new Error(said), []).code, code, said);
  }
  const known = new UpliftError('port-missing', 'as it is');
  assert.is(openFailure('/dev/ttyUSB0', known, []), known);
});

test('a port that this user may not open names the group that may', () => {
  const file = freePath('forbidden');
  writeFileSync(file, '');
  const error = openFailure(file, new Error('Error: Permission denied, cannot open'), []);
  assert.match(error.next!, /the group [a-z0-9_-]+ and log in again/);
});

test('the driver over a real port: lines out, whole lines back', async () => {
  const device = await newTerminal((chunk, port) => {
    // Cut where nobody asked for it.
    port.write(chunk.subarray(0, 5));
    setTimeout(() => port.write(chunk.subarray(5)), 2);
  });
  if (!device) return;
  const driver = new LinkDriver(linkTo(device.path));
  await driver.open();
  const machine = new Echo(20);
  const done = new Promise<string>((tell) => {
    driver.run(machine, { event: tell, closed: () => {} }, { lineBytesMax: 127 });
  });
  assert.is(await done, 'done');
  assert.equal(
    machine.took,
    Array.from({ length: 20 }, (_, i) => `request ${i}\n`),
  );
  await driver.close();
});

test('the kind of link is the kind of port', () => {
  const options = { baudRate: 115_200, rtscts: false };
  assert.instance(newLink({ ...options, port: 'tcp://127.0.0.1:4001' }), TcpLink);
  assert.instance(newLink({ ...options, port: '/dev/ttyUSB0' }), SerialLink);
  assert.instance(newLink({ ...options, port: 'usb:A50285BI' }), SerialLink);
});

const PIECE_BYTES = 4096;

/** Sends until a piece is not taken. */
async function sendUntilStuck(
  link: SerialLink,
): Promise<{ pieces: number; stuck: Promise<boolean> }> {
  for (let pieces = 1; ; pieces++) {
    const stuck = sent(link, new Uint8Array(PIECE_BYTES));
    const patience = new Promise((done) => setTimeout(() => done('stuck'), 100));
    if ((await Promise.race([stuck, patience])) === 'stuck') return { pieces, stuck };
  }
}

async function failureOf(link: SerialLink): Promise<UpliftError> {
  try {
    await link.open(new Heard());
  } catch (error) {
    assert.instance(error, UpliftError);
    assert.not.ok(link.isOpen);
    return error as UpliftError;
  }
  throw new Error('it opened');
}

/** Sends a line, waits for it to come back, and goes on. */
class Echo implements ByteMachine<string> {
  readonly took: string[] = [];
  private readonly count: number;
  private asked = 0;
  private isDone = false;

  constructor(count: number) {
    this.count = count;
  }

  handleBytes(bytes: Uint8Array): void {
    this.took.push(new TextDecoder().decode(bytes));
  }

  handleTimeout(): void {}

  pollTransmit(): Uint8Array | undefined {
    if (this.asked > this.took.length || this.asked === this.count) return undefined;
    return new TextEncoder().encode(`request ${this.asked++}\n`);
  }

  pollEvent(): string | undefined {
    if (this.took.length < this.count || this.isDone) return undefined;
    this.isDone = true;
    return 'done';
  }

  pollTimeout(): number {
    return Number.POSITIVE_INFINITY;
  }
}

test.run();
