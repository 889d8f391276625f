/**
 * What the tests of the virtual hub share: images built by hand, a client that knows SMP from the
 * facts and not from the hub's code, and hubs on simulated time.
 */
import { createHash } from 'node:crypto';
import { Encoder } from 'cbor-x';
import type { HubEvent } from '../../../src/virtual/communications-hub/board.ts';
import { VirtualHub } from '../../../src/virtual/communications-hub/hub.ts';
import type { HubSettings } from '../../../src/virtual/communications-hub/options.ts';
import type { FlashGeometry } from '../../../src/virtual/flash.ts';
import { SimulatedScheduler } from '../fixture.ts';

export const cbor = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
});

export const GEOMETRY: FlashGeometry = {
  slotBytes: 32_768,
  eraseBlockBytes: 1_024,
  programPageBytes: 256,
  eraseBlockMs: 0,
  programPageMs: 0,
};

export interface TestImage {
  bytes: Uint8Array;
  /** The SHA-256 entry: the image's name. */
  hash: Uint8Array;
  /** Of the whole file, as `sha` announces it. */
  sha: Uint8Array;
}

export interface TestImageShape {
  version?: [number, number, number, number];
  bodyBytes?: number;
  /** Signs the covered bytes; its entry's type and value. */
  sign?: (covered: Buffer) => { type: number; value: Uint8Array };
  /** A bit of the body is flipped after the hash was made. */
  spoilt?: boolean;
  protectedEntry?: boolean;
}

/** An MCUboot image, written out by hand. */
export function makeImage(shape: TestImageShape = {}): TestImage {
  const [major, minor, revision, build] = shape.version ?? [1, 0, 0, 0];
  const bodyBytes = shape.bodyBytes ?? 6_000;
  const protectedBytes = shape.protectedEntry ? 12 : 0;
  const header = Buffer.alloc(512, 0);
  header.writeUInt32LE(0x96f3b83d, 0);
  header.writeUInt16LE(header.length, 8);
  header.writeUInt16LE(protectedBytes, 10);
  header.writeUInt32LE(bodyBytes, 12);
  header.set([major, minor], 20);
  header.writeUInt16LE(revision, 22);
  header.writeUInt32LE(build, 24);
  const body = Buffer.alloc(bodyBytes);
  let state = (major * 7 + minor * 5 + revision * 3 + build + bodyBytes) >>> 0;
  for (let i = 0; i < bodyBytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    body[i] = state >>> 16;
  }
  const security = Buffer.from([0x08, 0x69, 12, 0, 0x50, 0, 4, 0, 7, 0, 0, 0]);
  const covered = Buffer.concat([header, body, ...(shape.protectedEntry ? [security] : [])]);
  const hash = createHash('sha256').update(covered).digest();
  const entries = [entry(0x10, hash)];
  if (shape.sign) {
    const { type, value } = shape.sign(covered);
    entries.push(entry(type, value));
  }
  const total = 4 + entries.reduce((sum, item) => sum + item.length, 0);
  const area = Buffer.concat([Buffer.from([0x07, 0x69, total & 0xff, total >>> 8]), ...entries]);
  if (shape.spoilt) covered[600]! ^= 1;
  const bytes = new Uint8Array(Buffer.concat([covered, area]));
  const sha = new Uint8Array(createHash('sha256').update(bytes).digest());
  return { bytes, hash: new Uint8Array(hash), sha };
}

function entry(type: number, value: Uint8Array): Buffer {
  const head = Buffer.from([type & 0xff, type >>> 8, value.length & 0xff, value.length >>> 8]);
  return Buffer.concat([head, value]);
}

/** Bit by bit, as the definition has it. */
export function naiveCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc;
}

export function naiveMessage(
  op: number,
  group: number,
  command: number,
  body: object | Uint8Array,
  { version = 1, sequence = 0 } = {},
): Uint8Array {
  const map = body instanceof Uint8Array ? body : cbor.encode(body);
  const header = Buffer.alloc(8);
  header[0] = (version << 3) | op;
  header.writeUInt16BE(map.length, 2);
  header.writeUInt16BE(group, 4);
  header.set([sequence, command], 6);
  return new Uint8Array(Buffer.concat([header, map]));
}

/** Lines of at most `rawPerLine` raw bytes each. */
export function naiveLines(message: Uint8Array, rawPerLine = 93): Uint8Array[] {
  const length = message.length + 2;
  const crc = naiveCrc16(message);
  const raw = Buffer.concat([
    Buffer.from([length >>> 8, length & 0xff]),
    message,
    Buffer.from([crc >>> 8, crc & 0xff]),
  ]);
  const lines: Uint8Array[] = [];
  for (let at = 0; at < raw.length; at += rawPerLine) {
    const marker = at === 0 ? '\x06\x09' : '\x04\x14';
    const text = raw.subarray(at, at + rawPerLine).toString('base64');
    lines.push(new Uint8Array(Buffer.from(`${marker}${text}\n`, 'latin1')));
  }
  return lines;
}

