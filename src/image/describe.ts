/**
 * An OTA file in plain words: every header field, every sub-element, every remark, for a person to
 * read.
 *
 * Pure text, in file order. Text from the file is escaped, because it may hold anything, terminal
 * control sequences included. The hashes are not here (trust/), nor what a device would say to the
 * image.
 */
import { escapeText } from '../bytes/escape-text.ts';
import { hex } from '../bytes/hex.ts';
import type { ImageRemarkCode } from './codes.ts';
import { IMAGE_PROFILES, type ImageProfileId, locateUpgradeImage } from './gb-upgrade.ts';
import { checkIntegrityCode, INTEGRITY_OUTCOMES } from './integrity-code.ts';
import type { ContainerKind } from './ota-container.ts';
import type { SubElement } from './ota-elements.ts';
import { ANY_FILE_VERSION, ANY_U16, FIELD_CONTROL, type OtaHeader } from './ota-header.ts';
import type { OtaFile, OtaImage } from './zigbee-ota.ts';

export interface DescribedLine {
  section: 'file' | 'header' | 'sub-elements' | 'upgrade image' | 'parts' | 'remarks';
  /** Of the image the line speaks of, from 0; absent for the file. */
  imageIndex?: number;
  label: string;
  value: string;
}

const CONTAINERS: Record<ContainerKind, string> = {
  plain: 'plain ZigBee OTA file',
  'ikea-ngis': 'IKEA container (NGIS)',
  legrand: 'Legrand wrapper (length before the image)',
  'unknown-wrapper': 'unknown wrapper',
};

/** ZigBee stack version (6.3.2.8). */
const STACKS = ['ZigBee 2006', 'ZigBee 2007', 'ZigBee PRO', 'ZigBee IP', 'Thread'];

/** Image types from here on are not vendor firmware (6.3.2.6). */
const IMAGE_TYPES: Record<number, string> = {
  65472: 'client security credentials',
  65473: 'client configuration',
  65474: 'server log',
  65475: 'picture',
};

/** Security credential version (6.3.2.11). */
const CREDENTIALS = ['SE 1.0', 'SE 1.1', 'SE 2.0', 'SE 1.2'];

/** What the walk over sub-elements says; noise where the profile knows that there are none. */
const WALK_REMARKS: readonly ImageRemarkCode[] = [
  'walk-broken',
  'elements-capped',
  'nested-image',
  'telink-info-bytes',
  'element-repeated',
  'element-reserved',
  'element-length-unusual',
];

/** With `profileId` also the parts of the Upgrade Image, which nothing in the file tells. */
export function describeImage(parsed: OtaFile, profileId?: ImageProfileId): DescribedLine[] {
  const lines: DescribedLine[] = [
    { section: 'file', label: 'container', value: CONTAINERS[parsed.container.kind] },
    { section: 'file', label: 'bytes before the image', value: `${parsed.leading.length}` },
    { section: 'file', label: 'images', value: `${parsed.images.length}` },
    { section: 'file', label: 'bytes after the last image', value: `${parsed.trailing.length}` },
  ];
  const isOpaque = profileId !== undefined && IMAGE_PROFILES[profileId].hashRange.kind === 'body';
  parsed.images.forEach((image, imageIndex) => {
    const remarks = image.remarks.filter(({ code }) => !isOpaque || !WALK_REMARKS.includes(code));
    const elements = isOpaque ? [] : describeElements(image);
    const pairs = [
      ...describeHeader(image).map((pair) => ['header', ...pair] as const),
      ...elements.map((pair) => ['sub-elements', ...pair] as const),
      ...describeUpgrade(image, profileId).map((pair) => ['upgrade image', ...pair] as const),
      ...remarks.map(({ code, message }) => ['remarks', code, message] as const),
    ];
    for (const [section, label, value] of pairs) lines.push({ section, imageIndex, label, value });
  });
  for (const { code, message } of parsed.remarks) {
    lines.push({ section: 'remarks', label: code, value: message });
  }
  return lines;
}

type Pair = readonly [label: string, value: string];

