/**
 * The real thing: Zephyr 4.4's SMP server with MCUboot on QEMU's micro:bit, from the board image
 * among the samples. Flash travels in a saved machine state, since a file loaded by QEMU is written
 * again at every reset.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { naiveParse } from '../virtual/communications-hub/fixture.ts';

const QEMU = 'qemu-system-arm';
const CONNECT_LIMIT_MS = 10_000;
const BOOT_LIMIT_MS = 5_000;
/** Longer than the server ever takes; a lost line costs so much before the next try. */
const SILENCE_MS = 700;
const TRIES = 4;

export function isQemuThere(): boolean {
  return spawnSync(QEMU, ['--version']).error === undefined;
}

export class QemuBoard {
  private readonly folder: string;
  private readonly process: ChildProcess;
  private readonly monitor: Socket;
  private readonly uart: Socket;
  private received = Buffer.alloc(0);
  private wake = () => {};

  private constructor(folder: string, process: ChildProcess, monitor: Socket, uart: Socket) {
    this.folder = folder;
    this.process = process;
    this.monitor = monitor;
    this.uart = uart;
    monitor.on('data', () => {});
    uart.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
  }

  /** Booted from the factory state. */
  static async powerOn(boardHex: string): Promise<QemuBoard> {
    const folder = mkdtempSync(join(tmpdir(), 'uplift-qemu-'));
    const state = join(folder, 'factory.state');
    const loader = ['-device', `loader,file=${boardHex}`];
    const factory = await start(folder, ['-serial', 'none', ...loader]);
    factory.monitor.on('data', () => {});
    factory.monitor.write(`migrate "exec:cat > ${state}"\nquit\n`);
    await new Promise((done) => factory.process.once('close', done));
    const serial = ['-chardev', `socket,id=uart,path=${folder}/uart,server=on,wait=off`];
    const incoming = ['-serial', 'chardev:uart', '-incoming', `exec:cat ${state}`];
    const { process, monitor } = await start(folder, [...serial, ...incoming]);
    const uart = await connectTo(join(folder, 'uart'));
    const board = new QemuBoard(folder, process, monitor, uart);
    // A machine that is still taking its state in does not start when told to: it is told again.
    for (let attempt = 1; ; attempt++) {
      monitor.write('system_reset\ncont\n');
      if (await board.hasBooted()) return board;
      if (attempt < TRIES) continue;
      await board.powerOff();
      throw new Error('the board in QEMU does not boot');
    }
  }

  /**
   * Writes pieces with a pause between, as the receive pool wants it; every message of that
   * sequence that came back. Where a line was lost it tries again, and an answer that comes twice
   * then counts once.
   */
  async exchange(
    pieces: readonly Uint8Array[],
    sequences: ReadonlySet<number>,
    wanted: number,
  ): Promise<Uint8Array[]> {
    const own = () => naiveParse(this.wire).filter((message) => sequences.has(message[6]!));
    for (let attempt = 1; ; attempt++) {
      this.received = Buffer.alloc(0);
      for (const piece of pieces) {
        this.uart.write(piece);
        if (pieces.length > 2) await pause(15);
      }
      await this.until(() => own().length >= Math.max(1, wanted), SILENCE_MS);
      const answers = own();
      if (answers.length >= wanted) return attempt === 1 ? answers : answers.slice(0, wanted);
      if (attempt === TRIES) return answers;
    }
  }

  /** The whole lines that came since the last writing. */
  get wire(): Uint8Array {
    return this.received.subarray(0, this.received.lastIndexOf('\n') + 1);
  }

  /** False where it has not within its time. */
  async hasBooted(): Promise<boolean> {
    const isUp = () => this.received.includes('*** Booting Zephyr');
    await this.until(isUp, BOOT_LIMIT_MS);
    const booted = isUp();
    this.received = Buffer.alloc(0);
    await pause(300);
    return booted;
  }

  async powerOff(): Promise<void> {
    const closed = new Promise((done) => this.process.once('close', done));
    this.monitor.write('quit\n');
    const limit = setTimeout(() => this.process.kill('SIGKILL'), 2_000);
    await closed;
    clearTimeout(limit);
    this.uart.destroy();
    this.monitor.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async until(isSo: () => boolean, limitMs: number): Promise<void> {
    const endMs = Date.now() + limitMs;
    while (!isSo() && Date.now() < endMs) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, endMs - Date.now());
        this.wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  }
}

async function start(
  folder: string,
  more: string[],
): Promise<{ process: ChildProcess; monitor: Socket }> {
  const chardev = `socket,id=mon,path=${folder}/mon,server=on,wait=off`;
  const machine = ['-machine', 'microbit', '-display', 'none', '-S'];
  const process = spawn(QEMU, [...machine, '-chardev', chardev, '-mon', 'chardev=mon', ...more], {
    stdio: 'ignore',
  });
  const monitor = await connectTo(join(folder, 'mon'));
  await new Promise((done) => monitor.once('data', done));
  return { process, monitor };
}

async function connectTo(path: string): Promise<Socket> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    const socket = createConnection(path);
    const connected = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
    if (connected) return socket;
    if (waitedMs > CONNECT_LIMIT_MS) throw new Error(`nobody listens on ${path}`);
    await pause(50);
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs));
}
