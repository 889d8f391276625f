/** What shells complete: the tree as data, the scripts that come of it in real shells, ids in time. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHOICES, type CommandEntry, commandTree } from '../../src/cli/command-tree.ts';
import { bashScript } from '../../src/cli/completion-bash.ts';
import { fishScript } from '../../src/cli/completion-fish.ts';
import { zshScript } from '../../src/cli/completion-zsh.ts';
import { makeProgram } from '../../src/cli/program.ts';

const test = suite('completion');
const ROOT = resolve(import.meta.dirname, '../..');
const tree = commandTree(makeProgram('0.0.0'));
const folder = mkdtempSync(join(tmpdir(), 'uplift-completion-'));
const home = join(folder, 'home');
mkdirSync(join(folder, 'an images folder'));
mkdirSync(home);
writeFileSync(join(folder, 'an image.bin'), '');
/** Stands for uplift: says what it was asked, as ids. */
writeFileSync(
  join(folder, 'uplift'),
  '#!/bin/sh\necho "$1-$2"; shift 2; for w; do echo "w$w"; done\n',
  {
    mode: 0o755,
  },
);
test.after(() => rmSync(folder, { recursive: true }));

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };
for (const [shell, script] of Object.entries(SCRIPTS)) {
  writeFileSync(join(folder, `completion.${shell}`), script(tree));
}

function entryOf(...path: string[]): CommandEntry {
  const found = tree.find((entry) => entry.path.join(' ') === path.join(' '));
  assert.ok(found, path.join(' '));
  return found;
}

/** False, and said so, where a shell is missing. */
function has(shell: string): boolean {
  if (spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0) return true;
  if (shell === 'bash' || process.env['CI'] === 'true')
    throw new Error(`${shell} is not installed`);
  console.log(`SKIP ${shell} is not installed: its completion was not tried`);
  return false;
}

function shell(name: string, words: string[]): string {
  const { PATH } = process.env;
  const env = { PATH: `${folder}:${PATH}`, HOME: home, TERM: 'dumb', LC_ALL: 'C.UTF-8' };
  const { status, stdout, stderr, error } = spawnSync(name, words, {
    cwd: folder,
    env,
    timeout: 30_000,
  });
  assert.is(status, 0, `${stderr}${error ?? ''}`);
  assert.is(stderr.toString(), '');
  return stdout.toString();
}

