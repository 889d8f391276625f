/** Jobs as the API shows them. What else it shows, the gateway hands over as it is shown. */
import type { RuleText } from '../admission/rule.ts';
import type { z } from '../config/fields.ts';
import type { GatewayControl } from '../gateway/control.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import { isOver } from '../jobs/states.ts';
import type { jobSummary, jobView, ruleView, upgradeView } from './schemas.ts';

export type JobView = z.output<typeof jobView>;
export type JobSummary = z.output<typeof jobSummary>;
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
    upgrades: job.upgrades.map((upgrade) => upgradeOf(upgrade, control.explain(upgrade).waitsFor)),
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

function upgradeOf(upgrade: Upgrade, waitsFor: string): UpgradeDocument {
  const { device, state, owner, sinceMs, untilMs, attempt, code, detail, next } = upgrade;
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
