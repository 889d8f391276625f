/** Hub images: each rule from both sides, and nothing that is refused is admitted by damage. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Decision, decideAdmission, rules } from '../../src/admission/decide.ts';
import { gatherImageFacts, type HubImageFacts, listedHash } from '../../src/admission/facts.ts';
import { REGULATION_RULES } from '../../src/admission/regulation-rules.ts';
import { parseHubVersion } from '../../src/image/hub-image.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { concat, counting } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';
import { bench, CASES, GBL, MCUBOOT, runs, SEALED, UNSIGNED } from './hub-cases.ts';
import { type Case, decide, ebl, gbl, mcuboot, NOW, STRANGER } from './hub-desk.ts';

for (const [name, ruleId, outcome, change] of CASES) {
  test(`${ruleId}, ${change.profile ?? 'mcuboot'}, ${name}: ${outcome}`, () => {
    const decision = decide(change);
    const finding = decision.findings.find((one) => one.ruleId === ruleId)!;
    assert.is(finding.outcome, outcome);
    if (outcome === 'refuse') {
      assert.is(decision.verdict, 'refused');
      assert.not(decision.conditional);
    }
    if (outcome === 'refuse' || outcome === 'warn')
      assert.ok(finding.expected && finding.actual, 'both sides are said');
    if (outcome === 'refuse' && !NOT_FIRST.has(`${ruleId}, ${name}`))
      assert.is(decision.ruleId, ruleId, 'it gives the decision its name');
  });
}

/** Where a rule that stands before it refuses as well. */
const NOT_FIRST = new Set(['image.signature, sealed, without a list']);

test('every rule has a case', () => {
  const covered = new Set(CASES.map(([, ruleId]) => ruleId));
  // The rules of regulation have their own tests, and so has what a hub's image has not.
  covered.add('image.header');
  covered.add('image.elements');
  for (const { id } of REGULATION_RULES) covered.add(id);
  assert.equal(
    rules().filter(({ id }) => !covered.has(id)),
    [],
  );
});

test('the good cases: admitted, with nothing said but what cannot be known', () => {
  assert.equal(said(decide()), []);
  assert.equal(said(decide({ profile: 'gbl' })), []);
  assert.equal(said(decide({ profile: 'ebl' })), ['image.signature warn', 'device.newer warn']);
  for (const profile of ['mcuboot', 'gbl', 'ebl'] as const) {
    const { verdict, conditional } = decide({ profile });
    assert.equal([verdict, conditional], ['admitted', false], profile);
  }
});

test('what an SMP hub has not said yet is a condition, of a bootloader it is a warning', () => {
  const smp = decide({ device: runs(undefined) });
  assert.equal([smp.verdict, smp.conditional, smp.pending], ['admitted', true, ['runningVersion']]);
  const bootloader = decide({ profile: 'gbl', device: runs(undefined) });
  assert.equal([bootloader.verdict, bootloader.conditional], ['admitted', false]);
  assert.equal(said(bootloader), ['device.newer warn']);
  const model = decide({ device: { imageProfile: undefined } });
  assert.equal(model.pending, ['imageProfile']);
});

test('a refusal of the profile names what the device takes and what the file holds', () => {
  const { findings } = decide({ profile: 'gbl', device: { imageProfile: 'mcuboot' } });
  const finding = findings.find(({ ruleId }) => ruleId === 'device.image-profile')!;
  assert.match(finding.expected!, /^mcuboot: MCUboot image/);
  assert.match(finding.actual!, /^gbl: GBL image/);
});

test('all that stands in the way of starting an image is said', () => {
  const { findings } = decide({ file: mcuboot({ flags: 0x130 }) });
  const { actual } = findings.find(({ ruleId }) => ruleId === 'image.bootable')!;
  assert.is(actual, 'marked as not bootable; to be loaded to RAM; built for a fixed address');
});

test('versions as hubs and people write them', () => {
  const told: [Parameters<typeof parseHubVersion>[0], string, string | undefined][] = [
    ['mcuboot', '1.2.3', '1.2.3'],
    ['mcuboot', '1.2.3.4', '1.2.3+4'],
    ['mcuboot', '1.2.3+4', '1.2.3+4'],
    ['mcuboot', '1.2', undefined],
    ['mcuboot', '256.0.0', undefined],
    ['mcuboot', '', undefined],
    ['gbl', '0x00010006', '0x00010006'],
    ['gbl', '65542', '0x00010006'],
    ['gbl', '0', '0x00000000'],
    // As a list writes it, hexadecimal; as a number, ten thousand. So neither.
    ['gbl', '00010000', undefined],
    ['gbl', '0x100000000', undefined],
    ['gbl', '4294967296', undefined],
    ['gbl', '1.2.3', undefined],
    ['gbl', '', undefined],
    ['ebl', '1', undefined],
  ];
  for (const [profile, text, expected] of told) {
    assert.is(parseHubVersion(profile, text)?.text, expected, `${profile} "${text}"`);
  }
});

test('every truncation is refused, listed or not', () => {
  for (const [profile, file] of [
    ['mcuboot', MCUBOOT],
    ['gbl', GBL],
    ['ebl', ebl()],
  ] as const) {
    const end = gatherImageFacts(file, { profile }).hubImage!.sendBytes.length;
    for (let cut = 0; cut < end; cut++) {
      for (const how of [{}, bench, { ...bench, policy: { unsignedImage: 'warn' } }] as Case[]) {
        const decision = decide({ profile, file: file.subarray(0, cut), ...how });
        assert.is(decision.ruleId, 'image.readable', `${profile} cut at ${cut}`);
      }
    }
  }
});

