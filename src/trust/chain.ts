/**
 * From a certificate to a trust anchor (RFC 5280, 6, for SMKI's shape): every certificate of the way
 * is in its dates, every issuer is a CA whose key usage and path length allow it, every signature
 * verifies, nothing is revoked, and the anchor is for the purpose that is asked for.
 *
 * Bounded: a chain has 6 certificates at most, and of the ways through hostile intermediates 64 are
 * tried. Where several ways fail, the code is that of the one which came furthest.
 *
 * Revocation is the caller's choice, and a hard one: without lists the answer says `not-checked`;
 * with lists, also with none in the list of lists, every issuer on the way must have a list that is
 * signed and current. An anchor itself is not looked up: to revoke it, take it out.
 */
import { refuse, type TrustCode, type TrustRefusal } from './codes.ts';
import type { RevocationList } from './crl.ts';
import { nameText, sameName } from './distinguished-name.ts';
import { type Purpose, type TrustAnchor, takesRole } from './trust-anchors.ts';
import { type Certificate, isKnownSignedBy, KEY_USAGE } from './x509.ts';

/** The leaf and the anchor included. */
const PATH_CERTIFICATES_MAX = 6;
const INTERMEDIATES_MAX = 32;
const SIGNATURES_MAX = 64;

export interface ChainOptions {
  atMs: number;
  purpose: Purpose;
  /** Absent: revocation is not checked. */
  crls?: readonly RevocationList[];
}

export interface VerifiedChain {
  ok: true;
  /** From the leaf to the anchor's certificate. */
  path: readonly Certificate[];
  anchor: TrustAnchor;
  revocation: 'checked' | 'not-checked';
}

export interface ChainRefusal extends TrustRefusal {
  /** How many certificates of the way were good. */
  depth: number;
}

interface Search {
  intermediates: readonly Certificate[];
  anchors: readonly TrustAnchor[];
  options: ChainOptions;
  signaturesLeft: number;
}

export function verifyChain(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly TrustAnchor[],
  options: ChainOptions,
): VerifiedChain | ChainRefusal {
  const ofPurpose = anchors.filter(({ purpose }) => purpose === options.purpose);
  if (intermediates.length > INTERMEDIATES_MAX) return failed('path-too-costly', leaf, 0);
  const search: Search = {
    intermediates,
    anchors: ofPurpose,
    options,
    signaturesLeft: SIGNATURES_MAX,
  };
  const own = checkCertificate(leaf, KEY_USAGE.digitalSignature, options.atMs);
  if (own) return failed(own, leaf, 0);
  const found = ofPurpose.length > 0 ? extend([leaf], search) : failed('no-trust-anchor', leaf, 0);
  if (found.ok || !ENDS_NOWHERE.includes(found.code)) return found;
  const others = anchors.filter((anchor) => !ofPurpose.includes(anchor));
  const wouldDo = others.some((anchor) => isAnchorOf(anchor, [leaf, ...intermediates]));
  return wouldDo ? failed('wrong-purpose', leaf, found.depth) : found;
}

/** The codes that say nothing was wrong but the end. */
const ENDS_NOWHERE: readonly TrustCode[] = ['unknown-issuer', 'no-trust-anchor'];

/** A way on from the last certificate of `path`, which is good so far. */
function extend(path: readonly Certificate[], search: Search): VerifiedChain | ChainRefusal {
  const last = path.at(-1)!;
  const pinned = search.anchors.filter(({ fingerprint }) => fingerprint === last.fingerprint);
  if (pinned.length > 0) return finish(path, pinned, search.options);
  let best = failed('unknown-issuer', last, path.length - 1);
  if (path.length === PATH_CERTIFICATES_MAX) return failed('path-too-long', last, path.length - 1);
  for (const issuer of issuersOf(last, path, search)) {
    const tried = tryIssuer(issuer, path, search);
    if (tried.ok) return tried;
    if (tried.code === 'path-too-costly') return tried;
    if (tried.depth > best.depth || best.code === 'unknown-issuer') best = tried;
  }
  return best;
}

