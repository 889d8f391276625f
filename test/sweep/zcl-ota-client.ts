/**
 * A small OTA client written from what field devices are seen to do, sharing no code with the product. It
 * has a clock and a link and nothing else: 3 s for an answer, 2 s of pause, ten failures and the download
 * is dropped; a restart goes on at the stored offset; ten unanswered reports and it activates unasked.
 */
import { block, end, type Names, page, query } from '../protocol/zcl-ota/naive-frames.ts';

export interface ClientPlan {
  triple: Names;
  runsVersion: number;
  /** What its signature check lets pass; undefined for a device without one. */
  signed: Uint8Array | undefined;
  blockBytes: number;
  /** Asks for pages of so many bytes, at this spacing. */
  page?: { bytes: number; spacingMs: number };
  /** Understands the minimum block period, in ms of this many. */
  periodUnitMs?: 1 | 1000;
  /** Holds these bytes of an earlier download, of an image of `size` bytes. */
  partial?: { bytes: Uint8Array; size: number };
}

export interface ClientWorld {
  nowMs: number;
  at(atMs: number, action: () => void): void;
  send(frame: Uint8Array): void;
}

const ANSWER_MS = 3_000;
const PAGE_ANSWER_MS = 5_000;
const PAUSE_MS = 2_000;
const QUERY_PERIOD_MS = 300_000;
const FAILURES_MAX = 10;
const WAIT_S_MAX = 3_600;
const BOOT_MS = 500;
const THINK_MS = 5;
/** Its flash; a larger offer is not taken. */
const SLOT_BYTES = 8_192;

type State = 'off' | 'idle' | 'query' | 'download' | 'report' | 'held' | 'count-down' | 'done';

export class NaiveClient {
  state: State = 'off';
  installed: Uint8Array | undefined;
  activatedUnasked = false;
  private readonly plan: ClientPlan;
  private readonly world: ClientWorld;
  private readonly flash = new Uint8Array(SLOT_BYTES);
  private size = 0;
  private offset = 0;
  private pageEnd = 0;
  private single = false;
  private pages: boolean;
  private period = 0;
  private failures = 0;
  private missedReports = 0;
  private generation = 0;
  private sequence = 0;

  constructor(plan: ClientPlan, world: ClientWorld) {
    this.plan = plan;
    this.world = world;
    this.pages = plan.page !== undefined;
    if (plan.partial) {
      this.flash.set(plan.partial.bytes);
      this.offset = plan.partial.bytes.length;
      this.size = plan.partial.size;
    }
  }

  boot(): void {
    if (this.state === 'done') return;
    this.missedReports = 0;
    if (this.size === 0) this.query();
    else if (this.offset < this.size) this.fetch();
    else this.report();
  }

  restart(keepsOffset: boolean): void {
    if (this.state === 'done') return;
    this.state = 'off';
    if (!keepsOffset) this.drop();
    this.arm(BOOT_MS, () => this.boot());
  }

  /** Forgets that it stored the last blocks. */
  goBack(bytes: number): void {
    if (this.state === 'download') this.offset = Math.max(0, this.offset - bytes);
  }

  receive(frame: Uint8Array): void {
    if (this.state === 'off' || this.state === 'done' || frame.length < 3) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    if (frame[0] === 0x18 && frame[2] === 0x0b && frame.length >= 5) {
      this.receiveDefault(frame[3]!, frame[4]!);
    } else if (frame[0] === 0x19) {
      if (frame[2] === 0 && this.state === 'idle') this.query();
      if (frame[2] === 2) this.receiveOffer(view);
      if (frame[2] === 5) this.receiveBlock(view, frame);
      if (frame[2] === 7) this.receiveUpgradeEnd(view);
    }
  }

  private query(): void {
    this.state = 'query';
    this.world.send(
      query(this.next(), { ...this.plan.triple, fileVersion: this.plan.runsVersion }),
    );
    this.arm(ANSWER_MS, () => {
      if (++this.failures < 3) this.arm(PAUSE_MS, () => this.query());
      else this.rest();
    });
  }

  private rest(): void {
    this.state = 'idle';
    this.failures = 0;
    this.arm(QUERY_PERIOD_MS, () => this.query());
  }

  private drop(): void {
    this.size = 0;
    this.offset = 0;
    this.failures = 0;
    this.single = false;
  }

  private receiveOffer(view: DataView): void {
    if (this.state !== 'query' || view.byteLength < 4) return;
    const offered = view.getUint8(3) === 0;
    if (offered && view.byteLength < 16) return;
    const size = offered ? view.getUint32(12, true) : 0;
    if (size === 0 || size > SLOT_BYTES || !this.named(view, 4)) {
      this.rest();
      return;
    }
    this.drop();
    this.size = size;
    this.fetch();
  }

