/**
 * What the SMP client takes and says: its options, requests, answers and events. One file, so that a
 * session can be written against it without reading the machine.
 */
import type { SmpFailure } from './codes.ts';

export interface SmpOptions {
  /** Line speed, 8N1. Undefined where it means nothing (a pipe, USB): then the line is only measured. */
  baudRate: number | undefined;
  /**
   * Most bytes of a message, header included, until `params` has said better: a request above it is not
   * sent. 252 is the smallest buffer in the field, 256, less length and CRC.
   */
  messageBytesMax: number;
  /** Lines the receiver can hold while it is busy: Zephyr's default is 2. */
  receiveLines: number;
  /** Chunks, but the last, are multiples of this; 16 suits the flash of every port. */
  chunkAlignBytes: number;
  /** Most upload requests in flight; 1 is stop-and-wait. */
  windowMax: number;
  /** Ordinary requests in flight at once. More than one only for receivers known to hold them. */
  requestsInFlightMax: number;
  /** How long an ordinary request waits for its answer, ms. */
  answerTimeoutMs: number;
  /** Attempts of an ordinary request that may be repeated. */
  attemptsMax: number;
  /** The erase command, and the first chunk of an upload, may take as long as a slot takes to erase, ms. */
  eraseTimeoutMs: number;
  /** Shortest wait for an answer in an upload: USB adapters hold bytes back for 16 ms, ms. */
  retransmitMinMs: number;
  /** Longest wait for an answer in an upload after its first chunk, ms. */
  retransmitMaxMs: number;
  /** Tries of one chunk, or of any one step of an upload, without the device's offset moving. */
  chunkAttemptsMax: number;
  /** How often an upload may begin again because the device lost it. */
  restartsMax: number;
  /** Shortest time between two progress events, ms. */
  progressPeriodMs: number;
  /** The first sequence number. */
  firstSequence: number;
}

export const SMP_DEFAULTS: SmpOptions = {
  baudRate: undefined,
  messageBytesMax: 252,
  receiveLines: 2,
  chunkAlignBytes: 16,
  windowMax: 16,
  requestsInFlightMax: 1,
  answerTimeoutMs: 2_000,
  attemptsMax: 3,
  eraseTimeoutMs: 40_000,
  retransmitMinMs: 100,
  retransmitMaxMs: 2_500,
  chunkAttemptsMax: 8,
  restartsMax: 3,
  progressPeriodMs: 250,
  firstSequence: 0,
};

export type SmpRequest =
  | { kind: 'echo'; text: string }
  /** `bootMode` 1 asks for the boot loader's serial recovery. */
  | { kind: 'reset'; bootMode?: number; force?: boolean }
  /** Sizes of the device's buffers. An answer also sets how large this client's messages become. */
  | { kind: 'params' }
  | { kind: 'os-info'; format?: string }
  | { kind: 'bootloader-info'; query?: string }
  | { kind: 'image-list' }
  /** Run this image once, at the next reset. The hash is the image's own, not that of the file. */
  | { kind: 'image-test'; hash: Uint8Array }
  /** Run this image from the next reset on; without a hash: keep what runs now. */
  | { kind: 'image-confirm'; hash?: Uint8Array }
  | { kind: 'image-erase'; slot?: number }
  | { kind: 'slot-info' }
  /** Any other command; `body` is one CBOR map. */
  | { kind: 'raw'; write: boolean; group: number; command: number; body: Uint8Array };

export interface ImageEntry {
  /** 0 where the device does not say. */
  image: number;
  slot: number;
  /** As the device prints it: `1.2.3` or `1.2.3.4`; empty where it does not say. */
  version: string;
  /** The hash in the image's TLVs; empty where the device does not say. */
  hash: Uint8Array;
  bootable: boolean;
  pending: boolean;
  confirmed: boolean;
  active: boolean;
  permanent: boolean;
  /** At least one of the five flags was present. MCUboot's serial recovery sends none. */
  flagged: boolean;
}

export interface SlotEntry {
  image: number;
  slot: number;
  slotBytes: number | undefined;
  /** What `image` of an upload has to be for this slot. */
  uploadImage: number | undefined;
}

export type SmpAnswer =
  | { kind: 'echo'; text: string }
  | { kind: 'reset' }
  /** `messageBytes` is what is left of `bufferBytes` after length and CRC. */
  | { kind: 'params'; bufferBytes: number; bufferCount: number; messageBytes: number }
  | { kind: 'os-info'; output: string }
  | { kind: 'bootloader-info'; values: Record<string, unknown> }
  | { kind: 'image-list'; images: ImageEntry[] }
  /** The list after a test or a confirmation; empty where the device sent none. */
  | { kind: 'image-test' | 'image-confirm'; images: ImageEntry[] }
  | { kind: 'image-erase' }
  | {
      kind: 'slot-info';
      slots: SlotEntry[];
      /** Largest image for each image number, where the device says. */
      imageBytesMax: { image: number; bytes: number }[];
    }
  | { kind: 'raw'; values: Record<string, unknown> };

export interface UploadRequest {
  /** The file as it is sent. Read until the upload ends; it must not change meanwhile. */
  image: Uint8Array;
  /**
   * SHA-256 of the whole file. With it an application resumes where it stopped; without it every new
   * beginning is from 0.
   */
  sha256?: Uint8Array;
  /** The hash in the image's TLVs. With it a lost last answer is cleared up by reading the image list. */
  imageHash?: Uint8Array;
  /** Which image of a device of several, or the slot number of a recovery with direct upload. */
  imageNumber?: number;
  /** Let the device refuse a version that is not above the running one. */
  upgradeOnly?: boolean;
}

export interface UploadStatistics {
  requests: number;
  /** Bytes put on the line for this upload, framing included. */
  wireBytes: number;
  /** Requests the device did not get, as its offsets show, and waits that ran out. */
  lost: number;
  restarts: number;
  /** The window the upload ended with. */
  window: number;
  elapsedMs: number;
}

export type SmpEvent =
  | { kind: 'answered'; id: number; answer: SmpAnswer }
  /** A request or an upload is over without success. */
  | { kind: 'failed'; id: number; failure: SmpFailure }
  /** The device took the first chunk; it wants `offset` next, above the first chunk where it resumes. */
  | { kind: 'upload-started'; id: number; offset: number; resumed: boolean }
  | {
      kind: 'upload-progress';
      id: number;
      /** The device's own offset. */
      offset: number;
      imageBytes: number;
      /** Since the start or the last restart. */
      bytesPerSecond: number;
      window: number;
      /** As in `UploadStatistics`, so far. */
      requests: number;
      lost: number;
    }
  /** The device forgot the upload, or the link came back: it begins again, at the device's offset. */
  | { kind: 'upload-restarted'; id: number; reason: 'device-lost-upload' | 'link-restored' }
  | {
      kind: 'uploaded';
      id: number;
      /** The device compared the hash itself and it was right; undefined where it does not say. */
      match: true | undefined;
      statistics: UploadStatistics;
    };
