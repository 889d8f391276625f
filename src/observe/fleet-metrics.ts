/**
 * What a coordinator counts, for Prometheus: how its fleet stands, asked of the database whenever the page
 * is, and what this process of possibly several answers.
 */
import {
  buildInfo,
  Counter,
  Gauge,
  Histogram,
  loopDelay,
  type PageText,
  Registry,
} from './registry.ts';

/** From a read out of memory to a poll that waits for a change. */
const REQUEST_BUCKETS_S = [0.002, 0.01, 0.05, 0.2, 1, 5, 30, 120];

export interface FleetCounts {
  gateways: Readonly<Record<string, number>>;
  gatewaysSilent: number;
  gatewaysInTrouble: number;
  campaigns: Readonly<Record<string, number>>;
  devices: Readonly<Record<string, number>>;
}

export interface FleetMetrics extends PageText {
  /** `operation` of a table of routes. */
  answered(operation: string, status: number, seconds: number): void;
  houseKept(atMs: number, seconds: number): void;
  eventLoopDelay(seconds: number): void;
}

export interface FleetMetricsOptions {
  build: { version: string; node: string };
  /** @throws where the database does not answer: the page says so, and is without its gauges */
  count(): Promise<FleetCounts>;
  /** Gateways that wait here for a change. */
  waiters(): number;
}

export function openFleetMetrics({ build, count, waiters }: FleetMetricsOptions): FleetMetrics {
  const fleet = new Registry();
  const process = new Registry();
  const gauges = fleetGauges(fleet);
  const series = processSeries(process);
  buildInfo(process, build);
  const delays = loopDelay(process);
  return {
    answered(operation, status, seconds) {
      series.requests.inc({ operation, status: `${status}` });
      series.durations.observe({ operation }, seconds);
    },
    houseKept(atMs, seconds) {
      series.house.set(atMs / 1000);
      series.houseDuration.set(seconds);
    },
    eventLoopDelay: (seconds) => delays.observe(seconds),
    contentType: process.contentType,
    async text() {
      series.waiters.set(waiters());
      const counts = await count().catch(() => undefined);
      series.database.set(counts ? 1 : 0);
      if (!counts) return process.metrics();
      gauges.set(counts);
      return `${await fleet.metrics()}${await process.metrics()}`;
    },
  };
}

function fleetGauges(registry: Registry): { set(counts: FleetCounts): void } {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const states = {
    gateways: gauge('uplift_fleet_gateways', 'Gateways in each state.', ['state']),
    campaigns: gauge('uplift_fleet_campaigns', 'Campaigns in each state.', ['state']),
    devices: gauge(
      'uplift_fleet_devices',
      'Devices in each state, of campaigns that run, are paused or held.',
      ['state'],
    ),
  };
  const silent = gauge(
    'uplift_fleet_gateways_silent',
    'Enrolled gateways that were not heard of for so long that nothing new is granted to them.',
  );
  const inTrouble = gauge(
    'uplift_fleet_gateways_in_trouble',
    'Enrolled gateways whose reports are refused until somebody acts.',
  );
  return {
    set(counts) {
      silent.set(counts.gatewaysSilent);
      inTrouble.set(counts.gatewaysInTrouble);
      for (const name of ['gateways', 'campaigns', 'devices'] as const)
        for (const [state, number] of Object.entries(counts[name]))
          states[name].set({ state }, number);
    },
  };
}

function processSeries(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'uplift_fleet_requests_total',
      help: 'Requests that were answered, by operation and HTTP status.',
      labelNames: ['operation', 'status'],
      registers,
    }),
    durations: new Histogram({
      name: 'uplift_fleet_request_duration_seconds',
      help: 'How long answers took; of the operation desired it includes waiting for a change.',
      labelNames: ['operation'],
      buckets: REQUEST_BUCKETS_S,
      registers,
    }),
    waiters: new Gauge({
      name: 'uplift_fleet_waiting_gateways',
      help: 'Gateways that wait at this process for a change.',
      registers,
    }),
    database: new Gauge({
      name: 'uplift_fleet_database_up',
      help: 'Whether the database answered when this page was made.',
      registers,
    }),
    house: new Gauge({
      name: 'uplift_fleet_last_house_timestamp_seconds',
      help: 'When this process last did all that was due.',
      registers,
    }),
    houseDuration: new Gauge({
      name: 'uplift_fleet_last_house_duration_seconds',
      help: 'How long that took.',
      registers,
    }),
  };
}
