/** Markdown as the pages of docs/reference are made of. */

/** A page that is written by a program, from which a reader finds back to what is written by hand. */
export function page(title: string, intro: string, ...parts: string[]): string {
  const note = '<!-- Written by scripts/docs; do not edit. -->';
  return `${[note, `# ${title}`, intro, ...parts].filter((part) => part !== '').join('\n\n')}\n`;
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const used = heads.map((_, at) => rows.some((row) => row[at] !== ''));
  const line = (cells: readonly string[]) =>
    `| ${cells
      .filter((_, at) => used[at])
      .map(cell)
      .join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

export function sentence(text: string): string {
  const capital = text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
  return /[.:!?]$/.test(capital) ? capital : `${capital}.`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ');
}
