/**
 * A signed campaign: a COSE_Sign over the manifest, opened in the order that leaves nothing to chance.
 * Every signature is verified over the received bytes, then the manifest is read out of those very
 * bytes, then author and approvers are counted. What is returned was parsed from what was verified; the
 * caller's bytes may change afterwards.
 */
import { type CoseDocument, type CoseRefusal, decodeCose } from '../trust/cose.ts';
import {
  type CoseTrust,
  type SignerRefusal,
  type VerifiedSigner,
  verifyApprovals,
  verifySigners,
} from '../trust/cose-signers.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { CampaignRefusal } from './codes.ts';
import { CAMPAIGN_CONTENT_TYPE, type Manifest, parseManifest } from './manifest.ts';

export interface SignedCampaign {
  ok: true;
  manifest: Manifest;
  /** SHA-256 of the manifest's bytes, 64 digits: what people compare, and what a gateway remembers. */
  digest: string;
  author: VerifiedSigner;
  approvers: readonly VerifiedSigner[];
}

/** Whom to believe, at what time. */
export type CampaignTrust = Omit<CoseTrust, 'purpose'>;

export type OpenRefusal = CoseRefusal | SignerRefusal | CampaignRefusal;

export function openCampaign(
  bytes: Uint8Array,
  trust: CampaignTrust,
): SignedCampaign | OpenRefusal {
  const opened = openUnapproved(bytes, trust);
  if (!opened.ok) return opened;
  const { manifest, digest, signers } = opened;
  const approved = verifyApprovals(signers, manifest.author, manifest.approvals);
  if (!approved.ok) return approved;
  const { author, approvers } = approved;
  return { ok: true, manifest, digest, author, approvers };
}

/** Nobody acts on it: some may have signed, and perhaps not enough. */
export interface UnapprovedCampaign {
  ok: true;
  manifest: Manifest;
  digest: string;
  /** What is signed: the manifest's bytes. */
  payload: Uint8Array;
  /** Every one of them verified. */
  signers: readonly VerifiedSigner[];
}

/** The same without counting author and approvers: for whoever collects signatures. */
export function openUnapproved(
  bytes: Uint8Array,
  trust: CampaignTrust,
): UnapprovedCampaign | OpenRefusal {
  const document = decodeCampaign(bytes);
  if (!document.ok) return document;
  const verified = verifySigners(document, { ...trust, purpose: 'campaign' });
  if (!verified.ok) return verified;
  const { payload } = document;
  const parsed = parseManifest(payload);
  if (!parsed.ok) return parsed;
  const { manifest } = parsed;
  return { ok: true, manifest, digest: sha256Hex(payload), payload, signers: verified.signers };
}

/** Not yet believed; COSE_Sign alone, as one signature is never enough. */
export function decodeCampaign(
  bytes: Uint8Array,
  options: { mayBeUnsigned?: boolean } = {},
): CoseDocument | CoseRefusal {
  return decodeCose(bytes, CAMPAIGN_CONTENT_TYPE, { ...options, kind: 'sign' });
}
