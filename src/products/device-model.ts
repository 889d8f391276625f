/**
 * The Device Model: what the Central Products List identifies a device by. Firmware is part of it.
 *
 * All five are text, as the list or the device writes them. Digits may be hexadecimal or
 * binary-coded decimal and nobody says which, so they are compared as text after trimming and case
 * folding and never converted; the list is known to hold one version coded both ways (SEC news, CPL
 * quality data, 16 April 2019), and `sameUnderOtherCoding` notices it as a hint for a person.
 */

/** Characters of a firmware version in a Service Request (DUIS schema 5.x). */
export const FIRMWARE_VERSION_CHARACTERS_MAX = 8;
/** Characters of manufacturer and of model (DUIS schema 5.x). */
export const MODEL_CHARACTERS_MAX = 30;

/** The Device Model without its firmware. */
export interface DeviceHardware {
  manufacturer: string;
  model: string;
  hardwareVersion: string;
  hardwareRevision: string;
}

export interface DeviceModel extends DeviceHardware {
  /** 1 to 8 characters, as written. */
  firmwareVersion: string;
}

export function isFirmwareVersion(text: string): boolean {
  const length = text.trim().length;
  return length >= 1 && length <= FIRMWARE_VERSION_CHARACTERS_MAX;
}

/** Equal as text, blanks around it and case aside. */
export function sameText(a: string, b: string): boolean {
  return foldText(a) === foldText(b);
}

/**
 * What `sameText` compares: a key for maps. Only the letters a to z are folded: Unicode's upper case
 * of the ligature U+FB00 is FF, two digits that nobody wrote.
 */
export function foldText(text: string): string {
  const trimmed = text.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII.
  if (/^[\x00-\x7f]*$/.test(trimmed)) return trimmed.toUpperCase();
  return trimmed.replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** Whether the fields that both sides name agree; a side that does not name one leaves it open. */
export function sameHardware(a: Partial<DeviceHardware>, b: Partial<DeviceHardware>): boolean {
  const fields = ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'] as const;
  return fields.every((field) => {
    const left = a[field];
    const right = b[field];
    return left === undefined || right === undefined || sameText(left, right);
  });
}

/** One text a Device Model without firmware: equal where and only where the four fields are. */
export function hardwareKey(hardware: DeviceHardware): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision } = hardware;
  return keyOf([manufacturer, model, hardwareVersion, hardwareRevision]);
}

/** One text a Device Model: equal where and only where all five fields are. */
export function deviceModelKey(deviceModel: DeviceModel): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion } = deviceModel;
  return keyOf([manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion]);
}

/** MANUFACTURER:MODEL:HARDWARE-VERSION:HARDWARE-REVISION:FIRMWARE-VERSION, as people write it. */
export function showDeviceModel(deviceModel: DeviceModel): string {
  const { manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion } = deviceModel;
  return [manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion].join(':');
}

/** The opposite of `showDeviceModel`; `undefined` where the text is not five fields of fitting length. */
export function parseDeviceModel(text: string): DeviceModel | undefined {
  const fields = text.split(':').map((field) => field.trim());
  const [manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion] = fields;
  if (fields.length !== 5 || !manufacturer || !model || !hardwareVersion) return undefined;
  if (!hardwareRevision || !firmwareVersion || !isFirmwareVersion(firmwareVersion)) {
    return undefined;
  }
  if (Math.max(manufacturer.length, model.length) > MODEL_CHARACTERS_MAX) return undefined;
  return { manufacturer, model, hardwareVersion, hardwareRevision, firmwareVersion };
}

/**
 * Whether two different texts are one number, coded once as binary-coded decimal and once as
 * hexadecimal: `10` and `0A`, octet by octet, or `00000016` and `00000010` as a whole. Only a hint.
 */
export function sameUnderOtherCoding(a: string, b: string): boolean {
  const left = foldText(a);
  const right = foldText(b);
  if (left === right) return false;
  return isCodedAs(left, right) || isCodedAs(right, left);
}

/**
 * Which of two firmware versions is the newer, where their texts say so under either coding: digits
 * of one length sort alike as binary-coded decimal and as hexadecimal. `undefined` elsewhere.
 */
export function compareVersions(a: string, b: string): number | undefined {
  const left = foldText(a);
  const right = foldText(b);
  if (left === right) return 0;
  const comparable = left.length === right.length && /^[0-9A-F]+$/.test(left + right);
  if (!comparable) return undefined;
  return left < right ? -1 : 1;
}

/** Whether `decimal`, read as decimal digits, is `hexadecimal`, read as hexadecimal ones. */
function isCodedAs(decimal: string, hexadecimal: string): boolean {
  if (!/^[0-9]+$/.test(decimal) || !/^[0-9A-F]+$/.test(hexadecimal)) return false;
  if (Number.parseInt(decimal, 10) === Number.parseInt(hexadecimal, 16)) return true;
  if (decimal.length !== hexadecimal.length || decimal.length % 2 !== 0) return false;
  for (let i = 0; i < decimal.length; i += 2) {
    const octet = Number.parseInt(decimal.slice(i, i + 2), 10);
    if (octet !== Number.parseInt(hexadecimal.slice(i, i + 2), 16)) return false;
  }
  return true;
}

/** Parts joined so that no other parts give the same text: a length goes before each. */
function keyOf(parts: string[]): string {
  let key = '';
  for (const part of parts) {
    const folded = foldText(part);
    key += `${folded.length}:${folded}`;
  }
  return key;
}
