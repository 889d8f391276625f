/**
 * What becomes of a message by what the endpoint of its Service User answered. None of it was found
 * in a source, so a site may put other rules in their place.
 */

export type DeliveryOutcome =
  | 'delivered'
  /** Tried again, for as long as it takes: the endpoint is away or busy. */
  | 'retry'
  /**
   * Tried again too, but nothing gets through before somebody mends address or access: told as
   * such.
   */
  | 'blocked'
  /** This very message is not taken, and would not be later: after some tries it is put aside. */
  | 'poison';

export interface DeliveryRule {
  /** HTTP status, both ends included. */
  from: number;
  to: number;
  outcome: DeliveryOutcome;
}

/** The first that fits. A status that none fits is `blocked`. */
export const DELIVERY_RULES: readonly DeliveryRule[] = [
  { from: 200, to: 299, outcome: 'delivered' },
  // No redirect is followed: messages go where they were configured to go.
  { from: 300, to: 399, outcome: 'blocked' },
  // Unauthorised, payment, forbidden, not found, method, proxy, gone: of the endpoint, no message's.
  { from: 401, to: 405, outcome: 'blocked' },
  { from: 407, to: 407, outcome: 'blocked' },
  { from: 410, to: 410, outcome: 'blocked' },
  // Timeout, locked, too early, too many.
  { from: 408, to: 408, outcome: 'retry' },
  { from: 423, to: 423, outcome: 'retry' },
  { from: 425, to: 425, outcome: 'retry' },
  { from: 429, to: 429, outcome: 'retry' },
  { from: 400, to: 499, outcome: 'poison' },
  { from: 500, to: 599, outcome: 'retry' },
];

export interface DeliverySettings {
  rules: readonly DeliveryRule[];
  backoff: { baseMs: number; factor: number; capMs: number };
  /** Without an answer for so long a try has failed. */
  answerMs: number;
  /** Tries of a message that is poison before it is put aside. */
  poisonTriesMax: number;
  /** At once, over all users; of one user it is one. */
  inFlightMax: number;
  /** A Retry-After above this is not waited for. */
  retryAfterMsMax: number;
  /** Of one user; more are not taken until some are delivered. */
  waitingMax: number;
  source: string;
}

export const DELIVERY: DeliverySettings = {
  rules: DELIVERY_RULES,
  backoff: { baseMs: 1_000, factor: 2, capMs: 10 * 60_000 },
  answerMs: 30_000,
  poisonTriesMax: 3,
  inFlightMax: 8,
  retryAfterMsMax: 3_600_000,
  waitingMax: 200_000,
  source: 'assumed: our choice',
};

export function deliveryOutcome(status: number, rules: readonly DeliveryRule[]): DeliveryOutcome {
  return rules.find(({ from, to }) => status >= from && status <= to)?.outcome ?? 'blocked';
}
