/**
 * The rules of admission, as data, in the order in which they are asked.
 *
 * Each rule names where it comes from and how sure that is; what was not read in a source is marked
 * `siteMayChange`. A rule is pure and total: for any facts it returns one finding and never throws.
 * The header of an image is not signed in GB, so what it claims is checked against device and list,
 * and only the hash ties the bytes to an entry.
 */
import { hex } from '../bytes/hex.ts';
import { INTEGRITY_OUTCOMES } from '../image/integrity-code.ts';
import { ANY_FILE_VERSION, ANY_U16 } from '../image/ota-header.ts';
import { entriesByHash, isCurrent, type ListEntry } from '../products/central-products-list.ts';
import { sameHardware, sameText, sameUnderOtherCoding } from '../products/device-model.ts';
import type { AdmissionFacts, DeviceFacts, ImageFacts } from './facts.ts';

/** Octets of an image in a Service Request 11.1 or 11.4, decoded (DUIS schemas 5.0a to 5.4). */
export const IMAGE_BYTES_MAX = 10_240_000;

export type Confidence = 'read' | 'inferred' | 'assumed';

export type Outcome = 'pass' | 'refuse' | 'warn' | 'not-applicable' | 'unknown';

export interface RuleText {
  id: RuleId;
  text: string;
  source: { document: string; version?: string };
  confidence: Confidence;
  /** Whether a site's configuration may change what the rule does. */
  siteMayChange: boolean;
}

/** A device's value that a rule waits for. */
export type PendingFact = keyof DeviceFacts;

export interface Verdict {
  outcome: Outcome;
  expected?: string;
  actual?: string;
  next?: string;
  pending?: PendingFact;
}

