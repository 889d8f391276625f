/**
 * What is seen of running upgrades: at a terminal one line a device that moves, elsewhere a line for each
 * thing that happens. Pure but for the writing: `render` is what the tests look at.
 */
import { createLogUpdate } from 'log-update';
import { bytesText, durationText } from './output.ts';

/** Samples the rate is taken over. */
const RATE_WINDOW_MS = 6_000;
const BAR_CELLS = 20;
/** Devices that get a line of their own; the rest are counted. */
const LINES_MAX = 12;

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

export class ProgressBoard {
  private readonly devices = new Map<string, DeviceProgress>();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly moving: boolean;

  constructor(moving: boolean) {
    this.moving = moving;
    if (moving) {
      this.timer = setInterval(() => this.draw(), 250);
      this.timer.unref();
    }
  }

  update(device: string, change: Partial<DeviceProgress>, nowMs: number): void {
    const known = this.devices.get(device) ?? newProgress(device, nowMs);
    Object.assign(known, change);
    known.history.push({ atMs: nowMs, sentBytes: known.sentBytes });
    while (known.history.length > 2 && known.history[0]!.atMs < nowMs - RATE_WINDOW_MS)
      known.history.shift();
    this.devices.set(device, known);
  }

  /** A line that stays, above those that move. */
  line(text: string): void {
    if (this.moving) moveTo.clear();
    process.stderr.write(`${text}\n`);
    if (this.moving) this.draw();
  }

  done(): void {
    clearInterval(this.timer);
    if (!this.moving) return;
    this.draw();
    moveTo.done();
  }

  private draw(): void {
    const lines = render([...this.devices.values()], Date.now(), process.stderr.columns ?? 80);
    if (lines.length > 0) moveTo(lines.join('\n'));
  }
}

export function render(devices: DeviceProgress[], nowMs: number, columns: number): string[] {
  const shown = [...devices].sort((a, b) => rank(a) - rank(b)).slice(0, LINES_MAX);
  const width = Math.max(0, ...shown.map(({ device }) => device.length));
  const lines = shown.map((entry) =>
    deviceLine(entry, nowMs, width).slice(0, Math.max(20, columns - 1)),
  );
  if (devices.length > LINES_MAX) lines.push(summary(devices));
  return lines;
}

/** Bytes a second over the window, and milliseconds to go; undefined where nothing moved. */
export function pace(entry: DeviceProgress): { bytesPerSecond: number; etaMs: number } | undefined {
  const first = entry.history[0];
  const last = entry.history.at(-1);
  if (!first || !last || last.atMs <= first.atMs || last.sentBytes <= first.sentBytes)
    return undefined;
  const bytesPerSecond = ((last.sentBytes - first.sentBytes) / (last.atMs - first.atMs)) * 1000;
  return { bytesPerSecond, etaMs: ((entry.totalBytes - entry.sentBytes) / bytesPerSecond) * 1000 };
}

function deviceLine(entry: DeviceProgress, nowMs: number, width: number): string {
  const { device, state, sentBytes, totalBytes, repeats } = entry;
  const name = device.padEnd(width);
  if (state !== 'distributing') return `${name}  ${state}`;
  const share = totalBytes > 0 ? sentBytes / totalBytes : 0;
  const filled = Math.floor(share * BAR_CELLS);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}`;
  const rate = pace(entry);
  const parts = [
    `${name}  ${bar} ${(share * 100).toFixed(0).padStart(3)} %`,
    `${bytesText(sentBytes)} of ${bytesText(totalBytes)} B`,
    rate
      ? `${(rate.bytesPerSecond / 1000).toFixed(1)} kB/s, ${durationText(rate.etaMs)} to go`
      : 'no rate yet',
    `last block ${((nowMs - entry.lastRequestMs) / 1000).toFixed(1)} s ago`,
    ...(repeats > 0 ? [`${repeats} repeated`] : []),
  ];
  return parts.join('  ');
}

function summary(devices: DeviceProgress[]): string {
  const counts = new Map<string, number>();
  for (const { state } of devices) counts.set(state, (counts.get(state) ?? 0) + 1);
  const sent = devices.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  const total = devices.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
  return `${devices.length} devices: ${states}; ${((sent / Math.max(1, total)) * 100).toFixed(0)} % of all bytes`;
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
