/** Moments as text. A number outside the calendar's range is shown as it is. */

/** `2021-07-19T23:00:00.000Z` */
export function showTime(ms: number): string {
  return isDate(ms) ? new Date(ms).toISOString() : outsideCalendar(ms);
}

/** As regulation in Great Britain means its days: `2021-07-20T00:00 London time`. */
export function showLondonTime(ms: number): string {
  if (!isDate(ms)) return outsideCalendar(ms);
  // Sweden writes dates as ISO 8601 does.
  london ??= new Intl.DateTimeFormat('sv-SE', {
    timeZone: 'Europe/London',
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return `${london.format(ms).replace(' ', 'T')} London time`;
}

let london: Intl.DateTimeFormat | undefined;

function outsideCalendar(ms: number): string {
  return Number.isNaN(ms) ? 'no time' : `${ms} ms`;
}

function isDate(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15;
}
