/** What the virtual radio and coordinator need of a device behind them. */

export interface SimpleDescriptor {
  endpoint: number;
  profileId: number;
  deviceId: number;
  version: number;
  inputClusters: readonly number[];
  outputClusters: readonly number[];
}

/** A frame on its way to a device; the device may keep `payload`. */
export interface DownlinkFrame {
  clusterId: number;
  /** The coordinator's endpoint. */
  sourceEndpoint: number;
  destinationEndpoint: number;
  broadcast: boolean;
  payload: Uint8Array;
}

/** A frame on its way to the coordinator. */
export interface UplinkFrame {
  clusterId: number;
  sourceEndpoint: number;
  destinationEndpoint: number;
  payload: Uint8Array;
}

/** MAC capability flags of a node descriptor and of an announcement. */
export const CAPABILITY = { router: 0x8e, sleepyEndDevice: 0x80 } as const;
const ROUTER_BIT = 0x02;

export function isRouter(capability: number): boolean {
  return (capability & ROUTER_BIT) !== 0;
}

/** What a device keeps of the network it has joined. */
export interface Association {
  /** The network's extended PAN id and key: another network of the same name is another network. */
  networkIdentity: string;
  networkAddress: number;
}

export interface RadioNode {
  /** 16 lower-case digits. */
  readonly eui64: string;
  readonly capability: number;
  readonly manufacturerCode: number;
  readonly endpoints: readonly SimpleDescriptor[];
  /** Wakes so often to ask its parent for frames; 0 is always on. */
  readonly sleepyPollMs: number;
  association: Association | undefined;
  /** Powered and not in the middle of a restart. */
  readonly online: boolean;
  receive(frame: DownlinkFrame): void;
  /** It has just become part of the network, or was there already when the rig started. */
  networkUp(): void;
  /** It has been told to leave. */
  networkLeft(): void;
}
