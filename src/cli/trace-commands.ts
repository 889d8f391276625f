/** The commands about recordings: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addTraceCommands(program: Command): void {
  const trace = program
    .command('trace')
    .enablePositionalOptions()
    .description('recordings in the words of their protocols: show')
    .addHelpText('after', example('uplift trace show run-12.uplrec'));
  addCommand(trace, 'show <recording>', 'every frame, with time, direction and meaning')
    .option('--link <name...>', 'only these links')
    .option('--pcapng <file>', 'write them to a file for Wireshark instead')
    .addHelpText('after', example('uplift trace show run-12.uplrec --pcapng run-12.pcapng'))
    .action(
      run(async (options, output, path: string) =>
        (await import('./trace.ts')).showTrace(path, options as never, output),
      ),
    );
}
