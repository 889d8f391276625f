/** Turns what the command-line parser refuses into an error like every other: expected, found, next. */
import type { Command, CommanderError } from 'commander';
import { UpliftError } from '../errors.ts';

/** `words` are the command line after the program's name. */
export function commandLineError(
  error: CommanderError,
  words: string[],
  program: Command,
): UpliftError {
  const command = namedCommand(words, program);
  const path = command.parent ? `${pathOf(command)} ` : '';
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? '';
  return new UpliftError('command-line', message, {
    expected: expectedBy(error.code, command, quoted),
    actual: `uplift ${words.join(' ')}`.trim(),
    next: `\`uplift ${path}--help\` shows what there is, with an example`,
  });
}

function expectedBy(code: string, command: Command, quoted: string): string {
  const options = command.options.map((option) => option.long ?? option.flags);
  switch (code) {
    case 'commander.unknownCommand':
      return command.commands.map((known) => known.name()).join(', ');
    case 'commander.unknownOption':
      return [...options, '--help'].join(', ');
    case 'commander.missingMandatoryOptionValue':
    case 'commander.optionMissingArgument':
      return quoted;
    default:
      return command.usage() === '' ? command.name() : `${pathOf(command)} ${command.usage()}`;
  }
}

/** The command that the words name, as deep as they do. */
function namedCommand(words: string[], program: Command): Command {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((known) => known.name() === word);
    if (!next) return command;
    command = next;
  }
  return command;
}

function pathOf(command: Command): string {
  const above = command.parent?.parent ? `${pathOf(command.parent)} ` : '';
  return `${above}${command.name()}`;
}
