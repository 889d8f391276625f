/**
 * What runs now: a machine without I/O. It is told what there is, what has begun and ended, and
 * which links are up; it is polled for what to start, to pause and to give up.
 *
 * Invariants:
 * - A resource (a serial port, a ZigBee network) runs at most its capacity: one, or what `setPace`
 *   says. Only `started`, for what was found running after a restart, may go beyond; then nothing
 *   is started.
 * - In all, at most `runningMax` items run. Where that is what keeps items back, the resources take
 *   turns at it, one start each: none of them starves, however much waits at another.
 * - Every waiting item has a deadline, and can be asked what it waits for (`explain`).
 * - Jobs at one resource take turns: each of a job's items is a round later than the one before. A
 *   priority is worth `ROUNDS_A_PRIORITY` rounds, so age wins in the end: an item is overtaken by a
 *   bounded number of rounds, whatever comes after it. Within a round the older is first.
 * - An item that needs two resources and was passed over `PATIENCE` times has both kept free for
 *   it. A resource is kept for one item, and an item claims all of its resources or none.
 * - The same calls give the same answers; the only randomness is the retry desk's.
 *
 * Cost: O(log n) a call, and for each item that `poll` moves. The heaps' comparisons are counted by
 * a test; `test/bench/schedule.bench.ts` measures the whole.
 */
import { assert } from '../errors.ts';
import type { ExpiryCode } from './codes.ts';
import { EXPIRY_OF, explainWait, type Wait } from './explain.ts';
import { Heap } from './heap.ts';
import type { Disposition, Explanation, ItemResult, Poll, ScheduleItem } from './item.ts';
import { FAILURE_CLASSES, type FailureClass, type RetryDesk, type Task } from './retry.ts';
import { firstFit, type HoursFit, type LocalHours } from './windows.ts';

export const PRIORITY_MAX = 8;
/** Starts of one job that one step of priority is worth. */
export const ROUNDS_A_PRIORITY = 16;
const PATIENCE = 4;

interface Entry {
  item: ScheduleItem;
  /** In the order of submission. */
  sequence: number;
  phase: 'unapproved' | 'timed' | 'queued' | 'blocked' | 'running';
  home: Resource;
  resources: readonly Resource[];
  task: Task;
  attempts: number;
  retries: Partial<Record<FailureClass, number>>;
  /** Of the next attempt. */
  retryAtMs: number;
  cancelled: boolean;
  /** It goes on with what it began: no new turn of its job. */
  resumes: boolean;
  /** At its home; `undefined` until it queues. */
  round: number | undefined;
  /** Orders the queue of its home, and what is blocked elsewhere: lower first. */
  rank: number;
  /** `timed`: when to look again. `running`: when its window closes. */
  wakeMs: number;
  blockedBy: Resource | undefined;
  passedOver: number;
}

interface Resource {
  name: string;
  up: boolean;
  capacity: number;
  running: number;
  /** Items at home here that may run. */
  queue: Heap<Entry>;
  /** Items at home elsewhere that may run but for this; their rank is in rounds of this one. */
  blocked: Heap<Entry>;
  /** The highest that was started. */
  round: number;
  /** Of each job with items at home here, the last round given out. */
  jobs: Map<string, { items: number; round: number }>;
  keptFor: Entry | undefined;
}

const NONE: readonly LocalHours[] = [];

export class Scheduler {
  private readonly desk: RetryDesk;
  private readonly entries = new Map<string, Entry>();
  private readonly resources = new Map<string, Resource>();
  private readonly jobItems = new Map<string, number>();
  private readonly timers = new Heap<Entry>((a, b) =>
    a.wakeMs === b.wakeMs ? a.sequence < b.sequence : a.wakeMs < b.wakeMs,
  );
  /** Of all that wait. */
  private readonly deadlines = new Heap<Entry>((a, b) =>
    a.item.deadlineMs === b.item.deadlineMs
      ? a.sequence < b.sequence
      : a.item.deadlineMs < b.item.deadlineMs,
  );
  /** Resources at which something may be able to start. */
  private readonly changed = new Set<Resource>();
  /** Resources that could start something but for `runningMax`, in the order of their turns. */
  private readonly short = new Set<Resource>();
  private readonly runningMax: number;
  private running = 0;
  private submissions = 0;

  constructor(desk: RetryDesk, runningMax = Number.POSITIVE_INFINITY) {
    assert(runningMax >= 1, 'one item at least may run');
    this.desk = desk;
    this.runningMax = runningMax;
  }

  get size(): number {
    return this.entries.size;
  }

