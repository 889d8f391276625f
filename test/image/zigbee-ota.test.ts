/**
 * OTA files against golden bytes, the naive builder, real files, every truncation and every bit
 * flip.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeHex, encodeHex } from '../../src/bytes/hex.ts';
import { headerSpecFrom } from '../../src/image/ota-header.ts';
import {
  encodeOtaFileFrom,
  encodeOtaImage,
  type OtaFile,
  type OtaImage,
  parseOtaFile,
} from '../../src/image/zigbee-ota.ts';
import { readShared, testWithShared } from '../support/shared.ts';
import { concat, counting, le, type NaiveImage, naiveElement, naiveImage } from './naive-ota.ts';

/** Every optional field, two sub-elements; written out by hand from the header table. */
const GOLDEN = [
  '1ef1ee0b 0001 4500 0700 1d12 8400 78563412 0200', // identifier to stack version
  '474f4c44454e0000000000000000000000000000000000000000000000000000', // GOLDEN
  '52000000', // total image size 82
  '02', // security credential version
  'efcdab8967452301', // destination
  '0001 ff01', // hardware versions
  '0000 01000000 aa', // sub-element 0x0000
  '0100 00000000', // sub-element 0x0001, empty
]
  .join('')
  .replaceAll(' ', '');

function parse(file: Uint8Array): OtaFile {
  const parsed = parseOtaFile(file);
  if (!parsed.ok) throw new Error(`refused: ${parsed.code}`);
  return parsed;
}

function only(file: Uint8Array): OtaImage {
  const { images } = parse(file);
  assert.is(images.length, 1);
  return images[0]!;
}

function refusalCode(file: Uint8Array): string {
  const parsed = parseOtaFile(file);
  return parsed.ok ? 'parsed' : parsed.code;
}

function remarkCodes(parsed: OtaFile): string[] {
  return [...parsed.images.flatMap(({ remarks }) => remarks), ...parsed.remarks].map(
    ({ code }) => code,
  );
}

test('golden bytes: every field is read', () => {
  const file = decodeHex(GOLDEN)!;
  assert.is(file.length, 82);
  const { header, elements } = only(file);
  assert.is(header.headerVersion, 0x0100);
  assert.is(header.headerLength, 69);
  assert.is(header.fieldControl, 7);
  assert.is(header.manufacturerCode, 0x121d);
  assert.is(header.imageType, 0x0084);
  assert.is(header.fileVersion, 0x12345678);
  assert.is(header.zigbeeStackVersion, 2);
  assert.is(header.headerString, 'GOLDEN');
  assert.is(header.totalImageBytes, 82);
  assert.is(header.securityCredentialVersion, 2);
  assert.is(header.destinationEui64, '0123456789abcdef');
  assert.is(header.minimumHardwareVersion, 0x0100);
  assert.is(header.maximumHardwareVersion, 0x01ff);
  assert.is(header.extra.length, 0);
  assert.equal(
    elements.map(({ tag, dataBytes, offset }) => [tag, dataBytes, offset]),
    [
      [0, 1, 69],
      [1, 0, 76],
    ],
  );
  assert.is(elements[0]!.data[0], 0xaa);
});

test('golden bytes: the builder writes them', () => {
  const built = encodeOtaImage({
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: 0x12345678,
    headerString: 'GOLDEN',
    securityCredentialVersion: 2,
    destinationEui64: '0123456789abcdef',
    minimumHardwareVersion: 0x0100,
    maximumHardwareVersion: 0x01ff,
    elements: [
      { tag: 0, data: Uint8Array.of(0xaa) },
      { tag: 1, data: new Uint8Array(0) },
    ],
  });
  assert.is(encodeHex(built), GOLDEN);
});

