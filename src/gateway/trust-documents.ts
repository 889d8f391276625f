/** Documents of trust on disk: pinned anchors, certificates, revocation lists, floors, waivers. */
import type { SigningParties } from '../admission/signer.ts';
import { UpliftError } from '../errors.ts';
import type { TrustRefusal } from '../trust/codes.ts';
import { CRL_BYTES_MAX, parseRevocationList, type RevocationList } from '../trust/crl.ts';
import { type DowngradeWaiver, parseWaiver, type WaiverKey } from '../trust/downgrade-waiver.ts';
import { parsePem } from '../trust/pem.ts';
import {
  loadTrustAnchors,
  type TrustAnchor,
  type TrustAnchorSpec,
} from '../trust/pinned-anchors.ts';
import { parseVersionFloors, type VersionFloors } from '../trust/rollback.ts';
import { type Certificate, parseCertificate } from '../trust/x509.ts';
import { readBounded } from './bounded-file.ts';

const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

export interface PinnedDocument {
  anchors: TrustAnchor[];
  /** Of anchors that name a person. */
  waiverKeys: WaiverKey[];
}

/** JSON: `{"version": 1, "anchors": [{"name", "purpose", "fingerprint", "pem", "roles"?, "person"?}]}`. */
export function loadPinnedAnchors(path: string): PinnedDocument {
  const document = readJson(path, 'pinned trust anchors') as
    | { version?: unknown; anchors?: unknown }
    | undefined;
  const specs = document?.version === 1 ? document.anchors : undefined;
  if (!Array.isArray(specs) || !specs.every(isSpec)) {
    throw wrong(
      path,
      'anchors-malformed',
      'version 1 with anchors, each with name, purpose, fingerprint and pem',
    );
  }
  const loaded = loadTrustAnchors(specs);
  if (!loaded.ok) throw refusedBy(path, loaded);
  const people = new Map(specs.map(({ name, person }) => [name, person]));
  const waiverKeys = loaded.anchors.flatMap((anchor) => {
    const person = people.get(anchor.name);
    return person === undefined ? [] : [{ person, anchor }];
  });
  return { anchors: loaded.anchors, waiverKeys };
}

/** Every CERTIFICATE of every file. */
export function loadCertificates(paths: readonly string[]): Certificate[] {
  return paths.flatMap((path) => {
    const pem = parsePem(readText(path, 'certificates as PEM'));
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

export function partiesOf(
  anchors: readonly TrustAnchor[],
  certificates: readonly Certificate[],
  crls: readonly RevocationList[] | undefined,
): SigningParties {
  return { anchors, certificates, ...(crls ? { crls } : {}) };
}

function isSpec(value: unknown): value is TrustAnchorSpec & { person?: string } {
  if (typeof value !== 'object' || value === null) return false;
  const { name, purpose, fingerprint, pem, person, roles } = value as Record<string, unknown>;
  const areTexts = [name, purpose, fingerprint, pem].every((text) => typeof text === 'string');
  const isPerson = person === undefined || typeof person === 'string';
  const areRoles =
    roles === undefined || (Array.isArray(roles) && roles.every((one) => typeof one === 'string'));
  return areTexts && isPerson && areRoles;
}

function readText(path: string, what: string): string {
  return new TextDecoder().decode(readBounded(path, DOCUMENT_BYTES_MAX, what));
}

function readJson(path: string, what: string): unknown {
  try {
    return JSON.parse(readText(path, what));
  } catch (error) {
    if (error instanceof UpliftError) throw error;
    throw wrong(path, 'json-malformed', (error as Error).message);
  }
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
