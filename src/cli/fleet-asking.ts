/** What every command that asks a coordinator has in common. */
import type { Command } from 'commander';
import { addCommand } from './command.ts';

/** With the options that say which coordinator is asked, and who asks. */
export function askingFleet(parent: Command, name: string, description: string): Command {
  return addCommand(parent, name, description)
    .option(
      '--socket <path>',
      'its socket, else $UPLIFT_FLEET_SOCKET, else /run/uplift-fleet/fleet.sock',
    )
    .option('--api <url>', 'its address in place of that, else $UPLIFT_FLEET_API')
    .option('--api-ca <file>', 'who signs its certificate (PEM), else the CAs of the system')
    .option('--token-file <file>', 'who asks: a file with their token, else $UPLIFT_TOKEN_FILE');
}
