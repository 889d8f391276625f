/** Jobs as the API shows them. What else it shows, the gateway hands over as it is shown. */
import { type Finding, rules } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import { PENDING_FACTS } from '../admission/pending-facts.ts';
import type { RuleText } from '../admission/rule.ts';
import { factsSeen } from '../admission/seen-facts.ts';
import type { z } from '../config/fields.ts';
import type { GatewayControl, ReviewView, UpgradeWait } from '../gateway/control.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import { isOver } from '../jobs/states.ts';
import { type ListEntry, showStanding } from '../products/central-products-list.ts';
import type { jobSummary, jobView, reviewView, ruleView, upgradeView } from './schemas.ts';

export type JobView = z.output<typeof jobView>;
export type JobSummary = z.output<typeof jobSummary>;
type ReviewDocument = z.output<typeof reviewView>;
export type UpgradeDocument = z.output<typeof upgradeView>;

export function isJobOver({ upgrades }: Job): boolean {
  return upgrades.every(({ state }) => isOver(state));
}

export function summaryOf(job: Job): JobSummary {
  const { id, by, createdMs, request, upgrades, approvedBy } = job;
  const states: Record<string, number> = {};
  for (const { state } of upgrades) states[state] = (states[state] ?? 0) + 1;
  const { image, deadlineMs, requestId } = request;
  return {
    id,
    by,
    createdMs,
    isOver: isJobOver(job),
    image,
    devices: upgrades.length,
    states,
    deadlineMs,
    ...(approvedBy === undefined ? {} : { approvedBy }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

export function viewOf(job: Job, control: Pick<GatewayControl, 'explain'>): JobView {
  const { id, by, createdMs, request, approvedBy } = job;
  return {
    id,
    by,
    createdMs,
    isOver: isJobOver(job),
    ...(approvedBy === undefined ? {} : { approvedBy }),
    request: { ...request, devices: [...request.devices] },
    upgrades: job.upgrades.map((upgrade) => upgradeOf(upgrade, control.explain(upgrade))),
  };
}

/** Its fields by name: a rule also carries its checks. */
export function ruleOf(rule: RuleText): z.output<typeof ruleView> {
  const { id, text, source, confidence, sees, siteMayChange } = rule;
  const { effectiveFromMs, effectiveUntilMs } = rule;
  return {
    id,
    text,
    source: { ...source },
    confidence,
    sees: [...sees],
    siteMayChange,
    ...(effectiveFromMs === undefined ? {} : { effectiveFromMs }),
    ...(effectiveUntilMs === undefined ? {} : { effectiveUntilMs }),
  };
}

/** The facts that a rule saw are told with what it said of them. */
export function reviewOf({
  decision,
  facts,
  plan,
  entries,
  ...review
}: ReviewView): ReviewDocument {
  const { verdict, ruleId, conditional, pending, hashes, findings, decidedAtMs } = decision;
  return {
    ...review,
    verdict,
    ...(ruleId === undefined ? {} : { ruleId }),
    conditional,
    pending: pending.map((fact) => PENDING_FACTS[fact]),
    ...(hashes ? { hashes } : {}),
    decidedAtMs,
    findings: findings.map((finding) => findingOf(finding, facts, decidedAtMs)),
    entries: entries.map(entryOf),
    ...(plan ? { plan } : {}),
  };
}

function findingOf(finding: Finding, facts: AdmissionFacts, nowMs: number) {
  const { ruleId, outcome, expected, actual, next } = finding;
  const { text, source, confidence } = RULE_TEXTS.get(ruleId)!;
  const seen = factsSeen(ruleId, facts, nowMs).flatMap(({ what, value }) =>
    value === undefined ? [] : [{ what, value: String(value) }],
  );
  return {
    ruleId,
    text,
    source: { ...source },
    confidence,
    outcome,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(next === undefined ? {} : { next }),
    seen,
  };
}

function entryOf(entry: ListEntry) {
  const { entryId, line, deviceType, manufacturerImageHash, firmwareVersion } = entry;
  const { manufacturer, model, hardwareVersion, hardwareRevision } = entry;
  return {
    ...{ entryId, line, deviceType, firmwareVersion, hash: manufacturerImageHash },
    deviceModel: [manufacturer, model, hardwareVersion, hardwareRevision].join(' '),
    standing: showStanding(entry),
  };
}

const RULE_TEXTS = new Map(rules().map((rule) => [rule.id, rule]));

export function upgradeOf(upgrade: Upgrade, wait: UpgradeWait): UpgradeDocument {
  const { device, state, sinceMs, attempt, code, detail, next } = upgrade;
  const { waitsFor, owner, untilMs } = wait;
  const { sentBytes, totalBytes, activation, cancelRequested } = upgrade;
  return {
    device,
    state,
    owner,
    waitsFor,
    sinceMs,
    ...(untilMs === undefined ? {} : { untilMs }),
    attempt,
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...(next === undefined ? {} : { next }),
    sentBytes,
    totalBytes,
    activation,
    cancelRequested,
  };
}
