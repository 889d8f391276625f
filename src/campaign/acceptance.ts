/**
 * What a gateway checks of a campaign beyond its signatures, with what it remembers given to it: whether
 * the campaign is for this gateway, is in time, and is the next of its line; and whether a device, and
 * the bytes for it, are those that the manifest means. Nothing is written here: `state` of an acceptance
 * is what to keep, and it is kept before the campaign is acted on.
 *
 * Time is the later of the clock and the newest time seen when a campaign was accepted, so that a clock
 * which is set back brings nothing to life. It was before the end of that campaign, so a clock which once
 * ran ahead shuts a gateway out for the life of a campaign at most.
 */
import {
  type DeviceModel,
  sameHardware,
  sameText,
  showDeviceModel,
} from '../products/device-model.ts';
import { checkFloor, NO_FLOORS, type VersionFloors } from '../trust/rollback.ts';
import { type CampaignRefusal, refuseCampaign } from './codes.ts';
import { timeText } from './fields.ts';
import { type CampaignImage, type CampaignTarget, imageOf, type Manifest } from './manifest.ts';
import {
  type CampaignTrust,
  type OpenRefusal,
  openCampaign,
  type SignedCampaign,
} from './signed-campaign.ts';

/** What a gateway knows of itself. */
export interface GatewayIdentity {
  id: string;
  fleet: string;
  region?: string;
  /** The maintenance windows that its configuration names. */
  windows: readonly string[];
  /** Its own minimum, whatever a manifest asks for. */
  approvalsMin: number;
}

/** What a gateway remembers between campaigns. */
export interface CampaignState {
  /** The newest time that was seen, in a clock or in a signed document. */
  newestSeenMs: number;
  /** By line. */
  lines: ReadonlyMap<string, LineState>;
}

export interface LineState {
  generation: number;
  /** Of the manifest. */
  digest: string;
  /** Nothing of it is to be started any more: it is through, was given up, or was called off. */
  ended: boolean;
  /**
   * Which trust anchors were in force, as one digest. With others the generation counts from nothing:
   * who stole a key may have used up the numbers.
   */
  anchors: string;
}

export const NO_CAMPAIGNS: CampaignState = { newestSeenMs: 0, lines: new Map() };

/** Generations that one campaign may skip, and a gateway that knows none of the line. */
export const GENERATION_STEP_MAX = 1000;
export const FIRST_GENERATION_MAX = 1_000_000;
/** By how much the clocks of author and gateway may differ. */
const CLOCKS_APART_MAX_MS = 10 * 60_000;

export interface CampaignAcceptance {
  ok: true;
  campaign: SignedCampaign;
  /** It was accepted before: what it led to then stands, and nothing is begun a second time. */
  repeated: boolean;
  /** What to remember. */
  state: CampaignState;
}

export interface CampaignSituation {
  gateway: GatewayIdentity;
  state: CampaignState;
  /** As `LineState.anchors` has it, of those in `trust`. */
  anchorsDigest: string;
  /** What the clock shows. */
  nowMs: number;
}

/** Signatures first: an unsigned campaign says nothing about anything. */
export function acceptCampaign(
  bytes: Uint8Array,
  trust: Omit<CampaignTrust, 'atMs'>,
  situation: CampaignSituation,
): CampaignAcceptance | OpenRefusal {
  const atMs = timeOf(situation);
  const campaign = openCampaign(bytes, { ...trust, atMs });
  if (!campaign.ok) return campaign;
  const { manifest, digest } = campaign;
  const refused =
    checkAddressee(manifest, situation.gateway) ??
    checkTime(manifest, situation) ??
    checkGeneration(campaign, situation);
  if (refused) return refused;
  const { state, anchorsDigest } = situation;
  const { line, generation } = manifest;
  const known = state.lines.get(line);
  const lines = new Map(state.lines);
  lines.set(line, { generation, digest, ended: false, anchors: anchorsDigest });
  const newestSeenMs = Math.max(atMs, manifest.issuedMs);
  const repeated = known?.digest === digest;
  return { ok: true, campaign, repeated, state: { newestSeenMs, lines } };
}

