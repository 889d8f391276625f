/** The faults of a link as they are told, checked once, and which directions they concern. */
import { EXIT, UpliftError } from '../../errors.ts';
import type { LinkFaultSettings } from '../ports.ts';

export type Direction = 'up' | 'down';

export type FaultKind = Exclude<keyof LinkFaultSettings, 'direction'>;

const RATES = ['drop', 'duplicate', 'corrupt'] as const;

const MADE = [
  'dropped',
  'duplicated',
  'corrupted',
  'bursts',
  'delayed',
  'disconnections',
  'resets',
] as const;

/** Of what a link counts, the faults that were made in it. */
export function faultsMade(counts: Readonly<Record<string, number>>): Record<string, number> {
  const made = MADE.map((kind) => [kind, counts[kind] ?? 0] as const);
  return Object.fromEntries(made.filter(([, count]) => count > 0));
}

/** @throws UpliftError where a link of that kind cannot have one of them, or a number makes no sense */
export function checkFaults(
  settings: LinkFaultSettings,
  possible: readonly FaultKind[],
  what: string,
): void {
  for (const kind of Object.keys(settings) as (keyof LinkFaultSettings)[]) {
    const isAsked = settings[kind] !== undefined && settings[kind] !== false;
    if (kind !== 'direction' && isAsked && !possible.includes(kind)) {
      throw new UpliftError('fault-not-possible', `${what} cannot have the fault "${kind}"`, {
        expected: possible.join(', '),
        actual: kind,
        next: 'take a fault that the link can have, or another kind of link',
        exit: EXIT.usage,
      });
    }
  }
  for (const kind of RATES) checkNumber(kind, settings[kind], 1, 'a rate from 0 to 1');
  checkNumber('delayMs', settings.delayMs, 3_600_000, 'milliseconds, an hour at the most');
  const { burst } = settings;
  if (burst === undefined) return;
  checkWhole('burst.bytes', burst.bytes);
  checkWhole('burst.count', burst.count);
}

/** What of them concerns one direction; nothing where they concern the other. */
export function faultsOf(settings: LinkFaultSettings, direction: Direction): LinkFaultSettings {
  const { direction: which = 'both' } = settings;
  return which === 'both' || which === direction ? settings : {};
}

function checkNumber(kind: string, value: number | undefined, most: number, expected: string) {
  if (value === undefined || (value >= 0 && value <= most)) return;
  throw outOfRange(kind, expected, value);
}

function checkWhole(kind: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return;
  throw outOfRange(kind, 'a whole number from 1 to 1000000', value);
}

function outOfRange(kind: string, expected: string, value: number): UpliftError {
  return new UpliftError('fault-out-of-range', `the fault "${kind}" has no such number`, {
    expected,
    actual: String(value),
    exit: EXIT.usage,
  });
}
