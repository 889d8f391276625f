/**
 * Test images for Communications Hubs: MCUboot and GBL, signed by keys that anybody can make. What
 * they hold is pseudo-random and says at its start what it is.
 */
import { decodeHex } from '../src/bytes/hex.ts';
import { encodeGblAppInfo, encodeGblImage, encodeGblProgram } from '../src/image/gbl.ts';
import { hubVersionOf } from '../src/image/hub-image.ts';
import { encodeMcubootImage } from '../src/image/mcuboot.ts';
import { type McubootVersion, mcubootVersionText } from '../src/image/mcuboot-version.ts';
import { sha256Hex } from '../src/trust/digest.ts';
import { mcubootKeyBytes, mcubootKeyHash } from '../src/trust/public-key.ts';
import { derOf, signDeterministically } from './deterministic-ecdsa.ts';
import {
  KIB,
  pseudoRandomBytes,
  type TestAnchor,
  type TestKey,
  testAnchor,
  testKey,
} from './test-material.ts';

/** Of the virtual hubs in hw-config; the manufacturer is the one of the other test images. */
const MANUFACTURER = '121D';
const MODELS = { mcuboot: '00C1', gbl: '00C2' } as const;

const MCUBOOT_KEY = testKey('UPLIFT TEST HUB MCUBOOT KEY, NOT A SECRET');
const GBL_KEY = testKey('UPLIFT TEST HUB GBL KEY, NOT A SECRET');
const MCUBOOT_ANCHOR = testAnchor('test-hub-mcuboot', 'mcuboot-firmware', MCUBOOT_KEY);
const GBL_ANCHOR = testAnchor('test-hub-gbl', 'gbl-firmware', GBL_KEY);
/** Its public half is nowhere in this folder. */
const UNKNOWN_KEY = testKey('UPLIFT TEST HUB UNKNOWN KEY, NOT A SECRET');

/** As in the published Zephyr images; the vector table behind it needs the alignment. */
const MCUBOOT_HEADER_BYTES = 0x200;
/** Where published GBL images begin, and the application type of one of them. */
const GBL_ADDRESS = 0x4000;
const GBL_APPLICATION_TYPE = 2;
/** At the start of every body. */
const MARK_BYTES = 64;

interface Listed {
  entryId: string;
  upgradeFrom: string;
}

interface McubootRow extends Listed {
  name: string;
  version: McubootVersion;
  bodyBytes: number;
  seed: number;
  /** The key that the image names and the one that signs it. */
  named: TestKey;
  signing: TestKey;
}

interface GblRow extends Listed {
  name: string;
  version: number;
  bodyBytes: number;
  seed: number;
}

const MCUBOOT_IMAGES: readonly McubootRow[] = [
  {
    name: 'hub-1.0.0-test',
    version: { major: 1, minor: 0, revision: 0, build: 0 },
    bodyBytes: 96 * KIB,
    seed: 0x51000001,
    named: MCUBOOT_KEY,
    signing: MCUBOOT_KEY,
    entryId: 'TEST-0101',
    upgradeFrom: 'N/A',
  },
  {
    name: 'hub-2.0.0-test',
    version: { major: 2, minor: 0, revision: 0, build: 0 },
    bodyBytes: 96 * KIB,
    seed: 0x52000001,
    named: MCUBOOT_KEY,
    signing: MCUBOOT_KEY,
    entryId: 'TEST-0102',
    upgradeFrom: 'TEST-0101',
  },
  {
    name: 'hub-2.0.1-test-wrong-signature',
    version: { major: 2, minor: 0, revision: 1, build: 0 },
    bodyBytes: 4 * KIB,
    seed: 0x52000002,
    named: MCUBOOT_KEY,
    signing: UNKNOWN_KEY,
    entryId: 'TEST-0103',
    upgradeFrom: '',
  },
  {
    name: 'hub-2.0.2-test-unknown-key',
    version: { major: 2, minor: 0, revision: 2, build: 0 },
    bodyBytes: 4 * KIB,
    seed: 0x52000003,
    named: UNKNOWN_KEY,
    signing: UNKNOWN_KEY,
    entryId: 'TEST-0104',
    upgradeFrom: '',
  },
];

