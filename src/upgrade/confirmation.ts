/**
 * What a device says it runs after the command to activate, and what follows from it. An outcome rests on
 * a file version that was read back: a build text proves nothing, and an old version that was read while
 * the device had not restarted yet says only that it had not restarted yet.
 */
import { hex } from '../bytes/hex.ts';

/** A device that announced itself is given so long before its old version counts as the outcome. */
const REVERT_SETTLE_MS = 6_000;
/** An older reading says nothing of the device at the deadline: it may have activated since. */
const FRESH_MS = 20_000;

export type Judgement = 'runs-target' | 'reverted' | 'open';

/** Of a build text that is repeated; the Basic cluster has 16, and devices that have more are told apart. */
const BUILD_CHARACTERS_MAX = 64;

export class Confirmation {
  private readonly targetVersion: number;
  private announcedMs = Number.POSITIVE_INFINITY;
  private readMs = Number.NEGATIVE_INFINITY;
  private version: string | undefined;
  private build: string | undefined;

  constructor(targetVersion: number) {
    this.targetVersion = targetVersion;
  }

  /** It restarted or rejoined: what it ran before does not count any more. */
  announced(nowMs: number): void {
    this.announcedMs = nowMs;
    this.readMs = Number.NEGATIVE_INFINITY;
  }

  /** An announcement before `sinceMs` belongs to the download, not to the activation. */
  forgetBefore(sinceMs: number): void {
    if (this.announcedMs < sinceMs) this.announcedMs = Number.POSITIVE_INFINITY;
  }

  judge(fileVersion: number | undefined, build: string | undefined, nowMs: number): Judgement {
    this.build = build?.slice(0, BUILD_CHARACTERS_MAX) ?? this.build;
    if (fileVersion === undefined) return 'open';
    this.version = hex(fileVersion, 8);
    this.readMs = nowMs;
    if (fileVersion === this.targetVersion) return 'runs-target';
    return nowMs - this.announcedMs >= REVERT_SETTLE_MS ? 'reverted' : 'open';
  }

  /** False where nothing recent enough tells whether it runs the old version still. */
  knownAt(nowMs: number): boolean {
    return nowMs - this.readMs <= FRESH_MS;
  }

  text(): string | undefined {
    if (this.version !== undefined) return `runs ${this.version}`;
    return this.build === undefined ? undefined : `says software build ${this.build}`;
  }
}
