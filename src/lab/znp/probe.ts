/**
 * Asks on a line whether a coordinator with TI's monitor and test interface is there: a ping, its version, and
 * the network it has. It only reads. The ping holds no digit that would choose in a bootloader's menu, and
 * whoever speaks another protocol takes it for noise.
 */
import { eui64FromWire } from '../../bytes/hex.ts';
import { ByteReader } from '../../bytes/reader.ts';
import type { ByteMachine } from '../../protocol/machine.ts';
import { encodeZnp, isZnp, ZNP_SUBSYSTEM, ZNP_TYPE, type ZnpFrame, ZnpSplitter } from './frames.ts';

export interface CoordinatorFinding {
  /** 1: Z-Stack 3.x.0, 2: 3.0.x, 0: 1.2; undefined where it does not say. */
  product: number | undefined;
  /** A date such as 20230507. */
  revision: number | undefined;
  /** Undefined where it has none. */
  network: { panId: number; extendedPanId: string; channel: number } | undefined;
}

/** Once, the last that it says; undefined where no coordinator answers. */
export type ZnpProbeEvent = { kind: 'found'; finding: CoordinatorFinding | undefined };

const ANSWER_MS = 400;
const PINGS = 2;
const COMMAND = { ping: 0x01, version: 0x02, extNwkInfo: 0x50 } as const;
/** A coordinator without a network says one of these. */
const NO_PAN_IDS = [0xffff, 0xfffe];
const NO_EXTENDED_PAN_ID = /^(0{16}|f{16})$/;

const NOTHING = new Uint8Array(0);
const QUESTIONS = [
  { subsystem: ZNP_SUBSYSTEM.system, command: COMMAND.ping, tries: PINGS },
  { subsystem: ZNP_SUBSYSTEM.system, command: COMMAND.version, tries: 1 },
  { subsystem: ZNP_SUBSYSTEM.zdo, command: COMMAND.extNwkInfo, tries: 1 },
] as const;

export class ZnpProbe implements ByteMachine<ZnpProbeEvent> {
  private readonly splitter = new ZnpSplitter({
    frame: (frame) => this.take(frame),
    other: () => {},
  });
  private readonly finding: CoordinatorFinding = {
    product: undefined,
    revision: undefined,
    network: undefined,
  };
  private question = 0;
  private tries = 0;
  private isAsked = false;
  private isAnswered = false;
  private isOver = false;
  private deadlineMs = Number.POSITIVE_INFINITY;
  private event: ZnpProbeEvent | undefined;

  handleBytes(bytes: Uint8Array): void {
    this.isAnswered = false;
    this.splitter.push(bytes);
    if (this.isAnswered) this.next();
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    const { tries } = QUESTIONS[this.question]!;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.tries < tries) this.isAsked = false;
    else if (this.question === 0) this.end(undefined);
    else this.next();
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    const question = QUESTIONS[this.question];
    if (question === undefined || this.isAsked || this.isOver) return undefined;
    this.isAsked = true;
    this.tries++;
    this.deadlineMs = nowMs + ANSWER_MS;
    return encodeZnp(ZNP_TYPE.request, question.subsystem, question.command, NOTHING);
  }

  pollEvent(): ZnpProbeEvent | undefined {
    const { event } = this;
    this.event = undefined;
    return event;
  }

  pollTimeout(): number {
    return this.deadlineMs;
  }

  private next(): void {
    this.question++;
    this.tries = 0;
    this.isAsked = false;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.question === QUESTIONS.length) this.end(this.finding);
  }

  private end(finding: CoordinatorFinding | undefined): void {
    this.isOver = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.event = { kind: 'found', finding };
  }

  private take(frame: ZnpFrame): void {
    const question = QUESTIONS[this.question];
    if (question === undefined || this.isOver || this.isAnswered) return;
    if (!isZnp(frame, ZNP_TYPE.response, question.subsystem, question.command)) return;
    this.isAnswered = true;
    const reader = new ByteReader(frame.data);
    if (question.command === COMMAND.version) this.readVersion(reader);
    if (question.command === COMMAND.extNwkInfo) this.readNetwork(reader);
  }

  /** Transport revision, product, three bytes of version, revision. */
  private readVersion(reader: ByteReader): void {
    reader.u8();
    const product = reader.u8();
    reader.view(3);
    const revision = reader.u32();
    if (reader.overrun) return;
    this.finding.product = product;
    this.finding.revision = revision;
  }

  /** Short address, state, PAN id, parent, extended PAN id, parent's EUI-64, channel. */
  private readNetwork(reader: ByteReader): void {
    reader.view(3);
    const panId = reader.u16();
    reader.u16();
    const extendedPanId = eui64FromWire(reader.view(8));
    reader.view(8);
    const channel = reader.u8();
    if (reader.overrun || NO_PAN_IDS.includes(panId) || channel < 11 || channel > 26) return;
    if (NO_EXTENDED_PAN_ID.test(extendedPanId)) return;
    this.finding.network = { panId, extendedPanId, channel };
  }
}
