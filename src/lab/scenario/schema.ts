/**
 * What a scenario may say: devices by the part they play, variables, a matrix, and steps. The steps of a
 * file and those of a program are held against one schema; only a program's may call functions.
 */
import {
  id,
  matching,
  milliseconds,
  path,
  probability,
  text,
  whole,
  z,
} from '../../config/fields.ts';
import { SESSION_STATES } from '../../upgrade/states.ts';
import type { LinkFaultSettings } from '../ports.ts';

/** Of one list, and how deep lists of steps go into one another. */
export const STEPS_MAX = 1_000;
export const REPEATS_MAX = 10_000;
const BRANCHES_MAX = 16;

const NAME = 'a name of letters and digits that begins with a letter, 63 characters at the most';
export const name = matching(/^[a-zA-Z][a-zA-Z0-9-]{0,62}$/, NAME);

const role = name.optional().describe('The part it plays in this scenario, as `devices` says.');

const limits = z
  .strictObject({
    contactMs: milliseconds.describe('Until the device asks for the image, or the hub answers.'),
    stallMs: milliseconds.describe('Silence in a download before the device is woken.'),
    stallsMax: whole(1, 1_000).describe('How often that may be needed in a row.'),
    progressMs: milliseconds.describe('A download without a new byte.'),
    attemptsMax: whole(1, 1_000).describe('Downloads begun anew.'),
    confirmMs: milliseconds.describe('From the command to activate to the version read back.'),
    linkDownMs: milliseconds.describe('A link that stays away.'),
  })
  .partial();

/** How an upgrade may be wanted to end. */
export const EXPECTATIONS = [
  'done',
  'held',
  'refused',
  'refused-by-device',
  'failed',
  'any',
] as const;

const expectation = z
  .enum(EXPECTATIONS)
  .describe(
    'How it has to end: `refused` by admission, `refused-by-device`, `failed` in any other way; `any` ' +
      'leaves it to the assertions that follow. Default: done, or held where it is to be held.',
  );

const command = z
  .array(text(1, 4096), 'a list: the program and its arguments')
  .min(1, 'at least the program')
  .max(256, 'at most 256 arguments')
  .describe('The program and its arguments; no shell is between.');

const linkFaults = {
  direction: z
    .enum(['up', 'down', 'both'])
    .default('both')
    .describe('`down` is towards the device.'),
  drop: probability.optional().describe('Bytes of a serial line, frames of ZigBee, that are lost.'),
  duplicate: probability.optional().describe('Those that come twice.'),
  corrupt: probability.optional().describe('Those with one bit flipped.'),
  delayMs: milliseconds.optional().describe('How late they come.'),
  burst: z
    .strictObject({ bytes: whole(1, 65_536), count: whole(1, 10_000) })
    .optional()
    .describe('So many bytes in a row are damaged, so many times.'),
  disconnected: z.boolean().optional().describe('Nothing passes.'),
} satisfies Record<keyof LinkFaultSettings, z.ZodType>;

const wan = id.describe('A server of the network, as `wan` of the rig names it.');
const onDevice = z.strictObject({ device: role });

const readingName = name.describe('The name that a `readVersion` step gave with `as`.');

const assertion = z
  .strictObject({
    device: role,
    version: text(1, 64).optional().describe('What the device has to say it runs, read anew.'),
    versionOtherThan: readingName.optional(),
    versionSameAs: readingName.optional(),
    outcome: z
      .enum(SESSION_STATES)
      .optional()
      .describe('The state that the last upgrade ended in.'),
    code: text(1, 64).optional().describe('The code that the last upgrade ended with.'),
    rule: text(1, 128).optional().describe('The rule of admission that refused it.'),
    blocksAgainMax: whole(0, 1_000_000)
      .optional()
      .describe('Blocks or requests of the last upgrade that were sent again.'),
    bytesAgainMax: whole(0, 67_108_864)
      .optional()
      .describe('Bytes that the device had to be sent again after it had them.'),
    sentBytesMax: whole(0, 67_108_864)
      .optional()
      .describe('Bytes of the image that the last upgrade sent; 0: none.'),
    durationMsMax: milliseconds.optional().describe('How long the last upgrade may have taken.'),
    durationMsMin: milliseconds.optional().describe('How long it has to have taken.'),
    faultsMin: whole(1, 1_000_000_000)
      .optional()
      .describe('So many faults have to have happened on its link: else nothing was tried.'),
  })
  .refine((assertion) => Object.keys(assertion).some((key) => key !== 'device'), {
    error: 'something to hold the device or its last upgrade against',
  });

