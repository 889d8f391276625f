/** What switches the supply of a device, or its buttons: drivers and what each has to know. */
import { text, whole, z } from './fields.ts';

const TIMEOUT_MS = 'milliseconds from 100 to 600000 (ten minutes)';
const timeoutMs = z
  .number(TIMEOUT_MS)
  .min(100, TIMEOUT_MS)
  .max(600_000, TIMEOUT_MS)
  .default(10_000)
  .describe('How long one switching or reading may take.');

const command = z
  .array(text(0, 4096), 'a list: the program and its arguments, each after a hyphen')
  .min(1, 'at least the program')
  .max(64, 'at most 64 words');

const HTTP_URL = 'an address that begins with http:// or https://';
const httpUrl = text(1, 2048).refine(
  (written) => /^https?:\/\//.test(written) && URL.canParse(written),
  HTTP_URL,
);

const httpRequest = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT']).default('GET'),
  url: httpUrl,
  body: text(0, 65_536).optional(),
});

const commandDriver = z.strictObject({
  driver: z.literal('command'),
  on: command.describe('Run without a shell; ends with 0 where it succeeded.'),
  off: command,
  state: command.optional().describe('Prints `on` or `off` as its first word.'),
  timeoutMs,
});

const gpioDriver = z.strictObject({
  driver: z.literal('gpio'),
  chip: text(1, 256).describe('Such as gpiochip0.'),
  line: whole(0, 1023).describe('The offset of the line on its chip.'),
  activeLow: z.boolean().default(false).describe('On is a low level.'),
  libgpiod: z
    .union([z.literal(1), z.literal(2)], '1 or 2')
    .default(2)
    .describe('Which version of the libgpiod tools is installed: their arguments differ.'),
  timeoutMs,
});

const usbHubDriver = z.strictObject({
  driver: z.literal('usb-hub'),
  location: text(1, 64)
    .regex(/^\d+(-\d+(\.\d+)*)?$/, 'the location of a hub as uhubctl shows it, such as "1-1.2"')
    .describe('Of the hub, as uhubctl shows it.'),
  port: whole(1, 32),
  timeoutMs,
});

const modbusDriver = z.strictObject({
  driver: z.literal('modbus'),
  host: text(1, 253),
  port: whole(1, 65_535).default(502),
  unit: whole(0, 255).default(1),
  coil: whole(0, 65_535).describe('Counted from 0, as on the wire.'),
  timeoutMs,
});

const shellyDriver = z.strictObject({
  driver: z.literal('shelly'),
  url: httpUrl.describe('The relay, such as http://192.0.2.7.'),
  generation: z.union([z.literal(1), z.literal(2)], '1 or 2').describe('2 stands for later ones.'),
  channel: whole(0, 15).default(0),
  timeoutMs,
});

const restDriver = z.strictObject({
  driver: z.literal('rest'),
  on: httpRequest,
  off: httpRequest,
  state: z
    .strictObject({
      ...httpRequest.shape,
      on: text(1, 1024).describe('Where the answer holds this, it is on.'),
      off: text(1, 1024).describe('Where it holds this instead, it is off.'),
    })
    .optional(),
  headers: z.record(text(1, 128), text(0, 4096)).default({}).describe('Sent with every request.'),
  timeoutMs,
});

const virtualDriver = z.strictObject({
  driver: z.literal('virtual').describe('The supply of a device that is made of software.'),
});

export const POWER_DRIVERS = [
  'command',
  'gpio',
  'usb-hub',
  'modbus',
  'shelly',
  'rest',
  'virtual',
] as const;

export const power = z
  .discriminatedUnion(
    'driver',
    [
      commandDriver,
      gpioDriver,
      usbHubDriver,
      modbusDriver,
      shellyDriver,
      restDriver,
      virtualDriver,
    ],
    `one of ${POWER_DRIVERS.join(', ')}`,
  )
  .describe('What switches its supply.');

export const buttons = z
  .record(
    text(1, 63).regex(/^[a-z0-9][a-z0-9-]*$/, 'a name of lower-case letters, digits and hyphens'),
    power,
  )
  .describe('Its push buttons by name; a press is on, for so long, and off.');

export type PowerConfig = z.output<typeof power>;
export type PowerConfigOf<D extends PowerConfig['driver']> = Extract<PowerConfig, { driver: D }>;
export type HttpRequestConfig = z.output<typeof httpRequest>;
