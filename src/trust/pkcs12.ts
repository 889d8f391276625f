/**
 * PKCS#12 (RFC 7292): a private key and its certificates under one password, as people keep a
 * signing key.
 *
 * node-forge reads the structure and derives the seal's key; the rest is node:crypto's, since
 * node-forge knows no elliptic curves, and since its own reader does as many rounds of key
 * derivation as the file says, in JavaScript. Here every count is capped before it is believed, and
 * the seal is checked before anything is decrypted.
 *
 * Read: DER, seals of HMAC with SHA-1 or SHA-2, PBES2 with AES in CBC, and parts that are not
 * encrypted; one key on P-256. Refused: no seal, and the old ciphers (RC2, triple DES), which
 * `openssl pkcs12 -export` writes with `-legacy` only.
 */
import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  pbkdf2Sync,
  timingSafeEqual,
} from 'node:crypto';
import { refuse, type TrustRefusal } from './codes.ts';
import {
  contextTag,
  type Der,
  decodeDer,
  oidOf,
  partsOf,
  pkcs12Key,
  plainAlgorithmOf,
  TAGS,
  unsignedOf,
} from './der.ts';
import { type Certificate, parseCertificate } from './x509.ts';

export interface SigningIdentity {
  ok: true;
  privateKey: KeyObject;
  /** The one that the key belongs to. */
  certificate: Certificate;
  /** The others, in the order of the file. */
  others: readonly Certificate[];
}

const FILE_BYTES_MAX = 64 * 1024;
const PASSWORD_CHARACTERS_MAX = 1024;
const BAGS_MAX = 32;
/** Of the seal: node-forge does 50,000 rounds a second. */
const SEAL_ROUNDS_MAX = 100_000;
/** Of all encrypted parts together; node:crypto does 2 million rounds a second. */
const ROUNDS_MAX = 2_000_000;

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';

const DIGESTS = {
  '1.3.14.3.2.26': { name: 'sha1', bytes: 20 },
  '2.16.840.1.101.3.4.2.1': { name: 'sha256', bytes: 32 },
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', bytes: 48 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', bytes: 64 },
} as const;

const PSEUDO_RANDOM_FUNCTIONS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};

const CIPHERS: Readonly<Record<string, { name: string; keyBytes: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
};

/** What is left of the rounds, and what was found. */
interface Opening {
  password: string;
  roundsLeft: number;
  keys: Uint8Array[];
  certificates: Certificate[];
}

export function openPkcs12(file: Uint8Array, password: string): SigningIdentity | TrustRefusal {
  if (file.length > FILE_BYTES_MAX || password.length > PASSWORD_CHARACTERS_MAX) {
    return refuse('too-large');
  }
  const root = decodeDer(Uint8Array.from(file), FILE_BYTES_MAX);
  if (!root) return refuse('not-der');
  const [version, safe, seal, ...others] = partsOf(root);
  if (unsignedOf(version) !== 3n) return refuse('version-unsupported');
  if (others.length > 0) return refuse('malformed');
  const sealed = octetsOf(contentOf(safe, DATA));
  if (!sealed) return refuse('malformed');
  const broken = checkSeal(seal, sealed, password);
  if (broken) return broken;
  const opening: Opening = { password, roundsLeft: ROUNDS_MAX, keys: [], certificates: [] };
  const bad = openSafes(sealed, opening);
  return bad ?? identityOf(opening);
}

function checkSeal(
  seal: Der | undefined,
  sealed: Uint8Array,
  password: string,
): TrustRefusal | undefined {
  if (!seal) return refuse('seal-missing');
  const [info, salt, rounds, ...others] = partsOf(seal);
  const [algorithm, value, ...more] = partsOf(info);
  const oid = plainAlgorithmOf(algorithm);
  const digest = oid && Object.hasOwn(DIGESTS, oid) && DIGESTS[oid as keyof typeof DIGESTS];
  if (!digest) return refuse('algorithm-unsupported', 'seal');
  const wanted = octetsOf(value);
  const salted = octetsOf(salt);
  const iterations = rounds ? unsignedOf(rounds) : 1n;
  if (others.length > 0 || more.length > 0) return refuse('malformed');
  if (!salted || !iterations || wanted?.length !== digest.bytes) {
    return refuse('malformed');
  }
  if (iterations > SEAL_ROUNDS_MAX) return refuse('too-costly');
  const key = pkcs12Key(password, salted, 3, Number(iterations), digest);
  const found = createHmac(digest.name, key).update(sealed).digest();
  return timingSafeEqual(found, wanted) ? undefined : refuse('wrong-password');
}

function openSafes(sealed: Uint8Array, opening: Opening): TrustRefusal | undefined {
  const safes = decodeDer(sealed, FILE_BYTES_MAX);
  if (safes?.tag !== TAGS.sequence || safes.parts.length > BAGS_MAX) return refuse('malformed');
  for (const safe of safes.parts) {
    const plain = octetsOf(contentOf(safe, DATA));
    const opened = plain ? { ok: true as const, bytes: plain } : openEncrypted(safe, opening);
    if (!opened.ok) return opened;
    const bad = openBags(opened.bytes, opening);
    if (bad) return bad;
  }
  return undefined;
}

type Opened = { ok: true; bytes: Uint8Array } | TrustRefusal;

