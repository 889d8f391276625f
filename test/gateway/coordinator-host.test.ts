/** Asking a device what it runs: a link that fails meanwhile is not the device's silence. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CoordinatorConfig, PpmidDevice } from '../../src/config/schema.ts';
import { UpliftError } from '../../src/errors.ts';
import { CoordinatorHost, type CoordinatorSite } from '../../src/gateway/coordinator-host.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const test = suite('coordinator host');
const CONFIG = { id: 'zigbee-1' } as CoordinatorConfig;
const DEVICE = { id: 'ppmid-1', model: { zigbee: { endpoint: 1 } } } as PpmidDevice;

/** A host that is open, over a link whose calls fail so. */
async function opened(error: Error): Promise<CoordinatorHost> {
  const site: CoordinatorSite = {
    open: async () => ({ call: () => Promise.reject(error) }),
    missing: async () => [],
    close: async () => {},
  };
  const timers = new SimulatedScheduler();
  const host = new CoordinatorHost({ config: CONFIG, timers, newSite: () => site, onLink() {} });
  host.start();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return host;
}

async function codeOf(host: CoordinatorHost): Promise<string> {
  return host.read(DEVICE).then(
    () => 'it answers',
    (error: unknown) => (error as UpliftError).code,
  );
}

for (const code of ['link-down', 'worker-ended', 'coordinator-failed', 'port-in-use']) {
  test(`${code} while it is asked stays what it is`, async () => {
    assert.is(await codeOf(await opened(new UpliftError(code, 'it went'))), code);
  });
}

test('an answer that does not come is silence, whatever the driver calls it', async () => {
  const error = new UpliftError('link-error', 'ZCL command read timed out');
  assert.is(await codeOf(await opened(error)), 'device-silent');
});

test('before it is open there is nobody to ask over it', async () => {
  const timers = new SimulatedScheduler();
  const host = new CoordinatorHost({
    ...{ config: CONFIG, timers, onLink() {} },
    newSite: () => ({}) as CoordinatorSite,
  });
  assert.is(await codeOf(host), 'link-down');
});

test.run();
