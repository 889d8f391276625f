/** The commands about the DCC User Interface: their names, options and examples. */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';
import { asking } from './gateway-commands.ts';

export function addDuisCommands(program: Command): void {
  const duis = program
    .command('duis')
    .enablePositionalOptions()
    .description(
      'Service Requests of the DCC User Interface: make, sign, check, send, requests, outbox',
    )
    .addHelpText(
      'after',
      example('uplift duis check request.xml --config /etc/uplift/gateway.yaml'),
    );
  addDocumentCommands(duis);
  addSend(duis);
  addOutboxCommands(duis);
}

function addDocumentCommands(duis: Command): void {
  addCommand(duis, 'make <service>', 'a request 11.1, 11.2, 11.3 or 11.4 as XML, to be signed')
    .requiredOption('--originator <eui64>', 'the Service User that sends it')
    .requiredOption('--target <eui64>', 'of 11.1 and 11.4 the broker, else the device')
    .requiredOption(
      '--duis-version <version>',
      'the version of DUIS it is written for, such as 5.1',
    )
    .option('--counter <number>', 'of its RequestID; else the time in ms since 1970')
    .option('--variant <number>', 'its command variant; else the one that is served here')
    .option('--image <file>', 'of 11.1 and 11.4: the image')
    .option('--firmware-version <text>', 'its version, 1 to 8 characters')
    .option('--device <eui64...>', 'the devices it is for')
    .option(
      '--devices <file>',
      'more of them, with blanks, commas or line ends between; - for stdin',
    )
    .option('--hash <sha256>', 'of 11.3: the SHA-256 of the Manufacturer Image')
    .option('--at <time>', 'of 11.2 and 11.3: when; of 11.3 also cancel')
    .option('--out <file>', 'where it is written; else stdout')
    .addHelpText(
      'after',
      example(
        'uplift duis make 11.1 --image image.zigbee --firmware-version 00010203 --duis-version 5.1 ' +
          '--originator 90-B3-D5-1F-30-01-00-00 --target 90-B3-D5-1F-30-00-00-02 ' +
          '--device 02-55-50-4C-46-54-20-01 --out request.xml',
      ),
    )
    .action(
      run(async (options, output, service: string) =>
        (await import('./duis-make.ts')).make(service, options as never, output),
      ),
    );
  addCommand(duis, 'sign <file>', 'signs a request, or a response; - for stdin')
    .requiredOption('--certificate <file>', 'of who signs (PEM)')
    .requiredOption('--key <file>', 'the private key of it (PEM)')
    .option('--counter <which>', 'now: the time in ms since 1970; keep: as it is', 'keep')
    .option('--out <file>', 'where it is written; else stdout')
    .addHelpText(
      'after',
      example(
        'uplift duis sign request.xml --counter now --certificate supplier.pem --key supplier.key ' +
          '--out signed.xml',
      ),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./duis-sign.ts')).sign(path, options as never, output),
      ),
    );
  addCommand(duis, 'check <file>', 'whether a request would be taken; who signed a response')
    .option('--config <file>', 'as this gateway would, device by device; nothing is done')
    .option(
      '--certificate <file...>',
      'without a gateway: of who may have signed, and its CAs (PEM)',
    )
    .option('--anchors <path>', 'trust anchors: a folder with anchors.json, or such a document')
    .option('--crl <file...>', 'revocation lists of every issuer')
    .option('--at <time>', 'as of this moment')
    .addHelpText(
      'after',
      example('uplift duis check request.xml --config /etc/uplift/gateway.yaml'),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./duis-check.ts')).check(path, options as never, output),
      ),
    );
}

function addSend(duis: Command): void {
  addCommand(duis, 'send <file>', 'posts a signed request, and says what it is answered')
    .requiredOption('--to <url>', 'where requests are taken: https')
    .requiredOption('--certificate <file>', 'that is shown to the server (PEM)')
    .requiredOption('--key <file>', 'the private key of it (PEM)')
    .option(
      '--ca <file>',
      'who signs the certificate of the server (PEM); else the CAs of the system',
    )
    .option('--signer <file...>', 'who may have signed the answer, and its CAs (PEM)')
    .option('--anchors <path>', 'trust anchors for that')
    .option('--at <time>', 'check that signature as of this moment')
    .option('--wait <seconds>', 'how long the answer may take', '300')
    .addHelpText(
      'after',
      example(
        'uplift duis send signed.xml --to https://gateway.example:8461/ --certificate client.pem ' +
          '--key client.key --ca ca.pem',
      ),
    )
    .action(
      run(async (options, output, path: string) =>
        (await import('./duis-send.ts')).send(path, options as never, output),
      ),
    );
}

function addOutboxCommands(duis: Command): void {
  asking(duis, 'requests', 'what a gateway took, and the jobs that came of it')
    .addHelpText('after', example('uplift duis requests'))
    .action(
      run(async (options, output) =>
        (await import('./duis-outbox.ts')).listRequests(options as never, output),
      ),
    );
  const outbox = asking(duis, 'outbox', 'what waits for each Service User: show, release, discard')
    .enablePositionalOptions()
    .addHelpText('after', example('uplift duis outbox'))
    .action(
      run(async (options, output) =>
        (await import('./duis-outbox.ts')).showOutbox(options as never, output),
      ),
    );
  asking(outbox, 'show <message>', 'the document of a message')
    .addHelpText('after', example('uplift duis outbox show 512'))
    .action(
      run(async (options, output, message: string) =>
        (await import('./duis-outbox.ts')).showMessage(message, options as never, output),
      ),
    );
  asking(outbox, 'release <message>', 'tries a message again that was put aside')
    .addHelpText('after', example('uplift duis outbox release 512'))
    .action(
      run(async (options, output, message: string) =>
        (await import('./duis-outbox.ts')).releaseMessage(message, options as never, output),
      ),
    );
  asking(outbox, 'discard <message>', 'gives a message up that was put aside')
    .requiredOption('--reason <text>', 'why')
    .addHelpText('after', example('uplift duis outbox discard 512 --reason "told by letter"'))
    .action(
      run(async (options, output, message: string) =>
        (await import('./duis-outbox.ts')).discardMessage(message, options as never, output),
      ),
    );
}
