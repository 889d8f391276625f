/**
 * Slots and boots as the real board showed them, every observed transition a row, errors as version
 * 2 writes them; then what a virtual hub can be built with.
 */
import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Bench, makeImage, type TestImage } from './fixture.ts';

const A = makeImage({ version: [1, 0, 0, 0] });
const B = makeImage({ version: [1, 2, 3, 4], bodyBytes: 9_000 });
const OLDER = makeImage({ version: [0, 9, 0, 0] });

const ONLY_A = '0 1.0.0 confirmed active';
const A_AND_B = `${ONLY_A} | 1 1.2.3.4`;
const B_PENDING = `${ONLY_A} | 1 1.2.3.4 pending`;
const B_PERMANENT = `${ONLY_A} | 1 1.2.3.4 pending permanent`;
const B_ON_TRIAL = '0 1.2.3.4 active | 1 1.0.0 confirmed';
const ONLY_B = '0 1.2.3.4 confirmed active';

const imageError = (rc: number) => ({ err: { group: 1, rc } });

/** Row 1: A runs, B is uploaded. */
function uploaded(image: TestImage = B, settings = {}): Bench {
  const bench = Bench.booted({ firmware: A.bytes, ...settings });
  assert.equal(bench.upload(image), { off: image.bytes.length });
  return bench;
}

/** Row 4: B is on trial. */
function onTrial(settings = {}): Bench {
  const bench = uploaded(B, settings);
  bench.setState({ hash: B.hash, confirm: false });
  bench.reset();
  return bench;
}

test('row 1: an upload is listed once it is whole', () => {
  const bench = Bench.booted({ firmware: A.bytes });
  assert.is(bench.state(), ONLY_A);
  bench.upload(B, 240, 4_000);
  assert.is(bench.state(), ONLY_A);
  bench.upload(B);
  assert.is(bench.state(), A_AND_B);
});

test('row 2: test, and test again', () => {
  const bench = uploaded();
  assert.ok(bench.setState({ hash: B.hash, confirm: false }).images);
  assert.is(bench.state(), B_PENDING);
  assert.ok(bench.setState({ hash: B.hash }).images);
  assert.is(bench.state(), B_PENDING);
});

test('row 3: an erase or a new upload ends a pending test', () => {
  const bench = uploaded();
  bench.setState({ hash: B.hash });
  assert.equal(bench.ask(2, 1, 5, {}), {});
  assert.is(bench.state(), ONLY_A);
  bench.upload(B);
  bench.setState({ hash: B.hash });
  bench.upload(B, 240, 240);
  assert.is(bench.state(), ONLY_A);
  bench.reset();
  assert.is(bench.state(), ONLY_A);
});

test('rows 4 and 5: after the swap B is on trial, and slot 1 is closed', () => {
  const bench = onTrial();
  assert.is(bench.state(), B_ON_TRIAL);
  assert.equal(bench.ask(2, 1, 5, {}), imageError(9));
  assert.equal(bench.ask(2, 1, 5, { slot: 0 }), imageError(9));
  const first = { off: 0, len: B.bytes.length, data: B.bytes.subarray(0, 40) };
  assert.equal(bench.chunk(first), imageError(9));
  assert.equal(bench.chunk({ ...first, upgrade: true }), imageError(9), '9 comes before 27');
  assert.equal(bench.chunk(first, 0), { rc: 6, rsn: 'no slot' });
  assert.equal(bench.setState({ hash: A.hash, confirm: false }), imageError(28));
  assert.equal(bench.setState({ hash: B.hash, confirm: false }), imageError(33));
  assert.ok(bench.setState({ hash: A.hash, confirm: true }).images, 'A is permanent already');
  assert.equal(bench.setState({ hash: A.hash, confirm: false }, 0), { rc: 6 });
  assert.equal(bench.setState({ hash: B.hash, confirm: false }, 0), { rc: 1 });
  assert.is(bench.state(), B_ON_TRIAL);
});

for (const how of ['reset', 'power cut'] as const) {
  test(`row 6: ${how} without a confirmation reverts, and B can be tested again`, () => {
    const bench = onTrial();
    if (how === 'reset') bench.reset();
    else {
      bench.hub.powerOff();
      bench.hub.powerOn();
      bench.scheduler.run(2_000);
    }
    assert.is(bench.state(), A_AND_B);
    bench.setState({ hash: B.hash });
    bench.reset();
    assert.is(bench.state(), B_ON_TRIAL);
  });
}

