/** Checks of the Service Request by which an upgrade is asked for: its type, its role, its bounds. */
import { foldText } from '../products/device-model.ts';
import { DIRECTION_2021_MS } from '../products/expedited.ts';
import { BENCH, missing } from './context.ts';
import type { AdmissionFacts, ImageFacts } from './facts.ts';
import { waitFor } from './pending-facts.ts';
import { compareDuis, REGULATION, type Regulation, type RequestRoute } from './regulation.ts';
import { showLondonTime } from './show-time.ts';
import { NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';

const DAY_MS = 86_400_000;

/** Asked while it is in force: from 20 July 2021 it is not applicable, see the rule. */
export function checkFocPpmid(_image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { device, context = BENCH } = facts;
  if (device.kind === undefined) return kindMissing(facts);
  if (device.kind !== 'ppmid') return NOT_APPLICABLE;
  const { installation, request } = context;
  if (!installation) return missing('installation', context);
  if (installation.cohort === undefined) return missing('cohort', context);
  if (installation.cohort !== 'FOC') return PASS;
  if (request?.duisVersion === undefined) return missing('duisVersion', context);
  const { duisVersions } = regulationOf(facts, 'focExclusion');
  const asked = request.duisVersion.trim();
  if (!duisVersions.some((version) => compareDuis(version, asked) === 0)) return PASS;
  const untilMs = facts.policy?.inForce?.['s1sr.foc-ppmid']?.untilMs ?? DIRECTION_2021_MS;
  const until = showLondonTime(untilMs);
  return {
    outcome: 'refuse',
    expected: `a time from ${until}, or another version of DUIS than ${duisVersions.join(', ')}`,
    actual: `a PPMID of an FOC installation under DUIS ${asked}`,
    next: `ask again from ${until}, when the exclusion of FOC PPMIDs is lifted`,
  };
}

export function checkRequestType(_image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { device, context = BENCH } = facts;
  const { requestType, duisVersion } = context.request ?? {};
  if (requestType === undefined) return missing('requestType', context);
  const { kind } = device;
  if (kind === undefined) return waitFor('kind', { actual: requestType });
  const routes = regulationOf(facts, 'routes').filter((route) => route.kind === kind);
  if (routes.length === 0) {
    return {
      outcome: 'warn',
      expected: `a request that a source names for a ${kind}`,
      actual: requestType,
      next: 'nothing: no source names one, and a site may',
    };
  }
  const isDated = routes.some(({ fromDuis, untilDuis }) => fromDuis ?? untilDuis);
  if (isDated && duisVersion === undefined) return missing('duisVersion', context);
  const open = routes.filter((route) => isOpen(route, duisVersion));
  if (open.some((route) => route.requestType === requestType.trim())) return PASS;
  const under = duisVersion === undefined ? '' : ` under DUIS ${duisVersion.trim()}`;
  const expected = open.map((route) => route.requestType).join(' or ');
  return {
    outcome: 'refuse',
    expected: expected === '' ? `a version of DUIS that carries firmware of a ${kind}` : expected,
    actual: `${requestType.trim()}${under}, for a ${kind}`,
    next: expected === '' ? 'use a later version of DUIS' : `ask by ${expected}`,
  };
}

/** The supplier of the fuel for its own meter; for what both use, whoever the site says. */
export function checkRole(_image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { device, context = BENCH } = facts;
  const { role, party } = context.request ?? {};
  if (role === undefined) return missing('role', context);
  const { kind } = device;
  if (kind === undefined) return waitFor('kind', { actual: role });
  const { roles } = regulationOf(facts, 'roles')[kind];
  const asked = foldText(role);
  if (!roles.some((one) => foldText(one) === asked)) {
    return {
      outcome: 'refuse',
      expected: `${roles.join(' or ')} for a ${kind}`,
      actual: role.trim(),
      next: 'let the Responsible Supplier of this device ask',
    };
  }
  if (party === undefined) return PASS;
  const { installation } = context;
  if (!installation) return missing('installation', context);
  const fuel = FUEL_OF_ROLE[asked];
  const supplier = fuel && installation.suppliers[fuel];
  if (supplier === undefined) return missing('suppliers', context);
  if (foldText(supplier) === foldText(party)) return PASS;
  return {
    outcome: 'refuse',
    expected: `${supplier}, the supplier of ${fuel}`,
    actual: party.trim(),
    next: 'let the Responsible Supplier of this installation ask',
  };
}

export function checkOneOpen(_image: ImageFacts, facts: AdmissionFacts): Verdict {
  const { device, context = BENCH } = facts;
  const { openRequests } = context;
  if (!openRequests) return missing('openRequests', context);
  if (openRequests.size === 0) return PASS;
  const { eui64 } = device;
  if (eui64 === undefined) return waitFor('eui64');
  if (!openRequests.has(eui64)) return PASS;
  return {
    outcome: 'refuse',
    expected: 'no other open request for the device',
    actual: `one is open for ${eui64}`,
    next: 'wait until it is closed, or have it withdrawn',
  };
}

export function checkDeviceCount(_image: ImageFacts, facts: AdmissionFacts): Verdict {
  const deviceCount = facts.context?.request?.deviceCount;
  if (deviceCount === undefined) return NOT_APPLICABLE;
  const { devices } = regulationOf(facts, 'requestDevicesMax');
  if (deviceCount >= 1 && deviceCount <= devices) return PASS;
  return {
    outcome: 'refuse',
    expected: `1 to ${devices} devices in a request`,
    actual: `${deviceCount}`,
    next: 'ask in several requests',
  };
}

/** A hub that has dropped the image fails the activation and harms nothing, so this warns. */
export function checkHold(_image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const heldSinceMs = facts.context?.request?.heldSinceMs;
  if (heldSinceMs === undefined) return NOT_APPLICABLE;
  const { days } = regulationOf(facts, 'hold');
  const heldMs = nowMs - heldSinceMs;
  if (heldMs >= 0 && heldMs < days * DAY_MS) return PASS;
  return {
    outcome: facts.policy?.holdPassed ?? 'warn',
    expected: `an image held for less than ${days} days`,
    actual: heldMs < 0 ? 'one held from a later time' : `${Math.floor(heldMs / DAY_MS)} days`,
    next: 'send the image again: the hub may have dropped it',
  };
}

/** One part of what regulation leaves open: the site's, else ours. */
export function regulationOf<P extends keyof Regulation>(
  { policy }: AdmissionFacts,
  part: P,
): Regulation[P] {
  return policy?.regulation?.[part] ?? REGULATION[part];
}

const FUEL_OF_ROLE: Readonly<Record<string, 'electricity' | 'gas' | undefined>> = {
  IS: 'electricity',
  GS: 'gas',
};

/** Nothing says that it is no PPMID; only where there is somebody to ask is it asked. */
function kindMissing({ context = BENCH }: AdmissionFacts): Verdict {
  const isAsked = context.installation?.cohort === 'FOC' && context.request !== undefined;
  return isAsked ? waitFor('kind') : NOT_APPLICABLE;
}

function isOpen({ fromDuis, untilDuis }: RequestRoute, duisVersion: string | undefined): boolean {
  if (duisVersion === undefined) return true;
  const after = fromDuis === undefined ? 0 : compareDuis(duisVersion, fromDuis);
  const before = untilDuis === undefined ? -1 : compareDuis(duisVersion, untilDuis);
  return after !== undefined && after >= 0 && before !== undefined && before < 0;
}