test('any flipped bit of a signed image is refused, even where no list is', () => {
  for (const [profile, file] of [
    ['mcuboot', MCUBOOT],
    ['gbl', GBL],
  ] as const) {
    for (let bit = 0; bit < file.length * 8; bit++) {
      const decision = decide({ profile, file: flipped(file, bit), ...bench });
      assert.is(decision.verdict, 'refused', `${profile} bit ${bit}`);
    }
  }
});

test('no flipped bit has an image admitted that was refused', () => {
  const refused: [string, Case][] = [
    ['wrong', { file: mcuboot({ signing: STRANGER }) }],
    ['stranger', { file: mcuboot({ named: STRANGER, signing: STRANGER }) }],
    ['unsigned', { file: UNSIGNED }],
    ['encrypted', { file: SEALED }],
    ['not bootable', { file: mcuboot({ flags: 0x10 }) }],
    ['older', { file: mcuboot({ version: [1, 0, 0, 0] }) }],
    ['wrong GBL', { profile: 'gbl', file: gbl({ signing: STRANGER }) }],
    ['unsigned GBL', { profile: 'gbl', file: gbl({ signing: 'nobody' }) }],
    ['EBL', { profile: 'ebl', file: ebl() }],
  ];
  for (const [name, base] of refused) {
    assert.is(decide({ ...base, ...bench }).verdict, 'refused', name);
    const file = base.file!;
    for (let bit = 0; bit < file.length * 8; bit += 7) {
      const decision = decide({ ...base, file: flipped(file, bit), ...bench });
      assert.is(decision.verdict, 'refused', `${name} bit ${bit}`);
    }
  }
});

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
const committed = (file: string) => new Uint8Array(readFileSync(resolve(FIRMWARE, file)));

/** The list by the good images; the keys as they are shipped. */
function decideShipped(file: Uint8Array, profile: 'mcuboot' | 'gbl', bare: boolean): Decision {
  const parsed = parseCentralProductsList(
    new TextDecoder().decode(committed('central-products-list.csv')),
  );
  if (!parsed.ok) throw new Error(parsed.code);
  const pem = new TextDecoder().decode(committed(`trust/test-hub-${profile}.pem`));
  const trust = { anchors: [anchorOf(`${profile}-firmware`, pem)] };
  const { facts } = gatherImageFacts(file, { profile, trust });
  const device = {
    imageProfile: profile,
    runningVersion: profile === 'gbl' ? '0x00010000' : '1.0.0',
  };
  const list = bare ? undefined : parsed.list;
  return decideAdmission({ image: facts, device, list, policy: { listRequired: !bare } }, NOW);
}

test('the test images of the firmware folder: sampled flips and cuts', () => {
  for (const [name, profile, verdict] of [
    ['hub-2.0.0-test.mcuboot.bin', 'mcuboot', 'admitted'],
    ['hub-2.0.1-test-wrong-signature.mcuboot.bin', 'mcuboot', 'refused'],
    ['hub-2.0.2-test-unknown-key.mcuboot.bin', 'mcuboot', 'refused'],
    ['hub-00020000-test.gbl', 'gbl', 'admitted'],
  ] as const) {
    const file = committed(name);
    for (const bare of [false, true]) {
      assert.is(decideShipped(file, profile, bare).verdict, verdict, name);
      const bits = file.length * 8;
      // All of what stands around the body is looked at closely, and the body in passing.
      for (let bit = 0; bit < bits; bit += bit < 512 || bit > bits - 2048 ? 5 : 40_009) {
        const decision = decideShipped(flipped(file, bit), profile, bare);
        assert.is(decision.verdict, 'refused', `${name} bit ${bit}`);
      }
      for (let cut = 0; cut < file.length; cut += cut < 64 ? 1 : 1_511) {
        const decision = decideShipped(file.subarray(0, cut), profile, bare);
        assert.is(decision.ruleId, 'image.readable', `${name} cut at ${cut}`);
      }
    }
  }
});

test('the facts of a hub image: what is sent, and by what hash it is listed', () => {
  const { facts, image, hubImage } = gatherImageFacts(concat(MCUBOOT, counting(5)), {
    profile: 'mcuboot',
  });
  const hub = facts as HubImageFacts;
  assert.equal([hub.ok, hub.kind, hub.profile], [true, 'hub', 'mcuboot']);
  assert.equal([hub.sendBytes, hub.outsideBytes], [MCUBOOT.length, 5]);
  assert.is(hub.version?.text, '2.0.0');
  assert.is(listedHash(hub), hub.sendSha256);
  assert.is(image, undefined);
  assert.equal(hubImage!.sendBytes, MCUBOOT);
});

test('no facts of a hub image make a rule throw', () => {
  for (const profile of ['mcuboot', 'gbl', 'ebl'] as const) {
    for (const change of [{}, { device: {} }, { noList: true }] as Case[]) {
      const bare = Object.fromEntries(
        ['deviceModel', 'imageProfile', 'slotBytes', 'runningVersion'].map((key) => [
          key,
          undefined,
        ]),
      );
      const decision = decide({ profile, ...change, device: { ...bare, ...change.device } });
      assert.is(decision.findings.length, rules().length);
    }
  }
});

function flipped(file: Uint8Array, bit: number): Uint8Array {
  const bytes = file.slice();
  bytes[bit >>> 3]! ^= 1 << (bit & 7);
  return bytes;
}

function said(decision: Decision): string[] {
  return decision.findings
    .filter(({ outcome }) => outcome !== 'pass' && outcome !== 'not-applicable')
    .map(({ ruleId, outcome }) => `${ruleId} ${outcome}`);
}

test.run();
