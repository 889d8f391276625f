/** docs/reference/command-line.md: every command, from the tree that parses them. */
import type { Command, Option } from 'commander';
import { makeProgram } from '../../src/cli/program.ts';
import { EXIT } from '../../src/errors.ts';
import { code, page, sentence, table } from './markdown.ts';

const program = makeProgram('');
/** What every command has. */
const COMMON = ['--json', '--quiet', '--verbose'];

const EXITS: Record<keyof typeof EXIT, string> = {
  done: 'Done.',
  usage: 'The command line, or a file of configuration, is wrong.',
  refused: 'Refused: by a rule of admission, a signature, or a check. Nothing was sent.',
  transferFailed: 'The transfer failed; what the device has it keeps.',
  deviceFailed: 'The device said no, went back to its old version, or did not do what it was told.',
  notReachable: 'A device, a port or a service is not reached.',
  checkFailed: 'A check of a lab scenario did not hold.',
  bug: 'A bug in Uplift.',
  interrupted: 'Interrupted, and resumable: the same command goes on.',
};

export function commandLinePage(): string {
  const leaves = workingCommands(program);
  return page(
    'The command line',
    'Every command takes `--json` (one document, or a line an event for long work), `--quiet`, `--verbose` and ' +
      '`--help`. Results go to stdout, progress to stderr.',
    table(
      ['Command', 'What it does'],
      leaves.map((command) => {
        const name = nameOf(command);
        return [`[\`${name}\`](#${anchorOf(name)})`, sentence(command.description())];
      }),
    ),
    '## Exit codes',
    table(
      ['Exit', 'Meaning'],
      Object.entries(EXITS).map(([name, meaning]) => [
        `${EXIT[name as keyof typeof EXIT]}`,
        meaning,
      ]),
    ),
    '## Environment',
    table(
      ['Variable', 'What it is'],
      [
        ['`UPLIFT_SOCKET`', 'The socket of the gateway that is asked.'],
        ['`UPLIFT_TOKEN_FILE`', 'The file with the token of who asks.'],
        ['`UPLIFT_FLEET_SOCKET`', 'The socket of the coordinator that is asked.'],
        ['`UPLIFT_FLEET_API`', 'Its address, in place of the socket.'],
        ['`NO_COLOR`', 'Set: no colours.'],
      ],
    ),
    ...leaves.flatMap(partsOf),
  );
}

/** Of all that do something, in the order in which the help has them. */
export function workingCommands(command: Command): Command[] {
  const doesSomething = command.options.some(({ long }) => long === COMMON[0]);
  return [...(doesSomething ? [command] : []), ...command.commands.flatMap(workingCommands)];
}

/** Without the name of the program. */
export function nameOf(command: Command): string {
  const above = command.parent;
  return above && above !== program ? `${nameOf(above)} ${command.name()}` : command.name();
}

function partsOf(command: Command): string[] {
  const name = nameOf(command);
  const parameters = command.registeredArguments.map((one) => {
    const text = `${one.name()}${one.variadic ? '...' : ''}`;
    return one.required ? `<${text}>` : `[${text}]`;
  });
  const own = command.options.filter(({ long }) => !COMMON.includes(long ?? ''));
  return [
    `## ${name}`,
    sentence(command.description()),
    '<!-- not run: the shape and the example of each command, as its help has them -->',
    `    uplift ${[name, ...parameters, ...(own.length > 0 ? ['[options]'] : [])].join(' ')}`,
    own.length === 0 ? '' : table(['Option', 'What it is', 'Default'], own.map(rowOf)),
    `Example: \`${exampleOf(command)}\``,
  ].filter((part) => part !== '');
}

function rowOf(option: Option): string[] {
  const { flags, description, mandatory, defaultValue, negate } = option;
  const fallback = defaultValue === undefined || negate ? '' : code(String(defaultValue));
  return [code(flags), description, mandatory ? 'required' : fallback];
}

/** The help's own last words. */
export function exampleOf(command: Command): string {
  let said = '';
  command.configureOutput({ writeOut: (text) => (said += text) });
  command.outputHelp();
  const found = /\nExample:\n {2}(.+)\n/.exec(said);
  if (!found) throw new Error(`the help of ${nameOf(command)} has no example`);
  return found[1]!;
}

function anchorOf(name: string): string {
  return name.replaceAll(' ', '-');
}
