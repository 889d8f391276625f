/** The commands from an image to an upgraded device: inspect, verify, plan, flash; and what they decide on. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addUpgradeCommands(program: Command): void {
  addCommand(
    program,
    'inspect <image>',
    'what an image file is: every field, every sub-element, the hashes',
  )
    .option('--profile <id>', 'read the body as gb-ppmid, gb-signed, zigbee-ota or smets1')
    .option('--trust <path>', "trust anchors to check the signature of a hub's image with")
    .addHelpText('after', example('uplift inspect firmware/121D-0084-02000000-test.zigbee'))
    .action(
      run(async (options, output, path: string) =>
        (await import('./inspect.ts')).inspect(path, options as never, output),
      ),
    );
  addVerify(program);
  addRig(
    addCommand(program, 'plan', 'the steps of an upgrade and the time they take, touching nothing'),
  )
    .addHelpText(
      'after',
      example('uplift plan --rig hw-config/rigs/virtual-ppmid.yaml --image image.zigbee'),
    )
    .action(
      run(async (options, output) => (await import('./plan.ts')).plan(options as never, output)),
    );
  addRig(addCommand(program, 'flash', 'upgrade devices of a rig now'))
    .option('--wait <seconds>', 'how long a device may take to ask for the image, a hub to answer')
    .option('--bell', 'ring the bell of the terminal at the end')
    .addHelpText(
      'after',
      example('uplift flash --rig hw-config/rigs/virtual-ppmid.yaml --image image.zigbee'),
    )
    .action(
      run(async (options, output) => (await import('./flash.ts')).flash(options as never, output)),
    );
}

function addVerify(program: Command): void {
  addAdmission(
    addCommand(program, 'verify <image>', 'whether an image would be admitted, and by which rule'),
  )
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
