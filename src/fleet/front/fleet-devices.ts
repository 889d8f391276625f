/**
 * The devices of a fleet as a front knows them: what gateways told the coordinator that they have, with
 * the model file that fits. They are kept on disk, so that a front which starts while its coordinator is
 * away knows whose upgrades are on their way.
 */
import { existsSync } from 'node:fs';
import type { Rig, RigDevice } from '../../config/schema.ts';
import { UpliftError } from '../../errors.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import { writeDurably } from '../../gateway/durable-file.ts';
import type { FieldDevice } from '../../gateway/field.ts';
import type { InventoryDevice } from '../wire.ts';
import { type FleetDevice, fleetDevice, type ModelShelf } from './fleet-rig.ts';

export interface FleetDevicesOptions {
  path: string;
  rig: Rig;
  shelf: ModelShelf;
  /** The premises of a device are known by the gateway that it hangs on. */
  isInstallation: boolean;
  /** Resolves when others had their turn. */
  nextTurn(): Promise<void>;
}

interface GatewayDevices {
  /** When the coordinator was asked for them. */
  askedMs: number;
  devices: readonly InventoryDevice[];
}

const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Some 5 ms of work. */
const GATEWAYS_A_TURN = 200;
const MODE = 0o600;

export class FleetDevices {
  readonly fieldDevices: FieldDevice[] = [];
  private readonly options: FleetDevicesOptions;
  private readonly gateways = new Map<string, GatewayDevices>();
  private readonly byId = new Map<string, FleetDevice & { place: number }>();
  private changed = new Map<string, FleetDevice>();
  private isStale = false;

  /** @throws UpliftError where what is on disk is not what was written */
  constructor(options: FleetDevicesOptions) {
    this.options = options;
    this.load();
  }

  get size(): number {
    return this.byId.size;
  }

  get gatewayIds(): IterableIterator<string> {
    return this.gateways.keys();
  }

  /** Without a model file nothing can be decided of a device. */
  get withoutModel(): number {
    let count = 0;
    for (const { devices } of this.gateways.values())
      for (const told of devices) if (!this.options.shelf.modelOf(told)) count++;
    return count;
  }

  device(id: string): FleetDevice | undefined {
    return this.byId.get(id);
  }

  askedMs(gateway: string): number | undefined {
    return this.gateways.get(gateway)?.askedMs;
  }

  /** What a gateway has; it counts from `keep` on. */
  take(gateway: string, devices: readonly InventoryDevice[], askedMs: number): void {
    const before = this.gateways.get(gateway)?.devices ?? [];
    this.gateways.set(gateway, { askedMs, devices });
    if (JSON.stringify(before.map(lasting)) !== JSON.stringify(devices.map(lasting)))
      this.isStale = true;
    for (const told of devices) {
      const model = this.options.shelf.modelOf(told);
      if (!model) continue;
      const known = this.byId.get(told.device);
      const made = fleetDevice(gateway, told, model, this.options.isInstallation);
      const isSame = known?.gateway === gateway && known.rig.model === model;
      if (isSame) known.told = told;
      else this.changed.set(told.device, made);
    }
  }

  /** Gateways that are no more; their devices are known until the next start. */
  keepOnly(gateways: ReadonlySet<string>): void {
    for (const id of this.gateways.keys()) {
      if (gateways.has(id)) continue;
      this.gateways.delete(id);
      this.isStale = true;
    }
  }

  /** On disk first, then part of the rig: those that are new, or hang on another gateway. */
  async keep(): Promise<readonly FleetDevice[]> {
    if (this.isStale) {
      this.isStale = false;
      await this.save();
    }
    const changed = [...this.changed.values()];
    this.changed = new Map();
    for (const one of changed) this.place(one);
    return changed;
  }

  private place(one: FleetDevice): void {
    const { rig } = this.options;
    const known = this.byId.get(one.field.id);
    const place = known?.place ?? rig.devices.length;
    this.byId.set(one.field.id, { ...one, place });
    rig.devices[place] = one.rig as RigDevice;
    this.fieldDevices[place] = one.field;
  }

  private load(): void {
    const { path } = this.options;
    if (!existsSync(path)) return;
    const text = new TextDecoder().decode(
      readBounded(path, FILE_BYTES_MAX, 'the devices of a fleet'),
    );
    try {
      for (const line of text.split('\n')) {
        if (line === '') continue;
        const { gateway, askedMs, devices } = JSON.parse(line);
        this.take(gateway, devices, askedMs);
      }
    } catch (cause) {
      throw new UpliftError('json-malformed', `${path} is not what was written`, {
        expected: 'the devices of a fleet, a gateway a line',
        actual: (cause as Error).message,
        next: 'take it from a backup; without it upgrades that are on their way end as failed',
        cause,
      });
    }
    for (const one of this.changed.values()) this.place(one);
    this.changed = new Map();
    this.isStale = false;
  }

  private async save(): Promise<void> {
    const lines: string[] = [];
    for (const [gateway, { askedMs, devices }] of this.gateways) {
      lines.push(JSON.stringify({ gateway, askedMs, devices }));
      if (lines.length % GATEWAYS_A_TURN === 0) await this.options.nextTurn();
    }
    writeDurably(this.options.path, `${lines.join('\n')}\n`, MODE);
  }
}

/** Of a device all that does not change with what it runs. */
function lasting({ device, kind, manufacturer, model, ...rest }: InventoryDevice) {
  const { hardwareVersion, hardwareRevision } = rest;
  return [device, kind, manufacturer, model, hardwareVersion, hardwareRevision];
}
