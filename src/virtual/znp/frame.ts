/**
 * Frames of Texas Instruments' monitor and test interface (ZNP), as a Z-Stack 3.x.0 coordinator speaks it
 * on its serial port:
 *
 *     FE | length 0..250 | type << 5 | subsystem | command | data | xor of length..data
 *
 * Bytes before an FE are skipped (a host may send the boot loader's EF first). A frame with a wrong check
 * byte or an impossible length is dropped; the search goes on behind its FE.
 */
import { ByteWriter } from '../../bytes/writer.ts';
import { assert } from '../../errors.ts';

export const FRAME_TYPE = { request: 1, indication: 2, response: 3 } as const;

export const SUBSYSTEM = {
  error: 0,
  system: 1,
  af: 4,
  zdo: 5,
  utility: 7,
  appConfiguration: 15,
} as const;

export const FRAME_DATA_BYTES_MAX = 250;
const START = 0xfe;
/** Start, length, two command bytes. */
const HEAD_BYTES = 4;

/** One received frame; `data` is a view that is valid until the handler returns. */
export type FrameHandler = (
  type: number,
  subsystem: number,
  command: number,
  data: Uint8Array,
) => void;

export class ZnpFrameReader {
  /** Frames dropped for a wrong check byte or length. */
  dropped = 0;
  private pending: Uint8Array = new Uint8Array(0);
  private readonly onFrame: FrameHandler;

  constructor(onFrame: FrameHandler) {
    this.onFrame = onFrame;
  }

  /** Takes what the line brought, in any pieces. */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.pending.length > 0) {
      bytes = new Uint8Array(this.pending.length + chunk.length);
      bytes.set(this.pending);
      bytes.set(chunk, this.pending.length);
    }
    const consumed = this.scan(bytes);
    this.pending = consumed === bytes.length ? NOTHING : bytes.slice(consumed);
  }

  /** Forgets half a frame, as a coordinator does when it restarts. */
  reset(): void {
    this.pending = NOTHING;
  }

  /** Hands out every whole frame; answers how many bytes are done with. */
  private scan(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      if (bytes[at] !== START) {
        at++;
        continue;
      }
      if (at + 1 >= bytes.length) return at;
      const length = bytes[at + 1]!;
      const end = at + HEAD_BYTES + length + 1;
      if (length > FRAME_DATA_BYTES_MAX) {
        this.dropped++;
        at++;
      } else if (end > bytes.length) {
        return at;
      } else if (xorOf(bytes, at + 1, end - 1) !== bytes[end - 1]) {
        this.dropped++;
        at++;
      } else {
        const head = bytes[at + 2]!;
        const data = bytes.subarray(at + HEAD_BYTES, end - 1);
        this.onFrame(head >>> 5, head & 0x1f, bytes[at + 3]!, data);
        at = end;
      }
    }
    return at;
  }
}

/**
 * Builds frames in one scratch buffer: `begin` hands out the writer for the data, `end` a copy of the
 * whole frame, which the caller owns. The scratch is safe to share because nothing runs in between.
 */
export class ZnpFrameBuilder {
  private readonly scratch = new Uint8Array(HEAD_BYTES + FRAME_DATA_BYTES_MAX + 1);

  begin(type: number, subsystem: number, command: number): ByteWriter {
    this.scratch[0] = START;
    this.scratch[2] = (type << 5) | subsystem;
    this.scratch[3] = command;
    return new ByteWriter(this.scratch.subarray(0, HEAD_BYTES + FRAME_DATA_BYTES_MAX), HEAD_BYTES);
  }

  end(data: ByteWriter): Buffer {
    assert(!data.overrun, 'the data of a frame fits 250 bytes');
    const checkAt = data.position;
    this.scratch[1] = checkAt - HEAD_BYTES;
    this.scratch[checkAt] = xorOf(this.scratch, 1, checkAt);
    return Buffer.from(this.scratch.subarray(0, checkAt + 1));
  }
}

/** One frame from its data, for callers that have it whole. */
export function encodeFrame(
  type: number,
  subsystem: number,
  command: number,
  data: Uint8Array,
): Buffer {
  const builder = new ZnpFrameBuilder();
  return builder.end(builder.begin(type, subsystem, command).raw(data));
}

const NOTHING = new Uint8Array(0);

function xorOf(bytes: Uint8Array, from: number, to: number): number {
  let check = 0;
  for (let i = from; i < to; i++) check ^= bytes[i]!;
  return check;
}
