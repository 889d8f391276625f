/** `uplift campaign check`: whether a gateway with these trust anchors would believe a campaign. */
import { checkTime, NO_CAMPAIGNS } from '../campaign/acceptance.ts';
import { openCampaign } from '../campaign/signed-campaign.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { VerifiedSigner } from '../trust/cose-signers.ts';
import { campaignLines, readCampaignBytes, refusedCampaign } from './campaign-documents.ts';
import { type SignerOptions, signersIn } from './duis-documents.ts';
import type { Output } from './output.ts';

/** These depend on the gateway and on what it has accepted before. */
const UNCHECKED = ['whether it is for a gateway', 'whether it is the next of its line'];

export function check(path: string, options: SignerOptions, output: Output): ExitCode {
  const trust = signersIn(options);
  const opened = openCampaign(readCampaignBytes(path), trust);
  if (!opened.ok) throw refusedCampaign(path, opened);
  const { manifest, digest, author, approvers } = opened;
  const late = checkTime(manifest, { state: NO_CAMPAIGNS, nowMs: trust.atMs });
  if (late) throw refusedCampaign(path, late);
  const revocation = trust.crls ? 'checked' : 'not-checked';
  output.result({ digest, author, approvers, revocation, unchecked: UNCHECKED }, [
    ...campaignLines(manifest, digest),
    `  author      ${signerText(author)}`,
    ...approvers.map((approver) => `  approved    ${signerText(approver)}`),
    `  revocation  ${revocation === 'checked' ? 'checked' : 'not checked: no lists were named'}`,
    `believed as of ${new Date(trust.atMs).toISOString()}; not looked at: ${UNCHECKED.join(', ')}`,
  ]);
  return EXIT.done;
}

function signerText({ person, anchor, keyId }: VerifiedSigner): string {
  return `${person}, vouched for by ${anchor}, key id ${keyId.slice(0, 12)}`;
}
