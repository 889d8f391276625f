/** What is published, built, packed and installed as a user would: it upgrades a device, and holds no GPL code. */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FIRMWARE, TestRig } from '../support/rigs.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'uplift-package-'));
const installed = join(folder, 'node_modules');

function npm(parameters: string[], cwd: string): string {
  return execFileSync('npm', [...parameters, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
  }).toString();
}

test.before(() => {
  execFileSync(join(ROOT, 'scripts/build'), { cwd: ROOT, stdio: 'ignore' });
  npm(['pack', '--silent', '--pack-destination', folder], ROOT);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  npm(['install', join(folder, archive)], folder);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test('no zigbee-on-host beside it or inside it', () => {
  assert.is(readdirSync(installed).includes('zigbee-on-host'), false);
  const dist = join(installed, 'uplift/dist');
  for (const name of readdirSync(dist).filter((entry) => entry.endsWith('.js'))) {
    const text = readFileSync(join(dist, name), 'utf8');
    assert.is(/node_modules\/zigbee-on-host\//.test(text), false, `${name} bundles zigbee-on-host`);
  }
});

test('the manual is there', () => {
  const inside = (path: string) => existsSync(join(installed, 'uplift', path));
  const wanted = ['README.md', 'ARCHITECTURE.md', ...globSync('docs/**/*.{md,svg}', { cwd: ROOT })];
  assert.ok(wanted.length > 30, `${wanted.length}`);
  assert.equal(
    wanted.filter((path) => !inside(path)),
    [],
  );
});

test('the library is there, with its declarations', () => {
  const script = join(folder, 'use.ts');
  writeFileSync(
    script,
    `import { crc32, parseOtaFile, ZclOtaServer } from 'uplift';
     import { readFileSync } from 'node:fs';
     const parsed = parseOtaFile(new Uint8Array(readFileSync(process.argv[2]!)));
     console.log(parsed.ok, crc32(new Uint8Array([1])), new ZclOtaServer().addDevice());`,
  );
  const said = execFileSync(process.execPath, [script, FIRMWARE.new]).toString();
  assert.is(said, 'true 2768625435 0\n');
  const types = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--types',
    'node',
    '--typeRoots',
    join(ROOT, 'node_modules/@types'),
    script,
  ];
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), types, { cwd: folder });
});

test('the installed command upgrades a device', async () => {
  const rig = await TestRig.make();
  try {
    await rig.up();
    const command = join(installed, 'uplift/dist/cli.js');
    const child = spawn(process.execPath, [command, ...rig.flashArguments()], { stdio: 'pipe' });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const code = await new Promise((done) => child.on('close', done));
    assert.is(code, 0, said);
    assert.is(rig.device().fileVersion, 0x02000000);
  } finally {
    await rig.remove();
  }
});

test.run();
