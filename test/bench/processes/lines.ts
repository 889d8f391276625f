/**
 * Virtual hubs and XMODEM receivers on pseudo-terminals, in a process of their own: the bench measures the
 * host's end of the line. Timers of whole milliseconds are too coarse for a line of 1 Mbaud, so this
 * process has a finer clock; it sleeps between bytes and burns no core.
 */
import { join } from 'node:path';
import { XmodemReceiver } from '../../../src/protocol/xmodem/receiver.ts';
import { Line } from '../../../src/virtual/communications-hub/line.ts';
import { openVirtualHub } from '../../../src/virtual/communications-hub/open-hub.ts';
import { NO_HUB_FAULTS } from '../../../src/virtual/communications-hub/options.ts';
import { openHostPort } from '../../../src/virtual/host-port.ts';
import { SeededRandom } from '../../../src/virtual/random.ts';
import type { Scheduled, Scheduler } from '../../../src/virtual/scheduler.ts';
import { makeImage } from '../../virtual/communications-hub/fixture.ts';

export interface LineRequest {
  baudRate: number;
  turnRoundMs: number;
  /** Absent for an XMODEM receiver. */
  smp?: { bufBytes: number; poolLines: number };
}

/** What is nearer than this is waited for in steps. */
const NEAR_MS = 2;
const STEP_MS = 0.15;

class FineScheduler implements Scheduler {
  private readonly tasks: { atMs: number; task: () => void }[] = [];
  private readonly cell = new Int32Array(new SharedArrayBuffer(4));
  private looping = false;

  nowMs(): number {
    return performance.timeOrigin + performance.now();
  }

  after(delayMs: number, task: () => void): Scheduled {
    const entry = { atMs: this.nowMs() + Math.max(delayMs, 0), task };
    const later = this.tasks.findIndex(({ atMs }) => atMs > entry.atMs);
    this.tasks.splice(later < 0 ? this.tasks.length : later, 0, entry);
    if (!this.looping) {
      this.looping = true;
      setImmediate(this.loop);
    }
    return {
      cancel: () => {
        const at = this.tasks.indexOf(entry);
        if (at >= 0) this.tasks.splice(at, 1);
      },
    };
  }

  private readonly loop = (): void => {
    for (const dueMs = this.nowMs(); this.tasks[0] && this.tasks[0].atMs <= dueMs; ) {
      this.tasks.shift()!.task();
    }
    const next = this.tasks[0];
    this.looping = next !== undefined;
    if (next === undefined) return;
    const waitMs = next.atMs - this.nowMs();
    if (waitMs > NEAR_MS) {
      // A task that comes meanwhile is as near: lines are never longer idle than their next byte.
      setTimeout(this.loop, Math.min(waitMs - NEAR_MS, NEAR_MS));
      return;
    }
    if (waitMs > 0) Atomics.wait(this.cell, 0, 0, Math.min(waitMs, STEP_MS));
    setImmediate(this.loop);
  };
}

const FLASH = {
  slotBytes: 1_048_576,
  eraseBlockBytes: 4_096,
  programPageBytes: 256,
  eraseBlockMs: 0,
  programPageMs: 0,
};

const folder = process.argv[2]!;
const scheduler = new FineScheduler();
const open = new Map<string, () => Promise<void>>();
/** Receivers that ask for their file when the host is there. */
const begins = new Map<string, () => void>();

async function openHub(path: string, { smp, ...line }: LineRequest): Promise<void> {
  const firmware = makeImage().bytes;
  const started = Promise.withResolvers<void>();
  const hub = await openVirtualHub({
    ...line,
    scheduler,
    port: path,
    flash: FLASH,
    firmware,
    bootMs: 0,
    smp: smp!,
    onEvent: ({ kind }) => {
      if (kind === 'application-started') started.resolve();
    },
  });
  await started.promise;
  open.set(path, () => hub.stop());
}

async function openReceiver(path: string, options: LineRequest): Promise<void> {
  const receiver = new XmodemReceiver({ variant: 'xmodem' });
  let timer: Scheduled | undefined;
  const drain = (atMs: number) => {
    for (let out = receiver.pollTransmit(atMs); out; out = receiver.pollTransmit(atMs)) {
      line.fromHub(out.slice(), atMs);
    }
    while (receiver.pollEvent());
    timer?.cancel();
    const dueMs = receiver.pollTimeout();
    if (!Number.isFinite(dueMs)) return;
    timer = scheduler.after(dueMs - scheduler.nowMs(), () => {
      receiver.handleTimeout(scheduler.nowMs());
      drain(scheduler.nowMs());
    });
  };
  const byte = new Uint8Array(1);
  const line = new Line(scheduler, options, NO_HUB_FAULTS, new SeededRandom(1), {
    toHub: (value, atMs) => {
      byte[0] = value;
      receiver.handleBytes(byte, atMs);
      drain(atMs);
    },
    toHost: (bytes) => port.write(bytes),
  });
  const port = await openHostPort(path, {
    connected: () => {},
    received: (chunk) => line.fromHost(chunk.slice()),
    disconnected: () => {},
  });
  open.set(path, async () => {
    timer?.cancel();
    line.clear();
    await port.cut();
  });
  begins.set(path, () => {
    receiver.start(scheduler.nowMs());
    drain(scheduler.nowMs());
  });
}

let count = 0;
process.on('message', async (message: LineRequest | { begin: string } | { close: string }) => {
  if ('begin' in message) {
    begins.get(message.begin)!();
  } else if ('close' in message) {
    await open.get(message.close)!();
    open.delete(message.close);
  } else {
    const path = join(folder, `line-${count++}`);
    await (message.smp ? openHub(path, message) : openReceiver(path, message));
    process.send!({ path });
  }
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
