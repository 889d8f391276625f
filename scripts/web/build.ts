/**
 * Builds the page of a gateway, that of a coordinator, and the manual: a document and a script a page, one
 * sheet of styles, with their hashes in their names, and each file of `docs` as a document of the manual.
 *
 *   node scripts/web/build.ts [OUTPUT-FOLDER]        dist/web, unless another is named
 *
 * The folder is replaced whole, and only where something it is made from has changed.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { build, type Metafile } from 'esbuild';
import { manualPage } from './manual.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SOURCE = join(ROOT, 'src/web');
/** Each document and its script. */
const PAGES = { 'index.html': 'main.tsx', 'fleet.html': 'fleet.tsx' };
/** No hidden file: what empties the folder (tsup, before it bundles) leaves those. */
const STAMP = 'made-from';
/** ES2023, as every browser of the last two years has it. */
const TARGET = 'es2023';

export async function buildWeb(folder = join(ROOT, 'dist/web')): Promise<string> {
  const made = madeFrom();
  const stamp = join(folder, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === made) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    await fill(fresh);
    writeFileSync(join(fresh, STAMP), made);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    // Another one was here first.
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== made) throw error;
  }
  return folder;
}

async function fill(folder: string): Promise<void> {
  const { metafile } = await build({
    entryPoints: ['main.tsx', 'fleet.tsx', 'style.css', 'icon.svg'].map((name) =>
      join(SOURCE, name),
    ),
    outdir: join(folder, 'assets'),
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    format: 'esm',
    target: TARGET,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    entryNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    // What was bundled is read off it for the bill of materials; it is not served.
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  const style = assetOf(metafile, 'style.css');
  const head = { style, icon: assetOf(metafile, 'icon.svg') };
  const template = readFileSync(join(SOURCE, 'index.html'), 'utf8');
  for (const [name, source] of Object.entries(PAGES)) {
    const main = assetOf(metafile, source);
    writeFileSync(join(folder, name), filled(template, { ...head, main }));
  }
  writeManual(join(folder, 'manual'), head);
}

function writeManual(folder: string, head: { style: string; icon: string }): void {
  for (const name of globSync('**/*.md', { cwd: join(ROOT, 'docs') }).sort()) {
    const text = readFileSync(join(ROOT, 'docs', name), 'utf8');
    const path = join(folder, name.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, manualPage(text, { ...head, name: name.replaceAll('\\', '/') }));
  }
}

/** Where the browser finds what came of a source. */
function assetOf({ outputs }: Metafile, source: string): string {
  const [path] =
    Object.entries(outputs).find(([name, { entryPoint, inputs }]) => {
      const from = entryPoint ?? Object.keys(inputs)[0] ?? '';
      return from === `src/web/${source}` && !name.endsWith('.map');
    }) ?? [];
  if (path === undefined) throw new Error(`nothing came of ${source}`);
  return `/assets/${basename(path)}`;
}

export function filled(text: string, words: Readonly<Record<string, string>>): string {
  return text.replace(/@(\w+)@/g, (_, name: string) => {
    const word = words[name];
    if (word === undefined) throw new Error(`nothing to put for @${name}@`);
    return word;
  });
}

/** A digest of all that it is made from. */
function madeFrom(): string {
  const digest = createHash('sha256');
  const files = globSync(['src/**/*.{ts,tsx,css,html,svg}', 'docs/**/*.md', 'scripts/web/*'], {
    cwd: ROOT,
  });
  for (const file of [...files, 'package-lock.json'].sort())
    digest
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  return digest.digest('hex');
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  await buildWeb(folder === undefined ? undefined : resolve(folder));
}
