/** The devices of rigs as the gateway's field: coordinators that stay open, hubs' ports when needed. */
import type { CoordinatorConfig, HubDevice, Rig, RigDevice } from '../config/schema.ts';
import { assert } from '../errors.ts';
import type { Link, Timers } from '../ports.ts';
import { Pace, type PaceOptions } from '../schedule/pace.ts';
import { HUB_SESSION_LIMITS, type HubSession } from '../upgrade/hub-session-messages.ts';
import { SESSION_LIMITS, type SessionLimits } from '../upgrade/session-messages.ts';
import { CoordinatorHost, type CoordinatorSite } from './coordinator-host.ts';
import type { DeviceWords } from './device-words.ts';
import type {
  Field,
  FieldDevice,
  FieldListener,
  FieldOwner,
  FieldRun,
  FieldTask,
} from './field.ts';
import { HubHost } from './hub-host.ts';
import { type MadeHubSession, newHubRun } from './hub-run.ts';
import { type DistributionRecords, newPpmidRun } from './ppmid-run.ts';
import type { SiteEvent } from './zigbee-site.ts';

/** What a rig hangs on: real ports and processes, or simulated ones. */
export interface FieldPorts {
  timers: Timers;
  newSite(coordinator: CoordinatorConfig, onEvent: (event: SiteEvent) => void): CoordinatorSite;
  newLink(device: HubDevice): Link;
  /** Where the sessions of hubs are watched. */
  watch?(device: HubDevice, made: MadeHubSession): HubSession;
  isPresent(device: HubDevice): Promise<boolean>;
  /** What was being distributed to whom, of the rig that the coordinator is part of. */
  records(coordinator: string): DistributionRecords;
}

export interface RigFieldOptions {
  rigs: readonly Rig[];
  ports: FieldPorts;
  limits?: { ppmid: SessionLimits; hub: SessionLimits };
  /** How the pace of each network is measured; absent: it is not. */
  pace?: Partial<PaceOptions>;
}

const LIMITS = { ppmid: SESSION_LIMITS, hub: HUB_SESSION_LIMITS };

export class RigField implements Field {
  readonly devices: readonly FieldDevice[];
  private readonly options: RigFieldOptions;
  private readonly known: ReadonlyMap<string, RigDevice>;
  private readonly coordinators = new Map<string, CoordinatorHost>();
  private readonly hubs = new Map<string, HubHost>();

  constructor(options: RigFieldOptions) {
    this.options = options;
    const devices = options.rigs.flatMap((rig) => rig.devices);
    this.known = new Map(devices.map((device) => [device.id, device]));
    assert(this.known.size === devices.length, 'rigs of one gateway share no device id');
    const limits = options.limits ?? LIMITS;
    this.devices = devices.map((device) => fieldDevice(device, limits));
  }

  start(listener: FieldListener): void {
    const { rigs, ports, pace } = this.options;
    const { timers } = ports;
    for (const config of rigs.flatMap((rig) => rig.coordinators)) {
      const link = `network:${config.id}`;
      const host = new CoordinatorHost({
        config,
        timers,
        newSite: (onEvent) => ports.newSite(config, onEvent),
        onLink: (up, detail) => listener.link(link, up, detail),
        pace: pace && {
          pace: new Pace(pace),
          onConcurrency: (devices) => listener.pace(link, devices),
        },
      });
      this.coordinators.set(config.id, host);
      // Nothing is started there before it is open.
      listener.link(link, false, 'not open yet');
      host.start();
    }
    for (const device of rigs.flatMap((rig) => rig.hubs)) {
      const host = new HubHost({
        device,
        timers,
        newLink: ports.newLink,
        isPresent: ports.isPresent,
        onLink: (up, detail) => listener.link(`port:${device.id}`, up, detail),
      });
      this.hubs.set(device.id, host);
      host.start();
    }
  }

  run(task: FieldTask, owner: FieldOwner): FieldRun {
    const device = this.known.get(task.device);
    assert(device !== undefined, `${task.device} is of a rig of this field`);
    const { ports, limits = LIMITS } = this.options;
    const { timers } = ports;
    const { brief, activation, announced } = task;
    const kept = { announced };
    if (device.kind === 'ppmid') {
      const state = ports.records(device.coordinator);
      return this.coordinators.get(device.coordinator)!.run(device, owner, (link) =>
        newPpmidRun({
          ...{ device, brief, activation, kept, link, state, timers },
          limits: limits.ppmid,
          onEvent: (event) => owner.event(event),
        }),
      );
    }
    return this.hubs.get(device.id)!.run(owner, (link) => {
      const { runner, session } = newHubRun({
        ...{ device, brief, activation, kept, link, timers },
        watch: ports.watch && ((made) => ports.watch!(device, made)),
        limits: limits.hub,
        onEvent: (event) => {
          if (event.kind !== 'progress' && event.kind !== 'stopped') return owner.event(event);
          if (event.kind === 'progress') owner.progress(event.sample);
          return true;
        },
      });
      return { runner, holds: () => session.holds() };
    });
  }

  async read(id: string): Promise<DeviceWords> {
    const device = this.known.get(id);
    assert(device !== undefined, `${id} is of a rig of this field`);
    return device.kind === 'ppmid'
      ? this.coordinators.get(device.coordinator)!.read(device)
      : this.hubs.get(device.id)!.read();
  }

  async close(): Promise<void> {
    const hosts = [...this.coordinators.values(), ...this.hubs.values()];
    await Promise.all(hosts.map((host) => host.close()));
  }
}

function fieldDevice(device: RigDevice, limits: typeof LIMITS): FieldDevice {
  if (device.kind === 'ppmid') {
    const { id, eui64, coordinator } = device;
    const { stallMs } = limits.ppmid;
    return { id, kind: 'ppmid', eui64, link: `network:${coordinator}`, canHold: true, stallMs };
  }
  const { id, model, eui64 } = device;
  return {
    id,
    kind: 'communications_hub',
    ...(eui64 === undefined ? {} : { eui64 }),
    link: `port:${id}`,
    canHold: model.smp !== undefined,
    stallMs: limits.hub.stallMs,
  };
}
