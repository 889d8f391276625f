/** Checks of the image by itself: is it whole, does it fit, who vouches for it, will it run. */
import { hex } from '../bytes/hex.ts';
import { IMAGE_PROFILES } from '../image/gb-upgrade.ts';
import { compareHubVersions, type HubImageVersion, parseHubVersion } from '../image/hub-image.ts';
import { INTEGRITY_OUTCOMES } from '../image/integrity-code.ts';
import { FIELD_CONTROL_KNOWN } from '../image/ota-header.ts';
import { entriesByHash } from '../products/central-products-list.ts';
import { DIGEST_OUTCOMES, HUB_SIGNATURE_OUTCOMES } from '../trust/hub-image.ts';
import type { AdmissionFacts, BootTrait, HubImageFacts, OtaImageFacts } from './facts.ts';
import { regulationOf } from './request-checks.ts';
import { atMost, NOT_APPLICABLE, type Objection, PASS, type Verdict } from './verdict.ts';

export function checkSizeCap({ header }: OtaImageFacts, facts: AdmissionFacts): Verdict {
  const { requestMax } = regulationOf(facts, 'imageBytes');
  return atMost(header.totalImageBytes, requestMax, 'ask the manufacturer for a smaller image');
}

/** What a GB device is said to take at most was seen in no source, so more of it warns. */
export function checkDeviceSize(
  { header, profile }: OtaImageFacts,
  facts: AdmissionFacts,
): Verdict {
  if (profile !== 'gb-signed' && profile !== 'gb-ppmid') return NOT_APPLICABLE;
  const { deviceMax } = regulationOf(facts, 'imageBytes');
  const next = 'ask the manufacturer for the largest image that this device takes';
  const found = atMost(header.totalImageBytes, deviceMax, next);
  return found.outcome === 'refuse'
    ? { ...found, outcome: facts.policy?.deviceSize ?? 'warn' }
    : found;
}

export function checkTotalSize(image: OtaImageFacts): Verdict {
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

/** What follows the TLVs is the rest of a slot; GBL and EBL have their padding from their tools. */
export function checkAroundHubImage({ profile, sendBytes, outsideBytes }: HubImageFacts): Verdict {
  if (profile !== 'mcuboot' || outsideBytes === 0) return PASS;
  return {
    outcome: 'warn',
    expected: `${sendBytes} bytes, the image`,
    actual: `a file of ${sendBytes + outsideBytes} bytes`,
    next: 'nothing, if the file is a whole slot or padded; the bytes after the image are not sent',
  };
}

/**
 * A range of hardware whose bit is cleared is no range any more, though its bytes stand where they
 * stood: whoever trusts the bits lets the image onto any hardware.
 */
export function checkHeader({ header }: OtaImageFacts): Verdict {
  const { extra, fieldControl, headerLength } = header;
  const unknownBits = fieldControl & ~FIELD_CONTROL_KNOWN;
  if (extra.length === 0 && unknownBits === 0) return PASS;
  return {
    outcome: 'refuse',
    expected: `${headerLength - extra.length} bytes of header, by field control ${hex(fieldControl, 4)}`,
    actual: `${headerLength} bytes${unknownBits === 0 ? '' : `, and bits ${hex(unknownBits, 4)}`}`,
    next: 'get the file again from its source: length and fields of its header disagree',
  };
}

/** Bytes without an owner are sent with the rest, and no hash that a list knows covers them. */
export function checkElements({ unreadBytes, profile, header }: OtaImageFacts): Verdict {
  if (IMAGE_PROFILES[profile].hashRange.kind !== 'element') return NOT_APPLICABLE;
  if (unreadBytes === 0) return PASS;
  return {
    outcome: 'refuse',
    expected: `sub-elements up to byte ${header.totalImageBytes}, the end of the image`,
    actual: `${unreadBytes} bytes that belong to none, or to one past the number that is read`,
    next: 'get the file again from its source; `uplift inspect` shows its sub-elements',
  };
}

export function checkSlot(bytes: number, { device }: AdmissionFacts): Verdict {
  if (device.slotBytes === undefined) return NOT_APPLICABLE;
  const next = 'choose an image that fits this device; its model file says what room it has';
  return atMost(bytes, device.slotBytes, next);
}

export function checkIntegrity({ integrity }: OtaImageFacts, { policy }: AdmissionFacts): Verdict {
  if (integrity === 'absent') return NOT_APPLICABLE;
  if (integrity !== 'not-verifiable') return PASS;
  return {
    outcome: policy?.integrityMismatch ?? 'warn',
    expected: 'a code over everything before it',
    actual: INTEGRITY_OUTCOMES[integrity],
    next: 'get the file again from its source, or ask the manufacturer what its code covers',
  };
}

/**
 * Of an encrypted MCUboot image the digest can be computed by nobody but the hub, and damage or
 * malice would be found by the hub alone, after the upload. The list makes up for it: an entry is
 * found by the hash of the very bytes that are sent, cipher text or not.
 */
export function checkDigest(image: HubImageFacts, facts: AdmissionFacts): Verdict {
  const { digest } = image;
  switch (digest) {
    case 'match':
      return PASS;
    case 'none':
      return NOT_APPLICABLE;
    case 'mismatch':
      return {
        outcome: 'refuse',
        expected: 'the digest that the image states of itself',
        actual: DIGEST_OUTCOMES[digest],
        next: 'get the file again from its source',
      };
    case 'not-verifiable':
      return sealed(image, facts, 'a digest over bytes that can be seen', DIGEST_OUTCOMES[digest]);
  }
}

export function checkSignature({ signature }: OtaImageFacts, { policy }: AdmissionFacts): Verdict {
  switch (signature) {
    case 'none':
    // Whether the party that made it may sign is the rule signature.party.
    case 'by-party':
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
        next: 'name the trust anchors that hold the key of the manufacturer',
      };
  }
}

