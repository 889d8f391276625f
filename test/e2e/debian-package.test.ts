/**
 * The Debian package: built twice to the same bytes, looked into, unpacked and run without any other Node,
 * installed, upgraded, removed and purged by the real dpkg on a throw-away layer over this system.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPages } from '../docs/pages.ts';
import { FIRMWARE } from '../support/rigs.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const DEBIAN = join(ROOT, 'scripts/debian');
const EXPOSURE_MAX = 2.0;
/** It looks into a hundred megabytes of Node. */
const LINTIAN_MS = 200_000;
const version = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
).version;

const folder = mkdtempSync(join(tmpdir(), 'uplift-deb-'));
const tree = join(folder, 'tree');
const library = join(tree, 'usr/lib/uplift');
const examples = join(tree, 'usr/share/doc/uplift/examples');
let archive = '';

/** False, and said so, where a program is missing; in CI that is a failure. */
function has(program: string, what: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  if (!found && process.env['CI'] === 'true') throw new Error(`${program} is not installed`);
  if (!found) console.log(`SKIP ${program} is not installed: ${what}`);
  return found;
}

function build(name: string): string {
  const said = execFileSync(join(ROOT, 'scripts/build-deb'), [join(folder, name)], {
    cwd: ROOT,
    env: { ...process.env, DEB_COMPRESSION: 'none', SOURCE_DATE_EPOCH: '1800000000' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return said.toString().trim();
}

function run(...words: string[]) {
  // Nothing of this machine's: no PATH, no Node but its own.
  const options = { env: { PATH: '' }, cwd: folder };
  const command = [join(library, 'dist/cli.js'), ...words];
  const { status, stdout, stderr } = spawnSync(join(library, 'bin/node'), command, options);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

const packaged = suite('package');

packaged.before(() => {
  archive = build('first');
  execFileSync('dpkg-deb', ['-x', archive, tree]);
});

packaged('the same sources give the same bytes', () => {
  const other = build('second');
  assert.is(sha256(other), sha256(archive));
  rmSync(other);
});

packaged('says what it is', () => {
  const field = (name: string) => execFileSync('dpkg-deb', ['-f', archive, name]).toString().trim();
  assert.is(field('Package'), 'uplift');
  assert.is(field('Version'), version);
  assert.is(
    field('Architecture'),
    execFileSync('dpkg', ['--print-architecture']).toString().trim(),
  );
  assert.match(field('Depends'), /libc6 .*systemd/);
  const info = execFileSync('dpkg-deb', ['--info', archive]).toString();
  for (const name of ['conffiles', 'md5sums', 'postinst', 'prerm', 'postrm'])
    assert.match(info, name);
});

packaged("everything is root's and nothing is anybody's to change", () => {
  const lines = execFileSync('dpkg-deb', ['--contents', archive], { maxBuffer: 1e8 })
    .toString()
    .trim()
    .split('\n');
  for (const line of lines) {
    // Of a link nobody asks the mode.
    assert.match(line, /^(l[rwx]{9}|[-d]rwxr-xr-x|-rw-r--r--) root\/root/);
    assert.match(line, ' 2027-01-15 ', 'of one time');
  }
});

packaged(
  'one Node, one binding of this architecture, no sources, maps or test keys to trust',
  () => {
    const files = globSync('**/*', { cwd: library });
    const bindings = files.filter((path) => path.endsWith('.node'));
    assert.ok(bindings.length >= 1);
    for (const path of bindings) assert.match(path, `linux-${process.arch}/`);
    assert.equal(
      files.filter((path) => /\.(map|cc|gyp|ts)$/.test(path)),
      [],
    );
    assert.equal(readdirSync(join(tree, 'etc/uplift/trust')), []);
    assert.equal(readdirSync(join(tree, 'etc/uplift/rigs')), []);
    assert.equal(globSync(['usr/lib/**/*.pem', 'etc/**/*.pem'], { cwd: tree }), []);
  },
);

packaged('no package inside is under the GPL alone, and zigbee-on-host is not there', () => {
  const manifests = globSync('**/package.json', { cwd: join(library, 'node_modules') });
  assert.ok(manifests.length > 30, `${manifests.length}`);
  for (const path of manifests) {
    const { license = '' } = JSON.parse(
      readFileSync(join(library, 'node_modules', path), 'utf8'),
    ) as { license?: string };
    const isFree = !/GPL/.test(license) || /\b(MIT|BSD-3-Clause|Apache-2\.0) OR\b/.test(license);
    assert.ok(isFree, `${path}: ${license}`);
  }
  assert.equal(globSync('**/zigbee-on-host', { cwd: library }), []);
  const worker = readFileSync(join(library, 'dist/zigbee-worker.js'), 'utf8');
  assert.not.match(worker, /node_modules\/zigbee-on-host\//);
});

packaged('the manual is there, and every link of it leads somewhere', () => {
  const documents = join(tree, 'usr/share/doc/uplift');
  assert.equal(
    globSync('docs/**/*.md', { cwd: documents }).sort(),
    globSync('docs/**/*.md', { cwd: ROOT }).sort(),
  );
  const lost = readPages()
    .filter(({ path }) => path === 'README.md' || path.startsWith('docs/'))
    .flatMap(({ path, links }) =>
      links
        .map(({ target }) => target.split('#')[0]!)
        .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(documents, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );
  assert.equal(lost, []);
});

interface Component {
  name: string;
  version: string;
  licenses: { license: { id: string } }[];
}

packaged(
  'the list of parts names each package inside, with its licence, and its text is there',
  () => {
    const documents = join(tree, 'usr/share/doc/uplift');
    const bom = JSON.parse(readFileSync(join(documents, 'sbom.cdx.json'), 'utf8')) as {
      bomFormat: string;
      components: Component[];
    };
    assert.is(bom.bomFormat, 'CycloneDX');
    const listed = new Set(bom.components.map(({ name, version: of }) => `${name} ${of}`));
    const inside = globSync('**/node_modules/{*,@*/*}/package.json', { cwd: library }).map(
      (path) => {
        const { name, version: of } = JSON.parse(
          readFileSync(join(library, path), 'utf8'),
        ) as Component;
        return `${name} ${of}`;
      },
    );
    assert.equal(
      inside.filter((one) => !one.startsWith('undefined') && !listed.has(one)),
      [],
    );
    const names = bom.components.map(({ name }) => name);
    for (const name of ['node', 'zigbee-herdsman', 'pino', '@serialport/bindings-cpp'])
      assert.ok(names.includes(name), `${name} is listed`);
    for (const { name, licenses } of bom.components) {
      assert.not.match(licenses[0]!.license.id, 'GPL', name);
    }
    const copyright = readFileSync(join(documents, 'copyright'), 'utf8');
    for (const name of names.filter((one) => one !== 'node')) assert.match(copyright, `${name} `);
    assert.ok(statSync(join(documents, 'licenses/node/LICENSE')).size > 10_000);
  },
);

packaged('runs without any other program: version, image, list, scenario, configuration', () => {
  const said = run('--version');
  assert.is(said.stdout.trim(), version, said.stderr);
  const image = run('inspect', FIRMWARE.new, '--json');
  assert.is(image.status, 0, image.stderr);
  assert.match(image.stdout, '"sha256"');
  const list = run('lists', 'lint', join(examples, 'firmware/central-products-list.csv'));
  assert.is(list.status, 0, list.stderr);
  const scenarios = run('lab', 'show', 'power-cut');
  assert.is(scenarios.status, 0, scenarios.stderr);
  const config = run(
    'config',
    'check',
    '--config',
    join(examples, 'hw-config/gateway.example.yaml'),
  );
  assert.is(config.status, 0, config.stdout + config.stderr);
  const packagedConfig = run('config', 'check', '--config', join(tree, 'etc/uplift/gateway.yaml'));
  assert.is(packagedConfig.status, 2, 'it wants a rig and a state directory first');
  assert.match(packagedConfig.stderr, 'rigs[0]');
  assert.match(packagedConfig.stderr, 'gateway.stateDirectory');
});

packaged('man pages of every command, and what bash, zsh and fish complete from', () => {
  const pages = readdirSync(join(tree, 'usr/share/man/man1'));
  for (const name of ['uplift', 'uplift-flash', 'uplift-fleet', 'uplift-watch'])
    assert.ok(pages.includes(`${name}.1.gz`), pages.join(' '));
  const page = gunzipSync(readFileSync(join(tree, 'usr/share/man/man1/uplift.1.gz'))).toString();
  assert.match(page, `"Uplift ${version}"`);
  assert.match(page, '.SH EXIT STATUS');
  const bash = join(tree, 'usr/share/bash-completion/completions/uplift');
  const script = `. ${bash}; COMP_WORDS=(uplift fla) COMP_CWORD=1; _uplift; echo "\${COMPREPLY[*]}"`;
  assert.is(execFileSync('bash', ['-c', script]).toString(), 'flash\n');
  const zsh = readFileSync(join(tree, 'usr/share/zsh/vendor-completions/_uplift'), 'utf8');
  assert.is(zsh.split('\n')[0], '#compdef uplift');
  const fish = join(tree, 'usr/share/fish/vendor_completions.d/uplift.fish');
  assert.match(readFileSync(fish, 'utf8'), 'complete -c uplift');
  const bundled = run('completion', 'bash').stdout;
  assert.is(bundled, readFileSync(bash, 'utf8'), 'the bundle says the same');
});

packaged(
  'the bundled driver starts in its worker and tells that its coordinator is not there',
  () => {
    const rig = join(examples, 'hw-config/rigs/example-usb-coordinator.yaml');
    const checked = run('rig', 'check', '--rig', rig);
    assert.is(checked.status, 6, checked.stdout + checked.stderr);
  },
);

for (const name of ['uplift', 'uplift-fleet']) {
  packaged(`the unit of ${name} exposes no more than it may`, () => {
    if (!has('systemd-analyze', 'the unit was not scored')) return;
    const unit = join(DEBIAN, `${name}.service`);
    const words = ['security', '--offline=true', unit];
    const said = spawnSync('systemd-analyze', words).stdout.toString();
    const pattern = new RegExp(`exposure level for ${name}\\.service: ([\\d.]+)`);
    const score = Number(pattern.exec(said)?.[1]);
    assert.ok(score <= EXPOSURE_MAX, `${score}`);
    const text = readFileSync(unit, 'utf8');
    assert.not.match(text, /^MemoryDenyWriteExecute=(yes|true)/m);
    assert.not.match(text, /^ProcSubset=pid/m);
    assert.is(/^PrivateDevices=yes/m.test(text), name !== 'uplift', 'serial ports are devices');
  });
}

/** Of a script in a mount namespace of its own: the system below, a layer in memory above it. */
function onThrowAwayLayer(script: string): { status: number | null; said: string } | undefined {
  const path = join(folder, 'inside.sh');
  writeFileSync(path, `#!/bin/sh\nset -eu\n${script}\n`, { mode: 0o755 });
  const outside = `set -eu
    mount -t tmpfs -o size=1G none ${folder}/layer
    mkdir ${folder}/layer/upper ${folder}/layer/work ${folder}/layer/root
    mount -t overlay -o lowerdir=/,upperdir=${folder}/layer/upper,workdir=${folder}/layer/work none ${folder}/layer/root
    mount -t proc proc ${folder}/layer/root/proc
    mount --rbind /dev ${folder}/layer/root/dev
    touch ${folder}/layer/mounted
    exec chroot ${folder}/layer/root ${path}`;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const words = [...asRoot, 'unshare', '--mount', '--pid', '--fork', 'sh', '-c', outside];
  rmSync(join(folder, 'layer'), { recursive: true, force: true });
  execFileSync('mkdir', [join(folder, 'layer')]);
  const { status, stdout, stderr, error } = spawnSync(words[0]!, words.slice(1));
  const said = `${stdout ?? ''}${stderr ?? error?.message ?? ''}`;
  if (!/^inside$/m.test(said)) {
    console.log(`SKIP no layer to install on: ${said.trim().split('\n').at(-1)}`);
    return undefined;
  }
  return { status, said };
}

packaged('installs, upgrades, keeps what a person put there, and is purged only as asked', () => {
  const done = onThrowAwayLayer(`
    echo inside
    export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
    install_it() { dpkg --force-depends --force-confold -i ${archive}; }
    install_it
    uplift --version
    test -s /usr/share/man/man1/uplift-job.1.gz
    test -s /usr/share/bash-completion/completions/uplift
    id uplift
    id -nG uplift | grep -w dialout
    id uplift-fleet
    test "$(stat -c '%U:%G %a' /var/lib/uplift)" = 'uplift:uplift 750'
    test "$(stat -c '%U:%G %a' /etc/uplift/gateway.yaml)" = 'root:root 644'
    dpkg --verify uplift

    # What a person does: edits the configuration, adds keys, tokens and state.
    echo '# mine' >>/etc/uplift/gateway.yaml
    echo key >/etc/uplift/trust/mine.pem
    echo token >/etc/uplift/tokens
    echo state >/var/lib/uplift/journal
    install_it
    grep -q '# mine' /etc/uplift/gateway.yaml
    grep -q key /etc/uplift/trust/mine.pem
    grep -q token /etc/uplift/tokens

    dpkg --remove uplift
    test ! -e /usr/lib/uplift
    test ! -e /lib/systemd/system/uplift.service
    test ! -e /lib/systemd/system/uplift-fleet.service
    grep -q '# mine' /etc/uplift/gateway.yaml
    grep -q state /var/lib/uplift/journal
    dpkg --purge uplift
    test ! -e /etc/uplift/gateway.yaml
    grep -q key /etc/uplift/trust/mine.pem
    grep -q token /etc/uplift/tokens
    grep -q state /var/lib/uplift/journal

    install_it
    UPLIFT_PURGE_STATE=yes dpkg --purge uplift
    test ! -e /etc/uplift
    test ! -e /var/lib/uplift
    echo all done
  `);
  if (!done) return;
  assert.is(done.status, 0, done.said);
  assert.match(done.said, 'all done');
});

packaged('lintian finds no error', () => {
  if (spawnSync('sh', ['-c', 'command -v lintian']).status !== 0) {
    console.log('SKIP lintian is not installed');
    return;
  }
  const words = ['--fail-on', 'error', '--tag-display-limit', '0', archive];
  const { status, stdout } = spawnSync('lintian', words, { timeout: LINTIAN_MS });
  if (status === null) return console.log('SKIP lintian took too long');
  assert.is(status, 0, stdout.toString());
});

if (has('dpkg-deb', 'no package was built')) packaged.run();
else {
  const skipped = suite('package');
  skipped.skip('no dpkg-deb', () => {});
  skipped.run();
}
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function sha256(path: string): string {
  assert.ok(existsSync(path));
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
