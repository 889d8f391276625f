/**
 * ZDO: descriptors, addresses, bindings, joining. A request's response is a status; the answer of the
 * device that was asked follows as an indication, or not at all where the device is out of reach.
 */
import { eui64FromWire, eui64ToWire } from '../../bytes/hex.ts';
import type { ByteReader } from '../../bytes/reader.ts';
import type { ByteWriter } from '../../bytes/writer.ts';
import { isRouter, type RadioNode, type SimpleDescriptor } from '../node.ts';
import type { Fill, RequestTable, ZnpContext } from './context.ts';
import { COORDINATOR_ADDRESS } from './context.ts';
import { SUBSYSTEM } from './frame.ts';
import { changeChannel, readNetwork } from './network.ts';

export const ZDO_INDICATION = {
  stateChange: 0xc0,
  deviceAnnounce: 0xc1,
  leave: 0xc9,
  trustCentreDevice: 0xca,
  permitJoin: 0xcb,
} as const;

/** ZDO status: the device has no such endpoint. */
const NOT_ACTIVE = 0x83;
const NO_GROUP = 0x01;
const BROADCAST_MODE = 0x0f;
const NEIGHBOURS_IN_A_FRAME = 3;
const COORDINATOR_CAPABILITY = 0x8f;
const TEXAS_INSTRUMENTS = 0x0007;
const LEAVE_REJOIN_FLAG = 0x80;

export const ZDO_TABLE: RequestTable = {
  0: (context, request, reply) => {
    const eui64 = eui64FromWire(request.view(8));
    request.skip(2);
    reply.u8(0);
    const address = addressOf(context, eui64);
    if (address !== undefined) answerAddress(context, 0x80, eui64, address);
  },
  1: (context, request, reply) => {
    const address = request.u16();
    request.skip(2);
    reply.u8(0);
    const own = address === COORDINATOR_ADDRESS;
    const eui64 = own ? context.eui64 : reachable(context, address)?.eui64;
    if (eui64 !== undefined) answerAddress(context, 0x81, eui64, address);
  },
  2: (context, request, reply) => {
    const address = destination(request);
    reply.u8(0);
    answerAs(context, 0x82, address, (node, data) => {
      data.u8(0).u16(address);
      writeNodeDescriptor(node, data);
    });
  },
  4: (context, request, reply) => {
    const address = destination(request);
    const endpoint = request.u8();
    reply.u8(0);
    answerAs(context, 0x84, address, (node, data) => {
      const descriptors = node?.endpoints ?? [...context.endpoints.values()];
      const found = descriptors.find((descriptor) => descriptor.endpoint === endpoint);
      if (found === undefined) data.u8(NOT_ACTIVE).u16(address).u8(0);
      else writeSimpleDescriptor(found, data.u8(0).u16(address));
    });
  },
  5: (context, request, reply) => {
    const address = destination(request);
    reply.u8(0);
    answerAs(context, 0x85, address, (node, data) => {
      const endpoints = node?.endpoints.map(({ endpoint }) => endpoint) ?? [
        ...context.endpoints.keys(),
      ];
      data.u8(0).u16(address).u8(endpoints.length);
      for (const endpoint of endpoints) data.u8(endpoint);
    });
  },
  33: (context, request, reply) => answerBinding(context, 0xa1, request, reply),
  34: (context, request, reply) => answerBinding(context, 0xa2, request, reply),
  49: (context, request, reply) => {
    const address = request.u16();
    const start = request.u8();
    reply.u8(0);
    answerAs(context, 0xb1, address, (node, data) => writeNeighbours(context, node, start, data));
  },
  50: (context, request, reply) => {
    const address = request.u16();
    request.u8();
    reply.u8(0);
    answerAs(context, 0xb2, address, (_node, data) => data.u8(0).u8(0).u8(0).u8(0));
  },
  52: (context, request, reply) => {
    const address = request.u16();
    request.skip(8);
    const rejoin = (request.u8() & LEAVE_REJOIN_FLAG) !== 0;
    reply.u8(0);
    const node = reachable(context, address);
    if (node === undefined) return;
    answerAs(context, 0xb4, address, (_node, data) => data.u8(0));
    context.radio.roundTrip(() => context.announceLeave(node, rejoin));
  },
  54: permitJoin,
  55: (context, request, reply) => {
    request.skip(3);
    const mask = request.u32();
    request.skip(4);
    reply.u8(0);
    if (mask !== 0) changeChannel(context.nv, 31 - Math.clz32(mask & -mask));
  },
  64: (context, request, reply) => {
    request.u16();
    reply.u8(0);
    context.startNetwork();
  },
  69: (_context, request, reply) => {
    request.skip(4);
    reply.u8(0);
  },
  74: (context, request, reply) => {
    const endpoint = request.u8();
    const group = request.u16();
    const member = context.groups.has((endpoint << 16) | group);
    reply
      .u8(member ? 0 : NO_GROUP)
      .u16(group)
      .u8(0);
  },
  75: (context, request, reply) => {
    const endpoint = request.u8();
    const group = request.u16();
    request.skip(request.u8());
    context.groups.add((endpoint << 16) | group);
    reply.u8(0);
  },
  80: (context, _request, reply) => {
    const network = readNetwork(context.nv);
    reply
      .u16(COORDINATOR_ADDRESS)
      .u8(context.state)
      .u16(network?.panId ?? 0xffff)
      .u16(0);
    reply.raw(eui64ToWire(network?.extendedPanId ?? '0000000000000000')!).fill(0, 8);
    reply.u8(network?.channel ?? 0);
  },
};

