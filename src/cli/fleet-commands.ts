/** The commands about a fleet: its coordinator, and what it is asked. Names, options and examples. */
import type { Command } from 'commander';
import { addBundleImport } from './bundle-commands.ts';
import { addCommand, example, run } from './command.ts';
import { askingFleet } from './fleet-asking.ts';
import type { CampaignCommand } from './fleet-campaign.ts';

export function addFleetCommands(program: Command, version: string): void {
  const fleet = program
    .command('fleet')
    .enablePositionalOptions()
    .description('many gateways: serve, gateway, campaign, import, audit, openapi')
    .addHelpText('after', example('uplift fleet campaign show ppmid-2027-01'));
  addCommand(fleet, 'serve', 'the coordinator of a fleet: gateways ask it, people ask it')
    .option('--config <file>', 'the configuration', '/etc/uplift/fleet.yaml')
    .addHelpText('after', example('uplift fleet serve --config hw-config/fleet.example.yaml'))
    .action(
      run(async (options) =>
        (await import('./fleet-serve.ts')).serveFleet(options as never, version),
      ),
    );
  addCommand(fleet, 'openapi', 'its API as OpenAPI 3.1 documents: for operators and for gateways')
    .option('--of <whom>', 'operators or gateways', 'operators')
    .addHelpText('after', example('uplift fleet openapi --of gateways > gateways.json'))
    .action(
      run(async (options, output) =>
        (await import('./fleet-openapi.ts')).showFleetApi(options as never, version, output),
      ),
    );
  addGatewayCommands(fleet);
  addCampaignCommands(fleet);
  addBundleImport(fleet, 'import');
  addAuditCommands(fleet);
}

function addGatewayCommands(fleet: Command): void {
  const gateway = fleet
    .command('gateway')
    .description('gateways of the fleet: add, list, show, renew, revoke')
    .addHelpText('after', example('uplift fleet gateway add leeds-7'));
  askingFleet(gateway, 'add <name>', 'expects a gateway; its enrolment token is shown once')
    .addHelpText('after', example('uplift fleet gateway add leeds-7'))
    .action(
      run(async (options, output, name: string) =>
        (await import('./fleet-gateway.ts')).add(name, options as never, output),
      ),
    );
  paged(askingFleet(gateway, 'list', 'gateways by name, and when each was last heard of'))
    .addHelpText('after', example('uplift fleet gateway list'))
    .action(
      run(async (options, output) =>
        (await import('./fleet-gateway.ts')).list(options as never, output),
      ),
    );
  askingFleet(gateway, 'show <name>', 'a gateway and the devices that it told of')
    .addHelpText('after', example('uplift fleet gateway show leeds-7'))
    .action(
      run(async (options, output, name: string) =>
        (await import('./fleet-gateway.ts')).show(name, options as never, output),
      ),
    );
  askingFleet(gateway, 'renew <name>', 'a new token, for one that lost its key or its disk')
    .addHelpText('after', example('uplift fleet gateway renew leeds-7'))
    .action(
      run(async (options, output, name: string) =>
        (await import('./fleet-gateway.ts')).renew(name, options as never, output),
      ),
    );
  askingFleet(gateway, 'revoke <name>', 'shuts a gateway out')
    .requiredOption('--reason <text>', 'why')
    .addHelpText('after', example("uplift fleet gateway revoke leeds-7 --reason 'stolen'"))
    .action(
      run(async (options, output, name: string) =>
        (await import('./fleet-gateway.ts')).revoke(name, options as never, output),
      ),
    );
}

