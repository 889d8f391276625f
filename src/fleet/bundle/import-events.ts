/**
 * Brings the events of a medium home: each sealed stretch is posted to the coordinator, which knows a
 * gateway by its seal, takes a stretch once, and says how far it has the journal then.
 */
import type { ApiClient } from '../../api/client.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import type { EventsTaken } from '../wire.ts';
import type { Bundle, FoundEvents } from './bundle.ts';
import { CARRIED_EVENTS_MEDIA_TYPE, CARRIED_EVENTS_PATH } from './carried-events.ts';

/** What the coordinator says to one; a refusal of it is a result, all else is thrown. */
export type PostEvents = (
  sealed: Uint8Array,
) => Promise<{ ok: true; taken: EventsTaken } | { ok: false; code: string; message: string }>;

export interface ImportedEvents {
  file: string;
  gateway?: string;
  events?: number;
  /** How far the coordinator has the journal now. */
  through?: number;
  code?: string;
  message?: string;
}

/** @throws UpliftError where the coordinator is not reached; what was taken before stays taken */
export async function importEvents(
  bundle: Bundle,
  post: PostEvents,
  taken: (one: FoundEvents) => void = () => {},
): Promise<readonly ImportedEvents[]> {
  const imported: ImportedEvents[] = [];
  for (const found of bundle.events()) {
    const { file, opened, code = '', message = '', bytes } = found;
    if (!opened) {
      imported.push({ file, code, message });
      continue;
    }
    const about = { file, gateway: opened.gateway, events: opened.batch.events.length };
    const answer = await post(bytes);
    if (!answer.ok) {
      imported.push({ ...about, code: answer.code, message: answer.message });
      continue;
    }
    imported.push({ ...about, through: answer.taken.journal?.sequence ?? 0 });
    taken(found);
  }
  return imported;
}

/** What is about who asks, and not about what is brought. */
const OF_PERSON: readonly string[] = ['unauthenticated', 'forbidden', 'attempts-many'];

export function postEventsBy(client: Pick<ApiClient, 'postBytes'>): PostEvents {
  return async (sealed) => {
    try {
      const taken = await client.postBytes<EventsTaken>(
        CARRIED_EVENTS_PATH,
        sealed,
        CARRIED_EVENTS_MEDIA_TYPE,
      );
      return { ok: true, taken };
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      const { code, message, exit } = error;
      if (exit === EXIT.notReachable || OF_PERSON.includes(code)) throw error;
      return { ok: false, code, message };
    }
  };
}
