/**
 * What a device model file (hw-config/ppmids) and a rig file (hw-config/rigs) may say.
 *
 * The product and the virtual devices read the same model files, so that a virtual device has the real
 * geometry and timing. Times carry their unit in the key. Unknown keys are errors: a misspelt key must
 * not be a silent default. Descriptions go into the JSON Schemas, where editors show them; every `error`
 * here is what was expected, in words that fit after "expected".
 *
 * It reads no file: load.ts does, and checks what one file says about another.
 */
import { z } from 'zod';
import { hex, parseEui64 } from '../bytes/hex.ts';

/** One device stands for so many at the most, and a rig has so many in all. */
const COUNT_MAX = 1000;
export const RIG_DEVICES_MAX = 10_000;

/** A code of so many bits, written as a number or as text such as `0x121D`. */
const code = (bits: 8 | 16 | 32, { min = 0, max = 2 ** bits - 1 } = {}) => {
  const digits = bits / 4;
  const error = `a number from ${hex(min, digits)} to ${hex(max, digits)}, written like 0x121D`;
  return z
    .union([z.number(), matching(/^0x[0-9a-fA-F]{1,8}$/, error)], error)
    .transform(Number)
    .pipe(z.int(error).min(min, error).max(max, error));
};

const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.int(error).min(min, error).max(max, error);
};

const text = (min: number, max: number) => {
  const error = `text of ${min} to ${max} characters`;
  return z.string(error).min(min, error).max(max, error);
};

const matching = (pattern: RegExp, error: string) => z.string(error).regex(pattern, error);

const MILLISECONDS = 'milliseconds from 0 to 86400000 (a day)';
const milliseconds = z.number(MILLISECONDS).min(0, MILLISECONDS).max(86_400_000, MILLISECONDS);

const PROBABILITY = 'a probability from 0 to 1';
const probability = z.number(PROBABILITY).min(0, PROBABILITY).max(1, PROBABILITY);

const id = matching(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  'an id of lower-case letters, digits and hyphens, 63 at the most',
);
const path = text(1, 1024);

const EUI64 = 'an EUI-64 in quotes: 16 hexadecimal digits, such as "00:0d:6f:00:0a:90:69:e7"';
const eui64 = z
  .string(EUI64)
  .transform((written, context) => {
    const parsed = parseEui64(written);
    if (parsed === undefined || /^(0{16}|f{16})$/.test(parsed)) {
      context.addIssue(EUI64);
      return z.NEVER;
    }
    return parsed;
  })
  .describe('The EUI-64 printed on the device, in quotes.');

/** Flash as the bootloader sees it. */
const flash = z
  .strictObject({
    slotBytes: whole(1024, 67_108_864).describe('Room for a downloaded image.'),
    eraseBlockBytes: whole(256, 1_048_576).describe('The smallest piece that is erased.'),
    programPageBytes: whole(1, 65_536).describe('The largest piece that is programmed at once.'),
    eraseBlockMs: milliseconds.describe('Typical time to erase one block.'),
    programPageMs: milliseconds.describe('Typical time to program one page.'),
  })
  .refine((geometry) => geometry.slotBytes % geometry.eraseBlockBytes === 0, {
    path: ['slotBytes'],
    error: 'a multiple of eraseBlockBytes',
  })
  .refine((geometry) => geometry.eraseBlockBytes % geometry.programPageBytes === 0, {
    path: ['eraseBlockBytes'],
    error: 'a multiple of programPageBytes',
  })
  .describe('The flash that a download goes to.');

/** The OTA client's settings without defaults: what a rig overrides must not bring any along. */
const otaClientFields = {
  maximumDataBytes: whole(1, 255).describe('The most image bytes it takes in one block response.'),
  answerTimeoutMs: milliseconds.describe('How long it waits for an answer.'),
  retryPauseMs: milliseconds.describe('How long it pauses before it asks again.'),
  failuresMax: whole(1, 1000).describe('Failures in a row after which it gives the download up.'),
  pageBytes: whole(0, 65_535).describe('0: asks by blocks; else by pages of so many bytes.'),
  pageSpacingMs: milliseconds.describe('The response spacing that it asks for with a page.'),
  blockPeriodUnit: z
    .enum(['none', 'ms', 's'])
    .describe('The unit in which it obeys a minimum block period, or none.'),
  waitMaxMs: milliseconds.describe('The longest wait it accepts before it asks or activates.'),
  queryPeriodMs: milliseconds.describe('How often it asks for an image by itself; 0 never.'),
  rebootMs: milliseconds.describe('From the command to activate until it is back.'),
};

/** How a product's own OTA client behaves; the numbers are the device's, not the gateway's. */
const otaClient = z.strictObject({
  maximumDataBytes: otaClientFields.maximumDataBytes.default(50),
  answerTimeoutMs: otaClientFields.answerTimeoutMs.default(3_000),
  retryPauseMs: otaClientFields.retryPauseMs.default(2_000),
  failuresMax: otaClientFields.failuresMax.default(10),
  pageBytes: otaClientFields.pageBytes.default(0),
  pageSpacingMs: otaClientFields.pageSpacingMs.default(50),
  blockPeriodUnit: otaClientFields.blockPeriodUnit.default('ms'),
  waitMaxMs: otaClientFields.waitMaxMs.default(3_600_000),
  queryPeriodMs: otaClientFields.queryPeriodMs.default(300_000),
  rebootMs: otaClientFields.rebootMs.default(500),
} satisfies Record<keyof typeof otaClientFields, z.ZodType>);

