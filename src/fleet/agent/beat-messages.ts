/** What goes into the beat and comes out of it (beat.ts). */
import type { AgentCode } from './codes.ts';

export const ERRANDS = ['enrol', 'desired', 'events', 'document', 'inventory', 'image'] as const;
export type Errand = (typeof ERRANDS)[number];

export type Ask =
  /** Unconditional: the answer says how far the coordinator has the journal. */
  | { errand: 'desired'; conditional: boolean; waitSeconds: number }
  | { errand: Exclude<Errand, 'desired'> };

export type Answer =
  | {
      kind: 'done';
      /** Of `desired`: when to ask again where nobody waits. */
      pollMs?: number;
      /** Of `desired`: it is another than before. Of `events`: there are more to tell. */
      more?: boolean;
      /** Before then no more of this errand is wanted. */
      retryAfterMs?: number;
    }
  /** A blob broke off, or a long poll was interrupted: it says nothing about the coordinator. */
  | { kind: 'ended' }
  /** Nobody answered, or somebody else. */
  | { kind: 'unreached'; code: AgentCode; detail: string }
  /** Not now. With a time: nothing at all before then. */
  | { kind: 'later'; code: AgentCode; detail: string; retryAfterMs?: number }
  /** Not at all, as things are. */
  | { kind: 'refused'; code: AgentCode; detail: string };

/** What there is to do beside asking: a level, told again whenever it changes. */
export interface Work {
  events: boolean;
  /** Of the inventory as it is now: any other text is another inventory. */
  inventory: string;
  /** When a blob of that kind is to be fetched next; Infinity for never. */
  documentMs: number;
  imageMs: number;
}

/** What goes wrong at the moment; of the whole connection, or of one errand. */
export interface BeatCondition {
  about: 'coordinator' | Errand;
  code: AgentCode;
  detail: string;
  sinceMs: number;
}

export type BeatEvent =
  | { kind: 'connected' }
  | { kind: 'condition'; condition: BeatCondition }
  | { kind: 'cleared'; about: BeatCondition['about']; code: AgentCode }
  /** The long poll is in the way of a question that cannot wait: it is to be ended. */
  | { kind: 'interrupt' };
