/** States at a terminal: a sign and the word, in a colour that only repeats what both say. */
import type { TableCell } from './live-table.ts';
import type { Style } from './output.ts';

interface Sign {
  sign: string;
  style: Style | undefined;
}

const OVER = 3;
const DONE: Sign = { sign: '✓', style: 'green' };
const WRONG: Sign = { sign: '✗', style: 'red' };
const UNKNOWN: Sign = { sign: '?', style: 'yellow' };
const MOVES: Sign = { sign: '▸', style: 'cyan' };
const WAITS: Sign = { sign: '·', style: undefined };
const CALLED_OFF: Sign = { sign: '-', style: undefined };

const SIGNS: Readonly<Record<string, Sign>> = {
  done: DONE,
  failed: WRONG,
  refused: WRONG,
  expired: WRONG,
  'unknown-outcome': UNKNOWN,
  cancelled: CALLED_OFF,
  superseded: CALLED_OFF,
  verifying: MOVES,
  distributing: MOVES,
  activating: MOVES,
  confirming: MOVES,
};

export function stateCell(state: string): TableCell {
  const { sign, style } = SIGNS[state] ?? WAITS;
  const text = `${sign} ${state}`;
  return style === undefined ? text : { text, style };
}

/** What moves first, then what waits, then what is over. */
export function stateRank(state: string): number {
  const { sign } = SIGNS[state] ?? WAITS;
  if (state === 'distributing') return 0;
  if (sign === MOVES.sign) return 1;
  return sign === WAITS.sign ? 2 : OVER;
}

/** Whether nothing follows on it; by its name, as a gateway says it. */
export function isOverInWords(state: string): boolean {
  return stateRank(state) === OVER;
}
