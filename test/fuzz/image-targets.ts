/** Images: every format, as its own reader sees it and as the gateway gathers facts from it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { type AnyImageProfile, gatherImageFacts } from '../../src/admission/facts.ts';
import { loadTrust } from '../../src/gateway/trust-folder.ts';
import { IMAGE_REFUSALS, type Refusal } from '../../src/image/codes.ts';
import { describeImage } from '../../src/image/describe.ts';
import { describeHubImage } from '../../src/image/describe-hub.ts';
import { encodeEblImage, parseEblImage } from '../../src/image/ebl.ts';
import { recogniseFormat, refuseFormat } from '../../src/image/file-format.ts';
import {
  IMAGE_PROFILES,
  isImageProfileId,
  locateUpgradeImage,
} from '../../src/image/gb-upgrade.ts';
import { encodeGblImage, gblSpecFrom, parseGblImage } from '../../src/image/gbl.ts';
import { HUB_IMAGE_PROFILES, readHubImage } from '../../src/image/hub-image.ts';
import { encodeMcubootImage, mcubootSpecFrom, parseMcubootImage } from '../../src/image/mcuboot.ts';
import { encodeOtaFileFrom, parseOtaFile } from '../../src/image/zigbee-ota.ts';
import {
  naiveCrc32,
  naiveEbl,
  naiveEblHeader,
  naiveGbl,
  naiveGblHeader,
  naiveMcuboot,
} from '../image/naive-hub.ts';
import { concat, counting, le, naiveElement, naiveImage } from '../image/naive-ota.ts';
import {
  ACCEPTED,
  type Answer,
  type Family,
  hold,
  refusedBy,
  sameBytes,
  type Target,
} from './target.ts';

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
const shipped = (name: string) => new Uint8Array(readFileSync(resolve(FIRMWARE, name)));
const { anchors: ANCHORS } = loadTrust(resolve(FIRMWARE, 'trust'));

const OTA: readonly Uint8Array[] = [
  naiveImage({ body: counting(90), hardware: [0x100, 0x1ff] }),
  naiveImage({
    destination: '00112233445566aa',
    credential: 1,
    body: [...naiveElement(0, counting(20)), ...naiveElement(3, counting(16))],
  }),
  concat([1, 2, 3], naiveImage({ body: naiveElement(0xf001, counting(9), [1, 2]) }), counting(5)),
  concat(naiveImage({ body: counting(8) }), naiveImage({ body: counting(8) })),
];
const MCUBOOT: readonly Uint8Array[] = [
  naiveMcuboot({
    protectedTlvs: [[0x50, [2, 0, 0, 0]]],
    tlvs: [
      [0x10, counting(32)],
      [0x01, counting(32)],
      [0x22, counting(70)],
    ],
  }),
  naiveMcuboot({ headerBytes: 64, body: counting(40), trailing: counting(8) }),
];
const PROGRAM = [...le(0x4000, 4), ...counting(50, 3)];
const GBL: readonly Uint8Array[] = [
  naiveGbl([naiveGblHeader(0x100), [0xfd0303fd, PROGRAM], [0xf70a0af7, counting(64)]]),
  naiveGbl([naiveGblHeader(1), [0xfa0606fa, counting(16)], [0xf90707f9, counting(64)]]),
];
const EBL: readonly Uint8Array[] = [
  naiveEbl([naiveEblHeader(), [0xfd03, [8, 0, 0x40, 0, ...counting(60)]]]),
];

/** Lengths and tags as they come, so that the walks through them go astray in every way. */
const tagged = (idBytes: number, lengthBytes: number): fc.Arbitrary<number[]> =>
  fc
    .array(
      fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 24 }), fc.integer({ min: -2, max: 2 })),
    )
    .map((tags) =>
      tags.flatMap(([id, value, off]) => [
        ...le(id, idBytes),
        ...le(Math.max(0, value.length + off), lengthBytes),
        ...value,
      ]),
    );

const target = (
  name: string,
  good: readonly Uint8Array[],
  read: Target['read'],
  arbitrary?: fc.Arbitrary<Uint8Array>,
): Target => ({ name, good, read, ...(arbitrary ? { arbitrary } : {}) });

