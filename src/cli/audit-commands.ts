/** The commands about the log of what was decided and done: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('the log of what was decided and done: show, check, export')
    .addHelpText('after', example('uplift audit check --rig hw-config/rigs/virtual-ppmid.yaml'));
  addLog(
    addCommand(audit, 'show', 'what was decided').addHelpText(
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
    addCommand(
      audit,
      'check',
      'whether any record was edited, removed, moved or cut off',
    ).addHelpText('after', example('uplift audit check --log audit.jsonl')),
  )
    .option('--head <sequence:hash>', 'a head that was kept elsewhere')
    .option('--after <sequence:hash>', 'the record that the log begins after: of an archive')
    .option('--signature <file>', 'a signature over the log')
    .option('--key <file>', 'the public key (.pem) of who is to have signed it')
    .option('--certificate <text>', 'the text of a certificate: whether the log says the same')
    .action(
      run(async (options, output) =>
        (await import('./audit.ts')).checkAudit(options as never, output),
      ),
    );
  addCommand(audit, 'export', "a gateway's journal as a log that others can check")
    .requiredOption('--journal <folder>', 'the folder with journal.db')
    .requiredOption('--out <file>', 'the log to write, with its head beside it')
    .option('--sign <file>', 'a private key (.pem) to sign it with')
    .addHelpText(
      'after',
      example('uplift audit export --journal /var/lib/uplift/journal --out audit.jsonl'),
    )
    .action(
      run(async (options, output) =>
        (await import('./audit.ts')).exportAudit(options as never, output),
      ),
    );
}

function addLog(made: Command): Command {
  return made
    .option('--log <file>', 'the log')
    .option('--rig <file>', 'the rig that names the log (auditLog)');
}
