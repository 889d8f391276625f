/**
 * Frames of the ZigBee OTA Upgrade cluster 0x0019, both directions (ZigBee OTA Upgrade Cluster
 * specification 095264, chapter 6; ZCL frame format, ZCL revision 6, section 2.4).
 *
 * The gateway, the virtual devices and the tools share it. It is the plain form: one object a message.
 * The server's path for image blocks reads and writes the same layout in place and allocates nothing.
 * Readers are as lenient as real devices need: trailing bytes are ignored, an optional field that is
 * announced but missing is taken as absent, an upgrade end request with a failure may stop at its status.
 */
import { eui64FromWire, eui64ToWire } from '../../bytes/hex.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { ByteWriter } from '../../bytes/writer.ts';
import { assert } from '../../errors.ts';

export const OTA_CLUSTER = 0x0019;

export const OTA_COMMAND = {
  imageNotify: 0x00,
  queryNextImageRequest: 0x01,
  queryNextImageResponse: 0x02,
  imageBlockRequest: 0x03,
  imagePageRequest: 0x04,
  imageBlockResponse: 0x05,
  upgradeEndRequest: 0x06,
  upgradeEndResponse: 0x07,
  queryDeviceSpecificFileRequest: 0x08,
  queryDeviceSpecificFileResponse: 0x09,
} as const;

/** ZCL's profile-wide default response. */
export const DEFAULT_RESPONSE = 0x0b;

/** ZCL status codes this cluster uses. */
export const STATUS = {
  success: 0x00,
  failure: 0x01,
  notAuthorized: 0x7e,
  malformedCommand: 0x80,
  unsupportedCommand: 0x81,
  invalidField: 0x85,
  invalidValue: 0x87,
  insufficientSpace: 0x89,
  abort: 0x95,
  invalidImage: 0x96,
  waitForData: 0x97,
  noImageAvailable: 0x98,
  requireMoreImage: 0x99,
} as const;

/** A status in words, for people. */
export function statusName(status: number): string {
  const found = Object.entries(STATUS).find(([, value]) => value === status);
  const words = found?.[0].replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return words ?? `status 0x${status.toString(16).padStart(2, '0')}`;
}

/** Upgrade time that holds the image until the server sends another upgrade end response. */
export const UPGRADE_TIME_HOLD = 0xffffffff;
/** Any manufacturer or image type; any file version. */
export const ANY_U16 = 0xffff;
export const ANY_U32 = 0xffffffff;

/** What names a file on the air. It names no content: real files share one triple. */
export interface ImageTriple {
  manufacturerCode: number;
  imageType: number;
  fileVersion: number;
}

export type OtaMessage =
  | {
      kind: 'image-notify';
      /** 0 jitter, 1 and manufacturer, 2 and image type, 3 and file version. */
      payloadType: 0 | 1 | 2 | 3;
      queryJitter: number;
      manufacturerCode?: number;
      imageType?: number;
      fileVersion?: number;
    }
  | ({ kind: 'query-next-image-request'; hardwareVersion?: number } & ImageTriple)
  | ({
      kind: 'query-next-image-response';
      status: number;
      imageBytes?: number;
    } & Partial<ImageTriple>)
  | ({
      kind: 'image-block-request';
      fileOffset: number;
      maximumDataBytes: number;
      requestNodeEui64?: string;
      minimumBlockPeriod?: number;
    } & ImageTriple)
  | ({
      kind: 'image-page-request';
      fileOffset: number;
      maximumDataBytes: number;
      pageBytes: number;
      responseSpacingMs: number;
      requestNodeEui64?: string;
    } & ImageTriple)
  | ({ kind: 'image-block-response'; fileOffset: number; data: Uint8Array } & ImageTriple)
  | {
      kind: 'image-block-wait';
      currentTime: number;
      requestTime: number;
      minimumBlockPeriod?: number;
    }
  | { kind: 'image-block-refusal'; status: number }
  | ({ kind: 'upgrade-end-request'; status: number } & Partial<ImageTriple>)
  | ({ kind: 'upgrade-end-response'; currentTime: number; upgradeTime: number } & ImageTriple)
  | ({
      kind: 'query-device-specific-file-request';
      eui64: string;
      zigbeeStackVersion: number;
    } & ImageTriple)
  | ({
      kind: 'query-device-specific-file-response';
      status: number;
      imageBytes?: number;
    } & Partial<ImageTriple>)
  | { kind: 'default-response'; command: number; status: number };

