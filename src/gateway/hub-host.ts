/**
 * The port of a hub: opened for an upgrade and given back after it. Between upgrades it is only looked
 * whether the port is there, so that a job waits for a cable instead of failing.
 */
import type { HubDevice } from '../config/schema.ts';
import { assert, EXIT, UpliftError } from '../errors.ts';
import type { Link, Timers } from '../ports.ts';
import { LinkDriver } from '../transport/serial/driver.ts';
import { type DeviceWords, probeHub, wordsOfFinding } from './device-words.ts';
import type { FieldEnd, FieldOwner, FieldRun } from './field.ts';
import type { HubRunner } from './hub-runner.ts';

export interface HubHostOptions {
  device: HubDevice;
  newLink(device: HubDevice): Link;
  /** Whether its port is there; nothing is opened for it. */
  isPresent(device: HubDevice): Promise<boolean>;
  timers: Timers;
  onLink(up: boolean, detail: string): void;
}

const LOOK_MS = 2_000;

export class HubHost {
  private readonly options: HubHostOptions;
  private running: { owner: FieldOwner; runner: HubRunner; end(end: FieldEnd): void } | undefined;
  private isUp: boolean | undefined;
  private timer: { cancel(): void } | undefined;
  private isClosed = false;
  private isReading = false;
  /** The port is given back, and not before it may be opened again. */
  private closing: Promise<void> = Promise.resolve();

  constructor(options: HubHostOptions) {
    this.options = options;
  }

  start(): void {
    void this.look();
  }

  run(
    owner: FieldOwner,
    begin: (link: Link) => { runner: HubRunner; holds: () => boolean },
  ): FieldRun {
    assert(!this.running, 'one upgrade runs on a device at a time');
    const { device, newLink } = this.options;
    const { runner, holds } = begin(newLink(device));
    let isOver = false;
    let isOpen = false;
    const end = (how: FieldEnd): void => {
      if (isOver) return;
      isOver = true;
      this.running = undefined;
      this.closing = this.closing.then(() => (isOpen ? runner.close() : undefined));
      owner.ended(how);
    };
    this.running = { owner, runner, end };
    const carryOut = async (): Promise<void> => {
      await this.closing;
      if (isOver) return;
      try {
        await runner.open();
      } catch (error) {
        if (!(error instanceof UpliftError)) throw error;
        if (error.code === 'port-missing') this.tell(false, error.message);
        end({ kind: 'not-begun', error });
        return;
      }
      isOpen = true;
      if (isOver) {
        await runner.close();
        return;
      }
      await runner.run();
      if (runner.leftAs === undefined) end(holds() ? { kind: 'held' } : { kind: 'final' });
      else end({ kind: 'stopped', detail: runner.leftAs });
    };
    void carryOut();
    return {
      cancel: () => {
        if (isOver) return false;
        if (isOpen) return runner.cancel();
        owner.event({ kind: 'state', state: 'cancelled' });
        end({ kind: 'final' });
        return true;
      },
      stop: () => {
        if (isOpen)
          void runner
            .stop()
            .then(() => end({ kind: 'stopped', detail: runner.leftAs ?? 'stopped' }));
        else end({ kind: 'stopped', detail: 'stopped before the hub was turned to' });
      },
    };
  }

  /** @throws UpliftError where it does not say, or an upgrade has its port */
  async read(): Promise<DeviceWords> {
    const { device, newLink, timers } = this.options;
    if (this.running || this.isReading) throw busy(device);
    this.isReading = true;
    const link = newLink(device);
    const reading = this.closing.then(async () => {
      try {
        const driver = new LinkDriver(link, timers);
        await driver.open();
        return wordsOfFinding(await probeHub(driver, device, () => timers.nowMs()));
      } finally {
        await link.close();
        this.isReading = false;
      }
    });
    this.closing = reading.then(
      () => {},
      () => {},
    );
    return reading;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    const { running } = this;
    if (running) {
      await running.runner.stop();
      running.end({ kind: 'stopped', detail: running.runner.leftAs ?? 'stopped' });
    }
    await this.closing;
  }

  private async look(): Promise<void> {
    const { device, isPresent, timers } = this.options;
    const isThere = await isPresent(device);
    if (this.isClosed) return;
    // Also while it runs: the session has its own patience, and people are to see what it waits for.
    this.tell(isThere, isThere ? 'its port is there' : 'its port is not there');
    this.timer = timers.after(LOOK_MS, () => void this.look());
  }

  private tell(isUp: boolean, detail: string): void {
    if (this.isUp === isUp) return;
    this.isUp = isUp;
    this.options.onLink(isUp, detail);
  }
}

function busy({ id }: HubDevice): UpliftError {
  return new UpliftError('device-busy', `the port of ${id} is in use`, {
    expected: 'no upgrade and no other reading of the hub',
    actual: 'one runs',
    next: 'ask again when it is over',
    exit: EXIT.notReachable,
  });
}
