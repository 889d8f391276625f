/** `uplift campaign ...`, without a process for each: from a description to a campaign that is believed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { check } from '../../src/cli/campaign-check.ts';
import { make } from '../../src/cli/campaign-make.ts';
import { show } from '../../src/cli/campaign-show.ts';
import { type SignOptions, sign } from '../../src/cli/campaign-sign.ts';
import { Output } from '../../src/cli/output.ts';
import { type ExitCode, UpliftError } from '../../src/errors.ts';
import type { CoseSigner } from '../../src/trust/cose.ts';
import { ANN, BOB, CARLA, keyIdOf } from '../campaign/campaigns.ts';
import { certificate, fingerprint, pem } from '../trust/naive-x509.ts';
import { SPECS } from '../trust/test-pki.ts';

const test = suite('what the commands of campaigns say');
const EXAMPLE = resolve(import.meta.dirname, '../../hw-config/campaign.example.yaml');
const folder = mkdtempSync(join(tmpdir(), 'uplift-campaign-'));
test.after(() => rmSync(folder, { recursive: true }));

const at = '2026-01-10';
const root = certificate(SPECS.root);
const anchors = write(
  'anchors.json',
  JSON.stringify({
    version: 1,
    anchors: [
      {
        name: 'root',
        purpose: 'campaign',
        fingerprint: fingerprint(root),
        pem: pem('CERTIFICATE', root),
      },
    ],
  }),
);
const [ann, bob, carla] = [filesOf('ann', ANN), filesOf('bob', BOB), filesOf('carla', CARLA)];

class Heard extends Output {
  // biome-ignore lint/suspicious/noExplicitAny: whatever a test looks for
  document: any;
  lines: string[] = [];
  override result(document: unknown, lines: string[]): void {
    this.document = document;
    this.lines = lines;
  }
}

/** The exit code, and the code of what was thrown. */
function said(work: (output: Output) => ExitCode) {
  const output = new Heard({ quiet: true });
  try {
    const exit = work(output);
    return { exit, code: '', actual: '', document: output.document, lines: output.lines };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    const { exit, code, actual = '' } = error;
    return { exit, code, actual, document: undefined, lines: [] };
  }
}

let made = 0;
function maker(source: string = EXAMPLE) {
  const out = join(folder, `${made++}.campaign`);
  return { out, ...said((output) => make(source, { out, author: ann.certificate }, output)) };
}

const signer = (path: string, as: string, who: typeof ann, more: Partial<SignOptions> = {}) =>
  said((output) => sign(path, { as, ...who, ...more }, output));
const checker = (path: string, options: object = { anchors, at }) =>
  said((output) => check(path, options, output));

test('from the example to a campaign that is believed, step by step', () => {
  const { out, document } = maker();
  assert.is(document.id, 'ppmid-2026-01');
  assert.is(checker(out).code, 'cose-no-signature');
  assert.match(said((output) => show(out, output)).lines.join('\n'), /by nobody yet/);
  assert.is(signer(out, 'approver', bob, { digest: document.digest }).exit, 0);
  assert.is(checker(out).code, 'author-unsigned');
  assert.is(signer(out, 'author', ann).exit, 0);
  assert.is(checker(out).code, 'approvals-too-few');
  assert.is(signer(out, 'approver', carla).exit, 0);
  const believed = checker(out);
  assert.is(believed.exit, 0);
  assert.is(believed.document.digest, document.digest);
  assert.is(believed.document.author.keyId, keyIdOf(ANN));
  assert.is(believed.document.approvers.length, 2);
  assert.is(believed.document.revocation, 'not-checked');
  const shown = said((output) => show(out, output)).document;
  assert.is(shown.verified, false);
  assert.is(shown.manifest.expires, '2026-02-09T00:00:00Z');
  assert.equal(
    shown.signatures.map(({ as }: { as: string }) => as),
    ['approver', 'author', 'approver'],
  );
  assert.is(checker(out, { at }).code, 'no-trust-anchor');
  assert.is(checker(out, { anchors, at: '2026-03-01' }).code, 'campaign-expired');
  assert.is(checker(out, { anchors, at: '2026-01-08' }).code, 'campaign-from-future');
});

test('who may sign as what', () => {
  const { out } = maker();
  assert.is(signer(out, 'owner', ann).exit, 2);
  assert.is(signer(out, 'approver', ann).code, 'self-approval');
  assert.is(signer(out, 'author', bob).code, 'signer-not-author');
  assert.is(signer(out, 'approver', bob, { digest: '00'.repeat(32) }).code, 'digest-differs');
  assert.is(signer(out, 'approver', { ...bob, key: ann.key }).code, 'signing-key');
  const long = write('long.pem', readFileSync(ann.certificate, 'utf8').repeat(3));
  assert.is(signer(out, 'author', { ...ann, certificate: long }).exit, 2);
  assert.is(checker(out).code, 'cose-no-signature', 'none of them left anything');
  assert.is(signer(out, 'approver', bob).exit, 0);
  const again = signer(out, 'approver', bob);
  assert.equal([again.exit, again.code], [3, 'already-signed']);
});

test('a signature can go to another file', () => {
  const { out } = maker();
  const before = readFileSync(out);
  const elsewhere = join(folder, 'elsewhere.campaign');
  assert.is(signer(out, 'author', ann, { out: elsewhere }).exit, 0);
  assert.equal(readFileSync(out), before);
  assert.is(checker(elsewhere).code, 'approvals-too-few');
});

test('a wrong description names the place', () => {
  const source = readFileSync(EXAMPLE, 'utf8');
  const wrong = (from: string, to: string) => maker(write('wrong.yaml', source.replace(from, to)));
  const percent = wrong('percent: 10', 'percent: 100');
  assert.equal([percent.exit, percent.code], [2, 'field-value']);
  const line = source.slice(0, source.indexOf('percent: 10')).split('\n').length;
  assert.match(percent.actual, new RegExp(`rings\\[1\\]\\.percent.*line ${line}, column 14$`));
  assert.is(wrong('reason:', 'raison:').code, 'field-unknown');
  assert.is(wrong('fleet: north\n', '').code, 'field-missing');
  assert.is(wrong('approvals: 2', 'approvals: "2"').code, 'field-kind');
  const noAuthor = said((output) => make(EXAMPLE, { out: join(folder, 'none') }, output));
  assert.equal([noAuthor.exit, noAuthor.code], [2, 'field-missing']);
});

test('what is no campaign', () => {
  const other = write('other.campaign', 'hello');
  assert.equal([checker(other).exit, checker(other).code], [3, 'cose-structure']);
  assert.is(said((output) => show(other, output)).code, 'cose-structure');
  assert.is(signer(other, 'author', ann).code, 'cose-structure');
});

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function filesOf(name: string, { privateKey, certificates }: CoseSigner) {
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const chain = certificates.map(({ der }) => pem('CERTIFICATE', der)).join('');
  return { certificate: write(`${name}.pem`, chain), key: write(`${name}.key`, key) };
}

test.run();
