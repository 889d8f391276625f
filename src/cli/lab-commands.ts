/** The commands about the lab: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

const RIG = 'hw-config/rigs/virtual-site.yaml';

export function addLabCommands(program: Command, version: string): void {
  const lab = program
    .command('lab')
    .enablePositionalOptions()
    .description('scenarios on a rig, over and over: list, show, run, report, replay')
    .addHelpText('after', example(`uplift lab run upgrade --rig ${RIG}`));
  addCommand(lab, 'list', 'the scenarios that come with Uplift')
    .addHelpText('after', example('uplift lab list'))
    .action(run(async (_options, output) => (await import('./lab-list.ts')).listScenarios(output)));
  addCommand(lab, 'show <scenario...>', 'the runs that scenarios come to; touches nothing')
    .option('--rig <file>', 'on this rig')
    .option('--device <id...>', 'only these devices of the rig')
    .option('--seed <number>', 'of every random choice')
    .option('--set <name=value...>', 'in place of variables of the scenarios')
    .addHelpText('after', example(`uplift lab show upgrade --rig ${RIG}`))
    .action(
      run(async (options, output, paths: string[]) =>
        (await import('./lab-show.ts')).showScenarios(paths, options as never, output),
      ),
    );
  addCommand(lab, 'run [scenario...]', 'run scenarios on a rig; a name is one that `list` tells')
    .option('--rig <file>', 'the rig file')
    .option('--device <id...>', 'only these devices of the rig')
    .option('--repeat <number>', 'turns of every run')
    .option('--until <time>', 'nothing begins after this, such as 2027-01-31T06:00:00Z')
    .option('--seed <number>', 'of every random choice; else one is made and told')
    .option('--set <name=value...>', 'in place of variables of the scenarios, such as pairs=10')
    .option('--parallel <number>', 'runs beside each other, as far as devices are free', '1')
    .option('--retry-failed <number>', 'more attempts where the rig or the transfer failed', '0')
    .option('--set-aside-after <number>', 'failures of the rig in a row at one device', '3')
    .option('--run <name...>', 'only these runs, as a report names them')
    .option('--out <folder>', 'where log and reports go; else a new folder below .uplift/lab')
    .option('--resume <folder>', 'go on with what a lab that was cut off has not done')
    .option('--keep-recordings', 'keep those of runs that passed, too')
    .addHelpText(
      'after',
      example(`uplift lab run upgrade held-activation --rig ${RIG} --parallel 2`) +
        example(`uplift lab run upgrade --rig ${RIG} --until 2027-01-31T06:00:00Z`) +
        '\nExit codes: 0 all passed; 5 a device failed, 7 a check did not hold, 4 an image did not get\n' +
        'across, 6 the rig failed (the first of these that is so); 130 interrupted.\n',
    )
    .action(
      run(async (options, output, paths: string[]) =>
        (await import('./lab-run.ts')).runScenarios(paths, options as never, version, output),
      ),
    );
  addCommand(lab, 'report <folder...>', 'how steady it is over one night or many, and reports anew')
    .option('--out <folder>', 'where the report goes; else into the folder, where it is one')
    .addHelpText('after', example('uplift lab report .uplift/lab/*'))
    .action(
      run(async (options, output, folders: string[]) =>
        (await import('./lab-report.ts')).reportLabs(folders, options as never, output),
      ),
    );
  addCommand(lab, 'replay <recording>', 'has its machines do the same again')
    .addHelpText('after', example('uplift lab replay run-12.uplrec'))
    .action(
      run(async (_options, output, path: string) =>
        (await import('./lab-replay.ts')).replay(path, output),
      ),
    );
}
