/** The observed states of a device with MCUboot, as its image list shows them, and what follows from each. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  deviceModeOf,
  imageStateOf,
  NEXT_BOOTS,
  UPLOAD_OUTLOOKS,
  type UploadQuestion,
  uploadOutlook,
} from '../../../src/protocol/smp/image-state.ts';
import type { ImageEntry } from '../../../src/protocol/smp/messages.ts';

const test = suite('protocol/smp image state');

const A = new Uint8Array(32).fill(0xa);
const B = new Uint8Array(32).fill(0xb);
const C = new Uint8Array(32).fill(0xc);

function entry(slot: number, hash: Uint8Array, ...flags: string[]): ImageEntry {
  const has = (flag: string) => flags.includes(flag);
  return {
    image: 0,
    slot,
    version: '1.0.0',
    hash,
    bootable: has('bootable'),
    pending: has('pending'),
    confirmed: has('confirmed'),
    active: has('active'),
    permanent: has('permanent'),
    flagged: flags.length > 0,
  };
}

const RUNS_A = entry(0, A, 'bootable', 'active', 'confirmed');

/** The list, what the next reset does, and what an upload of B and of C would come to. */
const OBSERVED: [string, ImageEntry[], string, string, string][] = [
  ['A alone', [RUNS_A], 'stays', 'upload', 'upload'],
  ['B uploaded', [RUNS_A, entry(1, B, 'bootable')], 'stays', 'in-other-slot', 'upload'],
  [
    'B to be tested',
    [RUNS_A, entry(1, B, 'bootable', 'pending')],
    'tests',
    'pending',
    'upload-drops-pending',
  ],
  [
    'B on trial',
    [entry(0, B, 'bootable', 'active'), entry(1, A, 'bootable', 'confirmed')],
    'reverts',
    'runs-unconfirmed',
    'blocked-unconfirmed',
  ],
  ['B confirmed', [entry(0, B, 'bootable', 'active', 'confirmed')], 'stays', 'runs', 'upload'],
  [
    'B for good at the next reset',
    [RUNS_A, entry(1, B, 'bootable', 'pending', 'permanent')],
    'changes',
    'pending',
    'upload-drops-pending',
  ],
  ['nothing', [], 'unknown', 'upload', 'upload'],
];

const question = (hash: Uint8Array, more: Partial<UploadQuestion> = {}): UploadQuestion => ({
  hash,
  imageBytes: 1_000,
  mode: 'application',
  ...more,
});

for (const [name, images, nextBoot, ofB, ofC] of OBSERVED) {
  test(name, () => {
    assert.is(imageStateOf(images).nextBoot, nextBoot);
    assert.is(uploadOutlook(images, question(B)), ofB);
    assert.is(uploadOutlook(images, question(C)), ofC);
  });
}

test('the order of the list means nothing', () => {
  for (const [, images, nextBoot, ofB] of OBSERVED) {
    const reversed = [...images].reverse();
    assert.is(imageStateOf(reversed).nextBoot, nextBoot);
    assert.is(uploadOutlook(reversed, question(B)), ofB);
  }
});

test('the same image in both slots runs already, and says so', () => {
  const images = [RUNS_A, entry(1, A, 'bootable')];
  assert.is(imageStateOf(images).sameInBoth, true);
  assert.is(uploadOutlook(images, question(A)), 'runs');
  assert.is(imageStateOf([RUNS_A, entry(1, B)]).sameInBoth, false);
});

test('an image on trial blocks even what is too large, and what is in the other slot', () => {
  const images = [entry(0, B, 'active'), entry(1, A, 'confirmed')];
  assert.is(uploadOutlook(images, question(A)), 'blocked-unconfirmed');
  const large = question(C, { imageBytes: 2_000, imageBytesMax: 1_999 });
  assert.is(uploadOutlook(images, large), 'blocked-unconfirmed');
});

test('the size counts only where there is something to upload', () => {
  const large = { imageBytes: 2_000, imageBytesMax: 1_999 };
  assert.is(uploadOutlook([RUNS_A], question(B, large)), 'too-large');
  assert.is(uploadOutlook([RUNS_A], question(A, large)), 'runs');
  assert.is(uploadOutlook([RUNS_A], question(B, { ...large, imageBytes: 1_999 })), 'upload');
});

test('each image number is looked at alone', () => {
  const second = { ...entry(0, B, 'active', 'confirmed'), image: 1 };
  assert.is(uploadOutlook([RUNS_A, second], question(B)), 'upload');
  assert.is(uploadOutlook([RUNS_A, second], question(B, { image: 1 })), 'runs');
});

test('an entry without a hash equals nothing', () => {
  const nameless = entry(0, new Uint8Array(0), 'active', 'confirmed');
  assert.is(uploadOutlook([nameless], question(new Uint8Array(0))), 'upload');
});

test('recovery takes the primary slot', () => {
  const mode = 'recovery';
  assert.is(uploadOutlook([entry(0, A)], question(B, { mode })), 'upload-to-primary');
  assert.is(uploadOutlook([entry(0, A)], question(A, { mode })), 'in-primary');
  const large = { mode, imageBytes: 2, imageBytesMax: 1 } as const;
  assert.is(uploadOutlook([], question(B, large)), 'too-large');
});

test('application or recovery', () => {
  assert.is(deviceModeOf({ images: [RUNS_A], echo: 'smp-not-supported' }), 'application');
  assert.is(deviceModeOf({ images: [entry(0, A)], echo: 'answered' }), 'recovery');
  assert.is(deviceModeOf({ images: [], echo: 'smp-not-supported' }), 'recovery');
  assert.is(deviceModeOf({ images: [], echo: 'answered' }), 'application');
  assert.is(deviceModeOf({ echo: 'no-answer' }), 'unknown');
  assert.is(deviceModeOf({}), 'unknown');
});

test('every outlook and every next boot has a sentence', () => {
  for (const sentence of Object.values({ ...NEXT_BOOTS, ...UPLOAD_OUTLOOKS })) {
    assert.match(sentence, /^[A-Z].*\.$/);
  }
});

test.run();