/** What bash would offer for the last word. */
function bash(...lines: string[][]): string[][] {
  const asked = lines.map((words) => {
    const list = words.map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _uplift; printf '%s\\n' "\${COMPREPLY[@]}" --`;
  });
  const said = shell('bash', ['-c', `. ./completion.bash; ${asked.join('; ')}`]);
  return said
    .split('--\n')
    .slice(0, -1)
    .map((text) => text.split('\n').filter((line) => line !== ''));
}

function fish(...lines: string[]): string[][] {
  const asked = lines.map((line) => `complete -C '${line}'; echo ==`).join('; ');
  const said = shell('fish', ['--no-config', '-c', `source completion.fish; ${asked}`]);
  return said
    .split('==\n')
    .slice(0, -1)
    .map((text) =>
      text
        .split('\n')
        .map((line) => line.split('\t')[0]!)
        .filter(Boolean),
    );
}

test('the tree has every command that is shown, and every option but help', () => {
  assert.ok(tree.length > 60, `${tree.length}`);
  assert.ok(
    tree.every(({ path }) => path[0] !== 'completion-values'),
    'hidden',
  );
  const { options, commands } = entryOf('flash');
  assert.ok(options.some(({ long }) => long === '--bell'));
  assert.equal(commands, []);
  assert.ok(entryOf('job').commands.some(({ name }) => name === 'create'));
});

test('what follows an option: files, ids, few words', () => {
  const kind = (path: string, long: string) =>
    entryOf(...path.split(' ')).options.find((option) => option.long === long)?.value?.kind;
  assert.is(kind('flash', '--image'), 'file');
  assert.is(kind('flash', '--device'), 'devices');
  assert.is(kind('job create', '--device'), 'devices');
  assert.is(kind('verify', '--intake'), 'choice');
  assert.is(kind('job create', '--priority'), 'text');
  assert.is(kind('job create', '--watch'), undefined);
  assert.is(entryOf('job', 'show').values[0]!.kind, 'jobs');
  assert.is(entryOf('inspect').values[0]!.kind, 'file');
});

test('every choice that is told belongs to a place that is there', () => {
  const places = new Set(
    tree.flatMap(({ path, options, usage }) => [
      ...options.flatMap(({ long }) => [long, `${path.join(' ')} ${long}`]),
      ...(usage.match(/<[^>]+>/g) ?? []).flatMap((name) => [name, `${path.join(' ')} ${name}`]),
    ]),
  );
  for (const place of Object.keys(CHOICES)) assert.ok(places.has(place), place);
});

test('bash: commands, options, choices, files with blanks, ids with where they are asked', () => {
  if (!has('bash')) return;
  const [top, part, group, options, choice, equals, file, jobs, several, after, none] = bash(
    ['uplift', ''],
    ['uplift', 'ver'],
    ['uplift', 'fleet', 'campaign', ''],
    ['uplift', 'flash', '--b'],
    ['uplift', 'verify', 'a', '--intake', ''],
    ['uplift', 'lists', 'lint', '--kind', '=', 'e'],
    ['uplift', 'flash', '--image', 'an'],
    ['uplift', 'job', 'show', '--socket', '/s', ''],
    ['uplift', 'flash', '--rig', '=', 'r.yaml', '--device', 'a', ''],
    ['uplift', 'flash', '--bell', ''],
    ['uplift', 'job', 'create', '--priority', ''],
  );
  for (const name of ['flash', 'job', 'fleet', 'watch', 'completion'])
    assert.ok(top!.includes(name), name);
  assert.not.ok(top!.includes('completion-values'));
  assert.equal(part, ['verify']);
  assert.ok(group!.includes('submit') && group!.includes('abort'));
  assert.equal(options, ['--bell']);
  assert.equal(choice, ['bench', 'field', 'service-request']);
  assert.equal(equals, ['epcl']);
  assert.equal(file!.sort(), ['an image.bin', 'an images folder']);
  assert.equal(jobs, ['completion-values-jobs', 'w--socket', 'w/s']);
  assert.equal(several, ['completion-values-devices', 'w--rig', 'wr.yaml']);
  assert.ok(after!.includes('--image'), 'what takes no word leaves room for options');
  assert.equal(none, [], 'a number is nobody’s to guess');
});

test('bash: every word of the tree is offered where it belongs', () => {
  if (!has('bash')) return;
  const asked = tree.map(({ path }) => ['uplift', ...path, '-']);
  const offered = bash(...asked);
  tree.forEach(({ path, options }, index) => {
    assert.equal(
      offered[index],
      options.map(({ long }) => long),
      path.join(' '),
    );
  });
});

test('fish: commands, options, choices, ids', () => {
  if (!has('fish')) return;
  const [top, group, options, choice, jobs, file] = fish(
    'uplift ver',
    'uplift fleet campaign su',
    'uplift flash --be',
    'uplift verify a --intake ',
    'uplift job show --socket /s ',
    'uplift flash --image an',
  );
  assert.equal(top, ['verify']);
  assert.equal(group, ['submit']);
  assert.equal(options, ['--bell']);
  assert.equal(choice, ['bench', 'field', 'service-request']);
  assert.ok(jobs!.includes('completion-values-jobs') && jobs!.includes('w/s'), jobs!.join(' '));
  assert.ok(
    file!.some((name) => name.startsWith('an\\ image') || name.startsWith('an image')),
    `${file}`,
  );
});

test('zsh: the script is read without a word, and offers commands, options, choices', () => {
  if (!has('zsh')) return;
  shell('zsh', ['-f', '-n', 'completion.zsh']);
  // A zsh in a terminal of its own, asked by Tab for the list of what fits, when it has begun to read keys.
  const lines = ['fleet campaign ', 'verify a --intake ', 'job show '];
  const said = shell('zsh', [
    '-f',
    '-c',
    `zmodload zsh/zpty
    local all= part=
    until_said() {
      local seen=
      while zpty -r z part; do all+=$part seen+=$part; [[ $seen == *$1* ]] && return; done
    }
    zpty z zsh -f -i
    zpty -w z 'stty -echo; PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u'
    zpty -w z 'source ./completion.zsh; bindkey "^I" list-choices; zle -N told; bindkey "^T" told'
    zpty -w z 'told() { print LIS""TED }; zle-line-init() { print REA""DY }; zle -N zle-line-init'
    until_said READY
    ${lines.map((line) => `zpty -n -w z $'uplift ${line}\\t\\C-t\\C-u'; until_said LISTED`).join('\n    ')}
    zpty -d z
    print -r -- $all`,
  ]);
  assert.match(said, /submit[\s\S]*service-request[\s\S]*completion-values-jobs/);
});

test('ids in time: of a rig, and nothing where no gateway answers, or one that says nothing', async () => {
  const ask = (...words: string[]) => {
    const startedMs = performance.now();
    const main = join(ROOT, 'src/cli/main.ts');
    const ran = spawnSync(process.execPath, [main, 'completion-values', ...words]);
    return { ...ran, said: ran.stdout.toString(), tookMs: performance.now() - startedMs };
  };
  const rig = join(ROOT, 'hw-config/rigs/virtual-ppmid.yaml');
  assert.is(ask('devices', '--rig', rig).said, 'ppmid\n');
  const nobody = ask('jobs', '--socket', join(folder, 'none'));
  assert.equal([nobody.said, nobody.stderr.toString(), nobody.status], ['', '', 0]);
  const socket = join(folder, 'mute');
  const mute = createServer().listen(socket);
  await once(mute, 'listening');
  const silent = ask('devices', '--socket', socket);
  mute.close();
  assert.equal([silent.said, silent.stderr.toString(), silent.status], ['', '', 0]);
  assert.ok(silent.tookMs < 30_000, `${silent.tookMs}: the client alone would wait a minute`);
});

test.run();
