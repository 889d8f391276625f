/**
 * Why a request or an upload failed: every code of the folder, with a sentence for the person who reads it.
 *
 * Codes are never reused. Those of the SMP level are the `rc` of both protocol versions, those of the
 * groups are the `err.rc` of version 2 (Zephyr 4.4, mgmt and img_mgmt error tables). Version 1 folds the
 * group's errors into its own few, so that the same trouble may read less precisely from an old device.
 */

export interface PeerError {
  code: string;
  sentence: string;
}

/** The `rc` of version 1, and of what concerns the protocol itself in version 2. */
const SMP_ERRORS: Record<number, PeerError> = {
  1: error('smp-unknown', 'The device failed and does not say why.'),
  2: error('smp-no-memory', 'The device has no memory left for this request.'),
  3: error('smp-invalid', 'The device says a value in the request is not valid.'),
  4: error('smp-timeout', 'The device gave up waiting for something of its own.'),
  5: error('smp-no-entry', 'The device has no such thing as the request names.'),
  6: error(
    'smp-bad-state',
    'The device cannot do this in its present state: an image may be pending or not yet confirmed.',
  ),
  7: error('smp-message-size', 'The message is larger than the device takes.'),
  8: error('smp-not-supported', 'The firmware of the device was built without this command.'),
  9: error('smp-corrupt', 'The device found the payload of the request corrupt.'),
  10: error('smp-busy', 'The device is busy; the same request may succeed later.'),
  11: error('smp-access-denied', 'The device does not allow this.'),
  12: error('smp-version-too-old', 'The device no longer takes this version of the protocol.'),
  13: error('smp-version-too-new', 'The device does not know this version of the protocol yet.'),
};

const OS_ERRORS: Record<number, PeerError> = {
  1: error('os-unknown', 'The device failed and does not say why.'),
  2: error('os-format', 'The device does not know a letter of the requested format.'),
  3: error('os-query-unanswered', 'The boot loader has no answer to this query.'),
  4: error('os-clock-not-set', 'The clock of the device has not been set.'),
  5: error('os-clock-failed', 'The clock of the device did not take the command.'),
};

const IMAGE_ERRORS: Record<number, PeerError> = {
  1: error('image-unknown', 'The device failed and does not say why.'),
  2: error('image-flash-query', 'The device could not read its own flash layout.'),
  3: error('image-none', 'There is no image in that slot.'),
  4: error('image-no-tlvs', 'The image in the slot has no trailing TLVs, so no hash.'),
  5: error('image-invalid-tlv', 'The image in the slot has a broken TLV.'),
  6: error('image-several-hashes', 'The image in the slot has more than one hash.'),
  7: error('image-tlv-size', 'A TLV of the image in the slot has the wrong size.'),
  8: error('image-hash-not-found', 'No slot of the device holds an image with this hash.'),
  9: error(
    'image-no-free-slot',
    'No slot is free: the running image is not confirmed yet, or the slot is in use.',
  ),
  10: error('image-flash-open', 'The device could not open its flash.'),
  11: error('image-flash-read', 'The device could not read its flash.'),
  12: error('image-flash-write', 'The device could not write its flash.'),
  13: error('image-flash-erase', 'The device could not erase its flash.'),
  14: error('image-invalid-slot', 'The device has no such slot.'),
  15: error('image-no-memory', 'The device has no memory left to take an image.'),
  16: error('image-flash-context-set', 'An upload is already open on the device.'),
  17: error('image-flash-context-not-set', 'No upload is open on the device.'),
  18: error('image-flash-area', 'The device has no flash behind that slot.'),
  19: error('image-page-offset', 'The device could not find the flash page of an offset.'),
  20: error('image-offset-missing', 'The upload request carried no offset.'),
  21: error('image-length-missing', 'The first upload request carried no length.'),
  22: error('image-header-short', 'The first chunk is shorter than the header of an image.'),
  23: error('image-magic', 'The file does not begin as an MCUboot image does.'),
  24: error('image-hash-invalid', 'The hash is missing or has the wrong length.'),
  25: error('image-flash-address', 'The image was linked for another flash address.'),
  26: error('image-version-unreadable', 'The device could not read its own version.'),
  27: error('image-not-newer', 'The version of the image is not above the running one.'),
  28: error('image-already-pending', 'Another image is already waiting for the next reset.'),
  29: error('image-vector-table', 'The vector table of the image is not valid.'),
  30: error('image-too-large', 'The image does not fit into the slot.'),
  31: error('image-data-overrun', 'More data came than the announced length.'),
  32: error('image-confirm-denied', 'The device does not allow this image to be confirmed.'),
  33: error('image-is-running', 'The device already runs this image: it cannot be tested.'),
  34: error('image-active-slot-unknown', 'The device does not know which slot it runs from.'),
};

const GROUP_ERRORS: Record<number, Record<number, PeerError>> = { 0: OS_ERRORS, 1: IMAGE_ERRORS };

/** What goes wrong without an error answer of the device. */
export const CLIENT_FAILURES = {
  'no-answer':
    'The device did not answer. It may be switched off, run other firmware, use other line ' +
    'settings, or take shorter lines than 127 bytes.',
  'malformed-answer': 'The device answered something that does not fit the request.',
  'request-too-large': 'The request does not fit into the largest message the device takes.',
  'link-down': 'The serial link was lost before the answer came.',
  cancelled: 'The request was cancelled.',
  'upload-no-progress': 'The device keeps answering, but its offset does not move.',
  'upload-offset-invalid': 'The device asks for data that the image does not have.',
  'upload-restarts': 'The device lost the upload, by restarting or erasing, too many times.',
  'upload-cost': 'The upload took more requests than a usable line can explain.',
  'upload-mismatch': 'What the device received does not have the hash that was announced.',
} as const;

export type ClientFailureCode = keyof typeof CLIENT_FAILURES;

export interface SmpFailure {
  code: string;
  /** One sentence for a person. */
  message: string;
  /** What the device itself sent: its group (none at SMP level), code and, from old builds, reason. */
  device?: { group: number | undefined; rc: number; reason?: string };
}

export function clientFailure(code: ClientFailureCode, particular = ''): SmpFailure {
  const sentence = CLIENT_FAILURES[code];
  return { code, message: particular === '' ? sentence : `${sentence} ${particular}` };
}

/** `group` is undefined for an error of the SMP level. */
export function deviceFailure(group: number | undefined, rc: number, reason?: string): SmpFailure {
  const known = group === undefined ? SMP_ERRORS[rc] : GROUP_ERRORS[group]?.[rc];
  const { code, sentence } = known ?? unlisted(group, rc);
  const device = reason === undefined ? { group, rc } : { group, rc, reason };
  return { code, message: reason ? `${sentence} It says: ${reason}` : sentence, device };
}

/** Every code a device's error can become, for tests and documents. */
export function listedPeerErrors(): PeerError[] {
  return [SMP_ERRORS, OS_ERRORS, IMAGE_ERRORS].flatMap((table) => Object.values(table));
}

function unlisted(group: number | undefined, rc: number): PeerError {
  if (group !== undefined) {
    return error('group-error', `The device refused with code ${rc} of command group ${group}.`);
  }
  // 256 and up belong to the firmware's maker.
  return rc >= 256
    ? error('smp-user', `The device refused with code ${rc}, which its maker has defined.`)
    : error('smp-unlisted', `The device refused with code ${rc}, which no table lists.`);
}

function error(code: string, sentence: string): PeerError {
  return { code, sentence };
}
