/** Signing by a program, and by a PKCS#12 file: what is asked of them, and what is not believed. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { encodeManifest } from '../../src/campaign/manifest.ts';
import { decodeCampaign } from '../../src/campaign/signed-campaign.ts';
import { type SignOptions, sign } from '../../src/cli/campaign-sign.ts';
import { Output } from '../../src/cli/output.ts';
import { signByCommand } from '../../src/cli/sign-command.ts';
import { UpliftError } from '../../src/errors.ts';
import { rawOfDerP256Signature, verifyP256 } from '../../src/trust/ecdsa.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { ANN, BOB, keyIdOf, MANIFEST, signedBy } from '../campaign/campaigns.ts';
import { hasTool, testWhere } from '../interop/tools.ts';
import { pem } from '../trust/naive-x509.ts';
import { p12 } from '../trust/openssl-containers.ts';

const test = suite('who signs without a key file');
const folder = mkdtempSync(join(tmpdir(), 'uplift-sign-'));
test.after(() => rmSync(folder, { recursive: true }));

const [BOB_CERTIFICATE] = BOB.certificates;
const bobKey = file('bob.key', `${testKey('robert').privateKey.export(PKCS8())}`);
const annKey = file('ann.key', `${testKey('ann').privateKey.export(PKCS8())}`);
const bobPem = file('bob.pem', BOB.certificates.map(({ der }) => pem('CERTIFICATE', der)).join(''));
const HASHES = `openssl dgst -sha256 -sign '${bobKey}'`;
const BARE = `openssl pkeyutl -sign -inkey '${bobKey}'`;
const BYTES = new TextEncoder().encode('what is to be signed');
const LIMITS = { input: 'document', waitMs: 20_000 } as const;

/** The code of what was thrown, and what was found. */
function refusal(work: () => unknown): { code: string; actual: string } {
  try {
    work();
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    return { code: error.code, actual: error.actual ?? '' };
  }
  return { code: '', actual: '' };
}

const command = (line: string, more: object = {}) =>
  refusal(() => signByCommand(line, BYTES, BOB_CERTIFICATE, { ...LIMITS, ...more }));
const signs = (path: string, options: Partial<SignOptions>) =>
  refusal(() => sign(path, { as: 'approver', ...options }, new Output({ quiet: true })));
const openssl = (name: string, body: () => void) =>
  testWhere(test, hasTool('openssl') ? [] : ['openssl'], name, body);

openssl('a program signs the document, or its hash, in DER or as r and s', () => {
  const hashed = signByCommand(HASHES, BYTES, BOB_CERTIFICATE, LIMITS);
  assert.ok(verifyP256(BOB_CERTIFICATE.publicKey, BYTES, hashed));
  const bare = signByCommand(BARE, BYTES, BOB_CERTIFICATE, { ...LIMITS, input: 'sha256' });
  assert.ok(verifyP256(BOB_CERTIFICATE.publicKey, BYTES, bare));
  const raw = join(folder, 'raw');
  writeFileSync(raw, hashed);
  assert.equal(signByCommand(`cat '${raw}'`, BYTES, BOB_CERTIFICATE, LIMITS), hashed);
});

test('it gets exactly the bytes, or exactly their SHA-256', () => {
  const seen = join(folder, 'seen');
  assert.is(command(`cat > '${seen}'`).code, 'signature-other-bytes');
  assert.equal(new Uint8Array(readFileSync(seen)), BYTES);
  assert.is(command(`cat > '${seen}'`, { input: 'sha256' }).code, 'signature-other-bytes');
  assert.equal(readFileSync(seen), createHash('sha256').update(BYTES).digest());
});

openssl('what does not verify is not believed', () => {
  assert.is(command(HASHES, { input: 'sha256' }).code, 'signature-other-bytes');
  assert.is(command(BARE).code, 'signature-other-bytes', 'over no hash');
  assert.is(command(HASHES.replace(bobKey, annKey)).code, 'signature-other-bytes');
  assert.is(command(`${HASHES}; echo`).code, 'signature-other-bytes', 'one byte more');
  assert.is(command(`${HASHES} | head -c 20`).code, 'signature-other-bytes');
});

test('one that fails is quoted, one that hangs is ended, one that floods is cut off', () => {
  const failed = command('echo "CKR_PIN_INCORRECT" >&2; exit 7');
  assert.is(failed.code, 'sign-command-failed');
  assert.match(failed.actual, /exit code 7; it says: CKR_PIN_INCORRECT/);
  assert.match(command('kill -TERM $$').actual, /signal SIGTERM/);
  assert.match(command('/no/such/program').actual, /exit code 127/);
  assert.is(command('true').code, 'signature-other-bytes');
  const before = Date.now();
  const late = command('echo "PIN?" >&2; sleep 30 & sleep 30', { waitMs: 300 });
  assert.is(late.code, 'sign-command-late');
  assert.match(late.actual, /PIN\?/);
  assert.ok(Date.now() - before < 10_000, 'what it left behind is not waited for');
  assert.match(command('head -c 1000000 /dev/zero').actual, /ENOBUFS/);
});

