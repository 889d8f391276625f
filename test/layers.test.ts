/** The design as a test: imports point inward, and each third-party library enters through one file. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const SRC = resolve(import.meta.dirname, '../src');

/** What each folder of src may import besides itself. `errors.ts` and `ports.ts` are open to all. */
const MAY_IMPORT: Record<string, string[]> = {
  bytes: [],
  image: ['bytes'],
  xml: [],
  products: ['bytes', 'xml'],
  readiness: ['products'],
  trust: ['bytes', 'image', 'products', 'xml'],
  duis: ['bytes', 'xml', 'products', 'trust', 'admission', 'upgrade', 'jobs'],
  admission: ['bytes', 'image', 'products', 'trust'],
  audit: ['admission', 'trust'],
  protocol: ['bytes'],
  upgrade: ['bytes', 'image', 'products', 'admission', 'protocol'],
  jobs: ['admission', 'upgrade'],
  schedule: ['upgrade'],
  campaign: ['bytes', 'image', 'products', 'trust', 'upgrade', 'jobs'],
  config: ['bytes', 'products'],
  observe: ['bytes'],
  service: [
    'bytes',
    'audit',
    'jobs',
    'schedule',
    'config',
    'transport',
    'store',
    'observe',
    'gateway',
    'dcc',
    'fleet',
  ],
  transport: ['bytes', 'protocol', 'admission'],
  virtual: ['bytes', 'image', 'trust', 'protocol', 'config'],
  store: ['bytes', 'trust', 'audit'],
  gateway: [
    'bytes',
    'image',
    'products',
    'trust',
    'admission',
    'audit',
    'readiness',
    'protocol',
    'upgrade',
    'jobs',
    'schedule',
    'config',
    'transport',
    'store',
  ],
  api: ['bytes', 'products', 'admission', 'audit', 'jobs', 'config', 'store', 'gateway'],
  dcc: [
    'bytes',
    'products',
    'trust',
    'admission',
    'jobs',
    'duis',
    'config',
    'store',
    'gateway',
    'api',
  ],
  fleet: [
    'bytes',
    'image',
    'products',
    'trust',
    'admission',
    'upgrade',
    'jobs',
    'schedule',
    'campaign',
    'config',
    'store',
    'gateway',
    'api',
  ],
  lab: [
    'bytes',
    'image',
    'products',
    'trust',
    'admission',
    'protocol',
    'upgrade',
    'jobs',
    'config',
    'observe',
    'transport',
    'store',
    'gateway',
    'virtual',
  ],
  // In a browser: nothing of the gateway's but what its own script made out of the API.
  web: [],
  cli: [
    'bytes',
    'image',
    'products',
    'trust',
    'admission',
    'audit',
    'readiness',
    'protocol',
    'upgrade',
    'schedule',
    'config',
    'transport',
    'observe',
    'service',
    'store',
    'gateway',
    'api',
    'duis',
    'dcc',
    'campaign',
    'fleet',
    'lab',
    'virtual',
  ],
};

/** Folders that know no operating system: no node: module, clock, timer, randomness, process or console. */
const PURE = [
  'bytes',
  'image',
  'xml',
  'products',
  'duis',
  'trust',
  'admission',
  'audit',
  'readiness',
  'protocol',
  'upgrade',
  'jobs',
  'schedule',
  'campaign',
];
const PURE_EXCEPTION: Record<string, string[]> = {
  // node-forge reads and writes ASN.1 and derives keys: no I/O.
  trust: ['node:crypto', 'node-forge'],
  // A parser of text into records, and DEFLATE: no I/O.
  products: ['csv-parse/sync', 'fflate'],
  // A parser of text: no I/O.
  xml: ['saxes'],
  // Encodes and decodes maps: no I/O.
  protocol: ['cbor-x'],
  // Offsets of time zones, from the rules that the runtime has: no I/O.
  schedule: ['@date-fns/tz/tzOffset'],
};
/** Of the page, outside of its parts and views. */
const WITH_DOM = ['web/theme.ts'];
const IMPURE_NAMES =
  /\b(Date\.now|new Date\(\)|setTimeout|setInterval|setImmediate|Math\.random|process\.|console\.|performance\.)/;

interface Import {
  file: string;
  folder: string;
  target: string;
  typeOnly: boolean;
}