const waiting = z
  .strictObject({
    device: role,
    ms: milliseconds.optional().describe('Simply so long.'),
    state: z.enum(SESSION_STATES).optional().describe('Until its upgrade comes into this state.'),
    percent: whole(0, 100).optional().describe('Until so much of the image is sent.'),
    block: whole(0, 0xffff_ffff).optional().describe('Until so many blocks are sent.'),
    event: text(1, 200).optional().describe('Until its upgrade notes something with these words.'),
    version: text(1, 64).optional().describe('Until it says it runs this version.'),
  })
  .refine((wanted) => Object.keys(wanted).filter((key) => key !== 'device').length === 1, {
    error: 'one of ms, state, percent, block, event and version',
  });

/** Steps that hold no steps. */
const LEAVES = {
  activate: z
    .strictObject({ device: role, expect: expectation.default('done'), limits: limits.optional() })
    .optional()
    .describe('Has the image activated that an upgrade before left held.'),
  powerOff: onDevice.optional().describe('Cuts the power of the device.'),
  powerOn: onDevice.optional().describe('Gives it back.'),
  powerCycle: z
    .strictObject({ device: role, offMs: milliseconds.default(1_000) })
    .optional()
    .describe('Cuts the power of the device for so long.'),
  press: z
    .strictObject({
      device: role,
      button: text(1, 63).optional().describe('As the rig names it, where it has several.'),
      ms: milliseconds.default(200),
    })
    .optional()
    .describe('Presses its button.'),
  waitFor: waiting.optional().describe('Waits, until its deadline.'),
  readVersion: z
    .strictObject({ device: role, as: name.optional().describe('For assertions that follow.') })
    .optional()
    .describe('Asks the device what it runs.'),
  assert: assertion.optional().describe('What has to hold now.'),
  fault: z
    .strictObject({ device: role, ...linkFaults })
    .optional()
    .describe('Makes faults in the link of the device from now on, in place of those before.'),
  clearFaults: onDevice.optional().describe('Takes them away.'),
  coordinatorReset: onDevice.optional().describe('Restarts the coordinator of the device.'),
  lineGlitch: z
    .strictObject({
      device: role,
      rts: z.boolean().optional(),
      dtr: z.boolean().optional(),
      break: z
        .boolean()
        .optional()
        .describe('In place of them: the line is held in its break state.'),
      ms: milliseconds.default(50),
    })
    .refine((glitch) => (glitch.rts ?? glitch.dtr ?? glitch.break) !== undefined, {
      error: 'rts, dtr or break',
    })
    .optional()
    .describe('Drives modem lines of the serial adapter for so long, then the other way.'),
  wanCut: z
    .strictObject({
      wan: wan.optional(),
      stalled: z
        .boolean()
        .default(false)
        .describe('Connections stay and nothing comes through, in place of being reset.'),
      cut: command.optional(),
      restore: command.optional().describe('Runs in any case, also where the cut failed.'),
      forMs: milliseconds,
    })
    .refine(({ wan, cut, restore }) => (wan ? !cut && !restore : cut && restore), {
      error: 'wan, or both cut and restore',
    })
    .optional()
    .describe('Cuts the network for so long: a server of the rig, or by commands of the site.'),
  wanSlow: z
    .strictObject({ wan, delayMs: milliseconds, forMs: milliseconds })
    .optional()
    .describe('All that comes from a server of the rig and goes to it is late, for so long.'),
  clockJump: z
    .strictObject({ ms: z.number('milliseconds, below 0 for back').min(-4e12).max(4e12) })
    .optional()
    .describe("Sets the gateway's clock on or back, as it sees it, until the run ends."),
  diskFull: z
    .strictObject({ full: z.boolean().default(true) })
    .optional()
    .describe(
      'Fills the file system of the state folder, which has to be one of its own; or frees it.',
    ),
  runCommand: z
    .strictObject({
      command,
      exit: whole(0, 255).default(0).describe('The exit code it has to end with.'),
      failsAs: z
        .enum(['infra', 'device', 'assertion'])
        .default('infra')
        .describe('The class of the failure where it ends with another.'),
    })
    .optional()
    .describe('Runs a program.'),
};

