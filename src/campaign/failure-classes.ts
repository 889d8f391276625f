/** How a device of a campaign can fail: what rules of abort count. */
export const FAILURE_CLASSES = {
  refused: 'Admission on the gateway refused it.',
  unreachable: 'It never answered.',
  transfer: 'The image did not get through whole.',
  activation: 'It took the image and did not activate it.',
  reverted: 'It went back to what it ran before.',
  expired: 'A deadline passed.',
  'unknown-outcome': 'What it runs could not be read back.',
} as const;

export type FailureClass = keyof typeof FAILURE_CLASSES;
