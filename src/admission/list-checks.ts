/** Checks of the image against the Central Products List, where it is found by its hash. */
import { hex } from '../bytes/hex.ts';
import {
  type CentralProductsList,
  entriesByDeviceModel,
  entriesByHash,
  isCurrent,
  type ListEntry,
  loadedByDcc,
  showStanding,
} from '../products/central-products-list.ts';
import { sameHardware, sameText, sameUnderOtherCoding } from '../products/device-model.ts';
import { type ListStamp, listAge } from '../products/list-age.ts';
import { editionOf, isOlder } from '../products/list-edition.ts';
import { BENCH, missing } from './context.ts';
import { type AdmissionFacts, type ImageFacts, listedHash } from './facts.ts';
import { waitFor } from './pending-facts.ts';
import { regulationOf } from './request-checks.ts';
import { showTime } from './show-time.ts';
import { NOT_APPLICABLE, PASS, type Verdict, type VerdictCode } from './verdict.ts';

export function checkListed(image: ImageFacts, { list, policy }: AdmissionFacts): Verdict {
  if (!list) {
    if (policy?.listRequired === false) return NOT_APPLICABLE;
    return {
      outcome: 'refuse',
      expected: 'a Central Products List',
      actual: 'none was given',
      next: 'name the list that the image is on, or say that none is required',
    };
  }
  if (entriesByHash(list, listedHash(image)).length > 0) return PASS;
  return {
    outcome: 'refuse',
    expected: `one of the ${list.entries.length} hashes on the list`,
    actual: listedHash(image),
    next: 'check the image, its profile, and that the list is the latest',
    ...confusionHint(image, list),
  };
}

/** What the list may have been given in place of the hash: another range, or another digest. */
function confusionHint(
  image: ImageFacts,
  list: CentralProductsList,
): { code?: VerdictCode; next: string } | undefined {
  const ranges: [code: VerdictCode, range: string, hash: string | undefined][] =
    image.kind === 'ota'
      ? [
          ['hash-of-whole-file', 'the whole file', image.hashes.wholeFile],
          ['hash-after-header', 'the bytes after the header', image.hashes.afterHeader],
          ['hash-of-ota-image', 'the OTA image with its header', image.sendSha256],
        ]
      : [['hash-of-whole-file', 'the whole file', image.wholeFileSha256]];
  for (const [code, range, hash] of ranges) {
    const [entry] = hash === undefined ? [] : entriesByHash(list, hash);
    if (!entry) continue;
    const own = image.kind === 'ota' ? 'the Manufacturer Image alone' : 'what is sent';
    const next = `have ${entry.entryId} corrected: its hash is over ${range}, and not over ${own}`;
    return { code, next };
  }
  const other = list.issues.find(
    ({ code }) => code === 'hash-sha-1-length' || code === 'hash-md5-length',
  );
  if (!other) return undefined;
  const algorithm = other.code === 'hash-md5-length' ? 'MD5' : 'SHA-1';
  return {
    next: `have line ${other.line} of the list corrected: its hash is of the length of ${algorithm}`,
  };
}

export function checkDeviceModel(image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { device } = facts;
  const listed = entriesOfImage(image, facts);
  if (listed.length === 0) return NOT_APPLICABLE;
  const matching = entriesFor(image, facts);
  const { manufacturer, model, hardwareVersion, hardwareRevision } = device.deviceModel ?? {};
  const expected = listed.map(showHardware).join(' or ');
  const actual = showHardware({ manufacturer, model, hardwareVersion, hardwareRevision });
  if (matching.length === 0) {
    return {
      outcome: 'refuse',
      expected,
      actual: `${actual}, as the device has it`,
      next: 'choose the image that is listed for this Device Model',
    };
  }
  if (manufacturer === undefined || model === undefined || hardwareVersion === undefined) {
    return waitFor('deviceModel', { expected, actual });
  }
  const sameRevision = matching.some((entry) => sameHardware(entry, { hardwareRevision }));
  if (sameRevision) return PASS;
  return {
    outcome: 'warn',
    expected: `hardware revision ${matching.map((entry) => entry.hardwareRevision).join(' or ')}`,
    actual: hardwareRevision ?? 'one that the device does not tell',
    next: 'ask the manufacturer whether the image is for this hardware revision as well',
  };
}

