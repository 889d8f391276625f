/** A listener that keeps what it hears. */
import type { Link, LinkClosed, LinkListener } from '../../../src/ports.ts';

export class Heard implements LinkListener {
  readonly closes: LinkClosed[] = [];
  private readonly chunks: Uint8Array[] = [];

  received(bytes: Uint8Array): void {
    this.chunks.push(bytes.slice());
  }

  closed(how: LinkClosed): void {
    this.closes.push(how);
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks));
  }

  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }
}

export function sent(link: Link, bytes: Uint8Array): Promise<boolean> {
  return new Promise((taken) => link.send(bytes, taken));
}
