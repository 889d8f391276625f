/**
 * A downgrade waiver: leave to give named devices one image that is below the version floor, for a
 * time. Two people sign it, the one who wrote it and the one who approved it, each with a key of
 * their own that is for waivers and nothing else.
 *
 * Signed is a text of one line a field, `waiverText`, not the document's bytes: it does not depend
 * on how JSON or YAML was written, and people can read what they sign. Every value is quoted as
 * JSON, so that no value can look like another line. ECDSA P-256 with SHA-256, r and s.
 *
 * The life of a waiver is bounded here; that bound, unlike the rest, is policy of our own.
 */
import { parseEui64 } from '../bytes/hex.ts';
import { type DeviceHardware, sameText } from '../products/device-model.ts';
import { isRawP256Signature, verifyP256 } from './ecdsa.ts';
import type { TrustAnchor } from './trust-anchors.ts';

export const WAIVER_CODES = {
  'waiver-malformed': 'The document is no downgrade waiver.',
  'waiver-life': 'The waiver ends before it begins, or lasts longer than a waiver may.',
  'waiver-author-approves': 'Author and approver are one person.',
  'waiver-one-signature': 'Author and approver have not both signed, once each.',
  'waiver-key-unknown': 'No key of a signer is configured under the name.',
  'waiver-key-purpose': 'The key of a signer is for another purpose.',
  'waiver-key-shared': 'Author and approver signed with one key.',
  'waiver-signature': 'A signature was not made by the named key over this waiver.',
  'waiver-not-yet-valid': 'The waiver is not in force yet.',
  'waiver-expired': 'The waiver has expired.',
  'waiver-other-device': 'The waiver does not name this device.',
  'waiver-other-hardware': 'The waiver is for another Device Model.',
  'waiver-other-image': 'The waiver is for another image or version.',
} as const;

export type WaiverCode = keyof typeof WAIVER_CODES;

export interface WaiverRefusal {
  ok: false;
  code: WaiverCode;
  message: string;
}

export interface DowngradeWaiver {
  version: 1;
  /** Unique; what the audit log refers to. */
  id: string;
  reason: string;
  author: string;
  approver: string;
  /** Each as `waiverName` names it, in order, each once. */
  devices: readonly string[];
  hardware: DeviceHardware;
  /** The number that the floor is about. */
  imageVersion: number;
  /** SHA-256 of exactly what is sent: 64 lower-case digits. */
  imageSha256: string;
  notBeforeMs: number;
  expiresMs: number;
  signatures: readonly WaiverSignature[];
}

export interface WaiverSignature {
  person: string;
  /** r and s: 128 digits. */
  value: string;
}

/** Whose key it is. */
export interface WaiverKey {
  person: string;
  anchor: TrustAnchor;
}

/** What is to be done under the waiver. */
export interface WaivedUpgrade {
  /** As `waiverName` names it. */
  device: string;
  hardware: DeviceHardware;
  imageVersion: number;
  imageSha256: string;
  atMs: number;
}

/**
 * How a waiver names a device: by its EUI-64, 16 lower-case digits; a hub on a line, which states
 * none, by the serial number on its label: `hub:SERIAL`.
 */
export function waiverName(device: {
  eui64?: string | undefined;
  serialNumber?: string | undefined;
}): string | undefined {
  const { eui64, serialNumber } = device;
  return eui64 ?? (serialNumber === undefined ? undefined : `hub:${serialNumber}`);
}

/** The keys of the anchors that may sign waivers, each with its owner. */
export function waiverKeysOf(anchors: readonly TrustAnchor[]): WaiverKey[] {
  return anchors.flatMap((anchor) => {
    const { person } = anchor;
    return person === undefined ? [] : [{ person, anchor }];
  });
}

/** The serial number of a hub as the label has it: case counts. */
const HUB = /^hub:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const LIFE_MAX_MS = 31 * 24 * 3600 * 1000;
const DEVICES_MAX = 1000;
const TEXT_CHARACTERS_MAX = 500;
const HARDWARE_FIELDS = ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'] as const;
const FIELDS = [
  'kind',
  'version',
  'id',
  'reason',
  'author',
  'approver',
  'devices',
  'hardware',
  'imageVersion',
  'imageSha256',
  'notBefore',
  'expires',
  'signatures',
];

