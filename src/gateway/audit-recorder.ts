/** Decisions of a run of work on their way into the audit log, where the rig names one. */
import type { Decision } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import type { AuditEntry } from '../audit/chain.ts';
import { type DecisionSubject, decisionEntry } from '../audit/decision-entry.ts';
import { AuditLog } from './audit-log.ts';

export class AuditRecorder {
  private readonly log: AuditLog | undefined;
  private entries: AuditEntry[] = [];

  constructor(path: string | undefined) {
    this.log = path === undefined ? undefined : new AuditLog(path);
  }

  add(subject: DecisionSubject, facts: AdmissionFacts, decision: Decision): void {
    if (this.log) this.entries.push(decisionEntry(subject, facts, decision));
  }

  /** To be called before a decision is acted on or told. @throws UpliftError, and then it is neither */
  flush(nowMs: number): void {
    const { entries } = this;
    this.entries = [];
    this.log?.append(entries, nowMs);
  }
}
