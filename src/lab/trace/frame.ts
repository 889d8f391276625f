/** A frame of a link in the words of its protocol. */
import type { Direction } from '../recording/format.ts';

export interface TracedFrame {
  direction: Direction;
  /** Of the frame's last byte. */
  atUs: number;
  protocol: string;
  /** What it means, in a line. */
  text: string;
  /** The frame as its protocol has it, without what the line adds. */
  bytes: Uint8Array;
}

/** Takes what passed on one link, wherever it was cut, and says what it was. */
export interface FrameDecoder {
  take(direction: Direction, bytes: Uint8Array, atUs: number): TracedFrame[];
  /** What was begun and never ended. */
  rest(atUs: number): TracedFrame[];
}
