/**
 * The servers of the network that a rig names, each behind a proxy for as long as the lab goes on: whoever goes
 * through it, such as a gateway under test, is no device of a run and outlives it.
 */
import type { WanConfig } from '../../config/schema.ts';
import { WanProxy } from '../faults/wan-proxy.ts';

export type Wan = ReadonlyMap<string, WanProxy>;

/** @throws UpliftError where one cannot listen */
export async function openWan(configs: readonly WanConfig[]): Promise<Wan> {
  const open = new Map<string, WanProxy>();
  try {
    for (const { id, listen, target } of configs)
      open.set(id, await WanProxy.start({ ...listen, target }));
    return open;
  } catch (error) {
    await closeWan(open);
    throw error;
  }
}

export async function closeWan(wan: Wan): Promise<void> {
  await Promise.all([...wan.values()].map((proxy) => proxy.stop()));
}
