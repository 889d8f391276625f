/**
 * What holds for the scheduler whatever is called in whatever order. A plain list of what was
 * submitted, started and ended is the model; after every call the machine is held against it.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ItemResult, ScheduleItem } from '../../src/schedule/item.ts';
import { RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { type LocalHours, parseHours } from '../../src/schedule/windows.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

const test = suite('scheduler, any sequence of calls');

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The evening before the clocks go back in London. */
const START = Date.UTC(2026, 9, 24, 18);
const RESOURCES = ['network:a', 'network:b', 'port:c'];
/** Less than the resources may run together. */
const RUNNING_MAX = 2;
const SEED = 20261024;
const LENGTH = { minLength: 20, maxLength: 120 };

const NIGHT = hours('22:00', '04:00');
const LUNCH = hours('12:00', '13:30');

function hours(from: string, until: string): LocalHours {
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
  const parsed = parseHours({ weekly: [{ days, from, until }] });
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.hours;
}

type Call =
  | { do: 'submit'; item: Omit<ScheduleItem, 'id'> }
  | { do: 'end'; which: number; result: ItemResult }
  | { do: 'cancel' | 'approve'; which: number }
  | { do: 'up' | 'down'; resource: string }
  | { do: 'pace'; resource: string; concurrency: number }
  | { do: 'wait'; minutes: number };

const resource = fc.constantFrom(...RESOURCES);
const item: fc.Arbitrary<Omit<ScheduleItem, 'id'>> = fc.record({
  job: fc.constantFrom('x', 'y', 'z'),
  stage: fc.constantFrom('distribute' as const, 'activate' as const),
  resources: fc.shuffledSubarray(RESOURCES, { minLength: 1, maxLength: 2 }),
  priority: fc.integer({ min: -2, max: 2 }),
  notBeforeMs: fc.constantFrom(0, 0, 0, 3, 17).map((n) => START + n * HOUR_MS),
  deadlineMs: fc.constantFrom(1, 40, 90, 90).map((n) => START + n * HOUR_MS),
  expectedMs: fc.integer({ min: 0, max: 200 }).map((n) => n * MINUTE_MS),
  windows: fc.constantFrom([], [], [], [NIGHT], [LUNCH]),
  blackout: fc.constantFrom(NIGHT, LUNCH),
  atClosing: fc.constantFrom('finish' as const, 'pause' as const),
  approved: fc.constantFrom(true, true, true, false),
});
const result: fc.Arbitrary<ItemResult> = fc.constantFrom<ItemResult>(
  { kind: 'done' },
  { kind: 'paused' },
  { kind: 'refused' },
  { kind: 'unknown-outcome' },
  { kind: 'failed', code: 'device-silent' },
  { kind: 'failed', code: 'transfer-stalled' },
  { kind: 'failed', code: 'upload-refused' },
  { kind: 'failed', code: 'worker-ended' },
);
const which = fc.nat({ max: 1000 });
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('submit' as const), item }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), which, result }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel', 'approve'), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('up', 'down'), resource }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pace' as const),
      resource,
      concurrency: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      minutes: fc.integer({ min: 0, max: 90 }),
    }),
  },
);

class World {
  readonly machine = new Scheduler(new RetryDesk(new SeededRandom(SEED), START), RUNNING_MAX);
  readonly items = new Map<string, ScheduleItem>();
  readonly running = new Set<string>();
  readonly waiting = new Set<string>();
  readonly down = new Set<string>();
  readonly capacity = new Map(RESOURCES.map((name) => [name, 1]));
  readonly log: string[] = [];
  nowMs = START;

  make(made: Call): void {
    switch (made.do) {
      case 'submit': {
        const submitted = { ...made.item, id: `item-${this.items.size}` };
        this.items.set(submitted.id, submitted);
        this.waiting.add(submitted.id);
        this.machine.submit(submitted);
        break;
      }
      case 'end':
        this.end(pick(this.running, made.which), made.result);
        break;
      case 'cancel':
      case 'approve': {
        const id = pick(this.waiting, made.which);
        if (id === undefined) break;
        if (made.do === 'approve') this.machine.approve(id);
        else if (this.machine.cancel(id) === 'removed') this.waiting.delete(id);
        break;
      }
      case 'up':
        this.down.delete(made.resource);
        this.machine.linkUp(made.resource);
        break;
      case 'down':
        this.down.add(made.resource);
        this.machine.linkDown(made.resource);
        break;
      case 'pace':
        this.capacity.set(made.resource, made.concurrency);
        this.machine.setPace(made.resource, made.concurrency);
        break;
      case 'wait':
        this.nowMs += made.minutes * MINUTE_MS;
    }
    this.poll();
  }

  end(id: string | undefined, how: ItemResult): void {
    if (id === undefined) return;
    this.running.delete(id);
    const then = this.machine.ended(id, how, this.nowMs);
    this.log.push(`${this.nowMs} ${id} ${JSON.stringify(then)}`);
    if (then.kind === 'again') this.waiting.add(id);
  }

