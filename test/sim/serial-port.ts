/** A hub's serial port, which outlives every gateway, and the link by which one gateway process has it. */
import { UpliftError } from '../../src/errors.ts';
import type { Link, LinkClosed, LinkListener } from '../../src/ports.ts';
import type { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import type { ProcessImage, SimulatedClock } from './clock.ts';

export class SimulatedPort {
  hub!: VirtualHub;
  isPresent = true;
  /** Its driver hangs: nothing that is asked of it comes back. */
  isFrozen = false;
  /** Of pieces, either way. */
  loss = 0;
  readonly name: string;
  private readonly clock: SimulatedClock;
  private readonly random: SeededRandom;
  private link: SimulatedPortLink | undefined;

  constructor(name: string, clock: SimulatedClock, random: SeededRandom) {
    this.name = name;
    this.clock = clock;
    this.random = random;
  }

  newLink(image: ProcessImage): Link {
    return new SimulatedPortLink(this, image, this.clock);
  }

  take(link: SimulatedPortLink | undefined): void {
    this.link = link;
  }

  setPresent(isPresent: boolean): void {
    if (this.isPresent === isPresent) return;
    this.isPresent = isPresent;
    if (!isPresent) this.link?.vanish();
  }

  fromHub(bytes: Uint8Array): void {
    if (this.isPresent && !this.isFrozen && !this.random.chance(this.loss)) this.link?.hear(bytes);
  }

  fromHost(bytes: Uint8Array): void {
    if (!this.isFrozen && !this.random.chance(this.loss)) this.hub.receive(bytes);
  }
}

class SimulatedPortLink implements Link {
  readonly name: string;
  isOpen = false;
  private readonly port: SimulatedPort;
  private readonly image: ProcessImage;
  private readonly clock: SimulatedClock;
  private listener: LinkListener | undefined;
  private taken: ((whole: boolean) => void) | undefined;

  constructor(port: SimulatedPort, image: ProcessImage, clock: SimulatedClock) {
    this.name = port.name;
    this.port = port;
    this.image = image;
    this.clock = clock;
  }

  async open(listener: LinkListener): Promise<void> {
    this.image.step('open a port');
    if (this.port.isFrozen) return new Promise(() => {});
    if (!this.port.isPresent) throw new UpliftError('port-missing', `${this.name} is not there`);
    this.listener = listener;
    this.isOpen = true;
    this.port.take(this);
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    this.image.step('write to a hub');
    this.taken = taken;
    this.port.fromHost(bytes.slice());
    if (!this.port.isFrozen) this.image.timers.after(0, () => this.settle(true));
  }

  async drained(): Promise<void> {
    if (this.isOpen && this.port.isFrozen) return new Promise(() => {});
  }

  async discard(): Promise<void> {}

  async setBaudRate(): Promise<boolean> {
    return true;
  }

  async setSignals(): Promise<boolean> {
    return false;
  }

  async sendBreak(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {
    if (this.image.isAlive) this.end({ reason: 'closed', detail: '' });
  }

  hear(bytes: Uint8Array): void {
    this.image.enter(() => {
      if (!this.isOpen) return;
      this.image.step('bytes of a hub');
      this.listener!.received(bytes);
    });
  }

  vanish(): void {
    this.clock.after(0, () =>
      this.image.enter(() => this.end({ reason: 'vanished', detail: 'EIO' })),
    );
  }

  private settle(whole: boolean): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.(whole);
  }

  private end(how: LinkClosed): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.port.take(undefined);
    this.settle(false);
    this.listener!.closed(how);
  }
}
