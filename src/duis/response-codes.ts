/**
 * Response codes of the DCC User Interface, all that are for firmware or for any request (DUIS
 * schemas 5.0a to 5.4). The schemas say which there are and not what they mean, so hardly any has a
 * meaning here.
 */
import { isAtLeast } from './schema-version.ts';

export interface ResponseCodeRow {
  code: string;
  meaning?: string;
  source: string;
  /** The first version that has it; absent: every one that was seen. */
  sinceDuis?: string;
  /** What a peer of an older version gets in its place. */
  before?: string;
}

const XSD = 'DUIS XML schemas 5.0a to 5.4 (read); its meaning not found';
const IN_PLACE = 'which code stands in for it in older versions is assumed';

/** For any request that is not done, where nothing better is known. */
export const ANY_ERROR = 'E1';

export const RESPONSE_CODES: ReadonlyMap<string, ResponseCodeRow> = tableOf([
  { code: 'I0', meaning: 'done', source: 'published responses (read)' },
  { code: 'I99', meaning: 'acknowledged', source: `${XSD}; the meaning is assumed` },
  {
    code: 'W110101',
    meaning: 'done, but not for the devices listed',
    source: `${XSD}; that it goes with the warning lists is inferred`,
  },
  {
    code: 'W110401',
    meaning: 'done, but not for the devices listed',
    source: `${XSD}; that it goes with the warning lists is inferred`,
  },
  { code: 'E100', meaning: 'signature refused', source: `${XSD}; the meaning is assumed` },
  ...plain('E', [1, 2, 3, 4, 5, 11, 12, 13, 17, 19, 20, 21, 30, 31, ...range(40, 64)]),
  // Seen on an acknowledgement of 11.2.
  ...plain('E', range(65, 71), { sinceDuis: '5.1', before: ANY_ERROR }),
  ...plain('E', [1000, 1001, 1003, 1004, 1006, 1007, 1008, 1010, 1011]),
  ...plain('E', [110101, 110102, 110103, 110105]),
  ...plain('E', [110106], { sinceDuis: '5.3', before: 'E110101' }),
  ...plain('E', [110401, 110402, 110403, 110405]),
  ...plain('E0', range(80405, 80415)),
  ...plain('E0', [81406], { sinceDuis: '5.4', before: ANY_ERROR }),
  ...plain('E', [120101, 120102]),
  ...plain('E', [120103], { sinceDuis: '5.3', before: ANY_ERROR }),
  ...plain('E', [120201, 120203, 120204, 120207]),
]);

/** The code itself, or what stands for it in the version of the peer. Of a code of the table. */
export function codeForPeer(code: string, duisVersion: string): string {
  const row = RESPONSE_CODES.get(code);
  if (row && isAtLeast(duisVersion, row.sinceDuis)) return code;
  return row?.before ?? ANY_ERROR;
}

function plain(
  prefix: string,
  numbers: readonly number[],
  later?: { sinceDuis: string; before: string },
): ResponseCodeRow[] {
  const source = later ? `${XSD}; ${IN_PLACE}` : XSD;
  return numbers.map((number) => ({ code: `${prefix}${number}`, source, ...later }));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function tableOf(rows: readonly ResponseCodeRow[]): ReadonlyMap<string, ResponseCodeRow> {
  return new Map(rows.map((row) => [row.code, row]));
}
