/** `uplift rig check|list|join|up`: what is wired to what, and whether it answers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { escapeText } from '../bytes/escape-text.ts';
import { hex } from '../bytes/hex.ts';
import { loadRig } from '../config/load.ts';
import type {
  CoordinatorConfig,
  HubDevice,
  PpmidDevice,
  Rig,
  RigDevice,
} from '../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { StateFolder } from '../gateway/state-folder.ts';
import { READ_TIMEOUT_MS } from '../gateway/zigbee-device.ts';
import { notJoined, ZigbeeSite } from '../gateway/zigbee-site.ts';
import { type LeaseRecord, leaseWords } from '../lab/rig/leases.ts';
import type { DeviceReading } from '../protocol/zcl-ota/device-reading.ts';
import { startVirtualRig } from '../virtual/rig.ts';
import { checkHubs, type HubCheck, hubDocument, hubLines, selectHubs } from './hub-check.ts';
import { selectPpmids } from './inputs.ts';
import { type Output, paint, table } from './output.ts';
import { checkPower, type PowerCheck, powerLines } from './power-check.ts';
import { leasesOf } from './rig-locks.ts';
import { shippedPath } from './shipped.ts';
import { siteLine } from './site-line.ts';

export interface RigCommandOptions {
  rig: string;
  device?: string[];
  fresh?: boolean;
  /** Switches supplies off and on to see whether they work. */
  power?: boolean;
}

interface DeviceCheck {
  device: string;
  eui64: string;
  coordinator: string;
  answers: boolean;
  reading?: DeviceReading;
  code?: string;
  problem?: string;
  next?: string;
}

export function list(options: { rig?: string }, output: Output): ExitCode {
  if (options.rig === undefined) {
    const folder = shippedPath('hw-config', 'rigs');
    const rigs = readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(folder, name));
    output.result({ rigs }, ['Rigs that come with Uplift:', ...rigs.map((path) => `  ${path}`)]);
    return EXIT.done;
  }
  const rig = loadRig(options.rig);
  const rows = rig.devices.map((device) =>
    device.kind === 'ppmid'
      ? [device.id, device.eui64, device.coordinator, device.model.model]
      : [device.id, device.port, hubLineText(device), device.model.model],
  );
  const ports = rig.coordinators.map(({ id, adapter, port, virtual }) => [
    id,
    adapter,
    port,
    virtual ? 'virtual' : '',
  ]);
  output.result({ rig: rig.id, coordinators: rig.coordinators, devices: rig.devices }, [
    `${rig.id}: ${rig.description}`,
    ...table(ports, '  '),
    ...table(rows, '  '),
  ]);
  return EXIT.done;
}

/** What a hub's line is: `smp, 115200 baud, virtual`. */
function hubLineText({ baudRate, model, virtual }: HubDevice): string {
  const words = [model.serial.protocol, `${baudRate} baud`, ...(virtual ? ['virtual'] : [])];
  return words.join(', ');
}

/** Opens every coordinator and every hub's port, and asks every device what it runs. Writes nothing to a device. */
export async function check(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  return checkRig(options, output, (coordinator) => coordinator.joining === 'open-when-missing');
}

/** Opens the network for the devices of the rig that are not on it yet. */
export async function joinDevices(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  return checkRig(options, output, () => true);
}

/** Runs the virtual devices of a rig until it is told to stop. */
export async function up(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  const rig = loadRig(options.rig);
  if (![...rig.coordinators, ...rig.hubs].some(({ virtual }) => virtual)) {
    throw new UpliftError('rig-not-virtual', `the rig ${rig.id} has no virtual devices`, {
      expected: 'a coordinator or a hub with a `virtual` part',
      actual: 'real ones only',
      next: 'use it directly: `uplift rig check --rig FILE`; for a rig without hardware take hw-config/rigs/virtual-ppmid.yaml',
    });
  }
  if (options.fresh) forget(rig);
  const virtual = await startVirtualRig(rig, {
    networkKeys: networkKeys(rig),
    onEvent: (event) => {
      if (output.json) output.event(event);
      else if (output.verbose) output.event(event, JSON.stringify(event));
    },
  });
  const portsOf = (all: ReadonlyMap<string, { path: string }>) =>
    [...all].map(([id, { path }]) => ({ id, path }));
  const coordinators = portsOf(virtual.coordinators);
  const hubs = portsOf(virtual.hubs);
  const devices = virtual.devices.size + hubs.length;
  output.result({ kind: 'ready', rig: rig.id, coordinators, hubs, devices }, [
    `${rig.id} is up: ${devices} virtual ${devices === 1 ? 'device' : 'devices'}`,
    ...[...coordinators, ...hubs].map(({ id, path }) => `  ${id} on ${path}`),
    'Ctrl-C ends it.',
  ]);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await virtual.stop();
  return EXIT.done;
}

