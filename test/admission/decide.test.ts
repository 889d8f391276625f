/** Each way an image can be wrong is refused under its rule's id, and under no other first. */

import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Decision, decideAdmission, rules } from '../../src/admission/decide.ts';
import {
  type AdmissionPolicy,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../src/admission/facts.ts';
import type { Outcome, RuleId } from '../../src/admission/rules.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { concat, counting, type NaiveImage, naiveElement, naiveImage } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';

const NOW = Date.UTC(2021, 6, 20);
const BODY = counting(400, 9);

const GOOD_IMAGE: NaiveImage = {
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  hardware: [0x0100, 0x01ff],
  body: BODY,
};

const GOOD_DEVICE: DeviceFacts = {
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

function listOf(...lines: Partial<typeof GOOD_LINE>[]) {
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

interface Case {
  image?: NaiveImage;
  file?: Uint8Array;
  device?: DeviceFacts;
  lines?: Partial<typeof GOOD_LINE>[] | 'none';
  policy?: AdmissionPolicy;
  options?: Partial<ImageFactsOptions>;
  nowMs?: number;
}

function decide(change: Case = {}): Decision {
  const file = change.file ?? naiveImage({ ...GOOD_IMAGE, ...change.image });
  const { facts } = gatherImageFacts(file, { profile: 'gb-ppmid', ...change.options });
  const lines = change.lines ?? [{}];
  const imageProfile = change.options?.profile ?? 'gb-ppmid';
  return decideAdmission(
    {
      image: facts,
      device: { ...GOOD_DEVICE, imageProfile, ...change.device },
      list: lines === 'none' ? undefined : listOf(...lines),
      policy: change.policy,
    },
    change.nowMs ?? NOW,
  );
}

function outcome(decision: Decision, ruleId: RuleId): Outcome {
  return decision.findings.find((finding) => finding.ruleId === ruleId)!.outcome;
}

test('the good case is admitted, without a condition or a warning', () => {
  const decision = decide();
  assert.is(decision.verdict, 'admitted');
  assert.is(decision.ruleId, undefined);
  assert.not(decision.conditional);
  assert.equal(decision.pending, []);
  assert.is(decision.decidedAtMs, NOW);
  const odd = decision.findings.filter(({ outcome: o }) => o !== 'pass' && o !== 'not-applicable');
  assert.equal(odd, []);
});

const GOOD_FILE = naiveImage(GOOD_IMAGE);
const OTHER_HASH = 'ee'.repeat(32);

const REFUSED: [string, RuleId, Case][] = [
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
    'other version, told to refuse',
    'cpl.firmware-version',
    { lines: [{ version: '03000000' }], policy: { firmwareVersionMismatch: 'refuse' } },
  ],
];

for (const [name, ruleId, change] of REFUSED) {
  test(`refused, ${name}: ${ruleId}`, () => {
    const decision = decide(change);
    assert.is(decision.verdict, 'refused');
    assert.is(decision.ruleId, ruleId);
    assert.not(decision.conditional);
    const finding = decision.findings.find((one) => one.ruleId === ruleId)!;
    assert.ok(finding.expected && finding.actual, 'a refusal says what was expected and found');
    assert.is(decision.findings.length, rules().length);
  });
}

const ADMITTED: [string, Case, RuleId | undefined][] = [
  ['manufacturer any', { image: { manufacturer: 0xffff } }, undefined],
  ['image type any', { image: { imageType: 0xffff } }, undefined],
  ['lowest hardware of the range', { device: { hardwareVersion: 0x0100 } }, undefined],
  ['highest hardware of the range', { device: { hardwareVersion: 0x01ff } }, undefined],
  ['for this device', { image: { destination: '00112233445566aa' } }, undefined],
  ['slot exactly as large', { device: { slotBytes: 460 } }, undefined],
  ['version 0 on the device', { device: { currentFileVersion: 0 } }, undefined],
  [
    'versions above 2^31',
    { image: { fileVersion: 0xf0000000 }, device: { currentFileVersion: 0x7fffffff } },
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

for (const [name, change, warns] of ADMITTED) {
  test(`admitted, ${name}${warns ? `, with a warning: ${warns}` : ''}`, () => {
    const decision = decide(change);
    assert.is(decision.verdict, 'admitted');
    const warnings = decision.findings.filter((finding) => finding.outcome === 'warn');
    assert.equal(
      warnings.map(({ ruleId }) => ruleId),
      warns ? [warns] : [],
    );
  });
}

test('every one-bit flip of the Manufacturer Image is refused, because no hash fits it', () => {
  for (let bit = 60 * 8; bit < GOOD_FILE.length * 8; bit++) {
    const file = GOOD_FILE.slice();
    file[bit >>> 3]! ^= 1 << (bit & 7);
    assert.is(decide({ file }).ruleId, 'cpl.listed', `bit ${bit}`);
  }
});

test('a flip of the header is refused, or leaves an image that device and list still fit', () => {
  let admitted = 0;
  for (let bit = 0; bit < 60 * 8; bit++) {
    const file = GOOD_FILE.slice();
    file[bit >>> 3]! ^= 1 << (bit & 7);
    const { verdict } = decide({ file });
    const field = bit >>> 3;
    // Only what nobody can check: minor header version, reserved bits, version, stack, string,
    // range.
    const isFree =
      [4, 8, 9].includes(field) || (field >= 14 && field < 52) || (field >= 56 && field < 60);
    if (verdict === 'admitted') admitted++;
    assert.ok(verdict === 'refused' || isFree, `bit ${bit}`);
  }
  assert.ok(admitted > 0 && admitted < 400, `${admitted} admitted`);
});

test('the cap of a Service Request: one byte over is refused', () => {
  const { facts } = gatherImageFacts(GOOD_FILE, { profile: 'gb-ppmid' });
  if (!facts.ok || facts.kind !== 'ota') throw new Error('it is an OTA image');
  const sized = (totalImageBytes: number) =>
    decideAdmission(
      {
        image: { ...facts, header: { ...facts.header, totalImageBytes } },
        device: { ...GOOD_DEVICE, slotBytes: undefined },
        list: listOf({}),
      },
      NOW,
    );
  assert.is(sized(10_240_000).verdict, 'admitted');
  assert.is(sized(10_240_001).ruleId, 'image.size-cap');
});

test('what the device has not said makes the decision conditional, and is named', () => {
  const unknown: [keyof DeviceFacts, RuleId, NaiveImage?][] = [
    ['imageProfile', 'device.image-profile'],
    ['manufacturerCode', 'device.manufacturer-code'],
    ['imageType', 'device.image-type'],
    ['hardwareVersion', 'device.hardware-range'],
    ['currentFileVersion', 'device.newer'],
    ['deviceModel', 'cpl.device-model'],
    ['eui64', 'device.destination', { destination: '00112233445566aa' }],
  ];
  for (const [fact, ruleId, image] of unknown) {
    const decision = decide({ device: { [fact]: undefined }, ...(image ? { image } : {}) });
    assert.is(decision.verdict, 'admitted', fact);
    assert.ok(decision.conditional, fact);
    assert.equal(decision.pending, [fact]);
    assert.is(outcome(decision, ruleId), 'unknown');
  }
  const nothing = decideAdmission(
    {
      image: gatherImageFacts(GOOD_FILE, { profile: 'gb-ppmid' }).facts,
      device: {},
      list: listOf({}),
    },
    NOW,
  );
  assert.is(nothing.verdict, 'admitted');
  assert.is(nothing.pending.length, 6);
});

test('hardware version 0xFFFF is a device that does not know its own', () => {
  const decision = decide({ device: { hardwareVersion: 0xffff } });
  assert.equal(decision.pending, ['hardwareVersion']);
});

test('a refusal outweighs what is pending, and part of a model already refuses', () => {
  const decision = decide({ device: { currentFileVersion: undefined, imageType: 1 } });
  assert.is(decision.verdict, 'refused');
  assert.not(decision.conditional);
  const half = decide({ device: { deviceModel: { manufacturer: '106C' } } });
  assert.is(half.ruleId, 'cpl.device-model');
  const open = decide({ device: { deviceModel: { manufacturer: '121D', model: '0084' } } });
  assert.equal(open.pending, ['deviceModel']);
});

test('all reasons are seen at once, the first in rule order gives the name', () => {
  const decision = decide({
    device: { imageType: 1, currentFileVersion: 0x03000000 },
    lines: 'none',
  });
  assert.is(decision.ruleId, 'device.image-type');
  const refusedBy = decision.findings.filter((finding) => finding.outcome === 'refuse');
  assert.equal(
    refusedBy.map(({ ruleId }) => ruleId),
    ['device.image-type', 'device.newer', 'cpl.listed'],
  );
});

test('a version under the other coding is a hint', () => {
  const decision = decide({ image: { fileVersion: 0x02100000 }, lines: [{ version: '020A0000' }] });
  const finding = decision.findings.find(({ ruleId }) => ruleId === 'cpl.firmware-version')!;
  assert.is(finding.outcome, 'warn');
  assert.match(finding.next!, 'coded');
});

test('an ordinary file may have bytes outside its image, a GB file may not', () => {
  const body = naiveElement(0, BODY);
  const file = concat(naiveImage({ ...GOOD_IMAGE, body }), [1, 2, 3, 4]);
  const decision = decide({ file, options: { profile: 'zigbee-ota' } });
  assert.is(decision.verdict, 'admitted');
  assert.is(outcome(decision, 'image.total-size'), 'warn');
});

test('an integrity code that fits nothing warns, or refuses where told', () => {
  const body = [...naiveElement(0, BODY), ...naiveElement(3, counting(16))];
  const change: Case = { image: { body }, options: { profile: 'zigbee-ota' } };
  assert.is(outcome(decide(change), 'image.integrity-code'), 'warn');
  const strict = decide({ ...change, policy: { integrityMismatch: 'refuse' } });
  assert.is(strict.ruleId, 'image.integrity-code');
});

test('a GB body that looks like an integrity code by chance has none', () => {
  const body = naiveElement(3, counting(16));
  const hash = sha256Hex(Uint8Array.from(body));
  const decision = decide({
    image: { body },
    lines: [{ hash }],
    policy: { integrityMismatch: 'refuse' },
  });
  assert.is(outcome(decision, 'image.integrity-code'), 'not-applicable');
  assert.is(decision.verdict, 'admitted');
});

test('the signature: verified, wrong, or nobody to verify it with', () => {
  const keys = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const anchor = anchorOf('gb-firmware', publicKey);
    return { privateKey, anchor };
  };
  const [own, other] = [keys(), keys()];
  const signature = sign('sha256', Uint8Array.from(BODY), {
    key: own.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  const signed = (options: Partial<ImageFactsOptions>, policy?: AdmissionPolicy) =>
    decide({
      image: { body: [...BODY, 0, 0x40, ...signature] },
      options: { profile: 'gb-signed', ...options },
      ...(policy ? { policy } : {}),
    });
  const both = signed({ trust: { anchors: [other.anchor, own.anchor] } });
  assert.is(both.verdict, 'admitted');
  assert.is(outcome(both, 'image.signature'), 'pass');
  assert.is(signed({ trust: { anchors: [other.anchor] } }).ruleId, 'image.signature');
  assert.is(outcome(signed({}), 'image.signature'), 'warn');
  assert.is(signed({}, { unverifiedSignature: 'refuse' }).ruleId, 'image.signature');
});

test('a chosen image of several is decided on its own bytes', () => {
  const second = naiveImage({ ...GOOD_IMAGE, body: naiveElement(0, BODY) });
  const first = naiveImage({ ...GOOD_IMAGE, body: naiveElement(0, [1]) });
  const file = concat(first, second);
  const gathered = gatherImageFacts(file, { profile: 'zigbee-ota', imageIndex: 1 });
  assert.equal(gathered.image?.bytes, second);
  const decision = decide({ file, options: { profile: 'zigbee-ota', imageIndex: 1 } });
  assert.is(decision.verdict, 'admitted');
});

test('rules have an id of their own, a text and a source; what was not read can be told', () => {
  const all = rules();
  assert.is(new Set(all.map(({ id }) => id)).size, all.length);
  for (const { text, source, id } of all) {
    assert.ok(text.endsWith('.') && source.document !== '', id);
  }
});

test('a decision is pure: the same facts and time, the same decision', () => {
  assert.equal(decide(), decide());
});

test('no facts make a rule throw', () => {
  const seed = 20_210_720;
  console.log(`SEED ${seed}`);
  const random = generator(seed);
  const pick = <T>(...values: T[]): T => values[random() % values.length]!;
  const u16 = () => pick(undefined, 0, 1, 0x0100, 0x121d, 0xffff);
  const image = gatherImageFacts(GOOD_FILE, { profile: 'gb-ppmid' }).facts;
  if (!image.ok || image.kind !== 'ota') throw new Error('it is an OTA image');
  for (let round = 0; round < 3000; round++) {
    const facts = {
      image: {
        ...image,
        profile: pick('gb-signed', 'gb-ppmid', 'zigbee-ota', 'smets1') as 'gb-ppmid',
        header: {
          ...image.header,
          manufacturerCode: u16() ?? 7,
          imageType: u16() ?? 7,
          fileVersion: pick(0, 1, 0x02000000, 0xffffffff),
          destinationEui64: pick('', '00112233445566aa'),
        },
        integrity: pick('absent', 'not-verifiable', 'covers-head') as 'absent',
        signature: pick('none', 'wrong', 'verified', 'no-trust-anchor') as 'none',
        outsideBytes: pick(0, 1),
      },
      device: {
        manufacturerCode: u16(),
        imageType: u16(),
        hardwareVersion: u16(),
        currentFileVersion: pick(undefined, 0, 0x02000000, 0xffffffff),
        eui64: pick(undefined, '', '00112233445566aa'),
        deviceModel: pick<DeviceFacts['deviceModel']>(
          undefined,
          {},
          { model: '' },
          { model: '0084' },
        ),
        slotBytes: pick(undefined, 0, 1e9),
      },
      list: pick(undefined, listOf(), listOf({}), listOf({ dates: '2021-01-01,2021-01-01' })),
    };
    const nowMs = pick(0, NOW, -1e18, 1e18, Number.NaN);
    const decision = decideAdmission(facts, nowMs);
    assert.is(decision.verdict === 'refused', decision.ruleId !== undefined);
    if (decision.conditional) assert.ok(decision.pending.length > 0);
  }
});

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

test.run();
