/**
 * Between what carries campaigns to a gateway (a coordinator, a hawkBit server, a stick) and what follows
 * them there. A carrier is never trusted: a campaign is what its signatures say, and an image its digest.
 */
import type { DeviceState } from '../../campaign/device-progress.ts';
import type { CampaignView } from '../../gateway/control.ts';
import type { Actor } from '../../jobs/records.ts';
import type { COURSES } from '../wire.ts';

/** By which name the follower knows it: the one carrier that conducts campaigns over a whole fleet. */
export const COORDINATOR = 'coordinator';

export interface CarriedCampaign {
  /** The signed campaign as it came. */
  document: Uint8Array;
  course: (typeof COURSES)[number];
  /** `own`: rings and pace are evaluated over the gateway's own devices, as nobody else does it. */
  devices: 'own' | readonly { device: string; attempt: number }[];
}

/** A campaign as this gateway stands to it. */
export interface FollowedCampaign extends CampaignView {
  devices: Readonly<Record<DeviceState, number>>;
}

export interface CampaignFollower {
  /**
   * All that this carrier wants now: a level, repeated without harm. What has begun on a device goes on to
   * its end; what has not, and is not wanted any more, is called off.
   */
  desire(carrier: string, campaigns: readonly CarriedCampaign[], by: Actor): void;
  campaigns(): readonly FollowedCampaign[];
  /** An image came into the store. */
  imageStored(): void;
}
