/**
 * The devices in reach of one coordinator: which of them are in its network, under which address, and
 * the joining of those that are not.
 *
 * A device is in the network when what it remembers of it (extended PAN id and key) is what the
 * coordinator's memory says: a coordinator that forms a new network has lost all its devices.
 */
import type { RadioNode } from './node.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

const ADDRESS_MAX = 0xfff7;
/** Between the trust centre's word on a joining device and that device's own announcement. */
const ANNOUNCE_AFTER_JOIN_MS = 10;

export interface RegistryHooks {
  networkIdentity(): string | undefined;
  deviceJoining(node: RadioNode): void;
  deviceAnnounced(node: RadioNode): void;
}

export class NodeRegistry {
  /** Devices in reach, in the network or not. */
  readonly nodes: RadioNode[] = [];
  private readonly byEui64 = new Map<string, RadioNode>();
  private readonly byAddress = new Map<number, RadioNode>();
  private readonly scheduler: Scheduler;
  private readonly random: SeededRandom;
  private readonly hooks: RegistryHooks;
  private readonly joinSpacingMs: number;
  private permitUntilMs = 0;
  private joining: Scheduled | undefined;

  constructor(
    scheduler: Scheduler,
    random: SeededRandom,
    hooks: RegistryHooks,
    joinSpacingMs: number,
  ) {
    this.scheduler = scheduler;
    this.random = random;
    this.hooks = hooks;
    this.joinSpacingMs = joinSpacingMs;
  }

  add(node: RadioNode): void {
    this.nodes.push(node);
    this.byEui64.set(node.eui64, node);
    if (node.association) this.byAddress.set(node.association.networkAddress, node);
    this.joinNext();
  }

  find(eui64: string): RadioNode | undefined {
    const node = this.byEui64.get(eui64);
    return node !== undefined && this.inNetwork(node) ? node : undefined;
  }

  at(networkAddress: number): RadioNode | undefined {
    const node = this.byAddress.get(networkAddress);
    return node !== undefined && this.inNetwork(node) ? node : undefined;
  }

  joined(): RadioNode[] {
    return this.nodes.filter((node) => this.inNetwork(node));
  }

  inNetwork(node: RadioNode): boolean {
    const identity = this.hooks.networkIdentity();
    return identity !== undefined && node.association?.networkIdentity === identity;
  }

  permitJoin(seconds: number): void {
    this.permitUntilMs = this.scheduler.nowMs() + seconds * 1000;
    this.joinNext();
  }

  /** A device moves to an address of its own choice and tells so. */
  rejoinWithNewAddress(node: RadioNode): void {
    if (!this.inNetwork(node)) return;
    this.byAddress.delete(node.association!.networkAddress);
    this.associate(node);
    this.hooks.deviceAnnounced(node);
  }

  /** A device forgets its network: it has left, or was reset by hand. */
  remove(node: RadioNode): void {
    if (node.association) this.byAddress.delete(node.association.networkAddress);
    node.association = undefined;
    node.networkLeft();
    this.joinNext();
  }

  /** One device joins at a time, as beacons and keys allow; the next follows. */
  private joinNext(): void {
    if (this.joining !== undefined) return;
    if (this.scheduler.nowMs() >= this.permitUntilMs) return;
    const node = this.nodes.find((candidate) => candidate.online && !this.inNetwork(candidate));
    if (node === undefined || this.hooks.networkIdentity() === undefined) return;
    this.joining = this.scheduler.after(this.joinSpacingMs, () => {
      this.joining = undefined;
      this.join(node);
      this.joinNext();
    });
  }

  private join(node: RadioNode): void {
    if (this.scheduler.nowMs() >= this.permitUntilMs || this.inNetwork(node)) return;
    this.associate(node);
    this.hooks.deviceJoining(node);
    this.scheduler.after(ANNOUNCE_AFTER_JOIN_MS, () => {
      if (!this.inNetwork(node)) return;
      this.hooks.deviceAnnounced(node);
      node.networkUp();
    });
  }

  private associate(node: RadioNode): void {
    let networkAddress: number;
    do networkAddress = 1 + Math.floor(this.random.next() * ADDRESS_MAX);
    while (this.byAddress.has(networkAddress));
    node.association = { networkIdentity: this.hooks.networkIdentity()!, networkAddress };
    this.byAddress.set(networkAddress, node);
  }
}
