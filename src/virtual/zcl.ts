/**
 * The profile-wide part of the ZigBee Cluster Library (ZCL revision 6, chapter 2) as far as a virtual
 * device answers it: attributes are read, everything else gets a default response.
 */
import { ByteReader } from '../bytes/reader.ts';
import { ByteWriter } from '../bytes/writer.ts';

export const ZCL_STATUS = { success: 0x00, unsupportedCommand: 0x81, unsupportedAttribute: 0x86 };

export type AttributeValue =
  | { type: 'u8' | 'u16' | 'u32' | 'enum8'; value: number }
  | { type: 'text'; value: string }
  | { type: 'eui64'; value: Uint8Array };

/** An attribute by its id; `undefined` where the cluster does not have it. */
export type AttributeSource = (attributeId: number) => AttributeValue | undefined;

export interface ZclHead {
  frameControl: number;
  manufacturerCode: number | undefined;
  sequence: number;
  command: number;
  payload: Uint8Array;
}

const READ_ATTRIBUTES = 0x00;
const READ_ATTRIBUTES_RESPONSE = 0x01;
const DEFAULT_RESPONSE = 0x0b;
const CLUSTER_SPECIFIC = 0x01;
const MANUFACTURER_SPECIFIC = 0x04;
const SERVER_TO_CLIENT = 0x08;
const DISABLE_DEFAULT_RESPONSE = 0x10;
const TYPE_ID = { u8: 0x20, u16: 0x21, u32: 0x23, enum8: 0x30, text: 0x42, eui64: 0xf0 } as const;
/** A response has to fit one frame of the coordinator's interface. */
const RESPONSE_BYTES_MAX = 200;

export function decodeZclHead(frame: Uint8Array): ZclHead | undefined {
  const reader = new ByteReader(frame);
  const frameControl = reader.u8();
  const manufacturerCode = frameControl & MANUFACTURER_SPECIFIC ? reader.u16() : undefined;
  const sequence = reader.u8();
  const command = reader.u8();
  if (reader.overrun) return undefined;
  const payload = reader.view(reader.remaining);
  return { frameControl, manufacturerCode, sequence, command, payload };
}

export function isClusterCommand(head: ZclHead): boolean {
  return (head.frameControl & 3) === CLUSTER_SPECIFIC;
}

/** The request is addressed to the device's client of the cluster. */
export function isFromServer(head: ZclHead): boolean {
  return (head.frameControl & SERVER_TO_CLIENT) !== 0;
}

/** The answer to a profile-wide command; `undefined` where none is due. */
export function answerProfileWide(
  head: ZclHead,
  attributes: AttributeSource,
): Uint8Array | undefined {
  if (head.command === DEFAULT_RESPONSE) return undefined;
  if (head.command !== READ_ATTRIBUTES) return defaultResponse(head, ZCL_STATUS.unsupportedCommand);
  const request = new ByteReader(head.payload);
  const response = beginResponse(head, READ_ATTRIBUTES_RESPONSE);
  while (request.remaining >= 2 && response.position < RESPONSE_BYTES_MAX) {
    const attributeId = request.u16();
    const value = head.manufacturerCode === undefined ? attributes(attributeId) : undefined;
    response.u16(attributeId);
    if (value === undefined) response.u8(ZCL_STATUS.unsupportedAttribute);
    else writeValue(value, response.u8(ZCL_STATUS.success));
  }
  return response.written();
}

/** A success is told only to those who want to hear it. */
export function defaultResponse(head: ZclHead, status: number): Uint8Array | undefined {
  const unwanted = (head.frameControl & DISABLE_DEFAULT_RESPONSE) !== 0;
  if (unwanted && status === ZCL_STATUS.success) return undefined;
  return beginResponse(head, DEFAULT_RESPONSE).u8(head.command).u8(status).written();
}

/** Profile-wide, in the other direction, under the request's sequence and manufacturer code. */
function beginResponse(head: ZclHead, command: number): ByteWriter {
  const direction = (head.frameControl & SERVER_TO_CLIENT) ^ SERVER_TO_CLIENT;
  const manufacturer = head.frameControl & MANUFACTURER_SPECIFIC;
  const writer = new ByteWriter(new Uint8Array(RESPONSE_BYTES_MAX + 64));
  writer.u8(DISABLE_DEFAULT_RESPONSE | direction | manufacturer);
  if (head.manufacturerCode !== undefined) writer.u16(head.manufacturerCode);
  return writer.u8(head.sequence).u8(command);
}

function writeValue(value: AttributeValue, writer: ByteWriter): void {
  writer.u8(TYPE_ID[value.type]);
  switch (value.type) {
    case 'u8':
    case 'enum8':
      writer.u8(value.value);
      return;
    case 'u16':
      writer.u16(value.value);
      return;
    case 'u32':
      writer.u32(value.value);
      return;
    case 'text': {
      const bytes = Buffer.from(value.value, 'latin1').subarray(0, 32);
      writer.u8(bytes.length).raw(bytes);
      return;
    }
    case 'eui64':
      writer.raw(value.value);
      return;
  }
}
