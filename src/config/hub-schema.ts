/**
 * What a Communications Hub model file (hw-config/hubs) may say, and what can be made to go wrong with a
 * virtual one.
 *
 * A hub is upgraded over a serial line. Which protocol it speaks there decides which image it takes.
 */
import { parseLinePattern } from '../bytes/line-pattern.ts';
import {
  deviceModel,
  flash,
  id,
  matching,
  milliseconds,
  probability,
  text,
  whole,
  z,
} from './fields.ts';

const STEPS_MAX = 64;

/** The protocols of a serial line, each with the image it carries. */
const PROFILE_OF = {
  smp: 'mcuboot',
  'gecko-bootloader': 'gbl',
  'ember-bootloader': 'ebl',
} as const;

/** A break longer than this is a mistake in the unit. */
const BREAK_MS = 'milliseconds from 1 to 10000';

const STEP = 'one of: rts and dtr, or breakMs, or send; or waitMs alone';

const lineText = matching(/^[\0-\xff]{1,256}$/, 'text of 1 to 256 characters, each of one byte');

/** One step of what is done to the line, such as pulling a hub's reset over RTS. */
const lineStep = z
  .strictObject({
    rts: z.boolean().optional().describe('Drives the RTS line: true is asserted.'),
    dtr: z.boolean().optional().describe('Drives the DTR line: true is asserted.'),
    breakMs: z
      .number(BREAK_MS)
      .min(1, BREAK_MS)
      .max(10_000, BREAK_MS)
      .optional()
      .describe('Holds the line in its break state for so long.'),
    send: lineText
      .optional()
      .describe('Sends this text; "\\n" and "\\x03" in double quotes are what they say.'),
    waitMs: milliseconds.default(0).describe('Waits so long before the next step.'),
  })
  .refine(
    ({ rts, dtr, breakMs, send, waitMs }) => {
      const signals = rts !== undefined || dtr !== undefined;
      const actions = [signals, breakMs !== undefined, send !== undefined].filter(Boolean).length;
      return actions === 1 || (actions === 0 && waitMs > 0);
    },
    { error: STEP, when: ({ issues }) => issues.length === 0 },
  );

const lineSteps = z
  .array(lineStep, 'a list of steps, each after a hyphen')
  .max(STEPS_MAX, `at most ${STEPS_MAX} steps`)
  .default([]);

export const baudRate = whole(1200, 4_000_000);

const count = whole(1, 0xffff_ffff);

const linePattern = text(1, 200).superRefine((written, context) => {
  const parsed = parseLinePattern(written);
  if (parsed.ok) return;
  context.addIssue({
    code: 'custom',
    message:
      'a pattern of characters, classes such as \\d or [0-9a-f], the counts ? * + {m,n} and one group ' +
      `around the version; character ${parsed.column} has ${parsed.message}`,
  });
});

const WITHIN_MS = 'milliseconds from 1 to 60000';

const applicationVersion = z.strictObject({
  send: lineText
    .optional()
    .describe('Sent to the application to ask it; absent where it speaks of itself at its start.'),
  pattern: linePattern.describe(
    'Found in one line of what it answers; its one group is the version, as the image states it. ' +
      'Characters, classes and counts of a regular expression, and nothing else.',
  ),
  withinMs: z
    .number(WITHIN_MS)
    .min(1, WITHIN_MS)
    .max(60_000, WITHIN_MS)
    .default(2_000)
    .describe('How long its answer may take.'),
});

