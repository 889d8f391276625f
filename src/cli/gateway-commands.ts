/**
 * The commands that ask a running gateway, or are about its API: their names, options and examples.
 */
import type { Command } from 'commander';
import { addCommand, example, run } from './command.ts';

export function addGatewayCommands(program: Command, version: string): void {
  asking(program, 'watch', 'follows a gateway: its open jobs, its links, what happens')
    .option('--once', 'how it is now, and no more')
    .addHelpText('after', example('uplift watch --api https://gateway.example:8460'))
    .action(
      run(async (options, output) => (await import('./watch.ts')).watch(options as never, output)),
    );
  addJobCommands(program);
  addImageCommands(program);
  addDeviceCommands(program);
  const api = program
    .command('api')
    .description('the HTTP API of the gateway service: openapi, token')
    .addHelpText('after', example('uplift api openapi'));
  addCommand(api, 'openapi', 'the API as an OpenAPI 3.1 document')
    .addHelpText('after', example('uplift api openapi > uplift.json'))
    .action(
      run(async (_options, output) => (await import('./api.ts')).showOpenApi(version, output)),
    );
  addCommand(api, 'token', 'makes a token, shown once, and its line for the file of tokens')
    .requiredOption('--name <name>', 'who holds it')
    .requiredOption('--role <role>', 'viewer, operator, approver or admin')
    .option('--days <number>', 'how long it is one, else without end')
    .addHelpText('after', example('uplift api token --name night-shift --role operator'))
    .action(
      run(async (options, output) =>
        (await import('./api.ts')).createToken(options as never, output),
      ),
    );
}

function addJobCommands(program: Command): void {
  const jobs = program
    .command('job')
    .description(
      'jobs of the gateway: create, list, show, approve, reject, activate, cancel, retry',
    )
    .addHelpText('after', example('uplift job create --image hub.bin --device hub-1 --watch'));
  asking(jobs, 'create', 'asks for an upgrade; uploads the image first')
    .requiredOption('--image <file|sha256>', 'the image, or its SHA-256 in the store')
    .requiredOption('--device <id...>', 'devices of the rigs of the gateway')
    .option('--activate <when>', 'now, held, or a time such as 2027-01-31T02:30:00Z', 'now')
    .option('--priority <number>', '0 to 8; the higher goes first', '4')
    .option('--not-before <time>', 'a time before which it does not begin')
    .option('--deadline <time>', 'what has not begun by then expires; else in a week')
    .option('--window <name>', 'a maintenance window of the configuration')
    .option('--needs-approval', 'somebody else has to approve it first')
    .option('--supersede', 'in place of what is open for these devices and has not begun')
    .option('--request-id <id>', 'the same again is the same job')
    .option('--reason <text>', 'why')
    .option('--watch', 'follow it until it is over')
    .addHelpText('after', example('uplift job create --image hub.bin --device hub-1 --watch'))
    .action(
      run(async (options, output) =>
        (await import('./job.ts')).createJob(options as never, output),
      ),
    );
  asking(jobs, 'list', 'jobs, the newest first')
    .addHelpText('after', example('uplift job list --open'))
    .option('--state <state>', 'with an upgrade in this state')
    .option('--device <id>', 'for this device')
    .option('--open', 'not over')
    .option('--last <number>', 'at most so many', '50')
    .action(
      run(async (options, output) => (await import('./job.ts')).listJobs(options as never, output)),
    );
  asking(jobs, 'show <job>', 'the story of a job: what happened when, who, why, and what is next')
    .option('--watch', 'follow it until it is over')
    .addHelpText('after', example('uplift job show j12'))
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).showJob(job, options as never, output),
      ),
    );
  asking(jobs, 'approve <job>', 'lets a job begin that waits for it')
    .addHelpText('after', example('uplift job approve j12 --token-file approver.token'))
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).approveJob(job, options as never, output),
      ),
    );
  asking(jobs, 'reject <job>', 'ends a job that waits for approval')
    .addHelpText('after', example("uplift job reject j12 --reason 'not this week'"))
    .requiredOption('--reason <text>', 'why')
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).rejectJob(job, options as never, output),
      ),
    );
  asking(jobs, 'activate <job>', 'commands the activation of images that devices hold')
    .addHelpText('after', example('uplift job activate j12 --at 2027-01-31T02:30:00Z'))
    .option('--device <id...>', 'of these alone')
    .option('--at <when>', 'now, or a time such as 2027-01-31T02:30:00Z', 'now')
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).activateJob(job, options as never, output),
      ),
    );
  asking(jobs, 'cancel <job>', 'calls off what is not over and not beyond recall')
    .addHelpText('after', example('uplift job cancel j12 --device hub-1'))
    .option('--device <id...>', 'of these alone')
    .option('--reason <text>', 'why')
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).cancelJob(job, options as never, output),
      ),
    );
  asking(jobs, 'retry <job>', 'tries again what went wrong')
    .addHelpText('after', example('uplift job retry j12'))
    .option('--device <id...>', 'of these alone')
    .action(
      run(async (options, output, job: string) =>
        (await import('./job.ts')).retryJob(job, options as never, output),
      ),
    );
}

function addImageCommands(program: Command): void {
  const images = program
    .command('image')
    .description('images in the store of the gateway: list, put, rm')
    .addHelpText('after', example('uplift image put hub.bin'));
  asking(images, 'list', 'what is there, and which jobs need it')
    .addHelpText('after', example('uplift image list'))
    .action(
      run(async (options, output) =>
        (await import('./image.ts')).listImages(options as never, output),
      ),
    );
  asking(images, 'put <file>', 'uploads an image')
    .addHelpText('after', example('uplift image put hub.bin'))
    .action(
      run(async (options, output, path: string) =>
        (await import('./image.ts')).putImage(path, options as never, output),
      ),
    );
  asking(images, 'rm <sha256>', 'deletes an image that no job needs')
    .addHelpText('after', example('uplift image rm SHA256'))
    .action(
      run(async (options, output, sha256: string) =>
        (await import('./image.ts')).removeImage(sha256, options as never, output),
      ),
    );
}

function addDeviceCommands(program: Command): void {
  const devices = program
    .command('device')
    .description('devices of the gateway: list, read')
    .addHelpText('after', example('uplift device read hub-1'));
  asking(devices, 'list', 'what there is, on which link, and what it said last that it runs')
    .addHelpText('after', example('uplift device list'))
    .action(
      run(async (options, output) =>
        (await import('./device.ts')).listDevices(options as never, output),
      ),
    );
  asking(devices, 'read <device>', 'asks a device what it runs, and changes nothing')
    .addHelpText('after', example('uplift device read hub-1'))
    .action(
      run(async (options, output, device: string) =>
        (await import('./device.ts')).readDevice(device, options as never, output),
      ),
    );
}

/** With the options that say which gateway is asked, and who asks. */
export function asking(parent: Command, name: string, description: string): Command {
  return addCommand(parent, name, description)
    .option(
      '--socket <path>',
      'the socket of the gateway, else $UPLIFT_SOCKET, else /run/uplift/uplift.sock',
    )
    .option('--api <url>', 'its address in place of that, else $UPLIFT_API')
    .option('--api-ca <file>', 'who signs its certificate (PEM), else the CAs of the system')
    .option('--token-file <file>', 'who asks: a file with their token, else $UPLIFT_TOKEN_FILE');
}
