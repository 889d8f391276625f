/** How far a piece of work is that is counted: one moving line on stderr, where that is a terminal. */
import { setImmediate } from 'node:timers/promises';
import { bytesText } from './output.ts';

const DRAW_PERIOD_MS = 100;
const BAR_CELLS = 20;

export class WorkBar {
  private readonly name: string;
  private readonly total: number;
  private readonly isShown: boolean;
  private drawnMs = 0;

  constructor(name: string, total: number, isQuiet: boolean) {
    this.name = name;
    this.total = total;
    this.isShown = !isQuiet && process.stderr.isTTY === true;
  }

  /** Shows it from time to time, and lets Ctrl-C in. */
  async reach(count: number): Promise<void> {
    const nowMs = performance.now();
    if (nowMs < this.drawnMs + DRAW_PERIOD_MS) return;
    this.drawnMs = nowMs;
    if (this.isShown) process.stderr.write(`\r${barText(this.name, count, this.total)}`);
    await setImmediate();
  }

  /** Takes the line away. */
  done(): void {
    if (this.isShown && this.drawnMs > 0) process.stderr.write('\r\u001b[2K');
  }
}

export function barText(name: string, count: number, total: number): string {
  const share = total > 0 ? Math.min(1, count / total) : 0;
  const filled = Math.floor(share * BAR_CELLS);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}`;
  const of = `${bytesText(count)} of ${bytesText(total)}`;
  return `${name}  ${bar} ${`${Math.floor(share * 100)}`.padStart(3)} %  ${of}`;
}
