/** Facts of what is around an upgrade, of the site's policy, and of what regulation leaves open. */
import { installedVersion, showCombination } from './combination-checks.ts';
import { type AdmissionContext, BENCH, type RequestFacts } from './context.ts';
import {
  type FactRow,
  type FactValue,
  row,
  shortDigest,
  showFrom,
  showList,
  showUntil,
  some,
} from './fact-row.ts';
import type { AdmissionPolicy } from './facts.ts';
import type { Regulation } from './regulation.ts';
import { regulationOf } from './request-checks.ts';
import { showLondonTime, showTime } from './show-time.ts';

export const CONTEXT_FACTS = {
  now: row('the time of the decision', ['nowMs'], (_facts, nowMs) => showTime(nowMs)),
  'context.intake': row('the intake', ['context.intake'], ({ context = BENCH }) => context.intake),
  'context.installation': context(
    'the installation',
    [
      'context.installation.installationId',
      'context.installation.provider',
      'context.installation.devices',
    ],
    ({ installation }) =>
      installation && `${installation.installationId}, ${showCombination(installation)}`,
  ),
  'context.installedVersion': row(
    'the version by what is written of the installation',
    ['context.installation.devices'],
    ({ context: around, device }) => installedVersion(around?.installation, device),
  ),
  'context.cohort': context(
    'the cohort of the installation',
    ['context.installation.cohort'],
    ({ installation }) => installation?.cohort,
  ),
  'context.suppliers': context(
    'the suppliers of the installation',
    ['context.installation.suppliers'],
    ({ installation }) => {
      const { electricity, gas } = installation?.suppliers ?? {};
      if (electricity === undefined && gas === undefined) return undefined;
      return `electricity ${electricity ?? 'not said'}, gas ${gas ?? 'not said'}`;
    },
  ),
  'context.eligible': context(
    'the Eligible Products Combination List',
    ['context.eligible.entries', 'context.eligible.byKey'],
    ({ eligible }) => showList(eligible),
  ),
  'context.pending': context(
    'the tests of pending combinations',
    ['context.pending.entries', 'context.pending.byReference'],
    ({ pending }) => showList(pending),
  ),
  'request.requestType': request('requestType', 'the type of the request'),
  'request.duisVersion': request('duisVersion', 'the version of DUIS'),
  'request.role': request('role', 'the role of the party that asks'),
  'request.party': request('party', 'the party that asks'),
  'request.deviceCount': request('deviceCount', 'the devices in the request'),
  'request.heldSince': context(
    'since when the hub has held the image',
    ['context.request.heldSinceMs'],
    ({ request: asked }) =>
      asked?.heldSinceMs === undefined ? undefined : showTime(asked.heldSinceMs),
  ),
  'context.openRequests': context(
    'the devices for which a request is open',
    ['context.openRequests'],
    ({ openRequests }) => openRequests && some([...openRequests], 'none'),
  ),
  'context.floors': context('the version floors', ['context.floors'], ({ floors }) =>
    floors ? `${floors.floors.length} floors, ${shortDigest(floors)}` : undefined,
  ),
  'context.waiver': context('the downgrade waiver', ['context.waiver'], ({ waiver: given }) => {
    if (!given) return undefined;
    const { id, notBeforeMs, expiresMs } = given.waiver;
    return `${id}, ${showTime(notBeforeMs)} to ${showTime(expiresMs)}, ${given.keys.length} keys`;
  }),
} satisfies Record<string, FactRow>;

