/**
 * The wire between gateways of the simulation and their coordinator, which may be away: what is asked is
 * lost, or its answer is, or it comes twice, or once more when it is long out of date.
 */
import { UpliftError } from '../../src/errors.ts';
import type { AgentCode } from '../../src/fleet/agent/codes.ts';
import type { FleetLink, LinkFailure } from '../../src/fleet/agent/fleet-link.ts';
import type { Coordinator } from '../../src/fleet/coordinator/control.ts';
import type { EventBatch } from '../../src/fleet/wire.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import type { SimulatedClock } from './clock.ts';

export interface WireOptions {
  clock: SimulatedClock;
  random: SeededRandom;
  /** Of requests, of answers and of repetitions, of one. */
  faults: () => number;
  /** The coordinator has it, whatever its gateway hears of that. */
  took(gateway: string, batch: EventBatch): void;
}

type Failed = LinkFailure;

export class FleetWire {
  /** Undefined: its process has ended. */
  coordinator: Coordinator | undefined;
  private readonly options: WireOptions;
  private readonly offlineUntilMs = new Map<string, number>();
  /** Long polls: told how they end. */
  private readonly waiting = new Map<string, (isWell: boolean) => void>();
  private readonly earlier = new Map<string, EventBatch>();

  constructor(options: WireOptions) {
    this.options = options;
  }

  connect(coordinator: Coordinator): void {
    this.coordinator = coordinator;
    coordinator.onDesired((id) => this.waiting.get(id)?.(true));
  }

  disconnect(): void {
    this.coordinator = undefined;
    for (const end of [...this.waiting.values()]) end(false);
  }

  cut(id: string, untilMs: number): void {
    this.offlineUntilMs.set(id, untilMs);
    this.waiting.get(id)?.(false);
  }

  mend(): void {
    this.offlineUntilMs.clear();
  }

  isCut(id: string): boolean {
    return (this.offlineUntilMs.get(id) ?? 0) > this.options.clock.nowMs();
  }

  linkOf(id: string, certificate: string): FleetLink {
    const ask = <T>(work: (desk: Coordinator) => Promise<T>) => this.ask(id, work);
    return {
      enrol: ({ token, gateway, version }) =>
        ask(async (desk) => {
          await desk.enrol(token, gateway, version, certificate);
          return { gateway, fleet: 'north', certificate };
        }),
      desired: async (known, waitSeconds, signal) => {
        const once = () => ask((desk) => desk.desired(id, known));
        let answer = await once();
        if (answer.kind === 'answered' && !answer.value && waitSeconds > 0) {
          const isWell = await this.wait(id, waitSeconds * 1_000, signal);
          answer = isWell ? await once() : lost('fleet-broken-off');
        }
        if (answer.kind !== 'answered') return answer;
        return answer.value ? { ...answer, value: answer.value } : { kind: 'unchanged' };
      },
      postEvents: (batch) => ask((desk) => this.takeEvents(desk, id, batch)),
      postInventory: (inventory) =>
        ask(async (desk) => {
          await desk.takeInventory(id, inventory);
          return undefined;
        }),
      fetchBlob: async ({ sha256, offset }, receiver) => {
        const answer = await ask((desk) => desk.blob(sha256));
        if (answer.kind !== 'answered') return answer;
        const blob = answer.value;
        if (!blob) return { kind: 'refused', code: 'blob-unknown', detail: sha256 };
        const { bytes } = blob;
        const head = { status: 206 as const, etag: `"${sha256}"`, start: offset, end: bytes - 1 };
        if (!receiver.head({ ...head, total: bytes, length: bytes - offset }))
          return { kind: 'dropped' };
        for await (const piece of blob.read(offset, bytes - offset)) receiver.chunk(piece);
        return { kind: 'ended' };
      },
      close() {},
    };
  }

  /** On a stick: whoever carries it hands it in, and the gateway hears of it when it asks again. */
  carried(id: string, batch: EventBatch): Promise<unknown> {
    return this.takeEvents(this.coordinator!, id, batch);
  }

  private async takeEvents(desk: Coordinator, id: string, batch: EventBatch) {
    const { random, faults, took } = this.options;
    const before = this.earlier.get(id);
    const take = async (one: EventBatch) => {
      const taken = await desk.takeEvents(id, one);
      took(id, one);
      return taken;
    };
    // What was sent before arrives again, before, beside or after this one.
    if (before && random.chance(faults())) await take(before).catch(ignored);
    const twice = random.chance(faults()) ? take(batch).catch(ignored) : undefined;
    const taken = await take(batch);
    await twice;
    if (before && random.chance(faults())) await take(before).catch(ignored);
    this.earlier.set(id, batch);
    return taken;
  }

  private async ask<T>(
    id: string,
    work: (desk: Coordinator) => Promise<T>,
  ): Promise<{ kind: 'answered'; value: T } | Failed> {
    const { random, faults } = this.options;
    const desk = this.coordinator;
    if (!desk || this.isCut(id) || random.chance(faults())) return lost('fleet-unreachable');
    try {
      const value = await work(desk);
      if (random.chance(faults())) return lost('fleet-broken-off');
      return { kind: 'answered', value };
    } catch (error) {
      if (desk !== this.coordinator) return lost('fleet-broken-off');
      if (!(error instanceof UpliftError)) throw error;
      return { kind: 'refused', code: error.code as AgentCode, detail: error.message };
    }
  }

  /** Until what it should be doing changed, or for so long; false where it is cut off meanwhile. */
  private wait(id: string, mostMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.options;
    return new Promise((done) => {
      const end = (isWell: boolean) => {
        timer.cancel();
        if (this.waiting.get(id) === end) this.waiting.delete(id);
        clock.isTouched = true;
        done(isWell);
      };
      const timer = clock.after(mostMs, () => end(true));
      signal?.addEventListener('abort', () => end(false), { once: true });
      this.waiting.get(id)?.(false);
      this.waiting.set(id, end);
    });
  }
}

function lost(code: AgentCode): Failed {
  return { kind: 'unreached', code, detail: 'simulated' };
}

/** A refusal of what is out of date. */
function ignored(error: unknown): undefined {
  if (!(error instanceof UpliftError)) throw error;
  return undefined;
}
