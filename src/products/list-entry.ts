/** One row of the Central Products List as an entry, or the issues that say why it is none. */
import type {
  CplField,
  DccStatus,
  Expedited,
  ListEntry,
  ListStatus,
  UpgradeFrom,
} from './central-products-list.ts';
import { DCC_STATUSES } from './central-products-list.ts';
import type { FieldReader } from './columns.ts';
import {
  FIRMWARE_VERSION_CHARACTERS_MAX,
  isFirmwareVersion,
  MODEL_CHARACTERS_MAX,
} from './device-model.ts';

type Reader = FieldReader<CplField>;

const HARDWARE = ['manufacturer', 'model', 'hardware_version', 'hardware_revision'] as const;
const FILLED = ['entry_id', 'device_type', ...HARDWARE, 'firmware_version'] as const;
const SHA256_DIGITS = 64;

export function readListEntry(reader: Reader): ListEntry | undefined {
  checkTexts(reader);
  const hash = readHash(reader);
  const status = readStatus(reader);
  const dates = readDates(reader);
  const otaFileVersion = readFileVersion(reader);
  const standing = readStanding(reader);
  const expedited = readExpedited(reader);
  if (reader.failed) return undefined;
  return {
    entryId: reader.text('entry_id'),
    deviceType: reader.text('device_type'),
    manufacturer: reader.text('manufacturer'),
    model: reader.text('model'),
    hardwareVersion: reader.text('hardware_version'),
    hardwareRevision: reader.text('hardware_revision'),
    firmwareVersion: reader.text('firmware_version'),
    manufacturerImageHash: hash,
    status,
    ...dates,
    ...standing,
    ...(otaFileVersion === undefined ? {} : { otaFileVersion }),
    upgradeFrom: readUpgradeFrom(reader.text('upgrade_from')),
    ...(expedited ? { expedited } : {}),
    line: reader.line,
  };
}

function checkTexts(reader: Reader): void {
  for (const field of [...FILLED, 'upgrade_from'] as const) reader.checkCell(field);
  // A hash is 64 digits and nothing else: what has grown a blank was typed, not copied.
  reader.checkCell('manufacturer_image_hash', 'error');
  for (const field of FILLED) {
    if (reader.text(field) === '')
      reader.say('error', 'cell-empty', field, { expected: 'a value' });
  }
  for (const field of ['manufacturer', 'model'] as const) {
    if (reader.text(field).length <= MODEL_CHARACTERS_MAX) continue;
    const expected = `at most ${MODEL_CHARACTERS_MAX} characters`;
    reader.say('error', 'text-too-long', field, { expected });
  }
  const version = reader.text('firmware_version');
  if (version !== '' && !isFirmwareVersion(version)) {
    const expected = `at most ${FIRMWARE_VERSION_CHARACTERS_MAX} characters`;
    reader.say('error', 'text-too-long', 'firmware_version', { expected });
  }
  // Real inventories hold such values ("GEO" for a manufacturer), so they are pointed out and kept.
  for (const field of [...HARDWARE, 'firmware_version'] as const) {
    if (!/^[0-9a-fA-F]*$/.test(reader.text(field))) reader.say('warning', 'not-hexadecimal', field);
  }
}

function readHash(reader: Reader): string {
  const hash = reader.text('manufacturer_image_hash').toLowerCase();
  const expected = `${SHA256_DIGITS} hexadecimal digits`;
  if (!/^[0-9a-f]*$/.test(hash)) {
    reader.say('error', 'hash-not-hexadecimal', 'manufacturer_image_hash', { expected });
  } else if (hash.length !== SHA256_DIGITS) {
    const known = { 40: 'hash-sha-1-length', 32: 'hash-md5-length' } as const;
    const code = known[hash.length as 40 | 32] ?? 'hash-length';
    const detail = { expected, actual: `${hash.length} digits` };
    reader.say('error', code, 'manufacturer_image_hash', detail);
  }
  return hash;
}

function isDccStatus(word: string): word is DccStatus {
  return (DCC_STATUSES as readonly string[]).includes(word);
}

