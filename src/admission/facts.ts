/**
 * What a decision is made on: the image, the device, the list, the policy. Gathered by the caller
 * before `decideAdmission` is asked, so that the decision itself does no I/O and can be repeated
 * later.
 *
 * What a device has not said yet is `undefined`, never a default.
 */

import { type Refusal, refusal } from '../image/codes.ts';
import { IMAGE_PROFILES, type ImageProfileId, locateUpgradeImage } from '../image/gb-upgrade.ts';
import {
  type HubImage,
  type HubImageProfile,
  type HubImageVersion,
  hubVersionOf,
  isHubImageProfile,
  readHubImage,
} from '../image/hub-image.ts';
import { checkIntegrityCode, type IntegrityOutcome } from '../image/integrity-code.ts';
import type { McubootFlag } from '../image/mcuboot.ts';
import type { OtaHeader } from '../image/ota-header.ts';
import { type OtaImage, parseOtaFile } from '../image/zigbee-ota.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { DeviceKind } from '../products/combinations.ts';
import type { DeviceHardware } from '../products/device-model.ts';
import { type ImageHashes, imageHashes, sha256Hex } from '../trust/digest.ts';
import {
  type DigestOutcome,
  type HubSignatureOutcome,
  verifyHubImage,
} from '../trust/hub-image.ts';
import { hubKeysFor, mayBeOtaSigner } from '../trust/trust-anchors.ts';
import { verifyZseSignature, type ZseProof } from '../trust/zse-signature.ts';
import type { AdmissionContext } from './context.ts';
import type { Regulation } from './regulation.ts';
import type { RuleId } from './rule.ts';
import { findSigner, type ImageTrust, type SignerFacts } from './signer.ts';

/** Every way an image is read: below an OTA header, or as the bootloader of a hub takes it. */
export type AnyImageProfile = ImageProfileId | HubImageProfile;

/**
 * What a signature over the Manufacturer Image came to; `none` where the profile has none. `by-party`:
 * somebody who was named made it, and whether they may is the rule signature.party.
 */
export type SignatureOutcome = 'verified' | 'by-party' | 'wrong' | 'no-trust-anchor' | 'none';

export type ImageFacts = OtaImageFacts | HubImageFacts;

export interface OtaImageFacts {
  ok: true;
  kind: 'ota';
  profile: ImageProfileId;
  header: OtaHeader;
  hashes: ImageHashes & { manufacturerImage: string };
  /** SHA-256 of the image as it is sent, as lower-case digits. */
  sendSha256: string;
  integrity: IntegrityOutcome;
  signature: SignatureOutcome;
  /** Who of the named parties made the signature; absent where none was named. */
  signer?: SignerFacts;
  /** What a Smart Energy signature among the sub-elements came to; absent where there is none. */
  zse?: ZseProof & { isConfigured: boolean };
  /** Bytes of the file before and after the chosen image. */
  outsideBytes: number;
  /** Bytes of the body that did not read as sub-elements; all of a GB body. */
  unreadBytes: number;
}

export interface HubImageFacts {
  ok: true;
  kind: 'hub';
  profile: HubImageProfile;
  /** Absent where format or encryption hides it. */
  version?: HubImageVersion;
  /** Of what is sent, and its SHA-256 as lower-case digits. */
  sendBytes: number;
  sendSha256: string;
  /** SHA-256 of all of the file, where that is more than what is sent. */
  wholeFileSha256?: string;
  /**
   * What a version floor is about: MCUboot's security counter, the version of a GBL. No hub tells the
   * counter it has stored, so the floor is what an image is held against.
   */
  rollbackCounter?: number;
  /** Images beside it, with the least version of each. */
  dependencies: readonly { image: number; version: HubImageVersion }[];
  /** Bytes of the file after what is sent. */
  outsideBytes: number;
  digest: DigestOutcome;
  signature: HubSignatureOutcome;
  isEncrypted: boolean;
  /** What stands in the way of running it, or may. */
  bootTraits: readonly BootTrait[];
}

/** Flags of an MCUboot image that bear on starting it; or a GBL that brings no application. */
export type BootTrait =
  | Extract<McubootFlag, 'nonBootable' | 'ramLoad' | 'romFixed'>
  | 'compressed'
  | 'noApplication';

export interface DeviceFacts {
  /** 16 lower-case digits. */
  eui64?: string | undefined;
  /** Of a hub on a line: the one on its label, which the rig states. */
  serialNumber?: string | undefined;
  manufacturerCode?: number | undefined;
  imageType?: number | undefined;
  /** High byte version, low byte revision, as the device states it over ZigBee. */
  hardwareVersion?: number | undefined;
  /** The file version it runs; 0xFFFFFFFF where it says that it does not know. */
  currentFileVersion?: number | undefined;
  /** The version a hub runs, in the words of the hub: `1.2.3.4`. */
  runningVersion?: string | undefined;
  /** Which of its images an MCUboot hub is given, from its model. */
  imageNumber?: number | undefined;
  /** Of an MCUboot hub: what each other image runs after the next reset, in its words, by number. */
  otherImages?: Readonly<Record<number, string>> | undefined;
  deviceModel?: Partial<DeviceHardware> | undefined;
  /** The images it takes, from the device's model. */
  imageProfile?: AnyImageProfile | undefined;
  /** Room for an image, from the device's model. */
  slotBytes?: number | undefined;
  /** What it is, from the device's model. */
  kind?: DeviceKind | undefined;
}

