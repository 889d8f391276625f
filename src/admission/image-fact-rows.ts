/** Facts of the image and of the device. */
import { hex } from '../bytes/hex.ts';
import { type FactRow, type FactValue, row } from './fact-row.ts';
import { type HubImageFacts, type ImageFacts, listedHash, type OtaImageFacts } from './facts.ts';
import { showHardware } from './list-checks.ts';
import type { SignerFacts } from './signer.ts';
import { versionNumber } from './version-checks.ts';

export const IMAGE_FACTS = {
  'image.refusal': row(
    'what the file cannot be read for',
    ['image.code', 'image.message', 'image.expected', 'image.actual', 'image.next', 'image.offset'],
    ({ image }) => (image.ok ? 'nothing: it can be read' : image.code),
  ),
  'image.profile': row('how the image is read', ['image.profile'], ({ image }) =>
    image.ok ? image.profile : undefined,
  ),
  'image.bytes': either(
    'the size of the image',
    ['image.header.totalImageBytes', 'image.sendBytes'],
    ({ header }) => `${header.totalImageBytes} bytes`,
    ({ sendBytes }) => `${sendBytes} bytes`,
  ),
  'image.outsideBytes': either(
    'the bytes of the file around the image',
    ['image.outsideBytes'],
    ({ outsideBytes }) => outsideBytes,
    ({ outsideBytes }) => outsideBytes,
  ),
  'image.headerFields': ota(
    'the fields that its header announces',
    ['image.header.fieldControl', 'image.header.extra', 'image.header.headerLength'],
    ({ header }) => `${hex(header.fieldControl, 4)}, ${header.extra.length} bytes besides`,
  ),
  'image.unreadBytes': ota(
    'its bytes that belong to no sub-element',
    ['image.unreadBytes'],
    ({ unreadBytes }) => unreadBytes,
  ),
  'image.manufacturerCode': ota(
    'the manufacturer code in the image',
    ['image.header.manufacturerCode'],
    ({ header }) => hex(header.manufacturerCode, 4),
  ),
  'image.imageType': ota('the image type in the image', ['image.header.imageType'], ({ header }) =>
    hex(header.imageType, 4),
  ),
  'image.hardwareRange': ota(
    'the hardware versions that the image names',
    ['image.header.minimumHardwareVersion', 'image.header.maximumHardwareVersion'],
    ({ header }) => {
      const { minimumHardwareVersion: minimum, maximumHardwareVersion: maximum } = header;
      if (minimum === undefined || maximum === undefined) return 'none: for any';
      return `${hex(minimum, 4)} to ${hex(maximum, 4)}`;
    },
  ),
  'image.destination': ota(
    'the device that the image names',
    ['image.header.destinationEui64'],
    ({ header }) => header.destinationEui64 ?? 'none: for any',
  ),
  'image.version': either(
    'the version in the image',
    ['image.header.fileVersion', 'image.version'],
    ({ header }) => hex(header.fileVersion, 8),
    ({ version }) => version?.text,
  ),
  'image.number': either(
    'the number of the image that version floors are about',
    ['image.header.fileVersion', 'image.rollbackCounter'],
    showNumber,
    showNumber,
  ),
  'image.sendSha256': either(
    'the SHA-256 of what is sent',
    ['image.sendSha256'],
    ({ sendSha256 }) => sendSha256,
    ({ sendSha256 }) => sendSha256,
  ),
  'image.listedHash': either(
    'the hash by which a list knows the image',
    ['image.hashes.manufacturerImage', 'image.sendSha256'],
    listedHash,
    listedHash,
  ),
  'image.otherHashes': either(
    'its hashes over other ranges',
    [
      'image.hashes.wholeFile',
      'image.hashes.afterHeader',
      'image.sendSha256',
      'image.wholeFileSha256',
    ],
    ({ hashes, sendSha256 }) =>
      `whole file ${hashes.wholeFile}, after the header ${hashes.afterHeader}, as sent ${sendSha256}`,
    ({ wholeFileSha256 }) => `whole file ${wholeFileSha256 ?? 'the same'}`,
  ),
  'image.integrityCode': ota(
    'the integrity code of the image',
    ['image.integrity'],
    ({ integrity }) => integrity,
  ),
  'image.digest': hub('the digest that the image states', ['image.digest'], ({ digest }) => digest),
  'image.signature': either(
    'the signature of the image',
    ['image.signature'],
    ({ signature }) => signature,
    ({ signature }) => signature,
  ),
  'image.signer': ota('the party that signed', ['image.signer'], ({ signer }) =>
    showSigner(signer),
  ),
  'image.zse': ota('the Smart Energy signature', ['image.zse'], ({ zse }) => {
    if (!zse) return 'none';
    const signer = zse.signer === undefined ? '' : ` by ${zse.signer}`;
    return `${zse.outcome}${signer}${zse.isConfigured ? '' : ', no signers configured'}`;
  }),
  'image.bootTraits': hub(
    'what bears on starting the image',
    ['image.bootTraits'],
    ({ bootTraits }) => (bootTraits.length === 0 ? 'nothing' : bootTraits.join(', ')),
  ),
  'image.dependencies': hub(
    'the images that it depends on',
    ['image.dependencies'],
    ({ dependencies }) =>
      dependencies.map(({ image, version }) => `image ${image}: ${version.text}`).join(', ') ||
      'none',
  ),
} satisfies Record<string, FactRow>;

