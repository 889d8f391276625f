/** A frame of the OTA cluster in a line. */
import { hexDigits } from '../../bytes/hex.ts';
import { decodeOtaFrame, type OtaMessage, statusName } from '../../protocol/zcl-ota/codec.ts';

const COMMANDS_OF_OTHERS = 'a frame of another kind';

export function otaText(bytes: Uint8Array): string {
  const frame = decodeOtaFrame(bytes);
  if (!frame.ok) return `${COMMANDS_OF_OTHERS}: ${frame.code}, command ${frame.command}`;
  const { kind, ...fields } = frame.message;
  const words = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${fieldText(name as keyof OtaMessage, value)}`);
  return `${kind} #${frame.sequence}${words.length > 0 ? ` ${words.join(', ')}` : ''}`;
}

const HEX_DIGITS: Readonly<Record<string, number>> = {
  manufacturerCode: 4,
  imageType: 4,
  fileVersion: 8,
  hardwareVersion: 4,
  zigbeeStackVersion: 4,
  command: 2,
};

function fieldText(name: string, value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (name === 'status' && typeof value === 'number') return statusName(value);
  const digits = HEX_DIGITS[name];
  return digits !== undefined && typeof value === 'number'
    ? `0x${hexDigits(value, digits)}`
    : String(value);
}
