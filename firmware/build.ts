/**
 * Builds the test material of this folder: images, the products list that lists them, trust
 * anchors. None of it is firmware of any real device, and every image says so in its header string
 * or at the start of its body.
 *
 * Running it again yields the same bytes: contents come from fixed seeds, the test keys from fixed
 * phrases. The signature of the ZigBee image was made with a random nonce, as is usual, and is kept
 * as long as it verifies; those of the hub images follow from key and image (RFC 6979).
 *
 *   scripts/build-firmware
 */
import { sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { encodeGbImage, locateUpgradeImage } from '../src/image/gb-upgrade.ts';
import type { OtaHeaderSpec } from '../src/image/ota-header.ts';
import { parseOtaFile } from '../src/image/zigbee-ota.ts';
import { sha256Hex } from '../src/trust/digest.ts';
import { verifyP256 } from '../src/trust/ecdsa.ts';
import { SEAL_BYTES, sealFirmware } from '../src/virtual/sealed-firmware.ts';
import { buildHubMaterial } from './hub-images.ts';
import { buildListMaterial } from './list-material.ts';
import { KIB, pseudoRandomBytes, type TestKey, testAnchor, testKey } from './test-material.ts';

/** The manufacturer code of the published GB request samples. */
const MANUFACTURER = 0x121d;
const PPMID = 0x0084;
const ESME = 0x0000;

interface TestImage {
  file: string;
  header: OtaHeaderSpec;
  manufacturerImageBytes: number;
  seed: number;
  signed?: true;
  /** The cells of its line in the products list that do not follow from the header. */
  listed: { entryId: string; deviceType: string; status: string; from: string; until: string };
  upgradeFrom: string;
}

const CURRENT = { status: 'Current', from: '2021-01-01', until: '' };

const IMAGES: readonly TestImage[] = [
  {
    file: '121D-0084-01000000-test.zigbee',
    header: headerOf(PPMID, 0x01000000, 'UPLIFT TEST PPMID 1.0', 0x0100),
    manufacturerImageBytes: 64 * KIB,
    seed: 0x10000001,
    listed: { entryId: 'TEST-0001', deviceType: 'PPMID', ...CURRENT },
    upgradeFrom: 'N/A',
  },
  {
    file: '121D-0084-01800000-test-removed.zigbee',
    header: headerOf(PPMID, 0x01800000, 'UPLIFT TEST PPMID 1.8 REMOVED', 0x0100),
    manufacturerImageBytes: 4 * KIB,
    seed: 0x18000001,
    listed: {
      entryId: 'TEST-0002',
      deviceType: 'PPMID',
      status: 'Removed',
      from: '2021-01-01',
      until: '2021-07-20',
    },
    upgradeFrom: 'TEST-0001',
  },
  {
    file: '121D-0084-02000000-test.zigbee',
    header: headerOf(PPMID, 0x02000000, 'UPLIFT TEST PPMID 2.0', 0x0100),
    manufacturerImageBytes: 256 * KIB,
    seed: 0x20000001,
    listed: { entryId: 'TEST-0003', deviceType: 'PPMID', ...CURRENT },
    upgradeFrom: 'TEST-0001',
  },
  {
    file: '121D-0084-02000000-test-wrong-hardware.zigbee',
    header: headerOf(PPMID, 0x02000000, 'UPLIFT TEST PPMID 2.0 OTHER HW', 0x0200),
    manufacturerImageBytes: 4 * KIB,
    seed: 0x20000002,
    listed: { entryId: 'TEST-0004', deviceType: 'PPMID', ...CURRENT },
    upgradeFrom: '',
  },
  {
    file: '121D-0000-02000000-test-signed.zigbee',
    header: headerOf(ESME, 0x02000000, 'UPLIFT TEST ESME 2.0 SIGNED', 0x0100),
    manufacturerImageBytes: 8 * KIB,
    seed: 0x20000003,
    signed: true,
    listed: { entryId: 'TEST-0005', deviceType: 'ESME', ...CURRENT },
    upgradeFrom: '',
  },
];

const LIST_FILE = 'central-products-list.csv';
const ANCHOR_NAME = 'test-supplier-digital-signing';
const ANCHORS_FILE = 'trust/anchors.json';

/**
 * The file's name to its bytes. `existing` gives what stands now under a name, for its signature.
 */
export function buildFirmware(
  existing: (file: string) => Uint8Array | undefined,
): Map<string, Uint8Array> {
  const key = testKey('UPLIFT TEST SIGNING KEY, NOT A SECRET');
  const files = new Map<string, Uint8Array>();
  const lines = [
    '# TEST MATERIAL. Written by firmware/build.ts; lists test images only and no real device.',
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
      'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version,upgrade_from',
  ];
  for (const image of IMAGES) {
    const manufacturerImage = sealFirmware(
      pseudoRandomBytes(image.seed, image.manufacturerImageBytes - SEAL_BYTES),
    );
    const { file, header } = image;
    if (image.signed) {
      const signature =
        keptSignature(existing(file), manufacturerImage, key) ??
        new Uint8Array(
          sign('sha256', manufacturerImage, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
        );
      const trailer = { forceReplace: 0, signature };
      files.set(file, encodeGbImage({ header, manufacturerImage, trailer }));
    } else {
      files.set(file, encodeGbImage({ header, manufacturerImage }));
    }
    lines.push(listLine(image, sha256Hex(manufacturerImage)));
  }
  const hubs = buildHubMaterial();
  for (const [file, bytes] of hubs.files) files.set(file, bytes);
  lines.push(...hubs.lines);
  for (const [file, bytes] of buildListMaterial()) files.set(file, bytes);
  files.set(LIST_FILE, new TextEncoder().encode(`${lines.join('\n')}\n`));
  const anchor = testAnchor(ANCHOR_NAME, 'gb-firmware', key);
  files.set(`trust/${anchor.file}`, new TextEncoder().encode(key.pem));
  const document = { version: 1, anchors: [anchor, ...hubs.anchors] };
  files.set(ANCHORS_FILE, new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`));
  return files;
}

/** `hardwareBase` is the first of the 256 hardware versions the image is for. */
function headerOf(
  imageType: number,
  fileVersion: number,
  headerString: string,
  hardwareBase: number,
): OtaHeaderSpec {
  return {
    manufacturerCode: MANUFACTURER,
    imageType,
    fileVersion,
    headerString,
    minimumHardwareVersion: hardwareBase,
    maximumHardwareVersion: hardwareBase + 0xff,
  };
}

function listLine({ header, listed, upgradeFrom }: TestImage, hash: string): string {
  const version = digits(header.fileVersion, 8);
  return [
    listed.entryId,
    listed.deviceType,
    digits(header.manufacturerCode, 4),
    digits(header.imageType, 4),
    digits(header.minimumHardwareVersion! >>> 8, 2),
    '00',
    version,
    hash,
    listed.status,
    listed.from,
    listed.until,
    version,
    upgradeFrom,
  ].join(',');
}

function digits(value: number, count: number): string {
  return value.toString(16).toUpperCase().padStart(count, '0');
}

function keptSignature(
  file: Uint8Array | undefined,
  manufacturerImage: Uint8Array,
  key: TestKey,
): Uint8Array | undefined {
  const parsed = file === undefined ? undefined : parseOtaFile(file);
  if (!parsed?.ok) return undefined;
  const located = locateUpgradeImage(parsed.images[0]!, 'gb-signed');
  if (!located.ok || !located.signature) return undefined;
  const verifies = verifyP256(key.publicKey, manufacturerImage, located.signature);
  return verifies ? located.signature : undefined;
}

if (import.meta.main) {
  const at = (file: string) => resolve(import.meta.dirname, file);
  const built = buildFirmware((file) =>
    existsSync(at(file)) ? readFileSync(at(file)) : undefined,
  );
  for (const [file, bytes] of built) {
    mkdirSync(dirname(at(file)), { recursive: true });
    writeFileSync(at(file), bytes);
    console.log(`firmware/${file}  ${bytes.length} bytes  sha256 ${sha256Hex(bytes)}`);
  }
}
