/** The tree of commands. Each command is a file that is read when it is run; this one names those without a group. */
import { Command, CommanderError } from 'commander';
import { addAuditCommands } from './audit-commands.ts';
import { addBundleCommands } from './bundle-commands.ts';
import { addCampaignCommands } from './campaign-commands.ts';
import { addCommand, example, run } from './command.ts';
import { addCompletionCommands } from './completion-commands.ts';
import { addDuisCommands } from './duis-commands.ts';
import { addFleetCommands } from './fleet-commands.ts';
import { addGatewayCommands } from './gateway-commands.ts';
import { addLabCommands } from './lab-commands.ts';
import { LIST_KINDS } from './list-kinds.ts';
import { addRigCommands } from './rig-commands.ts';
import { addTraceCommands } from './trace-commands.ts';
import { addUpgradeCommands } from './upgrade-commands.ts';

export { CommanderError };

/** In the order in which help shows them. */
export function makeProgram(version: string): Command {
  const program = new Command('uplift')
    // What stands after the name of a command is that command's.
    .enablePositionalOptions()
    .description(
      'Upgrades the firmware of GB smart-metering devices: hubs over serial lines, PPMIDs over ZigBee.',
    )
    .version(version)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText(
      'after',
      example('uplift flash --rig hw-config/rigs/virtual-ppmid.yaml --image F'),
    );
  addUpgradeCommands(program);
  addListCommands(program);
  addRuleCommands(program);
  addAuditCommands(program);
  addServiceCommands(program, version);
  addRigCommands(program);
  addGatewayCommands(program, version);
  addDuisCommands(program);
  addCampaignCommands(program);
  addFleetCommands(program, version);
  addBundleCommands(program);
  addLabCommands(program, version);
  addTraceCommands(program);
  addCompletionCommands(program);
  return program;
}

function addListCommands(program: Command): void {
  addCommand(
    program,
    'readiness <installations>',
    'which installations are ready for migration, or how they can be',
  )
    .requiredOption('--cpl <file>', 'the Central Products List, as CSV or workbook')
    .requiredOption('--epcl <file>', 'the Eligible Products Combination List')
    .option('--ppct <file>', 'pending combinations: tests that expedited entries refer to')
    .option('--columns <file>', 'how the columns of these lists are called (YAML)')
    .option('--policy <file>', 'what the site chose (YAML)')
    .option('--fetched <time>', 'when the lists were fetched, such as 2021-07-20')
    .option('--at <time>', 'answer as of this moment')
    .addHelpText(
      'after',
      example(
        'uplift readiness firmware/lists/installations.csv --cpl firmware/lists/products.csv ' +
          '--epcl firmware/lists/eligible-combinations.csv',
      ),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./readiness.ts')).readiness(path, options as never, output),
      ),
    );
  const lists = program
    .command('lists')
    .description('lists of products and combinations: lint')
    .addHelpText('after', example('uplift lists lint firmware/central-products-list.csv'));
  addCommand(lists, 'lint <file>', 'what is wrong with a list, with row and column')
    .option('--kind <kind>', `what it is: ${LIST_KINDS.join(', ')}`, 'cpl')
    .option('--columns <file>', 'how the columns of the list are called (YAML)')
    .option('--cpl <file>', 'hold the Device Models of combinations against this products list')
    .addHelpText('after', example('uplift lists lint firmware/central-products-list.csv'))
    .action(
      run(async (options, output, path: string) =>
        (await import('./lists.ts')).lint(path, options as never, output),
      ),
    );
}

function addRuleCommands(program: Command): void {
  const rules = program
    .command('rules')
    .description('the rules of admission: list, show')
    .addHelpText('after', example('uplift rules show s1sr.foc-ppmid'));
  addCommand(rules, 'list', 'every rule, and how sure it is')
    .addHelpText('after', example('uplift rules list'))
    .action(run(async (_options, output) => (await import('./rules.ts')).listRules(output)));
  addCommand(rules, 'show <id>', 'one rule, its source and its dates')
    .addHelpText('after', example('uplift rules show s1sr.foc-ppmid'))
    .action(
      run(async (_options, output, id: string) =>
        (await import('./rules.ts')).showRule(id, output),
      ),
    );
}

function addServiceCommands(program: Command, version: string): void {
  const config = program
    .command('config')
    .description('the configuration of a gateway or a coordinator: check')
    .addHelpText('after', example('uplift config check --config hw-config/gateway.example.yaml'));
  addCommand(config, 'check', 'what is wrong with it, and what it comes to; changes nothing')
    .option('--config <file>', 'the configuration, else /etc/uplift/gateway.yaml')
    .addHelpText('after', example('uplift config check --config hw-config/gateway.example.yaml'))
    .action(
      run(async (options, output) =>
        (await import('./config.ts')).checkConfig(options as never, output),
      ),
    );
  addCommand(
    program,
    'serve',
    'the gateway service: owns its rigs, takes jobs, goes on after any crash',
  )
    .option('--config <file>', 'the configuration', '/etc/uplift/gateway.yaml')
    .addHelpText('after', example('uplift serve --config hw-config/gateway.example.yaml'))
    .action(run(async (options) => (await import('./serve.ts')).serve(options as never, version)));
}
