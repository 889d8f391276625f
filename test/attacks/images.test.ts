/** Attacks by image files: rows 1, 3, 6 to 11, 17 and 31 of the table of attacks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { gatherImageFacts } from '../../src/admission/facts.ts';
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { parseEligibleCombinations } from '../../src/products/eligible-combinations.ts';
import { ebl, gbl, mcuboot, STRANGER } from '../admission/hub-desk.ts';
import { concat, counting, le, naiveElement, naiveImage } from '../image/naive-ota.ts';
import {
  type Attack,
  BODY,
  DecisionDesk,
  GatewayDesk,
  GOOD,
  GOOD_LINES,
  HARDWARE,
  hashOf,
  listText,
  OTA,
  ota,
  otaFacts,
  PPMID,
  TRUST,
} from './gateway-desk.ts';

const test = suite('attacks by images');
const NOW = Date.UTC(2021, 8, 1);
let desk: GatewayDesk;
const decisions = new DecisionDesk();
test.before(async () => {
  desk = await GatewayDesk.open();
});
test.after(async () => {
  await desk.close();
  decisions.close();
});

const OTHER = counting(300, 77);
const patched = (file: Uint8Array, at: number, ...bytes: number[]) => {
  const changed = file.slice();
  changed.set(bytes, at);
  return changed;
};
const HEADER_LENGTH_AT = 6;
const CONTROL_AT = 8;
const TOTAL_AT = 52;
/** Of an MCUboot image: protected size, body size. */
const BODY_SIZE_AT = 12;
const HEADER_SIZE_AT = 8;
const hub = (file: Uint8Array) => ({ device: 'hub' as const, file });
const radio = (file: Uint8Array) => ({ device: 'radio' as const, file });

