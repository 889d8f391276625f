/**
 * Every document that crosses the API, as a schema: requests are checked by it, the OpenAPI
 * document is made from it, and the tests hold every answer against it. Times are ms since
 * 1970-01-01T00:00:00Z.
 */
import { z } from '../config/fields.ts';
import { ROLES } from '../config/gateway-schema.ts';
import { CAMPAIGN_STANDINGS, DEVICE_ANSWERS, LIST_KINDS } from '../gateway/control.ts';
import { UPGRADE_STATES } from '../jobs/states.ts';

/** The largest time a Date has. */
const MOMENT_MAX_MS = 8_640_000_000_000_000;
export const JOB_DEVICES_MAX = 50_000;
export const PAGE_MAX = 1_000;
/** Each is judged anew while it is waited for. */
export const REVIEW_DEVICES_MAX = 100;

const DIGEST = 'a SHA-256: 64 lower-case hexadecimal digits';
const NAME = 'a name of letters, digits, blanks and ._+@()=,~- that begins with a letter or digit';
const MOMENT = 'ms since 1970, a whole number';

const count = z.int('a whole number from 0').min(0, 'a whole number from 0');
const moment = z.int(MOMENT).min(0, MOMENT).max(MOMENT_MAX_MS, MOMENT);
const sha256 = z.string(DIGEST).regex(/^[0-9a-f]{64}$/, DIGEST);
const words = (most: number) => {
  const error = `text of 1 to ${most} characters, none of which moves a cursor or hides`;
  return z
    .string(error)
    .min(1, error)
    .max(most, error)
    .refine((text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), { error });
};
const DEVICE = 'the id of a device: letters, digits and ._:- , 64 at the most';
const device = z.string(DEVICE).regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/, DEVICE);
const DEVICES = `1 to ${JOB_DEVICES_MAX} devices`;
const devices = z.array(device, DEVICES).min(1, DEVICES).max(JOB_DEVICES_MAX, DEVICES);
const JOB = 'the id of a job, such as j12';
const jobId = z.string(JOB).regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, JOB);
const UPLOAD = 'the id of an upload: 32 lower-case hexadecimal digits';
const uploadId = z.string(UPLOAD).regex(/^[0-9a-f]{32}$/, UPLOAD);
const RULE = 'the id of a rule, such as cpl.listed';
const REQUEST = 'an id of letters, digits and ._:- , 128 at the most';

/** Numbers in a query are digits. */
const digits = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z
    .string(error)
    .regex(/^[0-9]{1,16}$/, error)
    .transform(Number)
    .pipe(z.int(error).min(min, error).max(max, error));
};

const activation = z.discriminatedUnion(
  'when',
  [
    z.strictObject({ when: z.literal('now') }),
    z.strictObject({ when: z.literal('held') }),
    z.strictObject({ when: z.literal('at'), atMs: moment }),
  ],
  'an activation: {"when":"now"}, {"when":"held"} or {"when":"at","atMs":…}',
);

export const jobRequest = z.strictObject({
  image: sha256.describe('SHA-256 of an image in the store.'),
  devices,
  activation,
  priority: z.int('0 to 8').min(0, '0 to 8').max(8, '0 to 8').describe('The higher goes first.'),
  notBeforeMs: moment.optional(),
  deadlineMs: moment.describe('What has not begun by then expires.'),
  window: words(63).optional().describe('A maintenance window of the configuration.'),
  needsApproval: z.boolean('true or false').optional(),
  supersede: z.boolean('true or false').optional(),
  requestId: z
    .string(REQUEST)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, REQUEST)
    .optional()
    .describe('Chosen by who asks: the same again is the same job, and not a second one.'),
  reason: words(500).optional(),
});

const reason = words(500);
export const nothing = z.strictObject({});
export const rejection = z.strictObject({ reason });
export const activationCommand = z.strictObject({ devices: devices.optional(), activation });
export const cancellation = z.strictObject({
  devices: devices.optional(),
  reason: reason.optional(),
});
export const retrial = z.strictObject({ devices: devices.optional() });
export const discard = z.strictObject({ reason });
export const uploadRequest = z.strictObject({
  bytes: z.int('a number of bytes').min(1, 'a byte at least'),
  sha256,
  name: z
    .string(NAME)
    .regex(/^[A-Za-z0-9][A-Za-z0-9 ._+@()=,~-]{0,127}$/, NAME)
    .describe('To be shown; it never becomes a path.'),
});

