/** What a serial line and the hub behind it take their time for. */

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10;

/**
 * From a request to its answer, beside the line's own time: USB adapters of one make hold short input
 * back for so long unless told otherwise (FTDI AN232B-04).
 */
export const TURN_ROUND_MS_MAX = 16;

export interface SerialTiming {
  baudRate: number;
  /** The steps on the line that bring the hub into its bootloader. */
  enterMs: number;
  /** From a reset until it answers again. */
  bootMs: number;
  answerTimeoutMs: number;
}

export function lineMs(bytes: number, { baudRate }: SerialTiming): number {
  return (bytes * BITS_PER_BYTE * 1000) / baudRate;
}
