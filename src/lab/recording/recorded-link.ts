/** A link that is recorded: every byte either way, and what became of the link and its lines. */
import type { Clock, Link, LinkListener, LinkSignals } from '../../ports.ts';
import type { LinkRecorder } from '../ports.ts';
import { MONOTONIC_CLOCK } from './clock.ts';

export interface RecordedLinkOptions {
  recorder: LinkRecorder;
  /** What the recording calls it; else its own name. */
  name?: string;
  clock?: Clock;
}

export class RecordedLink implements Link {
  readonly name: string;
  private readonly link: Link;
  private readonly recorder: LinkRecorder;
  private readonly recordedAs: string;
  private readonly clock: Clock;

  constructor(link: Link, { recorder, name, clock = MONOTONIC_CLOCK }: RecordedLinkOptions) {
    this.name = link.name;
    this.link = link;
    this.recorder = recorder;
    this.recordedAs = name ?? link.name;
    this.clock = clock;
  }

  get isOpen(): boolean {
    return this.link.isOpen;
  }

  async open(listener: LinkListener): Promise<void> {
    try {
      await this.link.open({
        received: (bytes) => {
          this.recorder.record(this.recordedAs, 'up', bytes, this.clock.nowMs());
          listener.received(bytes);
        },
        closed: (how) => {
          this.note(`closed: ${how.reason}${how.detail === '' ? '' : `, ${how.detail}`}`);
          listener.closed(how);
        },
      });
    } catch (error) {
      this.note(`does not open: ${(error as Error).message}`);
      throw error;
    }
    this.note('opened');
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    this.recorder.record(this.recordedAs, 'down', bytes, this.clock.nowMs());
    this.link.send(bytes, (whole) => {
      if (!whole) this.note('not all of the last bytes were taken');
      taken(whole);
    });
  }

  drained(): Promise<void> {
    return this.link.drained();
  }

  async discard(): Promise<void> {
    this.note('discards what is under way');
    await this.link.discard();
  }

  async setBaudRate(baudRate: number): Promise<boolean> {
    return this.noted(`baud rate ${baudRate}`, await this.link.setBaudRate(baudRate));
  }

  async setSignals(signals: LinkSignals): Promise<boolean> {
    const words = Object.entries(signals).map(([line, on]) => `${line.toUpperCase()} ${on}`);
    return this.noted(words.join(', '), await this.link.setSignals(signals));
  }

  async sendBreak(durationMs: number): Promise<boolean> {
    return this.noted(`break of ${durationMs} ms`, await this.link.sendBreak(durationMs));
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private noted(what: string, was: boolean): boolean {
    this.note(was ? what : `${what}: not on this link`);
    return was;
  }

  private note(text: string): void {
    this.recorder.note(this.recordedAs, text, this.clock.nowMs());
  }
}
