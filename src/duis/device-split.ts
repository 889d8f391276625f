/**
 * The devices of one request for firmware, parted by what was decided about each: those that are
 * done, and the lists of the warning for those that are not. Linear in the devices.
 *
 * A device that stands in the request twice is done once; which ones is told, to whoever keeps the
 * record: the answer has no place for it.
 */
import type { Decision } from '../admission/decide.ts';
import {
  ACCEPTED_CODES,
  type AcceptedCodes,
  codeOf,
  type Refusal,
  type RefusalSettings,
  refusalCode,
  refusalRow,
} from './refusals.ts';
import { WARNING_LISTS, type WarningList, type WarningLists } from './response.ts';

/** What was decided about one device. */
export type DeviceDecision = 'admitted' | Refusal;

export interface SplitRequest {
  /** As they stand in the request. */
  deviceIds: readonly string[];
  serviceReference: string;
  duisVersion: string;
}

export interface RequestSplit {
  /**
   * `refused`: nothing is done, and every device is refused for what is about the request. Where
   * none is admitted for reasons of their own it is `partly`, so that the lists say so.
   */
  outcome: 'done' | 'partly' | 'refused';
  responseCode: string;
  /** In the order of the request, each once. */
  admitted: readonly string[];
  lists: WarningLists;
  /** Devices that stand in it more than once. */
  repeated: readonly string[];
  /** How many devices each refusal met, the most frequent first. */
  refusals: readonly { refusal: Refusal; devices: number }[];
}

export interface SplitSettings extends RefusalSettings {
  accepted?: AcceptedCodes;
}

export const NOT_KNOWN: Refusal = { origin: 'service', code: 'device-not-known' };

export function decisionOf({
  verdict,
  ruleId,
}: Pick<Decision, 'verdict' | 'ruleId'>): DeviceDecision {
  if (verdict === 'admitted') return 'admitted';
  return { origin: 'admission', code: ruleId ?? 'image.readable' };
}

/** @param decisions by EUI-64; a device that has none is not known here */
export function splitByAdmission(
  request: SplitRequest,
  decisions: { get(deviceId: string): DeviceDecision | undefined },
  settings: SplitSettings = {},
): RequestSplit {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const admitted: string[] = [];
  const refused = new RefusedDevices(settings);
  for (const deviceId of request.deviceIds) {
    if (seen.has(deviceId)) {
      repeated.add(deviceId);
      continue;
    }
    seen.add(deviceId);
    const decision = decisions.get(deviceId) ?? NOT_KNOWN;
    if (decision === 'admitted') admitted.push(deviceId);
    else refused.add(deviceId, decision);
  }
  const { lists, refusals } = refused;
  const rest = { admitted, repeated: [...repeated], refusals };
  const { accepted = ACCEPTED_CODES } = settings;
  if (refusals.length === 0) {
    return { outcome: 'done', responseCode: codeOf(accepted.done, request), lists: {}, ...rest };
  }
  if (admitted.length === 0 && refused.areOfTheRequest) {
    const responseCode = refusalCode(refusals[0]!.refusal, request, settings);
    return { outcome: 'refused', responseCode, lists: {}, ...rest };
  }
  return { outcome: 'partly', responseCode: codeOf(accepted.partly, request), lists, ...rest };
}

class RefusedDevices {
  areOfTheRequest = true;
  private readonly settings: RefusalSettings;
  private readonly byList = new Map<WarningList, string[]>();
  private readonly counts = new Map<
    string,
    { refusal: Refusal; list: WarningList; devices: number }
  >();

  constructor(settings: RefusalSettings) {
    this.settings = settings;
  }

  add(deviceId: string, refusal: Refusal): void {
    const key = `${refusal.origin}/${refusal.code}`;
    let count = this.counts.get(key);
    if (!count) {
      const { list, about } = refusalRow(refusal, this.settings);
      if (about === 'device') this.areOfTheRequest = false;
      count = { refusal, list, devices: 0 };
      this.counts.set(key, count);
    }
    count.devices += 1;
    const listed = this.byList.get(count.list);
    if (listed) listed.push(deviceId);
    else this.byList.set(count.list, [deviceId]);
  }

  get lists(): WarningLists {
    const lists: Partial<Record<WarningList, readonly string[]>> = {};
    for (const name of WARNING_LISTS) {
      const deviceIds = this.byList.get(name);
      if (deviceIds) lists[name] = deviceIds;
    }
    return lists;
  }

  get refusals(): RequestSplit['refusals'] {
    return [...this.counts.values()]
      .sort((a, b) => b.devices - a.devices)
      .map(({ refusal, devices }) => ({ refusal, devices }));
  }
}
