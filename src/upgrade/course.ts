/**
 * The course of one device's upgrade, whatever carries it: the state it is in and until when, the ways it
 * ends, the time its link was away, and what admission says. Every session has one, asks it, and decides.
 *
 * Invariants: a state that is final stays; every state that is not has a deadline, and time without a link
 * is forgiven up to a limit in one state, so that a link that flaps for ever ends it too.
 */
import { type Decision, decideAdmission } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import type { Intent, KeptRecord, SessionEvent } from './session-messages.ts';
import { FAILURES, type FailureCode, isFinal, type SessionState } from './states.ts';

export const NEVER_MS = Number.POSITIVE_INFINITY;

export class Course<Event = SessionEvent> {
  state: SessionState = 'planned';
  code: FailureCode | undefined;
  deadlineMs = NEVER_MS;
  private readonly linkDownMsMax: number;
  private readonly isKept: boolean;
  private readonly announced: Set<Intent>;
  private awaited: { intent: Intent; act: (nowMs: number) => void } | undefined;
  private readonly events: (SessionEvent | Event)[] = [];
  private downSinceMs = NEVER_MS;
  private forgivenMs = 0;

  constructor(linkDownMsMax: number, kept?: KeptRecord) {
    this.linkDownMsMax = linkDownMsMax;
    this.isKept = kept !== undefined;
    this.announced = new Set(kept?.announced);
  }

  /** Whether it was announced under this command, by this session or one before it. */
  hasAnnounced(intent: Intent): boolean {
    return this.announced.has(intent);
  }

  /** Does what cannot be undone when the record of it is durable: at once where none is kept. */
  commit(intent: Intent, act: (nowMs: number) => void, nowMs: number): void {
    if (!this.isKept || this.announced.has(intent)) {
      this.announced.add(intent);
      act(nowMs);
      return;
    }
    this.awaited = { intent, act };
    this.say({ kind: 'intent', intent });
  }

  grant(nowMs: number): void {
    const { awaited } = this;
    if (!awaited || this.isOver) return;
    this.awaited = undefined;
    this.announced.add(awaited.intent);
    awaited.act(nowMs);
  }

  get isOver(): boolean {
    return isFinal(this.state);
  }

  /** Whether anything was begun: a refusal before that touched nothing. */
  get hasBegun(): boolean {
    return this.deadlineMs !== NEVER_MS;
  }

  get isLinkDown(): boolean {
    return this.downSinceMs !== NEVER_MS;
  }

  enter(state: SessionState, deadlineMs: number): void {
    this.state = state;
    this.prolong(deadlineMs);
    this.say({ kind: 'state', state, untilMs: deadlineMs });
  }

  /** Something moved: the state may last until then, and absences before are forgotten. */
  prolong(deadlineMs: number): void {
    this.deadlineMs = deadlineMs;
    this.forgivenMs = 0;
  }

  fail(code: FailureCode, detail?: string): void {
    this.finish('failed', code, detail);
  }

  /** It runs that version, which was read back. */
  done(runs: string, detail: string): void {
    this.finish('done', undefined, detail, runs);
  }

  finish(state: SessionState, code?: FailureCode, detail?: string, runs?: string): void {
    this.state = state;
    this.code = code;
    const sentence = code ? FAILURES[code].sentence : undefined;
    const text = [sentence, detail].filter((part) => part !== undefined).join(': ');
    this.say({
      kind: 'state',
      state,
      ...(code ? { code } : {}),
      ...(text ? { detail: text } : {}),
      ...(runs === undefined ? {} : { runs }),
    });
  }

  note(text: string): void {
    this.say({ kind: 'note', text });
  }

  decide(facts: AdmissionFacts, nowMs: number): Decision {
    const decision = decideAdmission(facts, nowMs);
    this.say({ kind: 'decision', decision, device: facts.device });
    return decision;
  }

  linkDown(reason: string, nowMs: number): void {
    if (!this.isLinkDown) this.downSinceMs = nowMs;
    this.note(`link down: ${reason}`);
  }

  /** Since when it was down; undefined where it was not. */
  linkUp(nowMs: number): number | undefined {
    if (!this.isLinkDown) return undefined;
    const downSinceMs = this.downSinceMs;
    const awayMs = nowMs - downSinceMs;
    const forgivenMs = Math.max(0, Math.min(awayMs, this.linkDownMsMax - this.forgivenMs));
    this.downSinceMs = NEVER_MS;
    this.forgivenMs += forgivenMs;
    this.deadlineMs += forgivenMs;
    this.note(`link up again after ${(awayMs / 1000).toFixed(1)} s`);
    return downSinceMs;
  }

  /** When a link that is down has been so for too long; never while it is up. */
  linkLostMs(): number {
    return this.downSinceMs + this.linkDownMsMax;
  }

  /** When there is something to do, where a session's own next look is due at `wakeMs`. */
  timeoutMs(wakeMs: number): number {
    if (this.isOver) return NEVER_MS;
    return this.isLinkDown ? this.linkLostMs() : Math.min(this.deadlineMs, wakeMs);
  }

  say(event: SessionEvent | Event): void {
    this.events.push(event);
  }

  pollEvent(): SessionEvent | Event | undefined {
    return this.events.length === 0 ? undefined : this.events.shift();
  }
}
