/**
 * A Smart Energy CA and signer for tests, made of OpenSSL's points and plain numbers: no line of the
 * product's curve arithmetic is in it. Nonces follow from a seed, so that images come out the same
 * each time; with these keys nothing is secret.
 */
import { createECDH, createHash } from 'node:crypto';
import { aesMmo } from '../../src/image/aes-mmo.ts';
import { encodeOtaImage, type OtaImageSpec } from '../../src/image/zigbee-ota.ts';

const SUITES = {
  1: {
    curve: 'sect163k1',
    scalarBytes: 21,
    order: 0x04000000000000000000020108a2e0cc0d99f8a5efn,
    signatureTag: 1,
    certificateTag: 2,
  },
  2: {
    curve: 'sect283k1',
    scalarBytes: 36,
    order: 0x01ffffffffffffffffffffffffffffffffffe9ae2ed07577265dff7f94451e061e163c61n,
    signatureTag: 5,
    certificateTag: 6,
  },
} as const;

export type Suite = keyof typeof SUITES;

export interface TestCa {
  suite: Suite;
  issuer: string;
  scalar: bigint;
  publicKey: Uint8Array;
}

export interface TestSigner {
  suite: Suite;
  eui64: string;
  certificate: Uint8Array;
  scalar: bigint;
  /** OpenSSL's, of the scalar. */
  publicKey: Uint8Array;
}

export function testCa(suite: Suite, issuer: string, seed = 'UPLIFT TEST CA'): TestCa {
  const scalar = scalarFrom(suite, `${seed} ${suite}`);
  return { suite, issuer, scalar, publicKey: pointOf(suite, scalar) };
}

export interface SignerOptions {
  keyUsage?: number;
  issuedAtS?: number;
  lifeS?: number;
  seed?: string;
}

/** SEC 4, 2.4: the CA chooses the point, and the signer's number follows from it and the hash. */
export function issue(ca: TestCa, eui64: string, options: SignerOptions = {}): TestSigner {
  const { suite } = ca;
  const { order } = SUITES[suite];
  const nonce = scalarFrom(suite, `${options.seed ?? 'UPLIFT TEST SIGNER'} ${eui64}`);
  const point = [...pointOf(suite, nonce)];
  const names = [octets(eui64), octets(ca.issuer)] as const;
  const certificate =
    suite === 1
      ? Uint8Array.from([...point, ...names[0], ...names[1], ...new Array<number>(10).fill(0)])
      : Uint8Array.from([
          ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 0x08],
          ...names[1],
          ...bigEndian(BigInt(options.issuedAtS ?? 1_600_000_000), 5),
          ...bigEndian(BigInt(options.lifeS ?? 0xffff_ffff), 4),
          ...names[0],
          options.keyUsage ?? 0x88,
          ...point,
        ]);
  const scalar = (integer(aesMmo(certificate)) * nonce + ca.scalar) % order;
  return { suite, eui64, certificate, scalar, publicKey: pointOf(suite, scalar) };
}

/** The image with certificate and signature as its last elements. */
export function signImage(
  spec: OtaImageSpec,
  signer: TestSigner,
  changes: { named?: string; certificate?: Uint8Array | null } = {},
): Uint8Array {
  const { signatureTag, certificateTag, scalarBytes } = SUITES[signer.suite];
  const certificate =
    changes.certificate === null
      ? []
      : [{ tag: certificateTag, data: changes.certificate ?? signer.certificate }];
  const head = octets(changes.named ?? signer.eui64).reverse();
  const data = Uint8Array.from([...head, ...new Array<number>(2 * scalarBytes).fill(0)]);
  const elements = [...(spec.elements ?? []), ...certificate, { tag: signatureTag, data }];
  const image = encodeOtaImage({ ...spec, elements });
  const covered = image.subarray(0, image.length - 2 * scalarBytes);
  image.set(signDigest(signer, aesMmo(covered)), covered.length);
  return image;
}

/** r and s of a digest (SEC 1, 4.1.3). */
export function signDigest(
  signer: Pick<TestSigner, 'suite' | 'scalar'>,
  digest: Uint8Array,
): Uint8Array {
  const { order, scalarBytes } = SUITES[signer.suite];
  const nonce = scalarFrom(signer.suite, `nonce ${Buffer.from(digest).toString('hex')}`);
  const r = integer(pointOf(signer.suite, nonce).subarray(1)) % order;
  const s = (inverse(nonce, order) * (integer(digest) + r * signer.scalar)) % order;
  return Uint8Array.from([...bigEndian(r, scalarBytes), ...bigEndian(s, scalarBytes)]);
}

function pointOf(suite: Suite, scalar: bigint): Uint8Array {
  const ecdh = createECDH(SUITES[suite].curve);
  ecdh.setPrivateKey(Uint8Array.from(bigEndian(scalar, SUITES[suite].scalarBytes)));
  return new Uint8Array(ecdh.getPublicKey(null, 'compressed'));
}

function scalarFrom(suite: Suite, seed: string): bigint {
  return (integer(createHash('sha512').update(seed).digest()) % (SUITES[suite].order - 1n)) + 1n;
}

/** By Fermat: the order is prime. */
function inverse(value: bigint, order: bigint): bigint {
  let result = 1n;
  let base = value;
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % order;
    base = (base * base) % order;
  }
  return result;
}

function octets(digits: string): number[] {
  return [...Buffer.from(digits, 'hex')];
}

function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function bigEndian(value: bigint, length: number): number[] {
  return octets(value.toString(16).padStart(2 * length, '0'));
}
