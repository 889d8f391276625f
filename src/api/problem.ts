/**
 * What is answered where something is wrong: `application/problem+json`, with the code that the
 * rest of Uplift uses. A table says which HTTP status a code has; nothing of this machine (a
 * path, a stack, what a system call said) is in an answer.
 */
import { UpliftError } from '../errors.ts';

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
  'not-done': 'No version was read back: nothing is certified before that.',
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
  'not-done': 409,
  internal: 500,
};

/** Codes that are refused with: what each says, and the status of its answer. */
export interface CodeTable {
  sentences: Readonly<Record<string, string>>;
  statuses: Readonly<Record<string, number>>;
  /** Its details are for who asks, also where the status says that the fault is ours. */
  isTold?: boolean;
}

/** What any API of ours refuses with. */
export const API_TABLE: CodeTable = { sentences: API_CODES, statuses: API_STATUS };

/**
 * Of the codes that only stand for themselves: lists, for one, are refused by codes of their own.
 */
const UNDERSTOOD_AND_REFUSED = 422;

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

export interface RefusalDetail {
  expected?: string;
  actual?: string;
  next?: string;
  errors?: ProblemDocument['errors'];
  headers?: Readonly<Record<string, string>>;
}

/** What is refused before anybody behind the API was asked. */
export class RefusalError extends UpliftError {
  readonly errors: ProblemDocument['errors'];
  /** Fields of the answer's header that go with it. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, sentence: string, detail: RefusalDetail = {}) {
    super(code, sentence, detail);
    this.errors = detail.errors;
    this.headers = detail.headers ?? {};
  }
}

/** What the API itself refuses, whatever it serves. */
export class ApiError extends RefusalError {
  constructor(code: ApiCode, detail: RefusalDetail = {}) {
    super(code, API_CODES[code], detail);
  }
}

/** How one API answers where something is wrong. Of a code in several tables the last one counts. */
export class Problems {
  private readonly codes = new Map<string, { sentence: string; status: number; isTold: boolean }>();

  constructor(...tables: readonly CodeTable[]) {
    for (const { sentences, statuses, isTold = false } of tables)
      for (const [code, sentence] of Object.entries(sentences)) {
        const status = statuses[code] ?? UNDERSTOOD_AND_REFUSED;
        this.codes.set(code, { sentence, status, isTold });
      }
  }

  statusOf(code: string): number {
    return this.codes.get(code)?.status ?? UNDERSTOOD_AND_REFUSED;
  }

  documentOf(error: UpliftError): ProblemDocument {
    const { code, message, expected, actual, next } = error;
    const status = this.statusOf(code);
    const known = this.codes.get(code);
    // What failed inside is for the log: who asks is told that it did.
    const isOurs = status >= 500 && known?.isTold !== true;
    const said = isOurs ? {} : { expected, actual, next };
    const errors = error instanceof RefusalError ? error.errors : undefined;
    return {
      type: `urn:uplift:error:${code}`,
      title: shown(isOurs ? (known?.sentence ?? API_CODES.internal) : message),
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

  headersOf(error: UpliftError): Record<string, string> {
    const retryAfterS = RETRY_AFTER_S[this.statusOf(error.code)];
    return {
      ...(retryAfterS === undefined ? {} : { 'retry-after': `${retryAfterS}` }),
      ...(error.code === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="uplift"' } : {}),
      ...(error instanceof RefusalError ? error.headers : {}),
    };
  }
}

/** Of connections on which nothing was asked yet. */
export const API_PROBLEMS = new Problems(API_TABLE);

/** Without paths of this machine, without what would move a cursor or hide, and not endless. */
function shown(text: string): string {
  return text
    .replace(PATH, '…')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
      return `\\u{${character.codePointAt(0)!.toString(16).toUpperCase()}}`;
    })
    .slice(0, DETAIL_CHARACTERS_MAX);
}
