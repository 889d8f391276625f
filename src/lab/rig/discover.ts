/**
 * What is plugged in, and the rig file that follows from it. Each port is opened for itself and asked, most
 * harmless question first: is a coordinator there, then whatever the probe of hubs finds. Nothing is written
 * to a device; without opening the ports are only listed.
 */
import { UpliftError } from '../../errors.ts';
import type { Link } from '../../ports.ts';
import { LinkDriver } from '../../transport/serial/driver.ts';
import { newLink } from '../../transport/serial/link.ts';
import { type SerialPortInfo, stableId } from '../../transport/serial/ports.ts';
import type { HubFinding } from '../../upgrade/hub-finding.ts';
import { HubProbe } from '../../upgrade/hub-probe.ts';
import { type CoordinatorFinding, ZnpProbe } from '../znp/probe.ts';

export type PortFinding =
  /** It was not opened. */
  | { kind: 'not-asked' }
  | { kind: 'not-opened'; error: UpliftError }
  | { kind: 'coordinator'; finding: CoordinatorFinding }
  | { kind: 'hub'; finding: HubFinding };

export interface FoundPort {
  info: SerialPortInfo;
  /** As a rig file is to write it: what stays the same in every socket, and after a restart. */
  port: string;
  baudRate: number;
  found: PortFinding;
}

export interface DiscoverOptions {
  ports: readonly SerialPortInfo[];
  baudRate: number;
  /** False opens nothing. */
  asks: boolean;
  newLink?: (port: string, baudRate: number) => Link;
  onPort?: (found: FoundPort) => void;
}

/** Ports that are no adapter's are left out: a console of the board is not a device of a rig. */
export async function discover(options: DiscoverOptions): Promise<FoundPort[]> {
  const { ports, baudRate, asks, onPort } = options;
  const open =
    options.newLink ?? ((port, rate) => newLink({ port, baudRate: rate, rtscts: false }));
  const adapters = ports.filter(({ usb }) => usb !== undefined);
  const found = adapters.map(async (info): Promise<FoundPort> => {
    const port = writtenPort(info, ports);
    const finding: PortFinding = asks
      ? await askPort(open(info.path, baudRate), baudRate)
      : { kind: 'not-asked' };
    const one = { info, port, baudRate, found: finding };
    onPort?.(one);
    return one;
  });
  return Promise.all(found);
}

/** By its serial number, its name below /dev/serial/by-id, or where it has neither its node. */
function writtenPort(info: SerialPortInfo, ports: readonly SerialPortInfo[]): string {
  if (info.byId !== undefined) return info.byId;
  const id = stableId(info);
  const isSole = id !== undefined && ports.filter((other) => stableId(other) === id).length === 1;
  return isSole && !id.includes('#') ? id : info.path;
}

async function askPort(link: Link, baudRate: number): Promise<PortFinding> {
  const driver = new LinkDriver(link);
  try {
    await driver.open();
    const coordinator = await run<{ finding: CoordinatorFinding | undefined }>(
      driver,
      new ZnpProbe(),
    );
    if (coordinator.finding) return { kind: 'coordinator', finding: coordinator.finding };
    await driver.discard();
    const probe = new HubProbe({ protocol: 'smp', baudRate }, Date.now());
    const { finding } = await run<{ finding: HubFinding }>(driver, probe);
    return { kind: 'hub', finding };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    return { kind: 'not-opened', error };
  } finally {
    await link.close();
  }
}

function run<Event>(
  driver: LinkDriver,
  machine: Parameters<typeof driver.run<Event>>[0],
): Promise<Event> {
  return new Promise((resolve, reject) => {
    driver.run<Event>(machine, {
      event: (event) => {
        driver.release();
        resolve(event);
      },
      closed: () => reject(new UpliftError('link-lost', `${driver.link.name} went away`)),
    });
  });
}
