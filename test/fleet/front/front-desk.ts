/**
 * A front on a desk: the real gateway and the real DCC service over the real field of a fleet, and a
 * coordinator in memory. A restart builds all of it anew over what was on disk.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FleetClient } from '../../../src/fleet/front/client.ts';
import { FleetDevices } from '../../../src/fleet/front/fleet-devices.ts';
import {
  FleetField,
  FRONT_GATEWAY_LIMITS,
  type FrontLimits,
} from '../../../src/fleet/front/fleet-field.ts';
import { ModelShelf, newFleetRig } from '../../../src/fleet/front/fleet-rig.ts';
import { nextTurn } from '../../../src/fleet/front/teller.ts';
import type { InventoryDevice } from '../../../src/fleet/wire.ts';
import type { GatewayOptions } from '../../../src/gateway/gateway.ts';
import { RetryDesk } from '../../../src/schedule/retry.ts';
import { Scheduler } from '../../../src/schedule/scheduler.ts';
import { frontRetryOf } from '../../../src/service/choices.ts';
import type { CoseSigner } from '../../../src/trust/cose.ts';
import { ANN, BOB, NOW, signedBy } from '../../campaign/campaigns.ts';
import { DccDesk, euiOf } from '../../dcc/dcc-desk.ts';
import type { ProcessTimers } from '../../gateway/gateway-desk.ts';
import { makeModel } from '../../virtual/fixture.ts';
import { MemoryFleet } from './memory-fleet.ts';
import { RULES } from './rules.ts';

export const SECOND_MS = 1_000;
export const HOUR_MS = 3_600_000;
export const OLD = '01000000';
const MODEL = makeModel();

export function inventoryOf(n: number, change: Partial<InventoryDevice> = {}): InventoryDevice {
  const { manufacturer, model, hardwareVersion, hardwareRevision } = MODEL.deviceModel;
  return {
    ...{ device: euiOf(n), id: `ppmid-${n}`, kind: 'ppmid' },
    ...{ manufacturer, model, hardwareVersion, hardwareRevision },
    ...{ firmwareVersion: OLD, readMs: NOW, ...change },
  };
}

export interface FrontShape {
  /** Another coordinator than the one in memory. */
  client?: FleetClient;
  devices?: number;
  signers?: readonly CoseSigner[];
  limits?: Partial<FrontLimits>;
}

export class FrontDesk {
  readonly fleet: MemoryFleet;
  readonly dcc: DccDesk;
  field!: FleetField;
  readonly warnings: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'uplift-front-'));
  private readonly shape: FrontShape;

  constructor(shape: FrontShape = {}) {
    this.shape = shape;
    this.fleet = new MemoryFleet(() => this.dcc?.nowMs ?? NOW);
    for (let n = 1; n <= (shape.devices ?? 4); n++) this.add(`gateway-${(n % 2) + 1}`, n);
    this.dcc = new DccDesk({ startMs: NOW, gateway: (timers) => this.gatewayOptions(timers) });
  }

  add(gateway: string, n: number, change: Partial<InventoryDevice> = {}): void {
    const known = this.fleet.inventories.get(gateway) ?? [];
    this.fleet.inventories.set(gateway, [...known, inventoryOf(n, change)]);
  }

  /** Until what there is to do is done. */
  async pass(ms = 5 * SECOND_MS, stepMs = SECOND_MS): Promise<void> {
    await this.dcc.settle();
    await this.dcc.pass(ms, stepMs);
    await this.dcc.settle();
  }

  restart(): void {
    void this.field.close();
    this.dcc.restart();
  }

  /** A job of the newest, by the device's number. */
  state(n: number): string {
    const [upgrade] = [...this.upgradesOf(n)].slice(-1);
    return upgrade?.state ?? 'none';
  }

  upgradesOf(n: number) {
    const { book } = this.dcc.desk.gateway;
    return [...book.jobs].flatMap(({ id }) => book.upgrade(id, euiOf(n)) ?? []);
  }

  /** How often a text was delivered. */
  told(text: string | RegExp): number {
    const isIn = ({ text: one }: { text: string }) =>
      typeof text === 'string' ? one.includes(text) : text.test(one);
    return new Set(this.dcc.sent.filter(isIn).map(({ message }) => message)).size;
  }

  remove(): void {
    void this.field.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private gatewayOptions(timers: ProcessTimers): Partial<GatewayOptions> {
    const rig = newFleetRig('front.yaml', this.folder);
    const devices = new FleetDevices({
      ...{ path: join(this.folder, 'devices.jsonl'), rig, shelf: new ModelShelf([MODEL]) },
      ...{ isInstallation: false, nextTurn: () => nextTurn(timers) },
    });
    this.field = new FleetField({
      ...{ client: this.shape.client ?? this.fleet, devices, timers, rules: RULES, onDevices() {} },
      sign: async (manifest) => signedBy(manifest, ...(this.shape.signers ?? [ANN, BOB])),
      log: {
        write: (level, text, { code } = {}) => {
          if (level === 'warning') this.warnings.push(`${code ?? ''} ${text}`);
        },
      },
      ...(this.shape.limits ? { limits: this.shape.limits } : {}),
    });
    const policy = frontRetryOf({ schedule: { retry: {} } } as never);
    return {
      field: this.field,
      scheduler: new Scheduler(new RetryDesk({ next: () => 0.5 }, timers.nowMs(), policy)),
      limits: FRONT_GATEWAY_LIMITS,
    };
  }
}
