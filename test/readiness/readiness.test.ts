/** Readiness: which installations are ready, by which upgrades the others become so, what blocks the rest. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DIRECTION_2021_MS, EXPEDITED_POLICY } from '../../src/products/expedited.ts';
import { Catalogue } from '../../src/readiness/catalogue.ts';
import { CAUSES, NOTES } from '../../src/readiness/codes.ts';
import { READINESS_POLICY, type ReadinessPolicy } from '../../src/readiness/policy.ts';
import { type Readiness, ReadinessPlanner } from '../../src/readiness/readiness.ts';
import { findUpgrades } from '../../src/readiness/search.ts';
import { installationsOf, JANUARY_2022, listsOf } from './lists.ts';

const test = suite('readiness');

interface Case {
  products?: string[];
  eligible?: string[];
  pending?: string[];
  installation: string;
  nowMs?: number;
  policy?: Partial<ReadinessPolicy>;
  /** `ready`, `migrated`, the entries of the steps, or the codes of the causes. */
  expected: string;
  notes?: string;
  fetchedAtMs?: number;
}

const PRODUCTS = ['H1 n/a', 'H2 from H1', 'E1 n/a', 'E2 from E1', 'E3 from E2', 'G1 n/a', 'G2'];
const SECURITY = { ...EXPEDITED_POLICY, purposes: ['Security'] };
const EXPEDITED =
  'E2 from E1 expedited_purpose=security expedited_added_on=2021-09-01 ppct_reference=T1';
const HELD = [EXPEDITED, 'E1', 'H1', 'H2 from H1', 'E3 from E2'];
const JUNE_2021 = Date.UTC(2021, 5, 1);

function answer(one: Case): Readiness {
  const lists = listsOf(one.products ?? PRODUCTS, one.eligible ?? ['H2 E2 G1'], one.pending);
  if (one.fetchedAtMs !== undefined) {
    const stamp = { fetchedAtMs: one.fetchedAtMs, source: 'the test' };
    lists.products.stamp = stamp;
    lists.eligible.stamp = stamp;
  }
  const planner = new ReadinessPlanner(lists, one.nowMs ?? JANUARY_2022, one.policy);
  return planner.plan(installationsOf(one.installation)[0]!);
}

function shown(readiness: Readiness): string {
  switch (readiness.verdict) {
    case 'blocked':
      return readiness.causes.map(({ code }) => code).join(' ');
    case 'after-upgrades':
      return `steps ${readiness.steps.map(({ entry }) => entry.entryId).join(' ')}`;
    default:
      return readiness.verdict;
  }
}

