/**
 * Gives a bundle to a running gateway, over its API: the images that it lacks, then the campaigns. What
 * became of them goes onto the medium, sealed by the gateway. All of it may be repeated: images that are
 * there are not sent again, and a campaign is one by its digest.
 */

import { CAMPAIGN_MEDIA_TYPE } from '../../api/campaign-routes.ts';
import type { ApiClient } from '../../api/client.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import type { CampaignView, ImageView } from '../../gateway/control.ts';
import type { Bundle, FoundCampaign } from './bundle.ts';
import { BUNDLE_LIMITS } from './layout.ts';
import { bundleError } from './make-bundle.ts';

export type GatewayClient = Pick<ApiClient, 'get' | 'postBytes' | 'upload'>;

export type ApplyEvent =
  | { kind: 'image'; sha256: string; sent: number; bytes: number }
  | { kind: 'campaign'; view: CampaignView };

export interface ApplyOptions {
  /** Until no device of these campaigns will be begun any more. */
  wait: boolean;
  pause(): Promise<unknown>;
  told?(event: ApplyEvent): void;
}

/** Either what it is on the gateway, or why the gateway did not take it. */
export interface AppliedCampaign {
  file: string;
  id: string;
  view?: CampaignView;
  code?: string;
  message?: string;
}

export interface Applied {
  imagesSent: number;
  campaigns: readonly AppliedCampaign[];
  /** Files with what became of them. */
  events: readonly string[];
}

/** A gateway that is started anew is waited for, so many pauses long. */
const FAILURES_MAX = 60;

type Readable = FoundCampaign & Required<Pick<FoundCampaign, 'manifest' | 'digest'>>;

/** Nothing more of it begins, by itself. */
const RESTING: readonly CampaignView['state'][] = [
  'refused',
  'lacks-images',
  'held',
  'finished',
  'aborted',
  'expired',
];

/** @throws UpliftError where the bundle is not whole, or the gateway is not reached */
export async function applyBundle(
  bundle: Bundle,
  client: GatewayClient,
  options: ApplyOptions,
): Promise<Applied> {
  const campaigns = readableIn(bundle);
  const imagesSent = await sendImages(bundle, campaigns, client, options);
  const applied: AppliedCampaign[] = [];
  for (const { file, bytes, manifest } of campaigns) {
    applied.push({ file, id: manifest.id, ...(await carry(client, bytes)) });
  }
  if (options.wait) await waitFor(client, applied, options);
  return { imagesSent, campaigns: applied, events: await bringEvents(bundle, client) };
}

/** Of one line the older first, which the newer then takes the place of. */
function readableIn({ campaigns, places }: Bundle): Readable[] {
  const bad = campaigns.find(({ manifest }) => !manifest);
  if (bad)
    throw bundleError('blob-damaged', `${bad.file}: ${bad.message}`, 'make the bundle again');
  const found = campaigns as readonly Readable[];
  if (found.length === 0) throw bundleError('campaign-none', places.campaigns, 'see the medium');
  return [...found].sort(
    (one, other) =>
      one.manifest.line.localeCompare(other.manifest.line, 'en') ||
      one.manifest.generation - other.manifest.generation,
  );
}

/** All are looked at before the first is sent. */
async function sendImages(
  bundle: Bundle,
  campaigns: readonly Readable[],
  client: GatewayClient,
  { told }: ApplyOptions,
): Promise<number> {
  const { images } = await client.get<{ images: ImageView[] }>('/images');
  const stored = new Set(images.map(({ sha256 }) => sha256));
  const wanted = new Map(
    campaigns
      .flatMap(({ manifest }) => manifest.images)
      .filter(({ sha256 }) => !stored.has(sha256))
      .map((image) => [image.sha256, image]),
  );
  for (const image of wanted.values()) {
    const standing = bundle.standingOf(image);
    if (standing === 'there') continue;
    const code = standing === 'absent' ? 'image-absent' : 'blob-damaged';
    throw bundleError(code, image.sha256, 'make the bundle again');
  }
  for (const { sha256 } of wanted.values()) {
    await client.upload(bundle.blobs.get(sha256)!.path, (sent, bytes) => {
      told?.({ kind: 'image', sha256, sent, bytes });
    });
  }
  return wanted.size;
}

/** What it refuses is told with the others; a gateway that is not reached ends it all. */
async function carry(
  client: GatewayClient,
  document: Uint8Array,
): Promise<Pick<AppliedCampaign, 'view' | 'code' | 'message'>> {
  try {
    return { view: await client.postBytes('/campaigns', document, CAMPAIGN_MEDIA_TYPE) };
  } catch (error) {
    const isRefusal = error instanceof UpliftError && STAYS.every((code) => code !== error.code);
    if (!isRefusal) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Not about the campaign, and no other would fare better. */
const STAYS = ['gateway-unreachable', 'unauthenticated', 'forbidden', 'not-found', 'not-accepting'];

async function waitFor(
  client: GatewayClient,
  applied: AppliedCampaign[],
  { pause, told }: ApplyOptions,
): Promise<void> {
  const shown = new Map<AppliedCampaign, string>();
  let failures = 0;
  for (;;) {
    for (const one of applied) {
      const text = JSON.stringify(one.view);
      if (one.view && shown.get(one) !== text) told?.({ kind: 'campaign', view: one.view });
      shown.set(one, text);
    }
    const open = applied.filter(({ view }) => view && !RESTING.includes(view.state));
    if (open.length === 0) return;
    await pause();
    try {
      for (const one of open) one.view = await client.get(`/campaigns/${one.view!.digest}`);
      failures = 0;
    } catch (error) {
      const isAway = error instanceof UpliftError && error.exit === EXIT.notReachable;
      if (!isAway || ++failures > FAILURES_MAX) throw error;
    }
  }
}

interface SealedPart {
  gateway: string;
  through: number;
  more: boolean;
  sealed: string;
}

async function bringEvents(bundle: Bundle, client: GatewayClient) {
  const parts: SealedPart[] = [];
  do {
    const after = parts.at(-1)?.through;
    const query = after === undefined ? '' : `?after=${after}`;
    parts.push(await client.get<SealedPart>(`/fleet/events${query}`));
  } while (parts.at(-1)!.more && parts.length < BUNDLE_LIMITS.eventsMax);
  const sealed = parts.map((part) => new Uint8Array(Buffer.from(part.sealed, 'base64')));
  return bundle.putEvents(parts[0]!.gateway, sealed);
}
