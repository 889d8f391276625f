/**
 * The hands on a rig of virtual devices: their half of the rig is started for the run and stopped after it,
 * so that every run begins with devices as they are new. Real devices of the rig are left as they are.
 */
import type { Rig } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import { StateFolder } from '../../gateway/state-folder.ts';
import type { OpenHub } from '../../virtual/communications-hub/open-hub.ts';
import type { VirtualCoordinator } from '../../virtual/coordinator.ts';
import type { VirtualPpmid } from '../../virtual/ppmid.ts';
import { startVirtualRig, type VirtualRig, type VirtualRigEvent } from '../../virtual/rig.ts';
import { labError } from '../failure.ts';
import type { Button, LinkFaultSettings, LinkFaults, Power } from '../ports.ts';
import { seedFor } from '../scenario/chance.ts';
import { FaultMaker } from './fault-maker.ts';
import type { HandsRequest, RigHands } from './hands.ts';

/** A virtual device has had its button pressed long enough to forget its network. */
const LONG_PRESS_MS = 5_000;

export async function openVirtualHands(
  { rig, folder, seed }: HandsRequest,
  onEvent?: (event: VirtualRigEvent) => void,
): Promise<RigHands> {
  const virtual = await startVirtualRig(rig, {
    stateFolder: folder,
    fresh: true,
    networkKeys: networkKeysOf(rig),
    ...(onEvent && { onEvent }),
  });
  return new VirtualHands(rig, virtual, seed);
}

/** A virtual coordinator whose network is formed already knows the key that the gateway generates. */
function networkKeysOf(rig: Rig): Map<string, string> {
  const state = StateFolder.shared(rig.stateFolder);
  return new Map(
    rig.coordinators
      .filter(({ virtual }) => virtual !== undefined)
      .map(({ id, network }) => [id, state.networkKey(id, network.networkKey)]),
  );
}

class VirtualHands implements RigHands {
  readonly rig: Rig;
  private readonly virtual: VirtualRig;
  private readonly seed: number;
  private readonly links = new Map<string, LinkFaults>();

  constructor(rig: Rig, virtual: VirtualRig, seed: number) {
    this.rig = rig;
    this.virtual = virtual;
    this.seed = seed;
  }

  power(device: string): Power | undefined {
    const hub = this.virtual.hubs.get(device)?.hub;
    if (hub) return new VirtualPower(hub);
    const ppmid = this.virtual.devices.get(device);
    return ppmid && new VirtualPower(ppmid);
  }

  button(device: string): Button | undefined {
    const hub = this.virtual.hubs.get(device);
    if (hub) return new VirtualButton(() => hub.hub.reset());
    const ppmid = this.virtual.devices.get(device);
    if (ppmid === undefined) return undefined;
    return new VirtualButton((ms) => {
      if (ms >= LONG_PRESS_MS) ppmid.resetByHand();
      else ppmid.restart();
    });
  }

  faults(device: string): LinkFaults | undefined {
    const known = this.links.get(device) ?? this.newFaults(device);
    if (known) this.links.set(device, known);
    return known;
  }

  resetCoordinator(coordinator: string): Promise<void> | undefined {
    const found = this.virtual.coordinators.get(coordinator);
    if (found === undefined) return undefined;
    found.powerCycle();
    return Promise.resolve();
  }

  /** A virtual hub has its reset pin on RTS, and nothing on DTR. */
  glitchLine(device: string, { rts }: { rts?: boolean | undefined }): Promise<void> | undefined {
    const hub = this.virtual.hubs.get(device)?.hub;
    if (hub === undefined) return undefined;
    if (rts !== undefined) hub.reset();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    for (const link of this.links.values()) link.clear();
    await this.virtual.stop();
  }

  private newFaults(device: string): LinkFaults | undefined {
    const seed = seedFor(this.seed, `faults of ${device}`);
    const hub = this.virtual.hubs.get(device);
    if (hub) return new VirtualLineFaults(hub, seed);
    const ppmid = this.virtual.devices.get(device);
    const described = this.rig.ppmids.find(({ id }) => id === device);
    const coordinator = this.virtual.coordinators.get(described?.coordinator ?? '');
    return ppmid && coordinator && new VirtualRadioFaults(coordinator, ppmid, seed);
  }
}

interface Powered {
  powerOn(): void;
  powerOff(): void;
}

class VirtualPower implements Power {
  readonly kind = 'virtual';
  private readonly device: Powered;
  private isOn = true;

  constructor(device: Powered) {
    this.device = device;
  }

  async on(): Promise<void> {
    this.device.powerOn();
    this.isOn = true;
  }

  async off(): Promise<void> {
    this.device.powerOff();
    this.isOn = false;
  }

  async state(): Promise<'on' | 'off' | 'unknown'> {
    return this.isOn ? 'on' : 'off';
  }

  async selfTest(): Promise<void> {}

  async close(): Promise<void> {}
}

class VirtualButton implements Button {
  readonly kind = 'virtual';
  private readonly act: (ms: number) => void;

  constructor(act: (ms: number) => void) {
    this.act = act;
  }

  async press(ms: number): Promise<void> {
    this.act(ms);
  }

  async close(): Promise<void> {}
}

/** On the line of a hub, byte by byte. */
class VirtualLineFaults implements LinkFaults {
  private readonly open: OpenHub;
  private readonly maker: FaultMaker;
  private isUnplugged = false;

  constructor(open: OpenHub, seed: number) {
    this.open = open;
    this.maker = new FaultMaker(seed);
  }

  get counts(): Readonly<Record<string, number>> {
    return this.maker.counts;
  }

  set(faults: LinkFaultSettings): void {
    if ((faults.delayMs ?? 0) > 0) throw labError('fault-unsupported', { actual: 'delayMs' });
    this.maker.settings = faults;
    this.open.hub.line.tamper = (byte, direction) => this.maker.alterByte(byte, direction);
    this.plug(faults.disconnected !== true);
  }

  clear(): void {
    this.open.hub.line.tamper = undefined;
    this.plug(true);
  }

  private plug(isPlugged: boolean): void {
    if (isPlugged === !this.isUnplugged) return;
    this.isUnplugged = !isPlugged;
    void (isPlugged ? this.open.plug() : this.open.unplug());
  }
}

/** On the air of a device, frame by frame. */
class VirtualRadioFaults implements LinkFaults {
  private readonly coordinator: VirtualCoordinator;
  private readonly device: VirtualPpmid;
  private readonly maker: FaultMaker;
  private readonly linkDelayMs: number;

  constructor(coordinator: VirtualCoordinator, device: VirtualPpmid, seed: number) {
    this.coordinator = coordinator;
    this.device = device;
    this.maker = new FaultMaker(seed);
    this.linkDelayMs = coordinator.radio.linkDelayMs;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.maker.counts;
  }

  set(faults: LinkFaultSettings): void {
    assert(faults.burst === undefined, 'bursts are of bytes: a radio has frames');
    this.maker.settings = faults;
    const { radio } = this.coordinator;
    radio.linkDelayMs = this.linkDelayMs + (faults.delayMs ?? 0);
    radio.tamper = (node, payload, direction) =>
      node === this.device ? this.maker.alterFrame(payload, direction) : [payload];
  }

  clear(): void {
    this.coordinator.radio.tamper = undefined;
    this.coordinator.radio.linkDelayMs = this.linkDelayMs;
  }
}
