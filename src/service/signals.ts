/**
 * SIGTERM and SIGINT end the service in good order within a deadline; a second one ends it at once. What
 * is cut off is resumed after the next start: everything that matters is in the journal before it is done.
 */
import { EXIT, type ExitCode } from '../errors.ts';
import type { Log, Timers } from '../ports.ts';

export const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown;
  off(signal: StopSignal, listener: () => void): unknown;
}

export interface StopOptions {
  /** Ends the service; settles when nothing is left to do. */
  stop: (signal: StopSignal) => Promise<void>;
  /** Less than the manager's TimeoutStopSec, after which it kills. */
  deadlineMs: number;
  timers: Timers;
  log: Log;
  /** The process, but in tests. */
  source?: SignalSource;
  exit?: (code: ExitCode) => void;
}

/** @returns what takes the listeners off again. */
export function stopOnSignals(options: StopOptions): () => void {
  const { stop, deadlineMs, timers, log, source = process } = options;
  const exit = options.exit ?? ((code: ExitCode) => process.exit(code));
  let stopping = false;
  let ended = false;
  const end = (code: ExitCode): void => {
    if (ended) return;
    ended = true;
    exit(code);
  };
  const onSignal = (signal: StopSignal): void => {
    if (stopping) {
      log.write('warning', `${signal} again: stopping at once`, { code: 'stop-at-once' });
      end(EXIT.interrupted);
      return;
    }
    stopping = true;
    log.write('info', `${signal}: stopping within ${deadlineMs / 1000} s`, { code: 'stopping' });
    const deadline = timers.after(deadlineMs, () => {
      const message = `not stopped after ${deadlineMs / 1000} s: giving up`;
      log.write('error', message, { code: 'stop-deadline' });
      end(EXIT.interrupted);
    });
    // A stop that throws at once is one that failed.
    Promise.resolve(signal)
      .then(stop)
      .then(
        () => {
          deadline.cancel();
          end(EXIT.done);
        },
        (error: unknown) => {
          deadline.cancel();
          log.write('error', 'stopping failed', { code: 'stop-failed', error });
          end(EXIT.bug);
        },
      );
  };
  const listeners = STOP_SIGNALS.map((signal) => [signal, () => onSignal(signal)] as const);
  for (const [signal, listener] of listeners) source.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) source.off(signal, listener);
  };
}