function describeHeader({ header, offset }: OtaImage): Pair[] {
  const { imageType, fileVersion, manufacturerCode, zigbeeStackVersion } = header;
  const typeName = IMAGE_TYPES[imageType] ?? (imageType >= 0xffc0 ? 'reserved' : 'vendor firmware');
  return [
    ['offset in the file', `${offset}`],
    ['header version', hex(header.headerVersion, 4)],
    ['header length', `${header.headerLength} bytes`],
    ['field control', `${hex(header.fieldControl, 4)} (${fieldNames(header.fieldControl)})`],
    ['manufacturer code', withAny(manufacturerCode, 4, ANY_U16, '')],
    ['image type', withAny(imageType, 4, ANY_U16, typeName)],
    ['file version', withAny(fileVersion, 8, ANY_FILE_VERSION, '')],
    ['ZigBee stack version', `${zigbeeStackVersion} (${STACKS[zigbeeStackVersion] ?? 'unknown'})`],
    ['header string', `"${escapeText(header.headerString)}"`],
    ['total image size', `${header.totalImageBytes} bytes`],
    ...describeOptional(header),
  ];
}

function describeOptional(header: OtaHeader): Pair[] {
  const pairs: Pair[] = [];
  const { securityCredentialVersion: credential, destinationEui64: destination } = header;
  if (credential !== undefined) {
    const name = CREDENTIALS[credential] ?? 'unknown';
    pairs.push(['security credential version', `${credential} (${name})`]);
  }
  if (destination !== undefined) pairs.push(['upgrade file destination', destination]);
  if (header.minimumHardwareVersion !== undefined && header.maximumHardwareVersion !== undefined) {
    pairs.push(['minimum hardware version', hardware(header.minimumHardwareVersion)]);
    pairs.push(['maximum hardware version', hardware(header.maximumHardwareVersion)]);
  }
  if (header.extra.length > 0) pairs.push(['more header bytes', `${header.extra.length}`]);
  return pairs;
}

function describeElements(image: OtaImage): Pair[] {
  const pairs: Pair[] = image.elements.map((element) => [
    `${hex(element.tag, 4)} ${element.name}`,
    `${element.dataBytes} bytes at offset ${element.offset}${elementDetail(element)}`,
  ]);
  if (image.unread.length > 0) {
    pairs.push(['not read as sub-elements', `${image.unread.length} bytes`]);
  }
  const integrity = checkIntegrityCode(image);
  if (integrity !== 'absent') pairs.push(['integrity code', INTEGRITY_OUTCOMES[integrity]]);
  return pairs;
}

function describeUpgrade(image: OtaImage, profileId: ImageProfileId | undefined): Pair[] {
  if (profileId === undefined) return [];
  const profile = IMAGE_PROFILES[profileId];
  const pairs: Pair[] = [['profile', `${profile.id}: ${profile.title} (${profile.confidence})`]];
  const located = locateUpgradeImage(image, profileId);
  if (!located.ok) {
    pairs.push(['not of this profile', `${located.code}: ${located.message}`]);
    return pairs;
  }
  pairs.push(['Manufacturer Image', `${located.manufacturerImage.length} bytes`]);
  if (located.forceReplace !== undefined) {
    pairs.push(['forceReplace', hex(located.forceReplace, 2)]);
  }
  if (located.signature) pairs.push(['signature', `${located.signature.length} bytes`]);
  return pairs;
}

function elementDetail({ info }: SubElement): string {
  return info.length > 0 ? `, ${info.length} info bytes before the data` : '';
}

function fieldNames(fieldControl: number): string {
  const names = [
    fieldControl & FIELD_CONTROL.securityCredentialVersion ? 'security credential version' : '',
    fieldControl & FIELD_CONTROL.destination ? 'destination' : '',
    fieldControl & FIELD_CONTROL.hardwareVersions ? 'hardware versions' : '',
    fieldControl > 7 ? 'reserved bits' : '',
  ];
  return names.filter((name) => name !== '').join(', ') || 'no optional field';
}

function withAny(value: number, digits: number, any: number, name: string): string {
  if (value === any) return `${hex(value, digits)} (any)`;
  return name === '' ? hex(value, digits) : `${hex(value, digits)} (${name})`;
}

function hardware(version: number): string {
  return `${hex(version, 4)} (version ${version >>> 8}, revision ${version & 0xff})`;
}
