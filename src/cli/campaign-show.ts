/** `uplift campaign show`: what a campaign says. Nothing about it is believed yet. */
import { manifestDocument } from '../campaign/manifest.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { CoseSignature } from '../trust/cose.ts';
import { nameText } from '../trust/distinguished-name.ts';
import { parseCertificate } from '../trust/x509.ts';
import { campaignLines, readCampaign } from './campaign-documents.ts';
import type { Output } from './output.ts';

export function show(path: string, output: Output): ExitCode {
  const { document, manifest, digest } = readCampaign(path);
  const signatures = document.signatures.map((signature) => ({
    keyId: signature.keyId,
    as: signature.keyId === manifest.author ? 'author' : 'approver',
    claims: subjectOf(signature),
  }));
  const lines = signatures.map(
    ({ keyId, as, claims }) => `  signed      as ${as} by ${claims ?? 'somebody'}, key id ${keyId}`,
  );
  const shown = { digest, verified: false, manifest: manifestDocument(manifest), signatures };
  output.result(shown, [
    ...campaignLines(manifest, digest),
    ...(lines.length > 0 ? lines : ['  signed      by nobody yet']),
    'not verified: `uplift campaign check` says whether to believe it',
  ]);
  return EXIT.done;
}

/** As the certificate that goes along has it. */
function subjectOf({ keyId, chain }: CoseSignature): string | undefined {
  for (const der of chain) {
    const parsed = parseCertificate(der);
    if (parsed.ok && parsed.fingerprint === keyId) return nameText(parsed.subject);
  }
  return undefined;
}
