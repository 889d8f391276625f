/** The states of one device's upgrade, and the ways it fails: one table, codes never reused. */
import { EXIT, type ExitCode } from '../errors.ts';

export type SessionState =
  | 'planned'
  | 'staged'
  | 'distributing'
  | 'distributed'
  | 'awaiting-activation'
  | 'activating'
  | 'confirming'
  | 'done'
  | 'failed'
  | 'refused'
  | 'unknown-outcome';

const FINAL: readonly SessionState[] = ['done', 'failed', 'refused', 'unknown-outcome'];

export function isFinal(state: SessionState): boolean {
  return FINAL.includes(state);
}

export const FAILURES = {
  'device-silent': {
    sentence: 'the device did not ask for the image',
    next: 'check that it is powered and in range; a sleeping device may need its button pressed',
    exit: EXIT.notReachable,
  },
  'link-lost': {
    sentence: 'the link to the coordinator did not come back',
    next: 'check its cable or network, then run the same command again: the device keeps what it has',
    exit: EXIT.notReachable,
  },
  'image-not-served': {
    sentence: 'the image could not be given to the coordinator',
    next: 'run the same command again',
    exit: EXIT.transferFailed,
  },
  'facts-missing': {
    sentence: 'the device did not say all that the rules ask',
    next: 'complete its model file, or run `uplift verify` to see which fact is missing',
    exit: EXIT.refused,
  },
  'transfer-stalled': {
    sentence: 'the device stopped asking for blocks',
    next: 'check that it is powered and in range, then run the same command again: it goes on where it was',
    exit: EXIT.transferFailed,
  },
  'transfer-given-up': {
    sentence: 'the device gave its download up again and again',
    next: 'bring it nearer to the coordinator or another router, then run the same command again',
    exit: EXIT.transferFailed,
  },
  'deadline-passed': {
    sentence: 'the state lasted longer than it may',
    next: 'run the same command again with --verbose and look at what the device answers',
    exit: EXIT.transferFailed,
  },
  'hold-expired': {
    sentence: 'the image was held and nobody commanded its activation',
    next: 'run the same command with --activate now: the device keeps the image',
    exit: EXIT.transferFailed,
  },
  'image-refused-by-device': {
    sentence: 'the device checked the image and refused it',
    next: 'the device runs its old firmware; ask the manufacturer whether this image is for this hardware',
    exit: EXIT.deviceFailed,
  },
  'download-refused-by-device': {
    sentence: 'the device ended the download',
    next: 'the device runs its old firmware; the status it gave says why',
    exit: EXIT.deviceFailed,
  },
  'holds-unknown-image': {
    sentence: 'the device already holds an image of this version that this gateway did not send',
    next: 'restart the device so that it drops that image, then run the same command again',
    exit: EXIT.deviceFailed,
  },
  'device-reverted': {
    sentence: 'the device restarted and runs its old firmware',
    next: 'it works as before; ask the manufacturer why it rejected the image at start-up',
    exit: EXIT.deviceFailed,
  },
  'not-activated': {
    sentence: 'the device took the image but did not activate it in time',
    next: 'run the same command again: it commands the activation without a new download',
    exit: EXIT.deviceFailed,
  },
  'version-not-readable': {
    sentence: 'the image was activated, but the version could not be read back',
    next: 'run `uplift rig check` until the device answers, and compare its version',
    exit: EXIT.deviceFailed,
  },
} as const satisfies Record<string, { sentence: string; next: string; exit: ExitCode }>;

export type FailureCode = keyof typeof FAILURES;