  submit(item: ScheduleItem): void {
    assert(!this.entries.has(item.id), `item ${item.id} is submitted once`);
    assert(item.resources.length > 0, 'an item occupies at least one resource');
    assert(new Set(item.resources).size === item.resources.length, 'a resource is named once');
    assert(Number.isInteger(item.priority), 'a priority is a whole number');
    assert(Math.abs(item.priority) <= PRIORITY_MAX, `a priority is at most ${PRIORITY_MAX}`);
    assert(Number.isFinite(item.deadlineMs), 'every item has a deadline');
    const resources = item.resources.map((name) => this.resource(name));
    const entry: Entry = {
      item,
      sequence: this.submissions++,
      phase: item.approved === false ? 'unapproved' : 'timed',
      home: resources[0]!,
      resources,
      task: 'run',
      attempts: 0,
      retries: {},
      retryAtMs: Number.NEGATIVE_INFINITY,
      cancelled: false,
      resumes: false,
      round: undefined,
      rank: 0,
      wakeMs: item.notBeforeMs,
      blockedBy: undefined,
      passedOver: 0,
    };
    this.entries.set(item.id, entry);
    this.deadlines.add(entry);
    if (entry.phase === 'timed') this.timers.add(entry);
    this.countIn(entry);
  }

  /** False where there is no such item that waits for it. */
  approve(id: string): boolean {
    const entry = this.entries.get(id);
    if (entry?.phase !== 'unapproved') return false;
    entry.phase = 'timed';
    this.timers.add(entry);
    return true;
  }

  /**
   * It runs: as `poll` said, or as it was found after a restart, whatever window or capacity say.
   */
  started(id: string, nowMs: number): void {
    const entry = this.known(id);
    if (entry.phase !== 'running') this.run(entry, nowMs);
  }

  ended(id: string, result: ItemResult, nowMs: number): Disposition {
    const entry = this.known(id);
    assert(entry.phase === 'running', `item ${id} ends only while it runs`);
    this.timers.delete(entry);
    this.running--;
    for (const resource of this.short) this.changed.add(resource);
    this.short.clear();
    for (const resource of entry.resources) {
      resource.running--;
      this.changed.add(resource);
    }
    const disposition = this.dispose(entry, result, nowMs);
    if (disposition.kind === 'again') this.wait(entry, disposition.atMs, disposition.task);
    else this.forget(entry);
    return disposition;
  }

  /**
   * A waiting item is gone. What runs has to be stopped by its owner; however it ends, that is its
   * end.
   */
  cancel(id: string): 'removed' | 'running' | 'unknown' {
    const entry = this.entries.get(id);
    if (entry === undefined) return 'unknown';
    entry.cancelled = true;
    if (entry.phase === 'running') return 'running';
    this.remove(entry);
    return 'removed';
  }

  /** A link is up until it is said to be down. */
  linkUp(name: string): void {
    const resource = this.resource(name);
    resource.up = true;
    this.changed.add(resource);
  }

  /** What runs there goes on: its session knows how long it can be without a link. */
  linkDown(name: string): void {
    const resource = this.resource(name);
    resource.up = false;
    if (resource.keptFor) this.release(resource.keptFor);
  }

  /** How many items may run there at once; what runs already goes on. */
  setPace(name: string, concurrency: number): void {
    assert(Number.isInteger(concurrency) && concurrency >= 0, 'a whole number runs at once');
    const resource = this.resource(name);
    resource.capacity = concurrency;
    this.changed.add(resource);
  }

  /** What to do now. What it says to start counts as running from here on. */
  poll(nowMs: number): Poll {
    const poll: Poll = { start: [], pause: [], expire: [] };
    for (let due = this.deadlines.peek(); due && due.item.deadlineMs <= nowMs; ) {
      poll.expire.push({ id: due.item.id, code: this.expiryOf(due) });
      this.remove(due);
      due = this.deadlines.peek();
    }
    for (let due = this.timers.peek(); due && due.wakeMs <= nowMs; due = this.timers.peek()) {
      this.timers.delete(due);
      if (due.phase === 'running') poll.pause.push(due.item.id);
      else this.place(due, nowMs);
    }
    for (const resource of this.changed) {
      // A claim that is released here puts resources back: the set goes on with them.
      this.changed.delete(resource);
      this.serve(resource, nowMs, poll);
    }
    return poll;
  }

  /** When `poll` has something to say next, if nothing else happens; 0 for at once. */
  pollTimeout(): number {
    if (this.changed.size > 0) return 0;
    return Math.min(
      this.timers.peek()?.wakeMs ?? Number.POSITIVE_INFINITY,
      this.deadlines.peek()?.item.deadlineMs ?? Number.POSITIVE_INFINITY,
    );
  }

  /** What a waiting item waits for; `undefined` for one that runs or is not known. */
  explain(id: string, nowMs: number): Explanation | undefined {
    const entry = this.entries.get(id);
    if (entry === undefined || entry.phase === 'running') return undefined;
    return explainWait(this.waitOf(entry, nowMs), entry.item);
  }

