/** Why a bundle, or what travels home in it, is not taken. Codes are never reused. */
export const EVENTS_CODES = {
  'events-large': 'The document is larger than a stretch of a journal may be.',
  'events-form': 'The sealed content is no stretch of a journal.',
  'events-signer': 'The document does not bring the one certificate that its seal names.',
  'events-other-bytes': 'The seal is not over these very bytes.',
  'events-other-fleet': 'The events are of a gateway of another fleet.',
  'events-other-gateway':
    'The certificate is not that of the gateway that the events are said to be of.',
} as const;

export type EventsCode = keyof typeof EVENTS_CODES;

export const BUNDLE_CODES = {
  // A bundle.
  'bundle-missing': 'There is no bundle in the folder.',
  'bundle-exists': 'A bundle is there already.',
  'bundle-link': 'A name in the bundle is a link, or no file.',
  'bundle-many': 'There is more in the bundle than is read.',
  'bundle-no-room': 'The medium has less room than the bundle needs.',
  'bundle-unwritable': 'The medium cannot be written to.',
  'campaign-none': 'No campaign is in the bundle.',
  'campaign-twice': 'One campaign is named twice, or two have one name.',
  'image-absent': 'An image that a campaign needs is not there.',
  'image-extra': 'An image is of none of the campaigns.',
  'image-length': 'An image has another length than its campaign says.',
  'image-changed': 'An image changed while it was read.',
  'blob-damaged': 'An image of the bundle is not what its name says.',

  ...EVENTS_CODES,
} as const;

export type BundleCode = keyof typeof BUNDLE_CODES;

export interface BundleRefusal {
  ok: false;
  code: BundleCode;
  message: string;
}

export function refuseBundle(code: BundleCode, about = ''): BundleRefusal {
  const message = about ? `${BUNDLE_CODES[code]} (${about})` : BUNDLE_CODES[code];
  return { ok: false, code, message };
}
