/** What a gateway counts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MetricsPage, NO_METRICS, openMetrics } from '../../src/observe/metrics.ts';
import { LABEL_VALUES_MAX } from '../../src/observe/registry.ts';
import {
  type Family,
  keepsConventions,
  keepsTable,
  parsePage,
  type SeriesTable,
  sampleOf,
} from './page.ts';

const BUILD = { version: '1.2.3', node: '24.21.0', sqlite: '3.53.4' };

/** Every name, type and label of the page; nothing else is on it. */
const TABLE: SeriesTable = {
  uplift_devices: ['gauge', ['state']],
  uplift_transfer_bytes_total: ['counter', ['link']],
  uplift_transfer_duration_seconds: ['histogram', ['link']],
  uplift_update_results_total: ['counter', ['code', 'result']],
  uplift_verify_failures_total: ['counter', ['reason']],
  uplift_journal_unacked_events: ['gauge', []],
  uplift_last_central_contact_timestamp_seconds: ['gauge', []],
  uplift_serial_errors_total: ['counter', ['kind']],
  uplift_event_loop_delay_seconds: ['histogram', []],
  uplift_build_info: ['gauge', ['node', 'sqlite', 'version']],
};

async function pageOf(work: (metrics: MetricsPage) => void): Promise<Map<string, Family>> {
  const metrics = openMetrics(BUILD);
  work(metrics);
  return parsePage(await metrics.text());
}

function everything(metrics: MetricsPage): void {
  metrics.deviceState(undefined, 'planned');
  metrics.transferBytes('zigbee', 48);
  metrics.transferDuration('serial', 31);
  metrics.result('failed', 'link-lost');
  metrics.verifyFailure('cpl.listed');
  metrics.journalUnacked(3);
  metrics.lastCentralContact(1_800_000_000_500);
  metrics.serialErrors('repeat', 1);
  metrics.eventLoopDelay(0.001);
}

test('names, types and labels are those of the table', async () => {
  const page = await pageOf(everything);
  keepsTable(page, TABLE);
});

test('names keep the conventions: one prefix, base units, _total on counters alone', async () => {
  const page = await pageOf(everything);
  keepsConventions(page);
});

test('what was told is what is shown', async () => {
  const page = await pageOf((metrics) => {
    everything(metrics);
    metrics.deviceState('planned', 'distributing');
    metrics.deviceState(undefined, 'planned');
    metrics.deviceState('distributing', undefined);
    metrics.transferBytes('zigbee', 2);
    metrics.serialErrors('repeat', 1);
    metrics.journalUnacked(2);
  });
  assert.is(sampleOf(page, 'uplift_devices', { state: 'planned' }), 1);
  assert.is(sampleOf(page, 'uplift_devices', { state: 'distributing' }), 0);
  assert.is(sampleOf(page, 'uplift_transfer_bytes_total', { link: 'zigbee' }), 50);
  assert.is(
    sampleOf(page, 'uplift_transfer_bytes_total', { link: 'wan' }),
    0,
    'there from the start',
  );
  const failed = { result: 'failed', code: 'link-lost' };
  assert.is(sampleOf(page, 'uplift_update_results_total', failed), 1);
  assert.is(sampleOf(page, 'uplift_verify_failures_total', { reason: 'cpl.listed' }), 1);
  assert.is(sampleOf(page, 'uplift_journal_unacked_events'), 2);
  assert.is(sampleOf(page, 'uplift_last_central_contact_timestamp_seconds'), 1_800_000_000.5);
  assert.is(sampleOf(page, 'uplift_serial_errors_total', { kind: 'repeat' }), 2);
  assert.is(sampleOf(page, 'uplift_build_info', BUILD), 1);
});

test('a histogram counts up to +Inf, which is its count', async () => {
  const page = await pageOf((metrics) => {
    for (const seconds of [1, 31, 90, 1e9]) metrics.transferDuration('serial', seconds);
  });
  const { samples } = page.get('uplift_transfer_duration_seconds')!;
  const buckets = samples.filter(({ name }) => name.endsWith('_bucket'));
  const values = buckets.map(({ value }) => value);
  assert.equal(
    values,
    [...values].sort((a, b) => a - b),
  );
  assert.is(buckets.at(-1)!.labels['le'], '+Inf');
  const of = (end: string) => samples.find(({ name }) => name.endsWith(end))!.value;
  assert.equal([buckets.at(-1)!.value, of('_count'), of('_sum')], [4, 4, 1_000_000_122]);
});

test('a gateway that never heard of its centre shows no time of it', async () => {
  const page = await pageOf(() => {});
  assert.not.ok(page.has('uplift_last_central_contact_timestamp_seconds'));
});

test('labels stay few and plain whatever comes', async () => {
  const page = await pageOf((metrics) => {
    for (let n = 0; n < 5_000; n++) metrics.verifyFailure(`rule-${n}`);
    metrics.verifyFailure('00:0d:6f:00:0a:90:69:e7');
    metrics.verifyFailure('x"} 1\nuplift_devices 7');
    metrics.result('done', 'a'.repeat(10_000));
  });
  const { samples } = page.get('uplift_verify_failures_total')!;
  assert.is(samples.length, LABEL_VALUES_MAX + 1);
  const others = sampleOf(page, 'uplift_verify_failures_total', { reason: 'other' });
  assert.is(others, 5_000 - LABEL_VALUES_MAX + 2);
  assert.is(sampleOf(page, 'uplift_update_results_total', { result: 'done', code: 'other' }), 1);
});

test('two pages know nothing of each other, and no metrics are harmless', async () => {
  await pageOf((metrics) => metrics.serialErrors('unplug', 1));
  const page = await pageOf(() => {});
  assert.is(sampleOf(page, 'uplift_serial_errors_total', { kind: 'unplug' }), 0);
  NO_METRICS.deviceState('a', 'b');
  NO_METRICS.result('done', 'none');
  assert.match(openMetrics(BUILD).contentType, /^text\/plain; version=0\.0\.4/);
});

test.run();
