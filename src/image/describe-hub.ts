/**
 * A hub's image in plain words, for a person to read: MCUboot, GBL, EBL. Pure text, in file order;
 * what comes from the file is escaped. Hashes, and what signatures are worth, are not here (trust/).
 */
import { escapeText } from '../bytes/escape-text.ts';
import { encodeHex, hex } from '../bytes/hex.ts';
import type { DescribedLine } from './describe.ts';
import type { EblImage } from './ebl.ts';
import { FILE_FORMATS } from './file-format.ts';
import { GBL_TYPE, type GblImage } from './gbl.ts';
import type { HubImage } from './hub-image.ts';
import { SIGNATURE_SCHEMES } from './image-signature.ts';
import type { McubootFlag, McubootImage } from './mcuboot.ts';
import { type Tlv, tlvTitle } from './mcuboot-tlv.ts';
import { mcubootVersionText } from './mcuboot-version.ts';

type Pair = [label: string, value: string];

/** Characters of a value that are shown; a certificate or a maker's text may be long. */
const SHOWN_MAX = 160;

const FLAG_TITLES: Readonly<Record<McubootFlag, string>> = {
  positionIndependent: 'position independent',
  encryptedAes128: 'encrypted with AES-128',
  encryptedAes256: 'encrypted with AES-256',
  nonBootable: 'not bootable',
  ramLoad: 'load to RAM',
  romFixed: 'at a fixed address',
  compressedLzma1: 'compressed with LZMA1',
  compressedLzma2: 'compressed with LZMA2',
  compressedArmThumb: 'ARM thumb filter',
};

export function describeHubImage(image: HubImage): DescribedLine[] {
  const { profile, sendBytes, outsideBytes, version, covered, signatures, remarks } = image;
  const about: Pair[] = [
    ['format', FILE_FORMATS[profile].title],
    ['bytes that are sent', `${sendBytes.length}`],
    ['bytes after them', `${outsideBytes}`],
    ['version', version?.text ?? 'the image does not tell'],
    ['encrypted', image.isEncrypted ? 'yes' : 'no'],
    ...(image.digest
      ? [['digest', `${image.digest.algorithm} over bytes 0 to ${covered.length - 1}`] as Pair]
      : []),
    ...signatures.map(({ scheme, value, key }): Pair => {
      const named = key ? `, key ${key.by === 'hash' ? 'hash' : ''} ${digits(key.value)}` : '';
      const over = `over bytes 0 to ${covered.length - 1}`;
      return [
        'signature',
        `${SIGNATURE_SCHEMES[scheme].title}, ${value.length} bytes, ${over}${named}`,
      ];
    }),
    ...(signatures.length === 0 ? [['signature', 'none'] as Pair] : []),
  ];
  const { header, parts } = partsOf(image);
  return [
    ...lines('file', about),
    ...lines('header', header),
    ...lines('parts', parts),
    ...lines(
      'remarks',
      remarks.map(({ code, message }) => [code, message]),
    ),
  ];
}

function partsOf(image: HubImage): { header: Pair[]; parts: Pair[] } {
  switch (image.profile) {
    case 'mcuboot':
      return { header: mcubootHeader(image.details), parts: mcubootParts(image.details) };
    case 'gbl':
      return { header: gblHeader(image.details), parts: gblParts(image.details) };
    case 'ebl':
      return { header: eblHeader(image.details), parts: eblParts(image.details) };
  }
}

function mcubootHeader(image: McubootImage): Pair[] {
  const { header, flags, dependencies, securityCounter } = image;
  const names = flags.map((flag) => FLAG_TITLES[flag]).join(', ') || 'none';
  return [
    ['load address', hex(header.loadAddress, 8)],
    ['header size', `${header.headerBytes} bytes`],
    ['body size', `${header.bodyBytes} bytes`],
    ['protected TLV size', `${header.protectedTlvBytes} bytes`],
    ['flags', `${hex(header.flags, 8)} (${names})`],
    ...dependencies.map(({ image: index, version }): Pair => {
      return ['depends on', `image ${index}, version ${mcubootVersionText(version)} or later`];
    }),
    ...(securityCounter === undefined ? [] : [['security counter', `${securityCounter}`] as Pair]),
  ];
}