const otaClientOverrides = z.strictObject(otaClientFields).partial();

export const ppmidModelSchema = z.strictObject({
  model: id.describe('The name of this model.'),
  kind: z.literal('ppmid'),
  description: text(0, 2000),
  source: text(1, 2000).describe('Where the numbers of this file come from.'),
  deviceModel: z
    .strictObject({
      manufacturer: text(1, 30),
      model: text(1, 30),
      hardwareVersion: text(1, 8),
      hardwareRevision: text(1, 8),
    })
    .describe('As the Central Products List writes it: text, in quotes.'),
  imageProfile: z
    .enum(['gb-ppmid', 'gb-signed', 'zigbee-ota'])
    .describe('What an image for it looks like behind the OTA header.'),
  zigbee: z.strictObject({
    endpoint: whole(1, 240).default(1),
    profileId: code(16).default(0x0104),
    deviceId: code(16).default(0x0502),
    manufacturerCode: code(16),
    imageType: code(16),
    hardwareVersion: code(16),
    manufacturerName: text(0, 32),
    modelIdentifier: text(0, 32),
    sleepyPollMs: milliseconds.default(0).describe('Wakes so often; 0 is always on.'),
  }),
  flash,
  otaClient: otaClient.prefault({}).describe('How its OTA client behaves.'),
});

/** What can be made to go wrong with one virtual device. */
const ppmidFaults = z.strictObject({
  restartAtBlock: z
    .array(whole(0, 0xffff_ffff), 'a list of block numbers')
    .max(10_000, 'a list of at most 10000 block numbers')
    .default([])
    .describe('Restarts, its memory lost and its flash kept, when such a block is to be stored.'),
  rejoinWithNewAddress: z
    .boolean()
    .default(false)
    .describe('Comes back from such a restart under another network address.'),
  losesProgress: z
    .boolean()
    .default(false)
    .describe('Forgets the partial download on a restart and begins at offset 0.'),
  refusesImage: z
    .boolean()
    .default(false)
    .describe('Reports INVALID_IMAGE at the end whatever the bytes are.'),
  skipsVerification: z
    .boolean()
    .default(false)
    .describe('Accepts an image whose hash does not match the one it was built for.'),
  revertsAfterActivation: z
    .boolean()
    .default(false)
    .describe('Activates, then comes back with the old version.'),
  neverActivates: z.boolean().default(false).describe('Says success, then never activates.'),
  stallAtBlock: whole(0, 0xffff_ffff).optional().describe('Stops asking at this block.'),
  stallMs: milliseconds.optional().describe('How long it stalls; for ever where absent.'),
  duplicateRequests: whole(1, 10).default(1).describe('Sends each request so many times.'),
  slowMs: milliseconds.default(0).describe('Waits so long before each request.'),
  silent: z.boolean().default(false).describe('Never answers anything.'),
});

/** What can be made to go wrong on the virtual radio and the coordinator's wire. */
const linkFaults = z.strictObject({
  lossDown: probability
    .default(0)
    .describe('Frames to a device that are lost, acknowledged to the driver all the same.'),
  lossUp: probability.default(0).describe('Frames from a device that are lost.'),
  lossReported: probability
    .default(0)
    .describe('Frames to a device that are lost, and reported so in the data confirm.'),
  duplicateUp: probability.default(0).describe('Frames from a device that come twice.'),
  lateUp: probability.default(0).describe('Frames from a device that come late.'),
  lateMs: milliseconds.default(500).describe('How late they come.'),
});

const network = z
  .strictObject({
    panId: code(16, { min: 0x0001, max: 0xfffe }),
    extendedPanId: matching(
      /^(?!0{16}$)(?![fF]{16}$)[0-9a-fA-F]{16}$/,
      '16 hexadecimal digits in quotes, neither all 0 nor all f',
    ),
    channel: whole(11, 26),
    networkKey: matching(
      /^(generated|[0-9a-fA-F]{32})$/,
      '32 hexadecimal digits in quotes, or generated',
    ).describe('32 hexadecimal digits, or `generated`: made once, kept in the state folder.'),
  })
  .describe('The network the coordinator forms or resumes.');

