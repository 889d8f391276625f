/** What the commands share: options that name files and devices, turned into what the gateway takes. */
import type { AdmissionContext } from '../admission/context.ts';
import type { AdmissionPolicy, AnyImageProfile } from '../admission/facts.ts';
import { someOf } from '../bytes/some-of.ts';
import { loadRig } from '../config/load.ts';
import { isDay, MOMENT, momentMs } from '../config/moment.ts';
import type { PpmidDevice, Rig, RigDevice } from '../config/schema.ts';
import { EXIT, UpliftError } from '../errors.ts';
import { ImageFile, type LoadedImage } from '../gateway/image-library.ts';
import { loadCentralProductsList } from '../gateway/list-library.ts';
import { StateFolder } from '../gateway/state-folder.ts';
import { surroundingsOf } from '../gateway/surroundings.ts';
import { IMAGE_PROFILES, type ImageProfileId, isImageProfileId } from '../image/gb-upgrade.ts';
import { HUB_IMAGE_PROFILES, isHubImageProfile } from '../image/hub-image.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { ListStamp } from '../products/list-age.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { type ContextOptions, toldOf } from './context.ts';

export interface AdmissionOptions extends ContextOptions {
  /** A file, or false for --no-cpl. */
  cpl?: string | false;
  /** A folder of trust anchors, or their document. */
  trust?: string;
  allowDowngrade?: boolean;
  allowUnsigned?: boolean;
  imageIndex?: string;
}

export interface RigOptions extends AdmissionOptions {
  rig: string;
  device?: string[];
  image: string;
}

/** A rig, the devices that are meant, and for each the image as its profile reads it. */
export interface Targets {
  rig: Rig;
  devices: RigDevice[];
  /** Of the rig, where none was named: those that take images of another kind. */
  leftOut: RigDevice[];
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  contextFor(device: RigDevice): AdmissionContext;
  imageFor(device: RigDevice): LoadedImage;
}

export function loadTargets(options: RigOptions): Targets {
  const rig = loadRig(options.rig);
  const { trust, stamp, contextFor } = surroundingsOf(toldOf(options), rig);
  const file = new ImageFile(options.image, { imageIndex: indexOf(options.imageIndex), trust });
  const { devices, leftOut } = devicesFor(file, rig, options.device);
  return {
    rig,
    devices,
    leftOut,
    list: listOf(options, rig, stamp),
    policy: policyOf(options),
    contextFor,
    imageFor: ({ model }) => file.for(model.imageProfile),
  };
}

/**
 * The devices that are meant. Named ones are, whatever the image is: a refusal says why it is not for
 * them. Where none is named and some of the rig take such an image, it is for those, and that the
 * others take another kind is no failure. Where none takes it, all are asked, and each refuses it.
 */
export function devicesFor(
  file: Pick<ImageFile, 'isFor'>,
  rig: Rig,
  names: string[] | undefined,
): { devices: RigDevice[]; leftOut: RigDevice[] } {
  const chosen = selectDevices(rig, names);
  const takers = chosen.filter(({ model }) => file.isFor(model.imageProfile));
  if ((names && names.length > 0) || takers.length === 0) return { devices: chosen, leftOut: [] };
  return { devices: takers, leftOut: chosen.filter((device) => !takers.includes(device)) };
}

export function selectDevices(rig: Rig, names: string[] | undefined): RigDevice[] {
  return selectAmong(rig, rig.devices, names);
}

export function selectPpmids(rig: Rig, names: string[] | undefined): PpmidDevice[] {
  if (rig.ppmids.length === 0) {
    throw new UpliftError('device-unknown', `the rig ${rig.id} has no device on a coordinator`, {
      expected: 'a PPMID behind a coordinator',
      actual: 'hubs on serial lines only',
      next: 'name another rig file',
    });
  }
  return selectAmong(rig, rig.ppmids, names);
}