export interface Rule extends RuleText {
  /** Asked only where the image is readable; `image.readable` answers for the rest. */
  check(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict;
}

export type RuleId =
  | 'image.readable'
  | 'image.size-cap'
  | 'image.total-size'
  | 'image.fits-slot'
  | 'image.integrity-code'
  | 'image.signature'
  | 'device.manufacturer-code'
  | 'device.image-type'
  | 'device.hardware-range'
  | 'device.destination'
  | 'device.newer'
  | 'cpl.listed'
  | 'cpl.device-model'
  | 'cpl.current'
  | 'cpl.firmware-version';

const PASS: Verdict = { outcome: 'pass' };
const NOT_APPLICABLE: Verdict = { outcome: 'not-applicable' };
const OTA_SPEC = { document: 'ZigBee OTA Upgrade cluster', version: '095264r23' };
const GBCS = { document: 'GBCS', version: '1.0' };
const CPL = { document: 'SEC Appendix Z, CPL Requirements Document' };

export const RULES: readonly Rule[] = [
  {
    id: 'image.readable',
    text: 'The file holds one image that can be read, of the profile that was named.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: false,
    check: () => PASS,
  },
  {
    id: 'image.size-cap',
    text: 'The image is no larger than a Service Request can carry.',
    source: { document: 'DUIS XML schema', version: '5.0a to 5.4' },
    confidence: 'read',
    siteMayChange: false,
    check: ({ header }) => atMost(header.totalImageBytes, IMAGE_BYTES_MAX),
  },
  {
    id: 'image.total-size',
    text: 'A GB image is the whole file: its total image size equals the file length.',
    source: { document: 'published GB request samples 11.1 and 11.4' },
    confidence: 'inferred',
    siteMayChange: false,
    check: checkTotalSize,
  },
  {
    id: 'image.fits-slot',
    text: 'The image fits the room that the device has for one.',
    source: { document: 'hw-config, the device model' },
    confidence: 'inferred',
    siteMayChange: true,
    check: ({ header }, { device }) =>
      device.slotBytes === undefined
        ? NOT_APPLICABLE
        : atMost(header.totalImageBytes, device.slotBytes),
  },
  {
    id: 'image.integrity-code',
    text: 'Where the image carries an integrity code, the code fits one of the known coverages.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: true,
    check: checkIntegrity,
  },
  {
    id: 'image.signature',
    text: 'The signature over the Manufacturer Image was made by a trusted key.',
    source: GBCS,
    confidence: 'inferred',
    siteMayChange: true,
    check: checkSignature,
  },
  {
    id: 'device.manufacturer-code',
    text: 'The image is for the manufacturer of the device, or for any (0xFFFF).',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    check: ({ header }, { device }) =>
      matchesOrAny(header.manufacturerCode, device.manufacturerCode, 'manufacturerCode'),
  },
  {
    id: 'device.image-type',
    text: 'The image type is the one of the device, or any (0xFFFF).',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    check: ({ header }, { device }) =>
      matchesOrAny(header.imageType, device.imageType, 'imageType'),
  },
  {
    id: 'device.hardware-range',
    text: 'The hardware version of the device is inside the range that the image names.',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    check: checkHardwareRange,
  },
  {
    id: 'device.destination',
    text: 'An image that names one device goes to that device only.',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    check: checkDestination,
  },
  {
    id: 'device.newer',
    text: 'The file version is greater than the one the device runs.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: true,
    check: checkNewer,
  },
  {
    id: 'cpl.listed',
    text: 'The Manufacturer Image Hash is on the Central Products List.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: true,
    check: checkListed,
  },
  {
    id: 'cpl.device-model',
    text: 'An entry with that hash is for the Device Model of the device.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: false,
    check: checkDeviceModel,
  },
  {
    id: 'cpl.current',
    text: 'That entry stands at the time of the decision, by its status and by its dates.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: false,
    check: checkCurrent,
  },
  {
    id: 'cpl.firmware-version',
    text: 'The file version of the image is the firmware version of that entry.',
    source: { document: 'published GB request samples, which break it' },
    confidence: 'assumed',
    siteMayChange: true,
    check: checkFirmwareVersion,
  },
];

function atMost(bytes: number, limitBytes: number): Verdict {
  if (bytes <= limitBytes) return PASS;
  return { outcome: 'refuse', expected: `at most ${limitBytes} bytes`, actual: `${bytes} bytes` };
}

function checkTotalSize(image: ImageFacts): Verdict {
  const { outsideBytes, header } = image;
  if (outsideBytes === 0) return PASS;
  const isGb = image.profile === 'gb-signed' || image.profile === 'gb-ppmid';
  return {
    outcome: isGb ? 'refuse' : 'warn',
    expected: `${header.totalImageBytes} bytes, the total image size`,
    actual: `a file of ${header.totalImageBytes + outsideBytes} bytes`,
    next: isGb
      ? `ask for the image as it was published; a ${image.profile} image is the whole file`
      : 'nothing, if the file is a wrapper or padded; the bytes outside are not sent',
  };
}

function checkIntegrity({ integrity }: ImageFacts, { policy }: AdmissionFacts): Verdict {
  if (integrity === 'absent') return NOT_APPLICABLE;
  if (integrity !== 'not-verifiable') return PASS;
  return {
    outcome: policy?.integrityMismatch ?? 'warn',
    expected: 'a code over everything before it',
    actual: INTEGRITY_OUTCOMES[integrity],
  };
}

function checkSignature({ signature }: ImageFacts, { policy }: AdmissionFacts): Verdict {
  switch (signature) {
    case 'none':
      return NOT_APPLICABLE;
    case 'verified':
      return PASS;
    case 'wrong':
      return {
        outcome: 'refuse',
        expected: 'a signature by one of the trusted keys',
        actual: 'none of them made it',
        next: 'check where the image comes from, and which keys are trusted',
      };
    case 'no-trust-anchor':
      return {
        outcome: policy?.unverifiedSignature ?? 'warn',
        expected: 'a trusted key to verify the signature with',
        actual: 'none was given',
        next: 'name the folder of trust anchors',
      };
  }
}

/** `own` is the image's: a device that claims the wildcard is not believed. */
function matchesOrAny(own: number, device: number | undefined, pending: PendingFact): Verdict {
  if (own === ANY_U16) return PASS;
  if (device === undefined) return { outcome: 'unknown', pending, expected: hex(own, 4) };
  if (own === device) return PASS;
  return {
    outcome: 'refuse',
    expected: `${hex(device, 4)}, as the device has it`,
    actual: `${hex(own, 4)} in the image`,
    next: 'choose the image that is made for this device',
  };
}

function checkHardwareRange({ header }: ImageFacts, { device }: AdmissionFacts): Verdict {
  const { minimumHardwareVersion: minimum, maximumHardwareVersion: maximum } = header;
  if (minimum === undefined || maximum === undefined) return NOT_APPLICABLE;
  const expected = `${hex(minimum, 4)} to ${hex(maximum, 4)}`;
  if (minimum > maximum) {
    return {
      outcome: 'refuse',
      expected: 'a minimum hardware version not above the maximum',
      actual: expected,
    };
  }
  const { hardwareVersion } = device;
  // 0xFFFF is what clients send that do not know their own.
  if (hardwareVersion === undefined || hardwareVersion === ANY_U16) {
    return { outcome: 'unknown', pending: 'hardwareVersion', expected };
  }
  if (hardwareVersion >= minimum && hardwareVersion <= maximum) return PASS;
  return {
    outcome: 'refuse',
    expected,
    actual: `${hex(hardwareVersion, 4)}, as the device has it`,
    next: 'choose the image that is made for this hardware',
  };
}

function checkDestination({ header }: ImageFacts, { device }: AdmissionFacts): Verdict {
  const expected = header.destinationEui64;
  if (expected === undefined) return NOT_APPLICABLE;
  if (device.eui64 === undefined) return { outcome: 'unknown', pending: 'eui64', expected };
  return device.eui64 === expected ? PASS : { outcome: 'refuse', expected, actual: device.eui64 };
}

function checkNewer({ header }: ImageFacts, { device, policy }: AdmissionFacts): Verdict {
  const { fileVersion } = header;
  const { currentFileVersion } = device;
  if (fileVersion === ANY_FILE_VERSION) {
    return {
      outcome: 'refuse',
      expected: 'a file version',
      actual: '0xFFFFFFFF, which stands for any',
    };
  }
  if (currentFileVersion === undefined) {
    const expected = `a version below ${hex(fileVersion, 8)} on the device`;
    return { outcome: 'unknown', pending: 'currentFileVersion', expected };
  }
  if (fileVersion > currentFileVersion) return PASS;
  const isSame = fileVersion === currentFileVersion;
  const found: Verdict = {
    outcome: policy?.allowDowngrade && !isSame ? 'warn' : 'refuse',
    expected: `a version above ${hex(currentFileVersion, 8)}, which the device runs`,
    actual: `${hex(fileVersion, 8)} in the image`,
  };
  if (isSame) return { ...found, next: 'nothing: the device runs this version' };
  if (found.outcome === 'warn') return found;
  return { ...found, next: 'permit the downgrade explicitly if it is meant' };
}

function checkListed({ hashes }: ImageFacts, { list, policy }: AdmissionFacts): Verdict {
  if (!list) {
    if (policy?.listRequired === false) return NOT_APPLICABLE;
    return {
      outcome: 'refuse',
      expected: 'a Central Products List',
      actual: 'none was given',
      next: 'name the list, or say that none is required',
    };
  }
  if (entriesByHash(list, hashes.manufacturerImage).length > 0) return PASS;
  return {
    outcome: 'refuse',
    expected: `one of the ${list.entries.length} hashes on the list`,
    actual: hashes.manufacturerImage,
    next: 'check the image, its profile, and that the list is the latest',
  };
}

/** The entries with the image's hash that are for the device, as far as its model is known. */
function entriesFor({ hashes }: ImageFacts, { list, device }: AdmissionFacts): ListEntry[] {
  if (!list) return [];
  const { manufacturer, model, hardwareVersion } = device.deviceModel ?? {};
  const known = { manufacturer, model, hardwareVersion };
  return entriesByHash(list, hashes.manufacturerImage).filter((entry) =>
    sameHardware(entry, known),
  );
}

function checkDeviceModel(image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { list, device } = facts;
  const listed = list ? entriesByHash(list, image.hashes.manufacturerImage) : [];
  if (listed.length === 0) return NOT_APPLICABLE;
  const matching = entriesFor(image, facts);
  const { manufacturer, model, hardwareVersion, hardwareRevision } = device.deviceModel ?? {};
  const expected = listed.map(showHardware).join(' or ');
  const actual = showHardware({ manufacturer, model, hardwareVersion, hardwareRevision });
  if (matching.length === 0) {
    return {
      outcome: 'refuse',
      expected,
      actual: `${actual}, as the device has it`,
      next: 'choose the image that is listed for this Device Model',
    };
  }
  if (manufacturer === undefined || model === undefined || hardwareVersion === undefined) {
    return { outcome: 'unknown', pending: 'deviceModel', expected, actual };
  }
  const sameRevision = matching.some((entry) => sameHardware(entry, { hardwareRevision }));
  if (sameRevision) return PASS;
  return {
    outcome: 'warn',
    expected: `hardware revision ${matching.map((entry) => entry.hardwareRevision).join(' or ')}`,
    actual: `${hardwareRevision}`,
  };
}

function checkCurrent(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const entries = entriesFor(image, facts);
  if (entries.length === 0) return NOT_APPLICABLE;
  if (entries.some((entry) => isCurrent(entry, nowMs))) return PASS;
  const stands = entries.map(({ entryId, status, listedFromMs, removedFromMs }) => {
    const until = removedFromMs === undefined ? '' : ` until ${showDate(removedFromMs)}`;
    return `${entryId}: ${status}, from ${showDate(listedFromMs)}${until}`;
  });
  return {
    outcome: 'refuse',
    expected: `an entry that stands at ${showDate(nowMs)}`,
    actual: stands.join('; '),
    next: 'check that the list is the latest',
  };
}

function checkFirmwareVersion(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const entries = entriesFor(image, facts).filter((entry) => isCurrent(entry, nowMs));
  if (entries.length === 0) return NOT_APPLICABLE;
  const { fileVersion } = image.header;
  const text = fileVersion.toString(16).toUpperCase().padStart(8, '0');
  const fits = ({ otaFileVersion, firmwareVersion }: ListEntry) =>
    otaFileVersion === undefined ? sameText(firmwareVersion, text) : otaFileVersion === fileVersion;
  if (entries.some(fits)) return PASS;
  const verdict: Verdict = {
    outcome: facts.policy?.firmwareVersionMismatch ?? 'warn',
    expected: entries
      .map(({ otaFileVersion, firmwareVersion }) =>
        otaFileVersion === undefined ? firmwareVersion : hex(otaFileVersion, 8),
      )
      .join(' or '),
    actual: text,
  };
  return entries.some(({ firmwareVersion }) => sameUnderOtherCoding(firmwareVersion, text))
    ? {
        ...verdict,
        next: 'compare by hand: the same number, coded decimal here and hexadecimal there',
      }
    : verdict;
}

function showHardware(hardware: {
  manufacturer?: string | undefined;
  model?: string | undefined;
  hardwareVersion?: string | undefined;
  hardwareRevision?: string | undefined;
}): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
  const parts = [manufacturer, model, hardwareVersion, hardwareRevision];
  return parts.map((part) => part ?? '?').join(' ');
}

/** A time outside the calendar's range cannot be shown as a date. */
function showDate(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
