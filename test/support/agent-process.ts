/**
 * TEST MATERIAL: a gateway's process with everything of it that campaigns go through (its gateway, journal, images,
 * follower and agent) as the service puts them together, over devices by a seed in place of radios.
 *
 *   node agent-process.ts GATEWAY.YAML SEED
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadGateway } from '../../src/config/gateway.ts';
import { followedDevices } from '../../src/fleet/agent/inventory.ts';
import { startCampaigns } from '../../src/fleet/agent/start.ts';
import type { AdmissionDesk } from '../../src/gateway/admission-desk.ts';
import type { Brief } from '../../src/gateway/field.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { openLog } from '../../src/observe/log.ts';
import { type Backoff, RETRY_POLICY, RetryDesk } from '../../src/schedule/retry.ts';
import { Scheduler } from '../../src/schedule/scheduler.ts';
import { ImageStore } from '../../src/store/images.ts';
import { Journal } from '../../src/store/journal.ts';
import { SYSTEM_TIMERS } from '../../src/transport/serial/driver.ts';
import { ScriptedField } from './scripted-field.ts';

const HOUSE_MS = 5_000;
const LINK = 'network:zigbee-1';
const AT_ONCE = 4;
/** Tests have no hours. */
const SOON: Backoff = { retriesMax: 2, baseMs: 300, factor: 2, capMs: 1_000 };

const [path = '', seedText = '1'] = process.argv.slice(2);
const { config } = loadGateway(path);
const { campaigns: section, stateFolder, id } = config;
const log = openLog({ gateway: id, level: 'info' });
mkdirSync(stateFolder, { recursive: true });
const { journal, report } = Journal.open(join(stateFolder, 'journal'), {}, Date.now());
if (report.damage) log.write('error', 'the journal is damaged', { ...report.damage });
const { images } = ImageStore.open(join(stateFolder, 'images'), {}, Date.now());
const field = new ScriptedField({
  devices: followedDevices(config.rigs).map((device) => ({
    ...{ id: device.id, kind: device.kind, eui64: device.name, link: LINK, canHold: true },
  })),
  seed: Number(seedText),
  path: join(stateFolder, 'field.jsonl'),
});
const retries = new RetryDesk({ next: Math.random }, Date.now(), {
  ...RETRY_POLICY,
  backoff: {
    ...{ unreachable: SOON, transfer: SOON, device: SOON, gateway: SOON },
    'unknown-outcome': SOON,
  },
});
const scheduler = new Scheduler(retries);
scheduler.setPace(LINK, AT_ONCE);
const gateway = new Gateway({
  timers: SYSTEM_TIMERS,
  ...{ journal, field, scheduler },
  brief: () => ({ image: { facts: { ok: false } } }) as unknown as Brief,
  expectedMs: () => 60_000,
  hasImage: (sha256) => images.has(sha256),
  windows: {},
});
const campaigns = startCampaigns({
  config: { ...config, campaigns: section! },
  version: '0.0.0-test',
  // Nobody is admitted by floors here: devices are scripted.
  desk: { change() {} } as unknown as AdmissionDesk,
  ...{ gateway, images, journal, timers: SYSTEM_TIMERS, log },
});
gateway.start();
campaigns.start();
const house = setInterval(() => {
  gateway.keepHouse(() => {
    images.handleTimeout(Date.now());
    campaigns.keepHouse();
  });
}, HOUSE_MS);
log.write('info', 'ready', { code: 'ready' });

process.once('SIGTERM', async () => {
  clearInterval(house);
  await campaigns.stop();
  gateway.stop();
  await field.close();
  images.close();
  journal.close();
  process.exit(0);
});
