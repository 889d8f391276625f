/**
 * Versions of the DCC User Interface. All are of one namespace; a document tells its version by the
 * attribute `schemaVersion` alone, an xs:decimal: 5.4 and 5.40 are one version, and 5.10 is 5.1.
 */

export interface DuisVersion {
  version: string;
  source: string;
}

const SCHEMA_READ = 'its schema (read)';
const LETTER = 'letter of July 2021 (read); its schema not seen';

export const DUIS_VERSIONS: readonly DuisVersion[] = [
  { version: '3.0', source: LETTER },
  { version: '3.1', source: LETTER },
  { version: '4.0', source: LETTER },
  { version: '5.0', source: SCHEMA_READ },
  { version: '5.1', source: SCHEMA_READ },
  { version: '5.2', source: 'assumed: it lies between two that were read; its schema not seen' },
  { version: '5.3', source: SCHEMA_READ },
  { version: '5.4', source: SCHEMA_READ },
];

/**
 * Its one form, without blanks and needless zeros: ` 05.40 ` is `5.4`. `undefined` of no decimal.
 */
export function canonicalVersion(text: string): string | undefined {
  const parts = /^\+?([0-9]{0,8})(?:\.([0-9]{0,8}))?$/.exec(text.trim());
  if (!parts || !/[0-9]/.test(text)) return undefined;
  const whole = parts[1]!.replace(/^0+(?=[0-9])/, '') || '0';
  const fraction = (parts[2] ?? '').replace(/0+$/, '') || '0';
  return `${whole}.${fraction}`;
}

/** Of two canonical ones: negative where `a` is the earlier. */
export function compareVersions(a: string, b: string): number {
  return Number(a) - Number(b);
}

export function isAtLeast(version: string, since: string | undefined): boolean {
  return since === undefined || compareVersions(version, since) >= 0;
}
