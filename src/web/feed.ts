/**
 * Keeps the page's state as the gateway is: a snapshot, then the stream of events from there on. A stream
 * that ends or falls silent is begun anew after its last record, for as long as the page is open; meanwhile
 * the state says since when the gateway is not reachable.
 */
import { type Client, NotReachable, Refusal } from './client.ts';
import { EventParser, type StreamEvent } from './event-parser.ts';
import type { GatewayRecord, PageState, Progress, Wanted } from './state.ts';

/** Time and its passing, so that tests need not wait. */
export interface FeedTimers {
  nowMs(): number;
  /** Resolves after so long, or as soon as `signal` says. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export interface FeedOptions {
  client: Client;
  state: PageState;
  timers: FeedTimers;
  changed(): void;
}

/** The gateway says every 15 s that it is there. */
const SILENCE_MS = 40_000;
const BACK_OFF_MS = [1_000, 2_000, 4_000, 8_000] as const;
/** What several records make stale is asked for once. */
const GATHER_MS = 300;
const AT_ONCE = 4;

export class Feed {
  private readonly options: FeedOptions;
  private readonly ending = new AbortController();
  private readonly wanted = new Map<string, Wanted>();
  private isAsking = false;

  constructor(options: FeedOptions) {
    this.options = options;
  }

  stop(): void {
    this.ending.abort();
  }

  /** Until it is stopped, or the token is refused. @throws Refusal */
  async run(): Promise<void> {
    const { state, timers } = this.options;
    let failures = 0;
    while (!this.ending.signal.aborted) {
      const connection = new AbortController();
      const signal = AbortSignal.any([connection.signal, this.ending.signal]);
      try {
        await this.follow(signal, connection, () => {
          failures = 0;
        });
      } catch (error) {
        if (error instanceof Refusal && !isPassing(error)) throw error;
      } finally {
        connection.abort();
      }
      if (this.ending.signal.aborted) return;
      const retryMs = BACK_OFF_MS[Math.min(failures++, BACK_OFF_MS.length - 1)]!;
      const sinceMs = state.connection.state === 'lost' ? state.connection.sinceMs : timers.nowMs();
      state.connection = { state: 'lost', sinceMs, retryMs };
      this.options.changed();
      await timers.wait(retryMs, this.ending.signal);
    }
  }

  /** Something is not told by events in full. */
  want(...wanted: Wanted[]): void {
    for (const one of wanted) this.wanted.set(typeof one === 'string' ? one : one.job, one);
    if (this.isAsking || this.wanted.size === 0) return;
    this.isAsking = true;
    void this.askWanted();
  }

  private async follow(
    signal: AbortSignal,
    connection: AbortController,
    onLive: () => void,
  ): Promise<void> {
    const { client, state, timers } = this.options;
    await this.snapshot(signal);
    const stream = await client.events(state.sequence, signal);
    state.connection = { state: 'live', sinceMs: timers.nowMs() };
    state.connections++;
    onLive();
    this.options.changed();
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (;;) {
      const heard = new AbortController();
      void timers
        .wait(SILENCE_MS, AbortSignal.any([heard.signal, signal]))
        .then(() => heard.signal.aborted || connection.abort());
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new NotReachable('the stream broke off', { cause });
      });
      heard.abort();
      if (done) return;
      const events = parser.take(decoder.decode(value, { stream: true }));
      for (const event of events) await this.apply(event, signal);
      if (events.some(({ kind }) => kind !== '')) this.options.changed();
    }
  }

  /** The upgrades at first; after that their records tell what became of them. */
  private async snapshot(signal: AbortSignal): Promise<void> {
    const { client, state } = this.options;
    const before = state.sequence;
    const [identity, health, { devices }, { images }] = await Promise.all([
      client.ask('whoAmI', { signal }),
      client.ask('health', { signal }),
      client.ask('listDevices', { signal }),
      client.ask('listImages', { signal }),
    ]);
    Object.assign(state, { identity, health, images, clockOffsetMs: client.clockOffsetMs });
    state.setDevices(devices);
    // A journal that is shorter is another one.
    if (before === 0 || health.journal.sequence < before) await this.snapshotUpgrades(signal);
  }

  private async snapshotUpgrades(signal: AbortSignal): Promise<void> {
    const { client, state } = this.options;
    const first = await client.ask('listUpgrades', { query: {}, signal });
    const upgrades = [...first.upgrades];
    for (let { next } = first; next !== undefined; ) {
      const page = await client.ask('listUpgrades', { query: { skip: `${next}` }, signal });
      upgrades.push(...page.upgrades);
      next = page.next;
    }
    this.want(...state.setUpgrades(upgrades, first.sequence));
  }

  private async apply({ kind, data }: StreamEvent, signal: AbortSignal): Promise<void> {
    const { state } = this.options;
    if (kind === 'record') this.want(...state.applyRecord(JSON.parse(data) as GatewayRecord));
    else if (kind === 'progress') state.applyProgress(JSON.parse(data) as Progress);
    else if (kind === 'link') {
      const { link, up } = JSON.parse(data) as { link: string; up: boolean };
      this.want(...state.applyLink(link, up));
    } else if (kind === 'gap') await this.snapshotUpgrades(signal);
  }

  private async askWanted(): Promise<void> {
    const { timers, changed } = this.options;
    const { signal } = this.ending;
    await timers.wait(GATHER_MS, signal);
    while (this.wanted.size > 0 && !signal.aborted) {
      const some = [...this.wanted].slice(0, AT_ONCE);
      for (const [key] of some) this.wanted.delete(key);
      // What fails now is asked for by the snapshot of the next connection.
      await Promise.allSettled(some.map(([, one]) => this.askFor(one)));
      changed();
    }
    this.isAsking = false;
  }

  private async askFor(one: Wanted): Promise<void> {
    const { client, state } = this.options;
    const { signal } = this.ending;
    if (one === 'devices') state.setDevices((await client.ask('listDevices', { signal })).devices);
    else if (one === 'images') state.images = (await client.ask('listImages', { signal })).images;
    else if (one === 'health') state.health = await client.ask('health', { signal });
    else state.setJob(await client.ask('showJob', { path: { job: one.job }, signal }));
  }
}

/** Refused now, and perhaps not in a while. */
function isPassing({ problem: { status } }: Refusal): boolean {
  return status >= 500 || status === 429 || status === 408;
}
