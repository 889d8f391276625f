/**
 * A device that speaks SMP, as the Zephyr 4.4 server and MCUboot's serial recovery were observed to: what
 * they answer, and how they lose what comes too fast. Simulated time only.
 */
import { cbor, crc, type Frame, frame, Indefinite, message } from './naive-codec.ts';

export interface DevicePlan {
  recovery: boolean;
  /** The device knows only version 1 and refuses version 2. */
  onlyV1: boolean;
  bufferBytes: number;
  bufferCount: number;
  /** No `params` command. */
  withoutParams: boolean;
  /** Lines held while the device is busy. */
  poolLines: number;
  /** Busy with a message, it does not take lines out of the pool. */
  blind: boolean;
  /** Time a request takes, ms. */
  handleMs: number;
  /** Time the first chunk takes on top, ms. */
  eraseMs: number;
  /** Every so many bytes a page is erased, and how long that takes, ms. */
  pageBytes: number;
  pageEraseMs: number;
  slotBytes: number;
  bootMs: number;
  /** It compares the hash at the end and says so. */
  checksHash: boolean;
  /** Log lines before each answer. */
  babbles: boolean;
  /** The application runs unconfirmed. */
  unconfirmed: boolean;
  fixedMaps: boolean;
}

export const ZEPHYR: DevicePlan = {
  recovery: false,
  onlyV1: false,
  bufferBytes: 384,
  bufferCount: 4,
  withoutParams: false,
  poolLines: 2,
  blind: false,
  handleMs: 1,
  eraseMs: 10,
  pageBytes: 0,
  pageEraseMs: 0,
  slotBytes: 1 << 20,
  bootMs: 300,
  checksHash: false,
  babbles: false,
  unconfirmed: false,
  fixedMaps: false,
};

export const RECOVERY: DevicePlan = {
  ...ZEPHYR,
  recovery: true,
  bufferBytes: 1024,
  bufferCount: 1,
  poolLines: 8,
  blind: true,
};

/** Hash that the device lists for an image: a stand-in for the TLV, from the bytes. */
export function listedHash(image: Uint8Array): Uint8Array {
  const hash = new Uint8Array(32);
  image.forEach((byte, i) => {
    hash[i % 32] = (hash[i % 32]! * 31 + byte + i) & 255;
  });
  return hash;
}

interface Slot {
  bytes: Uint8Array;
  length: number;
  pending: boolean;
}

export class NaiveServer {
  readonly plan: DevicePlan;
  /** The slot an upload goes to, as flash keeps it. */
  slot: Slot = { bytes: new Uint8Array(0), length: 0, pending: false };
  readonly requests: Frame[] = [];
  dropped = 0;
  echoes = 0;
  resets = 0;
  /** Upload state: RAM. */
  private upload: { expected: number; size: number; sha: string } | undefined;

  constructor(plan: Partial<DevicePlan> = {}) {
    this.plan = { ...ZEPHYR, ...plan };
  }

  get uploaded(): Uint8Array {
    return this.slot.bytes.subarray(0, this.slot.length);
  }

  get offset(): number {
    return this.upload?.expected ?? 0;
  }

  powerCut(): void {
    this.upload = undefined;
  }

  /** How long the request keeps it busy, ms. */
  busyMs(bytes: Uint8Array): number {
    const { plan } = this;
    const { group, command, op, body } = frame(bytes);
    if (group !== 1 || command !== 1 || op !== 2) return plan.handleMs;
    const { off, data, sha } = body as { off: number; data: Uint8Array; sha?: Uint8Array };
    if (off === 0 && !(this.upload && hexOf(sha) === this.upload.sha && !plan.recovery)) {
      return plan.handleMs + plan.eraseMs;
    }
    if (plan.pageBytes === 0 || off !== this.upload?.expected) return plan.handleMs;
    const pages =
      Math.floor((off + data.length) / plan.pageBytes) - Math.floor(off / plan.pageBytes);
    return plan.handleMs + pages * plan.pageEraseMs;
  }

  /** The answer's message; `undefined` where there is none. */
  answer(bytes: Uint8Array): Uint8Array | undefined {
    const { plan } = this;
    const request = frame(bytes);
    this.requests.push(request);
    if (request.op !== 0 && request.op !== 2) return undefined;
    const tooNew = plan.onlyV1 ? request.version > 0 : request.version > 1;
    const version = tooNew ? 0 : request.version;
    const body = tooNew ? { rc: 13 } : this.bodyOf(request);
    const map = plan.fixedMaps ? body : new Indefinite(body);
    return message({ ...request, op: request.op + 1, version, body: map });
  }

