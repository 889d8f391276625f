/**
 * What a device model file (hw-config/hubs, hw-config/ppmids) and a rig file (hw-config/rigs) may say.
 *
 * The product and the virtual devices read the same model files, so that a virtual device has the real
 * geometry and timing. Times carry their unit in the key. Unknown keys are errors: a misspelt key must
 * not be a silent default.
 */
import { z } from 'zod';
import { parseEui64 } from '../bytes/hex.ts';

/** A 16-bit or 32-bit code, written as a number or as text such as `0x121D`. */
const code = (bits: 8 | 16 | 32) =>
  z
    .union([z.number(), z.string().regex(/^0x[0-9a-fA-F]+$/, 'a number, or text such as "0x121D"')])
    .transform(Number)
    .pipe(
      z
        .int()
        .min(0)
        .max(2 ** bits - 1),
    );

const eui64 = z
  .string({
    error: 'an EUI-64 in quotes: 16 hexadecimal digits, such as "00:0d:6f:00:0a:90:69:e7"',
  })
  .transform((text, context) => {
    const parsed = parseEui64(text);
    if (parsed === undefined) {
      context.addIssue('an EUI-64: 16 hexadecimal digits, such as "00:0d:6f:00:0a:90:69:e7"');
      return z.NEVER;
    }
    return parsed;
  });

const milliseconds = z.number().min(0).max(86_400_000);
const probability = z.number().min(0).max(1);
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens');

/** Flash as the bootloader sees it. */
const flash = z.strictObject({
  slotBytes: z.int().min(1024).max(67_108_864),
  eraseBlockBytes: z.int().min(256).max(1_048_576),
  programPageBytes: z.int().min(1).max(65_536),
  eraseBlockMs: milliseconds,
  programPageMs: milliseconds,
});

/** How a product's own OTA client behaves; the numbers are the device's, not the gateway's. */
const otaClient = z.strictObject({
  /** The most image bytes it takes in one block response. */
  maximumDataBytes: z.int().min(1).max(255).default(50),
  /** How long it waits for an answer, and how long it pauses before it asks again. */
  answerTimeoutMs: milliseconds.default(3_000),
  retryPauseMs: milliseconds.default(2_000),
  /** Failures in a row after which it gives the download up. */
  failuresMax: z.int().min(1).max(1000).default(10),
  /** 0: asks by blocks only; else asks by pages of so many bytes. */
  pageBytes: z.int().min(0).max(65_535).default(0),
  pageSpacingMs: milliseconds.default(50),
  /** It obeys a minimum block period, and in which unit. */
  blockPeriodUnit: z.enum(['none', 'ms', 's']).default('ms'),
  /** The longest wait it accepts before it asks or activates. */
  waitMaxMs: milliseconds.default(3_600_000),
  /** How often it asks by itself whether there is an image; 0 never. */
  queryPeriodMs: milliseconds.default(300_000),
  /** From the command to activate until it is back on the network. */
  rebootMs: milliseconds.default(500),
});

export const ppmidModelSchema = z.strictObject({
  model: id,
  kind: z.literal('ppmid'),
  description: z.string(),
  /** Where these numbers come from. */
  source: z.string(),
  /** As the Central Products List writes them. */
  deviceModel: z.strictObject({
    manufacturer: z.string().min(1).max(30),
    model: z.string().min(1).max(30),
    hardwareVersion: z.string().min(1).max(8),
    hardwareRevision: z.string().min(1).max(8),
  }),
  imageProfile: z.enum(['gb-ppmid', 'gb-signed', 'zigbee-ota']),
  zigbee: z.strictObject({
    endpoint: z.int().min(1).max(240).default(1),
    profileId: code(16).default(0x0104),
    deviceId: code(16).default(0x0502),
    manufacturerCode: code(16),
    imageType: code(16),
    hardwareVersion: code(16),
    manufacturerName: z.string().max(32),
    modelIdentifier: z.string().max(32),
    /** Sleeps between its own transmissions, waking so often; 0 is always on. */
    sleepyPollMs: milliseconds.default(0),
  }),
  flash,
  otaClient: otaClient.prefault({}),
});

