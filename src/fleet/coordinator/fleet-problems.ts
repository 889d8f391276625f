/** With which status a coordinator refuses what it refuses, to gateways and to people. */
import {
  API_TABLE,
  type ApiCode,
  Problems,
  type RefusalDetail,
  RefusalError,
} from '../../api/problem.ts';
import { CAMPAIGN_CODES, type CampaignCode } from '../../campaign/codes.ts';
import { COSE_CODES, type CoseCode } from '../../trust/cose.ts';
import { EVENTS_CODES, type EventsCode } from '../bundle/codes.ts';
import { FLEET_CODES, type FleetCode } from '../codes.ts';

const STATUSES: Record<FleetCode, number> = {
  'gateway-unknown': 404,
  'gateway-exists': 409,
  'gateway-revoked': 403,
  'token-unknown': 403,
  'certificate-missing': 403,
  'certificate-in-use': 409,
  'events-gap': 409,
  'events-forked': 409,
  'event-of-other': 422,
  'events-order': 422,
  'blob-unknown': 404,
  'blob-other': 422,
  busy: 503,
  'database-away': 503,
  'campaign-unknown': 404,
  'campaign-exists': 409,
  'generation-not-above': 409,
  'other-fleet': 422,
  'image-missing': 409,
  'campaign-state': 409,
  'signature-of-other': 409,
  'author-starts': 403,
  'no-devices': 409,
  'nothing-failed': 409,
};

const CAMPAIGN_TABLE = { sentences: CAMPAIGN_CODES, statuses: {} };
const COSE_TABLE = { sentences: COSE_CODES, statuses: {} };
const EVENTS_TABLE = { sentences: EVENTS_CODES, statuses: {} };

export const OPERATOR_PROBLEMS = new Problems(API_TABLE, CAMPAIGN_TABLE, COSE_TABLE, EVENTS_TABLE, {
  sentences: FLEET_CODES,
  statuses: STATUSES,
});

/** A gateway that is not known is nobody: the path of another is as closed to it as its own. */
export const GATEWAY_DOOR_PROBLEMS = new Problems(API_TABLE, {
  sentences: FLEET_CODES,
  statuses: { ...STATUSES, 'gateway-unknown': 403 },
});

export type FleetDoorCode = ApiCode | FleetCode | CampaignCode | CoseCode | EventsCode;

/** What the doors refuse by themselves. */
export class FleetError extends RefusalError {
  constructor(code: FleetCode, detail: RefusalDetail = {}) {
    super(code, FLEET_CODES[code], detail);
  }
}
