/** AF: endpoints of the host, and application frames to devices. */

import { eui64FromWire } from '../../bytes/hex.ts';
import { ByteReader } from '../../bytes/reader.ts';
import type { ByteWriter } from '../../bytes/writer.ts';
import type { RadioNode, UplinkFrame } from '../node.ts';
import type { RequestTable, ZnpContext } from './context.ts';
import { COORDINATOR_ADDRESS, DEVICE_STATE } from './context.ts';
import { SUBSYSTEM } from './frame.ts';

const DATA_CONFIRM = 0x80;
const INCOMING_MESSAGE = 0x81;
const STATUS_SUCCESS = 0x00;
const STATUS_INVALID_PARAMETER = 0x02;
const BROADCAST_FIRST = 0xfff8;
const ADDRESS_MODE = { group: 1, short: 2, extended: 3 } as const;
/** Link quality of every frame: the radio's faults are not in it. */
const LINK_QUALITY = 180;
const RADIUS_LEFT = 0x1d;
/** Endpoints a simple registration may list; the lengths are bytes of the host. */
const CLUSTERS_MAX = 64;

export const AF_TABLE: RequestTable = {
  0: registerEndpoint,
  1: dataRequest,
  2: dataRequestExtended,
};

/** Tells the host what a device has sent. */
export function indicateIncoming(context: ZnpContext, node: RadioNode, frame: UplinkFrame): void {
  const source = node.association!.networkAddress;
  context.indicate(SUBSYSTEM.af, INCOMING_MESSAGE, (data) => {
    data.u16(0).u16(frame.clusterId).u16(source);
    data.u8(frame.sourceEndpoint).u8(frame.destinationEndpoint);
    data.u8(0).u8(LINK_QUALITY).u8(0).u32(0).u8(0);
    data.u8(frame.payload.length).raw(frame.payload).u16(source).u8(RADIUS_LEFT);
  });
}

function registerEndpoint(context: ZnpContext, request: ByteReader, reply: ByteWriter): void {
  const endpoint = request.u8();
  const profileId = request.u16();
  const deviceId = request.u16();
  const version = request.u8();
  request.u8();
  const inputClusters = clusterList(request);
  const outputClusters = clusterList(request);
  if (request.overrun) {
    reply.u8(STATUS_INVALID_PARAMETER);
    return;
  }
  const descriptor = { endpoint, profileId, deviceId, version, inputClusters, outputClusters };
  context.endpoints.set(endpoint, descriptor);
  reply.u8(STATUS_SUCCESS);
}

function clusterList(request: ByteReader): number[] {
  const count = Math.min(request.u8(), CLUSTERS_MAX);
  return Array.from({ length: count }, () => request.u16());
}

interface Transmission {
  destination: { address: number } | { eui64: string } | { group: number };
  destinationEndpoint: number;
  sourceEndpoint: number;
  clusterId: number;
  transaction: number;
  payload: Uint8Array;
}

function dataRequest(context: ZnpContext, request: ByteReader, reply: ByteWriter): void {
  const address = request.u16();
  const destinationEndpoint = request.u8();
  const sourceEndpoint = request.u8();
  const clusterId = request.u16();
  const transaction = request.u8();
  request.skip(2);
  const payload = request.view(request.u8()).slice();
  transmit(context, request, reply, {
    destination: { address },
    destinationEndpoint,
    sourceEndpoint,
    clusterId,
    transaction,
    payload,
  });
}

function dataRequestExtended(context: ZnpContext, request: ByteReader, reply: ByteWriter): void {
  const mode = request.u8();
  const address = request.view(8);
  const destinationEndpoint = request.u8();
  request.skip(2);
  const sourceEndpoint = request.u8();
  const clusterId = request.u16();
  const transaction = request.u8();
  request.skip(2);
  const payload = request.view(request.u16()).slice();
  transmit(context, request, reply, {
    destination: extendedDestination(mode, address),
    destinationEndpoint,
    sourceEndpoint,
    clusterId,
    transaction,
    payload,
  });
}

function extendedDestination(mode: number, address: Uint8Array): Transmission['destination'] {
  if (mode === ADDRESS_MODE.extended) return { eui64: eui64FromWire(address) };
  const short = new ByteReader(address).u16();
  return mode === ADDRESS_MODE.group ? { group: short } : { address: short };
}

function transmit(
  context: ZnpContext,
  request: ByteReader,
  reply: ByteWriter,
  transmission: Transmission,
): void {
  const { sourceEndpoint, destinationEndpoint, clusterId, transaction, payload } = transmission;
  const registered = context.endpoints.has(sourceEndpoint);
  if (request.overrun || !registered || context.state !== DEVICE_STATE.coordinator) {
    reply.u8(STATUS_INVALID_PARAMETER);
    return;
  }
  reply.u8(STATUS_SUCCESS);
  const confirm = (status: number) =>
    context.indicate(SUBSYSTEM.af, DATA_CONFIRM, (data) => {
      data.u8(status).u8(sourceEndpoint).u8(transaction);
    });
  const refusal = context.refuseTransmission();
  if (refusal !== undefined) {
    context.radio.roundTrip(() => confirm(refusal));
    return;
  }
  const frame = { clusterId, sourceEndpoint, destinationEndpoint, broadcast: false, payload };
  const { destination } = transmission;
  if ('eui64' in destination) {
    context.radio.down(context.registry.find(destination.eui64), frame, confirm);
  } else if ('group' in destination || destination.address >= BROADCAST_FIRST) {
    // No virtual device is a member of a group; a broadcast is confirmed once it is on the air.
    context.radio.roundTrip(() => confirm(STATUS_SUCCESS));
    if ('group' in destination) return;
    context.radio.broadcast(context.registry.joined(), { ...frame, broadcast: true });
  } else if (destination.address === COORDINATOR_ADDRESS) {
    context.radio.roundTrip(() => confirm(STATUS_SUCCESS));
  } else {
    context.radio.down(context.registry.at(destination.address), frame, confirm);
  }
}