  private bodyOf(request: Frame): Record<string, unknown> {
    const { plan } = this;
    const body = request.body as Record<string, unknown>;
    const key = `${request.group}/${request.command}/${request.op}`;
    if (plan.recovery && !['0/5/2', '0/6/0', '1/0/0', '1/1/2'].includes(key)) return { rc: 8 };
    switch (key) {
      case '0/0/2':
        this.echoes++;
        return { r: body['d'] };
      case '0/5/2':
        this.resets++;
        return plan.recovery ? { rc: 0 } : {};
      case '0/6/0':
        if (plan.withoutParams) return { rc: 8 };
        return { buf_size: plan.bufferBytes, buf_count: plan.bufferCount };
      case '1/0/0':
        return { images: this.images() };
      case '1/0/2':
        return this.setState(body);
      case '1/1/2':
        return plan.recovery ? this.recoverUpload(body) : this.takeUpload(request.version, body);
      case '1/5/2':
        this.upload = undefined;
        if (plan.unconfirmed) return this.error(request.version, 9);
        this.slot = { bytes: new Uint8Array(0), length: 0, pending: false };
        return {};
      default:
        return { rc: 8 };
    }
  }

  /** Version 1 folds the group's errors into its own. */
  private error(version: number, rc: number): Record<string, unknown> {
    if (version === 1) return { err: { group: 1, rc } };
    const folded = [9, 27, 28].includes(rc) ? 6 : [14, 19, 20, 21, 22, 24, 25].includes(rc) ? 3 : 1;
    return { rc: folded, rsn: `error ${rc}` };
  }

  private images(): Record<string, unknown>[] {
    const flags = (active: boolean) => ({
      bootable: true,
      pending: !active && this.slot.pending,
      confirmed: active && !this.plan.unconfirmed,
      active,
      permanent: false,
    });
    const running = { slot: 0, version: '1.0.0', hash: new Uint8Array(32).fill(0xa0) };
    const list: Record<string, unknown>[] = [];
    if (!this.plan.recovery) list.push({ ...running, ...flags(true) });
    if (this.slot.length === 0 || this.upload) return list;
    const other = { slot: this.plan.recovery ? 0 : 1, version: '2.0.0' };
    const hash = listedHash(this.uploaded);
    list.push({ ...other, hash, ...(this.plan.recovery ? {} : flags(false)) });
    return list;
  }

  private setState(body: Record<string, unknown>): Record<string, unknown> {
    const hash = body['hash'] as Uint8Array | undefined;
    if (!hash && body['confirm'] !== true) return this.error(1, 24);
    if (hash && hexOf(hash) !== hexOf(listedHash(this.uploaded))) return this.error(1, 8);
    if (hash) this.slot.pending = true;
    return { images: this.images() };
  }

  private takeUpload(version: number, body: Record<string, unknown>): Record<string, unknown> {
    const { off, data, len, sha, upgrade } = body as Record<string, never>;
    const chunk = (data ?? new Uint8Array(0)) as Uint8Array;
    if (off === undefined) return this.refuse(version, 20);
    if (this.plan.unconfirmed) return this.refuse(version, 9);
    if (off !== 0) {
      if (off !== this.offset) return { off: this.offset };
      return this.write(version, chunk);
    }
    if (chunk.length < 32) return this.refuse(version, 22);
    if (len === undefined) return this.refuse(version, 21);
    if (Buffer.from(chunk).readUInt32LE(0) !== 0x96f3b83d) return this.refuse(version, 23);
    if (len > this.plan.slotBytes) return this.refuse(version, 30);
    if (upgrade) return this.refuse(version, 27);
    if (this.upload && sha && hexOf(sha) === this.upload.sha) return { off: this.offset };
    this.begin(len, sha);
    return this.write(version, chunk);
  }

  private recoverUpload(body: Record<string, unknown>): Record<string, unknown> {
    const { off, data, len } = body as Record<string, never>;
    const chunk = (data ?? new Uint8Array(0)) as Uint8Array;
    if (off === undefined || (off === 0 && (len ?? 0) > this.plan.slotBytes)) return { rc: 3 };
    if (off === 0) this.begin(len, undefined);
    else if (off !== this.offset) return { rc: 0, off: this.offset };
    // It writes whole words of flash.
    const end = this.offset + chunk.length;
    const last = end >= (this.upload?.size ?? 0);
    const whole = last ? chunk.length : chunk.length - (chunk.length % 4);
    const answer = this.write(0, chunk.subarray(0, whole));
    return answer['off'] === undefined ? { rc: 3 } : { rc: 0, ...answer };
  }

  private begin(size: number, sha: Uint8Array | undefined): void {
    this.upload = { expected: 0, size, sha: hexOf(sha) };
    this.slot = { bytes: new Uint8Array(size), length: 0, pending: false };
  }

