/** A file of `docs` as a document of the manual on the gateway. The only import of marked. */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Marked, type Tokens } from 'marked';

const TEMPLATE = readFileSync(join(import.meta.dirname, 'manual.html'), 'utf8');

export interface ManualHead {
  style: string;
  icon: string;
  /** Below `docs`: `tasks/install.md`. */
  name: string;
}

/**
 * Headings can be linked to by their words, and a row of a table by the code that it begins with: so a page
 * of codes is linked to by `#code`.
 */
export function manualPage(text: string, { style, icon, name }: ManualHead): string {
  // Of a heading or a code that comes again the first is linked to.
  const ids = new Set<string>();
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text: words }: Tokens.Heading) {
        const slug = slugOf(words);
        const id = ids.has(slug) ? '' : ` id="${slug}"`;
        ids.add(slug);
        return `<h${depth}${id}>${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      table({ header, rows }: Tokens.Table) {
        const head = header.map(({ tokens }) => `<th>${this.parser.parseInline(tokens)}</th>`);
        const body = rows.map((cells) => {
          const code = /^`([^`]+)`$/.exec(cells[0]?.text ?? '')?.[1];
          const inside = cells.map(({ tokens }) => `<td>${this.parser.parseInline(tokens)}</td>`);
          const isFirst = code !== undefined && !ids.has(code);
          if (isFirst) ids.add(code);
          return `<tr${isFirst ? ` id="${escaped(code)}"` : ''}>${inside.join('')}</tr>`;
        });
        // What scrolls sideways on a phone has to be reached by keyboard.
        const region = '<div class="wide" tabindex="0" role="group" aria-label="Table">';
        return `${region}<table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        return `<a href="${escaped(addressOf(href, name))}">${this.parser.parseInline(tokens)}</a>`;
      },
      // Pictures are for the web; what the manual tells stands in its words.
      image: ({ text: words }: Tokens.Image) => `<em>${escaped(words)}</em>`,
      // Comments are for the tests of the manual.
      html: ({ text: words }: Tokens.HTML | Tokens.Tag) =>
        escaped(words.replace(/<!--[\s\S]*?-->/g, '')),
    },
  });
  const title = /^# (.+)$/m.exec(text)?.[1] ?? 'Manual';
  const body = marked.parse(text, { async: false });
  return TEMPLATE.replace(/@(\w+)@/g, (_, word: string) => {
    return { style, icon, body, title: escaped(title.replaceAll('`', '')) }[word] ?? '';
  });
}

/** Another file of the manual is where this one is; what is not in it is only named. */
function addressOf(href: string, from: string): string {
  const [path = '', anchor] = href.split('#');
  if (/^[a-z]+:/i.test(href) || path === '') return href;
  const file = posix.normalize(posix.join(posix.dirname(from), path));
  const page = file.replace(/(^|\/)(README|index)\.md$/, '$1').replace(/\.md$/, '');
  return `/manual/${page}${anchor === undefined ? '' : `#${anchor}`}`;
}

function slugOf(words: string): string {
  return words
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