const serial = z.strictObject({
  protocol: z
    .enum(['smp', 'gecko-bootloader', 'ember-bootloader'])
    .describe('What it speaks while it is upgraded.'),
  baudRate: baudRate.default(115_200),
  rtscts: z.boolean().default(false).describe('Hardware flow control.'),
  enterBootloader: lineSteps.describe('What brings it into its bootloader; nothing where absent.'),
  reset: lineSteps.describe('What resets it from outside; nothing where absent.'),
  bootMs: milliseconds
    .default(5_000)
    .describe('From a reset until it answers again, a swap of images included.'),
  answerTimeoutMs: milliseconds
    .default(2_500)
    .describe('After so long without an answer a request, or a block, is sent again.'),
  attemptsMax: whole(1, 100)
    .default(10)
    .describe('Attempts at one request, or one block, after which the upload is given up.'),
  applicationVersion: applicationVersion
    .optional()
    .describe('How the application behind a bootloader tells its version; over smp it lists it.'),
});

/** Of the first request of an upload, at the most, beside its data: framing, length and hash. */
const FIRST_REQUEST_REST_BYTES = 96;
/** Fits whatever the buffer is. */
const ALWAYS_ALIGNED_BYTES = 16;

const smp = z.strictObject({
  imageNumber: whole(0, 15).default(0).describe('Which image of the hub is upgraded.'),
  chunkAlignmentBytes: whole(1, 2048)
    .default(16)
    .describe('Chunks but the last are multiples of this, which is one of its flash write size.'),
  windowMax: whole(1, 16)
    .default(16)
    .describe(
      'The most requests on their way at once. How many there are is measured on the line, from one ' +
        'on; 1 sends each after the answer before it.',
    ),
  receivePoolLines: whole(1, 255)
    .default(2)
    .describe('Lines it takes in before it has handled the first; more are lost in silence.'),
  assumedBufferBytes: whole(64, 65_535)
    .default(256)
    .describe('Its buffer for one request, where it does not tell.'),
  firstAnswerMs: milliseconds
    .default(40_000)
    .describe('How long the first answer of an upload may take: the slot may be erased before it.'),
  confirm: z
    .enum(['after-test', 'permanent'])
    .default('after-test')
    .describe(
      '`after-test`: the new image runs once, is looked at, and is then confirmed; without that the ' +
        'hub goes back by itself. `permanent`: there is no way back.',
    ),
  recovery: z
    .enum(['none', 'reset-command', 'line-steps'])
    .default('none')
    .describe(
      'How it is brought into the serial recovery of MCUboot: not at all, by a reset command that asks ' +
        'for it, or by the steps under serial.enterBootloader.',
    ),
});

export const hubModelSchema = z
  .strictObject({
    model: id.describe('The name of this model.'),
    kind: z.literal('communications-hub'),
    description: text(0, 2000),
    source: text(1, 2000).describe('Where the numbers of this file come from.'),
    deviceModel,
    imageProfile: z
      .enum(['mcuboot', 'gbl', 'ebl'])
      .describe(
        'The image it takes: mcuboot over smp, gbl and ebl over the bootloader of that name.',
      ),
    serial,
    smp: smp.optional().describe('Where serial.protocol is smp, and only there.'),
    flash,
  })
  .refine(({ serial, imageProfile }) => imageProfile === PROFILE_OF[serial.protocol], {
    path: ['imageProfile'],
    error: 'mcuboot with smp, gbl with gecko-bootloader, ebl with ember-bootloader',
  })
  .refine(({ serial, smp }) => serial.protocol !== 'smp' || smp !== undefined, {
    path: ['smp'],
    error: 'the settings of SMP; "smp: {}" takes the defaults',
  })
  .refine(({ serial, smp }) => serial.protocol === 'smp' || smp === undefined, {
    path: ['smp'],
    error: 'no such settings: serial.protocol is not smp',
  })
  .refine(({ serial, smp }) => smp === undefined || serial.applicationVersion === undefined, {
    path: ['serial', 'applicationVersion'],
    error: 'no such settings: over smp a hub lists its version',
  })
  .refine(({ smp }) => smp === undefined || holdsChunk(smp), {
    path: ['smp', 'chunkAlignmentBytes'],
    error: `at most ${FIRST_REQUEST_REST_BYTES} less than smp.assumedBufferBytes, which holds a chunk`,
  })
  .refine(
    ({ serial, smp }) => smp?.recovery !== 'line-steps' || serial.enterBootloader.length > 0,
    {
      path: ['smp', 'recovery'],
      error: 'steps under serial.enterBootloader to go with line-steps',
    },
  );

