/** States in words and shapes: each is told by an icon, a word and a form, and never by colour alone. */
import type { Device, UpgradeState } from './state.ts';

export type Mark = 'waits' | 'works' | 'person' | 'good' | 'bad' | 'ended' | 'unknown';

export interface Words {
  word: string;
  mark: Mark;
}

export const STATE_WORDS: Readonly<Record<UpgradeState, Words>> = {
  planned: { word: 'Planned', mark: 'waits' },
  'awaiting-approval': { word: 'Waits for approval', mark: 'person' },
  scheduled: { word: 'Waits for its turn', mark: 'waits' },
  verifying: { word: 'Checking', mark: 'works' },
  staged: { word: 'Ready to send', mark: 'waits' },
  distributing: { word: 'Sending', mark: 'works' },
  distributed: { word: 'Sent, not active yet', mark: 'works' },
  'awaiting-activation': { word: 'On the device, waits for activation', mark: 'person' },
  activating: { word: 'Activating', mark: 'works' },
  confirming: { word: 'Reading the version back', mark: 'works' },
  done: { word: 'Done, version read back', mark: 'good' },
  failed: { word: 'Failed', mark: 'bad' },
  refused: { word: 'Refused', mark: 'bad' },
  cancelled: { word: 'Cancelled', mark: 'ended' },
  superseded: { word: 'Replaced by another job', mark: 'ended' },
  expired: { word: 'Expired', mark: 'bad' },
  'unknown-outcome': { word: 'Outcome unknown', mark: 'unknown' },
};

export const OUTCOME_WORDS = {
  pass: { word: 'Passed', mark: 'good' },
  'not-applicable': { word: 'Does not apply', mark: 'ended' },
  refuse: { word: 'Refuses', mark: 'bad' },
  warn: { word: 'Warns', mark: 'unknown' },
  unknown: { word: 'Not known yet', mark: 'waits' },
} as const satisfies Record<string, Words>;

export const HEALTH_WORDS = {
  ready: { word: 'Ready for work', mark: 'good' },
  degraded: { word: 'Takes no new work', mark: 'bad' },
  stopping: { word: 'Stopping', mark: 'ended' },
} as const satisfies Record<string, Words>;

/** Of a campaign that was begun, whoever tells of it. */
const COURSE_WORDS = {
  running: { word: 'Running', mark: 'works' },
  paused: { word: 'Paused', mark: 'ended' },
  held: { word: 'Held', mark: 'person' },
  finished: { word: 'Finished', mark: 'good' },
  aborted: { word: 'Aborted', mark: 'bad' },
  expired: { word: 'Expired', mark: 'bad' },
} as const satisfies Record<string, Words>;

export const CAMPAIGN_WORDS = {
  refused: { word: 'Refused', mark: 'bad' },
  'lacks-images': { word: 'Lacks images', mark: 'waits' },
  ...COURSE_WORDS,
} as const satisfies Record<string, Words>;

/** Of a coordinator's campaigns. */
export const FLEET_WORDS = {
  unsigned: { word: 'Waits for signatures', mark: 'person' },
  ready: { word: 'Ready, waits for its start', mark: 'person' },
  ...COURSE_WORDS,
  superseded: { word: 'Replaced by another one', mark: 'ended' },
} as const satisfies Record<string, Words>;

/** How a device stands, as far as is known of it. */
export function deviceWords({ linkUp, reading }: Pick<Device, 'linkUp' | 'reading'>): Words {
  if (!linkUp) return { word: 'Not connected', mark: 'bad' };
  if (needsRecovery({ reading })) return { word: 'Only its bootloader answers', mark: 'person' };
  if (reading?.code !== undefined) return { word: 'Did not answer', mark: 'unknown' };
  return { word: 'Connected', mark: 'good' };
}

/** There is no application that answers: what is left takes an image. */
export function needsRecovery({ reading }: Pick<Device, 'reading'>): boolean {
  return reading?.answers === 'bootloader' || reading?.answers === 'recovery';
}

export function kindWords(kind: string): string {
  if (kind === 'communications_hub') return 'Communications Hub';
  return kind.toUpperCase();
}

/** Of records that carry no words of their own. */
export const COMMAND_WORDS: Readonly<Record<string, string>> = {
  approve: 'approved the job',
  reject: 'rejected the job',
  activate: 'commanded the activation',
  cancel: 'cancelled',
  retry: 'asked to try again',
};
