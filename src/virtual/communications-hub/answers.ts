/** How a hub's answers leave it: whole and at once, or as its faults have it. */
import type { BoardContext } from './board.ts';

const LOG_LINES = [
  '[00:00:01.117,563] <inf> hub: meter poll done\r\n',
  '[00:00:02.586,824] <wrn> hub: HAN beacon late\r\n',
  'uart:~$ ',
];

export class Answers {
  private readonly context: BoardContext;

  constructor(context: BoardContext) {
    this.context = context;
  }

  /** One answer in the pieces that a log may come between; not before `atMs`. */
  send(pieces: readonly Uint8Array[], atMs: number): void {
    const { context } = this;
    const { faults } = context.options;
    const { random } = context;
    if (random.chance(faults.unanswered)) return;
    const lateMs = random.chance(faults.late) ? faults.lateMs : 0;
    const copies = random.chance(faults.duplicate) ? 2 : 1;
    if (random.chance(faults.babble)) this.babble();
    for (let copy = 0; copy < copies; copy++) {
      for (const piece of pieces) {
        if (lateMs === 0) context.send(piece, atMs);
        else context.after(lateMs, () => context.send(piece, context.nowMs()));
        if (random.chance(faults.babble)) this.babble();
      }
    }
  }

  private babble(): void {
    const { random } = this.context;
    const line = LOG_LINES[Math.floor(random.next() * LOG_LINES.length)]!;
    this.context.send(new TextEncoder().encode(line), this.context.nowMs());
  }
}
