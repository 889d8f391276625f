/**
 * When the service manager's watchdog is fed: only when every part that must go on has made progress since
 * it was fed last. A process whose timers run while its journal hangs is not alive.
 *
 * A machine: it owns no timer and no clock. A part beats when it did something, and where it has nothing to
 * do when it looked and found so; a beat that comes of a timer alone proves nothing.
 */
import { assert } from '../errors.ts';

/** Of a gateway: whose progress is wanted. */
export const WATCHED_PARTS = ['event-loop', 'journal', 'scheduler'] as const;
/** The same of a coordinator. */
export const FLEET_PARTS = ['event-loop', 'house'] as const;
export type WatchedPart = (typeof WATCHED_PARTS)[number] | (typeof FLEET_PARTS)[number];

export type WatchdogEvent =
  /** Tell the manager that the service is alive. */
  | { kind: 'feed' }
  /** It was to be fed and these parts stood still; once, until it is fed again. */
  | { kind: 'starved'; parts: readonly WatchedPart[] };

export class Watchdog {
  private readonly periodMs: number;
  private readonly parts: readonly WatchedPart[];
  private readonly missing: Set<WatchedPart>;
  private readonly events: WatchdogEvent[] = [];
  private dueMs: number;
  private starving = false;

  constructor(periodMs: number, nowMs: number, parts: readonly WatchedPart[] = WATCHED_PARTS) {
    assert(periodMs > 0, 'a period lasts');
    this.parts = parts;
    this.missing = new Set(parts);
    this.periodMs = periodMs;
    this.dueMs = nowMs + periodMs;
  }

  /** The part made progress. What is overdue is fed with the last beat that was missing. */
  beat(part: WatchedPart, nowMs: number): void {
    this.missing.delete(part);
    if (nowMs >= this.dueMs && this.missing.size === 0) this.feed(nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    if (this.missing.size === 0) this.feed(nowMs);
    else if (!this.starving) {
      this.starving = true;
      this.events.push({ kind: 'starved', parts: [...this.missing] });
    }
  }

  pollEvent(): WatchdogEvent | undefined {
    return this.events.shift();
  }

  /** Nothing while it starves: then only a beat helps. */
  pollTimeout(): number | undefined {
    return this.starving ? undefined : this.dueMs;
  }

  private feed(nowMs: number): void {
    this.events.push({ kind: 'feed' });
    for (const part of this.parts) this.missing.add(part);
    this.starving = false;
    this.dueMs = nowMs + this.periodMs;
  }
}

/**
 * Half of what the manager waits (`WATCHDOG_USEC`); undefined where it does not watch, or watches another
 * process (`WATCHDOG_PID`).
 */
export function watchdogPeriodMs(
  environment: Readonly<Record<string, string | undefined>>,
  processId: number,
): number | undefined {
  const { WATCHDOG_USEC: written, WATCHDOG_PID: watched } = environment;
  if (watched !== undefined && watched !== '' && watched !== String(processId)) return undefined;
  if (written === undefined || !/^[1-9][0-9]{0,14}$/.test(written)) return undefined;
  return Number(written) / 1000 / 2;
}
