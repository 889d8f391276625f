/**
 * Why an action of a hawkBit server is not carried out, or did not go well. A report carries the number as
 * `code`, and code and sentence as its first detail: numbers are what rollouts are searched by. One table
 * for the folder; neither codes nor numbers are ever reused.
 */
export const HAWKBIT_CODES = {
  // What is offered.
  'ddi-unreadable': { number: 1001, text: 'The action is not as DDI has it.' },
  'campaign-none': { number: 1002, text: 'The distribution set has no signed campaign.' },
  'campaign-several': { number: 1003, text: 'The distribution set has more than one campaign.' },
  'campaign-large': { number: 1004, text: 'The signed campaign is larger than any that is read.' },
  'campaign-other-bytes': { number: 1005, text: 'The signed campaign is not what its hash says.' },
  'campaign-refused': { number: 1006, text: 'The signed campaign is not taken here.' },
  'image-absent': { number: 1007, text: 'The distribution set lacks an image of its campaign.' },
  'image-extra': {
    number: 1008,
    text: 'The distribution set has what its campaign does not name.',
  },
  'image-length': { number: 1009, text: 'An image has another length than its campaign says.' },
  'artifact-unhashed': {
    number: 1010,
    text: 'An artifact is offered without its SHA-256 or link.',
  },

  // What became of it.
  'campaign-held': { number: 1101, text: 'Too few devices of a ring succeeded; a person decides.' },
  'campaign-aborted': { number: 1102, text: 'The campaign was given up on this gateway.' },
  'campaign-expired': { number: 1103, text: 'The campaign ended before its devices were through.' },
  'devices-failed': { number: 1104, text: 'The campaign is through, and devices failed.' },
  'download-late': { number: 1105, text: 'The images did not come in time.' },
  'not-followed': { number: 1106, text: 'The gateway did not take the campaign up in time.' },
} as const;

export type HawkbitCode = keyof typeof HAWKBIT_CODES;

/** What the server is told at the end of an action. */
export interface Outcome {
  finished: 'success' | 'failure';
  code?: HawkbitCode;
  details: readonly string[];
}

export function failure(code: HawkbitCode, about = ''): Outcome {
  const { text } = HAWKBIT_CODES[code];
  const said = about === '' ? [] : [about];
  return { finished: 'failure', code, details: [`${code}: ${text}`, ...said] };
}