const CASES: Record<string, Case> = {
  'eligible as it is': { installation: 'H2 E2 G1', expected: 'ready' },
  'order and number of devices have no meaning': {
    eligible: ['H2 E2 P1 G1'],
    installation: 'P1 G1 P1 E2 H2',
    expected: 'ready',
  },
  'migrated already': { installation: 'H1 E1 migration=migrated', expected: 'migrated' },
  'a migration under way is noted': {
    installation: 'H2 E2 G1 migration=in-progress',
    expected: 'ready',
    notes: 'migration-in-progress',
  },
  'one upgrade': { installation: 'H1 E2 G1', expected: 'steps H2' },
  'the nearest of several eligible combinations': {
    eligible: ['H2 E2 G1', 'H1 E2 G1 removed_from=2021-01-01', 'H2 E1 G1'],
    installation: 'H1 E1 G1',
    expected: 'steps H2',
  },
  'what is between is not eligible': {
    installation: 'H1 E1 G1',
    expected: 'intermediate-not-eligible',
  },
  'what is between need not be, where the site says so': {
    installation: 'H1 E1 G1',
    policy: { intermediates: 'any' },
    expected: 'steps H2 E2',
  },
  'a pathway of two entries': {
    eligible: ['H2 E3'],
    installation: 'H2 E1',
    policy: { intermediates: 'any' },
    expected: 'steps E2 E3',
  },
  'a pathway may not be skipped': {
    eligible: ['H2 E3'],
    installation: 'H2 E1',
    expected: 'intermediate-not-eligible',
  },
  'not one to upgrade from': {
    products: ['H2', 'E1', 'E3 from E2', 'E2'],
    eligible: ['H2 E3'],
    installation: 'H2 E4',
    expected: 'downgrade',
  },
  'a predecessor that is not the running version': {
    products: ['H2', 'E1', 'E3 from E2', 'E2 status=Removed removed_from=2021-01-01'],
    eligible: ['H2 E3'],
    installation: 'H2 E1',
    expected: 'pathway-not-listed',
  },
  'no version to upgrade from': {
    products: ['H1', 'E1', 'E2 n/a'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'pathway-none',
  },
  'no version to upgrade from, permitted': {
    products: ['H1', 'E1', 'E2 n/a'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    policy: { noPathway: 'warn' },
    expected: 'steps E2',
    notes: 'pathway-none-permitted',
  },
  'an unknown pathway is noted': {
    eligible: ['H2 E2 G2'],
    installation: 'H2 E2 G1',
    expected: 'steps G2',
    notes: 'pathway-unknown',
  },
  'an unknown pathway, refused': {
    eligible: ['H2 E2 G2'],
    installation: 'H2 E2 G1',
    policy: { unknownPathway: 'refuse' },
    expected: 'pathway-unknown',
  },
  'a downgrade': { installation: 'H2 E3 G1', expected: 'downgrade' },
  'nobody knows which is newer': {
    products: ['H1', 'E1', 'E2 firmware_version=v2'],
    eligible: ['H1 esme=A001:0002:01:00:v2'],
    installation: 'H1 E1',
    expected: 'order-unknown',
  },
  'numbers of OTA files say which is newer': {
    products: ['H1', 'E1 ota_file_version=00000001', 'E2 firmware_version=v2 ota_file_version=2'],
    eligible: ['H1 esme=A001:0002:01:00:v2'],
    installation: 'H1 E1',
    expected: 'steps E2',
    notes: 'pathway-unknown',
  },
  'the same number under the other coding': {
    products: ['H1', 'E10', 'EA'],
    eligible: ['H1 EA'],
    installation: 'H1 E10',
    expected: 'order-unknown',
  },
  'not on the products list': {
    products: ['H1', 'E1'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'target-not-listed',
  },
  'listed only later': {
    products: ['H1', 'E1', 'E2 from E1 listed_from=2022-03-01'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'entry-not-current',
  },
  'cancelled at the DCC': {
    products: ['H1', 'E1', 'E2 from E1 dcc_status=Cancelled'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'entry-not-current',
  },
  'not loaded by the DCC': {
    products: ['H1', 'E1', 'E2 from E1 dcc_loaded_from=no'],
    eligible: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'entry-not-loaded',
  },
  'two devices are blocked, each for its own cause': {
    products: ['H1', 'E1', 'E2 n/a', 'H2 from H1 dcc_loaded_from=2022-02-01'],
    eligible: ['H2 E2'],
    installation: 'H1 E1',
    expected: 'pathway-none entry-not-loaded',
  },
  'hardware that is in no combination': {
    installation: 'H1 E1 G1 P1',
    expected: 'hardware-not-eligible',
  },
  'another provider': { installation: 'H2 E2 G1 provider=CSP-S', expected: 'provider-differs' },
  'eligible from next month': {
    eligible: ['H2 E2 G1 added_on=2022-02-01'],
    installation: 'H2 E2 G1',
    expected: 'combination-not-yet-eligible',
  },
  'not eligible any more': {
    eligible: ['H2 E2 G1 removed_from=2021-12-01'],
    installation: 'H2 E2 G1',
    expected: 'combination-removed',
  },
  'an expedited entry covers what is between': {
    products: HELD,
    eligible: ['H1 E3'],
    pending: ['H1 E2'],
    installation: 'H1 E1',
    policy: { expedited: SECURITY },
    expected: 'steps E2 E3',
    notes: 'expedited-cover',
  },
  'no purpose is named': {
    products: HELD,
    eligible: ['H1 E3'],
    pending: ['H1 E2'],
    installation: 'H1 E1',
    expected: 'intermediate-not-eligible expedited-not-covering',
  },
  'the test is of another combination': {
    products: HELD,
    eligible: ['H1 E3'],
    pending: ['H2 E2'],
    installation: 'H1 E1',
    policy: { expedited: SECURITY },
    expected: 'intermediate-not-eligible expedited-not-covering',
  },
  'a test with the Device Model is enough, where the site says so': {
    products: HELD,
    eligible: ['H1 E3'],
    pending: ['H2 E2'],
    installation: 'H1 E1',
    policy: { expedited: { ...SECURITY, testOf: 'device-model' } },
    expected: 'steps E2 E3',
    notes: 'expedited-cover',
  },
  'the test has failed': {
    products: HELD,
    eligible: ['H1 E3'],
    pending: ['H1 E2 outcome=failed closed_on=2021-12-01'],
    installation: 'H1 E1',
    policy: { expedited: SECURITY },
    expected: 'intermediate-not-eligible expedited-not-covering',
  },
  'covered is not eligible': {
    products: HELD,
    eligible: ['H1 E3 added_on=2022-02-01'],
    pending: ['H1 E2'],
    installation: 'H1 E2',
    policy: { expedited: SECURITY },
    expected: 'combination-not-yet-eligible',
  },
  'a hub for each installation': {
    installation: 'E2 G1',
    expected: 'hub-not-one hardware-not-eligible',
  },
  'split supply, FOC, before uplift 2.1': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=no gas_supplier=S2',
    nowMs: JUNE_2021,
    expected: 'split-supply-before-uplift',
  },
  'split supply, FOC, the moment uplift 2.1 is in production': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=no gas_supplier=S2',
    nowMs: READINESS_POLICY.upliftMs,
    expected: 'ready',
  },
  'split supply, FOC, a millisecond before': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=no gas_supplier=S2',
    nowMs: READINESS_POLICY.upliftMs - 1,
    expected: 'split-supply-before-uplift',
  },
  'split supply of another cohort': {
    installation: 'H2 E2 G1 cohort=MOC gas_supplier=S2',
    nowMs: JUNE_2021,
    expected: 'ready',
  },
  'suppliers unknown, FOC, before uplift 2.1': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=no gas_supplier=',
    nowMs: JUNE_2021,
    expected: 'supply-unknown',
  },
  'profile data, FOC, before uplift 2.1': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=yes',
    nowMs: JUNE_2021,
    expected: 'profile-data-before-uplift',
  },
  'profile data unknown, FOC, before uplift 2.1': {
    installation: 'H2 E2 G1 cohort=FOC',
    nowMs: JUNE_2021,
    expected: 'profile-data-unknown',
  },
  'profile data, FOC, after': {
    installation: 'H2 E2 G1 cohort=FOC profile_data_push=yes',
    expected: 'ready',
    notes: 'profile-data-to-switch-off',
  },
  'cohort unknown before uplift 2.1': {
    installation: 'H2 E2 G1',
    nowMs: JUNE_2021,
    expected: 'cohort-unknown',
  },
  'cohort unknown, and it does not matter': {
    installation: 'H2 E2 G1 profile_data_push=no',
    nowMs: JUNE_2021,
    expected: 'ready',
  },
  'an FOC PPMID before the direction': {
    products: ['H1', 'P1', 'P2 from P1'],
    eligible: ['H1 P2'],
    installation: 'H1 P1 cohort=FOC profile_data_push=no',
    nowMs: DIRECTION_2021_MS - 1,
    expected: 'foc-ppmid-excluded',
  },
  'an FOC PPMID from the direction on': {
    products: ['H1', 'P1', 'P2 from P1'],
    eligible: ['H1 P2'],
    installation: 'H1 P1 cohort=FOC profile_data_push=no',
    nowMs: DIRECTION_2021_MS,
    expected: 'steps P2',
    notes: 'tell-other-supplier',
  },
  'a PPMID of another cohort, before': {
    products: ['H1', 'P1', 'P2 from P1'],
    eligible: ['H1 P2'],
    installation: 'H1 P1 cohort=IOC',
    nowMs: JUNE_2021,
    expected: 'steps P2',
  },
  'two PPMIDs, of which one is behind': {
    products: ['H1', 'P1', 'P2 from P1'],
    eligible: ['H1 P2'],
    installation: 'H1 P1 P2',
    expected: 'steps P2',
  },
  'a fresh list': {
    installation: 'H2 E2 G1',
    fetchedAtMs: JANUARY_2022 - 86_400_000,
    expected: 'ready',
  },
  'an old list is noted': {
    installation: 'H2 E2 G1',
    fetchedAtMs: JANUARY_2022 - 8 * 86_400_000,
    expected: 'ready',
    notes: 'list-old',
  },
  'a list of unknown age is noted': {
    installation: 'H2 E2 G1',
    expected: 'ready',
    notes: 'list-age-unknown',
  },
  'too old a list': {
    installation: 'H2 E2 G1',
    fetchedAtMs: JANUARY_2022 - 31 * 86_400_000,
    expected: 'list-too-old list-too-old',
  },
  'a list from the future': {
    installation: 'H2 E2 G1',
    fetchedAtMs: JANUARY_2022 + 2 * 86_400_000,
    expected: 'list-from-the-future list-from-the-future',
  },
  'more states than are looked through': {
    products: ['H1', 'H2', 'H3', 'E1', 'E2', 'E3', 'G1', 'G2', 'G3'],
    eligible: ['H3 E3 G3'],
    installation: 'H1 E1 G1',
    policy: { intermediates: 'any', statesMax: 3 },
    expected: 'search-limit',
  },
};

