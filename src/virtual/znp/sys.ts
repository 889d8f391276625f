/** SYS: ping, version, address, and the non-volatile memory. */
import { eui64ToWire } from '../../bytes/hex.ts';
import type { ByteReader } from '../../bytes/reader.ts';
import type { ByteWriter } from '../../bytes/writer.ts';
import type { RequestTable, ZnpContext } from './context.ts';
import { NV_STATUS } from './nv.ts';

/** What a version request and a reset tell: product 1 is Z-Stack 3.x.0, the revision is a date. */
export const FIRMWARE = {
  transportRevision: 2,
  product: 1,
  major: 2,
  minor: 7,
  maintenance: 1,
  revision: 20_230_507,
} as const;

export const SYS_RESET_REQUEST = 0x00;
export const SYS_RESET_INDICATION = 0x80;

const CAPABILITIES = 0x0659;
/** The most bytes of an item in one response. */
const READ_BYTES_MAX = 240;

export const SYS_TABLE: RequestTable = {
  1: (_context, _request, reply) => {
    reply.u16(CAPABILITIES);
  },
  2: (_context, _request, reply) => {
    reply.u8(FIRMWARE.transportRevision).u8(FIRMWARE.product).u8(FIRMWARE.major);
    reply.u8(FIRMWARE.minor).u8(FIRMWARE.maintenance).u32(FIRMWARE.revision);
  },
  4: (context, _request, reply) => {
    reply.raw(eui64ToWire(context.eui64)!);
  },
  7: initialiseItem,
  8: (context, request, reply) => {
    const id = request.u16();
    answerRead(reply, context.nv.item(id), request.u8(), READ_BYTES_MAX);
  },
  9: (context, request, reply) => {
    const id = request.u16();
    const offset = request.u8();
    reply.u8(context.nv.patchItem(id, offset, request.view(request.u8())));
  },
  15: (_context, request, reply) => {
    request.u8();
    reply.u8(request.u8());
  },
  18: (context, request, reply) => {
    const id = request.u16();
    const bytes = request.u16();
    const item = context.nv.item(id);
    if (item === undefined) reply.u8(NV_STATUS.created);
    else if (item.length !== bytes) reply.u8(NV_STATUS.badLength);
    else reply.u8(context.nv.deleteItem(id) ? NV_STATUS.success : NV_STATUS.created);
  },
  19: (context, request, reply) => {
    reply.u16(context.nv.item(request.u16())?.length ?? 0);
  },
  20: (_context, request, reply) => {
    reply.u8(request.u8());
  },
  28: (context, request, reply) => {
    const id = request.u16();
    answerRead(reply, context.nv.item(id), request.u16(), READ_BYTES_MAX);
  },
  29: (context, request, reply) => {
    const id = request.u16();
    const offset = request.u16();
    reply.u8(context.nv.patchItem(id, offset, request.view(request.u16())));
  },
  48: (context, request, reply) => {
    const { system, item, sub } = tableKey(request);
    const bytes = Math.min(request.u32(), READ_BYTES_MAX);
    context.nv.setTableEntry(system, item, sub, new Uint8Array(bytes).fill(0xff));
    reply.u8(NV_STATUS.success);
  },
  49: (context, request, reply) => {
    const { system, item, sub } = tableKey(request);
    const existed = context.nv.deleteTableEntry(system, item, sub);
    reply.u8(existed ? NV_STATUS.success : NV_STATUS.absent);
  },
  50: (context, request, reply) => {
    const { system, item, sub } = tableKey(request);
    reply.u8(context.nv.tableEntry(system, item, sub)?.length ?? 0);
  },
  51: (context, request, reply) => {
    const { system, item, sub } = tableKey(request);
    const offset = request.u16();
    answerRead(reply, context.nv.tableEntry(system, item, sub), offset, request.u8());
  },
  52: (context, request, reply) => {
    const { system, item, sub } = tableKey(request);
    const offset = request.u16();
    const bytes = request.view(request.u8());
    reply.u8(context.nv.patchTableEntry(system, item, sub, offset, bytes));
  },
};

function initialiseItem(context: ZnpContext, request: ByteReader, reply: ByteWriter): void {
  const id = request.u16();
  const bytes = request.u16();
  const initial = request.view(request.u8());
  const item = context.nv.item(id);
  if (item !== undefined) {
    reply.u8(item.length === bytes ? NV_STATUS.success : NV_STATUS.badLength);
    return;
  }
  const value = new Uint8Array(bytes).fill(0xff);
  value.set(initial.subarray(0, bytes));
  context.nv.setItem(id, value);
  reply.u8(NV_STATUS.created);
}

function answerRead(
  reply: ByteWriter,
  value: Uint8Array | undefined,
  offset: number,
  bytesMax: number,
): void {
  if (value === undefined || offset > value.length) {
    reply.u8(NV_STATUS.absent).u8(0);
    return;
  }
  const part = value.subarray(offset, offset + Math.min(bytesMax, READ_BYTES_MAX));
  reply.u8(NV_STATUS.success).u8(part.length).raw(part);
}

function tableKey(request: ByteReader): { system: number; item: number; sub: number } {
  return { system: request.u8(), item: request.u16(), sub: request.u16() };
}
