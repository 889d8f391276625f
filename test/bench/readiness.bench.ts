/**
 * Readiness of many installations: time and memory, reading included.
 *
 * The lists are made from a fixed seed: hardware of each kind, versions in pathways, a combination
 * list of which most rows are eligible. Installations are drawn from them, so that some are ready,
 * some need upgrades and some are blocked; a tenth have a combination that nobody else has, so that
 * the answers that are kept do not do all the work.
 */
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { parseEligibleCombinations } from '../../src/products/eligible-combinations.ts';
import { parseInstallations } from '../../src/products/installations.ts';
import { ReadinessPlanner } from '../../src/readiness/readiness.ts';
import { collector, FULL, mix, printDigest } from './bench.ts';

const INSTALLATIONS = FULL ? 100_000 : 1_000;
const ROWS = FULL ? 10_000 : 200;
const NOW_MS = Date.UTC(2022, 0, 10);
const KINDS = ['communications_hub', 'esme', 'gsme', 'ppmid'] as const;
const VERSIONS = 10;

let state = 0x5eed;
function below(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) % limit;
}

const hardwareCount = Math.ceil(ROWS / (KINDS.length * VERSIONS));
const hardwareText = (kind: number, hardware: number) =>
  `A${kind}${(hardware % 10).toString()}0,${hardware.toString(16).toUpperCase().padStart(4, '0')}`;
const versionText = (version: number) => version.toString().padStart(8, '0');
const modelText = (kind: number, hardware: number, version: number) =>
  `${hardwareText(kind, hardware).replace(',', ':')}:01:00:${versionText(version)}`;

function productsText(): string {
  const lines = [
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
      'manufacturer_image_hash,status,listed_from,removed_from,upgrade_from',
  ];
  for (let row = 0; row < ROWS; row++) {
    const kind = row % KINDS.length;
    const version = Math.floor(row / KINDS.length) % VERSIONS;
    const hardware = Math.floor(row / (KINDS.length * VERSIONS));
    const id = (at: number) => `${kind}-${hardware}-${at}`;
    // From any version that is at most four older.
    const before = Array.from({ length: Math.min(4, version) }, (_, back) =>
      id(version - 1 - back),
    );
    const from = version === 0 ? 'N/A' : before.join(' ');
    const hash = row.toString(16).padStart(64, '0');
    const model = `${hardwareText(kind, hardware)},01,00,${versionText(version)}`;
    lines.push(`${id(version)},${KINDS[kind]},${model},${hash},Current,2020-01-01,,${from}`);
  }
  return lines.join('\n');
}

/** Each hub hardware with meters of its neighbourhood, in versions 5 to 9. */
function eligibleText(): string {
  const lines = ['combination_id,provider,communications_hub,esme,gsme,ppmid,added_on'];
  for (let row = 0; row < ROWS; row++) {
    const hub = row % hardwareCount;
    const cells = KINDS.map((_, kind) =>
      modelText(kind, (hub + kind * (row % 2)) % hardwareCount, 5 + below(5)),
    );
    lines.push(`C${row},CSP-${row % 3},${cells.join(',')},2020-01-01`);
  }
  return lines.join('\n');
}

function installationsText(eligible: readonly string[]): string {
  const lines = [
    'installation_id,provider,communications_hub,esme,gsme,ppmid,cohort,' +
      'electricity_supplier,gas_supplier',
  ];
  for (let at = 0; at < INSTALLATIONS; at++) {
    const [, provider, ...cells] = eligible[1 + below(ROWS)]!.split(',');
    const models = cells.slice(0, KINDS.length);
    const change = below(10);
    const older = (text: string) => text.replace(/[0-9]$/, `${below(5)}`);
    if (change < 4) models[below(models.length)] = older(models[below(models.length)]!);
    if (change === 0) models.splice(0, models.length, ...models.map(older));
    if (change === 9) models[3] = models[3]!.replace(/:[0-9]{8}$/, `:${at % 1e8}X`);
    lines.push(`I${at},${provider},${models.join(',')},FOC,S1,S${below(2)}`);
  }
  return lines.join('\n');
}

function timed<T>(name: string, rows: number, work: () => T): T {
  const startedMs = performance.now();
  const result = work();
  const tookMs = performance.now() - startedMs;
  const each = ((tookMs * 1000) / rows).toFixed(2);
  console.log(`${name.padEnd(34)}${tookMs.toFixed(0).padStart(7)} ms  ${each.padStart(8)} us each`);
  return result;
}

const MIB = 1024 * 1024;
const collect = collector();
const eligibleCsv = eligibleText();
const installationsCsv = installationsText(eligibleCsv.split('\n'));
const productsCsv = productsText();
collect();
const before = process.memoryUsage().heapUsed;
const products = timed('read the products list', ROWS, () => parseCentralProductsList(productsCsv));
const eligible = timed('read the eligible combinations', ROWS, () =>
  parseEligibleCombinations(eligibleCsv),
);
const installations = timed('read the installations', INSTALLATIONS, () =>
  parseInstallations(installationsCsv),
);
if (!products.ok || !eligible.ok || !installations.ok) throw new Error('the lists are wrong');
collect();
const read = process.memoryUsage().heapUsed;
const planner = new ReadinessPlanner({ products: products.list, eligible: eligible.list }, NOW_MS);
const plans = timed('plan all installations', INSTALLATIONS, () =>
  installations.list.entries.map((one) => planner.plan(one)),
);
collect();
const planned = process.memoryUsage().heapUsed;
const counts = new Map<string, number>();
let digest = 0;
for (const plan of plans) {
  counts.set(plan.verdict, (counts.get(plan.verdict) ?? 0) + 1);
  const steps = plan.verdict === 'after-upgrades' ? plan.steps.length : 0;
  digest = mix(digest, plan.verdict.length * 100 + steps);
}
const verdicts = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
console.log(`${INSTALLATIONS} installations over ${ROWS} rows: ${verdicts}`);
console.log(`${planner.searched} distinct combinations searched`);
console.log(`heap: lists and installations ${((read - before) / MIB).toFixed(1)} MiB`);
console.log(`heap: answers and index ${((planned - read) / MIB).toFixed(1)} MiB`);
printDigest('readiness', digest);
