/**
 * The version floor: the oldest version that a Device Model's hardware may still be given. It is a
 * document of plain data, and it only rises.
 *
 * A floor is a number of 32 bits: the file version of an OTA image, or the security counter of a
 * hub's. Firmware versions of requests and lists are text without an order and are not used here.
 * That file versions rise with time is each vendor's convention and no rule (095264r23, 6.3.2.6), so
 * a floor is raised by whoever knows the vendor, or after an upgrade that was read back.
 *
 * The highest number means "any" in an OTA request, and as a floor would shut a device out for good;
 * one step is bounded for the same reason (fast-forward attack).
 */
import { type DeviceHardware, foldText } from '../products/device-model.ts';

export const FLOOR_CODES = {
  'floors-malformed': 'The document is no list of version floors.',
  'floor-repeated': 'A Device Model has two floors.',
  'below-floor': 'The version is older than the oldest that this Device Model may be given.',
  'floor-wildcard': 'The version is the number that means any version.',
  'floor-step': 'The floor would rise by more than one step may.',
} as const;

export type FloorCode = keyof typeof FLOOR_CODES;

export interface VersionFloor extends DeviceHardware {
  floor: number;
}

export interface VersionFloors {
  version: 1;
  floors: readonly VersionFloor[];
}

export interface FloorRefusal {
  ok: false;
  code: FloorCode;
  message: string;
  /** The one in force. */
  floor?: number;
}

export const NO_FLOORS: VersionFloors = { version: 1, floors: [] };

const FLOORS_MAX = 10_000;
const WILDCARD = 0xffff_ffff;
const HARDWARE_FIELDS = ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'] as const;
const TEXT_CHARACTERS_MAX = 64;

/** A document that was read from JSON or YAML. */
export function parseVersionFloors(
  document: unknown,
): { ok: true; floors: VersionFloors } | FloorRefusal {
  if (!isRecord(document) || document['version'] !== 1) return refused('floors-malformed');
  const list = document['floors'];
  if (!Array.isArray(list) || list.length > FLOORS_MAX) return refused('floors-malformed');
  const floors: VersionFloor[] = [];
  const seen = new Set<string>();
  for (const entry of list as unknown[]) {
    if (!isFloor(entry)) return refused('floors-malformed');
    const { manufacturer, model, hardwareVersion, hardwareRevision, floor } = entry;
    if (seen.has(keyOf(entry))) return refused('floor-repeated');
    seen.add(keyOf(entry));
    floors.push({ manufacturer, model, hardwareVersion, hardwareRevision, floor });
  }
  return { ok: true, floors: { version: 1, floors } };
}

/** `floor` is absent where none is set, and then every version passes. */
export function checkFloor(
  floors: VersionFloors,
  hardware: DeviceHardware,
  version: number,
): { ok: true; floor?: number } | FloorRefusal {
  if (!isVersion(version)) return refused('floor-wildcard');
  const floor = floorOf(floors, hardware);
  if (floor === undefined) return { ok: true };
  return version < floor ? { ...refused('below-floor'), floor } : { ok: true, floor };
}

/** The document with a floor that is at least `version`; the same one where it is already. */
export function raiseFloor(
  floors: VersionFloors,
  hardware: DeviceHardware,
  version: number,
  options: { stepMax?: number } = {},
): { ok: true; floors: VersionFloors } | FloorRefusal {
  if (!isVersion(version)) return refused('floor-wildcard');
  const floor = floorOf(floors, hardware);
  if (floor !== undefined && version <= floor) return { ok: true, floors };
  if (options.stepMax !== undefined && floor !== undefined && version - floor > options.stepMax) {
    return { ...refused('floor-step'), floor };
  }
  const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
  const raised = { manufacturer, model, hardwareVersion, hardwareRevision, floor: version };
  const others = floors.floors.filter((entry) => keyOf(entry) !== keyOf(hardware));
  return { ok: true, floors: { version: 1, floors: [...others, raised] } };
}

function floorOf({ floors }: VersionFloors, hardware: DeviceHardware): number | undefined {
  const key = keyOf(hardware);
  return floors.find((entry) => keyOf(entry) === key)?.floor;
}

/** Texts compare as everywhere: blanks around them and case aside. */
function keyOf(hardware: DeviceHardware): string {
  return JSON.stringify(HARDWARE_FIELDS.map((field) => foldText(hardware[field])));
}

function isFloor(entry: unknown): entry is VersionFloor {
  if (!isRecord(entry)) return false;
  const texts = HARDWARE_FIELDS.map((field) => entry[field]);
  const areTexts = texts.every(
    (text) => typeof text === 'string' && text.length <= TEXT_CHARACTERS_MAX,
  );
  return areTexts && isVersion(entry['floor']);
}

function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < WILDCARD;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(code: FloorCode): FloorRefusal {
  return { ok: false, code, message: FLOOR_CODES[code] };
}
