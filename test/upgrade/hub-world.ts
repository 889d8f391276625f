/**
 * A hub session and a virtual hub on one simulated clock: what the session sends goes over the hub's line,
 * what it commands is done to the hub, and nothing waits in real time. Nothing here knows how the session
 * works.
 */
import * as assert from 'uvu/assert';
import { gatherImageFacts } from '../../src/admission/facts.ts';
import type { HubImageProfile } from '../../src/image/hub-image.ts';
import { BootloaderSession } from '../../src/upgrade/bootloader-session.ts';
import {
  type BootloaderSessionRequest,
  HUB_SESSION_LIMITS,
  type HubCommand,
  type HubLine,
  type HubSession,
  type HubSessionEvent,
  type HubSessionRequest,
  type SmpTraits,
  type UploadSample,
} from '../../src/upgrade/hub-session-messages.ts';
import type { Intent } from '../../src/upgrade/session-messages.ts';
import { SmpSession } from '../../src/upgrade/smp-session.ts';
import { isFinal, type SessionState } from '../../src/upgrade/states.ts';
import type { HubEvent } from '../../src/virtual/communications-hub/board.ts';
import { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import type { HubSettings } from '../../src/virtual/communications-hub/options.ts';
import { GEOMETRY, makeImage } from '../virtual/communications-hub/fixture.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

export const A = makeImage({ version: [1, 0, 0, 0], bodyBytes: 3_000 });
export const B = makeImage({ version: [2, 0, 0, 0], bodyBytes: 6_000 });
export const C = makeImage({ version: [3, 0, 0, 0], bodyBytes: 5_000 });

export const SMP_TRAITS: SmpTraits = {
  imageNumber: 0,
  chunkAlignmentBytes: 16,
  windowMax: 1,
  receivePoolLines: 2,
  assumedBufferBytes: 256,
  firstAnswerMs: 40_000,
  confirm: 'after-test',
  recovery: 'none',
};

export const LINE: HubLine = {
  baudRate: 115_200,
  bootMs: 5_000,
  answerTimeoutMs: 2_500,
  attemptsMax: 10,
  canEnterBootloader: false,
  canReset: false,
};

const SLICE_MS = 5;
/** No session may take longer than this, whatever happens to it. */
export const HOURS_MS = 3 * 3_600_000;

export type RequestChange = Partial<Omit<BootloaderSessionRequest, 'line'>> & {
  line?: Partial<HubLine>;
  smp?: Partial<SmpTraits>;
};

export function hubRequest(
  file: Uint8Array,
  profile: HubImageProfile,
  { line, smp: _, ...change }: RequestChange = {},
): HubSessionRequest {
  const { facts, hubImage } = gatherImageFacts(file, { profile });
  if (!facts.ok) throw new Error(facts.message);
  if (facts.kind !== 'hub' || !hubImage) throw new Error('an image of a hub');
  return {
    device: { slotBytes: GEOMETRY.slotBytes, imageProfile: profile },
    image: facts,
    hubImage,
    list: undefined,
    context: undefined,
    policy: { listRequired: false, unsignedImage: 'warn', unverifiedSignature: 'warn' },
    activation: { when: 'now' },
    limits: HUB_SESSION_LIMITS,
    line: { ...LINE, ...line },
    ...change,
  };
}

export class HubWorld {
  readonly scheduler = new SimulatedScheduler();
  readonly hub: VirtualHub;
  readonly hubEvents: HubEvent[] = [];
  session!: HubSession;
  events: HubSessionEvent[] = [];
  commands: HubCommand[] = [];
  /** Bytes that sessions sent. */
  sentBytes = 0;
  /** Pieces that sessions sent. */
  transmits = 0;
  /** May swallow or change what is sent; undefined drops it. */
  toHub: (bytes: Uint8Array, transmit: number) => Uint8Array | undefined = (bytes) => bytes;
  /** The same for what the hub sends. */
  toHost: (bytes: Uint8Array, piece: number) => Uint8Array | undefined = (bytes) => bytes;
  /** Pieces that the hub sent. */
  pieces = 0;
  /** What the steps of the line do. */
  lineSteps: (steps: HubCommand['steps']) => void = () => {};
  linkUp = true;
  /** What sessions announced to a journal, and whether that takes it. */
  readonly announced: Intent[] = [];
  grants = true;
  private timer: { cancel(): void } | undefined;
  private working = false;
  private isKilled = false;

  constructor(settings: Partial<HubSettings> & { restored?: Uint8Array[] } = {}) {
    this.hub = new VirtualHub({
      flash: GEOMETRY,
      firmware: A.bytes,
      ...settings,
      scheduler: this.scheduler,
      write: (bytes) => this.hostHears(bytes),
      onEvent: (event) => this.hubEvents.push(event),
    });
    this.hub.powerOn();
    this.scheduler.run(1_000);
  }

  smp(file: Uint8Array = B.bytes, change: RequestChange = {}): this {
    const request = hubRequest(file, 'mcuboot', change);
    return this.begin(new SmpSession({ ...request, smp: { ...SMP_TRAITS, ...change.smp } }));
  }

  bootloader(file: Uint8Array, profile: 'gbl' | 'ebl' = 'gbl', change: RequestChange = {}): this {
    return this.begin(new BootloaderSession(hubRequest(file, profile, change)));
  }

  /** In place of the one before, which is gone as with a killed gateway. */
  begin(session: HubSession): this {
    this.isKilled = false;
    this.session = session;
    this.events = [];
    this.commands = [];
    session.start(this.nowMs);
    this.pump();
    return this;
  }

  /** The gateway is gone: nothing more is said to the hub, and what that says is not heard. */
  kill(): void {
    this.isKilled = true;
    this.timer?.cancel();
  }

  get nowMs(): number {
    return this.scheduler.nowMs();
  }

  get state(): SessionState {
    return this.session.state;
  }

  run(ms: number): this {
    this.scheduler.run(ms);
    return this;
  }

  until(what: () => boolean, mostMs = HOURS_MS): this {
    const endMs = this.nowMs + mostMs;
    while (!what()) {
      assert.ok(this.nowMs < endMs, `did not happen within ${mostMs} ms; ${this.story()}`);
      this.scheduler.run(SLICE_MS);
    }
    return this;
  }

  /** To the end of the session, or to where it holds. */
  settle(mostMs = HOURS_MS): this {
    return this.until(() => isFinal(this.state) || this.session.holds() || this.stopped, mostMs);
  }

  get stopped(): boolean {
    return this.events.some(({ kind }) => kind === 'stopped');
  }

  cutLink(reason = 'vanished'): void {
    this.linkUp = false;
    this.session.handle({ kind: 'link-down', reason }, this.nowMs);
    this.pump();
  }

  restoreLink(): void {
    this.linkUp = true;
    this.session.handle({ kind: 'link-up' }, this.nowMs);
    this.pump();
  }

  stop(): void {
    this.session.stop(this.nowMs);
    this.pump();
  }

  states(): SessionState[] {
    return this.events.flatMap((event) => (event.kind === 'state' ? event.state : []));
  }

  detail(): string {
    const last = this.events.findLast(({ kind }) => kind === 'state' || kind === 'stopped');
    return (last as { detail?: string } | undefined)?.detail ?? '';
  }

  notes(): string[] {
    return this.events.flatMap((event) => (event.kind === 'note' ? event.text : []));
  }

  samples(): UploadSample[] {
    return this.events.flatMap((event) => (event.kind === 'progress' ? event.sample : []));
  }

  /** For a message of a test that failed. */
  story(): string {
    return `${this.states().join(' > ')} (${this.session.code ?? ''} ${this.detail()}) ${this.notes().join(' | ')}`;
  }

  pump(): void {
    if (this.working || this.isKilled) return;
    this.working = true;
    const { session, nowMs } = this;
    for (let moved = true; moved; ) {
      moved = false;
      for (
        let bytes = this.linkUp ? session.pollTransmit(nowMs) : undefined;
        bytes;
        bytes = session.pollTransmit(nowMs)
      ) {
        moved = true;
        this.transmits++;
        this.sentBytes += bytes.length;
        const through = this.toHub(bytes.slice(), this.transmits);
        if (through) this.hub.receive(through);
      }
      for (let event = session.pollEvent(); event; event = session.pollEvent()) {
        moved = true;
        this.events.push(event);
        if (event.kind === 'intent') this.keep(event.intent);
      }
      for (let command = session.pollCommand(); command; command = session.pollCommand()) {
        moved = true;
        this.carryOut(command);
      }
    }
    this.working = false;
    this.arm();
  }

  private keep(intent: Intent): void {
    if (!this.grants) return;
    this.announced.push(intent);
    this.session.handle({ kind: 'granted' }, this.nowMs);
  }

  private carryOut(command: HubCommand): void {
    this.commands.push(command);
    const { session } = this;
    this.lineSteps(command.steps);
    this.scheduler.after(300, () => {
      if (this.session !== session) return;
      session.handle({ kind: 'steps-done' }, this.nowMs);
      this.pump();
    });
  }

  private arm(): void {
    this.timer?.cancel();
    const atMs = this.session.pollTimeout();
    if (atMs === Number.POSITIVE_INFINITY) return;
    const { session } = this;
    this.timer = this.scheduler.after(Math.max(0, atMs - this.nowMs), () => {
      if (this.session !== session) return;
      session.handleTimeout(this.nowMs);
      this.pump();
    });
  }

  private hostHears(bytes: Uint8Array): void {
    if (!this.linkUp || this.isKilled || this.session === undefined) return;
    const through = this.toHost(bytes, ++this.pieces);
    if (!through) return;
    this.session.handleBytes(through, this.nowMs);
    this.pump();
  }
}
