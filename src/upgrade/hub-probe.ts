/**
 * Finds out what answers on a hub's line: an application or MCUboot's serial recovery that speaks SMP, the
 * menu of a Gecko or Ember bootloader, something that sends without answering, or nothing.
 *
 * What its model speaks is tried first, then the rest. It only reads, and is careful with what it cannot
 * know yet: the digits 1 to 3 would choose in a bootloader's menu, so no request holds one before SMP was
 * heard. Three things it cannot avoid: a bootloader that listens for a moment after a reset stays in its
 * menu, an upload that another program left half done there is ended, and a shell on the line sees some
 * lines that it does not know.
 *
 * It ends with one event, within `HUB_PROBE_LIMIT_MS`. A hub that is just starting is asked again by the
 * caller, with a new probe.
 */
import type { ByteMachine } from '../protocol/machine.ts';
import { SmpClient } from '../protocol/smp/client.ts';
import { deviceModeOf } from '../protocol/smp/image-state.ts';
import type { SmpAnswer, SmpEvent, SmpRequest } from '../protocol/smp/messages.ts';
import { BootloaderClient } from '../protocol/xmodem/bootloader.ts';
import { HeardText } from '../protocol/xmodem/heard-text.ts';
import { BOOTLOADER_TIMES } from '../protocol/xmodem/messages.ts';
import type { HubFinding } from './hub-finding.ts';

export interface HubProbeOptions {
  /** What the hub's model says it speaks; tried first. */
  protocol: 'smp' | 'gecko-bootloader' | 'ember-bootloader';
  baudRate: number;
}

/** Once, the last that a probe says. */
export type HubProbeEvent = { kind: 'found'; finding: HubFinding };

/** Whatever the line does. Silence takes 4 s where SMP is expected, 10 s where a bootloader is. */
export const HUB_PROBE_LIMIT_MS = 20_000;

/** An answer of an idle application takes a few ms; USB adapters add 16. */
const ANSWER_MS = 700;
/** The longest answer in the field, a list of four images, is below this on the wire. */
const LONGEST_ANSWER_BYTES = 600;
const TRIES = 3;
/** Its tries, one above the other, hold no digit from 1 to 3 in either version of the protocol. */
const SAFE_SEQUENCE = 8;
/** Where no bootloader is expected, two wake-ups do: the longer pauses are for uploads left half done. */
const SHORT_WAKES_MS = [500, 700];

const PROMPT = 'BL > ';
/** As much of what is sent is looked for in what is heard. */
const ECHO_CHARACTERS = 12;
const TEXT_SHARE = 0.9;
const TEXT_KEPT = 200;

type Attempt = 'smp' | 'bootloader';
type SmpFinding = Extract<HubFinding, { kind: 'smp' }>;

export class HubProbe implements ByteMachine<HubProbeEvent> {
  private readonly limitMs: number;
  private readonly attempts: Attempt[];
  private attempt: Attempt | undefined;
  private readonly smp: SmpClient;
  private readonly bootloader: BootloaderClient;
  private event: HubProbeEvent | undefined;

  /** SMP requests under way, by their id. */
  private readonly asked = new Map<number, SmpRequest['kind']>();
  /** Set with the first answer: something speaks SMP. */
  private heardSmp: SmpFinding | undefined;
  private echo: string | undefined;

  private readonly heard = new HeardText();
  private heardBytes = 0;
  private textBytes = 0;
  private sentText = '';
  private echoes = false;

  constructor({ protocol, baudRate }: HubProbeOptions, nowMs: number) {
    this.limitMs = nowMs + HUB_PROBE_LIMIT_MS;
    const expectsSmp = protocol === 'smp';
    this.attempts = expectsSmp ? ['smp', 'bootloader'] : ['bootloader', 'smp'];
    this.smp = new SmpClient({
      baudRate,
      answerTimeoutMs: ANSWER_MS + (LONGEST_ANSWER_BYTES * 10_000) / baudRate,
      attemptsMax: TRIES,
      firstSequence: SAFE_SEQUENCE,
    });
    const wakeMs = expectsSmp ? SHORT_WAKES_MS : BOOTLOADER_TIMES.wakeMs;
    this.bootloader = new BootloaderClient({ baudRate, times: { wakeMs } });
    this.begin(nowMs);
  }

