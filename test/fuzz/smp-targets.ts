/** CBOR, SMP lines, and answers in good lines to every kind of request. */
import fc from 'fast-check';
import { CBOR_REFUSALS, CBOR_SCAN_DEFAULTS, scanCbor } from '../../src/bytes/cbor-scan.ts';
import { decodeCborMap } from '../../src/protocol/smp/cbor.ts';
import { SmpClient } from '../../src/protocol/smp/client.ts';
import {
  CLIENT_FAILURES,
  listedPeerErrors,
  type SmpFailure,
} from '../../src/protocol/smp/codes.ts';
import { decodeHeader } from '../../src/protocol/smp/header.ts';
import type { SmpEvent, SmpRequest } from '../../src/protocol/smp/messages.ts';
import {
  cbor,
  counting,
  type Frame,
  firmware,
  frame,
  Indefinite,
  lines,
  messagesIn,
} from '../protocol/smp/naive-codec.ts';
import { Drive } from './drive.ts';
import {
  ACCEPTED,
  type Answer,
  type Family,
  hold,
  known,
  refusedBy,
  type Target,
} from './target.ts';

const HASH = counting(32);
const IMAGE = {
  slot: 0,
  version: '1.2.3',
  hash: HASH,
  bootable: true,
  active: true,
  confirmed: true,
};
const IMAGES = { images: [IMAGE, { image: 0, slot: 1, version: '1.2.4', hash: HASH }] };
const ANSWERS: [SmpRequest, Record<string, unknown>][] = [
  [{ kind: 'echo', text: 'hi' }, { r: 'hi' }],
  [{ kind: 'reset' }, {}],
  [{ kind: 'params' }, { buf_size: 2475, buf_count: 4 }],
  [{ kind: 'os-info' }, { output: 'Zephyr' }],
  [{ kind: 'bootloader-info' }, { bootloader: 'MCUboot', mode: 1 }],
  [{ kind: 'image-list' }, IMAGES],
  [{ kind: 'image-test', hash: HASH }, IMAGES],
  [{ kind: 'image-confirm' }, IMAGES],
  [{ kind: 'image-erase' }, { rc: 0 }],
  [
    { kind: 'slot-info' },
    {
      images: [
        { image: 0, max_image_size: 4096, slots: [{ slot: 0, size: 8192, upload_image_id: 1 }] },
      ],
    },
  ],
  [
    { kind: 'raw', write: false, group: 64, command: 3, body: cbor({ a: 1 }) },
    { a: [1, -2, null] },
  ],
];
const ERRORS = [{ rc: 8, rsn: 'no' }, { err: { group: 1, rc: 3 } }].map((body) => cbor(body));
const CODES: Record<string, string> = {
  ...CLIENT_FAILURES,
  'group-error': '',
  'smp-user': '',
  'smp-unlisted': '',
  ...Object.fromEntries(listedPeerErrors().map(({ code }) => [code, ''])),
};
const MAPS = [...ANSWERS.map(([, map]) => cbor(new Indefinite(map))), ...ERRORS];
const UPLOAD = firmware(1500);

export const SMP: Family = {
  name: 'smp',
  targets: [
    { name: 'CBOR', good: MAPS, arbitrary: cborItems(), read: readCbor },
    {
      name: 'lines of SMP',
      good: MAPS.map(lineOf),
      words: ['\x06\x09', '\x04\x14', '\n'],
      read: readLines,
    },
    ...ANSWERS.map(answerTarget),
    { name: 'answers to an upload', good: [uploadAnswers()], read: readUpload },
  ],
};

function readCbor(bytes: Uint8Array): Answer {
  const tolerant = {
    ...CBOR_SCAN_DEFAULTS,
    allowTags: true,
    allowFloats: true,
    allowIntegerKeys: true,
  };
  const strict = scanCbor(bytes);
  const loose = scanCbor(bytes, 0, bytes.length, tolerant);
  if (strict.ok) hold(loose.ok && loose.items === strict.items, 'what is taken strictly is taken');
  const map = decodeCborMap(bytes, 0, bytes.length);
  if (map.ok) hold(strict.ok, 'what is decoded was looked over');
  else known({ ...CBOR_REFUSALS, 'not-a-map': '', undecodable: '' }, map.code);
  if (strict.ok) return ACCEPTED;
  hold(strict.offset >= 0 && strict.offset <= bytes.length, 'an offset is inside');
  return refusedBy(CBOR_REFUSALS, strict.code);
}

