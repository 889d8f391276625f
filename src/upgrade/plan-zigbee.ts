/** The plan of an upgrade over ZigBee: the device fetches the image block by block. */
import type { ImageTriple } from '../protocol/zcl-ota/codec.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import {
  eraseMs,
  type FlashGeometry,
  HOLD,
  type PlanStep,
  planOf,
  programMs,
  type UpgradePlan,
  whenText,
} from './plan-steps.ts';

/**
 * Blocks a second over one radio hop or several. Field experience, in no specification: the range is wide,
 * and a running upgrade shows its own.
 */
const BLOCKS_PER_SECOND = { least: 10, most: 60 } as const;

export interface ZigbeePlanRequest extends ImageTriple {
  kind: 'zigbee';
  imageBytes: number;
  blockBytes: number;
  activation: Activation;
  flash: FlashGeometry;
  rebootMs: number;
}

export function planZigbeeUpgrade(request: ZigbeePlanRequest): UpgradePlan {
  const { imageBytes, blockBytes, flash, activation, rebootMs } = request;
  const blocks = Math.ceil(imageBytes / blockBytes);
  const flashMs = eraseMs(imageBytes, flash) + programMs(imageBytes, flash);
  return planOf('radio', blocks, [
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
      leastMs: (blocks / BLOCKS_PER_SECOND.most) * 1000,
      mostMs: (blocks / BLOCKS_PER_SECOND.least) * 1000 + flashMs,
    },
    { step: 'verify', text: 'the device checks the image and says so', leastMs: 0, mostMs: 10_000 },
    ...activationSteps(activation, rebootMs),
  ]);
}

function activationSteps(activation: Activation, rebootMs: number): PlanStep[] {
  if (activation.when === 'held') return [HOLD];
  return [
    {
      step: 'activate',
      text: `command the activation ${whenText(activation)}`,
      leastMs: rebootMs,
      mostMs: rebootMs + 60_000,
    },
    { step: 'confirm', text: 'read the version back from the device', leastMs: 0, mostMs: 60_000 },
  ];
}