const coordinator = z.strictObject({
  id,
  adapter: z
    .enum(['zstack', 'ember', 'deconz', 'zigate', 'zboss', 'zoh'])
    .describe('The zigbee-herdsman driver.'),
  port: text(1, 256)
    .refine(isPort, 'a serial path such as /dev/serial/by-id/..., or tcp://host:port')
    .describe('A serial path (prefer /dev/serial/by-id/...) or tcp://host:port.'),
  baudRate: whole(1200, 4_000_000).default(115_200),
  rtscts: z.boolean().default(false).describe('Hardware flow control.'),
  network,
  joining: z
    .enum(['closed', 'open-when-missing'])
    .default('closed')
    .describe('Whether a missing device opens the network for joining.'),
  joinTimeoutMs: milliseconds.default(60_000).describe('How long joining stays open.'),
  inFlightMax: whole(1, 64)
    .optional()
    .describe("The most block responses in flight; the driver's own default where absent."),
  virtual: z
    .strictObject({
      seed: whole(0, 0xffff_ffff).default(1).describe('Of the faults below.'),
      network: z
        .enum(['formed', 'blank'])
        .default('formed')
        .describe('`formed` has the network of this file in its memory; `blank` is new.'),
      linkDelayMs: milliseconds.default(0),
      faults: linkFaults.prefault({}),
    })
    .optional()
    .describe('Present: `uplift rig up` runs this coordinator and its devices.'),
});

/** With its checksum: 8, 10, 14 or 18 bytes; or the forms of QR codes that zigbee-herdsman knows. */
const INSTALL_CODE =
  /^([0-9a-fA-F]{16}|[0-9a-fA-F]{20}|[0-9a-fA-F]{28}|[0-9a-fA-F]{36}|.{91}|.{95}|.{1,120}[|$ ].{1,120})$/;

const zigbeeDevice = z.strictObject({
  id,
  model: path.describe('A model file, relative to this file.'),
  coordinator: id.describe('The id of a coordinator of this file.'),
  eui64,
  installCode: matching(
    INSTALL_CODE,
    'an install code in quotes: 16, 20, 28 or 36 digits, or its QR text',
  )
    .optional()
    .describe('The install code printed on the device, where its joining wants one.'),
  virtual: z
    .strictObject({
      firmware: path.describe('The image it runs when it is new, relative to this file.'),
      count: whole(1, COUNT_MAX)
        .default(1)
        .describe('Stands for so many devices, <id>-1 and so on, EUI-64s counted up.'),
      otaClient: otaClientOverrides
        .prefault({})
        .describe("Overrides of the model's own OTA client."),
      faults: ppmidFaults.prefault({}),
    })
    .optional()
    .describe('Present: the device is made of software.'),
});

export const rigSchema = z.strictObject({
  rig: id.describe('The name of this rig.'),
  description: text(0, 2000),
  state: path.describe('Where gateway and virtual devices keep state, relative to this file.'),
  centralProductsList: path
    .optional()
    .describe('The Central Products List that images are held against, relative to this file.'),
  trustAnchors: path
    .optional()
    .describe('The folder of keys that signatures are held against, relative to this file.'),
  coordinators: z.array(coordinator).max(64, 'at most 64 coordinators').default([]),
  devices: z
    .array(zigbeeDevice)
    .min(1, 'at least one device')
    .max(RIG_DEVICES_MAX, `at most ${RIG_DEVICES_MAX} devices`),
});

export type PpmidModel = z.output<typeof ppmidModelSchema>;
export type RigDocument = z.output<typeof rigSchema>;
export type CoordinatorConfig = RigDocument['coordinators'][number];
export type DeviceDocument = RigDocument['devices'][number];
export type PpmidFaults = z.output<typeof ppmidFaults>;
export type LinkFaults = z.output<typeof linkFaults>;
export type OtaClientConfig = PpmidModel['otaClient'];

/** A device of a rig with its model file read and its counts spread out. */
export interface RigDevice {
  id: string;
  eui64: string;
  coordinator: string;
  /** With its EUI-64, in a form that zigbee-herdsman takes. */
  installCode: string | undefined;
  model: PpmidModel;
  virtual: { firmwarePath: string; otaClient: OtaClientConfig; faults: PpmidFaults } | undefined;
}

/** A rig file after every check: paths absolute, references resolved. */
export interface Rig {
  id: string;
  description: string;
  path: string;
  stateFolder: string;
  centralProductsList: string | undefined;
  trustAnchors: string | undefined;
  coordinators: CoordinatorConfig[];
  devices: RigDevice[];
}

/** As much of a JSON Schema as is read here: what the editors' schemas are made of. */
export interface JsonSchema {
  title?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  enum?: unknown[];
  [keyword: string]: unknown;
}

/** hw-config/rig.schema.json, for editors. */
export function rigJsonSchema(): JsonSchema {
  return jsonSchema(rigSchema, 'A rig of Uplift: what is wired to what');
}

/** hw-config/ppmid.schema.json, for editors. */
export function modelJsonSchema(): JsonSchema {
  return jsonSchema(ppmidModelSchema, 'A PPMID model of Uplift: protocol, geometry and timing');
}

function jsonSchema(schema: z.ZodType, title: string): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return { $schema, title, ...rest } as JsonSchema;
}

/** Anything without a scheme is a serial path: their forms are the operating system's. */
function isPort(port: string): boolean {
  if (!port.includes('://')) return true;
  const match = /^tcp:\/\/(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})$/.exec(port);
  const portNumber = Number(match?.[1]);
  return portNumber >= 1 && portNumber <= 65_535;
}