test('rows 7 and 8: confirmed, and there is no way back', () => {
  const bench = onTrial();
  assert.ok(bench.setState({ confirm: true }).images);
  assert.is(bench.state(), ONLY_B);
  assert.ok(bench.setState({ confirm: true }).images, 'again');
  assert.ok(bench.setState({ hash: B.hash, confirm: true }).images, 'by hash');
  assert.equal(bench.setState({ hash: A.hash }), imageError(8));
  for (let reset = 0; reset < 2; reset++) {
    bench.reset();
    assert.is(bench.state(), ONLY_B);
  }
});

test('what runs on trial can be confirmed by its hash', () => {
  const bench = onTrial();
  bench.setState({ hash: B.hash, confirm: true });
  assert.is(bench.state(), ONLY_B);
});

test('rows 9 and 10: permanent', () => {
  const bench = uploaded();
  assert.ok(bench.setState({ hash: B.hash, confirm: true }).images);
  assert.is(bench.state(), B_PERMANENT);
  assert.ok(bench.setState({ hash: B.hash, confirm: true }).images, 'again');
  assert.equal(bench.setState({ hash: B.hash, confirm: false }), imageError(28));
  for (let reset = 0; reset < 2; reset++) {
    bench.reset();
    assert.is(bench.state(), ONLY_B);
  }
});

test('row 11: a bad body is listed and taken for test, and dropped at boot', () => {
  const spoilt = makeImage({ version: [2, 0, 0, 0], spoilt: true });
  const bench = uploaded(spoilt);
  assert.ok(bench.setState({ hash: spoilt.hash }).images);
  assert.is(bench.state(), `${ONLY_A} | 1 2.0.0 pending`);
  bench.reset();
  assert.is(bench.state(), ONLY_A);
  bench.reset();
  assert.is(bench.state(), ONLY_A);
  bench.upload(B);
  bench.setState({ hash: B.hash });
  bench.reset();
  assert.is(bench.state(), B_ON_TRIAL);
});

test('row 12: an older image is swapped like any other, unless the build prevents it', () => {
  const bench = uploaded(OLDER);
  bench.setState({ hash: OLDER.hash });
  bench.reset();
  assert.is(bench.state(), '0 0.9.0 active | 1 1.0.0 confirmed');
  const strict = uploaded(OLDER, { smp: { preventsDowngrade: true } });
  strict.setState({ hash: OLDER.hash });
  strict.reset();
  assert.is(strict.state(), ONLY_A);
});

test('row 13: a power cut ends an upload; the next chunk is sent back to 0', () => {
  const bench = Bench.booted({ firmware: A.bytes });
  bench.upload(B, 240, 4_800);
  bench.hub.powerOff();
  bench.hub.powerOn();
  bench.scheduler.run(2_000);
  assert.is(bench.state(), ONLY_A);
  assert.equal(bench.chunk({ off: 4_800, data: B.bytes.subarray(4_800, 5_000) }), { off: 0 });
  bench.upload(B);
  assert.is(bench.state(), A_AND_B);
});

test('row 14: cuts while the swap runs; it goes on, and the next reset reverts', () => {
  for (let into = 1; into <= 40; into += 3) {
    const bench = uploaded();
    bench.setState({ hash: B.hash });
    bench.hub.flash.cutAtOperation = bench.hub.flash.operations + into;
    bench.reset(4_000);
    assert.ok(
      bench.events.some((event) => event.kind === 'power-cut'),
      `operation ${into}`,
    );
    assert.is(bench.state(), B_ON_TRIAL, `operation ${into}`);
    bench.reset();
    assert.is(bench.state(), A_AND_B, `operation ${into}`);
  }
});

test('row 15: cuts by time around the reset find either image, and a swap in between', () => {
  const outcomes = new Set<string>();
  let resumed = 0;
  for (let atMs = 0; atMs <= 1_000; atMs += 25) {
    const bench = uploaded(B, { flash: { ...FLASH, eraseBlockMs: 20, programPageMs: 1 } });
    bench.setState({ hash: B.hash });
    bench.ask(2, 0, 5, {});
    bench.scheduler.run(atMs);
    bench.hub.powerOff();
    bench.hub.powerOn();
    bench.scheduler.run(4_000);
    if (/Swap type: test, resumed/.test(bench.text())) resumed++;
    const state = bench.state();
    assert.ok([B_ON_TRIAL, A_AND_B].includes(state), `${atMs} ms: ${state}`);
    outcomes.add(state);
  }
  assert.is(outcomes.size, 2);
  assert.ok(resumed > 5, `${resumed} swaps were cut by time`);
});

