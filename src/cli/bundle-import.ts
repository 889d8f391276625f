/** `uplift bundle import`: brings what gateways sealed on a medium to their coordinator. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, type ExitCode } from '../errors.ts';
import { Bundle } from '../fleet/bundle/bundle.ts';
import {
  type CoordinatorAddress,
  type ImportedEvents,
  importEvents,
  postEventsTo,
} from '../fleet/bundle/import-events.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export interface BundleImportOptions {
  to: string;
  tokenFile?: string;
  ca?: string;
  certificate?: string;
  key?: string;
  remove?: boolean;
}

const ANSWER_MS = 60_000;
const TOKEN_BYTES_MAX = 1024;

export async function importBundle(
  folder: string,
  options: BundleImportOptions,
  output: Output,
): Promise<ExitCode> {
  const bundle = Bundle.open(folder);
  const imported = await importEvents(bundle, postEventsTo(addressOf(options)), ({ file }) => {
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

function addressOf({
  to,
  tokenFile,
  ca,
  certificate,
  key,
}: BundleImportOptions): CoordinatorAddress {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  const isLocal = url?.hostname === 'localhost' || url?.hostname === '127.0.0.1';
  const isGood = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
  if (!url || !isGood || url.username !== '') {
    throw usage('--to', 'an https address, such as https://coordinator.example:8462/', to);
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw usage('--certificate', '--certificate and --key', 'one of the two');
  }
  const token = tokenFile === undefined ? undefined : tokenIn(tokenFile);
  return {
    url,
    answerMs: ANSWER_MS,
    ...(token === undefined ? {} : { token }),
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(certificate === undefined || key === undefined
      ? {}
      : { client: { certificateFile: certificate, keyFile: key } }),
  };
}

function tokenIn(path: string): string {
  const bytes = readBounded(path, TOKEN_BYTES_MAX, 'the file of the token');
  return Buffer.from(bytes).toString('latin1').trim();
}
