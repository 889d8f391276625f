/**
 * What every driver is: something that is on or off. A supply is one, with a self-test; a button is one that
 * is on for a moment.
 */
import type { Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';
import type { Button, Power } from '../ports.ts';
import { powerFailure } from './codes.ts';

export type SwitchState = 'on' | 'off' | 'unknown';

export interface Switch {
  readonly kind: string;
  /** As messages name it. */
  readonly name: string;
  /** @throws UpliftError */
  set(isOn: boolean): Promise<void>;
  /** `unknown` where it cannot be asked. @throws UpliftError where it can, and does not answer */
  read(): Promise<SwitchState>;
  close(): Promise<void>;
}

export class SwitchedPower implements Power {
  readonly kind: string;
  private readonly switch: Switch;

  constructor(made: Switch) {
    this.kind = made.kind;
    this.switch = made;
  }

  on(): Promise<void> {
    return this.switch.set(true);
  }

  off(): Promise<void> {
    return this.switch.set(false);
  }

  state(): Promise<SwitchState> {
    return this.switch.read();
  }

  /**
   * Switches it off and on again, and reads each back where that is possible. Left on, as a supply is; where
   * something fails it is switched on all the same, as far as it can be.
   */
  async selfTest(): Promise<void> {
    try {
      await this.switchTo(false);
    } finally {
      await this.switchTo(true);
    }
  }

  close(): Promise<void> {
    return this.switch.close();
  }

  private async switchTo(isOn: boolean): Promise<void> {
    await this.switch.set(isOn);
    const state = await this.switch.read();
    if (state === 'unknown' || (state === 'on') === isOn) return;
    const actual = `switched ${isOn ? 'on' : 'off'}, reads ${state}`;
    throw powerFailure('power-not-switched', this.switch.name, actual);
  }
}

export class SwitchedButton implements Button {
  readonly kind: string;
  private readonly switch: Switch;
  private readonly timers: Timers;
  private pressing: Promise<void> = Promise.resolve();

  constructor(made: Switch, timers: Timers = SYSTEM_TIMERS) {
    this.kind = made.kind;
    this.switch = made;
    this.timers = timers;
  }

  /** One press after another; it is let go of whatever happens meanwhile. */
  press(ms: number): Promise<void> {
    const pressed = this.pressing.then(async () => {
      try {
        await this.switch.set(true);
        await new Promise<void>((done) => this.timers.after(ms, done));
      } finally {
        await this.switch.set(false);
      }
    });
    this.pressing = pressed.catch(() => {});
    return pressed;
  }

  async close(): Promise<void> {
    await this.pressing;
    await this.switch.close();
  }
}