export const IMAGE: Family = {
  name: 'image',
  targets: [
    target(
      'zigbee-ota',
      OTA,
      readOta,
      tagged(2, 4).map((body) => naiveImage({ body })),
    ),
    target(
      'mcuboot',
      MCUBOOT,
      readMcuboot,
      tagged(2, 2).map((area) =>
        naiveMcuboot({ trailing: [...le(0x6907, 2), ...le(4 + area.length, 2), ...area] }),
      ),
    ),
    target('gbl', GBL, readGbl),
    target('gbl, its CRC right', GBL, (bytes) => readGbl(sealed(bytes))),
    target('ebl', EBL, readEbl),
    target('ebl, its CRC right', EBL, (bytes) => readEbl(sealedEbl(bytes))),
    target('file format', [...OTA, ...MCUBOOT, ...GBL, ...EBL], readFormat),
    target(
      'facts',
      [
        ...[...OTA.slice(0, 2), ...MCUBOOT, ...GBL, ...EBL],
        ...['hub-2.0.0-test.mcuboot.bin', 'hub-00020000-test.gbl'].map((name) =>
          shipped(name).subarray(0, 4096),
        ),
      ],
      readFacts,
    ),
  ],
};

function refused({ code }: Refusal): Answer {
  return refusedBy(IMAGE_REFUSALS, code);
}

function readOta(bytes: Uint8Array): Answer {
  const file = parseOtaFile(bytes);
  if (!file.ok) return refused(file);
  hold(sameBytes(encodeOtaFileFrom(file), bytes), 'the file again from its parts');
  for (const profile of Object.keys(IMAGE_PROFILES).filter(isImageProfileId)) {
    describeImage(file, profile);
    for (const image of file.images) {
      const located = locateUpgradeImage(image, profile);
      if (!located.ok) refused(located);
    }
  }
  return ACCEPTED;
}

function readMcuboot(bytes: Uint8Array): Answer {
  const image = parseMcubootImage(bytes);
  if (!image.ok) return refused(image);
  const again = encodeMcubootImage(mcubootSpecFrom(image));
  hold(sameBytes(again, bytes.subarray(0, again.length)), 'the image again from its parts');
  return describedHub(bytes, 'mcuboot');
}

function readGbl(bytes: Uint8Array): Answer {
  const image = parseGblImage(bytes);
  if (!image.ok) return refused(image);
  hold(parseGblImage(encodeGblImage(gblSpecFrom(image))).ok, 'written again it is read');
  return describedHub(bytes, 'gbl');
}

function readEbl(bytes: Uint8Array): Answer {
  const image = parseEblImage(bytes);
  if (!image.ok) return refused(image);
  const { header, programs } = image;
  hold(parseEblImage(encodeEblImage({ header, programs })).ok, 'written again it is read');
  return describedHub(bytes, 'ebl');
}

function describedHub(bytes: Uint8Array, profile: 'mcuboot' | 'gbl' | 'ebl'): Answer {
  const image = readHubImage(bytes, profile);
  if (!image.ok) return refused(image);
  hold(image.sendBytes.length + image.outsideBytes === bytes.length, 'what is sent, and the rest');
  describeHubImage(image);
  return ACCEPTED;
}

function readFormat(bytes: Uint8Array): Answer {
  if (recogniseFormat(bytes) !== undefined) return ACCEPTED;
  return refused(refuseFormat(bytes));
}

function readFacts(bytes: Uint8Array): Answer {
  const profiles: AnyImageProfile[] = [
    ...Object.keys(IMAGE_PROFILES).filter(isImageProfileId),
    ...HUB_IMAGE_PROFILES,
  ];
  const codes: string[] = [];
  for (const profile of profiles) {
    const { facts } = gatherImageFacts(bytes, { profile, trust: { anchors: ANCHORS } });
    if (!facts.ok) codes.push(...refused(facts).codes);
  }
  return { accepted: codes.length < profiles.length, codes };
}

/** With the CRC of the END tag over what is there. */
function sealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4) return bytes;
  const covered = [...bytes.subarray(0, -4)];
  return Uint8Array.from([...covered, ...le(naiveCrc32(covered), 4)]);
}

/** An EBL ends in padding of 0xFF behind the CRC. */
function sealedEbl(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0xff) end--;
  return concat(sealed(bytes.subarray(0, end)), bytes.subarray(end));
}