test('hash and confirm as the server refuses them', () => {
  const bench = uploaded();
  assert.equal(bench.setState({}), imageError(24));
  assert.equal(bench.setState({ hash: B.hash.subarray(0, 16) }), imageError(24));
  assert.equal(bench.setState({ hash: new Uint8Array(32) }), imageError(8));
  assert.equal(bench.setState({ hash: A.hash }), imageError(33));
  assert.equal(bench.setState({ confirm: 1 }), { rc: 3 });
  assert.ok(bench.setState({ hash: new Uint8Array(0), confirm: true }).images);
  bench.setState({ hash: B.hash });
  assert.equal(bench.setState({ hash: B.hash, confirm: true }), imageError(28));
  assert.equal(bench.setState({ confirm: true }), imageError(28));
  assert.equal(bench.setState({ hash: A.hash, confirm: true }), imageError(28));
  assert.is(bench.state(), B_PENDING);
});

test('the same image in both slots: nothing will happen', () => {
  const bench = uploaded(A);
  assert.equal(bench.setState({ hash: A.hash }), imageError(33));
  assert.ok(bench.setState({ hash: A.hash, confirm: true }).images);
  assert.is(bench.state(), `${ONLY_A} | 1 1.0.0`);
});

test('an image that confirms itself stays; one that crashes is reverted', () => {
  const calm = onTrial({ smp: { imageConfirmsItself: true } });
  assert.is(calm.state(), ONLY_B);
  const crashing = onTrial({ faults: { crashAfterActivationMs: 5_000 } });
  crashing.scheduler.run(6_000);
  assert.is(crashing.state(), A_AND_B);
  const confirmed = onTrial({ faults: { crashAfterActivationMs: 5_000 } });
  confirmed.setState({ confirm: true });
  confirmed.scheduler.run(6_000);
  assert.is(confirmed.state(), ONLY_B);
});

test('an image that waits outlives the power, unless the hub loses its slot', () => {
  for (const losesSlotOnPowerCut of [false, true]) {
    const bench = uploaded(B, { faults: { losesSlotOnPowerCut } });
    bench.hub.powerOff();
    bench.hub.powerOn();
    bench.scheduler.run(2_000);
    assert.is(bench.state(), losesSlotOnPowerCut ? ONLY_A : A_AND_B);
  }
});

test('a bootloader that refuses every new image', () => {
  const bench = onTrial({ faults: { refusesImage: true } });
  assert.is(bench.state(), ONLY_A);
  assert.ok(
    bench.events.some((event) => event.kind === 'image-swapped' && event.swap === 'refused'),
  );
});

test('a bootloader that looks at no hash starts an image that is damaged', () => {
  const damaged = makeImage({ version: [2, 0, 0, 0], spoilt: true });
  for (const skipsVerification of [false, true]) {
    const bench = uploaded(damaged, { faults: { skipsVerification } });
    bench.setState({ hash: damaged.hash });
    bench.reset();
    const running = skipsVerification ? '2.0.0' : '1.0.0';
    assert.is(bench.list().find((entry) => entry.active).version, running);
  }
});

test('a new image that hangs: silence, until the power goes and the old one is back', () => {
  const bench = uploaded(B, { faults: { neverReturns: true } });
  assert.is(bench.state(), A_AND_B, 'the image it was new with runs');
  bench.setState({ hash: B.hash });
  bench.reset();
  assert.is(bench.ask(2, 0, 0, { d: 'hi' }), undefined);
  bench.hub.powerOff();
  bench.hub.powerOn();
  bench.scheduler.run(2_000);
  assert.is(bench.state(), A_AND_B);
  bench.setState({ hash: B.hash, confirm: true });
  bench.reset();
  bench.hub.reset();
  bench.scheduler.run(2_000);
  assert.is(bench.ask(2, 0, 0, { d: 'hi' }), undefined, 'for good');
});