/** EncryptedData (RFC 5652, 8) with EncryptedContentInfo in it. */
function openEncrypted(safe: Der, opening: Opening): Opened {
  const data = contentOf(safe, ENCRYPTED_DATA);
  const [version, info] = partsOf(data);
  const [type, algorithm, octets] = partsOf(info);
  if (!data) return refuse('algorithm-unsupported', 'a part under a public key');
  if (unsignedOf(version) !== 0n) return refuse('version-unsupported');
  if (oidOf(type) !== DATA || octets?.tag !== contextTag(0, false)) return refuse('malformed');
  return decrypt(algorithm, octets.content, opening);
}

function openBags(bytes: Uint8Array, opening: Opening): TrustRefusal | undefined {
  const bags = decodeDer(bytes, FILE_BYTES_MAX);
  if (bags?.tag !== TAGS.sequence || bags.parts.length > BAGS_MAX) return refuse('malformed');
  for (const bag of bags.parts) {
    const bad = openBag(bag, opening);
    if (bad) return bad;
    if (opening.certificates.length > BAGS_MAX) return refuse('too-large');
  }
  return undefined;
}

function openBag(bag: Der, opening: Opening): TrustRefusal | undefined {
  const [name, wrapped] = partsOf(bag);
  const type = oidOf(name);
  const value = partsOf(wrapped, contextTag(0))[0];
  if (!type || !value) return refuse('malformed');
  if (type === KEY_BAG) {
    opening.keys.push(value.bytes);
    return undefined;
  }
  if (type === SHROUDED_KEY_BAG) {
    const [algorithm, encrypted] = partsOf(value);
    const octets = octetsOf(encrypted);
    if (!octets) return refuse('malformed');
    const opened = decrypt(algorithm, octets, opening);
    if (!opened.ok) return opened;
    opening.keys.push(opened.bytes);
    return undefined;
  }
  // Other bags hold nothing that is wanted here.
  if (type !== CERTIFICATE_BAG) return undefined;
  const [kind, held] = partsOf(value);
  const octets = octetsOf(partsOf(held, contextTag(0))[0]);
  if (oidOf(kind) !== X509_CERTIFICATE || !octets) return refuse('malformed');
  const certificate = parseCertificate(octets);
  if (!certificate.ok) return certificate;
  opening.certificates.push(certificate);
  return undefined;
}

/** PBES2 (RFC 8018, 6.2). */
function decrypt(algorithm: Der | undefined, octets: Uint8Array, opening: Opening): Opened {
  const [derivation, scheme] = partsOf(partsOf(algorithm)[1]);
  if (algorithmOf(algorithm) !== PBES2) return refuse('algorithm-unsupported', 'cipher');
  const cipher = CIPHERS[algorithmOf(scheme) ?? ''];
  const vector = octetsOf(partsOf(scheme)[1]);
  if (!cipher) return refuse('algorithm-unsupported', 'cipher');
  if (vector?.length !== 16) return refuse('malformed');
  const key = deriveKey(derivation, cipher.keyBytes, opening);
  if (!key.ok) return key;
  try {
    const decipher = createDecipheriv(cipher.name, key.bytes, vector);
    return { ok: true, bytes: Buffer.concat([decipher.update(octets), decipher.final()]) };
  } catch {
    return refuse('wrong-password');
  }
}

/** PBKDF2 (RFC 8018, 5.2 and A.2). */
function deriveKey(derivation: Der | undefined, keyBytes: number, opening: Opening): Opened {
  const fields = [...partsOf(partsOf(derivation)[1])];
  if (algorithmOf(derivation) !== PBKDF2) return refuse('algorithm-unsupported', 'derivation');
  const salt = octetsOf(fields.shift());
  const rounds = unsignedOf(fields.shift());
  const stated = fields[0]?.tag === TAGS.integer ? unsignedOf(fields.shift()) : BigInt(keyBytes);
  const named = fields[0] ? plainAlgorithmOf(fields[0]) : '1.2.840.113549.2.7';
  const digest = PSEUDO_RANDOM_FUNCTIONS[named ?? ''];
  if (!digest) return refuse('algorithm-unsupported', 'derivation');
  if (!salt || !rounds || stated !== BigInt(keyBytes)) return refuse('malformed');
  if (rounds > opening.roundsLeft) return refuse('too-costly');
  opening.roundsLeft -= Number(rounds);
  const password = Buffer.from(opening.password, 'utf8');
  return { ok: true, bytes: pbkdf2Sync(password, salt, Number(rounds), keyBytes, digest) };
}

function identityOf({ keys, certificates }: Opening): SigningIdentity | TrustRefusal {
  const [der, ...more] = keys;
  if (!der) return refuse('key-missing');
  if (more.length > 0) return refuse('malformed', 'several keys');
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  } catch {
    return refuse('malformed', 'key');
  }
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    return refuse('key-unsupported');
  }
  const publicKey = createPublicKey(privateKey);
  const certificate = certificates.find((one) => one.publicKey.equals(publicKey));
  if (!certificate) return refuse('key-mismatch');
  const others = certificates.filter((one) => one !== certificate);
  return { ok: true, privateKey, certificate, others };
}

/** The content of a ContentInfo of this type. */
function contentOf(info: Der | undefined, type: string): Der | undefined {
  const [oid, wrapped, ...others] = partsOf(info);
  if (oidOf(oid) !== type || others.length > 0) return undefined;
  const [content, ...more] = partsOf(wrapped, contextTag(0));
  return more.length === 0 ? content : undefined;
}

/** The name in an AlgorithmIdentifier. */
function algorithmOf(node: Der | undefined): string | undefined {
  return oidOf(partsOf(node)[0]);
}

function octetsOf(node: Der | undefined): Uint8Array | undefined {
  return node?.tag === TAGS.octetString ? node.content : undefined;
}
