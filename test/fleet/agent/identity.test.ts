/** The gateway's key and certificate: made once, found again, and never exchanged for others. */
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { UpliftError } from '../../../src/errors.ts';
import { identityFrom, ownIdentity } from '../../../src/fleet/agent/identity.ts';
import { newP256Key } from '../../../src/trust/self-signed.ts';

const test = suite('identity');
let folder: string;
let keyFile: string;
let certificateFile: string;

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'uplift-identity-'));
  keyFile = join(folder, 'identity/gateway.key');
  certificateFile = join(folder, 'identity/gateway.crt');
});
test.after.each(() => rmSync(folder, { recursive: true }));

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    return (error as UpliftError).code;
  }
}

test('is made at the first start and is the same ever after', () => {
  const first = ownIdentity(folder, 'gw-1');
  assert.equal(ownIdentity(folder, 'gw-1'), first);
  assert.equal(identityFrom({ keyFile, certificateFile }), first);
  assert.is(statSync(keyFile).mode & 0o777, 0o600);
  const certificate = new X509Certificate(first.certificatePem);
  assert.is(certificate.subject, 'CN=gw-1');
  assert.is(certificate.fingerprint256.replaceAll(':', '').toLowerCase(), first.fingerprint);
  const other = mkdtempSync(join(tmpdir(), 'uplift-identity-'));
  assert.is.not(ownIdentity(other, 'gw-1').fingerprint, first.fingerprint);
  rmSync(other, { recursive: true });
});

test('a first start that was cut short after the key goes on with that key', () => {
  const { keyPem } = ownIdentity(folder, 'gw-1');
  rmSync(certificateFile);
  writeFileSync(`${certificateFile}.new`, 'half');
  assert.is(ownIdentity(folder, 'gw-1').keyPem, keyPem);
});

test('a certificate whose key is gone is no reason for another key', () => {
  ownIdentity(folder, 'gw-1');
  rmSync(keyFile);
  assert.is(
    codeOf(() => ownIdentity(folder, 'gw-1')),
    'state-damaged',
  );
});

test('a key that others may read, or the group may change, is refused', () => {
  ownIdentity(folder, 'gw-1');
  for (const [mode, code] of [
    [0o600, 'ok'],
    [0o640, 'ok'],
    [0o644, 'secret-exposed'],
    [0o604, 'secret-exposed'],
    [0o620, 'secret-exposed'],
    [0o660, 'secret-exposed'],
  ] as const) {
    chmodSync(keyFile, mode);
    assert.is(
      codeOf(() => ownIdentity(folder, 'gw-1')),
      code,
      mode.toString(8),
    );
    assert.is(
      codeOf(() => identityFrom({ keyFile, certificateFile })),
      code,
    );
  }
});

test('a gateway that is called otherwise is another one', () => {
  ownIdentity(folder, 'gw-1');
  assert.is(
    codeOf(() => ownIdentity(folder, 'gw-2')),
    'identity-of-other',
  );
});

test('files that are none, or do not belong together', () => {
  ownIdentity(folder, 'gw-1');
  const key = readFileSync(keyFile);
  writeFileSync(keyFile, newP256Key());
  assert.is(
    codeOf(() => ownIdentity(folder, 'gw-1')),
    'signing-key',
  );
  writeFileSync(keyFile, 'no key');
  assert.is(
    codeOf(() => ownIdentity(folder, 'gw-1')),
    'identity-malformed',
  );
  writeFileSync(keyFile, key);
  writeFileSync(certificateFile, 'no certificate');
  assert.is(
    codeOf(() => ownIdentity(folder, 'gw-1')),
    'identity-malformed',
  );
  assert.is(
    codeOf(() => identityFrom({ keyFile: join(folder, 'none'), certificateFile })),
    'file-unreadable',
  );
});

test.run();
