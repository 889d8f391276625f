/**
 * How long other traffic of a network waits for its answers while devices download: one of them at a
 * time is asked for an attribute, as a meter is read, and what that took is told. It is little traffic
 * itself, and none while nothing downloads.
 */
import type { Timers } from '../../ports.ts';

export interface AirProbeOptions {
  timers: Timers;
  /** EUI-64s of devices that download now: awake, and on the network. */
  devices(): readonly string[];
  /** Resolves when the device has answered, whatever it says; rejects where it does not within so long. */
  ask(eui64: string, timeoutMs: number): Promise<void>;
  onAnswer(answerMs: number): void;
}

const PERIOD_MS = 2_000;
/** No answer counts as so late a one: it was lost, and would have to be asked for again. */
export const PROBE_TIMEOUT_MS = 1_000;

export class AirProbe {
  private readonly options: AirProbeOptions;
  private timer: { cancel(): void } | undefined;
  private turn = 0;

  constructor(options: AirProbeOptions) {
    this.options = options;
  }

  start(): void {
    this.timer = this.options.timers.after(PERIOD_MS, () => void this.probe());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private async probe(): Promise<void> {
    const { timers, devices, ask, onAnswer } = this.options;
    // The next is asked in its time, whether this one is answered or not.
    this.start();
    const eui64s = devices();
    const eui64 = eui64s[this.turn++ % Math.max(1, eui64s.length)];
    if (eui64 === undefined) return;
    const askedMs = timers.nowMs();
    const answerMs = await ask(eui64, PROBE_TIMEOUT_MS).then(
      () => timers.nowMs() - askedMs,
      () => PROBE_TIMEOUT_MS,
    );
    if (this.timer) onAnswer(Math.min(answerMs, PROBE_TIMEOUT_MS));
  }
}
