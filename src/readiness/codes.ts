/**
 * Why an installation is not ready for migration, and what is to be known of one that is. Each with
 * the sentence, where it comes from and how sure that is. Codes are never reused.
 */

export type Confidence = 'read' | 'inferred' | 'assumed';

interface Reason {
  text: string;
  source: string;
  confidence: Confidence;
}

const LETTER = 'letter of July 2021';
const EPCL = 'SEC F2.10A(a), glossary';
const MP231 = 'consultation on MP231, to 12 May 2023';
const OURS = 'our choice';

export const CAUSES = {
  'hub-not-one': {
    text: 'An installation has exactly one Communications Hub.',
    source: OURS,
    confidence: 'assumed',
  },
  'cohort-unknown': {
    text: 'The cohort has to be known: before uplift 2.1 it decides.',
    source: `${LETTER}, paragraphs 3 and 5`,
    confidence: 'inferred',
  },
  'split-supply-before-uplift': {
    text: 'FOC installations with split supply migrate from uplift 2.1 on.',
    source: `${LETTER}, paragraph 3`,
    confidence: 'read',
  },
  'supply-unknown': {
    text: 'Both Responsible Suppliers have to be known: before uplift 2.1 split supply decides.',
    source: `${LETTER}, paragraph 3`,
    confidence: 'inferred',
  },
  'profile-data-before-uplift': {
    text: 'FOC hubs on which profile data was pushed migrate from uplift 2.1 on.',
    source: `${LETTER}, paragraph 5`,
    confidence: 'read',
  },
  'profile-data-unknown': {
    text: 'Whether the hub pushes profile data has to be known: before uplift 2.1 it decides.',
    source: `${LETTER}, paragraph 5`,
    confidence: 'inferred',
  },
  'list-too-old': {
    text: 'A list is older than may be used.',
    source: OURS,
    confidence: 'assumed',
  },
  'list-from-the-future': {
    text: 'A list was fetched after now: one of two clocks is wrong.',
    source: OURS,
    confidence: 'assumed',
  },
  'hardware-not-eligible': {
    text: 'No eligible combination has these devices, whatever their firmware.',
    source: EPCL,
    confidence: 'inferred',
  },
  'provider-differs': {
    text: 'These devices are eligible only with another communications service provider.',
    source: EPCL,
    confidence: 'inferred',
  },
  'combination-not-yet-eligible': {
    text: 'The combination is on the list only from a later date.',
    source: EPCL,
    confidence: 'inferred',
  },
  'combination-removed': {
    text: 'The combination is not on the list any more.',
    source: EPCL,
    confidence: 'assumed',
  },
  'target-not-listed': {
    text: 'The firmware that is needed is not on the Central Products List.',
    source: `${LETTER}, paragraph 11`,
    confidence: 'inferred',
  },
  'entry-not-current': {
    text: 'The entry of the firmware that is needed does not stand at this time.',
    source: 'DUIS schemas 5.0a to 5.4, CPLStatus',
    confidence: 'inferred',
  },
  'entry-not-loaded': {
    text: 'The DCC has not loaded the entry of the firmware that is needed.',
    source: 'SEC news, May 2018',
    confidence: 'inferred',
  },
  'pathway-not-listed': {
    text: 'The running version is not one from which one may upgrade to the one that is needed.',
    source: MP231,
    confidence: 'inferred',
  },
  'pathway-none': {
    text: 'The firmware that is needed has no version from which one may upgrade to it (N/A).',
    source: MP231,
    confidence: 'assumed',
  },
  'pathway-unknown': {
    text: 'The list does not say from which versions one may upgrade, and the site refuses that.',
    source: MP231,
    confidence: 'assumed',
  },
  'order-unknown': {
    text: 'Neither the pathway nor the versions say that the firmware that is needed is newer.',
    source: OURS,
    confidence: 'assumed',
  },
  downgrade: {
    text: 'The firmware that is needed is older than the one that runs.',
    source: OURS,
    confidence: 'assumed',
  },
  'foc-ppmid-excluded': {
    text: 'Firmware of FOC PPMIDs can be upgraded from 20 July 2021 on (DUIS 3.0, 3.1, 4.0).',
    source: `${LETTER}, paragraph 5`,
    confidence: 'inferred',
  },
  'intermediate-not-eligible': {
    text: 'On every way to an eligible combination there is one that is neither eligible nor covered.',
    source: `${EPCL}; ${LETTER}, paragraph 11`,
    confidence: 'inferred',
  },
  'expedited-not-covering': {
    text: 'An expedited entry would help, and does not stand in for an eligible combination.',
    source: `${LETTER}, paragraphs 11 and 12`,
    confidence: 'inferred',
  },
  'search-limit': {
    text: 'There are more combinations of versions than are looked through.',
    source: OURS,
    confidence: 'assumed',
  },
} as const satisfies Record<string, Reason>;

export type CauseCode = keyof typeof CAUSES;

export const NOTES = {
  'pathway-unknown': {
    text: 'The list does not say whether one may upgrade from the running version.',
    source: MP231,
    confidence: 'assumed',
  },
  'pathway-none-permitted': {
    text: 'The list says that there is no version to upgrade from, and the site permits it.',
    source: MP231,
    confidence: 'assumed',
  },
  'expedited-cover': {
    text: 'In between, a combination is covered by an expedited entry only: its test has to stay open.',
    source: `${LETTER}, paragraphs 11 and 12`,
    confidence: 'inferred',
  },
  'profile-data-to-switch-off': {
    text: 'The pushing of profile data on the hub is switched off with the migration.',
    source: `${LETTER}, paragraph 5`,
    confidence: 'read',
  },
  'tell-other-supplier': {
    text: 'Both suppliers use the device: the one that does not ask is told.',
    source: OURS,
    confidence: 'assumed',
  },
  'migration-in-progress': {
    text: 'The migration is under way: its state may be older than the lists.',
    source: OURS,
    confidence: 'assumed',
  },
  'list-old': { text: 'A list is old.', source: OURS, confidence: 'assumed' },
  'list-age-unknown': {
    text: 'Nobody said when a list was fetched.',
    source: OURS,
    confidence: 'assumed',
  },
} as const satisfies Record<string, Reason>;

export type NoteCode = keyof typeof NOTES;

export interface Cause extends Reason {
  code: CauseCode;
  /** The Device Model, the date or the combination that it is about. */
  detail?: string;
}

export interface Note extends Reason {
  code: NoteCode;
  detail?: string;
}

export function cause(code: CauseCode, detail?: string): Cause {
  return { code, ...CAUSES[code], ...(detail === undefined ? {} : { detail }) };
}

export function note(code: NoteCode, detail?: string): Note {
  return { code, ...NOTES[code], ...(detail === undefined ? {} : { detail }) };
}
