/**
 * A hub with a Silicon Labs UART bootloader: its menu, its XMODEM upload, and an application that
 * says one line and then nothing. Gecko (GBL files) or the older Ember one (EBL files).
 *
 * Program data goes to flash while it arrives, so a failed upload leaves no application. At the
 * slot's end lies a record that says that the application is whole; it goes first and comes back
 * last.
 */

import { crc32 } from '../../bytes/crc.ts';
import { hex } from '../../bytes/hex.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { ByteWriter } from '../../bytes/writer.ts';
import type { Scheduled } from '../scheduler.ts';
import { Answers } from './answers.ts';
import type { Board, BoardContext } from './board.ts';
import { readSignatureKey } from './mcuboot-image.ts';
import { FILE_ERROR, type FileError, UpgradeStream } from './upgrade-stream.ts';
import { UploadWriter } from './upload-writer.ts';
import { XmodemReceiver } from './xmodem-receiver.ts';

const ACK = 0x06;
const NAK = 0x15;
const CAN = 0x18;
const ASKS_FOR_CRC = 0x43;
const CANCEL = Uint8Array.of(CAN, CAN, CAN);
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** After "begin upload" the bootloader throws away what came meanwhile. */
const FLUSH_MS = 5;
const ASK_PERIOD_MS = 1_000;
const ASKS_MAX = 60;
/** Silence after which a block is asked for again. */
const SILENCE_MS = 3_000;

const RECORD_BYTES = 16;
const RECORD_MAGIC = 0x41505031;
const COMMAND_BYTES_MAX = 64;

export interface StoredApplication {
  bytes: number;
  /** As its properties state it; 0 where they do not. */
  version: number;
  crc32: number;
}

type Mode = 'off' | 'window' | 'menu' | 'flushing' | 'upload' | 'application';

export class GeckoBoard implements Board {
  private readonly context: BoardContext;
  private readonly answers: Answers;
  private readonly isEmber: boolean;
  private mode: Mode = 'off';
  private menuShown = false;
  private timer: Scheduled | undefined;
  private asks = 0;
  private receiver = new XmodemReceiver();
  private stream: UpgradeStream | undefined;
  private writer: UploadWriter | undefined;
  private command = '';

  constructor(context: BoardContext) {
    this.context = context;
    this.answers = new Answers(context);
    this.isEmber = context.options.protocol === 'ember-bootloader';
  }

  /** As from the factory: the application of an upgrade file; none where the file is empty. */
  installFirmware(firmware: Uint8Array): void {
    if (firmware.length === 0) return;
    this.openStream(undefined);
    const error = this.stream!.take(firmware);
    if (error === undefined && this.stream!.complete) this.finishApplication();
    this.context.flash.takeBusyMs();
    this.stream = undefined;
    this.writer = undefined;
  }

  /** What would run; `undefined` where flash holds no whole application. */
  get application(): StoredApplication | undefined {
    const { flash } = this.context;
    const { slotBytes } = flash.geometry;
    const record = new ByteReader(flash.read(0, slotBytes - RECORD_BYTES, slotBytes));
    const [magic, bytes, version, stated] = [
      record.u32(),
      record.u32(),
      record.u32(),
      record.u32(),
    ];
    if (magic !== RECORD_MAGIC || bytes > slotBytes - RECORD_BYTES) return undefined;
    const crc = crc32(flash.read(0, 0, bytes));
    return crc === stated ? { bytes, version, crc32: crc } : undefined;
  }

  start(): void {
    const { bootloader, bootMs } = this.context.options;
    this.losePower();
    this.context.after(bootMs, () => {
      if (this.application === undefined) this.enterBootloader();
      else if (bootloader.windowMs > 0) {
        this.enterBootloader();
        this.mode = 'window';
        this.wait(bootloader.windowMs, () => this.startApplication());
      } else this.startApplication();
    });
  }

  losePower(): void {
    this.stopTimer();
    this.mode = 'off';
    this.menuShown = false;
    this.stream = undefined;
    this.writer = undefined;
    this.command = '';
  }