function selectAmong<D extends RigDevice>(
  rig: Rig,
  devices: D[],
  names: string[] | undefined,
): D[] {
  if (!names || names.length === 0) return devices;
  const chosen = names.map((name) => {
    const wanted = name.toLowerCase();
    const eui64 = wanted.replaceAll(':', '');
    const found = devices.find(
      (device) => device.id === wanted || (device.kind === 'ppmid' && device.eui64 === eui64),
    );
    if (found) return found;
    throw new UpliftError('device-unknown', `the rig ${rig.id} has no device ${name}`, {
      expected: someOf(devices.map(({ id }) => id)),
      actual: name,
      next: 'name one of those, or add the device to the rig file',
    });
  });
  return [...new Set(chosen)];
}

/** A signature that is there and wrong is refused all the same. */
const UNSIGNED_ALLOWED = {
  unsignedImage: 'warn',
  unverifiedSignature: 'warn',
  sealedUnderEncryption: 'warn',
} as const satisfies AdmissionPolicy;

export function policyOf(options: AdmissionOptions): AdmissionPolicy {
  return {
    ...(options.allowDowngrade ? { allowDowngrade: true } : {}),
    ...(options.allowUnsigned ? UNSIGNED_ALLOWED : {}),
    ...(options.cpl === false ? { listRequired: false } : {}),
  };
}

/** The list named on the command line, else the rig's. */
export function listOf(
  options: AdmissionOptions,
  rig?: Rig,
  stamp?: ListStamp,
): CentralProductsList | undefined {
  if (options.cpl === false) return undefined;
  const path = options.cpl ?? rig?.centralProductsList;
  if (path === undefined) return undefined;
  const accepted = rig && StateFolder.shared(rig.stateFolder).acceptedList();
  return loadCentralProductsList(path, { stamp, accepted });
}

export function indexOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : wholeNumber(text, '--image-index');
}

/** Of a ZigBee OTA file. */
export function otaProfileOf(text: string): ImageProfileId {
  if (isImageProfileId(text)) return text;
  throw usage('--profile', Object.keys(IMAGE_PROFILES).join(', '), text);
}

export function profileOf(text: string): AnyImageProfile {
  if (isImageProfileId(text) || isHubImageProfile(text)) return text;
  const all = [...Object.keys(IMAGE_PROFILES), ...HUB_IMAGE_PROFILES];
  throw usage('--profile', all.join(', '), text);
}

/** A number in decimal, or in hexadecimal with 0x. */
export function wholeNumber(
  text: string,
  option: string,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  const limit = most < Number.MAX_SAFE_INTEGER ? `, at most 0x${most.toString(16)}` : '';
  throw usage(option, `a number such as 12 or 0x0C${limit}`, text);
}

const TIME = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/;
/** A later time is a slip of the finger: nobody keeps a gateway waiting so long. */
const ACTIVATION_MS_MAX = 366 * 24 * 3_600_000;

/** `now`, `held`, or a time: ISO 8601 with a zone, or local. */
export function activationOf(text: string, nowMs: number): Activation {
  if (text === 'now' || text === 'held') return { when: text };
  const [, day] = TIME.exec(text) ?? [];
  const atMs = day !== undefined && isDay(day) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw usage('--activate', 'now, held, or a time such as 2027-01-31T02:30:00Z', text);
  const found = `${text}, which is ${new Date(atMs).toISOString()}`;
  if (atMs <= nowMs) throw usage('--activate', 'a time that is still to come', found);
  if (atMs > nowMs + ACTIVATION_MS_MAX) throw usage('--activate', 'a time within a year', found);
  return { when: 'at', atMs };
}

/** A day, its start in UTC, or a time with its zone. */
export function momentOf(option: string, text: string): number {
  const ms = momentMs(text);
  if (ms !== undefined) return ms;
  throw usage(option, MOMENT, text);
}

export function usage(option: string, expected: string, actual: string): UpliftError {
  return new UpliftError('option-invalid', `${option} was not understood`, {
    expected,
    actual,
    next: 'run the command with --help to see an example',
    exit: EXIT.usage,
  });
}
