/** Checks of who signed: the party by its certificate or pinned key, and the signer of a ZigBee image. */
import { verifyChain } from '../trust/chain.ts';
import { PURPOSES } from '../trust/trust-anchors.ts';
import { ZSE_SIGNATURE_OUTCOMES, zseOutcomeAt } from '../trust/zse-signature.ts';
import { BENCH } from './context.ts';
import type { AdmissionFacts, OtaImageFacts } from './facts.ts';
import { NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';

/**
 * The party may sign images for this device: its certificate, in its dates and not revoked, leads to
 * an anchor that is pinned for GB firmware, or its key is pinned for that itself.
 */
export function checkParty(
  { signer }: OtaImageFacts,
  { policy, context = BENCH }: AdmissionFacts,
  nowMs: number,
): Verdict {
  if (!signer) return NOT_APPLICABLE;
  const expected = `a signature by a party that may sign ${PURPOSES['gb-firmware'].what}`;
  const { anchors, certificates = [], crls } = signer.trust;
  switch (signer.by) {
    case 'nobody':
      return {
        outcome: 'refuse',
        expected,
        actual: `none of ${certificates.length} certificates and ${anchors.length} anchors made it`,
        next: 'name the certificate of the party that signed, or get the image from its source',
      };
    case 'anchor': {
      const { name, purpose, certificate } = signer.anchor;
      const isInDates =
        !certificate || (nowMs >= certificate.notBeforeMs && nowMs <= certificate.notAfterMs);
      if (purpose === 'gb-firmware' && isInDates && !certificate?.isCa) return PASS;
      return {
        outcome: 'refuse',
        expected,
        actual: isInDates
          ? `the anchor ${name}, which is for ${PURPOSES[purpose].what}`
          : `the anchor ${name}, whose certificate is not in its dates`,
        next: 'pin a key for gb-firmware, where its owner may sign firmware',
      };
    }
    case 'certificate': {
      const chain = verifyChain(signer.certificate, certificates, anchors, {
        atMs: nowMs,
        purpose: 'gb-firmware',
        ...(crls ? { crls } : {}),
      });
      if (!chain.ok) {
        const actual = `${chain.code}: ${chain.message}`;
        return { outcome: 'refuse', expected, actual, next: 'ask the party for a current chain' };
      }
      if (chain.revocation === 'checked' || context.intake === 'bench') return PASS;
      return {
        outcome: policy?.revocationUnchecked ?? 'warn',
        expected: 'a revocation list of every issuer',
        actual: 'none was given, so nobody knows whether the certificate is revoked',
        next: 'name the revocation lists',
      };
    }
  }
}

/** A ZigBee image that carries a Smart Energy signature carries a good one. */
export function checkZse(
  { zse }: OtaImageFacts,
  { policy }: AdmissionFacts,
  nowMs: number,
): Verdict {
  if (!zse || zse.outcome === 'none') return NOT_APPLICABLE;
  const outcome = zseOutcomeAt(zse, nowMs);
  if (outcome === 'verified') return PASS;
  const signer = zse.signer === undefined ? '' : `, signer ${zse.signer}`;
  const found = {
    expected: 'a Smart Energy signature by a configured signer',
    actual: `${ZSE_SIGNATURE_OUTCOMES[outcome]}${signer}`,
  };
  // Nobody was named, so nothing was held against it but its form.
  if (!zse.isConfigured && (outcome === 'signer-unknown' || outcome === 'no-trust-anchor')) {
    const next = 'name the keys of the CAs and the signers that may sign such images';
    return { outcome: policy?.unverifiedSignature ?? 'warn', ...found, next };
  }
  const next = 'check where the image comes from, and which signers are configured';
  return { outcome: 'refuse', ...found, next };
}
