/**
 * `uplift campaign sign --sign-command` with a PKCS#11 token: SoftHSM2 as the token and OpenSC's
 * pkcs11-tool as the program. The key is made on the token and cannot be read out of it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeManifest } from '../../src/campaign/manifest.ts';
import { openCampaign } from '../../src/campaign/signed-campaign.ts';
import { type SignOptions, sign } from '../../src/cli/campaign-sign.ts';
import { Output } from '../../src/cli/output.ts';
import { UpliftError } from '../../src/errors.ts';
import { ANN, MANIFEST, NOW, signedBy, TRUST } from '../campaign/campaigns.ts';
import { certificate, pem } from '../trust/naive-x509.ts';
import { ISSUING, SPECS } from '../trust/test-pki.ts';
import { hasTool, testWhere } from './tools.ts';

const test = suite('interop PKCS#11 token');
/** Debian has it there whatever the machine. */
const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '271828';
const TOOL = `pkcs11-tool --module ${MODULE} --token-label uplift --login --pin env:UPLIFT_TEST_PIN`;
const SIGN = `${TOOL} --sign --mechanism ECDSA --id 01`;

const tools = ['softhsm2-util', 'pkcs11-tool'].filter((tool) => !hasTool(tool));
const missing = tools.length > 0 || existsSync(MODULE) ? tools : [MODULE];
const folder = mkdtempSync(join(tmpdir(), 'uplift-pkcs11-'));
test.after(() => rmSync(folder, { recursive: true }));

testWhere(test, missing, 'a key made on a token signs; its certificate is believed', () => {
  const certificateFile = tokenWithKey();
  const document = signedBy(encodeManifest(MANIFEST), ANN);
  const path = write('by-token.campaign', document);
  const options = { certificate: certificateFile, signInput: 'sha256', signCommand: SIGN };
  for (const form of ['', ' --signature-format openssl']) {
    writeFileSync(path, document);
    assert.is(signs(path, { ...options, signCommand: `${SIGN}${form}` }).code, '');
    const opened = openCampaign(readFileSync(path), { ...TRUST, atMs: NOW });
    assert.ok(opened.ok);
    assert.equal(
      opened.approvers.map(({ person }) => person),
      ['CN=dora'],
    );
  }
});

testWhere(test, missing, 'a wrong PIN, another key, another hash: nothing is written', () => {
  const certificateFile = join(folder, 'dora.pem');
  const document = signedBy(encodeManifest(MANIFEST), ANN);
  const path = write('unsigned.campaign', document);
  const options = { certificate: certificateFile, signInput: 'sha256', signCommand: SIGN };
  process.env['UPLIFT_TEST_PIN'] = '0000';
  const locked = signs(path, options);
  process.env['UPLIFT_TEST_PIN'] = PIN;
  assert.is(locked.code, 'sign-command-failed');
  assert.match(locked.actual, /CKR_PIN_INCORRECT/);
  tool('--keypairgen', '--key-type', 'EC:prime256v1', '--id', '02', '--label', 'other');
  const other = SIGN.replace('--id 01', '--id 02');
  assert.is(signs(path, { ...options, signCommand: other }).code, 'signature-other-bytes');
  const absent = SIGN.replace('--id 01', '--id 09');
  assert.is(signs(path, { ...options, signCommand: absent }).code, 'sign-command-failed');
  assert.equal(new Uint8Array(readFileSync(path)), document);
});

/** A new token with a key of its own, and the certificate that a CA gives its holder. */
function tokenWithKey(): string {
  mkdirSync(join(folder, 'tokens'));
  const configuration = `directories.tokendir = ${join(folder, 'tokens')}\nlog.level = ERROR\n`;
  process.env['SOFTHSM2_CONF'] = write('softhsm2.conf', configuration);
  process.env['UPLIFT_TEST_PIN'] = PIN;
  const made = ['--init-token', '--free', '--label', 'uplift', '--pin', PIN, '--so-pin', '314159'];
  execFileSync('softhsm2-util', made, { stdio: 'pipe' });
  tool('--keypairgen', '--key-type', 'EC:prime256v1', '--id', '01', '--label', 'dora');
  const spki = [...tool('--read-object', '--type', 'pubkey', '--id', '01')];
  const dora = certificate({
    ...{ key: 'unused', signedBy: 'issuing', issuer: ISSUING, subject: [['CN', 'dora']] },
    ...{ serial: 271n, keyIds: false, spki },
  });
  const chain = [dora, certificate(SPECS.issuing)];
  return write('dora.pem', chain.map((der) => pem('CERTIFICATE', der)).join(''));
}

function tool(...more: string[]): Buffer {
  return execFileSync('/bin/sh', ['-c', `${TOOL} "$@"`, 'sh', ...more], { stdio: 'pipe' });
}

function signs(path: string, options: Partial<SignOptions>): { code: string; actual: string } {
  try {
    sign(path, { as: 'approver', ...options }, new Output({ quiet: true }));
    return { code: '', actual: '' };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    return { code: error.code, actual: error.actual ?? '' };
  }
}

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

test.run();
