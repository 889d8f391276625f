/** A good GB image, device and list, a decision on them with what a test changes, and cases of that. */
import { type Decision, decideAdmission } from '../../src/admission/decide.ts';
import {
  type AdmissionFacts,
  type AdmissionPolicy,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../src/admission/facts.ts';
import type { RuleId } from '../../src/admission/rules.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { concat, counting, type NaiveImage, naiveElement, naiveImage } from '../image/naive-ota.ts';

export const NOW = Date.UTC(2021, 6, 20);
export const BODY = counting(400, 9);

export const GOOD_IMAGE: NaiveImage = {
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  hardware: [0x0100, 0x01ff],
  body: BODY,
};

export const GOOD_DEVICE: DeviceFacts = {
  eui64: '00112233445566aa',
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  hardwareVersion: 0x0100,
  currentFileVersion: 0x01000000,
  deviceModel: {
    manufacturer: '121d',
    model: '0084',
    hardwareVersion: '01',
    hardwareRevision: '00',
  },
  imageProfile: 'gb-ppmid',
  slotBytes: 1000,
};

const GOOD_LINE = {
  hardware: '01,00',
  manufacturer: '121D',
  model: '0084',
  version: '02000000',
  hash: sha256Hex(Uint8Array.from(BODY)),
  status: 'Current',
  dates: '2021-01-01,',
  fileVersion: '',
};

export function listOf(...lines: Partial<typeof GOOD_LINE>[]) {
  const rows = lines.map((change, i) => {
    const line = { ...GOOD_LINE, ...change };
    const { manufacturer, model, hardware, version, hash, status, dates, fileVersion } = line;
    const cells = [manufacturer, model, hardware, version, hash, status, dates, fileVersion];
    return [`E${i}`, 'PPMID', ...cells].join(',');
  });
  const heading =
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
    'manufacturer_image_hash,status,listed_from,removed_from,ota_file_version';
  const parsed = parseCentralProductsList([heading, ...rows].join('\n'));
  if (!parsed.ok || parsed.list.issues.length > 0) throw new Error('the test list is wrong');
  return parsed.list;
}

export interface Case {
  image?: NaiveImage;
  file?: Uint8Array;
  device?: DeviceFacts;
  lines?: Partial<typeof GOOD_LINE>[] | 'none';
  policy?: AdmissionPolicy;
  options?: Partial<ImageFactsOptions>;
  nowMs?: number;
}

/** The facts of a good case with what was changed, and when they are decided on. */
export function gather(change: Case = {}): { facts: AdmissionFacts; nowMs: number } {
  const file = change.file ?? naiveImage({ ...GOOD_IMAGE, ...change.image });
  const { facts } = gatherImageFacts(file, { profile: 'gb-ppmid', ...change.options });
  const lines = change.lines ?? [{}];
  const imageProfile = change.options?.profile ?? 'gb-ppmid';
  return {
    facts: {
      image: facts,
      device: { ...GOOD_DEVICE, imageProfile, ...change.device },
      list: lines === 'none' ? undefined : listOf(...lines),
      policy: change.policy,
    },
    nowMs: change.nowMs ?? NOW,
  };
}

export function decide(change: Case = {}): Decision {
  const { facts, nowMs } = gather(change);
  return decideAdmission(facts, nowMs);
}

export const GOOD_FILE = naiveImage(GOOD_IMAGE);
const OTHER_HASH = 'ee'.repeat(32);

const ELEMENTS = Array.from({ length: 4096 }, () => naiveElement(0xf000, [])).flat();

export const REFUSED: [string, RuleId, Case][] = [
  ['wrong magic', 'image.readable', { file: GOOD_FILE.slice().fill(0, 0, 1) }],
  ['truncated by one byte', 'image.readable', { file: GOOD_FILE.slice(0, -1) }],
  ['truncated in the header', 'image.readable', { file: GOOD_FILE.slice(0, 30) }],
  ['header longer than the file', 'image.readable', { image: { headerLength: 0xffff } }],
  ['header below 56', 'image.readable', { image: { headerLength: 40 } }],
  ['total size too large', 'image.readable', { image: { totalImageBytes: 461 } }],
  ['total size too small', 'image.total-size', { image: { totalImageBytes: 459 } }],
  ['bytes after a GB image', 'image.total-size', { file: concat(GOOD_FILE, [0]) }],
  ['bytes before a GB image', 'image.total-size', { file: concat([0], GOOD_FILE) }],
  ['several images', 'image.readable', { file: concat(GOOD_FILE, GOOD_FILE) }],
  ['not of its profile', 'image.readable', { options: { profile: 'zigbee-ota' } }],
  ['no such image in the file', 'image.readable', { options: { imageIndex: 1 } }],
  ['a longer header than its fields', 'image.header', { image: { extra: [1, 2, 3, 4] } }],
  ['a field that nobody knows', 'image.header', { image: { fieldControl: 0x000c } }],
  [
    'a byte of no sub-element',
    'image.elements',
    {
      image: { body: [...naiveElement(0, BODY), 1] },
      options: { profile: 'zigbee-ota' },
    },
  ],
  [
    'more sub-elements than are read',
    'image.elements',
    {
      image: { body: [...naiveElement(0, BODY), ...ELEMENTS] },
      device: { slotBytes: 100_000 },
      options: { profile: 'zigbee-ota' },
    },
  ],
  ['slot one byte too small', 'image.fits-slot', { device: { slotBytes: 459 } }],
  ['wrong manufacturer', 'device.manufacturer-code', { device: { manufacturerCode: 0x121e } }],
  ['device any', 'device.manufacturer-code', { device: { manufacturerCode: 0xffff } }],
  ['wrong image type', 'device.image-type', { device: { imageType: 0x0085 } }],
  ['hardware below', 'device.hardware-range', { device: { hardwareVersion: 0x00ff } }],
  ['hardware above', 'device.hardware-range', { device: { hardwareVersion: 0x0200 } }],
  ['range upside down', 'device.hardware-range', { image: { hardware: [0x0101, 0x0100] } }],
  [
    'range upside down, hardware not known',
    'device.hardware-range',
    { image: { hardware: [0x0101, 0x0100] }, device: { hardwareVersion: undefined } },
  ],
  ['for another device', 'device.destination', { image: { destination: '00112233445566ab' } }],
  ['the same version', 'device.newer', { device: { currentFileVersion: 0x02000000 } }],
  ['an older version', 'device.newer', { device: { currentFileVersion: 0x02000001 } }],
  [
    'version of the device unknowable',
    'device.newer',
    { device: { currentFileVersion: 0xffffffff } },
  ],
  ['version any in the image', 'device.newer', { image: { fileVersion: 0xffffffff } }],
  [
    'the same version, downgrade permitted',
    'device.newer',
    { device: { currentFileVersion: 0x02000000 }, policy: { allowDowngrade: true } },
  ],
  ['no list', 'cpl.listed', { lines: 'none' }],
  ['hash not in the list', 'cpl.listed', { lines: [{ hash: OTHER_HASH }] }],
  ['one bit of the image changed', 'cpl.listed', { image: { body: [8, ...BODY.slice(1)] } }],
  ['listed for another manufacturer', 'cpl.device-model', { lines: [{ manufacturer: '106C' }] }],
  ['listed for another model', 'cpl.device-model', { lines: [{ model: '0085' }] }],
  ['listed for other hardware', 'cpl.device-model', { lines: [{ hardware: '02,00' }] }],
  ['entry removed by status', 'cpl.current', { lines: [{ status: 'Removed' }] }],
  ['entry not yet listed', 'cpl.current', { lines: [{ dates: '2021-07-21,' }] }],
  ['entry ended at this moment', 'cpl.current', { lines: [{ dates: '2021-01-01,2021-07-20' }] }],
  [
    'current entry is for another model',
    'cpl.current',
    { lines: [{ status: 'Expired' }, { model: '0085' }] },
  ],
  [
    'other file version than the entry states',
    'cpl.firmware-version',
    { lines: [{ fileVersion: '0x03000000' }] },
  ],
  [
    'the version of another image on the list',
    'cpl.firmware-version',
    {
      lines: [{ version: '03000000' }, { hash: OTHER_HASH }],
      policy: { firmwareVersionMismatch: 'warn' },
    },
  ],
  [
    'the same, by its file version',
    'cpl.firmware-version',
    { lines: [{ version: '9001' }, { version: '9002', hash: OTHER_HASH, fileVersion: '2000000' }] },
  ],
  ['a version above all others', 'version.step', { image: { fileVersion: 0xfffffffe } }],
  [
    'other version, told to refuse',
    'cpl.firmware-version',
    { lines: [{ version: '03000000' }], policy: { firmwareVersionMismatch: 'refuse' } },
  ],
];

export const ADMITTED: [string, Case, RuleId | undefined][] = [
  ['manufacturer any', { image: { manufacturer: 0xffff } }, undefined],
  ['image type any', { image: { imageType: 0xffff } }, undefined],
  ['lowest hardware of the range', { device: { hardwareVersion: 0x0100 } }, undefined],
  ['highest hardware of the range', { device: { hardwareVersion: 0x01ff } }, undefined],
  ['for this device', { image: { destination: '00112233445566aa' } }, undefined],
  ['slot exactly as large', { device: { slotBytes: 460 } }, undefined],
  [
    'a version that the list names, however far',
    { image: { fileVersion: 0xf0000000 }, lines: [{ version: 'F0000000' }] },
    undefined,
  ],
  ['version 0 on the device', { device: { currentFileVersion: 0 } }, undefined],
  [
    'versions above 2^31',
    { image: { fileVersion: 0x8f000000 }, device: { currentFileVersion: 0x7fffffff } },
    'cpl.firmware-version',
  ],
  [
    'a downgrade that is permitted',
    { device: { currentFileVersion: 0x02000001 }, policy: { allowDowngrade: true } },
    'device.newer',
  ],
  ['no list required', { lines: 'none', policy: { listRequired: false } }, undefined],
  ['one of two entries', { lines: [{ model: '0085' }, {}] }, undefined],
  ['one of two entries current', { lines: [{ status: 'Expired' }, {}] }, undefined],
  ['another revision', { lines: [{ hardware: '01,07' }] }, 'cpl.device-model'],
  ['another version', { lines: [{ version: '03000000' }] }, 'cpl.firmware-version'],
  [
    'the entry names the file version',
    { lines: [{ version: '9001', fileVersion: '02000000' }] },
    undefined,
  ],
];
