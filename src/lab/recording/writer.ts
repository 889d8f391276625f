/**
 * Writes a recording. Bytes are copied into one buffer, which goes to the file when it is full, a second
 * after its first byte, and at the end: memory is that buffer, and who records faster than the disk takes
 * waits for it. A chunk of 527 bytes costs 0.8 microseconds, and the 60 bytes in which V8 keeps its time
 * (test/bench/recorder.bench.ts).
 *
 * A recorder never throws where a link calls it. What the disk refuses is remembered, nothing more is
 * written after it (what is there stays a good prefix), and `close` tells.
 */

import { dirname } from 'node:path';
import { crc32 } from '../../bytes/crc.ts';
import { assert, EXIT, UpliftError } from '../../errors.ts';
import { type FileSystem, realFiles, syncFolder, writeAll } from '../../store/files.ts';
import type { LinkRecorder } from '../ports.ts';
import { contentsBeside } from './contents.ts';
import {
  BODY_BYTES_MAX,
  type Direction,
  FORMAT_VERSION,
  LINKS_MAX,
  MAGIC,
  PIECE_BYTES_MAX,
  RECORD_HEAD_BYTES,
  RECORD_KIND,
  RECORD_TAIL_BYTES,
  type RecordedCall,
  type RecordingHeader,
  STAMP_BYTES,
  TIME_US_MAX,
} from './format.ts';
import { type Contents, encodeValue } from './values.ts';

const BUFFER_BYTES = 65_536;
/** Crashes lose no more than that. */
const FLUSH_MS = 1_000;

export interface RecorderOptions {
  files?: FileSystem;
}

/** @throws UpliftError where the file cannot be made */
export function openRecorder(
  path: string,
  header: RecordingHeader,
  { files = realFiles }: RecorderOptions = {},
): RecordingWriter {
  return new RecordingWriter(path, header, files);
}

export class RecordingWriter implements LinkRecorder {
  readonly path: string;
  /** Bytes of links that are in the recording, and those that came after the disk refused. */
  recordedBytes = 0;
  lostBytes = 0;
  /** Machines that began in it. */
  machines = 0;
  private readonly files: FileSystem;
  private readonly startedAtMs: number;
  private readonly contents: Contents;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private filled = 0;
  private position = 0;
  private descriptor: number | undefined;
  private readonly links = new Map<string, number>();
  private lastUs = 0;
  private recordStart = 0;
  private failure: unknown;
  private timer: NodeJS.Timeout | undefined;

  constructor(path: string, header: RecordingHeader, files: FileSystem) {
    this.path = path;
    this.files = files;
    this.startedAtMs = header.startedAtMs;
    this.contents = contentsBeside(path, files);
    try {
      files.makeFolder(dirname(path));
      this.descriptor = files.open(path, 'wx');
      syncFolder(files, dirname(path));
    } catch (error) {
      throw notRecorded(path, error);
    }
    this.buffer.set(MAGIC);
    this.buffer[MAGIC.length] = FORMAT_VERSION;
    this.filled = MAGIC.length + 1;
    this.append(RECORD_KIND.header, Buffer.from(JSON.stringify(header)));
    this.flush();
  }