test('two images have slots of their own', () => {
  const bench = Bench.booted({ firmware: A.bytes, smp: { imageCount: 2 } });
  const { bytes } = B;
  let off = 0;
  while (off < bytes.length) {
    const data = bytes.subarray(off, off + 240);
    off = bench.chunk(off === 0 ? { off, image: 1, len: bytes.length, data } : { off, data }).off;
  }
  assert.equal(
    bench.list().map((entry) => [entry.image, entry.slot]),
    [
      [0, 0],
      [1, 1],
    ],
  );
  bench.setState({ hash: B.hash, confirm: true });
  bench.reset();
  assert.equal(
    bench.list().map((entry) => [entry.image, entry.slot]),
    [
      [0, 0],
      [1, 0],
    ],
  );
  assert.equal(
    bench.chunk({ off: 0, image: 2, len: 99, data: bytes.subarray(0, 40) }),
    imageError(9),
  );
});

test('an image as large as can be swapped, and one block larger', () => {
  const { imageBytesMax } = bootloaderOf(Bench.booted());
  const overhead = 512 + 40;
  const largest = makeImage({ version: [3, 0, 0, 0], bodyBytes: imageBytesMax - overhead });
  assert.is(largest.bytes.length, imageBytesMax);
  const bench = uploaded(largest);
  bench.setState({ hash: largest.hash });
  bench.reset();
  assert.is(bench.state(), '0 3.0.0 active | 1 1.0.0 confirmed');
  bench.reset();
  assert.is(bench.state(), `${ONLY_A} | 1 3.0.0`);
  const tooLarge = makeImage({ version: [3, 0, 0, 0], bodyBytes: imageBytesMax - overhead + 1 });
  const refused = uploaded(tooLarge);
  refused.setState({ hash: tooLarge.hash });
  refused.reset();
  assert.is(refused.state(), ONLY_A);
  const beyond = makeImage({ bodyBytes: 32_768 - overhead });
  assert.equal(Bench.booted().upload(beyond), imageError(12), 'no room behind the offset');
});

const KEYS = {
  'ECDSA P-256': {
    ...generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
    type: 0x22,
  },
  'RSA-2048': { ...generateKeyPairSync('rsa', { modulusLength: 2048 }), type: 0x20 },
  Ed25519: { ...generateKeyPairSync('ed25519'), type: 0x24 },
} as const;

for (const [name, { publicKey, privateKey, type }] of Object.entries(KEYS)) {
  test(`signatures: ${name}`, () => {
    const signImage = (covered: Buffer) => {
      const digest = createHash('sha256').update(covered).digest();
      if (type === 0x24) return { type, value: sign(null, digest, privateKey) };
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const key = type === 0x20 ? { key: privateKey, padding, saltLength: 32 } : privateKey;
      return { type, value: sign('sha256', covered, key) };
    };
    const signatureKey = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const old = makeImage({ sign: signImage, protectedEntry: true });
    const genuine = makeImage({ version: [2, 0, 0, 0], sign: signImage });
    const forged = makeImage({
      version: [3, 0, 0, 0],
      sign: (covered) => ({ type, value: signImage(Buffer.concat([covered, covered])).value }),
    });
    const bench = Bench.booted({ firmware: old.bytes, smp: { signatureKey } });
    assert.is(bench.state(), ONLY_A);
    for (const refused of [forged, makeImage({ version: [4, 0, 0, 0] })]) {
      bench.upload(refused);
      bench.setState({ hash: refused.hash });
      bench.reset();
      assert.is(bench.state(), ONLY_A);
    }
    bench.upload(genuine);
    bench.setState({ hash: genuine.hash });
    bench.reset();
    assert.is(bench.state(), '0 2.0.0 active | 1 1.0.0 confirmed');
  });
}

test('flash is all that survives: a hub made anew from it goes on', () => {
  const bench = onTrial();
  const restored = bench.hub.flash.snapshot();
  const again = Bench.booted({ firmware: A.bytes, restored });
  assert.is(again.state(), A_AND_B, 'its start was a reset, B was not confirmed');
});

const FLASH = {
  slotBytes: 32_768,
  eraseBlockBytes: 1_024,
  programPageBytes: 256,
  eraseBlockMs: 0,
  programPageMs: 0,
};

function bootloaderOf(bench: Bench): { imageBytesMax: number } {
  return (bench.hub.board as unknown as { bootloader: { imageBytesMax: number } }).bootloader;
}

test.run();
