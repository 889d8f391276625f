/** What the configuration says, in the words of the parts that it is said to. */
import type { GatewayConfig } from '../config/gateway.ts';
import { momentMs } from '../config/moment.ts';
import { assert } from '../errors.ts';
import type { DeskSite } from '../gateway/admission-desk.ts';
import { PREPAYMENT_BLACKOUT } from '../schedule/blackout.ts';
import type { PaceOptions } from '../schedule/pace.ts';
import { RETRY_POLICY, type RetryPolicy } from '../schedule/retry.ts';
import { type HoursSource, type LocalHours, parseHours } from '../schedule/windows.ts';

/** What is told once for every rig; a rig's own goes first. */
export function siteOf({ admission }: GatewayConfig): DeskSite {
  const { listsFetched, columns, listAges, certificates, revocationLists, zseSigners } = admission;
  const stamp =
    listsFetched === undefined
      ? undefined
      : { fetchedAtMs: momentMs(listsFetched)!, source: 'the configuration' };
  return {
    intake: admission.intake,
    trust: admission.trustAnchors,
    certificates: certificates.length > 0 ? certificates : undefined,
    revocationLists: revocationLists.length > 0 ? revocationLists : undefined,
    zseSigners: zseSigners.length > 0 ? zseSigners : undefined,
    centralProductsList: admission.centralProductsList,
    eligibleCombinations: admission.eligibleCombinations,
    pendingCombinations: admission.pendingCombinations,
    installations: admission.installations,
    columns,
    listMapping: columns?.centralProductsList,
    floors: admission.floors,
    waiver: admission.waiver,
    stamp,
    ages: listAges,
  };
}

export function hoursOf({ schedule, front }: GatewayConfig): {
  hours: LocalHours | undefined;
  windows: Record<string, LocalHours>;
} {
  const { timeZone: zone, windows, prepaymentBlackout } = schedule;
  const blackout =
    prepaymentBlackout === undefined ? PREPAYMENT_BLACKOUT.hours : { weekly: prepaymentBlackout };
  // The hours of a fleet are those of its gateways, unless its front has some of its own.
  const isNone =
    prepaymentBlackout === undefined ? front !== undefined : prepaymentBlackout.length === 0;
  return {
    hours: isNone ? undefined : parsed({ zone, ...blackout }),
    windows: Object.fromEntries(
      Object.entries(windows).map(([name, window]) => [name, parsed({ zone, ...window })]),
    ),
  };
}

function parsed(source: HoursSource): LocalHours {
  const result = parseHours(source);
  assert(result.ok, 'hours were checked when the configuration was read');
  return result.hours;
}

export function paceOf({ schedule }: GatewayConfig): { pace?: Partial<PaceOptions> } {
  const { measured, meteringShare, answerMsMax } = schedule.pace;
  const concurrencyMax = schedule.devicesAtOnce.perNetwork;
  return measured ? { pace: { concurrencyMax, meteringShare, answerMsMax } } : {};
}

/**
 * Of a front, whose gateways have tried again by themselves: what failed there is for a person. Only what is
 * not known is asked for again.
 */
export function frontRetryOf(config: Pick<GatewayConfig, 'schedule'>): RetryPolicy {
  const policy = retryOf(config);
  const once = <T>(backoff: T) => ({ ...backoff, retriesMax: 0 });
  const { unreachable, transfer, device, gateway, ...rest } = policy.backoff;
  const spent = {
    unreachable: once(unreachable),
    transfer: once(transfer),
    device: once(device),
    gateway: once(gateway),
  };
  return { ...policy, backoff: { ...rest, ...spent } };
}

export function retryOf({ schedule }: Pick<GatewayConfig, 'schedule'>): RetryPolicy {
  const backoff = { ...RETRY_POLICY.backoff };
  for (const [name, told] of Object.entries(schedule.retry)) {
    if (!told) continue;
    const key = name as keyof typeof backoff;
    const { retriesMax, baseMs, capMs } = told;
    backoff[key] = {
      ...backoff[key],
      ...(baseMs === undefined ? {} : { baseMs }),
      ...(capMs === undefined ? {} : { capMs }),
      ...(retriesMax === undefined
        ? {}
        : { retriesMax: retriesMax === 'until-deadline' ? Number.POSITIVE_INFINITY : retriesMax }),
    };
  }
  return { ...RETRY_POLICY, backoff };
}
