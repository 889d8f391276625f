/** The part of `uplift rig check` that looks at hubs: whether the port opens, how quick it is, what answers. */

import { escapeText } from '../bytes/escape-text.ts';
import { encodeHex } from '../bytes/hex.ts';
import type { HubDevice, Rig } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import { portOf } from '../gateway/device-ports.ts';
import { probeHub } from '../gateway/device-words.ts';
import type { ImageEntry } from '../protocol/smp/messages.ts';
import { LinkDriver } from '../transport/serial/driver.ts';
import { describePort } from '../transport/serial/ports.ts';
import { type PortReading, SerialLink } from '../transport/serial/serial-link.ts';
import { findingWords, HUB_PROBLEMS, type HubFinding, problemOf } from '../upgrade/hub-finding.ts';
import { paint, table } from './output.ts';

export interface HubCheck {
  device: string;
  port: string;
  opens: boolean;
  answers: boolean;
  /** The device node that the port is now. */
  path?: string;
  /** Of an FTDI adapter: how long it holds short input back, unless the driver was won over. */
  latencyTimerMs?: number;
  isLowLatency?: boolean;
  hasModemLines?: boolean;
  /** What the adapter says of itself. */
  adapter?: string;
  baudRate?: number;
  found?: HubFinding;
  code?: string;
  problem?: string;
  next?: string;
}

/** A longer one costs more than the line: a request and its answer wait for it. */
const LATENCY_TIMER_MAX_MS = 2;

/** Of what was heard and not understood; enough to tell a log from a shell. */
const HEARD_SHOWN = 60;

/** Those named, or all where nothing is. */
export function selectHubs(rig: Rig, names: string[] | undefined): HubDevice[] {
  return names && names.length > 0 ? rig.hubs.filter(({ id }) => names.includes(id)) : rig.hubs;
}

/** Of a hub behind a Gecko or Ember bootloader silence is no fault yet. */
const AS_USUAL =
  'nothing, where its application runs and speaks no protocol: an upgrade brings it into its bootloader ' +
  'by the steps under serial.enterBootloader of its model; else check power, cable, RX and TX';

/** Only reads. A hub that does not answer hides nothing of the others. */
export function checkHubs(hubs: readonly HubDevice[]): Promise<HubCheck[]> {
  return Promise.all(hubs.map(checkHub));
}

async function checkHub(hub: HubDevice): Promise<HubCheck> {
  const { id, port, baudRate, model } = hub;
  const link = portOf(hub);
  const check = { device: id, port, opens: false, answers: false };
  try {
    const driver = new LinkDriver(link);
    await driver.open();
    const reading = link instanceof SerialLink ? await link.reading() : undefined;
    const found = await probeHub(driver, hub);
    const problem = problemOf(found);
    const { sentence, next } = problem ? HUB_PROBLEMS[problem] : { sentence: '', next: '' };
    return {
      ...check,
      opens: true,
      answers: problem === undefined,
      ...(reading && factsOf(reading)),
      baudRate,
      found,
      ...(problem && {
        code: problem,
        problem: sentence,
        next: problem === 'hub-silent' && model.serial.protocol !== 'smp' ? AS_USUAL : next,
      }),
    };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    const { code, message, actual, next } = error;
    const problem = actual ? `${message}; ${actual}` : message;
    return { ...check, code, problem, ...(next ? { next } : {}) };
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
    const { device, port, opens, answers, problem, next, found } = check;
    const name = `${device} (${port})`;
    const troubles = [['found', problem ?? 'nothing'], ...(next ? [['next', next]] : [])];
    if (!opens) {
      return [`${paint('red', '✗')} ${name} does not open`, ...table(troubles, '    ')];
    }
    const line = [
      ...(check.adapter ? [['adapter', check.adapter]] : []),
      ...(check.hasModemLines === false ? [['lines', 'no RTS and DTR']] : []),
      ...latencyRow(check),
    ];
    if (!answers) {
      const rows = [...troubles.slice(0, 1), ...heardRows(check), ...troubles.slice(1), ...line];
      return [`${paint('red', '✗')} ${name} does not answer`, ...table(rows, '    ')];
    }
    const rows = [...foundRows(found!), ...line];
    return [`${paint('green', '✓')} ${name} answers`, ...table(rows, '    ')];
  });
}

/** As programs want it: hashes as digits. */
export function hubDocument(check: HubCheck): object {
  const { found } = check;
  if (found?.kind !== 'smp') return check;
  const images = found.images.map((image) => ({ ...image, hash: encodeHex(image.hash) }));
  return { ...check, found: { ...found, images } };
}

function heardRows({ found, baudRate }: HubCheck): string[][] {
  if (found?.kind !== 'babble') return [];
  const speed = ['speed', `${baudRate} baud`];
  if (!found.readable) return [['heard', `${found.heardBytes} bytes`], speed];
  return [['heard', escapeText(found.text.slice(-HEARD_SHOWN))], speed];
}

function foundRows(found: HubFinding): string[][] {
  const runs = ['runs', escapeText(findingWords(found))];
  if (found.kind !== 'smp') return [runs];
  const { params, images } = found;
  return [
    runs,
    ...images.map((image) => [slotName(image), imageText(image)]),
    ...(params ? [['buffer', `${params.bufferBytes} bytes, ${params.bufferCount} of them`]] : []),
  ];
}

function slotName({ image, slot }: ImageEntry): string {
  return image === 0 ? `slot ${slot}` : `image ${image} slot ${slot}`;
}

function imageText(image: ImageEntry): string {
  const flags = (['active', 'confirmed', 'pending', 'permanent'] as const).filter(
    (flag) => image[flag],
  );
  const version = image.version === '' ? 'version not said' : escapeText(image.version);
  return [version, ...flags].join(', ');
}

function latencyRow({ latencyTimerMs, isLowLatency, path = '' }: HubCheck): string[][] {
  if (latencyTimerMs === undefined) return [];
  if (isLowLatency) return [['latency', 'low']];
  if (latencyTimerMs <= LATENCY_TIMER_MAX_MS) return [];
  const attribute = `/sys/bus/usb-serial/devices/${path.split('/').at(-1)}/latency_timer`;
  return [['latency', `${latencyTimerMs} ms an answer; for less: echo 1 > ${attribute}`]];
}
