/**
 * The real thing: Zephyr 4.4's SMP server with MCUboot on QEMU's micro:bit, from the board image among the
 * samples; its power can be cut and put back. Flash travels in a saved machine state, since a file loaded
 * by QEMU is written again at every reset.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Test } from 'uvu';
import { testWithTool } from './tools.ts';

const SAMPLES = resolve(import.meta.dirname, '../../../shared/samples/serial');
const BOARD = join(SAMPLES, 'zephyr44_smp_m0_board.merged.hex');
const IMAGE = join(SAMPLES, 'zephyr44_smp_m0_hash_only.bin');
const QEMU = 'qemu-system-arm';

const CONNECT_LIMIT_MS = 10_000;
const BOOT_LIMIT_MS = 5_000;
/** A machine takes in its state before it can go on: until then it is told again and again. */
const START_LIMIT_MS = 800;
const START_TRIES = 20;
/** After its first words the application still needs a moment. */
const SETTLE_MS = 300;
const QUIT_LIMIT_MS = 2_000;

/** Where the image keeps its version, its hash and what the hash covers. */
const VERSION_AT = 20;
const COVERED_BYTES = 49_652;
const HASH_AT = 49_660;
const HASH_BYTES = 32;

export type Version = readonly [major: number, minor: number, revision: number, build: number];

/** Registers a test that needs the board; it gets the image that is in its slot 0. */
export function testWithBoard(
  test: Test<object>,
  name: string,
  body: (factoryImage: Uint8Array) => Promise<void>,
): void {
  if (existsSync(BOARD)) {
    testWithTool(test, QEMU, name, () => body(new Uint8Array(readFileSync(IMAGE))));
    return;
  }
  console.log(`SKIP ${name}: needs ../shared/samples/serial, which is not here`);
  test.skip(name, () => {});
}

/** The board's own image with another version, and its hash put right. */
export function otherVersion(image: Uint8Array, version: Version): Uint8Array {
  const bytes = Buffer.from(image);
  bytes.set([version[0], version[1]], VERSION_AT);
  bytes.writeUInt16LE(version[2], VERSION_AT + 2);
  bytes.writeUInt32LE(version[3], VERSION_AT + 4);
  bytes.set(sha256(bytes.subarray(0, COVERED_BYTES)), HASH_AT);
  return new Uint8Array(bytes);
}

/** By which the board names an image. */
export function imageHash(image: Uint8Array): Uint8Array {
  return image.subarray(HASH_AT, HASH_AT + HASH_BYTES);
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

interface Machine {
  process: ChildProcess;
  monitor: Socket;
  uart: Socket;
}

export class ZephyrBoard {
  /** What its UART has said since somebody cleared it. */
  heard = Buffer.alloc(0);
  private readonly folder = mkdtempSync(join(tmpdir(), 'uplift-qemu-'));
  private readonly state = join(this.folder, 'board.state');
  private machine: Machine | undefined;
  private listens = false;
  private listener: (chunk: Uint8Array) => void = () => {};
  private wake = () => {};

  private constructor() {}

  /** New from the factory, and booted. */
  static async powerOn(): Promise<ZephyrBoard> {
    const board = new ZephyrBoard();
    const loader = ['-serial', 'none', '-device', `loader,file=${BOARD}`];
    const factory = await start(board.folder, loader);
    factory.monitor.write(`migrate "exec:cat > ${board.state}"\nquit\n`);
    await closed(factory.process);
    await board.powerOn();
    return board;
  }

  /** From the flash that the last cut left. */
  async powerOn(): Promise<void> {
    const { folder, state } = this;
    const serial = ['-chardev', `socket,id=uart,path=${folder}/uart,server=on,wait=off`];
    const incoming = ['-serial', 'chardev:uart', '-incoming', `exec:cat ${state}`];
    const { process, monitor } = await start(folder, [...serial, ...incoming]);
    const uart = await connectTo(join(folder, 'uart'));
    // Left unread while the board boots, its UART would stall.
    uart.on('data', (chunk: Buffer) => this.hear(chunk));
    this.machine = { process, monitor, uart };
    this.heard = Buffer.alloc(0);
    for (let attempt = 1; attempt <= START_TRIES; attempt++) {
      monitor.write('system_reset\ncont\n');
      if (!(await this.hasBooted(START_LIMIT_MS))) continue;
      this.listens = true;
      return;
    }
    await this.remove();
    throw new Error('the board in QEMU does not boot');
  }

  /** At this instant; flash is kept. */
  async powerCut(): Promise<void> {
    const { monitor, process } = this.machine!;
    this.listens = false;
    monitor.write(`stop\nmigrate "exec:cat > ${this.state}"\nquit\n`);
    await closed(process);
    this.release();
  }

  /** Ends for good. */
  async remove(): Promise<void> {
    const { machine } = this;
    if (machine) {
      machine.monitor.write('quit\n');
      const limit = setTimeout(() => machine.process.kill('SIGKILL'), QUIT_LIMIT_MS);
      await closed(machine.process);
      clearTimeout(limit);
      this.release();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * Bytes to the UART; lost where the power is off or the application does not listen yet. QEMU's would
   * stay deaf for good after a byte that came too early, where a real one just loses it.
   */
  write(bytes: Uint8Array): void {
    if (this.listens) this.machine?.uart.write(bytes);
  }

  /** Who else hears the UART. */
  listen(listener: (chunk: Uint8Array) => void): void {
    this.listener = listener;
  }

  /** False where it has not within its time. What it said until then is cleared. */
  async hasBooted(limitMs = BOOT_LIMIT_MS): Promise<boolean> {
    const booted = await this.says('*** Booting Zephyr', limitMs);
    if (!booted) return false;
    this.heard = Buffer.alloc(0);
    await pause(SETTLE_MS);
    return true;
  }

  says(text: string, limitMs: number): Promise<boolean> {
    return this.until(() => this.heard.includes(text), limitMs);
  }

  /** Looks again whenever the board says something. */
  async until(isSo: () => boolean, limitMs: number): Promise<boolean> {
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
    return isSo();
  }

  private hear(chunk: Buffer): void {
    this.heard = Buffer.concat([this.heard, chunk]);
    this.listener(chunk);
    this.wake();
  }

  private release(): void {
    this.machine?.uart.destroy();
    this.machine?.monitor.destroy();
    this.machine = undefined;
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
  monitor.on('error', () => monitor.destroy());
  await new Promise((done) => {
    monitor.once('data', done);
    monitor.once('close', done);
  });
  monitor.on('data', () => {});
  return { process, monitor };
}

function closed(process: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (process.exitCode !== null || process.signalCode !== null) done();
    else process.once('close', () => done());
  });
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

export function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs));
}