/** What can be made to go wrong with one virtual device. */
const ppmidFaults = z.strictObject({
  /** Restart (flash kept, memory lost) when the block at this index is about to be stored. */
  restartAtBlock: z.array(z.int().min(0)).default([]),
  /** Come back from such a restart under another network address. */
  rejoinWithNewAddress: z.boolean().default(false),
  /** Forget the partial download on a restart and begin at offset 0. */
  losesProgress: z.boolean().default(false),
  /** Report INVALID_IMAGE at the end whatever the bytes are. */
  refusesImage: z.boolean().default(false),
  /** Accept an image whose hash does not match the one it was built for. */
  skipsVerification: z.boolean().default(false),
  /** Activate, then come back with the old version. */
  revertsAfterActivation: z.boolean().default(false),
  /** Say success, then never activate. */
  neverActivates: z.boolean().default(false),
  /** Stop asking at this block, for ever or for so long. */
  stallAtBlock: z.int().min(0).optional(),
  stallMs: milliseconds.optional(),
  /** Send each request so many times. */
  duplicateRequests: z.int().min(1).max(10).default(1),
  /** Wait so long before each request. */
  slowMs: milliseconds.default(0),
  /** Never answers anything. */
  silent: z.boolean().default(false),
});

/** What can be made to go wrong on the virtual radio and the coordinator's wire. */
const linkFaults = z.strictObject({
  /** Frames lost on the way to and from a device, acknowledged to the driver all the same. */
  lossDown: probability.default(0),
  lossUp: probability.default(0),
  /** Frames lost on the way to a device, and reported as lost in the data confirm. */
  lossReported: probability.default(0),
  duplicateUp: probability.default(0),
  /** Frames from a device that come late, and by how much. */
  lateUp: probability.default(0),
  lateMs: milliseconds.default(500),
});

const coordinator = z.strictObject({
  id,
  /** The zigbee-herdsman driver. */
  adapter: z.enum(['zstack', 'ember', 'deconz', 'zigate', 'zboss', 'zoh']),
  /** A serial path (prefer /dev/serial/by-id/...) or tcp://host:port. */
  port: z.string().min(1),
  baudRate: z.int().min(1200).max(4_000_000).default(115_200),
  rtscts: z.boolean().default(false),
  network: z.strictObject({
    panId: code(16),
    extendedPanId: z.string().regex(/^[0-9a-fA-F]{16}$/, '16 hexadecimal digits'),
    channel: z.int().min(11).max(26),
    /** 32 hexadecimal digits, or `generated`: made once and kept in the state folder. */
    networkKey: z.union([
      z.literal('generated'),
      z.string().regex(/^[0-9a-fA-F]{32}$/, '32 hexadecimal digits, or generated'),
    ]),
  }),
  /** Whether a missing device opens the network for joining, or only `uplift rig join` does. */
  joining: z.enum(['closed', 'open-when-missing']).default('closed'),
  joinTimeoutMs: milliseconds.default(60_000),
  /** The most block responses in flight; the driver's own default where absent. */
  inFlightMax: z.int().min(1).max(64).optional(),
  /** Present: `uplift rig up` runs this coordinator and its devices. */
  virtual: z
    .strictObject({
      seed: z.int().min(0).default(1),
      /** `formed` has the network of this file in its NV memory; `blank` is fresh from the factory. */
      network: z.enum(['formed', 'blank']).default('formed'),
      linkDelayMs: milliseconds.default(0),
      faults: linkFaults.prefault({}),
    })
    .optional(),
});

const zigbeeDevice = z.strictObject({
  id,
  /** A model file, relative to this file. */
  model: z.string().min(1),
  coordinator: id,
  eui64,
  /** The install code printed on the device, where its joining wants one. */
  installCode: z.string().optional(),
  virtual: z
    .strictObject({
      /** The image it runs when it is new, relative to this file. */
      firmware: z.string().min(1),
      /** Stands for so many devices: ids and EUI-64s are counted up. */
      count: z.int().min(1).max(1000).default(1),
      /** Overrides of the model's own OTA client, to make a test quick or a client odd. */
      otaClient: otaClient.partial().prefault({}),
      faults: ppmidFaults.prefault({}),
    })
    .optional(),
});

export const rigSchema = z.strictObject({
  rig: id,
  description: z.string(),
  /** Where the gateway and the virtual devices keep their state, relative to this file. */
  state: z.string().min(1),
  coordinators: z.array(coordinator).default([]),
  devices: z.array(zigbeeDevice).min(1),
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
  coordinators: CoordinatorConfig[];
  devices: RigDevice[];
}
