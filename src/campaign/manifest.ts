/**
 * The manifest of a campaign: which devices are given which image, in what order and how fast, when it is
 * given up, and who has to agree. It is CBOR in deterministic form, version 1, and is signed as a whole
 * (signed-campaign.ts); nothing outside the signed bytes says any of this.
 *
 * In the words of RFC 9124 (firmware manifests): `generation` is the monotonic sequence number, of one
 * `line`; manufacturer, model and hardware are the vendor and class conditions; `from` is the precursor
 * condition; `expires` the expiration time; of an image, `sha256`, `bytes` and `format` are payload
 * digest, size and format. An image is named by its digest and fetched by it, so that there is no
 * location to redirect. A device is given one image: a campaign has no dependencies.
 *
 * Bounds are policy of our own where no source is named. One of 50,000 named devices has 850 KB, and is
 * opened in 0.2 to 0.5 s with three signers (Node 24, two busy cores). What is read here may have been written by
 * anybody; use what `openCampaign` returns.
 */
import { type CborValue, decodeCbor, encodeCbor } from '../bytes/cbor.ts';
import { CBOR_REFUSALS } from '../bytes/cbor-scan.ts';
import { parseEui64 } from '../bytes/hex.ts';
import type { ImageFormat } from '../image/file-format.ts';
import {
  type DeviceHardware,
  FIRMWARE_VERSION_CHARACTERS_MAX,
  foldText,
  hardwareKey,
  MODEL_CHARACTERS_MAX,
} from '../products/device-model.ts';
import {
  CAMPAIGN_CODES,
  type CampaignCode,
  type CampaignRefusal,
  refuseCampaign,
} from './codes.ts';
import { FAILURE_CLASSES, type FailureClass } from './failure-classes.ts';
import {
  type Field,
  type FieldSchema,
  list,
  member,
  moment,
  oneOf,
  optional,
  Reading,
  record,
  setOf,
  sha256,
  text,
  whole,
  yes,
} from './fields.ts';

/** Of the payload, as the signature covers it. */
export const CAMPAIGN_CONTENT_TYPE = 'application/vnd.uplift.campaign+cbor';

export interface Manifest {
  version: 1;
  /** As people call it. */
  id: string;
  /** Why, for whoever approves it. */
  reason: string;
  /** Gateways belong to one. */
  fleet: string;
  /** Campaigns that follow one another: of one line, a later generation takes the place of an earlier. */
  line: string;
  generation: number;
  issuedMs: number;
  expiresMs: number;
  /** Key id of who wrote it: the fingerprint of a certificate or anchor. */
  author: string;
  /** How many others have to sign. */
  approvals: number;
  images: readonly CampaignImage[];
  targets: readonly CampaignTarget[];
  /** Absent: every gateway of the fleet. */
  gateways?: readonly string[];
  /** EUI-64, or `hub:SERIAL`, as waivers name devices. Absent: every device that is a target. */
  devices?: readonly string[];
  /** Absent: every region. */
  regions?: readonly string[];
  rings: readonly Ring[];
  pace: Pace;
  aborts: readonly AbortRule[];
  /** The maintenance window by the name that the gateway's configuration gives it. Absent: any time. */
  window?: string;
  activation: CampaignActivation;
}

export interface CampaignImage {
  /** Of the whole file, as it is sent. */
  sha256: string;
  bytes: number;
  format: ImageFormat;
  /** File version of an OTA image, security counter of a hub's: what floors are about. */
  version: number;
  /** As requests and the Central Products List write it. */
  firmwareVersion: string;
  /** Of a GB image: what the Central Products List carries. */
  manufacturerImageHash?: string;
}

export interface CampaignTarget extends DeviceHardware {
  /** The firmware versions a device may run before. */
  from: readonly string[];
  /** SHA-256 of its image. */
  image: string;
  /** The oldest version that devices of this kind may be given from now on. */
  floor?: number;
}

/** Exactly one of `members`, `percent` and `all`. */
export interface Ring {
  name: string;
  /** Gateways, or devices as `devices` names them. */
  members?: readonly string[];
  /** Of all devices, those of earlier rings included. */
  percent?: number;
  all?: true;
  /** The next ring opens when so many of a hundred have succeeded. */
  untilPercent: number;
}

