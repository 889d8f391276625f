/** What a coordinator says no with. */
import { EXIT, UpliftError } from '../../errors.ts';
import { FLEET_CODES, type FleetCode } from '../codes.ts';

export function refusedFleet(code: FleetCode, actual = '', cause?: unknown): UpliftError {
  const detail = actual === '' ? {} : { actual };
  return new UpliftError(code, FLEET_CODES[code], { ...detail, cause, exit: EXIT.refused });
}

/** With a code of another table, and its sentence. */
export function refusedBy(refusal: { code: string; message: string }): UpliftError {
  return new UpliftError(refusal.code, refusal.message, { exit: EXIT.refused });
}
