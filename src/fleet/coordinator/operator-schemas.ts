/** Documents of the operator's API of a coordinator. Times are ms since 1970-01-01T00:00:00Z. */

import { DEVICE_STATES } from '../../campaign/device-progress.ts';
import { FAILURE_CLASSES, type FailureClass } from '../../campaign/failure-classes.ts';
import { CAMPAIGN_COURSES } from '../../campaign/rings.ts';
import { matching, text, whole, z } from '../../config/fields.ts';
import { deviceName, inventoryDevice, journalMark, sha256, wireName } from '../wire.ts';
import { CAMPAIGN_STATES, GATEWAY_STATES } from './control.ts';

export const PAGE_MAX = 1_000;
const RETRY_DEVICES_MAX = 10_000;

const count = whole(0, Number.MAX_SAFE_INTEGER);
const moment = count;
const classes = Object.keys(FAILURE_CLASSES) as [FailureClass, ...FailureClass[]];

/** Numbers in a query are digits. */
const digits = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return matching(/^[0-9]{1,16}$/, error)
    .transform(Number)
    .pipe(whole(min, max));
};
const limit = digits(1, PAGE_MAX).optional().describe('Default 100.');
const REASON = 'text of 1 to 500 characters, none of which moves a cursor or hides';
const reason = text(1, 500).refine((words) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(words), {
  error: REASON,
});
const CURSOR = 'the `next` of the page before';

export const inGateway = z.strictObject({ gateway: wireName });
export const inBlob = z.strictObject({ sha256 });
export const inCampaign = z.strictObject({ campaign: wireName });

export const gatewayQuery = z.strictObject({
  after: wireName.optional().describe(CURSOR),
  limit,
});
export const campaignQuery = gatewayQuery;
export const deviceQuery = z.strictObject({
  ring: wireName.optional(),
  state: z.enum(DEVICE_STATES, `one of ${DEVICE_STATES.join(', ')}`).optional(),
  gateway: wireName.optional(),
  changedSinceMs: digits(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("Changed then or later, by the coordinator's clock."),
  after: deviceName.optional().describe(CURSOR),
  limit,
});
export const auditQuery = z.strictObject({
  after: digits(0, Number.MAX_SAFE_INTEGER).optional().describe(CURSOR),
  limit,
});

export const newGateway = z.strictObject({ gateway: wireName });
export const nothing = z.strictObject({});
export const withReason = z.strictObject({ reason });
export const retrial = z.strictObject({
  devices: z
    .array(deviceName)
    .min(1, 'one device at least')
    .max(RETRY_DEVICES_MAX, `at most ${RETRY_DEVICES_MAX} devices`)
    .optional()
    .describe('Absent: all that failed.'),
});

export const gatewayView = z.strictObject({
  id: z.string(),
  state: z.enum(GATEWAY_STATES),
  region: z.string().optional(),
  version: z.string().optional(),
  devices: count,
  seenMs: moment.optional().describe('When it last asked or told anything.'),
  enrolledMs: moment.optional(),
  certificate: z.string().optional().describe('SHA-256 of its DER.'),
  journal: z.strictObject({ sequence: count, hash: z.string() }).optional(),
  trouble: z.string().optional().describe('Why it reports no more, such as `events-forked`.'),
});
export const gatewayPage = z.strictObject({
  gateways: z.array(gatewayView),
  next: z.string().optional().describe('`after` of the next page; absent: this is the last.'),
});
export const gatewayDetail = z.strictObject({
  ...gatewayView.shape,
  inventory: z.array(inventoryDevice),
});
export const enrolmentToken = z.strictObject({
  gateway: z.string(),
  token: z.string().describe('Told this once.'),
  untilMs: moment,
});

const counts = z.record(z.enum(DEVICE_STATES), count);
export const ringView = z.strictObject({
  name: z.string(),
  size: count,
  counts,
  failed: z.partialRecord(z.enum(classes), count),
  isOpen: z.boolean(),
});
const campaignFields = {
  id: z.string(),
  digest: z.string().describe('SHA-256 of the manifest.'),
  line: z.string(),
  generation: count,
  state: z.enum(CAMPAIGN_STATES),
  course: z.enum(CAMPAIGN_COURSES).optional(),
  detail: z.string().optional().describe('Why it was aborted, paused or held.'),
  submittedBy: z.string(),
  submittedMs: moment,
  startedBy: z.string().optional(),
  startedMs: moment.optional(),
  endedMs: moment.optional(),
  expiresMs: moment,
  author: z.string(),
  approvers: z.array(z.string()),
  approvalsMissing: count,
  gateways: count,
  rings: z.array(ringView),
  width: count.describe('Devices that may be under way at once, now.'),
  refusals: z.record(z.string(), count).describe('Gateways that do not carry it out, by why.'),
};
export const campaignSummary = z.strictObject(campaignFields);
export const campaignDetail = z.strictObject({
  ...campaignFields,
  manifest: z.looseObject({}).describe('As it is signed, by the names of a description in YAML.'),
});
export const campaignPage = z.strictObject({
  campaigns: z.array(campaignSummary),
  next: z.string().optional().describe('`after` of the next page; absent: this is the last.'),
});
export const campaignDevice = z.strictObject({
  device: z.string(),
  gateway: z.string(),
  ring: z.string(),
  state: z.enum(DEVICE_STATES),
  attempt: count,
  phase: z.string().optional(),
  failure: z.enum(classes).optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
  runs: z.string().optional(),
  changedMs: moment,
});
export const campaignDevicePage = z.strictObject({
  devices: z.array(campaignDevice),
  next: z.string().optional().describe('`after` of the next page; absent: this is the last.'),
});

export const inDevice = z.strictObject({ campaign: wireName, device: deviceName });
export const deviceEvents = z.strictObject({
  events: z.array(
    z.strictObject({
      atMs: moment.describe("By the gateway's clock."),
      attempt: count,
      phase: z.string(),
      code: z.string().optional(),
      detail: z.string().optional(),
      runs: z.string().optional(),
      isWithdrawn: z.boolean().describe('It was called off before it began.'),
      epoch: count.describe('The enrolment with which the journal of the gateway began.'),
      sequence: count.describe('The record of that journal.'),
    }),
  ),
});

export const eventsBrought = z.strictObject({
  gateway: wireName,
  journal: journalMark.optional().describe('How far its journal is known now.'),
});

export const auditEntry = z.strictObject({
  sequence: count,
  atMs: moment,
  by: z.string(),
  what: z.string(),
  about: z.string().optional().describe('Gateway or campaign.'),
  detail: z.string().optional(),
  hash: z.string().describe('Over this entry and the hash of the one before.'),
});
export const auditPage = z.strictObject({
  entries: z.array(auditEntry),
  next: count.optional().describe('`after` of the next page; absent: this is the last.'),
});
export const auditCheck = z.strictObject({
  isWhole: z.boolean(),
  wrong: auditEntry.optional().describe('The first whose hash is not what it has to be.'),
});
