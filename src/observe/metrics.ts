/**
 * What a gateway counts, for Prometheus. What one device does is told by the API and the journal.
 */
import { assert } from '../errors.ts';
import {
  BoundedLabel,
  buildInfo,
  Counter,
  Gauge,
  Histogram,
  loopDelay,
  type PageText,
  Registry,
} from './registry.ts';

/** What carries image bytes. */
export const METRIC_LINKS = ['serial', 'zigbee', 'wan'] as const;
export type MetricLink = (typeof METRIC_LINKS)[number];

/** What goes wrong on a serial line: something had to be sent again, its port vanished. */
export const SERIAL_ERROR_KINDS = ['repeat', 'unplug'] as const;
export type SerialErrorKind = (typeof SERIAL_ERROR_KINDS)[number];

/** From a Communications Hub at 115200 baud (half a minute) to a sleeping PPMID (a day). */
const TRANSFER_BUCKETS_S = [10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400];

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

export interface MetricsPage extends GatewayMetrics, PageText {}

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
  buildInfo(registry, { ...build });
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
    loopDelay: loopDelay(registry),
  };
}
