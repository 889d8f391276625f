/** Why a device of a front came to nothing, where no gateway says so. Codes are never reused. */
export const FRONT_CODES = {
  'campaign-aborted': 'Its campaign was given up before its turn came.',
  'campaign-expired': 'Its campaign ran out before its turn came.',
  'campaign-superseded': 'Another campaign took the place of its campaign before its turn came.',
  'campaign-without-it': 'The coordinator did not find the device when its campaign was started.',
  'campaign-refused': 'The coordinator did not take its campaign.',
  'campaign-lost': 'The coordinator does not know its campaign any more.',
  'image-unreadable': 'No campaign can be made of the image: it cannot be read.',
  'precursor-unknown':
    'Its gateway did not read what it runs in time, so no campaign can start from it.',
  'called-off-there': 'It was called off at its gateway.',
  'gateway-silent': 'Its campaign is over, and its gateway did not say what became of it.',
} as const;

export type FrontCode = keyof typeof FRONT_CODES;
