/** A reader of bytes from outside, as the fuzzer sees one. */
import type fc from 'fast-check';

export interface Target {
  name: string;
  /** Undamaged inputs, from which damage begins; one of them at least is accepted. */
  good: readonly Uint8Array[];
  /** Of a reader of text: pieces that mean something to it, to be put in where damage goes. */
  words?: readonly string[];
  /** Inputs made by rule, besides the damaged ones. */
  arbitrary?: fc.Arbitrary<Uint8Array>;
  /** In place of `INPUT_MS_MAX`, ms. */
  inputMsMax?: number;
  /** Throws where the reader did, or where it said something that it must not. */
  read(bytes: Uint8Array): Answer;
}

export interface Answer {
  accepted: boolean;
  codes: readonly string[];
}

export interface Family {
  name: string;
  targets: readonly Target[];
}

export const ACCEPTED: Answer = { accepted: true, codes: [] };

/** A refusal, under a code of this table. */
export function refusedBy(table: object, code: string): Answer {
  return { accepted: false, codes: [known(table, code)] };
}

/** Throws for a code that the table does not have. */
export function known(table: object, code: string): string {
  if (!Object.hasOwn(table, code)) throw new Error(`${code} is no code of the table`);
  return code;
}

/** For what holds of whatever is accepted. */
export function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

export function expectOk<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
  if (!result.ok) throw new Error('the undamaged one is read');
  return result as Extract<T, { ok: true }>;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** As a careless program would read it: what is no UTF-8 becomes the replacement character. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
