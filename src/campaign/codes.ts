/**
 * Why a campaign is not taken, or not for this gateway or device. One table for the folder; codes are
 * never reused, and name the attack where there is one (TUF 1.5.2, Uptane). Who signed has codes of its
 * own, in trust/.
 */
export const CAMPAIGN_CODES = {
  // Reading a manifest.
  'manifest-cbor': 'The manifest is not one CBOR item in deterministic form.',
  'manifest-version': 'The manifest is of a version that is not read.',
  'field-unknown': 'A field is not known where it stands.',
  'field-missing': 'A field that must be there is not.',
  'field-kind': 'A field is of another kind.',
  'field-value': 'A value is outside what its field takes.',
  'entry-order': 'The entries of a set are not in order, each once.',
  'life-wrong': 'The campaign ends before it begins, or lasts longer than a campaign may.',
  'image-repeated': 'One image is listed twice.',
  'image-unknown': 'A target names an image that the campaign does not list.',
  'image-unused': 'The campaign brings an image along that no target names.',
  'two-images': 'One Device Model and firmware version is given two images.',
  'floor-above-image': 'A version floor is above the version of the image of its target.',
  'ring-kind': 'A ring is not exactly one of: members, a percentage, all.',
  'ring-order':
    'Rings are not in order: members, then rising percentages, then all; or none is all.',
  'pace-wrong': 'The pace ends below where it begins.',
  'abort-kind': 'A rule of abort is neither a count, nor a percentage with a minimum.',
  'activation-wrong': 'The time of activation is missing, not wanted, or not within the campaign.',

  // Accepting it on a gateway.
  'clock-set-back': 'The clock shows a time before the campaign ended, but a later one was seen.',
  'campaign-expired': 'The campaign has ended; a later one may be withheld (freeze).',
  'campaign-from-future': 'The campaign was issued later than now.',
  'other-fleet': 'The campaign is for another fleet.',
  'other-gateway': 'The campaign names gateways, and this is none of them.',
  'other-region': 'The campaign is for other regions.',
  'window-unknown': 'The campaign names a maintenance window that this gateway does not have.',
  'generation-rollback': 'A newer generation of this line was accepted before.',
  'generation-reused': 'Another campaign of the same generation was accepted before.',
  'generation-fast-forward': 'The generation is further ahead than one step may be.',
  'campaign-replayed': 'The campaign has ended here, and its bytes start nothing again.',
  'approvals-lowered': 'The campaign asks for fewer approvals than this gateway does.',

  // A device, and the bytes for it.
  'device-not-named': 'The campaign names devices, and this is none of them.',
  'other-device-model': 'No target of the campaign is this Device Model.',
  'other-precursor': 'The device runs a version that the campaign does not start from.',
  'below-floor': 'The image is older than the oldest that this Device Model may be given.',
  'image-mixed': 'The bytes are no image of the campaign (mix-and-match).',
  'image-of-other-target': 'The image is of the campaign, but for another Device Model.',
  'image-size': 'The bytes are more or fewer than the campaign states.',
} as const;

export type CampaignCode = keyof typeof CAMPAIGN_CODES;

export interface CampaignRefusal {
  ok: false;
  code: CampaignCode;
  /** The sentence of the code, and what it is about where that is known. */
  message: string;
  /** Of a manifest: where, such as `rings[1].percent`. */
  field?: string;
}

export function refuseCampaign(code: CampaignCode, about = '', field?: string): CampaignRefusal {
  const message = about ? `${CAMPAIGN_CODES[code]} (${about})` : CAMPAIGN_CODES[code];
  return { ok: false, code, message, ...(field === undefined ? {} : { field }) };
}
