/** The command line as a program: exit codes, what goes to which stream, JSON, help. No rig is needed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAIN } from '../support/main.ts';
import { type CliResult, FIRMWARE, runCli } from '../support/rigs.ts';

const test = suite('command line');
const ROOT = resolve(import.meta.dirname, '../..');
const RIG = join(ROOT, 'hw-config/rigs/virtual-ppmid.yaml');
const SITE = join(ROOT, 'hw-config/rigs/virtual-site.yaml');
const folder = mkdtempSync(join(tmpdir(), 'uplift-cli-'));
test.after(() => rmSync(folder, { recursive: true }));

const COMMANDS = [
  'inspect',
  'verify',
  'plan',
  'flash',
  'readiness',
  'lists',
  'lists lint',
  'rig',
  'rig list',
  'rig check',
  'rig join',
  'rig up',
  'rules list',
  'audit check',
  'serve',
  'config check',
  'job create',
  'job show',
  'image put',
  'device read',
  'api token',
  'campaign',
  'campaign make',
  'campaign sign',
  'campaign check',
  'campaign show',
  'bundle',
  'bundle make',
  'bundle show',
  'bundle apply',
  'bundle events',
  'bundle import',
].map((name) => name.split(' '));

/** Runs them two at a time: each is a process. */
async function runAll(commands: string[][]): Promise<CliResult[]> {
  const results: CliResult[] = [];
  for (let at = 0; at < commands.length; at += 2)
    results.push(...(await Promise.all(commands.slice(at, at + 2).map(runCli))));
  return results;
}

test('every command has help, with an example', async () => {
  for (const result of await runAll([[], ...COMMANDS].map((words) => [...words, '--help']))) {
    assert.is(result.code, 0);
    assert.match(result.stdout, /\nExample:\n {2}uplift /);
    assert.is(result.stderr, '');
  }
});

test('no command: the help, and exit code 2', async () => {
  for (const result of await runAll([[], ['rig'], ['lists']])) {
    assert.is(result.code, 2);
    assert.match(result.stderr, /Usage: uplift/);
  }
});

const target = ['--rig', RIG, '--image', FIRMWARE.new];
const WRONG: [words: string[], code: string][] = [
  [['bogus'], 'command-line'],
  [['rig', 'bogus'], 'command-line'],
  [['inspect'], 'command-line'],
  [['inspect', 'a', 'b'], 'command-line'],
  [['flash', '--image', FIRMWARE.new], 'command-line'],
  [['flash', '--rig', RIG], 'command-line'],
  [['plan', ...target, '--bogus'], 'command-line'],
  [['plan', '--json', ...target, '--activate'], 'command-line'],
  [['plan', ...target, '--activate', 'soon'], 'option-invalid'],
  [['flash', ...target, '--activate', '2020-01-01T00:00:00Z'], 'option-invalid'],
  [['flash', ...target, '--wait', 'long'], 'option-invalid'],
  [['flash', ...target, '--device', 'nobody'], 'device-unknown'],
  [['plan', '--rig', RIG, '--image', join(folder, 'none')], 'file-unreadable'],
  [['plan', '--rig', RIG, '--image', folder], 'file-unreadable'],
  [['plan', '--rig', join(folder, 'none.yaml'), '--image', FIRMWARE.new], 'file-missing'],
  [['plan', ...target, '--cpl', FIRMWARE.new], 'list-unreadable'],
  [['plan', ...target, '--image-index', '-1'], 'option-invalid'],
  [['verify', FIRMWARE.new, '--device', 'ppmid'], 'option-invalid'],
  [['verify', FIRMWARE.new, '--rig', RIG, '--model', RIG], 'option-invalid'],
  [['verify', FIRMWARE.new, '--profile', 'gb'], 'option-invalid'],
  [['verify', FIRMWARE.new, '--hardware', '0x10000'], 'option-invalid'],
  [['verify', FIRMWARE.new, '--device-model', 'a:b:c'], 'option-invalid'],
  [['verify', FIRMWARE.new, '--trust', folder], 'trust-anchors-missing'],
  [['inspect', FIRMWARE.new, '--cpl', FIRMWARE.list], 'command-line'],
];

test('a wrong command line: exit code 2, and expected, found, next', async () => {
  const results = await runAll(
    WRONG.map(([words]) => (words[1] === '--json' ? words : [...words, '--json'])),
  );
  results.forEach((result, index) => {
    const [words, code] = WRONG[index]!;
    const name = words.join(' ');
    assert.is(result.code, 2, `${name}: ${result.stdout}${result.stderr}`);
    assert.is(result.stderr, '', name);
    assert.is(result.events.length, 1, name);
    const { error } = result.events[0] as { error: Record<string, unknown> };
    if (code !== 'list-unreadable' && code !== 'file-missing') assert.is(error['code'], code, name);
    assert.is(error['exit'], 2, name);
    if (code === 'file-missing') return;
    for (const key of ['message', 'expected', 'actual', 'next'])
      assert.ok(String(error[key] ?? '').length > 0, `${name}: ${key} is said`);
  });
});

