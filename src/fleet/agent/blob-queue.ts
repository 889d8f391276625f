/**
 * The blobs that are to be fetched, and when each is tried next: a machine without I/O. Documents and
 * images are two queues: an image may take hours, and a document says what is to be done.
 *
 * One that breaks off or is refused waits and lets the others go first. One that came whole and was
 * something else than its digest says is tried a few times, as every try costs all of its bytes, and then
 * no more until the coordinator wants something new.
 */
import type { Random } from '../../ports.ts';
import { type Backoff, delayOf } from '../../schedule/retry.ts';
import type { AgentCode } from './codes.ts';

export type BlobKind = 'document' | 'image';

export interface WantedBlob {
  kind: BlobKind;
  sha256: string;
  bytes: number;
}

export type BlobEnd =
  | { kind: 'stored' }
  /** It goes on from where it is. */
  | { kind: 'broken'; code: AgentCode; detail: string; retryAfterMs?: number }
  /** Nothing of it is kept. */
  | { kind: 'spoiled'; code: AgentCode; detail: string };

export interface BlobCondition {
  sha256: string;
  code: AgentCode;
  detail: string;
  givenUp: boolean;
}

/** Chosen for this gateway; no source gives figures. */
const BACKOFF: Backoff = {
  retriesMax: Number.POSITIVE_INFINITY,
  baseMs: 10_000,
  factor: 2,
  capMs: 30 * 60_000,
};
const SPOILED_MAX = 3;

interface Entry extends WantedBlob {
  dueMs: number;
  /** In a row. */
  failures: number;
  spoiled: number;
  condition: { code: AgentCode; detail: string } | undefined;
}

export class BlobQueue {
  private readonly random: Random;
  private readonly entries = new Map<string, Entry>();
  private version: string | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  /** All that is wanted. @param version of what the coordinator wants: another one is a new chance */
  want(blobs: readonly WantedBlob[], version: string, nowMs: number): void {
    const wanted = new Map(blobs.map((blob) => [blob.sha256, blob]));
    for (const sha256 of this.entries.keys()) {
      if (!wanted.has(sha256)) this.entries.delete(sha256);
    }
    for (const blob of wanted.values()) {
      const { dueMs = nowMs, failures = 0, condition } = this.entries.get(blob.sha256) ?? {};
      const spoiled = this.entries.get(blob.sha256)?.spoiled ?? 0;
      const isNew = version !== this.version && spoiled >= SPOILED_MAX;
      this.entries.set(blob.sha256, {
        ...blob,
        // A clock that was set back would keep it waiting.
        dueMs: isNew ? nowMs : Math.min(dueMs, nowMs + BACKOFF.capMs),
        failures,
        spoiled: isNew ? 0 : spoiled,
        condition,
      });
    }
    this.version = version;
  }

  has(sha256: string): boolean {
    return this.entries.has(sha256);
  }

  get waiting(): number {
    return this.entries.size;
  }

  get conditions(): BlobCondition[] {
    return [...this.entries.values()].flatMap(({ sha256, condition, spoiled }) =>
      condition ? [{ sha256, ...condition, givenUp: spoiled >= SPOILED_MAX }] : [],
    );
  }

  /** The one to be fetched now. */
  next(kind: BlobKind, nowMs: number): WantedBlob | undefined {
    return this.open(kind).find(({ dueMs }) => dueMs <= nowMs);
  }

  /** When there is one again; Infinity for never. */
  nextMs(kind: BlobKind): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.open(kind).map(({ dueMs }) => dueMs));
  }

  handleEnd(sha256: string, end: BlobEnd, nowMs: number): void {
    const entry = this.entries.get(sha256);
    if (!entry) return;
    if (end.kind === 'stored') {
      this.entries.delete(sha256);
      return;
    }
    if (end.kind === 'spoiled') entry.spoiled++;
    const delayMs = delayOf(BACKOFF, entry.failures++, this.random);
    const saidMs = end.kind === 'broken' ? (end.retryAfterMs ?? 0) : 0;
    entry.dueMs = nowMs + Math.max(delayMs, saidMs);
    entry.condition = { code: end.code, detail: end.detail };
  }

  private open(wanted: BlobKind): Entry[] {
    return [...this.entries.values()].filter(
      ({ kind, spoiled }) => kind === wanted && spoiled < SPOILED_MAX,
    );
  }
}