  /** Starts the first that can be started at this resource, which has its next turn after the others. */
  private serve(resource: Resource, nowMs: number, poll: Poll): void {
    while (resource.up && resource.running < resource.capacity) {
      const entry = resource.keptFor ?? firstOf(resource);
      if (entry === undefined) return;
      if (this.running >= this.runningMax) {
        this.short.add(resource);
        return;
      }
      this.unqueue(entry);
      const { atMs } = fitOf(entry, nowMs);
      if (atMs > nowMs) {
        this.release(entry);
        this.sleep(entry, atMs);
        continue;
      }
      const obstacle = entry.resources.find((needed) => !isFreeFor(needed, entry));
      if (obstacle === undefined) {
        this.run(entry, nowMs);
        poll.start.push({ id: entry.item.id, task: entry.task, attempt: entry.attempts });
        this.changed.add(resource);
        return;
      }
      this.block(entry, obstacle);
      if (resource.keptFor === entry) return;
    }
  }

  /** It may run but for this resource. */
  private block(entry: Entry, obstacle: Resource): void {
    if (obstacle === entry.home) {
      this.queue(entry);
    } else {
      const behind = homeRank(entry) - entry.home.round;
      entry.phase = 'blocked';
      entry.rank = obstacle.round + behind;
      entry.blockedBy = obstacle;
      obstacle.blocked.add(entry);
    }
    if (!obstacle.up || ++entry.passedOver < PATIENCE) return;
    const unclaimed = ({ up, keptFor }: Resource) => up && keptFor === undefined;
    if (!entry.resources.every(unclaimed)) return;
    for (const resource of entry.resources) resource.keptFor = entry;
  }

  private run(entry: Entry, nowMs: number): void {
    this.unqueue(entry);
    this.release(entry);
    this.timers.delete(entry);
    this.deadlines.delete(entry);
    if (entry.attempts++ === 0) this.desk.firstTry(entry.item.job, nowMs);
    entry.phase = 'running';
    entry.home.round = Math.max(entry.home.round, entry.round ?? 0);
    this.running++;
    for (const resource of entry.resources) resource.running++;
    if (!pauses(entry)) return;
    const closings = entry.item.windows!.map((window) =>
      window.isOpen(nowMs) ? window.closesAt(nowMs) : nowMs,
    );
    entry.wakeMs = Math.min(...closings);
    if (Number.isFinite(entry.wakeMs)) this.timers.add(entry);
  }

  private dispose(entry: Entry, result: ItemResult, nowMs: number): Disposition {
    if (result.kind === 'done' || entry.cancelled) return { kind: 'over' };
    entry.resumes = result.kind === 'paused';
    if (result.kind === 'paused') return { kind: 'again', atMs: nowMs, task: entry.task };
    const failureClass = classOf(result);
    const retriesDone = entry.retries[failureClass] ?? 0;
    entry.retries[failureClass] = retriesDone + 1;
    const { job, deadlineMs } = entry.item;
    const decision = this.desk.decide({ job, failureClass, retriesDone, deadlineMs }, nowMs);
    if (decision.kind === 'given-up') return decision;
    // What is not known stays so until the device says something: nothing is sent before.
    const unknown = entry.task === 'read' && failureClass !== 'device';
    if (decision.task === 'read' || unknown) entry.resumes = true;
    return unknown ? { ...decision, task: 'read' } : decision;
  }

  /** Waits for its next attempt. */
  private wait(entry: Entry, atMs: number, task: Task): void {
    entry.task = task;
    entry.retryAtMs = atMs;
    entry.round = undefined;
    entry.passedOver = 0;
    this.deadlines.add(entry);
    this.sleep(entry, atMs);
  }

  private place(entry: Entry, nowMs: number): void {
    const { atMs } = fitOf(entry, nowMs);
    if (atMs > nowMs) this.sleep(entry, atMs);
    else this.queue(entry);
  }

  private sleep(entry: Entry, untilMs: number): void {
    entry.phase = 'timed';
    entry.wakeMs = untilMs;
    if (Number.isFinite(untilMs)) this.timers.add(entry);
  }

  private queue(entry: Entry): void {
    const { home } = entry;
    if (entry.round === undefined) {
      const job = home.jobs.get(entry.item.job)!;
      if (!entry.resumes) job.round = Math.max(home.round, job.round) + 1;
      entry.round = entry.resumes ? home.round : job.round;
    }
    entry.phase = 'queued';
    entry.rank = homeRank(entry);
    home.queue.add(entry);
    this.changed.add(home);
  }

  private unqueue(entry: Entry): void {
    entry.home.queue.delete(entry);
    entry.blockedBy?.blocked.delete(entry);
    entry.blockedBy = undefined;
  }

