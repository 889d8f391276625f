/**
 * When what failed is tried again: a class for each failure, a delay with full jitter, and a
 * budget.
 *
 * - `refused` is never tried again by itself: the same bytes would be refused again, or a person
 *   has to change something first.
 * - After an unknown outcome the device is read, not sent to: its task is `read`.
 * - What is unreachable has no limit of attempts but its deadline: a link heals when it heals.
 *
 * Retries draw on two buckets, the job's and the gateway's. A first try puts a share of a retry in,
 * time puts in some more, and a retry takes one out. A retry that finds a bucket empty is put off
 * to when there will be one for it, so that many devices that failed together do not come back
 * together; where that is past its deadline it is given up. So after `h` hours there were at most
 * `reserve + share * first tries + perHour * h` retries.
 */
import type { Random } from '../ports.ts';
import type { FailureCode } from '../upgrade/states.ts';

export type FailureClass =
  | 'unreachable'
  | 'transfer'
  | 'device'
  | 'refused'
  | 'unknown-outcome'
  | 'gateway';

const SESSION_CLASS = {
  'device-silent': 'unreachable',
  'link-lost': 'unreachable',
  'hub-silent': 'unreachable',

  'transfer-stalled': 'transfer',
  'transfer-given-up': 'transfer',
  'transfer-broken': 'transfer',
  'left-in-bootloader': 'transfer',
  'deadline-passed': 'transfer',

  'download-refused-by-device': 'device',
  'upload-refused': 'device',
  'boots-into-recovery': 'device',
  'not-confirmed': 'device',

  'image-changed': 'refused',
  'facts-missing': 'refused',
  'hold-expired': 'refused',
  'image-refused-by-device': 'refused',
  'holds-unknown-image': 'refused',
  'device-reverted': 'refused',
  'hub-state-unread': 'refused',
  'bootloader-other': 'refused',
  'hold-impossible': 'refused',
  'trial-unconfirmed': 'refused',
  'image-unnamed': 'refused',
  'slot-too-small': 'refused',
  'image-refused-by-bootloader': 'refused',
  'activation-refused': 'refused',
  'image-dropped-at-boot': 'refused',

  // It may have been activated since: a second command needs a person.
  'not-activated': 'unknown-outcome',
  'version-not-readable': 'unknown-outcome',
  'application-unheard': 'unknown-outcome',

  'image-not-served': 'gateway',
} as const satisfies Record<FailureCode, FailureClass>;

/** Codes of UpliftError with which a link does not open, or ends. */
const OPENING_CLASS = {
  'coordinator-unreachable': 'unreachable',
  'port-unreachable': 'unreachable',
  'port-missing': 'unreachable',
  'link-down': 'unreachable',

  'coordinator-failed': 'gateway',
  'port-in-use': 'gateway',
  'port-failed': 'gateway',
  'worker-ended': 'gateway',

  'network-mismatch': 'refused',
  'port-forbidden': 'refused',
  'port-ambiguous': 'refused',
  'port-wrong-kind': 'refused',
  'baud-rate-unsupported': 'refused',
} as const satisfies Record<string, FailureClass>;

export const FAILURE_CLASSES = { ...SESSION_CLASS, ...OPENING_CLASS };

export type RetryableCode = keyof typeof FAILURE_CLASSES;

/** Whether a link did not open, or ended: nothing was learnt of the device behind it. */
export function isLinkFailure(code: string): boolean {
  return Object.hasOwn(OPENING_CLASS, code);
}

export interface Backoff {
  /** Attempts after the first; Infinity: until the deadline. */
  retriesMax: number;
  /** The longest delay before the first of them. */
  baseMs: number;
  /** By which it grows with each. */
  factor: number;
  capMs: number;
}

export interface RetryBudget {
  /** Retries in hand at first, and never more. */
  reserve: number;
  /** Retries earned by one first try. */
  share: number;
  perHour: number;
}

