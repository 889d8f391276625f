/** What every kind of link keeps of its owner while it is open: who listens, and what is on its way. */
import { assert } from '../../errors.ts';
import type { LinkClosed, LinkListener } from '../../ports.ts';

export class Attachment {
  private readonly listener: LinkListener;
  private taken: ((whole: boolean) => void) | undefined;
  private markEnded: () => void = () => {};
  /** Resolves when the link has closed. */
  readonly ended: Promise<void>;
  isOver = false;

  constructor(listener: LinkListener) {
    this.listener = listener;
    this.ended = new Promise((done) => {
      this.markEnded = done;
    });
  }

  get isSending(): boolean {
    return this.taken !== undefined;
  }

  received(chunk: Buffer): void {
    // A Buffer's `slice` shares memory, an array's copies: inside, only arrays.
    if (!this.isOver)
      this.listener.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
  }

  beginSend(taken: (whole: boolean) => void): void {
    assert(this.taken === undefined, 'one piece at a time: the next after `taken`');
    this.taken = taken;
  }

  endSend(whole: boolean): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.(whole);
  }

  /** Once: what was on its way is told first. */
  end(how: LinkClosed): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endSend(false);
    this.markEnded();
    this.listener.closed(how);
  }
}
