#!/usr/bin/env node
/** The command line: reads the words, and says what is wrong with them as every error is said. */
import { readFileSync } from 'node:fs';
import { EXIT, type ExitCode } from '../errors.ts';
import { commandLineError } from './command-line-error.ts';
import { Output, outliveReaders } from './output.ts';
import { CommanderError, makeProgram } from './program.ts';
import { shippedPath } from './shipped.ts';

const { version } = JSON.parse(readFileSync(shippedPath('package.json'), 'utf8')) as {
  version: string;
};

outliveReaders();
const program = makeProgram(version);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = refuseCommandLine(error);
}

/** Help was asked for, or shown in place of a command; all else is said as every error is. */
function refuseCommandLine(error: CommanderError): ExitCode {
  if (error.exitCode === 0) return EXIT.done;
  if (error.code === 'commander.help') return EXIT.usage;
  const words = process.argv.slice(2);
  const output = new Output({ json: words.includes('--json') });
  return output.error(commandLineError(error, words, program));
}
