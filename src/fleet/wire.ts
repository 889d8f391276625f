/**
 * What passes between a gateway and its coordinator: documents in JSON, and their bounds.
 *
 *     POST /v1/enrolment                 a one-time token, and the certificate to know the gateway by
 *     GET  /v1/gw/{id}/desired           what it should be doing (ETag; `Prefer: wait=50`)
 *     GET  /v1/blob/sha256/{hex}         an image or a signed campaign (Range, If-Range)
 *     POST /v1/gw/{id}/events            a stretch of its journal (JSON, gzip)
 *     POST /v1/gw/{id}/inventory         its devices (JSON, gzip)
 *
 * Desired state is a level: a document that is lost, repeated or late changes nothing but when. What has
 * begun on a device goes on to its end whatever the document says; what has not begun and is not in it
 * is called off.
 *
 * Events are a stretch of the gateway's journal, by its sequence numbers: what of it concerns campaigns,
 * and between which two records. The coordinator takes the stretch that follows what it has, whose first
 * end has the hash it knows, in one transaction; any other changes nothing. So each event counts once,
 * and a journal that was put back to an older state does not pass for the one that went on.
 */

import { matching, text, whole, z } from '../config/fields.ts';
import { UPGRADE_STATES } from '../jobs/states.ts';

export const FLEET_ROOT = '/v1';

export const WIRE_LIMITS = {
  /** Of one POST of events, unpacked. */
  eventsBytesMax: 1024 * 1024,
  eventsMax: 2_000,
  inventoryBytesMax: 8 * 1024 * 1024,
  devicesMax: 10_000,
  desiredBytesMax: 8 * 1024 * 1024,
  campaignBytesMax: 2 * 1024 * 1024,
  /** Of a long poll. */
  waitSecondsMax: 60,
} as const;

/** Of a gateway, a fleet, a region: as manifests write them. */
export const wireName = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  'a name of letters, digits, dots, hyphens and underscores, 64 at the most',
);
export const sha256 = matching(/^[0-9a-f]{64}$/, 'SHA-256 in 64 lower-case digits');
const moment = whole(0, Number.MAX_SAFE_INTEGER);
const sequence = whole(0, Number.MAX_SAFE_INTEGER);

/** As manifests name devices: an EUI-64 in 16 lower-case digits, or `hub:SERIAL`. */
export const deviceName = matching(
  /^([0-9a-f]{16}|hub:[A-Za-z0-9][A-Za-z0-9._-]{0,63})$/,
  'an EUI-64 in 16 lower-case digits, or hub:SERIAL',
);

// ---- enrolment --------------------------------------------------------------------------------------

/** The connection is made with the certificate that the gateway is to be known by. */
export const enrolment = z.strictObject({
  token: text(16, 256),
  gateway: wireName,
  version: text(1, 64),
});
export type Enrolment = z.infer<typeof enrolment>;

export const enrolled = z.strictObject({
  gateway: wireName,
  fleet: wireName,
  /** SHA-256 of the certificate in DER. */
  certificate: sha256,
});
export type Enrolled = z.infer<typeof enrolled>;

// ---- what a gateway should be doing -----------------------------------------------------------------

export const COURSES = ['run', 'pause', 'abort'] as const;

export const desiredCampaign = z.strictObject({
  id: wireName,
  /** Of the manifest. */
  digest: sha256,
  /** The signed campaign, to be fetched as a blob. */
  document: z.strictObject({ sha256, bytes: whole(1, WIRE_LIMITS.campaignBytesMax) }),
  /** `abort`: nothing of it is ever to be started again. */
  course: z.enum(COURSES),
  /** Those that may be started, and have not ended; none while it does not run. */
  devices: z
    .array(z.strictObject({ device: deviceName, attempt: whole(1, 1000) }))
    .max(WIRE_LIMITS.devicesMax),
});
export type DesiredCampaign = z.infer<typeof desiredCampaign>;

/** How far the coordinator has the gateway's journal. */
export const journalMark = z.strictObject({ sequence, hash: sha256 });
export type JournalMark = z.infer<typeof journalMark>;

export const desired = z.strictObject({
  /** Rises with every change; in quotes it is the ETag. */
  version: sequence,
  /** When to ask again where nobody waits. */
  pollMs: whole(100, 86_400_000),
  /** Absent: nothing yet. */
  journal: journalMark.optional(),
  campaigns: z.array(desiredCampaign).max(256),
});
export type Desired = z.infer<typeof desired>;

// ---- what became of it ------------------------------------------------------------------------------

export const fleetEvent = z.strictObject({
  /** Of the journal record that says so. */
  sequence,
  atMs: moment,
  /** Digest of the manifest. */
  campaign: sha256,
  device: deviceName,
  attempt: whole(1, 1000),
  phase: z.enum(UPGRADE_STATES),
  code: text(1, 64).optional(),
  detail: text(1, 500).optional(),
  /** Called off because the campaign wanted it so. */
  withdrawn: z.literal(true).optional(),
  /** With `done`: the version that was read back. */
  runs: text(1, 64).optional(),
});
export type FleetEvent = z.infer<typeof fleetEvent>;

/** Of a whole campaign on that gateway: why it is not carried out there. */
export const campaignRefused = z.strictObject({
  sequence,
  atMs: moment,
  campaign: sha256,
  refused: text(1, 64),
  detail: text(1, 500).optional(),
});
export type CampaignRefusedEvent = z.infer<typeof campaignRefused>;

/** All that the journal says about campaigns in `(after.sequence, through.sequence]`. */
export const eventBatch = z.strictObject({
  /** Absent: from its beginning. */
  after: journalMark.optional(),
  through: journalMark,
  events: z.array(z.union([fleetEvent, campaignRefused])).max(WIRE_LIMITS.eventsMax),
});
export type EventBatch = z.infer<typeof eventBatch>;

/** Cumulative: everything up to there is kept. */
export const eventsTaken = z.strictObject({
  journal: journalMark.optional(),
  retryAfterMs: whole(0, 86_400_000).optional(),
});
export type EventsTaken = z.infer<typeof eventsTaken>;

// ---- what it has ------------------------------------------------------------------------------------

export const inventoryDevice = z.strictObject({
  device: deviceName,
  /** As the gateway's rig calls it. */
  id: text(1, 64),
  kind: text(1, 32),
  manufacturer: text(1, 128),
  model: text(1, 128),
  hardwareVersion: text(0, 64),
  hardwareRevision: text(0, 64),
  /** As it last said itself. Absent: it never did. */
  firmwareVersion: text(1, 64).optional(),
  readMs: moment.optional(),
});
export type InventoryDevice = z.infer<typeof inventoryDevice>;

export const inventory = z.strictObject({
  /** Of Uplift. */
  version: text(1, 64),
  region: wireName.optional(),
  windows: z.array(wireName).max(256),
  devices: z.array(inventoryDevice).max(WIRE_LIMITS.devicesMax),
});
export type Inventory = z.infer<typeof inventory>;