const ATTACKS: Attack[] = [
  {
    id: '3',
    attack: 'fast-forward: the highest version, in a header that no hash covers',
    present: () => ({ file: ota({ fileVersion: 0xffffffff }) }),
    expect: 'device.newer',
  },
  {
    id: '6a',
    attack: 'mix-and-match: the row of one image, the file of another',
    present: () => ({ file: ota({ body: OTHER }) }),
    expect: 'cpl.listed',
  },
  {
    id: '6b',
    attack: 'mix-and-match in a file: the header has the version of another listed image',
    present: () => ({
      file: ota({ fileVersion: 0x03000000 }),
      list: listText(GOOD_LINES.ppmid, { id: 'P3', version: '03000000', hash: hashOf(OTHER) }),
    }),
    expect: 'cpl.firmware-version',
    code: 'version-of-another-entry',
  },
  {
    id: '6b',
    attack: 'mix-and-match in a file: another file version than the row states',
    present: () => ({
      file: ota({ fileVersion: 0x03000000 }),
      list: listText({ ...GOOD_LINES.ppmid, fileVersion: '02000000' }),
    }),
    expect: 'cpl.firmware-version',
  },
  {
    id: '6b',
    attack: 'mix-and-match in a file: the header of another manufacturer',
    present: () => ({ file: ota({ manufacturer: 0x1037 }) }),
    expect: 'device.manufacturer-code',
  },
  {
    id: '7a',
    attack: 'wrong software: another image type',
    present: () => ({ file: ota({ imageType: 0x0085 }) }),
    expect: 'device.image-type',
  },
  {
    id: '7a',
    attack: 'wrong software: other hardware',
    present: () => ({ file: ota({ hardware: [0x0200, 0x02ff] }) }),
    expect: 'device.hardware-range',
  },
  {
    id: '7a',
    attack: 'wrong software: listed for another model',
    present: () => ({ list: listText({ ...GOOD_LINES.ppmid, model: '0099' }) }),
    expect: 'cpl.device-model',
  },
  {
    id: '7a',
    attack: 'wrong software: for the EUI-64 of another device',
    present: () => ({ file: ota({ destination: '000d6f000a9069e8' }) }),
    expect: 'device.destination',
  },
  ...(
    [
      ['a hub image for a PPMID', 'ppmid', GOOD.hub, 'image.readable'],
      ['a GBL for a hub that runs MCUboot', 'hub', GOOD.radio, 'device.image-profile'],
      ['an MCUboot image for a Gecko bootloader', 'radio', GOOD.hub, 'device.image-profile'],
      ['an EBL for a Gecko bootloader of GBL', 'radio', ebl(), 'device.image-profile'],
      ['an OTA image for a hub', 'hub', GOOD.ppmid, 'device.image-profile'],
      ['more than the slot holds', 'ppmid', ota({ body: counting(524_288) }), 'image.fits-slot'],
    ] as const
  ).map(
    ([attack, device, file, expect]): Attack => ({
      id: '7c',
      attack: `wrong type or slot: ${attack}`,
      present: () => ({ device, file }),
      expect: attack.startsWith('a hub image') ? 'device.image-profile' : expect,
    }),
  ),
  ...(
    [
      ['in the header', 'ppmid', GOOD.ppmid.slice(0, 30), 'header-truncated'],
      ['in the last byte', 'ppmid', GOOD.ppmid.slice(0, -1), 'image-truncated'],
      ['in the body', 'hub', GOOD.hub.slice(0, 100), 'mcuboot-body-truncated'],
      ['in the TLVs', 'hub', GOOD.hub.slice(0, -20), 'tlv-area-truncated'],
      ['in a tag', 'radio', GOOD.radio.slice(0, 60), 'tag-truncated'],
      ['before the end tag', 'radio', GOOD.radio.slice(0, -12), 'end-missing'],
    ] as const
  ).map(
    ([attack, device, file, code]): Attack => ({
      id: '9',
      attack: `truncation: ${attack}`,
      present: () => ({ device, file }),
      expect: 'image.readable',
      code,
    }),
  ),
  {
    id: '10a',
    attack: 'endless data: the header says small, the body goes on',
    present: () => ({
      file: patched(concat(GOOD.ppmid, counting(100_000)), TOTAL_AT, ...le(460, 4)),
    }),
    expect: 'image.total-size',
  },
  {
    id: '11a',
    attack: 'extra bytes after a GB image',
    present: () => ({ file: concat(GOOD.ppmid, [0]) }),
    expect: 'image.total-size',
  },
  {
    id: '11a',
    attack: 'extra bytes before a GB image',
    present: () => ({ file: concat([0], GOOD.ppmid) }),
    expect: 'image.total-size',
  },
  {
    id: '11a',
    attack: 'extra bytes after a GBL',
    present: () => radio(concat(GOOD.radio, counting(64))),
    expect: 'image.readable',
    code: 'data-after-end',
  },
  ...([0x7fffffff, 0x80000000, 0xffffffff] as const).flatMap((size): Attack[] => [
    {
      id: '11b',
      attack: `part-covering signature: a total size of ${size}`,
      present: () => ({ file: patched(GOOD.ppmid, TOTAL_AT, ...le(size, 4)) }),
      expect: 'image.readable',
      code: 'image-truncated',
    },
    {
      id: '11b',
      attack: `part-covering signature: a body size of ${size}`,
      present: () => hub(patched(GOOD.hub, BODY_SIZE_AT, ...le(size, 4))),
      expect: 'image.readable',
      code: 'mcuboot-body-truncated',
    },
  ]),
  ...(
    [
      [0, 'header-too-short'],
      [55, 'header-too-short'],
      [0xffff, 'header-beyond-file'],
    ] as const
  ).map(
    ([length, code]): Attack => ({
      id: '17a',
      attack: `header length ${length}`,
      present: () => ({ file: patched(GOOD.ppmid, HEADER_LENGTH_AT, ...le(length, 2)) }),
      expect: 'image.readable',
      code,
    }),
  ),
  {
    id: '17a',
    attack: 'header size of an MCUboot image past the file',
    present: () => hub(patched(GOOD.hub, HEADER_SIZE_AT, 0xff, 0xff)),
    expect: 'image.readable',
    code: 'mcuboot-header-size',
  },
  {
    id: '17b',
    attack: 'element length: a tag of 0xFFFFFFFF bytes in a GBL',
    present: () => radio(patched(GOOD.radio, 4, ...le(0xffffffff, 4))),
    expect: 'image.readable',
    code: 'tag-truncated',
  },
  {
    id: '17b',
    attack: 'element length: header and body that wrap 32 bits',
    present: () => hub(patched(GOOD.hub, BODY_SIZE_AT, ...le(0x1_0000_0000 - 32, 4))),
    expect: 'image.readable',
    code: 'mcuboot-body-truncated',
  },
  {
    id: '17c',
    attack: 'element bomb: 100,000 empty tags in a GBL',
    present: () => radio(gbl({ tags: emptyTags(100_000) })),
    expect: 'image.readable',
    code: 'tags-too-many',
  },
  {
    id: '17c',
    attack: 'element bomb: 10,000 empty TLVs in an MCUboot image',
    present: () => hub(mcuboot({ protectedTlvs: emptyTlvs(10_000) })),
    expect: 'image.readable',
    code: 'tlvs-too-many',
  },
  {
    id: '17d',
    attack: 'overlap: the total size ends inside of the file',
    present: () => ({ file: patched(GOOD.ppmid, TOTAL_AT, ...le(GOOD.ppmid.length - 1, 4)) }),
    expect: 'image.total-size',
  },
  {
    id: '17d',
    attack: 'overlap: a TLV that reaches beyond its area',
    present: () => hub(overrunTlv()),
    expect: 'image.readable',
    code: 'tlv-overrun',
  },
  ...[0, 1, 2, 3, 5, 6, 7].map(
    (bits): Attack => ({
      id: '17e',
      attack: `field bits ${bits} that disagree with the header's length`,
      present: () => ({ file: patched(GOOD.ppmid, CONTROL_AT, bits) }),
      // Too long for its fields, or too short.
      ...(bits < 2
        ? { expect: 'image.header' }
        : { expect: 'image.readable', code: 'header-length-mismatch' }),
    }),
  ),
  {
    id: '31',
    attack: 'unapproved: not on the list',
    present: () => ({ list: listText(GOOD_LINES.hub) }),
    expect: 'cpl.listed',
  },
  {
    id: '31',
    attack: 'unapproved: no list at all',
    present: () => ({ list: 'none' }),
    expect: 'cpl.listed',
  },
  {
    id: '31',
    attack: "unsigned: a hub's image whose signature was cut off, without a list",
    present: () => ({
      ...hub(mcuboot({ signing: 'nobody', named: 'nobody' })),
      list: 'none',
      policy: { listRequired: false },
    }),
    expect: 'image.signature',
  },
  {
    id: '31',
    attack: "unsigned: a hub's image signed by a stranger, listed or not",
    present: () => {
      const file = mcuboot({ signing: STRANGER });
      return { ...hub(file), list: listText({ ...GOOD_LINES.hub, hash: hashOf(file) }) };
    },
    expect: 'image.signature',
  },
];

