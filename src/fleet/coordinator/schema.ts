/**
 * The tables, the same in both databases, and the steps that lead to them. A step that was released is
 * never changed: another follows it.
 *
 * Times are milliseconds since 1970. Lists and rules are JSON in text. A campaign is known by the digest
 * of its manifest, a blob by that of its bytes.
 */

import type { DeviceState } from '../../campaign/device-progress.ts';
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { CampaignCourse } from '../../campaign/rings.ts';
import type { CampaignState, GatewayView } from './control.ts';

export interface Tables {
  fleet: FleetTable;
  gateways: GatewayTable;
  devices: DeviceTable;
  campaigns: CampaignTable;
  campaign_devices: CampaignDeviceTable;
  campaign_refusals: CampaignRefusalTable;
  touches: { campaign: string };
  events: EventTable;
  blobs: BlobTable;
  blob_pieces: { upload: string; piece: number; content: Uint8Array };
  uploads: { upload: string; began_ms: number };
  audit: AuditTable;
}

/** One row. */
interface FleetTable {
  row: number;
  name: string;
  /** Of the newest entry of the audit log. */
  audit_sequence: number;
  audit_hash: string;
}

export interface GatewayTable {
  id: string;
  state: GatewayView['state'];
  region: string | null;
  version: string | null;
  /** SHA-256 of its certificate: one gateway's alone. */
  certificate: string | null;
  /** SHA-256 of the token that it may enrol with, and until when. */
  token: string | null;
  token_until_ms: number | null;
  /** The one that it enrolled with: an answer that was lost is given again. */
  token_used: string | null;
  /** Counts enrolments: each begins a journal of its own. */
  epoch: number;
  /** How far its journal is here: both or neither. */
  journal_sequence: number | null;
  journal_hash: string | null;
  trouble: string | null;
  devices: number;
  windows: string;
  seen_ms: number | null;
  enrolled_ms: number | null;
  /** Of what it should be doing, and when that last changed. */
  desired_version: number;
  desired_ms: number;
}

interface DeviceTable {
  gateway: string;
  device: string;
  id: string;
  kind: string;
  manufacturer: string;
  model: string;
  hardware_version: string;
  hardware_revision: string;
  /** `hardwareKey` of those four. */
  hardware: string;
  firmware_version: string | null;
  read_ms: number | null;
}

export interface CampaignTable {
  digest: string;
  id: string;
  line: string;
  generation: number;
  state: CampaignState;
  /** What is signed. */
  manifest: Uint8Array;
  /** The signed campaign: a blob. */
  document: string;
  document_bytes: number;
  submitted_by: string;
  submitted_ms: number;
  started_by: string | null;
  started_ms: number | null;
  ended_ms: number | null;
  expires_ms: number;
  author: string;
  approvers: string;
  approvals_missing: number;
  gateways: number;
  /** Of the last evaluation; `abort` is final. */
  course: CampaignCourse | null;
  ring: number;
  width: number;
  abort: string | null;
  detail: string | null;
  /** It ended, and gateways are told so until then; absent: they are told no more. */
  told_until_ms: number | null;
  /** 0 when its events were dropped: it ended long ago. */
  has_events: number;
}

export interface CampaignDeviceTable {
  campaign: string;
  device: string;
  gateway: string;
  ring: number;
  /** Its place among the devices of its gateway in its ring: turns are granted in order. */
  turn: number;
  state: DeviceState;
  attempt: number;
  phase: string | null;
  failure: FailureClass | null;
  code: string | null;
  detail: string | null;
  runs: string | null;
  /** Of the event that it stands as it does by: enrolment, and sequence in that journal. */
  epoch: number;
  sequence: number;
  granted_ms: number | null;
  changed_ms: number;
}

interface CampaignRefusalTable {
  campaign: string;
  gateway: string;
  code: string;
  detail: string | null;
  at_ms: number;
}

export interface EventTable {
  gateway: string;
  epoch: number;
  sequence: number;
  /** Empty where the event is of the whole campaign. */
  device: string;
  campaign: string;
  at_ms: number;
  attempt: number | null;
  /** Of the upgrade, or `campaign-refused`. */
  phase: string;
  code: string | null;
  detail: string | null;
  withdrawn: number;
  runs: string | null;
}

