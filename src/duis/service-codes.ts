/**
 * Why a Service Request that was read, and whose signature is good, is not done. Codes are never
 * reused.
 */

export const SERVICE_CODES = {
  // The request by itself: `checkRequest`.
  'duis-version-unknown': 'The version of DUIS is none that is known.',
  'service-not-served': 'The service is none of those that are done here.',
  'service-too-early': 'The version of DUIS is older than the service.',
  'reference-variant-differs': 'Service reference and variant of it are not the same.',
  'body-differs': 'The body is not that of the service.',
  'variant-not-served': 'The service is not done under this command variant.',
  'originator-unknown': 'No Service User with this EUI-64 is configured.',
  'role-not-allowed': 'The Service User is in no role that may ask for this.',
  'target-not-broker': 'The request is not for the access control broker, which serves it.',
  'target-is-broker': 'The request is for the access control broker, and is about a device.',
  'target-unknown': 'The device that the request is for is not known here.',
  'execution-not-datable': 'The service is not done at a later time.',
  'execution-past': 'The time at which it is to be done has passed.',
  'execution-too-late': 'The time at which it is to be done is too far away.',
  'nothing-to-cancel': 'No activation of this user is dated for later at the device.',
  'dated-by-other': 'An activation that another user dated for later waits at the device.',
  'preceding-unknown': 'The request that is to come before this one was not taken.',

  // The request after those before it: the book of requests.
  'request-id-other-content': 'The RequestID was used for another request.',
  'counter-not-above': 'The counter is not above the last one of this originator.',

  // One device of it: `splitByAdmission`.
  'device-not-known': 'The device is not known here.',
  'device-not-commissioned': 'The device is not commissioned.',
  'device-gbcs-version': 'The device is of a GBCS version that does not take the image.',
} as const;

export type ServiceCode = keyof typeof SERVICE_CODES;