export const inJob = z.strictObject({ job: jobId });
export const inImage = z.strictObject({ sha256 });
export const inUpload = z.strictObject({ upload: uploadId });
export const inDevice = z.strictObject({ device });
export const inList = z.strictObject({
  kind: z.enum(LIST_KINDS, `one of ${LIST_KINDS.join(', ')}`),
});
export const inRule = z.strictObject({
  rule: z.string(RULE).regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, RULE),
});
/** The sequence of the record by which it was queued. */
export const inMessage = z.strictObject({ message: digits(1, Number.MAX_SAFE_INTEGER) });

const truth = z.enum(['true', 'false'], 'true or false').transform((word) => word === 'true');
const state = z.enum(UPGRADE_STATES, `one of ${UPGRADE_STATES.join(', ')}`);
export const jobQuery = z.strictObject({
  state: state.optional().describe('With an upgrade in this state.'),
  device: device.optional(),
  image: sha256.optional(),
  open: truth.optional().describe('Not over, or over.'),
  before: jobId.optional().describe('Older than this job: the `next` of the page before.'),
  limit: digits(1, PAGE_MAX).optional().describe('Default 100.'),
});
export const recordQuery = z.strictObject({
  from: digits(0, Number.MAX_SAFE_INTEGER).optional().describe('Sequence of the first. Default 1.'),
  limit: digits(1, PAGE_MAX).optional().describe('Default 100.'),
});
export const eventQuery = z.strictObject({
  from: digits(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe(
      'Sequence of the first record. `Last-Event-ID` goes before it; else what is to come.',
    ),
  job: jobId.optional().describe('Of this job alone.'),
});
export const listQuery = z.strictObject({
  source: words(200).describe('Where the list was fetched.'),
  fetchedAtMs: digits(0, MOMENT_MAX_MS).optional().describe('Default: now.'),
});

export const record = z.looseObject({ sequence: count, atMs: moment, kind: z.string() });
export const upgradeView = z.strictObject({
  device: z.string(),
  state: z.enum(UPGRADE_STATES),
  owner: z.enum(['central', 'gateway', 'device', 'person', 'nobody']),
  waitsFor: z.string(),
  sinceMs: moment,
  untilMs: moment.optional(),
  attempt: count,
  code: z.string().optional(),
  detail: z.string().optional(),
  next: z.string().optional(),
  sentBytes: count,
  totalBytes: count,
  activation,
  cancelRequested: z.boolean(),
});
export const jobSummary = z.strictObject({
  id: z.string(),
  by: z.string(),
  createdMs: moment,
  isOver: z.boolean(),
  image: sha256,
  devices: count.describe('How many.'),
  states: z.record(z.string(), count).describe('How many upgrades are in which state.'),
  deadlineMs: moment,
  approvedBy: z.string().optional(),
  requestId: z.string().optional(),
});
export const jobView = z.strictObject({
  id: z.string(),
  by: z.string(),
  createdMs: moment,
  isOver: z.boolean(),
  approvedBy: z.string().optional(),
  request: jobRequest,
  upgrades: z.array(upgradeView),
});
export const jobPage = z.strictObject({
  jobs: z.array(jobSummary),
  next: z.string().optional().describe('`before` of the next page; absent: this is the last.'),
});
export const story = z.strictObject({ job: z.string(), records: z.array(record) });
export const recordPage = z.strictObject({
  records: z.array(record),
  next: count.describe('`from` of the next page.'),
});

export const identityView = z.strictObject({ by: z.string(), role: z.enum(ROLES) });
export const upgradeQuery = z.strictObject({
  skip: digits(0, Number.MAX_SAFE_INTEGER).optional().describe('The `next` of the page before.'),
  limit: digits(1, PAGE_MAX).optional().describe('Default 1000.'),
});
export const upgradePage = z.strictObject({
  sequence: count,
  upgrades: z.array(z.strictObject({ job: z.string(), image: sha256, ...upgradeView.shape })),
  next: count.optional().describe('`skip` of the next page; absent: this is the last.'),
});

const REVIEWED = `1 to ${REVIEW_DEVICES_MAX} devices`;
export const reviewRequest = z.strictObject({
  image: sha256.describe('SHA-256 of an image in the store.'),
  devices: z.array(device, REVIEWED).min(1, REVIEWED).max(REVIEW_DEVICES_MAX, REVIEWED),
  activation,
});
const findingView = z.strictObject({
  ruleId: z.string(),
  text: z.string(),
  source: z.strictObject({ document: z.string(), version: z.string().optional() }),
  confidence: z.enum(['read', 'inferred', 'assumed']),
  outcome: z.enum(['pass', 'not-applicable', 'refuse', 'warn', 'unknown']),
  expected: z.string().optional(),
  actual: z.string().optional(),
  next: z.string().optional().describe('What would change the answer.'),
  seen: z.array(z.strictObject({ what: z.string(), value: z.string() })),
});
const planView = z.strictObject({
  link: z.enum(['radio', 'serial-line']),
  steps: z.array(
    z.strictObject({
      step: z.string(),
      text: z.string(),
      leastMs: z.number(),
      mostMs: z.number(),
      irreversible: z.literal(true).optional().describe('No way back from here on.'),
    }),
  ),
  blocks: count,
  leastMs: z.number(),
  mostMs: z.number(),
});
export const reviewView = z.strictObject({
  device: z.string(),
  verdict: z.enum(['admitted', 'refused']),
  ruleId: z.string().optional().describe('Of the first refusal.'),
  conditional: z.boolean().describe('Admitted as far as is known; `pending` says what is not.'),
  pending: z.array(z.strictObject({ what: z.string(), next: z.string() })),
  hashes: z.strictObject({ sent: sha256, listed: sha256 }).optional(),
  decidedAtMs: moment,
  findings: z.array(findingView),
  entries: z.array(
    z.strictObject({
      entryId: z.string(),
      line: count,
      deviceType: z.string(),
      deviceModel: z.string(),
      firmwareVersion: z.string(),
      hash: z.string(),
      standing: z.string(),
    }),
  ),
  installs: z.string().optional().describe('The version, as far as the image tells.'),
  runs: z.string().optional(),
  runsReadMs: moment.optional(),
  plan: planView.optional(),
  secondPerson: z.string().optional().describe('Why somebody else has to approve it.'),
});

export const inCertificate = z.strictObject({ job: jobId, device });
export const certificateView = z.strictObject({
  gateway: z.string(),
  job: z.string().optional(),
  device: z.string().optional(),
  eui64: z.string().optional(),
  deviceModel: z.string().optional(),
  ran: z.string().optional().describe('What it ran before, where it said so.'),
  runs: z.string().optional().describe('What it said afterwards that it runs.'),
  image: z.string().optional().describe('SHA-256 of the image file.'),
  imageName: z.string().optional(),
  listed: z.string().optional().describe('The hash by which lists know the image.'),
  entries: z.string().optional().describe('Rows of the Central Products List, by their ids.'),
  by: z.string().optional(),
  approvedBy: z.string().optional(),
  done: z.string().optional().describe('When the version was read back.'),
  record: z.string().optional().describe('SEQUENCE:HASH of the record that says so.'),
  text: z.string(),
});

export const deviceView = z.strictObject({
  id: z.string(),
  kind: z.string(),
  eui64: z.string().optional(),
  deviceModel: z.string().optional(),
  stallMs: count.optional().describe('Silence in a transfer of so long is looked into.'),
  link: z.string(),
  linkUp: z.boolean(),
  runs: z.string().optional(),
  runsReadMs: moment.optional(),
  reading: z
    .strictObject({
      atMs: moment,
      answers: z.enum(DEVICE_ANSWERS).optional(),
      code: z.string().optional(),
      detail: z.string().optional(),
      next: z.string().optional(),
    })
    .optional()
    .describe('How it was found when it was asked last.'),
  upgrade: z.string().optional(),
  campaign: z
    .strictObject({
      id: z.string(),
      generation: count,
      ring: z.string().optional(),
      state: z.string().describe('As the campaign counts its devices.'),
    })
    .optional()
    .describe('Where it is in one that goes on.'),
});
export const imageView = z.strictObject({
  sha256,
  bytes: count,
  name: z.string(),
  storedMs: moment,
  format: z.string().optional(),
  neededBy: z.array(z.string()),
});
export const uploadView = z.strictObject({
  upload: z.string(),
  bytes: count,
  receivedBytes: count,
  expiresMs: moment,
});
export const listView = z.strictObject({
  kind: z.enum(LIST_KINDS),
  sha256,
  entries: count,
  fetchedAtMs: moment,
  source: z.string(),
});
export const ruleView = z.strictObject({
  id: z.string(),
  text: z.string(),
  source: z.strictObject({ document: z.string(), version: z.string().optional() }),
  confidence: z.enum(['read', 'inferred', 'assumed']),
  sees: z.array(z.string()),
  siteMayChange: z.boolean(),
  effectiveFromMs: z.int().optional(),
  effectiveUntilMs: z.int().optional(),
});
export const healthView = z.strictObject({
  gateway: z.string(),
  version: z.string(),
  state: z.enum(['ready', 'degraded', 'stopping']),
  reasons: z.array(z.strictObject({ code: z.string(), message: z.string() })),
  startedMs: moment,
  journal: z.strictObject({ sequence: count, hash: z.string() }),
  upgrades: z.record(z.string(), count),
  links: z.array(
    z.strictObject({
      link: z.string(),
      up: z.boolean(),
      since: moment,
      detail: z.string().optional(),
    }),
  ),
  campaigns: z
    .array(
      z.strictObject({
        id: z.string(),
        digest: sha256,
        generation: count.optional(),
        carrier: z.string(),
        state: z.enum(CAMPAIGN_STANDINGS),
        code: z.string().optional(),
      }),
    )
    .optional()
    .describe('Those that are followed, where the gateway belongs to a fleet.'),
  coordinator: z
    .strictObject({
      connected: z.boolean(),
      enrolled: z.boolean(),
      lastContactMs: moment.optional().describe('Absent: it did not answer since the start.'),
      trouble: z.strictObject({ code: z.string(), sinceMs: moment }).optional(),
      eventsWaiting: count.describe('Events that it is not known to have.'),
    })
    .optional()
    .describe('How the gateway stands with its coordinator, where it has one.'),
});

export const devicesAnswer = z.strictObject({ devices: z.array(deviceView) });
export const readingBegun = z.strictObject({ from: count });
export const reviewAnswer = z.strictObject({ image: imageView, reviews: z.array(reviewView) });
export const imagesAnswer = z.strictObject({ images: z.array(imageView) });
export const listsAnswer = z.strictObject({ lists: z.array(listView) });
export const rulesAnswer = z.strictObject({ rules: z.array(ruleView) });

export const serviceRequestView = z.strictObject({
  requestId: z.string().describe('Originator:target:counter.'),
  serviceReference: z.string(),
  duisVersion: z.string(),
  takenMs: moment,
  deviceCount: count,
  jobs: z.array(z.string()),
  execution: z.union([z.int(), z.literal('cancel')]).optional(),
});
export const outboxView = z.strictObject({
  user: z.string(),
  waiting: count,
  waitingSinceMs: moment.optional(),
  failures: count.describe('In a row.'),
  lastFailure: z.strictObject({ outcome: z.string(), detail: z.string(), atMs: moment }).optional(),
  nextTryMs: moment.optional(),
  parked: z.array(
    z.strictObject({ message: count, queuedMs: moment, parkedMs: moment, detail: z.string() }),
  ),
});
export const serviceRequestsAnswer = z.strictObject({ requests: z.array(serviceRequestView) });
export const outboxAnswer = z.strictObject({ users: z.array(outboxView) });

export const inCampaign = z.strictObject({ digest: sha256 });
export const campaignView = z.strictObject({
  id: z.string(),
  digest: sha256,
  generation: count.optional().describe('Absent where its signatures are not believed.'),
  carrier: z.string(),
  state: z.enum(CAMPAIGN_STANDINGS),
  code: z.string().optional(),
  detail: z.string().optional(),
  missing: z.array(z.strictObject({ sha256, bytes: count })),
  devices: z.record(z.string(), count).describe('How many are in each state.'),
});
export const campaignsAnswer = z.strictObject({ campaigns: z.array(campaignView) });
export const sealedEventsQuery = z.strictObject({
  after: digits(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Sequence of the record before. Default: what the coordinator is known to have.'),
});
export const sealedEventsAnswer = z.strictObject({
  gateway: z.string(),
  through: count,
  more: z.boolean(),
  sealed: z.string().describe('COSE_Sign1, in base64.'),
});

export const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string().optional(),
  expected: z.string().optional(),
  actual: z.string().optional(),
  next: z.string().optional(),
  errors: z.array(z.strictObject({ pointer: z.string(), expected: z.string() })).optional(),
});
export const openApiDocument = z.looseObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.string() }),
  paths: z.record(z.string(), z.looseObject({})),
});
