/** `uplift rig check|list|join|up`: what is wired to what, and whether it answers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '../bytes/hex.ts';
import { loadRig } from '../config/load.ts';
import type { CoordinatorConfig, Rig, RigDevice } from '../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { StateFolder } from '../gateway/state-folder.ts';
import { notJoined, ZigbeeSite } from '../gateway/zigbee-site.ts';
import type { DeviceReading } from '../protocol/zcl-ota/device-reading.ts';
import { startVirtualRig } from '../virtual/rig.ts';
import { selectDevices, shippedPath } from './inputs.ts';
import { durationText, type Output, paint, table } from './output.ts';

const READ_TIMEOUT_MS = 6_000;

export interface RigCommandOptions {
  rig: string;
  device?: string[];
  fresh?: boolean;
}

interface DeviceCheck {
  device: string;
  eui64: string;
  coordinator: string;
  answers: boolean;
  reading?: DeviceReading;
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
  const rows = rig.devices.map(({ id, eui64, coordinator, model }) => [
    id,
    eui64,
    coordinator,
    model.model,
  ]);
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

/** Opens every coordinator and asks every device what it runs. Writes nothing to a device. */
export async function check(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  return withSite(options, output, async (site, coordinator, devices) => {
    const missing = await site.missing(coordinator, devices);
    return Promise.all(devices.map((device) => checkDevice(device, coordinator, missing, site)));
  });
}

/** Opens the network for the devices of the rig that are not on it yet. */
export async function joinDevices(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  return withSite(options, output, async (site, coordinator, devices) => {
    const missing = await site.missing(coordinator, devices, true);
    return Promise.all(devices.map((device) => checkDevice(device, coordinator, missing, site)));
  });
}

/** Runs the virtual devices of a rig until it is told to stop. */
export async function up(options: RigCommandOptions, output: Output): Promise<ExitCode> {
  const rig = loadRig(options.rig);
  if (!rig.coordinators.some(({ virtual }) => virtual)) {
    throw new UpliftError('rig-not-virtual', `the rig ${rig.id} has no virtual devices`, {
      expected: 'a coordinator with a `virtual` part',
      actual: 'real ones only',
      next: 'use it directly: `uplift rig check --rig FILE`; for a rig without hardware take hw-config/rigs/virtual-ppmid.yaml',
    });
  }
  const virtual = await startVirtualRig(rig, {
    fresh: options.fresh === true,
    onEvent: (event) => {
      if (output.json) output.event(event);
      else if (output.verbose) output.event(event, JSON.stringify(event));
    },
  });
  const ports = [...virtual.coordinators].map(([id, coordinator]) => ({
    id,
    path: coordinator.path,
  }));
  output.result(
    { kind: 'ready', rig: rig.id, coordinators: ports, devices: virtual.devices.size },
    [
      `${rig.id} is up: ${virtual.devices.size} virtual ${virtual.devices.size === 1 ? 'device' : 'devices'}`,
      ...ports.map(({ id, path }) => `  ${id} on ${path}`),
      'Ctrl-C ends it.',
    ],
  );
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await virtual.stop();
  return EXIT.done;
}

async function withSite(
  options: RigCommandOptions,
  output: Output,
  body: (
    site: ZigbeeSite,
    coordinator: CoordinatorConfig,
    devices: RigDevice[],
  ) => Promise<DeviceCheck[]>,
): Promise<ExitCode> {
  const rig: Rig = loadRig(options.rig);
  const devices = selectDevices(rig, options.device);
  const state = StateFolder.open(rig.stateFolder);
  const site = new ZigbeeSite(state, (event) => {
    if (event.kind === 'opened') {
      const { port, result } = event;
      output.event(
        event,
        `${event.coordinator}: ${port} is open (${result.start}), coordinator ${result.coordinatorEui64}, channel ${result.channel}`,
      );
    }
    if (event.kind === 'joining') {
      output.event(
        event,
        `${event.coordinator}: open for joining for ${durationText(event.timeoutMs)}, waiting for ${event.devices.join(', ')}`,
      );
    }
  });
  try {
    const checks: DeviceCheck[] = [];
    for (const coordinator of rig.coordinators) {
      const mine = devices.filter((device) => device.coordinator === coordinator.id);
      if (mine.length === 0) continue;
      await site.open(coordinator);
      checks.push(...(await body(site, coordinator, mine)));
    }
    output.result({ kind: 'result', rig: rig.id, devices: checks }, checkLines(checks));
    return checks.every(({ answers }) => answers) ? EXIT.done : EXIT.notReachable;
  } finally {
    await site.close();
    state.close();
  }
}

async function checkDevice(
  device: RigDevice,
  coordinator: CoordinatorConfig,
  missing: RigDevice[],
  site: ZigbeeSite,
): Promise<DeviceCheck> {
  const { id, eui64, model } = device;
  const base = { device: id, eui64, coordinator: coordinator.id };
  if (missing.includes(device)) {
    const { message, next } = notJoined(device, coordinator);
    return { ...base, answers: false, problem: message, ...(next ? { next } : {}) };
  }
  try {
    const { endpoint } = model.zigbee;
    const reading = await site
      .link(coordinator.id)
      .call('read', { eui64, endpoint, timeoutMs: READ_TIMEOUT_MS });
    return { ...base, answers: true, reading };
  } catch (error) {
    const next =
      'check that it is powered and in range; a sleeping device may need its button pressed';
    return { ...base, answers: false, problem: (error as Error).message, next };
  }
}

function checkLines(checks: DeviceCheck[]): string[] {
  return checks.flatMap((entry) => {
    const { device, eui64, reading, problem, next } = entry;
    if (!reading) {
      const advice = next ? [`    next      ${next}`] : [];
      return [
        `${paint('red', '✗')} ${device} (${eui64}) does not answer`,
        `    found     ${problem}`,
        ...advice,
      ];
    }
    const { manufacturerName, modelIdentifier, softwareBuild, currentFileVersion } = reading;
    const version = currentFileVersion === undefined ? 'not said' : hex(currentFileVersion, 8);
    const rows = [
      ['model', `${manufacturerName ?? 'not said'}, ${modelIdentifier ?? 'not said'}`],
      ['firmware', softwareBuild ?? 'not said'],
      ['file version', version],
    ];
    return [`${paint('green', '✓')} ${device} (${eui64}) answers`, ...table(rows, '    ')];
  });
}
