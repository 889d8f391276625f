/**
 * How transfers over XMODEM, and what is done in a bootloader's menu, go wrong: one table, codes never
 * reused. And what the numbers mean that a bootloader prints.
 */
import { EXIT, type ExitCode } from '../../errors.ts';

export const XMODEM_FAILURES = {
  'start-missing': {
    sentence: 'the receiver did not ask for the first block',
    next: 'check that the receiver waits for a transfer, then run the same command again',
    exit: EXIT.notReachable,
  },
  'no-answer': {
    sentence: 'the receiver stopped answering',
    next: 'check cable and power, then run the same command again: the transfer starts anew',
    exit: EXIT.transferFailed,
  },
  'block-refused': {
    sentence: 'the receiver refused one block again and again',
    next: 'check cable, ground and baud rate: the line damages what it carries',
    exit: EXIT.transferFailed,
  },
  'end-refused': {
    sentence: 'the receiver took every block and refused the end',
    next: 'check the line, then run the same command again',
    exit: EXIT.transferFailed,
  },
  'end-unanswered': {
    sentence: 'the receiver took every block and did not acknowledge the end',
    next: 'look at the receiver: if it has left, the file has arrived',
    exit: EXIT.transferFailed,
  },
  'batch-left-open': {
    sentence: 'the files have arrived, but the receiver did not ask what follows',
    next: 'end the receiver by hand; the files it has are whole',
    exit: EXIT.transferFailed,
  },
  'line-blocked': {
    sentence: 'the line took no bytes',
    next: 'check flow control: the other side may hold it',
    exit: EXIT.notReachable,
  },
  cancelled: {
    sentence: 'the transfer was cancelled here',
    next: 'run the same command again: the transfer starts anew',
    exit: EXIT.interrupted,
  },
  'cancelled-by-peer': {
    sentence: 'the other side cancelled the transfer',
    next: 'look at what it says about the reason',
    exit: EXIT.transferFailed,
  },
  'out-of-sequence': {
    sentence: 'a block came that is neither the next nor the last one again',
    next: 'send the file again: one block is lost for good',
    exit: EXIT.transferFailed,
  },
  'header-invalid': {
    sentence: 'the block that should name the file does not',
    next: 'send it with a YMODEM sender',
    exit: EXIT.transferFailed,
  },
  'data-refused': {
    sentence: 'what was received is not what is wanted here',
    next: 'send another file',
    exit: EXIT.refused,
  },
  silent: {
    sentence: 'nothing answers on this port',
    next: 'check port, cable, power and baud rate (bootloaders use 115200)',
    exit: EXIT.notReachable,
  },
  'not-a-bootloader': {
    sentence: 'something answers on this port, but not with a bootloader menu',
    next: 'bring the device into its bootloader first; an application answers here, or the baud rate is wrong',
    exit: EXIT.notReachable,
  },
  'no-menu': {
    sentence: 'the bootloader was heard, but its menu did not come whole',
    next: 'check the line, restart the device and run the same command again',
    exit: EXIT.notReachable,
  },
  'choice-ignored': {
    sentence: 'the bootloader shows its menu but does not do what is chosen',
    next: 'restart the device and run the same command again',
    exit: EXIT.deviceFailed,
  },
  'upload-left': {
    sentence: 'the bootloader left the upload and shows its menu; it may have restarted',
    next: 'check its power, then run the same command again: until then it has no application',
    exit: EXIT.deviceFailed,
  },
  'outcome-missing': {
    sentence:
      'every block was acknowledged, but the bootloader did not say that the upload is complete',
    next: 'probe the bootloader; if its menu answers, run the same command again',
    exit: EXIT.deviceFailed,
  },
  'aborted-by-bootloader': {
    sentence: 'the bootloader aborted the upload without a reason that is known',
    next: 'run the same command again; until then the device has no application',
    exit: EXIT.deviceFailed,
  },
  'file-header-wrong': {
    sentence: 'the bootloader found no header of a version it knows',
    next: 'upload the kind of file its menu asks for: a GBL to Gecko, an EBL to Ember bootloaders',
    exit: EXIT.deviceFailed,
  },
  'file-crc-wrong': {
    sentence: 'the bootloader found a wrong CRC in the file',
    next: 'check the file against its hash: it is damaged',
    exit: EXIT.deviceFailed,
  },
  'file-tag-unknown': {
    sentence: 'the bootloader does not know a part of the file',
    next: 'the file is for a newer bootloader: upgrade the bootloader first, or take an older file',
    exit: EXIT.deviceFailed,
  },
  'file-signature-wrong': {
    sentence: 'the bootloader refused the signature of the file',
    next: 'the file is not signed for this device: ask the manufacturer',
    exit: EXIT.deviceFailed,
  },
  'file-kind-wrong': {
    sentence: 'the file is unsigned or plain where more is required, or has bytes after its end',
    next: 'upload a signed file, cut to its last part',
    exit: EXIT.deviceFailed,
  },
  'file-key-missing': {
    sentence: 'the bootloader cannot use the key the file asks for',
    next: 'the file is encrypted for another device, or this one was never given its key',
    exit: EXIT.deviceFailed,
  },
  'file-incomplete': {
    sentence: 'the file ended before the bootloader had all it needs',
    next: 'check the file against its hash: it is cut short',
    exit: EXIT.deviceFailed,
  },
  'file-flash-failed': {
    sentence: 'the bootloader could not write its flash',
    next: 'run the same command again; if it fails again the device is worn or broken',
    exit: EXIT.deviceFailed,
  },
  'file-refused': {
    sentence: 'the bootloader refused the file',
    next: 'compare the status with the documentation of this bootloader',
    exit: EXIT.deviceFailed,
  },
  'block-unusable': {
    sentence: 'the bootloader could not use a block and ended the upload',
    next: 'check cable and baud rate, then run the same command again',
    exit: EXIT.deviceFailed,
  },
  'not-started': {
    sentence: 'the bootloader came back instead of the application',
    next: 'upload an image: the device has no valid application',
    exit: EXIT.deviceFailed,
  },
} as const satisfies Record<string, { sentence: string; next: string; exit: ExitCode }>;