for (const [name, one] of Object.entries(CASES)) {
  test(name, () => {
    const found = answer(one);
    assert.is(shown(found), one.expected);
    if (one.notes !== undefined) assert.ok(found.notes.some(({ code }) => code === one.notes));
  });
}

test('every cause and every note has a case', () => {
  const seen = new Set(
    Object.values(CASES).flatMap((one) => {
      const found = answer(one);
      const causes = found.verdict === 'blocked' ? found.causes : [];
      return [...causes, ...found.notes].map(({ code }) => code as string);
    }),
  );
  const codes = [...Object.keys(CAUSES), ...Object.keys(NOTES)];
  assert.equal(
    codes.filter((code) => !seen.has(code)),
    [],
  );
});

test('a step names its device, who may ask for it, and what covers it', () => {
  const found = answer(CASES['an expedited entry covers what is between']!);
  assert.ok(found.verdict === 'after-upgrades');
  if (found.verdict !== 'after-upgrades') return;
  assert.equal(
    found.steps.map(({ kind, from, askedBy, pathway }) => [
      kind,
      from.firmwareVersion,
      askedBy,
      pathway,
    ]),
    [
      ['esme', '00000001', ['electricity'], 'listed'],
      ['esme', '00000002', ['electricity'], 'listed'],
    ],
  );
  assert.is(found.steps[0]!.cover?.pending.ppctReference, 'T1');
  assert.is(found.steps[1]!.cover, undefined);
  assert.is(found.combination.combinationId, 'C1');
});