const SYNTHETIC: Record<string, NaiveImage> = {
  'no body': {},
  'credential version': { credential: 3, body: naiveElement(0, [1, 2, 3]) },
  destination: { destination: 'a1b2c3d4e5f60718', body: naiveElement(0, [9]) },
  'hardware range': { hardware: [0x0102, 0x0304], body: naiveElement(0, counting(300)) },
  'all optional fields': { credential: 0, destination: '0000000000000001', hardware: [0, 0xffff] },
  'credential and hardware': { credential: 1, hardware: [1, 2] },
  'extra header bytes': { hardware: [1, 2], extra: [7, 8, 9], body: naiveElement(0, [1]) },
  'reserved field control': { fieldControl: 0xfff8, body: naiveElement(0, [1]) },
  'tags 1, 2, 5, 6': {
    body: [
      ...naiveElement(0, counting(40)),
      ...naiveElement(2, counting(48)),
      ...naiveElement(1, counting(50)),
      ...naiveElement(6, counting(74)),
      ...naiveElement(5, counting(80)),
    ],
  },
  'image type of credentials': { imageType: 0xffc0, destination: 'ffffffffffffffff' },
  'image type any': { imageType: 0xffff, manufacturer: 0xffff, fileVersion: 0xffffffff },
  'latin-1 header string': { text: '\xe9\xff\x80 32 characters of header string'.slice(0, 32) },
  'broken walk': { body: [...naiveElement(0, [1, 2]), ...naiveElement(1, [1]).slice(0, 6)] },
  'opaque body': { body: counting(235, 0x43) },
  thread: { headerVersion: 0x0200, stack: 4 },
};

for (const [name, spec] of Object.entries(SYNTHETIC)) {
  test(`synthetic, ${name}: read as the naive builder wrote it, and rebuilt`, () => {
    const file = naiveImage(spec);
    const parsed = parse(file);
    const { header, body } = parsed.images[0]!;
    assert.is(header.manufacturerCode, spec.manufacturer ?? 0x121d);
    assert.is(header.imageType, spec.imageType ?? 0x0084);
    assert.is(header.fileVersion, spec.fileVersion ?? 0x01020304);
    assert.is(header.headerString, (spec.text ?? 'naive').replace(/ +$/, ''));
    assert.is(header.securityCredentialVersion, spec.credential);
    assert.is(header.destinationEui64, spec.destination);
    assert.is(header.minimumHardwareVersion, spec.hardware?.[0]);
    assert.is(header.maximumHardwareVersion, spec.hardware?.[1]);
    assert.equal([...header.extra], spec.extra ?? []);
    assert.equal([...body], spec.body ?? []);
    assert.equal(encodeOtaFileFrom(parsed), file);
  });
}

test('views, not copies: every part shares the memory of the file', () => {
  const file = naiveImage({ extra: [1], body: [...naiveElement(0, [5, 6]), 1, 2, 3] });
  const { bytes, body, header, elements, unread } = only(file);
  for (const view of [
    bytes,
    body,
    header.headerStringRaw,
    header.extra,
    elements[0]!.data,
    unread,
  ]) {
    assert.is(view.buffer, file.buffer);
  }
});

test('the header string keeps its bytes, padded with NUL or with blanks', () => {
  for (const text of ['x', 'x'.padEnd(32), ' '.repeat(32), '', 'a\0b', 'y'.repeat(32)]) {
    const file = naiveImage({ text });
    const parsed = parse(file);
    assert.is(parsed.images[0]!.header.headerString, text.split('\0')[0]!.replace(/ +$/, ''));
    assert.equal(encodeOtaFileFrom(parsed), file);
  }
  assert.ok(
    remarkCodes(parse(naiveImage({ text: 'a\0b' }))).includes('header-string-unterminated'),
  );
});

const REFUSALS: [string, () => Uint8Array, string][] = [
  ['an empty file', () => new Uint8Array(0), 'no-identifier'],
  ['wrong magic', () => naiveImage().fill(0, 0, 1), 'no-identifier'],
  ['header length 55', () => naiveImage({ headerLength: 55 }), 'header-too-short'],
  ['header length 0', () => naiveImage({ headerLength: 0 }), 'header-too-short'],
  ['field control 1, length 56', () => naiveImage({ fieldControl: 1 }), 'header-length-mismatch'],
  [
    'field control 7, length 68',
    () => naiveImage({ fieldControl: 7, extra: counting(12) }),
    'header-length-mismatch',
  ],
  ['header beyond file', () => naiveImage({ headerLength: 57 }), 'header-beyond-file'],
  [
    'header beyond image',
    () => naiveImage({ headerLength: 60, totalImageBytes: 58, body: counting(20) }),
    'header-beyond-image',
  ],
  ['total size below 56', () => naiveImage({ totalImageBytes: 3 }), 'header-beyond-image'],
  ['total size one more', () => naiveImage({ totalImageBytes: 57 }), 'image-truncated'],
  ['total size 4 GiB', () => naiveImage({ totalImageBytes: 0xffffffff }), 'image-truncated'],
  ['header version 3.0', () => naiveImage({ headerVersion: 0x0300 }), 'header-version-unsupported'],
  ['a zip', () => Uint8Array.from([0x50, 0x4b, 3, 4, ...naiveImage()]), 'archive-file'],
  ['a gzip', () => Uint8Array.from([0x1f, 0x8b, 8, ...naiveImage()]), 'archive-file'],
  ['a tar', () => tar(naiveImage()), 'archive-file'],
];

