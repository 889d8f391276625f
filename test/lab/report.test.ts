/** Reports: the XML against the form that others read, the page for what it must not do, the figures. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DOMParser } from '@xmldom/xmldom';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { failureOf, labError } from '../../src/lab/failure.ts';
import { LAB_CLASSES, LAB_CODES, type LabCodeName } from '../../src/lab/failure-classes.ts';
import { steadiness, steadinessWord, wilson } from '../../src/lab/report/flakiness.ts';
import { reportHtml } from '../../src/lab/report/html.ts';
import { junitXml } from '../../src/lab/report/junit.ts';
import { againCommand, replayCommand } from '../../src/lab/report/replay.ts';
import { runLines } from '../../src/lab/report/run-lines.ts';
import { writeReports } from '../../src/lab/report/write-reports.ts';
import type { RunResult } from '../../src/lab/run-result.ts';
import { RunLog, type RunLogContent, readRunLog } from '../../src/lab/runner/run-log.ts';
import { newFolder, removeFolders } from './fake-hands.ts';

const test = suite('reports');

function resultOf(n: number, code?: LabCodeName, change: Partial<RunResult> = {}): RunResult {
  return {
    run: `cut test-hub image=a #${n}`,
    scenario: 'cut',
    models: { device: 'test-hub' },
    devices: { device: 'hub' },
    cell: { image: 'a' },
    seed: n,
    attempt: 1,
    startedAtMs: Date.UTC(2027, 0, 1, 1, n),
    wallMs: 4_000,
    outcome: code ? 'failed' : 'passed',
    ...(code && {
      failure: failureOf(labError(code, { actual: 'a <b> & "c" \u0007\ud800' }), 'steps[1]'),
    }),
    cleanUpFailures: [],
    steps: [{ step: 'steps[0]', title: 'upgrade', startedMs: 0, wallMs: 3_900, outcome: 'passed' }],
    timeline: [
      { atMs: 0, device: 'hub', what: 'distributing', kind: 'state' },
      { atMs: 900, device: 'hub', what: 'power off', detail: '</text><script>', kind: 'deed' },
      { atMs: 3_000, device: 'hub', what: 'done', kind: 'state' },
    ],
    upgrades: [
      {
        device: 'hub',
        image: '/images/a.bin',
        state: 'done',
        startedMs: 0,
        wallMs: 3_900,
        totalBytes: 1_000,
        sentBytes: 1_000,
        blocks: 10,
        repeats: 1,
        bytesAgain: 0,
        samples: [
          { atMs: 100, sentBytes: 10 },
          { atMs: 2_900, sentBytes: 1_000 },
        ],
      },
    ],
    faults: { corrupted: 3 },
    ...change,
  };
}

const HEAD: RunLogContent['head'] = {
  kind: 'lab',
  version: 1,
  seed: 42,
  rig: { path: '/rigs/my rig.yaml', id: 'my-rig' },
  scenarios: [{ name: 'cut', path: '/scenarios/cut.yaml', values: { pairs: 2 }, sha256: '00' }],
  repeat: 1,
  startedAtMs: Date.UTC(2027, 0, 1, 1),
};

function contentOf(attempts: RunResult[]): RunLogContent {
  const finals = new Map(attempts.map((result) => [result.run, result]));
  return { folder: '/labs/one night', head: HEAD, attempts, finals, begun: new Map() };
}

/** One of each class, one that passed, and one that passed later. */
const ALL = contentOf([
  resultOf(1),
  resultOf(2, 'power-failed'),
  resultOf(3, 'upgrade-too-long'),
  resultOf(4, 'version-other'),
  resultOf(5, 'too-slow'),
  resultOf(6, 'upgrade-too-long'),
  resultOf(6, undefined, { attempt: 2 }),
]);

