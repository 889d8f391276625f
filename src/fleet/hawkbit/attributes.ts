/**
 * What a hawkBit server is told of a gateway (`configData`): enough to choose targets by, as rollouts filter
 * on attributes. Devices are counted, not listed: a server keeps a hundred attributes of a target.
 */
import type { Inventory } from '../wire.ts';
import { DDI_LIMITS } from './ddi-messages.ts';

export function attributesOf(inventory: Inventory): Record<string, string> {
  const { version, region, windows, devices } = inventory;
  const models = new Map<string, number>();
  for (const { kind, model, firmwareVersion = 'unknown' } of devices) {
    const name = `device.${kind}.${model}.${firmwareVersion}`;
    models.set(name, (models.get(name) ?? 0) + 1);
  }
  const fixed = {
    'uplift.version': version,
    ...(region === undefined ? {} : { 'uplift.region': region }),
    'uplift.windows': windows.join(' '),
    'uplift.devices': `${devices.length}`,
  };
  // In an order of their own, so that the same inventory is the same document.
  const counted = [...models].sort(([one], [other]) => one.localeCompare(other, 'en'));
  const room = DDI_LIMITS.attributesMax - Object.keys(fixed).length;
  const shown = counted.slice(0, room).map(([name, count]) => [name, `${count}`] as const);
  return { ...fixed, ...Object.fromEntries(shown) };
}