const DEADLINE = 'Else that of its kind. A step that lasts longer is a failure.';
const MOMENT = 'one of block, percent and state';

export type CallStep = (run: unknown) => Promise<void> | void;

function stepSchemas(mayCall: boolean) {
  // biome-ignore lint/suspicious/noExplicitAny: its own type is what is being made here
  const steps: z.ZodType<any> = z.lazy(() =>
    z.array(step, 'a list of steps, each after a hyphen').max(STEPS_MAX, `at most ${STEPS_MAX}`),
  );
  const trigger = z
    .strictObject({
      block: whole(0, 0xffff_ffff).optional().describe('When so many blocks are sent.'),
      percent: whole(0, 100).optional().describe('When so much of the image is sent.'),
      state: z.enum(SESSION_STATES).optional().describe('When it comes into this state.'),
      afterMs: milliseconds.default(0).describe('So long after that.'),
      steps,
    })
    .refine(
      ({ block, percent, state }) =>
        [block, percent, state].filter((one) => one !== undefined).length === 1,
      { error: MOMENT },
    );
  const upgrade = z.strictObject({
    device: role,
    image: path.describe('An image, relative to this file.'),
    activate: z.enum(['now', 'held']).default('now'),
    expect: expectation.optional(),
    list: z
      .enum(['required', 'none'])
      .default('required')
      .describe('`none`: on a bench, no products list applies.'),
    allowDowngrade: z.boolean().default(false),
    allowUnsigned: z.boolean().default(false),
    limits: limits.optional().describe("In place of the gateway's own."),
    at: z
      .array(trigger, 'a list of moments, each after a hyphen')
      .max(100, 'at most 100 moments')
      .default([])
      .describe('What is done at which moment of it, once each.'),
  });
  const actions = {
    upgrade: upgrade.optional().describe('Upgrades a device, as `uplift flash` does.'),
    ...LEAVES,
    repeat: z
      .strictObject({ times: whole(1, REPEATS_MAX), steps })
      .optional()
      .describe('Its steps so many times; the variable `iteration` counts from 1.'),
    parallel: z
      .array(steps, 'a list of lists of steps')
      .min(1, 'at least one list of steps')
      .max(BRANCHES_MAX, `at most ${BRANCHES_MAX} lists of steps`)
      .optional()
      .describe('Lists of steps that run beside each other; all have ended when it ends.'),
    group: z.strictObject({ steps }).optional().describe('Steps under one name and deadline.'),
    ...(mayCall && {
      call: z.custom<CallStep>((value) => typeof value === 'function', 'a function').optional(),
    }),
  };
  const isAction = (key: string) => Object.hasOwn(actions, key);
  const step = z
    .strictObject({
      name: text(1, 200).optional().describe('For the report.'),
      deadlineMs: milliseconds.optional().describe(DEADLINE),
      ...actions,
    })
    .superRefine((value, context) => {
      const found = Object.keys(value).filter(isAction);
      if (found.length === 1) return;
      const message = `one of ${Object.keys(actions).join(', ')}`;
      const words = found.length === 0 ? 'no step that is known' : found.join(' and ');
      const params = { code: 'step-unclear', found: words };
      context.addIssue({ code: 'custom', message, params });
    });
  return { steps, step };
}

