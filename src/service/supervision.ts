/**
 * The watchdog on its timer: beats come in, the service manager is told, the delay of the event loop is
 * measured on the way. Without a manager that watches only the last is left.
 */
import type { Log, Timers } from '../ports.ts';
import type { Notifier } from './notify.ts';
import { STEADY_TIMERS } from './steady-timers.ts';
import { WATCHED_PARTS, Watchdog, type WatchedPart, watchdogPeriodMs } from './watchdog.ts';

/** How often the event loop is looked at. */
const TICK_MS = 1_000;

export interface SupervisionOptions {
  notifier: Notifier;
  /** `STEADY_TIMERS`, but in tests. */
  timers?: Timers;
  log: Log;
  /** Those of a gateway, if nothing else is said. */
  parts?: readonly WatchedPart[];
  /** How late each tick came. */
  onLoopDelay?: (seconds: number) => void;
  environment?: NodeJS.ProcessEnv;
  processId?: number;
}

export interface Supervision {
  /** Called by a part that made progress. */
  beat(part: Exclude<WatchedPart, 'event-loop'>): void;
  stop(): void;
}

export function supervise(options: SupervisionOptions): Supervision {
  const { notifier, log, onLoopDelay, timers = STEADY_TIMERS } = options;
  const { environment = process.env, processId = process.pid } = options;
  const periodMs = watchdogPeriodMs(environment, processId);
  const { parts = WATCHED_PARTS } = options;
  const watchdog =
    periodMs === undefined ? undefined : new Watchdog(periodMs, timers.nowMs(), parts);
  const tickMs = Math.min(TICK_MS, periodMs === undefined ? TICK_MS : periodMs / 2);
  const drain = (): void => {
    for (let event = watchdog?.pollEvent(); event; event = watchdog?.pollEvent()) {
      if (event.kind === 'feed') void notifier.watchdog();
      else {
        const message = `no progress: ${event.parts.join(', ')}; the watchdog is not fed`;
        log.write('error', message, { code: 'watchdog-starved' });
      }
    }
  };
  const beat = (part: WatchedPart): void => {
    watchdog?.beat(part, timers.nowMs());
    drain();
  };
  let dueMs = timers.nowMs() + tickMs;
  const tick = (): void => {
    const nowMs = timers.nowMs();
    onLoopDelay?.(Math.max(0, nowMs - dueMs) / 1000);
    beat('event-loop');
    watchdog?.handleTimeout(nowMs);
    drain();
    dueMs = nowMs + tickMs;
    timer = timers.after(tickMs, tick);
  };
  let timer = timers.after(tickMs, tick);
  return { beat, stop: () => timer.cancel() };
}