openssl('a campaign is signed by it, and stays as it was where that fails', () => {
  const path = campaign('by-command');
  const before = readFileSync(path);
  const options = { certificate: bobPem, signCommand: HASHES };
  assert.is(signs(path, { ...options, signCommand: 'exit 1' }).code, 'sign-command-failed');
  assert.is(signs(path, { ...options, signInput: 'sha256' }).code, 'signature-other-bytes');
  assert.equal(readFileSync(path), before);
  assert.is(signs(path, options).code, '');
  assert.equal(signersOf(path), [keyIdOf(ANN), keyIdOf(BOB)]);
});

test('a PKCS#12 file signs with its password', () => {
  const path = campaign('by-pkcs12');
  const file12 = file('person.p12', p12('modern'));
  const passwordFile = file('password', 'geheim\nanother line');
  assert.is(signs(path, { pkcs12: file12 }).code, 'wrong-password');
  assert.is(
    signs(path, { pkcs12: file12, passwordFile, certificate: bobPem }).code,
    'option-invalid',
  );
  assert.is(signersOf(path).length, 1);
  assert.is(signs(path, { pkcs12: file12, passwordFile }).code, '');
  const document = decodeCampaign(readFileSync(path));
  assert.ok(document.ok);
  const { keyId, chain, signed, value } = document.signatures[1]!;
  const own = parseCertificate(chain[0]!);
  assert.ok(own.ok && own.fingerprint === keyId && verifyP256(own.publicKey, signed, value));
});

test('one way of signing is named, and all that it needs', () => {
  const path = campaign('none');
  assert.is(signs(path, {}).code, 'option-invalid');
  assert.is(signs(path, { key: bobKey, pkcs12: 'x.p12' }).code, 'option-invalid');
  assert.is(signs(path, { key: bobKey }).code, 'option-invalid');
  assert.is(signs(path, { signCommand: 'true' }).code, 'option-invalid');
  const by = { signCommand: 'true', certificate: bobPem };
  assert.is(signs(path, { ...by, signInput: 'hash' }).code, 'option-invalid');
  assert.is(signs(path, { ...by, signWait: '0' }).code, 'option-invalid');
  assert.is(signs(path, { ...by, signWait: 'long' }).code, 'option-invalid');
});

test('a file is replaced whole: its mode stays, a link goes on leading to it, nothing is left', () => {
  const path = campaign('replaced');
  chmodSync(path, 0o640);
  const link = join(folder, 'link.campaign');
  symlinkSync(path, link);
  const files = readdirSync(folder).length;
  assert.is(signs(link, { certificate: bobPem, key: bobKey }).code, '');
  assert.is(signersOf(path).length, 2);
  assert.is(statSync(path).mode & 0o777, 0o640);
  assert.is(readdirSync(folder).length, files);
  const nowhere = join(folder, 'none', 'x.campaign');
  const again = signs(campaign('elsewhere'), { certificate: bobPem, key: bobKey, out: nowhere });
  assert.is(again.code, 'file-unwritable');
});

test('DER becomes r and s of 32 octets each, whatever their length', () => {
  const integer = (...octets: number[]) => [2, octets.length, ...octets];
  const der = (...parts: number[][]) =>
    Uint8Array.from([0x30, parts.flat().length, ...parts.flat()]);
  const raw = (r: number[], s: number[]) => {
    const made = new Uint8Array(64);
    made.set(r, 32 - r.length);
    made.set(s, 64 - s.length);
    return made;
  };
  const long = [0x80, ...Array(31).fill(1)];
  assert.equal(rawOfDerP256Signature(der(integer(1), integer(2))), raw([1], [2]));
  assert.equal(rawOfDerP256Signature(der(integer(0, ...long), integer(5, 6))), raw(long, [5, 6]));
  assert.equal(rawOfDerP256Signature(der(integer(7), integer(0, ...long))), raw([7], long));
  assert.is(rawOfDerP256Signature(der(integer(0), integer(1))), undefined);
  assert.is(rawOfDerP256Signature(Uint8Array.of(1, 2, 3)), undefined);
});

function PKCS8() {
  return { type: 'pkcs8', format: 'pem' } as const;
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

/** Signed by its author. */
function campaign(name: string): string {
  return file(`${name}.campaign`, signedBy(encodeManifest(MANIFEST), ANN));
}

function signersOf(path: string): string[] {
  const document = decodeCampaign(readFileSync(path), { mayBeUnsigned: true });
  if (!document.ok) throw new Error(document.message);
  return document.signatures.map(({ keyId }) => keyId);
}

test.run();
