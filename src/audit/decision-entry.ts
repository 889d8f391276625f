/** A decision as an entry of the audit log: what it was made on by digests, and what it says. */
import { BENCH } from '../admission/context.ts';
import type { Decision } from '../admission/decide.ts';
import { digestOf, sharedDigestOf } from '../admission/digest-of.ts';
import { type AdmissionFacts, listedHash } from '../admission/facts.ts';
import type { AuditEntry } from './chain.ts';

export interface DecisionSubject {
  by: string;
  device?: string | undefined;
  image: string;
}

export function decisionEntry(
  { by, device, image }: DecisionSubject,
  facts: AdmissionFacts,
  decision: Decision,
): AuditEntry {
  const { verdict, ruleId, conditional, pending, findings, decidedAtMs } = decision;
  const said = findings
    .filter(({ outcome }) => outcome === 'refuse' || outcome === 'warn')
    .map(({ ruleId: id, outcome }) => `${id} ${outcome}`);
  return {
    kind: 'decision',
    by,
    subject: { ...(device === undefined ? {} : { device }), image },
    digests: digestsOf(facts),
    decision: {
      decidedAtMs,
      intake: (facts.context ?? BENCH).intake,
      verdict,
      ...(ruleId === undefined ? {} : { ruleId }),
      conditional,
      pending,
      said,
    },
  };
}

/** Of everything that a rule can see, so that another fact makes another entry. */
function digestsOf({ image, device, list, policy, context }: AdmissionFacts) {
  const digests: Record<string, string> = {
    device: digestOf(device),
    image: sharedDigestOf(image),
  };
  if (image.ok) {
    digests['send'] = image.sendSha256;
    digests['listed'] = listedHash(image);
  }
  if (policy) digests['policy'] = sharedDigestOf(policy);
  const { eligible, pending, installation, request, openRequests, floors, waiver } = context ?? {};
  if (list) Object.assign(digests, listDigests('list', list));
  if (eligible) Object.assign(digests, listDigests('eligible', eligible));
  if (pending) Object.assign(digests, listDigests('tests', pending));
  if (installation) digests['installation'] = sharedDigestOf(installation);
  if (request) digests['request'] = digestOf(request);
  if (openRequests) digests['openRequests'] = digestOf(openRequests);
  if (floors) digests['floors'] = sharedDigestOf(floors);
  if (waiver) digests['waiver'] = sharedDigestOf(waiver);
  return digests;
}

interface AnyList {
  entries: readonly unknown[];
  issues: readonly unknown[];
  stamp?: object;
  accepted?: object;
}

/** What is on the list, what was wrong with it, when it was fetched, and which one was used before. */
function listDigests(
  name: string,
  { entries, issues, stamp, accepted }: AnyList,
): Record<string, string> {
  return {
    [name]: sharedDigestOf(entries),
    ...(issues.length > 0 ? { [`${name}Issues`]: sharedDigestOf(issues) } : {}),
    ...(stamp ? { [`${name}Stamp`]: sharedDigestOf(stamp) } : {}),
    ...(accepted ? { [`${name}Accepted`]: sharedDigestOf(accepted) } : {}),
  };
}
