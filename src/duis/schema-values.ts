/**
 * Values of the DUIS schemas (5.0a to 5.4), out of their text. Types that are made from xs:token, and
 * those of XML Schema other than xs:string, have white space around them taken away; what is made from
 * xs:string is taken as written.
 */
import type { RequestId } from './service-request.ts';

/** Of requests and of responses, in every version. */
export const SERVICE_NAMESPACE = 'http://www.dccinterface.co.uk/ServiceUserGateway';

/** In one list. */
const DEVICES_MAX = 50_000;
const EUI_CHARACTERS = 23;
/** With the comma after it. */
const DEVICE_CHARACTERS = EUI_CHARACTERS + 1;
export const DEVICE_LIST_CHARACTERS_MAX = DEVICES_MAX * DEVICE_CHARACTERS - 1;

const COUNTER_MAX = 2n ** 64n - 1n;

/** Without white space around it: that of XML alone, which is less than JavaScript's. */
export function collapse(text: string): string {
  let from = 0;
  let until = text.length;
  while (from < until && isBlank(text.charCodeAt(from))) from += 1;
  while (until > from && isBlank(text.charCodeAt(until - 1))) until -= 1;
  return text.slice(from, until);
}

/** 16 lower-case digits out of eight pairs by hyphens; of a text without blanks. */
export function readEui(text: string): string | undefined {
  return text.length === EUI_CHARACTERS ? euiAt(text, 0) : undefined;
}

export function readRequestId(text: string): RequestId | undefined {
  const parts = collapse(text).split(':');
  const [originator, target] = parts.slice(0, 2).map(readEui);
  const counter = parts[2] ?? '';
  if (parts.length !== 3 || !originator || !target) return undefined;
  if (!/^(0|[1-9][0-9]{0,19})$/.test(counter) || BigInt(counter) > COUNTER_MAX) return undefined;
  return { originator, target, counter: BigInt(counter) };
}

export function readBoolean(text: string): boolean | undefined {
  const word = collapse(text);
  if (word === 'true' || word === '1') return true;
  return word === 'false' || word === '0' ? false : undefined;
}

/** xs:positiveInteger from 1 to 9, which `08` and `+8` are too. */
export function readCommandVariant(text: string): number | undefined {
  const found = /^\+?0*([1-9])$/.exec(collapse(text));
  return found ? Number(found[1]) : undefined;
}

/** xs:decimal, as written. */
export function readSchemaVersion(text: string): string | undefined {
  const number = collapse(text);
  const isDecimal = number.length <= 16 && /^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)$/.test(number);
  return isDecimal ? number : undefined;
}

export function readServiceReference(text: string): string | undefined {
  const reference = collapse(text);
  return /^[0-9]{1,3}(\.[0-9]{1,3}){1,3}$/.test(reference) ? reference : undefined;
}

/** xs:hexBinary of 32 octets: lower-case digits. */
export function readHash(text: string): string | undefined {
  const digits = collapse(text);
  return /^[0-9a-f]{64}$/i.test(digits) ? digits.toLowerCase() : undefined;
}

/** xs:string: a blank is no part of a list. Its length the caller has bounded. */
export function readDeviceIds(text: string): string[] | undefined {
  if ((text.length + 1) % DEVICE_CHARACTERS !== 0) return undefined;
  const ids: string[] = [];
  for (let at = 0; at < text.length; at += DEVICE_CHARACTERS) {
    const end = at + EUI_CHARACTERS;
    const id = euiAt(text, at);
    if (id === undefined || (end < text.length && text[end] !== ',')) return undefined;
    ids.push(id);
  }
  return ids.length > 0 ? ids : undefined;
}

const euiDigits = new Array<number>(16).fill(0);

/** Of a list of 50,000, nothing is made but the ids. */
function euiAt(text: string, from: number): string | undefined {
  let digits = 0;
  for (let at = 0; at < EUI_CHARACTERS; at++) {
    const unit = text.charCodeAt(from + at);
    if (at % 3 === 2) {
      if (unit !== 0x2d) return undefined;
      continue;
    }
    // Letters in lower case; a digit already has this bit.
    const lower = unit | 0x20;
    const isDigit = (unit >= 0x30 && unit <= 0x39) || (lower >= 0x61 && lower <= 0x66);
    if (!isDigit || unit > 0x7f) return undefined;
    euiDigits[digits++] = lower;
  }
  return String.fromCharCode(...euiDigits);
}

const DATE_TIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(.*)$/;
/** A cycle of the calendar; Date.UTC takes years below 100 for those of the last century. */
const CYCLE_YEARS = 400;
const CYCLE_MS = 146_097 * 86_400_000;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const ZONE_MINUTES_MAX = 14 * 60;

export interface DateTime {
  /** A fraction of a millisecond is let go. */
  ms: number;
  /** As written, before its zone is counted in. */
  year: number;
}

/**
 * xs:dateTime of the years 1 to 9999. Without a zone it is nobody's time. Seconds end at 59, as in XML
 * Schema; 24:00:00 is the beginning of the next day.
 */
export function readDateTime(text: string): DateTime | 'date-time-invalid' | 'date-time-no-zone' {
  const found = DATE_TIME.exec(collapse(text));
  if (!found) return 'date-time-invalid';
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fraction = found[7] ?? '.0';
  const isDay = year > 0 && day >= 1 && day <= daysOf(year, month);
  const isMidnight = hour === 24 && minute === 0 && second === 0 && /^\.0+$/.test(fraction);
  const isTime = (hour < 24 && minute < 60 && second < 60) || isMidnight;
  if (!isDay || !isTime) return 'date-time-invalid';
  if (found[8] === '') return 'date-time-no-zone';
  const zoneMinutes = readZone(found[8]!);
  if (zoneMinutes === undefined) return 'date-time-invalid';
  const wholeMs = Date.UTC(year + CYCLE_YEARS, month - 1, day, hour, minute, second) - CYCLE_MS;
  const fractionMs = Number(fraction.slice(1, 4).padEnd(3, '0'));
  return { ms: wholeMs + fractionMs - zoneMinutes * 60_000, year };
}

/** None for a month that there is not. */
function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return (DAYS[month - 1] ?? 0) + (isLeap && month === 2 ? 1 : 0);
}

function readZone(text: string): number | undefined {
  if (text === 'Z') return 0;
  const found = /^([+-])([0-9]{2}):([0-5][0-9])$/.exec(text);
  if (!found) return undefined;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  if (minutes > ZONE_MINUTES_MAX) return undefined;
  return found[1] === '-' ? -minutes : minutes;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}
