/**
 * A campaign that nobody else conducts (it came on a stick, or with a hawkBit server's own rollout): rings,
 * pace and rules of abort over this gateway's devices. Pure.
 */
import type { FailureClass } from '../../campaign/failure-classes.ts';
import { imageOf, type Manifest } from '../../campaign/manifest.ts';
import { type Evaluation, evaluateRings, type RingCounts, ringOf } from '../../campaign/rings.ts';
import { type DeviceHardware, sameHardware, sameText } from '../../products/device-model.ts';
import type { DeviceStanding } from './campaign-ledger.ts';

export interface OwnStarts {
  evaluation: Evaluation;
  /** Those that were started and those that may be, by attempt. */
  wanted: ReadonlyMap<string, number>;
}

/** Whether it is of that kind and, where the manifest names devices, one of them. */
export function isTarget(
  { devices, targets }: Manifest,
  { name, hardware }: { name: string; hardware: DeviceHardware },
): boolean {
  if (devices && !devices.includes(name)) return false;
  return targets.some((target) => sameHardware(target, hardware));
}

export interface SaidVersion {
  hardware: DeviceHardware;
  version: string;
}

/** Whether it runs what the campaign leads to. */
export function isThere(manifest: Manifest, { hardware, version }: SaidVersion): boolean {
  return manifest.targets.some(
    (target) =>
      sameHardware(target, hardware) &&
      sameText(imageOf(manifest, target).firmwareVersion, version),
  );
}

/** Whether it runs what the campaign starts from, or what it leads to. */
export function isMeant(manifest: Manifest, said: SaidVersion): boolean {
  const { hardware, version } = said;
  const isFrom = manifest.targets.some(
    (target) => sameHardware(target, hardware) && target.from.some((one) => sameText(one, version)),
  );
  return isFrom || isThere(manifest, said);
}

/** @param names the devices of this gateway that are meant */
export function ownStarts(
  manifest: Manifest,
  gateway: string,
  names: readonly string[],
  standings: ReadonlyMap<string, DeviceStanding>,
): OwnStarts {
  const counts = manifest.rings.map(
    (): RingCounts & { failed: Partial<Record<FailureClass, number>> } => ({
      ...{ size: 0, granted: 0, attempted: 0, succeeded: 0, failed: {} },
    }),
  );
  const wanted = new Map<string, number>();
  const pending = manifest.rings.map((): string[] => []);
  for (const name of names) {
    const ring = ringOf(manifest, name, gateway);
    const count = counts[ring]!;
    const standing = standings.get(name);
    count.size++;
    if (!standing || standing.state === 'pending') {
      pending[ring]!.push(name);
      continue;
    }
    wanted.set(name, standing.attempt);
    if (standing.state === 'taken' || standing.state === 'granted') {
      count.granted!++;
      continue;
    }
    count.attempted++;
    if (standing.state === 'succeeded') count.succeeded++;
    if (standing.state !== 'failed') continue;
    count.failed[standing.failure] = (count.failed[standing.failure] ?? 0) + 1;
  }
  const evaluation = evaluateRings(manifest, counts);
  for (const [ring, more] of evaluation.starts.entries())
    for (const name of pending[ring]!.slice(0, more))
      wanted.set(name, standings.get(name)?.attempt ?? 1);
  return { evaluation, wanted };
}