for (const [name, make, code] of REFUSALS) {
  test(`${name}: ${code}`, () => assert.is(refusalCode(make()), code));
}

test('every truncation of an image is refused, and at no length thrown', () => {
  const file = naiveImage({ credential: 1, hardware: [1, 2], body: naiveElement(0, counting(40)) });
  for (let length = 0; length < file.length; length++) {
    const code = refusalCode(file.slice(0, length));
    const expected =
      length < 4 ? 'no-identifier' : length < 56 ? 'header-truncated' : /beyond-file|truncated/;
    if (typeof expected === 'string') assert.is(code, expected, `length ${length}`);
    else assert.match(code, expected);
  }
  assert.is(refusalCode(file), 'parsed');
});

test('every one-bit flip of a header is refused, or another value that rebuilds the same', () => {
  const file = naiveImage({
    credential: 1,
    destination: '0123456789abcdef',
    hardware: [1, 2],
    body: [...naiveElement(0, counting(20)), ...naiveElement(0xf000, counting(9))],
  });
  let refused = 0;
  for (let bit = 0; bit < 8 * (69 + 6); bit++) {
    const flipped = file.slice();
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    const parsed = parseOtaFile(flipped);
    if (!parsed.ok) refused++;
    else assert.equal(encodeOtaFileFrom(parsed), flipped, `bit ${bit}`);
  }
  assert.ok(refused >= 32 + 10, `${refused} flips refused`);
});

test('sub-elements cut at every length: reported, kept, rebuilt', () => {
  const body = [...naiveElement(0, counting(5)), ...naiveElement(3, counting(16))];
  for (let length = 0; length <= body.length; length++) {
    const file = naiveImage({ body: body.slice(0, length) });
    const parsed = parse(file);
    const { elements, unread } = parsed.images[0]!;
    const whole = [0, 11, 33].includes(length);
    assert.is(unread.length === 0, whole);
    assert.is(remarkCodes(parsed).includes('walk-broken'), !whole);
    assert.is(elements.length, length < 11 ? 0 : length < 33 ? 1 : 2);
    assert.equal(encodeOtaFileFrom(parsed), file);
  }
});

test('an element that claims 1.7 GB is reported and costs nothing', () => {
  const parsed = parse(naiveImage({ body: [...le(0x7243, 2), ...le(0x63697469, 4), 1, 2, 3] }));
  assert.equal(parsed.images[0]!.elements, []);
  assert.is(parsed.images[0]!.unread.length, 9);
});

test('Telink: two info bytes after tag 0xF000, only where the plain walk fails', () => {
  const telink = naiveImage({ body: naiveElement(0xf000, counting(30), [0xaa, 0xbb]) });
  const parsed = parse(telink);
  const [element] = parsed.images[0]!.elements;
  assert.equal([...element!.info], [0xaa, 0xbb]);
  assert.equal([...element!.data], counting(30));
  assert.ok(remarkCodes(parsed).includes('telink-info-bytes'));
  assert.equal(encodeOtaFileFrom(parsed), telink);
  const ordinary = only(naiveImage({ body: naiveElement(0xf000, counting(30)) }));
  assert.is(ordinary.elements[0]!.info.length, 0);
  assert.equal(ordinary.remarks, []);
});

test('repeated, reserved and misfit tags are remarks', () => {
  const parsed = parse(
    naiveImage({
      body: [
        ...naiveElement(0, [1]),
        ...naiveElement(0, [2]),
        ...naiveElement(0, [3]),
        ...naiveElement(0x0100, [1]),
        ...naiveElement(0x0100, [1]),
        ...naiveElement(0xf000, [1]),
        ...naiveElement(3, [1, 2, 3]),
      ],
    }),
  );
  assert.equal(remarkCodes(parsed), [
    'element-repeated',
    'element-reserved',
    'element-repeated',
    'element-length-unusual',
  ]);
});

