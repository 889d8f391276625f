/** Running upgrades as a table, one row a device: the same for `uplift flash` and for `uplift watch`. */
import { printable } from '../products/codes.ts';
import { fitTable, type TableCell, type TableColumn } from './live-table.ts';
import { bytesText } from './output.ts';
import { addSample, rateOf, type Sample, timeLeft, timeLeftText } from './pace.ts';
import { stateCell, stateRank } from './state-sign.ts';

const BAR_CELLS = 20;
/** Past this share of its limit a silence is pointed out. */
const LONG_SILENCE = 0.25;

export interface DeviceProgress {
  device: string;
  /** Of a gateway's. */
  job?: string;
  state: string;
  sentBytes: number;
  totalBytes: number;
  repeats: number;
  lastRequestMs: number;
  /** Silent for longer, the transfer is given up; absent where that is not told. */
  silenceMaxMs?: number;
  history: Sample[];
}

const COLUMNS: readonly TableColumn[] = [
  { head: 'device', wanted: 9, leastCells: 8 },
  { head: 'job', wanted: 4 },
  { head: 'state', wanted: 10 },
  { head: '', wanted: 0 },
  { head: 'done', align: 'right', wanted: 8 },
  { head: 'bytes', align: 'right', wanted: 1 },
  { head: 'rate', align: 'right', wanted: 3 },
  { head: 'left', align: 'right', wanted: 7 },
  { head: 'last block', align: 'right', wanted: 6 },
  { head: 'repeats', align: 'right', wanted: 2 },
];

/** Takes a change into account; the rate is of bytes seen to move, so a resumed download counts from where it is. */
export function recordProgress(
  entry: DeviceProgress,
  change: Partial<DeviceProgress>,
  nowMs: number,
): void {
  Object.assign(entry, change);
  if (change.sentBytes !== undefined) addSample(entry.history, entry.sentBytes, nowMs);
}

/** No line is wider than the terminal, and there are no more than `linesMax`: the rest is counted. */
export function deviceTable(
  devices: readonly DeviceProgress[],
  nowMs: number,
  columns: number,
  linesMax: number,
): string[] {
  if (devices.length === 0) return [];
  const sorted = [...devices].sort((a, b) => stateRank(a.state) - stateRank(b.state));
  // The head takes a line, and the count of all, where there is one, another.
  const room = Math.max(1, linesMax - 1);
  const shown = sorted.slice(0, devices.length <= room ? room : Math.max(1, room - 1));
  // One column stays free: a terminal breaks a line that fills it.
  const lines = fitTable(
    COLUMNS,
    shown.map((entry) => cellsOfDevice(entry, nowMs)),
    columns - 1,
  );
  if (shown.length < devices.length) {
    lines.push(...fitTable([{ head: '', wanted: 1 }], [[summary(devices)]], columns - 1).slice(1));
  }
  return lines;
}

/** One device in a log, where there is no head to say what is what. */
export function progressText(entry: DeviceProgress, nowMs: number): string {
  const { device, state, sentBytes, totalBytes, repeats, history } = entry;
  if (state !== 'distributing') return `${device}: ${state}`;
  const rate = rateOf(history, nowMs);
  const left = timeLeft(history, totalBytes, nowMs);
  const age = ageText(entry, nowMs);
  return [
    `${device}: ${percent(shareOf(sentBytes, totalBytes))} %`,
    `${bytesText(sentBytes)} of ${bytesText(totalBytes)} bytes`,
    rate === undefined ? 'no rate yet' : rateText(rate),
    ...(left === undefined ? [] : [`${timeLeftText(left)} left`]),
    age === '' ? 'no block yet' : `last block ${age} ago`,
    ...(repeats > 0 ? [`${bytesText(repeats)} repeated`] : []),
  ].join(', ');
}

/** 3 distributing, 1 done. */
export function stateCounts(states: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

export function newProgress(device: string): DeviceProgress {
  return {
    device,
    state: 'planned',
    sentBytes: 0,
    totalBytes: 0,
    repeats: 0,
    lastRequestMs: Number.NEGATIVE_INFINITY,
    history: [],
  };
}

function cellsOfDevice(entry: DeviceProgress, nowMs: number): TableCell[] {
  const { job = '', state, sentBytes, totalBytes, repeats, history } = entry;
  const name = [printable(entry.device), printable(job), stateCell(state)];
  if (state !== 'distributing') return [...name, '', '', '', '', '', '', ''];
  const share = shareOf(sentBytes, totalBytes);
  const filled = Math.floor(share * BAR_CELLS);
  const rate = rateOf(history, nowMs);
  const left = timeLeft(history, totalBytes, nowMs);
  return [
    ...name,
    `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}`,
    `${percent(share)} %`,
    `${bytesText(sentBytes)} of ${bytesText(totalBytes)}`,
    rate === undefined ? '-' : rateText(rate),
    left === undefined ? '-' : timeLeftText(left),
    ageCell(entry, nowMs),
    repeats > 0 ? bytesText(repeats) : '',
  ];
}

function ageCell(entry: DeviceProgress, nowMs: number): TableCell {
  const text = ageText(entry, nowMs) || '-';
  const { silenceMaxMs = Number.POSITIVE_INFINITY, lastRequestMs } = entry;
  const isLong = nowMs - lastRequestMs > silenceMaxMs * LONG_SILENCE;
  return isLong && text !== '-' ? { text: `! ${text}`, style: 'yellow' } : text;
}

/** Nothing before the first block: its time is minus infinity. */
function ageText({ lastRequestMs, silenceMaxMs }: DeviceProgress, nowMs: number): string {
  const ageMs = nowMs - lastRequestMs;
  if (!Number.isFinite(ageMs)) return '';
  const age = (Math.max(0, ageMs) / 1000).toFixed(1);
  if (silenceMaxMs === undefined) return `${age} s`;
  return `${age} of ${Math.round(silenceMaxMs / 1000)} s`;
}

function rateText(bytesPerSecond: number): string {
  if (bytesPerSecond < 1000) return `${Math.round(bytesPerSecond)} B/s`;
  return `${(bytesPerSecond / 1000).toFixed(1)} kB/s`;
}

function summary(devices: readonly DeviceProgress[]): string {
  const sent = devices.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  const total = devices.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const states = stateCounts(devices.map(({ state }) => state));
  const share = total > 0 ? `; ${percent(shareOf(sent, total))} % of all bytes` : '';
  return `${devices.length} devices: ${states}${share}`;
}

function shareOf(sentBytes: number, totalBytes: number): number {
  return totalBytes > 0 ? Math.min(1, sentBytes / totalBytes) : 0;
}

/** Rounded down: 100 % is said when all of it is there. */
function percent(share: number): string {
  return `${Math.floor(share * 100)}`;
}
