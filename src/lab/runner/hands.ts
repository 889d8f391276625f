/** What a run reaches into its rig by: drivers and proxies for the devices that it has, and no others. */
import type { Rig } from '../../config/schema.ts';
import type { DevicePorts } from '../../gateway/device-ports.ts';
import type { LineGlitch } from '../faults/line-glitch.ts';
import type { Button, LinkFaults, Power } from '../ports.ts';
import type { RecordingWriter } from '../recording/writer.ts';

/** Everything that is not there is `undefined`: a step that wants it ends the run as `infra`. */
export interface RigHands {
  /** As the gateway is to open it: where a proxy stands before a coordinator, with the port of the proxy. */
  readonly rig: Rig;
  /** What the gateway is to open in place of its own ports. */
  readonly ports: DevicePorts;
  power(device: string): Power | undefined;
  /** Without a name the one that there is. */
  button(device: string, name: string | undefined): Button | undefined;
  faults(device: string): LinkFaults | undefined;
  resetCoordinator(coordinator: string): Promise<void> | undefined;
  /** False where the line cannot be moved now. */
  glitchLine(device: string, glitch: LineGlitch): Promise<boolean>;
  /** Leaves nothing open, and every fault away. */
  close(): Promise<void>;
}

export interface HandsRequest {
  /** With the devices of the run alone. */
  rig: Rig;
  /** Of what its virtual devices remember, for as long as the run. */
  folder: string;
  /** Of every random choice of a fault. */
  seed: number;
  /** Of all that passes on the links. */
  recorder: RecordingWriter;
}

/** @throws UpliftError */
export type OpenHands = (request: HandsRequest) => Promise<RigHands>;