test('installations of one combination are searched once', () => {
  const planner = new ReadinessPlanner(listsOf(PRODUCTS, ['H2 E2 G1']), JANUARY_2022);
  const many = installationsOf('H1 E2 G1', 'G1 H1 E2', 'H2 E2 G1', 'H1 E2 G1 gas_supplier=S9');
  const verdicts = many.map((one) => planner.plan(one).verdict);
  assert.equal(verdicts, ['after-upgrades', 'after-upgrades', 'ready', 'after-upgrades']);
  assert.is(planner.searched, 2);
});

/** Every path up to a length, by trying all: slow, and plainly right. */
function naiveShortest(
  catalogue: Catalogue,
  state: readonly number[],
  stepsMax: number,
): number | undefined {
  let frontier = [state];
  for (let steps = 0; steps <= stepsMax; steps++) {
    if (
      frontier.some((one) =>
        catalogue.eligibleAt(
          0,
          [...one].sort((a, b) => a - b),
        ),
      )
    )
      return steps;
    frontier = frontier.flatMap((one) =>
      one.flatMap((from, index) =>
        catalogue
          .moves(from)
          .filter(({ refusal }) => refusal === undefined)
          .map(({ to }) => one.map((id, at) => (at === index ? to : id))),
      ),
    );
  }
  return undefined;
}

test('no sequence is shorter, whatever the lists', () => {
  const version = fc.integer({ min: 1, max: 3 });
  const pair = fc.record({ h: version, e: version });
  const froms = fc.array(fc.constantFrom('', ' from 1', ' from 2', ' n/a'), {
    minLength: 6,
    maxLength: 6,
  });
  fc.assert(
    fc.property(froms, fc.array(pair, { minLength: 1, maxLength: 3 }), pair, (paths, goals, at) => {
      const products = ['H', 'E'].flatMap((kind, row) =>
        [1, 2, 3].map((digit, column) => {
          const path = paths[row * 3 + column]!.replace(/[12]/, (found) => kind + found);
          return `${kind}${digit}${path}`;
        }),
      );
      const lists = listsOf(
        products,
        goals.map(({ h, e }) => `H${h} E${e}`),
      );
      const policy = { ...READINESS_POLICY, intermediates: 'any' as const };
      const catalogue = new Catalogue(lists, policy, JANUARY_2022);
      const provider = catalogue.providerOf('CSP-N');
      const state = catalogue.stateOf(installationsOf(`H${at.h} E${at.e}`)[0]!);
      const found = findUpgrades(catalogue, provider, state, new Set());
      const steps = found.kind === 'found' ? found.steps.length : undefined;
      assert.is(steps, naiveShortest(catalogue, state, 4));
      const planner = new ReadinessPlanner(lists, JANUARY_2022, { intermediates: 'any' });
      const plan = planner.plan(installationsOf(`H${at.h} E${at.e}`)[0]!);
      assert.is(plan.verdict === 'blocked', steps === undefined);
    }),
    { numRuns: 200 },
  );
});

test.run();