export const stepsOfFile = stepSchemas(false).steps;
export const stepsOfProgram = stepSchemas(true).steps;

export const deviceRole = z.strictObject({
  kind: z
    .enum(['ppmid', 'communications-hub'])
    .optional()
    .describe('Only devices of this kind play it; any where absent.'),
  model: id.optional().describe('Only devices of this model.'),
  id: id.optional().describe('Only this device of the rig.'),
});

const scalar = z.union([text(0, 4096), z.number(), z.boolean()], 'text, a number, true or false');
const MATRIX_VALUE = 'text, a number, true or false, or a mapping of such values';
const matrixValue = z.union([scalar, z.record(name, scalar)], MATRIX_VALUE);

export type Scalar = string | number | boolean;
export type MatrixValue = Scalar | Record<string, Scalar>;

export const scenarioSchema = z.strictObject({
  scenario: id.describe('The name of this scenario.'),
  description: text(0, 2000),
  devices: z
    .record(name, deviceRole)
    .default({ device: {} })
    .describe('The parts of this scenario; one part, `device`, for any device where absent.'),
  variables: z
    .record(name, z.unknown())
    .default({})
    .describe(
      'Values under names. A dollar and a name in braces stands for one in any value below.',
    ),
  matrix: z
    .record(name, z.array(matrixValue, 'a list of values').min(1).max(1_000))
    .default({})
    .describe('A run for each combination of these values, which are variables as well.'),
  exclude: z
    .array(z.record(name, z.union([scalar, z.array(scalar)])), 'a list of combinations')
    .max(1_000)
    .default([])
    .describe('Combinations of the matrix that are left out.'),
  setUp: stepsOfFile.default([]).describe('Before the steps. Where it fails, they do not run.'),
  steps: stepsOfFile,
  cleanUp: stepsOfFile
    .default([])
    .describe('After the steps in any case, each with a deadline of its own.'),
});

export type ScenarioDocument = z.output<typeof scenarioSchema>;

const RANDOM = 'between: [from, to], both whole numbers, or of: [a list of values]';
export const randomChoice = z.union(
  [
    z.strictObject({ between: z.tuple([z.int(), z.int()]).refine(([from, to]) => from <= to) }),
    z.strictObject({ of: z.array(scalar).min(1).max(1_000) }),
  ],
  RANDOM,
);

export type RandomChoice = z.output<typeof randomChoice>;

/** What editors are told beside: a variable, or a random choice, may stand for these kinds of value. */
const STANDS_FOR = ['number', 'boolean', 'enum'];
const VARIABLE = { type: 'string', pattern: '^\\$\\{.+\\}$' } as const;
const BY_CHANCE = {
  type: 'object',
  properties: { random: { type: 'object' } },
  required: ['random'],
  additionalProperties: false,
} as const;

/** hw-config/scenario.schema.json, for editors; without `standIns` the values themselves alone. */
export function scenarioJsonSchema({ standIns = true } = {}) {
  const { $schema, ...rest } = z.toJSONSchema(scenarioSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: node }) => {
      if (!standIns || !STANDS_FOR.includes(zodSchema._zod.def.type)) return;
      const { description, default: preset, ...own } = node;
      for (const key of Object.keys(node)) delete node[key];
      Object.assign(node, {
        ...(description !== undefined && { description }),
        ...(preset !== undefined && { default: preset }),
        anyOf: [own, VARIABLE, BY_CHANCE],
      });
    },
  });
  return { $schema, title: 'A scenario of Uplift: what a rig is put through', ...rest };
}
