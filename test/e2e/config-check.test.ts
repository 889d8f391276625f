/** `uplift config check`: its exit codes, what it shows, and what it never shows. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DuisSite } from '../support/duis-site.ts';
import { MAIN } from '../support/main.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'uplift-config-check-'));
const SECRET = 'c0ffee-SECRET-0123456789abcdefghijklmnop';

test.after(() => rmSync(folder, { recursive: true, force: true }));

function check(text: string, ...options: string[]) {
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, text);
  chmodSync(path, 0o644);
  return run('--config', path, ...options);
}

function run(...options: string[]) {
  const words = [MAIN, 'config', 'check', ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: ROOT });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

const RIGHT = `gateway: {id: bench-1, stateDirectory: ${folder}/state}
rigs: [${ROOT}/hw-config/rigs/virtual-ppmid.yaml]
`;

test('a right one: what it comes to, every default in', () => {
  const { status, stdout } = check(RIGHT);
  assert.is(status, 0);
  assert.match(stdout, /^gateway\.id +bench-1$/m);
  assert.match(stdout, /^schedule\.timeZone +Europe\/London$/m);
  assert.match(stdout, /^api\.socket\.mode +0660$/m);
  assert.match(stdout, 'gateway.yaml is right');
});

test('a wrong one: exit 2, the line and the key, in words and as JSON', () => {
  const wrong = `${RIGHT}log: {levle: info}\n`;
  const words = check(wrong);
  assert.is(words.status, 2);
  assert.match(words.stderr, 'gateway.yaml:3:7: log.levle: expected one of the keys level');
  assert.match(words.stderr, 'did you mean "level"?');
  const json = check(wrong, '--json');
  assert.is(json.status, 2);
  assert.is((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'key-unknown');
});

test('a file it names that holds something else: exit 2, with the key', () => {
  writeFileSync(join(folder, 'floors.json'), '{"not": "floors"}');
  const { status, stdout } = check(`${RIGHT}admission: {floors: floors.json}\n`);
  assert.is(status, 2);
  assert.match(stdout, 'admission.floors: ');
  assert.match(stdout, '1 of the files it names is wrong');
});

test('a key that is none for TLS is told, and neither it nor a token is shown', () => {
  const hash = 'a'.repeat(64);
  for (const [name, content] of [
    ['gateway.key', `-----BEGIN PRIVATE KEY-----\n${SECRET}\n`],
    ['gateway.pem', SECRET],
    ['tokens', `admin a sha256:${hash}\n`],
  ] as const) {
    writeFileSync(join(folder, name), content);
    chmodSync(join(folder, name), 0o600);
  }
  const text = `${RIGHT}api:
  tcp:
    tls: {certificateFile: gateway.pem, keyFile: gateway.key}
    tokensFile: tokens
`;
  for (const options of [[], ['--json'], ['--verbose']]) {
    const { status, stdout, stderr } = check(text, ...options);
    assert.is(status, 2);
    assert.match(stdout, 'api.tcp.tls');
    assert.not.match(stdout + stderr, SECRET);
    assert.not.match(stdout + stderr, hash);
  }
});

test('Service Users: keys and certificates are read, and a key of another certificate is told', () => {
  const site = new DuisSite();
  try {
    assert.is(run('--config', site.gateway()).status, 0);
    site.write('signing.key', readFileSync(site.supplier.key));
    const { status, stdout } = run('--config', site.gateway());
    assert.is(status, 2);
    assert.match(stdout, /duis\.signing: .*the key cannot sign for the certificate/);
    site.write('supplier.pem', 'nonsense');
    assert.match(run('--config', site.gateway()).stdout, /duis\.users\[0\]\.certificates: /);
  } finally {
    site.remove();
  }
});

test('a warning leaves it right: exit 0, and told also where only troubles are', () => {
  const rig = join(folder, 'rig.yaml');
  const model = join(ROOT, 'hw-config/hubs/virtual-hub.yaml');
  writeFileSync(
    rig,
    `rig: r\ndescription: d\nstate: s\ndevices: [{id: hub, model: ${model}, port: /dev/none}]\n`,
  );
  const text = `gateway: {id: a, stateDirectory: s}\nrigs: [rig.yaml]\n`;
  const { status, stdout } = check(text);
  assert.is(status, 0);
  assert.match(stdout, 'warning');
  assert.match(stdout, '/dev/none');
  assert.match(check(text, '--quiet').stderr, '/dev/none');
  const document = JSON.parse(check(text, '--json').stdout) as { warnings: { code: string }[] };
  assert.equal(
    document.warnings.map(({ code }) => code),
    ['port-absent'],
  );
});

test('no configuration named, and none where the package has it', () => {
  const { status, stderr } = run();
  if (status === 0) return;
  assert.is(status, 2);
  assert.match(stderr, '/etc/uplift/gateway.yaml');
});

test.run();
