/** What a hub's line, power and clock give to the board behind them, and what a board has to be. */
import type { SeededRandom } from '../random.ts';
import type { Scheduled } from '../scheduler.ts';
import type { HubFlash } from './hub-flash.ts';
import type { HubOptions } from './options.ts';

export type HubEvent =
  /** An application runs; `version` is what its image states. */
  | { kind: 'application-started'; version: string }
  | { kind: 'bootloader-started' }
  /** Slot contents changed places, or a new image was found unfit. */
  | { kind: 'image-swapped'; image: number; swap: 'test' | 'permanent' | 'revert' | 'refused' }
  /** No sound image: the hub is silent until somebody helps it. */
  | { kind: 'nothing-to-boot' }
  | { kind: 'upload-complete'; bytes: number }
  | { kind: 'upload-aborted' }
  | { kind: 'power-cut'; flashOperation: number };

export interface BoardContext {
  readonly options: HubOptions;
  readonly flash: HubFlash;
  readonly random: SeededRandom;
  nowMs(): number;
  /** Dies with the power. */
  after(delayMs: number, task: () => void): Scheduled;
  /** Sends, not before `atMs`. */
  send(bytes: Uint8Array, atMs: number): void;
  event(event: HubEvent): void;
}

export interface Board {
  /** The power is there, or the reset pin was let go. A PowerCut may come out of any method. */
  start(): void;
  takeByte(byte: number, atMs: number): void;
  /** The memory is lost, the flash is not. */
  losePower(): void;
}
