/**
 * Series for Prometheus, and what every page of ours has of them. The only import of prom-client.
 *
 * Every label has few values: names of tables, never a device, job or address. A label whose values come
 * from elsewhere (rules, codes) is cut off at `LABEL_VALUES_MAX`, and what comes after is counted as
 * `other`: memory is bounded whatever comes.
 */
import { Gauge, Histogram, type Registry } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

export const LABEL_VALUES_MAX = 200;
const OTHER = 'other';

/** A block wants its answer within some 100 ms. */
const LOOP_DELAY_BUCKETS_S = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** What a scraper is given. */
export interface PageText {
  /** Of the Prometheus text format. */
  readonly contentType: string;
  text(): Promise<string>;
}

/** Remembers the values a label has had, and takes no more of them than there may be. */
export class BoundedLabel {
  private readonly seen = new Set<string>();

  of(value: string): string {
    if (this.seen.has(value)) return value;
    if (this.seen.size === LABEL_VALUES_MAX || !/^[a-z0-9][a-z0-9.-]{0,63}$/.test(value))
      return OTHER;
    this.seen.add(value);
    return value;
  }
}

/** What runs; always 1. */
export function buildInfo(registry: Registry, facts: Readonly<Record<string, string>>): void {
  new Gauge({
    name: 'uplift_build_info',
    help: 'What runs; always 1.',
    labelNames: Object.keys(facts),
    registers: [registry],
  }).set({ ...facts }, 1);
}

export function loopDelay(registry: Registry): Histogram {
  return new Histogram({
    name: 'uplift_event_loop_delay_seconds',
    help: 'How late timers of the event loop came.',
    buckets: LOOP_DELAY_BUCKETS_S,
    registers: [registry],
  });
}