const sources = globSync('**/*.{ts,tsx}', { cwd: SRC }).map((path) => path.replaceAll('\\', '/'));
const imports: Import[] = sources.flatMap((file) => {
  const text = withoutComments(readFileSync(resolve(SRC, file), 'utf8'));
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
  const found = [...text.matchAll(/(import type [^;']*)?(?:\bfrom|\bimport\(?)\s*'([^']+)'/g)];
  return found.map(([, type, target]) => ({
    file,
    folder,
    target: target!,
    typeOnly: type !== undefined,
  }));
});

test('every folder of src has a place in the layers', () => {
  const folders = new Set(
    sources.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!),
  );
  assert.equal(
    [...folders].filter((folder) => !(folder in MAY_IMPORT)),
    [],
  );
});

test('imports point inward', () => {
  const wrong = imports
    .filter(({ target, folder }) => target.startsWith('.') && folder !== '')
    .map((entry) => ({
      ...entry,
      to: relative(SRC, resolve(SRC, dirname(entry.file), entry.target)),
    }))
    .filter(({ folder, to }) => {
      if (to === 'errors.ts' || to === 'ports.ts') return false;
      const toFolder = to.split('/')[0]!;
      return toFolder !== folder && !MAY_IMPORT[folder]!.includes(toFolder);
    })
    .map(({ file, to }) => `${file} imports ${to}`);
  assert.equal(wrong, []);
});

test('one protocol does not know another', () => {
  const wrong = imports
    .filter(({ file, target }) => file.startsWith('protocol/') && target.startsWith('.'))
    .map(({ file, target }) => ({ file, to: relative(SRC, resolve(SRC, dirname(file), target)) }))
    .filter(({ file, to }) => {
      const own = file.split('/').slice(0, 2).join('/');
      return to.startsWith('protocol/') && to !== 'protocol/machine.ts' && !to.startsWith(own);
    });
  assert.equal(wrong, []);
});

test('the inner folders know no operating system', () => {
  const wrong = imports
    .filter(({ folder, target }) => PURE.includes(folder) && !target.startsWith('.'))
    .filter(({ folder, target }) => !PURE_EXCEPTION[folder]?.includes(target))
    .map(({ file, target }) => `${file} imports ${target}`);
  for (const file of sources.filter((path) => PURE.includes(path.split('/')[0]!))) {
    const found = withoutComments(readFileSync(resolve(SRC, file), 'utf8')).match(IMPURE_NAMES);
    if (found) wrong.push(`${file} uses ${found[1]}`);
  }
  assert.equal(wrong, []);
});

/** What the page is written in is in each of its parts. */
const EVERYWHERE: Record<string, string[]> = { web: ['preact'] };

test('each third-party library enters through one file', () => {
  const doors = new Map<string, Set<string>>();
  for (const { file, folder, target, typeOnly } of imports) {
    if (EVERYWHERE[folder]?.includes(target.split('/')[0]!)) continue;
    // A type is erased: it brings no code in.
    if (typeOnly || target.startsWith('.') || target.startsWith('node:')) continue;
    const name = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/');
    doors.set(name, (doors.get(name) ?? new Set()).add(file));
  }
  const wrong = [...doors]
    .filter(([, files]) => files.size > 1)
    .map(([name, files]) => `${name}: ${[...files].join(', ')}`);
  assert.equal(wrong, []);
});

test('the page runs in a browser: no module of Node, and its parts without a DOM are plain', () => {
  const wrong = imports
    .filter(({ folder, target }) => folder === 'web' && target.startsWith('node:'))
    .map(({ file, target }) => `${file} imports ${target}`);
  for (const file of sources.filter((path) => /^web\/[^/]*\.ts$/.test(path))) {
    if (WITH_DOM.includes(file)) continue;
    const text = withoutComments(readFileSync(resolve(SRC, file), 'utf8'));
    const [, found] = /\b(document|window|localStorage|sessionStorage|location)\./.exec(text) ?? [];
    if (found !== undefined) wrong.push(`${file} uses ${found}`);
  }
  assert.equal(wrong, []);
});

test('node:sqlite enters through one file', () => {
  const doors = imports.filter(({ target }) => target === 'node:sqlite').map(({ file }) => file);
  assert.equal(doors, ['store/sqlite.ts']);
});

test('nothing of ours imports zigbee-on-host', () => {
  assert.equal(
    imports.filter(({ target }) => target.includes('zigbee-on-host')),
    [],
  );
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

test.run();
