/**
 * A Gecko bootloader, written after the behaviour of its UART source and sharing nothing with the product:
 * the menu, the upload with its one-sided rules, a parser of a toy image, and flash that outlives it.
 *
 * The toy image: "TEST", its whole length as u32, bytes, and the sum of all before as u32, little-endian.
 */
import type { End } from './xmodem-line.ts';

const MENU = '\r\nGecko Bootloader v2.04.01\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const ACK = [0x06];
const NAK = [0x15];
const CANCEL = [0x18, 0x18, 0x18];

export interface Flash {
  bytes: number[];
  /** A whole image, checked. */
  valid: boolean;
}

export function toyImage(length: number): Uint8Array {
  const image = Uint8Array.from({ length }, (_, i) => (i * 37 + 11) & 0xff);
  image.set([0x54, 0x45, 0x53, 0x54, length & 0xff, length >> 8, 0, 0]);
  const sum = image.subarray(0, length - 4).reduce((total, byte) => total + byte, 0);
  image.set([sum & 0xff, (sum >> 8) & 0xff, (sum >> 16) & 0xff, 0], length - 4);
  return image;
}

type State = 'menu' | 'flush' | 'ask' | 'head' | 'body' | 'left';

export class NaiveGecko implements End<never> {
  private readonly flash: Flash;
  private readonly out: { atMs: number; bytes: number[] }[] = [];
  private state: State = 'menu';
  private deadlineMs = Number.POSITIVE_INFINITY;
  private asked = 0;
  private packet: number[] = [];
  private expected = 1;

  /** Switched on: it enters its menu, as it does where no application is. */
  constructor(flash: Flash, nowMs: number) {
    this.flash = flash;
    this.print(MENU, nowMs);
  }

  get hasLeft(): boolean {
    return this.state === 'left';
  }

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    for (const byte of bytes) {
      // What an upload's end flushes is gone.
      if (this.state === 'flush' || this.state === 'left') continue;
      if (this.state === 'menu') this.choose(byte, nowMs);
      else if (this.state === 'body') this.collect(byte, nowMs);
      else this.begin(byte, nowMs);
    }
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    if (this.state === 'flush' || this.state === 'ask') {
      if (++this.asked > 60) {
        this.say(CANCEL, nowMs);
        this.toMenu(nowMs);
        return;
      }
      this.state = 'ask';
      this.say([0x43], nowMs);
      this.deadlineMs = nowMs + 1_000;
    } else if (this.state === 'head' || this.state === 'body') {
      this.refuse(nowMs);
    }
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    if (this.out.length === 0 || this.out[0]!.atMs > nowMs) return undefined;
    return Uint8Array.from(this.out.shift()!.bytes);
  }

  pollEvent(): undefined {
    return undefined;
  }

  pollTimeout(): number {
    return Math.min(this.deadlineMs, this.out[0]?.atMs ?? Number.POSITIVE_INFINITY);
  }

  private choose(byte: number, nowMs: number): void {
    if (byte === 0x31) {
      this.print('\r\nbegin upload\r\n\0', nowMs);
      this.state = 'flush';
      this.deadlineMs = nowMs + 5;
      this.asked = 0;
      this.expected = 1;
      this.flash.bytes = [];
      this.flash.valid = false;
    } else if (byte === 0x32 && this.flash.valid) {
      this.state = 'left';
    } else {
      this.print(MENU, nowMs);
    }
  }

  /** A byte where a packet should start. */
  private begin(byte: number, nowMs: number): void {
    if (byte === 0x01) {
      this.packet = [byte];
      this.state = 'body';
      this.deadlineMs = nowMs + 3_000;
    } else if (byte === 0x04) {
      if (this.flash.valid) {
        this.say(ACK, nowMs);
        this.print('\r\nSerial upload complete\r\n\0', nowMs + 10);
        this.toMenu(nowMs + 10);
      } else {
        this.abort('block', byte === 0x04 ? '18' : '21', nowMs);
      }
    } else {
      this.abort('block', byte === 0x18 || byte === 0x03 ? '18' : '21', nowMs);
    }
  }

  private collect(byte: number, nowMs: number): void {
    this.packet.push(byte);
    if (this.packet.length < 133) return;
    const number = this.packet[1]!;
    const data = this.packet.slice(3, 131);
    const intact =
      number + this.packet[2]! === 255 && crc(data) === this.packet[131]! * 256 + this.packet[132]!;
    if (intact && number === ((this.expected + 255) & 255) && this.flash.bytes.length > 0) {
      this.say(ACK, nowMs);
      this.awaitHead(nowMs);
    } else if (!intact || number !== this.expected) {
      this.refuse(nowMs);
    } else {
      this.store(data, nowMs);
    }
  }

  private store(data: number[], nowMs: number): void {
    const { flash } = this;
    if (flash.valid) {
      flash.valid = false;
      this.abort('file', '4F', nowMs);
      return;
    }
    flash.bytes.push(...data);
    this.expected = (this.expected + 1) & 255;
    const [t, e, s, u, low, high] = flash.bytes;
    const length = low! + high! * 256;
    if (String.fromCharCode(t!, e!, s!, u!) !== 'TEST') {
      this.abort('file', '41', nowMs);
      return;
    }
    if (flash.bytes.length >= length) {
      flash.bytes.length = length;
      const sum = flash.bytes.slice(0, -4).reduce((total, byte) => total + byte, 0);
      const stated =
        flash.bytes[length - 4]! +
        256 * flash.bytes[length - 3]! +
        65536 * flash.bytes[length - 2]!;
      if (sum !== stated) {
        this.abort('file', '43', nowMs);
        return;
      }
      flash.valid = true;
    }
    // Writing flash takes its time.
    this.say(ACK, nowMs + 14);
    this.awaitHead(nowMs + 14);
  }

  private awaitHead(nowMs: number): void {
    this.state = 'head';
    this.deadlineMs = nowMs + 3_000;
  }

  private refuse(nowMs: number): void {
    this.say(NAK, nowMs);
    this.awaitHead(nowMs);
  }

  private abort(what: 'file' | 'block', status: string, nowMs: number): void {
    this.say(CANCEL, nowMs);
    this.print('\r\nSerial upload aborted\r\n\0', nowMs + 10);
    this.print(`\r\n${what} error 0x\0`, nowMs + 10);
    this.print(`${status}\r\n`, nowMs + 10);
    this.toMenu(nowMs + 10);
  }

  private toMenu(nowMs: number): void {
    this.state = 'menu';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.print(MENU, nowMs);
  }

  private print(text: string, atMs: number): void {
    this.say([...Buffer.from(text, 'latin1')], atMs);
  }

  private say(bytes: number[], atMs: number): void {
    this.out.push({ atMs, bytes });
  }
}

function crc(data: number[]): number {
  let value = 0;
  for (const byte of data) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      value = ((value << 1) ^ (value & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return value;
}
