/** Why an item waits, in words, with who has to act and until when. */
import type { ExpiryCode, Owner } from './codes.ts';
import type { Explanation, ScheduleItem, WaitsFor } from './item.ts';

export interface Wait {
  waitsFor: WaitsFor;
  /** Infinity where it does not end before the deadline. */
  untilMs: number;
  /** Of a link or of capacity; of capacity absent where it is that of the whole gateway. */
  resource?: string;
}

export const EXPIRY_OF: Readonly<Record<WaitsFor, ExpiryCode>> = {
  approval: 'not-approved',
  'not-before': 'never-due',
  retry: 'no-retry-left',
  window: 'no-window',
  blackout: 'in-blackout',
  link: 'link-not-back',
  capacity: 'no-turn',
};

const OWNER: Readonly<Record<WaitsFor, Owner>> = {
  approval: 'person',
  'not-before': 'gateway',
  retry: 'gateway',
  window: 'gateway',
  blackout: 'gateway',
  link: 'person',
  capacity: 'gateway',
};

export function explainWait(wait: Wait, { deadlineMs }: ScheduleItem): Explanation {
  // An end that comes too late is none: somebody has to change the hours or the deadline.
  const hopeless = wait.untilMs >= deadlineMs && OWNER[wait.waitsFor] === 'gateway';
  return {
    waitsFor: wait.waitsFor,
    owner: hopeless && wait.waitsFor !== 'capacity' ? 'person' : OWNER[wait.waitsFor],
    untilMs: Math.min(wait.untilMs, deadlineMs),
    deadlineMs,
    text: textOf(wait, hopeless),
  };
}

function textOf({ waitsFor, resource }: Wait, hopeless: boolean): string {
  switch (waitsFor) {
    case 'approval':
      return 'somebody has to approve it';
    case 'not-before':
      return hopeless ? 'it is not to begin before its deadline' : 'it is not to begin yet';
    case 'retry':
      return 'it failed and is tried again later';
    case 'window':
      return hopeless
        ? 'no maintenance window before its deadline is open for as long as it takes'
        : 'the maintenance window is closed, or closes before it could end';
    case 'blackout':
      return hopeless
        ? 'until its deadline nothing may be activated for as long as it takes'
        : 'nothing is activated in these hours';
    case 'link':
      return `the link ${resource} is down: check its cable or network`;
    case 'capacity':
      return resource === undefined
        ? 'as many devices are upgraded as may be at once, and its turn comes after theirs'
        : `${resource} is taken by others, and its turn comes after theirs`;
  }
}
