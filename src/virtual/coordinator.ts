/**
 * A ZigBee coordinator without a radio: Z-Stack 3.x.0 on a TCP port or pseudo-terminal, well enough that
 * zigbee-herdsman's unmodified `zstack` driver forms or resumes a network on it, lets devices join,
 * interviews them and exchanges application frames with them.
 *
 * It does not model encryption, routing, groups of devices, fragmentation or Green Power. A command it
 * does not know is answered as the hardware does and raised as an event, for a test to fail on.
 */
import { createHash } from 'node:crypto';
import { eui64FromWire, eui64ToWire } from '../bytes/hex.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { LinkFaults } from '../config/schema.ts';
import { HostOutput, NO_WIRE_FAULTS, type WireFaults } from './host-output.ts';
import { type HostPort, openHostPort } from './host-port.ts';
import type { RadioNode, SimpleDescriptor, UplinkFrame } from './node.ts';
import { CONFIRM, NO_FAULTS, Radio } from './radio.ts';
import { SeededRandom } from './random.ts';
import { NodeRegistry } from './registry.ts';
import type { Scheduler } from './scheduler.ts';
import { AF_TABLE, indicateIncoming } from './znp/af.ts';
import { DEVICE_STATE, type Fill, type RequestTable, type ZnpContext } from './znp/context.ts';
import { FRAME_TYPE, SUBSYSTEM, ZnpFrameBuilder, ZnpFrameReader } from './znp/frame.ts';
import {
  clearNetwork,
  type NetworkParameters,
  NV_ITEM,
  readCommissioning,
  readNetwork,
  seedBlank,
  seedFormed,
  writeNetwork,
} from './znp/network.ts';
import { NvMemory } from './znp/nv.ts';
import { FIRMWARE, SYS_RESET_INDICATION, SYS_RESET_REQUEST, SYS_TABLE } from './znp/sys.ts';
import { APP_CONFIGURATION_TABLE, UTIL_TABLE } from './znp/util.ts';
import { ZDO_INDICATION, ZDO_TABLE } from './znp/zdo.ts';

/** From a reset command to the indication that the coordinator is back. */
const RESET_MS = 20;
const RESET_REASON = { powerUp: 0, external: 1 } as const;
/** Bit of the start-up option that clears the network at the next reset. */
const CLEAR_STATE = 0x02;
const JOIN_SPACING_MS = 10;

const TABLES = new Map<number, RequestTable>([
  [SUBSYSTEM.system, SYS_TABLE],
  [SUBSYSTEM.af, AF_TABLE],
  [SUBSYSTEM.zdo, ZDO_TABLE],
  [SUBSYSTEM.utility, UTIL_TABLE],
  [SUBSYSTEM.appConfiguration, APP_CONFIGURATION_TABLE],
]);

export type CoordinatorEvent =
  | { kind: 'host-connected' | 'host-disconnected' | 'reset' | 'network-up' }
  | { kind: 'unknown-command' | 'malformed-command'; subsystem: number; command: number }
  | { kind: 'permit-join'; seconds: number }
  | { kind: 'device-joined' | 'device-left'; eui64: string; networkAddress: number };

export interface CoordinatorOptions {
  scheduler: Scheduler;
  /** `tcp://host:port` or the path of a pseudo-terminal. */
  port: string;
  /** 16 digits; made from the seed where absent. */
  eui64?: string;
  seed?: number;
  /** The network in its memory when it is new; absent: blank from the factory. */
  network?: NetworkParameters;
  nvPath?: string;
  linkDelayMs?: number;
  linkFaults?: LinkFaults;
  wireFaults?: Partial<WireFaults>;
  joinSpacingMs?: number;
  onEvent?: (event: CoordinatorEvent) => void;
}

export interface CoordinatorCounters {
  requests: number;
  unknownCommands: number;
}

export class VirtualCoordinator implements ZnpContext {
  readonly nv: NvMemory;
  readonly radio: Radio;
  readonly registry: NodeRegistry;
  readonly endpoints = new Map<number, SimpleDescriptor>();
  readonly groups = new Set<number>();
  readonly counters: CoordinatorCounters = { requests: 0, unknownCommands: 0 };
  state: number = DEVICE_STATE.initialised;
  channelMask = 0;
  private readonly scheduler: Scheduler;
  private readonly random: SeededRandom;
  private readonly ownEui64: string;
  private readonly onEvent: (event: CoordinatorEvent) => void;
  private readonly output: HostOutput;
  private readonly reader: ZnpFrameReader;
  private readonly builder = new ZnpFrameBuilder();
  private port: HostPort | undefined;
  private identity: string | undefined;
  private identityOfChange = -1;

