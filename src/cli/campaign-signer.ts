/**
 * Who signs a campaign, as the command is told: a key file, a PKCS#12 file, or a program that reaches a key
 * which never leaves its token.
 */
import { sign as signWith } from 'node:crypto';
import { EXIT, UpliftError } from '../errors.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { loadCertificates } from '../gateway/trust-documents.ts';
import { COSE_CHAIN_MAX } from '../trust/cose.ts';
import { openPkcs12 } from '../trust/pkcs12.ts';
import type { Certificate } from '../trust/x509.ts';
import { identityOf } from './duis-documents.ts';
import { usage, wholeNumber } from './inputs.ts';
import { SIGN_INPUTS, type SignInput, signByCommand } from './sign-command.ts';

export interface CampaignSignerOptions {
  /** Of who signs, and of its CAs; a PKCS#12 file brings its own. */
  certificate?: string;
  key?: string;
  pkcs12?: string;
  passwordFile?: string;
  signCommand?: string;
  signInput?: string;
  signWait?: string;
}

export interface CampaignSigner {
  /** The signer's first, then its CAs. */
  certificates: readonly [Certificate, ...Certificate[]];
  /** r and s over these bytes; with a token they may be of another key, which the caller finds out. */
  sign(bytes: Uint8Array): Uint8Array;
}

const P12_BYTES_MAX = 64 * 1024;
const PASSWORD_BYTES_MAX = 4096;
const WAIT_S = '60';
const WAIT_S_MAX = 3_600;

/** @throws UpliftError */
export function signerNamed(options: CampaignSignerOptions): CampaignSigner {
  const { key, pkcs12, signCommand } = options;
  const named = [key, pkcs12, signCommand].filter((one) => one !== undefined);
  if (named.length !== 1) {
    throw usage('--key', 'one of --key, --pkcs12 and --sign-command', `${named.length} of them`);
  }
  const signer =
    (key !== undefined && byKeyFile(options, key)) ||
    (pkcs12 !== undefined && byPkcs12(options, pkcs12)) ||
    byCommand(options, signCommand!);
  if (signer.certificates.length > COSE_CHAIN_MAX) {
    const actual = `${signer.certificates.length}`;
    throw usage('--certificate', `at most ${COSE_CHAIN_MAX} certificates`, actual);
  }
  return signer;
}

function byKeyFile(options: CampaignSignerOptions, key: string): CampaignSigner {
  const path = certificateNamed(options, '--key');
  const { privateKey, certificate } = identityOf({ certificate: path, key });
  const chain = loadCertificates([path]).slice(1);
  return { certificates: [certificate, ...chain], sign: signerOf(privateKey) };
}

function byPkcs12(options: CampaignSignerOptions, path: string): CampaignSigner {
  const { certificate, passwordFile } = options;
  if (certificate !== undefined) {
    throw usage('--certificate', 'none: the PKCS#12 file brings its own', certificate);
  }
  const file = readBounded(path, P12_BYTES_MAX, 'a PKCS#12 file');
  const opened = openPkcs12(file, passwordIn(passwordFile));
  if (!opened.ok) {
    throw new UpliftError(opened.code, `${path} is not opened`, {
      expected: 'a PKCS#12 file with one key on P-256, and its password in --password-file',
      actual: opened.message,
      next: 'check the password; a file of old ciphers is to be exported again',
      exit: EXIT.refused,
    });
  }
  const certificates = [opened.certificate, ...opened.others] as const;
  return { certificates, sign: signerOf(opened.privateKey) };
}

function byCommand(options: CampaignSignerOptions, command: string): CampaignSigner {
  const { signInput = 'document', signWait = WAIT_S } = options;
  const certificates = loadCertificates([certificateNamed(options, '--sign-command')]);
  const [own, ...chain] = certificates as [Certificate, ...Certificate[]];
  if (!(SIGN_INPUTS as readonly string[]).includes(signInput)) {
    throw usage('--sign-input', SIGN_INPUTS.join(' or '), signInput);
  }
  const waitMs = wholeNumber(signWait, '--sign-wait', WAIT_S_MAX) * 1000;
  if (waitMs === 0) throw usage('--sign-wait', 'a second or more', signWait);
  const input = signInput as SignInput;
  return {
    certificates: [own, ...chain],
    sign: (bytes) => signByCommand(command, bytes, own, { input, waitMs }),
  };
}

function certificateNamed({ certificate }: CampaignSignerOptions, besides: string): string {
  if (certificate !== undefined) return certificate;
  throw usage('--certificate', `the certificate of who signs, beside ${besides}`, 'none');
}

/** The first line of it: a password on the command line is everybody's to see. */
function passwordIn(path: string | undefined): string {
  if (path === undefined) return '';
  const bytes = readBounded(path, PASSWORD_BYTES_MAX, 'a password');
  return new TextDecoder().decode(bytes).split(/\r?\n/)[0]!;
}

function signerOf(privateKey: ReturnType<typeof identityOf>['privateKey']) {
  return (bytes: Uint8Array) =>
    new Uint8Array(signWith('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
}