export interface OtaFrame {
  frameControl: number;
  manufacturerSpecific: number | undefined;
  sequence: number;
  command: number;
  message: OtaMessage;
}

export type DecodedOtaFrame =
  | ({ ok: true } & OtaFrame)
  | {
      ok: false;
      code: 'malformed' | 'unsupported-command' | 'not-a-frame';
      manufacturerSpecific: number | undefined;
      sequence: number;
      command: number;
    };

const FRAME_TYPE_MASK = 0x03;
const CLUSTER_SPECIFIC = 0x01;
const MANUFACTURER_SPECIFIC = 0x04;
const SERVER_TO_CLIENT = 0x08;
const DISABLE_DEFAULT_RESPONSE = 0x10;

/** ZCL frame head without a manufacturer code: frame control, sequence, command. */
export const ZCL_HEAD_BYTES = 3;
/** Image block response before its data: head, status, manufacturer, type, version, offset, size. */
export const BLOCK_RESPONSE_HEAD_BYTES = ZCL_HEAD_BYTES + 14;
/** Frame control of every answer of the server: cluster command, server to client, no default response. */
export const SERVER_FRAME_CONTROL = CLUSTER_SPECIFIC | SERVER_TO_CLIENT | DISABLE_DEFAULT_RESPONSE;

/** Reads a frame of either direction; data views share the frame's memory. */
export function decodeOtaFrame(bytes: Uint8Array): DecodedOtaFrame {
  const reader = new ByteReader(bytes);
  const frameControl = reader.u8();
  const manufacturerSpecific = frameControl & MANUFACTURER_SPECIFIC ? reader.u16() : undefined;
  const sequence = reader.u8();
  const command = reader.u8();
  const head = { manufacturerSpecific, sequence, command };
  const frameType = frameControl & FRAME_TYPE_MASK;
  if (reader.overrun || frameType > CLUSTER_SPECIFIC)
    return { ok: false, code: 'not-a-frame', ...head };
  const message =
    frameType === CLUSTER_SPECIFIC
      ? readCommand(command, reader)
      : readProfileWide(command, reader);
  if (message === undefined) return { ok: false, code: 'unsupported-command', ...head };
  if (reader.overrun) return { ok: false, code: 'malformed', ...head };
  return { ok: true, frameControl, ...head, message };
}

/** Writes a frame; the direction follows from the message. A default response is the server's unless told. */
export function encodeOtaFrame(
  message: OtaMessage,
  sequence: number,
  options: { defaultResponseToServer?: boolean; manufacturerSpecific?: number | undefined } = {},
): Uint8Array {
  const { manufacturerSpecific } = options;
  const data = message.kind === 'image-block-response' ? message.data.length : 0;
  assert(data <= 0xff, 'a block fits its size field');
  const writer = new ByteWriter(new Uint8Array(64 + data));
  const fromClient = message.kind.endsWith('-request') || options.defaultResponseToServer === true;
  const direction = fromClient ? 0 : SERVER_TO_CLIENT;
  const scope = message.kind === 'default-response' ? 0 : CLUSTER_SPECIFIC;
  const manufacturer = manufacturerSpecific === undefined ? 0 : MANUFACTURER_SPECIFIC;
  writer.u8(scope | manufacturer | direction | DISABLE_DEFAULT_RESPONSE);
  if (manufacturerSpecific !== undefined) writer.u16(manufacturerSpecific);
  writer.u8(sequence).u8(commandOf(message));
  writeMessage(message, writer);
  return writer.written();
}

function readProfileWide(command: number, reader: ByteReader): OtaMessage | undefined {
  if (command !== DEFAULT_RESPONSE) return undefined;
  return { kind: 'default-response', command: reader.u8(), status: reader.u8() };
}