/** How many devices are under way at once: more, as more succeed. */
export interface Pace {
  first: number;
  /** Of the number before: 150 is half as many again. */
  growthPercent: number;
  /** After each so many successes. */
  afterSucceeded: number;
  most: number;
}

/** Either `count`, or `percent` and `minimum`. */
export interface AbortRule {
  failure: FailureClass | 'any';
  /** Of the whole campaign. */
  count?: number;
  /** Of the devices of a ring that were attempted. */
  percent?: number;
  /** Attempted before the percentage means anything. */
  minimum?: number;
}

/** `atMs` where, and only where, it is at a time. */
export interface CampaignActivation {
  when: 'now' | 'held' | 'at';
  atMs?: number;
}

export type ManifestResult = { ok: true; manifest: Manifest } | CampaignRefusal;

/** Beyond it nothing can follow: a line has a generation a minute for some eighty centuries. */
const GENERATION_MAX = 0xffff_ffff;
const APPROVALS_MAX = 8;
export const LIFE_MS_MAX = 400 * 24 * 3_600_000;
const IMAGES_MAX = 64;
const TARGETS_MAX = 256;
const GATEWAYS_MAX = 10_000;
/** Devices of one UpdateFirmware request, too (DUIS schema 5.x). */
const DEVICES_MAX = 50_000;
/** FirmwareImage of one UpdateFirmware request (DUIS schema 5.x). */
const IMAGE_BYTES_MAX = 10_240_000;
const LIMITS = { depthMax: 5, itemsMax: 150_000 };

const name = text(64, /^[A-Za-z0-9][A-Za-z0-9._-]*$/);
const digits = text(64);
const version = whole(0, 0xffff_fffe);
const percent = whole(1, 100);
const HUB = /^hub:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const deviceName: Field<string> = {
  schema: text(68).schema,
  read(value, at, reading) {
    const read = text(68).read(value, at, reading);
    if (read === undefined) return undefined;
    const found = HUB.test(read) ? read : parseEui64(read);
    // Signed bytes have one way to write it; people have several.
    const isTaken = found !== undefined && (reading.form === 'plain' || found === read);
    return isTaken ? found : reading.refuse('field-value', at, 'an EUI-64, or hub:SERIAL');
  },
  write: (value) => value,
};

const ringMember: Field<string> = {
  schema: text(68).schema,
  read(value, at, reading) {
    const isDevice = typeof value === 'string' && (HUB.test(value) || parseEui64(value));
    return (isDevice ? deviceName : name).read(value, at, reading);
  },
  write: (value) => value,
};

const image = record<CampaignImage>({
  sha256: member(1, sha256, 'Of the whole file, as it is sent.'),
  bytes: member(2, whole(1, IMAGE_BYTES_MAX), 'Of the whole file.'),
  format: member(3, oneOf<ImageFormat>(['zigbee-ota', 'mcuboot', 'gbl', 'ebl'])),
  version: member(
    4,
    version,
    "The file version of an OTA image, the security counter of a hub's: what floors are about.",
  ),
  firmwareVersion: member(
    5,
    text(FIRMWARE_VERSION_CHARACTERS_MAX),
    'As requests and the Central Products List write it.',
  ),
  manufacturerImageHash: optional(
    6,
    sha256,
    'Of a GB image: what the Central Products List carries.',
  ),
});

const target = record<CampaignTarget>({
  manufacturer: member(1, text(MODEL_CHARACTERS_MAX)),
  model: member(2, text(MODEL_CHARACTERS_MAX)),
  hardwareVersion: member(3, digits),
  hardwareRevision: member(4, digits),
  from: member(
    5,
    setOf(text(FIRMWARE_VERSION_CHARACTERS_MAX), 64),
    'The firmware versions that a device may run before.',
  ),
  image: member(6, sha256, 'SHA-256 of its image, one of `images`.'),
  floor: optional(
    7,
    version,
    'The oldest version that devices of this kind may be given from now on.',
  ),
});

