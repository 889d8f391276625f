#!/usr/bin/env node
/** The command line. Each command is a file; this one names them, their options and their examples. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, type ExitCode } from '../errors.ts';
import { addBundleCommands } from './bundle-commands.ts';
import { addCampaignCommands } from './campaign-commands.ts';
import { addCommand, example, run } from './command.ts';
import { commandLineError } from './command-line-error.ts';
import { addDuisCommands } from './duis-commands.ts';
import { addFleetCommands } from './fleet-commands.ts';
import { addGatewayCommands } from './gateway-commands.ts';
import { LIST_KINDS } from './list-kinds.ts';
import { Output, outliveReaders } from './output.ts';
import { shippedPath } from './shipped.ts';
import { addTraceCommands } from './trace-commands.ts';

const { version } = JSON.parse(readFileSync(shippedPath('package.json'), 'utf8')) as {
  version: string;
};

outliveReaders();
const program = new Command('uplift')
  // What stands after the name of a command is that command's.
  .enablePositionalOptions()
  .description(
    'Upgrades the firmware of GB smart-metering devices: hubs over serial lines, PPMIDs over ZigBee.',
  )
  .version(version)
  .configureOutput({ outputError: () => {} })
  .exitOverride()
  .addHelpText('after', example('uplift flash --rig hw-config/rigs/virtual-ppmid.yaml --image F'));

command('inspect <image>', 'what an image file is: every field, every sub-element, the hashes')
  .option('--profile <id>', 'read the body as gb-ppmid, gb-signed, zigbee-ota or smets1')
  .option('--trust <path>', "trust anchors to check the signature of a hub's image with")
  .addHelpText('after', example('uplift inspect firmware/121D-0084-02000000-test.zigbee'))
  .action(
    run(async (options, output, path: string) =>
      (await import('./inspect.ts')).inspect(path, options as never, output),
    ),
  );

addAdmission(command('verify <image>', 'whether an image would be admitted, and by which rule'))
  .option(
    '--profile <id>',
    'read the file as gb-ppmid, gb-signed, zigbee-ota, smets1, mcuboot, gbl or ebl',
  )
  .option('--rig <file>', 'take the device from this rig')
  .option('--device <id...>', 'which device of the rig')
  .option('--model <file>', 'take the device from this model file')
  .option(
    '--device-model <text>',
    'MANUFACTURER:MODEL:HARDWARE-VERSION:HARDWARE-REVISION as the products list writes them',
  )
  .option('--hardware <number>', 'hardware version the device states, such as 0x0100')
  .option(
    '--running <version>',
    'what the device runs: a file version such as 0x01000000, of a hub such as 1.2.3',
  )
  .option('--at <time>', 'decide as of this moment')
  .option('--audit <file>', "the audit log to record the decision in, else the rig's")
  .addHelpText(
    'after',
    example('uplift verify image.zigbee --cpl cpl.csv --rig hw-config/rigs/virtual-ppmid.yaml'),
  )
  .action(
    run(async (options, output, path: string) =>
      (await import('./verify.ts')).verify(path, options as never, output),
    ),
  );

addRig(command('plan', 'the steps of an upgrade and the time they take, touching nothing'))
  .addHelpText(
    'after',
    example('uplift plan --rig hw-config/rigs/virtual-ppmid.yaml --image image.zigbee'),
  )
  .action(
    run(async (options, output) => (await import('./plan.ts')).plan(options as never, output)),
  );

addRig(command('flash', 'upgrade devices of a rig now'))
  .option('--wait <seconds>', 'how long a device may take to ask for the image, a hub to answer')
  .option('--bell', 'ring the bell of the terminal at the end')
  .addHelpText(
    'after',
    example('uplift flash --rig hw-config/rigs/virtual-ppmid.yaml --image image.zigbee'),
  )
  .action(
    run(async (options, output) => (await import('./flash.ts')).flash(options as never, output)),
  );

command(
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
command('lint <file>', 'what is wrong with a list, with row and column', lists)
  .option('--kind <kind>', `what it is: ${LIST_KINDS.join(', ')}`, 'cpl')
  .option('--columns <file>', 'how the columns of the list are called (YAML)')
  .option('--cpl <file>', 'hold the Device Models of combinations against this products list')
  .addHelpText('after', example('uplift lists lint firmware/central-products-list.csv'))
  .action(
    run(async (options, output, path: string) =>
      (await import('./lists.ts')).lint(path, options as never, output),
    ),
  );

const ruleCommands = program
  .command('rules')
  .description('the rules of admission: list, show')
  .addHelpText('after', example('uplift rules show s1sr.foc-ppmid'));
command('list', 'every rule, and how sure it is', ruleCommands)
  .addHelpText('after', example('uplift rules list'))
  .action(run(async (_options, output) => (await import('./rules.ts')).listRules(output)));
command('show <id>', 'one rule, its source and its dates', ruleCommands)
  .addHelpText('after', example('uplift rules show s1sr.foc-ppmid'))
  .action(
    run(async (_options, output, id: string) => (await import('./rules.ts')).showRule(id, output)),
  );

const auditCommands = program
  .command('audit')
  .description('the log of what was decided and done: show, check, export')
  .addHelpText('after', example('uplift audit check --rig hw-config/rigs/virtual-ppmid.yaml'));
addLog(
  command('show', 'what was decided', auditCommands).addHelpText(
    'after',
    example('uplift audit show --log audit.jsonl'),
  ),
)
  .option('--last <number>', 'only the newest so many')
  .action(
    run(async (options, output) =>
      (await import('./audit.ts')).showAudit(options as never, output),
    ),
  );
addLog(
  command(
    'check',
    'whether any record was edited, removed, moved or cut off',
    auditCommands,
  ).addHelpText('after', example('uplift audit check --log audit.jsonl')),
)
  .option('--head <sequence:hash>', 'a head that was kept elsewhere')
  .option('--after <sequence:hash>', 'the record that the log begins after: of an archive')
  .option('--signature <file>', 'a signature over the log')
  .option('--key <file>', 'the public key (.pem) of who is to have signed it')
  .action(
    run(async (options, output) =>
      (await import('./audit.ts')).checkAudit(options as never, output),
    ),
  );
command('export', "a gateway's journal as a log that others can check", auditCommands)
  .requiredOption('--journal <folder>', 'the folder with journal.db')
  .requiredOption('--out <file>', 'the log to write, with its head beside it')
  .option('--sign <file>', 'a private key (.pem) to sign it with')
  .addHelpText('after', example('uplift audit export --journal /var/lib/uplift --out audit.jsonl'))
  .action(
    run(async (options, output) =>
      (await import('./audit.ts')).exportAudit(options as never, output),
    ),
  );

const configCommands = program
  .command('config')
  .description('the configuration of a gateway or a coordinator: check')
  .addHelpText('after', example('uplift config check --config hw-config/gateway.example.yaml'));
command('check', 'what is wrong with it, and what it comes to; changes nothing', configCommands)
  .option('--config <file>', 'the configuration, else /etc/uplift/gateway.yaml')
  .addHelpText('after', example('uplift config check --config hw-config/gateway.example.yaml'))
  .action(
    run(async (options, output) =>
      (await import('./config.ts')).checkConfig(options as never, output),
    ),
  );

command('serve', 'the gateway service: owns its rigs, takes jobs, goes on after any crash')
  .option('--config <file>', 'the configuration', '/etc/uplift/gateway.yaml')
  .addHelpText('after', example('uplift serve --config hw-config/gateway.example.yaml'))
  .action(run(async (options) => (await import('./serve.ts')).serve(options as never, version)));

const rig = program
  .command('rig')
  .description('the wired-up devices: list, check, join, up, discover, lock, unlock, locks')
  .addHelpText('after', example('uplift rig check --rig hw-config/rigs/virtual-ppmid.yaml'));
rigCommand('list', 'the rigs that come with Uplift, or what a rig file names', false).action(
  run(async (options, output) => (await import('./rig.ts')).list(options as never, output)),
);
rigCommand('check', 'open every port, ask every device what it runs; write nothing', true)
  .option('--device <id...>', 'only these devices')
  .option('--power', 'also switch supplies off and on, and see whether they did')
  .action(
    run(async (options, output) => (await import('./rig.ts')).check(options as never, output)),
  );
rigCommand('join', 'open the network for devices of the rig that never joined it', true)
  .option('--device <id...>', 'only these devices')
  .action(
    run(async (options, output) =>
      (await import('./rig.ts')).joinDevices(options as never, output),
    ),
  );
rigCommand('up', 'run the virtual devices of a rig until Ctrl-C', true)
  .option('--fresh', 'forget what the rig was before: new devices, empty network')
  .action(run(async (options, output) => (await import('./rig.ts')).up(options as never, output)));

command('discover', 'a rig file for what is plugged in', rig)
  .option('--dry', 'open no port: only list the adapters')
  .option('--baud <rate>', 'the speed at which ports are asked', '115200')
  .option('--models <folder>', 'model files that found hubs may be of; else those that are shipped')
  .option('--name <id>', 'the name of the rig', 'discovered')
  .option('--out <file>', 'write it there, where no file is yet')
  .addHelpText('after', example('uplift rig discover --out my-rig.yaml'))
  .action(
    run(async (options, output) =>
      (await import('./rig-discover.ts')).discoverRig(options as never, output),
    ),
  );
lockCommand('lock', 'keep devices to yourself')
  .option('--for <time>', 'how long: 90s, 30m, 8h, 2d', '8h')
  .option('--holder <name>', 'for whom; else user and machine')
  .action(
    run(async (options, output) => (await import('./rig-locks.ts')).lock(options as never, output)),
  );
lockCommand('unlock', 'give them back, whoever locked them')
  .option('--force', 'also those that a run has, which ends it')
  .action(
    run(async (options, output) =>
      (await import('./rig-locks.ts')).unlock(options as never, output),
    ),
  );
rigCommand('locks', 'who has which device', true).action(
  run(async (options, output) => (await import('./rig-locks.ts')).locks(options as never, output)),
);

addGatewayCommands(program, version);
addDuisCommands(program);
addCampaignCommands(program);
addFleetCommands(program, version);
addBundleCommands(program);
addTraceCommands(program);

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

function command(name: string, description: string, parent: Command = program): Command {
  return addCommand(parent, name, description);
}

function addLog(made: Command): Command {
  return made
    .option('--log <file>', 'the log')
    .option('--rig <file>', 'the rig that names the log (auditLog)');
}

function rigCommand(name: string, description: string, needsRig: boolean): Command {
  const made = command(name, description, rig);
  const text = `uplift rig ${name} --rig hw-config/rigs/virtual-ppmid.yaml`;
  if (needsRig) made.requiredOption('--rig <file>', 'the rig file');
  else made.option('--rig <file>', 'the rig file');
  return made.addHelpText('after', example(text));
}

function lockCommand(name: string, description: string): Command {
  return rigCommand(name, description, true).option('--device <id...>', 'only these devices');
}

/** What is decided on beside image and device, the same for every command that decides. */
function addAdmission(made: Command): Command {
  return made
    .option('--cpl <file>', 'the Central Products List, as CSV')
    .option('--no-cpl', 'on a bench: no list applies')
    .option('--trust <path>', 'trust anchors: a folder with anchors.json, or such a document')
    .option('--allow-downgrade', 'let an older image pass')
    .option('--allow-unsigned', "let a hub's image pass that no key or list vouches for")
    .option('--image-index <number>', 'which image of a file that holds several, from 0')
    .option('--intake <where>', 'bench, field or service-request; else told by what is named')
    .option('--epcl <file>', 'the Eligible Products Combination List')
    .option('--ppct <file>', 'tests that expedited entries refer to')
    .option('--columns <file>', 'how the columns of EPCL, PPCT and installations are called (YAML)')
    .option('--installation <file>', 'the installation the device is part of')
    .option('--installation-id <id>', 'which of several in that file')
    .option('--request-type <number>', 'the Service Request that asks, such as 11.4')
    .option('--duis-version <version>', 'the version of DUIS of that request, such as 5.0')
    .option('--role <role>', 'the role of the party that asks, such as IS')
    .option('--party <name>', 'who asks, as the installation names its suppliers')
    .option(
      '--open-request [eui64...]',
      'devices with another open request; none named: there is none',
    )
    .option('--floors <file>', 'the oldest versions that may be given (JSON)')
    .option('--waiver <file>', 'a signed downgrade waiver (JSON)')
    .option('--zse-signer <eui64...>', 'who may sign images with a Smart Energy signature')
    .option(
      '--certificate <file...>',
      'certificates of the party that signed, and of its CAs (PEM)',
    )
    .option('--crl <file...>', 'revocation lists of every issuer')
    .option('--fetched <time>', 'when the lists were fetched, such as 2021-07-20');
}

function addRig(made: Command): Command {
  return addAdmission(made)
    .requiredOption('--rig <file>', 'the rig file')
    .requiredOption('--image <file>', 'the image')
    .option('--device <id...>', 'only these devices of the rig')
    .option('--activate <when>', 'now, held, or a time such as 2027-01-31T02:30:00Z', 'now');
}