for (const attack of ATTACKS) {
  test(`${attack.id} ${attack.attack}: ${attack.code ?? attack.expect}`, async () => {
    await desk.refuses(attack);
  });
}

test('17c element bomb: 100,000 empty sub-elements in a ZigBee image: image.elements', () => {
  const bomb = [...naiveElement(0, BODY), ...repeated(naiveElement(0xf000, []), 100_000)];
  refusesElements(bomb);
});

test('17b element length: 0xFFFFFFFF, and what it leaves without an owner: image.elements', () => {
  refusesElements([...naiveElement(0, BODY), ...le(0xf000, 2), ...le(0xffffffff, 4)]);
});

test('17d overlap: a sub-element past the total size: image.elements', () => {
  refusesElements([...naiveElement(0, BODY), ...le(0xf000, 2), ...le(100, 4), ...counting(99)]);
});

test('11a extra bytes that belong to no sub-element: image.elements', () => {
  refusesElements([...naiveElement(0, BODY), 1]);
});

function refusesElements(body: number[]): void {
  const device = { ...PPMID, imageProfile: 'zigbee-ota' as const, slotBytes: 10_000_000 };
  const of = (bytes: number[]) =>
    gatherImageFacts(naiveImage({ ...OTA, body: bytes }), { profile: 'zigbee-ota' }).facts;
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  decisions.refuses('image.elements', { image: of(body), device, list }, NOW);
  decisions.admits({ image: of(naiveElement(0, BODY)), device, list }, NOW);
}

test('1a rollback: a listed image below the floor of its Device Model: version.floor', () => {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  const floors = { version: 1 as const, floors: [{ ...HARDWARE, floor: 0x02000001 }] };
  const of = (change: object) => ({ image: otaFacts(), device: PPMID, list, ...change });
  const below = { intake: 'bench' as const, floors };
  decisions.refuses('version.floor', of({ context: below }), NOW);
  decisions.refuses('version.floor', of({ context: below, policy: { allowDowngrade: true } }), NOW);
  const others = { ...floors, floors: [{ ...HARDWARE, model: '0085', floor: 0x02000001 }] };
  decisions.admits(of({ context: { ...below, floors: others } }), NOW);
  decisions.admits(of({}), NOW);
});

