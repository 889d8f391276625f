/**
 * Pieces written to a response as fast as its client reads them. A client that reads nothing for a while
 * is cut off: it asks again from where it was.
 */
import type { ServerResponse } from 'node:http';
import type { Log, Timers } from '../../ports.ts';

export interface PourOptions {
  timers: Timers;
  /** How long nothing may be taken. */
  stallMs: number;
  log: Log;
}

export async function pourPieces(
  pieces: AsyncIterable<Uint8Array>,
  response: ServerResponse,
  { timers, stallMs, log }: PourOptions,
): Promise<void> {
  try {
    for await (const piece of pieces) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response, timers, stallMs);
    }
    response.end();
  } catch (error) {
    // The length was said: all that is left to do is not to reach it.
    log.write('error', 'a blob was not read to its end', { code: 'blob-read', error });
    response.destroy();
  }
}

/** Or gone. */
function drained(response: ServerResponse, timers: Timers, stallMs: number): Promise<void> {
  return new Promise((done) => {
    const stalled = timers.after(stallMs, () => response.destroy());
    const go = () => {
      stalled.cancel();
      response.off('drain', go).off('close', go);
      done();
    };
    response.on('drain', go).on('close', go);
    if (response.destroyed) go();
  });
}
