/** What the API of a gateway refuses with: its own codes, and those of the gateway and its store. */
import {
  CAMPAIGN_CONTROL_CODES,
  type CampaignControlCode,
  CONTROL_CODES,
  type ControlCode,
  OUTBOX_CODES,
  type OutboxCode,
} from '../gateway/control.ts';
import { STORE_CODES, type StoreCode } from '../store/codes.ts';
import {
  API_CODES,
  API_TABLE,
  type ApiCode,
  type CodeTable,
  Problems,
  type RefusalDetail,
  RefusalError,
} from './problem.ts';

export type GatewayCode = ControlCode | OutboxCode | CampaignControlCode | StoreCode;

const CONTROL_STATUS: Record<ControlCode, number> = {
  'job-unknown': 404,
  'device-unknown': 422,
  'device-not-in-job': 422,
  'image-unknown': 422,
  'image-in-use': 409,
  'window-unknown': 422,
  'job-malformed': 422,
  'job-open': 409,
  'request-id-reused': 409,
  'not-approvable': 409,
  'own-approval': 403,
  'not-activatable': 409,
  'not-cancellable': 409,
  'not-retryable': 409,
  'not-accepting': 503,
};

const OUTBOX_STATUS: Record<OutboxCode, number> = {
  'message-unknown': 404,
  'message-not-parked': 409,
};

const CAMPAIGN_STATUS: Record<CampaignControlCode, number> = {
  'campaign-refused': 422,
  'campaign-unknown': 404,
  'campaign-over': 409,
  'campaign-of-other': 409,
  'campaigns-many': 409,
};

const STORE_STATUS: Record<StoreCode, number> = {
  'no-space': 507,
  'sync-failed': 503,
  io: 503,
  'read-only': 503,
  denied: 503,
  missing: 503,
  damaged: 503,
  busy: 503,
  system: 503,
  'open-files': 503,
  faulted: 503,
  'digest-malformed': 422,
  'image-size': 422,
  'store-full': 507,
  'disk-low': 507,
  'uploads-many': 503,
  'upload-unknown': 404,
  'upload-offset': 409,
  'upload-too-long': 413,
  'upload-incomplete': 409,
  'digest-differs': 422,
  'image-missing': 404,
  'image-poisoned': 422,
};

export const GATEWAY_TABLES: readonly CodeTable[] = [
  { sentences: STORE_CODES, statuses: STORE_STATUS },
  { sentences: OUTBOX_CODES, statuses: OUTBOX_STATUS },
  { sentences: CAMPAIGN_CONTROL_CODES, statuses: CAMPAIGN_STATUS },
  { sentences: CONTROL_CODES, statuses: CONTROL_STATUS, isTold: true },
  API_TABLE,
];

export const GATEWAY_PROBLEMS = new Problems(...GATEWAY_TABLES);

const SENTENCES = {
  ...STORE_CODES,
  ...OUTBOX_CODES,
  ...CAMPAIGN_CONTROL_CODES,
  ...CONTROL_CODES,
  ...API_CODES,
};

/** What a route of the gateway refuses. */
export class ControlError extends RefusalError {
  constructor(code: ApiCode | GatewayCode, detail: RefusalDetail = {}) {
    super(code, SENTENCES[code], detail);
  }
}
