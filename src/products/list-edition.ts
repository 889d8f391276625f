/**
 * Which of two products lists is the older one: an attacker who may not write a list can still bring
 * back one that was true once, in which a withdrawn image still stands (rollback of metadata).
 *
 * No source names a number of an edition, so the order is taken from what a list holds (our choice):
 * the newest date in it, and then how many rows it has and how many of them have ended, since rows are
 * ended and not taken out. Both lists are looked at as of the moment at which the accepted one was
 * accepted. What either dates later does not count: a list that dates itself far ahead would otherwise
 * shut out every later one (fast-forward), and a date that was only planned would make an old list new.
 */
import {
  type CentralProductsList,
  type ListEntry,
  standsByItsWords,
} from './central-products-list.ts';

export interface ListEdition {
  asOfMs: number;
  /** The newest date in the list up to then; 0 where it has none. */
  newestMs: number;
  /** Listed up to then; lines in error count, since they name something. */
  rows: number;
  /** Of those, entries that do not stand any more. */
  ended: number;
}

/** The newest edition that was accepted before, and where that is kept. */
export interface AcceptedEdition {
  edition: ListEdition;
  keptIn: string;
}

export function editionOf({ entries, issues }: CentralProductsList, asOfMs: number): ListEdition {
  const inError = new Set(
    issues.flatMap(({ severity, line }) => (severity === 'error' ? line : [])),
  );
  const edition: ListEdition = { asOfMs, newestMs: 0, rows: inError.size, ended: 0 };
  for (const entry of entries) {
    for (const ms of datesOf(entry)) {
      if (ms !== undefined && ms <= asOfMs) edition.newestMs = Math.max(edition.newestMs, ms);
    }
    if (entry.listedFromMs > asOfMs) continue;
    edition.rows += 1;
    const { removedFromMs } = entry;
    const isRemoved = removedFromMs !== undefined && removedFromMs <= asOfMs;
    if (isRemoved || !standsByItsWords(entry)) edition.ended += 1;
  }
  return edition;
}

/** Whether the list is of an edition before the accepted one. */
export function isOlder(list: CentralProductsList, accepted: ListEdition): boolean {
  const own = editionOf(list, accepted.asOfMs);
  if (own.newestMs !== accepted.newestMs) return own.newestMs < accepted.newestMs;
  return own.rows < accepted.rows || own.ended < accepted.ended;
}

/** An edition that was kept as plain data; undefined for anything else. */
export function parseEdition(value: unknown): ListEdition | undefined {
  const { asOfMs, newestMs, rows, ended } = (value ?? {}) as Partial<ListEdition>;
  if (!isCount(asOfMs) || !isCount(newestMs) || !isCount(rows) || !isCount(ended)) return undefined;
  return { asOfMs, newestMs, rows, ended };
}

function datesOf({ listedFromMs, removedFromMs, dccLoaded, expedited }: ListEntry) {
  const loadedMs = dccLoaded?.isLoaded ? dccLoaded.fromMs : undefined;
  return [listedFromMs, removedFromMs, loadedMs, expedited?.addedOnMs];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