test('1a rollback: older than what the device runs: device.newer', () => {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  const device = { ...PPMID, currentFileVersion: 0x02000001 };
  decisions.refuses('device.newer', { image: otaFacts(), device, list }, NOW);
  decisions.admits({ image: otaFacts(), device: PPMID, list }, NOW);
});

test('3 fast-forward: a version above one step that no list names: version.step', () => {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  for (const fileVersion of [0x11000001, 0x80000000, 0xfffffffe]) {
    const image = otaFacts(ota({ fileVersion }));
    decisions.refuses('version.step', { image, device: PPMID, list }, NOW);
  }
  const image = otaFacts(ota({ fileVersion: 0x11000000 }));
  decisions.admits({ image, device: PPMID, list }, NOW);
});

test('6d mixed bundle: versions that are no eligible combination: epcl.combination', () => {
  combination({});
});

test('7b wrong region: the combination is eligible with another provider: epcl.combination', () => {
  combination({ provider: 'CSP-S' });
});

/** The hub's version, or the provider, is not the one of the eligible combination. */
function combination({ provider = 'CSP-N' }: { provider?: string }): void {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  const eligible = parseEligibleCombinations(
    'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on\n' +
      'C1,CSP-N,106C:0001:01:00:00000007,,,121D:0084:01:00:02000000,2021-01-01',
  );
  assert.ok(eligible.ok);
  const home = (hubVersion: string, by: string) => ({
    installationId: 'HOME',
    provider: by,
    devices: [
      { kind: 'communications_hub' as const, deviceModel: { ...HUB, firmwareVersion: hubVersion } },
      { kind: 'ppmid' as const, deviceModel: { ...HARDWARE, firmwareVersion: '01000000' } },
    ],
    cohort: 'MOC' as const,
    suppliers: {},
    line: 2,
  });
  const of = (hubVersion: string, by: string) => ({
    image: otaFacts(),
    device: PPMID,
    list,
    context: {
      intake: 'bench' as const,
      installation: home(hubVersion, by),
      eligible: eligible.list,
    },
  });
  const wrong = provider === 'CSP-N' ? of('00000006', provider) : of('00000007', provider);
  const decision = decisions.refuses('epcl.combination', wrong, NOW);
  const { actual } = decision.findings.find(({ ruleId }) => ruleId === 'epcl.combination')!;
  assert.match(actual!, provider, 'the combination is named');
  decisions.admits(of('00000007', 'CSP-N'), NOW);
}

test('7a wrong software: that device only is refused, the other goes on', () => {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  const image = otaFacts();
  const other = { ...PPMID, deviceModel: { ...HARDWARE, model: '0085' } };
  decisions.refuses('cpl.device-model', { image, device: other, list }, NOW);
  decisions.admits({ image, device: PPMID, list }, NOW);
});

test('8 wrong precursor: off the upgrade pathway, the entries to start from are named', () => {
  const old = { id: 'P1', version: '01000000', hash: hashOf(OTHER) };
  const { list } = parsed(listText({ ...GOOD_LINES.ppmid, upgradeFrom: 'P1' }, old));
  const device = { ...PPMID, currentFileVersion: 0x00900000 };
  const decision = decisions.refuses('cpl.pathway', { image: otaFacts(), device, list }, NOW);
  const { expected } = decision.findings.find(({ ruleId }) => ruleId === 'cpl.pathway')!;
  assert.match(expected!, 'P1');
  decisions.admits({ image: otaFacts(), device: PPMID, list }, NOW);
});

test('9 truncation: at every byte of every format', () => {
  for (const [file, profile] of [
    [GOOD.ppmid, 'gb-ppmid'],
    [GOOD.hub, 'mcuboot'],
    [GOOD.radio, 'gbl'],
    [ebl(), 'ebl'],
  ] as const) {
    for (let cut = 0; cut < file.length; cut++) {
      const { facts } = gatherImageFacts(file.subarray(0, cut), { profile, trust: TRUST });
      // An EBL is padded to 64 bytes; without some of the padding it is whole.
      const isPadding = profile === 'ebl' && file.subarray(cut).every((byte) => byte === 0xff);
      if (!isPadding) assert.not(facts.ok, `${profile} at ${cut}`);
    }
  }
});