export type XmodemFailure = keyof typeof XMODEM_FAILURES;

interface StatusMeaning {
  code: XmodemFailure;
  meaning: string;
  /** Where it was read: the Gecko bootloader's UART source, or the user's guide of both families. */
  source: 'gecko-source' | 'users-guide';
}

/** `file error 0xHH`, by HH. */
export const FILE_STATUS: Readonly<Record<number, StatusMeaning>> = {
  24: { code: 'file-refused', meaning: 'another error', source: 'gecko-source' },
  65: { code: 'file-header-wrong', meaning: 'header or version', source: 'gecko-source' },
  66: { code: 'file-flash-failed', meaning: 'writing header or CRC', source: 'users-guide' },
  67: { code: 'file-crc-wrong', meaning: 'CRC', source: 'gecko-source' },
  68: { code: 'file-tag-unknown', meaning: 'unknown tag', source: 'gecko-source' },
  69: { code: 'file-signature-wrong', meaning: 'signature', source: 'gecko-source' },
  70: { code: 'file-refused', meaning: 'odd number of bytes', source: 'users-guide' },
  71: { code: 'file-refused', meaning: 'past the block buffer', source: 'users-guide' },
  72: { code: 'file-refused', meaning: 'would overwrite the bootloader', source: 'users-guide' },
  73: { code: 'file-refused', meaning: 'would overwrite stored settings', source: 'users-guide' },
  74: { code: 'file-flash-failed', meaning: 'erasing flash', source: 'users-guide' },
  75: { code: 'file-flash-failed', meaning: 'writing flash', source: 'users-guide' },
  76: { code: 'file-crc-wrong', meaning: 'length of the CRC at the end', source: 'users-guide' },
  77: { code: 'file-refused', meaning: 'data before a query', source: 'users-guide' },
  78: { code: 'file-refused', meaning: 'a length in the file', source: 'users-guide' },
  79: { code: 'file-kind-wrong', meaning: 'type, order or end of tags', source: 'gecko-source' },
  80: { code: 'file-key-missing', meaning: 'key', source: 'gecko-source' },
};

/** `block error 0xHH`, by HH. Gecko and the guide name the halves of the CRC the other way round. */
export const BLOCK_STATUS: Readonly<Record<number, StatusMeaning>> = {
  24: { code: 'file-incomplete', meaning: 'the end before the file was', source: 'gecko-source' },
  28: { code: 'block-unusable', meaning: 'time-out inside a block', source: 'users-guide' },
  33: { code: 'block-unusable', meaning: 'no start of a block', source: 'gecko-source' },
  34: { code: 'block-unusable', meaning: 'block number', source: 'gecko-source' },
  35: { code: 'block-unusable', meaning: 'CRC', source: 'gecko-source' },
  36: { code: 'block-unusable', meaning: 'CRC', source: 'gecko-source' },
  37: { code: 'block-unusable', meaning: 'sequence', source: 'gecko-source' },
  38: { code: 'block-unusable', meaning: 'part of a block', source: 'users-guide' },
  39: { code: 'block-unusable', meaning: 'a block again', source: 'gecko-source' },
};