test('more sub-elements than any file has are capped', () => {
  const file = naiveImage({ body: new Array(6 * 5000).fill(0) });
  const parsed = parse(file);
  assert.is(parsed.images[0]!.elements.length, 4096);
  assert.ok(remarkCodes(parsed).includes('elements-capped'));
  assert.equal(encodeOtaFileFrom(parsed), file);
});

test('several images in a row, and an identifier that is no image after them', () => {
  const one = naiveImage({ fileVersion: 1, body: naiveElement(0, [1]) });
  const two = naiveImage({ fileVersion: 2, body: naiveElement(0, [2, 2]) });
  const file = concat(one, two, one.slice(0, 20));
  const parsed = parse(file);
  assert.equal(
    parsed.images.map(({ header, offset }) => [header.fileVersion, offset]),
    [
      [1, 0],
      [2, one.length],
    ],
  );
  assert.is(parsed.trailing.length, 20);
  const codes = remarkCodes(parsed);
  assert.ok(codes.includes('several-images-found') && codes.includes('image-unreadable-after'));
  assert.equal(encodeOtaFileFrom(parsed), file);
});

test('more images than any file has are capped', () => {
  const file = concat(...new Array(70).fill(naiveImage()));
  const parsed = parse(file);
  assert.is(parsed.images.length, 64);
  assert.equal(encodeOtaFileFrom(parsed), file);
});

test('an image inside the body of another is pointed out, and served as part of it', () => {
  const inner = naiveImage({ body: naiveElement(0, [1]) });
  const file = naiveImage({ body: [...naiveElement(0, [7]), ...inner] });
  const parsed = parse(file);
  assert.is(parsed.images.length, 1);
  assert.is(parsed.images[0]!.bytes.length, file.length);
  assert.ok(remarkCodes(parsed).includes('nested-image'));
  const decoy = parse(naiveImage({ body: [...naiveElement(0, [7]), ...inner.slice(0, 60)] }));
  assert.ok(remarkCodes(decoy).includes('walk-broken'));
});

test('IKEA container: followed, and refused where it contradicts the file', () => {
  const inner = naiveImage({ body: naiveElement(0, counting(50)) });
  const file = ngis(inner, 40, inner.length, 40 + inner.length);
  const parsed = parse(file);
  assert.is(parsed.container.kind, 'ikea-ngis');
  assert.equal(parsed.images[0]!.bytes, inner);
  assert.is(parsed.trailing.length, 8);
  assert.equal(encodeOtaFileFrom(parsed), file);
  const wrong: [number, number, number, string][] = [
    [40, inner.length - 1, 40 + inner.length - 1, 'container-mismatch'],
    [40, inner.length, 40 + inner.length + 1, 'container-mismatch'],
    [40, 0xffffffff, 0, 'container-mismatch'],
    [0xffffffff, inner.length, 0, 'container-mismatch'],
    [0, inner.length, inner.length, 'container-mismatch'],
    [41, inner.length, 41 + inner.length, 'no-identifier'],
  ];
  for (const [offset, length, trailer, code] of wrong) {
    assert.is(refusalCode(ngis(inner, offset, length, trailer)), code);
  }
  assert.is(refusalCode(file.slice(0, 40 + inner.length - 1)), 'container-mismatch');
  for (let length = 0; length < 40 + inner.length; length++) {
    assert.is.not(refusalCode(file.slice(0, length)), 'parsed', `length ${length}`);
  }
});

test('Legrand wrapper: by its length; another number is an unknown wrapper', () => {
  const inner = naiveImage({ body: naiveElement(0, [1]) });
  const legrand = parse(concat(le(inner.length, 4), inner, counting(17)));
  assert.is(legrand.container.kind, 'legrand');
  assert.is(legrand.trailing.length, 17);
  const other = parse(concat(le(inner.length + 1, 4), inner));
  assert.is(other.container.kind, 'unknown-wrapper');
  assert.is(other.container.imageOffset, 4);
});

test('a search takes the first plausible header, not the first identifier, and is bounded', () => {
  const inner = naiveImage({ body: naiveElement(0, [1]) });
  const decoy = [0x1e, 0xf1, 0xee, 0x0b, 0x1e];
  const parsed = parse(concat(counting(100, 1), decoy, counting(30, 1), inner));
  assert.is(parsed.container.imageOffset, 135);
  assert.is(refusalCode(concat([9], decoy, counting(90))), 'header-version-unsupported');
  const far = new Uint8Array(65_537 + inner.length);
  far.set(inner, 65_537);
  assert.is(refusalCode(far), 'no-identifier');
});

