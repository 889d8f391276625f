/** The states of one device's upgrade, and the ways it fails: one table, codes never reused. */
import { EXIT, type ExitCode } from '../errors.ts';

export const SESSION_STATES = [
  'planned',
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
  'unknown-outcome',
] as const;

export type SessionState = (typeof SESSION_STATES)[number];

const FINAL: readonly SessionState[] = [
  'done',
  'failed',
  'refused',
  'cancelled',
  'unknown-outcome',
];

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
    sentence: 'the link did not come back',
    next: 'check its cable or network, then run the same command again: the device keeps what it has',
    exit: EXIT.notReachable,
  },
  'image-not-served': {
    sentence: 'the image could not be given to the coordinator',
    next: 'run the same command again',
    exit: EXIT.transferFailed,
  },
  'image-changed': {
    sentence: 'the bytes about to be sent are not the ones that were admitted',
    next: 'nothing was sent; run the same command again with a file that nobody writes to',
    exit: EXIT.refused,
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
  'hub-silent': {
    sentence: 'nothing on the port answers',
    next: 'check port, cable, power and baud rate, and that no other protocol is spoken there',
    exit: EXIT.notReachable,
  },
  'hub-state-unread': {
    sentence: 'the hub answers, but does not say what it runs and holds',
    next: 'its firmware was built without image management: name how its serial recovery is reached in its model file (smp.recovery)',
    exit: EXIT.deviceFailed,
  },
  'bootloader-other': {
    sentence: 'the bootloader on the port takes another kind of image',
    next: 'choose the image, or the model file, that is made for it',
    exit: EXIT.refused,
  },
  'hold-impossible': {
    sentence: 'a bootloader takes an image in place of what runs: nothing can be held for later',
    next: 'run the same command with --activate now',
    exit: EXIT.refused,
  },
  'trial-unconfirmed': {
    sentence: 'the hub runs an image on trial that nobody confirmed',
    next: 'flash that image with --activate now to keep it, or reset the hub so that it goes back',
    exit: EXIT.deviceFailed,
  },
  'image-unnamed': {
    sentence: 'the image states no hash, which is the name its hub would list it by',
    next: 'ask for the image as MCUboot takes it: with a hash among its TLVs',
    exit: EXIT.refused,
  },
  'slot-too-small': {
    sentence: 'the image is larger than the slot of this hub',
    next: 'nothing was sent; correct flash.slotBytes in the model file, and ask for an image that fits',
    exit: EXIT.refused,
  },
  'upload-refused': {
    sentence: 'the hub refused the upload',
    next: 'it runs what it ran; what it said tells why',
    exit: EXIT.deviceFailed,
  },
  'transfer-broken': {
    sentence: 'the upload broke off',
    next: 'check cable and power, then run the same command again: it goes on as far as the hub allows',
    exit: EXIT.transferFailed,
  },
  'left-in-bootloader': {
    sentence: 'the upload broke off: the hub waits in its bootloader and has no application',
    next: 'check cable and power, then run the same command again: it begins with the first byte',
    exit: EXIT.transferFailed,
  },
  'image-refused-by-bootloader': {
    sentence: 'the bootloader refused the image, and the application before it is gone',
    next: 'flash an image that is made and signed for this hub: its bootloader waits for one',
    exit: EXIT.deviceFailed,
  },
  'activation-refused': {
    sentence: 'the hub refused to run the image',
    next: 'it runs what it ran; what it said tells why',
    exit: EXIT.deviceFailed,
  },
  'image-dropped-at-boot': {
    sentence: 'the hub restarted, and its bootloader found the image unfit and dropped it',
    next: 'it works as before; check that the image is signed for this hub',
    exit: EXIT.deviceFailed,
  },
  'not-confirmed': {
    sentence: 'the new image runs, but on trial: the next reset brings the old one back',
    next: 'run the same command again: it confirms the image without a new upload',
    exit: EXIT.deviceFailed,
  },
  'boots-into-recovery': {
    sentence: 'the hub restarted into its bootloader: no image runs',
    next: 'run the same command again: the bootloader takes the image',
    exit: EXIT.deviceFailed,
  },
  'application-unheard': {
    sentence:
      'the bootloader has the whole image and left for it, which is not said by the application',
    next: 'look whether the hub works as its new version; serial.applicationVersion in its model can say how to ask',
    exit: EXIT.deviceFailed,
  },
} as const satisfies Record<string, { sentence: string; next: string; exit: ExitCode }>;

export type FailureCode = keyof typeof FAILURES;
