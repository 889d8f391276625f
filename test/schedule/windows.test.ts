/**
 * Hours in local time, at both sides of every boundary. The oracle reads the clock on the wall from
 * Intl and walks by quarters of an hour; it shares nothing with the code but the runtime's rules of
 * the zones.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PREPAYMENT_BLACKOUT } from '../../src/schedule/blackout.ts';
import { HOURS_PROBLEMS } from '../../src/schedule/codes.ts';
import {
  firstFit,
  type HoursSource,
  type LocalHours,
  parseHours,
  type Weekday,
} from '../../src/schedule/windows.ts';

const test = suite('hours in local time');

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAYS: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const EVERY_DAY = [...DAYS];

function hours(source: HoursSource): LocalHours {
  const parsed = parseHours(source);
  if (!parsed.ok) throw new Error(`${parsed.code} at ${parsed.field}`);
  return parsed.hours;
}

const daily = (from: string, until: string, zone?: string) =>
  hours({ ...(zone ? { zone } : {}), weekly: [{ days: EVERY_DAY, from, until }] });

const at = (iso: string) => Date.parse(iso);
const iso = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : String(ms));

/** Asked afresh at each time, so that nothing remembered answers. */
function edges(source: HoursSource, fromIso: string, count: number): string[] {
  const found: string[] = [];
  for (let nowMs = at(fromIso); found.length < count; ) {
    const opensMs = hours(source).nextOpening(nowMs);
    const closesMs = hours(source).closesAt(opensMs);
    found.push(`${iso(opensMs)}/${iso(closesMs)}`);
    nowMs = closesMs;
  }
  return found;
}

// London: BST (UTC+1) from 2026-03-29T01:00Z to 2026-10-25T01:00Z.
const BOUNDARIES: [name: string, from: string, until: string, open: string, close: string][] = [
  ['a winter night', '01:00', '05:00', '2026-01-10T01:00:00Z', '2026-01-10T05:00:00Z'],
  ['a summer night', '01:00', '05:00', '2026-07-10T00:00:00Z', '2026-07-10T04:00:00Z'],
  ['across midnight', '22:30', '04:00', '2026-01-10T22:30:00Z', '2026-01-11T04:00:00Z'],
  ['until midnight', '22:00', '24:00', '2026-01-10T22:00:00Z', '2026-01-11T00:00:00Z'],
  ['until 00:00, the same', '22:00', '00:00', '2026-01-10T22:00:00Z', '2026-01-11T00:00:00Z'],
  ['from midnight', '00:00', '02:00', '2026-01-10T00:00:00Z', '2026-01-10T02:00:00Z'],
  ['March: over the change', '00:30', '05:00', '2026-03-29T00:30:00Z', '2026-03-29T04:00:00Z'],
  ['March: begins within it', '01:30', '05:00', '2026-03-29T01:00:00Z', '2026-03-29T04:00:00Z'],
  ['March: ends within it', '00:30', '01:30', '2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z'],
  ['March: ends where it begins', '00:30', '01:00', '2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z'],
  ['March: begins where it ends', '02:00', '03:00', '2026-03-29T01:00:00Z', '2026-03-29T02:00:00Z'],
  ['March: the evening before', '22:00', '04:00', '2026-03-28T22:00:00Z', '2026-03-29T03:00:00Z'],
  ['October: over the change', '00:30', '05:00', '2026-10-24T23:30:00Z', '2026-10-25T05:00:00Z'],
  ['October: just that hour', '01:00', '02:00', '2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z'],
  ['October: from that hour', '01:00', '05:00', '2026-10-25T00:00:00Z', '2026-10-25T05:00:00Z'],
  ['October: after it', '02:00', '05:00', '2026-10-25T02:00:00Z', '2026-10-25T05:00:00Z'],
  ['October: the evening before', '22:00', '04:00', '2026-10-24T21:00:00Z', '2026-10-25T04:00:00Z'],
];

for (const [name, from, until, open, close] of BOUNDARIES) {
  test(`${name}: ${from} to ${until}`, () => {
    const window = daily(from, until);
    const [openMs, closeMs] = [at(open), at(close)];
    const states = [openMs - 1, openMs, closeMs - 1, closeMs].map((ms) => window.isOpen(ms));
    assert.equal(states, [false, true, true, false]);
    assert.is(window.nextOpening(openMs - 1), openMs);
    assert.is(window.nextOpening(openMs), openMs);
    assert.is(window.nextOpening(closeMs - 1), closeMs - 1);
    assert.ok(window.nextOpening(closeMs) > closeMs);
    for (const ms of [openMs - 1, openMs, closeMs - 1]) assert.is(window.closesAt(ms), closeMs);
    assert.ok(window.closesAt(closeMs) > closeMs);
  });
}

test('hours that the clocks skip do not open that day', () => {
  const source: HoursSource = { weekly: [{ days: ['sun'], from: '01:00', until: '02:00' }] };
  assert.equal(edges(source, '2026-03-22T12:00:00Z', 1), [
    '2026-04-05T00:00:00.000Z/2026-04-05T01:00:00.000Z',
  ]);
});

