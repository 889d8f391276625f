/**
 * What the configuration of the gateway service may say of the DCC User Interface: where requests come in,
 * who may send which, who signs what goes out, and where that is delivered.
 */
import { eui64, path, text, whole, z } from './fields.ts';
import { fileIdentity, isAddress, listen } from './network-fields.ts';

const USERS_MAX = 1_000;
const MIB = 1_048_576;
/** Remote Party Roles that may send a firmware request (request matrix of the DCC's tools). */
export const USER_ROLES = ['IS', 'ES', 'GS', 'RSA', 'ED', 'GT', 'OU'] as const;

const ENDPOINT = 'an https address, such as https://user.example:8443/duis';

const endpoint = z.strictObject({
  url: z
    .string(ENDPOINT)
    .max(1024, ENDPOINT)
    .refine((written) => isAddress(written, true), { error: ENDPOINT })
    .describe('Where responses and alerts for this user are posted.'),
  caFile: path.optional().describe('Who signs its certificate (PEM); else the CAs of the system.'),
  client: fileIdentity.optional().describe('The certificate that is shown to it.'),
});

const user = z.strictObject({
  eui64: eui64.describe('The originator of its requests.'),
  roles: z
    .array(z.enum(USER_ROLES))
    .min(1, 'at least one role')
    .max(USER_ROLES.length)
    .describe('In which it may ask; the first that fits a request counts.'),
  party: text(1, 64).optional().describe('As installations name their suppliers.'),
  certificates: z
    .array(path)
    .min(1, 'at least one file')
    .max(16, 'at most 16 files')
    .describe('By which it signs (PEM); a request names one by issuer and serial number.'),
  client: text(1, 253)
    .optional()
    .describe(
      'The common name, or a DNS name, of its TLS certificate; else its EUI-64 has to be in it.',
    ),
  endpoint: endpoint.optional().describe('Absent: what is for it waits in the outbox.'),
});

const WHEN = 'held or now';

export const duis = z
  .strictObject({
    listen: listen.prefault('127.0.0.1:8461').describe('Default 127.0.0.1:8461; port 0: any free.'),
    tls: fileIdentity.extend({
      clientCaFile: path.describe('Who signs the certificates of users (PEM).'),
    }),
    broker: eui64.describe('The DCC access control broker: the target of 11.1 and 11.4.'),
    signing: fileIdentity.describe('By which responses and alerts are signed.'),
    users: z.array(user).min(1, 'at least one user').max(USERS_MAX, `at most ${USERS_MAX} users`),
    activation: z
      .strictObject({
        updateFirmware: z.enum(['held', 'now'], WHEN).default('held'),
        updatePpmidFirmware: z.enum(['held', 'now'], WHEN).default('now'),
      })
      .prefault({})
      .describe(
        'After 11.1 and 11.4: held until 11.3, or now. No source that could be read says it.',
      ),
    requestBytesMax: whole(1024, 64 * MIB).default(16 * MIB),
    deadlineDays: whole(1, 90).default(14).describe('What has not begun by then has failed.'),
  })
  .superRefine(({ users }, context) => {
    const seen = new Set<string>();
    for (const [index, one] of users.entries()) {
      if (seen.has(one.eui64)) {
        const params = { code: 'eui64-duplicate', found: one.eui64 };
        const message = 'each originator once';
        context.addIssue({ code: 'custom', message, path: ['users', index, 'eui64'], params });
      }
      seen.add(one.eui64);
    }
  });

export type DuisDocument = z.output<typeof duis>;
