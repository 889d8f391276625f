/**
 * So many at once, so many that wait in the order they came, and the rest are told to come again. What
 * is asked of a database beyond that is not done sooner for being begun.
 */
import { FleetError } from './fleet-problems.ts';

export interface TurnLimits {
  atOnce: number;
  waitingMax: number;
  /** Of one holder, under way and waiting. */
  perHolderMax: number;
}

/** After so long it is worth asking again; who asks adds jitter. */
const RETRY_AFTER_S = 5;

export class Turns {
  private readonly limits: TurnLimits;
  private readonly waiting: (() => void)[] = [];
  private readonly holders = new Map<string, number>();
  private underWay = 0;

  constructor(limits: TurnLimits) {
    this.limits = limits;
  }

  /** @returns what gives the turn back, once. @throws FleetError `busy` */
  async take(holder: string): Promise<() => void> {
    const { atOnce, waitingMax, perHolderMax } = this.limits;
    const held = this.holders.get(holder) ?? 0;
    const mustWait = this.underWay >= atOnce;
    if (held >= perHolderMax || (mustWait && this.waiting.length >= waitingMax)) {
      throw new FleetError('busy', { headers: { 'retry-after': `${RETRY_AFTER_S}` } });
    }
    this.holders.set(holder, held + 1);
    if (mustWait) await new Promise<void>((done) => this.waiting.push(done));
    else this.underWay++;
    let isHeld = true;
    return () => {
      if (isHeld) this.giveBack(holder);
      isHeld = false;
    };
  }

  /** Whoever waited longest has it now. */
  private giveBack(holder: string): void {
    const left = (this.holders.get(holder) ?? 1) - 1;
    if (left > 0) this.holders.set(holder, left);
    else this.holders.delete(holder);
    const next = this.waiting.shift();
    if (next) next();
    else this.underWay--;
  }
}
