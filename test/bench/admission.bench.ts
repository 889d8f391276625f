/**
 * Admission of many devices against one image and a long list: time a decision, and memory of all
 * decisions at once. The image is hashed once, when its facts are gathered, whatever the devices.
 */
import { testKey } from '../../firmware/test-material.ts';
import { decideAdmission } from '../../src/admission/decide.ts';
import { type DeviceFacts, gatherImageFacts } from '../../src/admission/facts.ts';
import { encodeGbImage } from '../../src/image/gb-upgrade.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { type DowngradeWaiver, parseWaiver, waiverText } from '../../src/trust/downgrade-waiver.ts';
import { anchorOf } from '../support/anchors.ts';
import { crl, FROM_MS, signRaw } from '../trust/naive-x509.ts';
import { anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import { collector, FULL, mix, printDigest } from './bench.ts';

const ROWS = FULL ? 10_000 : 500;
const DEVICES = FULL ? 50_000 : 2_000;
const IMAGE_BYTES = FULL ? 700_000 : 50_000;
const NOW_MS = Date.UTC(2022, 0, 10);
const MIB = 1024 * 1024;

function timed<T>(name: string, count: number, work: () => T): T {
  const startedMs = performance.now();
  const result = work();
  const tookMs = performance.now() - startedMs;
  const each = ((tookMs * 1000) / count).toFixed(2);
  console.log(`${name.padEnd(34)}${tookMs.toFixed(0).padStart(7)} ms  ${each.padStart(9)} us each`);
  return result;
}

const manufacturerImage = Uint8Array.from({ length: IMAGE_BYTES }, (_, at) => (at * 31 + 7) & 0xff);
const file = encodeGbImage({
  header: {
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: 0x02000000,
    headerString: 'bench',
  },
  manufacturerImage,
});
const { facts } = timed('gather the facts of the image', 1, () =>
  gatherImageFacts(file, { profile: 'gb-ppmid' }),
);
if (!facts.ok || facts.kind !== 'ota') throw new Error('the image is wrong');
const hash = facts.hashes.manufacturerImage;
const text = [
  'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
    'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version,upgrade_from',
  ...Array.from({ length: ROWS - 2 }, (_, row) => {
    const model = row.toString(16).toUpperCase().padStart(4, '0');
    const other = row.toString(16).padStart(64, '0');
    return `E${row},PPMID,121E,${model},01,00,01000000,${other},Current,2021-01-01,,,N/A`;
  }),
  `OLD,PPMID,121D,0084,01,00,01000000,${'ab'.repeat(32)},Current,2021-01-01,,01000000,N/A`,
  `NEW,PPMID,121D,0084,01,00,02000000,${hash},Current,2021-01-01,,02000000,OLD`,
].join('\n');
const parsed = timed('read the products list', ROWS, () => parseCentralProductsList(text));
if (!parsed.ok) throw new Error('the list is wrong');
const { list } = parsed;

/** One in ten runs a version that is no predecessor. */
const devices = Array.from(
  { length: DEVICES },
  (_, at): DeviceFacts => ({
    eui64: at.toString(16).padStart(16, '0'),
    kind: 'ppmid',
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    hardwareVersion: 0x0100,
    currentFileVersion: at % 10 === 0 ? 0x01000001 : 0x01000000,
    deviceModel: {
      manufacturer: '121D',
      model: '0084',
      hardwareVersion: '01',
      hardwareRevision: '00',
    },
    imageProfile: 'gb-ppmid',
  }),
);
const collect = collector();
collect();
const before = process.memoryUsage().heapUsed;
const decisions = timed('admit every device', DEVICES, () =>
  devices.map((device) => decideAdmission({ image: facts, device, list }, NOW_MS)),
);
collect();
const after = process.memoryUsage().heapUsed;
const admitted = decisions.filter(({ verdict }) => verdict === 'admitted').length;
console.log(`${admitted} of ${DEVICES} admitted, over ${ROWS} rows`);
const each = (after - before) / DEVICES;
console.log(
  `heap: ${((after - before) / MIB).toFixed(1)} MiB of decisions, ${each.toFixed(0)} B each`,
);
let digest = 0;
for (const { verdict, findings } of decisions) {
  for (const { outcome } of findings) digest = mix(digest, outcome.length);
  digest = mix(digest, verdict.length);
}

/** The same devices in the field, by a chain of three, revocation lists, and a waiver that two signed. */
const SIGNED = FULL ? 5_000 : 200;
const atMs = FROM_MS + 30 * 86_400_000;
const trailer = {
  forceReplace: 0,
  signature: signRaw(testKey('supplier').privateKey, manufacturerImage),
};
const header = {
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  headerString: 'bench',
};
const signedFile = encodeGbImage({ header, manufacturerImage, trailer });
const crls = [
  crl({ signedBy: 'root', issuer: ROOT }),
  crl({ signedBy: 'issuing', issuer: ISSUING }),
];
const trust = {
  anchors: [anchor(make(SPECS.root).der, 'gb-firmware')],
  certificates: [make(SPECS.supplier), make(SPECS.issuing)],
  crls: crls.map((bytes) => {
    const read = parseRevocationList(bytes);
    if (!('revoked' in read)) throw new Error(read.message);
    return read;
  }),
};
const { facts: signedFacts } = gatherImageFacts(signedFile, { profile: 'gb-signed', trust });
if (!signedFacts.ok) throw new Error('the signed image is wrong');
const hardware = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};
const waiverKeys = ['ann', 'bob'].map((person) => ({
  person,
  anchor: anchorOf('downgrade-waiver', testKey(person).publicKey),
}));
const waiver = waiverOf(signedFacts.sendSha256);
const context = {
  intake: 'bench' as const,
  floors: { version: 1 as const, floors: [{ ...hardware, floor: 0x03000000 }] },
  waiver: { waiver, keys: waiverKeys },
};
const signedDecisions = timed('admit by chain, CRLs and waiver', SIGNED, () =>
  devices.slice(0, SIGNED).map((device) => {
    const facts = { ...device, eui64: '000d6f000a9069e1', imageProfile: 'gb-signed' } as const;
    return decideAdmission(
      { image: signedFacts, device: facts, policy: { listRequired: false }, context },
      atMs,
    );
  }),
);
for (const { verdict, findings } of signedDecisions) {
  if (verdict !== 'admitted') throw new Error('a signed image was refused');
  digest = mix(digest, findings.filter(({ outcome }) => outcome === 'pass').length);
}
printDigest('admission', digest);

function waiverOf(imageSha256: string): DowngradeWaiver {
  const parsedWaiver = parseWaiver({
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'a bench',
    author: 'ann',
    approver: 'bob',
    devices: ['000d6f000a9069e1'],
    hardware,
    imageVersion: 0x02000000,
    imageSha256,
    notBefore: secondsOf(atMs - 86_400_000),
    expires: secondsOf(atMs + 86_400_000),
    signatures: [],
  });
  if (!parsedWaiver.ok) throw new Error(parsedWaiver.message);
  const words = Buffer.from(waiverText(parsedWaiver.waiver));
  const signatures = ['ann', 'bob'].map((person) => ({
    person,
    value: Buffer.from(signRaw(testKey(person).privateKey, words)).toString('hex'),
  }));
  return { ...parsedWaiver.waiver, signatures };
}

function secondsOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
