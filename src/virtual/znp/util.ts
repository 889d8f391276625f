/** UTIL and APP_CNF: device information, associations, network formation. */
import { eui64FromWire, eui64ToWire } from '../../bytes/hex.ts';
import { isRouter } from '../node.ts';
import type { RequestTable } from './context.ts';
import { COORDINATOR_ADDRESS } from './context.ts';
import { SUBSYSTEM } from './frame.ts';

/** Coordinator, router and end device: what the firmware could be. */
const DEVICE_TYPES = 0x07;
const LISTED_CHILDREN_MAX = 100;
const UNKNOWN_ADDRESS = 0xfffe;
const UNKNOWN_RELATION = 0xff;
const RELATION_CHILD_END_DEVICE = 1;
const RELATION_CHILD_ROUTER = 2;
const COMMISSIONING_FORM = 0x04;
const COMMISSIONING_NOTIFICATION = 0x80;

export const UTIL_TABLE: RequestTable = {
  0: (context, _request, reply) => {
    const children = context.registry.joined().slice(0, LISTED_CHILDREN_MAX);
    reply.u8(0).raw(eui64ToWire(context.eui64)!).u16(COORDINATOR_ADDRESS).u8(DEVICE_TYPES);
    reply.u8(context.state).u8(children.length);
    for (const child of children) reply.u16(child.association!.networkAddress);
  },
  10: (_context, request, reply) => {
    request.skip(2);
    reply.u8(0);
  },
  74: (context, request, reply) => {
    const node = context.registry.find(eui64FromWire(request.view(8)));
    if (node === undefined) {
      reply.u16(UNKNOWN_ADDRESS).u16(UNKNOWN_ADDRESS).u8(UNKNOWN_RELATION);
      return;
    }
    const router = isRouter(node.capability);
    reply.u16(node.association!.networkAddress).u16(context.registry.nodes.indexOf(node));
    reply.u8(router ? RELATION_CHILD_ROUTER : RELATION_CHILD_END_DEVICE);
  },
  99: (_context, request, reply) => {
    request.skip(8);
    reply.u8(0);
  },
  100: (_context, request, reply) => {
    request.skip(11);
    reply.u8(0);
  },
};

export const APP_CONFIGURATION_TABLE: RequestTable = {
  4: (_context, request, reply) => {
    request.skip(9);
    reply.u8(0);
  },
  5: (context, request, reply) => {
    const mode = request.u8();
    reply.u8(0);
    if (mode !== COMMISSIONING_FORM) return;
    context.startNetwork();
    context.indicateLater(0, SUBSYSTEM.appConfiguration, COMMISSIONING_NOTIFICATION, (data) => {
      data.u8(0).u8(2).u8(0);
    });
  },
  8: (context, request, reply) => {
    const primary = request.u8() !== 0;
    const mask = request.u32();
    if (primary) context.channelMask = mask;
    reply.u8(0);
  },
};
