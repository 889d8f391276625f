/** docs/reference/metrics.md: what is counted, read off the pages that are served. */
import { openFleetMetrics } from '../../src/observe/fleet-metrics.ts';
import { openMetrics } from '../../src/observe/metrics.ts';
import { code, page, table } from './markdown.ts';

interface Series {
  name: string;
  kind: string;
  help: string;
  labels: Set<string>;
}

export async function metricsPage(): Promise<string> {
  return page(
    'Metrics',
    'For Prometheus, where `metrics.serve` says so: `api` to viewers of the API, `listener` on a port of this ' +
      'machine. Labels have few values, never a device, a job or an address.',
    '## A gateway',
    seriesTable(await gatewayText()),
    '## A coordinator',
    seriesTable(await fleetText()),
  );
}

/** Every series once, so that its labels are seen. */
async function gatewayText(): Promise<string> {
  const metrics = openMetrics({ version: '0', node: '0', sqlite: '0' });
  metrics.deviceState(undefined, 'planned');
  metrics.transferDuration('serial', 1);
  metrics.result('done', 'none');
  metrics.verifyFailure('image.readable');
  metrics.lastCentralContact(0);
  return metrics.text();
}

async function fleetText(): Promise<string> {
  const counts = { gateways: { enrolled: 1 }, campaigns: { running: 1 }, devices: { waiting: 1 } };
  const metrics = openFleetMetrics({
    build: { version: '0', node: '0' },
    count: async () => ({ ...counts, gatewaysSilent: 0, gatewaysInTrouble: 0 }),
    waiters: () => 0,
  });
  metrics.answered('health', 200, 0);
  return metrics.text();
}

function seriesTable(text: string): string {
  const all = new Map<string, Series>();
  for (const line of text.split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    const series = all.get(name) ?? { name, kind: '', help: '', labels: new Set() };
    if (word === 'HELP') all.set(name, { ...series, help: rest });
    if (word === 'TYPE') all.set(name, { ...series, kind: rest });
    const [, sample = '', labels = ''] = /^([a-z_]+)\{([^}]*)\}/.exec(line) ?? [];
    const of = all.get(sample) ?? all.get(sample.replace(/_(bucket|sum|count)$/, ''));
    for (const [, label] of labels.matchAll(/([a-z_]+)="/g))
      if (label !== 'le') of?.labels.add(label!);
  }
  return table(
    ['Series', 'Kind', 'Labels', 'What it is'],
    [...all.values()].map(({ name, kind, help, labels }) => [
      code(name),
      kind,
      [...labels].map(code).join(', '),
      help,
    ]),
  );
}
