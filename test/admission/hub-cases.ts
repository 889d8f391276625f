/** Cases of hub images: each rule from both sides. */
import type { Outcome, RuleId } from '../../src/admission/rules.ts';
import { concat, counting, le, naiveImage } from '../image/naive-ota.ts';
import { type Case, GOOD, gbl, mcuboot, STRANGER, trusting } from './hub-desk.ts';

export const MCUBOOT = GOOD.mcuboot;
export const GBL = GOOD.gbl;
const OTA = naiveImage({ body: counting(100) });
export const SEALED = mcuboot({ isEncrypted: true });
export const UNSIGNED = mcuboot({ signing: 'nobody', named: 'nobody' });
const PURE = mcuboot({ digest: 'absent', signing: 'nobody', named: 'nobody' });
const slot = (slotBytes: number) => ({ slotBytes });
export const runs = (runningVersion: string | undefined) => ({ runningVersion });
const NO_KEYS = { trust: { anchors: [] } };
const wider = { allowDowngrade: true };
export const bench = { noList: true } as const;
/** A bootloader with its address and bytes, and no application. */
const ONLY_BOOTLOADER = gbl({ tags: [[0xf50909f5, counting(20)]] });

/** Depends on an image: its number, the least version, and build 4. */
function dependent(image: number, major: number, minor: number, revision: number): Uint8Array {
  const least = [image, 0, 0, 0, major, minor, ...le(revision, 2), ...le(4, 4)];
  return mcuboot({ protectedTlvs: [[0x40, least]] });
}

const DEPENDENT = dependent(1, 2, 0, 3);
const DEPENDENCIES: readonly [string, Readonly<Record<number, string>>, Outcome][] = [
  ['the very version', { 1: '2.0.3.4' }, 'pass'],
  ['a later one', { 1: '2.1.0', 2: '0.0.0' }, 'pass'],
  ['an older revision', { 1: '2.0.2.9' }, 'refuse'],
  ['an older build alone', { 1: '2.0.3' }, 'warn'],
  ['a version that is none', { 1: 'two' }, 'warn'],
  ['one that is not said', { 1: '' }, 'warn'],
  ['no such image', { 2: '9.0.0' }, 'refuse'],
  ['a hub with one image', {}, 'refuse'],
];

