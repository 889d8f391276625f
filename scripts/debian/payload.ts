/**
 * What the Debian package holds below /usr/lib/uplift and what it says of it: the bundle, the packages beside
 * it, the list of both as CycloneDX, and their licences. Called by scripts/build-deb:
 *
 *   node scripts/debian/payload.ts ROOT NODE-FOLDER BUNDLE-FOLDER
 *
 * Beside the bundle are exactly the packages that the lock file gives to package.json's dependencies. What was
 * bundled is read off the bundle's source maps. What is only optional stays out, and so does all that is under
 * the GPL alone.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../..');

/** What a package needs to be built or understood, and not to run. */
const LEFT_OUT_FILES =
  /\.(ts|mts|cts|map|md|markdown|cc|cpp|c|h|hpp|gyp|gypi|yml|yaml|flow|html)$/i;
const LEFT_OUT_FOLDERS =
  /^(test|tests|integration|docs|doc|bench|benchmark|benchmarks|example|examples|browser|\.github)$/;
const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** Where a package lets one choose. */
const CHOSEN: Record<string, string> = {
  '(BSD-3-Clause OR GPL-2.0)': 'BSD-3-Clause',
  '(MIT OR GPL-2.0)': 'MIT',
};

interface LockEntry {
  version: string;
  integrity?: string;
  license?: string;
  dependencies?: Record<string, string>;
}

interface Part {
  name: string;
  version: string;
  licence: string;
  /** Below the repository. */
  path: string;
  integrity: string | undefined;
  bundled: boolean;
}

const [root, nodeFolder, bundleFolder] = process.argv.slice(2);
if (root === undefined || nodeFolder === undefined || bundleFolder === undefined)
  throw new Error('ROOT, NODE-FOLDER and BUNDLE-FOLDER wanted');
const bundle = bundleFolder;

const lock = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockEntry>;
};
const own = lock.packages['']!;
const beside = packagesBeside();
const bundled = packagesBundled().filter((path) => !beside.includes(path));
const parts = [
  ...beside.map((path) => partOf(path, false)),
  ...bundled.map((path) => partOf(path, true)),
].sort((a, b) => (a.path < b.path ? -1 : 1));
refuseGpl(parts);

const library = join(root, 'usr/lib/uplift');
const documents = join(root, 'usr/share/doc/uplift');
for (const name of readdirSync(bundle).filter((entry) => entry.endsWith('.js')))
  copyInto(join(bundle, name), join(library, 'dist', name));
for (const name of globSync('web/**/*.{html,js,css,svg}', { cwd: bundle }))
  copyInto(join(bundle, name), join(library, 'dist', name));
for (const path of beside) copyPackage(path);
writeText(
  join(library, 'package.json'),
  `${JSON.stringify({ name: 'uplift', version: own.version, private: true, type: 'module' })}\n`,
);
writeText(join(documents, 'sbom.cdx.json'), `${JSON.stringify(bom(), null, 2)}\n`);
writeText(join(documents, 'copyright'), copyright());
for (const part of parts) copyLicences(part);
copyInto(join(nodeFolder, 'LICENSE'), join(documents, 'licenses/node/LICENSE'));

/** From package.json's dependencies on, as Node would resolve them; optional ones stay out. */
function packagesBeside(): string[] {
  const found = new Set<string>();
  const follow = (from: string, entry: LockEntry) => {
    for (const name of Object.keys(entry.dependencies ?? {})) {
      const path = resolved(from, name);
      if (found.has(path)) continue;
      found.add(path);
      follow(path, lock.packages[path]!);
    }
  };
  follow('', own);
  return [...found].sort();
}

function resolved(from: string, name: string): string {
  for (
    let folder = from;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  ) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (path in lock.packages) return path;
    if (folder === '') throw new Error(`${name}, which ${from || 'uplift'} wants, is not locked`);
  }
}

