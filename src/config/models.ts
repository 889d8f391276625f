/** Reads a device model file. */
import { resolve } from 'node:path';
import { refuseAbsent, shownPath } from './files.ts';
import { hubModelSchema } from './hub-schema.ts';
import { ppmidModelSchema } from './ppmid-schema.ts';
import {
  type HubModel,
  hubJsonSchema,
  type JsonSchema,
  type PpmidModel,
  ppmidJsonSchema,
} from './schema.ts';
import { type Schema, validate } from './validate.ts';
import { readYaml, wholeFile } from './yaml-source.ts';

/** By what the file says of itself under `kind`. */
const KINDS = {
  ppmid: { words: 'the model of a PPMID', folder: 'hw-config/ppmids' },
  'communications-hub': { words: 'the model of a Communications Hub', folder: 'hw-config/hubs' },
} as const;

/** @throws ConfigError */
export function loadPpmidModel(path: string): PpmidModel {
  return loadModel(path, 'ppmid', ppmidModelSchema, ppmidJsonSchema);
}

/**
 * Of whichever kind the file says it is of.
 *
 * @throws ConfigError
 */
export function loadDeviceModel(path: string): PpmidModel | HubModel {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const kind = readYaml(absolute, shownPath(absolute)).found(['kind']).source;
  return kind === 'communications-hub' ? loadHubModel(path) : loadPpmidModel(path);
}

/** @throws ConfigError */
export function loadHubModel(path: string): HubModel {
  return loadModel(path, 'communications-hub', hubModelSchema, hubJsonSchema);
}

function loadModel<T>(
  path: string,
  kind: keyof typeof KINDS,
  schema: Schema<T>,
  jsonSchema: () => JsonSchema,
): T {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  const { words, folder } = KINDS[kind];
  const next = `name a model file, such as those in ${folder}`;
  if (source.has(['rig']) && !source.has(['kind'])) {
    throw wholeFile('file-other-kind', source.file, words, 'a rig file', next);
  }
  const other = Object.entries(KINDS).find(([name]) => name === source.found(['kind']).source);
  if (other && other[0] !== kind) {
    throw wholeFile('file-other-kind', source.file, words, other[1].words, next);
  }
  return validate(schema, source, jsonSchema);
}