  /** Its resources are kept for it no longer. */
  private release(entry: Entry): void {
    for (const resource of entry.resources) {
      if (resource.keptFor !== entry) continue;
      resource.keptFor = undefined;
      this.changed.add(resource);
    }
  }

  private remove(entry: Entry): void {
    this.unqueue(entry);
    this.release(entry);
    this.timers.delete(entry);
    this.deadlines.delete(entry);
    this.forget(entry);
  }

  private countIn({ home, item: { job } }: Entry): void {
    const atHome = home.jobs.get(job);
    if (atHome) atHome.items++;
    else home.jobs.set(job, { items: 1, round: 0 });
    this.jobItems.set(job, (this.jobItems.get(job) ?? 0) + 1);
  }

  private forget({ home, item: { id, job } }: Entry): void {
    this.entries.delete(id);
    const atHome = home.jobs.get(job)!;
    if (--atHome.items === 0) home.jobs.delete(job);
    const items = this.jobItems.get(job)! - 1;
    this.jobItems.set(job, items);
    if (items > 0) return;
    this.jobItems.delete(job);
    this.desk.forget(job);
  }

  private expiryOf(entry: Entry): ExpiryCode {
    return EXPIRY_OF[this.waitOf(entry, entry.item.deadlineMs - 1).waitsFor];
  }

  private waitOf(entry: Entry, nowMs: number): Wait {
    const { notBeforeMs, deadlineMs } = entry.item;
    if (entry.phase === 'unapproved') return { waitsFor: 'approval', untilMs: deadlineMs };
    if (notBeforeMs > nowMs) return { waitsFor: 'not-before', untilMs: notBeforeMs };
    if (entry.retryAtMs > nowMs) return { waitsFor: 'retry', untilMs: entry.retryAtMs };
    const fit = fitOf(entry, nowMs);
    if ('closed' in fit) return { waitsFor: fit.closed, untilMs: fit.atMs };
    const down = entry.resources.find(({ up }) => !up);
    if (down) return { waitsFor: 'link', untilMs: deadlineMs, resource: down.name };
    const full = entry.resources.find(({ running, capacity }) => running >= capacity);
    if (!full && this.running >= this.runningMax) {
      return { waitsFor: 'capacity', untilMs: deadlineMs };
    }
    const resource = (full ?? entry.home).name;
    return { waitsFor: 'capacity', untilMs: deadlineMs, resource };
  }

  private resource(name: string): Resource {
    const known = this.resources.get(name);
    if (known) return known;
    const before = (a: Entry, b: Entry) =>
      a.rank === b.rank ? a.sequence < b.sequence : a.rank < b.rank;
    const resource: Resource = {
      name,
      up: true,
      capacity: 1,
      running: 0,
      queue: new Heap(before),
      blocked: new Heap(before),
      round: 0,
      jobs: new Map(),
      keptFor: undefined,
    };
    this.resources.set(name, resource);
    return resource;
  }

  private known(id: string): Entry {
    const entry = this.entries.get(id);
    assert(entry !== undefined, `there is no item ${id}`);
    return entry;
  }
}

function homeRank({ round, item }: Entry): number {
  return round! - item.priority * ROUNDS_A_PRIORITY;
}

function firstOf({ queue, blocked }: Resource): Entry | undefined {
  const [here, elsewhere] = [queue.peek(), blocked.peek()];
  if (here === undefined || elsewhere === undefined) return here ?? elsewhere;
  return elsewhere.rank <= here.rank ? elsewhere : here;
}

function isFreeFor({ up, running, capacity, keptFor }: Resource, entry: Entry): boolean {
  return up && running < capacity && (keptFor === undefined || keptFor === entry);
}

function pauses({ item }: Entry): boolean {
  return item.stage === 'distribute' && item.atClosing === 'pause' && item.windows !== undefined;
}

/** When it may run as far as times and hours go. To read a device needs no window. */
function fitOf(entry: Entry, nowMs: number): HoursFit {
  const { item, task, retryAtMs } = entry;
  const fromMs = Math.max(nowMs, item.notBeforeMs, retryAtMs);
  if (task === 'read') return { atMs: fromMs };
  const blackout = item.stage === 'activate' ? item.blackout : undefined;
  const hours = {
    windows: item.windows ?? NONE,
    blackouts: blackout ? [blackout] : NONE,
    needMs: pauses(entry) ? 0 : item.expectedMs,
  };
  return firstFit(hours, fromMs, item.deadlineMs);
}

function classOf(result: Exclude<ItemResult, { kind: 'done' | 'paused' }>): FailureClass {
  if (result.kind !== 'failed') return result.kind;
  return result.failureClass ?? FAILURE_CLASSES[result.code];
}