/** Asked again before each device is started: what waits may have run out. */
export function checkTime(
  { issuedMs, expiresMs }: Manifest,
  { state, nowMs }: Pick<CampaignSituation, 'state' | 'nowMs'>,
): CampaignRefusal | undefined {
  const atMs = timeOf({ state, nowMs });
  // A time that is no number is inside no life.
  if (!(atMs < expiresMs)) {
    const isSetBack = nowMs < expiresMs;
    return refuseCampaign(isSetBack ? 'clock-set-back' : 'campaign-expired', timeText(expiresMs));
  }
  const isIssued = issuedMs <= atMs + CLOCKS_APART_MAX_MS;
  return isIssued ? undefined : refuseCampaign('campaign-from-future', timeText(issuedMs));
}

/** A device as the gateway reads it, just before it is started. */
export interface CampaignDevice {
  /** EUI-64, or `hub:SERIAL`. */
  name: string;
  /** What it runs now included: read back, not remembered. */
  deviceModel: DeviceModel;
}

export interface DeviceAccepted {
  ok: true;
  target: CampaignTarget;
  image: CampaignImage;
}

export function acceptDevice(
  manifest: Manifest,
  { name, deviceModel }: CampaignDevice,
  floors: VersionFloors = NO_FLOORS,
): DeviceAccepted | CampaignRefusal {
  const { devices, targets } = manifest;
  if (devices && !devices.includes(name)) return refuseCampaign('device-not-named', name);
  const fitting = targets.filter((target) => sameHardware(target, deviceModel));
  if (fitting.length === 0) {
    return refuseCampaign('other-device-model', showDeviceModel(deviceModel));
  }
  const target = fitting.find(({ from }) =>
    from.some((version) => sameText(version, deviceModel.firmwareVersion)),
  );
  if (!target) return refuseCampaign('other-precursor', deviceModel.firmwareVersion);
  const image = imageOf(manifest, target);
  const floor = checkFloor(floors, target, image.version);
  if (!floor.ok) return refuseCampaign('below-floor', `version ${image.version}`);
  return { ok: true, target, image };
}

/** The bytes that would be sent, by their digest and length, for a device that was accepted. */
export function checkImageBytes(
  { images }: Manifest,
  { image }: Pick<DeviceAccepted, 'image'>,
  found: { sha256: string; bytes: number },
): CampaignRefusal | undefined {
  if (found.sha256 !== image.sha256) {
    const isListed = images.some(({ sha256 }) => sha256 === found.sha256);
    return refuseCampaign(isListed ? 'image-of-other-target' : 'image-mixed', found.sha256);
  }
  return found.bytes === image.bytes
    ? undefined
    : refuseCampaign('image-size', `${found.bytes} for ${image.bytes}`);
}

function timeOf({ state, nowMs }: Pick<CampaignSituation, 'state' | 'nowMs'>): number {
  return Math.max(nowMs, state.newestSeenMs);
}

function checkAddressee(
  { fleet, gateways, regions, window, approvals }: Manifest,
  gateway: GatewayIdentity,
): CampaignRefusal | undefined {
  if (fleet !== gateway.fleet) return refuseCampaign('other-fleet', fleet);
  if (gateways && !gateways.includes(gateway.id))
    return refuseCampaign('other-gateway', gateway.id);
  const isHere = !regions || (gateway.region !== undefined && regions.includes(gateway.region));
  if (!isHere) return refuseCampaign('other-region', gateway.region ?? 'none');
  const hasWindow = window === undefined || gateway.windows.includes(window);
  if (!hasWindow) return refuseCampaign('window-unknown', window);
  if (approvals >= gateway.approvalsMin) return undefined;
  return refuseCampaign('approvals-lowered', `${approvals} for ${gateway.approvalsMin}`);
}

function checkGeneration(
  { manifest: { line, generation }, digest }: SignedCampaign,
  { state, anchorsDigest }: CampaignSituation,
): CampaignRefusal | undefined {
  const known = state.lines.get(line);
  if (known?.digest === digest) {
    return known.ended
      ? refuseCampaign('campaign-replayed', `generation ${generation}`)
      : undefined;
  }
  const counts = known?.anchors === anchorsDigest ? known.generation : undefined;
  if (counts === undefined) {
    const isNear = generation <= FIRST_GENERATION_MAX;
    return isNear ? undefined : refuseCampaign('generation-fast-forward', `${generation}`);
  }
  const about = `${generation} after ${counts}`;
  if (generation < counts) return refuseCampaign('generation-rollback', about);
  if (generation === counts) return refuseCampaign('generation-reused', about);
  const isNear = generation <= counts + GENERATION_STEP_MAX;
  return isNear ? undefined : refuseCampaign('generation-fast-forward', about);
}
