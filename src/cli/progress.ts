/**
 * What is seen of running upgrades: at a terminal one line a device that moves, elsewhere a line for each
 * thing that happens and now and then how far it is. Pure but for the writing: `render` is what the
 * tests look at.
 */
import { createLogUpdate } from 'log-update';
import { bytesText, durationText, writeLine } from './output.ts';

/** Samples the rate is taken over. */
const RATE_WINDOW_MS = 6_000;
const BAR_CELLS = 20;
/** How often the lines at a terminal are drawn anew. */
const DRAW_PERIOD_MS = 250;
/** How often a log is told how far everything is. */
const LOG_PERIOD_MS = 30_000;
/** Devices that get a line of their own; the rest are counted. */
const LINES_MAX = 12;

/** A log has no width. */
const LOG_COLUMNS = 1_000;

/** Progress goes to stderr: stdout is for results. */
const moveTo = createLogUpdate(process.stderr);

export interface DeviceProgress {
  device: string;
  state: string;
  sentBytes: number;
  totalBytes: number;
  repeats: number;
  lastRequestMs: number;
  history: { atMs: number; sentBytes: number }[];
}

/** `moving`: lines drawn anew at a terminal. `log`: lines that stay. `off`: only what `line` is given. */
export type BoardKind = 'moving' | 'log' | 'off';

export class ProgressBoard {
  private readonly devices = new Map<string, DeviceProgress>();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly kind: BoardKind;
  private over = false;

  constructor(kind: BoardKind) {
    this.kind = kind;
    if (kind === 'off') return;
    const periodMs = kind === 'moving' ? DRAW_PERIOD_MS : LOG_PERIOD_MS;
    this.timer = setInterval(() => (kind === 'moving' ? this.draw() : this.log()), periodMs);
    this.timer.unref();
  }

  update(device: string, change: Partial<DeviceProgress>, nowMs: number): void {
    const known = this.devices.get(device) ?? newProgress(device, nowMs);
    this.devices.set(device, known);
    recordProgress(known, change, nowMs);
  }

  /** A line that stays, above those that move. */
  line(text: string): void {
    if (this.kind === 'moving') moveTo.clear();
    writeLine(process.stderr, text);
    if (this.kind === 'moving') this.draw();
  }

  /** The moving lines stay as they are now; a second call changes nothing. */
  done(): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    if (this.kind !== 'moving') return;
    this.draw();
    moveTo.done();
  }

  private draw(): void {
    const lines = render([...this.devices.values()], Date.now(), process.stderr.columns ?? 80);
    if (lines.length > 0) moveTo(lines.join('\n'));
  }

  private log(): void {
    const running = [...this.devices.values()].filter(({ state }) => state === 'distributing');
    for (const line of render(running, Date.now(), LOG_COLUMNS)) writeLine(process.stderr, line);
  }
}

/** Takes a change into account; the rate is of bytes seen to move, so a resumed download counts from where it is. */
export function recordProgress(
  entry: DeviceProgress,
  change: Partial<DeviceProgress>,
  nowMs: number,
): void {
  Object.assign(entry, change);
  if (change.sentBytes === undefined) return;
  const { history, sentBytes } = entry;
  if (sentBytes < (history.at(-1)?.sentBytes ?? 0)) history.length = 0;
  history.push({ atMs: nowMs, sentBytes });
  while (history.length > 2 && history[0]!.atMs < nowMs - RATE_WINDOW_MS) history.shift();
}

export function render(devices: DeviceProgress[], nowMs: number, columns: number): string[] {
  const shown = [...devices].sort((a, b) => rank(a) - rank(b)).slice(0, LINES_MAX);
  const width = Math.max(0, ...shown.map(({ device }) => device.length));
  const lines = shown.map((entry) => deviceLine(entry, nowMs, width));
  if (devices.length > LINES_MAX) lines.push(summary(devices));
  // One column stays free: a terminal breaks a line that fills it.
  return lines.map((line) => line.slice(0, Math.max(1, columns - 1)));
}

/** Bytes a second over the window, and milliseconds to go; undefined where nothing moved in it. */
export function pace(
  entry: DeviceProgress,
  nowMs: number,
): { bytesPerSecond: number; etaMs: number } | undefined {
  const first = entry.history[0];
  const last = entry.history.at(-1);
  if (!first || !last || last.atMs <= first.atMs || last.sentBytes <= first.sentBytes)
    return undefined;
  if (last.atMs < nowMs - RATE_WINDOW_MS) return undefined;
  const bytesPerSecond = ((last.sentBytes - first.sentBytes) / (last.atMs - first.atMs)) * 1000;
  const leftBytes = Math.max(0, entry.totalBytes - entry.sentBytes);
  return { bytesPerSecond, etaMs: (leftBytes / bytesPerSecond) * 1000 };
}

function deviceLine(entry: DeviceProgress, nowMs: number, width: number): string {
  const { device, state, sentBytes, totalBytes, repeats } = entry;
  const name = device.padEnd(width);
  if (state !== 'distributing') return `${name}  ${state}`;
  const share = shareOf(sentBytes, totalBytes);
  const filled = Math.floor(share * BAR_CELLS);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}`;
  const rate = pace(entry, nowMs);
  const parts = [
    `${name}  ${bar} ${percent(share).padStart(3)} %`,
    `${bytesText(sentBytes)} of ${bytesText(totalBytes)} B`,
    rate
      ? `${(rate.bytesPerSecond / 1000).toFixed(1)} kB/s, ${durationText(rate.etaMs)} to go`
      : 'no rate yet',
    ageText(nowMs - entry.lastRequestMs),
    ...(repeats > 0 ? [`${repeats} repeated`] : []),
  ];
  return parts.join('  ');
}

/** Before the first block its time is minus infinity. */
function ageText(ageMs: number): string {
  if (!Number.isFinite(ageMs)) return 'no block yet';
  return `last block ${(Math.max(0, ageMs) / 1000).toFixed(1)} s ago`;
}

function summary(devices: DeviceProgress[]): string {
  const sent = devices.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  const total = devices.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const states = stateCounts(devices.map(({ state }) => state));
  return `${devices.length} devices: ${states}; ${percent(shareOf(sent, total))} % of all bytes`;
}

/** 3 distributing, 1 done. */
export function stateCounts(states: string[]): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

function shareOf(sentBytes: number, totalBytes: number): number {
  return totalBytes > 0 ? Math.min(1, sentBytes / totalBytes) : 0;
}

/** Rounded down: 100 % is said when all of it is there. */
function percent(share: number): string {
  return `${Math.floor(share * 100)}`;
}

/** What moves first, then what waits, then what is over. */
function rank({ state }: DeviceProgress): number {
  if (state === 'distributing') return 0;
  return ['done', 'failed', 'refused', 'unknown-outcome'].includes(state) ? 2 : 1;
}

function newProgress(device: string, nowMs: number): DeviceProgress {
  return {
    device,
    state: 'planned',
    sentBytes: 0,
    totalBytes: 0,
    repeats: 0,
    lastRequestMs: nowMs,
    history: [],
  };
}
