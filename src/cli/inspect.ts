/**
 * `uplift inspect IMAGE`: what a file is, field by field, with the hashes that matter. The format is
 * recognised by the bytes: a ZigBee OTA file, or the image of a Communications Hub.
 */
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { FILE_BYTES_MAX, readImageFile } from '../gateway/image-library.ts';
import { loadTrust } from '../gateway/trust-folder.ts';
import type { Refusal } from '../image/codes.ts';
import { type DescribedLine, describeImage } from '../image/describe.ts';
import { describeHubImage } from '../image/describe-hub.ts';
import {
  FILE_FORMATS,
  isImageFormat,
  recogniseFormat,
  refuseFormat,
} from '../image/file-format.ts';
import { IMAGE_PROFILES, type ImageProfileId, locateUpgradeImage } from '../image/gb-upgrade.ts';
import { type HubImageProfile, readHubImage } from '../image/hub-image.ts';
import { SIGNATURE_SCHEMES } from '../image/image-signature.ts';
import { type OtaFile, type OtaImage, parseOtaFile } from '../image/zigbee-ota.ts';
import { imageHashes, sha256Hex } from '../trust/digest.ts';
import { DIGEST_OUTCOMES, HUB_SIGNATURE_OUTCOMES, verifyHubImage } from '../trust/hub-image.ts';
import { hubKeysFor } from '../trust/trust-anchors.ts';
import { otaProfileOf, usage } from './inputs.ts';
import { bytesText, type Output, table } from './output.ts';

export interface InspectOptions {
  profile?: string;
  /** Trust anchors, to check the signatures of a hub's image with. */
  trust?: string;
}

interface Hash {
  imageIndex: number;
  range: string;
  sha256: string;
}

export function inspect(path: string, options: InspectOptions, output: Output): ExitCode {
  const profile = options.profile === undefined ? undefined : otaProfileOf(options.profile);
  const file = readImageFile(path);
  const format = recogniseFormat(file);
  if (format === undefined || format === 'zigbee-ota' || format === 'zip' || format === 'gzip') {
    // Some makers wrap an OTA file, so it need not begin like one.
    return inspectOta(path, file, profile, output);
  }
  if (!isImageFormat(format)) throw refused(path, refuseFormat(file));
  if (profile !== undefined) {
    throw usage(
      '--profile',
      'a ZigBee OTA file, which alone has profiles',
      FILE_FORMATS[format].title,
    );
  }
  return inspectHubImage(path, file, format, options, output);
}

function inspectOta(
  path: string,
  file: Uint8Array,
  profile: ImageProfileId | undefined,
  output: Output,
): ExitCode {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw refused(path, parsed);
  const rows = describeImage(parsed, profile);
  const hashes = hashesOf(file, parsed, profile);
  output.result(
    {
      file: path,
      bytes: file.length,
      bytesMax: FILE_BYTES_MAX,
      format: 'zigbee-ota',
      container: parsed.container,
      fields: rows,
      hashes,
    },
    [...lines(path, file.length, rows), ...hashLines(hashes)],
  );
  return EXIT.done;
}

/** What is wrong with digest or signature is shown, not refused: that is what one looks for. */
function inspectHubImage(
  path: string,
  file: Uint8Array,
  format: HubImageProfile,
  options: InspectOptions,
  output: Output,
): ExitCode {
  const image = readHubImage(file, format);
  if (!image.ok) throw refused(path, image);
  const anchors = options.trust === undefined ? [] : loadTrust(options.trust).anchors;
  const keys = hubKeysFor(format, anchors);
  const { digest, sendSha256, signatures, signature } = verifyHubImage(image, keys);
  const rows = describeHubImage(image);
  const hashes: Hash[] = [
    { imageIndex: 0, range: 'whole file', sha256: sha256Hex(file) },
    { imageIndex: 0, range: 'bytes that are sent', sha256: sendSha256 },
  ];
  const proofs = [
    ...(image.imageHash === undefined
      ? []
      : [['digest', `${image.imageHash} ${DIGEST_OUTCOMES[digest]}`]]),
    ...signatures.map(({ scheme, outcome }) => [
      SIGNATURE_SCHEMES[scheme].title,
      HUB_SIGNATURE_OUTCOMES[outcome],
    ]),
    ...(signatures.length === 0 ? [['signature', HUB_SIGNATURE_OUTCOMES[signature]]] : []),
  ];
  output.result(
    {
      file: path,
      bytes: file.length,
      bytesMax: FILE_BYTES_MAX,
      format,
      fields: rows,
      hashes,
      imageHash: image.imageHash,
      digest,
      signature,
      signatures,
    },
    [...lines(path, file.length, rows), ...hashLines(hashes), '', 'checks', ...table(proofs, '  ')],
  );
  return EXIT.done;
}

function refused(path: string, refusal: Refusal): UpliftError {
  const { code, message, expected, actual, next, offset } = refusal;
  const where = offset === undefined ? '' : ` (offset ${offset})`;
  return new UpliftError(code, `${path}: ${message}`, {
    ...(expected ? { expected } : {}),
    actual: `${actual ?? 'something else'}${where}`,
    next: next ?? 'get the file again from where it came from',
    exit: EXIT.refused,
  });
}

function hashesOf(file: Uint8Array, parsed: OtaFile, profile: ImageProfileId | undefined): Hash[] {
  return parsed.images.flatMap((image, imageIndex) => {
    const { wholeFile, afterHeader } = imageHashes(file, image);
    const common = [
      { imageIndex, range: 'whole file', sha256: wholeFile },
      { imageIndex, range: 'all after the header', sha256: afterHeader },
    ];
    return [...common, ...manufacturerHashes(file, image, imageIndex, profile)];
  });
}

/** The profile is not guessed from the bytes: without one, each that fits is shown. */
function manufacturerHashes(
  file: Uint8Array,
  image: OtaImage,
  imageIndex: number,
  profile: ImageProfileId | undefined,
): Hash[] {
  const profiles = profile ? [profile] : (Object.keys(IMAGE_PROFILES) as ImageProfileId[]);
  return profiles.flatMap((id) => {
    if (!locateUpgradeImage(image, id).ok) return [];
    const sha256 = imageHashes(file, image, id).manufacturerImage;
    return sha256 ? [{ imageIndex, range: `Manufacturer Image, read as ${id}`, sha256 }] : [];
  });
}

function lines(path: string, bytes: number, rows: DescribedLine[]): string[] {
  const out = [`${path}, ${bytesText(bytes)} bytes`];
  let heading = '';
  for (let i = 0; i < rows.length; ) {
    const { section, imageIndex } = rows[i]!;
    const title = imageIndex === undefined ? section : `${section} of image ${imageIndex}`;
    const group = rows
      .slice(i)
      .filter((row) => row.section === section && row.imageIndex === imageIndex);
    if (title !== heading) out.push('', title);
    heading = title;
    out.push(
      ...table(
        group.map(({ label, value }) => [label, value]),
        '  ',
      ),
    );
    i += group.length;
  }
  return out;
}

function hashLines(hashes: Hash[]): string[] {
  const many = hashes.some(({ imageIndex }) => imageIndex > 0);
  const rows = hashes.map(({ imageIndex, range, sha256 }) => [
    many ? `image ${imageIndex}, ${range}` : range,
    sha256,
  ]);
  return ['', 'SHA-256', ...table(rows, '  ')];
}
