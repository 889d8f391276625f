/**
 * Who a gateway is to its coordinator: a private key, and a certificate by whose SHA-256 it is known there.
 *
 *     identity/gateway.key   PKCS #8 in PEM, for this user alone
 *     identity/gateway.crt   self-signed; its name is the gateway's
 *
 * Both are made at the first start and never exchanged: a gateway with another certificate is another one,
 * and has to be enrolled again. A first start that was cut short leaves a key without a certificate, and
 * the next one makes the certificate. The dates say nothing, as a gateway may be started for the first
 * time before it has heard what day it is: a certificate ends when the coordinator shuts it out.
 */
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FileIdentity } from '../../config/duis.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { readBounded } from '../../gateway/bounded-file.ts';
import { writeDurably } from '../../gateway/durable-file.ts';
import { ATTRIBUTES } from '../../trust/distinguished-name.ts';
import { NO_EXPIRY_MS, newP256Key, selfSigned } from '../../trust/self-signed.ts';
import { checkSigningPair } from '../../trust/signing-pair.ts';
import { type Certificate, parseCertificate } from '../../trust/x509.ts';

export interface GatewayIdentity {
  keyPem: string;
  certificatePem: string;
  /** SHA-256 of the certificate in DER. */
  fingerprint: string;
}

/** Any permission of others, or to write of the group: as with every secret of the configuration. */
const KEY_MODE_REFUSED = 0o027;
const FOLDER_MODE = 0o700;
const KEY_MODE = 0o600;
const FILE_BYTES_MAX = 64 * 1024;
const SERIAL_BYTES = 16;
const NOT_BEFORE_MS = Date.UTC(2000, 0, 1);

/** The identity in the folder, made where there is none yet. @throws UpliftError */
export function ownIdentity(stateFolder: string, gateway: string): GatewayIdentity {
  const folder = join(stateFolder, 'identity');
  const keyFile = join(folder, 'gateway.key');
  const certificateFile = join(folder, 'gateway.crt');
  try {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    if (!existsSync(keyFile)) {
      if (existsSync(certificateFile)) throw keyGone(keyFile, certificateFile);
      writeDurably(keyFile, newP256Key(), KEY_MODE);
    }
    if (!existsSync(certificateFile)) {
      writeDurably(certificateFile, certificateOf(readKey(keyFile).key, gateway));
    }
  } catch (error) {
    throw error instanceof UpliftError ? error : notWritable(folder, error);
  }
  const { identity, certificate } = readIdentity({ keyFile, certificateFile });
  const name = certificate.subject.attributes.find(({ oid }) => oid === ATTRIBUTES.CN)?.value;
  if (name !== gateway) throw otherName(certificateFile, gateway, name);
  return identity;
}

/** The identity in files that somebody else keeps. @throws UpliftError */
export function identityFrom(files: FileIdentity): GatewayIdentity {
  return readIdentity(files).identity;
}

function certificateOf(key: KeyObject, gateway: string): string {
  return selfSigned(key, {
    commonName: gateway,
    notBeforeMs: NOT_BEFORE_MS,
    notAfterMs: NO_EXPIRY_MS,
    serial: randomBytes(SERIAL_BYTES),
  });
}

function readIdentity({ keyFile, certificateFile }: FileIdentity): {
  identity: GatewayIdentity;
  certificate: Certificate;
} {
  const { keyPem, key } = readKey(keyFile);
  const certificatePem = readText(certificateFile, 'the certificate of the gateway');
  const certificate = parseCertificate(certificatePem);
  if (!certificate.ok) {
    throw new UpliftError('identity-malformed', `${certificateFile} holds no certificate`, {
      expected: 'one certificate on P-256, in PEM',
      actual: certificate.message,
      next: 'name the certificate of the gateway',
    });
  }
  checkSigningPair({ privateKey: key, certificate });
  return {
    identity: { keyPem, certificatePem, fingerprint: certificate.fingerprint },
    certificate,
  };
}

function readKey(path: string): { keyPem: string; key: KeyObject } {
  const keyPem = readText(path, 'the private key of the gateway');
  const mode = statSync(path).mode & 0o777;
  if ((mode & KEY_MODE_REFUSED) !== 0) throw exposed(path, mode);
  try {
    return { keyPem, key: createPrivateKey(keyPem) };
  } catch {
    throw new UpliftError('identity-malformed', `${path} holds no private key`, {
      expected: 'a private key on P-256, in PEM, without a password',
      // What the reader of keys says could tell of the key.
      actual: 'something else',
      next: 'put it back from a backup; or remove the folder it is in and enrol the gateway again',
    });
  }
}

function readText(path: string, what: string): string {
  return new TextDecoder().decode(readBounded(path, FILE_BYTES_MAX, what));
}

function exposed(path: string, mode: number): UpliftError {
  return new UpliftError('secret-exposed', `others may read ${path}, or write to it`, {
    expected: 'a key that only its owner may change and others may not read',
    actual: `mode 0${mode.toString(8)}`,
    next: `chmod 0600 ${path}; if somebody may have read it, remove both files and enrol again`,
    exit: EXIT.refused,
  });
}

/** Without its key the certificate proves nothing; a new key would be another gateway. */
function keyGone(keyFile: string, certificateFile: string): UpliftError {
  return new UpliftError('state-damaged', `${keyFile} is gone, its certificate is there`, {
    expected: 'the key and the certificate of the gateway',
    actual: 'the certificate alone',
    next: `put the key back from a backup; or remove ${certificateFile} and enrol again`,
    exit: EXIT.refused,
  });
}

function otherName(path: string, gateway: string, name = 'nobody'): UpliftError {
  return new UpliftError('identity-of-other', `${path} is the certificate of another gateway`, {
    expected: `the certificate of ${gateway}`,
    actual: `that of ${name}`,
    next: 'call the gateway as it was called; or remove the folder identity and enrol it anew',
    exit: EXIT.refused,
  });
}

function notWritable(path: string, error: unknown): UpliftError {
  return new UpliftError('state-folder', `the folder ${path} cannot be used`, {
    expected: 'a folder that this user may read and write',
    actual: (error as Error).message,
    next: 'give this user the right to it, or name another state folder',
    cause: error,
  });
}