/** A document that was read from JSON or YAML; dates are text, `2026-01-31T12:00:00Z`. */
export function parseWaiver(
  document: unknown,
): { ok: true; waiver: DowngradeWaiver } | WaiverRefusal {
  const fields = exactRecord(document, FIELDS);
  if (fields?.['kind'] !== 'downgrade-waiver' || fields['version'] !== 1) {
    return refused('waiver-malformed');
  }
  const [id, reason, author, approver] = ['id', 'reason', 'author', 'approver'].map((name) =>
    textOf(fields[name]),
  );
  const devices = devicesOf(fields['devices']);
  const hardware = hardwareOf(fields['hardware']);
  const { imageVersion, imageSha256 } = fields;
  const notBeforeMs = dateMsOf(fields['notBefore']);
  const expiresMs = dateMsOf(fields['expires']);
  const signatures = signaturesOf(fields['signatures']);
  if (!id || !reason || !author || !approver || !devices || !hardware || !signatures) {
    return refused('waiver-malformed');
  }
  if (notBeforeMs === undefined || expiresMs === undefined || !isVersion(imageVersion)) {
    return refused('waiver-malformed');
  }
  if (typeof imageSha256 !== 'string' || !/^[0-9a-f]{64}$/.test(imageSha256)) {
    return refused('waiver-malformed');
  }
  const lifeMs = expiresMs - notBeforeMs;
  if (lifeMs <= 0 || lifeMs > LIFE_MAX_MS) return refused('waiver-life');
  const stated = { devices, hardware, imageVersion, imageSha256, notBeforeMs, expiresMs };
  return {
    ok: true,
    waiver: { version: 1, id, reason, author, approver, ...stated, signatures },
  };
}

/** What author and approver sign. */
export function waiverText(waiver: Omit<DowngradeWaiver, 'signatures'>): string {
  const { hardware, devices } = waiver;
  const values: [string, unknown][] = [
    ['id', waiver.id],
    ['reason', waiver.reason],
    ['author', waiver.author],
    ['approver', waiver.approver],
    ['devices', [...devices]],
    ...HARDWARE_FIELDS.map((field): [string, unknown] => [field, hardware[field]]),
    ['image version', waiver.imageVersion],
    ['image SHA-256', waiver.imageSha256],
    ['not before', new Date(waiver.notBeforeMs).toISOString()],
    ['expires', new Date(waiver.expiresMs).toISOString()],
  ];
  const lines = values.map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return ['Uplift downgrade waiver 1', ...lines, ''].join('\n');
}

/**
 * The signatures first: an unsigned waiver says nothing about any device. They are asked once for a
 * waiver and the keys, and device, image and time each time.
 */
export function verifyWaiver(
  waiver: DowngradeWaiver,
  keys: readonly WaiverKey[],
  upgrade: WaivedUpgrade,
): { ok: true; id: string; people: readonly [string, string] } | WaiverRefusal {
  const unsigned = knownSignatures(waiver, keys);
  if (unsigned) return refused(unsigned);
  const unfit = checkUpgrade(waiver, upgrade);
  if (unfit) return refused(unfit);
  return { ok: true, id: waiver.id, people: [waiver.author, waiver.approver] };
}

/** What the signatures came to, held weakly; no code where both have signed. */
const checked = new WeakMap<
  DowngradeWaiver,
  WeakMap<readonly WaiverKey[], { code: WaiverCode | undefined }>
>();

function knownSignatures(
  waiver: DowngradeWaiver,
  keys: readonly WaiverKey[],
): WaiverCode | undefined {
  const byKeys = checked.get(waiver) ?? new WeakMap();
  const known = byKeys.get(keys) ?? { code: checkSignatures(waiver, keys) };
  byKeys.set(keys, known);
  checked.set(waiver, byKeys);
  return known.code;
}

