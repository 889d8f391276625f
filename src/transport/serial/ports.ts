/**
 * Which serial ports there are, and which of them a rig file means.
 *
 * On Linux the kernel is asked below /sys, since the stock list needs a program that a gateway board may
 * not have. A port's number changes with the order of plugging in; its stable id, made of what the USB
 * adapter says of itself, does not: by it a port is found again in another socket.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EXIT, UpliftError } from '../../errors.ts';
import { stockList } from './binding.ts';

export interface UsbAdapter {
  /** Four hexadecimal digits each, lower case. */
  vendorId: string;
  productId: string;
  serialNumber: string | undefined;
  manufacturer: string | undefined;
  product: string | undefined;
  /** Of an adapter with several ports, which one. */
  interfaceNumber: string | undefined;
}

export interface SerialPortInfo {
  /** The device node, such as /dev/ttyUSB0. */
  path: string;
  /** Its name below /dev/serial/by-id, where it has one. */
  byId: string | undefined;
  usb: UsbAdapter | undefined;
  driver: string | undefined;
  /** Of an FTDI chip: how long it holds short input back. */
  latencyTimerMs: number | undefined;
}

export interface PortsOptions {
  /** Where /sys and /dev are; another folder in tests. */
  root?: string;
  platform?: NodeJS.Platform;
}

export async function listPorts({
  root = '/',
  platform = process.platform,
}: PortsOptions = {}): Promise<SerialPortInfo[]> {
  if (platform === 'linux') return linuxPorts(root);
  const listed = await stockList();
  return listed.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
    path,
    byId: undefined,
    usb:
      vendorId === undefined || productId === undefined
        ? undefined
        : {
            vendorId: vendorId.toLowerCase(),
            productId: productId.toLowerCase(),
            serialNumber,
            manufacturer,
            product: undefined,
            interfaceNumber: undefined,
          },
    driver: undefined,
    latencyTimerMs: undefined,
  }));
}

/** The same in every socket; undefined where the adapter has no serial number of its own. */
export function stableId({ usb }: SerialPortInfo): string | undefined {
  if (usb?.serialNumber === undefined) return undefined;
  const port = usb.interfaceNumber === undefined ? '' : `#${usb.interfaceNumber}`;
  return `usb:${usb.vendorId}:${usb.productId}:${usb.serialNumber}${port}`;
}

/** `/dev/ttyUSB0: FTDI FT232R USB UART, usb:0403:6001:A50285BI, ftdi_sio, latency timer 16 ms`. */
export function describePort(port: SerialPortInfo): string {
  const { usb, driver, latencyTimerMs } = port;
  const maker = [usb?.manufacturer, usb?.product].filter((part) => part !== undefined).join(' ');
  const id = stableId(port) ?? (usb && `usb ${usb.vendorId}:${usb.productId}, no serial number`);
  const timer = latencyTimerMs === undefined ? undefined : `latency timer ${latencyTimerMs} ms`;
  const facts = [maker, id, driver, timer].filter((fact) => fact);
  return facts.length === 0 ? port.path : `${port.path}: ${facts.join(', ')}`;
}

/** The port that has this path, or whose name below /dev/serial/by-id this is. */
export function portAt(path: string, ports: readonly SerialPortInfo[]): SerialPortInfo | undefined {
  const real = realPath(path);
  return ports.find((port) => [port.path, port.byId].includes(path) || port.path === real);
}

/**
 * The device node for a port as a rig file writes it: a path is taken as it is, `usb:SERIAL` and
 * `usb:VID:PID:SERIAL` are looked for. `known` is the stable id of the port that was open before: a path
 * that has come to belong to another adapter is not opened, the adapter is where it is now.
 * @throws UpliftError
 */
export function resolvePort(
  written: string,
  ports: readonly SerialPortInfo[],
  known?: string,
): string {
  if (written.startsWith('usb:')) return soleMatch(written, matches(written, ports), ports).path;
  if (known === undefined) return written;
  const there = portAt(written, ports);
  if (there && stableId(there) === known) return written;
  const moved = ports.filter((port) => stableId(port) === known);
  return soleMatch(known, moved, ports).path;
}

