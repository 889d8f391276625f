/**
 * What is seen of running upgrades: at a terminal a table that is drawn anew, elsewhere a line for each thing that
 * happens and now and then how far it is.
 */
import {
  type DeviceProgress,
  deviceTable,
  newProgress,
  progressText,
  recordProgress,
} from './device-table.ts';
import { canMove, MovingLines, type Size } from './moving-lines.ts';
import { type Output, writeLine } from './output.ts';

/** How often a log is told how far everything is. */
const LOG_PERIOD_MS = 30_000;
/** The table takes no more; the rest of its devices is counted. */
const LINES_MAX = 16;
/** Of the terminal: what was said last stays in sight. */
const ROWS_FREE = 4;
const BELL = '\u0007';

/** `moving`: drawn anew at a terminal. `log`: lines that stay. `off`: only what `line` is given. */
export type BoardKind = 'moving' | 'log' | 'off';

export function boardKind(output: Output): BoardKind {
  if (output.json || output.quiet) return 'off';
  return canMove() ? 'moving' : 'log';
}

export class ProgressBoard {
  private readonly devices = new Map<string, DeviceProgress>();
  private readonly moving: MovingLines | undefined;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(kind: BoardKind) {
    if (kind === 'moving') this.moving = new MovingLines((size) => this.table(size));
    if (kind !== 'log') return;
    this.timer = setInterval(() => this.log(), LOG_PERIOD_MS);
    this.timer.unref();
  }

  update(device: string, change: Partial<DeviceProgress>, nowMs: number): void {
    const known = this.devices.get(device) ?? newProgress(device);
    this.devices.set(device, known);
    recordProgress(known, change, nowMs);
  }

  /** A line that stays. */
  line(text: string): void {
    if (this.moving) this.moving.say(text);
    else writeLine(process.stderr, text);
  }

  /** The table stays as it is now; a second call changes nothing. */
  done(): void {
    this.moving?.done();
    clearInterval(this.timer);
  }

  private table({ columns, rows }: Size): string[] {
    const linesMax = Math.max(2, Math.min(LINES_MAX, rows - ROWS_FREE));
    return deviceTable([...this.devices.values()], Date.now(), columns, linesMax);
  }

  private log(): void {
    const nowMs = Date.now();
    for (const entry of this.devices.values()) {
      if (entry.state === 'distributing') writeLine(process.stderr, progressText(entry, nowMs));
    }
  }
}

/** Only a terminal has a bell. */
export function ringBell(): void {
  if (process.stderr.isTTY === true) process.stderr.write(BELL);
}
