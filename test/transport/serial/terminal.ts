/** Pseudo-terminals for the tests of links: the device's end is here, its path is what a link opens. */
import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { UpliftError } from '../../../src/errors.ts';
import { type HostPort, openHostPort } from '../../../src/virtual/host-port.ts';

const folder = mkdtempSync(join(tmpdir(), 'uplift-serial-'));
const open: HostPort[] = [];
let count = 0;

/** A device on a new pseudo-terminal; undefined, and said so, where this machine cannot make one. */
export async function newTerminal(
  received: (chunk: Uint8Array, device: HostPort) => void = () => {},
  port = join(folder, `device-${count++}`),
): Promise<HostPort | undefined> {
  try {
    const device: HostPort = await openHostPort(port, {
      connected: () => {},
      received: (chunk) => received(chunk, device),
      disconnected: () => {},
    });
    open.push(device);
    return device;
  } catch (error) {
    if (!(error instanceof UpliftError) || process.env['CI'] === 'true') throw error;
    console.log(`SKIP no pseudo-terminal here: ${error.actual}`);
    return undefined;
  }
}

/** How many descriptors of this process are open on a terminal, also one that is gone; 0 where unknown. */
export function descriptorsOf(path: string): number {
  if (process.platform !== 'linux') return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).replace(' (deleted)', '') === path;
    } catch {
      return false;
    }
  }).length;
}

/** A path in the tests' folder that is nothing yet. */
export function freePath(name: string): string {
  return join(folder, name);
}

export async function removeTerminals(): Promise<void> {
  for (const device of open) await device.cut();
  rmSync(folder, { recursive: true, force: true });
}

export async function until(condition: () => boolean, limitMs = 5_000): Promise<void> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > limitMs) throw new Error(`not within ${limitMs} ms`);
    await new Promise((done) => setTimeout(done, 2));
  }
}

/** A terminal whose device takes nothing until it is told to; undefined as above. */
export function newDeafTerminal():
  | { path: string; listen(): Promise<number>; remove(): void }
  | undefined {
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`;
  let opened: { master: number; slave: number; pty: string };
  try {
    opened = createRequire(import.meta.url)(name).open(80, 24);
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log(`SKIP no pseudo-terminal here: ${(error as Error).message}`);
    return undefined;
  }
  const slave = new ReadStream(opened.slave);
  slave.setRawMode(true);
  // Node opened the terminal once more for its stream, and would leave this one open for good.
  if (descriptorsOf(opened.pty) > 1) closeSync(opened.slave);
  const master = new ReadStream(opened.master);
  return {
    path: opened.pty,
    // How many bytes there are until there are no more for a while.
    listen: () =>
      new Promise((done) => {
        let bytes = 0;
        let quiet = setTimeout(() => done(bytes), 200);
        master.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          clearTimeout(quiet);
          quiet = setTimeout(() => done(bytes), 200);
        });
      }),
    remove: () => {
      master.destroy();
      slave.destroy();
    },
  };
}
