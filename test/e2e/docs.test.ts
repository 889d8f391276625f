/**
 * The documentation as its readers use it: every command of README and manual is given, in the order of its page and
 * in a folder of its own, and what it says is held against what the page shows (test/docs/pages.ts says how pages
 * mark what). A command that cannot run here says why; they are counted.
 *
 *   DOCS_WRITE=yes node test/e2e/docs.test.ts [FILTER]     puts what was said in place of what differs
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { difference } from '../docs/expected.ts';
import { PageFolder } from '../docs/page-folder.ts';
import { PageShell, type Spoken } from '../docs/page-shell.ts';
import { commandsOf, type DocumentedCommand, type Page, ROOT, readPages } from '../docs/pages.ts';

const test = suite('docs');
const isWriting = process.env['DOCS_WRITE'] === 'yes';
const [filter = ''] = process.argv.slice(2);
/** Most of a page is waiting for lines and radios. */
const AT_ONCE = 6;

interface Outcome {
  faults: string[];
  ran: number;
  wallMs: number;
}

const pages = readPages().filter(({ path }) => path.includes(filter));
const runnable = pages
  .filter((page) => commandsToRun(page).length > 0)
  .sort((a, b) => commandsToRun(b).length - commandsToRun(a).length);
const outcomes = runAll(runnable);

for (const page of runnable) {
  test(page.path, async () => {
    const { faults } = await outcomes.get(page)!;
    assert.is(faults.join('\n\n'), '', faults.join('\n\n'));
  });
}

test('what does not run says why, and is little', async () => {
  const results = await Promise.all(outcomes.values());
  const ran = results.reduce((sum, one) => sum + one.ran, 0);
  const marked = pages.filter(({ path }) => !path.startsWith('docs/reference/')).flatMap(notRun);
  console.log(`NOTE ${ran} commands ran, ${marked.length} did not:`);
  for (const line of marked) console.log(`NOTE   ${line}`);
  if (filter === '') assert.ok(ran > 2 * marked.length, `${ran} ran, ${marked.length} did not`);
});

function commandsToRun({ blocks }: Page): DocumentedCommand[] {
  return blocks
    .filter(({ language, notRun }) => language === 'console' && notRun === undefined)
    .flatMap(commandsOf);
}

function notRun({ path, blocks }: Page): string[] {
  return blocks.flatMap((block) =>
    block.notRun === undefined
      ? []
      : commandsOf(block).map(({ line, text }) => `${path}:${line} ${text} (${block.notRun})`),
  );
}

function runAll(all: readonly Page[]): Map<Page, Promise<Outcome>> {
  const queue = [...all];
  const finish = new Map<Page, (outcome: Outcome) => void>();
  const made = new Map(
    all.map((page) => [page, new Promise<Outcome>((resolve) => finish.set(page, resolve))]),
  );
  const work = async (): Promise<void> => {
    for (let page = queue.shift(); page; page = queue.shift()) {
      const startedMs = performance.now();
      const { faults, ran } = await runPage(page).catch((error: Error) => ({
        faults: [error.stack ?? error.message],
        ran: 0,
      }));
      const wallMs = performance.now() - startedMs;
      console.log(`${page.path}: ${ran} commands in ${(wallMs / 1000).toFixed(1)} s`);
      finish.get(page)!({ faults, ran, wallMs });
    }
  };
  for (let worker = 0; worker < AT_ONCE; worker++) void work();
  return made;
}

async function runPage(page: Page): Promise<Omit<Outcome, 'wallMs'>> {
  const folder = await PageFolder.make(page);
  const shell = new PageShell(folder);
  const faults: string[] = [];
  const written: { command: DocumentedCommand; said: string }[] = [];
  let ran = 0;
  try {
    for (const block of page.blocks) {
      if (block.file !== undefined) folder.write(block.file, `${block.lines.join('\n')}\n`);
      if (block.language !== 'console' || block.notRun !== undefined) continue;
      const commands = commandsOf(block);
      for (const [at, command] of commands.entries()) {
        const { said, code } = await give(shell, command);
        folder.meet(command.expected, said);
        const spoken = { said: folder.toPage(said), code };
        ran += 1;
        const mayFail = commands[at + 1]?.text === 'echo $?';
        const fault = faultIn(command, spoken, mayFail);
        if (fault === undefined) continue;
        faults.push(`${page.path}:${command.line} $ ${command.text}\n${fault}`);
        written.push({ command, said: spoken.said });
      }
    }
  } finally {
    await shell.end();
    folder.remove();
  }
  if (isWriting) writeBack(page, written);
  return { faults, ran };
}

function give(shell: PageShell, { text, expected }: DocumentedCommand): Promise<Spoken> {
  if (!/[^&]&$/.test(text)) return shell.run(text);
  const isReady = (said: string) => difference(expected, said) === undefined;
  return shell.start(
    text,
    (said) => isReady(said) || (isWriting && /is up|serves at|distributing/.test(said)),
  );
}

function faultIn(
  { expected }: DocumentedCommand,
  { said, code }: Spoken,
  mayFail: boolean,
): string | undefined {
  if (code !== 0 && !mayFail) return `it ended with exit code ${code}\n${said}`;
  return difference(expected, said);
}

function writeBack(page: Page, written: readonly { command: DocumentedCommand; said: string }[]) {
  const path = resolve(ROOT, page.path);
  const lines = readFileSync(path, 'utf8').split('\n');
  for (const { command, said } of [...written].reverse()) {
    const begins = command.line - 1 + command.text.split('\n').length;
    const shown = said.split('\n').map((line) => line.trimEnd());
    while (shown.at(-1) === '') shown.pop();
    lines.splice(begins, command.expected.length, ...shown);
  }
  writeFileSync(path, lines.join('\n'));
}

test.run();