  private write(version: number, chunk: Uint8Array): Record<string, unknown> {
    const { upload, slot } = this;
    if (!upload || upload.expected + chunk.length > upload.size) return this.refuse(version, 31);
    slot.bytes.set(chunk, upload.expected);
    upload.expected += chunk.length;
    slot.length = upload.expected;
    const answer = { off: upload.expected };
    if (upload.expected < upload.size) return answer;
    this.upload = undefined;
    return this.plan.checksHash ? { ...answer, match: true } : answer;
  }

  private refuse(version: number, rc: number): Record<string, unknown> {
    this.upload = undefined;
    return this.error(version, rc);
  }
}

/**
 * The device's serial receiver: line pool, reassembly, message buffers. Lines come in at their time; what
 * finds no room is gone, in silence.
 */
export class NaiveReceiver {
  readonly server: NaiveServer;
  private partial = '';
  private pool: string[] = [];
  private queue: Uint8Array[] = [];
  private raw: Buffer | undefined;
  /** Until when it is busy with a message. */
  busyUntilMs = 0;
  private current: Uint8Array | undefined;
  private deadUntilMs = 0;

  constructor(server: NaiveServer) {
    this.server = server;
  }

  powerCut(nowMs: number): void {
    this.server.powerCut();
    this.partial = '';
    this.pool = [];
    this.queue = [];
    this.raw = undefined;
    this.current = undefined;
    this.deadUntilMs = nowMs + this.server.plan.bootMs;
  }

  /** Bytes whose last one arrives now. */
  receive(bytes: Uint8Array, nowMs: number): void {
    if (nowMs < this.deadUntilMs) return;
    this.partial += Buffer.from(bytes).toString('latin1');
    for (;;) {
      const end = this.partial.indexOf('\n');
      if (end < 0) return;
      const line = this.partial.slice(0, end);
      this.partial = this.partial.slice(end + 1);
      this.takeLine(line.slice(0, 128));
    }
  }

  /** Works up to `nowMs`; the answer that is finished now, if one is. */
  work(nowMs: number): Uint8Array | undefined {
    let answer: Uint8Array | undefined;
    if (this.current && this.busyUntilMs <= nowMs) {
      answer = this.server.answer(this.current);
      this.current = undefined;
    }
    if (!this.current) this.drainPool();
    if (!this.current && this.queue.length > 0) {
      this.current = this.queue.shift()!;
      this.busyUntilMs = nowMs + this.server.busyMs(this.current);
    }
    return answer;
  }

  get wakeMs(): number {
    return this.current ? this.busyUntilMs : Number.POSITIVE_INFINITY;
  }

  private takeLine(line: string): void {
    if (line === '') return;
    const { blind, poolLines } = this.server.plan;
    if (!(blind && this.current)) {
      this.drainPool();
      this.reassemble(line);
    } else if (this.pool.length < poolLines) {
      this.pool.push(line);
    } else {
      this.server.dropped++;
    }
  }

  private drainPool(): void {
    const lines = this.pool;
    this.pool = [];
    for (const line of lines) this.reassemble(line);
  }

  private reassemble(line: string): void {
    const start = line.indexOf('\x06\x09');
    const next = line.indexOf('\x04\x14');
    const at = start >= 0 ? start : next;
    if (at < 0) return;
    const text = line.slice(at + 2);
    if (!/^[A-Za-z0-9+/]*=*$/.test(text)) {
      this.raw = undefined;
      return;
    }
    const part = Buffer.from(text, 'base64');
    if (start >= 0) this.raw = part;
    else if (this.raw) this.raw = Buffer.concat([this.raw, part]);
    if (!this.raw || this.raw.length < 2) return;
    const whole = 2 + this.raw.readUInt16BE(0);
    const { bufferBytes, bufferCount } = this.server.plan;
    if (this.raw.length > bufferBytes || this.raw.length > whole) this.raw = undefined;
    if (!this.raw || this.raw.length < whole) return;
    const bytes = Uint8Array.from(this.raw.subarray(2, -2));
    const right = crc(this.raw.subarray(2)) === 0;
    this.raw = undefined;
    if (!right || bytes.length < 9) return;
    if (this.queue.length + (this.current ? 1 : 0) >= bufferCount) this.server.dropped++;
    else this.queue.push(bytes);
  }
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes ? Buffer.from(bytes).toString('hex') : '';
}

/** The body a device never sends, for tests of what the client makes of it. */
export function rawBody(bytes: Uint8Array, body: unknown): Uint8Array {
  const encoded = cbor(body);
  const out = new Uint8Array(8 + encoded.length);
  out.set(bytes.subarray(0, 8));
  out[0] = bytes[0]! | 1;
  out[2] = encoded.length >> 8;
  out[3] = encoded.length;
  out.set(encoded, 8);
  return out;
}