function readCommand(command: number, reader: ByteReader): OtaMessage | undefined {
  switch (command) {
    case OTA_COMMAND.imageNotify:
      return readNotify(reader);
    case OTA_COMMAND.queryNextImageRequest:
      return readQuery(reader);
    case OTA_COMMAND.queryNextImageResponse:
      return readOffer('query-next-image-response', reader);
    case OTA_COMMAND.imageBlockRequest:
      return readBlockRequest(reader);
    case OTA_COMMAND.imagePageRequest:
      return readPageRequest(reader);
    case OTA_COMMAND.imageBlockResponse:
      return readBlockResponse(reader);
    case OTA_COMMAND.upgradeEndRequest:
      return readEndRequest(reader);
    case OTA_COMMAND.upgradeEndResponse:
      return {
        kind: 'upgrade-end-response',
        ...readTriple(reader),
        currentTime: reader.u32(),
        upgradeTime: reader.u32(),
      };
    case OTA_COMMAND.queryDeviceSpecificFileRequest:
      return readSpecificFileRequest(reader);
    case OTA_COMMAND.queryDeviceSpecificFileResponse:
      return readOffer('query-device-specific-file-response', reader);
    default:
      return undefined;
  }
}

function readTriple(reader: ByteReader): ImageTriple {
  return { manufacturerCode: reader.u16(), imageType: reader.u16(), fileVersion: reader.u32() };
}

function readNotify(reader: ByteReader): OtaMessage {
  const payloadType = reader.u8();
  const queryJitter = reader.u8();
  if (payloadType > 3) reader.overrun = true;
  const message: OtaMessage = {
    kind: 'image-notify',
    payloadType: (payloadType & 3) as 0 | 1 | 2 | 3,
    queryJitter,
  };
  if (payloadType >= 1) message.manufacturerCode = reader.u16();
  if (payloadType >= 2) message.imageType = reader.u16();
  if (payloadType >= 3) message.fileVersion = reader.u32();
  return message;
}

function readQuery(reader: ByteReader): OtaMessage {
  const control = reader.u8();
  const message: OtaMessage = { kind: 'query-next-image-request', ...readTriple(reader) };
  if (control & 1 && reader.remaining >= 2) message.hardwareVersion = reader.u16();
  return message;
}

function readOffer(
  kind: 'query-next-image-response' | 'query-device-specific-file-response',
  reader: ByteReader,
): OtaMessage {
  const status = reader.u8();
  if (status !== STATUS.success) return { kind, status };
  return { kind, status, ...readTriple(reader), imageBytes: reader.u32() };
}

function readBlockRequest(reader: ByteReader): OtaMessage {
  const control = reader.u8();
  const message: OtaMessage = {
    kind: 'image-block-request',
    ...readTriple(reader),
    fileOffset: reader.u32(),
    maximumDataBytes: reader.u8(),
  };
  if (control & 1) {
    // Less than the address that is announced: what is left has no known layout.
    if (reader.remaining < 8) return message;
    message.requestNodeEui64 = eui64FromWire(reader.view(8));
  }
  if (control & 2 && reader.remaining >= 2) message.minimumBlockPeriod = reader.u16();
  return message;
}

function readPageRequest(reader: ByteReader): OtaMessage {
  const control = reader.u8();
  const message: OtaMessage = {
    kind: 'image-page-request',
    ...readTriple(reader),
    fileOffset: reader.u32(),
    maximumDataBytes: reader.u8(),
    pageBytes: reader.u16(),
    responseSpacingMs: reader.u16(),
  };
  if (control & 1 && reader.remaining >= 8)
    message.requestNodeEui64 = eui64FromWire(reader.view(8));
  return message;
}

function readBlockResponse(reader: ByteReader): OtaMessage {
  const status = reader.u8();
  if (status === STATUS.waitForData) {
    const message: OtaMessage = {
      kind: 'image-block-wait',
      currentTime: reader.u32(),
      requestTime: reader.u32(),
    };
    if (reader.remaining >= 2) message.minimumBlockPeriod = reader.u16();
    return message;
  }
  if (status !== STATUS.success) return { kind: 'image-block-refusal', status };
  const triple = readTriple(reader);
  const fileOffset = reader.u32();
  return { kind: 'image-block-response', ...triple, fileOffset, data: reader.view(reader.u8()) };
}

function readEndRequest(reader: ByteReader): OtaMessage {
  const status = reader.u8();
  if (status !== STATUS.success && reader.remaining < 8)
    return { kind: 'upgrade-end-request', status };
  return { kind: 'upgrade-end-request', status, ...readTriple(reader) };
}

function readSpecificFileRequest(reader: ByteReader): OtaMessage {
  const eui64 = eui64FromWire(reader.view(8));
  const triple = readTriple(reader);
  return {
    kind: 'query-device-specific-file-request',
    eui64,
    ...triple,
    zigbeeStackVersion: reader.u16(),
  };
}

