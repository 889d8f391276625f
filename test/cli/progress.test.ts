import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DeviceProgress, pace, recordProgress, render } from '../../src/cli/progress.ts';

const test = suite('progress');
const NOW_MS = 1_000_000;

function entry(change: Partial<DeviceProgress> = {}): DeviceProgress {
  return {
    device: 'ppmid',
    state: 'distributing',
    sentBytes: 65_551,
    totalBytes: 262_204,
    repeats: 0,
    lastRequestMs: NOW_MS - 300,
    history: [
      { atMs: NOW_MS - 4_000, sentBytes: 61_551 },
      { atMs: NOW_MS, sentBytes: 65_551 },
    ],
    ...change,
  };
}

test('a line says device, share, bytes, rate, time to go and the age of the last block', () => {
  assert.equal(render([entry({ repeats: 3 })], NOW_MS, 200), [
    'ppmid  █████░░░░░░░░░░░░░░░  25 %  65,551 of 262,204 B  1.0 kB/s, 3 min 17 s to go  last block 0.3 s ago  3 repeated',
  ]);
});

test('nothing moved: no rate is made up', () => {
  const still = { atMs: NOW_MS, sentBytes: 65_551 };
  for (const history of [
    [],
    [still],
    [still, still],
    [{ atMs: NOW_MS - 9, sentBytes: 65_551 }, still],
  ])
    assert.is(pace(entry({ history }), NOW_MS), undefined);
  assert.is(pace(entry(), NOW_MS + 60_000), undefined, 'nor from what moved long ago');
  assert.match(render([entry({ history: [] })], NOW_MS, 200)[0]!, /no rate yet/);
});

test('a resumed download has the rate of what was sent now', () => {
  const device = entry({ sentBytes: 0, history: [] });
  recordProgress(device, { state: 'distributing' }, NOW_MS);
  recordProgress(device, { sentBytes: 200_000 }, NOW_MS + 200);
  assert.is(pace(device, NOW_MS + 200), undefined);
  recordProgress(device, { sentBytes: 202_000 }, NOW_MS + 1_200);
  assert.is(pace(device, NOW_MS + 1_200)!.bytesPerSecond, 2_000);
  recordProgress(device, { sentBytes: 100 }, NOW_MS + 1_400);
  assert.is(pace(device, NOW_MS + 1_400), undefined, 'a download begun anew starts anew');
});

test('history does not grow', () => {
  const device = entry({ history: [] });
  for (let step = 0; step < 5_000; step++)
    recordProgress(device, { sentBytes: step * 50 }, NOW_MS + step * 200);
  assert.ok(device.history.length <= 32, `${device.history.length}`);
  assert.is(Math.round(pace(device, NOW_MS + 4_999 * 200)!.bytesPerSecond), 250);
});

test('no line is wider than the terminal, however narrow', () => {
  const devices = Array.from({ length: 200 }, (_, index) =>
    entry({ device: `ppmid-with-a-long-name-${index + 1}` }),
  );
  for (let columns = 0; columns < 160; columns++) {
    const lines = render(devices, NOW_MS, columns);
    assert.is(lines.length, 13);
    for (const line of lines) assert.ok(line.length <= Math.max(1, columns - 1), `${columns}`);
  }
});

test('200 devices: those that move first, the rest counted', () => {
  const devices = Array.from({ length: 200 }, (_, index) =>
    entry({
      device: `d${index}`,
      state: index < 150 ? 'done' : index < 197 ? 'staged' : 'distributing',
    }),
  );
  const lines = render(devices, NOW_MS, 120);
  assert.equal(
    lines.slice(0, 4).map((line) => line.split(/ +/)[0]),
    ['d197', 'd198', 'd199', 'd150'],
  );
  assert.is(lines.at(-1), '200 devices: 150 done, 47 staged, 3 distributing; 25 % of all bytes');
});

test('what a coordinator says can be odd; the lines hold', () => {
  const odd: Partial<DeviceProgress>[] = [
    { totalBytes: 0, sentBytes: 0 },
    { sentBytes: 300_000 },
    { lastRequestMs: NOW_MS + 5_000 },
    {
      history: [
        { atMs: NOW_MS + 1, sentBytes: 0 },
        { atMs: NOW_MS, sentBytes: 5 },
      ],
    },
  ];
  for (const change of odd) {
    const [line] = render([entry(change)], NOW_MS, 200);
    assert.not.match(line!, /NaN|Infinity|-\d/);
  }
  assert.match(render([entry({ sentBytes: 262_203 })], NOW_MS, 200)[0]!, / 99 %/);
  assert.match(
    render([entry({ lastRequestMs: Number.NEGATIVE_INFINITY })], NOW_MS, 200)[0]!,
    /no block yet/,
  );
  assert.equal(render([], NOW_MS, 80), []);
});

test.run();