  private constructor(options: CoordinatorOptions) {
    const { scheduler, seed = 1 } = options;
    this.scheduler = scheduler;
    this.random = new SeededRandom(seed);
    this.ownEui64 = options.eui64 ?? eui64FromSeed(seed);
    this.onEvent = options.onEvent ?? (() => {});
    this.nv = new NvMemory(scheduler, options.nvPath);
    if (this.nv.empty && options.network) seedFormed(this.nv, options.network, this.ownEui64);
    else if (this.nv.empty) seedBlank(this.nv);
    this.radio = new Radio(scheduler, new SeededRandom(seed + 1), {
      faults: options.linkFaults ?? NO_FAULTS,
      linkDelayMs: options.linkDelayMs ?? 0,
    });
    const hooks = {
      networkIdentity: () => this.networkIdentity(),
      deviceJoining: (node: RadioNode) => this.announceJoining(node),
      deviceAnnounced: (node: RadioNode) => this.announce(node),
    };
    const joinSpacingMs = options.joinSpacingMs ?? JOIN_SPACING_MS;
    this.registry = new NodeRegistry(scheduler, new SeededRandom(seed + 2), hooks, joinSpacingMs);
    this.output = new HostOutput(
      scheduler,
      new SeededRandom(seed + 3),
      { ...NO_WIRE_FAULTS, ...options.wireFaults },
      (bytes) => this.port?.write(bytes),
    );
    this.reader = new ZnpFrameReader((type, subsystem, command, data) => {
      if (type === FRAME_TYPE.request) this.handleRequest(subsystem, command, data);
      else if (type === FRAME_TYPE.indication) this.handleCommand(subsystem, command, data);
    });
  }

  /** Opens the port; rejects with an `UpliftError` where it cannot. */
  static async open(options: CoordinatorOptions): Promise<VirtualCoordinator> {
    const coordinator = new VirtualCoordinator(options);
    coordinator.port = await openHostPort(options.port, {
      connected: () => coordinator.onEvent({ kind: 'host-connected' }),
      received: (chunk) => coordinator.reader.push(chunk),
      disconnected: () => {
        coordinator.reader.reset();
        coordinator.output.clear();
        coordinator.onEvent({ kind: 'host-disconnected' });
      },
    });
    return coordinator;
  }

  /** What the driver's `transport.path` has to be. */
  get path(): string {
    return this.port!.path;
  }

  get eui64(): string {
    const restored = this.nv.item(NV_ITEM.extendedAddress);
    return restored?.length === 8 ? eui64FromWire(restored) : this.ownEui64;
  }

  set linkFaults(faults: Partial<LinkFaults>) {
    this.radio.faults = { ...NO_FAULTS, ...faults };
  }

  set wireFaults(faults: Partial<WireFaults>) {
    this.output.faults = { ...NO_WIRE_FAULTS, ...faults };
  }

  /** Puts a device in reach; it joins when it may, or is in the network already. */
  addNode(node: RadioNode): void {
    this.registry.add(node);
    if (this.registry.inNetwork(node)) node.networkUp();
  }

  /** What a device sends; nothing comes of it where the device is not in the network. */
  uplink(node: RadioNode, frame: UplinkFrame): void {
    if (!this.registry.inNetwork(node)) return;
    this.radio.up(node, () => {
      if (this.registry.inNetwork(node) && this.state === DEVICE_STATE.coordinator) {
        indicateIncoming(this, node, frame);
      }
    });
  }

  /** A device has come back and tells its address. */
  announce(node: RadioNode): void {
    if (!this.registry.inNetwork(node)) return;
    const { networkAddress } = node.association!;
    this.indicate(SUBSYSTEM.zdo, ZDO_INDICATION.deviceAnnounce, (data) => {
      data.u16(networkAddress).u16(networkAddress).raw(eui64ToWire(node.eui64)!);
      data.u8(node.capability);
    });
  }

  /** The endpoint of the host that offers a cluster under a profile, as a match descriptor finds it. */
  findServer(profileId: number, clusterId: number): number | undefined {
    for (const descriptor of this.endpoints.values()) {
      if (descriptor.profileId !== profileId) continue;
      if (descriptor.inputClusters.includes(clusterId)) return descriptor.endpoint;
    }
    return undefined;
  }

  cutLink(): Promise<void> {
    return this.port!.cut();
  }

  restoreLink(): Promise<void> {
    return this.port!.restore();
  }

  /** Power off and on: registered endpoints are forgotten, and the host is told without having asked. */
  powerCycle(): void {
    this.restart(RESET_REASON.powerUp);
  }

  async stop(): Promise<void> {
    this.nv.flush();
    await this.port?.cut();
  }

  indicate(subsystem: number, command: number, fill: Fill): void {
    const data = this.builder.begin(FRAME_TYPE.indication, subsystem, command);
    fill(data);
    this.output.send(this.builder.end(data), false);
  }

