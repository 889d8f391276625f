/**
 * Hours in local time: maintenance windows, and the hours in which nothing is activated.
 *
 * The clock on the wall decides, because that is what people were told: hours are open while the
 * clocks of the zone show a time within them. So on the two days on which the clocks change, in
 * Europe/London:
 *
 * - 01:00 to 02:00 does not exist on the last Sunday of March: hours within it do not open that
 *   day, and hours that begin within it open when the clocks show 02:00.
 * - It comes twice on the last Sunday of October: 01:00 to 02:00 is open for two hours on end,
 *   01:00 to 05:00 for five, and 01:15 to 01:45 twice for half an hour.
 *
 * Hours that end at or before they begin run into the next day and belong to the day they begin on:
 * a date of `closedOn` closes what begins on it, not what still runs from the evening before. Where
 * hours meet or overlap they are one. An opening is the first millisecond within, a closing the
 * first after; both may be asked about any time.
 */
import type { HoursProblem } from './codes.ts';
import { DAY_MS, instantsOf, isZone, localTimeMs, MINUTE_MS, type Span } from './zone.ts';

export const DEFAULT_ZONE = 'Europe/London';

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

export type Weekday = (typeof WEEKDAYS)[number];

export interface WeeklyHours {
  days: readonly Weekday[];
  /** HH:MM. */
  from: string;
  /** HH:MM, or 24:00; at or before `from`: on the next day. */
  until: string;
}

export interface DatedHours {
  /** YYYY-MM-DD. */
  date: string;
  from: string;
  until: string;
}

/** Hours as a configuration writes them. */
export interface HoursSource {
  /** Default: Europe/London. */
  zone?: string;
  weekly?: readonly WeeklyHours[];
  /** Dates on which no weekly hours begin. */
  closedOn?: readonly string[];
  /** Hours besides the weekly ones. */
  dated?: readonly DatedHours[];
}

export type HoursResult =
  | { ok: true; hours: LocalHours }
  /** `field` is where: `weekly[1].from`. */
  | { ok: false; code: HoursProblem; field: string };

/** How far ahead an opening is looked for: a year and some, so that yearly dates are found. */
const DAYS_AHEAD_MAX = 400;
const DAYS_AT_ONCE = 16;
/** Spans kept; older ones are forgotten. */
const SPANS_MAX = 4096;

interface DayHours {
  startMs: number;
  endMs: number;
}

interface Weekly extends DayHours {
  onWeekday: readonly boolean[];
}

export function parseHours(source: HoursSource): HoursResult {
  const zone = source.zone ?? DEFAULT_ZONE;
  if (!isZone(zone)) return { ok: false, code: 'zone-unknown', field: 'zone' };
  const weekly: Weekly[] = [];
  const dated = new Map<number, DayHours[]>();
  const closedOn = new Set<number>();
  for (const [at, { days, from, until }] of (source.weekly ?? []).entries()) {
    const field = `weekly[${at}]`;
    const hours = dayHours(from, until, field);
    if ('code' in hours) return hours;
    if (days.length === 0) return { ok: false, code: 'days-missing', field: `${field}.days` };
    if (days.some((day) => !WEEKDAYS.includes(day))) {
      return { ok: false, code: 'day-unknown', field: `${field}.days` };
    }
    weekly.push({ ...hours, onWeekday: WEEKDAYS.map((day) => days.includes(day)) });
  }
  for (const [at, { date, from, until }] of (source.dated ?? []).entries()) {
    const field = `dated[${at}]`;
    const hours = dayHours(from, until, field);
    if ('code' in hours) return hours;
    const day = dayOf(date);
    if (day === undefined) return { ok: false, code: 'date-malformed', field: `${field}.date` };
    dated.set(day, [...(dated.get(day) ?? []), hours]);
  }
  for (const [at, date] of (source.closedOn ?? []).entries()) {
    const day = dayOf(date);
    if (day === undefined) return { ok: false, code: 'date-malformed', field: `closedOn[${at}]` };
    closedOn.add(day);
  }
  if (weekly.length + dated.size === 0) {
    return { ok: false, code: 'hours-missing', field: 'weekly' };
  }
  return { ok: true, hours: new LocalHours(zone, weekly, dated, closedOn) };
}

/**
 * Parsed hours. It remembers the spans it has worked out, and answers the same as if it did not.
 */
export class LocalHours {
  readonly zone: string;
  private readonly weekly: readonly Weekly[];
  private readonly dated: ReadonlyMap<number, readonly DayHours[]>;
  private readonly closedOn: ReadonlySet<number>;
  /** In order, none touching the next; of the local days from `firstDay` up to `nextDay`. */
  private spans: Span[] = [];
  private firstDay = 0;
  private nextDay = 0;

  /** See `parseHours`. */
  constructor(
    zone: string,
    weekly: readonly Weekly[],
    dated: ReadonlyMap<number, readonly DayHours[]>,
    closedOn: ReadonlySet<number>,
  ) {
    this.zone = zone;
    this.weekly = weekly;
    this.dated = dated;
    this.closedOn = closedOn;
  }

  isOpen(nowMs: number): boolean {
    const span = this.spanFrom(nowMs);
    return span !== undefined && span.startMs <= nowMs;
  }

  /** Now where it is open; Infinity where it does not open within the next 400 days. */
  nextOpening(nowMs: number): number {
    const span = this.spanFrom(nowMs);
    return span ? Math.max(span.startMs, nowMs) : Number.POSITIVE_INFINITY;
  }

