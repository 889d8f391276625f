/**
 * What a fleet's coordinator should say, counted once more by hand from what gateways told it: the events
 * one by one, by rules that are written down here anew. Nothing of the coordinator's code is used.
 */
import type { Manifest } from '../../src/campaign/manifest.ts';
import type { CampaignDeviceView, CampaignView } from '../../src/fleet/coordinator/control.ts';
import type { EventBatch, FleetEvent } from '../../src/fleet/wire.ts';

export type Placed = Pick<CampaignDeviceView, 'device' | 'ring'>;

type Plain = 'open' | 'under-way' | 'succeeded' | 'failed';

interface Standing {
  attempt: number;
  state: Plain;
  isReverted: boolean;
  wasAttempted: boolean;
  /** Of the event that it stands so by. */
  sequence: number;
}

interface Counted {
  attempted: number;
  succeeded: number;
  failed: number;
  reverted: number;
}

const WAITS = ['planned', 'awaiting-approval', 'scheduled'];
const FAILS = ['failed', 'refused', 'expired', 'unknown-outcome', 'cancelled', 'superseded'];

export class FleetOracle {
  /** Every event that was taken, by gateway, record and device. */
  readonly events = new Set<string>();
  private readonly campaigns = new Map<string, Map<string, Standing>>();

  /** What was taken, once more or for the first time. */
  took(gateway: string, { events }: EventBatch): void {
    for (const event of events) {
      const device = 'device' in event ? event.device : '';
      const key = `${gateway} ${event.sequence} ${device}`;
      if (this.events.has(key)) continue;
      this.events.add(key);
      if ('device' in event) this.move(event);
    }
  }

  /** Somebody has those that failed tried again. */
  retried(digest: string): void {
    for (const standing of this.devicesOf(digest).values()) {
      if (standing.state !== 'failed') continue;
      Object.assign(standing, { state: 'open', isReverted: false, wasAttempted: false });
      standing.attempt++;
    }
  }

  /** What the campaign's counts are otherwise; its devices by ring, whatever became of them. */
  miscounted({ id, digest, rings }: CampaignView, devices: readonly Placed[]): string[] {
    const own = this.devicesOf(digest);
    return rings.flatMap(({ name, size, counts, failed }) => {
      const told = { open: 0, 'under-way': 0, succeeded: 0, failed: 0 };
      const members = devices.filter(({ ring }) => ring === name);
      for (const { device } of members) told[own.get(device)?.state ?? 'open']++;
      const open = counts.pending + counts.granted + counts.taken;
      const said = { ...told, open, 'under-way': counts['under-way'] };
      Object.assign(said, { succeeded: counts.succeeded, failed: counts.failed });
      const classes = Object.values(failed).reduce((sum, one) => sum + one, 0);
      const isSame = JSON.stringify(said) === JSON.stringify(told);
      if (isSame && classes === told.failed && size === members.length) return [];
      return [`${id} ring ${name} counts ${JSON.stringify(said)}, not ${JSON.stringify(told)}`];
    });
  }

  /** What its devices are otherwise. */
  differences({ id, digest }: CampaignView, devices: readonly CampaignDeviceView[]): string[] {
    const own = this.devicesOf(digest);
    return devices.flatMap(({ device, state, attempt }) => {
      const standing = own.get(device);
      const isOpen = ['pending', 'granted', 'taken'].includes(state);
      const isSame = (isOpen ? 'open' : state) === (standing?.state ?? 'open');
      if (isSame && attempt === (standing?.attempt ?? 1)) return [];
      return [`${id} ${device}: ${state} (${attempt}), told ${standing?.state ?? 'nothing'}`];
    });
  }

  /** Whether a rule of the campaign is broken now. */
  isOver({ digest }: CampaignView, manifest: Manifest, devices: readonly Placed[]): boolean {
    const own = this.devicesOf(digest);
    const count = (members: readonly Placed[]): Counted => {
      const sum = { attempted: 0, succeeded: 0, failed: 0, reverted: 0 };
      for (const { device } of members) {
        const standing = own.get(device);
        if (!standing || standing.state === 'open') continue;
        sum.attempted++;
        if (standing.state === 'succeeded') sum.succeeded++;
        if (standing.state === 'failed') sum.failed++;
        if (standing.isReverted) sum.reverted++;
      }
      return sum;
    };
    const all = count(devices);
    const rings = manifest.rings.map(({ name }) => count(devices.filter((d) => d.ring === name)));
    return manifest.aborts.some((rule) => {
      const failedOf = (one: Counted) => (rule.failure === 'any' ? one.failed : one.reverted);
      if (rule.count !== undefined) return failedOf(all) >= rule.count;
      return rings.some(
        (ring) =>
          ring.attempted >= rule.minimum! &&
          failedOf(ring) > 0 &&
          failedOf(ring) / ring.attempted >= rule.percent! / 100,
      );
    });
  }

  private move({ campaign, device, attempt, phase, code, withdrawn, sequence }: FleetEvent): void {
    const devices = this.devicesOf(campaign);
    const known = devices.get(device);
    if (known && (attempt < known.attempt || sequence <= known.sequence)) return;
    const wasAttempted = known?.attempt === attempt && known.wasAttempted;
    let state: Plain = 'under-way';
    if (WAITS.includes(phase)) state = wasAttempted ? 'under-way' : 'open';
    else if (phase === 'done') state = 'succeeded';
    else if (withdrawn) state = 'open';
    else if (FAILS.includes(phase)) state = 'failed';
    devices.set(device, {
      attempt,
      state,
      sequence,
      isReverted: state === 'failed' && code === 'device-reverted',
      wasAttempted: state !== 'open',
    });
  }

  private devicesOf(digest: string): Map<string, Standing> {
    const known = this.campaigns.get(digest);
    if (known) return known;
    const made = new Map<string, Standing>();
    this.campaigns.set(digest, made);
    return made;
  }
}
