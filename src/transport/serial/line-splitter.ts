/**
 * A stream of bytes cut into whole lines, each with its newline.
 *
 * The cutting is `@serialport/parser-delimiter`'s, of which this is the only import. What it lacks is a
 * bound: a peer that never sends a newline would have it keep everything, and copy it for every chunk.
 * Here a line has at most `lineBytesMax` bytes: of a longer one the first go, since a frame that follows
 * noise on the same line is at its end.
 */
import { DelimiterParser } from '@serialport/parser-delimiter';
import { assert } from '../../errors.ts';

const NEWLINE = 0x0a;

export class LineSplitter {
  /** Bytes that were dropped from lines that were too long. */
  droppedBytes = 0;
  private readonly lineBytesMax: number;
  private readonly parser = new DelimiterParser({
    delimiter: [NEWLINE],
    includeDelimiter: true,
    // Line by line: a stream of bytes would give out all there are as one.
    readableObjectMode: true,
  });

  constructor(lineBytesMax: number) {
    assert(lineBytesMax > 0, 'a line has room for its newline');
    this.lineBytesMax = lineBytesMax;
  }

  /** The bytes are the caller's again when this returns: the parser copies. */
  push(bytes: Uint8Array): void {
    const { parser, lineBytesMax } = this;
    parser.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const excess = parser.buffer.length - lineBytesMax;
    if (excess <= 0) return;
    this.droppedBytes += excess;
    parser.buffer = parser.buffer.subarray(excess);
  }

  next(): Uint8Array | undefined {
    const line = this.parser.read() as Buffer | null;
    if (line === null) return undefined;
    const excess = Math.max(line.length - this.lineBytesMax, 0);
    this.droppedBytes += excess;
    return new Uint8Array(line.buffer, line.byteOffset + excess, line.length - excess);
  }

  /** What was not given out as lines, the unfinished one last. Afterwards it is empty. */
  takeRest(): Uint8Array {
    const { parser } = this;
    const rest: Uint8Array[] = [];
    for (let line = this.next(); line !== undefined; line = this.next()) rest.push(line);
    rest.push(parser.buffer);
    parser.buffer = Buffer.alloc(0);
    return new Uint8Array(Buffer.concat(rest));
  }
}
