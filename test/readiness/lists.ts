/**
 * Lists written short, for tests of readiness. Test material: HUB, ELEC, GAS and PPM are kinds of
 * device that no manufacturer made; a version is one digit.
 */
import { parseCentralProductsList } from '../../src/products/central-products-list.ts';
import { type DeviceModel, parseDeviceModel } from '../../src/products/device-model.ts';
import { parseEligibleCombinations } from '../../src/products/eligible-combinations.ts';
import { type Installation, parseInstallations } from '../../src/products/installations.ts';
import { parsePendingCombinations } from '../../src/products/pending-combinations.ts';
import type { ReadinessLists } from '../../src/readiness/readiness.ts';

export const JANUARY_2022 = Date.UTC(2022, 0, 10);

const KINDS: Record<string, { column: string; model: string }> = {
  H: { column: 'communications_hub', model: '0001' },
  E: { column: 'esme', model: '0002' },
  G: { column: 'gsme', model: '0003' },
  P: { column: 'ppmid', model: '0004' },
};

/** `H1`: hub of version 1. */
export function modelText(short: string): string {
  return `A001:${KINDS[short[0]!]!.model}:01:00:${short.slice(1).padStart(8, '0')}`;
}

export function deviceModelOf(short: string): DeviceModel {
  return parseDeviceModel(modelText(short))!;
}

/** An entry a line: `H2 from H1`, `H2 n/a`, `H2` (unknown), then `key=value` for other columns. */
export function productsOf(...lines: string[]) {
  const columns = [
    'entry_id',
    'device_type',
    'manufacturer',
    'model',
    'hardware_version',
    'hardware_revision',
    'firmware_version',
    'manufacturer_image_hash',
    'status',
    'listed_from',
    'removed_from',
    'ota_file_version',
    'upgrade_from',
    'dcc_status',
    'dcc_loaded_from',
    'generation',
    'expedited_purpose',
    'expedited_added_on',
    'expedited_ends_on',
    'ppct_reference',
  ];
  const rows = lines.map((line, index) => {
    const [short, ...rest] = line.split(' ') as [string, ...string[]];
    const values = rest.filter((word) => word.includes('='));
    const from = rest.filter((word) => /^[HEGP][0-9A-F]/.test(word));
    const [manufacturer, model, hardware, revision, version] = modelText(short).split(':');
    const cells: Record<string, string> = {
      entry_id: short,
      device_type: KINDS[short[0]!]!.column,
      manufacturer: manufacturer!,
      model: model!,
      hardware_version: hardware!,
      hardware_revision: revision!,
      firmware_version: version!,
      manufacturer_image_hash: (index + 1).toString(16).padStart(64, '0'),
      status: 'Current',
      listed_from: '2020-01-01',
      upgrade_from: rest.includes('n/a') ? 'N/A' : from.join(' '),
      generation: 'SMETS1',
      ...Object.fromEntries(values.map((value) => value.split('='))),
    };
    return columns.map((column) => cells[column] ?? '').join(',');
  });
  const parsed = parseCentralProductsList([columns.join(), ...rows].join('\n'));
  const errors = parsed.ok && parsed.list.issues.filter(({ severity }) => severity === 'error');
  if (!parsed.ok || (errors && errors.length > 0)) {
    throw new Error(`the test list is wrong: ${JSON.stringify(parsed)}`);
  }
  return parsed.list;
}

/** A combination a line: `H1 E1 G1`, then `key=value`. */
function combinationCells(line: string): Record<string, string> {
  const words = line.split(' ');
  const cells: Record<string, string> = { provider: 'CSP-N' };
  for (const word of words) {
    if (word.includes('=')) {
      const [name, value] = word.split('=') as [string, string];
      cells[name] = value;
      continue;
    }
    const { column } = KINDS[word[0]!]!;
    cells[column] = [cells[column], modelText(word)].filter(Boolean).join(';');
  }
  return cells;
}

function csvOf(columns: readonly string[], rows: Record<string, string>[]): string {
  const lines = rows.map((cells) => columns.map((column) => cells[column] ?? '').join());
  return [columns.join(), ...lines].join('\n');
}

const DEVICES = ['provider', 'communications_hub', 'esme', 'gsme', 'ppmid'];

export function eligibleOf(...lines: string[]) {
  const rows = lines.map((line, index) => ({
    combination_id: `C${index + 1}`,
    added_on: '2020-01-01',
    ...combinationCells(line),
  }));
  const columns = ['combination_id', ...DEVICES, 'added_on', 'removed_from'];
  const parsed = parseEligibleCombinations(csvOf(columns, rows));
  if (!parsed.ok || parsed.list.entries.length !== lines.length) {
    throw new Error(`the test list is wrong: ${JSON.stringify(parsed)}`);
  }
  return parsed.list;
}

export function pendingOf(...lines: string[]) {
  const rows = lines.map((line, index) => ({
    ppct_reference: `T${index + 1}`,
    opened_on: '2021-09-01',
    outcome: 'open',
    ...combinationCells(line),
  }));
  const columns = ['ppct_reference', ...DEVICES, 'opened_on', 'outcome', 'closed_on'];
  const parsed = parsePendingCombinations(csvOf(columns, rows));
  if (!parsed.ok || parsed.list.entries.length !== lines.length) {
    throw new Error(`the test list is wrong: ${JSON.stringify(parsed)}`);
  }
  return parsed.list;
}

export function installationsOf(...lines: string[]): Installation[] {
  const rows = lines.map((line, index) => ({
    installation_id: `I${index + 1}`,
    electricity_supplier: 'S1',
    gas_supplier: 'S1',
    ...combinationCells(line),
  }));
  const columns = [
    'installation_id',
    ...DEVICES,
    'cohort',
    'profile_data_push',
    'electricity_supplier',
    'gas_supplier',
    'migration',
  ];
  const parsed = parseInstallations(csvOf(columns, rows));
  if (!parsed.ok || parsed.list.entries.length !== lines.length) {
    throw new Error(`the test list is wrong: ${JSON.stringify(parsed)}`);
  }
  return parsed.list.entries;
}

export function listsOf(
  products: readonly string[],
  eligible: readonly string[],
  pending: readonly string[] = [],
): ReadinessLists {
  return {
    products: productsOf(...products),
    eligible: eligibleOf(...eligible),
    pending: pending.length === 0 ? undefined : pendingOf(...pending),
  };
}