/** As an answer to the first request of a client. */
function lineOf(body: Uint8Array): Uint8Array {
  return lines(withBody({ op: 3, version: 1, group: 0, sequence: 0, command: 0 }, body));
}

function withBody(head: Omit<Frame, 'body'>, body: Uint8Array): Uint8Array {
  const { op, version, group, sequence, command } = head;
  const length = [body.length >> 8, body.length & 255];
  const start = [(version << 3) | op, 0, ...length, group >> 8, group & 255, sequence, command];
  return Uint8Array.from([...start, ...body]);
}

function readLines(bytes: Uint8Array): Answer {
  const client = new SmpClient();
  const drive = new Drive<SmpEvent>(client);
  const ids = ANSWERS.map(([request]) => client.request(request));
  drive.drain();
  drive.hear(bytes);
  for (const out of messagesIn(bytes)) decodeHeader(out, 0, out.length);
  drive.finish();
  return ended(drive, ids);
}

function answerTarget([request, map]: [SmpRequest, Record<string, unknown>]): Target {
  return {
    name: `answer to ${request.kind}`,
    good: [cbor(map), cbor(new Indefinite(map)), ...ERRORS],
    read(bytes) {
      const client = new SmpClient();
      const drive = new Drive<SmpEvent>(client);
      const id = client.request(request);
      drive.drain();
      const { op, version, group, sequence, command } = frame(messagesIn(drive.sent[0]!)[0]!);
      drive.hear(lines(withBody({ op: op + 1, version, group, sequence, command }, bytes)));
      drive.finish();
      return ended(drive, [id]);
    },
  };
}

/** Each request is answered or fails, once. */
function ended({ events }: Drive<SmpEvent>, ids: readonly number[]): Answer {
  const ends = events.filter(
    ({ kind }) => kind === 'answered' || kind === 'failed' || kind === 'uploaded',
  );
  const ended = ends.map(({ id }) => id).sort((a, b) => a - b);
  hold(JSON.stringify(ended) === JSON.stringify(ids), 'every request ends once');
  const failures = ends.flatMap((end): SmpFailure[] =>
    end.kind === 'failed' ? [end.failure] : [],
  );
  const codes = failures.map(({ code }) => known(CODES, code));
  return { accepted: failures.length < ids.length, codes: [...new Set(codes)] };
}

/** Bodies of answers, each behind its length. */
function uploadAnswers(): Uint8Array {
  const offsets = [90, 300, 600, 900, 1200, 1500];
  return Uint8Array.from(
    offsets.flatMap((off) => {
      const body = cbor(off === 1500 ? { rc: 0, off, match: true } : { rc: 0, off });
      return [body.length, ...body];
    }),
  );
}

function readUpload(bytes: Uint8Array): Answer {
  const client = new SmpClient({ windowMax: 1 });
  const drive = new Drive<SmpEvent>(client);
  const id = client.startUpload({ image: UPLOAD, sha256: HASH, imageHash: HASH }, drive.nowMs);
  drive.drain();
  let answered = 0;
  for (let at = 0; at < bytes.length && answered < 200; answered++) {
    const length = bytes[at]!;
    const body = bytes.subarray(at + 1, at + 1 + length);
    at += 1 + length;
    const last = drive.sent.at(-1);
    if (!last) break;
    const { op, version, group, sequence, command } = frame(messagesIn(last)[0]!);
    drive.pass(5);
    drive.hear(lines(withBody({ op: op | 1, version, group, sequence, command }, body)));
  }
  drive.finish();
  return ended(drive, [id]);
}

/** Any values, and items of CBOR with lengths that do not fit. */
function cborItems(): fc.Arbitrary<Uint8Array> {
  const key = fc.constantFrom('rc', 'off', 'images', 'err', '__proto__', 'constructor', '');
  const leaf = fc.oneof(fc.integer({ min: -70_000, max: 70_000 }), fc.boolean(), fc.string());
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const head = fc
    .tuple(fc.nat(255), fc.uint8Array({ maxLength: 9 }))
    .map(([first, rest]) => [first, ...rest]);
  return fc.oneof(
    fc.dictionary(key, value).map((map) => cbor(map)),
    fc.array(head, { maxLength: 8 }).map((heads) => Uint8Array.from(heads.flat())),
  );
}
