/** Whether the coordinator answers: every call to it is asked through here. */
import { EXIT, UpliftError } from '../../errors.ts';

const FIRST_MS = 1_000;
const MOST_MS = 60_000;

export class Contact {
  private readonly onChange: (isUp: boolean, detail: string) => void;
  private isUp = false;

  constructor(onChange: (isUp: boolean, detail: string) => void) {
    this.onChange = onChange;
  }

  get isThere(): boolean {
    return this.isUp;
  }

  /** Rejects with what `work` rejects with. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work();
      this.turn(true, 'the coordinator answers');
      return answer;
    } catch (error) {
      if (isAway(error)) this.turn(false, textOf(error));
      // What refuses answers.
      else if (error instanceof UpliftError) this.turn(true, 'the coordinator answers');
      throw error;
    }
  }

  private turn(isUp: boolean, detail: string): void {
    if (this.isUp === isUp) return;
    this.isUp = isUp;
    this.onChange(isUp, detail);
  }
}

export function isAway(error: unknown): error is UpliftError {
  return error instanceof UpliftError && error.exit === EXIT.notReachable;
}

/** After so many failures in a row. */
export function pauseMs(failures: number): number {
  return Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
}

function textOf({ message, actual }: UpliftError): string {
  return actual === undefined ? message : `${message} (${actual})`;
}
