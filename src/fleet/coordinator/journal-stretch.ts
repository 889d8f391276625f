/** How a stretch of a gateway's journal stands to what is here of it. */
import type { CampaignRefusedEvent, EventBatch, FleetEvent, JournalMark } from '../wire.ts';

/**
 * `next`: it follows; `repeated`: all of it is here; `gap`: it does not begin where this ends; `forked`: it
 * names a record of a known number with another hash; `disordered`: its events are not its own.
 */
export type StretchStanding = 'next' | 'repeated' | 'gap' | 'forked' | 'disordered';

export function stretchStanding(
  mark: JournalMark | undefined,
  { after, through, events }: EventBatch,
): StretchStanding {
  if (!areOfStretch(after?.sequence ?? 0, through.sequence, events)) return 'disordered';
  if (mark && (isFork(mark, through) || (after && isFork(mark, after)))) return 'forked';
  if (mark && through.sequence <= mark.sequence) return 'repeated';
  return after?.sequence === mark?.sequence ? 'next' : 'gap';
}

export function isRefusal(event: FleetEvent | CampaignRefusedEvent): event is CampaignRefusedEvent {
  return 'refused' in event;
}

function isFork(mark: JournalMark, { sequence, hash }: JournalMark): boolean {
  return sequence === mark.sequence && hash !== mark.hash;
}

/** Ascending; a record may be about several devices, and about each once. */
function areOfStretch(after: number, through: number, events: EventBatch['events']): boolean {
  if (through < after) return false;
  let before = after;
  const seen = new Set<string>();
  for (const event of events) {
    const { sequence } = event;
    if (sequence <= after || sequence > through || sequence < before) return false;
    if (sequence > before) seen.clear();
    const about = isRefusal(event) ? '' : event.device;
    if (seen.has(about)) return false;
    seen.add(about);
    before = sequence;
  }
  return true;
}
