/** Pseudo-terminals for the tests of links: the device's end is here, its path is what a link opens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