/** What is wrong, the rule that says so, what it says, and what was changed of a good case. */
export const CASES: [string, RuleId, Outcome, Case][] = [
  ['garbage', 'image.readable', 'refuse', { file: Uint8Array.of(1, 2, 3) }],
  ['one byte short', 'image.readable', 'refuse', { file: MCUBOOT.slice(0, -1) }],
  ['one byte short', 'image.readable', 'refuse', { profile: 'gbl', file: GBL.slice(0, -1) }],
  ['a number of several', 'image.readable', 'refuse', { options: { imageIndex: 1 } }],
  ['the only one by its number', 'image.readable', 'pass', { options: { imageIndex: 0 } }],
  ['read as another format', 'image.readable', 'refuse', { file: GBL }],
  [
    'GBL for SMP',
    'device.image-profile',
    'refuse',
    { profile: 'gbl', device: { imageProfile: 'mcuboot' } },
  ],
  [
    'MCUboot for a PPMID',
    'device.image-profile',
    'refuse',
    { device: { imageProfile: 'gb-ppmid' } },
  ],
  [
    'OTA for a hub',
    'device.image-profile',
    'refuse',
    { file: OTA, options: { profile: 'gb-ppmid' } },
  ],
  ['model not known', 'device.image-profile', 'unknown', { device: { imageProfile: undefined } }],
  ['its own kind', 'device.image-profile', 'pass', { profile: 'ebl' }],
  ['of a hub', 'image.size-cap', 'not-applicable', {}],
  ['a whole slot', 'image.total-size', 'warn', { file: concat(MCUBOOT, counting(64)) }],
  [
    'padding of a GBL',
    'image.total-size',
    'pass',
    { profile: 'gbl', file: concat(GBL, [0xff, 0xff]) },
  ],
  ['slot too small by a byte', 'image.fits-slot', 'refuse', { device: slot(MCUBOOT.length - 1) }],
  ['slot just as large', 'image.fits-slot', 'pass', { device: slot(MCUBOOT.length) }],
  [
    'slot full with the padding',
    'image.fits-slot',
    'pass',
    { file: concat(MCUBOOT, counting(64)), device: slot(MCUBOOT.length) },
  ],
  ['slot not known', 'image.fits-slot', 'not-applicable', { device: { slotBytes: undefined } }],
  ['of a hub', 'image.integrity-code', 'not-applicable', {}],
  ['matches', 'image.digest', 'pass', {}],
  ['does not match', 'image.digest', 'refuse', { file: mcuboot({ digest: counting(32) }) }],
  ['a GBL, with a CRC instead', 'image.digest', 'not-applicable', { profile: 'gbl' }],
  ['none, signed over the image', 'image.digest', 'not-applicable', { file: PURE }],
  ['sealed, listed', 'image.digest', 'unknown', { file: SEALED }],
  ['sealed, on a list without it', 'image.digest', 'refuse', { file: SEALED, entry: 'none' }],
  ['sealed, without a list', 'image.digest', 'refuse', { file: SEALED, ...bench }],
  [
    'sealed, listed, and the site refuses',
    'image.digest',
    'refuse',
    { file: SEALED, policy: { sealedUnderEncryption: 'refuse' } },
  ],
  [
    'sealed, and the site allows',
    'image.digest',
    'warn',
    { file: SEALED, ...bench, policy: { sealedUnderEncryption: 'warn' } },
  ],
  ['verified', 'image.signature', 'pass', {}],
  ['verified', 'image.signature', 'pass', { profile: 'gbl' }],
  [
    'over cipher text',
    'image.signature',
    'pass',
    { profile: 'gbl', file: gbl({ isEncrypted: true }) },
  ],
  ['by another key', 'image.signature', 'refuse', { file: mcuboot({ signing: STRANGER }) }],
  [
    'by another key',
    'image.signature',
    'refuse',
    { profile: 'gbl', file: gbl({ signing: STRANGER }) },
  ],
  ['malformed', 'image.signature', 'refuse', { file: mcuboot({ signature: counting(70) }) }],
  ['by a stranger', 'image.signature', 'refuse', { file: mcuboot({ named: STRANGER }) }],
  ['names no key', 'image.signature', 'refuse', { file: mcuboot({ named: 'nobody' }) }],
  [
    'wrong, whatever the site allows',
    'image.signature',
    'refuse',
    {
      file: mcuboot({ signing: STRANGER }),
      policy: {
        unsignedImage: 'warn',
        unverifiedSignature: 'warn',
        sealedUnderEncryption: 'warn',
      },
    },
  ],
  ['sealed, listed', 'image.signature', 'unknown', { file: SEALED }],
  ['sealed, without a list', 'image.signature', 'refuse', { file: SEALED, ...bench }],
  ['no key configured, listed', 'image.signature', 'warn', { options: NO_KEYS }],
  ['no key configured, no list', 'image.signature', 'refuse', { options: NO_KEYS, ...bench }],
  [
    'no key configured, and the site refuses',
    'image.signature',
    'refuse',
    { options: NO_KEYS, policy: { unverifiedSignature: 'refuse' } },
  ],
  ['unsigned, listed', 'image.signature', 'warn', { file: UNSIGNED }],
  ['unsigned, no list', 'image.signature', 'refuse', { file: UNSIGNED, ...bench }],
  [
    'unsigned, and the site allows',
    'image.signature',
    'warn',
    { file: UNSIGNED, ...bench, policy: { unsignedImage: 'warn' } },
  ],
  [
    'unsigned, listed, and the site refuses',
    'image.signature',
    'refuse',
    { file: UNSIGNED, policy: { unsignedImage: 'refuse' } },
  ],
  [
    'unsigned GBL, no list',
    'image.signature',
    'refuse',
    { profile: 'gbl', file: gbl({ signing: 'nobody' }), ...bench },
  ],
  ['EBL, listed', 'image.signature', 'warn', { profile: 'ebl' }],
  ['EBL, no list', 'image.signature', 'refuse', { profile: 'ebl', ...bench }],
  [
    'a key for ZigBee is none for MCUboot',
    'image.signature',
    'warn',
    { options: trusting('gb-firmware', 'gbl-firmware') },
  ],
  [
    'a key for MCUboot is none for GBL',
    'image.signature',
    'refuse',
    { profile: 'gbl', options: trusting('mcuboot-firmware'), ...bench },
  ],
  ['depends on nothing', 'image.dependencies', 'not-applicable', {}],
  ['a GBL', 'image.dependencies', 'not-applicable', { profile: 'gbl' }],
  ['not asked yet', 'image.dependencies', 'unknown', { file: DEPENDENT }],
  ...DEPENDENCIES.map(([name, others, outcome]): [string, RuleId, Outcome, Case] => [
    name,
    'image.dependencies',
    outcome,
    { file: DEPENDENT, device: { otherImages: others } },
  ]),
  [
    'on an older version of itself',
    'image.dependencies',
    'pass',
    { file: dependent(0, 1, 9, 9), device: { imageNumber: 0 } },
  ],
  [
    'on a later version of itself',
    'image.dependencies',
    'refuse',
    { file: dependent(0, 3, 0, 0), device: { imageNumber: 0 } },
  ],
  ['runs as it is', 'image.bootable', 'pass', {}],
  ['never started', 'image.bootable', 'refuse', { file: mcuboot({ flags: 0x10 }) }],
  ['never started, and more', 'image.bootable', 'refuse', { file: mcuboot({ flags: 0x30 }) }],
  ['loaded to RAM', 'image.bootable', 'warn', { file: mcuboot({ flags: 0x20 }) }],
  ['at a fixed address', 'image.bootable', 'warn', { file: mcuboot({ flags: 0x100 }) }],
  ['compressed', 'image.bootable', 'warn', { file: mcuboot({ flags: 0x400 }) }],
  ['no application', 'image.bootable', 'warn', { profile: 'gbl', file: ONLY_BOOTLOADER }],
  [
    'nobody can see whether one',
    'image.bootable',
    'pass',
    { profile: 'gbl', file: gbl({ isEncrypted: true }) },
  ],
  ['of a hub', 'device.manufacturer-code', 'not-applicable', {}],
  ['of a hub', 'device.image-type', 'not-applicable', {}],
  ['of a hub', 'device.hardware-range', 'not-applicable', {}],
  ['of a hub', 'device.destination', 'not-applicable', {}],
  ['newer', 'device.newer', 'pass', { device: runs('1.255.65535.4294967295') }],
  ['newer by its build', 'device.newer', 'pass', { file: mcuboot({ version: [2, 0, 0, 1] }) }],
  ['older by its build', 'device.newer', 'refuse', { device: runs('2.0.0.1') }],
  ['the same', 'device.newer', 'refuse', { device: runs('2.0.0') }],
  ['the same, in full', 'device.newer', 'refuse', { device: runs('2.0.0.0') }],
  ['older', 'device.newer', 'refuse', { device: runs('2.0.1') }],
  ['10 is above 9', 'device.newer', 'refuse', { device: runs('10.0.0') }],
  ['older, permitted', 'device.newer', 'warn', { device: runs('2.0.1'), policy: wider }],
  ['the same, permitted', 'device.newer', 'refuse', { device: runs('2.0.0'), policy: wider }],
  ['the hub has not said', 'device.newer', 'unknown', { device: runs(undefined) }],
  ['the hub says nonsense', 'device.newer', 'refuse', { device: runs('two') }],
  ['nonsense, permitted', 'device.newer', 'warn', { device: runs('two'), policy: wider }],
  ['newer', 'device.newer', 'pass', { profile: 'gbl', device: runs('0x0001FFFF') }],
  ['newer, told in decimal', 'device.newer', 'pass', { profile: 'gbl', device: runs('131071') }],
  ['the same', 'device.newer', 'refuse', { profile: 'gbl', device: runs('0x00020000') }],
  ['above 2^31', 'device.newer', 'refuse', { profile: 'gbl', device: runs('0x80000000') }],
  [
    'a bootloader does not say',
    'device.newer',
    'warn',
    { profile: 'gbl', device: runs(undefined) },
  ],
  [
    'a bootloader does not say, and the site refuses',
    'device.newer',
    'refuse',
    { profile: 'gbl', device: runs(undefined), policy: { unknownVersion: 'refuse' } },
  ],
  [
    'the image hides it',
    'device.newer',
    'warn',
    { profile: 'gbl', file: gbl({ isEncrypted: true }) },
  ],
  ['EBL does not tell', 'device.newer', 'warn', { profile: 'ebl' }],
  ['listed', 'cpl.listed', 'pass', {}],
  ['listed without its padding', 'cpl.listed', 'pass', { file: concat(MCUBOOT, counting(9)) }],
  ['not listed', 'cpl.listed', 'refuse', { entry: 'none' }],
  ['no list at all', 'cpl.listed', 'not-applicable', { ...bench }],
  ['for another model', 'cpl.device-model', 'refuse', { entry: { model: '0091' } }],
  ['for this model', 'cpl.device-model', 'pass', { profile: 'gbl' }],
  ['removed', 'cpl.current', 'refuse', { entry: { status: 'Removed' } }],
  ['not yet listed', 'cpl.current', 'refuse', { entry: { dates: '2026-01-06,' } }],
  ['stands', 'cpl.current', 'pass', { profile: 'ebl' }],
  ['another version', 'cpl.firmware-version', 'warn', { entry: { version: '02000001' } }],
  [
    'another version, and the site refuses',
    'cpl.firmware-version',
    'refuse',
    { entry: { version: '02000001' }, policy: { firmwareVersionMismatch: 'refuse' } },
  ],
  ['the same version', 'cpl.firmware-version', 'pass', { profile: 'gbl' }],
  ['EBL does not tell', 'cpl.firmware-version', 'not-applicable', { profile: 'ebl' }],
];
