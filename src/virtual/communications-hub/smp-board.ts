/**
 * A hub with MCUboot and an SMP application on one UART: boots, swaps, answers, resets, and logs on
 * the line that the protocol uses.
 */

import type { Scheduled } from '../scheduler.ts';
import { Answers } from './answers.ts';
import type { Board, BoardContext } from './board.ts';
import { encodeConsoleLines } from './console-framing.ts';
import { PowerCut } from './hub-flash.ts';
import { LineReceiver } from './line-receiver.ts';
import { areaOf, Mcuboot } from './mcuboot.ts';
import { imageVersionText, readMcubootImage, readSignatureKey } from './mcuboot-image.ts';
import { SmpRecovery } from './smp-recovery.ts';
import { SmpServer } from './smp-server.ts';

const NEWLINE = 0x0a;
export class SmpBoard implements Board {
  readonly bootloader: Mcuboot;
  /** The application's server while it runs. */
  server: SmpServer | undefined;
  receiver: LineReceiver | undefined;
  private readonly context: BoardContext;
  private readonly answers: Answers;
  private answerPacket: ((packet: Uint8Array) => Uint8Array[]) | undefined;
  /** Kept over a reset, lost with the power. */
  private recoveryAsked = false;
  /** While the bootloader is at work: flash as it found it, and when it began. */
  private booting: { found: Uint8Array[]; sinceMs: number; busyMs: number } | undefined;
  private resetting: Scheduled | undefined;
  private stalledUntilMs = 0;
  private fifoFill = 0;

  constructor(context: BoardContext) {
    this.context = context;
    this.answers = new Answers(context);
    const { smp, faults } = context.options;
    this.bootloader = new Mcuboot({
      flash: context.flash,
      imageCount: smp.imageCount,
      signatureKey: readSignatureKey(smp.signatureKey),
      preventsDowngrade: smp.preventsDowngrade,
    });
    this.bootloader.refusesImages = faults.refusesImage;
    this.bootloader.skipsVerification = faults.skipsVerification;
    this.recoveryAsked = smp.startsInRecovery;
  }

  /** As from the factory: the image in slot 0, everything else blank. */
  installFirmware(firmware: Uint8Array): void {
    this.context.flash.load(areaOf(0, 0), firmware);
  }

  start(): void {
    this.stop();
    const { context } = this;
    const { bootMs, smp } = context.options;
    if (this.recoveryAsked) {
      this.recoveryAsked = false;
      context.after(bootMs, () => this.startRecovery());
      return;
    }
    const found = context.flash.snapshot();
    const report = this.bootloader.boot();
    const busyMs = context.flash.takeBusyMs();
    this.booting = { found, sinceMs: context.nowMs(), busyMs };
    context.after(busyMs + bootMs, () => {
      this.booting = undefined;
      for (const [image, swap] of report.swaps.entries()) {
        if (swap !== 'none') context.event({ kind: 'image-swapped', image, swap });
      }
      const log = ['*** Booting MCUboot v2.3.0 ***', ...report.log];
      this.print(`${log.join('\r\n')}\r\n`);
      if (report.boots) this.startApplication();
      else if (smp.recovery && smp.recoveryWithoutImage) this.startRecovery();
      else context.event({ kind: 'nothing-to-boot' });
    });
  }

  takeByte(byte: number, atMs: number): void {
    if (this.receiver === undefined) return;
    // While the processor stands still the UART keeps only what its queue holds.
    if (atMs >= this.stalledUntilMs) this.fifoFill = 0;
    else if (++this.fifoFill > this.context.options.uartFifoBytes) return;
    this.receiver.takeByte(byte, atMs);
  }

  losePower(): void {
    this.recoveryAsked = false;
    this.stop();
    if (this.context.options.faults.losesSlotOnPowerCut) this.blankSecondarySlots();
  }

  private blankSecondarySlots(): void {
    const { options, flash } = this.context;
    const nothing = new Uint8Array(0);
    for (let image = 0; image < options.smp.imageCount; image++) {
      flash.load(areaOf(image, 1), nothing);
    }
  }

