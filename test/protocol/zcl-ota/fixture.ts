/** A server under a simulated clock: what a driver does, and a record of all it was given to send. */
import * as assert from 'uvu/assert';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { ZclOtaServer } from '../../../src/protocol/zcl-ota/server.ts';
import type {
  Assignment,
  OtaProgress,
  OtaServerEvent,
} from '../../../src/protocol/zcl-ota/session.ts';
import { blockData, counting, TRIPLE } from './naive-frames.ts';

export const IMAGE = counting(1_000);

/** The answer to a request for these bytes. */
export function data(
  sequence: number,
  offset: number,
  length: number,
  image = IMAGE,
  triple = TRIPLE,
) {
  return blockData(sequence, triple, offset, image.subarray(offset, offset + length));
}

export interface Sent {
  device: number;
  bytes: Uint8Array;
  atMs: number;
}

export function assignmentOf(change: Partial<Assignment> = {}): Assignment {
  return {
    image: IMAGE,
    triple: TRIPLE,
    authorised: true,
    resumable: false,
    activation: { when: 'now' },
    blockPeriodMs: 0,
    paceBy: 'delay',
    stallMs: 20_000,
    blockBytesMax: 64,
    ...change,
  };
}

export class Fixture {
  readonly server: ZclOtaServer;
  nowMs = 1_900_000_000_000;
  private sent: Sent[] = [];
  private events: OtaServerEvent[] = [];

  constructor(server = new ZclOtaServer()) {
    this.server = server;
  }

  /** A server with one device, number 0, that has its assignment. */
  static assigned(change: Partial<Assignment> = {}): Fixture {
    const fixture = new Fixture();
    fixture.add(change);
    return fixture;
  }

  add(change: Partial<Assignment> = {}): number {
    const device = this.server.addDevice();
    this.server.assign(device, assignmentOf(change), this.nowMs);
    return device;
  }

  receive(frame: Uint8Array, device = 0): this {
    this.server.handleFrame(device, frame, this.nowMs);
    return this.drain();
  }

  call(body: (server: ZclOtaServer, nowMs: number) => void): this {
    body(this.server, this.nowMs);
    return this.drain();
  }

  /** Lets time go by, from deadline to deadline. */
  pass(durationMs: number): this {
    const untilMs = this.nowMs + durationMs;
    for (let steps = 0; this.server.pollTimeout() <= untilMs; steps++) {
      assert.ok(steps < 100_000, 'the server wakes again and again');
      this.nowMs = Math.max(this.nowMs, this.server.pollTimeout());
      this.server.handleTimeout(this.nowMs);
      this.drain();
    }
    this.nowMs = untilMs;
    this.server.handleTimeout(this.nowMs);
    return this.drain();
  }

  drain(): this {
    for (let out = this.server.pollTransmit(this.nowMs); out; ) {
      this.sent.push({ device: out.device, bytes: out.bytes.slice(), atMs: this.nowMs });
      out = this.server.pollTransmit(this.nowMs);
    }
    for (let event = this.server.pollEvent(); event; event = this.server.pollEvent()) {
      this.events.push(event);
    }
    return this;
  }

  take(): Sent[] {
    return this.sent.splice(0);
  }

  takeEvents(): OtaServerEvent[] {
    return this.events.splice(0);
  }

  /** Exactly these frames were sent since the last look. */
  sends(...frames: Uint8Array[]): this {
    assert.equal(
      this.take().map(({ bytes }) => encodeHex(bytes)),
      frames.map(encodeHex),
    );
    return this;
  }

  /** Exactly these events came since the last look, by kind. */
  says(...kinds: OtaServerEvent['kind'][]): this {
    assert.equal(
      this.takeEvents().map(({ kind }) => kind),
      kinds,
    );
    return this;
  }

  progress(device = 0): OtaProgress {
    const out = {} as OtaProgress;
    this.server.progress(device, out);
    return out;
  }
}
