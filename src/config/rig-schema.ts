/**
 * What a rig file (hw-config/rigs) may say: what is wired to what.
 *
 * A device is behind a ZigBee coordinator or on a port of its own, never both: the keys it has tell which
 * of the two schemas it is held against, so that a mistake is told in the words of the right one.
 */
import { expectedWords } from './explain.ts';
import {
  code,
  eui64,
  id,
  isPort,
  isUsbPort,
  matching,
  milliseconds,
  path,
  probability,
  text,
  whole,
  z,
} from './fields.ts';
import { baudRate, hubFaults, virtualSmp } from './hub-schema.ts';
import { MOMENT, momentMs } from './moment.ts';
import { nearest } from './nearest.ts';
import { listen } from './network-fields.ts';
import { buttons, power } from './power-schema.ts';
import { otaClientOverrides, ppmidFaults } from './ppmid-schema.ts';

/** One device stands for so many at the most, and a rig has so many in all. */
const COUNT_MAX = 1000;
export const RIG_DEVICES_MAX = 10_000;

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

    .refine(
      (port) => isPort(port) && !port.startsWith('usb:'),
      'a serial path such as /dev/serial/by-id/..., or tcp://host:port',
    )
    .describe('A serial path (prefer /dev/serial/by-id/...) or tcp://host:port.'),
  baudRate: baudRate.default(115_200),
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
  power: power.optional(),
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

const installation = text(1, 128)
  .optional()
  .describe('The id of the installation it is part of, in the file of installations.');

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
  installation,
  power: power.optional(),
  buttons: buttons.optional(),
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

const SERIAL_PORT =
  'a path such as /dev/serial/by-id/..., usb:SERIAL, usb:VID:PID:SERIAL, or tcp://host:port';

const serialDevice = z.strictObject({
  id,
  model: path.describe('A model file, relative to this file.'),
  port: text(1, 256)
    .refine((port) => (port.startsWith('usb:') ? isUsbPort : isPort)(port), SERIAL_PORT)
    .describe(
      'A path (prefer /dev/serial/by-id/...), relative to this file; usb:SERIAL or usb:VID:PID:SERIAL ' +
        'for the adapter that has this serial number; or tcp://host:port of a serial server.',
    ),
  baudRate: baudRate.optional().describe("Where it is not the model's."),
  installation,
  serialNumber: matching(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'a serial number in quotes: letters, digits, dots, hyphens and underscores, 64 at the most',
  )
    .optional()
    .describe('The one on the label of the hub, by which a downgrade waiver names it.'),
  chf: eui64
    .optional()
    .describe(
      'The EUI-64 of its Communications Hub Function, by which a Service Request names it.',
    ),
  power: power.optional(),
  buttons: buttons.optional(),
  virtual: z
    .strictObject({
      firmware: path.describe('The image it runs when it is new, relative to this file.'),
      seed: whole(0, 0xffff_ffff).default(1).describe('Of the faults below.'),
      turnRoundMs: milliseconds
        .default(1)
        .describe('How long its adapter holds a short answer back; 16 with many USB adapters.'),
      bootMs: milliseconds
        .default(200)
        .describe('From power or reset until it listens, without the time of a swap.'),
      smp: virtualSmp.optional().describe('Its SMP server, where its model speaks SMP.'),
      faults: hubFaults.prefault({}),
    })
    .optional()
    .describe('Present: the device is made of software, and its port is made by `uplift rig up`.'),
});

const KINDS = [zigbeeDevice, serialDevice] as const;
const EITHER = 'either coordinator (a device behind it) or port (a device on a line of its own)';

/** What a device is held against: the schema that knows more of its keys. */
function schemaOf(keys: readonly string[]): (typeof KINDS)[number] | undefined {
  const [zigbee, serial] = KINDS.map(({ shape }) => keys.filter((key) => key in shape).length);
  if (zigbee === serial || (keys.includes('coordinator') && keys.includes('port')))
    return undefined;
  return zigbee! > serial! ? zigbeeDevice : serialDevice;
}

