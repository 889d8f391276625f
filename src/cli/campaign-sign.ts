/** `uplift campaign sign`: adds the signature of the author, or of somebody who approves. */
import { CAMPAIGN_CONTENT_TYPE } from '../campaign/manifest.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { prepareSignature } from '../trust/cose.ts';
import {
  campaignLines,
  type ReadCampaign,
  readCampaign,
  refusedCampaign,
} from './campaign-documents.ts';
import { type CampaignSignerOptions, signerNamed } from './campaign-signer.ts';
import { certificateDocument, certificateText, writeDocument } from './duis-documents.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export interface SignOptions extends CampaignSignerOptions {
  as: string;
  digest?: string;
  out?: string;
}

const ROLES = ['author', 'approver'];

export function sign(path: string, options: SignOptions, output: Output): ExitCode {
  const { as, out = path } = options;
  if (!ROLES.includes(as)) throw usage('--as', ROLES.join(' or '), as);
  const signer = signerNamed(options);
  const [certificate] = signer.certificates;
  const campaign = readCampaign(path);
  const { manifest, digest } = campaign;
  checkDigest(digest, options.digest);
  checkRole(campaign, as, certificate.fingerprint);
  const prepared = prepareSignature(campaign.bytes, CAMPAIGN_CONTENT_TYPE, signer);
  if (!prepared.ok) throw refusedCampaign(path, prepared);
  const signed = prepared.complete(signer.sign(prepared.signed));
  writeDocument(signed, out);
  const shown = certificateDocument(certificate);
  output.result({ out, as, digest, signer: shown, bytes: signed.length }, [
    ...campaignLines(manifest, digest),
    `${out}: signed as ${as} by ${certificateText(certificate)}`,
  ]);
  return EXIT.done;
}

/** Who approves names what was read: the file may have been exchanged since. */
function checkDigest(actual: string, expected: string | undefined): void {
  if (expected === undefined || expected.toLowerCase() === actual) return;
  throw new UpliftError('digest-differs', 'this is another campaign than the one you read', {
    expected,
    actual,
    next: 'read it again: uplift campaign show',
    exit: EXIT.refused,
  });
}

function checkRole({ manifest, document }: ReadCampaign, as: string, fingerprint: string): void {
  const isAuthor = manifest.author === fingerprint;
  if (isAuthor !== (as === 'author')) {
    const code = isAuthor ? 'self-approval' : 'signer-not-author';
    throw new UpliftError(code, `the certificate does not sign as ${as}`, {
      expected: isAuthor ? 'somebody else: the author never approves' : manifest.author,
      actual: isAuthor ? 'the author of the campaign' : fingerprint,
      next: isAuthor ? 'sign with --as author' : 'sign with --as approver',
      exit: EXIT.refused,
    });
  }
  if (document.signatures.every(({ keyId }) => keyId !== fingerprint)) return;
  throw new UpliftError('already-signed', 'the certificate has signed this campaign', {
    expected: 'somebody who has not',
    actual: fingerprint,
    next: 'nothing is left to do with this key',
    exit: EXIT.refused,
  });
}
