/** Why a coordinator refuses what it is asked, by a gateway or by a person. Codes are never reused. */
export const FLEET_CODES = {
  // A gateway.
  'gateway-unknown':
    'There is no such gateway, or its certificate is not the one it enrolled with.',
  'gateway-exists': 'A gateway of this name is there already.',
  'gateway-revoked': 'The gateway was shut out.',
  'token-unknown': 'The enrolment token is not known, was used, or has run out.',
  'certificate-missing': 'A gateway is known by its certificate, and none was presented.',
  'certificate-in-use': 'Another gateway enrolled with this certificate.',
  'events-gap': 'The stretch of the journal does not follow what is there.',
  'events-forked':
    'The journal is not the one that was told of before: it was put back or exchanged.',
  'event-of-other': 'An event is about a device that this gateway does not have in the campaign.',
  'blob-unknown': 'There is no blob of this digest.',
  'blob-other': 'The bytes do not have the digest, or the length, that was stated.',
  'events-order':
    'Events are not in order, or not of the stretch of the journal that they are told with.',
  busy: 'More ask than can be answered; the answer says when to ask again.',
  'database-away':
    'The database cannot be reached. Nothing was done, or nobody can say yet; ask again.',

  // A person.
  'campaign-unknown': 'There is no such campaign.',
  'campaign-exists': 'Another campaign has this name.',
  'generation-not-above': 'The line has a campaign of this generation, or of a later one.',
  'other-fleet': 'The campaign is for another fleet.',
  'image-missing': 'An image of the campaign was not uploaded yet.',
  'campaign-state': 'The campaign is in a state in which this is not done.',
  'signature-of-other': 'The signatures are over another manifest than the one that is there.',
  'author-starts': 'Whoever submitted a campaign does not start it.',
  'no-devices': 'No device of the fleet is a target of the campaign.',
  'nothing-failed': 'No device of the campaign has failed.',
} as const;

export type FleetCode = keyof typeof FLEET_CODES;