/**
 * Wrong, malformed or by a stranger is never taken: whoever made the image did not have the key that
 * counts here. Without a signature that can be checked something else has to vouch for the very
 * bytes that are sent, and that is the list. A signature can be cut off an image without a trace, so
 * an unsigned image is no better than one with a signature that nobody checks.
 */
export function checkHubSignature(image: HubImageFacts, facts: AdmissionFacts): Verdict {
  const { signature, profile } = image;
  const { policy } = facts;
  const actual = HUB_SIGNATURE_OUTCOMES[signature];
  const expected = 'a signature by a key that is trusted for this kind of image';
  switch (signature) {
    case 'verified':
      return PASS;
    case 'wrong':
    case 'malformed':
    case 'key-unknown':
    case 'key-unnamed':
      return {
        outcome: 'refuse',
        expected,
        actual,
        next: 'check where the image comes from, and which keys are trusted for it',
      };
    case 'no-trust-anchor':
      return vouched(image, facts, policy?.unverifiedSignature, {
        expected,
        actual,
        next: 'name the trust anchors that the key is among',
      });
    case 'none':
      return vouched(image, facts, policy?.unsignedImage, {
        expected: profile === 'ebl' ? 'an image of a format that can be signed' : expected,
        actual,
        next: profile === 'ebl' ? NAME_THE_LIST : 'ask the manufacturer for a signed image',
      });
    case 'not-verifiable':
      return sealed(image, facts, 'a signature over bytes that can be seen', actual);
  }
}

export function checkBootTraits({ bootTraits }: HubImageFacts): Verdict {
  const found = bootTraits.map((trait) => BOOT_TRAITS[trait]);
  const worst = found.find(({ outcome }) => outcome === 'refuse') ?? found[0];
  if (!worst) return PASS;
  return { ...worst, actual: found.map(({ actual }) => actual).join('; ') };
}

/**
 * MCUboot leaves an image that depends on one which is older, or not there, where it is: the hub goes
 * on as it was, after the upload. Of the other images it counts what will run, pending or not, and
 * compares build numbers only where it was built to.
 */
