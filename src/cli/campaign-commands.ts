/** The commands about campaigns: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addCampaignCommands(program: Command): void {
  const campaign = program
    .command('campaign')
    .enablePositionalOptions()
    .description('signed campaigns, for many devices: make, sign, check, show')
    .addHelpText(
      'after',
      example('uplift campaign check ppmid.campaign --anchors /etc/uplift/trust'),
    );
  addCommand(campaign, 'make <file>', 'a campaign out of a description (YAML), to be signed')
    .requiredOption('--out <file>', 'where it is written')
    .option('--author <file>', 'the certificate of its author (PEM), else `author` of the file')
    .addHelpText(
      'after',
      example(
        'uplift campaign make hw-config/campaign.example.yaml --author ann.pem --out ppmid.campaign',
      ),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./campaign-make.ts')).make(path, options as never, output),
      ),
    );
  addCommand(campaign, 'sign <file>', 'adds a signature to a campaign')
    .requiredOption('--as <role>', 'author or approver')
    .option('--certificate <file>', 'of who signs, and of its CAs (PEM); not with --pkcs12')
    .option('--key <file>', 'the private key of it (PEM)')
    .option('--pkcs12 <file>', 'in place of both: a PKCS#12 file')
    .option('--password-file <file>', 'of the PKCS#12 file: its password is the first line')
    .option(
      '--sign-command <command>',
      'in place of --key: a line for /bin/sh that signs what it gets on stdin',
    )
    .option('--sign-input <what>', 'what it gets: document, or sha256 of it', 'document')
    .option('--sign-wait <seconds>', 'how long it may take', '60')
    .option('--digest <sha256>', 'sign only the manifest with this digest, as `show` said it')
    .option('--out <file>', 'where it is written, else the file itself')
    .addHelpText(
      'after',
      example(
        'uplift campaign sign ppmid.campaign --as approver --certificate bob.pem --key bob.key',
      ) +
        example(
          'uplift campaign sign ppmid.campaign --as author --certificate ann.pem ' +
            '--sign-input sha256 --sign-command "pkcs11-tool --module opensc-pkcs11.so --sign ' +
            '--mechanism ECDSA --id 01 --login"',
        ),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./campaign-sign.ts')).sign(path, options as never, output),
      ),
    );
  addCommand(campaign, 'check <file>', 'whether enough people signed it, and whether it is in time')
    .option('--anchors <path>', 'trust anchors: a folder with anchors.json, or such a document')
    .option('--certificate <file...>', 'certificates of CAs between signers and anchors (PEM)')
    .option('--crl <file...>', 'revocation lists of every issuer')
    .option('--at <time>', 'as of this moment')
    .addHelpText(
      'after',
      example('uplift campaign check ppmid.campaign --anchors /etc/uplift/trust'),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./campaign-check.ts')).check(path, options as never, output),
      ),
    );
  addCommand(campaign, 'show <file>', 'what a campaign says, and who claims to have signed it')
    .addHelpText('after', example('uplift campaign show ppmid.campaign'))
    .action(
      run(async (_options, output, path: string) =>
        (await import('./campaign-show.ts')).show(path, output),
      ),
    );
}
