/**
 * The messages of one upload, written into the packet encoder's buffer: how much of the image each carries,
 * and its bytes. Nothing is allocated.
 */
import { GROUP, HEADER_BYTES, IMAGE_COMMAND, OP, OS_COMMAND, writeHeader } from './header.ts';
import type { UploadRequest } from './messages.ts';
import { PACKET_OVERHEAD_BYTES, RAW_BYTES_PER_LINE, wireBytesOf } from './packet-encoder.ts';
import {
  chunkBytesMax,
  chunkMessageBytes,
  FIRST_CHUNK_BYTES_MIN,
  firstChunkBytesMax,
  writeChunk,
  writeFirstChunk,
} from './upload-request.ts';
import type { ProtocolVersion } from './version.ts';

const EMPTY_MAP = 0xa0;

export class UploadPackets {
  private readonly upload: UploadRequest;
  private readonly messageBytes: number;
  private readonly alignBytes: number;
  private readonly version: ProtocolVersion;

  constructor(
    upload: UploadRequest,
    messageBytes: number,
    alignBytes: number,
    version: ProtocolVersion,
  ) {
    this.upload = upload;
    this.messageBytes = messageBytes;
    this.alignBytes = alignBytes;
    this.version = version;
  }

  /** Image bytes a byte on the wire carries, at best. */
  efficiency(): number {
    const { length } = this.upload.image;
    const chunk = chunkBytesMax(this.messageBytes, length, this.alignBytes);
    return chunk / wireBytesOf(chunkMessageBytes(length, chunk));
  }

  /** Image bytes of the first chunk; 0 where the message cannot hold what a device needs to see. */
  firstBytes(): number {
    const { image } = this.upload;
    const most = firstChunkBytesMax(this.messageBytes, this.upload, this.alignBytes);
    const length = Math.min(most, image.length);
    return length < Math.min(FIRST_CHUNK_BYTES_MIN, image.length) ? 0 : length;
  }

  /**
   * Image bytes of the chunk at `offset`, in a message of at most so many lines; of more where they do
   * not hold one multiple of the alignment. A message whose first chunk fitted holds one.
   */
  chunkBytes(offset: number, lines: number): number {
    const ofLines = lines * RAW_BYTES_PER_LINE - PACKET_OVERHEAD_BYTES;
    const most = chunkBytesMax(Math.min(ofLines, this.messageBytes), offset, this.alignBytes);
    return Math.min(this.upload.image.length - offset, Math.max(most, this.alignBytes));
  }

  first(out: Uint8Array, at: number, sequence: number, length: number): number {
    return writeFirstChunk(out, at, this.version.wire, sequence, this.upload, length);
  }

  chunk(out: Uint8Array, at: number, sequence: number, offset: number, length: number): number {
    return writeChunk(out, at, this.version.wire, sequence, this.upload.image, offset, length);
  }

  /** A small request every device answers, if only by refusing it. */
  probe(out: Uint8Array, at: number, sequence: number): number {
    return this.read(out, at, GROUP.os, sequence, OS_COMMAND.params);
  }

  list(out: Uint8Array, at: number, sequence: number): number {
    return this.read(out, at, GROUP.image, sequence, IMAGE_COMMAND.state);
  }

  private read(
    out: Uint8Array,
    at: number,
    group: number,
    sequence: number,
    command: number,
  ): number {
    writeHeader(out, at, OP.read, this.version.wire, 1, group, sequence, command);
    out[at + HEADER_BYTES] = EMPTY_MAP;
    return HEADER_BYTES + 1;
  }
}