const device = z
  .unknown()
  .transform((value, context): ZigbeeDeviceDocument | SerialDeviceDocument => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: 'a mapping of keys and values', input: value });
      return z.NEVER;
    }
    const keys = Object.keys(value);
    const schema = schemaOf(keys);
    if (schema === undefined) {
      const both = keys.includes('coordinator') && keys.includes('port');
      const meant = keys.flatMap((key) => nearest(key, ['coordinator', 'port']) ?? []).at(0);
      const params = {
        code: 'device-kind-unclear',
        found: both ? 'both' : 'neither',
        ...(meant === undefined || both ? {} : { next: `did you mean "${meant}"?` }),
      };
      context.addIssue({ code: 'custom', message: EITHER, params, input: value });
      return z.NEVER;
    }
    const parsed = schema.safeParse(value, { error: expectedWords });
    if (parsed.success) return parsed.data;
    // As they are: an issue raised anew would lose its code.
    for (const issue of parsed.error.issues) context.issues.push(issue as z.core.$ZodRawIssue);
    return z.NEVER;
  });

const files = (what: string) =>
  z.array(path).min(1, 'at least one file').max(64, 'at most 64 files').describe(what).optional();

const admission = z
  .strictObject({
    intake: z
      .enum(['bench', 'field', 'service-request'])
      .optional()
      .describe('Where the question comes from; else told by what is named.'),
    eligibleCombinations: path.optional().describe('The Eligible Products Combination List.'),
    pendingCombinations: path.optional().describe('Tests that expedited entries refer to.'),
    columns: path.optional().describe('How the columns of these lists are called.'),
    installations: path.optional().describe('The installations that the devices are part of.'),
    installationId: text(1, 128)
      .optional()
      .describe('The one of devices that name none of their own.'),
    listsFetched: text(1, 32)
      .refine((written) => momentMs(written) !== undefined, MOMENT)
      .optional()
      .describe('When the lists were fetched: a day such as "2021-07-20", or a time.'),
    floors: path.optional().describe('The oldest versions that may be given.'),
    waiver: path.optional().describe('A signed downgrade waiver.'),
    certificates: files('Certificates of parties that sign, and of their CAs.'),
    revocationLists: files('Revocation lists of every issuer.'),
    zseSigners: z
      .array(eui64)
      .max(256, 'at most 256 signers')
      .optional()
      .describe('EUI-64s of those who may sign images with a Smart Energy signature.'),
  })
  .describe('What decisions rest on, as the options of verify, plan and flash name it.');

const WAN_TARGET = 'a host and its port, such as fleet.example:8443';
const wan = z.strictObject({
  id: id.describe('As the steps of a scenario name it.'),
  listen: listen.describe(
    'Where the lab stands in front of it: this is what a gateway is to name.',
  ),
  target: listen.refine(({ port }) => port > 0, WAN_TARGET).describe('The server itself.'),
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
    .describe('The trust anchors: a folder with anchors.json, or that document by itself.'),
  admission: admission.optional(),
  auditLog: path
    .optional()
    .describe('The log that every decision is recorded in, relative to this file.'),
  wan: z
    .array(wan)
    .max(16, 'at most 16 servers')
    .default([])
    .describe('Servers of the network that a lab can cut off and slow down.'),
  coordinators: z.array(coordinator).max(64, 'at most 64 coordinators').default([]),
  devices: z
    .array(device)
    .min(1, 'at least one device')
    .max(RIG_DEVICES_MAX, `at most ${RIG_DEVICES_MAX} devices`),
});

/** Schemas of JSON that a schema above does not tell by itself. */
export const JSON_SCHEMA_OPTIONS = new Map<z.core.$ZodType, readonly z.ZodType[]>([
  [device, KINDS],
]);

export type RigDocument = z.output<typeof rigSchema>;
export type AdmissionDocument = z.output<typeof admission>;
export type WanConfig = RigDocument['wan'][number];
export type CoordinatorConfig = RigDocument['coordinators'][number];
export type ZigbeeDeviceDocument = z.output<typeof zigbeeDevice>;
export type SerialDeviceDocument = z.output<typeof serialDevice>;
export type LinkFaults = z.output<typeof linkFaults>;
