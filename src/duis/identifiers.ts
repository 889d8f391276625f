/** EUI-64s, RequestIDs and firmware versions as the DCC User Interface writes them. */
import { assert } from '../errors.ts';
import type { RequestId } from './service-request.ts';

const EUI = /^[0-9a-f]{16}$/;

/** `02-55-50-4C-46-54-00-01`, of 16 lower-case digits. */
export function euiText(eui: string): string {
  assert(EUI.test(eui), `an EUI-64 is 16 lower-case digits, not ${eui}`);
  const digits = eui.toUpperCase();
  let text = digits.slice(0, 2);
  for (let at = 2; at < 16; at += 2) text += `-${digits.slice(at, at + 2)}`;
  return text;
}

/** Originator:target:counter. Equal ids have equal texts, so it serves as a key too. */
export function requestIdText({ originator, target, counter }: RequestId): string {
  return `${euiText(originator)}:${euiText(target)}:${counter}`;
}

/** Target:originator:counter, where the device itself answers (measured on published responses). */
export function responseIdOf({ originator, target, counter }: RequestId): RequestId {
  return { originator: target, target: originator, counter };
}

/** Whether it is a FirmwareVersion: 1 to 8 characters of any kind, blanks too. */
export function fitsFirmwareVersion(text: string): boolean {
  return text !== '' && text.length <= 16 && [...text].length <= 8;
}

/** A FirmwareVersion as it stands, which whoever hands it over has seen to fit. */
export function firmwareVersionText(text: string): string {
  assert(fitsFirmwareVersion(text), 'a firmware version has 1 to 8 characters');
  return text;
}

/** A DeviceIDList: at least one, commas between, nothing else. */
export function deviceListText(euis: readonly string[]): string {
  assert(euis.length > 0, 'a list of devices names one at least');
  return euis.map(euiText).join(',');
}

/** Of an id that `requestIdText` wrote. */
export function requestIdOf(text: string): RequestId {
  const [originator, target, counter] = text.split(':');
  assert(counter !== undefined, `${text} is a RequestID`);
  return { originator: digitsOf(originator!), target: digitsOf(target!), counter: BigInt(counter) };
}

function digitsOf(eui: string): string {
  return eui.replaceAll('-', '').toLowerCase();
}
