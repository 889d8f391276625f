/**
 * What a signature in a hub's image is, told without the image's format: how it was made, over
 * which bytes, and how it names its key. Verifying is done in trust/.
 */

interface SchemeRow {
  title: string;
  /** Whether the image has to say which key made the signature; MCUboot passes over one that is unnamed. */
  namesKey: boolean;
}

export const SIGNATURE_SCHEMES = {
  'ecdsa-p256-der': { title: 'ECDSA P-256, DER', namesKey: true },
  'ecdsa-p256-raw': { title: 'ECDSA P-256, r and s', namesKey: false },
  'rsa-2048-pss': { title: 'RSA-2048 PSS', namesKey: true },
  'rsa-3072-pss': { title: 'RSA-3072 PSS', namesKey: true },
  'ed25519-digest': { title: 'Ed25519 over the digest', namesKey: true },
  'ed25519-pure': { title: 'Ed25519 over the image', namesKey: true },
} as const satisfies Record<string, SchemeRow>;

export type SignatureScheme = keyof typeof SIGNATURE_SCHEMES;

/** Nothing an image says about its key is trusted: it only finds the key among those configured. */
export type KeyName =
  | { by: 'hash'; value: Uint8Array; offset: number }
  | { by: 'public-key'; value: Uint8Array; offset: number };

export interface ImageSignature {
  scheme: SignatureScheme;
  value: Uint8Array;
  /** Of the value, in the file. */
  offset: number;
  key?: KeyName;
}

export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** A digest that an image states of itself. */
export interface ImageDigest {
  algorithm: DigestAlgorithm;
  value: Uint8Array;
  /** Of the value, in the file. */
  offset: number;
}
