/**
 * Runs the test files, each in a process of its own, with a wall limit, and counts what they say.
 *
 * uvu alone would let a file without `.run()` pass, hang on a live handle for ever, and end all files
 * on one stray rejection. Here a file that ran no test, ended without its summary, or outlived its
 * limit is a failure. The last line is `N passed, N failed, N skipped`.
 *
 *   node test/run.ts [--all] [FILTER ...]
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism, constants, setPriority } from 'node:os';
import { relative, resolve } from 'node:path';

/** Folders whose tests take longer than the quick check allows. */
const SLOW_FOLDERS = ['test/bench/', 'test/e2e/', 'test/sweep/', 'test/interop/', 'test/sim/'];
/** Minutes each: begun first, so that at the end none is left running alone. */
const LONGEST = [
  'test/sim/fleet-year',
  'test/e2e/docs',
  'test/interop/lrzsz',
  'test/e2e/fleet',
  'test/e2e/upgrade',
  'test/e2e/serve',
  'test/e2e/page',
  'test/e2e/duis-service',
  'test/e2e/campaigns',
  'test/e2e/lab',
  'test/sweep/trust-bits',
  'test/e2e/bad-input',
  'test/e2e/link',
  'test/e2e/refusals',
  'test/bench/benches',
  'test/sim/week',
  'test/sweep/admission-flips',
];
const { PRIORITY_NORMAL: NORMAL, PRIORITY_LOW: LOW } = constants.priority;
const QUICK_LIMIT_MS = 60_000;
const SLOW_LIMIT_MS = 600_000;
const WHY_LINES = 30;

interface FileResult {
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  wallMs: number;
  output: string;
}

