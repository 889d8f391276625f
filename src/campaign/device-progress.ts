/**
 * What an upgrade's state on its gateway means for the campaign that it is of. One function serves whoever
 * counts: the coordinator, and a gateway that carries a campaign out by itself.
 */
import type { UpgradeState } from '../jobs/states.ts';
import type { FailureCode } from '../upgrade/states.ts';
import type { FailureClass } from './failure-classes.ts';
import type { Manifest } from './manifest.ts';

/**
 * Of one device of a campaign. `pending`: not yet; `granted`: its gateway may start it; `taken`: the
 * gateway has a job for it that has not begun. From `under-way` on it was attempted.
 */
export const DEVICE_STATES = [
  'pending',
  'granted',
  'taken',
  'under-way',
  'succeeded',
  'failed',
] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

export type DeviceProgress =
  | { state: Exclude<DeviceState, 'failed'> }
  | { state: 'failed'; failure: FailureClass };

/** Of what a device, or its link, did; what is not named here is `transfer`. */
const CLASS_OF_CODE: Partial<Record<FailureCode | string, FailureClass>> = {
  'device-silent': 'unreachable',
  'link-lost': 'unreachable',
  'hub-silent': 'unreachable',
  'coordinator-unreachable': 'unreachable',
  'port-unreachable': 'unreachable',
  'port-missing': 'unreachable',
  'link-down': 'unreachable',
  'deadline-passed': 'expired',
  'hold-expired': 'activation',
  'activation-refused': 'activation',
  'image-dropped-at-boot': 'activation',
  'not-activated': 'activation',
  'not-confirmed': 'activation',
  'trial-unconfirmed': 'activation',
  'boots-into-recovery': 'activation',
  'device-reverted': 'reverted',
  'image-changed': 'refused',
  'facts-missing': 'refused',
};

export interface UpgradeStanding {
  phase: UpgradeState;
  /** Why, where it ended otherwise than well. */
  code?: string;
  /** It was called off because the campaign wanted it so. */
  withdrawn?: boolean;
}

/**
 * @param before an upgrade that is tried again was attempted, and stays so
 */
export function deviceProgress(
  { phase, code, withdrawn }: UpgradeStanding,
  { when }: Manifest['activation'],
  before: DeviceState,
): DeviceProgress {
  switch (phase) {
    case 'planned':
    case 'awaiting-approval':
    case 'scheduled':
      return { state: before === 'under-way' ? 'under-way' : 'taken' };
    case 'awaiting-activation':
      return { state: when === 'held' ? 'succeeded' : 'under-way' };
    case 'done':
      return { state: 'succeeded' };
    case 'cancelled':
    case 'superseded':
      // Called off by a person there: it is no success, and nothing of it is tried again by itself.
      return withdrawn === true ? { state: 'pending' } : { state: 'failed', failure: 'refused' };
    case 'refused':
      return { state: 'failed', failure: 'refused' };
    case 'expired':
      return { state: 'failed', failure: 'expired' };
    case 'unknown-outcome':
      return { state: 'failed', failure: 'unknown-outcome' };
    case 'failed':
      return { state: 'failed', failure: CLASS_OF_CODE[code ?? ''] ?? 'transfer' };
    default:
      return { state: 'under-way' };
  }
}
