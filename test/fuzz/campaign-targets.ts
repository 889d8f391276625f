/** Campaigns: deterministic CBOR, manifests in both forms, signed ones. */
import { type CborValue, decodeCbor, encodeCbor } from '../../src/bytes/cbor.ts';
import { CBOR_REFUSALS } from '../../src/bytes/cbor-scan.ts';
import { CAMPAIGN_CODES } from '../../src/campaign/codes.ts';
import {
  encodeManifest,
  manifestDocument,
  parseManifest,
  readManifestDocument,
} from '../../src/campaign/manifest.ts';
import { openCampaign } from '../../src/campaign/signed-campaign.ts';
import { TRUST_CODES } from '../../src/trust/codes.ts';
import { COSE_CODES } from '../../src/trust/cose.ts';
import { SIGNER_CODES } from '../../src/trust/cose-signers.ts';
import { MANIFEST, NOW, signedCampaign, TRUST } from '../campaign/campaigns.ts';
import { ACCEPTED, type Family, hold, refusedBy, sameBytes, textOf, utf8 } from './target.ts';

const VALUE: CborValue = new Map<number | string, CborValue>([
  [1, [true, -1, 'text', new Uint8Array(30)]],
  ['a', new Map([[1000, 2 ** 40]])],
]);
const PAYLOAD = encodeManifest(MANIFEST);
const ALL_CODES = { ...CAMPAIGN_CODES, ...COSE_CODES, ...SIGNER_CODES, ...TRUST_CODES };

export const CAMPAIGN: Family = {
  name: 'campaign',
  targets: [
    {
      name: 'deterministic CBOR',
      good: [encodeCbor(VALUE), PAYLOAD],
      read: (bytes) => {
        const decoded = decodeCbor(bytes, { depthMax: 16, itemsMax: 10_000 });
        if (!decoded.ok) return refusedBy(CBOR_REFUSALS, decoded.code);
        hold(sameBytes(encodeCbor(decoded.value), bytes), 'a value has one encoding');
        return ACCEPTED;
      },
    },
    {
      name: 'manifest',
      good: [PAYLOAD],
      read: (bytes) => {
        const parsed = parseManifest(bytes);
        if (!parsed.ok) return refusedBy(CAMPAIGN_CODES, parsed.code);
        hold(sameBytes(encodeManifest(parsed.manifest), bytes), 'a manifest has one encoding');
        return ACCEPTED;
      },
    },
    {
      name: 'description of a campaign',
      good: [utf8(JSON.stringify(manifestDocument(MANIFEST)))],
      words: ['null', '[]', '{}', '"__proto__":1,', '1e999', '-1', '0.5', '"\\ud800"'],
      read: (bytes) => {
        const document = jsonOf(textOf(bytes));
        const read = readManifestDocument(document);
        if (!read.ok) return refusedBy(CAMPAIGN_CODES, read.code);
        hold(parseManifest(encodeManifest(read.manifest)).ok, 'what is made is read');
        return ACCEPTED;
      },
    },
    {
      name: 'signed campaign',
      good: [signedCampaign()],
      read: (bytes) => {
        const opened = openCampaign(bytes, { ...TRUST, atMs: NOW });
        if (!opened.ok) return refusedBy(ALL_CODES, opened.code);
        hold(sameBytes(encodeManifest(opened.manifest), PAYLOAD), 'it says what was signed');
        return ACCEPTED;
      },
    },
  ],
};

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
