/**
 * The combination that an upgrade leaves behind, held against the Eligible Products Combination List.
 *
 * Firmware is part of a Device Model, so a device with new firmware makes another combination. It is
 * looked up as it will be: the provider, the new model, and all other devices as they are now. Where
 * the list does not have it, an expedited entry of the products list may stand in (`expeditedCover`).
 */
import type { ListEntry } from '../products/central-products-list.ts';
import type { Combination } from '../products/combinations.ts';
import { sameHardware, sameText, showDeviceModel } from '../products/device-model.ts';
import { findEligible } from '../products/eligible-combinations.ts';
import { expeditedCover, NOT_COVERED } from '../products/expedited.ts';
import type { Installation } from '../products/installations.ts';
import { BENCH, missing } from './context.ts';
import type { AdmissionFacts, DeviceFacts, ImageFacts } from './facts.ts';
import { currentEntriesFor } from './list-checks.ts';
import { waitFor } from './pending-facts.ts';
import { regulationOf } from './request-checks.ts';
import { NOT_APPLICABLE, PASS, type Verdict } from './verdict.ts';

export function checkCombination(image: ImageFacts, facts: AdmissionFacts, nowMs: number): Verdict {
  const { context = BENCH } = facts;
  const entries = currentEntriesFor(image, facts, nowMs);
  // No entry: the rules of the products list say so. The EPCL is of SMETS1 Device Models only.
  if (entries.length === 0 || entries.every(({ generation }) => generation === 'smets2')) {
    return NOT_APPLICABLE;
  }
  const { installation, eligible } = context;
  if (!installation) return missing('installation', context);
  if (!eligible) return missing('eligible', context);
  const outcomes = entries.flatMap((entry) =>
    combinationsAfter(installation, facts.device, entry).map((combination) =>
      judge(entry, combination, facts, nowMs),
    ),
  );
  if (outcomes.length === 0) return notPartOf(installation, facts.device);
  // Of several devices of one model any may be meant, so each has to come out well.
  return outcomes.find(({ outcome }) => outcome !== 'pass') ?? outcomes[0]!;
}

/**
 * The combination after the upgrade: one for each device of the installation that may be meant, each
 * outcome once.
 */
export function combinationsAfter(
  { provider, devices }: Installation,
  { kind, deviceModel = {} }: Pick<DeviceFacts, 'kind' | 'deviceModel'>,
  { firmwareVersion }: Pick<ListEntry, 'firmwareVersion'>,
): Combination[] {
  return devices.flatMap((device, at) => {
    if (kind !== undefined && device.kind !== kind) return [];
    if (!sameHardware(device.deviceModel, deviceModel)) return [];
    const upgraded = { ...device, deviceModel: { ...device.deviceModel, firmwareVersion } };
    return [{ provider, devices: devices.with(at, upgraded) }];
  });
}

function judge(
  entry: ListEntry,
  combination: Combination,
  facts: AdmissionFacts,
  nowMs: number,
): Verdict {
  const { eligible, pending } = facts.context ?? BENCH;
  const found = findEligible(eligible!, combination, nowMs);
  if (found) return PASS;
  const cover = expeditedCover(
    entry,
    combination,
    pending,
    nowMs,
    regulationOf(facts, 'expedited'),
  );
  const actual = showCombination(combination);
  if (cover.covered) {
    const { ppctReference } = cover.pending;
    return { outcome: 'pass', actual: `${actual}; covered while test ${ppctReference} is open` };
  }
  const isExpedited = cover.reason !== 'not-expedited';
  return {
    outcome: 'refuse',
    expected: 'a combination that is on the Eligible Products Combination List after the upgrade',
    actual: isExpedited ? `${actual}. ${NOT_COVERED[cover.reason]}` : actual,
    next: isExpedited
      ? 'have the test of this combination opened, or wait until the combination is eligible'
      : 'ask for a test of this combination, or upgrade to a version that makes an eligible one',
  };
}

function notPartOf({ installationId }: Installation, { kind, deviceModel }: DeviceFacts): Verdict {
  if (deviceModel === undefined && kind === undefined) {
    return waitFor('deviceModel', { expected: `a device of the installation ${installationId}` });
  }
  const { manufacturer, model, hardwareVersion, hardwareRevision } = deviceModel ?? {};
  const hardware = [manufacturer, model, hardwareVersion, hardwareRevision];
  return {
    outcome: 'refuse',
    expected: `a device of the installation ${installationId}`,
    actual: `${kind ?? 'device'} ${hardware.map((part) => part ?? '?').join(' ')}, which is none`,
    next: 'name the installation that the device is part of',
  };
}

export function showCombination({ provider, devices }: Combination): string {
  const models = devices.map(({ deviceModel }) => showDeviceModel(deviceModel));
  return `${provider} with ${[...new Set(models)].join(', ')}`;
}

/** What the installation says that the device runs; `undefined` where devices of its model differ. */
export function installedVersion(
  installation: Installation | undefined,
  { kind, deviceModel }: DeviceFacts,
): string | undefined {
  if (!installation || !deviceModel) return undefined;
  const found = installation.devices.filter(
    (device) =>
      (kind === undefined || device.kind === kind) && sameHardware(device.deviceModel, deviceModel),
  );
  const version = found[0]?.deviceModel.firmwareVersion;
  if (version === undefined) return undefined;
  return found.every((one) => sameText(one.deviceModel.firmwareVersion, version))
    ? version
    : undefined;
}
