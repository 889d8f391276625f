/** Ports as the kernel shows them below /sys, in a folder made to look like it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../../src/errors.ts';
import {
  describePort,
  listPorts,
  portAt,
  portChoices,
  resolvePort,
  type SerialPortInfo,
  stableId,
} from '../../../src/transport/serial/ports.ts';

interface Adapter {
  node: string;
  /** Where it is plugged in. */
  socket: string;
  driver: string;
  serial?: string;
  vendor?: string;
  product?: string;
  latencyTimer?: number;
  byId?: string;
  interfaces?: number;
  interfaceNumber?: string;
}

const FTDI: Adapter = {
  node: 'ttyUSB0',
  socket: '1-1.2',
  driver: 'ftdi_sio',
  serial: 'A50285BI',
  vendor: '0403',
  product: '6001',
  latencyTimer: 16,
  byId: 'usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0',
};
const CP2105 = (node: string, number: string): Adapter => ({
  node,
  socket: '1-1.3',
  driver: 'cp210x',
  serial: '00C0FFEE',
  vendor: '10C4',
  product: 'EA70',
  interfaces: 2,
  interfaceNumber: number,
  byId: `usb-Silicon_Labs_CP2105_00C0FFEE-if${number}-port0`,
});
const ACM: Adapter = {
  node: 'ttyACM0',
  socket: '2-1',
  driver: 'cdc_acm',
  serial: 'E6:60:58:38',
  vendor: '2e8a',
  product: '000a',
  interfaces: 2,
  interfaceNumber: '00',
};
const NO_SERIAL: Adapter = {
  node: 'ttyUSB7',
  socket: '1-2',
  driver: 'ch341',
  vendor: '1a86',
  product: '7523',
};

