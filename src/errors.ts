/**
 * The one error that reaches a person: thrown at the edge of the program, never inside a machine.
 *
 * A programmer's error is an assertion and crashes. What a peer or the world does wrong is a result or an
 * event with a code. Codes are never reused; tests compare codes, never text.
 */

/** Exit codes of the command line: a contract, scripts and rigs depend on it. */
export const EXIT = {
  done: 0,
  usage: 2,
  refused: 3,
  transferFailed: 4,
  deviceFailed: 5,
  notReachable: 6,
  /** Everything ran, and a check of a scenario did not hold. */
  checkFailed: 7,
  bug: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface UpliftErrorDetail {
  /** What was wanted, in the words of the reader. */
  expected?: string;
  /** What was there instead. */
  actual?: string;
  /** What the reader can do now. */
  next?: string;
  exit?: ExitCode;
  cause?: unknown;
}

export class UpliftError extends Error {
  readonly code: string;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly next: string | undefined;
  readonly exit: ExitCode;

  constructor(code: string, message: string, detail: UpliftErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = 'UpliftError';
    this.code = code;
    this.expected = detail.expected;
    this.actual = detail.actual;
    this.next = detail.next;
    this.exit = detail.exit ?? EXIT.usage;
  }
}

/** A programmer's error: the caller broke the contract, and going on would hide it. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
