/** A decision as an entry of the audit log: what it was made on by digests, and what it says. */
import type { Decision } from '../admission/decide.ts';
import { type AdmissionFacts, listedHash } from '../admission/facts.ts';
import { sha256Hex } from '../trust/digest.ts';
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
  const { verdict, ruleId, conditional, pending, findings } = decision;
  const said = findings
    .filter(({ outcome }) => outcome === 'refuse' || outcome === 'warn')
    .map(({ ruleId: id, outcome }) => `${id} ${outcome}`);
  return {
    kind: 'decision',
    by,
    subject: { ...(device === undefined ? {} : { device }), image },
    digests: digestsOf(facts),
    decision: {
      verdict,
      ...(ruleId === undefined ? {} : { ruleId }),
      conditional,
      pending,
      said,
    },
  };
}

function digestsOf({ image, device, list, policy, context }: AdmissionFacts) {
  const digests: Record<string, string> = { device: digestOf(device) };
  if (image.ok) {
    digests['send'] = image.sendSha256;
    digests['listed'] = listedHash(image);
  } else digests['refusal'] = digestOf(image);
  if (list) digests['list'] = entriesDigest(list.entries);
  if (policy) digests['policy'] = digestOf(policy);
  if (context?.eligible) digests['eligible'] = entriesDigest(context.eligible.entries);
  if (context?.pending) digests['tests'] = entriesDigest(context.pending.entries);
  if (context?.installation) digests['installation'] = digestOf(context.installation);
  if (context?.request) digests['request'] = digestOf(context.request);
  if (context?.floors) digests['floors'] = digestOf(context.floors);
  if (context?.waiver) digests['waiver'] = digestOf(context.waiver.waiver);
  return digests;
}

/** A list has thousands of entries and is decided on as often, so its digest is made once. */
const listDigests = new WeakMap<object, string>();

function entriesDigest(entries: readonly unknown[]): string {
  const known = listDigests.get(entries);
  if (known !== undefined) return known;
  const digest = digestOf(entries);
  listDigests.set(entries, digest);
  return digest;
}

function digestOf(value: unknown): string {
  return sha256Hex(Buffer.from(JSON.stringify(value)));
}
