/**
 * What is seen of a running gateway: how it is, links that are down, a row for each upgrade of its open jobs, and what
 * happened last. It only holds and shows; what is asked and when is in watch.ts.
 */
import type { ApiEvent } from '../api/client.ts';
import type { JobSummary, JobView } from '../api/views.ts';
import type { DeviceView, GatewayRecord, HealthView, LiveProgress } from '../gateway/control.ts';
import { printable } from '../products/codes.ts';
import { cutTo } from './cells.ts';
import { type DeviceProgress, deviceTable, newProgress, recordProgress } from './device-table.ts';
import { followLine, timeText } from './job-lines.ts';
import type { Size } from './moving-lines.ts';
import { bytesText, paint } from './output.ts';
import { isOverInWords } from './state-sign.ts';

/** A gateway as it says that it is, at one moment. */
export interface GatewayPicture {
  health: HealthView;
  devices: DeviceView[];
  /** Not over, the newest first, device by device. */
  jobs: JobView[];
  /** Not over either: those for very many devices, and the oldest of very many. */
  otherJobs: JobSummary[];
}

const EVENTS_KEPT = 50;
const EVENTS_SHOWN = 6;
/** So long what has ended is still shown. */
const ENDED_SHOWN_MS = 30_000;
const NAMES_SHOWN = 4;
/** In a line each, of those that are not shown device by device. */
const JOBS_TOLD = 3;

export class WatchBoard {
  private picture: GatewayPicture | undefined;
  private readonly rows = new Map<string, DeviceProgress & { endedMs?: number }>();
  private readonly events: string[] = [];
  /** Since when it does not answer. */
  private lostMs: number | undefined;

  /** How it is now. What has ended is shown a while longer. */
  show(picture: GatewayPicture, nowMs: number): void {
    this.picture = picture;
    this.lostMs = undefined;
    for (const job of picture.jobs) this.takeJob(job);
    const open = new Set([...picture.jobs, ...picture.otherJobs].map(({ id }) => id));
    for (const [key, row] of this.rows) {
      if (open.has(row.job!) && !isOverInWords(row.state)) continue;
      row.endedMs ??= nowMs;
      if (row.endedMs < nowMs - ENDED_SHOWN_MS) this.rows.delete(key);
    }
  }

  lost(nowMs: number): void {
    this.lostMs ??= nowMs;
  }

  hear(event: ApiEvent, nowMs: number): void {
    if (event.event === 'progress') this.hearProgress(event.progress, nowMs);
    if (event.event === 'record') this.hearRecord(event.record);
    const line = followLine(event);
    if (line !== undefined) this.say(line);
  }

  /** Among what happened. */
  say(line: string): void {
    this.events.push(line);
    if (this.events.length > EVENTS_KEPT) this.events.shift();
  }

  lines({ columns, rows }: Size, nowMs: number): string[] {
    const width = Math.max(1, columns - 1);
    const events = this.events.slice(-Math.min(EVENTS_SHOWN, Math.max(1, rows - 8)));
    const head = this.picture ? headLines(this.picture, this.lostMs, nowMs) : [];
    const room = Math.max(2, rows - head.length - events.length - 3);
    const all = [...this.rows.values()];
    return [
      ...head.map(([text, style]) =>
        style ? paint(style, cutTo(text, width)) : cutTo(text, width),
      ),
      ...(all.length > 0 ? deviceTable(all, nowMs, columns, room) : ['no open job']),
      ...(events.length > 0 ? [''] : []),
      ...events.map((line) => cutTo(line, width)),
    ];
  }

  private takeJob({ id, upgrades }: JobView): void {
    for (const { device, state, sentBytes, totalBytes } of upgrades) {
      if (isOverInWords(state) && !this.rows.has(`${id}/${device}`)) continue;
      const row = this.rowOf(id, device);
      row.state = state;
      // What is live is newer than what was kept.
      if (row.history.length === 0) Object.assign(row, { sentBytes, totalBytes });
    }
  }

  /** Ages are by the gateway's clock on both ends: this one may be another. */
  private hearProgress({ job, device, ...progress }: LiveProgress, nowMs: number): void {
    const { sentBytes, totalBytes, repeats, atMs, lastRequestMs } = progress;
    const change = {
      sentBytes,
      totalBytes,
      repeats,
      lastRequestMs: nowMs - (atMs - lastRequestMs),
    };
    recordProgress(this.rowOf(job, device), change, nowMs);
  }

  private hearRecord({ kind, job, device, state }: GatewayRecord): void {
    if (kind !== 'state') return;
    const row = this.rowOf(String(job), String(device));
    row.state = String(state);
  }

  private rowOf(job: string, device: string): DeviceProgress & { endedMs?: number } {
    const key = `${job}/${device}`;
    const known = this.rows.get(key);
    if (known) return known;
    const made = { ...newProgress(device), job };
    this.rows.set(key, made);
    return made;
  }
}

type HeadLine = [text: string, style?: 'red' | 'yellow'];

/** How the gateway is, and what is wrong with it: nothing more where nothing is. */
export function headLines(
  { health, devices, otherJobs }: GatewayPicture,
  lostMs: number | undefined,
  nowMs: number,
): HeadLine[] {
  const { gateway, version, state, reasons, startedMs, links } = health;
  const sign = state === 'ready' ? '✓' : '!';
  const name = `${printable(gateway)}, Uplift ${printable(version)}, runs since ${timeText(startedMs)}`;
  const lines: HeadLine[] =
    lostMs === undefined
      ? [
          state === 'ready'
            ? [`${sign} ${state}: ${name}`]
            : [`${sign} ${state}: ${name}`, 'yellow'],
        ]
      : [[`✗ does not answer for ${secondsText(nowMs - lostMs)}: ${name}; asked again`, 'red']];
  for (const { code, message } of reasons) {
    lines.push([`! ${printable(message)} (${printable(code)})`, 'yellow']);
  }
  for (const { link, up, since, detail } of links) {
    if (up) continue;
    const why = detail ? `, ${printable(detail)}` : '';
    const behind = devices.filter((device) => device.link === link).map(({ id }) => printable(id));
    const names = behind.length > 0 ? `; behind it ${namesText(behind)}` : '';
    lines.push([`✗ ${printable(link)} is down since ${timeText(since)}${why}${names}`, 'red']);
  }
  for (const { id, devices: count, states } of otherJobs.slice(0, JOBS_TOLD)) {
    const counts = Object.entries(states).map(([name, of]) => `${bytesText(of)} ${name}`);
    lines.push([`· ${id}, ${bytesText(count)} devices: ${counts.join(', ')}`]);
  }
  const rest = otherJobs.length - JOBS_TOLD;
  if (rest > 0) lines.push([`· and ${rest} older open jobs (uplift job list --open)`]);
  return lines;
}

function namesText(names: readonly string[]): string {
  const rest = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function secondsText(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1000))} s`;
}
