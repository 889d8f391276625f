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
import { sha256Hex } from '../../src/trust/digest.ts';
import { concat, counting, type NaiveImage, naiveElement, naiveImage } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import {
  ADMITTED,
  BODY,
  type Case,
  decide,
  GOOD_DEVICE,
  GOOD_FILE,
  GOOD_IMAGE,
  listOf,
  NOW,
  REFUSED,
} from './ota-desk.ts';

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
