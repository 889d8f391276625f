/**
 * One attempt at one device, while it runs: what its session says becomes records, each on disk before
 * what it announces is done. When the store takes no more, the device is left as it is.
 */

import { entryIdsOf } from '../admission/entries.ts';
import { decisionEntry } from '../audit/decision-entry.ts';
import { hexDigits } from '../bytes/hex.ts';
import { UpliftError } from '../errors.ts';
import type { Upgrade } from '../jobs/book.ts';
import { STATE_RULES } from '../jobs/states.ts';
import type { Timers } from '../ports.ts';
import type { UploadSample } from '../upgrade/hub-session-messages.ts';
import { FAILURES, isFinal } from '../upgrade/states.ts';
import type { Brief, Field, FieldEnd, FieldEvent, FieldOwner, FieldRun } from './field.ts';

type StateEvent = Extract<FieldEvent, { kind: 'state' }>;

/** How an attempt ended, for whoever decides what follows. */
export type AttemptEnd =
  | { kind: 'final'; state: StateEvent }
  | Exclude<FieldEnd, { kind: 'final' }>;

/** What a record of this upgrade goes through. */
export interface RunDesk {
  /** @throws UpliftError where it is not durable; then nothing of what it announces may be done. */
  record(entry: Record<string, unknown> & { kind: string }): void;
  note(entry: Record<string, unknown> & { kind: string }, key: string): void;
  progress(upgrade: Upgrade, sample: UploadSample): void;
  saidToRun(device: string, version: string): void;
  /** On the facts of the device itself. @throws UpliftError */
  admitted(upgrade: Upgrade): void;
  /** The store takes no more. */
  faulted(error: UpliftError): void;
  ended(run: UpgradeRun, end: AttemptEnd): void;
}

export class UpgradeRun implements FieldOwner {
  readonly upgrade: Upgrade;
  private readonly brief: Brief;
  private readonly desk: RunDesk;
  private run: FieldRun | undefined;
  private unheard: { cancel(): void } | undefined;
  private last: StateEvent | undefined;
  private isOver = false;
  /** Something of it is not on record: nothing after it may be. */
  private isHalted = false;
  private isOverdue = false;

  constructor(upgrade: Upgrade, brief: Brief, desk: RunDesk) {
    this.upgrade = upgrade;
    this.brief = brief;
    this.desk = desk;
  }

  /** It is given up where nothing is heard of it within `verifyMs`. */
  begin(
    { field, timers, verifyMs }: { field: Field; timers: Timers; verifyMs: number },
    activation: { when: 'now' } | { when: 'held' },
  ): void {
    const { upgrade, brief } = this;
    this.unheard = timers.after(verifyMs, () => this.expireUnheard());
    const { device, commandedBy, job } = upgrade;
    const announced = [...upgrade.intents];
    const run = field.run(
      { device, brief, activation, announced, commandedBy, askedMs: job.createdMs },
      this,
    );
    if (!this.isOver) this.run = run;
  }

  cancel(): boolean {
    return this.run?.cancel() === true;
  }

  stop(): void {
    this.run?.stop();
  }

  event(event: FieldEvent): boolean {
    return this.safely(() => {
      switch (event.kind) {
        case 'state':
          this.state(event);
          return;
        case 'decision': {
          const { image, list, policy, context } = this.brief;
          const facts = { image: image.facts, device: event.device, list, policy, context };
          const { currentFileVersion, runningVersion } = event.device;
          const version =
            runningVersion ??
            (currentFileVersion === undefined ? undefined : hexDigits(currentFileVersion, 8));
          if (version !== undefined) this.desk.saidToRun(this.upgrade.device, version);
          const subject = { by: 'gateway', device: this.upgrade.device, image: image.path };
          const entry = decisionEntry(subject, facts, event.decision);
          const entries = entryIdsOf(facts, event.decision.decidedAtMs);
          this.desk.record({
            ...entry,
            job: this.upgrade.job.id,
            ...(version === undefined ? {} : { runs: version }),
            ...(entries.length === 0 ? {} : { entries }),
          });
          if (event.decision.verdict === 'admitted') this.desk.admitted(this.upgrade);
          return;
        }
        case 'note':
          this.desk.note({ ...this.about('note'), text: event.text }, `${event.text}`);
          return;
        case 'intent':
          this.desk.record({ ...this.about('intent'), intent: event.intent });
          return;
      }
    });
  }

  progress(sample: UploadSample): void {
    this.safely(() => this.desk.progress(this.upgrade, sample));
  }

  ended(end: FieldEnd): void {
    this.isOver = true;
    this.unheard?.cancel();
    const { last } = this;
    if (this.isOverdue && end.kind === 'stopped')
      this.desk.ended(this, { kind: 'not-begun', error: unheard() });
    else if (end.kind !== 'final') this.desk.ended(this, end);
    else if (last) this.desk.ended(this, { kind: 'final', state: last });
  }

  /** A final state is told at the end: what follows from it is not this attempt's to say. */
  private state(event: StateEvent): void {
    this.last = event;
    this.unheard?.cancel();
    const { untilMs, detail } = event;
    const { upgrade } = this;
    // What is held is told with the end as well: how long it may be is the gateway's to say.
    if (isFinal(event.state) || event.state === 'awaiting-activation') return;
    // While an outcome is read again it stays unknown, whatever the session calls its reading.
    if (upgrade.state === 'unknown-outcome') return;
    // A session that reads back what one before it began says so from the beginning.
    const isBehind = upgrade.state === 'confirming' && event.state === 'activating';
    const state = isBehind ? 'confirming' : event.state;
    if (upgrade.state === state && upgrade.untilMs === untilMs) return;
    this.desk.record({
      ...this.about('state'),
      state,
      attempt: upgrade.attempt,
      owner: STATE_RULES[state].owner,
      ...(untilMs === undefined ? {} : { untilMs }),
      ...(detail === undefined ? {} : { detail }),
    });
  }

  /** Nothing came of it in time, and nothing may ever come: a port or a process that does not answer. */
  private expireUnheard(): void {
    this.isOverdue = true;
    this.stop();
  }

  private about(kind: string) {
    return { kind, job: this.upgrade.job.id, device: this.upgrade.device };
  }

  private safely(work: () => void): boolean {
    if (this.isOver || this.isHalted) return false;
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      this.isHalted = true;
      this.desk.faulted(error);
      return false;
    }
  }
}

function unheard(): UpliftError {
  return new UpliftError('link-down', 'its link was turned to and did not answer', {
    expected: 'a port or a coordinator that opens, or says why not',
    actual: 'neither in time',
    next: 'check its cable and its driver; it is tried again by itself',
  });
}

/** What a person can do about a failure of a session. */
export function nextOf(code: string | undefined): string | undefined {
  return code !== undefined && Object.hasOwn(FAILURES, code)
    ? FAILURES[code as keyof typeof FAILURES].next
    : undefined;
}
