/**
 * A distribution set that a gateway takes: one signed campaign, and exactly the images that it names. hawkBit
 * carries them; what they are is said by signatures and digests, never by names or versions of the server.
 */
import type { Manifest } from '../../campaign/manifest.ts';
import { WIRE_LIMITS } from '../wire.ts';
import { failure, type Outcome } from './codes.ts';
import type { DdiArtifact, Deployment } from './ddi-messages.ts';

/** An artifact, with all that it takes to fetch it and to know it again. */
export interface Artifact {
  filename: string;
  sha256: string;
  bytes: number;
  /** In the order in which they are tried. */
  urls: readonly string[];
}

export interface Distribution {
  ok: true;
  campaign: Artifact;
  others: readonly Artifact[];
}

export type Refused = { ok: false; outcome: Outcome };

const IS_CAMPAIGN = /\.campaign$/i;

export function distributionOf({ chunks }: Deployment): Distribution | Refused {
  const found = chunks.flatMap(({ artifacts }) => artifacts ?? []);
  const campaigns = found.filter(({ filename }) => IS_CAMPAIGN.test(filename));
  if (campaigns.length === 0) return refused(failure('campaign-none', namesOf(found)));
  if (campaigns.length > 1) return refused(failure('campaign-several', namesOf(campaigns)));
  const artifacts: Artifact[] = [];
  for (const one of found) {
    const artifact = artifactOf(one);
    if (!artifact) return refused(failure('artifact-unhashed', one.filename));
    artifacts.push(artifact);
  }
  const campaign = artifacts[found.indexOf(campaigns[0]!)]!;
  if (campaign.bytes > WIRE_LIMITS.campaignBytesMax) {
    return refused(failure('campaign-large', `${campaign.bytes} bytes`));
  }
  return { ok: true, campaign, others: artifacts.filter((one) => one !== campaign) };
}

/** No more and no fewer than the manifest names; the same bytes under two names are one. */
export function checkImages(
  { others }: Pick<Distribution, 'others'>,
  { images }: Pick<Manifest, 'images'>,
): Outcome | undefined {
  const extra = others.find((one) => images.every(({ sha256 }) => sha256 !== one.sha256));
  if (extra) return failure('image-extra', `${extra.filename}, ${extra.sha256}`);
  for (const { sha256, bytes, firmwareVersion } of images) {
    const found = others.find((one) => one.sha256 === sha256);
    if (!found) return failure('image-absent', `version ${firmwareVersion}, ${sha256}`);
    if (found.bytes !== bytes) return failure('image-length', `${found.bytes} for ${bytes} bytes`);
  }
  return undefined;
}

function artifactOf({ filename, hashes, size, _links: links }: DdiArtifact): Artifact | undefined {
  const urls = [links?.download, links?.['download-http']].flatMap((link) => link?.href ?? []);
  const isWhole = hashes?.sha256 !== undefined && size !== undefined && size > 0;
  if (!isWhole || urls.length === 0) return undefined;
  return { filename, sha256: hashes.sha256!, bytes: size, urls };
}

function namesOf(artifacts: readonly DdiArtifact[]): string {
  return artifacts.map(({ filename }) => filename).join(', ');
}

function refused(outcome: Outcome): Refused {
  return { ok: false, outcome };
}
