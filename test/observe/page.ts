/** A page of metrics, read by a naive parser and held against the conventions of Prometheus. */
import * as assert from 'uvu/assert';

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

/** Every name of a page, its type and its labels. */
export type SeriesTable = Record<string, [type: string, labels: string[]]>;

/** Line by line, as the text format 0.0.4 is described: # HELP, # TYPE, then the samples of that name. */
export function parsePage(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current = '';
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      assert.not.ok(families.has(name!), `${name} stands once`);
      families.set(name!, { type: '', help: rest!, samples: [] });
      current = name!;
    } else if (keyword === 'TYPE') {
      assert.is(name, current, 'TYPE after its HELP');
      families.get(name!)!.type = rest!;
    } else {
      const found = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      assert.ok(found, `a sample: ${line}`);
      const labels = [...(found[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)",?/g)];
      assert.ok(found[1]!.startsWith(current), `${found[1]} below ${current}`);
      families.get(current)!.samples.push({
        name: found[1]!,
        labels: Object.fromEntries(labels.map(([, label, value]) => [label!, value!])),
        value: found[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(found[3]),
      });
    }
  }
  return families;
}

export function sampleOf(
  page: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
) {
  const samples = page.get(name)?.samples.filter((sample) => sample.name === name) ?? [];
  return samples.find((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}

/** Names, types and labels are those of the table, and nothing else is on the page. */
export function keepsTable(page: Map<string, Family>, table: SeriesTable): void {
  assert.equal([...page.keys()].sort(), Object.keys(table).sort());
  for (const [name, { type, help, samples }] of page) {
    assert.is(type, table[name]![0], name);
    assert.match(help, /^[A-Z].*\.$/);
    assert.ok(samples.length > 0, `${name} has a sample`);
    for (const { labels } of samples) {
      const { le: _, ...own } = labels;
      assert.equal(Object.keys(own).sort(), table[name]![1], name);
    }
  }
}

/** One prefix, base units, `_total` on counters alone, and no label that has many values. */
export function keepsConventions(page: Map<string, Family>): void {
  for (const [name, { type, samples }] of page) {
    assert.match(name, /^uplift_[a-z]+(_[a-z]+)*$/);
    assert.is(name.endsWith('_total'), type === 'counter', name);
    assert.not.match(name, /_(ms|milliseconds|minutes|hours|kb|kib|percent|count|sum|bucket)(_|$)/);
    assert.not.match(name, /gauge|counter|histogram/, 'the type is no part of a name');
    if (type === 'histogram') assert.match(name, /_(seconds|bytes)$/);
    for (const { labels } of samples) {
      for (const label of Object.keys(labels)) {
        assert.match(label, /^[a-z]+$/);
        assert.not.ok(['device', 'dev', 'eui64', 'id', 'job', 'port', 'address'].includes(label));
      }
    }
  }
}