test('trailing bytes are kept apart and not served', () => {
  const inner = naiveImage({ body: naiveElement(0, [1]) });
  const parsed = parse(concat(inner, [1, 2, 3, 4]));
  assert.equal(parsed.images[0]!.bytes, inner);
  assert.equal([...parsed.trailing], [1, 2, 3, 4]);
  assert.ok(remarkCodes(parsed).includes('trailing-bytes'));
});

test('the builder refuses what it cannot write', () => {
  const good = headerSpecFrom(only(naiveImage()).header);
  const bad: object[] = [
    { manufacturerCode: 0x10000 },
    { fileVersion: -1 },
    { imageType: 1.5 },
    { headerString: 'x'.repeat(33) },
    { headerString: '\u0416' },
    { headerString: new Uint8Array(31) },
    { destinationEui64: '12' },
    { minimumHardwareVersion: 1 },
    { reservedFieldControl: 1 },
  ];
  for (const change of bad) {
    assert.throws(() => encodeOtaImage({ ...good, ...change }), /assertion/);
  }
});

const SAMPLES: Record<string, { at: number; after: number; tags: string; kind: string }> = {
  'Develco__AirQualitySensor_4.0.3.zigbee': {
    at: 0,
    after: 0,
    tags: 'f000:18 0:197688 f001:18 3:16',
    kind: 'plain',
  },
  'Hue__100B-010E-01002800-ConfLight-ModuLum_0012.zigbee': {
    at: 0,
    after: 0,
    tags: 'f000:2624 0:249984 f100:448 f101:448 f102:576 f103:576 f104:576',
    kind: 'plain',
  },
  'IKEA__10035515-TRADFRI-bulb-cws-2.3.093.ota.ota.signed': {
    at: 488,
    after: 512,
    tags: '0:216192 ffbf:64 ffbe:11170',
    kind: 'ikea-ngis',
  },
  'Legrand__1021-000f-004745ff-NLL.zigbee': {
    at: 4,
    after: 17,
    tags: '0:255081',
    kind: 'legrand',
  },
  'SalusControls__HS1SA_EM-SALUS-0621-V14-190907.ota': {
    at: 0,
    after: 4,
    tags: '0:138944',
    kind: 'plain',
  },
  'Ubisys__10F2-7B29-0000-0004-01940221-spo-fmi4.ota.zigbee': {
    at: 0,
    after: 0,
    tags: 'f7bd:160 0:117504 3:16',
    kind: 'plain',
  },
};

for (const [name, expected] of Object.entries(SAMPLES)) {
  testWithShared(test, `samples/ota/${name}`, `sample ${name}: parsed and rebuilt`, () => {
    const file = readShared(`samples/ota/${name}`);
    const parsed = parse(file);
    assert.is(parsed.container.kind, expected.kind);
    assert.is(parsed.container.imageOffset, expected.at);
    assert.is(parsed.trailing.length, expected.after);
    const [image] = parsed.images;
    const tags = image!.elements.map(({ tag, dataBytes }) => `${tag.toString(16)}:${dataBytes}`);
    assert.ok(tags.join(' ').startsWith(expected.tags), tags.join(' '));
    assert.is(image!.unread.length, 0);
    assert.is(Buffer.compare(encodeOtaFileFrom(parsed), file), 0);
  });
}

testWithShared(
  test,
  'samples/ota',
  'a sample cut anywhere in its header, and around its end',
  () => {
    const file = readShared('samples/ota/Ubisys__10F2-7B29-0000-0004-01940221-spo-fmi4.ota.zigbee');
    const cuts = [...counting(200), ...counting(40).map((n) => file.length - 1 - n)];
    for (const length of cuts) {
      assert.match(refusalCode(file.subarray(0, length)), /no-identifier|truncated|beyond-file/);
    }
  },
);

function ngis(inner: Uint8Array, offset: number, length: number, trailer: number): Uint8Array {
  const head = [0x4e, 0x47, 0x49, 0x53, ...new Array(12).fill(0)];
  const offsets = [...le(offset, 4), ...le(length, 4), ...le(trailer, 4)];
  return concat(head, offsets, new Array(12).fill(0), inner, counting(8));
}

function tar(inner: Uint8Array): Uint8Array {
  const block = new Uint8Array(512);
  block.set(new TextEncoder().encode('image.zigbee'));
  block.set(new TextEncoder().encode('ustar'), 257);
  return concat(block, inner);
}

test.run();