/** As the schema of Jenkins has it: children of each element in their order, and its attributes. */
const JUNIT: Record<string, { children: string[]; required: string[]; optional: string[] }> = {
  testsuites: {
    children: ['testsuite'],
    required: [],
    optional: ['name', 'time', 'tests', 'failures', 'disabled', 'errors'],
  },
  testsuite: {
    children: ['properties', 'testcase', 'system-out', 'system-err'],
    required: ['name', 'tests'],
    optional: [
      'failures',
      'errors',
      'time',
      'disabled',
      'skipped',
      'timestamp',
      'hostname',
      'id',
      'package',
    ],
  },
  properties: { children: ['property'], required: [], optional: [] },
  property: { children: [], required: ['name', 'value'], optional: [] },
  testcase: {
    children: ['skipped', 'error', 'failure', 'system-out', 'system-err'],
    required: ['name'],
    optional: ['assertions', 'time', 'classname', 'status'],
  },
  error: { children: [], required: [], optional: ['type', 'message'] },
  failure: { children: [], required: [], optional: ['type', 'message'] },
  'system-out': { children: [], required: [], optional: [] },
};

/** As much of an element as is looked at. */
interface XmlElement {
  tagName: string;
  nodeType: number;
  attributes: ArrayLike<{ name: string }>;
  childNodes: ArrayLike<XmlElement>;
}

function checkShape(element: XmlElement): void {
  const rule = JUNIT[element.tagName];
  assert.ok(rule, `${element.tagName} is an element of the schema`);
  const names = Array.from(element.attributes, ({ name }) => name);
  for (const name of names) assert.ok([...rule.required, ...rule.optional].includes(name), name);
  for (const name of rule.required) assert.ok(names.includes(name), `${element.tagName} ${name}`);
  const children = Array.from(element.childNodes).filter(({ nodeType }) => nodeType === 1);
  const places = children.map(({ tagName }) => rule.children.indexOf(tagName));
  assert.not.ok(places.includes(-1), children.map(({ tagName }) => tagName).join());
  assert.equal(
    places,
    [...places].sort((a, b) => a - b),
  );
  for (const child of children) checkShape(child);
}

test('the XML is of the shape that others read, with the counts of what is in it', () => {
  const xml = junitXml(ALL);
  const errorHandler = (level: string, message: string) =>
    assert.unreachable(`${level} ${message}`);
  const root = new DOMParser({ errorHandler }).parseFromString(xml, 'text/xml').documentElement;
  checkShape(root as unknown as XmlElement);
  const suiteElement = root.getElementsByTagName('testsuite')[0]!;
  const count = (name: string) => suiteElement.getElementsByTagName(name).length;
  assert.is(Number(suiteElement.getAttribute('tests')), count('testcase'));
  assert.is(Number(suiteElement.getAttribute('errors')), count('error'));
  assert.is(Number(suiteElement.getAttribute('failures')), count('failure'));
  assert.equal([count('testcase'), count('error'), count('failure')], [6, 1, 3]);
  assert.is(suiteElement.getElementsByTagName('error')[0]!.getAttribute('type'), 'infra');
  assert.match(suiteElement.getAttribute('timestamp')!, /^2027-01-01T01:01:00$/);
  assert.match(xml, 'before: flash upgrade-too-long');
});

