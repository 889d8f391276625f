/** The part of `uplift rig check` that looks at the ports of hubs: whether they open, and how quick they are. */
import type { HubDevice, Rig } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import { newLink } from '../transport/serial/link.ts';
import { describePort } from '../transport/serial/ports.ts';
import { type PortReading, SerialLink } from '../transport/serial/serial-link.ts';
import { paint, table } from './output.ts';

export interface HubCheck {
  device: string;
  port: string;
  opens: boolean;
  /** The device node that the port is now. */
  path?: string;
  /** Of an FTDI adapter: how long it holds short input back, unless the driver was won over. */
  latencyTimerMs?: number;
  isLowLatency?: boolean;
  hasModemLines?: boolean;
  /** What the adapter says of itself. */
  adapter?: string;
  code?: string;
  problem?: string;
  next?: string;
}

/** A longer one costs more than the line: a request and its answer wait for it. */
const LATENCY_TIMER_MAX_MS = 2;

/** Those named, or all where nothing is. */
export function selectHubs(rig: Rig, names: string[] | undefined): HubDevice[] {
  return names && names.length > 0 ? rig.hubs.filter(({ id }) => names.includes(id)) : rig.hubs;
}

/** Sends nothing. A port that does not open hides nothing of the others. */
export function checkHubPorts(hubs: readonly HubDevice[]): Promise<HubCheck[]> {
  return Promise.all(hubs.map(checkHubPort));
}

async function checkHubPort({ id, port, baudRate, model }: HubDevice): Promise<HubCheck> {
  const link = newLink({ port, baudRate, rtscts: model.serial.rtscts });
  try {
    await link.open({ received: () => {}, closed: () => {} });
    const reading = link instanceof SerialLink ? await link.reading() : undefined;
    return { device: id, port, opens: true, ...(reading && factsOf(reading)) };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    const { code, message, actual, next } = error;
    const problem = actual ? `${message}; ${actual}` : message;
    return { device: id, port, opens: false, code, problem, ...(next ? { next } : {}) };
  } finally {
    await link.close();
  }
}

function factsOf({ path, info, hasModemLines, isLowLatency }: PortReading): Partial<HubCheck> {
  const timer = info?.latencyTimerMs;
  return {
    path,
    hasModemLines,
    isLowLatency,
    ...(info && { adapter: describePort(info) }),
    ...(timer === undefined ? {} : { latencyTimerMs: timer }),
  };
}

export function hubLines(checks: readonly HubCheck[]): string[] {
  return checks.flatMap((check) => {
    const { device, port, opens, problem, next } = check;
    if (!opens) {
      return [
        `${paint('red', '✗')} ${device} (${port}) does not open`,
        ...table([['found', problem ?? 'nothing'], ...(next ? [['next', next]] : [])], '    '),
      ];
    }
    const rows = [
      ...(check.adapter ? [['adapter', check.adapter]] : []),
      ...(check.hasModemLines === false ? [['lines', 'no RTS and DTR']] : []),
      ...latencyRow(check),
    ];
    return [`${paint('green', '✓')} ${device} (${port}) opens`, ...table(rows, '    ')];
  });
}

function latencyRow({ latencyTimerMs, isLowLatency, path = '' }: HubCheck): string[][] {
  if (latencyTimerMs === undefined) return [];
  if (isLowLatency) return [['latency', 'low']];
  if (latencyTimerMs <= LATENCY_TIMER_MAX_MS) return [];
  const attribute = `/sys/bus/usb-serial/devices/${path.split('/').at(-1)}/latency_timer`;
  return [['latency', `${latencyTimerMs} ms an answer; for less: echo 1 > ${attribute}`]];
}
