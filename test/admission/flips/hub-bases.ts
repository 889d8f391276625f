import type { DeviceFacts } from '../../../src/admission/facts.ts';
import type { RuleId } from '../../../src/admission/rules.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { counting } from '../../image/naive-ota.ts';
import { fingerprint, pem } from '../../trust/naive-x509.ts';
import { gbl, type McubootChange, mcuboot, OWN, STRANGER } from '../hub-desk.ts';
import { type Base, type Cells, cell, csv, flipBit, HARDWARE, json, NEW, NOW } from './builders.ts';
import type { DocumentName } from './desk.ts';

export function hubBases(): Base[] {
  const mcubootImage = (change: McubootChange = {}) =>
    mcuboot({ body: counting(60, 7), ...change });
  const anchors = json({
    version: 1,
    anchors: ['mcuboot-firmware', 'gbl-firmware'].map((purpose) => ({
      name: purpose,
      purpose,
      fingerprint: fingerprint(OWN.spki),
      pem: pem('PUBLIC KEY', OWN.spki),
    })),
  });
  const device = (profile: 'mcuboot' | 'gbl', more: Partial<DeviceFacts> = {}): DeviceFacts => ({
    deviceModel: HARDWARE,
    imageProfile: profile,
    slotBytes: 2000,
    runningVersion: profile === 'mcuboot' ? '1.9.9.7' : '0x00010000',
    ...more,
  });
  const of = (
    name: string,
    ruleId: RuleId | undefined,
    image: Uint8Array,
    more: {
      profile?: 'mcuboot' | 'gbl';
      list?: Cells;
      device?: Partial<DeviceFacts>;
      mayTurn?: string[];
      cause?: DocumentName;
      undo?: Uint8Array;
      also?: RuleId;
    } = {},
  ): Base => {
    const { profile = 'mcuboot', list, mayTurn, undo, also } = more;
    const version = profile === 'mcuboot' ? '02000000' : '00020000';
    const row = { ...NEW, manufacturer_image_hash: sha256Hex(image), firmware_version: version };
    return {
      name: `${profile}: ${name}`,
      ...(ruleId ? { ruleId } : {}),
      cause: more.cause ?? 'image',
      documents: {
        image,
        anchors,
        ...(list ? { products: csv({ ...row, upgrade_from: '', ...list }) } : {}),
      },
      scene: {
        profile,
        device: device(profile, more.device),
        intake: 'bench',
        nowMs: NOW,
        fetchedAtMs: NOW,
        policy: list ? {} : { listRequired: false },
      },
      ...(mayTurn ? { mayTurn } : {}),
      ...(undo ? { undo } : {}),
      ...(also ? { also } : {}),
    };
  };
  const good = mcubootImage();
  const goodGbl = gbl();
  const digest = Buffer.from(good).lastIndexOf(Buffer.from([0x10, 0, 32, 0])) + 4;
  const unsigned = mcubootImage({ signing: 'nobody', named: 'nobody' });
  const other = (hash: string) => Buffer.from(flipBit(Buffer.from(hash, 'hex'), 9)).toString('hex');
  return [
    of('by a stranger', 'image.signature', mcubootImage({ signing: STRANGER })),
    of('names a stranger', 'image.signature', mcubootImage({ named: STRANGER, signing: STRANGER })),
    of('unsigned', 'image.signature', unsigned),
    of('one bit of its signature', 'image.signature', flipBit(good, 8 * good.length - 3), {
      undo: good,
    }),
    of('one bit of its body', 'image.digest', flipBit(good, 8 * 40), {
      undo: good,
      also: 'image.signature',
    }),
    of('one bit of its digest', 'image.digest', flipBit(good, 8 * digest), {
      undo: good,
    }),
    of('the same version', 'device.newer', good, { device: { runningVersion: '2.0.0.0' } }),
    of('a byte too large', 'image.fits-slot', good, { device: { slotBytes: good.length - 1 } }),
    of('not bootable', 'image.bootable', mcubootImage({ flags: 0x10 })),
    of('for another bootloader', 'device.image-profile', good, { device: { imageProfile: 'gbl' } }),
    of('listed for another model', 'cpl.device-model', good, {
      cause: 'products',
      list: { model: '0085' },
      mayTurn: cell('model'),
    }),
    of('unsigned, hash of one digit other', 'cpl.listed', unsigned, {
      also: 'image.signature',
      cause: 'products',
      list: { manufacturer_image_hash: other(sha256Hex(unsigned)) },
      mayTurn: cell('manufacturer_image_hash'),
    }),
    of('unsigned, removed', 'cpl.current', unsigned, {
      list: { status: 'Removed' },
      cause: 'products',
    }),
    of('by a stranger', 'image.signature', gbl({ signing: STRANGER }), { profile: 'gbl' }),
    of('unsigned', 'image.signature', gbl({ signing: 'nobody' }), { profile: 'gbl' }),
    of('the version before', 'device.newer', goodGbl, {
      profile: 'gbl',
      device: { runningVersion: '0x00020001' },
    }),
    of('listed for other hardware', 'cpl.device-model', goodGbl, {
      profile: 'gbl',
      cause: 'products',
      list: { hardware_version: '03' },
      mayTurn: cell('hardware_version'),
    }),
    of('signed', undefined, good),
    of('listed', undefined, unsigned, { list: {} }),
    of('signed', undefined, goodGbl, { profile: 'gbl' }),
    of('listed', undefined, goodGbl, { profile: 'gbl', list: {} }),
  ];
}
