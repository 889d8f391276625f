/**
 * The pictures of a run as inline SVG: what state its upgrades were in when, and how the bytes went. Colours
 * are names of CSS variables, so that light and dark each have their own; each bar and point says in words
 * what it is.
 */
import type { RunResult, TimelineEntry, UpgradeRecord } from '../run-result.ts';
import { xmlText } from './xml-text.ts';

const WIDTH = 720;
const LEFT = 110;
const RIGHT = 12;
const ROW = 26;
const BAR = 16;
const PLOT_HEIGHT = 150;
const PLOT_TOP = 10;

/** What a state is shown as; states of one kind share a colour, and their words tell them apart. */
const TONES: Readonly<Record<string, string>> = {
  staged: 'wait',
  'awaiting-activation': 'wait',
  distributing: 'move',
  distributed: 'move',
  activating: 'act',
  confirming: 'act',
  done: 'good',
  failed: 'bad',
  refused: 'bad',
  'unknown-outcome': 'bad',
};

/** A row a device: bars of states, and a mark for each deed. */
export function timelineSvg({ timeline, wallMs }: RunResult): string {
  const devices = [...new Set(timeline.map(({ device }) => device))];
  if (devices.length === 0) return '';
  const height = devices.length * ROW + 30;
  const x = scale(Math.max(1, wallMs));
  const rows = devices.map((device, row) => {
    const entries = timeline.filter((entry) => entry.device === device);
    const y = row * ROW + 6;
    return [
      `<text class="label" x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${xmlText(device)}</text>`,
      ...stateBars(entries, wallMs, y, x),
      ...deedMarks(entries, y, x),
    ].join('');
  });
  const axis = timeAxis(wallMs, height - 18, x);
  return svg(height, 'States of the upgrades over time', [...rows, axis]);
}

function stateBars(
  entries: readonly TimelineEntry[],
  wallMs: number,
  y: number,
  x: (ms: number) => number,
): string[] {
  const states = entries.filter(({ kind }) => kind === 'state');
  return states.map(({ atMs, what, detail }, index) => {
    const endMs = states[index + 1]?.atMs ?? Math.max(wallMs, atMs);
    const isEnd = TONES[what] === 'good' || TONES[what] === 'bad';
    const width = Math.max(3, isEnd && index === states.length - 1 ? 6 : x(endMs) - x(atMs) - 1);
    const words = `${what} from ${secondsText(atMs)}${detail ? `: ${detail}` : ''}`;
    const name =
      width > 9 * what.length
        ? `<text class="in-bar" x="${x(atMs) + 4}" y="${y + 12}">${xmlText(what)}</text>`
        : '';
    return (
      `<g><title>${xmlText(words)}</title><rect class="tone-${TONES[what] ?? 'wait'}" ` +
      `x="${x(atMs)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>${name}</g>`
    );
  });
}

function deedMarks(
  entries: readonly TimelineEntry[],
  y: number,
  x: (ms: number) => number,
): string[] {
  return entries
    .filter(({ kind, what }) => kind === 'deed' && what !== 'note')
    .map(({ atMs, what, detail }) => {
      const words = `${what} at ${secondsText(atMs)}${detail ? `: ${detail}` : ''}`;
      const at = x(atMs);
      return (
        `<g><title>${xmlText(words)}</title>` +
        `<path class="deed" d="M${at} ${y - 3}l4 5h-8z M${at} ${y}v${BAR + 3}"/></g>`
      );
    });
}

/** Bytes of each upgrade over the time of the run. */
export function throughputSvg({ upgrades, wallMs }: RunResult): string {
  const shown = upgrades.filter(({ samples }) => samples.length > 1);
  if (shown.length === 0) return '';
  const most = Math.max(...shown.map(({ totalBytes }) => totalBytes), 1);
  const x = scale(Math.max(1, wallMs));
  const y = (bytes: number) => PLOT_TOP + PLOT_HEIGHT - (bytes / most) * PLOT_HEIGHT;
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(share * most).toFixed(1);
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>` +
      `<text class="label" x="${LEFT - 8}" y="${Number(at) + 4}" text-anchor="end">` +
      `${bytesText(share * most)}</text>`
    );
  });
  const lines = shown.map((upgrade, index) => lineOf(upgrade, index, x, y));
  const axis = timeAxis(wallMs, PLOT_TOP + PLOT_HEIGHT + 4, x);
  return svg(PLOT_TOP + PLOT_HEIGHT + 30, 'Bytes sent over time', [...grid, ...lines, axis]);
}

function lineOf(
  { device, samples, wallMs, sentBytes }: UpgradeRecord,
  index: number,
  x: (ms: number) => number,
  y: (bytes: number) => number,
): string {
  const points = samples.map(({ atMs, sentBytes: bytes }) => `${x(atMs)},${y(bytes).toFixed(1)}`);
  const last = samples.at(-1)!;
  const words = `${device}: ${bytesText(sentBytes)} in ${secondsText(wallMs)}`;
  return (
    `<g><title>${xmlText(words)}</title>` +
    `<polyline class="curve curve-${index % 4}" points="${points.join(' ')}"/>` +
    `<circle class="end curve-${index % 4}" cx="${x(last.atMs)}" cy="${y(last.sentBytes).toFixed(1)}" r="4"/></g>`
  );
}

function timeAxis(wallMs: number, y: number, x: (ms: number) => number): string {
  return [0, 0.25, 0.5, 0.75, 1]
    .map((share) => {
      const anchor = share === 1 ? 'end' : share === 0 ? 'start' : 'middle';
      const text = secondsText(share * wallMs);
      return `<text class="label" x="${x(share * wallMs)}" y="${y + 14}" text-anchor="${anchor}">${text}</text>`;
    })
    .join('');
}

function scale(wallMs: number): (ms: number) => number {
  const room = WIDTH - LEFT - RIGHT;
  return (ms) => Number((LEFT + (Math.min(ms, wallMs) / wallMs) * room).toFixed(1));
}

function svg(height: number, title: string, parts: readonly string[]): string {
  return (
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">` +
    `${parts.join('')}</svg>`
  );
}

function secondsText(ms: number): string {
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

function bytesText(bytes: number): string {
  return bytes < 1_000 ? `${Math.round(bytes)} B` : `${(bytes / 1000).toFixed(0)} kB`;
}
