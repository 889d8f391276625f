/** Pumps a machine against a program on its standard input and output, with damage where a test wants it. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { ByteMachine } from '../../src/protocol/machine.ts';
import { seeded } from '../protocol/zcl-ota/naive-frames.ts';

/**
 * Damage to what passes, to so many of 1,000 messages; the seed decides which. Not to the last ones: when
 * its last answer is lost a program cannot know that it is through.
 */
export interface Damage {
  seed: number;
  perMille: number;
  messages: number;
  kinds: readonly ('drop' | 'corrupt' | 'truncate' | 'noise')[];
}

export interface ProgramRun<Event> {
  events: Event[];
  exitCode: number | null;
  /** What it said on its standard error. */
  complaints: string;
  damaged: number;
}

const LIMIT_MS = 90_000;
const EXIT_MS = 5_000;
const NOISE = Uint8Array.of(0x00, 0xff, 0x7f, 0x41, 0x80);

export function runProgram<Event extends { kind: string }>(
  command: string,
  args: string[],
  cwd: string,
  machine: ByteMachine<Event>,
  begin: (nowMs: number) => void,
  damage?: Damage,
): Promise<ProgramRun<Event>> {
  const child = spawn(command, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  return new Pump(child, machine, damage).run(begin);
}

class Pump<Event extends { kind: string }> {
  private readonly child: ChildProcess;
  private readonly machine: ByteMachine<Event>;
  private readonly damage: Damage | undefined;
  private readonly random: (below: number) => number;
  private readonly outcome: ProgramRun<Event>;
  private messages = 0;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(child: ChildProcess, machine: ByteMachine<Event>, damage: Damage | undefined) {
    this.child = child;
    this.machine = machine;
    this.damage = damage;
    this.random = seeded(damage?.seed ?? 0);
    this.outcome = { events: [], exitCode: null, complaints: '', damaged: 0 };
  }

  run(begin: (nowMs: number) => void): Promise<ProgramRun<Event>> {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`no end within ${LIMIT_MS} ms; ${JSON.stringify(this.outcome)}`));
      }, LIMIT_MS);
      child.on('error', reject);
      // The program may leave before it has read all.
      child.stdin!.on('error', () => {});
      child.stderr!.on('data', (chunk: Buffer) => {
        this.outcome.complaints += chunk.toString('latin1');
      });
      child.stdout!.on('data', (chunk: Buffer) => {
        for (const bytes of this.damaged(chunk)) this.machine.handleBytes(bytes, Date.now());
        this.drain();
      });
      child.on('close', (code) => {
        clearTimeout(limit);
        clearTimeout(this.timer);
        this.outcome.exitCode = code;
        resolve(this.outcome);
      });
      begin(Date.now());
      this.drain();
    });
  }

  private drain(): void {
    const nowMs = Date.now();
    for (let out = this.machine.pollTransmit(nowMs); out; out = this.machine.pollTransmit(nowMs)) {
      for (const bytes of this.damaged(out)) this.child.stdin!.write(bytes.slice());
    }
    for (let event = this.machine.pollEvent(); event; event = this.machine.pollEvent()) {
      this.outcome.events.push({ ...event });
      if (event.kind === 'done' || event.kind === 'failed') this.leave();
    }
    clearTimeout(this.timer);
    const waitMs = this.machine.pollTimeout() - nowMs;
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.timer = setTimeout(
      () => {
        this.machine.handleTimeout(Date.now());
        this.drain();
      },
      Math.max(0, waitMs),
    );
  }

  /** Our end is through: the program gets time to end by itself. */
  private leave(): void {
    if (this.ended) return;
    this.ended = true;
    const killer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_MS);
    this.child.on('close', () => clearTimeout(killer));
  }

  private damaged(bytes: Uint8Array): Uint8Array[] {
    const { damage, random } = this;
    if (!damage || this.messages++ >= damage.messages) return [bytes];
    if (random(1_000) >= damage.perMille) return [bytes];
    this.outcome.damaged++;
    switch (damage.kinds[random(damage.kinds.length)]!) {
      case 'drop':
        return [];
      case 'truncate':
        return [bytes.subarray(0, bytes.length >> 1)];
      case 'noise':
        return [bytes, NOISE];
      case 'corrupt': {
        const copy = bytes.slice();
        copy[random(copy.length)]! ^= 1 << random(8);
        return [copy];
      }
    }
  }
}