const ring = record<Ring>({
  name: member(1, name),
  members: optional(2, setOf(ringMember, 1000), 'Gateways, or devices as `devices` names them.'),
  percent: optional(3, whole(1, 99), 'Of all devices, those of earlier rings included.'),
  all: optional(4, yes, 'All that are left; the last ring has it.'),
  untilPercent: member(5, percent, 'The next ring opens when so many of a hundred have succeeded.'),
});

const pace = record<Pace>({
  first: member(1, whole(1, 1000), 'So many devices are under way at once at first.'),
  growthPercent: member(2, whole(100, 500), 'Of the number before: 150 is half as many again.'),
  afterSucceeded: member(3, whole(1, 10_000), 'More after each so many successes.'),
  most: member(4, whole(1, DEVICES_MAX), 'And never more than so many.'),
});

const classes = Object.keys(FAILURE_CLASSES) as FailureClass[];
const abort = record<AbortRule>({
  failure: member(1, oneOf<FailureClass | 'any'>([...classes, 'any'])),
  count: optional(2, whole(1, DEVICES_MAX), 'So many of the whole campaign; else `percent`.'),
  percent: optional(3, percent, 'Of the devices of a ring that were attempted.'),
  minimum: optional(4, whole(1, DEVICES_MAX), 'Attempted before the percentage means anything.'),
});

const activation = record<CampaignActivation>({
  when: member(1, oneOf(['now', 'held', 'at'])),
  atMs: optional(2, moment, 'Where it is at a time: which, within the life of the campaign.'),
});

const versionOne: Field<1> = {
  schema: { const: 1 },
  read: (value, at, reading) => (value === 1 ? 1 : reading.refuse('manifest-version', at)),
  write: (value) => value,
};

const manifest = record<Manifest>({
  version: member(1, versionOne),
  id: member(2, name, 'As people call it.'),
  reason: member(3, text(500), 'Why, for whoever approves it.'),
  fleet: member(4, name, 'The fleet whose gateways take it.'),
  line: member(
    5,
    name,
    'Campaigns that follow one another: a later generation of it takes the place of an earlier one.',
  ),
  generation: member(6, whole(1, GENERATION_MAX)),
  issuedMs: member(7, moment),
  expiresMs: member(8, moment),
  author: member(
    9,
    sha256,
    'Who wrote it: the fingerprint of a certificate; `--author` fills it in.',
  ),
  approvals: member(10, whole(1, APPROVALS_MAX), 'How many others have to sign.'),
  images: member(11, list(image, 1, IMAGES_MAX)),
  targets: member(12, list(target, 1, TARGETS_MAX)),
  gateways: optional(13, setOf(name, GATEWAYS_MAX), 'Only these; else every one of the fleet.'),
  devices: optional(
    14,
    setOf(deviceName, DEVICES_MAX),
    'Only these: EUI-64, or `hub:SERIAL`; else every one that is a target.',
  ),
  regions: optional(15, setOf(name, 16), 'Only these; else every one.'),
  rings: member(
    16,
    list(ring, 1, 16),
    'Who goes first; each of exactly one of `members`, `percent` and `all`.',
  ),
  pace: member(17, pace, 'How many devices are under way at once: more, as more succeed.'),
  aborts: member(
    18,
    list(abort, 1, 16),
    'When it ends itself; each by `count`, or by `percent` and `minimum`.',
  ),
  window: optional(
    19,
    name,
    "The maintenance window, by the name that the gateway's configuration gives it.",
  ),
  activation: member(20, activation),
});

/** There is one for every target: a manifest without it is not read. */
export function imageOf(
  { images }: Pick<Manifest, 'images'>,
  target: CampaignTarget,
): CampaignImage {
  return images.find(({ sha256 }) => sha256 === target.image)!;
}

/** The signed bytes. */
export function parseManifest(bytes: Uint8Array): ManifestResult {
  const decoded = decodeCbor(bytes, LIMITS);
  if (!decoded.ok) {
    return refuseCampaign(
      'manifest-cbor',
      `octet ${decoded.offset}: ${CBOR_REFUSALS[decoded.code]}`,
    );
  }
  return read(decoded.value, 'cbor');
}

