/**
 * Admission of many devices against one image and a long list: time a decision, and memory of all
 * decisions at once. The image is hashed once, when its facts are gathered, whatever the devices.
 */
import { decideAdmission } from '../../src/admission/decide.ts';
import { type DeviceFacts, gatherImageFacts } from '../../src/admission/facts.ts';
import { encodeGbImage } from '../../src/image/gb-upgrade.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
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
printDigest('admission', digest);
