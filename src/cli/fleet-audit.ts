/** `uplift fleet audit show|check`: what people asked a coordinator for, and whether that was changed. */
import type { z } from '../config/fields.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { auditCheck, auditPage } from '../fleet/coordinator/operator-schemas.ts';
import { printable } from '../products/codes.ts';
import { type FleetAskOptions, fleetClient, lastOf, momentText } from './fleet-client.ts';
import { wholeNumber } from './inputs.ts';
import { type Output, table } from './output.ts';

export async function show(
  options: FleetAskOptions & { last: string; after?: string },
  output: Output,
): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: `${lastOf(options.last)}` });
  if (options.after !== undefined) query.set('after', `${wholeNumber(options.after, '--after')}`);
  const page = await fleetClient(options).get<z.output<typeof auditPage>>(`/audit?${query}`);
  const rows = page.entries.map(({ sequence, atMs, by, what, about, detail }) => [
    `${sequence}`,
    momentText(atMs),
    printable(by),
    printable(what),
    printable(about ?? ''),
    printable(detail ?? ''),
  ]);
  const more = page.next === undefined ? [] : [`and more: --after ${page.next}`];
  output.result(page, rows.length === 0 ? ['nothing'] : [...table(rows), ...more]);
  return EXIT.done;
}

export async function check(options: FleetAskOptions, output: Output): Promise<ExitCode> {
  const found = await fleetClient(options).get<z.output<typeof auditCheck>>('/audit/check');
  const { isWhole, wrong } = found;
  if (!isWhole) {
    throw new UpliftError('audit-changed', 'the audit log of the coordinator was changed', {
      expected: 'entries that each have the hash they have to have',
      actual: `entry ${wrong?.sequence} has another`,
      next: 'take the database for untrusted, and compare it with a backup',
      exit: EXIT.refused,
    });
  }
  output.result(found, ['every entry has the hash that it has to have']);
  return EXIT.done;
}