function holdsChunk({ chunkAlignmentBytes, assumedBufferBytes }: z.output<typeof smp>): boolean {
  const roomBytes = assumedBufferBytes - FIRST_REQUEST_REST_BYTES;
  return chunkAlignmentBytes <= Math.max(ALWAYS_ALIGNED_BYTES, roomBytes);
}

/** What can be made to go wrong with one virtual hub and the line to it. */
export const hubFaults = z.strictObject({
  loss: probability.default(0).describe('Bytes, either way, that are lost.'),
  corruption: probability.default(0).describe('Bytes, either way, with one bit flipped.'),
  noise: probability.default(0).describe('Bytes, either way, that a random byte comes after.'),
  babble: probability
    .default(0)
    .describe('Lines of answers that log lines come between, as from a console on the same line.'),
  unanswered: probability.default(0).describe('Answers that never come.'),
  duplicate: probability.default(0).describe('Answers that come twice.'),
  late: probability.default(0).describe('Answers that come late.'),
  lateMs: milliseconds.default(3_000).describe('How late they come.'),
  stallAtByte: count
    .optional()
    .describe('Stands still, once, at this byte off the line, counted from its start.'),
  stallMs: milliseconds.optional().describe('How long it stands still; for ever where absent.'),
  powerCutAtByte: count
    .optional()
    .describe('Loses its power, once, at this byte off the line, counted from its start.'),
  powerCutAtFlashOperation: z
    .array(count, 'a list of numbers, counted from 1')
    .max(10_000, 'a list of at most 10000 numbers')
    .default([])
    .describe('Loses its power at each of these erases and programs, counted from its start.'),
  powerCutTearsFlash: z
    .boolean()
    .default(false)
    .describe('Such an erase or program is left half done, instead of not begun.'),
  losesSlotOnPowerCut: z
    .boolean()
    .default(false)
    .describe('With MCUboot: an image that waits beside the one that runs is gone with the power.'),
  wrongBaudRate: z
    .boolean()
    .default(false)
    .describe('The two ends of the line have different speeds: every byte is wrong.'),
  silent: z.boolean().default(false).describe('Never answers anything.'),
  refusesImage: z.boolean().default(false).describe('Refuses every image whatever its bytes are.'),
  skipsVerification: z.boolean().default(false).describe('Starts an image that is damaged.'),
  crashAfterActivationMs: milliseconds
    .optional()
    .describe(
      'With MCUboot: a new image that is not confirmed runs so long and then restarts, which brings ' +
        'the one before it back.',
    ),
  neverReturns: z
    .boolean()
    .default(false)
    .describe('Any image but the one it was new with hangs when it starts.'),
});

/** What a virtual hub's SMP server is built with; the defaults are those of Zephyr. */
export const virtualSmp = z.strictObject({
  bufBytes: whole(64, 65_535).default(384).describe('Its buffer for one request.'),
  bufCount: whole(1, 255).default(4).describe('How many of them it says it has.'),
  poolLines: whole(1, 255).default(2).describe('Lines it holds before it has handled the first.'),
  startsInRecovery: z
    .boolean()
    .default(false)
    .describe('Is in the serial recovery of MCUboot when it starts.'),
});

export type HubModel = z.output<typeof hubModelSchema>;
export type HubFaults = z.output<typeof hubFaults>;
export type SerialConfig = HubModel['serial'];
export type LineStepConfig = SerialConfig['reset'][number];
export type SmpConfig = NonNullable<HubModel['smp']>;
export type VirtualSmpConfig = z.output<typeof virtualSmp>;