function mcubootParts({ protectedTlvs, tlvs }: McubootImage): Pair[] {
  const line = (tlv: Tlv, area: string): Pair => {
    const value = `${tlv.value.length} bytes at offset ${tlv.offset}`;
    return [`${tlvTitle(tlv)}${area}`, `${value}: ${digits(tlv.value)}`];
  };
  return [
    ...protectedTlvs.map((tlv) => line(tlv, ', protected')),
    ...tlvs.map((tlv) => line(tlv, '')),
  ];
}

function gblHeader(image: GblImage): Pair[] {
  const { type, appInfo, bootloader, metadata } = image;
  const words = [
    (type & GBL_TYPE.encrypted) !== 0 ? 'encrypted' : 'plain',
    (type & GBL_TYPE.signed) !== 0 ? 'signed' : 'unsigned',
  ];
  const pairs: Pair[] = [['type', `${hex(type, 8)} (${words.join(', ')})`]];
  if (appInfo) {
    pairs.push(
      ['application type', hex(appInfo.type, 8)],
      ['application version', `${hex(appInfo.version, 8)} (${appInfo.version})`],
      ['capabilities', hex(appInfo.capabilities, 8)],
      ['product id', encodeHex(appInfo.productId)],
    );
  }
  if (bootloader) {
    const { version, address, data } = bootloader;
    const where = `${data.length} bytes at ${hex(address, 8)}`;
    pairs.push(['bootloader upgrade', `version ${hex(version, 8)}, ${where}`]);
  }
  if (image.hasSeUpgrade) pairs.push(['secure element upgrade', 'yes']);
  if (image.hasCertificate) pairs.push(['certificate', 'yes; its chain is not followed']);
  for (const bytes of metadata) pairs.push(['metadata', `"${shortened(textOf(bytes))}"`]);
  return pairs;
}

function gblParts({ tags, programs }: GblImage): Pair[] {
  const at = new Map(programs.map(({ data, address }) => [data.byteOffset, address]));
  return tags.map(({ title, offset, value }): Pair => {
    const address = at.get(value.byteOffset + 4);
    const where = address === undefined ? '' : `, to ${hex(address, 8)}`;
    return [title, `${value.length} bytes at offset ${offset}${where}`];
  });
}

function eblHeader({ header }: EblImage): Pair[] {
  return [
    ['address', hex(header.address, 8)],
    ['table CRC', hex(header.aatCrc, 8)],
  ];
}

/** An EBL writes page after page, one tag each, so pages in a row are one line. */
function eblParts({ tags, programs }: EblImage): Pair[] {
  const pairs: Pair[] = [['header', `${tags[0]!.value.length} bytes at offset 0`]];
  for (let i = 0; i < programs.length; ) {
    const first = programs[i]!;
    let next = first.address + first.data.length;
    let count = 1;
    while (programs[i + count]?.name === first.name && programs[i + count]!.address === next) {
      next += programs[i + count]!.data.length;
      count += 1;
    }
    const range = `${hex(first.address, 8)} to ${hex(next - 1, 8)}`;
    const title = tags[i + 1]!.title;
    pairs.push([title, `${count} tags, ${next - first.address} bytes, ${range}`]);
    i += count;
  }
  const end = tags.at(-1)!;
  return [...pairs, ['end', `${end.value.length} bytes at offset ${end.offset}`]];
}

function lines(section: DescribedLine['section'], pairs: readonly Pair[]): DescribedLine[] {
  return pairs.map(([label, value]) => ({ section, label, value }));
}

function digits(bytes: Uint8Array): string {
  return shortened(encodeHex(bytes.subarray(0, SHOWN_MAX)));
}

function textOf(bytes: Uint8Array): string {
  return escapeText(String.fromCharCode(...bytes.subarray(0, SHOWN_MAX + 1)));
}

function shortened(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
