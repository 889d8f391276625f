/**
 * An installation: what hangs on one Communications Hub, who is responsible for it and how far its
 * migration is.
 *
 * Cohorts, split supply and the pushing of profile data: letter of July 2021, paragraphs 3 and 5
 * (read). The form is ours. What is not known is absent, never a default.
 */
import type { ListOptions } from './central-products-list.ts';
import { type ListFault, type ListIssue, listIssue } from './codes.ts';
import { bindColumns, FieldReader } from './columns.ts';
import {
  COMBINATION_FIELDS,
  type Combination,
  type CombinationDevice,
  readCombination,
} from './combinations.ts';
import { type DeviceModel, foldText } from './device-model.ts';
import { parseCsvTable, type Table } from './table.ts';

/** Initial, middle and final operating capability. Which model is in which is data: no list found. */
export const COHORTS = ['IOC', 'MOC', 'FOC'] as const;

export type Cohort = (typeof COHORTS)[number];

export const MIGRATION_STATES = ['not-started', 'in-progress', 'migrated'] as const;

export type MigrationState = (typeof MIGRATION_STATES)[number];

export interface Installation extends Combination {
  installationId: string;
  devices: readonly CombinationDevice[];
  cohort?: Cohort;
  /** Whether the hub pushes profile data. */
  profileDataPush?: boolean;
  /** Responsible Suppliers, by fuel. */
  suppliers: { electricity?: string; gas?: string };
  migration?: MigrationState;
  line: number;
}

export interface Installations {
  entries: Installation[];
  issues: ListIssue[];
}

export type InstallationsResult = { ok: true; list: Installations } | ListFault;

export const INSTALLATION_FIELDS = {
  installation_id: 'required',
  ...COMBINATION_FIELDS,
  cohort: 'optional',
  profile_data_push: 'optional',
  electricity_supplier: 'optional',
  gas_supplier: 'optional',
  migration: 'optional',
} as const;

type Field = keyof typeof INSTALLATION_FIELDS;

/** Two Responsible Suppliers, one for each fuel; `undefined` where one of two fuels names nobody. */
export function isSplitSupply({ suppliers, devices }: Installation): boolean | undefined {
  const has = (kind: string) => devices.some((device) => device.kind === kind);
  if (!has('esme') || !has('gsme')) return false;
  const { electricity, gas } = suppliers;
  if (electricity === undefined || gas === undefined) return undefined;
  return foldText(electricity) !== foldText(gas);
}

export function parseInstallations(text: string, options: ListOptions = {}): InstallationsResult {
  const parsed = parseCsvTable(text);
  return parsed.ok ? readInstallations(parsed.table, options) : parsed;
}

export function readInstallations(table: Table, options: ListOptions = {}): InstallationsResult {
  const bound = bindColumns(table, INSTALLATION_FIELDS, options.mapping);
  if (!bound.ok) return bound;
  const reader = new FieldReader<Field>(bound);
  const known = new Map<string, DeviceModel>();
  const entries: Installation[] = [];
  for (const row of bound.rows) {
    const entry = reader.begin(row) ? readInstallation(reader, known) : undefined;
    if (entry) entries.push(entry);
  }
  return { ok: true, list: withoutRepeatedInstallations(entries, reader.issues) };
}

/** Of installations with one id the first counts: two would be answered under one name. */
export function withoutRepeatedInstallations(
  entries: readonly Installation[],
  issues: ListIssue[],
): Installations {
  const lineOfId = new Map<string, number>();
  const kept = entries.filter(({ installationId, line }) => {
    const first = lineOfId.get(installationId);
    if (first === undefined) {
      lineOfId.set(installationId, line);
      return true;
    }
    const actual = `${installationId}, as in line ${first}`;
    issues.push(listIssue('error', 'entry-repeated', line, 'installation_id', { actual }));
    return false;
  });
  issues.sort((a, b) => a.line - b.line);
  return { entries: kept, issues };
}

function readInstallation(
  reader: FieldReader<Field>,
  known: Map<string, DeviceModel>,
): Installation | undefined {
  reader.checkCell('installation_id');
  const installationId = reader.text('installation_id');
  if (installationId === '') {
    reader.say('error', 'cell-empty', 'installation_id', { expected: 'a value' });
  }
  const combination = readCombination(reader, known);
  const cohort = readWord(reader, 'cohort', COHORTS);
  const migration = readWord(reader, 'migration', MIGRATION_STATES);
  const push = readWord(reader, 'profile_data_push', ['yes', 'no'] as const);
  const electricity = reader.text('electricity_supplier');
  const gas = reader.text('gas_supplier');
  if (electricity === '' && gas === '') {
    reader.say('warning', 'suppliers-missing', 'electricity_supplier');
  }
  if (reader.failed) return undefined;
  return {
    installationId,
    ...combination,
    ...(cohort === undefined ? {} : { cohort }),
    ...(push === undefined ? {} : { profileDataPush: push === 'yes' }),
    suppliers: {
      ...(electricity === '' ? {} : { electricity }),
      ...(gas === '' ? {} : { gas }),
    },
    ...(migration === undefined ? {} : { migration }),
    line: reader.line,
  };
}

function readWord<W extends string>(
  reader: FieldReader<Field>,
  field: Field,
  words: readonly W[],
): W | undefined {
  const word = reader.word(field);
  if (word === '') return undefined;
  const found = words.find((known) => known.toLowerCase() === word);
  if (found === undefined) {
    reader.say('error', 'word-unknown', field, { expected: `${words.join(', ')} or nothing` });
  }
  return found;
}
