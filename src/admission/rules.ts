/**
 * The rules of admission, as data, in the order in which they are asked.
 *
 * Each rule names where it comes from and how sure that is; what was not read in a source is marked
 * `siteMayChange`. A rule has a check for each kind of image that it is about, and is not applicable
 * to the other.
 *
 * The header of an image is not signed in GB, so what it claims is checked against device and list,
 * and only the hash ties the bytes to an entry. A hub's image is sent as it stands, and its entry is
 * found by the hash of all that is sent.
 */
import {
  checkDestination,
  checkFileVersion,
  checkHardwareRange,
  checkHubVersion,
  checkImageType,
  checkManufacturer,
  checkProfile,
} from './device-checks.ts';
import type { AdmissionFacts, ImageFacts } from './facts.ts';
import {
  checkAroundHubImage,
  checkBootTraits,
  checkDependencies,
  checkDigest,
  checkElements,
  checkHeader,
  checkHubSignature,
  checkIntegrity,
  checkSignature,
  checkSizeCap,
  checkSlot,
  checkTotalSize,
} from './image-checks.ts';
import {
  checkCurrent,
  checkDeviceModel,
  checkFirmwareVersion,
  checkListed,
} from './list-checks.ts';
import { REGULATION_RULES } from './regulation-rules.ts';
import { both, CURRENT_ENTRY, ENTRY, LEAVE, type Rule, type RuleId, WAIVED } from './rule.ts';
import { showLondonTime } from './show-time.ts';
import { type Check, NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';

export type { PendingFact } from './pending-facts.ts';
export type { Confidence, Rule, RuleId, RuleText } from './rule.ts';
export type { Outcome } from './verdict.ts';

const OTA_SPEC = { document: 'ZigBee OTA Upgrade cluster', version: '095264r23' };
const MODEL_FILE = { document: 'hw-config, the device model' };
const MCUBOOT = { document: 'mcu-tools/mcuboot, image.h and image_validate.c' };
const CPL = { document: 'SEC Appendix Z, CPL Requirements Document' };

const pass: Check = () => PASS;

export const RULES: readonly Rule[] = [
  {
    id: 'image.readable',
    text: 'The file holds one image that can be read, of the profile that was named.',
    source: { document: 'ZigBee OTA Upgrade cluster 095264r23; MCUboot; Gecko bootloader' },
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['image.refusal'],
    ...both(pass),
  },
  {
    // Before all others: what they say of an image that is for another kind of device means little.
    id: 'device.image-profile',
    text: 'The image is of the kind that the device takes.',
    source: MODEL_FILE,
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.profile', 'device.imageProfile'],
    ...both(checkProfile),
  },
  {
    id: 'image.size-cap',
    text: 'The image is no larger than a Service Request can carry.',
    source: { document: 'DUIS XML schema', version: '5.0a to 5.4' },
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.bytes', 'regulation.imageBytes'],
    ota: checkSizeCap,
  },
  {
    id: 'image.total-size',
    text: 'The file is the image and nothing else; around a GB image there may be nothing.',
    source: { document: 'published GB request samples 11.1 and 11.4' },
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['image.bytes', 'image.outsideBytes', 'image.profile'],
    ota: checkTotalSize,
    hub: checkAroundHubImage,
  },
  {
    id: 'image.fits-slot',
    text: 'The image fits the room that the device has for one.',
    source: MODEL_FILE,
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.bytes', 'device.slotBytes'],
    ota: ({ header }, facts) => checkSlot(header.totalImageBytes, facts),
    hub: ({ sendBytes }, facts) => checkSlot(sendBytes, facts),
  },
  {
    id: 'image.header',
    text: 'The header announces all of its fields, and none that is not known.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['image.headerFields'],
    ota: checkHeader,
  },
  {
    id: 'image.elements',
    text: 'Every byte of an image of sub-elements belongs to one of them.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['image.profile', 'image.unreadBytes', 'image.bytes'],
    ota: checkElements,
  },
  {
    id: 'image.integrity-code',
    text: 'Where the image carries an integrity code, the code fits one of the known coverages.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.integrityCode', 'policy.integrityMismatch'],
    ota: checkIntegrity,
  },
  {
    id: 'image.digest',
    text: 'The digest that an MCUboot image states of itself is the one of its bytes.',
    source: MCUBOOT,
    confidence: 'read',
    siteMayChange: true,
    sees: ['image.digest', 'image.sendSha256', 'list.entry', 'policy.sealedUnderEncryption'],
    hub: checkDigest,
  },
  {
    id: 'image.signature',
    text: 'The signature of the image was made by a key that is trusted for its kind.',
    source: { document: 'GBCS 1.0; MCUboot; Gecko bootloader' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.signature', 'policy.unverifiedSignature'],
    hubSees: [
      'image.profile',
      'image.sendSha256',
      'list.entry',
      'policy.unsignedImage',
      'policy.sealedUnderEncryption',
    ],
    ota: checkSignature,
    hub: checkHubSignature,
  },
  {
    id: 'image.bootable',
    text: 'The image holds something that the bootloader starts.',
    source: MCUBOOT,
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.bootTraits'],
    hub: checkBootTraits,
  },
  {
    id: 'image.dependencies',
    text: 'The hub runs every other image that the image depends on, in the version it asks for.',
    source: { document: 'mcu-tools/mcuboot, image.h and loader.c, hubs with several images' },
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.dependencies', 'image.version', 'device.imageNumber', 'device.otherImages'],
    hub: checkDependencies,
  },
  {
    id: 'device.manufacturer-code',
    text: 'The image is for the manufacturer of the device, or for any (0xFFFF).',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.manufacturerCode', 'device.manufacturerCode'],
    ota: checkManufacturer,
  },
  {
    id: 'device.image-type',
    text: 'The image type is the one of the device, or any (0xFFFF).',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.imageType', 'device.imageType'],
    ota: checkImageType,
  },
  {
    id: 'device.hardware-range',
    text: 'The hardware version of the device is inside the range that the image names.',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.hardwareRange', 'device.hardwareVersion'],
    ota: checkHardwareRange,
  },
  {
    id: 'device.destination',
    text: 'An image that names one device goes to that device only.',
    source: OTA_SPEC,
    confidence: 'read',
    siteMayChange: false,
    sees: ['image.destination', 'device.eui64'],
    ota: checkDestination,
  },
  {
    id: 'device.newer',
    text: 'The version of the image is greater than the one the device runs.',
    source: OTA_SPEC,
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.version', ...LEAVE],
    waivedSees: WAIVED,
    otaSees: ['device.currentFileVersion'],
    hubSees: ['image.profile', 'device.runningVersion', 'policy.unknownVersion'],
    ota: checkFileVersion,
    hub: checkHubVersion,
  },
  {
    id: 'cpl.listed',
    text: 'The hash of the image is on the Central Products List.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'image.listedHash',
      'list.entries',
      'list.entry',
      'image.otherHashes',
      'list.issues',
      'policy.listRequired',
    ],
    ...both(checkListed),
  },
  {
    id: 'cpl.device-model',
    text: 'An entry with that hash is for the Device Model of the device.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['device.deviceModel', 'list.entry', 'image.listedHash'],
    ...both(checkDeviceModel),
  },
  {
    id: 'cpl.current',
    text: 'That entry stands at the time of the decision, by its status and by its dates.',
    source: CPL,
    confidence: 'inferred',
    siteMayChange: false,
    sees: [...ENTRY, 'list.standing', 'now'],
    ...both(checkCurrent),
  },
  {
    id: 'cpl.firmware-version',
    text: 'The version of the image is the firmware version of that entry.',
    source: { document: 'published GB request samples, which break it' },
    confidence: 'assumed',
    siteMayChange: true,
    sees: [
      'image.version',
      'list.version',
      'list.entries',
      ...CURRENT_ENTRY,
      'policy.firmwareVersionMismatch',
    ],
    ...both(checkFirmwareVersion),
  },
  ...REGULATION_RULES,
];

