/**
 * One image for many devices, as the manifest of one campaign. Pure. Its id follows from what it is for,
 * so that the same is not made a second time whatever became of the first, and says up to which command of
 * the front's journal it goes: a later command is none of its own.
 */
import type { OtaImageFacts } from '../../admission/facts.ts';
import { hexDigits } from '../../bytes/hex.ts';
import type {
  AbortRule,
  CampaignImage,
  CampaignTarget,
  Manifest,
  Pace,
  Ring,
} from '../../campaign/manifest.ts';
import type { LoadedImage } from '../../gateway/image-library.ts';
import { type DeviceHardware, foldText, hardwareKey } from '../../products/device-model.ts';
import { sha256Hex } from '../../trust/digest.ts';

export interface CampaignRules {
  fleet: string;
  /** Who makes it: no other front has the name. */
  front: string;
  /** Key id of its author. */
  author: string;
  approvals: number;
  /** In whole seconds. */
  lifeMs: number;
  rings: readonly Ring[];
  pace: Pace;
  aborts: readonly AbortRule[];
}

export interface Order {
  /** As manifests name it. */
  device: string;
  hardware: DeviceHardware;
  /** As its gateway read it. */
  runs: string;
  commandedBy: number;
  askedMs: number;
}

export interface Draft {
  image: CampaignImage;
  activation: 'now' | 'held';
  orders: readonly Order[];
}

/** Devices of one manifest; versions that a target starts from. */
export const CAMPAIGN_DEVICES_MAX = 50_000;
export const FROM_MAX = 64;
/** Manifests tell time in whole ones. */
const SECOND_MS = 1_000;
const ID = /^front-([0-9a-f]{8})-([0-9a-z]{1,11})-([0-9a-f]{16})$/;

/** `undefined` of an image that cannot be read. */
export function campaignImage(
  { facts, file }: LoadedImage,
  sha256: string,
): CampaignImage | undefined {
  if (!facts.ok) return undefined;
  const bytes = file.length;
  if (facts.kind === 'ota') return { sha256, bytes, format: 'zigbee-ota', ...otaWords(facts) };
  const { profile, version, rollbackCounter = 0 } = facts;
  // What no device can be asked for cannot be told from what it runs already.
  if (version === undefined) return undefined;
  return {
    sha256,
    bytes,
    format: profile,
    version: rollbackCounter,
    firmwareVersion: version.text,
  };
}

export function manifestOf(draft: Draft, rules: CampaignRules, nowMs: number): Manifest {
  const { image, activation, orders } = draft;
  const { fleet, author, approvals, lifeMs, rings, pace, aborts } = rules;
  const id = campaignId(draft, rules.front);
  // A clock that was set back does not make it older than what it is for.
  const latestMs = orders.reduce((ms, { askedMs }) => Math.max(ms, askedMs), nowMs);
  const issuedMs = Math.ceil(latestMs / SECOND_MS) * SECOND_MS;
  const doing = activation === 'held' ? 'distributed and held' : 'activated';
  return {
    ...{ version: 1, id, fleet, author, approvals },
    reason: `asked for at ${rules.front}: ${image.firmwareVersion}, to be ${doing}`,
    // Nothing takes its place: what is asked for is carried out.
    ...{ line: id, generation: 1, issuedMs, expiresMs: issuedMs + lifeMs },
    ...{ images: [image], targets: targetsOf(draft), devices: orders.map(({ device }) => device) },
    ...{ rings, pace, aborts, activation: { when: activation } },
  };
}

/** Up to which command a campaign goes; `undefined` of one that this front did not make. */
export function commandOf(id: string, front: string): number | undefined {
  const [, tag, sequence] = ID.exec(id) ?? [];
  return tag === tagOf(front) ? Number.parseInt(sequence!, 36) : undefined;
}

/** Whether it was made for what is asked. */
export function isFor(
  { id, images, activation, issuedMs }: Manifest,
  asked: { image: string; activation: 'now' | 'held'; commandedBy: number; askedMs: number },
  front: string,
): boolean {
  const through = commandOf(id, front);
  return (
    through !== undefined &&
    asked.commandedBy <= through &&
    asked.askedMs <= issuedMs &&
    activation.when === asked.activation &&
    images[0]!.sha256 === asked.image
  );
}

function campaignId({ image, activation, orders }: Draft, front: string): string {
  const through = orders.reduce((most, { commandedBy }) => Math.max(most, commandedBy), 0);
  const lines = orders.map(({ device, commandedBy }) => `${device} ${commandedBy}`).sort();
  const digest = digestOf([front, image.sha256, activation, ...lines].join('\n'));
  return `front-${tagOf(front)}-${through.toString(36)}-${digest.slice(0, 16)}`;
}

function tagOf(front: string): string {
  return digestOf(front).slice(0, 8);
}

function digestOf(text: string): string {
  return sha256Hex(new TextEncoder().encode(text));
}

/** From what its devices run; where that is more than a target can say, from what most do. */
function targetsOf({ image, orders }: Draft): CampaignTarget[] {
  const kinds = Map.groupBy(orders, ({ hardware }) => hardwareKey(hardware));
  return [...kinds.values()].map((ofKind) => {
    const [{ hardware }] = ofKind as [Order];
    const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
    const versions = [...Map.groupBy(ofKind, ({ runs }) => foldText(runs)).values()]
      .toSorted((a, b) => b.length - a.length)
      .slice(0, FROM_MAX);
    const from = versions.map(([first]) => first!.runs);
    return { manufacturer, model, hardwareVersion, hardwareRevision, from, image: image.sha256 };
  });
}

function otaWords({ header, hashes }: OtaImageFacts) {
  const { fileVersion } = header;
  const manufacturerImageHash = hashes.manufacturerImage;
  return {
    version: fileVersion,
    firmwareVersion: hexDigits(fileVersion, 8),
    manufacturerImageHash,
  };
}
