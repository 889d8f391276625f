/** What the events of a gateway make of its devices in campaigns: a function of rows and events. */
import { type DeviceState, deviceProgress } from '../../campaign/device-progress.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import type { FleetEvent } from '../wire.ts';
import type { CampaignDeviceTable } from './schema.ts';

export type DeviceStanding = Omit<CampaignDeviceTable, 'ring' | 'turn' | 'changed_ms'>;

/** In hand of its gateway, or handed to it: what desired state lists. */
export const IN_HAND: readonly DeviceState[] = ['granted', 'taken', 'under-way'];
const ATTEMPTED: readonly DeviceState[] = ['under-way', 'succeeded', 'failed'];

/**
 * How a device stands after an event; undefined where the event is older than what it stands by. A grant
 * that was taken back meanwhile makes no difference: what was begun was begun.
 */
export function standingAfter(
  before: DeviceStanding,
  event: FleetEvent,
  epoch: number,
  activation: Manifest['activation'],
): DeviceStanding | undefined {
  const isNewer =
    epoch > before.epoch || (epoch === before.epoch && event.sequence > before.sequence);
  if (!isNewer || event.attempt < before.attempt) return undefined;
  const { state } = before;
  // Tried again by its gateway it was attempted, and stays so; another attempt is another matter.
  const known = ATTEMPTED.includes(state) ? 'under-way' : state;
  const earlier = event.attempt === before.attempt ? known : 'pending';
  const progress = deviceProgress(event, activation, earlier);
  return {
    ...before,
    state: progress.state,
    attempt: event.attempt,
    phase: event.phase,
    failure: progress.state === 'failed' ? progress.failure : null,
    code: event.code ?? null,
    detail: event.detail ?? null,
    runs: event.runs ?? null,
    epoch,
    sequence: event.sequence,
    granted_ms: IN_HAND.includes(progress.state) ? before.granted_ms : null,
  };
}

/** Whether what the gateway should be doing is another list than before. */
export function changesDesired(before: DeviceStanding, after: DeviceStanding): boolean {
  const wasListed = IN_HAND.includes(before.state);
  const isListed = IN_HAND.includes(after.state);
  return wasListed !== isListed || (isListed && before.attempt !== after.attempt);
}
