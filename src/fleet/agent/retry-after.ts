/** Retry-After (RFC 9110, 10.2.3): seconds, or a moment in HTTP's form. */

/** No answer holds a gateway back for longer. */
export const RETRY_AFTER_MS_MAX = 86_400_000;

const SECONDS = /^[0-9]{1,10}$/;
/** The form that is written today (RFC 9110, 5.6.7); the two older ones are nobody's any more. */
const MOMENT = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long is to be waited; `undefined` where nothing says so that can be read. A moment is taken by the
 * clock of who wrote it, as `Date` shows that clock: a gateway's own may be years off.
 */
export function retryAfterMs(
  written: string | undefined,
  date: string | undefined,
  nowMs: number,
): number | undefined {
  const text = written?.trim() ?? '';
  if (SECONDS.test(text)) return Math.min(Number(text) * 1000, RETRY_AFTER_MS_MAX);
  const untilMs = momentMs(text);
  if (untilMs === undefined) return undefined;
  const sinceMs = momentMs(date?.trim() ?? '') ?? nowMs;
  return Math.min(Math.max(0, untilMs - sinceMs), RETRY_AFTER_MS_MAX);
}

function momentMs(text: string): number | undefined {
  if (!MOMENT.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
