/** The live table: what is in it, that it fits every terminal, and that no state is a colour alone. */
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cellsOf } from '../../src/cli/cells.ts';
import {
  type DeviceProgress,
  deviceTable,
  newProgress,
  progressText,
  recordProgress,
} from '../../src/cli/device-table.ts';
import { stateCell } from '../../src/cli/state-sign.ts';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';

const test = suite('device table');
const NOW_MS = 1_000_000;

function entry(change: Partial<DeviceProgress> = {}): DeviceProgress {
  const history = [4, 3, 2, 1, 0].map((ago) => ({
    atMs: NOW_MS - ago * 1_000,
    sentBytes: 65_551 - ago * 1_000,
  }));
  return {
    ...newProgress('ppmid-1'),
    state: 'distributing',
    sentBytes: 65_551,
    totalBytes: 262_204,
    lastRequestMs: NOW_MS - 300,
    silenceMaxMs: 140_000,
    history,
    ...change,
  };
}

function seen(devices: DeviceProgress[], columns: number, linesMax = 16): string[] {
  return deviceTable(devices, NOW_MS, columns, linesMax).map(stripVTControlCharacters);
}

test('a row says device, state, share, bytes, rate, time left, age against its limit, repeats', () => {
  assert.equal(seen([entry({ repeats: 3 }), entry({ device: 'hub-1', state: 'done' })], 160), [
    'device   state                                 done              bytes      rate     left    last block  repeats',
    'ppmid-1  ▸ distributing  █████░░░░░░░░░░░░░░░  25 %  65,551 of 262,204  1.0 kB/s  3-4 min  0.3 of 140 s        3',
    'hub-1    ✓ done',
  ]);
});

test('at 40 columns: device, state, share and time left', () => {
  const lines = seen([entry(), entry({ device: 'メーター-1', state: 'failed' })], 40);
  assert.equal(lines, [
    'device    state           done     left',
    'ppmid-1   ▸ distributing  25 %  3-4 min',
    'メータ…   ✗ failed',
  ]);
});

test('no line is wider than the terminal, however narrow, nor ends in blanks', () => {
  const names = ['ppmid-with-a-long-name', 'メーター', 'cafe\u0301', '👩‍🔧', 'a\u001b[2Jb'];
  const devices = Array.from({ length: 60 }, (_, index) =>
    entry({
      device: `${names[index % names.length]}-${index}`,
      job: index % 3 ? `j${index}` : '',
      state: UPGRADE_STATES[index % UPGRADE_STATES.length]!,
      repeats: index,
    }),
  );
  for (let columns = 2; columns < 160; columns++) {
    const lines = deviceTable(devices, NOW_MS, columns, 14);
    assert.is(lines.length, 14);
    for (const line of lines) {
      assert.ok(cellsOf(line) <= columns - 1, `${columns}: ${line}`);
      assert.is(stripVTControlCharacters(line).trimEnd(), stripVTControlCharacters(line));
      assert.not.match(line, '\u001b[2J', 'a name moves no cursor');
    }
  }
});

test('more devices than lines: those that move first, the rest counted', () => {
  const devices = Array.from({ length: 200 }, (_, index) =>
    entry({
      device: `d${index}`,
      state: index < 150 ? 'done' : index < 197 ? 'staged' : 'distributing',
    }),
  );
  const lines = seen(devices, 120, 8);
  assert.equal(
    lines.slice(1, 7).map((line) => line.split(/ +/)[0]),
    ['d197', 'd198', 'd199', 'd150', 'd151', 'd152'],
  );
  assert.is(lines.at(-1), '200 devices: 150 done, 47 staged, 3 distributing; 25 % of all bytes');
  assert.is(lines.length, 8);
  assert.is(seen(devices.slice(0, 7), 120, 8).length, 8, 'as many as there is room for: no count');
});

test('every state is told by word and sign, and no two that end differently by the same sign', () => {
  const signs = new Map<string, string[]>();
  for (const state of UPGRADE_STATES) {
    const cell = stateCell(state);
    const text = typeof cell === 'string' ? cell : cell.text;
    assert.ok(text.endsWith(` ${state}`));
    const [sign] = text.split(' ');
    signs.set(sign!, [...(signs.get(sign!) ?? []), state]);
  }
  assert.equal(signs.get('✓'), ['done']);
  assert.equal(signs.get('?'), ['unknown-outcome']);
  assert.equal(signs.get('✗'), ['failed', 'refused', 'expired']);
});

test('a long silence is pointed out against its limit', () => {
  assert.match(seen([entry({ lastRequestMs: NOW_MS - 50_000 })], 160)[1]!, '! 50.0 of 140 s');
  assert.match(seen([entry({ lastRequestMs: NOW_MS - 5_000 })], 160)[1]!, / {2}5\.0 of 140 s/);
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
    for (const line of [...seen([entry(change)], 200), progressText(entry(change), NOW_MS)])
      assert.not.match(line, /NaN|Infinity|(^| )-\d/);
  }
  assert.match(seen([entry({ sentBytes: 262_203 })], 200)[1]!, / 99 %/);
  assert.equal(seen([], 80), []);
});

test('in a log each figure says what it is', () => {
  assert.is(
    progressText(entry({ repeats: 3 }), NOW_MS),
    'ppmid-1: 25 %, 65,551 of 262,204 bytes, 1.0 kB/s, 3-4 min left, last block 0.3 of 140 s ago, 3 repeated',
  );
  const silent = entry({ lastRequestMs: Number.NEGATIVE_INFINITY, history: [] });
  assert.match(progressText(silent, NOW_MS), /no rate yet, no block yet$/);
  assert.is(progressText(entry({ state: 'staged' }), NOW_MS), 'ppmid-1: staged');
});

test('a change is taken in, and its bytes are history', () => {
  const device = newProgress('d');
  recordProgress(device, { state: 'distributing', totalBytes: 9 }, NOW_MS);
  recordProgress(device, { sentBytes: 5 }, NOW_MS + 1);
  assert.equal([device.state, device.sentBytes, device.history.length], ['distributing', 5, 1]);
});

test.run();
