/**
 * Signs by a program: it gets on its standard input what is to be signed, and writes the ECDSA signature to
 * its standard output, in DER or as r and s. So a key stays on its token (PKCS#11, a cloud HSM, a server
 * that asks somebody), and no driver is loaded here.
 *
 * The command is a line for /bin/sh, because whoever runs `uplift` wrote it: nothing of the campaign, of
 * a certificate or of any other file becomes part of it. What it writes is believed only where it
 * verifies with the certificate that was named.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { EXIT, UpliftError } from '../errors.ts';
import { rawOfDerP256Signature, verifyP256 } from '../trust/ecdsa.ts';
import type { Certificate } from '../trust/x509.ts';

/**
 * `document`: the COSE Sig_structure, which the program hashes; `sha256`: its 32 octets of SHA-256, for
 * tokens that sign a hash (CKM_ECDSA).
 */
export const SIGN_INPUTS = ['document', 'sha256'] as const;
export type SignInput = (typeof SIGN_INPUTS)[number];

export interface SignCommandOptions {
  input: SignInput;
  /** All of it, a person's typing of a PIN included. */
  waitMs: number;
}

/** Both outputs together; a signature has 64 octets, or some 72. */
const OUTPUT_BYTES_MAX = 64 * 1024;
const COMPLAINT_CHARACTERS_MAX = 500;
const RAW_BYTES = 64;

/** r and s, verified. @throws UpliftError with what the program said on its standard error */
export function signByCommand(
  command: string,
  bytes: Uint8Array,
  certificate: Certificate,
  { input, waitMs }: SignCommandOptions,
): Uint8Array {
  const given = input === 'document' ? bytes : createHash('sha256').update(bytes).digest();
  const ran = spawnSync('/bin/sh', ['-c', command], {
    input: given,
    timeout: waitMs,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const complaint = complaintIn(ran.stderr);
  const { code } = (ran.error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ETIMEDOUT') {
    throw failed('sign-command-late', `none within ${waitMs / 1000} s${complaint}`, {
      next: 'see what it waits for, or give it longer: --sign-wait',
    });
  }
  // One that reads nothing may have signed all the same, which is found out below.
  if (ran.error && code !== 'EPIPE') throw failed('sign-command-failed', `${code}${complaint}`);
  if (ran.status !== 0) {
    const how = ran.status === null ? `signal ${ran.signal}` : `exit code ${ran.status}`;
    throw failed('sign-command-failed', `${how}${complaint}`);
  }
  const signature = signatureIn(ran.stdout, bytes, certificate);
  if (signature) return signature;
  throw failed(
    'signature-other-bytes',
    `${ran.stdout.length} bytes that do not verify${complaint}`,
    {
      next: 'name the certificate of that key, and with --sign-input what the program hashes itself',
    },
  );
}

/** In the form in which it verifies. */
function signatureIn(
  written: Uint8Array,
  bytes: Uint8Array,
  { publicKey }: Certificate,
): Uint8Array | undefined {
  const raw = written.length === RAW_BYTES ? Uint8Array.from(written) : undefined;
  return [raw, rawOfDerP256Signature(written)].find(
    (one) => one !== undefined && verifyP256(publicKey, bytes, one),
  );
}

function complaintIn(stderr: Buffer | null): string {
  const text = (stderr ?? Buffer.alloc(0)).toString('utf8').trim();
  return text === '' ? '' : `; it says: ${text.slice(-COMPLAINT_CHARACTERS_MAX)}`;
}

function failed(code: string, actual: string, { next }: { next?: string } = {}): UpliftError {
  return new UpliftError(code, 'the program of --sign-command has not signed', {
    expected: 'a signature by ECDSA on P-256 on its standard output, in DER or as r and s',
    actual,
    next: next ?? 'run it by hand; it is given to /bin/sh as it stands',
    exit: EXIT.refused,
  });
}
