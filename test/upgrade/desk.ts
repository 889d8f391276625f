/**
 * An upgrade session on a desk: a clock that is turned by hand, the commands and events it gave so far, and
 * words for what a device says. Nothing here knows how the session works.
 */
import * as assert from 'uvu/assert';
import { gatherImageFacts, type OtaImageFacts } from '../../src/admission/facts.ts';
import type { DeviceReading } from '../../src/protocol/zcl-ota/device-reading.ts';
import {
  type SessionCommand,
  type SessionEvent,
  type SessionInput,
  type SessionLimits,
  type SessionRequest,
  UpgradeSession,
} from '../../src/upgrade/session.ts';
import { isFinal, type SessionState } from '../../src/upgrade/states.ts';
import { counting, type NaiveImage, naiveImage } from '../image/naive-ota.ts';

export const START_MS = Date.UTC(2026, 0, 5, 12);
export const OLD = 0x01000000;
export const NEW = 0x02000000;
export const IMAGE_BYTES = 60 + 5_000;
const TIMEOUTS_MAX = 100_000;

/** Round numbers, so that a test can say when something has to happen. */
export const LIMITS: SessionLimits = {
  contactMs: 90_000,
  stallMs: 20_000,
  stallsMax: 6,
  progressMs: 7_200_000,
  attemptsMax: 5,
  confirmMs: 180_000,
  heldMs: 10 * 24 * 3_600_000,
  linkDownMs: 120_000,
};

export function imageFacts(change: NaiveImage = {}): OtaImageFacts {
  const file = naiveImage({
    manufacturer: 0x121d,
    imageType: 0x0084,
    fileVersion: NEW,
    hardware: [0x0100, 0x01ff],
    body: counting(5_000),
    ...change,
  });
  const { facts } = gatherImageFacts(file, { profile: 'gb-ppmid' });
  if (!facts.ok) throw new Error(facts.message);
  if (facts.kind !== 'ota') throw new Error('it is an OTA image');
  return facts;
}

export function request(change: Partial<SessionRequest> = {}): SessionRequest {
  return {
    device: {
      eui64: '00112233445566aa',
      manufacturerCode: 0x121d,
      imageType: 0x0084,
      hardwareVersion: 0x0100,
      imageProfile: 'gb-ppmid',
      slotBytes: 524_288,
    },
    image: imageFacts(),
    list: undefined,
    context: undefined,
    policy: { listRequired: false },
    activation: { when: 'now' },
    resumable: false,
    limits: LIMITS,
    ...change,
  };
}

const SILENT_READING: DeviceReading = {
  manufacturerName: undefined,
  modelIdentifier: undefined,
  softwareBuild: undefined,
  currentFileVersion: undefined,
  downloadedFileVersion: undefined,
  imageUpgradeStatus: undefined,
  fileOffset: undefined,
  upgradeTimeoutPolicy: undefined,
};

export function reading(change: Partial<DeviceReading>): SessionInput {
  return { kind: 'reading', reading: { ...SILENT_READING, ...change } };
}

export function query(
  fileVersion: number,
  change: Partial<Extract<SessionInput, { kind: 'query' }>['facts']> = {},
  answer: Extract<SessionInput, { kind: 'query' }>['answer'] = 'deferred',
): SessionInput {
  const facts = { manufacturerCode: 0x121d, imageType: 0x0084, hardwareVersion: 0x0100 };
  return { kind: 'query', facts: { ...facts, fileVersion, ...change }, answer };
}

export interface Timed<T> {
  atMs: number;
  value: T;
}

export class Desk {
  readonly session: UpgradeSession;
  readonly commands: Timed<SessionCommand>[] = [];
  readonly events: Timed<SessionEvent>[] = [];
  nowMs = START_MS;

  constructor(change: Partial<SessionRequest> = {}) {
    this.session = new UpgradeSession(request(change));
  }

  get state(): SessionState {
    return this.session.state;
  }

  start(): this {
    this.session.start(this.nowMs);
    this.drain();
    return this;
  }

  say(...inputs: SessionInput[]): this {
    for (const input of inputs) this.session.handle(input, this.nowMs);
    this.drain();
    return this;
  }

  /** Lets time pass; `each` may answer what the session asks at every wake-up. */
  pass(ms: number, each: () => void = () => {}): this {
    const endMs = this.nowMs + ms;
    for (let wakes = 0; ; wakes++) {
      const atMs = this.session.pollTimeout();
      if (atMs > endMs) break;
      assert.ok(wakes < TIMEOUTS_MAX, `woken ${wakes} times in ${ms} ms`);
      this.nowMs = Math.max(this.nowMs, atMs);
      this.session.handleTimeout(this.nowMs);
      this.drain();
      each();
    }
    this.nowMs = endMs;
    return this;
  }

  /** Freezes the peer; how long until the session is over, ms. */
  frozenMs(mostMs: number): number {
    const startMs = this.nowMs;
    while (!isFinal(this.state)) {
      const atMs = this.session.pollTimeout();
      assert.ok(atMs - startMs <= mostMs, `${this.state} has no end within ${mostMs} ms`);
      this.pass(Math.max(0, atMs - this.nowMs));
    }
    return this.nowMs - startMs;
  }

  /** What the session has told the gateway to do, by kind. */
  count(kind: SessionCommand['kind']): number {
    return this.commands.filter(({ value }) => value.kind === kind).length;
  }

  states(): SessionState[] {
    return this.events.flatMap(({ value }) => (value.kind === 'state' ? value.state : []));
  }

  detail(): string | undefined {
    const last = this.events.findLast(({ value }) => value.kind === 'state')!.value;
    return last.kind === 'state' ? last.detail : undefined;
  }

  notes(pattern: RegExp): number {
    return this.events.filter(({ value }) => value.kind === 'note' && pattern.test(value.text))
      .length;
  }

  // ---- a device's usual way ---------------------------------------------------------------------

  /** Admitted on what the device says, offered. */
  offered(): this {
    return this.start().say(reading({ currentFileVersion: OLD }));
  }

  distributing(): this {
    return this.offered().say(
      query(OLD, {}, 'offered'),
      { kind: 'started', offset: 0 },
      { kind: 'progress', sentBytes: 1_000 },
    );
  }

  downloaded(): this {
    const { when } = this.session['request'].activation;
    return this.distributing().say(
      { kind: 'progress', sentBytes: IMAGE_BYTES },
      { kind: 'downloaded', answer: when },
    );
  }

  private drain(): void {
    for (let out = this.session.pollTransmit(); out; out = this.session.pollTransmit())
      this.commands.push({ atMs: this.nowMs, value: out });
    for (let out = this.session.pollEvent(); out; out = this.session.pollEvent())
      this.events.push({ atMs: this.nowMs, value: out });
  }
}
