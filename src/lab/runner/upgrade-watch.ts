/** What an upgrade said so far: for triggers, assertions and the report. */
import type { DeviceOutcome, FlashEvent } from '../../gateway/flash.ts';
import type { UploadSample } from '../../upgrade/hub-session-messages.ts';
import type { SessionState } from '../../upgrade/states.ts';
import type { Sample } from '../run-result.ts';

/** Points of a curve that are kept; with more, every second is dropped. */
const SAMPLES_MAX = 128;

export type Moment = { block: number } | { percent: number } | { state: SessionState };

export class UpgradeWatch {
  state: SessionState | 'interrupted' = 'planned';
  readonly statesSeen = new Set<string>();
  sentBytes = 0;
  totalBytes = 0;
  blocks = 0;
  repeats = 0;
  /** Bytes that the device had taken and had to be sent again, as it fell back. */
  bytesAgain = 0;
  /** The last words of its session; older ones are in the log. */
  readonly notes: string[] = [];
  outcome: DeviceOutcome | undefined;
  readonly samples: Sample[] = [];
  private stride = 1;
  private heard = 0;
  private readonly waiting = new Set<{ fits: () => boolean; wake: () => void }>();

  /** `atMs`: since the run began. */
  take(event: FlashEvent, atMs: number): void {
    if (event.kind === 'progress') this.takeSample(event.sample, atMs);
    if (event.kind === 'failed') this.takeState('failed');
    if (event.kind === 'session') {
      const said = event.event;
      if (said.kind === 'state') this.takeState(said.state);
      if (said.kind === 'note') this.notes.push(said.text);
    }
    this.wake();
  }

  end(outcome: DeviceOutcome): void {
    this.outcome = outcome;
    this.state = outcome.state;
    this.statesSeen.add(outcome.state);
    this.wake();
  }

  hasReached(moment: Moment): boolean {
    if ('block' in moment)
      return this.blocks >= moment.block && this.statesSeen.has('distributing');
    if ('state' in moment) return this.statesSeen.has(moment.state);
    return this.totalBytes > 0 && this.sentBytes * 100 >= moment.percent * this.totalBytes;
  }

  hasNoted(words: string): boolean {
    return this.notes.some((note) => note.includes(words));
  }

  /** Resolves when it fits; false where it is given up before. */
  until(fits: () => boolean, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const entry = { fits, wake: () => end(true) };
      const onAbort = () => end(false);
      const end = (isThere: boolean) => {
        this.waiting.delete(entry);
        signal.removeEventListener('abort', onAbort);
        resolve(isThere);
      };
      if (fits()) return resolve(true);
      if (signal.aborted) return resolve(false);
      this.waiting.add(entry);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private takeState(state: SessionState): void {
    this.state = state;
    this.statesSeen.add(state);
  }

  private takeSample({ sentBytes, totalBytes, blocks, repeats }: UploadSample, atMs: number): void {
    if (sentBytes < this.sentBytes) this.bytesAgain += this.sentBytes - sentBytes;
    Object.assign(this, { sentBytes, totalBytes, blocks, repeats });
    if (this.heard++ % this.stride !== 0) return;
    this.samples.push({ atMs: Math.round(atMs), sentBytes });
    if (this.samples.length < SAMPLES_MAX) return;
    const kept = this.samples.filter((_, index) => index % 2 === 0);
    this.samples.splice(0, this.samples.length, ...kept);
    this.stride *= 2;
  }

  private wake(): void {
    for (const entry of [...this.waiting]) if (entry.fits()) entry.wake();
  }
}