export const POLICY_FACTS = {
  'policy.allowDowngrade': policy('allowDowngrade', 'whether the bench may go back'),
  'policy.listRequired': policy('listRequired', 'whether a list is required'),
  'policy.firmwareVersionMismatch': policy('firmwareVersionMismatch', 'what another version does'),
  'policy.integrityMismatch': policy('integrityMismatch', 'what a wrong integrity code does'),
  'policy.unverifiedSignature': policy('unverifiedSignature', 'what an unverified signature does'),
  'policy.unsignedImage': policy('unsignedImage', 'what an unsigned image does'),
  'policy.sealedUnderEncryption': policy('sealedUnderEncryption', 'what a sealed image does'),
  'policy.unknownVersion': policy('unknownVersion', 'what an unknown version does'),
  'policy.unknownPathway': policy('unknownPathway', 'what an unknown pathway does'),
  'policy.noPathway': policy('noPathway', 'what an entry without a pathway does'),
  'policy.listRollback': policy('listRollback', 'what an older list does'),
  'policy.versionStep': policy('versionStep', 'what a version too far ahead does'),
  'policy.notLoaded': policy('notLoaded', 'what an entry that is not loaded does'),
  'policy.deviceSize': policy('deviceSize', 'what an image larger than assumed does'),
  'policy.holdPassed': policy('holdPassed', 'what an image held too long does'),
  'policy.revocationUnchecked': policy('revocationUnchecked', 'what unchecked revocation does'),
  'policy.inForce': row(
    'when the site has dated rules in force',
    ['policy.inForce'],
    ({ policy: told }) =>
      told?.inForce &&
      Object.entries(told.inForce)
        .map(([id, { fromMs, untilMs }]) => `${id}${showFrom(fromMs)}${showUntil(untilMs)}`)
        .join('; '),
    'not told',
  ),
  'regulation.routes': regulation('routes', 'the requests that carry firmware', (routes) =>
    routes
      .map(({ kind, requestType, fromDuis, untilDuis }) => {
        const from = fromDuis === undefined ? '' : ` from DUIS ${fromDuis}`;
        const until = untilDuis === undefined ? '' : ` before DUIS ${untilDuis}`;
        return `${requestType} for ${kind}${from}${until}`;
      })
      .join('; '),
  ),
  'regulation.focExclusion': regulation(
    'focExclusion',
    'the versions of DUIS that exclude FOC PPMIDs',
    ({ duisVersions }) => duisVersions.join(', '),
  ),
  'regulation.roles': regulation('roles', 'the roles that may ask', (roles) =>
    Object.entries(roles)
      .map(([kind, { roles: names }]) => `${names.join(' or ')} for ${kind}`)
      .join('; '),
  ),
  'regulation.ages': regulation(
    'ages',
    'how old a list may be',
    ({ warnAfterDays, refuseAfterDays }) =>
      `warned of after ${warnAfterDays} days, refused after ${refuseAfterDays}`,
  ),
  'regulation.expedited': regulation(
    'expedited',
    'what makes an expedited entry count',
    ({ purposes, testOf, fromMs }) =>
      `purposes ${some([...purposes], 'none')}; a test of the ${testOf}; from ${showLondonTime(fromMs)}`,
  ),
  'regulation.imageBytes': regulation(
    'imageBytes',
    'how large an image may be',
    ({ requestMax, deviceMax }) => `${requestMax} bytes in a request, ${deviceMax} for a device`,
  ),
  'regulation.requestDevicesMax': regulation(
    'requestDevicesMax',
    'how many devices a request may name',
    ({ devices }) => devices,
  ),
  'regulation.versionStep': regulation(
    'versionStep',
    'how far a file version may rise at once',
    ({ most }) => most,
  ),
  'regulation.hold': regulation(
    'hold',
    'how long a hub holds an image',
    ({ days }) => `${days} days`,
  ),
} satisfies Record<string, FactRow>;

function context(
  what: string,
  paths: readonly string[],
  read: (context: AdmissionContext) => FactValue,
): FactRow {
  return row(what, paths, ({ context: given = BENCH }) => read(given), 'not given');
}

function request(key: Exclude<keyof RequestFacts, 'heldSinceMs'>, what: string): FactRow {
  return context(what, [`context.request.${key}`], ({ request: asked }) => asked?.[key]);
}

function policy(
  key: Exclude<keyof AdmissionPolicy, 'regulation' | 'inForce'>,
  what: string,
): FactRow {
  const read: FactRow['read'] = ({ policy: told }) => {
    const value = told?.[key];
    return typeof value === 'boolean' ? (value ? 'yes' : 'no') : value;
  };
  return row(what, [`policy.${key}`], read, 'not told');
}

function regulation<P extends keyof Regulation>(
  part: P,
  what: string,
  show: (value: Regulation[P]) => FactValue,
): FactRow {
  return row(what, [`policy.regulation.${part}`], (facts) => show(regulationOf(facts, part)));
}