function packagesBundled(): string[] {
  const found = new Set<string>();
  for (const map of globSync('{*,web/assets/*}.js.map', { cwd: bundle })) {
    const { sources } = JSON.parse(readFileSync(join(bundle, map), 'utf8')) as {
      sources: string[];
    };
    for (const source of sources) {
      const path = /^(?:\.\.\/)+((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1];
      if (path !== undefined) found.add(path);
    }
  }
  return [...found].sort();
}

function partOf(path: string, isBundled: boolean): Part {
  const manifest = JSON.parse(readFileSync(join(REPOSITORY, path, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const written = manifest.license ?? lock.packages[path]?.license;
  if (written === undefined) throw new Error(`${path} names no licence`);
  return {
    name: manifest.name,
    version: manifest.version,
    licence: CHOSEN[written] ?? written,
    path,
    integrity: lock.packages[path]?.integrity,
    bundled: isBundled,
  };
}

function refuseGpl(all: readonly Part[]): void {
  for (const { name, licence } of all)
    if (/GPL/i.test(licence)) throw new Error(`${name} is under ${licence} and must not be inside`);
}

function copyPackage(path: string): void {
  const from = join(REPOSITORY, path);
  const files = globSync('**/*', {
    cwd: from,
    withFileTypes: true,
    exclude: (entry) => {
      const inside = relative(from, join(entry.parentPath, entry.name));
      // What lies below another package's node_modules is a package of its own.
      return inside === 'node_modules' || LEFT_OUT_FOLDERS.test(inside);
    },
  });
  for (const entry of files) {
    const file = join(entry.parentPath, entry.name);
    const inside = relative(from, file);
    if (!entry.isFile() || isLeftOut(inside)) continue;
    copyInto(file, join(library, path, inside));
  }
}

function isLeftOut(inside: string): boolean {
  if (inside.startsWith('prebuilds/')) {
    const folder = `prebuilds/linux-${process.arch}/`;
    return !inside.startsWith(folder) || inside.includes('musl');
  }
  return LEFT_OUT_FILES.test(inside) && !/licen[cs]e/i.test(inside);
}

function copyLicences({ name, path }: Part): void {
  const names = readdirSync(join(REPOSITORY, path)).filter((entry) => LICENCE_FILE.test(entry));
  for (const file of names)
    copyInto(join(REPOSITORY, path, file), join(documents, 'licenses', name, file));
}

/** CycloneDX 1.6, the same for the same sources: no time and no random number. */
function bom() {
  const components = parts.map(
    ({ name, version, licence, integrity, bundled: inBundle, path }) => ({
      type: 'library',
      'bom-ref': `pkg:npm/${name.replace('@', '%40')}@${version}#${path}`,
      name,
      version,
      scope: 'required',
      ...hashOf(integrity),
      licenses: [{ license: { id: licence } }],
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      properties: [
        { name: 'uplift:placed', value: inBundle ? 'in the bundle' : 'beside the bundle' },
      ],
    }),
  );
  const node = {
    type: 'application',
    'bom-ref': `pkg:generic/node@${process.versions.node}`,
    name: 'node',
    version: process.versions.node,
    hashes: [{ alg: 'SHA-256', content: sha256(readFileSync(join(nodeFolder!, 'bin/node'))) }],
    licenses: [{ license: { id: 'MIT' } }],
    purl: `pkg:generic/node@${process.versions.node}`,
  };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': 'uplift',
        name: 'uplift',
        version: own.version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components: [node, ...components],
  };
}

/** Of the registry's archive, as the lock file has it. */
function hashOf(integrity: string | undefined): object {
  const [, digest] = /^sha512-(.+)$/.exec(integrity ?? '') ?? [];
  if (digest === undefined) return {};
  return { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] };
}

/** In Debian's machine-readable form; the texts themselves are in licenses/. */
function copyright(): string {
  const stanza = (files: string, holder: string, licence: string, remark: string) =>
    `Files: ${files}\nCopyright: ${holder}\nLicense: ${licence}\nComment: ${remark}\n`;
  const licences = [...new Set(['MIT', ...parts.map(({ licence }) => licence)])].sort();
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: uplift\n',
    stanza(
      '*',
      'the authors of Uplift',
      'Apache-2.0',
      'Text: /usr/share/common-licenses/Apache-2.0',
    ),
    stanza(
      'usr/lib/uplift/bin/node',
      'the contributors of Node.js and of what it includes',
      'MIT',
      `Node.js ${process.versions.node}; text, and those of what it includes: licenses/node`,
    ),
    ...parts.map(({ name, version, licence, path, bundled: inBundle }) =>
      stanza(
        inBundle ? 'usr/lib/uplift/dist/*' : `usr/lib/uplift/${path}/*`,
        `the authors of ${name}`,
        licence,
        `${name} ${version}; text: licenses/${name}`,
      ),
    ),
    ...licences
      .filter((licence) => licence !== 'Apache-2.0')
      .map(
        (licence) =>
          `License: ${licence}\n The texts, with their holders, are in /usr/share/doc/uplift/licenses.\n`,
      ),
    'License: Apache-2.0\n /usr/share/common-licenses/Apache-2.0\n',
  ].join('\n');
}

function copyInto(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  // Some packages mark their texts as programs; nothing that is copied so is one.
  chmodSync(to, 0o644);
}

function writeText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) throw new Error(`${path} was there before`);
  writeFileSync(path, text);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
