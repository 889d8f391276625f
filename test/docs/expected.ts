/**
 * Whether a command said what its page shows. `...` stands for the rest of a line or for any number of lines;
 * times, digests, durations, rates and ports of the day are not compared.
 */

const VARIES: readonly [pattern: RegExp, stands: string][] = [
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?/g, '⟨time⟩'],
  [/\b\d\d:\d\d:\d\d\b/g, '⟨time⟩'],
  [/\b[0-9a-f]{12,64}…?/g, '⟨digits⟩'],
  [/\b\d[\d,]*(?:\.\d+)?(?= (?:ms|s|min|h|kB\/s|B\/s)\b)/g, '⟨number⟩'],
  [/⟨number⟩ (?:ms|s)\b/g, '⟨number⟩ s'],
  [/[█░▏▎▍▌▋▊▉]+/g, '⟨bar⟩'],
  [/ +/g, ' '],
];

/** @returns what differs, for people; undefined where nothing does */
export function difference(expected: readonly string[], said: string): string | undefined {
  const actual = said.split('\n').map((line) => line.trimEnd());
  while (actual.at(-1) === '') actual.pop();
  const pattern = new RegExp(`^${expected.map(patternOf).join('')}$`, 'u');
  if (pattern.test(actual.map((line) => `${steady(line)}\n`).join(''))) return undefined;
  return [`expected`, ...expected, 'said', ...actual].join('\n  ');
}

export function steady(line: string): string {
  return VARIES.reduce((text, [pattern, stands]) => text.replace(pattern, stands), line).trimEnd();
}

function patternOf(line: string): string {
  if (line.trim() === '...') return '(?:[^\\n]*\\n)*?';
  const parts = steady(line).split('...');
  return `${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('[^\\n]*')}\\n`;
}
