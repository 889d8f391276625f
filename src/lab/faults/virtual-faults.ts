/**
 * The faults that virtual devices have themselves, by the words of a lab: no proxy stands in between, and the
 * seed is the device's own, from the rig file.
 */

import { EXIT, UpliftError } from '../../errors.ts';
import type { OpenHub } from '../../virtual/communications-hub/open-hub.ts';
import type { VirtualCoordinator } from '../../virtual/coordinator.ts';
import { NO_FAULTS } from '../../virtual/radio.ts';
import type { LinkFaultSettings, LinkFaults } from '../ports.ts';
import { checkFaults, faultsOf } from './settings.ts';

/** A virtual hub's line has its faults both ways. */
export class VirtualHubFaults implements LinkFaults {
  readonly counts = { disconnections: 0 };
  private readonly hub: OpenHub;
  private isDisconnected = false;
  private changing: Promise<void> = Promise.resolve();

  constructor(hub: OpenHub) {
    this.hub = hub;
  }

  set(settings: LinkFaultSettings): void {
    checkFaults(settings, ['drop', 'corrupt', 'disconnected'], 'the line of a virtual hub');
    const { drop = 0, corrupt = 0, direction = 'both' } = settings;
    if (direction !== 'both' && (drop > 0 || corrupt > 0))
      throw otherWay('the line of a virtual hub is bad both ways', `direction: ${direction}`);
    const { faults } = this.hub.hub.line;
    faults.loss = drop;
    faults.corruption = corrupt;
    const isDisconnected = settings.disconnected === true;
    if (isDisconnected === this.isDisconnected) return;
    this.isDisconnected = isDisconnected;
    if (isDisconnected) this.counts.disconnections++;
    const work = () => (isDisconnected ? this.hub.unplug() : this.hub.plug());
    this.changing = this.changing.then(work);
  }

  clear(): void {
    this.set({});
  }

  async settled(): Promise<void> {
    await this.changing;
  }
}

/** The air of a virtual coordinator: losses either way; duplicates and lateness of what devices send. */
export class VirtualAirFaults implements LinkFaults {
  private readonly coordinator: VirtualCoordinator;
  private isDisconnected = false;
  private disconnections = 0;
  private changing: Promise<void> = Promise.resolve();

  constructor(coordinator: VirtualCoordinator) {
    this.coordinator = coordinator;
  }

  get counts(): Readonly<Record<string, number>> {
    return { ...this.coordinator.radio.counters, disconnections: this.disconnections };
  }

  set(settings: LinkFaultSettings): void {
    const possible = ['drop', 'duplicate', 'delayMs', 'disconnected'] as const;
    checkFaults(settings, possible, 'the air of a virtual coordinator');
    const up = faultsOf(settings, 'up');
    const down = faultsOf(settings, 'down');
    if (settings.direction === 'down' && (settings.duplicate || settings.delayMs))
      throw otherWay('virtual air doubles and delays only what devices send', 'direction: down');
    this.coordinator.linkFaults = {
      ...NO_FAULTS,
      lossUp: up.drop ?? 0,
      lossDown: down.drop ?? 0,
      duplicateUp: up.duplicate ?? 0,
      lateUp: up.delayMs ? 1 : 0,
      lateMs: up.delayMs ?? 0,
    };
    const isDisconnected = settings.disconnected === true;
    if (isDisconnected === this.isDisconnected) return;
    this.isDisconnected = isDisconnected;
    if (isDisconnected) this.disconnections++;
    const { coordinator } = this;
    const work = () => (isDisconnected ? coordinator.cutLink() : coordinator.restoreLink());
    this.changing = this.changing.then(work);
  }

  clear(): void {
    this.set({});
  }

  async settled(): Promise<void> {
    await this.changing;
  }
}

function otherWay(sentence: string, actual: string): UpliftError {
  return new UpliftError('fault-not-possible', sentence, {
    expected: 'another direction',
    actual,
    next: 'put a proxy in front of it, which has every fault in either direction',
    exit: EXIT.usage,
  });
}