const roots: string[] = [];
test.after(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

test('ports with all that the kernel says of them', async () => {
  const root = newRoot(FTDI, CP2105('ttyUSB1', '00'), CP2105('ttyUSB2', '01'), ACM, NO_SERIAL);
  const ports = await listed(root);
  assert.equal(
    ports.map(({ path }) => path),
    ['ttyACM0', 'ttyUSB0', 'ttyUSB1', 'ttyUSB2', 'ttyUSB7'].map((name) => join(root, 'dev', name)),
  );
  assert.equal(ports[1], {
    path: join(root, 'dev/ttyUSB0'),
    byId: join(root, 'dev/serial/by-id', FTDI.byId!),
    usb: {
      vendorId: '0403',
      productId: '6001',
      serialNumber: 'A50285BI',
      manufacturer: 'Maker',
      product: 'Thing',
      interfaceNumber: undefined,
    },
    driver: 'ftdi_sio',
    latencyTimerMs: 16,
  });
  assert.equal(ports.map(stableId), [
    'usb:2e8a:000a:E6:60:58:38#00',
    'usb:0403:6001:A50285BI',
    'usb:10c4:ea70:00C0FFEE#00',
    'usb:10c4:ea70:00C0FFEE#01',
    undefined,
  ]);
  assert.is(ports[4]!.byId, undefined);
});

test('consoles and UARTs that are not fitted are no ports, those of the board are', async () => {
  const root = newRoot();
  for (const [name, type] of [
    ['ttyS0', '4'],
    ['ttyS1', '0'],
  ] as const) {
    const device = join(root, 'sys/devices/platform/serial8250');
    put(join(root, 'sys/class/tty', name, 'type'), type);
    mkdirSync(device, { recursive: true });
    link(join(root, 'sys/class/tty', name, 'device'), device);
  }
  mkdirSync(join(root, 'sys/class/tty/tty1'), { recursive: true });
  const ports = await listed(root);
  assert.equal(
    ports.map(({ path, usb, driver }) => [path, usb, driver]),
    [[join(root, 'dev/ttyS0'), undefined, undefined]],
  );
  assert.is(describePort(ports[0]!), join(root, 'dev/ttyS0'));
});

test('no /sys at all is no port', async () => {
  const root = newRoot();
  assert.equal(await listed(join(root, 'nothing')), []);
  assert.is(portChoices([]), 'no serial port is there');
});

test('this very machine is listed without udevadm', async () => {
  assert.ok(Array.isArray(await listPorts()));
});

test('a port in words', async () => {
  const root = newRoot(FTDI, NO_SERIAL);
  const [ftdi, bare] = await listed(root);
  assert.is(
    describePort(ftdi!),
    `${root}/dev/ttyUSB0: Maker Thing, usb:0403:6001:A50285BI, ftdi_sio, latency timer 16 ms`,
  );
  assert.is(
    describePort(bare!),
    `${root}/dev/ttyUSB7: Maker Thing, usb 1a86:7523, no serial number, ch341`,
  );
  assert.match(portChoices([ftdi!, bare!]), `there is ${ftdi!.byId}; ${root}/dev/ttyUSB7: `);
});

test('a rig file may name a port by the serial number of its adapter', async () => {
  const root = newRoot(FTDI, ACM);
  const ports = await listed(root);
  for (const written of ['usb:A50285BI', 'usb:0403:6001:A50285BI']) {
    assert.is(resolvePort(written, ports), join(root, 'dev/ttyUSB0'));
  }
  assert.is(
    resolvePort('usb:E6:60:58:38', ports),
    join(root, 'dev/ttyACM0'),
    'colons in the number',
  );
  assert.is(resolvePort('usb:2E8A:000A:E6:60:58:38', ports), join(root, 'dev/ttyACM0'));
  assert.is(resolvePort('/any/path', ports), '/any/path');
});

test('an adapter that is not there names those that are', async () => {
  const ports = await listed(newRoot(FTDI));
  for (const written of ['usb:A50285B', 'usb:0403:6002:A50285BI', 'usb:a50285bi']) {
    const error = refused(() => resolvePort(written, ports));
    assert.is(error.code, 'port-missing');
    assert.is(error.exit, 6);
    assert.match(error.actual!, FTDI.byId!);
  }
});

test('two ports of one serial number are not chosen from', async () => {
  const ports = await listed(newRoot(CP2105('ttyUSB1', '00'), CP2105('ttyUSB2', '01')));
  const error = refused(() => resolvePort('usb:00C0FFEE', ports));
  assert.is(error.code, 'port-ambiguous');
  assert.match(error.actual!, 'if00-port0, ');
});

test('a port that moved to another socket is found again, and its old path is not', async () => {
  const root = newRoot(FTDI, CP2105('ttyUSB1', '00'));
  const path = join(root, 'dev/ttyUSB0');
  const before = await listed(root);
  const known = stableId(portAt(path, before)!)!;
  assert.is(resolvePort(path, before, known), path);
  // Plugged in again in the other order: the numbers are swapped.
  const after = await listed(
    newRoot({ ...FTDI, node: 'ttyUSB1', socket: '3-4' }, CP2105('ttyUSB0', '00')),
  );
  const renamed = after.map((port) => ({ ...port, path: join(root, 'dev', port.path.slice(-7)) }));
  assert.is(resolvePort(path, renamed, known), join(root, 'dev/ttyUSB1'));
  const error = refused(() => resolvePort(path, renamed.slice(0, 1), known));
  assert.is(error.code, 'port-missing');
});

test('a name below by-id is found by what it leads to', async () => {
  const root = newRoot(FTDI);
  const ports = await listed(root);
  assert.is(portAt(ports[0]!.byId!, ports), ports[0]);
  const elsewhere = join(root, 'my-hub');
  symlinkSync(ports[0]!.path, elsewhere);
  assert.is(portAt(elsewhere, ports), ports[0]);
  assert.is(portAt(join(root, 'dev/ttyUSB9'), ports), undefined);
});

function newRoot(...adapters: Adapter[]): string {
  const root = mkdtempSync(join(tmpdir(), 'uplift-ports-'));
  roots.push(root);
  for (const adapter of adapters) plugIn(root, adapter);
  return root;
}

async function listed(root: string): Promise<SerialPortInfo[]> {
  return listPorts({ root, platform: 'linux' });
}

/** As Linux 6 lays it out: the tty's device is a port below an interface below the USB device. */
function plugIn(root: string, adapter: Adapter): void {
  const { node, socket, driver, interfaces = 1, interfaceNumber = '00' } = adapter;
  const usb = join(root, 'sys/devices/pci0000:00/usb1', socket);
  const usbInterface = join(usb, `${socket}:1.${Number(interfaceNumber)}`);
  const port = node.startsWith('ttyUSB') ? join(usbInterface, node) : usbInterface;
  put(join(usb, 'idVendor'), adapter.vendor!);
  put(join(usb, 'idProduct'), adapter.product!);
  if (adapter.serial) put(join(usb, 'serial'), adapter.serial);
  put(join(usb, 'manufacturer'), 'Maker');
  put(join(usb, 'product'), 'Thing');
  put(join(usb, 'bNumInterfaces'), ` ${interfaces}`);
  put(join(usbInterface, 'bInterfaceNumber'), interfaceNumber);
  if (adapter.latencyTimer) put(join(port, 'latency_timer'), String(adapter.latencyTimer));
  const driverFolder = join(root, 'sys/bus/usb-serial/drivers', driver);
  mkdirSync(driverFolder, { recursive: true });
  mkdirSync(port, { recursive: true });
  link(join(port, 'driver'), driverFolder);
  const tty = join(port, 'tty', node);
  mkdirSync(tty, { recursive: true });
  link(join(tty, 'device'), port);
  link(join(root, 'sys/class/tty', node), tty);
  put(join(root, 'dev', node), '');
  if (adapter.byId) link(join(root, 'dev/serial/by-id', adapter.byId), join(root, 'dev', node));
}

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${content}\n`);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(relative(dirname(path), target), `${path}.new`);
  renameSync(`${path}.new`, path);
}

function refused(resolve: () => unknown): UpliftError {
  try {
    resolve();
  } catch (error) {
    assert.instance(error, UpliftError);
    return error as UpliftError;
  }
  throw new Error('it was resolved');
}

test.run();
