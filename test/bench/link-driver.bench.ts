/**
 * What the driver costs between a device's answer and the next chunk, against a machine pumped by hand.
 *
 * The machine is the smallest that behaves as SMP does: a line in, a chunk of 527 bytes out, a timeout
 * moved. The link takes everything at once, so the operating system has no part in the figures.
 */
import type { Link, LinkListener, Timers } from '../../src/ports.ts';
import type { ByteMachine } from '../../src/protocol/machine.ts';
import { LinkDriver } from '../../src/transport/serial/driver.ts';
import { bytesAllocatedPerCall, compare, seededBytes } from './bench.ts';

/** A chunk of 354 bytes of image on the wire, and the answer to it. */
const CHUNK_BYTES = 527;
const ANSWER_BYTES = 35;

class Uploading implements ByteMachine<never> {
  private readonly chunk = seededBytes(CHUNK_BYTES, 1);
  private isDue = false;
  private timeoutMs = Number.POSITIVE_INFINITY;

  handleBytes(bytes: Uint8Array, nowMs: number): void {
    this.isDue = bytes[ANSWER_BYTES - 1] === 0x0a;
    this.timeoutMs = nowMs + 2_500;
  }

  handleTimeout(): void {}

  pollTransmit(): Uint8Array | undefined {
    if (!this.isDue) return undefined;
    this.isDue = false;
    return this.chunk;
  }

  pollEvent(): undefined {
    return undefined;
  }

  pollTimeout(): number {
    return this.timeoutMs;
  }
}

/** Takes at once; `sentBytes` is the digest. */
class TakingLink implements Link {
  readonly name = 'taking';
  readonly isOpen = true;
  sentBytes = 0;
  listener: LinkListener | undefined;
  private taken: ((whole: boolean) => void) | undefined;

  async open(listener: LinkListener): Promise<void> {
    this.listener = listener;
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    this.sentBytes += bytes.length;
    this.taken = taken;
  }

  /** What the event loop does between an answer and the next. */
  settle(): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.(true);
  }

  async drained(): Promise<void> {}
  async discard(): Promise<void> {}
  async setBaudRate(): Promise<boolean> {
    return false;
  }
  async setSignals(): Promise<boolean> {
    return false;
  }
  async sendBreak(): Promise<boolean> {
    return false;
  }
  async close(): Promise<void> {}
}

const timers: Timers = { nowMs: () => 0, after: () => ({ cancel: () => {} }) };
const answer = new Uint8Array(ANSWER_BYTES).fill(0x41);
answer[ANSWER_BYTES - 1] = 0x0a;

async function driven(lineBytesMax?: number): Promise<() => number> {
  const link = new TakingLink();
  const driver = new LinkDriver(link, timers);
  await driver.open();
  driver.run(
    new Uploading(),
    { event: () => {}, closed: () => {} },
    lineBytesMax === undefined ? {} : { lineBytesMax },
  );
  return () => {
    const before = link.sentBytes;
    link.listener!.received(answer);
    link.settle();
    return link.sentBytes - before;
  };
}

const chunks = await driven();
const lines = await driven(127);
const byHand = new Uploading();

compare({
  name: 'an answer in, a chunk out',
  bytesPerCall: CHUNK_BYTES,
  contenders: {
    'driver, chunks': chunks,
    'driver, whole lines': lines,
    'machine alone': () => {
      byHand.handleBytes(answer, 0);
      let length = 0;
      for (let bytes = byHand.pollTransmit(); bytes; bytes = byHand.pollTransmit()) {
        length += bytes.length;
      }
      return length;
    },
  },
});
for (const [label, contender] of [
  ['driver, chunks', chunks],
  ['driver, whole lines', lines],
] as const) {
  console.log(
    `${label}: ${bytesAllocatedPerCall(contender, 500).toFixed(0)} bytes allocated a chunk`,
  );
}
