/**
 * Pumps the OTA server machine over a coordinator: frames in, answers out, one timer, events up. Keeps
 * serving while Controllers come and go, since the machine's answers need no connection's state.
 *
 * Per device one frame is on its way and few wait. A device that repeats its request on a slow link gets
 * one answer, not one a repetition: a newer block answer replaces the one still waiting, but blocks of one
 * page wait behind each other.
 */
import { assert } from '../../errors.ts';
import type { Timers } from '../../ports.ts';
import { type MachineCall, tapped } from '../../protocol/tapped.ts';
import { OTA_COMMAND } from '../../protocol/zcl-ota/codec.ts';
import { ZclOtaServer } from '../../protocol/zcl-ota/server.ts';
import { OTA_SERVER_CALLS } from '../../protocol/zcl-ota/server-calls.ts';
import type { OtaProgress, OtaServerEvent, OtaTransmit } from '../../protocol/zcl-ota/session.ts';
import { SYSTEM_TIMERS } from '../serial/driver.ts';
import type { OtaFrame } from './controller.ts';
import type { LinkEvent, ProgressSample } from './messages.ts';

/** Frames that may wait for one device behind the one on its way. */
const WAITING_MAX = 4;
/** A device that asked so lately is there, and listens. */
const AWAKE_MS = 3_000;
/** In an image block response: the ZCL sequence, and the file offset behind status and triple. */
const SEQUENCE_AT = 1;
const OFFSET_AT = 12;

/** What sends; undefined while the link is down, and then answers are dropped: the device asks again. */
export interface FrameSender {
  send(
    eui64: string,
    endpoint: number,
    sourceEndpoint: number | undefined,
    bytes: Uint8Array,
  ): Promise<void>;
}

interface Peer {
  device: number;
  eui64: string;
  endpoint: number;
  sourceEndpoint: number | undefined;
  busy: boolean;
  waiting: Uint8Array[];
}

export class OtaLink {
  private machine = new ZclOtaServer();
  private readonly peers: Peer[] = [];
  private readonly byEui64 = new Map<string, Peer>();
  private readonly onEvent: (event: LinkEvent) => void;
  private sender: FrameSender | undefined;
  private readonly timers: Timers;
  private timer: { cancel(): void } | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private readonly sample: OtaProgress = {
    sentBytes: 0,
    servedBytes: 0,
    totalBytes: 0,
    blocks: 0,
    repeats: 0,
    lastRequestMs: 0,
    blockBytes: 0,
    parked: false,
  };

  constructor(onEvent: (event: LinkEvent) => void, timers = SYSTEM_TIMERS) {
    this.onEvent = onEvent;
    this.timers = timers;
  }

  get server(): ZclOtaServer {
    return this.machine;
  }

  /** Tells every call into the server; to be asked for before it has a device. */
  tellServer(onCall: (call: MachineCall) => void): void {
    assert(this.peers.length === 0, 'the server is told of from its beginning');
    this.machine = tapped(this.machine, OTA_SERVER_CALLS, onCall);
  }

  /** What the last one has not sent is lost: it may never say so, and must hold up nobody. */
  setSender(sender: FrameSender | undefined): void {
    this.sender = sender;
    for (const peer of this.peers) {
      peer.busy = false;
      peer.waiting.length = 0;
    }
  }

  /** The machine's number of a device, made at first use. */
  device(eui64: string, endpoint = 1): number {
    return this.peer(eui64, endpoint).device;
  }

  handleFrame(frame: OtaFrame): void {
    const peer = this.peer(frame.eui64, frame.endpoint);
    peer.endpoint = frame.endpoint;
    peer.sourceEndpoint = frame.destinationEndpoint;
    this.machine.handleFrame(peer.device, frame.bytes, this.timers.nowMs());
    this.drain();
  }

  /** Runs a call into the machine and drains it. */
  command(body: (server: ZclOtaServer, nowMs: number) => void): void {
    body(this.machine, this.timers.nowMs());
    this.drain();
  }

