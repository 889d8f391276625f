/** Jobs in lines for people: what happened when, who did it, why, and what is next. */
import type { ApiEvent } from '../api/client.ts';
import type { JobSummary, JobView, UpgradeDocument } from '../api/views.ts';
import type { GatewayRecord } from '../gateway/control.ts';
import { printable } from '../products/codes.ts';
import { bytesText, paint, table } from './output.ts';

const SHORT_DIGEST = 12;
const DEVICES_SHOWN = 40;
const WAITING = ['scheduled', 'awaiting-approval', 'awaiting-activation'];

/** A job, and each of its upgrades with who acts next and until when. */
export function jobLines(job: JobView): string[] {
  const { id, by, createdMs, approvedBy, request, upgrades } = job;
  const approved = approvedBy === undefined ? '' : `, approved by ${printable(approvedBy)}`;
  const asked = `asked for by ${printable(by)} at ${timeText(createdMs)}${approved}`;
  const image = request.image.slice(0, SHORT_DIGEST);
  const what = `image ${image}, ${activationText(request.activation)}`;
  const rows = upgrades.slice(0, DEVICES_SHOWN).map(upgradeRow);
  const rest = upgrades.length - rows.length;
  return [
    `${paint('bold', id)}  ${asked}`,
    `    ${what}, before ${timeText(request.deadlineMs)}`,
    ...table(rows, '  '),
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ];
}

export function jobRow(job: JobSummary): string[] {
  const { id, createdMs, by, devices, states, image } = job;
  const counts = Object.entries(states).map(([state, count]) => `${count} ${state}`);
  return [
    id,
    timeText(createdMs),
    printable(by),
    `${devices} ${devices === 1 ? 'device' : 'devices'}`,
    image.slice(0, SHORT_DIGEST),
    counts.join(', '),
  ];
}

/** Time, who or which device, what, why. */
export function storyRow(record: GatewayRecord): string[] {
  const { atMs, kind } = record;
  const text = (field: string): string => {
    const value = record[field];
    return value === undefined ? '' : printable(String(value));
  };
  const at = timeText(atMs);
  switch (kind) {
    case 'job':
      return [at, text('by'), 'asks for it', reasonOf(record['request'])];
    case 'command': {
      const devices = Array.isArray(record['devices']) ? `of ${record['devices'].length}` : '';
      return [
        at,
        text('by'),
        text('command'),
        printable([devices, text('reason')].join(' ').trim()),
      ];
    }
    case 'state': {
      const attempt = Number(record['attempt']) > 1 ? `attempt ${text('attempt')}` : '';
      const why = [text('code'), text('detail'), attempt].filter(Boolean).join(', ');
      const next = text('next') === '' ? '' : `; next: ${text('next')}`;
      return [at, text('device'), stateText(text('state')), `${why}${next}`];
    }
    case 'intent':
      return [at, text('device'), 'is about to', text('intent')];
    case 'progress': {
      const [sent, total] = [record['sentBytes'], record['totalBytes']].map(Number);
      const share = `${bytesText(sent!)} of ${bytesText(total!)} bytes`;
      return [at, text('device'), 'has', share];
    }
    case 'note':
      return [at, text('device'), 'says', text('text')];
    default:
      return [at, text('device') || text('by'), printable(kind), ''];
  }
}

/** `undefined` for what is not worth a line. */
export function followLine(event: ApiEvent): string | undefined {
  if (event.event === 'gap') return `records ${event.from} to ${event.to} are in the archive`;
  if (event.event === 'progress') return undefined;
  return table([storyRow(event.record)])[0];
}

/** For what an upgrade waits that has come to a state, where that ends at a time. */
export function waitLine({ atMs, ...record }: GatewayRecord, job: JobView): string | undefined {
  const upgrade = job.upgrades.find(({ device }) => device === record['device']);
  if (!upgrade || upgrade.state !== record['state']) return undefined;
  if (!WAITING.includes(upgrade.state) || upgrade.untilMs === undefined) return undefined;
  return table([[timeText(atMs), printable(upgrade.device), 'waits', waitText(upgrade)]])[0];
}

function waitText({ owner, waitsFor, untilMs }: UpgradeDocument): string {
  const until = untilMs === undefined ? '' : `, until ${timeText(untilMs)}`;
  return `${owner}: ${printable(waitsFor)}${until}`;
}

function upgradeRow(upgrade: UpgradeDocument): string[] {
  const { device, state, owner, code, detail, next } = upgrade;
  const why = [code, detail].filter((text) => text !== undefined).map(printable);
  const waits = owner === 'nobody' ? why.join(', ') : waitText(upgrade);
  const todo = next === undefined ? '' : `; next: ${printable(next)}`;
  return [printable(device), stateText(state), `${waits}${todo}`];
}

function stateText(state: string): string {
  if (state === 'done') return paint('green', state);
  const isBad = ['failed', 'refused', 'expired', 'unknown-outcome'].includes(state);
  return isBad ? paint('red', state) : state;
}

function activationText(activation: JobView['request']['activation']): string {
  if (activation.when === 'now') return 'activated as soon as it is there';
  if (activation.when === 'held') return 'held until its activation is commanded';
  return `activated at ${timeText(activation.atMs)}`;
}

function reasonOf(request: unknown): string {
  const { reason } = (request ?? {}) as { reason?: unknown };
  return typeof reason === 'string' ? printable(reason) : '';
}

/** To the second, in UTC. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
