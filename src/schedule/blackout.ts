/**
 * Prepayment blackout: the local hours in which nothing is activated, so that no customer who
 * prepays loses the sight of the balance, or supply, when no shop and nobody is there to help.
 *
 * The text of the regulation could not be read, so this is data with its source, and a site states
 * its own. Distribution goes on: a device works as before while it takes an image.
 */
import type { HoursSource } from './windows.ts';

export interface BlackoutPolicy {
  hours: HoursSource;
  source: string;
}

/** Nights, Sundays, and the days when shops are shut. */
export const PREPAYMENT_BLACKOUT: BlackoutPolicy = {
  hours: {
    weekly: [
      { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat'], from: '18:00', until: '08:00' },
      { days: ['sun'], from: '00:00', until: '24:00' },
      { days: ['sun'], from: '18:00', until: '08:00' },
    ],
  },
  source:
    'assumed: the text was not readable; hours without disconnection are meant, as a site has them',
};
