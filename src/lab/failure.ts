/** Why a run failed: one class, one code, and where. */
import { UpliftError } from '../errors.ts';
import { classOfCode, LAB_CODES, type LabClass, type LabCodeName } from './failure-classes.ts';

export interface Failure {
  class: LabClass;
  code: string;
  message: string;
  /** The step it was seen in, as `steps[2]`; of a clean-up `cleanUp[0]`. */
  step: string;
  expected?: string | undefined;
  actual?: string | undefined;
  next?: string | undefined;
}

export interface LabErrorDetail {
  expected?: string | undefined;
  actual?: string | undefined;
  next?: string | undefined;
  /** Where a step says so itself; else the class of the code. */
  class?: LabClass;
}

/** Ends a run. Thrown where the failure is seen, with its class. */
export class LabError extends Error {
  readonly code: string;
  readonly class: LabClass;
  readonly detail: LabErrorDetail;

  /** `code`: of any table that a run can end with. */
  constructor(code: string, detail: LabErrorDetail & { message: string }) {
    super(detail.message);
    this.name = 'LabError';
    this.code = code;
    this.class = detail.class ?? classOfCode(code);
    this.detail = detail;
  }
}

/** What the lab sees itself. */
export function labError(code: LabCodeName, detail: LabErrorDetail = {}): LabError {
  return new LabError(code, { message: LAB_CODES[code].sentence, ...detail });
}

/** Undefined where it is no failure of a run but a bug. */
export function failureOf(error: unknown, step: string): Failure | undefined {
  if (error instanceof LabError) {
    const { code, message, detail } = error;
    const { expected, actual, next } = detail;
    return { class: error.class, code, message, step, expected, actual, next };
  }
  if (error instanceof UpliftError) {
    const { code, message, expected, actual, next } = error;
    return { class: classOfCode(code), code, message, step, expected, actual, next };
  }
  return undefined;
}