  poll(): void {
    const { start, pause, expire } = this.machine.poll(this.nowMs);
    this.log.push(`${this.nowMs} ${JSON.stringify({ start, pause, expire })}`);
    for (const { id } of expire) {
      assert.ok(this.waiting.delete(id), 'only what waits expires');
      assert.ok(this.items.get(id)!.deadlineMs <= this.nowMs);
    }
    for (const { id, task } of start) {
      assert.ok(this.waiting.delete(id), 'only what waits starts');
      this.running.add(id);
      this.checkStart(this.items.get(id)!, task);
    }
    for (const id of pause) assert.ok(this.running.has(id));
    this.checkState();
  }

  private checkStart(started: ScheduleItem, task: string): void {
    assert.ok(started.notBeforeMs <= this.nowMs && this.nowMs < started.deadlineMs);
    assert.ok(this.running.size <= RUNNING_MAX, `${this.running.size} run in all`);
    for (const name of started.resources) {
      assert.not(this.down.has(name));
      const used = [...this.running].filter((id) => this.items.get(id)!.resources.includes(name));
      assert.ok(used.length <= this.capacity.get(name)!, `${name} runs ${used.length}`);
    }
    if (task === 'read') return;
    const endMs = this.nowMs + started.expectedMs;
    const pauses = started.stage === 'distribute' && started.atClosing === 'pause';
    for (const window of started.windows ?? []) {
      assert.ok(window.isOpen(this.nowMs));
      if (!pauses) assert.ok(window.closesAt(this.nowMs) >= endMs);
    }
    if (started.stage === 'activate') {
      assert.not(started.blackout!.isOpen(this.nowMs));
      assert.ok(started.blackout!.nextOpening(this.nowMs) >= endMs);
    }
  }

  private checkState(): void {
    assert.is(this.machine.size, this.running.size + this.waiting.size);
    for (const id of this.running) assert.is(this.machine.explain(id, this.nowMs), undefined);
    for (const id of this.waiting) {
      const why = this.machine.explain(id, this.nowMs)!;
      assert.ok(why.untilMs > this.nowMs && why.untilMs <= why.deadlineMs, `${id} ${why.text}`);
      if (why.waitsFor === 'capacity') this.checkNotIdle(id);
    }
    assert.ok(this.machine.pollTimeout() > this.nowMs, 'all that could be done was done');
    assert.equal(this.machine.poll(this.nowMs), { start: [], pause: [], expire: [] });
  }

  /**
   * What only waits for its turn has others at one of its resources, or one that is kept for
   * another.
   */
  private checkNotIdle(id: string): void {
    const { resources } = this.items.get(id)!;
    const usable = RESOURCES.filter((name) => !this.down.has(name));
    const isFull = this.running.size >= RUNNING_MAX;
    const busy = isFull || usable.some((name) => this.usedAt(name) >= this.capacity.get(name)!);
    const free = resources.every((name) => this.usedAt(name) < this.capacity.get(name)!);
    assert.ok(!free || busy, `${id} waits although all is free`);
  }

  private usedAt(name: string): number {
    return [...this.running].filter((id) => this.items.get(id)!.resources.includes(name)).length;
  }
}

function pick(ids: Set<string>, at: number): string | undefined {
  return [...ids][at % Math.max(1, ids.size)];
}

test('capacity, windows, links and deadlines are kept, and nothing waits without a reason', () => {
  console.log(`SEED ${SEED}`);
  fc.assert(
    fc.property(fc.array(call, LENGTH), (calls) => {
      const world = new World();
      for (const made of calls) world.make(made);
    }),
    { numRuns: 200, seed: SEED },
  );
});

test('everything ends or expires, once links heal and what runs ends', () => {
  fc.assert(
    fc.property(fc.array(call, LENGTH), (calls) => {
      const world = new World();
      for (const made of calls) world.make(made);
      for (const name of RESOURCES) {
        world.make({ do: 'up', resource: name });
        world.make({ do: 'pace', resource: name, concurrency: 1 });
      }
      for (let n = 0; n < 2_000 && world.machine.size > 0; n++) {
        for (const id of [...world.running]) world.end(id, { kind: 'done' });
        world.poll();
        if (world.running.size > 0) continue;
        const nextMs = world.machine.pollTimeout();
        assert.ok(world.machine.size === 0 || Number.isFinite(nextMs), 'it wants to be woken');
        if (Number.isFinite(nextMs)) world.nowMs = Math.max(world.nowMs, nextMs);
      }
      assert.is(world.machine.size, 0);
    }),
    { numRuns: 100, seed: SEED },
  );
});

test('the same calls give the same answers', () => {
  fc.assert(
    fc.property(fc.array(call, LENGTH), (calls) => {
      const [one, other] = [new World(), new World()];
      for (const made of calls) {
        one.make(made);
        other.make(made);
      }
      assert.equal(one.log, other.log);
    }),
    { numRuns: 40, seed: SEED },
  );
});

test.run();