  /** Of every device that has an image. */
  setPace(blockPeriodMs: number): void {
    for (const { device } of this.peers) this.machine.setPace(device, blockPeriodMs);
    this.drain();
  }

  /** A sample of every download that has an assignment. */
  samples(): ProgressSample[] {
    return this.peers.flatMap(({ device, eui64 }) =>
      this.machine.progress(device, this.sample) ? { eui64, ...this.sample } : [],
    );
  }

  /** EUI-64s of those that have begun, are not done, and asked within the last seconds. */
  downloading(): string[] {
    const sinceMs = this.timers.nowMs() - AWAKE_MS;
    return this.samples().flatMap(({ eui64, sentBytes, totalBytes, lastRequestMs }) =>
      sentBytes > 0 && sentBytes < totalBytes && lastRequestMs >= sinceMs ? [eui64] : [],
    );
  }

  /** Nothing is on its way to a device. */
  isIdle(): boolean {
    return this.peers.every(({ busy }) => !busy);
  }

  stop(): void {
    this.timer?.cancel();
    this.sender = undefined;
  }

  private peer(eui64: string, endpoint: number): Peer {
    const known = this.byEui64.get(eui64);
    if (known) return known;
    const device = this.machine.addDevice();
    assert(device === this.peers.length, 'machine and link count the same devices');
    const peer = { device, eui64, endpoint, sourceEndpoint: undefined, busy: false, waiting: [] };
    this.peers.push(peer);
    this.byEui64.set(eui64, peer);
    return peer;
  }

  private drain(): void {
    const nowMs = this.timers.nowMs();
    for (let out = this.machine.pollTransmit(nowMs); out; out = this.machine.pollTransmit(nowMs)) {
      this.transmit(out);
    }
    for (let event = this.machine.pollEvent(); event; event = this.machine.pollEvent()) {
      this.onEvent(this.named(event));
    }
    this.rearm(nowMs);
  }

  private rearm(nowMs: number): void {
    const atMs = this.machine.pollTimeout();
    if (atMs === this.timerAtMs) return;
    this.timerAtMs = atMs;
    this.timer?.cancel();
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.timers.after(Math.max(0, atMs - nowMs), () => {
      this.timerAtMs = Number.POSITIVE_INFINITY;
      this.machine.handleTimeout(this.timers.nowMs());
      this.drain();
    });
  }

  /** The machine's bytes are copied: they change with its next call, and the driver sends later. */
  private transmit(out: OtaTransmit): void {
    const peer = this.peers[out.device]!;
    if (!this.sender) return;
    const bytes = out.bytes.slice();
    if (!peer.busy) {
      this.send(peer, bytes);
      return;
    }
    if (isBlock(bytes)) peer.waiting = peer.waiting.filter((frame) => !overtakes(bytes, frame));
    if (peer.waiting.length < WAITING_MAX) peer.waiting.push(bytes);
  }

  private send(peer: Peer, bytes: Uint8Array): void {
    const { sender } = this;
    if (!sender) return;
    peer.busy = true;
    const done = () => {
      if (sender !== this.sender) return;
      peer.busy = false;
      const next = peer.waiting.shift();
      if (next) this.send(peer, next);
    };
    // Lost or refused: the device repeats its request, and that is the only retry that knows what it has.
    sender.send(peer.eui64, peer.endpoint, peer.sourceEndpoint, bytes).then(done, done);
  }

  private named(event: OtaServerEvent): LinkEvent {
    const { device, ...rest } = event;
    return { ...rest, eui64: this.peers[device]!.eui64 } as LinkEvent;
  }
}

function isBlock(bytes: Uint8Array): boolean {
  return bytes[2] === OTA_COMMAND.imageBlockResponse;
}

/** Whether a block makes a waiting frame pointless: the answer to an older request, or the same again. */
function overtakes(block: Uint8Array, waiting: Uint8Array): boolean {
  if (!isBlock(waiting)) return false;
  if (waiting[SEQUENCE_AT] !== block[SEQUENCE_AT]) return true;
  for (let at = OFFSET_AT; at < OFFSET_AT + 4; at++) if (waiting[at] !== block[at]) return false;
  return true;
}
