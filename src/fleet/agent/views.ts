/** Campaigns as this gateway shows them: how each stands, and in which a device is. */
import type { Manifest } from '../../campaign/manifest.ts';
import { ringOf } from '../../campaign/rings.ts';
import type { CoordinatorLinkView, DeviceCampaignView } from '../../gateway/control.ts';
import type { Followed, Refused } from './acceptances.ts';
import type { FleetStatus } from './agent.ts';
import type { CampaignStory, DeviceStanding } from './campaign-ledger.ts';
import type { FollowedCampaign } from './carrier.ts';
import type { FollowedDevice } from './device-readings.ts';
import { isTarget } from './own-rings.ts';

export function followedView(
  { manifest, digest, carrier, course, isHeld }: Followed,
  { end, devices }: CampaignStory,
  missing: FollowedCampaign['missing'],
): FollowedCampaign {
  const { code, detail } = end ?? {};
  const lacking = end ? [] : missing;
  const going = lacking.length > 0 ? 'lacks-images' : course === 'pause' ? 'paused' : 'running';
  return {
    ...{ id: manifest.id, digest, generation: manifest.generation, carrier, missing: lacking },
    state: end?.how ?? (isHeld ? 'held' : going),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    devices: countsOf([...devices.values()]),
  };
}

export function refusedView({ id, digest, carrier, code, detail }: Refused): FollowedCampaign {
  const state = 'refused' as const;
  return { id, digest, carrier, state, code, detail, missing: [], devices: countsOf([]) };
}

/** Of those that it is in and that go on, the one that came last; else one in which it is under way. */
export function campaignOfDevice(
  device: FollowedDevice,
  followed: Iterable<Followed>,
  stories: ReadonlyMap<string, CampaignStory>,
  gateway: string,
): DeviceCampaignView | undefined {
  let found: DeviceCampaignView | undefined;
  let isFoundOver = true;
  for (const one of followed) {
    const { end, devices } = stories.get(one.digest)!;
    const standing = devices.get(device.name);
    const state = standing?.state ?? notBegun(one, device);
    if (state === undefined || (end && state !== 'under-way')) continue;
    if (found && end && !isFoundOver) continue;
    found = placeIn(one.manifest, device.name, gateway, state);
    isFoundOver = end !== undefined;
  }
  return found;
}

export function linkView({
  connected,
  enrolled,
  lastContactMs,
  conditions,
  eventsWaiting,
}: FleetStatus): CoordinatorLinkView {
  const [gravest] = conditions;
  return {
    ...{ connected, enrolled, eventsWaiting },
    ...(lastContactMs === undefined ? {} : { lastContactMs }),
    ...(gravest ? { trouble: { code: gravest.code, sinceMs: gravest.sinceMs } } : {}),
  };
}

function placeIn(
  manifest: Manifest,
  name: string,
  gateway: string,
  state: DeviceCampaignView['state'],
): DeviceCampaignView {
  const { id, generation, rings } = manifest;
  const ring = rings[ringOf(manifest, name, gateway)]?.name;
  return { id, generation, ...(ring === undefined ? {} : { ring }), state };
}

function notBegun({ wanted, manifest }: Followed, device: FollowedDevice) {
  if (wanted === 'own') return isTarget(manifest, device) ? 'pending' : undefined;
  return wanted.has(device.name) ? 'granted' : undefined;
}

function countsOf(standings: readonly DeviceStanding[]): FollowedCampaign['devices'] {
  const counts = { pending: 0, granted: 0, taken: 0, 'under-way': 0, succeeded: 0, failed: 0 };
  for (const { state } of standings) counts[state]++;
  return counts;
}
