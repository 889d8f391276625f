/** The commands about wired-up devices: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addRigCommands(program: Command): void {
  const rig = program
    .command('rig')
    .description('the wired-up devices: list, check, join, up, discover, lock, unlock, locks')
    .addHelpText('after', example('uplift rig check --rig hw-config/rigs/virtual-ppmid.yaml'));
  rigCommand(rig, 'list', 'the rigs that come with Uplift, or what a rig file names', false).action(
    run(async (options, output) => (await import('./rig.ts')).list(options as never, output)),
  );
  rigCommand(rig, 'check', 'open every port, ask every device what it runs; write nothing', true)
    .option('--device <id...>', 'only these devices')
    .option('--power', 'also switch supplies off and on, and see whether they did')
    .action(
      run(async (options, output) => (await import('./rig.ts')).check(options as never, output)),
    );
  rigCommand(rig, 'join', 'open the network for devices of the rig that never joined it', true)
    .option('--device <id...>', 'only these devices')
    .action(
      run(async (options, output) =>
        (await import('./rig.ts')).joinDevices(options as never, output),
      ),
    );
  rigCommand(rig, 'up', 'run the virtual devices of a rig until Ctrl-C', true)
    .option('--fresh', 'forget what the rig was before: new devices, empty network')
    .action(
      run(async (options, output) => (await import('./rig.ts')).up(options as never, output)),
    );
  addCommand(rig, 'discover', 'a rig file for what is plugged in')
    .option('--dry', 'open no port: only list the adapters')
    .option('--baud <rate>', 'the speed at which ports are asked', '115200')
    .option(
      '--models <folder>',
      'model files that found hubs may be of; else those that are shipped',
    )
    .option('--name <id>', 'the name of the rig', 'discovered')
    .option('--out <file>', 'write it there, where no file is yet')
    .addHelpText('after', example('uplift rig discover --out my-rig.yaml'))
    .action(
      run(async (options, output) =>
        (await import('./rig-discover.ts')).discoverRig(options as never, output),
      ),
    );
  addLockCommands(rig);
}

function addLockCommands(rig: Command): void {
  rigCommand(rig, 'lock', 'keep devices to yourself', true)
    .option('--device <id...>', 'only these devices')
    .option('--for <time>', 'how long: 90s, 30m, 8h, 2d', '8h')
    .option('--holder <name>', 'for whom; else user and machine')
    .action(
      run(async (options, output) =>
        (await import('./rig-locks.ts')).lock(options as never, output),
      ),
    );
  rigCommand(rig, 'unlock', 'give them back, whoever locked them', true)
    .option('--device <id...>', 'only these devices')
    .option('--force', 'also those that a run has, which ends it')
    .action(
      run(async (options, output) =>
        (await import('./rig-locks.ts')).unlock(options as never, output),
      ),
    );
  rigCommand(rig, 'locks', 'who has which device', true).action(
    run(async (options, output) =>
      (await import('./rig-locks.ts')).locks(options as never, output),
    ),
  );
}

function rigCommand(rig: Command, name: string, description: string, needsRig: boolean): Command {
  const made = addCommand(rig, name, description);
  const text = `uplift rig ${name} --rig hw-config/rigs/virtual-ppmid.yaml`;
  if (needsRig) made.requiredOption('--rig <file>', 'the rig file');
  else made.option('--rig <file>', 'the rig file');
  return made.addHelpText('after', example(text));
}