export function checkDependencies(
  { dependencies, version: own }: HubImageFacts,
  { device }: AdmissionFacts,
): Verdict {
  if (dependencies.length === 0) return NOT_APPLICABLE;
  const { imageNumber, otherImages } = device;
  const texts = dependencies.map(
    ({ image, version }) => `image ${image}, ${version.text} or later`,
  );
  const expected = `on the hub ${texts.join('; ')}`;
  const others = dependencies.filter(({ image }) => image !== imageNumber);
  if (others.length > 0 && !otherImages) {
    const next = 'nothing: the hub is asked before the upload';
    return { outcome: 'unknown', pending: 'otherImages', expected, next };
  }
  const found = dependencies.map(({ image, version }) => {
    const text = image === imageNumber ? own?.text : otherImages?.[image];
    return { image, text, order: orderOf(text, version) };
  });
  const worst = ['older', 'unknown', 'older-build'].flatMap((order) =>
    found.filter((one) => one.order === order),
  );
  const [first] = worst;
  if (!first) return PASS;
  const actual = worst.map(({ image, text }) => `image ${image}: ${text || 'none'}`).join('; ');
  return {
    outcome: first.order === 'older' ? 'refuse' : 'warn',
    expected,
    actual,
    next: 'upgrade the image that it depends on first',
  };
}

function orderOf(text: string | undefined, least: HubImageVersion): string {
  if (text === undefined) return 'older';
  const running = parseHubVersion('mcuboot', text);
  if (!running) return 'unknown';
  const [build, leastBuild] = [running, least].map(({ parts }) => parts.at(-1)!);
  const withoutBuild = compareHubVersions(
    { parts: running.parts.slice(0, -1) },
    { parts: least.parts.slice(0, -1) },
  );
  if (withoutBuild !== 0) return withoutBuild < 0 ? 'older' : 'newer';
  return build! < leastBuild! ? 'older-build' : 'same';
}

const BUILT_FOR = 'check that the bootloader of this hub was built for such images';

/** Whether a hub takes the ones that warn depends on how its bootloader was built, which nothing tells. */
const BOOT_TRAITS: Readonly<Record<BootTrait, Objection>> = {
  nonBootable: {
    outcome: 'refuse',
    expected: 'an image that can be started',
    actual: 'marked as not bootable',
    next: 'give the image of the application',
  },
  noApplication: {
    outcome: 'warn',
    expected: 'an application',
    actual: 'a new bootloader or secure element firmware, and no application',
    next: 'nothing, if that is meant: the application that the hub runs may be gone afterwards',
  },
  ramLoad: {
    outcome: 'warn',
    expected: 'an image that runs where it is stored',
    actual: 'to be loaded to RAM',
    next: BUILT_FOR,
  },
  romFixed: {
    outcome: 'warn',
    expected: 'an image that runs from either slot',
    actual: 'built for a fixed address',
    next: BUILT_FOR,
  },
  compressed: {
    outcome: 'warn',
    expected: 'an image as it runs',
    actual: 'compressed',
    next: BUILT_FOR,
  },
};

const NAME_THE_LIST = 'name the list that the image is on';

/** Whether the list names the very bytes. Which device and when is for the rules of the list to say. */
function isListed({ sendSha256 }: HubImageFacts, { list }: AdmissionFacts): boolean {
  return list !== undefined && entriesByHash(list, sendSha256).length > 0;
}

/** Nothing proves the image: refused, unless the site says otherwise or the list names these bytes. */
function vouched(
  image: HubImageFacts,
  facts: AdmissionFacts,
  told: 'warn' | 'refuse' | undefined,
  words: { expected: string; actual: string; next: string },
): Verdict {
  const listed = isListed(image, facts);
  const { expected, actual, next } = words;
  return {
    outcome: told ?? (listed ? 'warn' : 'refuse'),
    expected,
    actual: listed ? `${actual}; the list names these very bytes` : actual,
    next,
  };
}

/** Nothing can be said of the seal before the hub opens it: not known, which is not wrong. */
function sealed(
  image: HubImageFacts,
  facts: AdmissionFacts,
  expected: string,
  actual: string,
): Verdict {
  const told = facts.policy?.sealedUnderEncryption;
  if (told === undefined && isListed(image, facts)) {
    return {
      outcome: 'unknown',
      expected,
      actual: `${actual}; the list names these very bytes`,
      next: 'nothing: the hub checks what it has decrypted before it runs it',
    };
  }
  return { outcome: told ?? 'refuse', expected, actual, next: NAME_THE_LIST };
}
