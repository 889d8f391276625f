/**
 * The hands on a rig, real, virtual or mixed: supplies and buttons as the rig file names them, a link of a hub
 * that can be bad, a proxy before each coordinator that speaks ZNP, and all of it recorded as the gateway sees
 * it, faults included.
 *
 * The virtual half of the rig is started for the run and stopped after it, so that every run begins with
 * devices as they are new.
 */
import type { CoordinatorConfig, DeviceWiring, Rig } from '../../config/schema.ts';
import { type DevicePorts, portOf } from '../../gateway/device-ports.ts';
import { StateFolder } from '../../gateway/state-folder.ts';
import { newLink } from '../../transport/serial/link.ts';
import { startVirtualRig, type VirtualRig } from '../../virtual/rig.ts';
import { CoordinatorProxy } from '../faults/coordinator-proxy.ts';
import { FaultyLink } from '../faults/faulty-link.ts';
import { glitchLine, type LineGlitch } from '../faults/line-glitch.ts';
import type { Button, LinkFaultSettings, LinkFaults, Power } from '../ports.ts';
import { openButton, openPower } from '../power/open-power.ts';
import { buttonIn, supplyIn } from '../power/virtual-switch.ts';
import { MONOTONIC_CLOCK } from '../recording/clock.ts';
import { RecordedLink } from '../recording/recorded-link.ts';
import { recordedSession, recordServer } from '../recording/recorded-machine.ts';
import type { RecordingWriter } from '../recording/writer.ts';
import { seedFor } from '../scenario/chance.ts';
import type { HandsRequest, RigHands } from './hands.ts';
import { buttonOf, POWER_CYCLE_MS, powerOf } from './rig-parts.ts';

/** @throws UpliftError where a port does not open, or cannot be made */
export async function openRigHands(request: HandsRequest): Promise<RigHands> {
  const hands = new OpenRig(request);
  try {
    await hands.open();
  } catch (error) {
    await hands.close();
    throw error;
  }
  return hands;
}

class OpenRig implements RigHands {
  rig: Rig;
  readonly ports: DevicePorts;
  private readonly folder: string;
  private readonly seed: number;
  private readonly recorder: RecordingWriter;
  private virtual: VirtualRig | undefined;
  /** Of hubs: each is opened, and closed, whenever the gateway turns to it. */
  private readonly lines = new Map<string, FaultyLink>();
  private readonly proxies = new Map<string, CoordinatorProxy>();
  private readonly powers = new Map<string, Power>();
  private readonly buttons = new Map<string, Button>();

  constructor({ rig, folder, seed, recorder }: HandsRequest) {
    this.rig = rig;
    this.folder = folder;
    this.seed = seed;
    this.recorder = recorder;
    for (const hub of rig.hubs) this.lines.set(hub.id, this.faultyLink(hub.id, portOf(hub)));
    this.ports = {
      newLink: ({ id }) => new RecordedLink(this.lines.get(id)!, { recorder, name: id }),
      watch: ({ id }, made) => recordedSession(made, { recorder, link: id }),
      onServer: (id, said) => recordServer(said, { recorder, link: serverLink(id) }),
    };
  }

  async open(): Promise<void> {
    const { rig } = this;
    this.virtual = await startVirtualRig(rig, {
      stateFolder: this.folder,
      fresh: true,
      networkKeys: networkKeysOf(rig),
    });
    const coordinators: CoordinatorConfig[] = [];
    for (const config of rig.coordinators) {
      const port = await this.proxyOf(config);
      coordinators.push({ ...config, port });
    }
    this.rig = { ...rig, coordinators };
  }

  power(id: string): Power | undefined {
    const config = powerOf(this.wired(id));
    const known = this.powers.get(id);
    if (config === undefined || known) return known;
    const supply = this.virtual && supplyIn(this.virtual, id);
    const power = openPower(config, { device: id, supply });
    this.powers.set(id, power);
    return power;
  }

  button(id: string, name: string | undefined): Button | undefined {
    const found = buttonOf(this.wired(id), name);
    const key = `${id} ${found?.name}`;
    const known = this.buttons.get(key);
    if (found === undefined || known) return known;
    const supply = this.virtual && buttonIn(this.virtual, id);
    const button = openButton(found.config, { device: id, supply });
    this.buttons.set(key, button);
    return button;
  }

  /** Of a device behind a coordinator those of the whole network: its air has no line a device. */
  faults(id: string): LinkFaults | undefined {
    const ppmid = this.rig.ppmids.find((device) => device.id === id);
    return this.lines.get(id) ?? this.proxies.get(ppmid?.coordinator ?? '');
  }

  resetCoordinator(id: string): Promise<void> | undefined {
    const proxy = this.proxies.get(id);
    if (proxy) return Promise.resolve(proxy.resetCoordinator());
    const power = this.power(id);
    return power && cycle(power);
  }

  async glitchLine(id: string, glitch: LineGlitch): Promise<boolean> {
    const hub = this.virtual?.hubs.get(id)?.hub;
    const line = this.lines.get(id);
    if (hub === undefined) return line !== undefined && glitchLine(line, glitch);
    // A virtual hub has its reset pin on RTS, and nothing on DTR.
    if (glitch.rts !== undefined) hub.reset();
    return true;
  }

  async close(): Promise<void> {
    // A line is closed by whoever opened it, unless that was given up.
    const open = [...this.powers.values(), ...this.buttons.values(), ...this.lines.values()];
    const proxies = [...this.proxies.values()].map((proxy) => proxy.stop());
    const closed = await Promise.allSettled([...open.map((one) => one.close()), ...proxies]);
    // What does not close keeps nothing else open.
    await this.virtual?.stop();
    const failed = closed.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  private wired(id: string): (DeviceWiring & { virtual?: unknown }) | undefined {
    return [...this.rig.devices, ...this.rig.coordinators].find((one) => one.id === id);
  }

  private faultyLink(id: string, link: ReturnType<typeof portOf>): FaultyLink {
    return new FaultyLink(link, {
      seed: this.seedOf(id),
      onSet: (settings) => this.noteFaults(id, settings),
    });
  }

  private noteFaults(link: string, settings: LinkFaultSettings): void {
    const text = `faults ${JSON.stringify(settings)}`;
    this.recorder.note(link, text, MONOTONIC_CLOCK.nowMs());
  }

  /** Where the gateway finds the coordinator. */
  private async proxyOf({ id, adapter, port, baudRate, rtscts }: CoordinatorConfig) {
    if (adapter !== 'zstack') return port;
    const proxy = await CoordinatorProxy.start({
      link: newLink({ port, baudRate, rtscts }),
      port: 'tcp://127.0.0.1:0',
      seed: this.seedOf(id),
      recorder: this.recorder,
      name: id,
    });
    this.proxies.set(id, proxy);
    return proxy.path;
  }

  private seedOf(id: string): number {
    return seedFor(this.seed, `faults of ${id}`);
  }
}

/** As a recording calls the OTA server of a coordinator, beside the wire of the same. */
function serverLink(coordinator: string): string {
  return `${coordinator} OTA server`;
}

async function cycle(power: Power): Promise<void> {
  await power.off();
  await new Promise((done) => setTimeout(done, POWER_CYCLE_MS));
  await power.on();
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
