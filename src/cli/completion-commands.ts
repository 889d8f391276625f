/** The commands by which a shell completes `uplift` command lines. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';
import { SHELLS, VALUE_KINDS } from './completion-kinds.ts';

export function addCompletionCommands(program: Command): void {
  addCommand(program, 'completion', 'what makes a shell complete the commands of uplift')
    .addArgument(program.createArgument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', example('. <(uplift completion bash)'))
    .action(
      run(async (_options, output, shell: string) =>
        (await import('./completion.ts')).completion(shell as never, program, output),
      ),
    );
  addHidden(program);
}

/** What the scripts ask for while somebody types. */
function addHidden(program: Command): void {
  program
    .command('completion-values', { hidden: true })
    .description('ids that fit, a line each; nothing where they cannot be had at once')
    .option('--json', 'one JSON document')
    .addArgument(program.createArgument('<kind>', 'of what').choices(VALUE_KINDS))
    .option('--rig <file>', 'the rig whose devices they are, else the gateway')
    .option('--socket <path>', 'the socket of the gateway')
    .option('--api <url>', 'its address in place of that')
    .option('--api-ca <file>', 'who signs its certificate (PEM)')
    .option('--token-file <file>', 'who asks')
    .addHelpText('after', example('uplift completion-values devices --rig my-rig.yaml'))
    .action(
      run(async (options, output, kind: string) =>
        (await import('./completion-values.ts')).completionValues(
          kind as never,
          options as never,
          output,
        ),
      ),
    );
}
