/**
 * Why an image is not taken, and what is odd about one that is.
 *
 * A refusal ends the parse. A remark never does: real files carry trailing bytes, unknown tags and
 * walks that break, and what to make of those is policy, decided elsewhere. Codes are never reused.
 */

export const IMAGE_REFUSALS = {
  'no-identifier': 'No OTA upgrade file identifier (1E F1 EE 0B) where an image could begin.',
  'archive-file': 'The file is an archive, not an image.',
  'container-mismatch': 'What the wrapper says about its image does not fit the file.',
  'header-truncated': 'The file ends inside the OTA header.',
  'header-version-unsupported': 'The header version names a layout that is not known.',
  'header-too-short': 'The header length is below the 56 bytes that every OTA header has.',
  'header-length-mismatch':
    'The header length has no room for the fields that field control names.',
  'header-beyond-file': 'The header length is larger than the file.',
  'header-beyond-image': 'The header length is larger than the total image size.',
  'image-truncated': 'The total image size is larger than what the file holds.',
  'several-images': 'The file holds several images and none was chosen.',
  'image-index-unknown': 'The file holds no image with the chosen number.',
  'manufacturer-image-missing': 'The image has no Manufacturer Image where its profile puts it.',
  'manufacturer-image-ambiguous': 'More than one sub-element could be the Manufacturer Image.',
  'trailer-truncated': 'The body is too short for a Manufacturer Image and its signature trailer.',
  'signature-length': 'The length octet before the signature is not 0x40.',
} as const;

export const IMAGE_REMARKS = {
  'header-version-unusual': 'The header version is not 0x0100.',
  'header-extra-bytes': 'The header is longer than its fields.',
  'field-control-reserved': 'Reserved bits of field control are set.',
  'header-string-unterminated': 'Text follows the NUL that ends the header string.',
  'hardware-range-inverted': 'The minimum hardware version is above the maximum.',
  'walk-broken': 'The body does not read as sub-elements up to its end; a GB image has none.',
  'elements-capped': 'More sub-elements than are read.',
  'nested-image': 'Another OTA image begins inside the body.',
  'telink-info-bytes':
    'Two bytes stand between length and data of tag 0xF000, as Telink writes it.',
  'element-repeated': 'A tag occurs more than once.',
  'element-reserved': 'A tag is reserved by the specification.',
  'element-length-unusual': 'A tag of fixed length has another length.',
  wrapped: 'The image is inside a wrapper.',
  'trailing-bytes': 'Bytes follow the last image; they are not served.',
  'several-images-found': 'The file holds several images.',
  'image-unreadable-after': 'An identifier follows the last image, but no image that can be read.',
} as const;

export type ImageRefusalCode = keyof typeof IMAGE_REFUSALS;
export type ImageRemarkCode = keyof typeof IMAGE_REMARKS;

export interface Refusal {
  ok: false;
  code: ImageRefusalCode;
  message: string;
  expected?: string;
  actual?: string;
  next?: string;
  /** In the file, bytes from its start. */
  offset?: number;
}

export interface Remark {
  code: ImageRemarkCode;
  message: string;
  /** In the file, bytes from its start. */
  offset?: number;
}

export function refusal(
  code: ImageRefusalCode,
  detail: Omit<Refusal, 'ok' | 'code' | 'message'> = {},
): Refusal {
  return { ok: false, code, message: IMAGE_REFUSALS[code], ...detail };
}

/** `particular` follows the general sentence: which tag, how many bytes. */
export function remark(code: ImageRemarkCode, particular = '', offset?: number): Remark {
  const message = particular === '' ? IMAGE_REMARKS[code] : `${IMAGE_REMARKS[code]} ${particular}`;
  return offset === undefined ? { code, message } : { code, message, offset };
}
