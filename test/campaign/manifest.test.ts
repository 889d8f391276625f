/**
 * The manifest: its bytes, every bound of every field, and the forms that mean the same; and a signed one:
 * every truncation, every flipped bit.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborValue, decodeCbor, encodeCbor } from '../../src/bytes/cbor.ts';
import {
  encodeManifest,
  type Manifest,
  manifestDocument,
  parseManifest,
  readManifestDocument,
} from '../../src/campaign/manifest.ts';
import { openCampaign } from '../../src/campaign/signed-campaign.ts';
import { changed, IMAGE, MANIFEST, NOW, signedCampaign, TRUST } from './campaigns.ts';

const test = suite('campaign/manifest');
const GOLDEN_START =
  'b10101026d70706d69642d323032362d303103783e74686520646973706c6179206e6f206c6f6e67657220667265657a';
const GOLDEN_SHA256 = '8b39ff73a2a3cb112e8b4c5bf57d08536e9f4e0e6535777f1b7b7780e582f1c2';
const codeOf = (result: { ok: boolean; code?: string; field?: string }) =>
  result.ok ? 'ok' : `${result.code} ${result.field ?? ''}`.trim();

test('golden', () => {
  const manifest = changed({ author: 'd4'.repeat(32) });
  const bytes = encodeManifest(manifest);
  assert.is(Buffer.from(bytes).toString('hex').slice(0, 96), GOLDEN_START);
  assert.is(createHash('sha256').update(bytes).digest('hex'), GOLDEN_SHA256);
  assert.equal(parseManifest(bytes), { ok: true, manifest });
});

test('as a document it is the same manifest', () => {
  const document = JSON.parse(JSON.stringify(manifestDocument(MANIFEST))) as Record<
    string,
    unknown
  >;
  assert.is(document['expires'], '2026-02-09T00:00:00Z');
  assert.equal(readManifestDocument(document), { ok: true, manifest: MANIFEST });
});

test('people write sets in any order, and an EUI-64 in any way', () => {
  const document = {
    ...manifestDocument(MANIFEST),
    gateways: ['gateway-2', 'gateway-1'],
    devices: ['hub:21J0012345', '00:0D:6F:00:0A:90:69:E7'],
  };
  const read = readManifestDocument(document);
  assert.ok(read.ok, codeOf(read));
  if (!read.ok) return;
  assert.equal(read.manifest.gateways, ['gateway-1', 'gateway-2']);
  assert.equal(read.manifest.devices, ['000d6f000a9069e7', 'hub:21J0012345']);
});

const ring = (more: object) => ({ name: 'a', untilPercent: 50, ...more });
const [target] = MANIFEST.targets;
const other = { ...IMAGE, sha256: 'c3'.repeat(32) };
const all = ring({ name: 'z', all: true });

/** What is changed, and where it is refused; a change of `undefined` leaves the field out. */
const WRONG: [Record<string, unknown>, string][] = [
  [{ version: 2 }, 'manifest-version version'],
  [{ version: undefined }, 'field-missing version'],
  [{ surprise: 1 }, 'field-unknown surprise'],
  [{ __proto__x: 1 }, 'field-unknown __proto__x'],
  [{ id: '' }, 'field-value id'],
  [{ id: ' a' }, 'field-value id'],
  [{ id: 'a/b' }, 'field-value id'],
  [{ id: 'a'.repeat(65) }, 'field-value id'],
  [{ id: 1 }, 'field-kind id'],
  [{ reason: 'one\u0007bell' }, 'field-value reason'],
  [{ reason: 'turned \u202e round' }, 'field-value reason'],
  [{ generation: 0 }, 'field-value generation'],
  [{ generation: 1.5 }, 'field-value generation'],
  [{ generation: -0 }, 'field-value generation'],
  [{ generation: 2 ** 32 }, 'field-value generation'],
  [{ generation: '7' }, 'field-kind generation'],
  [{ issued: '2026-02-31T00:00:00Z' }, 'field-value issued'],
  [{ issued: '2026-01-01' }, 'field-value issued'],
  [{ issued: 1 }, 'field-kind issued'],
  [{ expires: '2026-01-09T00:00:00Z' }, 'life-wrong expires'],
  [{ expires: '2028-01-09T00:00:00Z' }, 'life-wrong expires'],
  [{ expires: '2100-01-01T00:00:01Z' }, 'field-value expires'],
  [{ author: 'ann' }, 'field-value author'],
  [{ author: 'A1'.repeat(32) }, 'field-value author'],
  [{ approvals: 0 }, 'field-value approvals'],
  [{ approvals: 9 }, 'field-value approvals'],
  [{ images: [] }, 'field-value images'],
  [{ images: {} }, 'field-kind images'],
  [{ images: [IMAGE, IMAGE] }, 'image-repeated images'],
  [{ images: [IMAGE, other] }, 'image-unused images[1]'],
  [{ images: [other] }, 'image-unknown targets[0].image'],
  [{ images: [{ ...IMAGE, bytes: 0 }] }, 'field-value images[0].bytes'],
  [{ images: [{ ...IMAGE, bytes: 10_240_001 }] }, 'field-value images[0].bytes'],
  [{ images: [{ ...IMAGE, format: 'elf' }] }, 'field-value images[0].format'],
  [{ images: [{ ...IMAGE, version: 0xffff_ffff }] }, 'field-value images[0].version'],
  [
    { images: [{ ...IMAGE, firmwareVersion: '123456789' }] },
    'field-value images[0].firmwareVersion',
  ],
  [{ images: [{ ...IMAGE, url: 'http://' }] }, 'field-unknown images[0].url'],
  [{ targets: [] }, 'field-value targets'],
  [{ targets: [{ ...target, from: [] }] }, 'field-value targets[0].from'],
  [{ targets: [{ ...target, from: ['1', '1'] }] }, 'entry-order targets[0].from'],
  [{ targets: [{ ...target, floor: 0x0200_0001 }] }, 'floor-above-image targets[0].floor'],
  [{ targets: [target, target] }, 'two-images targets[1].from'],
  [{ targets: [{ ...target, from: ['0a', '0A'] }] }, 'two-images targets[0].from'],
  [{ gateways: [] }, 'field-value gateways'],
  [{ devices: ['000d6f000a9069e'] }, 'field-value devices[0]'],
  [{ devices: ['hub:'] }, 'field-value devices[0]'],
  [{ devices: ['000d6f000a9069e7', '00-0D-6F-00-0A-90-69-E7'] }, 'entry-order devices'],
  [{ rings: [] }, 'field-value rings'],
  [{ rings: [ring({})] }, 'ring-kind rings[0]'],
  [{ rings: [ring({ percent: 5, all: true })] }, 'ring-kind rings[0]'],
  [{ rings: [ring({ all: false })] }, 'field-value rings[0].all'],
  [{ rings: [ring({ percent: 100 })] }, 'field-value rings[0].percent'],
  [{ rings: [ring({ percent: 5 })] }, 'ring-order rings'],
  [{ rings: [all, ring({ percent: 5 })] }, 'ring-order rings[1]'],
  [{ rings: [ring({ percent: 5 }), ring({ name: 'b', percent: 5 }), all] }, 'ring-order rings[1]'],
  [
    { rings: [ring({ percent: 5 }), ring({ name: 'b', members: ['g'] }), all] },
    'ring-order rings[1]',
  ],
  [{ rings: [ring({ name: 'z', percent: 5 }), all] }, 'entry-order rings'],
  [{ rings: [{ ...all, untilPercent: 0 }] }, 'field-value rings[0].untilPercent'],
  [{ pace: { ...MANIFEST.pace, growthPercent: 99 } }, 'field-value pace.growthPercent'],
  [{ pace: { ...MANIFEST.pace, most: 1 } }, 'pace-wrong pace.most'],
  [{ aborts: [] }, 'field-value aborts'],
  [{ aborts: [{ failure: 'any' }] }, 'abort-kind aborts[0]'],
  [{ aborts: [{ failure: 'any', percent: 5 }] }, 'abort-kind aborts[0]'],
  [{ aborts: [{ failure: 'any', count: 5, minimum: 5 }] }, 'abort-kind aborts[0]'],
  [{ aborts: [{ failure: 'boredom', count: 5 }] }, 'field-value aborts[0].failure'],
  [{ window: '' }, 'field-value window'],
  [{ activation: { when: 'later' } }, 'field-value activation.when'],
  [{ activation: { when: 'at' } }, 'activation-wrong activation'],
  [{ activation: { when: 'now', at: '2026-01-20T00:00:00Z' } }, 'activation-wrong activation'],
  [{ activation: { when: 'at', at: '2026-03-20T00:00:00Z' } }, 'activation-wrong activation.at'],
];

