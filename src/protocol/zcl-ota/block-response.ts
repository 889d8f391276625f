/**
 * The image block response (095264, section 6.10.8), written without allocating: one buffer, and one view
 * of it for each length. The view returned belongs to this object and changes with the next call.
 */
import { BLOCK_RESPONSE_HEAD_BYTES, OTA_COMMAND, SERVER_FRAME_CONTROL, STATUS } from './codec.ts';

/** Most image bytes in one block: what fits an unfragmented APS frame with network security. */
export const BLOCK_BYTES_MAX = 64;

/** What a response is written from. The codes are the 32-bit signed integers of the request's bytes. */
export interface BlockSource {
  image: Uint8Array;
  wireKind: number;
  wireVersion: number;
}

export class BlockResponse {
  private readonly buffer = new Uint8Array(BLOCK_RESPONSE_HEAD_BYTES + 255);
  private readonly views: Uint8Array[] = [];

  constructor() {
    for (let length = 0; length <= this.buffer.length; length++) {
      this.views.push(this.buffer.subarray(0, length));
    }
    this.buffer[0] = SERVER_FRAME_CONTROL;
    this.buffer[2] = OTA_COMMAND.imageBlockResponse;
    this.buffer[3] = STATUS.success;
  }

  /** `offset` and `length` are inside the image, `length` at most 255: the caller has checked. */
  fill(source: BlockSource, sequence: number, offset: number, length: number): Uint8Array {
    const out = this.buffer;
    const { image, wireKind, wireVersion } = source;
    out[1] = sequence;
    out[4] = wireKind;
    out[5] = wireKind >> 8;
    out[6] = wireKind >> 16;
    out[7] = wireKind >> 24;
    out[8] = wireVersion;
    out[9] = wireVersion >> 8;
    out[10] = wireVersion >> 16;
    out[11] = wireVersion >> 24;
    out[12] = offset;
    out[13] = offset >> 8;
    out[14] = offset >> 16;
    out[15] = offset >> 24;
    out[16] = length;
    for (let i = 0; i < length; i++) out[BLOCK_RESPONSE_HEAD_BYTES + i] = image[offset + i]!;
    return this.views[BLOCK_RESPONSE_HEAD_BYTES + length]!;
  }
}
