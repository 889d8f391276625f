/** `uplift bundle import`: brings what gateways sealed on a medium to their coordinator. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, type ExitCode } from '../errors.ts';
import { Bundle } from '../fleet/bundle/bundle.ts';
import { type ImportedEvents, importEvents, postEventsBy } from '../fleet/bundle/import-events.ts';
import { type FleetAskOptions, fleetClient } from './fleet-client.ts';
import type { Output } from './output.ts';

export interface BundleImportOptions extends FleetAskOptions {
  remove?: boolean;
}

export async function importBundle(
  folder: string,
  options: BundleImportOptions,
  output: Output,
): Promise<ExitCode> {
  const bundle = Bundle.open(folder);
  const imported = await importEvents(bundle, postEventsBy(fleetClient(options)), ({ file }) => {
    if (options.remove) rmSync(join(bundle.places.events, file));
  });
  const lines = imported.map(lineOf);
  output.result({ imported }, lines.length > 0 ? lines : ['no events']);
  return imported.every(({ code }) => code === undefined) ? EXIT.done : EXIT.refused;
}

function lineOf({ file, gateway, events, through, code, message }: ImportedEvents): string {
  if (code !== undefined) return `${file}: ${message} (${code})`;
  return `${file}: ${events} of ${gateway}, whose journal is known through record ${through}`;
}