/** For messages: what there is to choose from. */
export function portChoices(ports: readonly SerialPortInfo[]): string {
  if (ports.length === 0) return 'no serial port is there';
  return `there is ${ports.map((port) => port.byId ?? describePort(port)).join('; ')}`;
}

function matches(written: string, ports: readonly SerialPortInfo[]): SerialPortInfo[] {
  const [, vendorId, productId, serialNumber] =
    /^usb:(?:([0-9a-fA-F]{4}):([0-9a-fA-F]{4}):)?(.+)$/.exec(written) ?? [];
  return ports.filter(({ usb }) => {
    if (usb?.serialNumber === undefined || usb.serialNumber !== serialNumber) return false;
    if (vendorId === undefined) return true;
    return usb.vendorId === vendorId.toLowerCase() && usb.productId === productId!.toLowerCase();
  });
}

function soleMatch(
  wanted: string,
  found: readonly SerialPortInfo[],
  ports: readonly SerialPortInfo[],
): SerialPortInfo {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new UpliftError('port-missing', `no USB adapter is ${wanted}`, {
      expected: 'an adapter with that serial number in any socket',
      actual: portChoices(ports),
      next: 'plug it in, or name one that is there in the rig file',
      exit: EXIT.notReachable,
    });
  }
  if (others.length > 0) {
    throw new UpliftError('port-ambiguous', `${found.length} ports are ${wanted}`, {
      expected: 'one port with that serial number',
      actual: found.map((port) => port.byId ?? port.path).join(', '),
      next: 'name the one by its path below /dev/serial/by-id, or with usb:VID:PID:SERIAL',
      exit: EXIT.notReachable,
    });
  }
  return first;
}

function linuxPorts(root: string): SerialPortInfo[] {
  const byId = namesById(root);
  return entries(join(root, 'sys/class/tty'))
    .flatMap((name) => {
      const folder = join(root, 'sys/class/tty', name);
      const device = realPath(join(folder, 'device'));
      // Virtual consoles have no device, and type 0 is a UART that is not fitted.
      if (device === undefined || text(join(folder, 'type')) === '0') return [];
      const path = join(root, 'dev', name);
      const driver = realPath(join(device, 'driver'));
      const timer = text(join(device, 'latency_timer'));
      return {
        path,
        byId: byId.get(path),
        usb: usbAdapter(device, join(root, 'sys')),
        // "port" is what newer kernels put between a UART and its driver.
        driver: driver === undefined || basename(driver) === 'port' ? undefined : basename(driver),
        latencyTimerMs: timer === undefined ? undefined : Number(timer),
      };
    })
    .sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}

/** Device nodes by what their links below /dev/serial/by-id lead to. */
function namesById(root: string): Map<string, string> {
  const folder = join(root, 'dev/serial/by-id');
  const names = new Map<string, string>();
  for (const name of entries(folder).sort()) {
    const node = realPath(join(folder, name));
    if (node !== undefined && !names.has(node)) names.set(node, join(folder, name));
  }
  return names;
}

/** The USB device is some folders above the port's: the port of an adapter, its interface, then it. */
function usbAdapter(device: string, sys: string): UsbAdapter | undefined {
  let interfaceNumber: string | undefined;
  for (let folder = device; folder.length > sys.length; folder = dirname(folder)) {
    interfaceNumber ??= text(join(folder, 'bInterfaceNumber'));
    const vendorId = text(join(folder, 'idVendor'));
    const productId = text(join(folder, 'idProduct'));
    if (vendorId === undefined || productId === undefined) continue;
    const several = Number(text(join(folder, 'bNumInterfaces')) ?? 1) > 1;
    return {
      vendorId: vendorId.toLowerCase(),
      productId: productId.toLowerCase(),
      serialNumber: text(join(folder, 'serial')),
      manufacturer: text(join(folder, 'manufacturer')),
      product: text(join(folder, 'product')),
      interfaceNumber: several ? interfaceNumber : undefined,
    };
  }
  return undefined;
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** An attribute of the kernel's; undefined where there is none, or nothing in it. */
function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