export interface RetryPolicy {
  backoff: Readonly<Record<Exclude<FailureClass, 'refused'>, Backoff>>;
  jobBudget: RetryBudget;
  gatewayBudget: RetryBudget;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Chosen for this gateway; no source gives figures. */
export const RETRY_POLICY: RetryPolicy = {
  backoff: {
    unreachable: {
      retriesMax: Number.POSITIVE_INFINITY,
      baseMs: 30 * SECOND_MS,
      factor: 2,
      capMs: HOUR_MS,
    },
    transfer: { retriesMax: 5, baseMs: MINUTE_MS, factor: 2, capMs: HOUR_MS },
    device: { retriesMax: 1, baseMs: HOUR_MS, factor: 2, capMs: 4 * HOUR_MS },
    'unknown-outcome': { retriesMax: 20, baseMs: MINUTE_MS, factor: 2, capMs: 2 * HOUR_MS },
    gateway: { retriesMax: 8, baseMs: 5 * SECOND_MS, factor: 3, capMs: 30 * MINUTE_MS },
  },
  jobBudget: { reserve: 10, share: 0.2, perHour: 60 },
  gatewayBudget: { reserve: 50, share: 0.2, perHour: 600 },
};

/** What the next attempt is: the whole stage, or a look at what the device is and has. */
export type Task = 'run' | 'read';

export type RetryDecision =
  | { kind: 'again'; atMs: number; task: Task }
  | { kind: 'given-up'; why: 'refused' | 'attempts' | 'deadline' };

export interface FailedTry {
  job: string;
  failureClass: FailureClass;
  /** Retries of this class that this item had already. */
  retriesDone: number;
  deadlineMs: number;
}

export class RetryDesk {
  private readonly random: Random;
  private readonly policy: RetryPolicy;
  private readonly gateway: Bucket;
  private readonly jobs = new Map<string, Bucket>();

  constructor(random: Random, nowMs: number, policy: RetryPolicy = RETRY_POLICY) {
    this.random = random;
    this.policy = policy;
    this.gateway = new Bucket(policy.gatewayBudget, nowMs);
  }

  /** An item of the job is tried for the first time. */
  firstTry(job: string, nowMs: number): void {
    this.gateway.earn();
    this.bucketOf(job, nowMs).earn();
  }

  decide(failed: FailedTry, nowMs: number): RetryDecision {
    if (failed.failureClass === 'refused') return { kind: 'given-up', why: 'refused' };
    const backoff = this.policy.backoff[failed.failureClass];
    if (failed.retriesDone >= backoff.retriesMax) return { kind: 'given-up', why: 'attempts' };
    const delayMs = delayOf(backoff, failed.retriesDone, this.random);
    const bucket = this.bucketOf(failed.job, nowMs);
    const budgetMs = Math.max(bucket.nextMs(nowMs), this.gateway.nextMs(nowMs));
    const atMs = Math.max(nowMs + delayMs, budgetMs);
    if (atMs >= failed.deadlineMs) return { kind: 'given-up', why: 'deadline' };
    bucket.take(nowMs);
    this.gateway.take(nowMs);
    return {
      kind: 'again',
      atMs,
      task: failed.failureClass === 'unknown-outcome' ? 'read' : 'run',
    };
  }

  /** The job has no items any more. */
  forget(job: string): void {
    this.jobs.delete(job);
  }

  private bucketOf(job: string, nowMs: number): Bucket {
    let bucket = this.jobs.get(job);
    if (bucket === undefined) {
      bucket = new Bucket(this.policy.jobBudget, nowMs);
      this.jobs.set(job, bucket);
    }
    return bucket;
  }
}

/** Full jitter: anything from nothing to the delay that has grown so far. */
export function delayOf(backoff: Backoff, retriesDone: number, random: Random): number {
  const grownMs = Math.min(backoff.capMs, backoff.baseMs * backoff.factor ** retriesDone);
  return Math.floor(random.next() * grownMs);
}

/** Retries in hand; below zero where some are promised for later. */
class Bucket {
  private readonly budget: RetryBudget;
  private retries: number;
  private atMs: number;

  constructor(budget: RetryBudget, nowMs: number) {
    this.budget = budget;
    this.retries = budget.reserve;
    this.atMs = nowMs;
  }

  earn(): void {
    this.retries = Math.min(this.budget.reserve, this.retries + this.budget.share);
  }

  /** When there is a retry for one more. */
  nextMs(nowMs: number): number {
    this.refill(nowMs);
    if (this.retries >= 1) return nowMs;
    return nowMs + Math.ceil(((1 - this.retries) / this.budget.perHour) * HOUR_MS);
  }

  take(nowMs: number): void {
    this.refill(nowMs);
    this.retries--;
  }

  private refill(nowMs: number): void {
    if (nowMs <= this.atMs) return;
    const earned = ((nowMs - this.atMs) / HOUR_MS) * this.budget.perHour;
    this.retries = Math.min(this.budget.reserve, this.retries + earned);
    this.atMs = nowMs;
  }
}
