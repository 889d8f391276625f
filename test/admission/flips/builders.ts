import type { DeviceFacts } from '../../../src/admission/facts.ts';
import type { RuleId } from '../../../src/admission/rules.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { counting, type NaiveImage, naiveImage } from '../../image/naive-ota.ts';
import { naiveWorkbook } from '../../products/naive-workbook.ts';
import type { DocumentName, Documents, Scene } from './desk.ts';

export interface Base {
  name: string;
  /** What refuses it; none: it is admitted. */
  ruleId?: RuleId;
  /** What the one near miss is refused by as well. */
  also?: RuleId;
  scene: Scene;
  documents: Documents;
  /** Where the near miss is: every bit of it is flipped. */
  cause: DocumentName;
  /** Places in which a flip may make the documents truly say another thing; the oracle reads them. */
  mayTurn?: readonly string[];
  /** What the image was before the near miss was made of it: the one flip that gives it back. */
  undo?: Uint8Array;
}

export const DAY_MS = 86_400_000;
export const NOW = Date.UTC(2021, 8, 1);
/** The last second of 19 July 2021 in London. */
export const RULE_EVE_MS = Date.parse('2021-07-19T23:59:59+01:00');
export const BODY_BYTES = 40;
export const BODY = counting(BODY_BYTES, 9);
export const HASH = sha256Hex(Uint8Array.from(BODY));
export const EUI64 = '00112233445566aa';
export const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};
export const DEVICE: DeviceFacts = {
  eui64: EUI64,
  kind: 'ppmid',
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  hardwareVersion: 0x0100,
  currentFileVersion: 0x01000000,
  deviceModel: HARDWARE,
  imageProfile: 'gb-ppmid',
  slotBytes: 1000,
};
export const SCENE: Scene = {
  profile: 'gb-ppmid',
  device: DEVICE,
  intake: 'service-request',
  nowMs: NOW,
  fetchedAtMs: NOW,
  request: { requestType: '11.4', duisVersion: '5.0', role: 'IS' },
  openRequests: new Set(),
};
export const IMAGE: NaiveImage = {
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  hardware: [0x0100, 0x01ff],
  body: BODY,
};

export type Cells = Readonly<Record<string, string>>;

export const NEW: Cells = {
  entry_id: 'NEW',
  device_type: 'PPMID',
  manufacturer: '121D',
  model: '0084',
  hardware_version: '01',
  hardware_revision: '00',
  firmware_version: '02000000',
  manufacturer_image_hash: HASH,
  status: 'Current',
  listed_from: '2021-01-01',
  removed_from: '',
  upgrade_from: 'OLD',
  generation: 'SMETS1',
};
export const OLD: Cells = {
  ...NEW,
  entry_id: 'OLD',
  firmware_version: '01000000',
  manufacturer_image_hash: '0d'.repeat(32),
  upgrade_from: 'N/A',
};
export const HUB_MODEL = '106C:0001:01:00:00000007';
export const METER = 'AB01:0002:01:00:00000003';
export const AFTER = '121D:0084:01:00:02000000';
export const COMBINATION: Cells = {
  combination_id: 'C1',
  provider: 'CSP-N',
  communications_hub: HUB_MODEL,
  esme: METER,
  ppmid: AFTER,
  added_on: '2021-01-01',
  removed_from: '',
};
export const HOME: Cells = {
  installation_id: 'HOME-1',
  provider: 'CSP-N',
  communications_hub: HUB_MODEL,
  esme: METER,
  ppmid: '121D:0084:01:00:01000000',
  cohort: 'MOC',
  electricity_supplier: 'SUPPLIER-A',
  gas_supplier: 'SUPPLIER-B',
};
export const TEST: Cells = {
  ppct_reference: 'PPCT-1',
  provider: 'CSP-N',
  communications_hub: HUB_MODEL,
  esme: METER,
  ppmid: AFTER,
  opened_on: '2021-07-01',
  outcome: 'open',
  closed_on: '',
};

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function csv(...rows: readonly Cells[]): Uint8Array {
  const columns = Object.keys(rows[0]!);
  const lines = rows.map((row) => columns.map((column) => row[column] ?? '').join(','));
  return utf8([columns.join(','), ...lines].join('\n'));
}

export function workbook(...rows: readonly Cells[]): Uint8Array {
  const columns = Object.keys(rows[0]!);
  const cells = rows.map((row) => columns.map((column) => row[column] ?? ''));
  return naiveWorkbook({ sheets: { list: [columns, ...cells] } });
}

export const products = (change: Cells = {}) => csv({ ...NEW, ...change }, OLD);
export const GOOD: Documents = {
  image: naiveImage(IMAGE),
  products: products(),
  eligible: csv(COMBINATION),
  installations: csv(HOME),
};

export interface Change {
  documents?: Documents;
  scene?: Partial<Scene>;
  device?: Partial<DeviceFacts>;
}

export function base(
  name: string,
  ruleId: RuleId | undefined,
  cause: DocumentName,
  { documents, scene, device }: Change,
  mayTurn?: readonly string[],
): Base {
  return {
    name,
    ...(ruleId ? { ruleId } : {}),
    cause,
    documents: { ...GOOD, ...documents },
    scene: { ...SCENE, ...scene, device: { ...DEVICE, ...scene?.device, ...device } },
    ...(mayTurn ? { mayTurn } : {}),
  };
}

/** A place of the row that names the image. */
export const cell = (column: string) => [`products NEW ${column}`];

export function json(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value));
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[bit >>> 3]! ^= 1 << (bit & 7);
  return flipped;
}