  private fetch(): void {
    this.state = 'download';
    const { triple, blockBytes, page: pages, periodUnitMs } = this.plan;
    if (pages && this.pages && !this.single) {
      this.pageEnd = Math.min(this.offset + pages.bytes, this.size);
      const { bytes, spacingMs } = pages;
      this.world.send(page(this.next(), triple, this.offset, blockBytes, bytes, spacingMs));
      this.arm(PAGE_ANSWER_MS, () => this.fail());
      return;
    }
    this.pageEnd = 0;
    const tail = periodUnitMs ? [this.period & 255, this.period >> 8] : [];
    const control = periodUnitMs ? 2 : 0;
    this.world.send(block(this.next(), triple, this.offset, blockBytes, control, ...tail));
    this.arm(ANSWER_MS, () => this.fail());
  }

  private fail(): void {
    this.single = true;
    if (++this.failures < FAILURES_MAX) {
      this.arm(PAUSE_MS, () => this.fetch());
      return;
    }
    this.world.send(end(this.next(), 0x95, this.plan.triple));
    this.drop();
    this.rest();
  }

  private receiveBlock(view: DataView, frame: Uint8Array): void {
    if (this.state !== 'download' || frame.length < 4) return;
    if (frame[3] === 0x95) {
      this.drop();
      this.rest();
    } else if (frame[3] === 0x97 && frame.length >= 12) {
      if (frame.length >= 14 && this.plan.periodUnitMs) this.period = view.getUint16(12, true);
      const waitS = waitOf(
        view.getUint32(4, true),
        view.getUint32(8, true),
        QUERY_PERIOD_MS / 1000,
      );
      this.failures = 0;
      this.arm(waitS * 1000 + this.periodMs(), () => this.fetch());
    } else if (frame[3] === 0 && frame.length >= 17 && this.named(view, 4)) {
      this.store(view.getUint32(12, true), frame.subarray(17), frame[16]!);
    }
  }

  private store(offset: number, data: Uint8Array, bytes: number): void {
    const fits = data.length >= bytes && bytes > 0 && bytes <= this.plan.blockBytes;
    if (!fits || offset !== this.offset || offset + bytes > this.size) return;
    this.flash.set(data.subarray(0, bytes), offset);
    this.offset += bytes;
    this.failures = 0;
    this.single = false;
    if (this.offset < this.pageEnd) this.arm(PAGE_ANSWER_MS, () => this.fail());
    else if (this.offset < this.size) this.arm(this.periodMs() || THINK_MS, () => this.fetch());
    else this.verify();
  }

  private verify(): void {
    const { signed } = this.plan;
    if (!signed || Buffer.compare(this.image(), signed) === 0) {
      this.report();
      return;
    }
    this.world.send(end(this.next(), 0x96, this.plan.triple));
    this.drop();
    this.rest();
  }

  private report(): void {
    this.state = 'report';
    this.world.send(end(this.next(), 0, this.plan.triple));
    this.arm(ANSWER_MS, () => {
      if (++this.missedReports < FAILURES_MAX) {
        this.report();
        return;
      }
      this.activatedUnasked = true;
      this.activate();
    });
  }

  private receiveUpgradeEnd(view: DataView): void {
    if (this.state !== 'report' && this.state !== 'held') return;
    if (view.byteLength < 19 || !this.named(view, 3)) return;
    const [now, then] = [view.getUint32(11, true), view.getUint32(15, true)];
    if (then === 0xffffffff) {
      this.state = 'held';
      this.arm(WAIT_S_MAX * 1000, () => this.report());
      return;
    }
    this.state = 'count-down';
    this.arm(Math.max(3, waitOf(now, then, WAIT_S_MAX)) * 1000, () => this.activate());
  }

  private receiveDefault(command: number, status: number): void {
    if (command === 6 && status === 0x95 && this.state === 'report') {
      this.drop();
      this.rest();
    } else if ((command === 3 || command === 4) && status !== 0 && this.state === 'download') {
      if (command === 4 && status === 0x81) this.pages = false;
      this.fail();
    }
  }

  private activate(): void {
    this.installed = this.image().slice();
    this.generation++;
    this.state = 'done';
  }

  private image(): Uint8Array {
    return this.flash.subarray(0, this.size);
  }

  private periodMs(): number {
    return this.period * (this.plan.periodUnitMs ?? 0);
  }

  private named(view: DataView, at: number): boolean {
    const { manufacturerCode, imageType, fileVersion } = this.plan.triple;
    return (
      view.getUint16(at, true) === manufacturerCode &&
      view.getUint16(at + 2, true) === imageType &&
      view.getUint32(at + 4, true) === fileVersion
    );
  }

  private next(): number {
    this.sequence = (this.sequence + 1) & 255;
    return this.sequence;
  }

  /** One timer: setting it takes the earlier one back. */
  private arm(delayMs: number, action: () => void): void {
    const generation = ++this.generation;
    this.world.at(this.world.nowMs + delayMs, () => {
      if (generation === this.generation) action();
    });
  }
}

function waitOf(now: number, then: number, ifPastS: number): number {
  return then < now ? ifPastS : Math.min(then - now, WAIT_S_MAX);
}