for (const [change, expected] of WRONG) {
  test(`refused: ${expected}: ${JSON.stringify(change).slice(0, 60)}`, () => {
    const document: Record<string, unknown> = { ...manifestDocument(MANIFEST), ...change };
    for (const [key, value] of Object.entries(change))
      if (value === undefined) delete document[key];
    assert.is(codeOf(readManifestDocument(document)), expected);
  });
}

test('no manifest: other data', () => {
  for (const value of [undefined, null, 1, 'text', [], new Map()]) {
    assert.not.ok(readManifestDocument(value).ok);
  }
});

/** The manifest's CBOR, as `alter` leaves it. */
function altered(alter: (map: Map<unknown, CborValue>) => void): string {
  const decoded = decodeCbor(encodeManifest(MANIFEST), { depthMax: 8, itemsMax: 1000 });
  if (!decoded.ok) throw new Error(decoded.code);
  alter(decoded.value as Map<unknown, CborValue>);
  return codeOf(parseManifest(encodeCbor(decoded.value)));
}

test('in CBOR: fields by number alone, sets in order, hashes as octets, one way to write a device', () => {
  assert.is(
    altered(() => {}),
    'ok',
  );
  assert.is(
    altered((map) => map.set(99, 1)),
    'field-unknown 99',
  );
  assert.is(
    altered((map) => map.set('id', 'a')),
    'field-unknown id',
  );
  assert.is(
    altered((map) => map.set('__proto__', 'a')),
    'field-unknown __proto__',
  );
  assert.is(
    altered((map) => map.delete(6)),
    'field-missing generation',
  );
  assert.is(
    altered((map) => map.set(9, 'a1'.repeat(32))),
    'field-kind author',
  );
  assert.is(
    altered((map) => map.set(9, new Uint8Array(20))),
    'field-value author',
  );
  assert.is(
    altered((map) => map.set(7, '2026-01-09T00:00:00Z')),
    'field-kind issued',
  );
  assert.is(
    altered((map) => map.set(7, -1)),
    'field-value issued',
  );
  assert.is(
    altered((map) => map.set(13, ['b', 'a'])),
    'entry-order gateways',
  );
  assert.is(
    altered((map) => map.set(13, ['a', 'a'])),
    'entry-order gateways',
  );
  assert.is(
    altered((map) => map.set(14, ['000D6F000A9069E7'])),
    'field-value devices[0]',
  );
  assert.is(
    altered((map) => map.set(11, new Map())),
    'field-kind images',
  );
});

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 5 }).map((list) => list.toSorted());
const maker: fc.Arbitrary<Manifest> = fc
  .record({
    id: name,
    generation: fc.integer({ min: 1, max: 0xffff_ffff }),
    approvals: fc.integer({ min: 1, max: 8 }),
    gateways: fc.option(names, { nil: undefined }),
    regions: fc.option(names, { nil: undefined }),
    percents: fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }),
    first: fc.integer({ min: 1, max: 1000 }),
    atMs: fc.option(fc.integer({ min: 1, max: 86_400 }), { nil: undefined }),
    days: fc.integer({ min: 2, max: 399 }),
  })
  .map(({ percents, first, atMs, days, gateways, regions, ...plain }) => {
    const sorted = percents.toSorted((a, b) => a - b);
    return changed({
      ...plain,
      ...(gateways ? { gateways } : {}),
      ...(regions ? { regions } : {}),
      expiresMs: MANIFEST.issuedMs + days * 86_400_000,
      rings: [
        ...sorted.map((percent) => ({ name: `p${percent}`, percent, untilPercent: 90 })),
        { name: 'all', all: true as const, untilPercent: 90 },
      ],
      pace: { ...MANIFEST.pace, first, most: 1000 },
      activation:
        atMs === undefined
          ? { when: 'now' as const }
          : { when: 'at' as const, atMs: MANIFEST.issuedMs + 1000 * atMs },
    });
  });