export function checkCurrent(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const entries = entriesFor(image, facts);
  if (entries.length === 0) return NOT_APPLICABLE;
  if (entries.some((entry) => isCurrent(entry, nowMs))) return PASS;
  const stands = entries.map((entry) => {
    const { entryId, listedFromMs, removedFromMs } = entry;
    const until = removedFromMs === undefined ? '' : ` until ${showTime(removedFromMs)}`;
    return `${entryId}: ${showStanding(entry)}, from ${showTime(listedFromMs)}${until}`;
  });
  return {
    outcome: 'refuse',
    expected: `an entry that stands at ${showTime(nowMs)}`,
    actual: stands.join('; '),
    next: nextStanding(entries, nowMs),
  };
}

/** A date where one is to come. */
function nextStanding(entries: ListEntry[], nowMs: number): string {
  const later = entries.find(
    (entry) => isCurrent(entry, entry.listedFromMs) && entry.listedFromMs > nowMs,
  );
  return later
    ? `ask again from ${showTime(later.listedFromMs)}, when ${later.entryId} stands`
    : 'fetch the list again, or choose an image whose entry stands';
}

/** Published and loaded list can differ: what is listed and not loaded the DCC will not send. */
export function checkLoaded(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const entries = currentEntriesFor(image, facts, nowMs);
  const loaded = entries.map((entry) => loadedByDcc(entry, nowMs));
  if (entries.length === 0 || loaded.every((answer) => answer === 'unknown')) return NOT_APPLICABLE;
  if (loaded.includes('yes')) return PASS;
  const since = entries.flatMap(({ entryId, dccLoaded }) =>
    dccLoaded?.isLoaded ? [`${entryId}, from ${showTime(dccLoaded.fromMs)}`] : [],
  );
  const { intake } = facts.context ?? BENCH;
  return {
    outcome: facts.policy?.notLoaded ?? (intake === 'service-request' ? 'refuse' : 'warn'),
    expected: 'an entry that the DCC has loaded',
    actual: since.length > 0 ? `loaded later: ${since.join('; ')}` : 'listed, but not loaded',
    next:
      since.length > 0
        ? `ask again when the DCC has loaded it: ${since.join('; ')}`
        : 'wait until the DCC has loaded the entry, and fetch the list again',
  };
}

/** Every list that the decision rests on, by when it was fetched. */
export function checkStale(_image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const { list, context = BENCH } = facts;
  const { eligible, pending } = context;
  const lists: [name: string, given: { stamp?: ListStamp } | undefined][] = [
    ['products list', list],
    ['list of eligible combinations', eligible],
    ['list of tests', pending],
  ];
  const ages = regulationOf(facts, 'ages');
  const given = lists.flatMap(([name, one]) =>
    one ? [{ name, ...listAge(one.stamp, nowMs, ages) }] : [],
  );
  const found = (age: string) => given.find((one) => one.age === age);
  const bad = found('too-old') ?? found('from-the-future');
  const worst = bad ?? found('old');
  if (worst) {
    const { name, age, days = 0 } = worst;
    const limit = bad ? ages.refuseAfterDays : ages.warnAfterDays;
    return {
      outcome: bad ? 'refuse' : 'warn',
      expected: `lists of at most ${limit} days`,
      actual:
        age === 'from-the-future'
          ? `a ${name} fetched ${Math.ceil(-days)} days from now`
          : `a ${name} of ${Math.floor(days)} days`,
      next: age === 'from-the-future' ? 'set the clock right' : 'fetch the list again',
    };
  }
  if (given.length === 0) return NOT_APPLICABLE;
  return found('unknown') ? missing('listAge', context) : PASS;
}

/** Against the newest list that was accepted before, where somebody keeps which that was. */
export function checkRollback(_image: ImageFacts, { list, policy }: AdmissionFacts): Verdict {
  if (!list?.accepted) return NOT_APPLICABLE;
  const { edition, keptIn } = list.accepted;
  if (!isOlder(list, edition)) return PASS;
  const show = ({ newestMs, rows, ended }: ReturnType<typeof editionOf>) =>
    `${rows} rows to ${showTime(newestMs)}, ${ended} of them ended`;
  return {
    outcome: policy?.listRollback ?? 'refuse',
    expected: `a list no older than the one accepted at ${showTime(edition.asOfMs)}: ${show(edition)}`,
    actual: show(editionOf(list, edition.asOfMs)),
    next: `fetch the list again; if the newer one was the wrong one, remove ${keptIn}`,
  };
}

