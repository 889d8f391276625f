/**
 * The steps of one device's upgrade as data, with the time they will take as a range. Pure: nothing is
 * asked of the device, nothing is sent.
 */
import type { ImageTriple } from '../protocol/zcl-ota/codec.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';

/**
 * Blocks a second over one radio hop or several. Field experience, in no specification: the range is wide,
 * and a running upgrade shows its own.
 */
const BLOCKS_PER_SECOND = { least: 10, most: 60 } as const;

export interface PlanRequest extends ImageTriple {
  imageBytes: number;
  blockBytes: number;
  activation: Activation;
  flash: {
    slotBytes: number;
    eraseBlockBytes: number;
    eraseBlockMs: number;
    programPageBytes: number;
    programPageMs: number;
  };
  rebootMs: number;
}

export interface PlanStep {
  step: 'admit' | 'offer' | 'distribute' | 'verify' | 'hold' | 'activate' | 'confirm';
  text: string;
  leastMs: number;
  mostMs: number;
}

export interface UpgradePlan {
  steps: PlanStep[];
  blocks: number;
  leastMs: number;
  mostMs: number;
}

export function planUpgrade(request: PlanRequest): UpgradePlan {
  const { imageBytes, blockBytes, flash, activation, rebootMs } = request;
  const blocks = Math.ceil(imageBytes / blockBytes);
  const flashMs =
    Math.ceil(imageBytes / flash.eraseBlockBytes) * flash.eraseBlockMs +
    Math.ceil(imageBytes / flash.programPageBytes) * flash.programPageMs;
  const radio = {
    leastMs: (blocks / BLOCKS_PER_SECOND.most) * 1000,
    mostMs: (blocks / BLOCKS_PER_SECOND.least) * 1000 + flashMs,
  };
  const steps: PlanStep[] = [
    {
      step: 'admit',
      text: 'decide again on what the device itself says, before a byte is sent',
      leastMs: 0,
      mostMs: 6_000,
    },
    { step: 'offer', text: 'notify the device; it asks for the image', leastMs: 0, mostMs: 60_000 },
    {
      step: 'distribute',
      text: `${blocks} blocks of up to ${blockBytes} bytes, ${imageBytes} in all`,
      ...radio,
    },
    { step: 'verify', text: 'the device checks the image and says so', leastMs: 0, mostMs: 10_000 },
    ...activationSteps(activation, rebootMs),
  ];
  return {
    steps,
    blocks,
    leastMs: steps.reduce((sum, step) => sum + step.leastMs, 0),
    mostMs: steps.reduce((sum, step) => sum + step.mostMs, 0),
  };
}

function activationSteps(activation: Activation, rebootMs: number): PlanStep[] {
  if (activation.when === 'held') {
    const text = 'the image stays on the device until it is activated by a command of its own';
    return [{ step: 'hold', text, leastMs: 0, mostMs: 0 }];
  }
  const when =
    activation.when === 'now' ? 'at once' : `at ${new Date(activation.atMs).toISOString()}`;
  return [
    {
      step: 'activate',
      text: `command the activation ${when}`,
      leastMs: rebootMs,
      mostMs: rebootMs + 60_000,
    },
    { step: 'confirm', text: 'read the version back from the device', leastMs: 0, mostMs: 60_000 },
  ];
}
