/** The command line: a journal exported while it is written, signed, and checked by who has the key. */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../src/store/journal.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { runCli } from '../support/rigs.ts';

const test = suite('audit export');
const folder = temporaryFolder('export');
const { journal } = Journal.open(folder, {}, 0);
for (let n = 1; n <= 9; n++) journal.append([{ kind: 'event', device: `ppmid-${n}` }], n);
const archive = journal.retire({ beforeSequence: 4 }, 10)!;
journal.append([{ kind: 'event' }], 11);
const later = journal.retire({ beforeSequence: 6 }, 12)!;
test.after(() => journal.close());

const inFolder = (name: string) => join(folder, name);

function keyPair(name: string, type: 'ed25519' | 'ec') {
  const { publicKey, privateKey } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519');
  writeFileSync(inFolder(`${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(inFolder(`${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
}
for (const type of ['ed25519', 'ec'] as const) keyPair(type, type);

async function exported(name: string, key?: string) {
  const sign = key === undefined ? [] : ['--sign', inFolder(`${key}.key`)];
  const out = inFolder(`${name}.jsonl`);
  const end = await runCli(['audit', 'export', '--journal', folder, '--out', out, ...sign]);
  return { out, end };
}

const check = (log: string, ...more: string[]) =>
  runCli(['audit', 'check', '--log', log, '--json', ...more]);

test('exported beside the gateway, checked, shown', async () => {
  const { out, end } = await exported('plain');
  assert.is(end.code, 0, end.stderr);
  const { code, stdout } = await check(out);
  assert.equal([code, JSON.parse(stdout).records], [0, 7]);
  const shown = await runCli(['audit', 'show', '--log', out]);
  assert.match(shown.stdout, 'checkpoint');
  const text = readFileSync(out, 'utf8');
  writeFileSync(out, text.replace('ppmid-7', 'ppmid-8'));
  assert.is((await check(out)).code, 3);
});

test('an archive is checked after the record before it', async () => {
  assert.is((await check(archive.archive)).code, 0);
  assert.is((await check(later.archive)).code, 3);
  const { sequence, hash } = archive.retired;
  assert.is((await check(later.archive, '--after', `${sequence}:${hash}`)).code, 0);
  assert.is((await check(later.archive, '--after', `${sequence}:${'0'.repeat(64)}`)).code, 3);
  assert.is((await check(later.archive, '--after', 'x')).code, 2);
});

test('signed with either kind of key: verified, and no other key, byte or signature will do', async () => {
  for (const key of ['ed25519', 'ec']) {
    const { out, end } = await exported(key, key);
    assert.is(end.code, 0, end.stderr);
    const signature = ['--signature', `${out}.sig`];
    const mine = ['--key', inFolder(`${key}.pem`)];
    const good = await check(out, ...signature, ...mine);
    assert.equal([good.code, JSON.parse(good.stdout).signature], [0, { ok: true }]);
    const other = ['--key', inFolder(key === 'ec' ? 'ed25519.pem' : 'ec.pem')];
    const wrong = await check(out, ...signature, ...other);
    assert.equal([wrong.code, JSON.parse(wrong.stdout).signature.code], [3, 'signature-differs']);
    assert.is((await check(out, ...signature)).code, 2);
    assert.is((await check(out, ...mine)).code, 2);
    const bytes = readFileSync(out);
    writeFileSync(out, bytes.subarray(0, bytes.lastIndexOf(10, bytes.length - 2) + 1));
    assert.is((await check(out, ...signature, ...mine)).code, 3);
  }
});

test('OpenSSL verifies the same files', async () => {
  if (spawnSync('openssl', ['version']).status !== 0) {
    assert.not.ok(process.env['CI'] === 'true', 'openssl is needed');
    console.log('SKIP OpenSSL verifies the same files: openssl is not here');
    return;
  }
  for (const key of ['ed25519', 'ec']) {
    const { out } = await exported(`${key}-openssl`, key);
    const digest = key === 'ec' ? ['-digest', 'sha256'] : [];
    const signature = ['-sigfile', `${out}.sig`, '-pubin', '-inkey', inFolder(`${key}.pem`)];
    const end = spawnSync(
      'openssl',
      ['pkeyutl', '-verify', '-rawin', ...digest, '-in', out, ...signature],
      { encoding: 'utf8' },
    );
    assert.is(end.status, 0, end.stderr);
  }
});

test('a key that cannot sign, a folder without a journal, a path that cannot be written', async () => {
  const { end } = await exported('wrong', '../absent');
  assert.is(end.code, 2);
  writeFileSync(inFolder('text.key'), 'no key');
  const text = await exported('wrong', 'text');
  assert.equal([text.end.code, /the key cannot sign/.test(text.end.stderr)], [2, true]);
  const none = await runCli(['audit', 'export', '--journal', '/', '--out', inFolder('x')]);
  assert.equal([none.code, /no journal/.test(none.stderr)], [2, true]);
  const out = inFolder('absent/x.jsonl');
  const unwritten = await runCli(['audit', 'export', '--journal', folder, '--out', out]);
  assert.equal([unwritten.code, /was not written/.test(unwritten.stderr)], [2, true]);
});

test.run();