function tryIssuer(
  issuer: Certificate,
  path: readonly Certificate[],
  search: Search,
): VerifiedChain | ChainRefusal {
  const depth = path.length;
  const subject = path.at(-1)!;
  if (search.signaturesLeft-- === 0) return failed('path-too-costly', issuer, depth);
  if (!issuer.isCa) return failed('leaf-as-ca', issuer, depth);
  const bad = checkCertificate(issuer, KEY_USAGE.keyCertSign, search.options.atMs);
  if (bad) return failed(bad, issuer, depth);
  // CAs between this one and the leaf.
  if (issuer.pathLength !== undefined && path.length - 1 > issuer.pathLength) {
    return failed('path-too-long', issuer, depth);
  }
  if (!isKnownSignedBy(subject, issuer.publicKey)) return failed('signature', subject, depth);
  const revocation = checkRevocation(subject, issuer, search.options);
  if (revocation) return failed(revocation, subject, depth);
  return extend([...path, issuer], search);
}

function finish(
  path: readonly Certificate[],
  anchors: readonly TrustAnchor[],
  { crls }: ChainOptions,
): VerifiedChain | ChainRefusal {
  const leaf = path[0]!;
  const anchor = anchors.find((one) => takesRole(one, leaf.role));
  if (!anchor) return failed('wrong-role', leaf, path.length);
  return { ok: true, path, anchor, revocation: crls ? 'checked' : 'not-checked' };
}

/** Those that bear the issuer's name; where both name a key, the same one. */
function issuersOf(
  subject: Certificate,
  path: readonly Certificate[],
  { anchors, intermediates }: Search,
): Certificate[] {
  const known = [...anchors.flatMap(({ certificate }) => certificate ?? []), ...intermediates];
  return known.filter(
    (candidate) => isIssuer(candidate, subject) && !path.some((one) => isSame(one, candidate)),
  );
}

function isIssuer(candidate: Certificate, subject: Certificate): boolean {
  const { subjectKeyId } = candidate;
  const { authorityKeyId } = subject;
  const keysAgree = !subjectKeyId || !authorityKeyId || subjectKeyId === authorityKeyId;
  return keysAgree && sameName(candidate.subject, subject.issuer);
}

function isAnchorOf(
  { certificate, fingerprint }: TrustAnchor,
  path: readonly Certificate[],
): boolean {
  return path.some(
    (one) => one.fingerprint === fingerprint || (certificate && isIssuer(certificate, one)),
  );
}

function checkCertificate(
  { notBeforeMs, notAfterMs, keyUsage }: Certificate,
  usage: number,
  atMs: number,
): TrustCode | undefined {
  // A time that is no number is inside no validity.
  if (!(atMs >= notBeforeMs)) return 'not-yet-valid';
  if (!(atMs <= notAfterMs)) return 'expired';
  return ((keyUsage ?? 0) & usage) === 0 ? 'wrong-usage' : undefined;
}

/** A list that is signed counts for what it lists, even when it is old. */
function checkRevocation(
  subject: Certificate,
  issuer: Certificate,
  { crls, atMs }: ChainOptions,
): TrustCode | undefined {
  if (!crls) return undefined;
  const lists = crls.filter((list) => sameName(list.issuer, issuer.subject));
  if (lists.length === 0) return 'crl-missing';
  if (((issuer.keyUsage ?? 0) & KEY_USAGE.crlSign) === 0) return 'wrong-usage';
  const signed = lists.filter((list) => isKnownSignedBy(list, issuer.publicKey));
  if (signed.length === 0) return 'crl-signature';
  if (signed.some(({ revoked }) => revoked.has(subject.serialNumber))) return 'revoked';
  if (signed.every(({ thisUpdateMs }) => !(atMs >= thisUpdateMs))) return 'crl-not-yet-valid';
  const isCurrent = (list: RevocationList) =>
    atMs >= list.thisUpdateMs && atMs <= list.nextUpdateMs;
  return signed.some(isCurrent) ? undefined : 'crl-stale';
}

function isSame(one: Certificate, other: Certificate): boolean {
  return one.fingerprint === other.fingerprint;
}

function failed(code: TrustCode, { subject }: Certificate, depth: number): ChainRefusal {
  return { ...refuse(code, nameText(subject)), depth };
}
