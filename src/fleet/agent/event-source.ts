/**
 * The gateway's journal as a coordinator is told it: stretches of it, by what lies between two records. A
 * record is part of a stretch whether or not it says anything about campaigns, so that nothing can be left out.
 */
import type { GatewayRecord } from '../../gateway/control.ts';
import { type EventBatch, type JournalMark, WIRE_LIMITS } from '../wire.ts';
import type { LedgerEvent } from './campaign-ledger.ts';

export interface ToldJournal {
  readonly head: { sequence: number; hash: string };
  records(fromSequence: number, limit: number): Iterable<GatewayRecord>;
}

/** What an agent tells of it. */
export interface EventSource {
  /**
   * The stretch after that record (from the beginning without one) with at most so many events; it ends
   * where the next event would be one too many. Undefined: there is nothing to tell.
   */
  stretch(after: JournalMark | undefined, eventsMax: number): EventBatch | undefined;
  /** Whether the journal goes on from there: that record is in it, or was and is retired. */
  holds(mark: JournalMark): boolean;
  /** How many events follow that record. */
  waiting(after: JournalMark | undefined): number;
}

/** As many events as a request may have, by their number and by their bytes. */
export function boundedStretch(
  events: EventSource,
  after: JournalMark | undefined,
): EventBatch | undefined {
  for (let eventsMax: number = WIRE_LIMITS.eventsMax; ; eventsMax = Math.ceil(eventsMax / 2)) {
    const batch = events.stretch(after, eventsMax);
    if (!batch || eventsMax === 1) return batch;
    if (Buffer.byteLength(JSON.stringify(batch)) <= WIRE_LIMITS.eventsBytesMax) return batch;
  }
}

/** Records that are read at once. */
const PIECE = 500;

export class JournalEvents implements EventSource {
  private readonly journal: ToldJournal;
  private readonly eventOf: (record: GatewayRecord) => LedgerEvent | undefined;
  /** Records that say something, in order. */
  private readonly telling: number[] = [];

  /** @param eventOf what a record says to whom this is told, and the same whenever it is asked */
  constructor(journal: ToldJournal, eventOf: (record: GatewayRecord) => LedgerEvent | undefined) {
    this.journal = journal;
    this.eventOf = eventOf;
  }

  /** Each record once, after the ledger has it. */
  keep(record: GatewayRecord): void {
    if (this.eventOf(record)) this.telling.push(record.sequence);
  }

  waiting(after: JournalMark | undefined): number {
    return this.telling.length - this.placeAfter(after);
  }

  stretch(after: JournalMark | undefined, eventsMax: number = WIRE_LIMITS.eventsMax) {
    const place = this.placeAfter(after);
    const told = this.telling.slice(place, place + eventsMax);
    const [first] = told;
    if (first === undefined) return undefined;
    const isAll = place + told.length === this.telling.length;
    const last = isAll ? this.journal.head.sequence : told.at(-1)!;
    const events: EventBatch['events'] = [];
    let through: JournalMark | undefined;
    for (let from = first; from <= last; from += PIECE) {
      for (const record of this.journal.records(from, Math.min(PIECE, last - from + 1))) {
        const event = this.eventOf(record);
        if (event) events.push(event);
        through = markOf(record);
      }
    }
    return { ...(after ? { after } : {}), through: through!, events };
  }

  /** Of the record of that number; undefined where it was retired, or never was. */
  markAt(sequence: number): JournalMark | undefined {
    const [record] = this.journal.records(sequence, 1);
    return record?.sequence === sequence ? markOf(record) : undefined;
  }

  holds({ sequence, hash }: JournalMark): boolean {
    const own = this.markAt(sequence);
    if (own) return own.hash === hash;
    const [oldest] = this.journal.records(1, 1);
    return sequence < (oldest?.sequence ?? 1);
  }

  /** When the oldest was written that is not told yet. */
  untoldSinceMs(after: JournalMark | undefined): number | undefined {
    const sequence = this.telling[this.placeAfter(after)];
    if (sequence === undefined) return undefined;
    const [record] = this.journal.records(sequence, 1);
    return record?.atMs;
  }

  /** Records older than that one are gone. */
  retire(oldestSequence: number): void {
    this.telling.splice(0, this.placeAfter({ sequence: oldestSequence - 1 }));
  }

  private placeAfter(after: Pick<JournalMark, 'sequence'> | undefined): number {
    if (!after) return 0;
    let [low, high] = [0, this.telling.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.telling[middle]! <= after.sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function markOf({ sequence, hash }: GatewayRecord): JournalMark {
  return { sequence, hash: String(hash) };
}