/** New devices on an empty network: the devices' side and the gateway's side of it. */
function forget(rig: Rig): void {
  const state = StateFolder.open(rig.stateFolder);
  state.clear();
  state.close();
}

/** A virtual coordinator whose network is formed already knows the key that the gateway generates. */
function networkKeys(rig: Rig): Map<string, string> {
  const state = StateFolder.shared(rig.stateFolder);
  return new Map(
    rig.coordinators.map(({ id, network }) => [id, state.networkKey(id, network.networkKey)]),
  );
}

interface RigChecks {
  power: PowerCheck[];
  devices: DeviceCheck[];
  hubs: HubCheck[];
  /** Of devices that were not asked. */
  leases: LeaseRecord[];
}

/** A coordinator that does not open hides nothing of the others. */
async function checkRig(
  options: RigCommandOptions,
  output: Output,
  joins: (coordinator: CoordinatorConfig) => boolean,
): Promise<ExitCode> {
  const rig: Rig = loadRig(options.rig);
  const hubs = selectHubs(rig, options.device);
  const others = options.device?.filter((name) => !hubs.some(({ id }) => id === name));
  // Nothing but hubs, in the rig or among the names, is no PPMID and no mistake.
  const onlyHubs = hubs.length > 0 && (others?.length === 0 || rig.ppmids.length === 0);
  const ppmids = onlyHubs ? [] : selectPpmids(rig, others);
  const state = StateFolder.open(rig.stateFolder);
  const site = new ZigbeeSite(state, (event) => {
    if (event.kind === 'link' && !output.verbose) return;
    output.event(event, siteLine(event, output.verbose));
  });
  try {
    const leases = await leasesOf(rig);
    const isFree = ({ id }: { id: string }) => !leases.has(id);
    const freeHubs = hubs.filter(isFree);
    const freePpmids = ppmids.filter(isFree);
    const used = rig.coordinators.filter(({ id }) =>
      freePpmids.some(({ coordinator }) => coordinator === id),
    );
    const wired = [...used, ...freePpmids, ...freeHubs];
    const power = await checkPower(wired, options.power === true);
    if (options.power) await booted(wired);
    const leased = [...ppmids, ...hubs].flatMap(({ id }) => leases.get(id) ?? []);
    const isAlone = freeHubs.length + power.length + leased.length === 0;
    const devices = await checkPpmids(used, freePpmids, { joins, site, isAlone });
    const checks = { power, devices, hubs: await checkHubs(freeHubs), leases: leased };
    return report(rig, checks, output);
  } finally {
    await site.close();
    state.close();
  }
}

/** `isAlone`: where none of their coordinators opens, there is nothing else to tell, and that is thrown. */
async function checkPpmids(
  coordinators: readonly CoordinatorConfig[],
  ppmids: readonly PpmidDevice[],
  {
    joins,
    site,
    isAlone,
  }: { joins: (one: CoordinatorConfig) => boolean; site: ZigbeeSite; isAlone: boolean },
): Promise<DeviceCheck[]> {
  const checks: DeviceCheck[] = [];
  const errors: UpliftError[] = [];
  for (const coordinator of coordinators) {
    const mine = ppmids.filter((device) => device.coordinator === coordinator.id);
    try {
      await site.open(coordinator);
      checks.push(...(await checkDevices(mine, coordinator, joins(coordinator), site)));
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      errors.push(error);
      checks.push(...mine.map((device) => unasked(device, error)));
    }
  }
  if (isAlone && errors.length === coordinators.length && errors[0]) throw errors[0];
  return checks;
}

