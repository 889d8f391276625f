/** What every command has: its options, its example, and an end that becomes the exit code. */
import type { Command } from 'commander';
import type { ExitCode } from '../errors.ts';
import { Output, type OutputOptions } from './output.ts';

export function addCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--json', 'one JSON document on stdout, or one line an event for long work')
    .option('--quiet', 'nothing but errors')
    .option('--verbose', 'more, with the source of each rule');
}

/** Runs a command's body; whatever comes out of it becomes the exit code. */
export function run<A extends unknown[]>(
  body: (options: OutputOptions, output: Output, ...parameters: A) => ExitCode | Promise<ExitCode>,
) {
  return async (...received: unknown[]) => {
    const made = received.at(-1) as Command;
    const options = made.opts<OutputOptions>();
    const output = new Output(options);
    try {
      process.exitCode = await body(options, output, ...(received.slice(0, -2) as A));
    } catch (error) {
      process.exitCode = output.error(error);
    }
  };
}

export function example(text: string): string {
  return `\nExample:\n  ${text}\n`;
}