  /** Whether it is still at work. */
  get active(): boolean {
    return this.attempt !== undefined;
  }

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    if (this.attempt === undefined) return;
    for (let i = 0; i < bytes.length; i++) this.listen(bytes[i]!);
    this.machine?.handleBytes(bytes, nowMs);
    this.follow(nowMs);
    // The prompt says more than any silence, and SMP's tries are no longer wanted there.
    if (this.attempt === 'smp' && this.heardSmp === undefined && this.heard.endsWith(PROMPT)) {
      this.attempts[0] = 'bootloader';
      this.begin(nowMs);
    }
  }

  handleTimeout(nowMs: number): void {
    if (this.attempt === undefined) return;
    if (nowMs >= this.limitMs) {
      this.conclude();
      return;
    }
    this.machine?.handleTimeout(nowMs);
    this.follow(nowMs);
  }

  pollTransmit(nowMs: number): Uint8Array | undefined {
    const bytes = this.machine?.pollTransmit(nowMs);
    if (bytes) this.remember(bytes);
    return bytes;
  }

  pollEvent(): HubProbeEvent | undefined {
    const { event } = this;
    this.event = undefined;
    return event;
  }

  pollTimeout(): number {
    return this.machine
      ? Math.min(this.machine.pollTimeout(), this.limitMs)
      : Number.POSITIVE_INFINITY;
  }

  // ---- the attempts -----------------------------------------------------------------------------------

  private get machine(): SmpClient | BootloaderClient | undefined {
    if (this.attempt === undefined) return undefined;
    return this.attempt === 'smp' ? this.smp : this.bootloader;
  }

  /** The next attempt, or the end. */
  private begin(nowMs: number): void {
    this.attempt = this.attempts.shift();
    if (this.attempt === 'smp') this.ask({ kind: 'params' });
    else if (this.attempt === 'bootloader') this.bootloader.probe(nowMs);
    else this.conclude();
  }

  private follow(nowMs: number): void {
    if (this.attempt === 'smp') this.followSmp(nowMs);
    else if (this.attempt === 'bootloader') this.followBootloader(nowMs);
  }

  private followBootloader(nowMs: number): void {
    for (let event = this.bootloader.pollEvent(); event; event = this.bootloader.pollEvent()) {
      if (event.kind === 'bootloader') this.end({ kind: 'bootloader', facts: event.facts });
      else if (event.kind === 'failed') this.begin(nowMs);
    }
  }

  private followSmp(nowMs: number): void {
    for (let event = this.smp.pollEvent(); event; event = this.smp.pollEvent()) {
      this.handleSmp(event);
    }
    if (this.asked.size > 0) return;
    if (this.heardSmp) this.conclude();
    else this.begin(nowMs);
  }

  private ask(request: SmpRequest): void {
    this.asked.set(this.smp.request(request), request.kind);
  }

  private handleSmp(event: SmpEvent): void {
    const kind = this.asked.get(event.id);
    if (kind === undefined) return;
    this.asked.delete(event.id);
    const answered = event.kind === 'answered';
    const silent = event.kind === 'failed' && event.failure.code === 'no-answer';
    if (!this.heardSmp && !silent) {
      this.heardSmp = {
        kind: 'smp',
        mode: 'unknown',
        images: [],
        slots: [],
        imageBytesMax: [],
        params: undefined,
      };
      this.ask({ kind: 'image-list' });
      this.ask({ kind: 'slot-info' });
    }
    if (answered) this.note(event.answer);
    if (kind === 'echo') {
      this.echo = answered ? 'answered' : event.kind === 'failed' ? event.failure.code : undefined;
    }
    if (kind === 'image-list' && this.heardSmp!.images.length === 0) {
      this.ask({ kind: 'echo', text: 'uplift' });
    }
  }

  private note(answer: SmpAnswer): void {
    const finding = this.heardSmp!;
    if (answer.kind === 'params') {
      const { bufferBytes, bufferCount, messageBytes } = answer;
      finding.params = { bufferBytes, bufferCount, messageBytes };
    } else if (answer.kind === 'image-list') {
      finding.images = answer.images;
    } else if (answer.kind === 'slot-info') {
      finding.slots = answer.slots;
      finding.imageBytesMax = answer.imageBytesMax;
    }
  }

  /** With what is known by now. */
  private conclude(): void {
    if (this.heardSmp) {
      const { images } = this.heardSmp;
      const mode = deviceModeOf({ images, ...(this.echo !== undefined && { echo: this.echo }) });
      this.end({ ...this.heardSmp, mode });
    } else if (this.heardBytes === 0) {
      this.end({ kind: 'silence' });
    } else {
      const { heardBytes, echoes } = this;
      const readable = this.textBytes >= heardBytes * TEXT_SHARE;
      const text = this.heard.text().trim().slice(-TEXT_KEPT);
      this.end({ kind: 'babble', heardBytes, readable, echoes, text });
    }
  }

  private end(finding: HubFinding): void {
    this.attempt = undefined;
    this.attempts.length = 0;
    this.event = { kind: 'found', finding };
  }

  // ---- what is heard without being understood ---------------------------------------------------------

  private listen(byte: number): void {
    this.heardBytes++;
    if (this.heard.add(byte) || isLayout(byte)) this.textBytes++;
    if (this.sentText.length === ECHO_CHARACTERS && this.heard.endsWith(this.sentText)) {
      this.echoes = true;
    }
  }

  /** The end of what was sent, as far as it is text. */
  private remember(bytes: Uint8Array): void {
    const text = String.fromCharCode(...bytes.filter((byte) => byte > 0x20));
    if (text.length >= ECHO_CHARACTERS) this.sentText = text.slice(-ECHO_CHARACTERS);
  }
}

/** Bytes of text that print nothing: NUL after a bootloader's texts, tab, and the colours of a log. */
function isLayout(byte: number): boolean {
  return byte === 0x00 || byte === 0x09 || byte === 0x1b;
}
