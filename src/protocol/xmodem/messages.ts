/** What the XMODEM machines and the bootloader client are given and say. */
import type { Check } from './block.ts';
import type { XmodemFailure } from './codes.ts';

/** `xmodem` sends blocks of 128 bytes, the others of 1,024 where the receiver takes CRCs. */
export type XmodemVariant = 'xmodem' | 'xmodem-1k' | 'ymodem';

export interface XmodemTimes {
  /** Until a receiver asks for a first block. The Gecko bootloader asks 60 times, once a second. */
  startMs: number;
  /**
   * From a block's last bit on the line to its answer. 10 s is the original text's figure, from memory;
   * programs in the field take 1 to 3 s.
   */
  answerMs: number;
  /** After a time-out: how long a late answer may still come before the next block goes out. */
  settleMs: number;
  /** How long a line may take no bytes at all. */
  blockedMs: number;
}

export const XMODEM_TIMES: XmodemTimes = {
  startMs: 60_000,
  answerMs: 10_000,
  settleMs: 1_000,
  blockedMs: 30_000,
};

export interface XmodemSenderOptions {
  variant: XmodemVariant;
  /**
   * Of the line, at 10 bits a byte; Infinity for a pipe. Answers are awaited from when the line has had
   * time for the block, and one that comes before cannot be meant for it.
   */
  baudRate: number;
  /** A request for checksums is taken for noise. */
  crcOnly?: boolean;
  /** How often one block is sent at most. Default 10. */
  attemptsMax?: number;
  times?: Partial<XmodemTimes>;
  /** What fills a last block. Default 0x1A. */
  pad?: number;
  /** The bytes that end a transfer from our side. Default: 8 CAN and 8 backspaces. */
  cancels?: number;
  backspaces?: number;
}

export interface XmodemFile {
  /** Held until the transfer has ended; the caller does not change it meanwhile. */
  bytes: Uint8Array;
  /** YMODEM's block 0 carries name and time; XMODEM sends neither. */
  name?: string;
  /** Seconds since 1970. */
  modifiedS?: number;
}

export type XmodemEvent =
  /** The receiver asked for the first block. */
  | { kind: 'started'; check: Check }
  /** One object that is written anew: read it before the next call. */
  | { kind: 'progress'; file: number; sentBytes: number; totalBytes: number }
  /** A block, or an end, goes out again. */
  | { kind: 'retry'; block: number; reason: 'refused' | 'silence'; attempt: number }
  /** Every copy of a block of 1,024 bytes was refused: from here on 128. */
  | { kind: 'smaller-blocks'; block: number }
  /** The receiver has acknowledged the end of a file. */
  | { kind: 'file-done'; file: number }
  | { kind: 'done'; blocks: number; resent: number }
  | { kind: 'failed'; code: XmodemFailure; block: number; sentBytes: number };

export interface XmodemReceiverOptions {
  variant: 'xmodem' | 'ymodem';
  /** What is asked for; a receiver that wants CRCs falls back to checksums in no case. Default crc. */
  check?: Check;
  /** Between two requests to start, and how many. Defaults 3 s (from memory) and 20; strict 1 s and 60. */
  startPeriodMs?: number;
  startsMax?: number;
  /** Silence inside a block before it is refused. Default 1 s (from memory); strict 3 s. */
  byteMs?: number;
  /** Silence where a block should start. Default 10 s (from memory); strict 3 s. */
  blockMs?: number;
  /** Blocks refused in a row before the transfer is given up. Default 10; strict never. */
  refusalsMax?: number;
  /**
   * What the Gecko bootloader does: a byte that starts no block of 128 bytes and is no end cancels the
   * transfer, a block out of sequence is refused and not fatal, CAN goes out three times, the first end is
   * acknowledged.
   */
  strict?: boolean;
  /** How long a block takes to be stored, ms: its answer waits so long. Default 0. */
  storeMs?: number;
  /** Judges a block's data before it is acknowledged; false cancels. The bytes are valid during the call. */
  accept?: (data: Uint8Array) => boolean;
  /** Judges the end before it is acknowledged; false cancels. */
  acceptEnd?: () => boolean;
}