/** Node descriptor by node, 13 bytes; of the coordinator where there is none. */
export function writeNodeDescriptor(node: RadioNode | undefined, data: ByteWriter): void {
  const type = node === undefined ? 0 : isRouter(node.capability) ? 1 : 2;
  data
    .u8(type)
    .u8(0x40)
    .u8(node?.capability ?? COORDINATOR_CAPABILITY);
  data
    .u16(node?.manufacturerCode ?? TEXAS_INSTRUMENTS)
    .u8(80)
    .u16(128)
    .u16(0x2c00)
    .u16(128)
    .u8(0);
}

/** The devices asked name themselves and their network address, twice the same here. */
function destination(request: ByteReader): number {
  const address = request.u16();
  request.u16();
  return address;
}

function reachable(context: ZnpContext, address: number): RadioNode | undefined {
  const node = context.registry.at(address);
  return node?.online ? node : undefined;
}

function addressOf(context: ZnpContext, eui64: string): number | undefined {
  if (eui64 === context.eui64) return COORDINATOR_ADDRESS;
  const node = context.registry.find(eui64);
  return node?.online ? node.association!.networkAddress : undefined;
}

function answerAddress(context: ZnpContext, command: number, eui64: string, address: number): void {
  const fill: Fill = (data) => data.u8(0).raw(eui64ToWire(eui64)!).u16(address).u8(0).u8(0);
  context.radio.roundTrip(() => context.indicate(SUBSYSTEM.zdo, command, fill));
}

/** The answer of the device at `address`, after its address; the coordinator answers for itself. */
function answerAs(
  context: ZnpContext,
  command: number,
  address: number,
  fill: (node: RadioNode | undefined, data: ByteWriter) => void,
): void {
  const own = address === COORDINATOR_ADDRESS;
  const node = own ? undefined : reachable(context, address);
  if (!own && node === undefined) return;
  context.radio.roundTrip(() =>
    context.indicate(SUBSYSTEM.zdo, command, (data) => fill(node, data.u16(address))),
  );
}

function answerBinding(
  context: ZnpContext,
  command: number,
  request: ByteReader,
  reply: ByteWriter,
): void {
  const address = request.u16();
  request.skip(21);
  reply.u8(0);
  answerAs(context, command, address, (_node, data) => data.u8(0));
}

function permitJoin(context: ZnpContext, request: ByteReader, reply: ByteWriter): void {
  const mode = request.u8();
  const address = request.u16();
  const seconds = request.u8();
  request.u8();
  reply.u8(0);
  context.permitJoin(seconds);
  context.indicateLater(0, SUBSYSTEM.zdo, ZDO_INDICATION.permitJoin, (data) => data.u8(seconds));
  if (mode === BROADCAST_MODE) return;
  answerAs(context, 0xb6, address, (_node, data) => data.u8(0));
}

function writeSimpleDescriptor(descriptor: SimpleDescriptor, data: ByteWriter): void {
  const { inputClusters, outputClusters } = descriptor;
  data.u8(8 + 2 * (inputClusters.length + outputClusters.length));
  data.u8(descriptor.endpoint).u16(descriptor.profileId).u16(descriptor.deviceId);
  data.u8(descriptor.version).u8(inputClusters.length);
  for (const cluster of inputClusters) data.u16(cluster);
  data.u8(outputClusters.length);
  for (const cluster of outputClusters) data.u16(cluster);
}

/** A star: the coordinator's neighbours are all devices, a device has none. */
function writeNeighbours(
  context: ZnpContext,
  node: RadioNode | undefined,
  start: number,
  data: ByteWriter,
): void {
  const all = node === undefined ? context.registry.joined().slice(0, 255) : [];
  const shown = all.slice(start, start + NEIGHBOURS_IN_A_FRAME);
  const extendedPanId = eui64ToWire(readNetwork(context.nv)!.extendedPanId)!;
  data.u8(0).u8(all.length).u8(start).u8(shown.length);
  for (const neighbour of shown) {
    const type = isRouter(neighbour.capability) ? 0x15 : 0x12;
    data.raw(extendedPanId).raw(eui64ToWire(neighbour.eui64)!);
    data.u16(neighbour.association!.networkAddress).u8(type).u8(0).u8(1).u8(180);
  }
}