/** The verdict of a rule; one that is not in force at that time is not applicable. */
export function askRule(
  rule: Rule,
  image: ImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { ota, hub, effectiveFromMs, effectiveUntilMs } = rule;
  if (effectiveFromMs !== undefined || effectiveUntilMs !== undefined) {
    const outside = outOfForce(rule, facts, nowMs);
    if (outside) return outside;
  }
  const verdict = image.kind === 'ota' ? ota?.(image, facts, nowMs) : hub?.(image, facts, nowMs);
  return verdict ?? NOT_APPLICABLE;
}

/** By the time of the decision, which is stored with it: a rule is never applied backwards. */
function outOfForce(rule: Rule, { policy }: AdmissionFacts, nowMs: number): Verdict | undefined {
  const told = policy?.inForce?.[rule.id];
  const fromMs = told?.fromMs ?? rule.effectiveFromMs;
  const untilMs = told?.untilMs ?? rule.effectiveUntilMs;
  // A time that is no number is before no end, so the rule is asked.
  if (fromMs !== undefined && nowMs < fromMs) return notInForce(rule.id, 'begins', fromMs);
  if (untilMs !== undefined && nowMs >= untilMs) return notInForce(rule.id, 'ended', untilMs);
  return undefined;
}

/** The last one of each rule: many devices are decided on by the same dates. */
const LAST_NOT_IN_FORCE = new Map<RuleId, { bound: Bound; ms: number; verdict: Verdict }>();

type Bound = 'begins' | 'ended';

function notInForce(ruleId: RuleId, bound: Bound, ms: number): Verdict {
  const last = LAST_NOT_IN_FORCE.get(ruleId);
  if (last?.bound === bound && last.ms === ms) return last.verdict;
  const time = showLondonTime(ms);
  const actual = bound === 'begins' ? `in force from ${time}` : `in force until ${time}`;
  const verdict = Object.freeze<Verdict>({ outcome: 'not-applicable', actual });
  LAST_NOT_IN_FORCE.set(ruleId, { bound, ms, verdict });
  return verdict;
}