test('10a endless data: what is sent ends where the header says', () => {
  const { facts, image } = gatherImageFacts(concat(GOOD.ppmid, counting(100_000)), {
    profile: 'gb-ppmid',
  });
  assert.ok(facts.ok);
  assert.is(image!.bytes.length, GOOD.ppmid.length);
  assert.is(facts.sendSha256, hashOf(GOOD.ppmid));
});

test('11b part-covering signature: each byte of a signed hub image flipped in turn', () => {
  const device = { ...PPMID, imageProfile: 'mcuboot' as const, deviceModel: undefined };
  const policy = { listRequired: false };
  const now = { runningVersion: '1.0.0' };
  const of = (file: Uint8Array) => ({
    image: gatherImageFacts(file, { profile: 'mcuboot', trust: TRUST }).facts,
    device: { ...device, ...now },
    policy,
  });
  const REFUSING = ['image.readable', 'image.digest', 'image.signature', 'image.bootable'];
  for (let at = 0; at < GOOD.hub.length; at++) {
    const decision = decideAdmission(of(patched(GOOD.hub, at, GOOD.hub[at]! ^ 0x01)), NOW);
    assert.is(decision.verdict, 'refused', `byte ${at}`);
    assert.ok(REFUSING.includes(decision.ruleId!), `byte ${at}: ${decision.ruleId}`);
  }
  decisions.admits(of(GOOD.hub), NOW);
});

test('11b part-covering signature: each byte of a listed GB image flipped in turn', () => {
  const { list } = parsed(listText({ ...GOOD_LINES.ppmid, fileVersion: '02000000' }));
  const uncovered: number[] = [];
  for (let at = 0; at < GOOD.ppmid.length; at++) {
    const image = otaFacts(patched(GOOD.ppmid, at, GOOD.ppmid[at]! ^ 0x01));
    const decision = decideAdmission({ image, device: PPMID, list }, NOW);
    if (decision.verdict === 'admitted') uncovered.push(at);
    // Admitted or not, it is not what was seen before, and both digests say so.
    if (decision.hashes) assert.is.not(decision.hashes.sent, hashOf(GOOD.ppmid), `byte ${at}`);
  }
  // What else the header has that nothing is held against: a later layout of the same fields, stack, a wider range.
  const isText = (at: number) => at >= 20 && at < 52;
  assert.equal(
    uncovered.filter((at) => !isText(at)),
    [4, 18, 19, 57, 58],
  );
  assert.ok(uncovered.filter(isText).length === 32, 'the header string is in no hash of a list');
});

test('11c uncovered bytes: the header string changes what is sent, and both digests are shown', () => {
  const { list } = parsed(listText(GOOD_LINES.ppmid));
  const [one, other] = ['naive', 'other'].map((text) =>
    decisions.admits({ image: otaFacts(ota({ text })), device: PPMID, list }, NOW),
  );
  assert.is(one!.hashes!.listed, other!.hashes!.listed);
  assert.is(one!.hashes!.listed, hashOf(BODY));
  assert.is.not(one!.hashes!.sent, other!.hashes!.sent);
  assert.is(other!.token!.sha256, other!.hashes!.sent, 'leave is for these bytes alone');
});

const HUB = { manufacturer: '106C', model: '0001', hardwareVersion: '01', hardwareRevision: '00' };

function parsed(text: string) {
  const found = parseCentralProductsList(text);
  if (!found.ok || found.list.issues.length > 0) throw new Error('the test list is wrong');
  return found;
}

function repeated(bytes: number[], times: number): number[] {
  return Array.from({ length: times }, () => bytes).flat();
}

function emptyTags(count: number): [number, number[]][] {
  return Array.from({ length: count }, () => [0xf60808f6, []]);
}

function emptyTlvs(count: number): [number, number[]][] {
  return Array.from({ length: count }, () => [0xa0, []]);
}

/** The last TLV of the good image, one byte longer than its area. */
function overrunTlv(): Uint8Array {
  const changed = GOOD.hub.slice();
  const view = new DataView(changed.buffer);
  for (let at = changed.length - 4; at > 0; at--) {
    if (view.getUint16(at, true) !== 0x22) continue;
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length !== changed.length) continue;
    view.setUint16(at + 2, length + 1, true);
    return changed;
  }
  throw new Error('no signature in the image');
}

test.run();