test('hours within the one that comes twice open twice', () => {
  const source: HoursSource = { weekly: [{ days: ['sun'], from: '01:15', until: '01:45' }] };
  assert.equal(edges(source, '2026-10-24T12:00:00Z', 3), [
    '2026-10-25T00:15:00.000Z/2026-10-25T00:45:00.000Z',
    '2026-10-25T01:15:00.000Z/2026-10-25T01:45:00.000Z',
    '2026-11-01T01:15:00.000Z/2026-11-01T01:45:00.000Z',
  ]);
});

test('hours belong to the day they begin on, exceptions too', () => {
  const source: HoursSource = {
    weekly: [{ days: ['fri', 'sat'], from: '22:00', until: '04:00' }],
    closedOn: ['2026-01-10'],
    dated: [{ date: '2026-01-13', from: '12:00', until: '13:00' }],
  };
  // The Saturday closed is the 10th: what began on Friday runs out on it.
  assert.equal(edges(source, '2026-01-09T12:00:00Z', 3), [
    '2026-01-09T22:00:00.000Z/2026-01-10T04:00:00.000Z',
    '2026-01-13T12:00:00.000Z/2026-01-13T13:00:00.000Z',
    '2026-01-16T22:00:00.000Z/2026-01-17T04:00:00.000Z',
  ]);
});

test('hours that meet are one; hours without an end never close', () => {
  const source: HoursSource = {
    weekly: [
      { days: ['fri'], from: '20:00', until: '24:00' },
      { days: ['sat'], from: '00:00', until: '06:00' },
      { days: ['sat'], from: '05:00', until: '07:00' },
    ],
  };
  assert.equal(edges(source, '2026-01-05T00:00:00Z', 1), [
    '2026-01-09T20:00:00.000Z/2026-01-10T07:00:00.000Z',
  ]);
  const always = daily('00:00', '24:00');
  assert.ok(always.isOpen(at('2026-03-29T01:00:00Z')));
  assert.is(always.closesAt(at('2026-03-29T01:00:00Z')), Number.POSITIVE_INFINITY);
});

test('hours that do not come within 400 days are never', () => {
  const past = hours({ dated: [{ date: '2020-01-01', from: '01:00', until: '02:00' }] });
  assert.is(past.nextOpening(at('2026-01-01T00:00:00Z')), Number.POSITIVE_INFINITY);
  assert.is(past.closesAt(at('2026-01-01T00:00:00Z')), Number.POSITIVE_INFINITY);
  // Asked about another time after that, it answers for that time.
  assert.is(past.nextOpening(at('2019-06-01T00:00:00Z')), at('2020-01-01T01:00:00Z'));
});

test('what is written wrongly has a code and a place', () => {
  const week = (from: string, until: string, days: Weekday[] = ['mon']): HoursSource => ({
    weekly: [{ days, from, until }],
  });
  const dated = (date: string): HoursSource => ({
    dated: [{ date, from: '01:00', until: '02:00' }],
  });
  const cases: [HoursSource, string][] = [
    [{ zone: 'Europe/Londen', ...week('01:00', '02:00') }, 'zone-unknown zone'],
    [{ zone: '', ...week('01:00', '02:00') }, 'zone-unknown zone'],
    [{ zone: 'Foo/Bar+01', ...week('01:00', '02:00') }, 'zone-unknown zone'],
    [{}, 'hours-missing weekly'],
    [week('24:00', '02:00'), 'time-malformed weekly[0].from'],
    [week('1:00', '02:00'), 'time-malformed weekly[0].from'],
    [week('01:00', '02:60'), 'time-malformed weekly[0].until'],
    [week('01:00', '25:00'), 'time-malformed weekly[0].until'],
    [week('01:00', '01:00'), 'hours-empty weekly[0].until'],
    [week('01:00', '02:00', []), 'days-missing weekly[0].days'],
    [week('01:00', '02:00', ['Mon' as Weekday]), 'day-unknown weekly[0].days'],
    [dated('2026-02-29'), 'date-malformed dated[0].date'],
    [dated('2026-1-1'), 'date-malformed dated[0].date'],
    [{ ...week('01:00', '02:00'), closedOn: ['2026-13-01'] }, 'date-malformed closedOn[0]'],
  ];
  const seen = new Set<string>();
  for (const [source, expected] of cases) {
    const parsed = parseHours(source);
    assert.is(parsed.ok ? 'ok' : `${parsed.code} ${parsed.field}`, expected);
    if (!parsed.ok) seen.add(parsed.code);
  }
  assert.equal([...seen].sort(), Object.keys(HOURS_PROBLEMS).sort());
});

test('an upgrade begins only where it can end before the window closes', () => {
  const windows = [daily('01:00', '05:00')];
  const fit = (fromIso: string, needMs: number) =>
    iso(firstFit({ windows, blackouts: [], needMs }, at(fromIso), at('2026-03-01T00:00:00Z')).atMs);
  assert.is(fit('2026-01-10T03:00:00Z', 2 * HOUR_MS), '2026-01-10T03:00:00.000Z');
  assert.is(fit('2026-01-10T03:00:00.001Z', 2 * HOUR_MS), '2026-01-11T01:00:00.000Z');
  assert.is(fit('2026-01-10T00:59:59.999Z', 4 * HOUR_MS), '2026-01-10T01:00:00.000Z');
  assert.is(fit('2026-01-10T00:00:00Z', 4 * HOUR_MS + 1), 'Infinity');
});