  takeByte(byte: number, atMs: number): void {
    switch (this.mode) {
      case 'application':
        this.takeCommandByte(byte);
        break;
      case 'window':
      case 'menu':
        this.takeMenuByte(byte);
        break;
      case 'upload':
        this.takeUploadByte(byte, atMs);
        break;
      case 'flushing':
      case 'off':
        break;
    }
  }

  private enterBootloader(): void {
    this.mode = 'menu';
    this.menuShown = false;
    this.context.event({ kind: 'bootloader-started' });
  }

  private startApplication(): void {
    this.mode = 'application';
    if (this.context.options.faults.neverReturns && !this.runsFactoryApplication()) {
      this.mode = 'off';
      return;
    }
    const version = this.applicationVersion();
    const { announcesVersion } = this.context.options.bootloader;
    this.say(announcesVersion ? `\r\nhub application ${version}\r\n` : '\r\nhub application\r\n');
    this.context.event({ kind: 'application-started', version });
  }

  private applicationVersion(): string {
    return hex(this.application!.version, 8);
  }

  /** The one that the board was new with. */
  private runsFactoryApplication(): boolean {
    const { options } = this.context;
    let factoryCrc = 0;
    const stream = new UpgradeStream({
      dialect: this.isEmber ? 'ebl' : 'gbl',
      signatureKey: undefined,
      decrypts: true,
      program: (bytes) => {
        factoryCrc = crc32(bytes, factoryCrc);
        return true;
      },
    });
    stream.take(options.firmware);
    return this.application!.crc32 === factoryCrc;
  }

  private takeCommandByte(byte: number): void {
    const { entryCommand, versionCommand } = this.context.options.bootloader;
    if (byte !== NEWLINE && byte !== RETURN) {
      this.command = (this.command + String.fromCharCode(byte)).slice(-COMMAND_BYTES_MAX);
      return;
    }
    const { command } = this;
    this.command = '';
    if (command === '') return;
    if (command === versionCommand) this.say(`firmware=${this.applicationVersion()};\r\n`);
    if (command !== entryCommand) return;
    this.mode = 'off';
    this.context.after(this.context.options.bootMs, () => this.enterBootloader());
  }

  /** The first byte of all brings the menu, whatever it is; Ember's wants a new line. */
  private takeMenuByte(byte: number): void {
    if (this.isEmber && !this.menuShown && byte !== NEWLINE && byte !== RETURN) return;
    this.stopTimer();
    this.mode = 'menu';
    if (!this.menuShown) this.showMenu();
    else if (byte === 0x31) this.beginUpload();
    else if (byte === 0x32) this.runApplication();
    else this.showMenu();
  }

  private showMenu(): void {
    const { version } = this.context.options.bootloader;
    this.menuShown = true;
    this.mode = 'menu';
    const name = this.isEmber ? 'EM357 Serial Bootloader' : 'Gecko Bootloader';
    const format = this.isEmber ? 'ebl' : 'gbl';
    this.say(`\r\n${name} ${version}\r\n1. upload ${format}\r\n2. run\r\n3. ebl info\r\nBL > \0`);
  }

  private runApplication(): void {
    if (this.application === undefined) {
      this.showMenu();
      return;
    }
    this.mode = 'off';
    this.context.after(this.context.options.bootMs, () => this.startApplication());
  }

  private beginUpload(): void {
    const { signatureKey } = this.context.options.bootloader;
    this.say('\r\nbegin upload\r\n\0');
    this.mode = 'flushing';
    this.asks = 0;
    this.receiver = new XmodemReceiver();
    this.openStream(signatureKey);
    this.wait(FLUSH_MS, () => {
      this.mode = 'upload';
      this.ask();
    });
  }

  private openStream(signatureKey: string | undefined): void {
    const { bootloader, faults } = this.context.options;
    this.writer = undefined;
    this.stream = new UpgradeStream({
      dialect: this.isEmber ? 'ebl' : 'gbl',
      signatureKey: faults.skipsVerification ? undefined : readSignatureKey(signatureKey),
      decrypts: bootloader.decrypts,
      skipsCrc: faults.skipsVerification,
      program: (bytes) => this.program(bytes),
    });
  }

