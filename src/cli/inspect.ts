/** `uplift inspect IMAGE`: what a file is, field by field, with the hashes that matter. */
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { FILE_BYTES_MAX, loadImage } from '../gateway/image-library.ts';
import { describeImage } from '../image/describe.ts';
import { IMAGE_PROFILES, type ImageProfileId, locateUpgradeImage } from '../image/gb-upgrade.ts';
import { type OtaFile, type OtaImage, parseOtaFile } from '../image/zigbee-ota.ts';
import { imageHashes } from '../trust/digest.ts';
import { profileOf } from './inputs.ts';
import { bytesText, type Output, table } from './output.ts';

export interface InspectOptions {
  profile?: string;
}

interface Hash {
  imageIndex: number;
  range: string;
  sha256: string;
}

export function inspect(path: string, options: InspectOptions, output: Output): ExitCode {
  const profile = options.profile === undefined ? undefined : profileOf(options.profile);
  const { file } = loadImage(path, { profile: profile ?? 'zigbee-ota' });
  const parsed = parseOtaFile(file);
  if (!parsed.ok) {
    throw new UpliftError(parsed.code, `${path}: ${parsed.message}`, {
      ...(parsed.expected ? { expected: parsed.expected } : {}),
      actual: `${parsed.actual ?? 'something else'}${parsed.offset === undefined ? '' : ` (offset ${parsed.offset})`}`,
      next: parsed.next ?? 'get the file again from where it came from',
      exit: EXIT.refused,
    });
  }
  const rows = describeImage(parsed, profile);
  const hashes = hashesOf(file, parsed, profile);
  output.result(
    {
      file: path,
      bytes: file.length,
      bytesMax: FILE_BYTES_MAX,
      container: parsed.container,
      fields: rows,
      hashes,
    },
    lines(path, file.length, rows, hashes),
  );
  return EXIT.done;
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

function lines(
  path: string,
  bytes: number,
  rows: ReturnType<typeof describeImage>,
  hashes: Hash[],
): string[] {
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
  const many = hashes.some(({ imageIndex }) => imageIndex > 0);
  out.push('', 'SHA-256');
  out.push(
    ...table(
      hashes.map(({ imageIndex, range, sha256 }) => [
        many ? `image ${imageIndex}, ${range}` : range,
        sha256,
      ]),
      '  ',
    ),
  );
  return out;
}