test('the page loads nothing, runs nothing, and says everything in words', () => {
  const html = reportHtml([ALL]);
  assert.not.match(html, /<script|<link|<img|<iframe|@import|url\(|srcset|\ssrc=/i);
  assert.not.match(html.replaceAll('http-equiv', ''), /https?:/);
  assert.not.ok(html.includes('\u0007') || html.includes('\ud800'));
  assert.match(html, 'prefers-color-scheme:dark');
  assert.match(html, /Seed.*42/s);
  for (const [name, sentence] of Object.entries(LAB_CLASSES)) {
    assert.match(html, name);
    assert.match(html, sentence);
  }
  assert.match(html, '<polyline');
  assert.match(html, 'power off at 0.9 s');
  assert.match(html, /--seed 42 --set pairs=2 --run/);
});

test('of many runs that passed the first are told, and all that failed', () => {
  const many = contentOf([
    ...Array.from({ length: 900 }, (_, n) => resultOf(n + 10)),
    resultOf(1, 'too-slow'),
  ]);
  const html = reportHtml([many]);
  assert.match(html, '601 more runs passed');
  assert.match(html, 'assertion: too-slow');
  assert.ok(html.length < 2_000_000, `${html.length}`);
});

test('steadiness counts what the device did, over many labs, and the rig apart', () => {
  const [row, ...others] = steadiness([ALL, contentOf([resultOf(7), resultOf(8, 'power-failed')])]);
  assert.is(others.length, 0);
  assert.is(row!.runs, 6);
  assert.is(row!.passed, 3);
  assert.is(row!.passedLater, 1);
  assert.equal(row!.failed, { infra: 2, flash: 1, device: 1, assertion: 1 });
  assert.is(row!.isFlaky, true);
  assert.is(row!.image, 'a.bin');
  const [steady] = steadiness([contentOf([resultOf(1), resultOf(2)])]);
  assert.is(steady!.isFlaky, false);
  const wordOf = (count: number) => {
    const results = Array.from({ length: count }, (_, index) => resultOf(index + 1));
    return steadinessWord(steadiness([contentOf(results)])[0]!);
  };
  assert.equal([wordOf(9), wordOf(10)], ['passed so far', 'steady']);
  assert.is(steadinessWord(row!), 'flaky');
});

test('intervals are those of the published examples', () => {
  // Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  const cases = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const;
  for (const [passed, runs, low, high] of cases) {
    const found = wilson(passed, runs);
    assert.ok(Math.abs(found.low - low) < 0.0001, `${passed} of ${runs}: ${found.low}`);
    assert.ok(Math.abs(found.high - high) < 0.0001, `${passed} of ${runs}: ${found.high}`);
  }
});

test('lines for programs are JSON, one a run, without curves', () => {
  const lines = runLines(ALL)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.is(lines.length, 6);
  assert.is(lines[0].labSeed, 42);
  assert.not.ok('samples' in lines[0].upgrades[0]);
  assert.is(lines.find(({ run }) => run.endsWith('#4')).failure.class, 'device');
});

test('a command to run it again is whole for a shell', () => {
  const command = againCommand(resultOf(3), contentOf([]));
  assert.match(command, "--rig '/rigs/my rig.yaml'");
  assert.match(command, "--run 'cut test-hub image=a #3'");
});

test('a failure is replayed from its recording; without a machine in it, it is shown', () => {
  const recording = { path: 'recordings/cut-1.uplrec', machines: 2 };
  const folder = '/labs/one night';
  const told = "uplift lab replay '/labs/one night/recordings/cut-1.uplrec'";
  assert.is(replayCommand({ recording }, folder), told);
  const bare = { recording: { ...recording, machines: 0 } };
  assert.match(replayCommand(bare, folder)!, /^uplift trace show '/);
  assert.is(replayCommand({}, folder), undefined);
  const failed = contentOf([resultOf(1, 'too-slow', { recording })]);
  for (const report of [junitXml(failed), reportHtml([failed])]) {
    assert.ok(report.replaceAll('&#39;', "'").includes(told), report.slice(0, 2_000));
  }
});

test('reports lie in the folder of their lab', () => {
  const folder = join(newFolder(), 'lab');
  const { kind, version, ...head } = HEAD;
  const log = RunLog.create(folder, head);
  for (const result of ALL.attempts) log.append({ kind: 'ended', isFinal: true, result });
  log.close();
  const paths = writeReports(folder);
  assert.is(readRunLog(folder).finals.size, 6);
  for (const path of Object.values(paths)) assert.ok(existsSync(path), path);
});

test('every code of the lab can be told', () => {
  for (const code of Object.keys(LAB_CODES) as LabCodeName[]) {
    assert.match(junitXml(contentOf([resultOf(1, code)])), code);
  }
});

test.after(removeFolders);
test.run();
