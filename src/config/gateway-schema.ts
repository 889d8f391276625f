/**
 * What the configuration of the gateway service (`uplift serve --config F`) may say.
 *
 * No secret stands in it: a key or a token is named by its file (`...File`), which nobody but the service
 * may read. What is written here may be shown, mailed and kept in a repository.
 */

import { api } from './api-schema.ts';
import { campaigns } from './campaigns-schema.ts';
import { duis } from './duis-schema.ts';
import { eui64, id, matching, milliseconds, path, text, whole, z } from './fields.ts';
import { front } from './front-schema.ts';
import { metrics } from './metrics-schema.ts';
import { nearest } from './nearest.ts';

export { ROLES, type Role } from './api-schema.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** Why an upgrade failed, as far as trying again goes. What was refused is never tried again. */
export const RETRY_CLASSES = [
  'unreachable',
  'transfer',
  'device',
  'unknown-outcome',
  'gateway',
] as const;
export type RetryClass = (typeof RETRY_CLASSES)[number];

const RIGS_MAX = 64;
const MIB = 1_048_576;
const TIB = 1_099_511_627_776;

const clockTime = matching(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'a time such as "01:30", in quotes');
const endTime = matching(
  /^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/,
  'a time such as "05:00" or "24:00", in quotes',
);

const hours = z
  .strictObject({
    days: z.array(z.enum(WEEKDAYS)).min(1, 'at least one day').max(7, 'at most seven days'),
    from: clockTime,
    until: endTime.describe('At or before `from`: on the next day.'),
  })
  .refine(({ from, until }) => from !== until, {
    path: ['until'],
    error: 'another time than from; a whole day is "00:00" to "24:00"',
  })
  .describe('Hours in local time. They belong to the day on which they begin.');

const DATE = 'a date such as "2027-12-25", in quotes';
const date = matching(/^\d{4}-\d{2}-\d{2}$/, DATE).refine(
  (day) => {
    const atMs = Date.parse(`${day}T00:00:00Z`);
    // Date.parse takes 30 February for 2 March.
    return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(day);
  },
  { error: DATE },
);

const maintenance = z.strictObject({
  weekly: z.array(hours).min(1, 'at least one entry').max(64, 'at most 64 entries'),
  closedOn: z.array(date).max(366, 'at most 366 dates').default([]).describe('Not on these dates.'),
});

const timeZone = text(1, 64)
  .default('Europe/London')
  .superRefine((zone, context) => {
    const zones = Intl.supportedValuesOf('timeZone');
    if (zone === 'UTC' || zones.includes(zone)) return;
    const meant = nearest(zone, zones);
    context.addIssue({
      code: 'custom',
      message: 'a time zone of the IANA database, such as Europe/London',
      ...(meant === undefined ? {} : { params: { next: `did you mean "${meant}"?` } }),
    });
  });

const RETRIES = 'a number from 0 to 1000, or until-deadline';
const backoff = z
  .strictObject({
    retriesMax: z
      .union([whole(0, 1000), z.literal('until-deadline')], RETRIES)
      .optional()
      .describe('Attempts after the first.'),
    baseMs: milliseconds.optional().describe('The longest delay before the first of them.'),
    capMs: milliseconds.optional().describe('The longest delay of all.'),
  })
  .refine(({ baseMs, capMs }) => baseMs === undefined || capMs === undefined || baseMs <= capMs, {
    path: ['capMs'],
    error: 'no less than baseMs',
  });

const SHARE = 'a share from 0 to 0.9';

const STOP_MS = 'milliseconds from 1000 to 600000';

const gateway = z.strictObject({
  id: id.describe('The name of this gateway, in its log, its journal and its API.'),
  stateDirectory: path
    .optional()
    .describe('What must outlive it. Default: $STATE_DIRECTORY, which the service manager sets.'),
  runtimeDirectory: path
    .optional()
    .describe('Sockets. Default: $RUNTIME_DIRECTORY, else `run` below the state directory.'),
  stopWithinMs: z
    .number(STOP_MS)
    .min(1_000, STOP_MS)
    .max(600_000, STOP_MS)
    .default(20_000)
    .describe('How long it may take to stop in good order; less than TimeoutStopSec of its unit.'),
});

const ages = z
  .strictObject({
    warnAfterDays: whole(0, 3650),
    refuseAfterDays: whole(0, 3650),
    source: text(1, 500).describe('Who decided it, or which document says it.'),
  })
  .refine(({ warnAfterDays, refuseAfterDays }) => warnAfterDays <= refuseAfterDays, {
    path: ['refuseAfterDays'],
    error: 'no fewer days than warnAfterDays',
  });

