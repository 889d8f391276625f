/**
 * A virtual Communications Hub: a board behind a serial line of true speed, with power that can be
 * cut, and a memory on disk. It does not know where its host is: `openVirtualHub` puts it on a
 * port.
 *
 * Everything happens on the scheduler it is given, so tests run it on simulated time.
 */
import { SeededRandom } from '../random.ts';
import type { Scheduled, Scheduler } from '../scheduler.ts';
import type { BoardContext, HubEvent } from './board.ts';
import { GeckoBoard } from './gecko-board.ts';
import { HubFlash, PowerCut } from './hub-flash.ts';
import { Line } from './line.ts';
import { completeHubOptions, type HubOptions, type HubSettings } from './options.ts';
import { SmpBoard } from './smp-board.ts';

export interface VirtualHubSettings extends HubSettings {
  scheduler: Scheduler;
  /** To the host. */
  write: (bytes: Uint8Array) => void;
  /** Flash as an earlier run left it, an area after another. */
  restored?: Uint8Array[];
  onEvent?: (event: HubEvent) => void;
  /** Flash has changed. */
  onChange?: () => void;
}

export class VirtualHub {
  readonly options: HubOptions;
  readonly flash: HubFlash;
  readonly line: Line;
  readonly board: SmpBoard | GeckoBoard;
  /** Bytes that came off the wire since the hub was made. */
  receivedBytes = 0;
  private readonly scheduler: Scheduler;
  private readonly settings: VirtualHubSettings;
  private readonly tasks = new Set<Scheduled>();
  private powered = false;
  private stalledUntilMs = 0;
  private backOn: Scheduled | undefined;
  private savedOperations = 0;
  /** Flash operations at which the power goes, in order. */
  private readonly cuts: number[];

  /** Without power until `powerOn`. */
  constructor(settings: VirtualHubSettings) {
    this.settings = settings;
    this.options = completeHubOptions(settings);
    this.scheduler = settings.scheduler;
    const { options } = this;
    const random = new SeededRandom(options.seed);
    const areas = options.protocol === 'smp' ? 2 * options.smp.imageCount : 1;
    this.flash = new HubFlash(options.flash, areas, new SeededRandom(options.seed + 1));
    this.line = new Line(this.scheduler, options, options.faults, random, {
      toHub: (byte, atMs) => this.takeByte(byte, atMs),
      toHost: (bytes) => settings.write(bytes),
    });
    const context = this.contextFor(new SeededRandom(options.seed + 2));
    this.board = options.protocol === 'smp' ? new SmpBoard(context) : new GeckoBoard(context);
    if (settings.restored === undefined) this.board.installFirmware(options.firmware);
    for (const [area, bytes] of (settings.restored ?? []).entries()) this.flash.load(area, bytes);
    const { powerCutAtFlashOperation, powerCutTearsFlash } = options.faults;
    const { operations } = this.flash;
    this.cuts = powerCutAtFlashOperation.map((operation) => operations + operation);
    this.cuts.sort((left, right) => left - right);
    this.setNextCut();
    this.flash.tears = powerCutTearsFlash;
    this.savedOperations = operations;
  }

  get isPowered(): boolean {
    return this.powered;
  }

  powerOn(): void {
    if (this.powered) return;
    this.backOn?.cancel();
    this.powered = true;
    this.run(() => this.board.start());
  }

  /** The plug is pulled; `powerOn` puts it back. */
  powerOff(): void {
    this.powered = false;
    for (const task of this.tasks) task.cancel();
    this.tasks.clear();
    this.line.clearFromHub();
    this.board.losePower();
  }

  /** The reset pin. */
  reset(): void {
    if (!this.powered) return;
    for (const task of this.tasks) task.cancel();
    this.tasks.clear();
    this.run(() => this.board.start());
  }

  /** The host wrote. */
  receive(chunk: Uint8Array): void {
    this.line.fromHost(chunk);
  }

  /** Ends for good; nothing happens any more. */
  stop(): void {
    this.powerOff();
    this.backOn?.cancel();
    this.line.clear();
  }

  private takeByte(byte: number, atMs: number): void {
    const { faults } = this.options;
    this.receivedBytes++;
    if (this.receivedBytes === faults.powerCutAtByte && this.powered) this.failPower();
    if (this.receivedBytes === faults.stallAtByte) {
      this.stalledUntilMs = atMs + (faults.stallMs ?? Number.POSITIVE_INFINITY);
    }
    if (!this.powered || faults.silent || atMs < this.stalledUntilMs) return;
    this.run(() => this.board.takeByte(byte, atMs));
  }

  private contextFor(random: SeededRandom): BoardContext {
    return {
      options: this.options,
      flash: this.flash,
      random,
      nowMs: () => this.scheduler.nowMs(),
      after: (delayMs, task) => this.after(delayMs, task),
      send: (bytes, atMs) => {
        if (this.powered && !this.options.faults.silent) this.line.fromHub(bytes, atMs);
      },
      event: (event) => this.settings.onEvent?.(event),
    };
  }

  private after(delayMs: number, task: () => void): Scheduled {
    const scheduled = this.scheduler.after(delayMs, () => {
      this.tasks.delete(entry);
      this.run(task);
    });
    const entry: Scheduled = {
      cancel: () => {
        scheduled.cancel();
        this.tasks.delete(entry);
      },
    };
    this.tasks.add(entry);
    return entry;
  }

  /** All the board's work goes through here: the power may go in the middle of it. */
  private run(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.failPower();
    }
    if (this.flash.operations === this.savedOperations) return;
    this.savedOperations = this.flash.operations;
    this.settings.onChange?.();
  }

  /** Operations that passed while a cut before them was handled are not missed: the next one is cut. */
  private setNextCut(): void {
    const next = this.cuts.shift();
    if (next === undefined) return;
    this.flash.cutAtOperation = Math.max(next, this.flash.operations + 1);
  }

  private failPower(): void {
    this.settings.onEvent?.({ kind: 'power-cut', flashOperation: this.flash.operations });
    this.powerOff();
    this.setNextCut();
    this.flash.takeBusyMs();
    this.backOn = this.scheduler.after(this.options.powerOffMs, () => this.powerOn());
  }
}