test('all windows have to be open, and no blackout within the time it takes', () => {
  const windows = [daily('01:00', '06:00'), daily('04:00', '09:00')];
  const blackouts = [daily('05:30', '05:45')];
  const fit = (fromIso: string, needMs: number) => {
    const hours = { windows, blackouts, needMs };
    const { atMs, ...rest } = firstFit(hours, at(fromIso), at('2026-01-13T00:00:00Z'));
    return { at: iso(atMs), ...rest };
  };
  const from = '2026-01-10T00:00:00Z';
  assert.equal(fit('2026-01-10T04:30:00Z', HOUR_MS), { at: '2026-01-10T04:30:00.000Z' });
  assert.equal(fit('2026-01-10T04:30:00.001Z', HOUR_MS), {
    at: '2026-01-11T04:00:00.000Z',
    closed: 'blackout',
  });
  assert.equal(fit(from, HOUR_MS), { at: '2026-01-10T04:00:00.000Z', closed: 'window' });
  assert.equal(fit(from, 95 * MINUTE_MS), { at: 'Infinity', closed: 'window' });
  assert.equal(fit('2026-01-10T05:29:59.999Z', 0), { at: '2026-01-10T05:29:59.999Z' });
  assert.equal(fit('2026-01-10T05:30:00Z', 0), {
    at: '2026-01-10T05:45:00.000Z',
    closed: 'blackout',
  });
});

test('the blackout that is assumed: nights and Sundays', () => {
  assert.match(PREPAYMENT_BLACKOUT.source, /^assumed/);
  // Friday 9 January 2026, and the Monday after.
  assert.equal(edges(PREPAYMENT_BLACKOUT.hours, '2026-01-09T12:00:00Z', 3), [
    '2026-01-09T18:00:00.000Z/2026-01-10T08:00:00.000Z',
    '2026-01-10T18:00:00.000Z/2026-01-12T08:00:00.000Z',
    '2026-01-12T18:00:00.000Z/2026-01-13T08:00:00.000Z',
  ]);
});

/** Days on which clocks change, and others: half an hour in Lord Howe, at midnight in Santiago. */
const PLACES: [zone: string, day: string][] = [
  ['Europe/London', '2026-03-29'],
  ['Europe/London', '2026-10-25'],
  ['America/St_Johns', '2026-03-08'],
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['America/Santiago', '2026-09-06'],
  ['Asia/Kathmandu', '2026-06-01'],
];

test('what the clock on the wall shows decides, quarter by quarter', () => {
  const time = fc.integer({ min: 0, max: 47 }).map(clock);
  const weekly = fc.record({
    days: fc.subarray(EVERY_DAY, { minLength: 1 }),
    from: time,
    until: time,
  });
  const places = fc.constantFrom(...PLACES);
  const seed = 20260329;
  console.log(`SEED ${seed}`);
  fc.assert(
    fc.property(places, fc.array(weekly, { minLength: 1, maxLength: 3 }), ([zone, day], list) => {
      fc.pre(list.every(({ from, until }) => from !== until));
      const window = hours({ zone, weekly: list });
      const fromMs = at(`${day}T00:00:00Z`) - 26 * HOUR_MS;
      const minutes = Array.from({ length: 76 * 4 }, (_, n) => fromMs + n * 15 * MINUTE_MS);
      const open = minutes.map((ms) => isOpenOnTheWall(zone, list, ms));
      assert.equal(
        minutes.map((ms) => window.isOpen(ms)),
        open,
      );
      for (let n = 0; n < minutes.length / 2; n++) {
        const opens = open.indexOf(true, n);
        if (opens < 0) continue;
        assert.is(window.nextOpening(minutes[n]!), minutes[opens]!);
        const closes = open.indexOf(false, opens);
        if (closes >= 0) assert.is(window.closesAt(minutes[n]!), minutes[closes]!);
      }
    }),
    { numRuns: 40, seed },
  );
});

function clock(halfHour: number): string {
  return `${String(halfHour >> 1).padStart(2, '0')}:${halfHour % 2 ? '30' : '00'}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function isOpenOnTheWall(
  zone: string,
  list: readonly { days: Weekday[]; from: string; until: string }[],
  ms: number,
): boolean {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  formats.set(zone, format);
  const parts = Object.fromEntries(
    format.formatToParts(ms).map(({ type, value }) => [type, value]),
  );
  const today = DAYS.indexOf(parts['weekday']!.toLowerCase() as Weekday);
  const yesterday = DAYS[(today + 6) % 7]!;
  const now = `${parts['hour']}:${parts['minute']}`;
  return list.some(({ days, from, until }) => {
    if (from < until) return days.includes(DAYS[today]!) && from <= now && now < until;
    return (
      (days.includes(DAYS[today]!) && from <= now) || (days.includes(yesterday) && now < until)
    );
  });
}

test.run();