test('any manifest is read back, from its bytes and from its document', () => {
  fc.assert(
    fc.property(maker, (manifest) => {
      assert.equal(parseManifest(encodeManifest(manifest)), { ok: true, manifest });
      assert.equal(readManifestDocument(manifestDocument(manifest)), { ok: true, manifest });
    }),
  );
});

test('whatever is read has one encoding', () => {
  const good = encodeManifest(MANIFEST);
  for (let bit = 0; bit < 8 * good.length; bit++) {
    const bytes = Uint8Array.from(good);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const read = parseManifest(bytes);
    if (read.ok) assert.equal(encodeManifest(read.manifest), bytes, `bit ${bit}`);
  }
});

test('a signed manifest: cut anywhere, it is none', () => {
  const good = signedCampaign();
  assert.ok(openCampaign(good, { ...TRUST, atMs: NOW }).ok);
  for (let length = 0; length < good.length; length++) {
    assert.not.ok(openCampaign(good.subarray(0, length), { ...TRUST, atMs: NOW }).ok, `${length}`);
  }
});

test('a signed manifest: with any bit flipped it says the same or nothing', () => {
  const good = signedCampaign();
  let taken = 0;
  for (let at = 0; at < good.length; at++) {
    const bytes = Uint8Array.from(good);
    bytes[at]! ^= 1 << (at & 7);
    const opened = openCampaign(bytes, { ...TRUST, atMs: NOW });
    if (!opened.ok) continue;
    taken += 1;
    assert.equal(opened.manifest, MANIFEST);
  }
  assert.is(taken, 0, 'every octet is covered by a signature, or is part of a way that is needed');
});

test('what was opened stands when the bytes change afterwards', () => {
  const bytes = signedCampaign();
  const opened = openCampaign(bytes, { ...TRUST, atMs: NOW });
  bytes.fill(0);
  assert.ok(opened.ok);
  if (opened.ok) assert.equal(opened.manifest, MANIFEST);
});

test.run();
