/** `uplift readiness` and `uplift lists lint` as programs: exit codes, what is said, and how of many. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { naiveWorkbook } from '../products/naive-workbook.ts';
import { type CliResult, FIRMWARE, runCli } from '../support/rigs.ts';

const test = suite('lists and readiness');
const LISTS = join(FIRMWARE.list, '../lists');
const at = (file: string) => join(LISTS, file);
const folder = mkdtempSync(join(tmpdir(), 'uplift-lists-'));
test.after(() => rmSync(folder, { recursive: true }));

function saved(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const COMMON = [
  ...['--cpl', at('products.csv'), '--epcl', at('eligible-combinations.csv')],
  ...['--ppct', at('pending-combinations.csv'), '--policy', at('policy.yaml')],
  ...['--at', '2021-10-01'],
];

interface Answer {
  totals: Record<string, number> & { causes: Record<string, number> };
  installations: {
    installationId: string;
    verdict: string;
    steps?: { entryId: string; ppctReference?: string }[];
    causes?: { code: string }[];
  }[];
}

const answerOf = ({ events }: CliResult) => events[0] as unknown as Answer;

test('readiness: one of each verdict, as JSON and for people', async () => {
  const words = ['readiness', at('installations.csv'), ...COMMON];
  const json = await runCli([...words, '--json']);
  assert.is(json.code, 3, json.stdout + json.stderr);
  assert.equal(
    answerOf(json).installations.map(({ verdict, steps, causes }) => [
      verdict,
      (steps ?? []).map(({ entryId }) => entryId).join(),
      (causes ?? []).map(({ code }) => code).join(),
    ]),
    [
      ['ready', '', ''],
      ['after-upgrades', 'HUB-2', ''],
      ['after-upgrades', 'ESME-2,ESME-3', ''],
      ['blocked', '', 'hardware-not-eligible'],
      ['blocked', '', 'downgrade'],
      ['migrated', '', ''],
    ],
  );
  const people = await runCli(words);
  assert.is(people.code, 3);
  assert.match(people.stdout, 'HOME-3: ready after 2 upgrades');
  assert.match(people.stdout, 'covered by test PPCT-1');
  assert.match(people.stdout, /blocked by\n +1 {2}hardware-not-eligible/);
  assert.is(people.stderr, '', 'no bar where nobody is at a terminal');
  const quiet = await runCli([...words, '--quiet']);
  assert.equal([quiet.code, quiet.stdout], [3, '']);
  assert.match(quiet.stderr, '2 of 6 installations blocked');
});

test('readiness: nothing blocked is exit code 0; a list too old blocks', async () => {
  const text = readFileSync(at('installations.csv'), 'utf8');
  const one = saved('one.csv', text.split('\n').slice(0, 3).join('\n'));
  const words = ['readiness', one, ...COMMON, '--fetched'];
  assert.is((await runCli([...words, '2021-09-30', '--json'])).code, 0);
  const old = await runCli([...words, '2021-07-20', '--json']);
  assert.is(old.code, 3);
  assert.is(answerOf(old).totals.causes['list-too-old'], 1);
});

test('readiness: of many, the totals', async () => {
  const [comment, heading, ...lines] = readFileSync(at('installations.csv'), 'utf8')
    .trim()
    .split('\n');
  const many = Array.from({ length: 3_000 }, (_, i) =>
    lines[i % lines.length]!.replace(/^HOME-\d+/, `HOME-${i}`),
  );
  const path = saved('many.csv', [comment, heading, ...many, 'HOME-X,,,,,,,,,,'].join('\n'));
  const { code, stdout } = await runCli(['readiness', path, ...COMMON]);
  assert.is(code, 3);
  assert.match(stdout, /^3,000 installations\n/);
  for (const row of ['500  ready', '1,000  after-upgrades', '1,000  blocked', '1  unread'])
    assert.match(stdout, row);
  assert.not.match(stdout, 'HOME-');
});

test('readiness: YAML installations, a workbook of products, another form of columns', async () => {
  const [, heading, ...lines] = readFileSync(at('products-other-columns.csv'), 'utf8')
    .trim()
    .split('\n');
  const rows = [heading!, ...lines].map((line) => line.split(','));
  const path = saved('products.xlsx', naiveWorkbook({ sheets: { CPL: rows } }));
  const result = await runCli([
    ...['readiness', at('installations.yaml'), '--cpl', path, '--columns', at('columns.yaml')],
    ...['--epcl', at('eligible-combinations.csv'), '--at', '2021-10-01', '--json'],
  ]);
  assert.is(result.code, 0, result.stdout);
  assert.equal(
    answerOf(result).installations[0]!.steps!.map(({ entryId }) => entryId),
    ['HUB-2'],
  );
});

test('lists lint: clean, with warnings, with errors, and no list at all', async () => {
  const lint = (path: string, ...more: string[]) => runCli(['lists', 'lint', path, ...more]);
  assert.is((await lint(FIRMWARE.list)).code, 0);
  assert.is((await lint(at('installations.yaml'), '--kind', 'installations')).code, 0);
  const mapped = await lint(at('products-other-columns.csv'), '--columns', at('columns.yaml'));
  assert.is(mapped.code, 0);
  assert.match(mapped.stdout, /products-other-columns\.csv:2:13 +warning +note +column-unknown/);
  const text = readFileSync(at('products.csv'), 'utf8');
  const wrong = saved('wrong.csv', text.replace(/,[0-9a-f]{64},/, `,${'ab'.repeat(20)},`));
  const short = await lint(wrong, '--json');
  assert.is(short.code, 3);
  const { issues } = short.events[0] as { issues: { code: string; line: number }[] };
  const first = issues[0]!;
  assert.equal([first.code, first.line], ['hash-sha-1-length', 3]);
  const unmapped = await lint(at('products-other-columns.csv'));
  assert.is(unmapped.code, 3);
  assert.is(unmapped.stdout.match(/column-missing/g)!.length, 9, 'all of them');
  const crossed = await lint(
    at('eligible-combinations.csv'),
    '--kind',
    'epcl',
    '--cpl',
    FIRMWARE.list,
  );
  assert.match(crossed.stdout, 'device-model-not-listed');
});

test('a wrong command line or file is exit code 2', async () => {
  const bad = saved('bad.yaml', 'kind: list-columns\ncentralProductsList: { colums: {} }\n');
  const WRONG: string[][] = [
    ['readiness'],
    ['readiness', at('installations.csv')],
    ['readiness', at('none.csv'), ...COMMON],
    ['readiness', at('installations.csv'), ...COMMON, '--at', '2021-02-30'],
    ['readiness', at('installations.csv'), ...COMMON, '--fetched', 'yesterday'],
    ['readiness', at('installations.csv'), ...COMMON, '--columns', bad],
    ['readiness', at('installations.csv'), ...COMMON, '--policy', at('columns.yaml')],
    ['readiness', at('products.csv'), ...COMMON],
    ['lists'],
    ['lists', 'lint'],
    ['lists', 'lint', at('none.csv')],
    ['lists', 'lint', at('products.csv'), '--kind', 'menu'],
    ['lists', 'lint', at('products.csv'), '--cpl', at('products.csv')],
  ];
  for (const words of WRONG) {
    const { code, stdout, stderr } = await runCli(words);
    assert.is(code, 2, `${words.join(' ')}: ${stdout}${stderr}`);
    assert.is(stdout, '');
    assert.not.match(stderr, /^ +at /m);
  }
});

test.run();
