/**
 * How much room text takes at a terminal, in cells: a letter takes one, what is drawn on the letter before it none,
 * a wide character two. Escape codes take none. A text is cut between characters as a person sees them, never
 * inside one. Where terminals disagree (emoji of several parts), the wider reading is taken: a line that is a cell
 * too short is still one line.
 */
import { stripVTControlCharacters } from 'node:util';

const PLAIN = /^[ -~]*$/;
const ELLIPSIS = '…';
/** Marks, and what is not drawn. */
const NO_CELL = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;
const EMOJI = /^\p{Emoji_Presentation}/u;
/** Asks for the picture in place of the sign. */
const PICTURE = '\ufe0f';

/** East Asian Width W and F (Unicode Standard Annex 11), blocks rather than code points; first and last. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2630, 0x2637],
  [0x268a, 0x268f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4c6],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2fb],
  [0x1d300, 0x1d376],
  [0x1f200, 0x1f265],
  [0x20000, 0x2fffd],
  [0x30000, 0x3fffd],
];

/** Made when text first needs it: it takes longer than all else here. */
let segmenter: Intl.Segmenter | undefined;

export function cellsOf(text: string): number {
  const seen = stripVTControlCharacters(text);
  if (PLAIN.test(seen)) return seen.length;
  let cells = 0;
  for (const character of charactersOf(seen)) cells += cellsOfCharacter(character);
  return cells;
}

/** At most so many cells; what is left off shows as `…`, and with it goes the colour. */
export function cutTo(text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text;
  if (cells <= 0) return '';
  let kept = '';
  let taken = 0;
  for (const character of charactersOf(stripVTControlCharacters(text))) {
    taken += cellsOfCharacter(character);
    // One cell is the sign's.
    if (taken > cells - 1) break;
    kept += character;
  }
  return kept + ELLIPSIS;
}

export function padTo(text: string, cells: number): string {
  return text + ' '.repeat(Math.max(0, cells - cellsOf(text)));
}

export function padBefore(text: string, cells: number): string {
  return ' '.repeat(Math.max(0, cells - cellsOf(text))) + text;
}

function* charactersOf(text: string): Generator<string> {
  if (PLAIN.test(text)) {
    yield* text;
    return;
  }
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(text)) yield segment;
}

function cellsOfCharacter(character: string): number {
  if (NO_CELL.test(character)) return 0;
  if (EMOJI.test(character) || character.includes(PICTURE)) return 2;
  const code = character.codePointAt(0)!;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
