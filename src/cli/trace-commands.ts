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
  addCommand(labOf(program), 'replay <recording>', 'has its machines do the same again')
    .addHelpText('after', example('uplift lab replay run-12.uplrec'))
    .action(
      run(async (_options, output, path: string) =>
        (await import('./lab-replay.ts')).replay(path, output),
      ),
    );
}

/** The group of commands of the lab, made by whoever comes first. */
function labOf(program: Command): Command {
  const made = program.commands.find((command) => command.name() === 'lab');
  if (made) return made;
  return program
    .command('lab')
    .enablePositionalOptions()
    .description('lab rigs: replay')
    .addHelpText('after', example('uplift lab replay run-12.uplrec'));
}
