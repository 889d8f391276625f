/**
 * One bit after another of everything that an admission rests on: images and their headers, rows of
 * lists, certificates, revocation lists, signatures, waivers, floors and anchors, around near misses
 * that are refused for one reason. No flip turns what is refused into what is admitted; the exact
 * property, and what a flip of an unsigned list may say, is in test/admission/flips/sweep.ts.
 */
import { randomInt } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { waiverText } from '../../src/trust/downgrade-waiver.ts';
import { BASES } from '../admission/flips/bases.ts';
import type { Base } from '../admission/flips/builders.ts';
import { READERS, type Readers } from '../admission/flips/desk.ts';
import { sweep } from '../admission/flips/sweep.ts';
import { signRaw } from '../trust/naive-x509.ts';

/** Of the documents that are not at fault, one bit of so many is flipped. */
/** Another sixth of all of it each time; all of it with UPLIFT_FLIPS=all, as by night. */
const EVERY = process.env['UPLIFT_FLIPS'] === 'all' ? 1 : 6;
const OTHER_STRIDE = 47 * EVERY;
const seed = randomInt(OTHER_STRIDE);
console.log(`SEED ${seed}, one bit in ${EVERY}`);
const total = { flips: 0, unread: 0, turned: 0 };

for (const base of BASES) {
  test(`${base.name}: no flip is admitted that does not say so`, () => {
    const { causeStride = 1 } = strideOf(base);
    const strides = { otherStride: OTHER_STRIDE, causeStride: causeStride * EVERY };
    const report = sweep(base, { ...strides, seed });
    for (const key of ['flips', 'unread', 'turned'] as const) total[key] += report[key];
  });
}

test('as many as they should be', () => {
  const { flips, unread, turned } = total;
  console.log(
    `NOTE ${flips} flips, ${unread} not read, ${turned} that say what the list then says`,
  );
  assert.ok(flips > 100_000 / EVERY && unread > flips / 20 && turned > 100 / EVERY);
});

/** Each kind of document is flipped in full here, beside all other bases that are no slower. */
const IN_FULL = [
  'waiver: expired at this moment',
  'signature: by a stranger',
  'signature: expired',
  'signature: the issuer expired',
  'signature: revoked',
  'mcuboot: by a stranger',
  'mcuboot: unsigned',
  'gbl: by a stranger',
];

/**
 * What takes longest, and says the same for most bits, is sampled: curves of Smart Energy, of which
 * test/sweep/trust-bits.test.ts flips all bits; workbooks, whose archive finds every flip by its CRC;
 * documents whose kind another base flips in full.
 */
function strideOf({ name, scene, cause }: Base): { causeStride?: number } {
  if (scene.profile === 'zigbee-ota') return { causeStride: 29 };
  if (name.startsWith('workbook')) return { causeStride: 31 };
  if (IN_FULL.includes(name)) return {};
  if (/waiver|anchors/.test(cause)) return { causeStride: 7 };
  const isSlow = /certificate|crl/.test(cause) || /^(mcuboot|gbl): /.test(name);
  return isSlow && cause !== 'products' ? { causeStride: 3 } : {};
}

function baseOf(name: string): Base {
  const found = BASES.find((base) => base.name === name);
  if (!found) throw new Error(name);
  return found;
}

/** What a defect does, planted where it would be: the sweep has to find it. */
const PLANTED: [name: string, base: string, readers: Partial<Readers>][] = [
  [
    'dates of a certificate that are not covered by its signature',
    'signature: expired',
    {
      certificate: (bytes, options) => {
        const read = READERS.certificate(bytes, options);
        const { documents } = baseOf('signature: expired');
        const [signer, issuing] = ['signer', 'issuing'].map((name) =>
          READERS.certificate(documents[`certificate.${name}`]!, options),
        );
        const own = [signer!, issuing!].find((one) => one.serialNumber === read.serialNumber);
        return own ? { ...read, signed: own.signed, signature: own.signature } : read;
      },
    },
  ],
  [
    'a revocation list whose signature is not looked at',
    'signature: revoked',
    {
      crl: (bytes, options) => {
        const read = READERS.crl(bytes, options);
        const { documents } = baseOf('signature: revoked');
        const own = READERS.crl(documents['crl.issuing']!, options);
        const isOwn = JSON.stringify(read.issuer) === JSON.stringify(own.issuer);
        return isOwn ? { ...read, signed: own.signed, signature: own.signature } : read;
      },
    },
  ],
  [
    'a waiver whose signatures are not over what it says',
    'waiver: expired at this moment',
    {
      waiver: (bytes, options) => {
        const read = READERS.waiver(bytes, options);
        const text = Buffer.from(waiverText(read));
        // As if they had signed whatever it says now.
        const signatures = read.signatures.map(({ person }) => ({
          person,
          value: Buffer.from(signRaw(testKey(person).privateKey, text)).toString('hex'),
        }));
        return { ...read, signatures };
      },
    },
  ],
  [
    'a date that is none, taken for no date',
    'list: removed today',
    {
      products: (bytes, options) => {
        const text = Buffer.from(bytes).toString('latin1');
        const lenient = text.replace(
          /^(NEW(?:,[^,\n]*){9},)([^,\n]*)/m,
          (all, before: string, date: string) => (Number.isNaN(Date.parse(date)) ? before : all),
        );
        return READERS.products(Buffer.from(lenient, 'latin1'), options);
      },
    },
  ],
  [
    'a hash over all but the last octet',
    'admitted: a service request',
    {
      image: (bytes, options) => {
        const restored = Uint8Array.from(bytes);
        const good = baseOf('admitted: a service request').documents.image!;
        restored[restored.length - 1] = good[good.length - 1]!;
        return READERS.image(restored, options);
      },
    },
  ],
  [
    'a signature of which the first octet is not compared',
    'mcuboot: one bit of its signature',
    {
      image: (bytes, options) => {
        const good = baseOf('mcuboot: one bit of its signature').undo!;
        const restored = Uint8Array.from(bytes);
        restored.set(good.subarray(-4), good.length - 4);
        return READERS.image(restored, options);
      },
    },
  ],
  [
    'a model of which three characters are compared',
    'list: model',
    {
      products: (bytes, options) => {
        const text = Buffer.from(bytes).toString('latin1');
        return READERS.products(
          Buffer.from(text.replace(/^NEW,PPMID,121D,008./m, 'NEW,PPMID,121D,0084'), 'latin1'),
          options,
        );
      },
    },
  ],
];

for (const [defect, name, readers] of PLANTED) {
  test(`found: ${defect}`, () => {
    const planted = { ...READERS, ...readers };
    assert.throws(() => sweep(baseOf(name), { seed: 0, readers: planted }), /is admitted/);
  });
}

test.run();
