/**
 * Lines at a terminal that are drawn anew in place, beneath lines that stay. On stderr: stdout is for results. When
 * the terminal becomes narrower nobody can tell how it broke what stands there: that is left as it is, and the lines
 * begin anew beneath it, when the width has held still for a moment. Nothing that was said is ever wiped out.
 */
import { createLogUpdate } from 'log-update';
import { onTerms, writeLine } from './output.ts';

/** How often they are drawn. */
const DRAW_PERIOD_MS = 250;
const COLUMNS = 80;
const ROWS = 24;

export interface Size {
  columns: number;
  rows: number;
}

/** Whether lines may be drawn anew there at all: a terminal that can move its cursor. */
export function canMove(stream: NodeJS.WriteStream = process.stderr): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb';
}

export class MovingLines {
  private readonly lines: (size: Size) => string[];
  private readonly move = createLogUpdate(process.stderr);
  private readonly timer: NodeJS.Timeout;
  private readonly onResize = () => this.resized();
  private columns = columnsNow();
  private isSettling = false;
  private isOver = false;

  constructor(lines: (size: Size) => string[]) {
    this.lines = lines;
    this.timer = setInterval(() => this.tick(), DRAW_PERIOD_MS);
    this.timer.unref();
    process.stderr.on('resize', this.onResize);
  }

  /** A line that stays, above those that move. */
  say(text: string): void {
    if (!this.isOver) this.move.clear();
    writeLine(process.stderr, text);
    this.draw();
  }

  /** They stay as they are now; a second call changes nothing. */
  done(): void {
    if (this.isOver) return;
    this.isSettling = false;
    this.draw();
    this.isOver = true;
    clearInterval(this.timer);
    process.stderr.off('resize', this.onResize);
    this.move.done();
  }

  private tick(): void {
    this.isSettling = false;
    this.draw();
  }

  private draw(): void {
    if (this.isOver || this.isSettling) return;
    const size = { columns: columnsNow(), rows: process.stderr.rows || ROWS };
    const lines = this.lines(size);
    if (lines.length > 0) this.move(onTerms(process.stderr, lines.join('\n')));
  }

  private resized(): void {
    const columns = columnsNow();
    if (columns < this.columns && !this.isOver) {
      this.isSettling = true;
      this.timer.refresh();
      this.move.done();
    }
    this.columns = columns;
  }
}

/** A terminal that does not know its width says 0. */
function columnsNow(): number {
  return process.stderr.columns || COLUMNS;
}