/** A list that has only the DCC's word says nothing of its own. */
function readStatus(reader: Reader): ListStatus {
  const word = reader.word('status');
  if (word === 'current' || word === 'removed') return word;
  if (!isDccStatus(word) || reader.hasColumn('dcc_status')) {
    const words = reader.hasColumn('dcc_status') ? [] : DCC_STATUSES;
    const expected = ['current', 'removed', ...words].join(', ');
    reader.say('error', 'status-unknown', 'status', { expected });
  }
  return 'unstated';
}

function readDates(reader: Reader): { listedFromMs: number; removedFromMs?: number } {
  const listedFromMs = reader.date('listed_from', 'required');
  const removedFromMs = reader.date('removed_from', 'optional');
  checkOrder(reader, ['listed_from', listedFromMs], ['removed_from', removedFromMs]);
  return {
    listedFromMs: listedFromMs ?? 0,
    ...(removedFromMs === undefined ? {} : { removedFromMs }),
  };
}

type Dated = [field: CplField, ms: number | undefined];

function checkOrder(reader: Reader, [before, beforeMs]: Dated, [after, afterMs]: Dated): void {
  if (beforeMs === undefined || afterMs === undefined || afterMs >= beforeMs) return;
  reader.say('error', 'dates-reversed', after, { expected: `not before ${reader.text(before)}` });
}

function readStanding(reader: Reader): Pick<ListEntry, 'dccStatus' | 'dccLoaded' | 'generation'> {
  const standing: Pick<ListEntry, 'dccStatus' | 'dccLoaded' | 'generation'> = {};
  const status = reader.word(reader.hasColumn('dcc_status') ? 'dcc_status' : 'status');
  if (isDccStatus(status)) standing.dccStatus = status;
  else if (status !== '' && reader.hasColumn('dcc_status')) {
    reader.say('error', 'status-unknown', 'dcc_status', { expected: DCC_STATUSES.join(', ') });
  }
  if (reader.word('dcc_loaded_from') === 'no') standing.dccLoaded = { isLoaded: false };
  else {
    const fromMs = reader.date('dcc_loaded_from', 'optional');
    if (fromMs !== undefined) standing.dccLoaded = { isLoaded: true, fromMs };
  }
  const generation = reader.word('generation');
  if (generation === 'smets1') standing.generation = 'smets1';
  else if (generation === 'smets2' || generation === 'smets2+') standing.generation = 'smets2';
  else if (generation !== '') {
    reader.say('error', 'word-unknown', 'generation', { expected: 'SMETS1, SMETS2 or nothing' });
  }
  return standing;
}

function readExpedited(reader: Reader): Expedited | undefined {
  const purpose = reader.text('expedited_purpose');
  const ppctReference = reader.text('ppct_reference');
  const addedOnMs = reader.date('expedited_added_on', 'optional');
  const endsOnMs = reader.date('expedited_ends_on', 'optional');
  const needed = ['expedited_purpose', 'expedited_added_on', 'ppct_reference'] as const;
  const isNamed = [...needed, 'expedited_ends_on' as const].some(
    (field) => reader.text(field) !== '',
  );
  if (!isNamed) return undefined;
  for (const field of needed) {
    if (reader.text(field) !== '') continue;
    reader.say('error', 'expedited-incomplete', field, { expected: 'a value' });
  }
  checkOrder(reader, ['expedited_added_on', addedOnMs], ['expedited_ends_on', endsOnMs]);
  if (addedOnMs === undefined) return undefined;
  return { purpose, addedOnMs, ppctReference, ...(endsOnMs === undefined ? {} : { endsOnMs }) };
}

function readFileVersion(reader: Reader): number | undefined {
  const text = reader.text('ota_file_version');
  if (text === '') return undefined;
  const digits = text.replace(/^0x/i, '');
  if (/^[0-9a-fA-F]{1,8}$/.test(digits)) return Number.parseInt(digits, 16);
  reader.say('error', 'file-version-invalid', 'ota_file_version', {
    expected: '1 to 8 hexadecimal digits, with or without 0x',
  });
  return undefined;
}

function readUpgradeFrom(text: string): UpgradeFrom {
  if (text === '') return { kind: 'unknown' };
  if (/^n\/?a$/i.test(text)) return { kind: 'none' };
  return { kind: 'listed', entryIds: text.split(/[\s;,]+/).filter((id) => id !== '') };
}