export type XmodemReceiverEvent =
  /** YMODEM only. The name is the sender's word: no path to open unchecked. */
  | { kind: 'file'; name: string; bytes: number | undefined; modifiedS: number | undefined }
  /** A copy; the last one of YMODEM cut to the size stated. */
  | { kind: 'data'; data: Uint8Array }
  | { kind: 'file-done' }
  | { kind: 'done'; blocks: number; repeated: number; refused: number }
  | { kind: 'failed'; code: XmodemFailure };

export type BootloaderFamily = 'gecko' | 'ember' | 'unknown';

export interface BootloaderTimes {
  /** Until the next wake-up, in turn; after the last the device is silent. */
  wakeMs: readonly number[];
  /** From a choice to its text. */
  choiceMs: number;
  /** From "begin upload" to the first `C`. */
  requestMs: number;
  /** From the end of the transfer, or its abort, to the text that says how it went. */
  outcomeMs: number;
  /** How long the menu has to stay away before the application counts as started. */
  runMs: number;
}

/**
 * All of them ours. The bootloader asks each second, refuses after 3 s of silence and takes 14 ms a block,
 * so that any figure above these serves. A wake-up falls into an upload left half done when it is not the
 * first: only 3 s of silence end its block, hence the long pause in the middle.
 */
export const BOOTLOADER_TIMES: BootloaderTimes = {
  wakeMs: [500, 1_000, 4_000, 1_500],
  choiceMs: 2_000,
  requestMs: 5_000,
  outcomeMs: 5_000,
  runMs: 3_000,
};

export interface BootloaderOptions {
  /** 115200 in every bootloader seen. */
  baudRate: number;
  times?: Partial<BootloaderTimes>;
  /** For the blocks; see `XmodemTimes`. Defaults: 5 s for an answer, above the bootloader's own 3 s; 0.5 s. */
  blockTimes?: Partial<XmodemTimes>;
  /** How often one block is sent at most. Default 10. */
  blockAttemptsMax?: number;
  /** How often a menu entry is chosen before it fails. Default 3. */
  choicesMax?: number;
  /** What fills the last block. Default 0x1A. */
  pad?: number;
}

export interface BootloaderFacts {
  family: BootloaderFamily;
  /** Such as `2.04.01`; absent where the menu names none. */
  version: string | undefined;
  /** The menu's first line. */
  title: string;
  /** The kind of file the menu asks for. */
  wants: 'gbl' | 'ebl' | undefined;
}

export type BootloaderTask = 'probe' | 'info' | 'upload' | 'run';

export type BootloaderEvent =
  /** Ends a probe; other tasks say it too when they have woken the bootloader. */
  | { kind: 'bootloader'; facts: BootloaderFacts }
  /** Ends `info`: what was printed, without the menu. Gecko prints nothing. */
  | { kind: 'info'; text: string }
  /** The bootloader asks for the first block. From here on the old application is gone. */
  | { kind: 'upload-started' }
  /** One object that is written anew: read it before the next call. */
  | { kind: 'progress'; sentBytes: number; totalBytes: number }
  | { kind: 'retry'; block: number; reason: 'refused' | 'silence'; attempt: number }
  /** Ends an upload: the bootloader itself said that it is complete. */
  | { kind: 'uploaded'; blocks: number; resent: number }
  /** Ends `run`: the menu did not come back. What was heard instead may be the application's. */
  | { kind: 'running'; heard: string }
  /** Ends any task. `status` is the bootloader's number, `heard` what it printed last. */
  | {
      kind: 'failed';
      task: BootloaderTask;
      code: XmodemFailure;
      status: number | undefined;
      heard: string;
    };