const root = resolve(import.meta.dirname, '..');
const filters = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const all = process.argv.includes('--all') || filters.length > 0;
const files = globSync('test/**/*.test.ts', { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => all || !isSlow(path))
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
  .sort(byRank);

/** What was compiled for one file is not compiled again for the next: half of a short test's time. */
const COMPILED = resolve(root, 'node_modules/.cache/compiled');

const totals = { passed: 0, failed: 0, skipped: 0 };
/** Told once more at the end, where they are looked for. */
const failures: string[] = [];
const cores = Math.min(availableParallelism(), 4);
/** Processes of what waits for a core. */
const beside = new Set<number>();
const patient = files.filter(isPatient);
// An emulated board lives in real time, and starves where others take its core.
const leftOfFirst = await runBeside(patient, runAll(files.filter(isRealTime), cores));
// One that takes all cores has them to itself: what waits for a deadline beside it would miss it.
const leftOfSecond = await runBeside(patient, runAll(files.filter(takesAll), 1));
for (const pid of beside) raise(pid);
// Most files wait for radios, lines and deadlines; two a core keep the cores busy.
const rest = files.filter((path) => !isRealTime(path) && !takesAll(path) && !isPatient(path));
await runAll([...rest, ...patient].sort(byRank), Math.min(2 * cores, 6));
await Promise.all([leftOfFirst.last, leftOfSecond.last]);
if (files.length === 0) {
  console.log(`no test file matches ${filters.join(' ') || 'test/**/*.test.ts'}`);
  totals.failed = 1;
}
for (const failure of failures) console.log(failure);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 ? 1 : 0;

async function runAll(paths: string[], atOnce: number): Promise<void> {
  const queue = [...paths];
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift())
      take(await runFile(file));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/**
 * Begins one file of the queue after another on what `others` leave of the cores, until those are over.
 * @returns when they are; what is under way then ends with what is returned
 */
async function runBeside(queue: string[], others: Promise<void>): Promise<{ last: Promise<void> }> {
  let isOver = false;
  void others.then(() => {
    isOver = true;
  });
  const work = async (): Promise<void> => {
    while (!isOver && queue.length > 0) take(await runFile(queue.shift()!, true));
  };
  const last = work();
  await others;
  return { last };
}

function take(result: FileResult): void {
  totals.passed += result.passed;
  totals.failed += result.failed;
  totals.skipped += result.skipped;
  report(result);
}

function report(result: FileResult): void {
  const counts = `${result.passed} passed${result.failed ? `, ${result.failed} FAILED` : ''}${result.skipped ? `, ${result.skipped} skipped` : ''}`;
  console.log(
    `${result.failed ? 'FAIL' : ' ok '} ${result.file}  ${counts}  ${(result.wallMs / 1000).toFixed(1)} s`,
  );
  if (result.failed) {
    const tests = [...result.output.matchAll(/^ +FAIL +(.+)$/gm)].map(([, name]) => name);
    failures.push(`FAILED ${result.file}: ${tests.join(', ')}`, whyOf(result.output));
  }
  const notable = result.failed
    ? result.output
    : result.output
        .split('\n')
        .filter((line) => /^(SKIP|SEED|NOTE) /.test(line))
        .join('\n');
  if (notable.trim() !== '') console.log(notable.replace(/^/gm, '      '));
}

/** What uvu says of the first test that failed, else the last words: where the rest is cut off it is still known. */
function whyOf(output: string): string {
  const lines = output.split('\n').filter((line) => !/^\s*$|\/node_modules\//.test(line));
  const begins = lines.findIndex((line) => /^ +FAIL /.test(line));
  const shown = begins < 0 ? lines.slice(-WHY_LINES) : lines.slice(begins, begins + WHY_LINES);
  return shown.map((line) => `       ${line.slice(0, 200)}`).join('\n');
}

function runFile(file: string, isBeside = false): Promise<FileResult> {
  const startedMs = performance.now();
  const limitMs = isSlow(file) ? SLOW_LIMIT_MS : QUICK_LIMIT_MS;
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--expose-gc', resolve(root, file)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...process.env,
        NO_COLOR: '1',
        FORCE_COLOR: undefined,
        NODE_COMPILE_CACHE: COMPILED,
      },
    });
    if (isBeside && child.pid !== undefined) {
      setPriority(child.pid, LOW);
      beside.add(child.pid);
    }
    let output = '';
    let timedOut = false;
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const limit = setTimeout(() => {
      timedOut = true;
      kill(child.pid);
    }, limitMs);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      if (child.pid !== undefined) beside.delete(child.pid);
      kill(child.pid);
      const count = (word: string) =>
        Number(output.match(new RegExp(`^ +${word}: +(\\d+)`, 'm'))?.[1] ?? Number.NaN);
      const total = count('Total');
      const passed = count('Passed') || 0;
      const skipped = count('Skipped') || 0;
      let failed = Number.isNaN(total) ? 1 : total - passed;
      if (timedOut) output += `\nthe file outlived its limit of ${limitMs / 1000} s\n`;
      else if (Number.isNaN(total))
        output += `\nthe file ended (code ${code}, signal ${signal}) without a summary\n`;
      else if (total + skipped === 0) output += '\nthe file ran no test: is .run() missing?\n';
      if (timedOut || total + skipped === 0 || (code !== 0 && failed === 0))
        failed = Math.max(failed, 1);
      const wallMs = performance.now() - startedMs;
      done({ file: relative(root, resolve(root, file)), passed, failed, skipped, wallMs, output });
    });
  });
}

function raise(pid: number): void {
  try {
    setPriority(pid, NORMAL);
  } catch {
    // only root may: it ends a little later
  }
}

/** A file's children die with it: each runs in a process group of its own. */
function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // the group is already gone
  }
}

function isRealTime(path: string): boolean {
  return /^test\/interop\/(zephyr|virtual-)/.test(path);
}

/** On a clock of its own, in one process: it may wait for a core. */
function isPatient(path: string): boolean {
  return path.startsWith('test/sweep/') || path.startsWith('test/sim/');
}

function takesAll(path: string): boolean {
  return path.startsWith('test/interop/fleet-kill');
}

function byRank(a: string, b: string): number {
  return rank(a) - rank(b) || a.localeCompare(b);
}

function rank(file: string): number {
  const longest = LONGEST.findIndex((name) => file.startsWith(name));
  if (longest >= 0) return longest;
  return LONGEST.length + (isSlow(file) ? 0 : 1);
}

function isSlow(file: string): boolean {
  return SLOW_FOLDERS.some((folder) => file.startsWith(folder));
}
