/**
 * The plan of a hub's upgrade through a Silicon Labs bootloader, Gecko or Ember: the bootloader writes
 * over the application while it receives. There is no second slot, so nothing can be held, and an
 * upload that ends half-way leaves a hub with nothing but its bootloader.
 */
import { CRC_BYTES, HEAD_BYTES, SMALL_BYTES } from '../protocol/xmodem/block.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import {
  eraseMs,
  type FlashGeometry,
  type PlanStep,
  planOf,
  programMs,
  type UpgradePlan,
} from './plan-steps.ts';
import { lineMs, type SerialTiming, TURN_ROUND_MS_MAX } from './serial-timing.ts';

/** A block, and the one byte that answers it. */
const BLOCK_WIRE_BYTES = HEAD_BYTES + SMALL_BYTES + CRC_BYTES + 1;

export interface BootloaderPlanRequest {
  kind: 'bootloader';
  imageBytes: number;
  /** The upload is the activation, so there is no `held`. */
  activation: Exclude<Activation, { when: 'held' }>;
  serial: SerialTiming;
  flash: FlashGeometry;
  /** How long its application may take to say its version; undefined where there is no way to ask. */
  versionWithinMs?: number | undefined;
}

export function planBootloaderUpgrade(request: BootloaderPlanRequest): UpgradePlan {
  const { imageBytes, activation, serial, flash, versionWithinMs } = request;
  const isAsked = versionWithinMs !== undefined;
  const blocks = Math.ceil(imageBytes / SMALL_BYTES);
  const wireMs = blocks * lineMs(BLOCK_WIRE_BYTES, serial);
  return planOf('serial-line', blocks, [
    {
      step: 'admit',
      text: isAsked
        ? 'ask the application, where it runs, which version it is, and decide again before it is left'
        : 'decide again before a byte is sent; what the hub runs it does not tell',
      leastMs: 0,
      mostMs: versionWithinMs ?? 0,
    },
    ...waitStep(activation),
    {
      step: 'enter',
      text: 'bring the hub into its bootloader, which stops the application',
      leastMs: serial.enterMs,
      mostMs: serial.enterMs + serial.bootMs,
    },
    {
      step: 'erase',
      text:
        'the upload erases the application that the hub runs: until it is through, and should it ' +
        'fail, the hub has nothing but its bootloader and is to be upgraded again',
      leastMs: 0,
      mostMs: eraseMs(imageBytes, flash),
      irreversible: true,
    },
    {
      step: 'distribute',
      text: `${blocks} blocks of ${SMALL_BYTES} bytes, ${imageBytes} in all, from the start each time`,
      leastMs: wireMs,
      mostMs: wireMs + blocks * TURN_ROUND_MS_MAX + programMs(imageBytes, flash),
    },
    {
      step: 'verify',
      text: 'the bootloader checks CRC and signature as it receives, and says at the end what it found',
      leastMs: 0,
      mostMs: serial.answerTimeoutMs,
    },
    {
      step: 'restart',
      text: 'run the new application',
      leastMs: 0,
      mostMs: serial.bootMs,
    },
    {
      step: 'confirm',
      text: isAsked
        ? 'the hub leaves its bootloader, and its application says which version runs'
        : 'the hub leaves its bootloader; which version runs cannot be read over this line',
      leastMs: 0,
      mostMs: serial.answerTimeoutMs + (versionWithinMs ?? 0),
    },
  ]);
}

function waitStep(activation: BootloaderPlanRequest['activation']): PlanStep[] {
  if (activation.when === 'now') return [];
  const at = new Date(activation.atMs).toISOString();
  const text = `nothing is sent before ${at}: the upload is the activation`;
  return [{ step: 'wait', text, leastMs: 0, mostMs: 0 }];
}
