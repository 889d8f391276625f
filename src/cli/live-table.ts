/**
 * A table that fits its terminal. Columns say how much they are wanted: where there is no room names are cut as far
 * as they may be, and then the least wanted columns go. A column without a word in any row takes no room. Colour is
 * put on after all is measured and cut, and is never all that tells one state from another.
 */
import { cellsOf, cutTo, padBefore, padTo } from './cells.ts';
import { paint, type Style } from './output.ts';

export interface TableColumn {
  head: string;
  align?: 'right';
  /** The lowest is the first to go. */
  wanted: number;
  /** To so few cells it may be cut; absent: it is whole or not there. */
  leastCells?: number;
}

export type TableCell = string | { text: string; style: Style };

const GAP = 2;

/** The head, and a line a row; none is wider than `width`. */
export function fitTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly TableCell[])[],
  width: number,
): string[] {
  const widths = columns.map(({ head }, column) => {
    const widest = Math.max(0, ...rows.map((row) => cellsOf(textOf(row[column]!))));
    return widest === 0 ? 0 : Math.max(widest, cellsOf(head));
  });
  shrink(columns, widths, Math.max(1, width));
  const heads: TableCell[] = columns.map(({ head }) => ({ text: head, style: 'dim' }));
  return [heads, ...rows].map((row) => lineOf(columns, row, widths));
}

/** What does not fit is cut where that is enough; else the least wanted goes, until one is left. */
function shrink(columns: readonly TableColumn[], widths: number[], width: number): void {
  for (;;) {
    const surplus = spread(widths) - width;
    if (surplus <= 0) return;
    const shown = columns.map((_, at) => at).filter((at) => widths[at]! > 0);
    const cut = shown.find((at) => {
      const least = columns[at]!.leastCells;
      return least !== undefined && widths[at]! - surplus >= least;
    });
    if (cut !== undefined || shown.length === 1) {
      widths[cut ?? shown[0]!]! -= surplus;
      return;
    }
    const least = shown.reduce((a, b) => (columns[b]!.wanted < columns[a]!.wanted ? b : a));
    widths[least] = 0;
  }
}

function spread(widths: readonly number[]): number {
  const shown = widths.filter((cells) => cells > 0);
  return shown.reduce((sum, cells) => sum + cells, 0) + GAP * Math.max(0, shown.length - 1);
}

function lineOf(
  columns: readonly TableColumn[],
  row: readonly TableCell[],
  widths: readonly number[],
): string {
  let line = '';
  // Room is made only before a word: no line ends in it.
  let gap = 0;
  row.forEach((cell, column) => {
    const cells = widths[column]!;
    if (cells === 0) return;
    const text = cutTo(textOf(cell), cells);
    const placed = columns[column]!.align === 'right' ? padBefore(text, cells) : text;
    if (placed.trim() === '') {
      gap += cells + GAP;
      return;
    }
    line += ' '.repeat(gap) + (typeof cell === 'string' ? placed : paint(cell.style, placed));
    gap = cellsOf(padTo(placed, cells)) - cellsOf(placed) + GAP;
  });
  return line;
}

function textOf(cell: TableCell): string {
  return typeof cell === 'string' ? cell : cell.text;
}