function addCampaignCommands(fleet: Command): void {
  const campaign = fleet
    .command('campaign')
    .description(
      'campaigns of the fleet: submit, list, show, devices, events, start, pause, resume, abort, retry',
    )
    .addHelpText('after', example('uplift fleet campaign show ppmid-2027-01'));
  askingFleet(campaign, 'submit <file>', 'brings a signed campaign, and the images it lists')
    .option('--image <file...>', 'images to upload first; those that are there are not sent again')
    .addHelpText(
      'after',
      example('uplift fleet campaign submit ppmid.campaign --image image.zigbee'),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./fleet-campaign.ts')).submit(path, options as never, output),
      ),
    );
  paged(askingFleet(campaign, 'list', 'campaigns, and how far they are'))
    .addHelpText('after', example('uplift fleet campaign list'))
    .action(
      run(async (options, output) =>
        (await import('./fleet-campaign.ts')).list(options as never, output),
      ),
    );
  askingFleet(campaign, 'show <campaign>', 'its rings with counts, why it stands, and what is next')
    .addHelpText('after', example('uplift fleet campaign show ppmid-2027-01'))
    .action(
      run(async (options, output, id: string) =>
        (await import('./fleet-campaign.ts')).show(id, options as never, output),
      ),
    );
  paged(askingFleet(campaign, 'devices <campaign>', 'its devices, and why those that failed did'))
    .option('--ring <name>', 'of this ring')
    .option('--state <state>', 'in this state, such as failed')
    .option('--gateway <name>', 'behind this gateway')
    .addHelpText('after', example('uplift fleet campaign devices ppmid-2027-01 --state failed'))
    .action(
      run(async (options, output, id: string) =>
        (await import('./fleet-campaign.ts')).devices(id, options as never, output),
      ),
    );
  askingFleet(campaign, 'events <campaign> <device>', 'what its gateway told of a device, in order')
    .addHelpText('after', example('uplift fleet campaign events ppmid-2027-01 000d6f000a9069e7'))
    .action(
      run(async (options, output, id: string, device: string) =>
        (await import('./fleet-campaign.ts')).events(id, device, options as never, output),
      ),
    );
  addCampaignCommand(campaign, 'start', 'lets it begin; not by who submitted it');
  withReason(
    addCampaignCommand(
      campaign,
      'pause',
      'starts no more devices until it is resumed',
      " --reason 'a meter went dark'",
    ),
  );
  addCampaignCommand(campaign, 'resume', 'goes on with one that is paused or held');
  withReason(
    addCampaignCommand(
      campaign,
      'abort',
      'starts nothing of it ever again',
      " --reason 'the image was withdrawn'",
    ),
  );
  addCampaignCommand(campaign, 'retry', 'gives devices that failed another attempt').option(
    '--device <name...>',
    'these alone',
  );
}

function addCampaignCommand(
  campaign: Command,
  name: CampaignCommand,
  description: string,
  shown = '',
): Command {
  return askingFleet(campaign, `${name} <campaign>`, description)
    .addHelpText('after', example(`uplift fleet campaign ${name} ppmid-2027-01${shown}`))
    .action(
      run(async (options, output, id: string) =>
        (await import('./fleet-campaign.ts')).command(name, id, options as never, output),
      ),
    );
}

function addAuditCommands(fleet: Command): void {
  const audit = fleet
    .command('audit')
    .description('what people asked of the coordinator: show, check')
    .addHelpText('after', example('uplift fleet audit show'));
  paged(askingFleet(audit, 'show', 'who asked for what, in order'))
    .addHelpText('after', example('uplift fleet audit show --after 100'))
    .action(
      run(async (options, output) =>
        (await import('./fleet-audit.ts')).show(options as never, output),
      ),
    );
  askingFleet(audit, 'check', 'whether any entry was edited, removed or moved')
    .addHelpText('after', example('uplift fleet audit check'))
    .action(
      run(async (options, output) =>
        (await import('./fleet-audit.ts')).check(options as never, output),
      ),
    );
}

function paged(made: Command): Command {
  return made
    .option('--last <number>', 'at most so many', '50')
    .option('--after <name>', 'those that follow this one');
}

function withReason(made: Command): Command {
  return made.requiredOption('--reason <text>', 'why');
}