  /**
   * The bootloader works at once and its time passes afterwards. Where it is stopped within that
   * time, it works again from what it found, up to that moment.
   */
  private interruptBoot(): void {
    const { booting, context } = this;
    this.booting = undefined;
    if (booting === undefined) return;
    const elapsedMs = context.nowMs() - booting.sinceMs;
    if (elapsedMs >= booting.busyMs) return;
    for (const [area, bytes] of booting.found.entries()) context.flash.load(area, bytes);
    context.flash.takeBusyMs();
    context.flash.cutAfterBusyMs = elapsedMs;
    try {
      this.bootloader.boot();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    context.flash.cutAfterBusyMs = Number.POSITIVE_INFINITY;
    context.flash.takeBusyMs();
  }

  private stop(): void {
    this.interruptBoot();
    this.resetting?.cancel();
    this.resetting = undefined;
    this.server = undefined;
    this.receiver = undefined;
    this.answerPacket = undefined;
    this.stalledUntilMs = 0;
  }

  private startApplication(): void {
    const { context } = this;
    const { smp, faults } = context.options;
    if (faults.neverReturns && !this.runsFactoryImage()) return;
    if (smp.imageConfirmsItself) this.confirmAll();
    const server = new SmpServer(smp, context.flash, this.bootloader, {
      reset: (intoRecovery) => this.resetSoon(intoRecovery, smp.resetDelayMs),
    });
    this.server = server;
    this.listen(smp.bufBytes, smp.poolLines, (packet) => server.handlePacket(packet));
    const running = this.bootloader.readImage(0, 0);
    const version = running.ok ? imageVersionText(running.image.version) : '';
    this.print(`*** Booting Zephyr OS build ${smp.info.r} ***\r\n`);
    context.event({ kind: 'application-started', version });
    const { crashAfterActivationMs } = faults;
    if (crashAfterActivationMs !== undefined && this.bootloader.swapType(0) === 'revert') {
      context.after(crashAfterActivationMs, () => {
        if (this.bootloader.swapType(0) === 'revert') this.start();
      });
    }
  }

  private runsFactoryImage(): boolean {
    const { firmware } = this.context.options;
    const factory = readMcubootImage((from, end) => firmware.subarray(from, end), firmware.length);
    const running = this.bootloader.readImage(0, 0);
    if (!factory.ok || !running.ok) return false;
    return factory.image.hash.every((byte, at) => byte === running.image.hash[at]);
  }

  private confirmAll(): void {
    for (let image = 0; image < this.bootloader.imageCount; image++) this.bootloader.confirm(image);
  }

  private startRecovery(): void {
    const { smp } = this.context.options;
    const recovery = new SmpRecovery(smp, this.context.flash, this.bootloader, () =>
      this.resetSoon(false, smp.resetDelayMs),
    );
    const answer = (packet: Uint8Array) => recovery.handlePacket(packet);
    this.listen(smp.recoveryBufBytes, smp.recoveryPoolLines, answer);
    this.context.event({ kind: 'bootloader-started' });
  }

  private listen(
    bufBytes: number,
    poolLines: number,
    answer: (packet: Uint8Array) => Uint8Array[],
  ): void {
    const { lineBytes, lineMs } = this.context.options.smp;
    this.answerPacket = answer;
    this.receiver = new LineReceiver(
      { lineBytes, lineMs, bufBytes, poolLines },
      { message: (message, atMs) => this.work(message, atMs) },
    );
  }

  /** Works a message; its answers leave when that is done. */
  private work(message: Uint8Array, atMs: number): number {
    const { options, flash } = this.context;
    const answers = this.answerPacket!(message);
    const busyMs = options.smp.messageMs + flash.takeBusyMs();
    if (options.flashBlocksUart) this.stalledUntilMs = atMs + busyMs;
    for (const answer of answers) {
      this.answers.send(splitLines(encodeConsoleLines(answer)), atMs + busyMs);
    }
    return busyMs;
  }

  private print(text: string): void {
    this.context.send(new TextEncoder().encode(text), this.context.nowMs());
  }

  /** A reset that is on its way already stays the only one, and dies with what it resets. */
  private resetSoon(intoRecovery: boolean, delayMs: number): void {
    this.resetting ??= this.context.after(delayMs, () => {
      this.recoveryAsked = intoRecovery;
      this.start();
    });
  }
}

/** Each line with its newline. */
function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start) + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}
