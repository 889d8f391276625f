/** Documents of trust on disk beside the anchors: certificates, revocation lists, floors, waivers. */
import { UpliftError } from '../errors.ts';
import type { TrustRefusal } from '../trust/codes.ts';
import { CRL_BYTES_MAX, parseRevocationList, type RevocationList } from '../trust/crl.ts';
import { type DowngradeWaiver, parseWaiver } from '../trust/downgrade-waiver.ts';
import { parsePem } from '../trust/pem.ts';
import { parseVersionFloors, type VersionFloors } from '../trust/rollback.ts';
import { type Certificate, parseCertificate } from '../trust/x509.ts';
import { readBounded } from './bounded-file.ts';
import { DOCUMENT_BYTES_MAX, readJson } from './json-file.ts';

/** Every CERTIFICATE of every file. */
export function loadCertificates(paths: readonly string[]): Certificate[] {
  return paths.flatMap((path) => {
    const bytes = readBounded(path, DOCUMENT_BYTES_MAX, 'certificates as PEM');
    const pem = parsePem(new TextDecoder().decode(bytes));
    if (!pem.ok) throw refusedBy(path, pem);
    return pem.blocks.map(({ der }) => {
      const certificate = parseCertificate(der);
      if (!certificate.ok) throw refusedBy(path, certificate);
      return certificate;
    });
  });
}

/** DER or PEM, one a file. */
export function loadRevocationLists(paths: readonly string[]): RevocationList[] {
  return paths.map((path) => {
    const bytes = readBounded(path, CRL_BYTES_MAX, 'a revocation list');
    const text = new TextDecoder().decode(bytes);
    const list = parseRevocationList(text.startsWith('-----BEGIN') ? text : bytes);
    if (!('revoked' in list)) throw refusedBy(path, list);
    return list;
  });
}

export function loadVersionFloors(path: string): VersionFloors {
  const parsed = parseVersionFloors(readJson(path, 'version floors'));
  if (parsed.ok) return parsed.floors;
  throw wrong(path, parsed.code, parsed.message);
}

export function loadWaiver(path: string): DowngradeWaiver {
  const parsed = parseWaiver(readJson(path, 'a downgrade waiver'));
  if (parsed.ok) return parsed.waiver;
  throw wrong(path, parsed.code, parsed.message);
}

function refusedBy(path: string, { code, message }: TrustRefusal): UpliftError {
  return wrong(path, code, message);
}

function wrong(path: string, code: string, actual: string): UpliftError {
  return new UpliftError(code, `${path} is not taken`, {
    expected: 'a document that is whole and of its kind',
    actual,
    next: 'correct the document, or name another',
  });
}