test('the same for people, on stderr and without a stack', async () => {
  const [result] = await runAll([['plan', ...target, '--activate', 'soon', '--quiet']]);
  assert.is(result!.stdout, '');
  assert.match(
    result!.stderr,
    /^error .*\n {2}expected {2}.*\n {2}found {5}soon\n {2}next {6}.*\n$/,
  );
});

test('--json is one document', async () => {
  const results = await runAll([
    ['inspect', FIRMWARE.new, '--json'],
    ['verify', FIRMWARE.new, '--rig', RIG, '--json', '--verbose'],
    ['plan', '--rig', SITE, '--image', FIRMWARE.new, '--json'],
    ['plan', ...target, '--json', '--quiet'],
    ['rig', 'list', '--json'],
    ['rig', 'list', '--rig', RIG, '--json'],
  ]);
  for (const { code, stdout, stderr } of results) {
    assert.is(code, 0);
    assert.type(JSON.parse(stdout), 'object');
    assert.is(stdout.split('\n').length, 2, 'on one line');
    assert.is(stderr, '');
  }
});

test('--quiet says nothing of what is well, and the reason of what is not', async () => {
  const wrong = FIRMWARE.wrongHardware;
  const [well, list, refused, planned] = await runAll([
    ['verify', FIRMWARE.new, '--rig', RIG, '--quiet'],
    ['rig', 'list', '--quiet'],
    ['verify', wrong, '--rig', RIG, '--quiet'],
    ['plan', '--rig', RIG, '--image', wrong, '--quiet'],
  ]);
  for (const result of [well!, list!]) {
    assert.is(result.code, 0);
    assert.is(result.stdout + result.stderr, '');
  }
  for (const result of [refused!, planned!]) {
    assert.is(result.code, 3);
    assert.is(result.stdout, '');
    assert.match(result.stderr, /refused by device\.hardware-range\n {2}✗/);
    assert.not.match(result.stderr, '✓');
  }
});

test('what people read of an image that passes', async () => {
  const [plan, verify] = await runAll([
    ['plan', '--rig', SITE, '--image', FIRMWARE.new],
    ['verify', FIRMWARE.new, '--rig', RIG, '--running', '0x01000000'],
  ]);
  assert.match(plan!.stdout, /as far as is known; still open: the file version it runs/);
  for (const step of ['admit', 'offer', 'distribute', 'verify', 'activate', 'confirm'])
    assert.match(plan!.stdout, new RegExp(`\\n +\\d +${step} `));
  assert.is(plan!.stdout.match(/still open/g)!.length, 1, 'devices of one kind are named together');
  assert.match(verify!.stdout, /: admitted\n/);
});

test('no escape codes without a terminal, whatever NO_COLOR says', async () => {
  for (const { stdout, stderr } of await runAll([
    ['verify', FIRMWARE.wrongHardware, '--rig', RIG],
    ['bogus'],
  ]))
    assert.not.match(stdout + stderr, '\u001b');
  const shell = `'${MAIN}' verify ${FIRMWARE.wrongHardware} --rig ${RIG}`;
  const { output } = await runShell(`unset NO_COLOR; '${process.execPath}' ${shell} 2>&1`);
  assert.match(output, 'refused');
  assert.not.match(output, '\u001b');
});

test('a reader that goes early is no error', async () => {
  const cli = `'${process.execPath}' '${MAIN}'`;
  for (const words of [
    `plan --rig ${SITE} --image ${FIRMWARE.new} --verbose --json`,
    `inspect ${FIRMWARE.new}`,
    `verify ${FIRMWARE.wrongHardware} --rig ${RIG}`,
    'bogus',
  ]) {
    const both = await runShell(
      `set -o pipefail; ${cli} ${words} 2>${folder}/stderr | true; echo "$?"`,
    );
    const plain = await runShell(`${cli} ${words} >/dev/null 2>&1; echo "$?"`);
    assert.is(both.output, plain.output, `${words}: the exit code is that of the work`);
    const told = await runShell(`cat ${folder}/stderr`);
    assert.not.match(told.output, /EPIPE|^ +at |node:/m);
    const closed = await runShell(`${cli} ${words} 2>&1 | true; echo "\${PIPESTATUS[0]}"`);
    assert.is(closed.output, plain.output, `${words}: and with stderr`);
  }
});

function runShell(command: string): Promise<{ output: string }> {
  const child = spawn('bash', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((done) => child.on('close', () => done({ output })));
}

test.run();