function report(rig: Rig, { power, devices, hubs, leases }: RigChecks, output: Output): ExitCode {
  const silent = devices.filter(({ answers }) => !answers);
  const silentHubs = hubs.filter(({ answers }) => !answers);
  const broken = power.filter(({ works }) => !works);
  const documents = [...devices, ...hubs.map(hubDocument)];
  output.result(
    { kind: 'result', rig: rig.id, devices: documents, power, leases },
    [
      ...powerLines(power),
      ...checkLines(devices),
      ...hubLines(hubs),
      ...leaseLines(leases),
      ...countLines([...devices, ...hubs]),
    ],
    [...powerLines(broken), ...checkLines(silent), ...hubLines(silentHubs), ...leaseLines(leases)],
  );
  const wrong = silent.length + silentHubs.length + broken.length + leases.length;
  return wrong === 0 ? EXIT.done : EXIT.notReachable;
}

/** From its power to its first answer; assumed, since nothing states it. */
const COORDINATOR_BOOT_MS = 3_000;

/** What was switched off and on has to start. */
async function booted(wired: readonly (RigDevice | CoordinatorConfig)[]): Promise<void> {
  const bootMs = wired.map((one) => {
    if (one.power === undefined || one.power.driver === 'virtual') return 0;
    if (!('kind' in one)) return COORDINATOR_BOOT_MS;
    return one.kind === 'hub' ? one.model.serial.bootMs : one.model.otaClient.rebootMs;
  });
  await new Promise((done) => setTimeout(done, Math.max(0, ...bootMs)));
}

/** A device that a run or a person has is left alone: it may be in the middle of an upgrade. */
function leaseLines(leased: readonly LeaseRecord[]): string[] {
  return leased.map((lease) => `${paint('red', '✗')} not asked: ${leaseWords(lease)}`);
}

async function checkDevices(
  devices: PpmidDevice[],
  coordinator: CoordinatorConfig,
  join: boolean,
  site: ZigbeeSite,
): Promise<DeviceCheck[]> {
  const missing = await site.missing(coordinator, devices, join);
  return Promise.all(
    devices.map((device) =>
      missing.includes(device)
        ? unasked(device, notJoined(device, coordinator, join))
        : checkDevice(device, coordinator, site),
    ),
  );
}

function unasked(device: PpmidDevice, error: UpliftError): DeviceCheck {
  const { id, eui64, coordinator } = device;
  const { code, message, actual, next } = error;
  const problem = actual ? `${message}; ${actual}` : message;
  return {
    device: id,
    eui64,
    coordinator,
    answers: false,
    code,
    problem,
    ...(next ? { next } : {}),
  };
}

async function checkDevice(
  device: PpmidDevice,
  coordinator: CoordinatorConfig,
  site: ZigbeeSite,
): Promise<DeviceCheck> {
  const { id, eui64, model } = device;
  try {
    const { endpoint } = model.zigbee;
    const reading = await site
      .link(coordinator.id)
      .call('read', { eui64, endpoint, timeoutMs: READ_TIMEOUT_MS });
    return { device: id, eui64, coordinator: coordinator.id, answers: true, reading };
  } catch (error) {
    const next =
      'check that it is powered and in range; a sleeping device may need its button pressed';
    const message = (error as Error).message;
    return unasked(device, new UpliftError('device-silent', message, { next }));
  }
}

function checkLines(checks: DeviceCheck[]): string[] {
  return checks.flatMap((entry) => {
    const { device, eui64, reading, problem, next } = entry;
    if (!reading) {
      return [
        `${paint('red', '✗')} ${device} (${eui64}) does not answer`,
        ...table([['found', problem ?? 'silence'], ...(next ? [['next', next]] : [])], '    '),
      ];
    }
    const { manufacturerName, modelIdentifier, softwareBuild, currentFileVersion } = reading;
    const version = currentFileVersion === undefined ? NOT_SAID : hex(currentFileVersion, 8);
    const rows = [
      ['model', `${saidText(manufacturerName)}, ${saidText(modelIdentifier)}`],
      ['firmware', saidText(softwareBuild)],
      ['file version', version],
    ];
    return [`${paint('green', '✓')} ${device} (${eui64}) answers`, ...table(rows, '    ')];
  });
}

function countLines(checks: readonly { answers: boolean }[]): string[] {
  if (checks.length < 2) return [];
  const answering = checks.filter(({ answers }) => answers).length;
  return ['', `${answering} of ${checks.length} devices answer`];
}

const NOT_SAID = 'not said';

/** A device's own words may hold anything, also what would move a terminal's cursor. */
function saidText(text: string | undefined): string {
  return text === undefined ? NOT_SAID : escapeText(text);
}