/** Every message in what a hub wrote, wherever in a line its marker is; wrong ones are left out. */
export function naiveParse(wire: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let packet: Buffer | undefined;
  for (const line of Buffer.from(wire).toString('latin1').split('\n')) {
    const first = line.indexOf('\x06\x09');
    const later = line.indexOf('\x04\x14');
    if (first >= 0) packet = Buffer.from(line.slice(first + 2), 'base64');
    else if (later >= 0 && packet) {
      packet = Buffer.concat([packet, Buffer.from(line.slice(later + 2), 'base64')]);
    }
    if (!packet || packet.length < 2 || packet.length < 2 + packet.readUInt16BE(0)) continue;
    const message = packet.subarray(2, packet.length - 2);
    if (naiveCrc16(message) === packet.readUInt16BE(packet.length - 2)) {
      messages.push(new Uint8Array(message));
    }
    packet = undefined;
  }
  return messages;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
export type Answer = any;

export function decodeBody(message: Uint8Array): Answer {
  return cbor.decode(message.slice(8));
}

/** A hub on simulated time, and the host at the other end of its line. */
export class Bench {
  readonly scheduler = new SimulatedScheduler();
  readonly hub: VirtualHub;
  readonly events: HubEvent[] = [];
  /** All that the hub wrote. */
  written: number[] = [];
  private sequence = 0;

  constructor(settings: Partial<HubSettings> & { restored?: Uint8Array[] } = {}) {
    this.hub = new VirtualHub({
      flash: GEOMETRY,
      firmware: makeImage().bytes,
      baudRate: 1_000_000,
      ...settings,
      smp: { resetDelayMs: 250, ...settings.smp },
      scheduler: this.scheduler,
      write: (bytes) => {
        this.written.push(...bytes);
      },
      onEvent: (event) => this.events.push(event),
    });
  }

  /** Powered and through its boot. */
  static booted(settings: Partial<HubSettings> & { restored?: Uint8Array[] } = {}): Bench {
    const bench = new Bench(settings);
    bench.hub.powerOn();
    bench.scheduler.run(2_000);
    bench.take();
    return bench;
  }

  take(): Uint8Array {
    const bytes = Uint8Array.from(this.written);
    this.written = [];
    return bytes;
  }

  text(): string {
    return Buffer.from(this.take()).toString('latin1');
  }

  send(bytes: Uint8Array | string): void {
    this.hub.receive(
      typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'latin1')) : bytes,
    );
  }

  /** Writes a message line by line with a pause between, and answers what came back. */
  exchange(message: Uint8Array, waitMs = 200): Uint8Array[] {
    this.take();
    for (const line of naiveLines(message)) {
      this.send(line);
      this.scheduler.run(5);
    }
    this.scheduler.run(waitMs);
    return naiveParse(this.take());
  }

  /** The body of the one answer; `undefined` for silence. */
  ask(op: number, group: number, command: number, body: object, version = 1): Answer {
    this.sequence = (this.sequence + 1) & 0xff;
    const options = { version, sequence: this.sequence };
    const answers = this.exchange(naiveMessage(op, group, command, body, options));
    const own = answers.filter((message) => message[6] === this.sequence);
    return own.length === 0 ? undefined : decodeBody(own[0]!);
  }

  list(): Answer[] {
    return this.ask(0, 1, 0, {}).images;
  }

  /** `0 1.0.0 confirmed active | 1 2.0.0 pending` */
  state(): string {
    return this.list().map(describeEntry).join(' | ');
  }

  chunk(body: object, version = 1): Answer {
    return this.ask(2, 1, 1, body, version);
  }

  upload(image: TestImage, chunkBytes = 240, endBytes = image.bytes.length): Answer {
    let answer: Answer;
    for (let off = 0; off < endBytes; off = answer.off) {
      const data = image.bytes.subarray(off, off + chunkBytes);
      const first = { off, len: image.bytes.length, sha: image.sha, data };
      answer = this.chunk(off === 0 ? first : { off, data });
      if (answer?.off === undefined) break;
    }
    return answer;
  }

  setState(body: object, version = 1): Answer {
    return this.ask(2, 1, 0, body, version);
  }

  reset(waitMs = 2_000): void {
    this.ask(2, 0, 5, {});
    this.scheduler.run(waitMs);
    this.take();
  }
}

export function describeEntry(image: Answer): string {
  const flags = ['pending', 'confirmed', 'active', 'permanent'].filter((flag) => image[flag]);
  return [image.slot, image.version, ...flags].join(' ');
}
