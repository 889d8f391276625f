/** Files that people write: rigs, device models, mappings, policies and installations, as YAML. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CONFIG_CODES, ConfigError } from '../../src/config/codes.ts';
import {
  loadListColumns,
  loadReadinessPolicy,
  loadYamlInstallations,
} from '../../src/config/lists.ts';
import { loadDeviceModel, loadRig } from '../../src/config/load.ts';
import { readCentralProductsList } from '../../src/products/central-products-list.ts';
import { LIST_ISSUES } from '../../src/products/codes.ts';
import { parseTable } from '../../src/products/table.ts';
import { scratchFolder } from './scratch.ts';
import { ACCEPTED, type Answer, expectOk, type Family, known, type Target } from './target.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** The parser of YAML makes an error of each token that does not fit: some ten µs a byte. */
const YAML_MS_MAX = 10_000;
const WORDS = [
  '&a [*a]',
  '*a',
  '<<: *a',
  '!!js/function a',
  '!!binary "AA=="',
  '---\n',
  '...\n',
  '%YAML 1.1\n---\n',
  '? [a]\n: b',
  '"\\u0000"',
  '0x7fffffff',
  '1e999',
  '.nan',
  '~',
  '{',
  '- ',
  '  ',
  '\t',
  '|+\n',
  '__proto__: 1\n',
];

export const CONFIG: Family = {
  name: 'config',
  targets: [
    file('rig', 'hw-config/rigs', loadRig),
    file('model of a hub', 'hw-config/hubs', loadDeviceModel),
    file('model of a PPMID', 'hw-config/ppmids', loadDeviceModel),
    file('columns', 'firmware/lists/columns.yaml', readColumns),
    file('policy', 'firmware/lists/policy.yaml', loadReadinessPolicy),
    file('installations', 'firmware/lists/installations.yaml', loadYamlInstallations),
  ],
};

/** What it names beside itself is there, so that the whole of a good file is read. */
function file(name: string, source: string, load: (path: string) => unknown): Target {
  const files = source.endsWith('.yaml')
    ? [source]
    : readdirSync(join(ROOT, source)).map((one) => join(source, one));
  return {
    name,
    good: files.map((path) => new Uint8Array(readFileSync(join(ROOT, path)))),
    words: WORDS,
    inputMsMax: YAML_MS_MAX,
    read: (bytes) => readFile(bytes, load),
  };
}

let path: string | undefined;

function readFile(bytes: Uint8Array, load: (path: string) => unknown): Answer {
  if (path === undefined) {
    for (const folder of ['hw-config', 'firmware']) {
      cpSync(join(ROOT, folder), join(scratchFolder(), folder), { recursive: true });
    }
    mkdirSync(join(scratchFolder(), 'hw-config/fuzz'));
    path = join(scratchFolder(), 'hw-config/fuzz/file.yaml');
  }
  writeFileSync(path, bytes);
  try {
    load(path);
    return ACCEPTED;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const codes = error.problems.map(({ code }) => known(CONFIG_CODES, code));
    return { accepted: false, codes: [...new Set(codes)] };
  }
}

/** And what the mapping makes of a list. */
function readColumns(from: string): void {
  const { centralProductsList: mapping } = loadListColumns(from);
  const list = readFileSync(join(ROOT, 'firmware/lists/products-other-columns.csv'));
  const { table } = expectOk(parseTable(new Uint8Array(list)));
  const read = readCentralProductsList(table, { mapping });
  if (!read.ok) known(LIST_ISSUES, read.code);
}