interface BlobTable {
  sha256: string;
  bytes: number;
  /** Whose pieces are its content. */
  upload: string;
  stored_by: string;
  stored_ms: number;
}

interface AuditTable {
  sequence: number;
  at_ms: number;
  actor: string;
  what: string;
  about: string | null;
  detail: string | null;
  hash: string;
}

export interface SqlTypes {
  /** Compared octet by octet, so that order is the same everywhere. */
  text: string;
  bytes: string;
  /** Of a table whose rows change often. */
  roomy: string;
}

/** Statements a step; the number of a schema is that of the steps it took. */
export function schemaSteps(types: SqlTypes): readonly (readonly string[])[] {
  return [first(types)];
}

function first({ text, bytes, roomy }: SqlTypes): readonly string[] {
  return [
    `create table fleet (
      "row" integer primary key, name ${text} not null,
      audit_sequence bigint not null, audit_hash ${text} not null)`,
    `create table gateways (
      id ${text} primary key, state ${text} not null, region ${text}, version ${text},
      certificate ${text} unique, token ${text}, token_until_ms bigint, token_used ${text},
      epoch integer not null, journal_sequence bigint, journal_hash ${text}, trouble ${text},
      devices integer not null, windows ${text} not null, seen_ms bigint, enrolled_ms bigint,
      desired_version bigint not null, desired_ms bigint not null)`,
    'create index gateways_by_change on gateways (desired_ms)',
    `create table devices (
      gateway ${text} not null, device ${text} not null, id ${text} not null, kind ${text} not null,
      manufacturer ${text} not null, model ${text} not null, hardware_version ${text} not null,
      hardware_revision ${text} not null, hardware ${text} not null, firmware_version ${text},
      read_ms bigint, primary key (gateway, device))`,
    'create index devices_by_hardware on devices (hardware)',
    `create table campaigns (
      digest ${text} primary key, id ${text} not null unique, line ${text} not null,
      generation bigint not null, state ${text} not null, manifest ${bytes} not null,
      document ${text} not null, document_bytes integer not null, submitted_by ${text} not null,
      submitted_ms bigint not null, started_by ${text}, started_ms bigint, ended_ms bigint,
      expires_ms bigint not null, author ${text} not null, approvers ${text} not null,
      approvals_missing integer not null, gateways integer not null, course ${text},
      ring integer not null, width integer not null, abort ${text}, detail ${text},
      told_until_ms bigint, has_events integer not null, unique (line, generation))`,
    `create table campaign_devices (
      campaign ${text} not null, device ${text} not null, gateway ${text} not null,
      ring integer not null, turn integer not null, state ${text} not null,
      attempt integer not null, phase ${text}, failure ${text}, code ${text}, detail ${text},
      runs ${text}, epoch integer not null, sequence bigint not null, granted_ms bigint,
      changed_ms bigint not null, primary key (campaign, device)) ${roomy}`,
    'create index campaign_devices_by_gateway on campaign_devices (gateway, campaign)',
    `create table campaign_refusals (
      campaign ${text} not null, gateway ${text} not null, code ${text} not null, detail ${text},
      at_ms bigint not null, primary key (campaign, gateway))`,
    `create table touches (campaign ${text} not null)`,
    `create table events (
      gateway ${text} not null, epoch integer not null, sequence bigint not null,
      device ${text} not null, campaign ${text} not null, at_ms bigint not null, attempt integer,
      phase ${text} not null, code ${text}, detail ${text}, withdrawn integer not null,
      runs ${text}, primary key (gateway, epoch, sequence, device))`,
    `create table blobs (
      sha256 ${text} primary key, bytes integer not null, upload ${text} not null,
      stored_by ${text} not null, stored_ms bigint not null)`,
    `create table blob_pieces (
      upload ${text} not null, piece integer not null, content ${bytes} not null,
      primary key (upload, piece))`,
    `create table uploads (upload ${text} primary key, began_ms bigint not null)`,
    `create table audit (
      sequence bigint primary key, at_ms bigint not null, actor ${text} not null,
      what ${text} not null, about ${text}, detail ${text}, hash ${text} not null)`,
  ];
}
