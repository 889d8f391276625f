/** What the configuration of the gateway service may say of campaigns: whose it follows, and who carries them. */
import { matching, path, text, whole, z } from './fields.ts';
import { fileIdentity, isAddress, secretFile } from './network-fields.ts';

const NAME = 'a name of letters, digits, dots, hyphens and underscores, 64 at the most';
const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, NAME);

const URL_TEXT = 'an https address, such as https://fleet.example:8470';

const coordinator = z.strictObject({
  url: z
    .string(URL_TEXT)
    .max(1024, URL_TEXT)
    .refine((written) => isAddress(written, false), { error: URL_TEXT })
    .describe('Where `uplift fleet serve` listens for gateways.'),
  caFile: path.optional().describe('Who signs its certificate (PEM); else the CAs of the system.'),
  certificateSha256: matching(/^[0-9a-f]{64}$/, 'SHA-256 in 64 lower-case digits')
    .optional()
    .describe('Its certificate itself, by the SHA-256 of its DER; no CA is asked then.'),
  enrolmentTokenFile: secretFile
    .optional()
    .describe('The one-time token of `uplift fleet gateway add`; used up at the first contact.'),
  identity: fileIdentity
    .optional()
    .describe('By which it is known there. Absent: made at the first start, in the state folder.'),
  contactMs: whole(100, 900_000)
    .optional()
    .describe(
      'After a start or an outage it asks at a moment drawn from so long, so that a whole fleet does not ' +
        'at once. Default: 30 s.',
    ),
  inventoryMs: whole(100, 86_400_000)
    .optional()
    .describe('Devices that changed are told of so often at the most. Default: a minute.'),
});

const HAWKBIT_URL = 'an https address, or http on this machine, such as https://hawkbit.example';

const hawkbit = z
  .strictObject({
    url: z
      .string(HAWKBIT_URL)
      .max(1024, HAWKBIT_URL)
      .refine((written) => isAddress(written, true), { error: HAWKBIT_URL }),
    tenant: name.default('DEFAULT'),
    controllerId: text(1, 128).optional().describe('Default: the id of the gateway.'),
    caFile: path
      .optional()
      .describe('Who signs its certificate (PEM); else the CAs of the system.'),
    targetTokenFile: secretFile.optional(),
    gatewayTokenFile: secretFile.optional(),
    identity: fileIdentity.optional().describe('The client certificate that is shown to it.'),
  })
  .refine(
    ({ targetTokenFile, gatewayTokenFile, identity: shown }) =>
      [targetTokenFile, gatewayTokenFile, shown].filter((one) => one !== undefined).length === 1,
    { error: 'one of targetTokenFile, gatewayTokenFile and identity' },
  );

export const campaigns = z.strictObject({
  fleet: name.describe('Campaigns of other fleets are refused.'),
  region: name.optional(),
  approvals: whole(1, 8)
    .default(1)
    .describe('How many others than its author have to have signed, whatever a campaign says.'),
  coordinator: coordinator.optional(),
  hawkbit: hawkbit.optional().describe('An Eclipse hawkBit server that carries signed campaigns.'),
});

export type CampaignsDocument = z.output<typeof campaigns>;