function checkSignatures(
  waiver: DowngradeWaiver,
  keys: readonly WaiverKey[],
): WaiverCode | undefined {
  const { author, approver, signatures } = waiver;
  if (sameText(author, approver)) return 'waiver-author-approves';
  const people = signatures.map(({ person }) => person);
  if (people.length !== 2 || !people.includes(author) || !people.includes(approver)) {
    return 'waiver-one-signature';
  }
  const text = Buffer.from(waiverText(waiver));
  const used: TrustAnchor[] = [];
  for (const { person, value } of signatures) {
    const own = keys.filter((key) => key.person === person);
    if (own.length === 0) return 'waiver-key-unknown';
    const usable = own.filter(({ anchor }) => anchor.purpose === 'downgrade-waiver');
    if (usable.length === 0) return 'waiver-key-purpose';
    const signature = Buffer.from(value, 'hex');
    if (!isRawP256Signature(signature)) return 'waiver-signature';
    const key = usable.find(({ anchor }) => verifyP256(anchor.publicKey, text, signature));
    if (!key) return 'waiver-signature';
    if (used.some(({ publicKey }) => publicKey.equals(key.anchor.publicKey))) {
      return 'waiver-key-shared';
    }
    used.push(key.anchor);
  }
  return undefined;
}

function checkUpgrade(waiver: DowngradeWaiver, upgrade: WaivedUpgrade): WaiverCode | undefined {
  // A time that is no number is inside no waiver.
  if (!(upgrade.atMs >= waiver.notBeforeMs)) return 'waiver-not-yet-valid';
  if (!(upgrade.atMs < waiver.expiresMs)) return 'waiver-expired';
  if (!waiver.devices.includes(upgrade.device)) return 'waiver-other-device';
  const sameModel = HARDWARE_FIELDS.every((field) =>
    sameText(waiver.hardware[field], upgrade.hardware[field]),
  );
  if (!sameModel) return 'waiver-other-hardware';
  const { imageVersion, imageSha256 } = waiver;
  const sameImage = imageVersion === upgrade.imageVersion && imageSha256 === upgrade.imageSha256;
  return sameImage ? undefined : 'waiver-other-image';
}

/** The record, where it has these fields and no other: what is not signed has no place in it. */
function exactRecord(
  value: unknown,
  fields: readonly string[],
): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const names = Object.keys(value);
  const isExact = names.length === fields.length && fields.every((name) => names.includes(name));
  return isExact ? (value as Record<string, unknown>) : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > TEXT_CHARACTERS_MAX) return undefined;
  return value.trim() === value && value !== '' ? value : undefined;
}

function devicesOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > DEVICES_MAX) return undefined;
  const devices = (value as unknown[]).map((entry) =>
    typeof entry === 'string' ? parseDeviceName(entry) : undefined,
  );
  const known = devices.filter((device) => device !== undefined).sort();
  return new Set(known).size === value.length ? known : undefined;
}

function parseDeviceName(text: string): string | undefined {
  return HUB.test(text) ? text : parseEui64(text);
}

function hardwareOf(value: unknown): DeviceHardware | undefined {
  const fields = exactRecord(value, HARDWARE_FIELDS);
  const texts = HARDWARE_FIELDS.map((field) => textOf(fields?.[field]));
  const [manufacturer, model, hardwareVersion, hardwareRevision] = texts;
  return manufacturer && model && hardwareVersion && hardwareRevision
    ? { manufacturer, model, hardwareVersion, hardwareRevision }
    : undefined;
}

function signaturesOf(value: unknown): WaiverSignature[] | undefined {
  if (!Array.isArray(value) || value.length > 16) return undefined;
  const signatures: WaiverSignature[] = [];
  for (const entry of value as unknown[]) {
    const fields = exactRecord(entry, ['person', 'value']);
    const person = textOf(fields?.['person']);
    const digits = fields?.['value'];
    if (!person || typeof digits !== 'string' || !/^[0-9a-f]{128}$/.test(digits)) return undefined;
    signatures.push({ person, value: digits });
  }
  return signatures;
}

function dateMsOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value)) {
    return undefined;
  }
  const ms = Date.parse(value);
  // A 31 February would be one in March.
  const isDate = !Number.isNaN(ms) && new Date(ms).toISOString() === value.replace('Z', '.000Z');
  return isDate ? ms : undefined;
}

function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 0xffff_ffff;
}

function refused(code: WaiverCode): WaiverRefusal {
  return { ok: false, code, message: WAIVER_CODES[code] };
}