/** By the names that a rig file has for them; a rig's own go first. */
const admission = z.strictObject({
  intake: z
    .enum(['bench', 'field', 'service-request'])
    .default('field')
    .describe('Which facts have to be there for a job that does not say otherwise.'),
  centralProductsList: path.optional(),
  eligibleCombinations: path.optional(),
  pendingCombinations: path.optional(),
  installations: path.optional(),
  columns: path.optional().describe('How the columns of these lists are called (YAML).'),
  listsFetched: text(1, 32)
    .optional()
    .describe('When the lists were fetched: a day such as "2021-07-20", or a time.'),
  readinessPolicy: path.optional().describe('What the site chose about readiness (YAML).'),
  trustAnchors: path
    .optional()
    .describe('The trust anchors: a folder with anchors.json, or that document by itself.'),
  certificates: z.array(path).max(64, 'at most 64 files').default([]),
  revocationLists: z.array(path).max(64, 'at most 64 files').default([]),
  floors: path.optional().describe('The oldest versions that may be given (JSON).'),
  waiver: path.optional().describe('A signed downgrade waiver (JSON).'),
  zseSigners: z
    .array(eui64)
    .max(256, 'at most 256 signers')
    .default([])
    .describe('EUI-64s of those who may sign images with a Smart Energy signature.'),
  listAges: ages.optional().describe('How old a list may be; else the defaults of admission.'),
});

const schedule = z.strictObject({
  timeZone,
  windows: z
    .record(id, maintenance)
    .default({})
    .describe('Maintenance windows by name; a job names those in which it may run.'),
  prepaymentBlackout: z
    .array(hours)
    .max(64, 'at most 64 entries')
    .optional()
    .describe('Hours in which nothing is activated; else the default, [] for none.'),
  retry: z
    .strictObject(
      Object.fromEntries(RETRY_CLASSES.map((name) => [name, backoff.optional()])) as Record<
        RetryClass,
        z.ZodOptional<typeof backoff>
      >,
    )
    .default({})
    .describe('What is not said here is the default of the scheduler.'),
  devicesAtOnce: z
    .strictObject({
      perNetwork: whole(1, 1000).default(16).describe('Behind one coordinator.'),
      perGateway: whole(1, 10_000).default(64),
    })
    .refine(({ perNetwork, perGateway }) => perNetwork <= perGateway, {
      path: ['perNetwork'],
      error: 'no more than perGateway',
    })
    .prefault({}),
  pace: z
    .strictObject({
      measured: z
        .boolean()
        .default(true)
        .describe(
          'How many devices of a network download at once, up to devicesAtOnce, and how far apart ' +
            'blocks are, follows from what is measured. false: always as many, as fast as they ask.',
        ),
      meteringShare: z
        .number(SHARE)
        .min(0, SHARE)
        .max(0.9, SHARE)
        .default(0.25)
        .describe('Of what the air carries, left to meter reads and all other traffic.'),
      answerMsMax: whole(10, 60_000)
        .default(250)
        .describe('The longest that other traffic should wait for an answer, on average.'),
    })
    .prefault({})
    .describe('The air of a ZigBee network, which downloads share with metering.'),
});

const journal = z.strictObject({
  retentionDays: whole(1, 3650).default(90).describe('Older records are moved to the archive.'),
  bytesMax: whole(MIB, TIB)
    .default(512 * MIB)
    .describe('The journal grows no further.'),
  headFile: path
    .optional()
    .describe('The newest hash, best on another disk. Default: beside the journal.'),
  backup: z
    .strictObject({
      directory: path,
      everyHours: whole(1, 720).default(24),
      keep: whole(1, 366).default(7),
    })
    .optional(),
});

const images = z
  .strictObject({
    fileBytesMax: whole(1024, 64 * MIB)
      .default(16 * MIB)
      .describe('Of one image.'),
    allBytesMax: whole(1024, TIB)
      .default(1024 * MIB)
      .describe('Of all that are kept; the oldest that no job wants go first.'),
  })
  .refine(({ fileBytesMax, allBytesMax }) => fileBytesMax <= allBytesMax, {
    path: ['fileBytesMax'],
    error: 'no more than allBytesMax',
  });

const rigs = z.array(path).max(RIGS_MAX, `at most ${RIGS_MAX} rig files`);

const document = z.strictObject({
  gateway,
  rigs: rigs
    .default([])
    .describe('The rigs it owns; nothing else may open their ports. None with a front.'),
  front: front
    .optional()
    .describe('The fleet that it stands for, in place of rigs. Absent: it owns rigs.'),
  admission: admission.prefault({}),
  schedule: schedule.prefault({}),
  journal: journal.prefault({}),
  images: images.prefault({}),
  api: api.prefault({}),
  metrics: metrics.prefault({}),
  duis: duis.optional().describe('Service Requests of the DCC side. Absent: none are taken.'),
  campaigns: campaigns
    .optional()
    .describe('Signed campaigns of a fleet. Absent: none are followed.'),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warning', 'error']).default('info') })
    .prefault({}),
});

export const gatewaySchema = document.superRefine((written, context) => {
  const refuse = (at: string, message: string, found: string) =>
    context.addIssue({ code: 'custom', message, path: [at], params: { found } });
  if (written.front === undefined && written.rigs.length === 0)
    refuse('rigs', 'at least one rig file', 'none');
  if (written.front && written.rigs.length > 0)
    refuse('rigs', 'none beside a front: a gateway of the fleet owns them', 'some');
  if (written.front && written.campaigns)
    refuse('campaigns', 'none beside a front: it makes campaigns and follows none', 'some');
});

export type GatewayDocument = z.output<typeof gatewaySchema>;
