/**
 * What the configuration of a coordinator (`uplift fleet serve --config F`) may say. As in that of a
 * gateway, no secret stands in it.
 */
import { api } from './api-schema.ts';
import { matching, path, text, whole, z } from './fields.ts';
import { metrics } from './metrics-schema.ts';
import { fileIdentity, listen, secretFile } from './network-fields.ts';

const NAME = 'a name of letters, digits, dots, hyphens and underscores, 64 at the most';

const fleet = z.strictObject({
  name: matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, NAME).describe(
    'As campaigns name it; those for another are refused.',
  ),
  stateDirectory: path
    .optional()
    .describe('What must outlive it. Default: $STATE_DIRECTORY, which the service manager sets.'),
  runtimeDirectory: path
    .optional()
    .describe('Its socket. Default: $RUNTIME_DIRECTORY, else `run` below the state directory.'),
  stopWithinMs: whole(1_000, 600_000)
    .default(20_000)
    .describe('How long it may take to stop in good order; less than TimeoutStopSec of its unit.'),
});

const postgres = z
  .strictObject({
    urlFile: secretFile
      .optional()
      .describe('A file with its address: postgres://user:password@host:5432/name?sslmode=…'),
    socket: path.optional().describe('In place of it: the folder of the socket of the server.'),
    name: text(1, 63).default('uplift').describe('With `socket`: the database.'),
    user: text(1, 63).default('uplift').describe('With `socket`: as whom.'),
  })
  .refine(({ urlFile, socket }) => (urlFile === undefined) !== (socket === undefined), {
    error: 'either urlFile or socket',
  });

const database = z
  .strictObject({
    sqlite: path.optional().describe('A file. Default: fleet.db in the state directory.'),
    postgres: postgres
      .optional()
      .describe('In place of SQLite; several coordinators may be over one.'),
  })
  .refine(({ sqlite, postgres: other }) => sqlite === undefined || other === undefined, {
    error: 'either sqlite or postgres',
  });

const gateways = z.strictObject({
  listen: listen.prefault('0.0.0.0:8470').describe('Default 0.0.0.0:8470; port 0: any free.'),
  tls: fileIdentity.describe(
    'Gateways show certificates of their own, and are known by those: no CA is needed.',
  ),
  connectionsMax: whole(1, 65_000)
    .default(16_384)
    .describe('A gateway that waits for a change holds one.'),
});

const trust = z.strictObject({
  anchors: path.describe(
    'Who vouches for those who sign campaigns (purpose campaign): a folder with anchors.json, or ' +
      'that document by itself.',
  ),
  certificates: z.array(path).max(64, 'at most 64 files').default([]),
  revocationLists: z.array(path).max(64, 'at most 64 files').default([]),
});

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Of the coordinator (fleet/coordinator/settings.ts); what is not said here is its own. */
const settings = z.strictObject({
  tokenMs: whole(MINUTE_MS, 30 * DAY_MS)
    .optional()
    .describe('An enrolment token is good for so long. Default: a week.'),
  pollMs: whole(1_000, DAY_MS)
    .optional()
    .describe('How often a gateway asks that does not wait. Default: 30 s.'),
  aliveMs: whole(1_000, 30 * DAY_MS)
    .optional()
    .describe('A gateway that was not heard of for so long is given nothing new. Default: 10 min.'),
  grantMs: whole(1_000, 30 * DAY_MS)
    .optional()
    .describe(
      'A device that a silent gateway was told to start gives its place back. Default: 30 min.',
    ),
  takenMs: whole(1_000, 30 * DAY_MS)
    .optional()
    .describe('The same of one that it took, and did not begin. Default: a day.'),
  eventsMs: whole(DAY_MS, 3_650 * DAY_MS)
    .optional()
    .describe('Events of a campaign are kept so long after its end. Default: 400 days.'),
});

export const fleetSchema = z.strictObject({
  fleet,
  database: database.prefault({}),
  gateways,
  api: api.prefault({}),
  trust,
  metrics: metrics.prefault({}),
  settings: settings.prefault({}),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warning', 'error']).default('info') })
    .prefault({}),
});

export type FleetDocument = z.output<typeof fleetSchema>;
