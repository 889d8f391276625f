/**
 * Why an image is not taken, and what is odd about one that is.
 *
 * A refusal ends the parse. A remark never does: real files carry trailing bytes, unknown tags and
 * walks that break, and what to make of those is policy, decided elsewhere. Codes are never reused.
 *
 * The formats of Communications Hubs are refused for more: their bootloaders refuse it too, and
 * later, when the image that was there is gone.
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

  // Any file, looked at by its first bytes.
  'other-format': 'The file is of another format than the one that is wanted.',
  'not-an-upgrade-image': 'The file is not an upgrade image, though one may have come with it.',
  'format-unknown': 'The file begins like no image format that is known.',

  // MCUboot.
  'mcuboot-truncated': 'The file ends inside the MCUboot header.',
  'mcuboot-header-size': 'The header size is below 32 bytes or beyond the file.',
  'mcuboot-body-empty': 'The body size is zero.',
  'mcuboot-body-truncated': 'The file ends inside the body.',
  'mcuboot-encryption-contradiction':
    'The encryption flags and the TLVs with wrapped keys contradict each other.',
  'tlv-area-missing': 'No TLV area begins where the body ends.',
  'tlv-area-truncated': 'A TLV area is shorter than its head or longer than the file.',
  'tlv-protected-size': 'The header and the protected TLV area state different sizes.',
  'tlv-overrun': 'A TLV reaches beyond its area.',
  'tlv-length': 'A TLV has a length that its type cannot have.',
  'tlvs-too-many': 'More TLVs than any image needs.',
  'hash-missing': 'The image has no hash TLV; no bootloader takes it.',
  'hash-ambiguous': 'The image has more than one hash TLV.',

  // GBL and EBL.
  'tag-truncated': 'The file ends inside a tag.',
  'tag-unknown': 'A tag that no bootloader of this format knows.',
  'tag-order': 'A tag stands where the bootloader does not take it.',
  'tag-repeated': 'A tag that may occur once occurs again.',
  'tag-length': 'A tag has a length that its kind cannot have.',
  'tags-too-many': 'More tags than any image needs.',
  'end-missing': 'The file ends without an END tag.',
  'end-crc': 'The CRC in the END tag does not match the bytes before it.',
  'data-after-end': 'Something other than padding follows the END tag.',
  'payload-missing': 'The image holds nothing that a bootloader could write.',
  'gbl-version': 'The GBL version is not 3.0.',
  'gbl-type': 'The GBL type sets bits that are not known.',
  'gbl-type-contradiction': 'The GBL type and the tags contradict each other.',
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
  'mcuboot-flags-unknown': 'Flags are set that are not known.',
  'mcuboot-pad-used': 'The last four bytes of the header are not zero.',
  'tlv-unknown': 'A TLV type is not known.',
  'tlv-unprotected':
    'A TLV that speaks for the image stands where neither hash nor signature reach.',
  'tlv-misplaced': 'A TLV of hash, key or signature inside the protected area is not looked at.',
  'slot-trailer':
    'The file is a full slot, with the trailer that tells MCUboot what to do with it.',
  'length-unaligned': 'The length is not the multiple of 64 that the format pads to.',
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
