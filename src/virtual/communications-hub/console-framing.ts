/**
 * SMP over console, the hub's side: lines in, packets out, and back. A packet is `length | message
 * | CRC`, cut into lines of base64 behind a two-byte marker. What is wrong is dropped without a
 * word.
 *
 * As the server observed: a marker counts only at a line's start, each line is base64 of its own, a
 * first line starts afresh, other lines in between are ignored, and so is what follows the base64
 * in a line.
 */
import { crc16Xmodem } from '../../bytes/crc.ts';

const FIRST = [0x06, 0x09] as const;
const CONTINUATION = [0x04, 0x14] as const;
const NEWLINE = 0x0a;
const LENGTH_BYTES = 2;
const CRC_BYTES = 2;
/** Raw bytes in a first line and in a later one, as Zephyr's sender cuts them. */
const FIRST_LINE_BYTES = 93;
const LATER_LINE_BYTES = 90;
const BASE64_GROUP_BYTES = 3;

/** Gathers the lines of one packet. */
export class PacketAssembler {
  private readonly bufBytes: number;
  private readonly packet: Uint8Array;
  private fill = 0;
  private begun = false;

  /** Packets above `bufBytes` are dropped. */
  constructor(bufBytes: number) {
    this.bufBytes = bufBytes;
    this.packet = new Uint8Array(bufBytes);
  }

  reset(): void {
    this.begun = false;
    this.fill = 0;
  }

  /** Takes a line with or without its newline; answers the message that it completes, a copy. */
  takeLine(line: Uint8Array): Uint8Array | undefined {
    if (line[0] === FIRST[0] && line[1] === FIRST[1]) {
      this.reset();
      this.begun = true;
    } else if (line[0] !== CONTINUATION[0] || line[1] !== CONTINUATION[1] || !this.begun) {
      return undefined;
    }
    const part = decodeBase64(line.subarray(2));
    if (part === undefined || this.fill + part.length > this.bufBytes) {
      this.reset();
      return undefined;
    }
    this.packet.set(part, this.fill);
    this.fill += part.length;
    return this.finish();
  }

  private finish(): Uint8Array | undefined {
    if (this.fill < LENGTH_BYTES) return undefined;
    const wanted = LENGTH_BYTES + ((this.packet[0]! << 8) | this.packet[1]!);
    if (this.fill < wanted) return undefined;
    const whole = this.fill === wanted && wanted >= LENGTH_BYTES + CRC_BYTES;
    this.reset();
    if (!whole || crc16Xmodem(this.packet, 0, LENGTH_BYTES, wanted) !== 0) return undefined;
    return this.packet.slice(LENGTH_BYTES, wanted - CRC_BYTES);
  }
}

/** The lines of one message, glued together. */
export function encodeConsoleLines(message: Uint8Array): Uint8Array {
  const raw = new Uint8Array(LENGTH_BYTES + message.length + CRC_BYTES);
  const crc = crc16Xmodem(message);
  const length = message.length + CRC_BYTES;
  raw.set([length >>> 8, length & 0xff]);
  raw.set(message, LENGTH_BYTES);
  raw.set([crc >>> 8, crc & 0xff], raw.length - CRC_BYTES);
  const lines: number[] = [];
  for (let at = 0; at < raw.length; ) {
    const marker = at === 0 ? FIRST : CONTINUATION;
    const room = at === 0 ? FIRST_LINE_BYTES : LATER_LINE_BYTES;
    let end = Math.min(raw.length, at + room);
    // A line that would leave nothing but CRC bytes for the next one ends three bytes earlier.
    if (end < raw.length && raw.length - end <= CRC_BYTES) end -= BASE64_GROUP_BYTES;
    const text = Buffer.from(raw.subarray(at, end)).toString('base64');
    lines.push(...marker, ...Buffer.from(text, 'latin1'), NEWLINE);
    at = end;
  }
  return Uint8Array.from(lines);
}

/** Up to the first byte that is no base64; `undefined` where that leaves no whole groups. */
function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  const digits = Buffer.from(text).toString('latin1');
  const body = /^[A-Za-z0-9+/]*={0,2}/.exec(digits)![0];
  return body.length === 0 || body.length % 4 !== 0 ? undefined : plain(body);
}

function plain(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