export const DEVICE_FACTS = {
  'device.eui64': row('the EUI-64 of the device', ['device.eui64'], ({ device }) => device.eui64),
  'device.kind': row('the kind of device', ['device.kind'], ({ device }) => device.kind),
  'device.manufacturerCode': row(
    'the manufacturer code of the device',
    ['device.manufacturerCode'],
    ({ device }) => hexOf(device.manufacturerCode, 4),
  ),
  'device.imageType': row('the image type of the device', ['device.imageType'], ({ device }) =>
    hexOf(device.imageType, 4),
  ),
  'device.hardwareVersion': row(
    'the hardware version of the device',
    ['device.hardwareVersion'],
    ({ device }) => hexOf(device.hardwareVersion, 4),
  ),
  'device.currentFileVersion': row(
    'the file version that the device runs',
    ['device.currentFileVersion'],
    ({ device }) => hexOf(device.currentFileVersion, 8),
  ),
  'device.runningVersion': row(
    'the version that the hub runs',
    ['device.runningVersion'],
    ({ device }) => device.runningVersion,
  ),
  'device.imageNumber': row(
    'the number of the image that is given',
    ['device.imageNumber'],
    ({ device }) => device.imageNumber,
  ),
  'device.otherImages': row(
    'what the other images of the hub run',
    ['device.otherImages'],
    ({ device: { otherImages } }) =>
      otherImages &&
      (Object.entries(otherImages)
        .map(([image, version]) => `image ${image}: ${version || 'none'}`)
        .join(', ') ||
        'there are none'),
  ),
  'device.serialNumber': row(
    'the serial number of the device',
    ['device.serialNumber'],
    ({ device }) => device.serialNumber,
  ),
  'device.deviceModel': row(
    'the Device Model of the device',
    ['device.deviceModel'],
    ({ device }) => device.deviceModel && showHardware(device.deviceModel),
  ),
  'device.imageProfile': row(
    'the images that the device takes',
    ['device.imageProfile'],
    ({ device }) => device.imageProfile,
  ),
  'device.slotBytes': row('the room that the device has', ['device.slotBytes'], ({ device }) =>
    device.slotBytes === undefined ? undefined : `${device.slotBytes} bytes`,
  ),
} satisfies Record<string, FactRow>;

function either(
  what: string,
  paths: readonly string[],
  ofOta: (image: OtaImageFacts) => FactValue,
  ofHub: (image: HubImageFacts) => FactValue,
): FactRow {
  return row(what, paths, ({ image }) => {
    if (!image.ok) return undefined;
    return image.kind === 'ota' ? ofOta(image) : ofHub(image);
  });
}

function ota(what: string, paths: readonly string[], read: (image: OtaImageFacts) => FactValue) {
  return either(what, paths, read, () => undefined);
}

function hub(what: string, paths: readonly string[], read: (image: HubImageFacts) => FactValue) {
  return either(what, paths, () => undefined, read);
}

function showNumber(image: ImageFacts): FactValue {
  return hexOf(versionNumber(image), 8);
}

function hexOf(value: number | undefined, digits: number): FactValue {
  return value === undefined ? undefined : hex(value, digits);
}

function showSigner(signer: SignerFacts | undefined): FactValue {
  switch (signer?.by) {
    case undefined:
      return 'no party was named';
    case 'certificate':
      return `certificate ${signer.certificate.serialHex}, ${signer.certificate.fingerprint}`;
    case 'anchor':
      return `anchor ${signer.anchor.name}, for ${signer.anchor.purpose}`;
    case 'nobody': {
      const { anchors, certificates = [] } = signer.trust;
      return `none of ${certificates.length} certificates and ${anchors.length} anchors`;
    }
  }
}