const GBL_IMAGES: readonly GblRow[] = [
  {
    name: 'hub-00010000-test',
    version: 0x00010000,
    bodyBytes: 64 * KIB,
    seed: 0x61000001,
    entryId: 'TEST-0201',
    upgradeFrom: 'N/A',
  },
  {
    name: 'hub-00020000-test',
    version: 0x00020000,
    bodyBytes: 64 * KIB,
    seed: 0x62000001,
    entryId: 'TEST-0202',
    upgradeFrom: 'TEST-0201',
  },
];

export interface HubMaterial {
  /** The file's name to its bytes: images and public keys. */
  files: Map<string, Uint8Array>;
  anchors: TestAnchor[];
  /** Of the products list. */
  lines: string[];
}

/** The same bytes each time, signatures included. */
export function buildHubMaterial(): HubMaterial {
  const text = new TextEncoder();
  const files = new Map<string, Uint8Array>([
    [`trust/${MCUBOOT_ANCHOR.file}`, text.encode(MCUBOOT_KEY.pem)],
    [`trust/${GBL_ANCHOR.file}`, text.encode(GBL_KEY.pem)],
  ]);
  const anchors = [MCUBOOT_ANCHOR, GBL_ANCHOR];
  const lines: string[] = [];
  for (const row of MCUBOOT_IMAGES) {
    const bytes = mcubootImage(row);
    files.set(`${row.name}.mcuboot.bin`, bytes);
    lines.push(listLine(row, MODELS.mcuboot, hubVersionOf(row.version).listText, bytes));
  }
  for (const row of GBL_IMAGES) {
    const bytes = gblImage(row);
    files.set(`${row.name}.gbl`, bytes);
    lines.push(listLine(row, MODELS.gbl, gblVersionText(row.version), bytes));
  }
  return { files, anchors, lines };
}

function mcubootImage({ version, bodyBytes, seed, named, signing }: McubootRow): Uint8Array {
  return encodeMcubootImage({
    version,
    body: marked(`UPLIFT TEST HUB ${mcubootVersionText(version)}`, seed, bodyBytes),
    padding: new Uint8Array(MCUBOOT_HEADER_BYTES - 32),
    protectedTlvs: [{ type: 'securityCounter', value: Uint8Array.of(version.major, 0, 0, 0) }],
    seal: (covered) => [
      { type: 'sha256', value: decodeHex(sha256Hex(covered))! },
      { type: 'keyHash', value: mcubootKeyHash(mcubootKeyBytes(named.publicKey)) },
      { type: 'ecdsa', value: derOf(signDeterministically(signing.scalar, covered)) },
    ],
  });
}

function gblImage({ version, bodyBytes, seed }: GblRow): Uint8Array {
  const productId = new Uint8Array(16);
  new TextEncoder().encodeInto('UPLIFT TEST HUB', productId);
  const info = { type: GBL_APPLICATION_TYPE, version, capabilities: 0, productId };
  const body = marked(`UPLIFT TEST HUB ${gblVersionText(version)}`, seed, bodyBytes);
  return encodeGblImage({
    tags: [
      { name: 'appInfo', value: encodeGblAppInfo(info) },
      { name: 'eraseProgram', value: encodeGblProgram(GBL_ADDRESS, body) },
    ],
    sign: (covered) => signDeterministically(GBL_KEY.scalar, covered),
  });
}

function gblVersionText(version: number): string {
  return version.toString(16).padStart(8, '0');
}

function marked(text: string, seed: number, length: number): Uint8Array {
  const bytes = pseudoRandomBytes(seed, length);
  new TextEncoder().encodeInto(text, bytes.fill(0, 0, MARK_BYTES));
  return bytes;
}

/**
 * No source says which bytes of a hub's image the Manufacturer Image Hash covers: all that are sent
 * is assumed. A hub has no OTA file version.
 */
function listLine(
  { entryId, upgradeFrom }: Listed,
  model: string,
  firmwareVersion: string,
  bytes: Uint8Array,
): string {
  const device = ['CHF', MANUFACTURER, model, '01', '00', firmwareVersion, sha256Hex(bytes)];
  return [entryId, ...device, 'Current', '2021-01-01', '', '', upgradeFrom].join(',');
}
