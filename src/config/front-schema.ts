/**
 * What the configuration of the gateway service may say of a front: which fleet it stands for, how that
 * fleet's coordinator is reached, who signs its campaigns, and how they go on.
 */
import { matching, path, whole, z } from './fields.ts';
import { fileIdentity, isAddress, secretFile } from './network-fields.ts';

const NAME = 'a name of letters, digits, dots, hyphens and underscores, 64 at the most';
const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, NAME);

const DEVICES_MAX = 50_000;
const MODELS_MAX = 256;
/** As signed campaigns have them (src/campaign/manifest.ts). */
const FAILURES = [
  'any',
  'refused',
  'unreachable',
  'transfer',
  'activation',
  'reverted',
  'expired',
  'unknown-outcome',
] as const;

const URL_TEXT = 'an https address, or http on this machine, such as https://fleet.example:8471';

const coordinator = z
  .strictObject({
    url: z
      .string(URL_TEXT)
      .max(1024, URL_TEXT)
      .refine((written) => isAddress(written, true), { error: URL_TEXT })
      .optional()
      .describe('Where `uplift fleet serve` answers people and programs.'),
    caFile: path
      .optional()
      .describe('Who signs its certificate (PEM); else the CAs of the system.'),
    socket: path.optional().describe('Its socket, where it runs on this machine.'),
    tokenFile: secretFile
      .optional()
      .describe('The token by which images and campaigns are handed in.'),
    starterTokenFile: secretFile
      .optional()
      .describe(
        'The token by which campaigns are started: who hands one in may not start it. Absent: a ' +
          'person starts each.',
      ),
  })
  .superRefine(({ url, socket, caFile, tokenFile }, context) => {
    const refuse = (at: string, message: string, found: string) =>
      context.addIssue({ code: 'custom', message, path: [at], params: { found } });
    if ((url === undefined) === (socket === undefined))
      refuse('url', 'either url or socket', url === undefined ? 'neither' : 'both');
    if (url !== undefined && tokenFile === undefined)
      refuse(
        'tokenFile',
        'the file of a token: whoever reaches a port has to say who they are',
        'none',
      );
    if (socket !== undefined && caFile !== undefined)
      refuse('caFile', 'no such setting for a socket', 'one');
  });

const signing = z.strictObject({
  author: fileIdentity.describe('Who writes the campaigns.'),
  approvers: z
    .array(fileIdentity)
    .max(8, 'at most 8 approvers')
    .default([])
    .describe('Who approves each by itself. With fewer than approvals, people sign the rest.'),
  approvals: whole(1, 8)
    .default(1)
    .describe('How many others than the author have to sign; no fewer than gateways ask for.'),
});

const percent = whole(1, 100);

const ring = z.strictObject({
  name,
  members: z.array(name).min(1, 'at least one member').max(1000, 'at most 1000').optional(),
  percent: whole(1, 99).optional(),
  all: z.literal(true, 'true, or left out').optional(),
  untilPercent: percent.describe('The next ring opens when so many of a hundred have succeeded.'),
});

const abort = z.strictObject({
  failure: z.enum(FAILURES),
  count: whole(1, DEVICES_MAX).optional(),
  percent: percent.optional(),
  minimum: whole(1, DEVICES_MAX).optional(),
});

const campaign = z.strictObject({
  lifeDays: whole(1, 90).default(14).describe('What has not begun by then has failed.'),
  rings: z
    .array(ring)
    .min(1, 'at least one ring')
    .max(16, 'at most 16 rings')
    .default([
      { name: 'canary', percent: 1, untilPercent: 90 },
      { name: 'tenth', percent: 10, untilPercent: 90 },
      { name: 'all', all: true, untilPercent: 90 },
    ])
    .describe('Which devices go first; each ring of members, percent or all.'),
  pace: z
    .strictObject({
      first: whole(1, 1000),
      growthPercent: whole(100, 500),
      afterSucceeded: whole(1, 10_000),
      most: whole(1, DEVICES_MAX),
    })
    .default({ first: 50, growthPercent: 150, afterSucceeded: 25, most: 5_000 })
    .describe('How many devices are under way at once: more, as more succeed.'),
  aborts: z
    .array(abort)
    .min(1, 'at least one rule')
    .max(16, 'at most 16 rules')
    .default([
      { failure: 'any', percent: 20, minimum: 50 },
      { failure: 'reverted', percent: 5, minimum: 20 },
      { failure: 'unknown-outcome', percent: 5, minimum: 20 },
    ])
    .describe('When a campaign is given up: by count, or by percent of a minimum attempted.'),
});

export const front = z.strictObject({
  fleet: name.describe('As its gateways call it.'),
  coordinator,
  models: z
    .array(path)
    .min(1, 'at least one model file')
    .max(MODELS_MAX, `at most ${MODELS_MAX} model files`)
    .describe('The models of its devices; a device that none of them fits is left out.'),
  signing,
  campaign: campaign.prefault({}),
  inventoryMs: whole(1_000, 86_400_000)
    .default(600_000)
    .describe('How often it asks which devices there are. Default: 10 minutes.'),
  installationIsGateway: z
    .boolean()
    .default(false)
    .describe('Installations are called as the gateways that their devices hang on.'),
});

export type FrontDocument = z.output<typeof front>;
