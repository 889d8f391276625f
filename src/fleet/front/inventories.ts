/** Keeps what is known of a fleet's devices as its coordinator has it. */
import { UpliftError } from '../../errors.ts';
import type { Timers } from '../../ports.ts';
import type { FleetClient } from './client.ts';
import { isAway } from './contact.ts';
import type { FleetDevices } from './fleet-devices.ts';
import type { FleetDevice } from './fleet-rig.ts';

export interface InventoriesOptions {
  client: Pick<FleetClient, 'gateways' | 'gatewayDevices'>;
  devices: FleetDevices;
  timers: Timers;
  /** Of devices that are new, or hang on another gateway. */
  onDevices(changed: readonly FleetDevice[]): void;
}

const PAGE = 500;
const AT_ONCE = 4;

export class Inventories {
  private readonly options: InventoriesOptions;
  /** One after another: what is kept together is from one time. */
  private work: Promise<void> = Promise.resolve();

  constructor(options: InventoriesOptions) {
    this.options = options;
  }

  /** Of gateways that said anything since they were asked about. Rejects with an `UpliftError`. */
  refresh(): Promise<void> {
    return this.inTurn(async () => {
      const { client, devices } = this.options;
      const known = new Set<string>();
      const wanted: string[] = [];
      for (let after: string | undefined, more = true; more; ) {
        const page = await client.gateways(after, PAGE);
        for (const { id, state, seenMs } of page.items) {
          if (state !== 'enrolled') continue;
          known.add(id);
          const askedMs = devices.askedMs(id);
          // By two clocks: what is near is asked for again.
          const isNewer = askedMs === undefined || (seenMs ?? 0) >= askedMs - OVERLAP_MS;
          if (isNewer) wanted.push(id);
        }
        after = page.items.at(-1)?.id;
        more = page.more;
      }
      devices.keepOnly(known);
      await this.ask(wanted);
    });
  }

  /** Of those that were not asked about since. */
  freshen(gateways: Iterable<string>, sinceMs: number): Promise<void> {
    return this.inTurn(async () => {
      const { devices } = this.options;
      await this.ask([...gateways].filter((id) => (devices.askedMs(id) ?? 0) < sinceMs));
    });
  }

  private async ask(gateways: readonly string[]): Promise<void> {
    const { client, devices, timers, onDevices } = this.options;
    let next = 0;
    const some = async (): Promise<void> => {
      while (next < gateways.length) {
        const id = gateways[next++]!;
        const askedMs = timers.nowMs();
        try {
          devices.take(id, await client.gatewayDevices(id), askedMs);
        } catch (error) {
          // One that was shut out meanwhile keeps nobody from the others.
          if (isAway(error) || !(error instanceof UpliftError)) throw error;
        }
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, some));
    } finally {
      next = gateways.length;
      const changed = await devices.keep();
      if (changed.length > 0) onDevices(changed);
    }
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.work.then(work);
    this.work = done.catch(() => {});
    return done;
  }
}

const OVERLAP_MS = 60_000;
