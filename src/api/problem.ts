/**
 * What is answered where something is wrong: `application/problem+json`, with the code that the
 * rest of Uplift uses. One table says which HTTP status a code has; nothing of this machine (a
 * path, a stack, what a system call said) is in an answer.
 */
import { UpliftError } from '../errors.ts';
import {
  CAMPAIGN_CONTROL_CODES,
  type CampaignControlCode,
  CONTROL_CODES,
  type ControlCode,
  OUTBOX_CODES,
  type OutboxCode,
} from '../gateway/control.ts';
import { STORE_CODES, type StoreCode } from '../store/codes.ts';

export const API_CODES = {
  unauthenticated: 'Who asks has to say who they are.',
  forbidden: 'The role of who asks does not allow it.',
  'attempts-many': 'Too many came from there that were not known.',
  'host-unknown': 'The API is not reached by this name.',
  'origin-foreign': 'A page from elsewhere may change nothing here.',
  'not-found': 'There is nothing of this name.',
  'method-unknown': 'What is there does not take this method.',
  'request-malformed': 'The request is not HTTP as it is understood here.',
  'request-invalid': 'A part of the request is not what it has to be.',
  'request-slow': 'The request did not come in time.',
  'header-large': 'The header of the request is larger than is read.',
  'body-large': 'The body is larger than is read here.',
  'body-length': 'The body ended before the length that was stated.',
  'media-type': 'The body is of another media type than is read here.',
  'cursor-unknown': 'What the list was to go on from is not there any more.',
  'listeners-many': 'As many listen as may.',
  'list-refused': 'The list is not taken; why is said by a code of `uplift lists lint`.',
  internal: 'This should not have happened; it is in the log.',
} as const;

export type ApiCode = keyof typeof API_CODES;

const API_STATUS: Record<ApiCode, number> = {
  unauthenticated: 401,
  forbidden: 403,
  'attempts-many': 429,
  'host-unknown': 421,
  'origin-foreign': 403,
  'not-found': 404,
  'method-unknown': 405,
  'request-malformed': 400,
  'request-invalid': 400,
  'request-slow': 408,
  'header-large': 431,
  'body-large': 413,
  'body-length': 400,
  'media-type': 415,
  'cursor-unknown': 400,
  'listeners-many': 503,
  'list-refused': 422,
  internal: 500,
};

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

/**
 * Of the codes that only stand for themselves: lists, for one, are refused by codes of their own.
 */
const UNDERSTOOD_AND_REFUSED = 422;
const STATUS = new Map(
  Object.entries({
    ...API_STATUS,
    ...CONTROL_STATUS,
    ...OUTBOX_STATUS,
    ...CAMPAIGN_STATUS,
    ...STORE_STATUS,
  }),
);

/** Statuses that pass by themselves, and after how many seconds it is worth asking again. */
const RETRY_AFTER_S: Partial<Record<number, number>> = { 429: 60, 503: 10 };

/** Text of others in an answer is cut here. */
const DETAIL_CHARACTERS_MAX = 1_000;
/** An absolute path of two steps and more, as messages of the system quote them. */
const PATH = /(?<![\w/:])\/(?:[\w.@+~-]+\/)+[\w.@+~-]*/g;

export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string;
  expected?: string;
  actual?: string;
  next?: string;
  /**
   * Where a part of the request is not what it has to be: JSON pointers, and what was expected
   * there.
   */
  errors?: { pointer: string; expected: string }[];
}

const SENTENCES = {
  ...STORE_CODES,
  ...OUTBOX_CODES,
  ...CAMPAIGN_CONTROL_CODES,
  ...CONTROL_CODES,
  ...API_CODES,
};

/** What the API itself refuses. */
export class ApiError extends UpliftError {
  readonly errors: ProblemDocument['errors'];
  /** Fields of the answer's header that go with it. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ApiCode | ControlCode | OutboxCode | CampaignControlCode | StoreCode,
    detail: {
      expected?: string;
      actual?: string;
      next?: string;
      errors?: ProblemDocument['errors'];
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(code, SENTENCES[code], detail);
    this.errors = detail.errors;
    this.headers = detail.headers ?? {};
  }
}

export function statusOf(code: string): number {
  return STATUS.get(code) ?? UNDERSTOOD_AND_REFUSED;
}

export function problemOf(error: UpliftError): ProblemDocument {
  const { code, message, expected, actual, next } = error;
  const status = statusOf(code);
  // What failed inside is for the log: who asks is told that it did.
  const isOurs = status >= 500 && !(code in CONTROL_STATUS);
  const said = isOurs ? {} : { expected, actual, next };
  const errors = error instanceof ApiError ? error.errors : undefined;
  return {
    type: `urn:uplift:error:${code}`,
    title: shown(isOurs ? sentenceOf(code) : message),
    status,
    code,
    ...Object.fromEntries(
      Object.entries(said).flatMap(([key, text]) =>
        text === undefined ? [] : [[key, shown(text)]],
      ),
    ),
    ...(errors === undefined ? {} : { errors }),
  };
}

export function problemHeaders(error: UpliftError): Record<string, string> {
  const retryAfterS = RETRY_AFTER_S[statusOf(error.code)];
  return {
    ...(retryAfterS === undefined ? {} : { 'retry-after': `${retryAfterS}` }),
    ...(error.code === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="uplift"' } : {}),
    ...(error instanceof ApiError ? error.headers : {}),
  };
}

/** Without paths of this machine, without what would move a cursor or hide, and not endless. */
function shown(text: string): string {
  return text
    .replace(PATH, '…')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
      return `\\u{${character.codePointAt(0)!.toString(16).toUpperCase()}}`;
    })
    .slice(0, DETAIL_CHARACTERS_MAX);
}

/** Of a code of the table its sentence, without the detail that quotes the system. */
function sentenceOf(code: string): string {
  return SENTENCES[code as keyof typeof SENTENCES] ?? API_CODES.internal;
}
