/**
 * Brings the images of an action into the store, one after another, as long as they are wanted. A download
 * that breaks off is tried again where it is, after a pause that grows; when to give it up is the machine's
 * to say.
 */
import type { Log, Random, Timers } from '../../ports.ts';
import type { Access } from './ddi-http.ts';
import type { Artifact } from './distribution.ts';

/**
 * Fetches one artifact into the store, from where an earlier try broke off (Range), and checks it there by
 * its digest. Rejects where it did not get to the end.
 */
export type FetchArtifact = (
  artifact: Pick<Artifact, 'sha256' | 'bytes'>,
  places: readonly Access[],
  signal: AbortSignal,
) => Promise<void>;

export interface DownloadOptions {
  fetch: FetchArtifact;
  placesOf(artifact: Artifact): readonly Access[];
  /** It is in the store. */
  stored(sha256: string): void;
  timers: Timers;
  random: Random;
  log: Log;
}

const PAUSE_MS = { first: 5_000, max: 600_000 };

export class Downloads {
  private readonly options: DownloadOptions;
  private wanted: readonly Artifact[] = [];
  private current: { sha256: string; abort: AbortController } | undefined;
  private pause: { cancel(): void } | undefined;
  private failures = 0;

  constructor(options: DownloadOptions) {
    this.options = options;
  }

  /** All that is wanted from now on. */
  want(artifacts: readonly Artifact[]): void {
    this.wanted = artifacts;
    const { current } = this;
    if (current && artifacts.every(({ sha256 }) => sha256 !== current.sha256)) {
      current.abort.abort();
    }
    if (artifacts.length === 0) {
      this.pause?.cancel();
      this.pause = undefined;
      this.failures = 0;
    }
    this.next();
  }

  private next(): void {
    const [artifact] = this.wanted;
    if (!artifact || this.current || this.pause) return;
    const abort = new AbortController();
    this.current = { sha256: artifact.sha256, abort };
    void this.fetch(artifact, abort.signal);
  }

  private async fetch(artifact: Artifact, signal: AbortSignal): Promise<void> {
    const { options } = this;
    const { sha256 } = artifact;
    try {
      await options.fetch(artifact, options.placesOf(artifact), signal);
      this.current = undefined;
      this.failures = 0;
      this.wanted = this.wanted.filter((one) => one.sha256 !== sha256);
      options.stored(sha256);
    } catch (error) {
      this.current = undefined;
      if (!signal.aborted) this.failed(sha256, error as Error);
    }
    this.next();
  }

  private failed(sha256: string, { message }: Error): void {
    const { timers, random, log } = this.options;
    const mostMs = Math.min(PAUSE_MS.max, PAUSE_MS.first * 2 ** Math.min(20, this.failures++));
    log.write('warning', `an image did not come: ${message}`, { image: sha256 });
    this.pause = timers.after((mostMs / 2) * (1 + random.next()), () => {
      this.pause = undefined;
      this.next();
    });
  }
}
