/** What is odd between the entries of a products list. Warnings only: the entries are used. */
import type { ListEntry } from './central-products-list.ts';
import { type ListIssue, listIssue } from './codes.ts';
import { foldText, hardwareKey, sameHardware, sameUnderOtherCoding } from './device-model.ts';

/** Predecessors that cannot be what is meant (MP231). */
export function lintPredecessors(entries: readonly ListEntry[], issues: ListIssue[]): void {
  const byId = new Map(entries.map((entry) => [entry.entryId, entry]));
  for (const entry of entries) {
    if (entry.upgradeFrom.kind !== 'listed') continue;
    const { manufacturer, model, hardwareVersion } = entry;
    for (const actual of entry.upgradeFrom.entryIds) {
      const found = byId.get(actual);
      const say = (code: ListIssue['code']) =>
        issues.push(listIssue('warning', code, entry.line, 'upgrade_from', { actual }));
      if (!found) say('predecessor-unknown');
      else if (actual === entry.entryId) say('predecessor-itself');
      else if (!sameHardware(found, { manufacturer, model, hardwareVersion })) {
        say('predecessor-other-hardware');
      }
    }
  }
}

/** One version that stands under both codings; a person has to say which is meant. */
export function lintVersions(entries: readonly ListEntry[], issues: ListIssue[]): void {
  for (const group of Map.groupBy(entries, hardwareKey).values()) {
    const others = otherCodings(group.map(({ firmwareVersion }) => firmwareVersion));
    for (const entry of group) {
      const other = others.get(foldText(entry.firmwareVersion));
      if (other === undefined) continue;
      const line = group.find(({ firmwareVersion }) => foldText(firmwareVersion) === other)!.line;
      issues.push(
        listIssue('warning', 'version-other-coding', entry.line, 'firmware_version', {
          actual: `${entry.firmwareVersion}, and ${other} in line ${line}`,
          next: 'ask who submitted the entries which of the two the device reports',
        }),
      );
    }
  }
}

/**
 * Each folded version that is the same number as another of them under the other coding, with that
 * other. Linear: each is looked up by what its decimal digits would be in hexadecimal.
 */
export function otherCodings(versions: readonly string[]): Map<string, string> {
  const folded = [...new Set(versions.map(foldText))];
  const byNumber = new Map<number, string[]>();
  for (const version of folded) {
    if (!/^[0-9A-F]+$/.test(version)) continue;
    const number = Number.parseInt(version, 16);
    byNumber.set(number, [...(byNumber.get(number) ?? []), version]);
  }
  const found = new Map<string, string>();
  for (const version of folded) {
    if (!/^[0-9]+$/.test(version)) continue;
    const numbers = [Number.parseInt(version, 10), octetsAsHexadecimal(version)];
    for (const other of numbers.flatMap((number) => byNumber.get(number) ?? [])) {
      if (!sameUnderOtherCoding(version, other)) continue;
      if (!found.has(version)) found.set(version, other);
      if (!found.has(other)) found.set(other, version);
    }
  }
  return found;
}

/** The number whose octets are the pairs of decimal digits. */
function octetsAsHexadecimal(version: string): number {
  let number = 0;
  for (let i = 0; i + 1 < version.length; i += 2) {
    number = number * 256 + Number.parseInt(version.slice(i, i + 2), 10);
  }
  return number;
}