export interface AdmissionPolicy {
  /** Lets an older image pass on a bench; elsewhere a waiver does. The same version never passes. */
  allowDowngrade?: boolean;
  /** `false` only where somebody said that no Central Products List applies, as on a bench. */
  listRequired?: boolean;
  /**
   * Some published images fail either comparison and are good, so both warn unless told. Against an
   * entry that states the file version, the first refuses; a version of another entry always does.
   */
  firmwareVersionMismatch?: 'warn' | 'refuse';
  integrityMismatch?: 'warn' | 'refuse';
  /**
   * Whether a signature that no trust anchor was given for refuses. A GB image warns unless told;
   * a hub's refuses unless told, or the list vouches for it.
   */
  unverifiedSignature?: 'warn' | 'refuse';
  /** A hub's image that nobody signed; refuses unless told, or the list vouches for it. */
  unsignedImage?: 'warn' | 'refuse';
  /**
   * A hub's image whose digest and signature are over plain text that cannot be seen; refuses unless
   * told, or the list vouches for it.
   */
  sealedUnderEncryption?: 'warn' | 'refuse';
  /** A list older than one that was accepted before; refuses unless told. */
  listRollback?: 'warn' | 'refuse';
  /** A file version too far above the running one; refuses unless told, and warns without a list. */
  versionStep?: 'warn' | 'refuse';
  /** Where the versions of hub and image cannot be compared before the upload. */
  unknownVersion?: 'warn' | 'refuse';
  /** A list that does not say from which versions one may upgrade; not asked on a bench unless told. */
  unknownPathway?: 'warn' | 'refuse';
  /** An entry that says N/A for its pathway; refuses unless told. */
  noPathway?: 'warn' | 'refuse';
  /** An entry that is published and that the DCC has not loaded; warns unless told. */
  notLoaded?: 'warn' | 'refuse';
  /** An image larger than devices are assumed to take; warns unless told. */
  deviceSize?: 'warn' | 'refuse';
  /** An image that the hub has held for longer than it is assumed to; warns unless told. */
  holdPassed?: 'warn' | 'refuse';
  /** A chain without revocation lists; warns unless told, and passes on a bench. */
  revocationUnchecked?: 'warn' | 'refuse';
  /** In place of parts of `REGULATION`. */
  regulation?: Partial<Regulation>;
  /** When a dated rule is in force, in place of its own dates. */
  inForce?: Readonly<Partial<Record<RuleId, { fromMs?: number; untilMs?: number }>>>;
}

export interface AdmissionFacts {
  /** A refusal of the parser is a fact too: it becomes a decision. */
  image: ImageFacts | Refusal;
  device: DeviceFacts;
  list?: CentralProductsList | undefined;
  policy?: AdmissionPolicy | undefined;
  /** Absent: a bench. */
  context?: AdmissionContext | undefined;
}

export interface ImageFactsOptions {
  profile: AnyImageProfile;
  /** Which image of a file that holds several, from 0. */
  imageIndex?: number | undefined;
  /** What its signatures are held against. */
  trust?: ImageTrust | undefined;
}

/** The facts of an image, and the image itself with the very bytes that they speak of. */
export type GatheredImage =
  | { facts: OtaImageFacts; image: OtaImage; hubImage?: undefined }
  | { facts: HubImageFacts; image?: undefined; hubImage: HubImage }
  | { facts: Refusal; image?: undefined; hubImage?: undefined };

/** Parses, hashes and verifies `file`. */
export function gatherImageFacts(file: Uint8Array, options: ImageFactsOptions): GatheredImage {
  const { profile } = options;
  return isHubImageProfile(profile)
    ? gatherHubImage(file, profile, options)
    : gatherOtaImage(file, profile, options);
}

/** SHA-256 by which the Central Products List knows the image. */
export function listedHash(image: ImageFacts): string {
  return image.kind === 'ota' ? image.hashes.manufacturerImage : image.sendSha256;
}

function gatherOtaImage(
  file: Uint8Array,
  profile: ImageProfileId,
  { imageIndex, trust }: ImageFactsOptions,
): GatheredImage {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) return { facts: parsed };
  const image = chooseImage(parsed.images, imageIndex);
  if ('ok' in image) return { facts: image };
  const located = locateUpgradeImage(image, profile);
  if (!located.ok) return { facts: located };
  const hashes = imageHashes(file, image, profile);
  const { manufacturerImage, signature } = located;
  const signer = findSigner(manufacturerImage, signature, trust);
  const isWholeFile = file.length === image.bytes.length;
  return {
    image,
    facts: {
      ok: true,
      kind: 'ota',
      profile,
      header: image.header,
      hashes: { ...hashes, manufacturerImage: hashes.manufacturerImage! },
      sendSha256: isWholeFile ? hashes.wholeFile : sha256Hex(image.bytes),
      integrity: integrityOf(image, profile),
      signature: signatureOf(signature, signer),
      ...(signer ? { signer } : {}),
      ...zseOf(image, profile, trust),
      outsideBytes: file.length - image.bytes.length,
      unreadBytes: image.unread.length,
    },
  };
}

