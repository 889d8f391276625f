/**
 * What is wrong with hours as they are written, and how a wait ends without a start: codes never
 * reused.
 */

export const HOURS_PROBLEMS = {
  'zone-unknown': 'This is no time zone of the IANA database.',
  'hours-missing': 'No weekly hours and no dated ones: this would never be open.',
  'day-unknown': 'A day is one of mon, tue, wed, thu, fri, sat, sun.',
  'days-missing': 'Weekly hours name at least one day.',
  'time-malformed': 'A time is HH:MM, from 00:00 to 23:59; the end may be 24:00.',
  'hours-empty': 'The hours end where they begin; a whole day is 00:00 to 24:00.',
  'date-malformed': 'A date is YYYY-MM-DD, and in the calendar.',
} as const satisfies Record<string, string>;

export type HoursProblem = keyof typeof HOURS_PROBLEMS;

/** Who has to act for an item that waits. */
export type Owner = 'person' | 'gateway';

/** Why an item expired: what it still waited for when its deadline came. */
export const EXPIRIES = {
  'not-approved': { sentence: 'nobody approved it by its deadline', owner: 'person' },
  'never-due': { sentence: 'it was not to begin before its deadline', owner: 'person' },
  'no-window': {
    sentence: 'no maintenance window was open for as long as it takes before its deadline',
    owner: 'person',
  },
  'in-blackout': {
    sentence: 'the hours without activations left no time for it before its deadline',
    owner: 'person',
  },
  'link-not-back': { sentence: 'its link did not come back by its deadline', owner: 'person' },
  'no-turn': { sentence: 'others were before it until its deadline', owner: 'gateway' },
  'no-retry-left': { sentence: 'its deadline came before its next attempt', owner: 'gateway' },
} as const satisfies Record<string, { sentence: string; owner: Owner }>;

export type ExpiryCode = keyof typeof EXPIRIES;
