/** Facts of the Central Products List, and of the entries that have the hash of the image. */
import { hex } from '../bytes/hex.ts';
import { type ListEntry, predecessorsOf, showStanding } from '../products/central-products-list.ts';
import type { ListStamp } from '../products/list-age.ts';
import { type FactRow, type FactValue, row, showList, showUntil, some } from './fact-row.ts';
import type { AdmissionFacts, ImageFacts } from './facts.ts';
import { entriesFor, entriesOfImage, showHardware } from './list-checks.ts';
import { showTime } from './show-time.ts';

export const LIST_FACTS = {
  'list.entries': row(
    'the Central Products List',
    ['list.entries'],
    ({ list }) => showList(list),
    'not given',
  ),
  'list.issues': row('the faults of the list', ['list.issues'], ({ list }) =>
    list ? list.issues.length : undefined,
  ),
  'list.fetched': row(
    'when the lists were fetched',
    ['list.stamp', 'context.eligible.stamp', 'context.pending.stamp'],
    showFetched,
  ),
  'list.accepted': row('the newest list that was accepted', ['list.accepted'], ({ list }) => {
    if (!list?.accepted) return undefined;
    const { rows, newestMs } = list.accepted.edition;
    return `${rows} rows to ${showTime(newestMs)}`;
  }),
  'list.entry': row(
    'the entries of that hash',
    [
      'list.byHash.*.length',
      ...entryPaths('entryId', 'manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'),
    ],
    (facts) =>
      showEntries(facts, entriesOfImage, (entry) => `line ${entry.line}, ${showHardware(entry)}`),
  ),
  'list.version': row(
    'the version of these entries',
    entryPaths('firmwareVersion', 'otaFileVersion'),
    (facts) =>
      showEntries(facts, entriesFor, ({ firmwareVersion, otaFileVersion }) => {
        const file = otaFileVersion === undefined ? '' : `, file version ${hex(otaFileVersion, 8)}`;
        return `${firmwareVersion}${file}`;
      }),
  ),
  'list.standing': row(
    'the standing of these entries',
    entryPaths('status', 'dccStatus', 'listedFromMs', 'removedFromMs'),
    (facts) => showEntries(facts, entriesFor, showStandingOf),
  ),
  'list.loaded': row('whether the DCC has loaded these entries', entryPaths('dccLoaded'), (facts) =>
    showEntries(facts, entriesFor, ({ dccLoaded }) => {
      if (!dccLoaded) return 'not said';
      return dccLoaded.isLoaded ? `loaded from ${showTime(dccLoaded.fromMs)}` : 'not loaded';
    }),
  ),
  'list.generation': row('the generation of these entries', entryPaths('generation'), (facts) =>
    showEntries(facts, entriesFor, ({ generation }) => generation ?? 'not said'),
  ),
  'list.upgradeFrom': row(
    'from what one may upgrade to these entries',
    entryPaths('upgradeFrom'),
    (facts) =>
      showEntries(facts, entriesFor, ({ upgradeFrom }) => {
        if (upgradeFrom.kind === 'listed') return upgradeFrom.entryIds.join(', ');
        return upgradeFrom.kind === 'none' ? 'N/A' : 'not said';
      }),
  ),
  'list.predecessors': row('what one may upgrade from, as listed', ['list.byId'], showPredecessors),
  'list.expedited': row('whether these entries are expedited', entryPaths('expedited'), (facts) =>
    showEntries(facts, entriesFor, ({ expedited }) => {
      if (!expedited) return 'no';
      const { purpose, ppctReference, addedOnMs, endsOnMs } = expedited;
      const until = endsOnMs === undefined ? '' : ` until ${showTime(endsOnMs)}`;
      return `${purpose}, test ${ppctReference}, from ${showTime(addedOnMs)}${until}`;
    }),
  ),
} satisfies Record<string, FactRow>;

function entryPaths(...fields: (keyof ListEntry)[]): string[] {
  return fields.map((field) => `list.byHash.*.${field}`);
}

function showEntries(
  facts: AdmissionFacts,
  which: (image: ImageFacts, facts: AdmissionFacts) => readonly ListEntry[],
  show: (entry: ListEntry) => string,
): FactValue {
  const { image, list } = facts;
  if (!image.ok || !list) return undefined;
  const texts = which(image, facts).map((entry) => `${entry.entryId}: ${show(entry)}`);
  return some(texts, 'there is no entry');
}

function showStandingOf(entry: ListEntry): string {
  const { listedFromMs, removedFromMs } = entry;
  return `${showStanding(entry)}, from ${showTime(listedFromMs)}${showUntil(removedFromMs)}`;
}

function showPredecessors(facts: AdmissionFacts): FactValue {
  const { image, list } = facts;
  if (!image.ok || !list) return undefined;
  const found = entriesFor(image, facts).flatMap((entry) => predecessorsOf(list, entry));
  return some(
    found.map((entry) => `${entry.entryId} ${entry.firmwareVersion}`),
    'none is on the list',
  );
}

function showFetched({ list, context }: AdmissionFacts): FactValue {
  const lists: [name: string, given: { stamp?: ListStamp } | undefined][] = [
    ['products', list],
    ['eligible combinations', context?.eligible],
    ['tests', context?.pending],
  ];
  const texts = lists.flatMap(([name, given]) =>
    given?.stamp ? [`${name} ${showTime(given.stamp.fetchedAtMs)}`] : [],
  );
  return texts.length === 0 ? undefined : some(texts, '');
}