export function checkFirmwareVersion(
  image: ImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const entries = currentEntriesFor(image, facts, nowMs);
  if (entries.length === 0) return NOT_APPLICABLE;
  const text = firmwareVersionText(image);
  // What an image does not tell cannot be wrong.
  if (text === undefined) return NOT_APPLICABLE;
  if (entries.some((entry) => namesVersion(entry, image, text))) return PASS;
  const expected = entries
    .map(({ otaFileVersion, firmwareVersion }) =>
      image.kind === 'hub' || otaFileVersion === undefined
        ? firmwareVersion
        : hex(otaFileVersion, 8),
    )
    .join(' or ');
  const other = entryOfThatVersion(entries[0]!, image, facts, text);
  if (other) {
    return {
      outcome: 'refuse',
      code: 'version-of-another-entry',
      expected,
      actual: `${text}, which is ${other.entryId}, an image with another hash`,
      next: 'get the image again from its source: header and contents are of two images',
    };
  }
  // Who filled in the file version means the header's; the other text may be of any coding.
  const isStated =
    image.kind === 'ota' && entries.every(({ otaFileVersion }) => otaFileVersion !== undefined);
  const isRecoded = entries.some(({ firmwareVersion }) =>
    sameUnderOtherCoding(firmwareVersion, text),
  );
  return {
    outcome: facts.policy?.firmwareVersionMismatch ?? (isStated ? 'refuse' : 'warn'),
    expected,
    actual: text,
    next: isRecoded
      ? 'compare by hand: the same number, coded decimal here and hexadecimal there'
      : `ask the manufacturer whether ${entries.map(({ entryId }) => entryId).join(' and ')} is of this image`,
  };
}

/** Whether a current entry of the image names the version that its header has. */
export function listNamesVersion(image: ImageFacts, facts: AdmissionFacts, nowMs: number): boolean {
  const text = firmwareVersionText(image);
  return (
    text !== undefined &&
    currentEntriesFor(image, facts, nowMs).some((entry) => namesVersion(entry, image, text))
  );
}

/** By the file version where the entry states it, else by the text. */
function namesVersion(entry: ListEntry, image: ImageFacts, text: string): boolean {
  const { otaFileVersion, firmwareVersion } = entry;
  return image.kind === 'hub' || otaFileVersion === undefined
    ? sameText(firmwareVersion, text)
    : otaFileVersion === image.header.fileVersion;
}

/** The entry that the header of the image speaks of, where its contents are those of another. */
function entryOfThatVersion(
  { manufacturer, model, hardwareVersion }: ListEntry,
  image: ImageFacts,
  { list }: AdmissionFacts,
  text: string,
): ListEntry | undefined {
  return entriesByDeviceModel(list!, { manufacturer, model, hardwareVersion }).find(
    (entry) =>
      entry.manufacturerImageHash !== listedHash(image) && namesVersion(entry, image, text),
  );
}

/** Those of `entriesFor` that stand at that time. */
export function currentEntriesFor(
  image: ImageFacts,
  facts: AdmissionFacts,
  nowMs: number,
): ListEntry[] {
  return entriesFor(image, facts).filter((entry) => isCurrent(entry, nowMs));
}

/** The entries with the image's hash, whatever device they are for. */
export function entriesOfImage(image: ImageFacts, { list }: AdmissionFacts): readonly ListEntry[] {
  return list ? entriesByHash(list, listedHash(image)) : [];
}

/** Those of them that are for the device, as far as its model is known. */
export function entriesFor(image: ImageFacts, facts: AdmissionFacts): ListEntry[] {
  const { manufacturer, model, hardwareVersion } = facts.device.deviceModel ?? {};
  const known = { manufacturer, model, hardwareVersion };
  return entriesOfImage(image, facts).filter((entry) => sameHardware(entry, known));
}

/** As a list writes it; what no source says of a hub's is assumed, see `HubImageVersion`. */
function firmwareVersionText(image: ImageFacts): string | undefined {
  if (image.kind === 'hub') return image.version?.listText;
  return image.header.fileVersion.toString(16).toUpperCase().padStart(8, '0');
}

export function showHardware(hardware: {
  manufacturer?: string | undefined;
  model?: string | undefined;
  hardwareVersion?: string | undefined;
  hardwareRevision?: string | undefined;
}): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
  const parts = [manufacturer, model, hardwareVersion, hardwareRevision];
  return parts.map((part) => part ?? '?').join(' ');
}
