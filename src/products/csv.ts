/** CSV (RFC 4180, with comment lines) as a table. The only import of `csv-parse`. */
import { parse } from 'csv-parse/sync';
import { listFault } from './codes.ts';
import type { TableResult } from './table.ts';

export function parseCsv(text: string): TableResult {
  try {
    const records = parse(text, {
      bom: true,
      comment: '#',
      comment_no_infix: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    const rows = records.map(({ record, info }) => ({ cells: record, line: info.lines }));
    return { ok: true, table: { rows, form: 'csv' } };
  } catch (error) {
    const { lines, message } = error as { lines?: number; message: string };
    return listFault('csv-malformed', lines ?? 1, { actual: message, next: 'correct this line' });
  }
}
