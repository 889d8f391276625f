/**
 * A campaign that nobody else conducts (it came on a stick, or with a hawkBit server's own rollout): rings,
 * pace and rules of abort over this gateway's devices. Pure.
 */
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { Manifest } from '../../campaign/manifest.ts';
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

/** Whether it runs what the campaign starts from, or what it leads to. */
export function isFrom(
  { targets, images }: Manifest,
  { hardware, version }: { hardware: DeviceHardware; version: string },
): boolean {
  return targets.some((target) => {
    if (!sameHardware(target, hardware)) return false;
    const image = images.find(({ sha256 }) => sha256 === target.image)!;
    return [...target.from, image.firmwareVersion].some((one) => sameText(one, version));
  });
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
