/** `uplift rig discover`: a rig file for what is plugged in. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ConfigError } from '../config/codes.ts';
import { loadHubModel } from '../config/load.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { discover, type FoundPort } from '../lab/rig/discover.ts';
import { type KnownModel, proposeRig } from '../lab/rig/propose-rig.ts';
import { describePort, listPorts } from '../transport/serial/ports.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';
import { shippedPath } from './shipped.ts';

export interface DiscoverCommandOptions {
  dry?: boolean;
  baud?: string;
  models?: string;
  out?: string;
  name?: string;
}

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

export async function discoverRig(
  options: DiscoverCommandOptions,
  output: Output,
): Promise<ExitCode> {
  const { dry = false, out, name = 'discovered' } = options;
  const baudRate = Number(options.baud ?? 115_200);
  if (!Number.isInteger(baudRate) || baudRate < 1200 || baudRate > 4_000_000)
    throw usage('--baud', 'a baud rate from 1200 to 4000000', options.baud!);
  if (!NAME.test(name)) throw usage('--name', 'lower-case letters, digits and hyphens', name);
  if (out !== undefined && existsSync(out)) throw isThere(out);
  const found = await discover({
    ports: await listPorts(),
    baudRate,
    asks: !dry,
    onPort: (one) => output.event({ kind: 'port', ...documentOf(one) }, heardLine(one)),
  });
  const folder = out === undefined ? process.cwd() : dirname(resolve(out));
  const models = modelsIn(options.models ?? shippedPath('hw-config', 'hubs'), folder);
  const text = proposeRig(found, { rig: name, models, randomBytes });
  if (out !== undefined) writeRig(out, text);
  const ports = found.map(documentOf);
  output.result(
    { kind: 'result', ports, rig: text, ...(out === undefined ? {} : { file: out }) },
    out === undefined ? [text.trimEnd()] : [`${out}: change what is marked CHANGE, then check it`],
  );
  return EXIT.done;
}

function documentOf({ info, port, found }: FoundPort): object {
  const isKnown = found.kind === 'coordinator' || found.kind === 'hub';
  return {
    port,
    adapter: describePort(info),
    found: found.kind,
    ...(isKnown && { finding: found.finding }),
    ...(found.kind === 'not-opened' && { code: found.error.code, problem: found.error.message }),
  };
}

function heardLine({ info, found }: FoundPort): string {
  const what = found.kind === 'hub' ? found.finding.kind : found.kind;
  return `${info.path}: ${what}`;
}

/** Those that can be read; a folder of models may hold one that is being written. */
function modelsIn(folder: string, seenFrom: string): KnownModel[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((file) => /\.ya?ml$/.test(file))
    .sort()
    .flatMap((file) => {
      const path = join(folder, file);
      try {
        return { path: relative(seenFrom, path), model: loadHubModel(path) };
      } catch (error) {
        if (error instanceof ConfigError) return [];
        throw error;
      }
    });
}

function writeRig(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    throw new UpliftError('rig-not-written', `cannot write ${path}`, {
      actual: (error as Error).message,
      next: 'name a new file in a folder that can be written to',
      cause: error,
    });
  }
}

function isThere(path: string): UpliftError {
  return new UpliftError('rig-not-written', `${path} is there already`, {
    expected: 'the name of a new file: a rig that somebody made is not written over',
    actual: path,
    next: 'name another file with --out',
  });
}
