/** Checks of the way from one version to another: the floor, the pathway, and leave to go back. */
import { hex } from '../bytes/hex.ts';
import { compareHubVersions, parseHubVersion } from '../image/hub-image.ts';
import { ANY_FILE_VERSION } from '../image/ota-header.ts';
import { type ListEntry, mayPrecede, predecessorsOf } from '../products/central-products-list.ts';
import { type DeviceHardware, sameHardware } from '../products/device-model.ts';
import {
  verifyWaiver,
  WAIVER_CODES,
  type WaiverCode,
  waiverName,
} from '../trust/downgrade-waiver.ts';
import { checkFloor, FLOOR_CODES } from '../trust/rollback.ts';
import { installedVersion } from './combination-checks.ts';
import { BENCH } from './context.ts';
import type { AdmissionFacts, ImageFacts, OtaImageFacts } from './facts.ts';
import { currentEntriesFor, listNamesVersion } from './list-checks.ts';
import { waitFor } from './pending-facts.ts';
import { regulationOf } from './request-checks.ts';
import { NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';

export type Leave = { given: true; id: string } | { given: false; code?: WaiverCode };

/**
 * Whether a waiver gives leave for this very image on this very device at this time. A waiver that is
 * there and does not hold says why.
 */
export function leaveToGoBack(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Leave {
  const { device, context = BENCH } = facts;
  if (!context.waiver) return { given: false };
  const hardware = hardwareOf(device.deviceModel);
  const version = versionNumber(image);
  const name = waiverName(device);
  if (name === undefined) return { given: false, code: 'waiver-other-device' };
  if (!hardware) return { given: false, code: 'waiver-other-hardware' };
  if (version === undefined) return { given: false, code: 'waiver-other-image' };
  const { waiver, keys } = context.waiver;
  const found = verifyWaiver(waiver, keys, {
    device: name,
    hardware,
    imageVersion: version,
    imageSha256: image.sendSha256,
    atMs: nowMs,
  });
  return found.ok ? { given: true, id: found.id } : { given: false, code: found.code };
}

/** Words for a refusal that a waiver might have turned. */
export function nextAfterLeave(leave: Leave, otherwise: string): string {
  if (leave.given || leave.code === undefined) return otherwise;
  return `correct the waiver: ${WAIVER_CODES[leave.code]}`;
}

/** Whether the command's own word lets an older image pass: on a bench, and nowhere else. */
export function benchMayGoBack({ policy, context = BENCH }: AdmissionFacts): boolean {
  return policy?.allowDowngrade === true && context.intake === 'bench';
}

export function checkVersionFloor(
  image: ImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { device, context = BENCH } = facts;
  const { floors } = context;
  if (!floors || floors.floors.length === 0) return NOT_APPLICABLE;
  const near = floors.floors.filter((one) => sameHardware(one, device.deviceModel ?? {}));
  if (near.length === 0) return NOT_APPLICABLE;
  const hardware = hardwareOf(device.deviceModel);
  if (!hardware) {
    return waitFor('deviceModel', { expected: 'all of its Device Model: a floor may be for it' });
  }
  const version = versionNumber(image);
  if (version === undefined) {
    return {
      outcome: 'refuse',
      expected: `a number that the floor ${hex(near[0]!.floor, 8)} can be compared with`,
      actual: 'an image that tells none',
      next: 'ask for an image with a security counter',
    };
  }
  const found = checkFloor(floors, hardware, version);
  if (found.ok) return PASS;
  const expected = found.floor === undefined ? 'a version' : `at least ${hex(found.floor, 8)}`;
  const actual = `${hex(version, 8)}. ${FLOOR_CODES[found.code]}`;
  const leave = leaveToGoBack(image, facts, nowMs);
  if (leave.given) {
    return { outcome: 'warn', expected, actual, next: `nothing: waived by ${leave.id}` };
  }
  const next = nextAfterLeave(leave, 'choose a later version, or have a downgrade waiver signed');
  return { outcome: 'refuse', expected, actual, next };
}

/**
 * The header is in no hash that a list knows. One who may change only the header could give a good
 * image a version above all that will ever come, and the device would take no later one (fast-forward).
 */
export function checkVersionStep(
  image: OtaImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { fileVersion } = image.header;
  const { currentFileVersion } = facts.device;
  const { most } = regulationOf(facts, 'versionStep');
  if (fileVersion === ANY_FILE_VERSION || currentFileVersion === ANY_FILE_VERSION) {
    return NOT_APPLICABLE;
  }
  if (fileVersion <= most || listNamesVersion(image, facts, nowMs)) return PASS;
  if (currentFileVersion === undefined) return waitFor('currentFileVersion');
  if (fileVersion - currentFileVersion <= most) return PASS;
  return {
    outcome: facts.policy?.versionStep ?? (facts.list ? 'refuse' : 'warn'),
    expected: `a file version up to ${hex(Math.min(currentFileVersion + most, ANY_FILE_VERSION - 1), 8)}`,
    actual: `${hex(fileVersion, 8)}, which no current entry of a list names`,
    next: 'check the header; a device that runs this version takes no lower one afterwards',
  };
}

/** The upgrade pathway (MP231): from which versions one may upgrade to the entry of the image. */
export function checkPathway(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const verdicts = currentEntriesFor(image, facts, nowMs).map((entry) =>
    judgePathway(entry, image, facts, nowMs),
  );
  if (verdicts.length === 0) return NOT_APPLICABLE;
  // Hardware revisions share an image and not their entries: one that lets it pass is enough.
  const order = ['pass', 'warn', 'not-applicable', 'unknown', 'refuse'] as const;
  return order.flatMap((one) => verdicts.find(({ outcome }) => outcome === one) ?? [])[0]!;
}

/** Newer than what the device says it runs: leave to go back is no leave to go another way forward. */
function goesForward(image: ImageFacts, { device }: AdmissionFacts): boolean {
  const { currentFileVersion, runningVersion } = device;
  if (image.kind === 'ota')
    return currentFileVersion !== undefined && image.header.fileVersion > currentFileVersion;
  const { version, profile } = image;
  const running =
    runningVersion === undefined ? undefined : parseHubVersion(profile, runningVersion);
  return version !== undefined && running !== undefined && compareHubVersions(version, running) > 0;
}

function judgePathway(
  entry: ListEntry,
  image: ImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { policy, context = BENCH, list } = facts;
  const { entryId, upgradeFrom } = entry;
  if (upgradeFrom.kind === 'unknown') {
    if (context.intake === 'bench' && policy?.unknownPathway === undefined) return NOT_APPLICABLE;
    return {
      outcome: policy?.unknownPathway ?? 'warn',
      expected: `a list that says from which versions ${entryId} may be installed`,
      actual: 'it does not say',
      next: 'ask the manufacturer whether the order of versions matters',
    };
  }
  const running = runningTexts(facts);
  // A way back has no pathway; whether it may be gone is for the rules of versions to say.
  const mayGoBack = benchMayGoBack(facts) || leaveToGoBack(image, facts, nowMs).given;
  const back = mayGoBack && !goesForward(image, facts);
  if (upgradeFrom.kind === 'none') {
    // N/A forbids an upgrade; what may be installed anew is not for a pathway to say.
    if (running.length === 0) return runningUnknown(image, 'a device that runs no version yet');
    return {
      outcome: back ? 'warn' : (policy?.noPathway ?? 'refuse'),
      expected: 'an entry that one may upgrade to',
      actual: `${entryId}, which says N/A: from no version`,
      next: 'choose a version that this device may be upgraded to',
    };
  }
  const expected = `one of the predecessors of ${entryId}: ${upgradeFrom.entryIds.join(', ')}`;
  if (running.length === 0) return runningUnknown(image, expected);
  const isListed =
    running.some((version) => mayPrecede(list!, entry, version) === 'listed') ||
    predecessorsOf(list!, entry).some(
      ({ otaFileVersion }) =>
        otaFileVersion !== undefined && otaFileVersion === facts.device.currentFileVersion,
    );
  if (isListed) return PASS;
  return {
    outcome: back ? 'warn' : 'refuse',
    expected,
    actual: `${running.join(' or ')}, which the device runs`,
    next: `upgrade to ${upgradeFrom.entryIds.join(' or ')} first`,
  };
}

/** A bootloader does not tell what its hub runs, before the upload or during it. */
function runningUnknown(image: ImageFacts, expected: string): Verdict {
  if (image.kind === 'ota') return waitFor('currentFileVersion', { expected });
  if (image.profile === 'mcuboot') return waitFor('runningVersion', { expected });
  return {
    outcome: 'warn',
    expected,
    actual: 'a bootloader, which does not tell what the hub runs',
    next: 'say what the hub runs where that is known',
  };
}

/** What the device runs in the words of a list, in each form that is known. */
function runningTexts({ device, context = BENCH }: AdmissionFacts): string[] {
  const { currentFileVersion, runningVersion, imageProfile } = device;
  const texts: (string | undefined)[] = [];
  if (currentFileVersion !== undefined && currentFileVersion !== ANY_FILE_VERSION) {
    texts.push(hex(currentFileVersion, 8).slice(2));
  }
  if (runningVersion !== undefined) {
    const profile = imageProfile === 'gbl' || imageProfile === 'ebl' ? imageProfile : 'mcuboot';
    texts.push(parseHubVersion(profile, runningVersion)?.listText);
  }
  // What the device itself says is newer than what was written down of it.
  if (texts.length === 0) texts.push(installedVersion(context.installation, device));
  return texts.filter((text) => text !== undefined);
}

/** The number that floors and waivers are about: see trust/rollback. */
export function versionNumber(image: ImageFacts): number | undefined {
  return image.kind === 'ota' ? image.header.fileVersion : image.rollbackCounter;
}

function hardwareOf(model: Partial<DeviceHardware> | undefined): DeviceHardware | undefined {
  const { manufacturer, model: name, hardwareVersion, hardwareRevision } = model ?? {};
  if (manufacturer === undefined || name === undefined) return undefined;
  if (hardwareVersion === undefined || hardwareRevision === undefined) return undefined;
  return { manufacturer, model: name, hardwareVersion, hardwareRevision };
}
