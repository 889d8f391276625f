/** What a plan is made of: steps as data, each with the least and the most time that it takes. */
import type { Activation } from '../protocol/zcl-ota/session.ts';

export interface PlanStep {
  step:
    | 'admit'
    | 'wait'
    | 'offer'
    | 'enter'
    | 'erase'
    | 'distribute'
    | 'verify'
    | 'hold'
    | 'activate'
    | 'restart'
    | 'confirm';
  text: string;
  leastMs: number;
  mostMs: number;
  /** From here on there is no way back to what the device ran. */
  irreversible?: true;
}

export interface UpgradePlan {
  link: 'radio' | 'serial-line';
  steps: PlanStep[];
  blocks: number;
  leastMs: number;
  mostMs: number;
}

/** As the model file of a device has it. */
export interface FlashGeometry {
  slotBytes: number;
  eraseBlockBytes: number;
  eraseBlockMs: number;
  programPageBytes: number;
  programPageMs: number;
}

export function planOf(link: UpgradePlan['link'], blocks: number, steps: PlanStep[]): UpgradePlan {
  return {
    link,
    steps,
    blocks,
    leastMs: steps.reduce((sum, step) => sum + step.leastMs, 0),
    mostMs: steps.reduce((sum, step) => sum + step.mostMs, 0),
  };
}

export function eraseMs(bytes: number, flash: FlashGeometry): number {
  return Math.ceil(bytes / flash.eraseBlockBytes) * flash.eraseBlockMs;
}

export function programMs(bytes: number, flash: FlashGeometry): number {
  return Math.ceil(bytes / flash.programPageBytes) * flash.programPageMs;
}

export function whenText(activation: Exclude<Activation, { when: 'held' }>): string {
  return activation.when === 'now' ? 'at once' : `at ${new Date(activation.atMs).toISOString()}`;
}

export const HOLD: PlanStep = {
  step: 'hold',
  text: 'the image stays on the device until it is activated by a command of its own',
  leastMs: 0,
  mostMs: 0,
};