  /**
   * When what is open now, or opens next, closes; Infinity where nothing opens, or what is open
   * stays so for 400 days.
   */
  closesAt(nowMs: number): number {
    return this.spanFrom(nowMs)?.endMs ?? Number.POSITIVE_INFINITY;
  }

  /** The span that `nowMs` is in, or the next. */
  private spanFrom(nowMs: number): Span | undefined {
    const today = Math.floor(localTimeMs(this.zone, nowMs) / DAY_MS);
    // The day before yesterday too: its hours may run until yesterday's midnight is past.
    if (today - 2 < this.firstDay || today > this.nextDay) {
      this.spans = [];
      this.firstDay = today - 2;
      this.nextDay = today - 2;
    }
    const lastDay = today + DAYS_AHEAD_MAX;
    for (;;) {
      const at = firstEndingAfter(this.spans, nowMs);
      // The last one may go on in a day not looked at yet.
      if (at < this.spans.length - 1) return this.spans[at];
      if (this.nextDay > lastDay) {
        const last = this.spans[at];
        const edgeMs = (this.nextDay - 1) * DAY_MS;
        return last && last.endMs >= edgeMs ? { ...last, endMs: Number.POSITIVE_INFINITY } : last;
      }
      this.extend();
    }
  }

  private extend(): void {
    if (this.spans.length > SPANS_MAX) {
      this.spans = this.spans.slice(-SPANS_MAX / 2);
      this.firstDay = this.nextDay - Math.floor(DAYS_AT_ONCE / 2);
    }
    const found: Span[] = [];
    for (let day = this.nextDay; day < this.nextDay + DAYS_AT_ONCE; day++) {
      for (const { startMs, endMs } of this.hoursOf(day)) {
        const local = { startMs: day * DAY_MS + startMs, endMs: day * DAY_MS + endMs };
        found.push(...instantsOf(this.zone, local));
      }
    }
    this.nextDay += DAYS_AT_ONCE;
    for (const span of found.sort((a, b) => a.startMs - b.startMs)) {
      const last = this.spans.at(-1);
      if (last && span.startMs <= last.endMs) last.endMs = Math.max(last.endMs, span.endMs);
      else this.spans.push(span);
    }
  }

  private hoursOf(day: number): readonly DayHours[] {
    // 1970-01-01 was a Thursday.
    const weekday = (((day + 3) % 7) + 7) % 7;
    const weekly = this.closedOn.has(day)
      ? []
      : this.weekly.filter(({ onWeekday }) => onWeekday[weekday]);
    return [...weekly, ...(this.dated.get(day) ?? [])];
  }
}

/** What an item asks of hours. */
export interface Hours {
  /** All of them have to be open. */
  windows: readonly LocalHours[];
  /** None of them may be. */
  blackouts: readonly LocalHours[];
  /** For how long on end. */
  needMs: number;
}

export type HoursFit = { atMs: number } | { atMs: number; closed: 'window' | 'blackout' };

/**
 * The first time from `fromMs`, and before `beforeMs`, from which all windows stay open and all
 * blackouts closed for `needMs`. Where it is later than `fromMs`, `closed` says what keeps it from
 * beginning at once; `atMs` is Infinity where there is none.
 */
export function firstFit(hours: Hours, fromMs: number, beforeMs: number): HoursFit {
  let closed: 'window' | 'blackout' | undefined;
  for (let atMs = fromMs; atMs < beforeMs; ) {
    const obstacle = obstacleAt(hours, atMs);
    if (obstacle === undefined) return closed === undefined ? { atMs } : { atMs, closed };
    closed ??= obstacle.closed;
    atMs = obstacle.untilMs;
  }
  const atMs = Number.POSITIVE_INFINITY;
  return closed === undefined ? { atMs } : { atMs, closed };
}

function obstacleAt(
  { windows, blackouts, needMs }: Hours,
  atMs: number,
): { closed: 'window' | 'blackout'; untilMs: number } | undefined {
  for (const window of windows) {
    const opensMs = window.nextOpening(atMs);
    if (opensMs > atMs) return { closed: 'window', untilMs: opensMs };
    const closesMs = window.closesAt(atMs);
    if (closesMs - atMs < needMs) return { closed: 'window', untilMs: closesMs };
  }
  for (const blackout of blackouts) {
    const beginsMs = blackout.nextOpening(atMs);
    // What needs no time is not within hours that begin when it is over.
    if (beginsMs === atMs || beginsMs < atMs + needMs) {
      return { closed: 'blackout', untilMs: blackout.closesAt(atMs) };
    }
  }
  return undefined;
}

function firstEndingAfter(spans: readonly Span[], nowMs: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.endMs > nowMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

function dayHours(
  from: string,
  until: string,
  field: string,
): DayHours | (HoursResult & { ok: false }) {
  const startMs = timeOf(from);
  if (startMs === undefined || startMs === DAY_MS) {
    return { ok: false, code: 'time-malformed', field: `${field}.from` };
  }
  const endMs = timeOf(until);
  if (endMs === undefined) return { ok: false, code: 'time-malformed', field: `${field}.until` };
  if (endMs === startMs) return { ok: false, code: 'hours-empty', field: `${field}.until` };
  return { startMs, endMs: endMs < startMs ? endMs + DAY_MS : endMs };
}

function timeOf(text: string): number | undefined {
  if (text === '24:00') return DAY_MS;
  const parts = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return parts ? (Number(parts[1]) * 60 + Number(parts[2])) * MINUTE_MS : undefined;
}

/** Days since 1970-01-01. */
function dayOf(date: string): number | undefined {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date);
  if (!parts) return undefined;
  const dayMs = Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return new Date(dayMs).toISOString().startsWith(date) ? dayMs / DAY_MS : undefined;
}
