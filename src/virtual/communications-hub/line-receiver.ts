/**
 * The receive side of SMP over console: a pool of line buffers between the UART's interrupt and the
 * processor. A line that begins while every buffer waits for the processor is lost, and so is a
 * line longer than a buffer, both in silence: that is how a client that sends ahead loses packets.
 *
 * It works on the hub's own time: every byte has the time at which it left the wire, and every line
 * the time at which the processor has done with it, so timers that come late change nothing.
 */
import { PacketAssembler } from './console-framing.ts';

const NEWLINE = 0x0a;

export interface LineReceiverOptions {
  lineBytes: number;
  poolLines: number;
  bufBytes: number;
  lineMs: number;
}

export interface LineReceiverHooks {
  /** Works a message that is complete at `atMs`; answers how long that takes, ms. */
  message(message: Uint8Array, atMs: number): number;
}

export class LineReceiver {
  /** Lines that found no buffer, or were too long for one. */
  lostLines = 0;
  /** The processor is at work until then. */
  busyUntilMs = 0;
  private readonly options: LineReceiverOptions;
  private readonly hooks: LineReceiverHooks;
  private readonly assembler: PacketAssembler;
  private readonly line: Uint8Array;
  private fill = 0;
  private receiving = false;
  private ignoring = false;
  /** When each waiting line will be done with, in order. */
  private waiting: number[] = [];

  constructor(options: LineReceiverOptions, hooks: LineReceiverHooks) {
    this.options = options;
    this.hooks = hooks;
    this.assembler = new PacketAssembler(options.bufBytes);
    this.line = new Uint8Array(options.lineBytes);
  }

  takeByte(byte: number, atMs: number): void {
    if (!this.receiving && !this.ignoring) this.beginLine(atMs);
    if (!this.ignoring) {
      if (this.fill === this.line.length) this.lose();
      else this.line[this.fill++] = byte;
    }
    if (byte !== NEWLINE) return;
    if (!this.ignoring) this.endLine(atMs);
    this.receiving = false;
    this.ignoring = false;
    this.fill = 0;
  }

  private beginLine(atMs: number): void {
    while (this.waiting.length > 0 && this.waiting[0]! <= atMs) this.waiting.shift();
    if (this.waiting.length >= this.options.poolLines) this.lose();
    else this.receiving = true;
  }

  private lose(): void {
    this.ignoring = true;
    this.lostLines++;
  }

  private endLine(atMs: number): void {
    const message = this.assembler.takeLine(this.line.subarray(0, this.fill));
    this.busyUntilMs = Math.max(this.busyUntilMs, atMs) + this.options.lineMs;
    // The buffer is free once its line is decoded; the next ones wait while the message is worked.
    this.waiting.push(this.busyUntilMs);
    if (message !== undefined) {
      this.busyUntilMs += this.hooks.message(message, this.busyUntilMs);
    }
  }
}
