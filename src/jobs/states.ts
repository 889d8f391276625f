/**
 * The states of one device's upgrade within a job: who must act next in each, and which may follow which.
 *
 * Invariants: a state that is not final has an owner and a deadline; states only move forward, but for an
 * upgrade that is tried again, which goes back to `scheduled` in a further attempt; a final state stays,
 * but for `unknown-outcome`, which a version that is read back later turns into what it was.
 */

export const UPGRADE_STATES = [
  'planned',
  'awaiting-approval',
  'scheduled',
  'verifying',
  'staged',
  'distributing',
  'distributed',
  'awaiting-activation',
  'activating',
  'confirming',
  'done',
  'failed',
  'refused',
  'cancelled',
  'superseded',
  'expired',
  'unknown-outcome',
] as const;

export type UpgradeState = (typeof UPGRADE_STATES)[number];

/** Who must act next; `nobody` where it is over. */
export type Owner = 'central' | 'gateway' | 'device' | 'person' | 'nobody';

interface StateRule {
  owner: Owner;
  /** What is waited for, in words. */
  waitsFor: string;
  next: readonly UpgradeState[];
}

const ENDS = ['failed', 'cancelled', 'expired'] as const;

export const STATE_RULES: Readonly<Record<UpgradeState, StateRule>> = {
  planned: {
    owner: 'gateway',
    waitsFor: 'the gateway takes the job over',
    next: ['awaiting-approval', 'scheduled', 'superseded', ...ENDS],
  },
  'awaiting-approval': {
    owner: 'person',
    waitsFor: 'somebody other than its author approves the job',
    next: ['scheduled', 'superseded', 'refused', ...ENDS],
  },
  scheduled: {
    owner: 'gateway',
    waitsFor: 'its turn: time, window, link and room',
    next: ['verifying', 'activating', 'superseded', 'refused', 'unknown-outcome', ...ENDS],
  },
  verifying: {
    owner: 'gateway',
    waitsFor: 'the image is hashed and the rules are asked',
    next: [
      'staged',
      'awaiting-activation',
      'done',
      'refused',
      'unknown-outcome',
      'scheduled',
      ...ENDS,
    ],
  },
  staged: {
    owner: 'device',
    waitsFor: 'the device asks for the image, or answers',
    next: [
      'distributing',
      'distributed',
      'awaiting-activation',
      'activating',
      'confirming',
      'done',
      'refused',
      'unknown-outcome',
      'scheduled',
      ...ENDS,
    ],
  },
  distributing: {
    owner: 'device',
    waitsFor: 'the device takes the next block',
    next: [
      'distributed',
      'awaiting-activation',
      'done',
      'refused',
      'scheduled',
      'unknown-outcome',
      ...ENDS,
    ],
  },
  distributed: {
    owner: 'gateway',
    waitsFor: 'the gateway commands the activation, or holds the image',
    next: [
      'awaiting-activation',
      'activating',
      'confirming',
      'done',
      'scheduled',
      'unknown-outcome',
      ...ENDS,
    ],
  },
  'awaiting-activation': {
    owner: 'person',
    waitsFor: 'the activation is commanded, or its time comes',
    next: [
      'verifying',
      'scheduled',
      'activating',
      'superseded',
      'done',
      'unknown-outcome',
      ...ENDS,
    ],
  },
  activating: {
    owner: 'device',
    waitsFor: 'the device restarts into the new image',
    next: ['confirming', 'done', 'failed', 'scheduled', 'unknown-outcome'],
  },
  confirming: {
    owner: 'device',
    waitsFor: 'the device says which version it runs',
    next: ['done', 'failed', 'scheduled', 'unknown-outcome'],
  },
  done: { owner: 'nobody', waitsFor: 'nothing', next: [] },
  failed: { owner: 'nobody', waitsFor: 'nothing', next: ['scheduled'] },
  refused: { owner: 'nobody', waitsFor: 'nothing', next: ['scheduled'] },
  cancelled: { owner: 'nobody', waitsFor: 'nothing', next: [] },
  superseded: { owner: 'nobody', waitsFor: 'nothing', next: [] },
  expired: { owner: 'nobody', waitsFor: 'nothing', next: ['scheduled'] },
  'unknown-outcome': {
    owner: 'nobody',
    waitsFor: 'nothing; the version is read again when the device answers',
    next: ['done', 'failed', 'scheduled'],
  },
};

export function isOver(state: UpgradeState): boolean {
  return STATE_RULES[state].owner === 'nobody';
}

/** From then on there is no way to call it off: the device acts on the command. */
export function isBeyondRecall(state: UpgradeState): boolean {
  return state === 'activating' || state === 'confirming';
}

export function mayFollow(from: UpgradeState, to: UpgradeState): boolean {
  return STATE_RULES[from].next.includes(to);
}
