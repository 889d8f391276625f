/** Checks of the image against what is known of the device. */
import { hex } from '../bytes/hex.ts';
import { FILE_FORMATS } from '../image/file-format.ts';
import { IMAGE_PROFILES } from '../image/gb-upgrade.ts';
import { compareHubVersions, isHubImageProfile, parseHubVersion } from '../image/hub-image.ts';
import { ANY_FILE_VERSION, ANY_U16 } from '../image/ota-header.ts';
import type {
  AdmissionFacts,
  AdmissionPolicy,
  AnyImageProfile,
  HubImageFacts,
  ImageFacts,
  OtaImageFacts,
} from './facts.ts';
import { type PendingFact, waitFor } from './pending-facts.ts';
import { NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';
import { benchMayGoBack, type Leave, leaveToGoBack, nextAfterLeave } from './version-checks.ts';

export function checkProfile({ profile }: ImageFacts, { device }: AdmissionFacts): Verdict {
  const { imageProfile } = device;
  const actual = `${showProfile(profile)}, which the file holds`;
  if (imageProfile === undefined) return waitFor('imageProfile', { actual });
  if (imageProfile === profile) return PASS;
  return {
    outcome: 'refuse',
    expected: `${showProfile(imageProfile)}, which the device takes`,
    actual,
    next: 'choose the image that is made for this device, or the device that it is made for',
  };
}

export function checkManufacturer({ header }: OtaImageFacts, { device }: AdmissionFacts): Verdict {
  return matchesOrAny(header.manufacturerCode, device.manufacturerCode, 'manufacturerCode');
}

export function checkImageType({ header }: OtaImageFacts, { device }: AdmissionFacts): Verdict {
  return matchesOrAny(header.imageType, device.imageType, 'imageType');
}

export function checkHardwareRange({ header }: OtaImageFacts, { device }: AdmissionFacts): Verdict {
  const { minimumHardwareVersion: minimum, maximumHardwareVersion: maximum } = header;
  if (minimum === undefined || maximum === undefined) return NOT_APPLICABLE;
  const expected = `${hex(minimum, 4)} to ${hex(maximum, 4)}`;
  if (minimum > maximum) {
    return {
      outcome: 'refuse',
      expected: 'a minimum hardware version not above the maximum',
      actual: expected,
      next: 'ask the manufacturer for an image whose header names a hardware range',
    };
  }
  const { hardwareVersion } = device;
  // 0xFFFF is what clients send that do not know their own.
  if (hardwareVersion === undefined || hardwareVersion === ANY_U16) {
    return waitFor('hardwareVersion', { expected });
  }
  if (hardwareVersion >= minimum && hardwareVersion <= maximum) return PASS;
  return {
    outcome: 'refuse',
    expected,
    actual: `${hex(hardwareVersion, 4)}, as the device has it`,
    next: 'choose the image that is made for this hardware',
  };
}

export function checkDestination({ header }: OtaImageFacts, { device }: AdmissionFacts): Verdict {
  const expected = header.destinationEui64;
  if (expected === undefined) return NOT_APPLICABLE;
  const { eui64 } = device;
  if (eui64 === undefined) return waitFor('eui64', { expected });
  if (eui64 === expected) return PASS;
  return {
    outcome: 'refuse',
    expected,
    actual: eui64,
    next: `choose the device ${expected}, for which the image was made, or an image for any device`,
  };
}

export function checkFileVersion(
  image: OtaImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { fileVersion } = image.header;
  const { currentFileVersion } = facts.device;
  if (fileVersion === ANY_FILE_VERSION) {
    return {
      outcome: 'refuse',
      expected: 'a file version',
      actual: '0xFFFFFFFF, which stands for any',
      next: 'ask the manufacturer for an image whose header names its version',
    };
  }
  if (currentFileVersion === undefined) {
    const expected = `a version below ${hex(fileVersion, 8)} on the device`;
    return waitFor('currentFileVersion', { expected });
  }
  if (fileVersion > currentFileVersion) return PASS;
  const isSame = fileVersion === currentFileVersion;
  return notNewer(isSame, facts, leaveToGoBack(image, facts, nowMs), {
    expected: `a version above ${hex(currentFileVersion, 8)}, which the device runs`,
    actual: `${hex(fileVersion, 8)} in the image`,
  });
}

/**
 * A hub with SMP lists what it runs, so the comparison waits for it. A hub that is spoken to through
 * its bootloader does not, before the upload or during it: that is said, and not passed over.
 */
export function checkHubVersion(
  image: HubImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { version, profile } = image;
  const { device, policy } = facts;
  const { runningVersion } = device;
  if (!version)
    return notComparable(policy, 'the image does not tell its version', 'compare by hand');
  if (runningVersion === undefined) {
    if (profile !== 'mcuboot') {
      const found = `${version.text} in the image; a bootloader does not tell what the hub runs`;
      return notComparable(policy, found, 'say what the hub runs where that is known');
    }
    const expected = `a version below ${version.text} on the hub`;
    return waitFor('runningVersion', { expected });
  }
  const running = parseHubVersion(profile, runningVersion);
  const actual = `${version.text} in the image`;
  if (!running) {
    return {
      outcome: benchMayGoBack(facts) ? 'warn' : 'refuse',
      expected: `a version on the hub that ${actual} can be compared with`,
      actual: `"${runningVersion}"`,
      next: 'permit the downgrade explicitly if any version may be replaced',
    };
  }
  const order = compareHubVersions(version, running);
  if (order > 0) return PASS;
  const expected = `a version above ${running.text}, which the hub runs`;
  return notNewer(order === 0, facts, leaveToGoBack(image, facts, nowMs), { expected, actual });
}

/** An older image may be meant; the same one has nothing to bring. */
function notNewer(
  isSame: boolean,
  facts: AdmissionFacts,
  leave: Leave,
  found: { expected: string; actual: string },
): Verdict {
  if (isSame) {
    const next = 'nothing: the device runs this version; another one would be decided anew';
    return { outcome: 'refuse', ...found, next };
  }
  if (leave.given) return { outcome: 'warn', ...found, next: `nothing: waived by ${leave.id}` };
  if (benchMayGoBack(facts)) {
    const next = 'nothing, if going back is meant: the bench permits it';
    return { outcome: 'warn', ...found, next };
  }
  const next = nextAfterLeave(leave, 'permit the downgrade explicitly if it is meant');
  return { outcome: 'refuse', ...found, next };
}

function notComparable(policy: AdmissionPolicy | undefined, actual: string, next: string): Verdict {
  return {
    outcome: policy?.unknownVersion ?? 'warn',
    expected: 'the versions of image and hub, to see that the image is newer',
    actual: `${actual}, so it cannot be known before the upload`,
    next,
  };
}

function showProfile(profile: AnyImageProfile): string {
  const title = isHubImageProfile(profile)
    ? FILE_FORMATS[profile].title
    : IMAGE_PROFILES[profile].title;
  return `${profile}: ${title}`;
}

/** `own` is the image's: a device that claims the wildcard is not believed. */
function matchesOrAny(own: number, device: number | undefined, pending: PendingFact): Verdict {
  if (own === ANY_U16) return PASS;
  if (device === undefined) return waitFor(pending, { expected: hex(own, 4) });
  if (own === device) return PASS;
  return {
    outcome: 'refuse',
    expected: `${hex(device, 4)}, as the device has it`,
    actual: `${hex(own, 4)} in the image`,
    next: 'choose the image that is made for this device',
  };
}
