/**
 * What an application says of its version in its own words: a text that asks it, where it wants one, and
 * where in a line of its answer the version stands. From the hub's model.
 */
import { type LinePattern, parseLinePattern } from '../bytes/line-pattern.ts';
import { assert } from '../errors.ts';
import { HeardText } from '../protocol/xmodem/heard-text.ts';
import type { ApplicationVersionTraits } from './hub-session-messages.ts';

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

export class ApplicationVersion {
  readonly withinMs: number;
  private readonly pattern: LinePattern;
  private readonly question: Uint8Array;
  private readonly heard = new HeardText();
  private asks = false;

  constructor({ send, pattern, withinMs }: ApplicationVersionTraits) {
    const parsed = parseLinePattern(pattern);
    assert(parsed.ok, 'the pattern was checked with the model file');
    this.pattern = parsed.pattern;
    this.question = Uint8Array.from(send ?? '', (letter) => letter.charCodeAt(0));
    this.withinMs = withinMs;
  }

  /** Sends the question; what was heard before it counts for nothing. */
  ask(): void {
    this.heard.clear();
    this.askAgain();
  }

  askAgain(): void {
    this.asks = this.question.length > 0;
  }

  pollTransmit(): Uint8Array | undefined {
    if (!this.asks) return undefined;
    this.asks = false;
    return this.question;
  }

  /** The version, once a whole line says it: half a line may be half a version. */
  take(bytes: Uint8Array): string | undefined {
    let endsLine = false;
    for (const byte of bytes) {
      this.heard.add(byte);
      endsLine ||= byte === CARRIAGE_RETURN || byte === LINE_FEED;
    }
    return endsLine ? this.versionIn(this.heard.text()) : undefined;
  }

  versionIn(text: string): string | undefined {
    const lines = text.split(/[\r\n]+/).slice(0, -1);
    for (const line of lines.reverse()) {
      const found = this.pattern.find(line);
      if (found) return found;
    }
    return undefined;
  }
}
