/**
 * What a gateway counts, for Prometheus. The only import of prom-client.
 *
 * Every label has few values: names of tables, never a device, job or address. What one device does is
 * told by the API and the journal. A label whose values come from elsewhere (rules, codes) is cut off at
 * `LABEL_VALUES_MAX`, and what comes after is counted as `other`: memory is bounded whatever comes.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { assert } from '../errors.ts';

/** What carries image bytes. */
export const METRIC_LINKS = ['serial', 'zigbee', 'wan'] as const;
export type MetricLink = (typeof METRIC_LINKS)[number];

/** What goes wrong on a serial line: something had to be sent again, its port vanished. */
export const SERIAL_ERROR_KINDS = ['repeat', 'unplug'] as const;
export type SerialErrorKind = (typeof SERIAL_ERROR_KINDS)[number];

export const LABEL_VALUES_MAX = 200;
const OTHER = 'other';

/** From a Communications Hub at 115200 baud (half a minute) to a sleeping PPMID (a day). */
const TRANSFER_BUCKETS_S = [10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400];
/** A block wants its answer within some 100 ms. */
const LOOP_DELAY_BUCKETS_S = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export interface BuildFacts {
  version: string;
  node: string;
  sqlite: string;
}

/** What the parts of a gateway tell; nobody but `openMetrics` knows how it is kept. */
export interface GatewayMetrics {
  /** A device moved; `from` undefined: it is new, `to` undefined: it is gone. */
  deviceState(from: string | undefined, to: string | undefined): void;
  transferBytes(link: MetricLink, bytes: number): void;
  /** Once a transfer, from its start to its end. */
  transferDuration(link: MetricLink, seconds: number): void;
  /** A final state; `code` says why, and is `none` where there is nothing to say. */
  result(result: string, code: string): void;
  /** An image or device was refused by this rule. */
  verifyFailure(rule: string): void;
  journalUnacked(events: number): void;
  /** Until the first one the series is absent: an alert on its age does not take 1970 for a contact. */
  lastCentralContact(atMs: number): void;
  serialErrors(kind: SerialErrorKind, count: number): void;
  /** How late a timer of the event loop came. */
  eventLoopDelay(seconds: number): void;
}

export interface MetricsPage extends GatewayMetrics {
  /** Of the Prometheus text format. */
  readonly contentType: string;
  text(): Promise<string>;
}

/** Whose metrics nobody asks for. */
export const NO_METRICS: GatewayMetrics = {
  deviceState() {},
  transferBytes() {},
  transferDuration() {},
  result() {},
  verifyFailure() {},
  journalUnacked() {},
  lastCentralContact() {},
  serialErrors() {},
  eventLoopDelay() {},
};

export function openMetrics(build: BuildFacts): MetricsPage {
  const registry = new Registry();
  const series = makeSeries(registry);
  series.build.set({ ...build }, 1);
  for (const link of METRIC_LINKS) series.bytes.inc({ link }, 0);
  for (const kind of SERIAL_ERROR_KINDS) series.serialErrors.inc({ kind }, 0);
  const states = new BoundedLabel();
  const results = new BoundedLabel();
  const codes = new BoundedLabel();
  const rules = new BoundedLabel();
  let contactTold = false;
  return {
    deviceState(from, to) {
      if (from !== undefined) series.devices.dec({ state: states.of(from) });
      if (to !== undefined) series.devices.inc({ state: states.of(to) });
    },
    transferBytes(link, bytes) {
      assert(bytes >= 0, 'bytes are counted up');
      series.bytes.inc({ link }, bytes);
    },
    transferDuration: (link, seconds) => series.durations.observe({ link }, seconds),
    result: (result, code) =>
      series.results.inc({ result: results.of(result), code: codes.of(code) }),
    verifyFailure: (rule) => series.refusals.inc({ reason: rules.of(rule) }),
    journalUnacked: (events) => series.unacked.set(events),
    lastCentralContact(atMs) {
      if (!contactTold) registry.registerMetric(series.contact);
      contactTold = true;
      series.contact.set(atMs / 1000);
    },
    serialErrors: (kind, count) => series.serialErrors.inc({ kind }, count),
    eventLoopDelay: (seconds) => series.loopDelay.observe(seconds),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

function makeSeries(registry: Registry) {
  const registers = [registry];
  return {
    devices: new Gauge({
      name: 'uplift_devices',
      help: 'Devices in each state.',
      labelNames: ['state'],
      registers,
    }),
    bytes: new Counter({
      name: 'uplift_transfer_bytes_total',
      help: 'Image bytes sent over each kind of link.',
      labelNames: ['link'],
      registers,
    }),
    durations: new Histogram({
      name: 'uplift_transfer_duration_seconds',
      help: 'How long transfers of images took, from start to end.',
      labelNames: ['link'],
      buckets: TRANSFER_BUCKETS_S,
      registers,
    }),
    results: new Counter({
      name: 'uplift_update_results_total',
      help: 'Upgrades that came to an end, by final state and code.',
      labelNames: ['result', 'code'],
      registers,
    }),
    refusals: new Counter({
      name: 'uplift_verify_failures_total',
      help: 'Refusals of an image for a device, by rule.',
      labelNames: ['reason'],
      registers,
    }),
    unacked: new Gauge({
      name: 'uplift_journal_unacked_events',
      help: 'Events of the journal that the centre has not acknowledged.',
      registers,
    }),
    contact: new Gauge({
      name: 'uplift_last_central_contact_timestamp_seconds',
      help: 'When the centre was last heard of; absent before the first time.',
      registers: [],
    }),
    serialErrors: new Counter({
      name: 'uplift_serial_errors_total',
      help: 'Errors on serial lines.',
      labelNames: ['kind'],
      registers,
    }),
    loopDelay: new Histogram({
      name: 'uplift_event_loop_delay_seconds',
      help: 'How late timers of the event loop came.',
      buckets: LOOP_DELAY_BUCKETS_S,
      registers,
    }),
    build: new Gauge({
      name: 'uplift_build_info',
      help: 'What runs; always 1.',
      labelNames: ['version', 'node', 'sqlite'],
      registers,
    }),
  };
}

/** Remembers the values a label has had, and takes no more of them than there may be. */
class BoundedLabel {
  private readonly seen = new Set<string>();

  of(value: string): string {
    if (this.seen.has(value)) return value;
    if (this.seen.size === LABEL_VALUES_MAX || !/^[a-z0-9][a-z0-9.-]{0,63}$/.test(value))
      return OTHER;
    this.seen.add(value);
    return value;
  }
}