  record(link: string, direction: Direction, bytes: Uint8Array, atMs: number): void {
    if (this.isOver) {
      this.lostBytes += bytes.length;
      return;
    }
    const number = this.numberOf(link);
    const atUs = this.timeOf(atMs);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX) {
      const length = Math.min(PIECE_BYTES_MAX, bytes.length - at);
      this.beginRecord(RECORD_KIND.bytes, STAMP_BYTES + 1 + length);
      this.stamp(atUs, number);
      this.buffer[this.filled++] = direction === 'up' ? 0 : 1;
      // A view is made only of a piece that is more than one record.
      this.buffer.set(
        length === bytes.length ? bytes : bytes.subarray(at, at + length),
        this.filled,
      );
      this.filled += length;
      this.endRecord();
      this.recordedBytes += length;
    }
  }

  note(link: string, text: string, atMs: number): void {
    this.stamped(RECORD_KIND.note, link, text, atMs);
  }

  /** From here on a machine of that kind, made with those settings, is at the end of the link. */
  machine(link: string, machine: string, settings: unknown, atMs: number): void {
    this.machines++;
    const encoded = this.encoded(settings, this.contents);
    this.stamped(RECORD_KIND.machine, link, JSON.stringify({ machine, settings: encoded }), atMs);
  }

  /** What was done to it; what the values refer to may change afterwards. */
  call(link: string, { method, parameters, result }: RecordedCall, atMs: number): void {
    if (this.isOver) return;
    // What passes on a line is kept where it passed; what a machine is given to send is kept once.
    const contents = /^(handle|poll)/.test(method) ? undefined : this.contents;
    const call = {
      method,
      parameters: parameters.map((value) => this.encoded(value, contents)),
      ...(result !== undefined && { result: this.encoded(result, contents) }),
    };
    this.stamped(RECORD_KIND.call, link, JSON.stringify(call), atMs);
  }

  /** What is recorded so far is in the file. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.filled === 0 || this.isOver) return;
    this.write(this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }

  /** All of it is on the disk. @throws UpliftError where it is not */
  async close(): Promise<void> {
    this.flush();
    const { descriptor, files } = this;
    this.descriptor = undefined;
    if (descriptor !== undefined) {
      try {
        if (this.failure === undefined) files.sync(descriptor);
      } catch (error) {
        this.failure = error;
      }
      try {
        files.close(descriptor);
      } catch (error) {
        this.failure ??= error;
      }
    }
    if (this.failure !== undefined) throw notRecorded(this.path, this.failure);
  }

  private get isOver(): boolean {
    return this.failure !== undefined || this.descriptor === undefined;
  }

  private encoded(value: unknown, contents: Contents | undefined): unknown {
    try {
      return encodeValue(value, contents);
    } catch (error) {
      // A disk that is full.
      this.failure ??= error;
      return null;
    }
  }

  private numberOf(link: string): number {
    const known = this.links.get(link);
    if (known !== undefined) return known;
    const number = this.links.size;
    assert(number < LINKS_MAX, 'a recording has at most 256 links');
    this.links.set(link, number);
    this.append(RECORD_KIND.link, Buffer.concat([Uint8Array.of(number), Buffer.from(link)]));
    return number;
  }

  private timeOf(atMs: number): number {
    const us = Math.round((atMs - this.startedAtMs) * 1000);
    this.lastUs = Math.min(Math.max(us, this.lastUs), TIME_US_MAX);
    return this.lastUs;
  }

  private stamped(kind: number, link: string, text: string, atMs: number): void {
    if (this.isOver) return;
    const number = this.numberOf(link);
    const rest = Buffer.from(text);
    const body = new Uint8Array(STAMP_BYTES + rest.length);
    writeStamp(body, 0, this.timeOf(atMs), number);
    body.set(rest, STAMP_BYTES);
    this.append(kind, body);
  }

  private stamp(atUs: number, link: number): void {
    writeStamp(this.buffer, this.filled, atUs, link);
    this.filled += STAMP_BYTES;
  }

  /** Makes room, and writes what stands before a body that fits the buffer. */
  private beginRecord(kind: number, bodyBytes: number): void {
    const bytes = RECORD_HEAD_BYTES + bodyBytes + RECORD_TAIL_BYTES;
    if (this.filled + bytes > BUFFER_BYTES) this.flush();
    this.recordStart = this.filled;
    writeU32(this.buffer, this.filled, bodyBytes);
    this.buffer[this.filled + 4] = kind;
    this.filled += RECORD_HEAD_BYTES;
  }

  private endRecord(): void {
    writeU32(this.buffer, this.filled, crc32(this.buffer, 0, this.recordStart, this.filled));
    this.filled += RECORD_TAIL_BYTES;
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** A record whose body is there as a whole, however long. */
  private append(kind: number, body: Uint8Array): void {
    assert(body.length <= BODY_BYTES_MAX, 'a record is not longer than its reader takes');
    if (RECORD_HEAD_BYTES + body.length + RECORD_TAIL_BYTES <= BUFFER_BYTES) {
      this.beginRecord(kind, body.length);
      this.buffer.set(body, this.filled);
      this.filled += body.length;
      this.endRecord();
      return;
    }
    this.flush();
    const whole = new Uint8Array(RECORD_HEAD_BYTES + body.length + RECORD_TAIL_BYTES);
    writeU32(whole, 0, body.length);
    whole[4] = kind;
    whole.set(body, RECORD_HEAD_BYTES);
    const end = RECORD_HEAD_BYTES + body.length;
    writeU32(whole, end, crc32(whole, 0, 0, end));
    this.write(whole);
  }

  private write(bytes: Uint8Array): void {
    if (this.isOver) return;
    try {
      writeAll(this.files, this.descriptor!, bytes, this.position);
      this.position += bytes.length;
    } catch (error) {
      this.failure = error;
    }
  }
}

function writeStamp(target: Uint8Array, at: number, atUs: number, link: number): void {
  writeU32(target, at, atUs % 2 ** 32);
  const high = Math.floor(atUs / 2 ** 32);
  target[at + 4] = high;
  target[at + 5] = high >>> 8;
  target[at + 6] = link;
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}

function notRecorded(path: string, error: unknown): UpliftError {
  return new UpliftError('recording-not-written', `the recording ${path} cannot be written`, {
    expected: 'a new file in a folder that this user may write to, on a disk with room',
    actual: (error as Error).message,
    next: 'make room, or name another folder for recordings',
    exit: EXIT.usage,
    cause: error,
  });
}