function gatherHubImage(
  file: Uint8Array,
  profile: HubImageProfile,
  { imageIndex, trust }: ImageFactsOptions,
): GatheredImage {
  const hubImage = readHubImage(file, profile);
  if (!hubImage.ok) return { facts: hubImage };
  if (imageIndex !== undefined && imageIndex !== 0) {
    return { facts: noSuchImage(1, imageIndex) };
  }
  const { sendBytes, outsideBytes, version, isEncrypted } = hubImage;
  const { sendSha256, digest, signature } = verifyHubImage(
    hubImage,
    hubKeysFor(profile, trust?.anchors ?? []),
  );
  return {
    hubImage,
    facts: {
      ok: true,
      kind: 'hub',
      profile,
      ...(version ? { version } : {}),
      sendBytes: sendBytes.length,
      sendSha256,
      ...(outsideBytes > 0 ? { wholeFileSha256: sha256Hex(file) } : {}),
      ...rollbackCounterOf(hubImage),
      dependencies: dependenciesOf(hubImage),
      outsideBytes,
      digest,
      signature,
      isEncrypted,
      bootTraits: bootTraitsOf(hubImage),
    },
  };
}

function rollbackCounterOf(image: HubImage): { rollbackCounter?: number } {
  const counter =
    image.profile === 'mcuboot' ? image.details.securityCounter : image.version?.parts[0];
  return counter === undefined ? {} : { rollbackCounter: counter };
}

function dependenciesOf(image: HubImage): HubImageFacts['dependencies'] {
  if (image.profile !== 'mcuboot') return [];
  return image.details.dependencies.map(({ image: number, version }) => ({
    image: number,
    version: hubVersionOf(version),
  }));
}

/** Of an encrypted GBL nobody can see whether it brings an application. */
function bootTraitsOf(image: HubImage): BootTrait[] {
  switch (image.profile) {
    case 'mcuboot': {
      const { flags, isCompressed } = image.details;
      const traits = flags.filter(
        (flag) => flag === 'nonBootable' || flag === 'ramLoad' || flag === 'romFixed',
      );
      return isCompressed ? [...traits, 'compressed'] : traits;
    }
    case 'gbl': {
      const { programs, isEncrypted } = image.details;
      return programs.length === 0 && !isEncrypted ? ['noApplication'] : [];
    }
    case 'ebl':
      return [];
  }
}

function chooseImage(images: OtaImage[], index: number | undefined): OtaImage | Refusal {
  const chosen = images[index ?? 0];
  if (index === undefined && images.length > 1) {
    return refusal('several-images', {
      expected: 'one image, or the number of the one that is meant',
      actual: `${images.length} images`,
      next: `choose one, 0 to ${images.length - 1}`,
    });
  }
  return chosen ?? noSuchImage(images.length, index ?? 0);
}

function noSuchImage(images: number, index: number): Refusal {
  return refusal('image-index-unknown', { expected: `0 to ${images - 1}`, actual: `${index}` });
}

/** A body that is not made of sub-elements may still look so by chance; it carries no such code. */
function integrityOf(image: OtaImage, profile: ImageProfileId): IntegrityOutcome {
  const hasElements = IMAGE_PROFILES[profile].hashRange.kind === 'element';
  return hasElements ? checkIntegrityCode(image) : 'absent';
}

/** A GB body is not made of sub-elements, and carries such a signature by chance only. */
function zseOf(
  image: OtaImage,
  profile: ImageProfileId,
  trust: ImageTrust | undefined,
): Pick<OtaImageFacts, 'zse'> {
  if (IMAGE_PROFILES[profile].hashRange.kind !== 'element') return {};
  const { zseCas = [], zseSigners = [] } = trust ?? {};
  const proof = verifyZseSignature(image, { caPublicKeys: zseCas, signerList: zseSigners });
  const isConfigured = zseCas.length > 0 || zseSigners.length > 0;
  return proof.outcome === 'none' ? {} : { zse: { ...proof, isConfigured } };
}

function signatureOf(
  signature: Uint8Array | undefined,
  signer: SignerFacts | undefined,
): SignatureOutcome {
  if (!signature) return 'none';
  switch (signer?.by) {
    case undefined:
      return 'no-trust-anchor';
    case 'certificate':
      return 'by-party';
    case 'anchor':
      return mayBeOtaSigner(signer.anchor) ? 'verified' : 'by-party';
    case 'nobody':
      return signer.trust.anchors.some(mayBeOtaSigner) ? 'wrong' : 'no-trust-anchor';
  }
}
