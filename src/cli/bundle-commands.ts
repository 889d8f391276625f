/** The commands about bundles on a medium: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';
import { askingFleet } from './fleet-asking.ts';
import { asking } from './gateway-commands.ts';

export function addBundleCommands(program: Command): void {
  const bundle = program
    .command('bundle')
    .enablePositionalOptions()
    .description('campaigns on a stick: make, show, apply, events, import')
    .addHelpText('after', example('uplift bundle show /media/stick'));
  addCommand(bundle, 'make', 'campaigns and their images, for a gateway that nobody connects')
    .requiredOption('--campaign <file...>', 'signed campaigns')
    .option('--image <file...>', 'exactly the images that they name')
    .requiredOption('--out <folder>', 'the medium; uplift-bundle is made there')
    .option('--anchors <path>', 'check signatures and approvals: trust anchors')
    .option('--certificate <file...>', 'certificates of CAs between signers and anchors (PEM)')
    .option('--crl <file...>', 'revocation lists of every issuer')
    .option('--at <time>', 'check as of this moment')
    .addHelpText(
      'after',
      example(
        'uplift bundle make --campaign ppmid.campaign --image image.zigbee --out /media/stick',
      ),
    )
    .action(
      run(async (options, output) =>
        (await import('./bundle-make.ts')).make(options as never, output),
      ),
    );
  addCommand(bundle, 'show <folder>', 'what is on a medium, and whether it is whole')
    .addHelpText('after', example('uplift bundle show /media/stick'))
    .action(
      run(async (_options, output, folder: string) =>
        (await import('./bundle-show.ts')).show(folder, output),
      ),
    );
  asking(bundle, 'apply <folder>', 'gives it to the gateway, and takes its events along')
    .option('--wait', 'until its devices are through')
    .addHelpText('after', example('uplift bundle apply /media/stick --wait'))
    .action(
      run(async (options, output, folder: string) =>
        (await import('./bundle-apply.ts')).apply(folder, options as never, output),
      ),
    );
  addCommand(bundle, 'events <folder>', 'what gateways say on it of their campaigns')
    .addHelpText('after', example('uplift bundle events /media/stick'))
    .action(
      run(async (_options, output, folder: string) =>
        (await import('./bundle-events.ts')).showEvents(folder, output),
      ),
    );
  addBundleImport(bundle, 'import');
}

/** Here, and beside the commands that ask a coordinator. */
export function addBundleImport(parent: Command, name: string): void {
  askingFleet(parent, `${name} <folder>`, 'brings the events on a medium to the coordinator')
    .option('--remove', 'take off the medium what the coordinator has')
    .addHelpText('after', example(`uplift ${parent.name()} ${name} /media/stick`))
    .action(
      run(async (options, output, folder: string) =>
        (await import('./bundle-import.ts')).importBundle(folder, options as never, output),
      ),
    );
}
