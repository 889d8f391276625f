/** Files about lists: the examples load, and what is wrong in one is said with its place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/config/codes.ts';
import {
  loadListColumns,
  loadReadinessPolicy,
  loadYamlInstallations,
} from '../../src/config/lists.ts';
import { EXPEDITED_POLICY } from '../../src/products/expedited.ts';

const test = suite('files about lists');
const EXAMPLES = resolve(import.meta.dirname, '../../firmware/lists');
const folder = mkdtempSync(join(tmpdir(), 'uplift-lists-config-'));
test.after(() => rmSync(folder, { recursive: true }));

test('the examples', () => {
  const { centralProductsList, installations } = loadListColumns(join(EXAMPLES, 'columns.yaml'));
  assert.is(centralProductsList?.dates, 'DD/MM/YYYY');
  assert.equal(centralProductsList?.columns?.['manufacturer'], [
    'Manufacturer',
    'Manufacturer Identifier',
  ]);
  assert.is(installations, undefined);
  assert.equal(loadReadinessPolicy(join(EXAMPLES, 'policy.yaml')), {
    expedited: { ...EXPEDITED_POLICY, purposes: ['Security'], source: 'test material' },
  });
  const [one] = loadYamlInstallations(join(EXAMPLES, 'installations.yaml')).entries;
  assert.equal(one?.suppliers, { electricity: 'SUPPLIER-A', gas: 'SUPPLIER-B' });
  assert.is(one?.line, 5);
  assert.is(one?.devices.length, 3);
});

const HUB =
  "{ manufacturer: A001, model: '0001', hardwareVersion: '01', hardwareRevision: '00', " +
  "firmwareVersion: '1' }";
const home = (more: string) =>
  `kind: installations\ninstallations:\n  - { id: H, provider: P, communicationsHub: ${HUB}${more} }\n`;

const WRONG: [name: string, load: (path: string) => unknown, text: string, code: string][] = [
  [
    'a misspelt list',
    loadListColumns,
    'kind: list-columns\ncentralProductList: {}\n',
    'key-unknown',
  ],
  ['another kind', loadListColumns, 'kind: installations\n', 'value-wrong'],
  [
    'another form of dates',
    loadListColumns,
    'kind: list-columns\ninstallations: { dates: MM/DD/YYYY }\n',
    'value-wrong',
  ],
  [
    'a number for a heading',
    loadListColumns,
    'kind: list-columns\ninstallations: { columns: { cohort: 7 } }\n',
    'value-wrong',
  ],
  [
    'a limit without its source',
    loadReadinessPolicy,
    'kind: readiness-policy\nages: { warnAfterDays: 1, refuseAfterDays: 2 }\n',
    'key-missing',
  ],
  [
    'limits in the wrong order',
    loadReadinessPolicy,
    'kind: readiness-policy\nages: { warnAfterDays: 3, refuseAfterDays: 2, source: me }\n',
    'value-wrong',
  ],
  [
    'no hub',
    loadYamlInstallations,
    'kind: installations\ninstallations: [{ id: H, provider: P }]\n',
    'key-missing',
  ],
  ['a cohort that is none', loadYamlInstallations, home(', cohort: XOC'), 'value-wrong'],
  [
    'a version without quotes',
    loadYamlInstallations,
    home('').replace("'1'", '00000010'),
    'value-unquoted',
  ],
  [
    '18 meters',
    loadYamlInstallations,
    home(`, esme: [${Array(18).fill(HUB).join()}]`),
    'value-wrong',
  ],
];

for (const [name, load, text, code] of WRONG) {
  test(`${name}: ${code}`, () => {
    const path = join(folder, 'wrong.yaml');
    writeFileSync(path, text);
    try {
      load(path);
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${error}`);
      assert.is((error as ConfigError).problems[0]!.code, code, (error as Error).message);
      return;
    }
    assert.unreachable('it was read');
  });
}

test('an id twice: the first installation counts', () => {
  const path = join(folder, 'twice.yaml');
  const [head, ...items] = home('').trim().split('\n  - ');
  writeFileSync(path, `${head}\n  - ${items[0]}\n  - ${items[0]}\n`);
  const { entries, issues } = loadYamlInstallations(path);
  assert.is(entries.length, 1);
  assert.equal(
    issues.map(({ code, line }) => [code, line]),
    [['entry-repeated', 4]],
  );
});

test.run();
