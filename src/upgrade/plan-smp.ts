/**
 * The plan of a hub's upgrade over SMP: the image goes into the second slot while the hub runs on, is
 * tried once, and is confirmed.
 */
import { assert } from '../errors.ts';
import {
  MESSAGE_BYTES_MAX,
  PACKET_OVERHEAD_BYTES,
  RAW_BYTES_PER_LINE,
  wireBytesOf,
} from '../protocol/smp/packet-encoder.ts';
import { chunkBytesMax } from '../protocol/smp/upload-request.ts';
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
import { lineMs, type SerialTiming, TURN_ROUND_MS_MAX } from './serial-timing.ts';

/** An answer to a chunk: header and a map with the next offset. */
const ANSWER_MESSAGE_BYTES = 20;
/** A hub answers a reset command before it carries it out. */
const RESET_MS = 250;

export interface SmpPlanRequest {
  kind: 'smp';
  imageBytes: number;
  version: string | undefined;
  activation: Activation;
  serial: SerialTiming;
  smp: {
    assumedBufferBytes: number;
    chunkAlignmentBytes: number;
    confirm: 'after-test' | 'permanent';
    recovery: 'none' | 'reset-command' | 'line-steps';
  };
  flash: FlashGeometry;
}

export function planSmpUpgrade(request: SmpPlanRequest): UpgradePlan {
  const { imageBytes, activation, serial, smp, flash } = request;
  const messageBytes = Math.min(smp.assumedBufferBytes - PACKET_OVERHEAD_BYTES, MESSAGE_BYTES_MAX);
  const chunkBytes = chunkBytesMax(messageBytes, imageBytes, smp.chunkAlignmentBytes);
  assert(chunkBytes > 0, 'the buffer holds a chunk, as the model file is held to');
  const chunks = Math.ceil(imageBytes / chunkBytes);
  return planOf('serial-line', chunks, [
    {
      step: 'admit',
      text: 'ask the hub what it runs and decide again, before a byte is sent',
      leastMs: 0,
      mostMs: 2 * serial.answerTimeoutMs,
    },
    ...recoverySteps(request),
    {
      step: 'erase',
      text: `the second slot, ${flash.slotBytes} bytes, with the first request or as the upload goes on`,
      leastMs: 0,
      mostMs: eraseMs(flash.slotBytes, flash),
    },
    {
      step: 'distribute',
      text:
        `${chunks} chunks of up to ${chunkBytes} bytes, ${imageBytes} in all; fewer where the hub ` +
        'says that it takes larger ones',
      ...uploadRange(request, messageBytes, chunks),
    },
    {
      step: 'verify',
      text: 'the hub lists the image, by the hash that the image states',
      leastMs: 0,
      mostMs: serial.answerTimeoutMs,
    },
    ...(activation.when === 'held' ? [HOLD] : activationSteps(request, activation)),
  ]);
}

/** At the least what the line alone takes in full lines; at the most one chunk after the other's answer. */
function uploadRange(
  { imageBytes, serial, flash }: SmpPlanRequest,
  messageBytes: number,
  chunks: number,
): Pick<PlanStep, 'leastMs' | 'mostMs'> {
  const lines = imageBytes / RAW_BYTES_PER_LINE;
  const fullLineBytes = wireBytesOf(RAW_BYTES_PER_LINE - PACKET_OVERHEAD_BYTES);
  const turnBytes = wireBytesOf(messageBytes) + wireBytesOf(ANSWER_MESSAGE_BYTES);
  return {
    leastMs: lineMs(lines * fullLineBytes, serial),
    mostMs: chunks * (lineMs(turnBytes, serial) + TURN_ROUND_MS_MAX) + programMs(imageBytes, flash),
  };
}

function recoverySteps({ serial, smp }: SmpPlanRequest): PlanStep[] {
  if (smp.recovery === 'none') return [];
  const how = smp.recovery === 'line-steps' ? 'line signals' : 'a reset command that asks for it';
  return [
    {
      step: 'enter',
      text: `where it does not answer as it is: into the serial recovery, by ${how}`,
      leastMs: 0,
      mostMs: serial.enterMs + serial.bootMs,
    },
  ];
}

function activationSteps(
  { imageBytes, version, serial, smp, flash }: SmpPlanRequest,
  activation: Exclude<Activation, { when: 'held' }>,
): PlanStep[] {
  const isTest = smp.confirm === 'after-test';
  const when = whenText(activation);
  // Both slots are erased and written, as far as the image reaches.
  const swapMs = 2 * (eraseMs(imageBytes, flash) + programMs(imageBytes, flash));
  return [
    {
      step: 'activate',
      text: isTest
        ? `mark the image for one trial run, ${when}`
        : `mark the image for good, ${when}`,
      leastMs: 0,
      mostMs: serial.answerTimeoutMs,
      ...(isTest ? {} : { irreversible: true }),
    },
    {
      step: 'restart',
      text: 'reset; the bootloader swaps the images, and the hub answers again',
      leastMs: RESET_MS + Math.min(swapMs, serial.bootMs),
      mostMs: RESET_MS + Math.max(swapMs, serial.bootMs),
    },
    {
      step: 'confirm',
      text: isTest
        ? `${readBack(version)}, then confirm it; without that the hub goes back by itself`
        : readBack(version),
      leastMs: 0,
      mostMs: (isTest ? 2 : 1) * serial.answerTimeoutMs,
    },
  ];
}

function readBack(version: string | undefined): string {
  return version === undefined ? 'read back what runs' : `read back that ${version} runs`;
}
