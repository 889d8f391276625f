/** One fact that a rule can see: what it is called, where it stands and how it is shown. */
import { sharedDigestOf } from './digest-of.ts';
import type { AdmissionFacts } from './facts.ts';
import { showTime } from './show-time.ts';

/** `undefined` is a value that nobody gave. */
export type FactValue = string | number | undefined;

export interface FactRow {
  /** As a person calls it. */
  what: string;
  /**
   * Where it stands in `AdmissionFacts`, `*` for any element, or `nowMs`: a rule that reads there sees
   * this fact, and has to say so.
   */
  paths: readonly string[];
  /** What is said in place of a value that nobody gave. */
  absent: 'not known' | 'not given' | 'not told';
  /** Short text for people. */
  read(facts: AdmissionFacts, nowMs: number): FactValue;
}

export function row(
  what: string,
  paths: readonly string[],
  read: FactRow['read'],
  absent: FactRow['absent'] = 'not known',
): FactRow {
  return { what, paths, absent, read };
}

const SHOWN_MAX = 4;

/** A few of many. */
export function some(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none;
  const rest = texts.length - SHOWN_MAX;
  return `${texts.slice(0, SHOWN_MAX).join('; ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** A list is too long to show: how long, and by what the audit log knows it. */
export function showList(list: { entries: readonly unknown[] } | undefined): FactValue {
  return list && `${list.entries.length} entries, ${shortDigest(list.entries)}`;
}

/** The first digits of a digest, which the audit log has in full. */
export function shortDigest(value: object): string {
  return `digest ${sharedDigestOf(value).slice(0, 16)}`;
}

export function showFrom(ms: number | undefined): string {
  return ms === undefined ? '' : ` from ${showTime(ms)}`;
}

export function showUntil(ms: number | undefined): string {
  return ms === undefined ? '' : ` until ${showTime(ms)}`;
}
