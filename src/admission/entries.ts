/** Which rows of the Central Products List speak for an image on a device. */
import type { ListEntry } from '../products/central-products-list.ts';
import type { AdmissionFacts } from './facts.ts';
import { currentEntriesFor } from './list-checks.ts';

/** Those that stand at that time; none where the image cannot be read or there is no list. */
export function entriesInForce(facts: AdmissionFacts, nowMs: number): ListEntry[] {
  const { image } = facts;
  return image.ok ? currentEntriesFor(image, facts, nowMs) : [];
}

export function entryIdsOf(facts: AdmissionFacts, nowMs: number): string[] {
  return entriesInForce(facts, nowMs).map(({ entryId }) => entryId);
}
