/** What an upload says of itself: progress now and then, and what it took in the end. */
import type { SmpEvent, UploadStatistics } from './messages.ts';

/** When the upload began, when the device took its first chunk, and the last progress event. */
const BEGUN = 0;
const STARTED = 1;
const REPORTED = 2;

export class UploadReport {
  readonly statistics: UploadStatistics;
  private readonly id: number;
  private readonly imageBytes: number;
  private readonly periodMs: number;
  /** Typed, so that times are not boxed. */
  private readonly timesMs = new Float64Array(3);
  private startOffset = 0;

  constructor(id: number, imageBytes: number, periodMs: number, nowMs: number) {
    this.id = id;
    this.imageBytes = imageBytes;
    this.periodMs = periodMs;
    this.statistics = { requests: 0, wireBytes: 0, lost: 0, restarts: 0, window: 1, elapsedMs: 0 };
    this.timesMs.fill(nowMs);
  }

  /** Chunks flow from `offset` on: the rate is measured from here. */
  begin(offset: number, nowMs: number): void {
    this.startOffset = offset;
    this.timesMs[STARTED] = nowMs;
  }

  /** The event, where one is due. */
  progress(offset: number, window: number, nowMs: number): SmpEvent | undefined {
    const { timesMs } = this;
    if (nowMs - timesMs[REPORTED]! < this.periodMs) return undefined;
    timesMs[REPORTED] = nowMs;
    const elapsedMs = nowMs - timesMs[STARTED]!;
    const moved = offset - this.startOffset;
    return {
      kind: 'upload-progress',
      id: this.id,
      offset,
      imageBytes: this.imageBytes,
      bytesPerSecond: elapsedMs > 0 ? Math.round((1000 * moved) / elapsedMs) : 0,
      window,
      requests: this.statistics.requests,
      lost: this.statistics.lost,
    };
  }

  summary(window: number, nowMs: number): UploadStatistics {
    const elapsedMs = Math.round(nowMs - this.timesMs[BEGUN]!);
    return { ...this.statistics, window, elapsedMs };
  }
}