  indicateLater(delayMs: number, subsystem: number, command: number, fill: Fill): void {
    this.scheduler.after(delayMs, () => this.indicate(subsystem, command, fill));
  }

  reset(): void {
    this.restart(RESET_REASON.external);
  }

  startNetwork(): void {
    if (readNetwork(this.nv) === undefined) {
      writeNetwork(this.nv, readCommissioning(this.nv, this.channelMask), this.eui64);
    }
    this.state = DEVICE_STATE.coordinator;
    this.indicateLater(0, SUBSYSTEM.zdo, ZDO_INDICATION.stateChange, (data) =>
      data.u8(DEVICE_STATE.coordinator),
    );
    this.onEvent({ kind: 'network-up' });
  }

  permitJoin(seconds: number): void {
    this.onEvent({ kind: 'permit-join', seconds });
    this.registry.permitJoin(seconds);
  }

  refuseTransmission(): number | undefined {
    return this.random.chance(this.output.faults.bufferFull) ? CONFIRM.bufferFull : undefined;
  }

  announceLeave(node: RadioNode, rejoin: boolean): void {
    const address = node.association?.networkAddress;
    if (address === undefined) return;
    this.indicate(SUBSYSTEM.zdo, ZDO_INDICATION.leave, (data) => {
      data
        .u16(address)
        .raw(eui64ToWire(node.eui64)!)
        .u8(0)
        .u8(0)
        .u8(rejoin ? 1 : 0);
    });
    if (rejoin) {
      this.announce(node);
      return;
    }
    this.registry.remove(node);
    this.onEvent({ kind: 'device-left', eui64: node.eui64, networkAddress: address });
  }

  private announceJoining(node: RadioNode): void {
    const { networkAddress } = node.association!;
    this.indicate(SUBSYSTEM.zdo, ZDO_INDICATION.trustCentreDevice, (data) => {
      data.u16(networkAddress).raw(eui64ToWire(node.eui64)!).u16(0);
    });
    this.onEvent({ kind: 'device-joined', eui64: node.eui64, networkAddress });
  }

  private handleRequest(subsystem: number, command: number, bytes: Uint8Array): void {
    this.counters.requests++;
    const handler = TABLES.get(subsystem)?.[command];
    if (handler === undefined) {
      this.refuseUnknown(FRAME_TYPE.request, subsystem, command);
      return;
    }
    const request = new ByteReader(bytes);
    const reply = this.builder.begin(FRAME_TYPE.response, subsystem, command);
    handler(this, request, reply);
    this.output.send(this.builder.end(reply), true);
    if (request.overrun) this.onEvent({ kind: 'malformed-command', subsystem, command });
  }

  private handleCommand(subsystem: number, command: number, _bytes: Uint8Array): void {
    if (subsystem === SUBSYSTEM.system && command === SYS_RESET_REQUEST) this.reset();
    else this.refuseUnknown(FRAME_TYPE.indication, subsystem, command);
  }

  /** Z-Stack's answer: subsystem 0, error 2, and the two bytes it did not know. */
  private refuseUnknown(type: number, subsystem: number, command: number): void {
    this.counters.unknownCommands++;
    const reply = this.builder.begin(FRAME_TYPE.response, SUBSYSTEM.error, 0);
    reply
      .u8(2)
      .u8((type << 5) | subsystem)
      .u8(command);
    this.output.send(this.builder.end(reply), true);
    this.onEvent({ kind: 'unknown-command', subsystem, command });
  }

  private restart(reason: number): void {
    this.reader.reset();
    this.state = DEVICE_STATE.initialised;
    this.endpoints.clear();
    this.groups.clear();
    const startupOption = this.nv.item(NV_ITEM.startupOption)?.[0] ?? 0;
    if (startupOption & CLEAR_STATE) clearNetwork(this.nv);
    this.onEvent({ kind: 'reset' });
    this.indicateLater(RESET_MS, SUBSYSTEM.system, SYS_RESET_INDICATION, (data) => {
      data.u8(reason).u8(FIRMWARE.transportRevision).u8(FIRMWARE.product);
      data.u8(FIRMWARE.major).u8(FIRMWARE.minor).u8(FIRMWARE.maintenance);
    });
  }

  private networkIdentity(): string | undefined {
    if (this.identityOfChange === this.nv.changes) return this.identity;
    this.identityOfChange = this.nv.changes;
    const network = readNetwork(this.nv);
    this.identity = network && `${network.extendedPanId}/${digest(network.networkKey)}`;
    return this.identity;
  }
}

/** A device remembers which key it had, not the key: state files of devices hold no secrets. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** A Texas Instruments address that follows from the seed. */
function eui64FromSeed(seed: number): string {
  return `00124b00${(0xc0000000 + (seed & 0xfffffff)).toString(16)}`;
}
