/**
 * The gateway's journal as a coordinator is told it: stretches of it, by what lies between two records. A
 * record is part of a stretch whether or not it says anything about campaigns, so that nothing can be left out.
 */
import type { GatewayRecord } from '../../gateway/control.ts';
import { type EventBatch, type JournalMark, WIRE_LIMITS } from '../wire.ts';
import type { CampaignLedger, LedgerEvent } from './campaign-ledger.ts';

export interface ToldJournal {
  readonly head: { sequence: number; hash: string };
  records(fromSequence: number, limit: number): Iterable<GatewayRecord>;
}

/** Records that are read at once. */
const PIECE = 500;

export class EventSource {
  private readonly journal: ToldJournal;
  private readonly ledger: Pick<CampaignLedger, 'eventOf'>;
  /** From there to here nothing is to be told. */
  private quiet = { after: -1, through: 0 };

  constructor(journal: ToldJournal, ledger: Pick<CampaignLedger, 'eventOf'>) {
    this.journal = journal;
    this.ledger = ledger;
  }

  /** What follows the mark. Undefined: nothing that is to be told. */
  stretch(
    after: JournalMark | undefined,
    eventsMax: number = WIRE_LIMITS.eventsMax,
  ): EventBatch | undefined {
    const start = after?.sequence ?? 0;
    let from = 1 + (this.quiet.after === start ? this.quiet.through : start);
    const events: LedgerEvent[] = [];
    let last: GatewayRecord | undefined;
    for (;;) {
      const piece = [...this.journal.records(from, PIECE)];
      for (const record of piece) {
        const event = this.ledger.eventOf(record);
        if (event) events.push(event);
        last = record;
        if (events.length >= eventsMax) break;
      }
      if (events.length >= eventsMax || piece.length < PIECE) break;
      from = last!.sequence + 1;
    }
    if (!last || events.length === 0) {
      this.quiet = { after: start, through: last?.sequence ?? Math.max(start, from - 1) };
      return undefined;
    }
    const through = { sequence: last.sequence, hash: String(last['hash']) };
    return { ...(after ? { after } : {}), through, events };
  }

  /** Of the record of that number; undefined where it was retired, or never was. */
  markAt(sequence: number): JournalMark | undefined {
    const [record] = this.journal.records(sequence, 1);
    return record?.sequence === sequence ? { sequence, hash: String(record['hash']) } : undefined;
  }

  /** When the oldest was written that is not told yet. */
  untoldSinceMs(after: JournalMark | undefined): number | undefined {
    return this.stretch(after, 1)?.events[0]?.atMs;
  }
}
