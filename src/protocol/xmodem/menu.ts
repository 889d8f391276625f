/**
 * The bootloader's menu as text:
 *
 *     Gecko Bootloader v2.04.01
 *     1. upload gbl
 *     2. run
 *     3. ebl info
 *     BL >
 *
 * The Ember bootloader's has "EM357 Serial Bootloader" above and "upload ebl" in it.
 */
import type { BootloaderFacts, BootloaderTask } from './messages.ts';

const ENTRY = /^\d\. /;
const TITLE_CHARACTERS_MAX = 80;

/** What the menu says of the bootloader; the last menu, where the text holds several. */
export function menuFacts(text: string): BootloaderFacts {
  const all = lines(text);
  const title = all[titleIndex(all)] ?? '';
  const gecko = /Gecko Bootloader/i.test(title);
  const ember = /EM3\w* .*Bootloader|Ember .*Bootloader/i.test(title);
  return {
    family: gecko ? 'gecko' : ember ? 'ember' : 'unknown',
    version: /Bootloader v?\.?\s*([0-9A-F][0-9A-F.]*)/i.exec(title)?.[1],
    title: title.slice(0, TITLE_CHARACTERS_MAX),
    wants: /upload (gbl|ebl)/i.exec(text)?.[1]?.toLowerCase() as 'gbl' | 'ebl' | undefined,
  };
}

/** The digit that chooses the task: the menu's, or where the menu came in pieces the usual one. */
export function choiceOf(text: string, task: Exclude<BootloaderTask, 'probe'>): number {
  const [pattern, usual] = {
    upload: [/^(\d)\. upload/im, 1] as const,
    run: [/^(\d)\. run/im, 2] as const,
    info: [/^(\d)\. ebl info/im, 3] as const,
  }[task];
  return Number(pattern.exec(text)?.[1] ?? usual);
}

/** What was printed before the menu came back. */
export function beforeMenu(text: string): string {
  const all = lines(text);
  return all.slice(0, titleIndex(all)).join('\n').trim();
}

function lines(text: string): string[] {
  return text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
}

/** The line above the first entry of the last menu. */
function titleIndex(all: string[]): number {
  const lastEntry = all.findLastIndex((line) => ENTRY.test(line));
  let first = lastEntry;
  while (first > 0 && ENTRY.test(all[first - 1]!)) first--;
  return Math.max(0, first - 1);
}
