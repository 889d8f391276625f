/**
 * Reads a rig file and the model files it names.
 *
 * A wrong file throws one ConfigError with every problem in it. Paths in a file are relative to it.
 * Nothing is written, no port is opened and no image is parsed.
 */
import { resolve } from 'node:path';
import { refuseAbsent, shownPath } from './files.ts';
import { buildRig } from './rig-builder.ts';
import { rigSchema } from './rig-schema.ts';
import { type Rig, rigJsonSchema } from './schema.ts';
import { validate } from './validate.ts';
import { readYaml, wholeFile } from './yaml-source.ts';

export { knownRigs } from './files.ts';
export { loadDeviceModel, loadHubModel, loadPpmidModel } from './models.ts';

/** @throws ConfigError */
export function loadRig(path: string): Rig {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  if (source.has(['kind']) && !source.has(['rig'])) {
    const next = 'name a rig file, such as those in hw-config/rigs';
    throw wholeFile('file-other-kind', source.file, 'a rig file', 'a device model file', next);
  }
  const document = validate(rigSchema, source, rigJsonSchema);
  return buildRig(absolute, source, document);
}
