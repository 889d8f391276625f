/**
 * A combination of Device Models: a communications service provider and the Device Models of one
 * installation, firmware included. It is a set: order and number have no meaning (inferred from the
 * definition of the Eligible Products Combination List, SEC F2.10A(a), glossary).
 *
 * In our own CSV a combination is one row; the columns were not found for the published lists, so a
 * mapping may name or join others. A cell holds MANUFACTURER:MODEL:HARDWARE-VERSION:
 * HARDWARE-REVISION:FIRMWARE-VERSION, several with semicolons between.
 */
import { type ListIssue, listIssue } from './codes.ts';
import type { RowReader } from './columns.ts';
import { type DeviceModel, deviceModelKey, foldText, parseDeviceModel } from './device-model.ts';

/** Kinds of device in a combination. The kind says in which cell it stood; it is not part of the set. */
export const DEVICE_KINDS = ['communications_hub', 'esme', 'gsme', 'ppmid'] as const;

export type DeviceKind = (typeof DEVICE_KINDS)[number];

export interface CombinationDevice {
  kind: DeviceKind;
  deviceModel: DeviceModel;
}

export interface Combination {
  /** The communications service provider, as written. */
  provider: string;
  devices: readonly CombinationDevice[];
}

/** Columns that every list of combinations has. */
export const COMBINATION_FIELDS = {
  provider: 'required',
  communications_hub: 'required',
  esme: 'optional',
  gsme: 'optional',
  ppmid: 'optional',
} as const;

export type CombinationField = keyof typeof COMBINATION_FIELDS;

/** Devices of one kind in one cell; an inventory answer has at most 17 (DUIS schemas 5.0a to 5.4). */
export const DEVICES_MAX = 17;

/** Equal for two combinations where and only where they are the same set with the same provider. */
export function combinationKey({ provider, devices }: Combination): string {
  return keyOfModels(
    provider,
    devices.map(({ deviceModel }) => deviceModelKey(deviceModel)),
  );
}

/** `combinationKey` of Device Models whose keys are known; sorts a copy. */
export function keyOfModels(provider: string, modelKeys: readonly string[]): string {
  const sorted = [...new Set(modelKeys)].sort();
  const folded = foldText(provider);
  return `${folded.length}:${folded}|${sorted.join('|')}`;
}

/**
 * The devices of a row; what is wrong with them is said. `known` holds the Device Models of the rows
 * before by their text: rows of one model share one object, which saves most of a large list's memory
 * and of the time to look them up.
 */
export function readCombination(
  reader: RowReader<CombinationField>,
  known: Map<string, DeviceModel>,
): Combination {
  reader.checkCell('provider');
  const provider = reader.text('provider');
  if (provider === '') reader.say('error', 'cell-empty', 'provider', { expected: 'a value' });
  const devices = DEVICE_KINDS.flatMap((kind) =>
    readDevices(reader, kind, known).map((deviceModel) => ({ kind, deviceModel })),
  );
  if (devices.length === 0 && !reader.failed) {
    reader.say('error', 'combination-empty', 'communications_hub', { expected: 'a Device Model' });
  } else if (devices.length > DEVICES_MAX) {
    const detail = { expected: `at most ${DEVICES_MAX}`, actual: `${devices.length}` };
    reader.say('error', 'devices-too-many', 'communications_hub', detail);
  } else if (!devices.some(({ kind }) => kind === 'communications_hub') && !reader.failed) {
    reader.say('warning', 'combination-without-hub', 'communications_hub');
  }
  return { provider, devices };
}

/** The Device Models in the cell of this kind. */
function readDevices(
  reader: RowReader<CombinationField>,
  kind: DeviceKind,
  known: Map<string, DeviceModel>,
): DeviceModel[] {
  reader.checkCell(kind);
  const texts = reader
    .text(kind)
    .split(';')
    .filter((text) => text.trim() !== '');
  return texts.flatMap((text) => {
    const found = known.get(text) ?? parseDeviceModel(text);
    if (found) {
      known.set(text, found);
      return [found];
    }
    reader.say('error', 'device-model-invalid', kind, {
      expected: 'MANUFACTURER:MODEL:HARDWARE-VERSION:HARDWARE-REVISION:FIRMWARE-VERSION',
      actual: text.trim().slice(0, 100),
    });
    return [];
  });
}

/** Without rows whose id stands above; a combination that stands above is kept and pointed out. */
export function withoutRepeatedIds<T extends Combination & { line: number }>(
  rows: readonly T[],
  idOf: (row: T) => string,
  idField: string,
  issues: ListIssue[],
): T[] {
  const lineOfId = new Map<string, number>();
  const lineOfKey = new Map<string, number>();
  return rows.filter((row) => {
    const { line } = row;
    const id = idOf(row);
    const first = lineOfId.get(id);
    if (first !== undefined) {
      const actual = `${id}, as in line ${first}`;
      issues.push(listIssue('error', 'entry-repeated', line, idField, { actual }));
      return false;
    }
    lineOfId.set(id, line);
    const key = combinationKey(row);
    const same = lineOfKey.get(key);
    if (same === undefined) lineOfKey.set(key, line);
    else {
      const actual = `that of line ${same}`;
      issues.push(listIssue('warning', 'combination-repeated', line, undefined, { actual }));
    }
    return true;
  });
}
