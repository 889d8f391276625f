/** What a coordinator counts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type FleetCounts, openFleetMetrics } from '../../src/observe/fleet-metrics.ts';
import { keepsConventions, keepsTable, parsePage, type SeriesTable, sampleOf } from './page.ts';

/** Every name, type and label of the page; nothing else is on it. */
const PROCESS: SeriesTable = {
  uplift_fleet_requests_total: ['counter', ['operation', 'status']],
  uplift_fleet_request_duration_seconds: ['histogram', ['operation']],
  uplift_fleet_waiting_gateways: ['gauge', []],
  uplift_fleet_database_up: ['gauge', []],
  uplift_fleet_last_house_timestamp_seconds: ['gauge', []],
  uplift_fleet_last_house_duration_seconds: ['gauge', []],
  uplift_event_loop_delay_seconds: ['histogram', []],
  uplift_build_info: ['gauge', ['node', 'version']],
};
const FLEET: SeriesTable = {
  uplift_fleet_gateways: ['gauge', ['state']],
  uplift_fleet_gateways_silent: ['gauge', []],
  uplift_fleet_gateways_in_trouble: ['gauge', []],
  uplift_fleet_campaigns: ['gauge', ['state']],
  uplift_fleet_devices: ['gauge', ['state']],
};

const COUNTS: FleetCounts = {
  gateways: { expected: 1, enrolled: 7, revoked: 0 },
  gatewaysSilent: 2,
  gatewaysInTrouble: 1,
  campaigns: { running: 1 },
  devices: { pending: 20, 'under-way': 5 },
};

function opened(count: () => Promise<FleetCounts>) {
  const build = { version: '1.2.3', node: '24.21.0' };
  const metrics = openFleetMetrics({ build, count, waiters: () => 3 });
  metrics.answered('desired', 200, 0.004);
  metrics.answered('desired', 304, 25);
  metrics.houseKept(1_800_000_000_500, 0.25);
  metrics.eventLoopDelay(0.001);
  return metrics;
}

test('how the fleet stands is asked whenever the page is', async () => {
  let counts = COUNTS;
  const metrics = opened(async () => counts);
  const page = parsePage(await metrics.text());
  keepsTable(page, { ...FLEET, ...PROCESS });
  keepsConventions(page);
  assert.is(sampleOf(page, 'uplift_fleet_gateways', { state: 'enrolled' }), 7);
  assert.is(sampleOf(page, 'uplift_fleet_devices', { state: 'under-way' }), 5);
  assert.is(sampleOf(page, 'uplift_fleet_requests_total', { status: '304' }), 1);
  assert.is(sampleOf(page, 'uplift_fleet_last_house_timestamp_seconds'), 1_800_000_000.5);
  assert.is(sampleOf(page, 'uplift_fleet_waiting_gateways'), 3);
  assert.is(sampleOf(page, 'uplift_fleet_database_up'), 1);
  counts = { ...COUNTS, devices: { pending: 19, 'under-way': 6 } };
  const next = parsePage(await metrics.text());
  assert.is(sampleOf(next, 'uplift_fleet_devices', { state: 'under-way' }), 6);
});

test('without its database the page says so, and shows no numbers of before', async () => {
  let isAway = false;
  const metrics = opened(async () => {
    if (isAway) throw new Error('away');
    return COUNTS;
  });
  await metrics.text();
  isAway = true;
  const page = parsePage(await metrics.text());
  keepsTable(page, PROCESS);
  assert.is(sampleOf(page, 'uplift_fleet_database_up'), 0);
});

test.run();
