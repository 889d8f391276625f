/** What the command handlers of the virtual coordinator work on. */
import type { ByteReader } from '../../bytes/reader.ts';
import type { ByteWriter } from '../../bytes/writer.ts';
import type { RadioNode, SimpleDescriptor } from '../node.ts';
import type { Radio } from '../radio.ts';
import type { NodeRegistry } from '../registry.ts';
import type { NvMemory } from './nv.ts';

/** Z-Stack device states the driver looks at. */
export const DEVICE_STATE = { initialised: 0, coordinator: 9 } as const;

/** Every coordinator's own network address. */
export const COORDINATOR_ADDRESS = 0x0000;

export interface ZnpContext {
  readonly nv: NvMemory;
  /** 16 digits. */
  readonly eui64: string;
  readonly radio: Radio;
  readonly registry: NodeRegistry;
  /** Endpoints the host has registered since the last reset. */
  readonly endpoints: Map<number, SimpleDescriptor>;
  /** Group memberships of own endpoints: endpoint << 16 | group. */
  readonly groups: Set<number>;
  state: number;
  channelMask: number;

  /** Sends an indication in a later turn, so that the response to the open request goes first. */
  indicateLater(delayMs: number, subsystem: number, command: number, fill: Fill): void;
  /** Sends an indication now. */
  indicate(subsystem: number, command: number, fill: Fill): void;
  /** Restarts as by the reset command; the indication follows. */
  reset(): void;
  /** Brings the network in the memory up, or forms one. */
  startNetwork(): void;
  permitJoin(seconds: number): void;
  /** The confirm status a wire fault puts in place of a transmission. */
  refuseTransmission(): number | undefined;
  announceLeave(node: RadioNode, rejoin: boolean): void;
}

export type Fill = (data: ByteWriter) => void;

/** Reads a request's data and writes the data of its response. */
export type RequestHandler = (context: ZnpContext, request: ByteReader, reply: ByteWriter) => void;

/** Handlers of one subsystem by command number. */
export type RequestTable = Readonly<Record<number, RequestHandler>>;
