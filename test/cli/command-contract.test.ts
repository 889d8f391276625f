/**
 * What every command keeps, gone over by the tree that reads the command line: --json, help with an example that is a
 * true command line, and the exit codes.
 */
import type { Command } from 'commander';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from '../../src/cli/command.ts';
import { commandLineError } from '../../src/cli/command-line-error.ts';
import { type CommandEntry, commandTree } from '../../src/cli/command-tree.ts';
import { CommanderError, makeProgram } from '../../src/cli/program.ts';
import { EXIT, UpliftError } from '../../src/errors.ts';

const test = suite('contract of commands');
const tree = commandTree(makeProgram('0.0.0'));
const nameOf = ({ path }: CommandEntry) => ['uplift', ...path].join(' ');
/** Those that do something; `duis outbox` also has commands beneath it. */
const leaves = tree.filter((entry) => acts(entry));

function acts({ path }: CommandEntry): boolean {
  const made = commandOf(path) as Command & { _actionHandler: unknown };
  return made['_actionHandler'] !== null && made['_actionHandler'] !== undefined;
}

function commandOf(path: readonly string[]): Command {
  return path.reduce<Command>(
    (command, word) => command.commands.find((one) => one.name() === word)!,
    makeProgram('0.0.0'),
  );
}

/** What the parser throws; nothing is run. */
async function refused(words: readonly string[]): Promise<UpliftError> {
  const program = makeProgram('0.0.0');
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return commandLineError(error, [...words], program);
  }
  throw new Error(`uplift ${words.join(' ')} is not refused`);
}

test('there are commands, and each has --json, --quiet and --verbose', () => {
  assert.ok(leaves.length > 60, `${leaves.length}`);
  for (const entry of leaves) {
    const longs = entry.options.map(({ long }) => long);
    for (const long of ['--json', '--quiet', '--verbose', '--help'])
      assert.ok(longs.includes(long), `${nameOf(entry)} has no ${long}`);
  }
});

test('each says what it is, with an example of itself', () => {
  for (const entry of tree) {
    assert.ok(entry.description.length > 3, nameOf(entry));
    assert.ok(entry.examples.length > 0, `${nameOf(entry)} has no example`);
    for (const option of entry.options)
      assert.ok(option.description.length > 2, `${nameOf(entry)} ${option.long}`);
  }
  for (const entry of leaves) {
    const isShown = entry.examples.some((line) => line.includes(nameOf(entry)));
    assert.ok(isShown, `${nameOf(entry)}: ${entry.examples.join(' ')}`);
  }
});

test('every example is a command line that the parser takes', async () => {
  for (const entry of tree) {
    for (const line of entry.examples) {
      const words = wordsOf(line);
      const program = makeProgram('0.0.0');
      for (const command of [program, ...below(program)]) command.action(() => {});
      await program.parseAsync(words, { from: 'user' }).catch((error: Error) => {
        throw new Error(`${line}: ${error.message}`);
      });
    }
  }
});

test('an option that is not there: exit code 2, what is expected, found and next', async () => {
  for (const { path } of leaves) {
    const { code, exit, expected, actual, next } = await refused([...path, '--bogus']);
    const name = path.join(' ');
    assert.is(code, 'command-line', name);
    assert.is(exit, EXIT.usage, name);
    assert.match(actual!, '--bogus', name);
    for (const said of [expected, next]) assert.ok(said!.length > 0, name);
  }
});

test('what a command throws, or gives back, is the exit code of the process', async () => {
  const before = process.exitCode;
  const { write } = process.stdout;
  const said: string[] = [];
  process.stdout.write = ((text: string) => said.push(text) > 0) as typeof write;
  const codes: unknown[] = [];
  try {
    for (const body of [
      () => EXIT.refused,
      () => Promise.resolve(EXIT.interrupted),
      () => {
        throw new UpliftError('x', 'y', { exit: EXIT.notReachable });
      },
      () => {
        throw new TypeError('a bug');
      },
    ]) {
      await run(body)({ opts: () => ({ json: true }) });
      codes.push(process.exitCode);
    }
  } finally {
    process.stdout.write = write;
    process.exitCode = before;
  }
  assert.equal(codes, [EXIT.refused, EXIT.interrupted, EXIT.notReachable, EXIT.bug]);
  assert.equal(
    said.map((line) => JSON.parse(line).error.exit),
    [EXIT.notReachable, EXIT.bug],
  );
});

function below(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...below(one)]);
}

/** As a shell would split them, up to what it would do with the output. */
function wordsOf(line: string): string[] {
  const [, rest] = /(?:^|\()uplift (.*?)(?: >.*|\))?$/.exec(line) ?? [];
  assert.ok(rest, line);
  return [...rest.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, ...words]) => words.join(''));
}

test.run();
