/**
 * Device Model Variations to Equivalent Steps Matrix (DMVES, Annex A of SEC Appendix AM): which
 * clauses of the SMETS1 Supporting Requirements apply to which Device Models (letter of July 2021,
 * paragraphs 6, 7, 10; read). Its columns were not found, so they are ours and a mapping names
 * others. It says how the DCC treats a device; it makes no combination eligible.
 */
import type { ListOptions } from './central-products-list.ts';
import { type ListFault, type ListIssue, listIssue } from './codes.ts';
import { bindColumns, FieldReader } from './columns.ts';
import { type DeviceModel, hardwareKey, MODEL_CHARACTERS_MAX, sameText } from './device-model.ts';
import { parseCsvTable, type Table } from './table.ts';

export interface DeviceModelVariation {
  variationId: string;
  /** Without a firmware version it is of every version. */
  deviceModel: Omit<DeviceModel, 'firmwareVersion'> & { firmwareVersion?: string };
  /** Of the SMETS1 Supporting Requirements, such as 18.3. */
  clause: string;
  equivalentSteps: string;
  line: number;
}

export interface DeviceModelVariations {
  entries: DeviceModelVariation[];
  issues: ListIssue[];
  /** By `hardwareKey`. */
  byHardware: ReadonlyMap<string, DeviceModelVariation[]>;
}

export type VariationsResult = { ok: true; list: DeviceModelVariations } | ListFault;

export const DMVES_FIELDS = {
  variation_id: 'required',
  manufacturer: 'required',
  model: 'required',
  hardware_version: 'required',
  hardware_revision: 'required',
  firmware_version: 'optional',
  clause: 'required',
  equivalent_steps: 'required',
} as const;

type Field = keyof typeof DMVES_FIELDS;

export function parseDeviceModelVariations(
  text: string,
  options: ListOptions = {},
): VariationsResult {
  const parsed = parseCsvTable(text);
  return parsed.ok ? readDeviceModelVariations(parsed.table, options) : parsed;
}

export function readDeviceModelVariations(
  table: Table,
  options: ListOptions = {},
): VariationsResult {
  const bound = bindColumns(table, DMVES_FIELDS, options.mapping);
  if (!bound.ok) return bound;
  const reader = new FieldReader<Field>(bound);
  const lineOfId = new Map<string, number>();
  const entries = bound.rows.flatMap((row) => {
    if (!reader.begin(row)) return [];
    const entry = readVariation(reader);
    if (!entry) return [];
    const first = lineOfId.get(entry.variationId);
    if (first === undefined) {
      lineOfId.set(entry.variationId, entry.line);
      return [entry];
    }
    const actual = `${entry.variationId}, as in line ${first}`;
    reader.issues.push(
      listIssue('error', 'entry-repeated', entry.line, 'variation_id', { actual }),
    );
    return [];
  });
  const { issues } = reader;
  issues.sort((a, b) => a.line - b.line);
  const byHardware = Map.groupBy(entries, ({ deviceModel }) => hardwareKey(deviceModel));
  return { ok: true, list: { entries, issues, byHardware } };
}

/** What varies for this Device Model. */
export function variationsOf(
  list: DeviceModelVariations,
  deviceModel: DeviceModel,
): DeviceModelVariation[] {
  const found = list.byHardware.get(hardwareKey(deviceModel)) ?? [];
  return found.filter(
    ({ deviceModel: { firmwareVersion } }) =>
      firmwareVersion === undefined || sameText(firmwareVersion, deviceModel.firmwareVersion),
  );
}

function readVariation(reader: FieldReader<Field>): DeviceModelVariation | undefined {
  const filled = ['manufacturer', 'model', 'hardware_version', 'hardware_revision'] as const;
  for (const field of ['variation_id', ...filled, 'clause', 'equivalent_steps'] as const) {
    reader.checkCell(field);
    if (reader.text(field) === '')
      reader.say('error', 'cell-empty', field, { expected: 'a value' });
  }
  for (const field of ['manufacturer', 'model'] as const) {
    if (reader.text(field).length <= MODEL_CHARACTERS_MAX) continue;
    const expected = `at most ${MODEL_CHARACTERS_MAX} characters`;
    reader.say('error', 'text-too-long', field, { expected });
  }
  if (reader.failed) return undefined;
  const firmwareVersion = reader.text('firmware_version');
  return {
    variationId: reader.text('variation_id'),
    deviceModel: {
      manufacturer: reader.text('manufacturer'),
      model: reader.text('model'),
      hardwareVersion: reader.text('hardware_version'),
      hardwareRevision: reader.text('hardware_revision'),
      ...(firmwareVersion === '' ? {} : { firmwareVersion }),
    },
    clause: reader.text('clause'),
    equivalentSteps: reader.text('equivalent_steps'),
    line: reader.line,
  };
}
