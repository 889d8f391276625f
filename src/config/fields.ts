/**
 * Kinds of value that model and rig files share. Every text here is what was expected, in words that fit
 * after "expected". The door of the `zod` package: the other schemas take it from here.
 */
import { z } from 'zod';
import { hex, parseEui64 } from '../bytes/hex.ts';

export { z };

/** A code of so many bits, written as a number or as text such as `0x121D`. */
export const code = (bits: 8 | 16 | 32, { min = 0, max = 2 ** bits - 1 } = {}) => {
  const digits = bits / 4;
  const error = `a number from ${hex(min, digits)} to ${hex(max, digits)}, written like 0x121D`;
  return z
    .union([z.number(), matching(/^0x[0-9a-fA-F]{1,8}$/, error)], error)
    .transform(Number)
    .pipe(z.int(error).min(min, error).max(max, error));
};

export const whole = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.int(error).min(min, error).max(max, error);
};

export const text = (min: number, max: number) => {
  const error = `text of ${min} to ${max} characters`;
  return z.string(error).min(min, error).max(max, error);
};

export const matching = (pattern: RegExp, error: string) => z.string(error).regex(pattern, error);

const MILLISECONDS = 'milliseconds from 0 to 86400000 (a day)';
export const milliseconds = z
  .number(MILLISECONDS)
  .min(0, MILLISECONDS)
  .max(86_400_000, MILLISECONDS);

const PROBABILITY = 'a probability from 0 to 1';
export const probability = z.number(PROBABILITY).min(0, PROBABILITY).max(1, PROBABILITY);

export const id = matching(
  /^[a-z0-9][a-z0-9-]{0,62}$/,
  'an id of lower-case letters, digits and hyphens, 63 at the most',
);
export const path = text(1, 1024);

const EUI64 = 'an EUI-64 in quotes: 16 hexadecimal digits, such as "00:0d:6f:00:0a:90:69:e7"';
export const eui64 = z
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
export const flash = z
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

export const deviceModel = z
  .strictObject({
    manufacturer: text(1, 30),
    model: text(1, 30),
    hardwareVersion: text(1, 8),
    hardwareRevision: text(1, 8),
  })
  .describe('As the Central Products List writes it: text, in quotes.');

/** Anything without a scheme is a serial path: their forms are the operating system's. */
export function isPort(port: string): boolean {
  if (!port.includes('://')) return true;
  const match = /^tcp:\/\/(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})$/.exec(port);
  const portNumber = Number(match?.[1]);
  return portNumber >= 1 && portNumber <= 65_535;
}

/** A USB adapter by its serial number: `usb:SERIAL` or `usb:VID:PID:SERIAL`. */
export function isUsbPort(port: string): boolean {
  return /^usb:[^\s/]{1,200}$/.test(port);
}
