/**
 * SMP over a console, incoming. Bytes in chunks of any size go in; messages whose length and CRC are right
 * come out.
 *
 * The device's log, prompts and colours share the line: a marker counts wherever it stands, and whatever is
 * not behind one is ignored, also between the lines of a packet. Lines need not be full and may end in
 * padding. A new start marker drops what was gathered; so do a symbol that is not base64, a length that is
 * not kept and a wrong CRC. A packet is complete with its last byte, not with the newline after it.
 * Lengths are capped before they are believed. Nothing is allocated.
 */
import { crc16Xmodem } from '../../bytes/crc.ts';
import { BASE64_VALUE, NOT_BASE64, PADDING } from './base64.ts';
import { HEADER_BYTES } from './header.ts';

/** Largest packet taken, length field included: no device in the field has a buffer above 8 KiB. */
const PACKET_BYTES_MAX = 8_192;
const LENGTH_BYTES = 2;
const CRC_BYTES = 2;

/** What became of everything that was no message, for the person who asks why nothing arrives. */
export interface DecoderCounters {
  messages: number;
  badBase64: number;
  badLength: number;
  badCrc: number;
  /** Packets another start marker cut short. */
  cutShort: number;
  /** Bytes outside lines with a marker: log, prompts, noise. */
  ignoredBytes: number;
}

export class PacketDecoder {
  /** The last message is in `bytes[messageStart, messageEnd)`, valid until the next call of `take`. */
  readonly bytes = new Uint8Array(PACKET_BYTES_MAX);
  readonly messageStart = LENGTH_BYTES;
  messageEnd = 0;
  ready = false;
  readonly counters: DecoderCounters = {
    messages: 0,
    badBase64: 0,
    badLength: 0,
    badCrc: 0,
    cutShort: 0,
    ignoredBytes: 0,
  };

  /** Bytes gathered; meaningful while `gathering`. */
  private have = 0;
  private gathering = false;
  private inLine = false;
  private previous = 0;
  private quantum = 0;
  private symbols = 0;
  private padded = 0;

  /** Whatever was gathered is dropped: the link is another one now. */
  reset(): void {
    this.gathering = false;
    this.inLine = false;
    this.ready = false;
    this.previous = 0;
  }

  /**
   * Reads from `start` until the input ends or a message is `ready`; returns where it stopped. Call it
   * again with what is left.
   */
  take(input: Uint8Array, start: number, end: number = input.length): number {
    this.ready = false;
    let at = start;
    while (at < end) {
      const byte = input[at++]!;
      if (this.inLine) this.readSymbol(byte);
      else this.seekMarker(byte);
      if (this.ready) break;
    }
    return at;
  }

  private seekMarker(byte: number): void {
    const { previous } = this;
    this.previous = byte;
    if (previous === 0x06 && byte === 0x09) {
      if (this.gathering) this.counters.cutShort++;
      this.counters.ignoredBytes--;
      this.gathering = true;
      this.have = 0;
      this.beginLine();
    } else if (previous === 0x04 && byte === 0x14 && this.gathering) {
      this.counters.ignoredBytes--;
      this.beginLine();
    } else {
      this.counters.ignoredBytes++;
    }
  }

  private beginLine(): void {
    this.inLine = true;
    this.previous = 0;
    this.quantum = 0;
    this.symbols = 0;
    this.padded = 0;
  }

  private readSymbol(byte: number): void {
    const value = BASE64_VALUE[byte]!;
    if (value !== NOT_BASE64 && this.padded === 0) {
      this.quantum = (this.quantum << 6) | value;
      this.symbols++;
      if (this.symbols === 4) this.endQuantum(3);
    } else if (byte === PADDING && this.symbols >= 2) {
      this.padded++;
      this.symbols++;
      this.quantum <<= 6;
      if (this.symbols === 4) this.endQuantum(3 - this.padded);
    } else if ((byte === 0x0a || byte === 0x0d) && this.symbols === 0) {
      this.inLine = false;
    } else {
      this.counters.badBase64++;
      this.drop();
      // It may be the first byte of the next marker.
      this.seekMarker(byte);
    }
  }

  private endQuantum(count: number): void {
    const { bytes, quantum } = this;
    this.symbols = 0;
    this.quantum = 0;
    if (this.have + count > PACKET_BYTES_MAX) {
      this.counters.badLength++;
      this.drop();
      return;
    }
    for (let i = 0; i < count; i++) bytes[this.have++] = quantum >> (16 - 8 * i);
    this.checkComplete();
  }

  private checkComplete(): void {
    if (this.have < LENGTH_BYTES) return;
    const { bytes } = this;
    const end = LENGTH_BYTES + ((bytes[0]! << 8) | bytes[1]!);
    const shortest = LENGTH_BYTES + HEADER_BYTES + CRC_BYTES;
    if (end < shortest || end > PACKET_BYTES_MAX || this.have > end) {
      this.counters.badLength++;
      this.drop();
    } else if (this.have === end) {
      this.drop();
      // Over a message and its CRC the CRC is zero.
      if (crc16Xmodem(bytes, 0, LENGTH_BYTES, end) !== 0) {
        this.counters.badCrc++;
        return;
      }
      this.counters.messages++;
      this.messageEnd = end - CRC_BYTES;
      this.ready = true;
    }
  }

  private drop(): void {
    this.gathering = false;
    this.inLine = false;
    this.previous = 0;
  }
}
