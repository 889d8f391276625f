/** Campaigns as the commands read and show them. */
import type { CampaignImage, CampaignTarget, Manifest, Ring } from '../campaign/manifest.ts';
import { parseManifest } from '../campaign/manifest.ts';
import { decodeCampaign, type OpenRefusal } from '../campaign/signed-campaign.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { COSE_BYTES_MAX, type CoseDocument } from '../trust/cose.ts';
import { sha256Hex } from '../trust/digest.ts';
import { bytesText } from './output.ts';

export interface ReadCampaign {
  bytes: Uint8Array;
  document: CoseDocument;
  manifest: Manifest;
  /** SHA-256 of the manifest. */
  digest: string;
}

/** Whoever signed it, or nobody. @throws UpliftError */
export function readCampaign(path: string): ReadCampaign {
  const bytes = readCampaignBytes(path);
  const document = decodeCampaign(bytes, { mayBeUnsigned: true });
  if (!document.ok) throw refusedCampaign(path, document);
  const parsed = parseManifest(document.payload);
  if (!parsed.ok) throw refusedCampaign(path, parsed);
  return { bytes, document, manifest: parsed.manifest, digest: sha256Hex(document.payload) };
}

export function readCampaignBytes(path: string): Uint8Array {
  return readBounded(path, COSE_BYTES_MAX, 'a campaign');
}

/** Exit code 3. */
export function refusedCampaign(path: string, { code, message }: OpenRefusal): UpliftError {
  return new UpliftError(code, `${path} is not taken`, {
    expected: 'a campaign that is whole, in time, and signed by enough people',
    actual: message,
    next: NEXT[code] ?? 'have it made and signed again by those whose campaign it is',
    exit: EXIT.refused,
  });
}

const NEXT: Partial<Record<string, string>> = {
  'no-trust-anchor': 'name those who may vouch for signers: --anchors, with purpose campaign',
  'wrong-purpose': 'give the anchor the purpose campaign, if it is to have it',
  'approvals-too-few': 'have it signed by others: uplift campaign sign --as approver',
  'self-approval': 'have it signed by others: uplift campaign sign --as approver',
  'approver-twice': 'have it signed by others: uplift campaign sign --as approver',
  'author-unsigned': 'have its author sign it: uplift campaign sign --as author',
  'cose-no-signature': 'have its author sign it: uplift campaign sign --as author',
  'campaign-expired': 'make one of a later generation',
};

/** What a person has to see before signing. */
export function campaignLines(manifest: Manifest, digest: string): string[] {
  const { id, reason, fleet, line, generation, gateways, devices, regions } = manifest;
  const { window, activation, pace, approvals } = manifest;
  const named = [
    gateways && `${gateways.length} named gateways`,
    devices && `${devices.length} named devices`,
    regions && `regions ${regions.join(', ')}`,
  ].filter((words) => words !== undefined);
  return [
    `${id}: ${reason}`,
    `  digest      ${digest}`,
    `  line        ${line}, generation ${generation}, of the fleet ${fleet}`,
    `  life        ${momentText(manifest.issuedMs)} to ${momentText(manifest.expiresMs)}`,
    `  approvals   ${approvals}, besides the author`,
    ...(named.length > 0 ? [`  only        ${named.join('; ')}`] : []),
    ...manifest.images.map((image) => `  image       ${imageText(image)}`),
    ...manifest.targets.map((target) => `  target      ${targetText(target)}`),
    ...manifest.rings.map((ring) => `  ring        ${ringText(ring)}`),
    `  pace        ${pace.first} at once, to ${pace.growthPercent} % after each ` +
      `${pace.afterSucceeded} that succeed, at most ${pace.most}`,
    ...manifest.aborts.map((rule) => `  given up    at ${abortText(rule)}`),
    `  activation  ${activationText(activation)}${window === undefined ? '' : `, in ${window}`}`,
  ];
}

function imageText({ sha256, bytes, format, firmwareVersion }: CampaignImage): string {
  return `${firmwareVersion}, ${format}, ${bytesText(bytes)} bytes, SHA-256 ${sha256}`;
}

function targetText({ image, from, floor, ...hardware }: CampaignTarget): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
  const deviceModel = [manufacturer, model, hardwareVersion, hardwareRevision].join(':');
  const least = floor === undefined ? '' : `, floor ${floor}`;
  return `${deviceModel} from ${from.join(', ')} to ${image.slice(0, 12)}${least}`;
}

function ringText({ name, members, percent, untilPercent }: Ring): string {
  const share = percent === undefined ? 'all' : `${percent} %`;
  const who = members ? `${members.length} named` : share;
  return `${name}: ${who}, until ${untilPercent} % have succeeded`;
}

function abortText({ failure, count, percent, minimum }: Manifest['aborts'][number]): string {
  const kind = failure === 'any' ? 'failures' : `failures (${failure})`;
  return count === undefined
    ? `${percent} % ${kind} of a ring, once ${minimum} were attempted`
    : `${count} ${kind}`;
}

function activationText({ when, atMs }: Manifest['activation']): string {
  return atMs === undefined ? when : momentText(atMs);
}

function momentText(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
