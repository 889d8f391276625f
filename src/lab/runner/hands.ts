/** What a run reaches into its rig by: drivers and proxies for the devices that it has, and no others. */
import type { Rig } from '../../config/schema.ts';
import type { Button, LinkFaults, Power } from '../ports.ts';

export interface LineGlitch {
  rts?: boolean | undefined;
  dtr?: boolean | undefined;
  ms: number;
}

/** Everything that is not there is `undefined`: a step that wants it ends the run as `infra`. */
export interface RigHands {
  /** As the gateway is to open it: where a proxy stands in a line, with the port of the proxy. */
  readonly rig: Rig;
  power(device: string): Power | undefined;
  button(device: string): Button | undefined;
  faults(device: string): LinkFaults | undefined;
  resetCoordinator(coordinator: string): Promise<void> | undefined;
  glitchLine(device: string, glitch: LineGlitch): Promise<void> | undefined;
  /** Leaves nothing open, and every fault away. */
  close(): Promise<void>;
}

export interface HandsRequest {
  /** With the devices of the run alone, their state folder the run's own. */
  rig: Rig;
  /** Where the run keeps what it makes: recordings, memories of virtual devices. */
  folder: string;
  /** Of every random choice of a fault. */
  seed: number;
}

/** @throws UpliftError */
export type OpenHands = (request: HandsRequest) => Promise<RigHands>;
