/** Moments as people write them. */

const TIME = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

export const MOMENT = 'a day such as 2021-07-20, or a time such as 2021-07-20T08:00:00Z';

/** A day, its start in UTC, or a time with its zone; `undefined` where it is none. */
export function momentMs(text: string): number | undefined {
  const [, day] = TIME.exec(text.length === 10 ? `${text}T00:00Z` : text) ?? [];
  const ms = day !== undefined && isDay(day) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Date.parse takes 30 February for 2 March. */
export function isDay(text: string): boolean {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}