/** A document that was read from YAML or JSON; times are text, 2027-01-31T02:30:00Z. */
export function readManifestDocument(document: unknown): ManifestResult {
  return read(document, 'plain');
}

/** What `parseManifest` reads back, and nothing else does. */
export function encodeManifest(value: Manifest): Uint8Array {
  return encodeCbor(manifest.write(value, 'cbor') as CborValue);
}

/** What a description may say, as JSON Schema; the checks across fields are not in it. */
export const MANIFEST_SCHEMA: FieldSchema = manifest.schema;

/** As `readManifestDocument` takes it. */
export function manifestDocument(value: Manifest): Record<string, unknown> {
  return manifest.write(value, 'plain') as Record<string, unknown>;
}

function read(value: unknown, form: 'cbor' | 'plain'): ManifestResult {
  const reading = new Reading(form);
  const found = manifest.read(value, '', reading);
  if (!found) return reading.refusal ?? refuseCampaign('field-kind');
  const fault = checkLife(found) ?? checkImages(found) ?? checkRings(found) ?? checkRules(found);
  return fault ?? { ok: true, manifest: found };
}

function checkLife({ issuedMs, expiresMs, activation }: Manifest): CampaignRefusal | undefined {
  const lifeMs = expiresMs - issuedMs;
  if (lifeMs <= 0 || lifeMs > LIFE_MS_MAX) return wrong('life-wrong', 'expires');
  const { when, atMs } = activation;
  if ((when === 'at') !== (atMs !== undefined)) return wrong('activation-wrong', 'activation');
  const isWithin = atMs === undefined || (atMs > issuedMs && atMs < expiresMs);
  return isWithin ? undefined : wrong('activation-wrong', 'activation.at');
}

function checkImages({ images, targets }: Manifest): CampaignRefusal | undefined {
  const byDigest = new Map(images.map((one) => [one.sha256, one]));
  if (byDigest.size < images.length) return wrong('image-repeated', 'images');
  const starts = new Set<string>();
  for (const [index, one] of targets.entries()) {
    const at = `targets[${index}]`;
    const found = byDigest.get(one.image);
    if (!found) return wrong('image-unknown', `${at}.image`);
    if (one.floor !== undefined && one.floor > found.version) {
      return wrong('floor-above-image', `${at}.floor`);
    }
    for (const from of one.from) {
      const start = JSON.stringify([hardwareKey(one), foldText(from)]);
      if (starts.has(start)) return wrong('two-images', `${at}.from`);
      starts.add(start);
    }
  }
  const unused = images.findIndex(({ sha256 }) => targets.every(({ image }) => image !== sha256));
  return unused < 0 ? undefined : wrong('image-unused', `images[${unused}]`);
}

/** Members first, then rising percentages, then all, which is last and always there. */
function checkRings({ rings }: Manifest): CampaignRefusal | undefined {
  let reached = 0;
  for (const [index, { members, percent, all }] of rings.entries()) {
    const kinds = [members, percent, all].filter((kind) => kind !== undefined);
    if (kinds.length !== 1) return wrong('ring-kind', `rings[${index}]`);
    const next = all ? 100 : (percent ?? 0);
    const isInOrder = members ? reached === 0 : next > reached;
    if (!isInOrder) return wrong('ring-order', `rings[${index}]`);
    reached = next;
  }
  const names = new Set(rings.map(({ name }) => name));
  if (names.size < rings.length) return wrong('entry-order', 'rings');
  return reached === 100 ? undefined : wrong('ring-order', 'rings');
}

function checkRules({ pace, aborts }: Manifest): CampaignRefusal | undefined {
  if (pace.most < pace.first) return wrong('pace-wrong', 'pace.most');
  const bad = aborts.findIndex(({ count, percent, minimum }) => {
    const isShare = percent !== undefined && minimum !== undefined && count === undefined;
    const isCount = count !== undefined && percent === undefined && minimum === undefined;
    return !isShare && !isCount;
  });
  return bad < 0 ? undefined : wrong('abort-kind', `aborts[${bad}]`);
}

function wrong(code: CampaignCode, field: string): CampaignRefusal {
  return { ok: false, code, message: `${CAMPAIGN_CODES[code]} (${field})`, field };
}