function commandOf(message: OtaMessage): number {
  switch (message.kind) {
    case 'image-notify':
      return OTA_COMMAND.imageNotify;
    case 'query-next-image-request':
      return OTA_COMMAND.queryNextImageRequest;
    case 'query-next-image-response':
      return OTA_COMMAND.queryNextImageResponse;
    case 'image-block-request':
      return OTA_COMMAND.imageBlockRequest;
    case 'image-page-request':
      return OTA_COMMAND.imagePageRequest;
    case 'image-block-response':
    case 'image-block-wait':
    case 'image-block-refusal':
      return OTA_COMMAND.imageBlockResponse;
    case 'upgrade-end-request':
      return OTA_COMMAND.upgradeEndRequest;
    case 'upgrade-end-response':
      return OTA_COMMAND.upgradeEndResponse;
    case 'query-device-specific-file-request':
      return OTA_COMMAND.queryDeviceSpecificFileRequest;
    case 'query-device-specific-file-response':
      return OTA_COMMAND.queryDeviceSpecificFileResponse;
    case 'default-response':
      return DEFAULT_RESPONSE;
  }
}

function writeTriple(writer: ByteWriter, triple: Partial<ImageTriple>): ByteWriter {
  return writer
    .u16(triple.manufacturerCode ?? ANY_U16)
    .u16(triple.imageType ?? ANY_U16)
    .u32(triple.fileVersion ?? ANY_U32);
}

function writeMessage(message: OtaMessage, writer: ByteWriter): void {
  switch (message.kind) {
    case 'image-notify':
      writer.u8(message.payloadType).u8(message.queryJitter);
      if (message.payloadType >= 1) writer.u16(message.manufacturerCode ?? ANY_U16);
      if (message.payloadType >= 2) writer.u16(message.imageType ?? ANY_U16);
      if (message.payloadType >= 3) writer.u32(message.fileVersion ?? ANY_U32);
      return;
    case 'query-next-image-request':
      writeTriple(writer.u8(message.hardwareVersion === undefined ? 0 : 1), message);
      if (message.hardwareVersion !== undefined) writer.u16(message.hardwareVersion);
      return;
    case 'query-next-image-response':
    case 'query-device-specific-file-response':
      writer.u8(message.status);
      if (message.status === STATUS.success)
        writeTriple(writer, message).u32(message.imageBytes ?? 0);
      return;
    case 'image-block-request':
    case 'image-page-request':
      writeDataRequest(message, writer);
      return;
    case 'image-block-response':
      writeTriple(writer.u8(STATUS.success), message);
      writer.u32(message.fileOffset).u8(message.data.length).raw(message.data);
      return;
    case 'image-block-wait':
      writer.u8(STATUS.waitForData).u32(message.currentTime).u32(message.requestTime);
      writer.u16(message.minimumBlockPeriod ?? 0);
      return;
    case 'image-block-refusal':
      writer.u8(message.status);
      return;
    case 'upgrade-end-request':
      writer.u8(message.status);
      if (message.fileVersion !== undefined || message.status === STATUS.success)
        writeTriple(writer, message);
      return;
    case 'upgrade-end-response':
      writeTriple(writer, message).u32(message.currentTime).u32(message.upgradeTime);
      return;
    case 'query-device-specific-file-request':
      writeTriple(writer.raw(eui64ToWire(message.eui64)!), message).u16(message.zigbeeStackVersion);
      return;
    case 'default-response':
      writer.u8(message.command).u8(message.status);
      return;
  }
}

function writeDataRequest(
  message: Extract<OtaMessage, { kind: 'image-block-request' | 'image-page-request' }>,
  writer: ByteWriter,
): void {
  const period = message.kind === 'image-block-request' ? message.minimumBlockPeriod : undefined;
  const control = (message.requestNodeEui64 ? 1 : 0) | (period === undefined ? 0 : 2);
  writeTriple(writer.u8(control), message).u32(message.fileOffset).u8(message.maximumDataBytes);
  if (message.kind === 'image-page-request')
    writer.u16(message.pageBytes).u16(message.responseSpacingMs);
  if (message.requestNodeEui64) writer.raw(eui64ToWire(message.requestNodeEui64)!);
  if (period !== undefined) writer.u16(period);
}