  /** From the first byte of program data on there is no application. */
  private program(bytes: Uint8Array): boolean {
    const { flash } = this.context;
    const { slotBytes } = flash.geometry;
    if (this.writer === undefined) {
      flash.eraseRange(0, 0, slotBytes);
      this.writer = new UploadWriter(flash, 0, 0);
    }
    if (this.writer.takenBytes + bytes.length > slotBytes - RECORD_BYTES) return false;
    return this.writer.append(bytes);
  }

  private finishApplication(): void {
    const { flash } = this.context;
    if (this.writer === undefined) return;
    this.writer.finish();
    const bytes = this.writer.takenBytes;
    const record = new ByteWriter(new Uint8Array(RECORD_BYTES));
    const version = this.stream!.applicationVersion ?? 0;
    record
      .u32(RECORD_MAGIC)
      .u32(bytes)
      .u32(version)
      .u32(crc32(flash.read(0, 0, bytes)));
    flash.program(0, flash.geometry.slotBytes - RECORD_BYTES, record.bytes);
  }

  private ask(): void {
    if (this.asks++ === ASKS_MAX) {
      this.send(CANCEL);
      this.showMenu();
      return;
    }
    this.send(Uint8Array.of(ASKS_FOR_CRC));
    this.wait(ASK_PERIOD_MS, () => this.ask());
  }

  private takeUploadByte(byte: number, atMs: number): void {
    const step = this.receiver.takeByte(byte);
    this.stopTimer();
    switch (step?.kind) {
      case 'block':
        this.takeBlock(step.data, atMs);
        break;
      case 'repeat':
        this.send(Uint8Array.of(ACK));
        break;
      case 'bad-block':
        this.send(Uint8Array.of(NAK));
        break;
      case 'end':
        this.endUpload();
        break;
      case 'stray':
        this.abort('block', FILE_ERROR.other);
        break;
    }
    if (this.mode === 'upload') this.wait(SILENCE_MS, () => this.remind());
  }

  private remind(): void {
    this.receiver.dropPartial();
    this.send(Uint8Array.of(NAK));
    this.wait(SILENCE_MS, () => this.remind());
  }

  private takeBlock(data: Uint8Array, atMs: number): void {
    const wasComplete = this.stream!.complete;
    let error = this.stream!.take(data);
    if (this.stream!.complete && !wasComplete && this.context.options.faults.refusesImage) {
      error = FILE_ERROR.signature;
    }
    if (error === undefined && this.stream!.complete) this.finishApplication();
    if (error !== undefined) this.abort('file', error);
    else this.send(Uint8Array.of(ACK), atMs + this.context.flash.takeBusyMs());
  }

  private endUpload(): void {
    if (!this.stream!.complete) {
      this.abort('block', FILE_ERROR.other);
      return;
    }
    this.send(Uint8Array.of(ACK));
    this.say('\r\nSerial upload complete\r\n\0');
    this.context.event({ kind: 'upload-complete', bytes: this.application?.bytes ?? 0 });
    this.showMenu();
  }

  private abort(what: 'file' | 'block', error: FileError): void {
    const code = error.toString(16).toUpperCase().padStart(2, '0');
    this.send(CANCEL);
    this.say('\r\nSerial upload aborted\r\n\0');
    this.say(`\r\n${what} error 0x\0${code}\r\n`);
    this.context.event({ kind: 'upload-aborted' });
    this.showMenu();
  }

  private wait(delayMs: number, task: () => void): void {
    this.timer = this.context.after(delayMs, task);
  }

  private stopTimer(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private say(text: string): void {
    this.send(new TextEncoder().encode(text));
  }

  private send(bytes: Uint8Array, atMs: number = this.context.nowMs()): void {
    this.answers.send([bytes], atMs);
  }
}
